//! The offer/answer model (RFC 3264, RFC 8829) of one transport, between the peer's descriptions
//! and the engine's.
//!
//! The engine (str0m) reads a strict dialect, cannot refuse a single line and has one set of codecs
//! for all of them. So the peer's offer is decided line by line, written anew for the engine
//! ([`Negotiator::accept_offer`]), and the engine's answer is put back into the peer's order, names
//! and profile ([`Negotiator::finish_answer`]). Our own offers go the same way in the other
//! direction. Nothing here is a packet, a clock or an engine type: text and [`sdp::Sdp`] only.
//!
//! Deliberately not here: whose turn it is (the SIP agent), simulcast, data channels, trickled
//! candidates, transports outside the bundle.

mod answer;
mod canonical;
mod decide;
pub(crate) mod desk;
pub(crate) mod format;
mod ids;
mod note;
mod offer;
mod render;
mod table;
mod transport;

use std::sync::Arc;

use codec::{Codec, Kind};
use sdp::{Direction, Sdp, Setup};

pub use note::{LineFault, Note};

use crate::Refused;
use crate::policy::Policy;
use crate::topology::Topology;
use answer::Answering;
use ids::Ids;
use offer::{Offered, Planned};
use table::Table;

/// One offer/answer state machine; it lives as long as the transport.
#[derive(Debug)]
pub struct Negotiator {
    policy: Arc<Policy>,
    ids: Ids,
    table: Table,
    agreed: Topology,
    phase: Phase,
    /// Our DTLS role, once agreed: `Active` or `Passive`.
    role: Option<Setup>,
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
    /// A line whose codecs change, which the engine does not know of: it keeps those it had first, and the
    /// descriptions and what is sent follow what was agreed.
    Renew {
        /// The engine's name of the line.
        mid: Box<str>,
    },
}

/// Where the exchange stands.
#[derive(Debug)]
enum Phase {
    /// Nothing is in progress.
    Stable,
    /// The peer's offer is with the engine.
    Answering(Answering),
    /// The engine is making our offer.
    Planned(Planned),
    /// Our offer is with the peer.
    Offered(Offered),
}

impl Negotiator {
    /// A negotiator within `policy`. Ids in our descriptions are drawn from `seed`.
    pub fn new(policy: Arc<Policy>, seed: [u8; 32]) -> Self {
        Self {
            policy,
            ids: Ids::new(seed),
            table: Table::default(),
            agreed: Topology::default(),
            phase: Phase::Stable,
            role: None,
            notes: Vec::new(),
        }
    }

    /// Decides line by line about the peer's offer; returns the offer for the engine. On an error
    /// the agreed session stands.
    pub fn accept_offer(&mut self, offer: &Sdp) -> Result<String, Refused> {
        if matches!(self.phase, Phase::Planned(_) | Phase::Offered(_)) {
            return Err(Refused::OfferPending);
        }
        self.phase = Phase::Stable;
        let (answering, text) = answer::accept_offer(self, offer)?;
        self.phase = Phase::Answering(answering);
        Ok(text)
    }

    /// Turns the engine's answer into the one for the peer.
    pub fn finish_answer(&mut self, engine_answer: &str) -> Result<Sdp, Refused> {
        match std::mem::replace(&mut self.phase, Phase::Stable) {
            Phase::Answering(answering) => answer::finish_answer(self, answering, engine_answer),
            other => {
                self.phase = other;
                Err(Refused::NoOfferPending)
            }
        }
    }

    /// What the engine must change to come from the agreed topology to this one. Streams of `want`
    /// with a `mid` are existing lines, those without are new. Streams beyond the policy are dropped
    /// with a note. Empty: nothing to negotiate, and no offer is pending.
    pub fn plan_offer(&mut self, want: &Topology) -> Result<Vec<Change>, Refused> {
        if !matches!(self.phase, Phase::Stable) {
            return Err(Refused::OfferPending);
        }
        let (planned, changes) = offer::plan_offer(self, want);
        if !changes.is_empty() {
            self.phase = Phase::Planned(planned);
        }
        Ok(changes)
    }

