//! Requests of the peer inside the dialog (RFC 3261 §12.2.2, §14.2, §15.1.2; RFC 3311 §5.2).

use std::sync::Arc;
use std::time::Instant;

use super::offer::{Theirs, Turn};
use super::{Invite, Phase, description, dress_answer};
use crate::agent::{Base, Ended, Event, Flow, OfferVia};
use crate::dialog::DialogId;
use crate::session_timer::{Terms, TooSmall};
use crate::transaction::ServerId;
use crate::{HeaderName, Method, Request, Response, Status};

/// Why a request of the peer is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// A header that it must have is missing or malformed: 400.
    Malformed,
    /// RFC 3261 §12.2.2: 500.
    OutOfOrder,
    /// The call is ending: 481.
    Gone,
    /// RFC 3261 §14.2, RFC 3311 §5.2: our own offer is pending: 491.
    Glare,
    /// RFC 3261 §14.2, RFC 3311 §5.2: the peer's last request is pending: 500 with Retry-After.
    Pending,
    /// RFC 4028 §9: 422 with this Min-SE.
    IntervalTooSmall(u32),
    /// The body is no session description: 415.
    MediaType,
    /// Too many requests wait for the layer above: 503.
    Overload,
    /// A known method that has no meaning inside a call: 405.
    Method,
}

impl Invite {
    /// A request inside the dialog other than ACK and CANCEL.
    pub(crate) fn on_request(
        &mut self,
        now: Instant,
        base: &mut Base,
        flow: Flow,
        server: ServerId,
        dialog: &DialogId,
        request: &Arc<Request>,
    ) {
        if self.flow_lost && flow.id != self.flow.id {
            self.rebind(now, base, flow);
            base.emit(Event::FlowRestored { id: self.id, flow });
        }
        if let Err(refusal) = self.take(now, base, server, dialog, request) {
            let response = refusal.response(base, request);
            base.respond(now, server, response);
        }
    }

    fn take(
        &mut self,
        now: Instant,
        base: &mut Base,
        server: ServerId,
        dialog: &DialogId,
        request: &Arc<Request>,
    ) -> Result<(), Refusal> {
        let number = request.headers.cseq().map_or(0, |cseq| cseq.number);
        let known = self.dialog_of(dialog).ok_or(Refusal::Gone)?;
        known
            .take_sequence(number)
            .map_err(|_| Refusal::OutOfOrder)?;
        if request.method == Method::Bye {
            self.on_bye(now, base, server, request);
            return Ok(());
        }
        if matches!(
            self.phase,
            Phase::Departing { .. } | Phase::Leaving { .. } | Phase::Over
        ) {
            return Err(Refusal::Gone);
        }
        match &request.method {
            Method::Invite => self.on_reinvite(base, server, dialog, request),
            Method::Update => self.on_update(now, base, server, dialog, request),
            Method::Prack => self.on_prack(now, base, server, dialog, request),
            Method::Info
            | Method::Message
            | Method::Refer
            | Method::Notify
            | Method::Options
            | Method::Subscribe => self.hand_up(base, server, request),
            Method::Ack
            | Method::Bye
            | Method::Cancel
            | Method::Register
            | Method::Publish
            | Method::Other(_) => Err(Refusal::Method),
        }
    }

    fn hand_up(
        &mut self,
        base: &mut Base,
        server: ServerId,
        request: &Arc<Request>,
    ) -> Result<(), Refusal> {
        let request_id = self.wait(base, server, request).ok_or(Refusal::Overload)?;
        let request = Arc::clone(request);
        base.emit(Event::InDialog {
            id: self.id,
            request_id,
            request,
        });
        Ok(())
    }

    fn on_bye(&mut self, now: Instant, base: &mut Base, server: ServerId, request: &Arc<Request>) {
        base.respond(now, server, request.response(Status::OK));
        let bye = Ended::Bye(Arc::clone(request));
        match &self.phase {
            Phase::Incoming(_) => {
                // §15: a caller may end an early dialog by BYE; its INVITE is still to be answered.
                self.refuse_incoming(now, base, Status::REQUEST_TERMINATED, &Vec::new());
                self.end(now, base, bye);
            }
            // "The callee's UA MUST NOT send a BYE on early dialogs"; one that does is not called on.
            Phase::Outgoing(_) => self.cancel(now, base, Vec::new(), bye),
            Phase::Established => self.end(now, base, bye),
            Phase::Departing { cause, .. } | Phase::Leaving { cause } => {
                let cause = cause.clone();
                self.end(now, base, cause);
            }
            Phase::Over => {}
        }
    }

