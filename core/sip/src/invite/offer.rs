//! Whose turn it is: our offers by re-INVITE and UPDATE, our answers, and refreshes
//! (RFC 3261 §14, RFC 3264 §4, RFC 3311, RFC 4028 §7.2).

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Extra, Invite, PATIENCE, Phase, attach, description};
use crate::agent::{Base, Body, Busy, Ended, Event, OfferVia, tag_of};
use crate::session_timer::{SESSION_EXPIRES_S_MAX, Terms};
use crate::transaction::{ClientUser, Purpose, ServerId, TransactionId};
use crate::{HeaderName, Method, Request, Response, Status};

/// How often an offer is sent again after 491, 500 or the like.
const TRIES_MAX: u8 = 8;

/// How long an offer may stay without final response after a provisional one. RFC 3261 §16.6: Timer C
/// "MUST be larger than 3 minutes"; there it is a proxy's, but a dialog in which nobody can offer any more
/// is no better with us.
const OFFER_WAIT_MAX: Duration = Duration::from_secs(181);

/// How long a refusal may make us wait.
const RETRY_AFTER_S_MAX: u32 = 10;

/// How long a refresh waits that could not be sent, or was refused for now.
const REFRESH_AGAIN: Duration = Duration::from_secs(2);

/// RFC 3264 §4: one offer at a time.
#[derive(Debug)]
pub(super) enum Turn {
    Idle,
    /// Our offer waits for the peer's answer.
    Ours(Ours),
    /// The peer's offer waits for ours.
    Theirs(Theirs),
}

#[derive(Debug)]
pub(super) struct Ours {
    pub(super) transaction: TransactionId,
    offer: Offer,
    wait: Wait,
}

/// How long an offer waits for its final response; a transaction without any response ends earlier.
#[derive(Debug)]
enum Wait {
    /// Then it is cancelled.
    Answer { until: Instant },
    /// It is cancelled; then it is given up.
    Cancelled { until: Instant },
}

/// An offer of ours, sent or to be sent.
#[derive(Debug)]
pub(super) struct Offer {
    via: OfferVia,
    body: Body,
    tries: u8,
    /// It is the old description again, to refresh the session; nobody above waits for the answer.
    refresh: bool,
}

/// An offer that waits for its moment: an ACK, the end of a refresh, the time after a glare.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) not_before: Option<Instant>,
    offer: Offer,
}

/// What [`Invite::tell`] changed is to be said.
#[derive(Debug)]
pub(super) struct Announced {
    via: OfferVia,
    pub(super) not_before: Option<Instant>,
    /// How often it is said with this.
    tries: u8,
}

#[derive(Debug)]
pub(super) struct Theirs {
    pub(super) server: ServerId,
    pub(super) via: OfferVia,
    pub(super) request: Arc<Request>,
}

impl Invite {
    /// Offers a changed session, at once or as soon as the dialog is free.
    pub(crate) fn offer(
        &mut self,
        now: Instant,
        base: &mut Base,
        via: OfferVia,
        body: Body,
    ) -> Result<(), Busy> {
        let early = via == OfferVia::Update && self.allows_update && self.is_early();
        if !matches!(self.phase, Phase::Established) && !early {
            return Err(Busy::NotEstablished);
        }
        match &self.turn {
            Turn::Ours(ours) if !ours.offer.refresh => return Err(Busy::OursPending),
            Turn::Theirs(_) => return Err(Busy::TheirsPending),
            Turn::Ours(_) | Turn::Idle => {}
        }
        if self.late_offer.is_some() {
            return Err(Busy::TheirsPending);
        }
        if self.held.as_ref().is_some_and(|held| !held.offer.refresh) {
            return Err(Busy::OursPending);
        }
        let offer = Offer {
            via,
            body,
            tries: 0,
            refresh: false,
        };
        self.held = Some(Held {
            not_before: None,
            offer,
        });
        self.pump(now, base);
        Ok(())
    }

