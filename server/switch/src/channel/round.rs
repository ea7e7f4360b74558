//! Rounds of offer and answer: the first one, ours, and the far end's.

use std::time::Duration;

use rtc::topology::Topology;
use rtc::{Outcome, Round};
use sdp::Sdp;
use tokio::time::Instant;

use super::streams::{self, in_words};
use super::{Channel, State};
use crate::cause::Cause;
use crate::event::{AppResult, Happened, Interrupt};
use crate::story::{Side, StoryEvent};

/// Times an offer of ours is made again because offers crossed (491).
const OFFER_TRIES_MAX: u8 = 3;

/// How long an offer waits that gave way to the far end's.
const OFFER_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// Whose offer is open.
pub(super) enum Turn {
    /// Nobody's.
    Idle,
    /// Ours; it wants these streams.
    Ours { want: Topology, tries: u8 },
    /// Ours; it went out in an answer because the far end made no offer.
    OursInAnswer,
    /// Ours gave way and will be made again.
    Again {
        want: Topology,
        tries: u8,
        at: Instant,
    },
    /// Ours gave way to the far end's, and is still to be refused with 491 by signalling.
    GaveWay { want: Topology, tries: u8 },
}

impl Turn {
    pub(super) fn again_at(&self) -> Option<Instant> {
        match self {
            Self::Again { at, .. } => Some(*at),
            Self::Idle | Self::Ours { .. } | Self::OursInAnswer | Self::GaveWay { .. } => None,
        }
    }

    fn is_idle(&self) -> bool {
        matches!(self, Self::Idle)
    }
}

/// Why streams could not be changed. The call goes on with those that stood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotRenegotiated {
    /// The far end refused.
    #[error("the far end refused with {status}")]
    Refused {
        /// The SIP status.
        status: u16,
    },
    /// The call has not been answered.
    #[error("the call has not been answered")]
    NotAnswered,
    /// Another offer is open.
    #[error("another offer is still open")]
    Busy,
    /// The endpoint may not have these streams.
    #[error("{0}")]
    NotAllowed(String),
}

impl Channel {
    /// Answers the call. Without effect if it has been answered.
    pub async fn answer(&mut self) -> AppResult {
        self.catch_up().await?;
        if self.state == State::Up {
            return Ok(());
        }
        if self.leg.is_none()
            && let Err(interrupt) = self.open_leg()
        {
            return Err(interrupt);
        }
        let offer = self.offer.take();
        let late = offer.is_none();
        let round = match offer {
            Some(offer) => Round::Answer { offer },
            None => Round::Offer {
                want: streams::unasked(&self.subscriber.endpoint),
            },
        };
        match self.negotiate(round).await {
            Ok(outcome) => {
                self.turn = if late { Turn::OursInAnswer } else { Turn::Idle };
                self.stands(&outcome, Side::Us);
                if let Some(sdp) = &outcome.sdp {
                    self.signaling.answer(sdp);
                }
                self.state = State::Up;
                self.tell(StoryEvent::Up);
                tracing::info!(
                    channel = self.name(),
                    streams = in_words(&self.topology),
                    "call answered"
                );
                Ok(())
            }
            Err(refused) => {
                self.signaling.refuse(&refused);
                self.tell_refused(Side::Us, refused.status(), refused.to_string());
                Err(self.end(Side::Us, Cause::from_status(refused.status())))
            }
        }
    }

    /// Offers other streams and waits until the far end has answered or refused. Digits are kept.
    pub async fn renegotiate(
        &mut self,
        want: Topology,
    ) -> AppResult<Result<Topology, NotRenegotiated>> {
        while self.is_up() && !self.established {
            let happened = self.next_kept().await?;
            if let Happened::Established = happened {
                break;
            }
        }
        if let Err(why) = self.offer(want).await? {
            return Ok(Err(why));
        }
        loop {
            match self.next_kept().await? {
                Happened::Agreed {
                    by: Side::Us,
                    topology,
                } => return Ok(Ok(topology)),
                Happened::OfferRefused { status } => {
                    return Ok(Err(NotRenegotiated::Refused { status }));
                }
                Happened::Agreed { by: Side::Them, .. }
                | Happened::Digit(_)
                | Happened::Established => {}
            }
        }
    }

    /// Offers other streams and does not wait: [`Channel::next`] tells how it went. Make it after
    /// [`Happened::Established`]; before the ACK of our answer the far end could not take it.
    pub async fn offer(&mut self, want: Topology) -> AppResult<Result<(), NotRenegotiated>> {
        self.catch_up().await?;
        if !self.is_up() {
            return Ok(Err(NotRenegotiated::NotAnswered));
        }
        if !self.turn.is_idle() {
            return Ok(Err(NotRenegotiated::Busy));
        }
        Ok(self.make_offer(want, 1).await)
    }

