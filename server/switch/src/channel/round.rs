//! Rounds of offer and answer: the first one, ours, and the far end's.

use std::net::IpAddr;
use std::time::Duration;

use codec::{Codec, Kind};
use media::Place;
use rtc::topology::{Direction, Topology};
use rtc::{Outcome, Refused, Round};
use sdp::Sdp;
use tokio::time::Instant;

use super::streams::{self, in_words};
use super::{Channel, State, pictures, recode};
use crate::cause::Cause;
use crate::event::{AppResult, Happened};
use crate::leg::MediaLeg;
use crate::story::{Side, StoryEvent};

/// Times an offer of ours is made again because offers crossed (491).
const OFFER_TRIES_MAX: u8 = 3;

/// How long an offer waits that gave way to the far end's.
const OFFER_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// Whose offer is open.
pub(super) enum Turn {
    /// Nobody's.
    Idle,
    /// Ours; this is what it wants.
    Ours { want: Want, tries: u8, sdp: Sdp },
    /// Ours, the first of the call: it went out with our call, or in the answer to one that came without an
    /// offer.
    OursFirst,
    /// What stands, said once more because the far end asked for an offer in the middle of the call.
    Restated,
    /// Ours; the far end asked for it while it held us, so it offers to go on.
    Unasked { sdp: Sdp },
    /// Ours gave way and will be made again.
    Again { want: Want, tries: u8, at: Instant },
    /// Ours gave way to the far end's, and is still to be refused with 491 by signalling.
    GaveWay { want: Want, tries: u8 },
}

/// What an offer of ours is for.
#[derive(Clone)]
pub(super) enum Want {
    /// Other streams.
    Streams(Topology),
    /// Other codecs of sound.
    Codecs(Vec<&'static Codec>),
    /// These pictures, in the lines there are.
    Pictures(Direction),
}

impl Want {
    /// The same on top of what stands by now.
    fn rebase(self, agreed: &Topology) -> Self {
        match self {
            Self::Streams(want) => Self::Streams(streams::rebase(&want, agreed)),
            other @ (Self::Codecs(_) | Self::Pictures(_)) => other,
        }
    }
}

impl Turn {
    pub(super) fn again_at(&self) -> Option<Instant> {
        match self {
            Self::Again { at, .. } => Some(*at),
            Self::Idle
            | Self::Ours { .. }
            | Self::OursFirst
            | Self::Restated
            | Self::Unasked { .. }
            | Self::GaveWay { .. } => None,
        }
    }

    pub(super) fn is_idle(&self) -> bool {
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

/// What became of an offer that could be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offered {
    /// It is on its way; [`Happened::Agreed`] or [`Happened::OfferRefused`] follows.
    Asked,
    /// The streams wanted are those that stand: there was nothing to ask.
    Stands,
}

impl Channel {
    /// Answers the call. Without effect if it has been answered.
    pub async fn answer(&mut self) -> AppResult {
        self.catch_up().await?;
        self.fares(200);
        // Who is called answers for itself.
        if matches!(self.state, State::Up | State::Dialling | State::Alerting) {
            return Ok(());
        }
        let late = self.offer.is_none() && self.early.is_none();
        let (sdp, agreed) = self.first_round().await?;
        self.record_answer().await;
        self.signaling.answer(&sdp);
        self.local = Some(sdp);
        self.state = State::Up;
        self.tell(StoryEvent::Up);
        if late {
            self.turn = Turn::OursFirst;
            self.publish();
        } else {
            self.stands(agreed, Side::Them);
        }
        let streams = in_words(&self.topology);
        tracing::info!(channel = self.name(), streams, "call answered");
        self.record_armed().await;
        Ok(())
    }