    /// Sends the offer that waits, if its moment has come. RFC 3261 §14.1: "a UAC MUST NOT initiate a new INVITE
    /// transaction within a dialog while another INVITE transaction is in progress in either direction".
    pub(super) fn pump(&mut self, now: Instant, base: &mut Base) {
        // RFC 3311 §5.1: an UPDATE may offer in an early dialog once "the initial offer/answer exchange" is over.
        let open = matches!(self.phase, Phase::Established)
            || (self.is_early() && self.allows_update && !self.provisionals.unsettled());
        let free =
            open && matches!(self.turn, Turn::Idle) && self.unacked.is_none() && !self.flow_lost;
        if !free {
            return;
        }
        if let Some(held) = self.held.take_if(|held| held.not_before.is_none()) {
            self.send_offer(now, base, held.offer);
        } else if self.held.is_none()
            && let Some(next) = self.announced.take_if(|next| next.not_before.is_none())
        {
            self.announcements = next.tries;
            self.send_announcement(now, base, next.via);
        }
    }

    /// Says what [`Invite::tell`] changed, as soon as the dialog is free: by an UPDATE without description where
    /// the peer allows that or `via` wants it, else by a re-INVITE with the description that stands.
    pub(crate) fn announce(&mut self, now: Instant, base: &mut Base, via: OfferVia) {
        self.announced = Some(Announced {
            via,
            not_before: None,
            tries: 1,
        });
        self.pump(now, base);
    }

    /// The answer to an UPDATE that only said something. One that crossed an offer of the peer, or came before the peer was
    /// ready for it, is said again after a while, unless something newer is to be said; everything else is as with a refresh.
    pub(super) fn on_announcement_response(
        &mut self,
        now: Instant,
        base: &mut Base,
        response: &Response,
    ) {
        let is_early = matches!(
            response.status,
            Status::REQUEST_PENDING | Status::SERVER_INTERNAL_ERROR | Status::FORBIDDEN
        );
        if is_early && self.announcements < TRIES_MAX && self.announced.is_none() {
            let pause = self.glare_pause(base);
            self.announced = Some(Announced {
                via: OfferVia::Update,
                not_before: Some(now + pause),
                tries: self.announcements + 1,
            });
            return;
        }
        self.on_refresh_response(now, base, response);
    }

    fn send_announcement(&mut self, now: Instant, base: &mut Base, via: OfferVia) {
        if via == OfferVia::Update || self.allows_update {
            if let Some(update) = self.refreshing_request(base, &Method::Update) {
                let user = ClientUser::Invite(self.id, Purpose::Announcement);
                base.start(now, self.flow, update, user);
            }
        } else if let (Some(body), true) = (
            self.description.clone(),
            matches!(self.phase, Phase::Established),
        ) {
            let offer = Offer {
                via: OfferVia::Reinvite,
                body,
                tries: 0,
                refresh: true,
            };
            self.send_offer(now, base, offer);
        }
    }

    /// Is the session of an early dialog agreed?
    pub(super) fn is_early(&self) -> bool {
        self.early.is_some() && matches!(self.phase, Phase::Incoming(_) | Phase::Outgoing(_))
    }

    fn send_offer(&mut self, now: Instant, base: &mut Base, offer: Offer) {
        let method = match offer.via {
            OfferVia::Update if self.allows_update => Method::Update,
            OfferVia::Update | OfferVia::Reinvite | OfferVia::Prack => Method::Invite,
        };
        let Some(mut request) = self.refreshing_request(base, &method) else {
            return;
        };
        attach(&mut request, Some(offer.body.clone()));
        let user = ClientUser::Invite(self.id, Purpose::Offer);
        let transaction = base.start(now, self.flow, request, user);
        let until = now + OFFER_WAIT_MAX;
        self.turn = Turn::Ours(Ours {
            transaction,
            offer,
            wait: Wait::Answer { until },
        });
    }

    /// When the patience with our open offer ends.
    pub(super) const fn offer_deadline(&self) -> Option<Instant> {
        match &self.turn {
            Turn::Ours(Ours {
                wait: Wait::Answer { until } | Wait::Cancelled { until },
                ..
            }) => Some(*until),
            Turn::Idle | Turn::Theirs(_) => None,
        }
    }

