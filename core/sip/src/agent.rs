//! The Agent: one machine for all transactions, dialogs and INVITE usages (RFC 3261).
//!
//! Bytes, verbs and time go in by `handle_…` and the verbs; bytes, events and the next deadline come
//! out by `poll_…`. After every input, drain all three outputs before the next input.

mod base;
mod event;
mod flow;
mod limits;
mod receive;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use bytes::Bytes;

pub(crate) use base::{ALLOW, Base, METHODS, tag_of};
pub use event::{
    Body, Busy, ClientId, Ended, Event, Failure, InviteId, OfferVia, OutgoingInvite, RequestId,
    SubscriptionId, Timeout,
};
pub use flow::{Flow, FlowId, Transmit, Transport};
pub use limits::{Counts, FlowLimits, Identity, Limits};
pub(crate) use limits::{FORKS_MAX, REQUESTS_PER_INVITE_MAX, RETRY_AFTER_S};

use crate::dialog::DialogId;
use crate::invite::{Invite, Reliability, carries_contact};
use crate::session_timer::SessionRules;
use crate::subscription::{SubscriptionRules, Subscriptions};
use crate::timer::{TimerTable, earliest};
use crate::transaction::{ClientUser, Purpose, ServerUser};
use crate::{HeaderName, Login, Message, Method, Replaces, Request, Response, Status};

/// The SIP machine.
#[derive(Debug)]
pub struct Agent {
    base: Base,
    invites: BTreeMap<InviteId, Invite>,
    by_flow: BTreeMap<FlowId, BTreeSet<InviteId>>,
    timers: TimerTable<InviteId>,
    subscriptions: Subscriptions,
}

impl Agent {
    /// An Agent that draws its tags and branches from `seed`, which must be secret and fresh.
    pub fn new(identity: Identity, limits: Limits, seed: [u8; 32]) -> Self {
        Self {
            base: Base::new(identity, limits, seed),
            invites: BTreeMap::new(),
            by_flow: BTreeMap::new(),
            timers: TimerTable::new(),
            subscriptions: Subscriptions::new(),
        }
    }

    /// From now on our messages say that they come from `server`.
    pub fn rename(&mut self, server: String) {
        self.base.identity.server = server;
    }

    /// One message from the wire: a datagram or a WebSocket message. What is no SIP message is
    /// answered if it can be, else dropped.
    pub fn handle_message(&mut self, now: Instant, flow: Flow, bytes: &Bytes) {
        match Message::parse(bytes) {
            Ok(Message::Request(request)) => self.on_request(now, flow, request),
            Ok(Message::Response(response)) => self.on_response(now, response),
            Err(error) => {
                if let Some(response) = error.reply() {
                    self.base.respond_stateless(flow.id, response);
                }
            }
        }
    }

    /// The host (and port) that Contact and Via name on this flow in place of our end of it: where
    /// address translation lies between. `None` takes it back.
    pub fn advertise(&mut self, flow: FlowId, host: Option<String>) {
        match host {
            Some(host) => self.base.advertised.insert(flow, host.into()),
            None => self.base.advertised.remove(&flow),
        };
    }

    /// The host and port our Contact and Via name on this flow.
    pub fn address(&self, flow: &Flow) -> String {
        self.base.address(flow)
    }

    /// Our Contact on this flow.
    pub fn contact(&self, flow: &Flow) -> String {
        self.base.contact(flow)
    }

    /// The connection is gone: transactions on it end, each answered call gets [`Event::FlowLost`].
    pub fn handle_flow_closed(&mut self, now: Instant, flow: FlowId) {
        self.forget(flow);
        for id in self.by_flow.remove(&flow).into_iter().flatten() {
            self.with(id, |invite, base| {
                if invite.is_on(flow) {
                    invite.on_flow_closed(now, base);
                }
            });
        }
        self.subscriptions.on_flow_closed(&mut self.base, flow);
        for user in self.base.servers.close_flow(flow) {
            self.forget_request(user);
        }
        for user in self.base.clients.close_flow(flow) {
            self.on_no_response(now, user, true);
        }
    }