    /// Our answer to the offer that brought the call, or our offer if there was none. What was said
    /// with early media is said again (RFC 3261 §13.3.1.4 has one answer to an offer).
    pub(super) async fn first_round(&mut self) -> AppResult<(Sdp, Topology)> {
        if let (Some(agreed), Some(sdp)) = (self.early.take(), self.local.take()) {
            return Ok((sdp, agreed));
        }
        self.open_leg(None)?;
        let round = match self.offer.take() {
            Some(offer) => {
                self.facts.sound.know(&self.policy.asked(&offer).audio);
                self.facts.theirs = Some(offer.clone());
                Round::Answer { offer }
            }
            None => Round::Offer {
                want: streams::unasked(&self.policy, None),
            },
        };
        let outcome = self.negotiate(round).await;
        let outcome = outcome.and_then(|outcome| match outcome.sdp {
            Some(sdp) => Ok((sdp, outcome.agreed, outcome.notes)),
            None => Err(Refused::NoMedia),
        });
        match outcome {
            Ok((sdp, agreed, notes)) => {
                self.remark(&notes);
                Ok((sdp, agreed))
            }
            Err(refused) => {
                self.signaling.refuse(&refused);
                self.tell_refusal(&refused);
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
            self.next_kept().await?;
        }
        match self.offer(want).await? {
            Ok(Offered::Asked) => {}
            Ok(Offered::Stands) => return Ok(Ok(self.topology.clone())),
            Err(why) => return Ok(Err(why)),
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
                | Happened::Connected
                | Happened::Text(_)
                | Happened::Established => {}
            }
        }
    }

    /// Offers other streams and does not wait: [`Channel::next`] tells how it went. Make it after
    /// [`Happened::Established`]; before the ACK of our answer the far end could not take it.
    pub async fn offer(&mut self, want: Topology) -> AppResult<Result<Offered, NotRenegotiated>> {
        self.catch_up().await?;
        if !self.is_up() {
            return Ok(Err(NotRenegotiated::NotAnswered));
        }
        if !self.turn.is_idle() {
            return Ok(Err(NotRenegotiated::Busy));
        }
        Ok(self.make_offer(Want::Streams(want), 1).await)
    }

    /// Whether the far end confirmed our answer.
    pub fn is_established(&self) -> bool {
        self.established
    }

    pub(super) async fn make_offer(
        &mut self,
        want: Want,
        tries: u8,
    ) -> Result<Offered, NotRenegotiated> {
        let (round, streams) = match want.clone() {
            Want::Streams(want) => {
                let streams = in_words(&want);
                (Round::Offer { want }, streams)
            }
            Want::Codecs(codecs) => {
                let codecs_in_words = recode::in_words(&codecs);
                let streams = format!("{} with {codecs_in_words}", in_words(&self.topology));
                (Round::Recode { codecs }, streams)
            }
            Want::Pictures(pictures) => {
                let want = pictures::with_pictures(&self.topology, pictures);
                let streams = in_words(&want);
                (Round::Offer { want }, streams)
            }
        };
        match self.negotiate(round).await {
            Ok(outcome) => {
                self.remark(&outcome.notes);
                let Some(sdp) = outcome.sdp else {
                    self.is_agreed(&want);
                    return Ok(Offered::Stands);
                };
                tracing::info!(channel = self.name(), streams, "offering other streams");
                self.tell(StoryEvent::Offered {
                    by: Side::Us,
                    streams,
                });
                self.signaling.offer(&sdp);
                self.turn = Turn::Ours { want, tries, sdp };
                Ok(Offered::Asked)
            }
            Err(refused) => {
                self.tell_refusal(&refused);
                Err(NotRenegotiated::NotAllowed(refused.to_string()))
            }
        }
    }

    /// Makes an offer again that had given way.
    pub(super) async fn offer_again(&mut self) -> Option<Happened> {
        let Turn::Again { want, tries, .. } = std::mem::replace(&mut self.turn, Turn::Idle) else {
            return None;
        };
        let want = want.rebase(&self.topology);
        match self.make_offer(want, tries + 1).await {
            Ok(Offered::Asked) => None,
            // What the far end offered in between is what we wanted.
            Ok(Offered::Stands) => Some(Happened::Agreed {
                by: Side::Us,
                topology: self.topology.clone(),
            }),
            Err(_) => Some(Happened::OfferRefused { status: 488 }),
        }
    }

    /// Whom it talked to is gone: codecs that were to be offered for that one are not.
    pub(crate) fn forget_codecs(&mut self) {
        match &mut self.turn {
            Turn::Again {
                want: Want::Codecs(_) | Want::Pictures(_),
                ..
            } => self.turn = Turn::Idle,
            // Its refusal is still to come; what stands is then nothing to ask for.
            Turn::GaveWay { want, .. } if matches!(want, Want::Codecs(_) | Want::Pictures(_)) => {
                *want = Want::Streams(self.topology.clone());
            }
            Turn::Idle
            | Turn::Ours { .. }
            | Turn::OursFirst
            | Turn::Restated
            | Turn::Unasked { .. }
            | Turn::Again { .. }
            | Turn::GaveWay { .. } => {}
        }
    }