    /// RFC 3261 §16.8, §9.1: an offer that stays in Proceeding is cancelled. The 487 ends it like any refusal;
    /// without one, 64*T1 later "the client SHOULD then consider the original transaction cancelled". The
    /// old session stands.
    pub(super) fn on_offer_timeout(&mut self, now: Instant, base: &mut Base) {
        let Turn::Ours(ours) = &mut self.turn else {
            return;
        };
        let transaction = ours.transaction;
        match ours.wait {
            Wait::Answer { until } if now >= until => {
                let until = now + PATIENCE;
                ours.wait = Wait::Cancelled { until };
                if base.clients.is_proceeding(transaction) {
                    base.clients
                        .cancel(now, transaction, &[], &mut base.transmits);
                }
            }
            Wait::Cancelled { until } if now >= until => {
                let refresh = ours.offer.refresh;
                self.turn = Turn::Idle;
                base.clients.abandon(transaction);
                if refresh {
                    self.postpone_refresh(now);
                } else {
                    let status = Status::REQUEST_TIMEOUT;
                    let reason = "No final response".into();
                    base.emit(Event::OfferRefused {
                        id: self.id,
                        status,
                        reason,
                    });
                }
                self.pump(now, base);
            }
            Wait::Answer { .. } | Wait::Cancelled { .. } => {}
        }
    }

    /// A target refresh request, with what RFC 4028 §7.4 wants in it.
    fn refreshing_request(&mut self, base: &mut Base, method: &Method) -> Option<Request> {
        let mut request = self.speaking()?.request(&mut base.sequences, method);
        let headers = &mut request.headers;
        headers.push(HeaderName::Contact, &base.contact(&self.flow));
        headers.push(HeaderName::Allow, crate::agent::ALLOW);
        headers.push(HeaderName::Supported, "replaces, timer");
        if let Some(timer) = &self.session_timer {
            headers.push(HeaderName::SessionExpires, &timer.value().to_string());
            // "If the UAC has ever received a 422 … it MUST include a Min-SE header field".
            if let Some(min_se) = self.min_se {
                headers.push(HeaderName::MinSe, &min_se.to_string());
            }
        }
        for (name, value) in &self.told {
            headers.push(name.clone(), value);
        }
        // What was to be announced is said with it.
        self.announced = None;
        Some(request)
    }

    /// The peer's offer comes first; ours is given up.
    pub(super) fn give_way(&mut self, base: &mut Base) {
        let Some(held) = self.held.take() else { return };
        if !held.offer.refresh {
            let status = Status::REQUEST_PENDING;
            let reason = status.reason().into();
            base.emit(Event::OfferRefused {
                id: self.id,
                status,
                reason,
            });
        }
    }

    pub(super) fn on_offer_response(
        &mut self,
        now: Instant,
        base: &mut Base,
        transaction: TransactionId,
        response: &Response,
    ) {
        if response.status.is_provisional() {
            return;
        }
        self.acknowledge_offer(base, transaction, response);
        let offer = match std::mem::replace(&mut self.turn, Turn::Idle) {
            Turn::Ours(ours) if ours.transaction == transaction => ours.offer,
            turn => {
                self.turn = turn;
                return;
            }
        };
        if response.status.is_success() {
            self.on_offer_accepted(now, base, offer, response);
        } else {
            self.on_offer_refused(now, base, offer, response);
        }
        self.pump(now, base);
    }

    /// A 2xx to a re-INVITE is ACKed, even while the call is ending.
    fn acknowledge_offer(&self, base: &mut Base, transaction: TransactionId, response: &Response) {
        let Ok(cseq) = response.headers.cseq() else {
            return;
        };
        if cseq.method == Method::Invite
            && response.status.is_success()
            && let Some(dialog) = &self.dialog
        {
            base.send_ack(
                self.flow,
                dialog.ack(cseq.number),
                transaction,
                &tag_of(response),
            );
        }
    }

    fn on_offer_accepted(
        &mut self,
        now: Instant,
        base: &mut Base,
        offer: Offer,
        response: &Response,
    ) {
        if let Some(dialog) = self.speaking() {
            dialog.refresh_target_by(response);
        }
        if let Phase::Established = self.phase {
            self.refreshed(now, response);
        }
        let id = self.id;
        if offer.refresh {
            if let Some(body) = description(&response.headers, &response.body) {
                base.emit(Event::Restated { id, body });
            }
            return;
        }
        match description(&response.headers, &response.body) {
            Some(body) => {
                self.description = Some(offer.body);
                base.emit(Event::Answer { id, body });
            }
            None => {
                let status = Status::NOT_ACCEPTABLE_HERE;
                let reason = "The 200 brought no answer".into();
                base.emit(Event::OfferRefused { id, status, reason });
            }
        }
    }