    /// The same for an offer of what stands with other codecs of sound, of those that were agreed at first.
    pub fn plan_recode(&mut self, codecs: &[&'static Codec]) -> Result<Vec<Change>, Refused> {
        if !matches!(self.phase, Phase::Stable) {
            return Err(Refused::OfferPending);
        }
        let (planned, changes) = offer::plan_recode(self, codecs);
        if !changes.is_empty() {
            self.phase = Phase::Planned(planned);
        }
        Ok(changes)
    }

    /// Turns the engine's offer, made after the planned changes, into the one for the peer. On
    /// an error the plan is still pending: [`Self::rollback`] ends it.
    pub fn finish_offer(&mut self, engine_offer: &str) -> Result<Sdp, Refused> {
        match std::mem::replace(&mut self.phase, Phase::Stable) {
            Phase::Planned(planned) => match offer::finish_offer(self, &planned, engine_offer) {
                Ok((offered, sdp)) => {
                    self.phase = Phase::Offered(offered);
                    Ok(sdp)
                }
                Err(refused) => {
                    self.phase = Phase::Planned(planned);
                    Err(refused)
                }
            },
            other => {
                self.phase = other;
                Err(Refused::NoOfferPending)
            }
        }
    }

    /// Turns the peer's answer to our offer into the one for the engine. On an error the offer is
    /// still pending: [`Self::rollback`] ends it.
    pub fn accept_answer(&mut self, answer: &Sdp) -> Result<String, Refused> {
        match std::mem::replace(&mut self.phase, Phase::Stable) {
            Phase::Offered(offered) => match offer::accept_answer(self, &offered, answer) {
                Ok(text) => Ok(text),
                Err(refused) => {
                    self.phase = Phase::Offered(offered);
                    Err(refused)
                }
            },
            other => {
                self.phase = other;
                Err(Refused::NoOfferPending)
            }
        }
    }

    /// Takes the peer's answer to the description that stands, which was sent once more as our offer
    /// (RFC 3264 §8 lets it be "identical to the last SDP that was sent"). The engine, which has made
    /// no offer, gets it as an offer of the peer: it can but narrow what stands. Returns that offer;
    /// [`Self::finish_confirmation`] takes the engine's answer to it, which nobody is sent.
    pub fn accept_confirmation(&mut self, answer: &Sdp) -> Result<String, Refused> {
        if !matches!(self.phase, Phase::Stable) {
            return Err(Refused::OfferPending);
        }
        let offered = self.table.lines.len();
        let answered = answer.media.len();
        if answered != offered {
            return Err(Refused::LineCount { offered, answered });
        }
        let (answering, text) = answer::accept_offer(self, answer)?;
        if !answering.continues(&self.table) {
            return Err(Refused::IceChanged);
        }
        self.phase = Phase::Answering(answering);
        Ok(text)
    }

    /// Ends what [`Self::accept_confirmation`] began.
    pub fn finish_confirmation(&mut self, engine_answer: &str) -> Result<(), Refused> {
        let sealed = self.ids.sealed();
        let finished = self.finish_answer(engine_answer);
        self.ids.unseal(sealed);
        finished.map(drop)
    }

    /// Forgets the offer in progress, ours or the peer's; the agreed session stands (RFC 3261
    /// §14.1). Returns the directions that the engine took at once and must take back.
    pub fn rollback(&mut self) -> Vec<Change> {
        match std::mem::replace(&mut self.phase, Phase::Stable) {
            Phase::Stable | Phase::Answering(_) => Vec::new(),
            Phase::Planned(planned) => planned.undo,
            Phase::Offered(offered) => offered.undo,
        }
    }

    /// What is agreed since the last finished negotiation.
    pub fn agreed(&self) -> &Topology {
        &self.agreed
    }

    /// Takes the notes made since the last call.
    pub fn notes(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.notes)
    }

    fn commit(&mut self, table: Table) {
        self.agreed = table.topology();
        self.table = table;
    }
}

/// The lines of an offer that are in use, each with its codecs that are allowed, best first.
pub(crate) fn lines(offer: &Sdp, policy: &Policy) -> Vec<(Kind, Vec<&'static Codec>)> {
    let used = offer
        .media
        .iter()
        .filter(|media| !decide::is_closed(offer, media));
    used.filter_map(|media| {
        let kind = table::av_kind(&media.kind)?;
        let formats = format::read(media, kind, policy, policy.reading.offers).into_iter();
        let codecs = formats.filter_map(|described| described.payload.format.codec());
        Some((kind, codecs.collect()))
    })
    .collect()
}

/// Why no answer to an offer is possible, whoever gives it: nothing of its sound and pictures is allowed.
pub(crate) fn nothing_in_common(offer: &Sdp, policy: &Policy) -> Option<Refused> {
    let mut used = offer
        .media
        .iter()
        .filter(|media| !decide::is_closed(offer, media))
        .peekable();
    if used.peek().is_some() && used.all(|media| media.kind == sdp::MediaKind::Image) {
        return Some(Refused::Fax);
    }
    let usable = lines(offer, policy)
        .iter()
        .any(|(_, codecs)| !codecs.is_empty());
    let mut media = offer.media.iter().filter(|_| !usable);
    media.find_map(|media| {
        let kind = table::av_kind(&media.kind).filter(|_| !decide::is_closed(offer, media))?;
        Some(Refused::NoCommonCodec {
            kind,
            offered: format::names(media),
            allowed: decide::allowed_names(policy, kind),
        })
    })
}

/// Reads what the engine wrote.
fn parse_engine(text: &str) -> Result<Sdp, Refused> {
    text.parse()
        .map_err(|error: sdp::ParseError| Refused::Engine(error.to_string().into()))
}