    /// The deadline of [`Agent::poll_timeout`] has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(at) = self.poll_timeout().filter(|at| *at <= now) {
            if self.base.servers.poll_timeout() == Some(at) {
                let Base {
                    servers, transmits, ..
                } = &mut self.base;
                if let Some(user) = servers.handle_timeout(now, transmits) {
                    self.forget_request(user);
                }
            } else if self.base.clients.poll_timeout() == Some(at) {
                let Base {
                    clients, transmits, ..
                } = &mut self.base;
                if let Some(user) = clients.handle_timeout(now, transmits) {
                    self.on_no_response(now, user, false);
                }
            } else if self.subscriptions.next() == Some(at) {
                self.subscriptions.handle_timeout(now, &mut self.base);
            } else if let Some(id) = self.timers.pop(now) {
                self.with(id, |invite, base| invite.handle_timeout(now, base));
            }
        }
    }

    /// Answers a request of [`Event::Request`] or [`Event::InDialog`] with a response made by
    /// [`Request::response`]; To tag, Server and, where a dialog needs it,
    /// Contact are added.
    pub fn respond(&mut self, now: Instant, id: RequestId, mut response: Response) {
        let Some(waiting) = self.base.requests.get(&id).copied() else {
            return;
        };
        if waiting.invite.is_some()
            && response.status.is_success()
            && response
                .headers
                .cseq()
                .is_ok_and(|cseq| carries_contact(&cseq.method))
            && !response.headers.has(&HeaderName::Contact)
            && let Some(entry) = self.base.servers.get(waiting.server)
        {
            let contact = self.base.contact(&entry.flow);
            response.headers.push(HeaderName::Contact, &contact);
        }
        if response.status.is_final() {
            self.forget_request(ServerUser::Request(id));
        }
        self.base.respond(now, waiting.server, response);
    }

    /// Accepts a SUBSCRIBE of [`Event::Request`] with 200; [`Agent::notify`] must follow at once (RFC 6665
    /// §4.2.1.2). `None`: it was refused, since it asked for too little time or there are too many.
    pub fn accept_subscription(
        &mut self,
        now: Instant,
        id: RequestId,
        request: &Request,
        rules: SubscriptionRules,
    ) -> Option<SubscriptionId> {
        let waiting = self.base.requests.remove(&id)?;
        self.subscriptions
            .accept(now, &mut self.base, waiting.server, request, rules)
    }

    /// Makes a subscription of a REFER in a call that was accepted (RFC 3515 §2.4.4): [`Agent::notify`] tells the far end
    /// how what it asked for goes on, also after the end of the call. `None`: the call is gone, or there are too many.
    pub fn follow_refer(
        &mut self,
        now: Instant,
        id: InviteId,
        event: &str,
        lasts_s: u32,
    ) -> Option<SubscriptionId> {
        let (flow, dialog) = self.invites.get(&id)?.dialog()?;
        self.subscriptions
            .follow(now, &mut self.base, flow, dialog, (event, lasts_s))
    }

    /// Tells a subscriber the state of what it subscribed to. While the NOTIFY before waits for its answer, this
    /// one waits, and a newer one takes its place.
    pub fn notify(&mut self, now: Instant, id: SubscriptionId, body: Option<Body>) {
        self.subscriptions
            .notify(now, &mut self.base, id, body, None);
    }

    /// From now on a subscriber is told by this flow, which leads to it as well, whatever its SUBSCRIBEs come by: what is
    /// too long for a datagram goes over a connection (RFC 3261 §18.1.1). If that is lost, [`Event::Resubscribed`] asks
    /// for all of it once more.
    pub fn tell_by(&mut self, id: SubscriptionId, flow: Flow) {
        self.subscriptions.tell_by(id, flow);
    }

    /// What a subscriber is told by.
    pub fn way_to(&self, id: SubscriptionId) -> Option<Flow> {
        self.subscriptions.way_to(id)
    }

    /// Whether what a subscriber is to be told waits for its answer to the NOTIFY before.
    pub fn has_news(&self, id: SubscriptionId) -> bool {
        self.subscriptions.has_news(id)
    }

    /// The same for the last time, with a reason of RFC 6665 §4.2.2: `noresource`, `deactivated`…
    pub fn end_subscription(
        &mut self,
        now: Instant,
        id: SubscriptionId,
        reason: &str,
        body: Option<Body>,
    ) {
        self.subscriptions
            .notify(now, &mut self.base, id, body, Some(reason));
    }

    /// The Call-ID of a subscription and its Event, and when it ends if it is not renewed.
    pub fn subscription(&self, id: SubscriptionId) -> Option<(&str, &str, Instant)> {
        self.subscriptions.facts(id)
    }

    /// Sends a request outside any dialog. Via, Max-Forwards, From tag, Call-ID, CSeq and User-Agent
    /// are added where they are missing.
    pub fn request(&mut self, now: Instant, flow: Flow, mut request: Request) -> ClientId {
        let id = self.base.next_client_id();
        self.complete(&mut request);
        if self.base.has_room(false) {
            self.base.start(now, flow, request, ClientUser::Request(id));
        } else {
            let response = request.response(Status::SERVICE_UNAVAILABLE);
            self.base.emit(Event::Response {
                id,
                result: Ok(response.into()),
            });
        }
        id
    }

    fn complete(&mut self, request: &mut Request) {
        if let Ok(mut from) = request.headers.from()
            && from.tag().is_none()
        {
            from.set_tag(&self.base.token());
            request.headers.set(HeaderName::From, &from.to_string());
        }
        let cseq = format!("1 {}", request.method);
        let call_id = self.base.token();
        let defaults = [
            (HeaderName::MaxForwards, "70"),
            (HeaderName::CallId, &call_id),
            (HeaderName::CSeq, &cseq),
        ];
        for (name, value) in defaults {
            if !request.headers.has(&name) {
                request.headers.push(name, value);
            }
        }
    }

    /// A provisional response (101 to 199) to an INVITE.
    pub fn provisional(&mut self, now: Instant, id: InviteId, status: Status, body: Option<Body>) {
        self.with(id, |invite, base| {
            invite.provisional(now, base, status, body)
        });
    }

    /// How the call is watched over from now on (RFC 4028): before the first INVITE is answered, as a rule.
    pub fn watch(&mut self, id: InviteId, rules: SessionRules) {
        self.with(id, |invite, _| invite.watch(rules));
    }

    /// Whether provisional responses to the peer's INVITE are acknowledged (RFC 3262): before the first one.
    pub fn rely(&mut self, id: InviteId, reliability: Reliability) {
        self.with(id, |invite, _| invite.rely(reliability));
    }

    /// What challenges to requests inside the dialog are answered with (RFC 3261 §22); calls of ours know it
    /// from their [`OutgoingInvite`].
    pub fn log_in_with(&mut self, id: InviteId, logins: Vec<Login>) {
        self.with(id, |invite, _| invite.log_in_with(logins));
    }

    /// 200 to the first INVITE, sent again until the ACK comes, on every transport (RFC 3261 §13.3.1.4).
    pub fn accept(&mut self, now: Instant, id: InviteId, body: Body) {
        self.with(id, |invite, base| invite.accept(now, base, body));
    }

    /// The final refusal of the first INVITE: 401 with WWW-Authenticate, 404, 488 with Warning…
    pub fn reject(
        &mut self,
        now: Instant,
        id: InviteId,
        status: Status,
        headers: Vec<(HeaderName, String)>,
    ) {
        self.with(id, move |invite, base| {
            invite.reject(now, base, status, &headers)
        });
    }

    /// The same for a caller who has proven nothing. Over UDP the refusal is sent once and forgotten:
    /// whoever forges the address of somebody else makes us send him no more than he sends us
    /// (RFC 3261 §26.3.2.4).
    pub fn deny(
        &mut self,
        now: Instant,
        id: InviteId,
        status: Status,
        headers: Vec<(HeaderName, String)>,
    ) {
        self.with(id, move |invite, base| {
            invite.deny(now, base, status, &headers)
        });
    }

    /// 100 Trying, unless something was sent already. An INVITE over UDP that brings no credentials
    /// gets it by this alone, when the caller is let in.
    pub fn trying(&mut self, now: Instant, id: InviteId) {
        self.with(id, |invite, base| invite.trying(now, base));
    }

    /// The caller has proven who he is: from now on the flow is that of somebody known ([`Limits::per_known_flow`]).
    pub fn know(&mut self, id: InviteId) {
        self.with(id, |invite, base| {
            base.known.insert(invite.flow.id);
        });
    }

    /// Nothing is known of this flow any more, not even that it was closed: it is one of UDP that was silent for long.
    pub fn forget(&mut self, flow: FlowId) {
        self.base.known.remove(&flow);
        self.base.advertised.remove(&flow);
    }

    /// Calls somebody. `hangup` before the final response cancels.
    pub fn invite(&mut self, now: Instant, flow: Flow, invite: OutgoingInvite) -> InviteId {
        let id = InviteId(self.base.next_id());
        if self.has_room_for_invite() {
            let invite = Invite::outgoing(now, &mut self.base, id, flow, invite);
            self.adopt(id, invite);
        } else {
            let response = Response::new(Status::SERVICE_UNAVAILABLE);
            let outcome = Failure::Response(response.into());
            self.base.emit(Event::Failed { id, outcome });
            self.base.emit(Event::Ended {
                id,
                cause: Ended::Failed,
            });
        }
        id
    }

    /// Offers a changed session by re-INVITE. Glare (491), and the 403 of JsSIP that has not sent its
    /// ACK yet, are retried inside (RFC 3261 §14.1). If the peer's own offer comes during such a wait,
    /// ours is given up with [`Event::OfferRefused`] 491, then the peer's is told.
    pub fn reinvite(&mut self, now: Instant, id: InviteId, offer: Body) -> Result<(), Busy> {
        self.offer(now, id, OfferVia::Reinvite, offer)
    }

    /// The same by UPDATE (RFC 3311); by re-INVITE if the peer does not allow UPDATE. Before the call is
    /// answered an UPDATE may go once a reliable provisional response has settled the session.
    pub fn update(&mut self, now: Instant, id: InviteId, offer: Body) -> Result<(), Busy> {
        self.offer(now, id, OfferVia::Update, offer)
    }

    /// Headers that say who the peer is connected to; they go along with every provisional response and 2xx,
    /// re-INVITE and UPDATE of ours from now on.
    pub fn tell(&mut self, id: InviteId, headers: Vec<(HeaderName, String)>) {
        self.with(id, |invite, _| invite.tell(headers));
    }

    /// Sends an UPDATE or re-INVITE that changes nothing of the session, so that the peer hears what
    /// [`Agent::tell`] changed: [`OfferVia::Update`] is an UPDATE whatever the peer allows, everything else is
    /// one where the peer allows it. It waits for its moment as an offer does.
    pub fn announce(&mut self, now: Instant, id: InviteId, via: OfferVia) {
        self.with(id, |invite, base| invite.announce(now, base, via));
    }

    fn offer(
        &mut self,
        now: Instant,
        id: InviteId,
        via: OfferVia,
        offer: Body,
    ) -> Result<(), Busy> {
        self.with(id, |invite, base| invite.offer(now, base, via, offer))
            .unwrap_or(Err(Busy::NotEstablished))
    }

    /// Accepts the peer's [`Event::Offer`]; or puts the answer into the ACK or PRACK when our INVITE had no offer.
    /// Nothing happens if the offer was withdrawn meanwhile.
    pub fn answer(&mut self, now: Instant, id: InviteId, body: Option<Body>) {
        self.with(id, |invite, base| invite.answer(now, base, body));
    }

    /// Refuses the peer's [`Event::Offer`] (488…); the old session stands.
    pub fn refuse(
        &mut self,
        now: Instant,
        id: InviteId,
        status: Status,
        headers: Vec<(HeaderName, String)>,
    ) {
        self.with(id, move |invite, base| {
            invite.refuse(now, base, status, &headers)
        });
    }

    /// Sends a request inside the dialog: INFO, MESSAGE, REFER, NOTIFY…
    pub fn send(
        &mut self,
        now: Instant,
        id: InviteId,
        method: Method,
        headers: Vec<(HeaderName, String)>,
        body: Option<Body>,
    ) -> ClientId {
        let client = self.base.next_client_id();
        let sent = self.with(id, move |invite, base| {
            invite.send(now, base, client, &method, &headers, body);
        });
        if sent.is_none() {
            self.base.emit(Event::Response {
                id: client,
                result: Err(Timeout),
            });
        }
        client
    }

    /// Sends a request of [`Agent::send`] that has no answer yet by another flow from now on, where both are datagrams: as
    /// it was, so that who heard it by the flow before knows that it is a repetition (RFC 3261 §17.2.3).
    pub fn redirect(&mut self, id: ClientId, from: FlowId, to: Flow) {
        let Base {
            clients, transmits, ..
        } = &mut self.base;
        clients.redirect(id, from, to, transmits);
    }

    /// Ends the call by what its state asks for: BYE, CANCEL, or `status_before_answer` to the
    /// caller; waits for the ACK of our 200 if need be (RFC 3261 §15).
    pub fn hangup(
        &mut self,
        now: Instant,
        id: InviteId,
        headers: Vec<(HeaderName, String)>,
        status_before_answer: Status,
    ) {
        self.with(id, |invite, base| {
            invite.hangup(now, base, headers, status_before_answer)
        });
    }

    /// Tells [`Event::Silent`] if our INVITE has no response at all, not even 100, by then.
    pub fn notice_silence(&mut self, id: InviteId, at: Instant) {
        self.with(id, |invite, _| invite.notice_silence(at));
    }

    /// Gives up an INVITE of ours that nobody has answered, for one that goes elsewhere: it is repeated no more, so
    /// that a place that comes to life late is not called besides. A CANCEL may not be sent yet (RFC 3261 §9.1); what
    /// comes late is cancelled, or acknowledged and ended.
    pub fn give_up(&mut self, now: Instant, id: InviteId) {
        self.with(id, |invite, base| {
            invite.hush(base);
            invite.hangup(now, base, Vec::new(), Status::REQUEST_TERMINATED);
        });
    }

    /// The call whose dialog this names (RFC 3891 §3).
    pub fn replaced(&self, replaces: &Replaces) -> Option<InviteId> {
        let dialog = DialogId::of_replaces(replaces);
        self.base.dialogs.get(&dialog).copied()
    }

    /// The peer's client came back over another connection: our requests in the dialog go there.
    pub fn rebind(&mut self, now: Instant, id: InviteId, flow: Flow) {
        if self
            .with(id, |invite, base| invite.rebind(now, base, flow))
            .is_some()
            && self.invites.contains_key(&id)
        {
            self.by_flow.entry(flow.id).or_default().insert(id);
        }
    }

    /// The next message for the wire.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.base.transmits.pop_front()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.base.events.pop_front()
    }

    /// When [`Agent::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let Base {
            servers, clients, ..
        } = &self.base;
        earliest([
            servers.poll_timeout(),
            clients.poll_timeout(),
            self.timers.next(),
            self.subscriptions.next(),
        ])
    }

    /// How much is held now.
    pub fn counts(&self) -> Counts {
        Counts {
            transactions: self.base.transactions(),
            dialogs: self.base.dialogs.len(),
            invites: self.invites.len(),
            subscriptions: self.subscriptions.len(),
        }
    }

    fn has_room_for_invite(&self) -> bool {
        let Limits {
            invites, dialogs, ..
        } = self.base.limits;
        self.invites.len() < invites
            && self.base.dialogs.len() < dialogs
            && self.base.has_room(false)
    }

    /// Takes a new INVITE usage in.
    fn adopt(&mut self, id: InviteId, invite: Invite) {
        self.by_flow.entry(invite.flow.id).or_default().insert(id);
        if invite.is_incoming() {
            *self.base.pending.entry(invite.flow.id).or_default() += 1;
        }
        self.invites.insert(id, invite);
        self.with(id, |_, _| ());
    }

    /// Lets an INVITE usage act, and keeps the tables right afterwards.
    fn with<R>(
        &mut self,
        id: InviteId,
        act: impl FnOnce(&mut Invite, &mut Base) -> R,
    ) -> Option<R> {
        let invite = self.invites.get_mut(&id)?;
        let (flow, was_incoming) = (invite.flow.id, invite.is_incoming());
        let result = act(invite, &mut self.base);
        let (flow_now, is_incoming) = (invite.flow.id, invite.is_incoming());
        let (over, deadline) = (invite.is_over(), invite.deadline());
        if was_incoming && (!is_incoming || flow != flow_now) {
            self.base.settle_pending(flow);
        }
        if is_incoming && flow != flow_now {
            *self.base.pending.entry(flow_now).or_default() += 1;
        }
        if over || flow != flow_now {
            self.unlink(flow, id);
        }
        if over {
            self.unlink(flow_now, id);
            self.invites.remove(&id);
            self.timers.set(id, None);
        } else {
            if flow != flow_now {
                self.by_flow.entry(flow_now).or_default().insert(id);
            }
            self.timers.set(id, deadline);
        }
        Some(result)
    }

    fn unlink(&mut self, flow: FlowId, id: InviteId) {
        if let Some(ids) = self.by_flow.get_mut(&flow) {
            ids.remove(&id);
            if ids.is_empty() {
                self.by_flow.remove(&flow);
            }
        }
    }

    /// A request of the peer is answered, or nobody waits for the answer any more.
    fn forget_request(&mut self, user: ServerUser) {
        let ServerUser::Request(id) = user else {
            return;
        };
        if let Some(waiting) = self.base.requests.remove(&id)
            && let Some(invite) = waiting.invite
        {
            self.with(invite, |invite, _| invite.answered(id));
        }
    }

    /// A request of ours got no final response.
    fn on_no_response(&mut self, now: Instant, user: ClientUser, flow_closed: bool) {
        match user {
            ClientUser::Agent => {}
            ClientUser::Request(id) => self.base.emit(Event::Response {
                id,
                result: Err(Timeout),
            }),
            ClientUser::Subscription(id) => {
                self.subscriptions
                    .on_response(now, &mut self.base, id, None);
            }
            // Who waits is told also where the call is gone, as with a response that comes late.
            ClientUser::Invite(id, Purpose::InDialog(client))
                if !self.invites.contains_key(&id) =>
            {
                self.base.emit(Event::Response {
                    id: client,
                    result: Err(Timeout),
                });
            }
            ClientUser::Invite(id, purpose) => {
                self.with(id, |invite, base| {
                    invite.on_no_response(now, base, purpose, flow_closed);
                });
            }
        }
    }
}
