//! Types of the media plane, until it is there.

use std::net::SocketAddr;

use codec::Kind;
use rtc::topology::Topology;
use sdp::Sdp;

/// One round of offer and answer.
#[derive(Debug)]
pub enum Round {
    /// Answer the far end's offer.
    Answer {
        /// Theirs.
        offer: Sdp,
    },
    /// Offer.
    Offer {
        /// What we want.
        want: Topology,
    },
    /// Apply the far end's answer.
    Apply {
        /// Theirs.
        answer: Sdp,
    },
    /// Take our offer back.
    Rollback,
}

/// What came of a round.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// What to send.
    pub sdp: Option<Sdp>,
    /// What stands.
    pub agreed: Topology,
    /// Remarks.
    pub notes: Vec<rtc::negotiate::Note>,
}

/// How media is echoed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EchoMode {
    /// Each stream to itself.
    OneToOne,
    /// First to all.
    FanOut(Kind),
}

/// What a leg tells.
#[derive(Clone, Debug, PartialEq)]
pub enum LegEvent {
    /// ICE.
    IceConnected {
        /// Ours.
        local: SocketAddr,
        /// Theirs.
        remote: SocketAddr,
    },
    /// DTLS.
    MediaUp {
        /// Version.
        dtls: String,
        /// Profile.
        srtp: String,
    },
    /// First packet.
    FirstPacket {
        /// Kind.
        kind: Kind,
        /// In or out.
        received: bool,
    },
    /// Digit.
    Digit(char),
    /// Down.
    Down(String),
}