    /// Whether the far end confirmed our answer.
    pub fn is_established(&self) -> bool {
        self.established
    }

    async fn make_offer(&mut self, want: Topology, tries: u8) -> Result<(), NotRenegotiated> {
        match self.negotiate(Round::Offer { want: want.clone() }).await {
            Ok(Outcome {
                sdp: Some(sdp),
                notes,
                ..
            }) => {
                self.remark(&notes);
                self.tell(StoryEvent::Offered {
                    by: Side::Us,
                    streams: in_words(&want),
                });
                self.signaling.offer(&sdp);
                self.turn = Turn::Ours { want, tries };
                Ok(())
            }
            // The streams wanted are those that stand: nothing to ask the far end for.
            Ok(Outcome { sdp: None, .. }) => Ok(()),
            Err(refused) => {
                self.turn = Turn::Idle;
                self.tell_refused(Side::Us, refused.status(), refused.to_string());
                Err(NotRenegotiated::NotAllowed(refused.to_string()))
            }
        }
    }

    pub(super) async fn offer_again(&mut self) -> Option<Happened> {
        let Turn::Again { want, tries, .. } = std::mem::replace(&mut self.turn, Turn::Idle) else {
            return None;
        };
        let want = streams::rebase(&want, &self.topology);
        match self.make_offer(want, tries + 1).await {
            Ok(()) => None,
            Err(_) => Some(Happened::OfferRefused { status: 488 }),
        }
    }

    /// The far end offers, or asks us to.
    pub(super) async fn on_offer(&mut self, offer: Option<Sdp>) -> Option<Happened> {
        self.give_way().await;
        let Some(offer) = offer else {
            // RFC 3261 §14.2: a re-INVITE without an offer is answered with one, "as if the UAS were
            // making a brand new call, subject to the constraints of sending an offer that updates an
            // existing session".
            let want = self.topology.clone();
            self.tell(StoryEvent::Received {
                message: "re-INVITE without an offer".to_owned(),
                flow: String::new(),
            });
            match self.negotiate(Round::Offer { want }).await {
                Ok(outcome) => {
                    self.remark(&outcome.notes);
                    if let Some(sdp) = &outcome.sdp {
                        self.signaling.accept(sdp);
                    }
                    self.turn = Turn::OursInAnswer;
                }
                Err(refused) => self.refuse(&refused),
            }
            return None;
        };
        match self.negotiate(Round::Answer { offer }).await {
            Ok(outcome) => {
                if let Some(sdp) = &outcome.sdp {
                    self.signaling.accept(sdp);
                }
                self.stands(&outcome, Side::Them);
                Some(Happened::Agreed {
                    by: Side::Them,
                    topology: outcome.agreed,
                })
            }
            Err(refused) => {
                // RFC 3261 §14.2: "the session description … remains unchanged": the application goes on.
                self.refuse(&refused);
                None
            }
        }
    }

    /// The far end answered an offer of ours.
    pub(super) async fn on_answer(&mut self, answer: Sdp) -> AppResult<Option<Happened>> {
        let in_answer = match self.turn {
            Turn::Ours { .. } => false,
            Turn::OursInAnswer => true,
            // An answer to an offer that was taken back meanwhile: what stands, stands.
            Turn::Idle | Turn::Again { .. } | Turn::GaveWay { .. } => return Ok(None),
        };
        self.turn = Turn::Idle;
        match self.negotiate(Round::Apply { answer }).await {
            Ok(outcome) => {
                self.stands(&outcome, Side::Us);
                Ok(Some(Happened::Agreed {
                    by: Side::Us,
                    topology: outcome.agreed,
                }))
            }
            Err(refused) => {
                // RFC 3261 §13.2.1 has no way to refuse an answer. The first one decides whether there is
                // a session at all; a later one leaves what stood.
                self.tell_refused(Side::Us, refused.status(), refused.to_string());
                self.roll_back().await;
                if in_answer && self.topology.is_empty() {
                    return Err(self.hangup(Cause::from_status(refused.status())));
                }
                Ok(Some(Happened::OfferRefused {
                    status: refused.status(),
                }))
            }
        }
    }

