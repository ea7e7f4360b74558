//! `sidetone.conf`: what Asterisk has no file for.

use crate::option::{Object, Parse, Row, row};

/// `[general]` of `sidetone.conf`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Own {
    /// Whether a file that changes is read again without being asked to.
    pub autoreload: bool,
}

impl Object for Own {
    const KIND: &'static str = "sidetone.conf";
    const OPTIONS: &'static [Row<Self>] = OPTIONS;

    fn named(_: &str) -> Self {
        Self::default()
    }
}

const OPTIONS: &[Row<Own>] = &[row(
    "autoreload",
    "no",
    Parse::YesNo(|own| &mut own.autoreload),
    "Reads the files again when one of them changes, those they include among them.",
)];