    fn on_reinvite(
        &mut self,
        base: &mut Base,
        server: ServerId,
        dialog: &DialogId,
        request: &Arc<Request>,
    ) -> Result<(), Refusal> {
        match &self.phase {
            // §14.2: "A UAS that receives a second INVITE before it sends the final response to a first INVITE
            // with a lower CSeq sequence number on the same dialog MUST return a 500 (Server Internal
            // Error) response to the second INVITE and MUST include a Retry-After header field with a
            // randomly chosen value of between 0 and 10 seconds."
            Phase::Incoming(_) => return Err(Refusal::Pending),
            Phase::Outgoing(_) => return Err(Refusal::Glare),
            Phase::Established | Phase::Departing { .. } | Phase::Leaving { .. } | Phase::Over => {}
        }
        let body = description(&request.headers, &request.body);
        if body.is_none() && !request.body.is_empty() {
            return Err(Refusal::MediaType);
        }
        self.may_offer(request)?;
        // The peer starts no INVITE before it has the 2xx of the last one (§14.1): its ACK is on the way, or
        // lost.
        if let Some(unacked) = self.unacked.take() {
            self.confirmed(base, &unacked, None);
        }
        self.refresh_target(dialog, request);
        self.hear(base, request);
        self.give_way(base);
        self.turn = Turn::Theirs(Theirs {
            server,
            via: OfferVia::Reinvite,
            request: Arc::clone(request),
        });
        base.emit(Event::Offer {
            id: self.id,
            via: OfferVia::Reinvite,
            body,
        });
        Ok(())
    }

    fn on_update(
        &mut self,
        now: Instant,
        base: &mut Base,
        server: ServerId,
        dialog: &DialogId,
        request: &Arc<Request>,
    ) -> Result<(), Refusal> {
        let body = description(&request.headers, &request.body);
        if request.body.is_empty() {
            return self.on_refresh(now, base, server, dialog, request);
        }
        if body.is_none() {
            return Err(Refusal::MediaType);
        }
        match &self.phase {
            // RFC 3311 §5.2: "the UAS MUST reject the UPDATE with a 500 response … if it has received an offer …
            // to which it has not yet generated an answer"; "with a 491 … if it has generated an offer …
            // to which it has not yet received an answer". Before the answer to the call that is so until a
            // reliable provisional response has settled the session.
            Phase::Incoming(_) if self.provisionals.offers() => return Err(Refusal::Glare),
            Phase::Incoming(_) if self.early.is_none() => return Err(Refusal::Pending),
            Phase::Outgoing(_) if self.late_prack.is_some() => return Err(Refusal::Pending),
            Phase::Outgoing(_) if self.early.as_ref() != Some(dialog) => {
                return Err(Refusal::Glare);
            }
            Phase::Incoming(_) | Phase::Outgoing(_) => {}
            Phase::Established | Phase::Departing { .. } | Phase::Leaving { .. } | Phase::Over => {}
        }
        self.may_offer(request)?;
        self.refresh_target(dialog, request);
        self.hear(base, request);
        self.give_way(base);
        self.turn = Turn::Theirs(Theirs {
            server,
            via: OfferVia::Update,
            request: Arc::clone(request),
        });
        base.emit(Event::Offer {
            id: self.id,
            via: OfferVia::Update,
            body,
        });
        Ok(())
    }

    /// May the peer offer now?
    pub(super) fn may_offer(&self, request: &Request) -> Result<(), Refusal> {
        match &self.turn {
            Turn::Ours(_) => return Err(Refusal::Glare),
            Turn::Theirs(_) => return Err(Refusal::Pending),
            Turn::Idle => {}
        }
        // RFC 6337 §2.2: the offer in our 2xx is answered by the ACK only.
        if self.unacked.as_ref().is_some_and(|unacked| unacked.offered) || self.late_offer.is_some()
        {
            return Err(Refusal::Glare);
        }
        let running = self.session_timer.as_ref().map(|timer| timer.delta_s);
        self.terms(request, running).map(|_| ())
    }