    /// The far end refused our offer.
    pub(super) async fn on_offer_rejected(&mut self, status: u16) -> Option<Happened> {
        match std::mem::replace(&mut self.turn, Turn::Idle) {
            Turn::Ours { want, tries } => {
                self.roll_back().await;
                let crossed = status == 491 && tries < OFFER_TRIES_MAX;
                self.refused_or_again(status, crossed.then_some((want, tries)))
            }
            Turn::GaveWay { want, tries } => {
                let again = tries < OFFER_TRIES_MAX;
                self.refused_or_again(status, again.then_some((want, tries)))
            }
            other @ (Turn::Idle | Turn::OursInAnswer | Turn::Again { .. }) => {
                self.turn = other;
                None
            }
        }
    }

    fn refused_or_again(&mut self, status: u16, again: Option<(Topology, u8)>) -> Option<Happened> {
        if let Some((want, tries)) = again {
            self.turn = Turn::Again {
                want,
                tries,
                at: Instant::now() + OFFER_AGAIN_AFTER,
            };
            return None;
        }
        self.tell_refused(
            Side::Them,
            status,
            Cause::from_status(status).english().to_owned(),
        );
        Some(Happened::OfferRefused { status })
    }

    /// Takes our open offer back because the far end's came first.
    async fn give_way(&mut self) {
        match std::mem::replace(&mut self.turn, Turn::Idle) {
            Turn::Ours { want, tries } => {
                self.roll_back().await;
                self.turn = Turn::GaveWay { want, tries };
            }
            Turn::OursInAnswer => self.roll_back().await,
            other @ (Turn::Idle | Turn::Again { .. } | Turn::GaveWay { .. }) => self.turn = other,
        }
    }

    /// Takes note of what was agreed.
    fn stands(&mut self, outcome: &Outcome, by: Side) {
        self.remark(&outcome.notes);
        let streams = in_words(&outcome.agreed);
        if by == Side::Them {
            self.tell(StoryEvent::Offered {
                by,
                streams: streams.clone(),
            });
        }
        let answered_by = match by {
            Side::Us if self.state == State::Up => Side::Them,
            Side::Us | Side::Them => Side::Us,
        };
        self.tell(StoryEvent::Answered {
            by: answered_by,
            streams,
        });
        self.topology = outcome.agreed.clone();
        let on_hold = !self.topology.is_empty() && !streams::sends(&self.topology);
        if on_hold != self.on_hold {
            self.on_hold = on_hold;
            self.tell(if on_hold {
                StoryEvent::Held
            } else {
                StoryEvent::Resumed
            });
            tracing::info!(channel = self.name(), on_hold, "hold changed");
        }
    }

    fn remark(&mut self, notes: &[rtc::negotiate::Note]) {
        for note in notes {
            self.tell(StoryEvent::Remark {
                text: note.to_string(),
            });
        }
    }

    fn refuse(&mut self, refused: &rtc::Refused) {
        self.signaling.refuse(refused);
        self.tell_refused(Side::Us, refused.status(), refused.to_string());
    }

    fn tell_refused(&mut self, by: Side, status: u16, why: String) {
        tracing::warn!(channel = self.name(), status, "offer refused: {why}");
        self.tell(StoryEvent::Refused { by, status, why });
    }

    async fn roll_back(&mut self) {
        if let Err(refused) = self.negotiate(Round::Rollback).await {
            tracing::warn!(
                channel = self.name(),
                "offer could not be taken back: {refused}"
            );
        }
    }

    async fn negotiate(&mut self, round: Round) -> Result<Outcome, rtc::Refused> {
        match &self.leg {
            Some(leg) => leg.negotiate(round).await,
            None => Err(rtc::Refused::NoMedia),
        }
    }

    /// The next thing that happened; a digit is kept for the next verb that reads one.
    async fn next_kept(&mut self) -> AppResult<Happened> {
        loop {
            self.waited = true;
            let wake = self.wake().await;
            match self.on_wake(wake).await? {
                Some(Happened::Digit(digit)) => self.keep_digit(digit),
                Some(happened) => return Ok(happened),
                None => {}
            }
        }
    }

    fn open_leg(&mut self) -> Result<(), Interrupt> {
        match self
            .switch
            .allocate(&self.subscriber, self.registration.inbox())
        {
            Ok(leg) => {
                self.leg = Some(leg);
                Ok(())
            }
            Err(error) => {
                tracing::error!(channel = self.name(), "no media for this call: {error}");
                self.tell(StoryEvent::Remark {
                    text: format!("no media: {error}"),
                });
                Err(self.hangup(Cause::ResourceUnavailable))
            }
        }
    }
}