    fn on_offer_refused(
        &mut self,
        now: Instant,
        base: &mut Base,
        offer: Offer,
        response: &Response,
    ) {
        let status = response.status;
        // RFC 3261 §14.1: "If the re-INVITE … response is a 481 or a 408, … the UAC SHOULD terminate the dialog".
        let established = matches!(self.phase, Phase::Established);
        if established
            && matches!(
                status,
                Status::CALL_DOES_NOT_EXIST | Status::REQUEST_TIMEOUT
            )
        {
            return self.gone(now, base, Ended::Gone(status));
        }
        if offer.tries < TRIES_MAX
            && let Some(pause) = self.pause_before_retry(base, &offer, response)
        {
            let offer = Offer {
                tries: offer.tries + 1,
                ..offer
            };
            let not_before = (!pause.is_zero()).then(|| now + pause);
            self.held.get_or_insert(Held { not_before, offer });
            return;
        }
        if offer.refresh {
            return self.postpone_refresh(now);
        }
        let reason = response.reason.clone();
        base.emit(Event::OfferRefused {
            id: self.id,
            status,
            reason,
        });
    }

    /// How long to wait before the same offer is sent again; `None` if the refusal is meant.
    fn pause_before_retry(
        &mut self,
        base: &mut Base,
        offer: &Offer,
        response: &Response,
    ) -> Option<Duration> {
        let headers = &response.headers;
        let retry_after = headers.retry_after().ok().flatten();
        match response.status {
            Status::REQUEST_PENDING => Some(self.glare_pause(base)),
            // JsSIP answers 403 "Wrong Status" to what comes before it has sent the ACK of the last INVITE.
            Status::FORBIDDEN if response.reason.eq_ignore_ascii_case("Wrong Status") => {
                Some(self.glare_pause(base))
            }
            // RFC 3261 §14.2: the peer's own last INVITE of ours is pending.
            Status::SERVER_INTERNAL_ERROR => retry_after
                .filter(|seconds| *seconds <= RETRY_AFTER_S_MAX)
                .map(|seconds| Duration::from_secs(seconds.max(1).into())),
            Status::SESSION_INTERVAL_TOO_SMALL => {
                let min_se = headers.min_se().ok().flatten()?;
                self.lengthen(min_se).then_some(Duration::ZERO)
            }
            Status::METHOD_NOT_ALLOWED | Status::NOT_IMPLEMENTED
                if offer.via == OfferVia::Update && self.allows_update =>
            {
                self.allows_update = false;
                Some(Duration::ZERO)
            }
            _ => None,
        }
    }

    /// RFC 3261 §14.1: "If the UAC is the owner of the Call-ID of the dialog ID (meaning it generated the value), T
    /// has a randomly chosen value between 2.1 and 4 seconds in units of 10 ms. If the UAC is not the
    /// owner … between 0 and 2 seconds in units of 10 ms."
    fn glare_pause(&self, base: &mut Base) -> Duration {
        let steps = if self.owns_call_id {
            210 + base.below(191)
        } else {
            base.below(201)
        };
        Duration::from_millis(u64::from(steps) * 10)
    }

    /// RFC 4028 §7.3: after 422, the interval the peer wants.
    fn lengthen(&mut self, min_se: u32) -> bool {
        let Some(timer) = &mut self.session_timer else {
            return false;
        };
        let fits = min_se > timer.delta_s && min_se <= SESSION_EXPIRES_S_MAX;
        if fits {
            timer.delta_s = min_se;
            self.min_se = Some(min_se);
        }
        fits
    }

    pub(super) fn on_offer_failed(&mut self, now: Instant, base: &mut Base, flow_closed: bool) {
        let Turn::Ours(ours) = std::mem::replace(&mut self.turn, Turn::Idle) else {
            return;
        };
        if !flow_closed && matches!(self.phase, Phase::Established) {
            return self.gone(now, base, Ended::Timeout);
        }
        if ours.offer.refresh {
            return self.postpone_refresh(now);
        }
        let (status, reason) = match flow_closed {
            true => (Status::SERVICE_UNAVAILABLE, "The connection was lost"),
            false => (Status::REQUEST_TIMEOUT, "No final response"),
        };
        let reason = reason.into();
        base.emit(Event::OfferRefused {
            id: self.id,
            status,
            reason,
        });
    }