    fn terms(&self, request: &Request, running: Option<u32>) -> Result<Option<Terms>, Refusal> {
        let rules = self.session_rules;
        Terms::answer(request, running, rules)
            .map_err(|TooSmall| Refusal::IntervalTooSmall(rules.min_se_s()))
    }

    /// An UPDATE without body: a session refresh (RFC 4028), answered here.
    fn on_refresh(
        &mut self,
        now: Instant,
        base: &mut Base,
        server: ServerId,
        dialog: &DialogId,
        request: &Arc<Request>,
    ) -> Result<(), Refusal> {
        let running = self.session_timer.as_ref().map(|timer| timer.delta_s);
        let terms = self.terms(request, running)?;
        self.refresh_target(dialog, request);
        self.hear(base, request);
        let flow = base
            .servers
            .get(server)
            .map_or(self.flow, |entry| entry.flow);
        let mut response = request.response(Status::OK);
        dress_answer(base, &flow, request, &self.told, &mut response);
        if let Some(terms) = terms {
            terms.write(&mut response.headers);
        }
        if let Phase::Established = self.phase {
            self.agree(now, terms, false);
        }
        base.respond(now, server, response);
        Ok(())
    }

    fn refresh_target(&mut self, dialog: &DialogId, request: &Request) {
        if let Some(dialog) = self.dialog_of(dialog) {
            dialog.refresh_target(request);
        }
    }

    /// The connection is gone over which the peer's offer came: its answer could not be sent.
    pub(super) fn withdraw_offer_of(&mut self, base: &mut Base) {
        let lost = |server| {
            let entry = base.servers.get(server);
            entry.is_some_and(|entry| entry.flow.id == self.flow.id)
        };
        if matches!(&self.turn, Turn::Theirs(theirs) if lost(theirs.server)) {
            self.turn = Turn::Idle;
            base.emit(Event::OfferWithdrawn { id: self.id });
        }
    }

    /// A CANCEL of a re-INVITE.
    pub(super) fn on_offer_cancelled(&mut self, now: Instant, base: &mut Base, server: ServerId) {
        match std::mem::replace(&mut self.turn, Turn::Idle) {
            Turn::Theirs(theirs) if theirs.server == server && theirs.via == OfferVia::Reinvite => {
                let response = theirs.request.response(Status::REQUEST_TERMINATED);
                base.respond(now, server, response);
                base.emit(Event::OfferWithdrawn { id: self.id });
            }
            turn => self.turn = turn,
        }
    }
}

impl Refusal {
    fn response(self, base: &mut Base, request: &Request) -> Response {
        let status = match self {
            Self::Malformed => Status::BAD_REQUEST,
            Self::OutOfOrder | Self::Pending => Status::SERVER_INTERNAL_ERROR,
            Self::Gone => Status::CALL_DOES_NOT_EXIST,
            Self::Glare => Status::REQUEST_PENDING,
            Self::IntervalTooSmall(_) => Status::SESSION_INTERVAL_TOO_SMALL,
            Self::MediaType => Status::UNSUPPORTED_MEDIA_TYPE,
            Self::Overload => Status::SERVICE_UNAVAILABLE,
            Self::Method => Status::METHOD_NOT_ALLOWED,
        };
        let mut response = request.response(status);
        let headers = &mut response.headers;
        match self {
            Self::Pending => headers.push(HeaderName::RetryAfter, &base.below(11).to_string()),
            Self::Overload => {
                headers.push(
                    HeaderName::RetryAfter,
                    &crate::agent::RETRY_AFTER_S.to_string(),
                );
            }
            Self::IntervalTooSmall(min_se_s) => {
                headers.push(HeaderName::MinSe, &min_se_s.to_string());
            }
            Self::MediaType => headers.push(HeaderName::Accept, "application/sdp"),
            Self::Method => headers.push(HeaderName::Allow, crate::agent::ALLOW),
            Self::Malformed | Self::OutOfOrder | Self::Gone | Self::Glare => {}
        }
        response
    }
}
