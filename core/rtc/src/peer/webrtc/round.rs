//! One round of offer and answer (RFC 3264), whoever begins it.

use super::super::round::{Outcome, Round};
use super::line::Line;
use super::{State, StreamId, WebRtcPeer, fresh_credentials};
use crate::Refused;
use crate::negotiate::Change;
use crate::peer::{Event, Format};
use crate::webrtc::EngineError;
use rand_core::Rng;
use sdp::Sdp;
use std::time::Instant;
use str0m::media::Mid;

impl WebRtcPeer {
    /// Does a round, or the part of it that can be done now. After an error everything is as before.
    pub(in crate::peer) fn negotiate(
        &mut self,
        now: Instant,
        round: Round,
    ) -> Result<Outcome, Refused> {
        self.now = now;
        self.is_dirty = true;
        let sdp = match round {
            Round::Answer { offer } => Some(self.answer(now, &offer)?),
            Round::Offer { want } => {
                let changes = self.negotiator.plan_offer(&want)?;
                self.offer(&changes)?
            }
            Round::Recode { codecs } => {
                let changes = self.negotiator.plan_recode(&codecs)?;
                self.offer(&changes)?
            }
            Round::Apply { answer } => {
                self.apply(now, &answer)?;
                None
            }
            Round::Confirm { answer } => {
                self.confirm(now, &answer)?;
                None
            }
            Round::Rollback => {
                self.rollback();
                None
            }
        };
        Ok(Outcome {
            sdp,
            agreed: self.negotiator.agreed().clone(),
            notes: self.negotiator.notes(),
        })
    }

    fn answer(&mut self, now: Instant, offer: &Sdp) -> Result<Sdp, Refused> {
        let offer = self.negotiator.accept_offer(offer)?;
        let fresh = fresh_credentials(&mut self.rng, &self.config.ufrag_prefix);
        let answer = self
            .engine
            .accept_offer(&offer, &fresh)
            .map_err(Refused::from)
            .and_then(|answer| self.negotiator.finish_answer(&answer));
        let answer = answer.inspect_err(|_| self.rollback())?;
        self.on_agreed(now);
        Ok(answer)
    }

    fn offer(&mut self, changes: &[Change]) -> Result<Option<Sdp>, Refused> {
        if changes.is_empty() {
            return Ok(None);
        }
        let Some(offer) = self.engine.offer(changes) else {
            self.rollback();
            return Ok(None);
        };
        let offer = self.negotiator.finish_offer(&offer);
        offer.map(Some).inspect_err(|_| self.rollback())
    }

    fn apply(&mut self, now: Instant, answer: &Sdp) -> Result<(), Refused> {
        let answer = self.negotiator.accept_answer(answer);
        let answer = answer.inspect_err(|_| self.rollback())?;
        let accepted = self.engine.accept_answer(&answer).map_err(Refused::from);
        accepted.inspect_err(|_| self.rollback())?;
        self.on_agreed(now);
        Ok(())
    }

    fn confirm(&mut self, now: Instant, answer: &Sdp) -> Result<(), Refused> {
        let offer = self.negotiator.accept_confirmation(answer)?;
        // Not drawn for use: the answer may not restart ICE.
        let fresh = fresh_credentials(&mut self.rng, &self.config.ufrag_prefix);
        let confirmed = self
            .engine
            .accept_offer(&offer, &fresh)
            .map_err(Refused::from)
            .and_then(|text| self.negotiator.finish_confirmation(&text));
        confirmed.inspect_err(|_| self.rollback())?;
        self.on_agreed(now);
        Ok(())
    }

    fn rollback(&mut self) {
        let changes = self.negotiator.rollback();
        self.engine.rollback(&changes);
    }

    fn on_agreed(&mut self, now: Instant) {
        if self.state == State::New {
            self.state = State::Checking { since: now };
        }
        self.formats = vec![None; PAYLOAD_TYPES];
        for (pt, format) in self.engine.formats() {
            if let Some(slot) = self.formats.get_mut(usize::from(*pt)) {
                *slot = Some(format);
            }
        }
        let mut before = std::mem::take(&mut self.lines);
        for stream in self.negotiator.agreed().iter() {
            let Some(mid) = stream.mid.as_deref().map(Mid::from) else {
                continue;
            };
            // A line keeps its numbers and its account through every round.
            let known = before.iter().position(|line| line.mid == mid);
            let mut line = known.map_or_else(
                || {
                    Line::new(
                        StreamId(stream.mline),
                        mid,
                        stream.kind,
                        self.rng.next_u64(),
                    )
                },
                |index| before.swap_remove(index),
            );
            let formats = &self.formats;
            let sendable = self.engine.sendable(mid).into_iter();
            // The engine keeps what was agreed first; what is agreed now may be less, in another order.
            let rank = |(format, _): &(Format, _)| {
                let mut agreed = stream.payloads.iter();
                agreed.position(|payload| format.carries() == payload.format)
            };
            line.sendable = sendable
                .filter_map(|pt| Some(((*formats.get(usize::from(*pt))?)?, pt)))
                .filter(|own| rank(own).is_some())
                .collect();
            line.sendable.sort_by_key(rank);
            self.lines.push(line);
        }
        for digit in before.iter_mut().flat_map(Line::let_go) {
            self.push(Event::Digit(digit));
        }
    }
}

impl From<EngineError> for Refused {
    fn from(error: EngineError) -> Self {
        Self::Engine(error.0.into())
    }
}

const PAYLOAD_TYPES: usize = 128;
