//! One round of offer and answer (RFC 3264), whoever begins it.

use crate::negotiate::Note;
use crate::topology::Topology;
use codec::Codec;
use sdp::Sdp;

/// What is to be negotiated.
#[derive(Clone, Debug)]
pub enum Round {
    /// Answer the peer's offer.
    Answer {
        /// As it came.
        offer: Sdp,
    },
    /// Make an offer of our own.
    Offer {
        /// The streams wanted, in order.
        want: Topology,
    },
    /// Offer the streams that stand, those of sound with these codecs alone, best first.
    Recode {
        /// Those that are not allowed, or that the peer never had, are left out.
        codecs: Vec<&'static Codec>,
    },
    /// Take the peer's answer to our offer.
    Apply {
        /// As it came.
        answer: Sdp,
    },
    /// Take the peer's answer to the description that stands, which was sent again as an offer.
    Confirm {
        /// As it came.
        answer: Sdp,
    },
    /// The peer refused our offer: what was agreed before stands.
    Rollback,
}

/// What a round led to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The description for the peer: an answer or an offer. `None` where there is nothing to send,
    /// also for an offer that would change nothing.
    pub sdp: Option<Sdp>,
    /// The streams agreed, which an offer of ours does not change yet.
    pub agreed: Topology,
    /// What a person may want to know, such as why a line was refused.
    pub notes: Vec<Note>,
}
