//! One `m=` line of a desk phone, and what is agreed of it.

use super::bundle::Name;
use super::crypto::{Crypto, Keys};
use super::ice::Checks;
use super::section::Remote;
use super::secure::Association;
use crate::negotiate::format::Described;
use crate::peer::Credentials;
use crate::topology::{Payload, Wishes};
use codec::Kind;
use sdp::{Direction, Media, MediaKind, Setup};

/// One `m=` line.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) kind: MediaKind,
    pub(super) profile: Box<str>,
    /// The formats the peer wrote, echoed where the line is refused.
    pub(super) formats: Vec<Box<str>>,
    pub(super) mid: Option<Box<str>>,
    pub(super) state: Use,
}

#[derive(Clone, Debug)]
pub(super) enum Use {
    Closed,
    Live(Box<Live>),
}

/// What a line in use is about.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    pub(crate) kind: Kind,
    /// Which of our pairs of ports.
    pub(crate) port: usize,
    /// Seen from us.
    pub(crate) direction: Direction,
    /// The most that we allow: less than `SendRecv` while we hold the peer.
    pub(super) ceiling: Direction,
    /// What the peer may send to us, best first; in an answer also what we send.
    pub(crate) formats: Vec<Described>,
    /// What our numbers have meant in this call: RFC 3264 §8.3.2 lets none mean something else later.
    pub(super) known: Vec<Described>,
    /// What we send to the peer, under its numbers.
    pub(crate) sends: Vec<Described>,
    pub(crate) remote: Option<Remote>,
    pub(crate) mux: bool,
    pub(crate) feedback: bool,
    pub(crate) keys: Option<Keys>,
    /// In an offer of ours, the keys among which the peer chooses.
    pub(super) offered_keys: Vec<Crypto>,
    /// What the peer asks of our packets.
    pub(super) wishes: Wishes,
    /// Where DTLS is offered or agreed: the role we write.
    pub(super) setup: Option<Setup>,
    /// Whose handshake it is.
    pub(crate) association: Option<Association>,
    /// Where ICE is offered or agreed: what the peer's checks have to know.
    pub(super) ice: Option<Credentials>,
    pub(crate) checks: Option<Checks>,
    /// Whether it is in the group of our description.
    pub(super) is_grouped: bool,
    /// The line whose port, path and keys it shares.
    pub(crate) follows: Option<usize>,
    /// What its packets name it by.
    pub(crate) name: Option<Name>,
    /// The sources that the peer says it sends.
    pub(crate) ssrcs: Vec<u32>,
}

impl Live {
    /// Whether the peer takes requests for key frames by RTCP: RFC 4585 §4 asks for a profile with feedback, but
    /// many phones describe theirs under the plain one.
    pub(crate) fn takes_keyframe_requests(&self) -> bool {
        let describes = |own: &Described| own.asks_keyframes();
        self.feedback || self.sends.iter().any(describes)
    }
}

impl Live {
    /// Notes what the numbers of our description mean.
    pub(super) fn remember(&mut self) {
        for own in &self.formats {
            let number = own.payload.number;
            match self
                .known
                .iter_mut()
                .find(|known| known.payload.number == number)
            {
                // The peer may change its mind; ours follow it.
                Some(known) => known.clone_from(own),
                None => self.known.push(own.clone()),
            }
        }
    }

    /// What both sides have, in the order the peer likes it: what it answered to our offer is less than
    /// what we offered, and nothing else may be sent to it.
    pub(super) fn agreed(&self) -> Vec<Payload> {
        let own = |theirs: &Described| {
            let formats = &self.formats;
            let same = formats.iter().find(|own| own.payload == theirs.payload);
            let is_alike = |own: &&Described| own.payload.format == theirs.payload.format;
            same.or_else(|| formats.iter().find(is_alike))
        };
        let both = self.sends.iter().filter_map(own);
        both.map(|own| own.payload).collect()
    }
}

impl Line {
    /// As the peer writes it, not in use yet.
    pub(super) fn of(media: &Media) -> Self {
        Self {
            kind: media.kind.clone(),
            profile: media.profile.clone(),
            formats: media.formats.clone(),
            mid: media.mid().map(Into::into),
            state: Use::Closed,
        }
    }

    pub(super) fn live(&self) -> Option<&Live> {
        match &self.state {
            Use::Live(live) => Some(live),
            Use::Closed => None,
        }
    }

    pub(super) fn live_mut(&mut self) -> Option<&mut Live> {
        match &mut self.state {
            Use::Live(live) => Some(live),
            Use::Closed => None,
        }
    }
}
