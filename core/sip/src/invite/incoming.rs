//! The callee: from the peer's INVITE to the ACK of our 2xx (RFC 3261 §13.3).

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::reliable::Said;
use super::{Extra, Invite, Phase, attach_response, description, dress_answer};
use crate::agent::{Base, Body, Ended, Event, Flow, FlowId, InviteId, Transmit};
use crate::dialog::Dialog;
use crate::session_timer::Terms;
use crate::timer::{T1, T2, earliest};
use crate::transaction::ServerId;
use crate::{Method, Request, Status};

/// RFC 3261 §13.3.1.1: "a UAS MUST send a non-100 provisional response at every minute".
const REMINDER: Duration = Duration::from_secs(60);

/// A caller that waits for our final response.
#[derive(Debug)]
pub(crate) struct Incoming {
    server: ServerId,
    request: Arc<Request>,
    expires_at: Option<Instant>,
    /// When the last status is said again.
    reminder: Option<(Instant, Status)>,
}

impl Incoming {
    /// The INVITE and its transaction.
    pub(super) fn invite(&self) -> (ServerId, Arc<Request>) {
        (self.server, Arc::clone(&self.request))
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        earliest([self.expires_at, self.reminder.as_ref().map(|(at, _)| *at)])
    }
}

/// A 2xx of ours to an INVITE, first or later, without its ACK. §13.3.1.4: "passed to the transport with an
/// interval that starts at T1 seconds and doubles for each retransmission until it reaches T2 seconds",
/// "even if the underlying transport is reliable", for 64*T1.
#[derive(Debug)]
pub(super) struct Unacked {
    pub(super) flow: FlowId,
    pub(super) cseq: u32,
    pub(super) first: bool,
    server: ServerId,
    /// The 2xx carried our offer, so the ACK must bring the answer.
    pub(super) offered: bool,
    bytes: Bytes,
    interval: Duration,
    again_at: Instant,
    give_up_at: Instant,
}

impl Unacked {
    pub(super) fn deadline(&self) -> Instant {
        self.again_at.min(self.give_up_at)
    }
}

impl Invite {
    /// A new call; its 100 is sent by the Agent.
    pub(crate) fn incoming(
        now: Instant,
        id: InviteId,
        flow: Flow,
        server: ServerId,
        request: Arc<Request>,
        dialog: Dialog,
    ) -> Self {
        // §13.3.1: "If the request is an INVITE that contains an Expires header field, the UAS core sets a
        // timer for the number of seconds indicated".
        let expires = request.headers.expires().ok().flatten();
        let expires_at = expires.map(|seconds| now + Duration::from_secs(seconds.into()));
        let allows_update = request.headers.allows(&Method::Update).unwrap_or(false);
        let incoming = Incoming {
            server,
            request,
            expires_at,
            reminder: None,
        };
        let mut invite = Self::new(id, flow, Phase::Incoming(incoming), Some(dialog));
        invite.allows_update = allows_update;
        invite
    }

    /// Sends a provisional response above 100.
    pub(crate) fn provisional(
        &mut self,
        now: Instant,
        base: &mut Base,
        status: Status,
        body: Option<Body>,
    ) {
        let Phase::Incoming(incoming) = &mut self.phase else {
            return;
        };
        if !status.is_provisional() || status == Status::TRYING {
            return;
        }
        let (server, invite) = incoming.invite();
        incoming.reminder = Some((now + REMINDER, status));
        if self.provisionals.is_accepting() {
            return;
        }
        if self.relies(&invite) {
            let told = self.told.clone();
            let said = Said { status, body, told };
            return self.provide(now, base, (server, &invite), said);
        }
        // RFC 3261 §13.2.1: an offer of ours stands in no response that the caller need not confirm.
        let body = body.filter(|_| description(&invite.headers, &invite.body).is_some());
        let mut response = self.provisional_response(base, &invite, status, &self.told);
        if body.is_some() {
            self.preview = body.clone();
        }
        attach_response(&mut response, body);
        base.respond(now, server, response);
    }

