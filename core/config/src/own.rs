//! `sidetone.conf`: what Asterisk has no file for.

use crate::option::{Object, Parse, Row, row};

/// `[general]` of `sidetone.conf`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Own {
    /// Whether a file that changes is read again without being asked to.
    pub autoreload: bool,
    /// Seconds that running calls have to end by themselves when the service is stopped.
    pub drain_s: u32,
    /// The folder of recordings.
    pub recordings: String,
    /// The folder of prompts.
    pub sounds: String,
}

impl Default for Own {
    fn default() -> Self {
        Self {
            autoreload: false,
            drain_s: 30,
            recordings: RECORDINGS.to_owned(),
            sounds: SOUNDS.to_owned(),
        }
    }
}

impl Object for Own {
    const KIND: &'static str = "sidetone.conf";
    const OPTIONS: &'static [Row<Self>] = OPTIONS;

    fn named(_: &str) -> Self {
        Self::default()
    }
}

const OPTIONS: &[Row<Own>] = &[
    row(
        "autoreload",
        "no",
        Parse::YesNo(|own| &mut own.autoreload),
        "Reads the files again when one of them changes, those they include among them.",
    ),
    row(
        "drain",
        "30",
        Parse::Number(|own| &mut own.drain_s, 0, DRAIN_S_MAX),
        "Seconds that calls have to end when the service is stopped; new ones are refused.",
    ),
    row(
        "recordings",
        RECORDINGS,
        Parse::Text(|own| &mut own.recordings),
        "The folder of recordings (`MixMonitor`) whose name is no whole path.",
    ),
    row(
        "sounds",
        SOUNDS,
        Parse::Text(|own| &mut own.sounds),
        "The folder of prompts, with a folder for each language in it. A relative one leads from the folder of this file.",
    ),
];

/// Where Asterisk has its prompts.
const SOUNDS: &str = "/var/lib/asterisk/sounds";
/// Where the service may write.
const RECORDINGS: &str = "/var/lib/sidetone/recordings";
/// A day.
const DRAIN_S_MAX: u32 = 24 * 3600;
