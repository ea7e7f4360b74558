//! `rtp.conf`: ports of media and how strictly they are guarded.

use std::ops::RangeInclusive;

/// `[general]` of `rtp.conf`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rtp {
    /// UDP ports of media.
    pub ports: RangeInclusive<u16>,
    /// Whether ICE is used where an endpoint asks for it.
    pub ice_support: bool,
    /// Whether packets from unexpected addresses are dropped.
    pub strict_rtp: StrictRtp,
}

/// `strictrtp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StrictRtp {
    /// Any source is taken.
    No,
    /// The source is learned, then kept.
    Yes,
    /// As `Yes`, learned by sequence numbers alone.
    SeqNo,
}

impl Default for Rtp {
    fn default() -> Self {
        Self {
            ports: 5000..=31000,
            ice_support: true,
            strict_rtp: StrictRtp::Yes,
        }
    }
}