    /// Sends the 200, after the PRACK of a description of ours if that is still to come. What a reliable
    /// provisional response has settled is not said again (RFC 6337 §3.1.1).
    pub(crate) fn accept(&mut self, now: Instant, base: &mut Base, body: Body) {
        let Phase::Incoming(incoming) = &self.phase else {
            return;
        };
        let (server, request) = incoming.invite();
        let Some(body) = self.provisionals.hold(body) else {
            return;
        };
        let body = Some(body).filter(|_| self.early.is_none());
        self.phase = Phase::Established;
        self.send_success(now, base, server, &request, body, true);
    }

    /// A 2xx to the first INVITE or a re-INVITE: with the session timer, and remembered until its ACK.
    pub(super) fn send_success(
        &mut self,
        now: Instant,
        base: &mut Base,
        server: ServerId,
        request: &Request,
        body: Option<Body>,
        first: bool,
    ) {
        let flow = base
            .servers
            .get(server)
            .map_or(self.flow, |entry| entry.flow);
        let mut response = request.response(Status::OK);
        dress_answer(base, &flow, request, &self.told, &mut response);
        let running = self.session_timer.as_ref().map(|timer| timer.delta_s);
        if matches!(self.phase, Phase::Established) {
            let terms = Terms::answer(request, running, self.session_rules)
                .ok()
                .flatten();
            if let Some(terms) = terms {
                terms.write(&mut response.headers);
            }
            self.agree(now, terms, false);
        }
        let has_body = body.is_some();
        if has_body {
            self.description = body.clone();
        }
        attach_response(&mut response, body);
        let Some(bytes) = base.respond(now, server, response) else {
            return;
        };
        if request.method != Method::Invite {
            return;
        }
        self.unacked = Some(Unacked {
            flow: flow.id,
            cseq: request.headers.cseq().map_or(0, |cseq| cseq.number),
            first,
            server,
            offered: has_body && description(&request.headers, &request.body).is_none(),
            bytes,
            interval: T1,
            again_at: now + T1,
            give_up_at: now + T1 * 64,
        });
    }

    /// Sends the final refusal; the call is over.
    pub(crate) fn reject(
        &mut self,
        now: Instant,
        base: &mut Base,
        status: Status,
        headers: &Extra,
    ) {
        if self.refuse_incoming(now, base, status, headers) {
            self.end(now, base, Ended::Hangup);
        }
    }

    /// The same for somebody who has proven nothing: over UDP it is sent once.
    pub(crate) fn deny(&mut self, now: Instant, base: &mut Base, status: Status, headers: &Extra) {
        let Phase::Incoming(incoming) = &self.phase else {
            return;
        };
        let server = incoming.server;
        self.reject(now, base, status, headers);
        base.servers.disown(server);
    }

    /// 100, unless something was sent already.
    pub(crate) fn trying(&self, now: Instant, base: &mut Base) {
        if let Phase::Incoming(incoming) = &self.phase
            && base.servers.is_silent(incoming.server)
        {
            base.respond(
                now,
                incoming.server,
                incoming.request.response(Status::TRYING),
            );
        }
    }

    pub(super) fn refuse_incoming(
        &self,
        now: Instant,
        base: &mut Base,
        status: Status,
        headers: &Extra,
    ) -> bool {
        let Phase::Incoming(incoming) = &self.phase else {
            return false;
        };
        let is_refusal = status.is_final() && !status.is_success();
        let status = if is_refusal {
            status
        } else {
            Status::TEMPORARILY_UNAVAILABLE
        };
        let mut response = incoming.request.response(status);
        for (name, value) in headers {
            response.headers.push(name.clone(), value);
        }
        base.respond(now, incoming.server, response);
        true
    }