    /// Accepts the peer's offer, or puts the answer into the ACK or PRACK that waits for it.
    pub(crate) fn answer(&mut self, now: Instant, base: &mut Base, body: Option<Body>) {
        match &self.phase {
            Phase::Established | Phase::Incoming(_) | Phase::Outgoing(_) => {}
            Phase::Departing { .. } | Phase::Leaving { .. } | Phase::Over => return,
        }
        match std::mem::replace(&mut self.turn, Turn::Idle) {
            Turn::Theirs(theirs) => {
                self.send_success(now, base, theirs.server, &theirs.request, body, false);
            }
            turn => {
                self.turn = turn;
                if self.late_prack.is_some() {
                    self.acknowledge_late_prack(now, base, body);
                } else {
                    self.acknowledge_late_offer(base, body);
                }
            }
        }
        self.pump(now, base);
    }

    /// Refuses the peer's offer; the old session stands.
    pub(crate) fn refuse(
        &mut self,
        now: Instant,
        base: &mut Base,
        status: Status,
        headers: &Extra,
    ) {
        match std::mem::replace(&mut self.turn, Turn::Idle) {
            Turn::Theirs(theirs) => {
                let is_refusal = status.is_final() && !status.is_success();
                let status = if is_refusal {
                    status
                } else {
                    Status::NOT_ACCEPTABLE_HERE
                };
                let mut response = theirs.request.response(status);
                for (name, value) in headers {
                    response.headers.push(name.clone(), value);
                }
                base.respond(now, theirs.server, response);
            }
            turn => self.turn = turn,
        }
        // There is no way to refuse an offer that came in a response but to give the call up.
        if self.acknowledge_late_prack(now, base, None) {
            return self.cancel(now, base, headers.clone(), Ended::Hangup);
        }
        self.pump(now, base);
    }

    /// RFC 4028 §7.2: half the interval is over, and we refresh: by an UPDATE without body if the peer knows
    /// UPDATE, else by a re-INVITE with the description that stands.
    pub(super) fn refresh(&mut self, now: Instant, base: &mut Base) {
        self.postpone_refresh(now);
        if !matches!(self.phase, Phase::Established) || self.flow_lost {
            return;
        }
        if self.allows_update {
            if let Some(update) = self.refreshing_request(base, &Method::Update) {
                let user = ClientUser::Invite(self.id, Purpose::Refresh);
                base.start(now, self.flow, update, user);
                // Its response says when to refresh next; Timer F is longer than REFRESH_AGAIN.
                self.pause_refresh();
            }
            return;
        }
        if let (Some(body), None, Turn::Idle) = (self.description.clone(), &self.held, &self.turn) {
            let offer = Offer {
                via: OfferVia::Reinvite,
                body,
                tries: 0,
                refresh: true,
            };
            self.held = Some(Held {
                not_before: None,
                offer,
            });
            self.pump(now, base);
            if matches!(self.turn, Turn::Ours(_)) {
                self.pause_refresh();
            }
        }
    }

    pub(super) fn on_refresh_response(
        &mut self,
        now: Instant,
        base: &mut Base,
        response: &Response,
    ) {
        let status = response.status;
        if status.is_provisional() || !matches!(self.phase, Phase::Established) {
            return;
        }
        if status.is_success() {
            if let Some(dialog) = &mut self.dialog {
                dialog.refresh_target_by(response);
            }
            return self.refreshed(now, response);
        }
        match status {
            Status::CALL_DOES_NOT_EXIST | Status::REQUEST_TIMEOUT => {
                return self.gone(now, base, Ended::Gone(status));
            }
            Status::METHOD_NOT_ALLOWED | Status::NOT_IMPLEMENTED => {
                self.allows_update = false;
                return self.refresh(now, base);
            }
            Status::SESSION_INTERVAL_TOO_SMALL => {
                let min_se = response.headers.min_se().ok().flatten().unwrap_or(0);
                if self.lengthen(min_se) {
                    return self.refresh(now, base);
                }
            }
            _ => {}
        }
        self.postpone_refresh(now);
    }

    /// A 2xx to a re-INVITE or UPDATE of ours refreshes the session.
    fn refreshed(&mut self, now: Instant, response: &Response) {
        self.session_timer = match Terms::of_response(response) {
            Some(terms) => Some(terms.start(now, true)),
            None => self
                .session_timer
                .as_ref()
                .and_then(|timer| timer.restart(now)),
        };
    }

    pub(super) fn postpone_refresh(&mut self, now: Instant) {
        if let Some(timer) = &mut self.session_timer {
            timer.postpone(now + REFRESH_AGAIN);
        }
    }

    fn pause_refresh(&mut self) {
        if let Some(timer) = &mut self.session_timer {
            timer.pause();
        }
    }
}
