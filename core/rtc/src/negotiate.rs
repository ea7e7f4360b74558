//! The offer/answer model of one transport, between the peer's descriptions and the engine's.

use std::fmt;
use std::sync::Arc;

use codec::Kind;
use sdp::{Direction, Sdp};

use crate::Refused;
use crate::policy::Policy;
use crate::topology::Topology;

/// One offer/answer state machine; it lives as long as the transport.
#[derive(Debug)]
pub struct Negotiator {
    policy: Arc<Policy>,
    agreed: Topology,
    notes: Vec<Note>,
}

/// What the engine is to be told before it makes an offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A new line.
    Add {
        /// Audio or video.
        kind: Kind,
        /// Seen from us.
        direction: Direction,
        /// For `a=msid`.
        stream_id: Box<str>,
        /// For `a=msid`.
        track_id: Box<str>,
    },
    /// Another direction for a line.
    SetDirection {
        /// The engine's name of the line.
        mid: Box<str>,
        /// Seen from us.
        direction: Direction,
    },
}

/// Something a person should know about a negotiation that went on all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The `m=` line in the peer's description, from 0.
    pub mline: usize,
}

impl Negotiator {
    /// A negotiator within `policy`. Ids in our descriptions are drawn from `seed`.
    pub fn new(policy: Arc<Policy>, _seed: [u8; 32]) -> Self {
        Self {
            policy,
            agreed: Topology::default(),
            notes: Vec::new(),
        }
    }

    /// Decides line by line about the peer's offer; returns the offer for the engine.
    pub fn accept_offer(&mut self, _offer: &Sdp) -> Result<String, Refused> {
        Err(Refused::NoMedia)
    }

    /// Turns the engine's answer into the one for the peer.
    pub fn finish_answer(&mut self, _engine_answer: &str) -> Result<Sdp, Refused> {
        Err(Refused::NoOfferPending)
    }

    /// What the engine must change to come from the agreed topology to this one. Streams beyond the
    /// policy are dropped with a note. Empty: nothing to negotiate, no offer is pending.
    pub fn plan_offer(&mut self, _want: &Topology) -> Result<Vec<Change>, Refused> {
        let _ = &self.policy;
        Ok(Vec::new())
    }

    /// Turns the engine's offer, made after the planned changes, into the one for the peer.
    pub fn finish_offer(&mut self, _engine_offer: &str) -> Result<Sdp, Refused> {
        Err(Refused::NoOfferPending)
    }

    /// Turns the peer's answer to our offer into the one for the engine.
    pub fn accept_answer(&mut self, _answer: &Sdp) -> Result<String, Refused> {
        Err(Refused::NoOfferPending)
    }

    /// Forgets the offer in progress, ours or the peer's; the agreed topology stands. Returns what
    /// the engine changed at once and must change back.
    pub fn rollback(&mut self) -> Vec<Change> {
        Vec::new()
    }

    /// What is agreed since the last finished negotiation.
    pub fn agreed(&self) -> &Topology {
        &self.agreed
    }

    /// Takes the notes made since the last call.
    pub fn notes(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.notes)
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m= line {}", self.mline + 1)
    }
}