    /// A CANCEL that matches this server transaction (§9.2): the INVITE, first or later, gets 487. One that
    /// crosses our 2xx "has no effect on the processing of the original request", but says what the caller
    /// wants: the call is over for the layer above, and the BYE goes out as soon as §15 lets it. The caller
    /// ought to acknowledge the 2xx and send BYE itself; JsSIP 3.0.13 does neither.
    pub(crate) fn on_cancel(&mut self, now: Instant, base: &mut Base, server: ServerId) {
        if let Phase::Incoming(incoming) = &self.phase
            && incoming.server == server
        {
            self.refuse_incoming(now, base, Status::REQUEST_TERMINATED, &Vec::new());
            return self.end(now, base, Ended::Cancelled);
        }
        let crosses = |unacked: &Unacked| unacked.first && unacked.server == server;
        if matches!(self.phase, Phase::Established) && self.unacked.as_ref().is_some_and(crosses) {
            base.emit(Event::GivenUp { id: self.id });
            return self.depart(now, base, Vec::new(), Ended::Cancelled);
        }
        self.on_offer_cancelled(now, base, server);
    }

    /// The ACK of a 2xx.
    pub(crate) fn on_ack(&mut self, now: Instant, base: &mut Base, request: &Request) {
        let number = request.headers.cseq().map(|cseq| cseq.number).ok();
        let Some(unacked) = self.unacked.take_if(|unacked| Some(unacked.cseq) == number) else {
            return;
        };
        if let Phase::Departing { .. } = self.phase {
            return self.leave_departing(now, base);
        }
        let body = description(&request.headers, &request.body);
        self.confirmed(base, &unacked, body);
        self.pump(now, base);
    }

    /// Tells that the peer has our 2xx.
    pub(super) fn confirmed(&self, base: &mut Base, unacked: &Unacked, body: Option<Bytes>) {
        let id = self.id;
        match (unacked.first, unacked.offered, body) {
            (true, _, body) => base.emit(Event::Confirmed { id, body }),
            (false, true, Some(body)) => base.emit(Event::Answer { id, body }),
            (false, true, None) => {
                let reason = "The ACK brought no answer".into();
                let status = Status::NOT_ACCEPTABLE_HERE;
                base.emit(Event::OfferRefused { id, status, reason });
            }
            (false, false, _) => {}
        }
    }

    /// The ACK came, or never will: now the BYE may go.
    pub(super) fn leave_departing(&mut self, now: Instant, base: &mut Base) {
        if let Phase::Departing { headers, cause } = &mut self.phase {
            let (headers, cause) = (std::mem::take(headers), cause.clone());
            self.leave(now, base, &headers, cause);
        }
    }

    pub(super) fn on_unacked_timeout(&mut self, now: Instant, base: &mut Base) {
        let Some(unacked) = &mut self.unacked else {
            return;
        };
        if now >= unacked.give_up_at {
            // §13.3.1.4: "If the server retransmits the 2xx response for 64*T1 seconds without receiving an
            // ACK, the dialog is confirmed, but the session SHOULD be terminated. This is accomplished with
            // a BYE".
            return match self.phase {
                Phase::Departing { .. } => self.leave_departing(now, base),
                Phase::Incoming(_)
                | Phase::Outgoing(_)
                | Phase::Established
                | Phase::Leaving { .. }
                | Phase::Over => self.leave(now, base, &Vec::new(), Ended::AckTimeout),
            };
        }
        if now >= unacked.again_at {
            let (flow, bytes) = (unacked.flow, unacked.bytes.clone());
            unacked.interval = (unacked.interval * 2).min(T2);
            unacked.again_at = now + unacked.interval;
            if !self.flow_lost {
                base.transmits.push_back(Transmit { flow, bytes });
            }
        }
    }

    pub(super) fn on_incoming_timeout(&mut self, now: Instant, base: &mut Base) {
        let Phase::Incoming(incoming) = &mut self.phase else {
            return;
        };
        if incoming.expires_at.is_some_and(|at| now >= at) {
            self.refuse_incoming(now, base, Status::REQUEST_TERMINATED, &Vec::new());
            return self.end(now, base, Ended::Expired);
        }
        if let Some((at, status)) = &mut incoming.reminder
            && now >= *at
        {
            *at = now + REMINDER;
            let (status, body) = (*status, self.preview.clone());
            self.provisional(now, base, status, body);
        }
    }
}