    /// The far end offers, or asks us to.
    pub(super) async fn on_offer(&mut self, offer: Option<Sdp>) -> Option<Happened> {
        self.give_way().await;
        self.before = None;
        let Some(offer) = offer else {
            self.offer_as_asked().await;
            return None;
        };
        self.facts.sound.know(&self.policy.asked(&offer).audio);
        let theirs = offer.clone();
        match self.negotiate(Round::Answer { offer }).await {
            Ok(outcome) => {
                self.facts.theirs = Some(theirs);
                self.remark(&outcome.notes);
                self.note_choice(&outcome.agreed);
                self.facts.sight.note_offer(&outcome.agreed);
                if let Some(sdp) = outcome.sdp {
                    self.signaling.accept(&sdp);
                    self.local = Some(sdp);
                }
                let topology = outcome.agreed;
                self.before = Some(self.topology.clone());
                self.stands(topology.clone(), Side::Them);
                Some(Happened::Agreed {
                    by: Side::Them,
                    topology,
                })
            }
            Err(refused) => {
                // RFC 3261 §14.2: the offer is refused, "the session remains unchanged": the
                // application goes on.
                self.signaling.refuse(&refused);
                self.tell_refusal(&refused);
                None
            }
        }
    }

    /// The far end took its offer back, or lost the connection it came by, before our answer went out.
    ///
    /// Media cannot undo an offer it has taken: its lines stay, and an ICE restart has replaced the
    /// passwords. So what was taken is kept, and what stood before is offered; the answer to that is the
    /// truth for both sides. Only an ICE restart that is taken back is beyond repair: then nothing comes
    /// any more, until the far end offers again or media gives up.
    pub(super) async fn on_offer_withdrawn(&mut self) {
        match std::mem::replace(&mut self.turn, Turn::Idle) {
            Turn::Restated => return,
            Turn::Unasked { .. } => return self.roll_back().await,
            Turn::Idle => {}
            // Our own offer is under way, and settles what stands.
            other @ (Turn::Ours { .. }
            | Turn::OursFirst
            | Turn::Again { .. }
            | Turn::GaveWay { .. }) => {
                self.turn = other;
                return;
            }
        }
        let Some(before) = self.before.take() else {
            return;
        };
        let text = "the far end took its offer back".to_owned();
        self.tell(StoryEvent::Remark { text });
        let want = streams::restore(&before, &self.topology);
        if want == self.topology {
            return;
        }
        // Where it cannot even be offered, the story says why, and what was taken stands.
        let _ = self.make_offer(Want::Streams(want), 1).await;
    }

    /// Answers an offerless re-INVITE, which clients send to keep a session alive, to hold or to resume.
    ///
    /// RFC 3264 §8 lets a new offer be "identical to the last SDP that was sent"; the far end may narrow
    /// it in its answer. While it holds us that would leave no way back, so then we offer what stood
    /// before the hold.
    async fn offer_as_asked(&mut self) {
        if self.on_hold {
            let want = streams::without_hold(&self.unheld, &self.topology);
            match self.negotiate(Round::Offer { want }).await {
                Ok(Outcome {
                    sdp: Some(sdp),
                    notes,
                    ..
                }) => {
                    self.remark(&notes);
                    self.signaling.accept(&sdp);
                    self.turn = Turn::Unasked { sdp };
                    return;
                }
                Ok(outcome) => self.remark(&outcome.notes),
                Err(refused) => {
                    tracing::warn!(channel = self.name(), "hold cannot be ended: {refused}");
                }
            }
        }
        let Some(sdp) = &self.local else {
            self.signaling.refuse(&Refused::NoMedia);
            return;
        };
        self.signaling.accept(sdp);
        self.turn = Turn::Restated;
    }

    /// The far end answered what stands, which signalling said once more by itself. RFC 3264 §8 lets the answer be
    /// another one: phones make new keys, move their ports, or have another codec first.
    pub(super) async fn on_restated(&mut self, answer: Sdp) -> Option<Happened> {
        let theirs = self.facts.theirs.as_ref();
        let is_known = theirs.is_some_and(|theirs| says_the_same(theirs, &answer));
        // An offer that is under way settles what stands.
        if is_known || !self.turn.is_idle() {
            return None;
        }
        Some(self.on_confirmation(answer).await)
    }

