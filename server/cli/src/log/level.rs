//! Asterisk's levels, and which one an event has.

use std::fmt;

use tracing::Metadata;

/// A level of `logger.conf`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For programmers; see `core set debug`.
    Debug,
    /// For programmers, every step.
    Trace,
    /// Worth knowing.
    Notice,
    /// Something is wrong and the exchange helps itself.
    Warning,
    /// Something does not work.
    Error,
    /// What happens in calls, and messages that are traced.
    Verbose,
    /// Digits. Nothing is logged on it.
    Dtmf,
}

impl Level {
    /// All of them, in Asterisk's order.
    pub const ALL: [Self; 7] = [
        Self::Debug,
        Self::Trace,
        Self::Notice,
        Self::Warning,
        Self::Error,
        Self::Verbose,
        Self::Dtmf,
    ];

    /// As logs write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "DEBUG",
            Self::Trace => "TRACE",
            Self::Notice => "NOTICE",
            Self::Warning => "WARNING",
            Self::Error => "ERROR",
            Self::Verbose => "VERBOSE",
            Self::Dtmf => "DTMF",
        }
    }

    /// The level of this name, compared without case.
    pub fn named(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|level| level.as_str().eq_ignore_ascii_case(name))
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of levels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Levels {
    bits: u8,
    /// Up to which number VERBOSE is taken; as `core set verbose` says if `None`.
    pub verbose: Option<u8>,
}

impl Levels {
    /// These levels.
    pub fn of(levels: &[Level]) -> Self {
        let bits = levels.iter().fold(0, |bits, level| bits | level.bit());
        Self {
            bits,
            verbose: None,
        }
    }

    /// The same, with VERBOSE up to this number.
    #[must_use]
    pub fn with_verbose(self, verbose: u8) -> Self {
        Self {
            verbose: Some(verbose),
            ..self
        }
    }

    /// What an attached console takes.
    pub(crate) fn of_console(verbose: u8) -> Self {
        Self::of(&[
            Level::Debug,
            Level::Notice,
            Level::Warning,
            Level::Error,
            Level::Verbose,
        ])
        .with_verbose(verbose)
    }

    /// Whether it is one of them.
    pub fn has(self, level: Level) -> bool {
        self.bits & level.bit() != 0
    }

    /// Puts one in or takes it out.
    pub fn set(&mut self, level: Level, on: bool) {
        match on {
            true => self.bits |= level.bit(),
            false => self.bits &= !level.bit(),
        }
    }
}

/// `DEBUG NOTICE `, as `logger show channels` writes it.
impl fmt::Display for Levels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for level in Level::ALL.into_iter().filter(|level| self.has(*level)) {
            f.write_str(level.as_str())?;
            if level == Level::Verbose {
                match self.verbose {
                    Some(number) => write!(f, ":{number}")?,
                    None => f.write_str("(*)")?,
                }
            }
            f.write_str(" ")?;
        }
        Ok(())
    }
}

/// What an event is, told by the place it comes from alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Something does not work.
    Error,
    /// Something is wrong.
    Warning,
    /// Worth knowing.
    Notice,
    /// Of a call; 1: it begins or ends, 3: each step of the dial plan.
    Verbose(u8),
    /// For programmers; 1, or 5 for every step.
    Debug(u8),
    /// A SIP message.
    Sip,
    /// An RTP packet.
    Rtp,
    /// An RTCP packet.
    Rtcp,
}

/// A step of the dial plan.
pub(crate) const STEP: Class = Class::Verbose(3);

/// The target of RTP packets.
pub(crate) const RTP_TARGET: &str = "rtp_debug";

/// The target of RTCP packets.
pub(crate) const RTCP_TARGET: &str = "rtcp_debug";

impl Class {
    /// What comes from this place.
    pub(crate) fn of(metadata: &Metadata<'_>) -> Self {
        match metadata.target() {
            signal::sip::TRACE_TARGET => return Self::Sip,
            RTP_TARGET => return Self::Rtp,
            RTCP_TARGET => return Self::Rtcp,
            _ => {}
        }
        let has = |field: &str| metadata.fields().field(field).is_some();
        match *metadata.level() {
            tracing::Level::ERROR => Self::Error,
            tracing::Level::WARN => Self::Warning,
            tracing::Level::INFO if has("channel") => Self::Verbose(1),
            tracing::Level::INFO => Self::Notice,
            tracing::Level::DEBUG if has("channel") && has("at") => STEP,
            tracing::Level::DEBUG => Self::Debug(1),
            tracing::Level::TRACE => Self::Debug(5),
        }
    }

    /// Its level in the log.
    pub fn level(self) -> Level {
        match self {
            Self::Error => Level::Error,
            Self::Warning => Level::Warning,
            Self::Notice => Level::Notice,
            Self::Verbose(_) | Self::Sip | Self::Rtp | Self::Rtcp => Level::Verbose,
            Self::Debug(number) if number < 5 => Level::Debug,
            Self::Debug(_) => Level::Trace,
        }
    }
}
