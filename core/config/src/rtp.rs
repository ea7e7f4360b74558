//! `rtp.conf`: ports of media and how strictly they are guarded.

use crate::option::{Fault, Object, Parse, Row, number, row, word, yes_no};
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

impl Object for Rtp {
    const KIND: &'static str = "rtp.conf";
    const OPTIONS: &'static [Row<Self>] = OPTIONS;

    fn named(_: &str) -> Self {
        Self::default()
    }
}

const OPTIONS: &[Row<Rtp>] = &[
    row(
        "icesupport",
        "yes",
        Parse::YesNo(|r| &mut r.ice_support),
        "ICE with phones whose endpoint asks for it. Browsers have it always.",
    ),
    row(
        "rtpend",
        "31000",
        Parse::Own(end),
        "The last port of media.",
    ),
    row(
        "rtpstart",
        "5000",
        Parse::Own(start),
        "The first port of media.",
    ),
    row(
        "strictrtp",
        "yes",
        Parse::Own(strict),
        "Where desk phones' packets come from is learned and locked; seqno: by their order alone; no: whatever comes is taken.",
    ),
];

fn start(rtp: &mut Rtp, value: &str) -> Result<(), Fault> {
    rtp.ports = number(value, 1024, 65_535)?..=*rtp.ports.end();
    Ok(())
}

fn end(rtp: &mut Rtp, value: &str) -> Result<(), Fault> {
    rtp.ports = *rtp.ports.start()..=number(value, 1024, 65_535)?;
    Ok(())
}

fn strict(rtp: &mut Rtp, value: &str) -> Result<(), Fault> {
    rtp.strict_rtp = match word(value, &["seqno"]) {
        Ok(_) => StrictRtp::SeqNo,
        Err(_) if yes_no(value)? => StrictRtp::Yes,
        Err(_) => StrictRtp::No,
    };
    Ok(())
}
