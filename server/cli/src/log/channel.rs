//! One line of `[logfiles]` in `logger.conf`.

use std::fmt;

use super::level::Levels;

/// Where lines go, how they look, and which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// Where they go.
    pub out: Out,
    /// How they look.
    pub format: Format,
    /// Which levels are taken.
    pub levels: Levels,
}

/// Where lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Out {
    /// The standard error of the exchange.
    Console,
    /// A file; a name that is no path lies in the log folder.
    File(String),
    /// Syslog, with the number of the facility.
    Syslog(String, u8),
}

impl fmt::Display for Out {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Console => Ok(()),
            Self::File(name) => f.write_str(name),
            Self::Syslog(name, _) => write!(f, "syslog.{name}"),
        }
    }
}

/// How a line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// `[Nov 25 21:05:55] NOTICE[1234]: signal: …`.
    #[default]
    Default,
    /// One JSON object.
    Json,
}

impl Format {
    /// As `logger show channels` writes it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Json => "json",
        }
    }
}

/// A channel and its number at the writer.
#[derive(Clone)]
pub(super) struct Listener {
    pub(super) id: u32,
    pub(super) channel: Channel,
}