    /// The far end answered what was said once more.
    pub(super) async fn on_confirmation(&mut self, answer: Sdp) -> Happened {
        self.facts.theirs = Some(answer.clone());
        match self.negotiate(Round::Confirm { answer }).await {
            Ok(outcome) => {
                self.remark(&outcome.notes);
                if outcome.agreed != self.topology {
                    self.stands(outcome.agreed, Side::Us);
                }
            }
            // SIP has no way to refuse an answer; what stood stands.
            Err(refused) => self.tell_refusal(&refused),
        }
        self.still_stands()
    }

    /// Nothing new, but an application that waits for its turn may make its offer now.
    fn still_stands(&self) -> Happened {
        Happened::Agreed {
            by: Side::Them,
            topology: self.topology.clone(),
        }
    }

    /// The far end answered an offer of ours.
    pub(super) async fn on_answer(&mut self, answer: Sdp) -> AppResult<Option<Happened>> {
        let mut wanted = None;
        let first = match std::mem::replace(&mut self.turn, Turn::Idle) {
            Turn::Ours { sdp, want, .. } => {
                self.local = Some(sdp);
                wanted = Some(want);
                false
            }
            Turn::OursFirst => true,
            Turn::Restated => return Ok(Some(self.on_confirmation(answer).await)),
            Turn::Unasked { sdp } => {
                self.local = Some(sdp);
                false
            }
            // An answer to an offer that was taken back.
            Turn::Idle => return Ok(None),
            other @ (Turn::Again { .. } | Turn::GaveWay { .. }) => {
                self.turn = other;
                return Ok(None);
            }
        };
        let theirs = answer.clone();
        match self.negotiate(Round::Apply { answer }).await {
            Ok(outcome) => {
                self.facts.theirs = Some(theirs);
                self.remark(&outcome.notes);
                let topology = outcome.agreed;
                if let Some(want) = wanted {
                    self.is_agreed(&want);
                }
                let own = self.local.as_ref();
                self.facts.sight.note_answer(own, &topology);
                self.stands(topology.clone(), Side::Us);
                Ok(Some(Happened::Agreed {
                    by: Side::Us,
                    topology,
                }))
            }
            Err(refused) => {
                // SIP has no way to refuse an answer. The first one decides whether there is a session
                // at all; a later one leaves what stood.
                self.tell_refusal(&refused);
                self.roll_back().await;
                // It would be asked again at once, and answer the same.
                if matches!(wanted, Some(Want::Pictures(_))) {
                    self.facts.sight.fix();
                }
                if first {
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
            Turn::Ours { want, tries, .. } => {
                self.roll_back().await;
                let crossed = status == 491 && tries < OFFER_TRIES_MAX;
                self.refused_or_again(status, want, crossed.then_some(tries))
            }
            Turn::GaveWay { want, tries } => {
                let again = tries < OFFER_TRIES_MAX;
                self.refused_or_again(status, want, again.then_some(tries))
            }
            // The ACK brought no answer to what stands anyway.
            Turn::Restated => Some(self.still_stands()),
            Turn::Unasked { .. } => {
                self.roll_back().await;
                Some(self.still_stands())
            }
            other @ (Turn::Idle | Turn::OursFirst | Turn::Again { .. }) => {
                self.turn = other;
                None
            }
        }
    }

    fn refused_or_again(&mut self, status: u16, want: Want, again: Option<u8>) -> Option<Happened> {
        if let Some(tries) = again {
            self.turn = Turn::Again {
                want,
                tries,
                at: Instant::now() + OFFER_AGAIN_AFTER,
            };
            return None;
        }
        match want {
            Want::Codecs(_) => self.keep_codecs(),
            Want::Pictures(_) => self.facts.sight.fix(),
            Want::Streams(_) => {}
        }
        let why = Cause::from_status(status).english().to_owned();
        self.tell_refused(Side::Them, status, why, false);
        Some(Happened::OfferRefused { status })
    }

    /// Takes our open offer back because the far end's came first.
    async fn give_way(&mut self) {
        match std::mem::replace(&mut self.turn, Turn::Idle) {
            Turn::Ours { want, tries, .. } => {
                self.roll_back().await;
                self.turn = Turn::GaveWay { want, tries };
            }
            Turn::OursFirst | Turn::Unasked { .. } => self.roll_back().await,
            Turn::Restated => {}
            other @ (Turn::Idle | Turn::Again { .. } | Turn::GaveWay { .. }) => self.turn = other,
        }
    }

    /// Takes note of what was agreed on an offer made by one side.
    fn stands(&mut self, agreed: Topology, offered_by: Side) {
        let streams = in_words(&agreed);
        let answered_by = match offered_by {
            Side::Us => Side::Them,
            Side::Them => {
                let streams = streams.clone();
                self.tell(StoryEvent::Offered {
                    by: Side::Them,
                    streams,
                });
                Side::Us
            }
        };
        self.tell(StoryEvent::Answered {
            by: answered_by,
            streams,
        });
        self.facts.sight.stands(&agreed);
        let unheld = streams::without_hold(&self.unheld, &agreed);
        self.unheld = pictures::within(&unheld, self.pictures_max());
        if let Some(early) = &mut self.early {
            // What an UPDATE changed before the answer is what the answer is going to repeat.
            early.clone_from(&agreed);
        }
        for stream in agreed.streams(Kind::Audio) {
            let codecs: Vec<_> = stream.codecs().collect();
            self.facts.sound.know(&codecs);
        }
        self.topology = agreed;
        self.listen_for_tones();
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
        self.publish();
    }

    /// The far end took what was wanted.
    fn is_agreed(&mut self, want: &Want) {
        match want {
            Want::Pictures(pictures) => self.facts.sight.allow(*pictures),
            Want::Streams(_) | Want::Codecs(_) => {}
        }
    }

    pub(super) fn remark(&mut self, notes: &[rtc::negotiate::Note]) {
        for note in notes {
            self.tell(StoryEvent::Remark {
                text: note.to_string(),
            });
        }
    }

    /// We refuse a description.
    pub(super) fn tell_refusal(&mut self, refused: &Refused) {
        let (status, why) = (refused.status(), refused.to_string());
        self.tell_refused(Side::Us, status, why, refused.lacks_codec());
    }

    pub(super) fn tell_refused(&mut self, by: Side, status: u16, why: String, lacks_codec: bool) {
        tracing::warn!(channel = self.name(), status, "description refused: {why}");
        self.tell(StoryEvent::Refused {
            by,
            status,
            why,
            lacks_codec,
        });
    }

    async fn roll_back(&mut self) {
        if let Err(refused) = self.negotiate(Round::Rollback).await {
            tracing::warn!(
                channel = self.name(),
                "offer could not be taken back: {refused}"
            );
        }
    }

    #[expect(
        clippy::needless_pass_by_ref_mut,
        reason = "a shared borrow held across the await would need Signaling to be Sync"
    )]
    pub(super) async fn negotiate(&mut self, round: Round) -> Result<Outcome, Refused> {
        match &self.leg {
            Some(leg) => leg.negotiate(round).await,
            None => Err(Refused::NoMedia),
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

    pub(crate) fn open_leg(&mut self, near: Option<&dyn MediaLeg>) -> AppResult {
        if let Some(leg) = &self.leg {
            leg.limit(&self.policy);
            return Ok(());
        }
        let events = self.registration.inbox();
        let place = Place {
            described: self.offer.as_ref().and_then(described),
            ..self.signaling.place()
        };
        match self.switch.allocate(&self.policy, place, events, near) {
            Ok(leg) => {
                self.registration.show_leg(Some(&leg));
                self.leg = Some(leg);
                Ok(())
            }
            Err(error) => {
                tracing::error!(channel = self.name(), "no media for this call: {error}");
                let text = format!("no media: {error}");
                self.tell(StoryEvent::Remark { text });
                Err(self.hangup(Cause::ResourceUnavailable))
            }
        }
    }
}

/// Whether two descriptions differ in no more than the version of the session.
fn says_the_same(one: &Sdp, other: &Sdp) -> bool {
    let lines = |sdp: &Sdp| {
        let lines = sdp.lines.iter().filter(|line| line.letter != 'o');
        lines.cloned().collect::<Vec<_>>()
    };
    one.media == other.media && lines(one) == lines(other)
}

/// Where a description has media sent to, first of all.
fn described(sdp: &Sdp) -> Option<IpAddr> {
    let own = sdp.media.iter().find_map(|media| media.connection());
    let connection = own.or_else(|| sdp.connection())?;
    let ip: IpAddr = connection.address.parse().ok()?;
    (!ip.is_unspecified()).then_some(ip)
}
