//! What comes from the wire: which transaction, which dialog, or a new one (RFC 3261 §8.2, §12.2.2, §18).

use std::sync::Arc;
use std::time::Instant;

use super::{Agent, Base, Event, Flow, InviteId, METHODS, tag_of};
use crate::dialog::{Dialog, DialogId};
use crate::invite::Invite;
use crate::session_timer::{MIN_SE_S, SessionRules, Terms};
use crate::transaction::{AckIs, ClientUser, Origin, Purpose, ServerId, ServerKey, ServerUser};
use crate::{Capabilities, HeaderError, HeaderName, Method, Request, Response, Status};

/// Requests whose source can be forged (UDP) may take one part of so many of the transactions: a flood
/// of them leaves room for those who come over connections.
const UDP_SHARE: usize = 2;

/// Option tags that Require may name.
const EXTENSIONS: [&str; 3] = ["100rel", "replaces", "timer"];

impl Agent {
    pub(super) fn on_request(&mut self, now: Instant, flow: Flow, mut request: Request) {
        // Without a Via nobody can be answered.
        let Ok(mut via) = request.headers.top_via() else {
            return;
        };
        let valid = request.validate();
        let key = ServerKey::new(&request, &via, &flow);
        // RFC 3261 §18.2.1, RFC 3581 §4.
        via.set_received(flow.remote);
        request.headers.set_top_via(&via);
        if let Err(rejected) = valid {
            if request.method != Method::Ack {
                let response = rejected.response(&request, &capabilities(true));
                self.base.respond_stateless(flow.id, response);
            }
            return;
        }
        let Ok(key) = key else { return };
        if request.method == Method::Ack {
            return self.on_ack(now, &key, &request);
        }
        if let Some(server) = self.base.servers.find(&key) {
            return self
                .base
                .servers
                .on_repeat(server, &mut self.base.transmits);
        }
        if request.method == Method::Cancel {
            return self.on_cancel(now, flow, key, &request);
        }
        // A header that validate() has passed does not fail here.
        if let Ok(server) = self.open(now, flow, key, &request)
            && let Some(server) = server
        {
            self.dispatch(now, flow, server, request);
        }
    }

    /// Opens the server transaction of a new request; `None` if it is refused at once.
    fn open(
        &mut self,
        now: Instant,
        flow: Flow,
        key: ServerKey,
        request: &Request,
    ) -> Result<Option<ServerId>, HeaderError> {
        // A full Agent must still be able to keep and end the calls it has.
        let dialog = DialogId::of_request(request)?;
        let known = dialog.is_some_and(|dialog| self.knows(&dialog));
        let ends = known && request.method == Method::Bye;
        let crowded =
            self.base.servers.count_of(flow.id) >= self.base.per_flow(flow.id).transactions;
        let forgeable = !flow.transport.is_reliable() && !known;
        let flooded = forgeable
            && self.base.servers.unreliable() >= self.base.limits.transactions / UDP_SHARE;
        if !self.base.has_room(known) || flooded || (crowded && !ends) {
            self.base.refuse_overload(flow.id, request);
            return Ok(None);
        }
        let origin = Origin::of(request)?;
        let merged = origin
            .as_ref()
            .is_some_and(|it| self.base.servers.find_origin(it).is_some());
        let origin = origin.filter(|_| !merged);
        let tag = match request.headers.to()?.tag() {
            Some(_) => None,
            None => Some(self.base.token().into()),
        };
        let server = self
            .base
            .servers
            .insert(now, flow, &request.method, key, origin, tag);
        if merged {
            self.base
                .turn_away(now, server, request.response(Status::LOOP_DETECTED));
            return Ok(None);
        }
        Ok(Some(server))
    }

    fn knows(&self, dialog: &DialogId) -> bool {
        self.base.dialogs.contains_key(dialog) || self.subscriptions.find(dialog).is_some()
    }

    fn dispatch(&mut self, now: Instant, flow: Flow, server: ServerId, request: Request) {
        let Ok(dialog) = DialogId::of_request(&request) else {
            return;
        };
        // RFC 3261 §16.3 asks for Max-Forwards outside dialogs only; §11.2: an OPTIONS with 0 is answered.
        let forwards = dialog.is_none() && request.method != Method::Options;
        if let Err(rejected) = request.acceptable(&capabilities(forwards)) {
            let response = rejected.response(&request, &capabilities(forwards));
            let known = dialog.is_some_and(|dialog| self.knows(&dialog));
            match known {
                true => drop(self.base.respond(now, server, response)),
                false => self.base.turn_away(now, server, response),
            }
            return;
        }
        // Who has not even tried to prove himself gets no more than one answer over UDP: the layer
        // above refuses him at once, or says [`Agent::trying`].
        let waits = dialog.is_none()
            && !flow.transport.is_reliable()
            && !request.headers.has(&HeaderName::Authorization);
        let request = Arc::new(request);
        match dialog {
            Some(dialog) => self.on_in_dialog(now, flow, server, &dialog, &request),
            None if request.method == Method::Invite => self.on_invite(now, flow, server, &request),
            None => self.on_out_of_dialog(now, flow, server, &request),
        }
        // RFC 3261 §17.2.1: "The server transaction MUST generate a 100 (Trying) response unless it knows that
        // the TU will generate a provisional or final response within 200 ms".
        if !waits && self.base.servers.is_proceeding(server) {
            self.base
                .respond(now, server, request.response(Status::TRYING));
        }
    }

    fn on_in_dialog(
        &mut self,
        now: Instant,
        flow: Flow,
        server: ServerId,
        dialog: &DialogId,
        request: &Arc<Request>,
    ) {
        if let Some(id) = self.base.dialogs.get(dialog).copied() {
            self.base.servers.set_user(server, ServerUser::Invite(id));
            self.with(id, |invite, base| {
                invite.on_request(now, base, flow, server, dialog, request);
            });
        } else if let Some(id) = self.subscriptions.find(dialog) {
            let by = (flow, server);
            self.subscriptions
                .on_request(now, &mut self.base, by, id, request);
        } else if request.method == Method::Register {
            // A To tag means nothing to a registrar (§10.2).
            self.hand_up(flow, server, request);
        } else {
            self.base
                .turn_away(now, server, request.response(Status::CALL_DOES_NOT_EXIST));
        }
    }

    fn on_out_of_dialog(
        &mut self,
        now: Instant,
        flow: Flow,
        server: ServerId,
        request: &Arc<Request>,
    ) {
        match request.method {
            // RFC 3261 §15.1.2, RFC 3262 §3, RFC 3311 §5.2, RFC 6086 §4.2.2: these make sense inside a dialog
            // only.
            Method::Bye | Method::Prack | Method::Update | Method::Info => {
                self.base
                    .respond(now, server, request.response(Status::CALL_DOES_NOT_EXIST));
            }
            Method::Register
            | Method::Options
            | Method::Message
            | Method::Subscribe
            | Method::Notify
            | Method::Publish
            | Method::Refer
            | Method::Invite
            | Method::Ack
            | Method::Cancel
            | Method::Other(_) => self.hand_up(flow, server, request),
        }
    }

    fn hand_up(&mut self, flow: Flow, server: ServerId, request: &Arc<Request>) {
        let request = Arc::clone(request);
        let id = self.base.wait(server, None);
        self.base.servers.set_user(server, ServerUser::Request(id));
        self.base.emit(Event::Request { id, flow, request });
    }

    /// A new call.
    fn on_invite(&mut self, now: Instant, flow: Flow, server: ServerId, request: &Arc<Request>) {
        let pending = self.base.pending.get(&flow.id).copied().unwrap_or(0);
        let crowded = pending >= self.base.per_flow(flow.id).pending_invites;
        if crowded || !self.has_room_for_invite() {
            let mut response = request.response(Status::SERVICE_UNAVAILABLE);
            let seconds = super::RETRY_AFTER_S.to_string();
            response.headers.push(HeaderName::RetryAfter, &seconds);
            self.base.turn_away(now, server, response);
            return;
        }
        if Terms::answer(request, None, SessionRules::default()).is_err() {
            let mut response = request.response(Status::SESSION_INTERVAL_TOO_SMALL);
            response
                .headers
                .push(HeaderName::MinSe, &MIN_SE_S.to_string());
            self.base.turn_away(now, server, response);
            return;
        }
        let tag = self
            .base
            .servers
            .get(server)
            .and_then(|entry| entry.tag.clone());
        let Ok(dialog) = Dialog::of_request(request, &tag.unwrap_or_default()) else {
            return;
        };
        let id = InviteId(self.base.next_id());
        self.base.dialogs.insert(dialog.id.clone(), id);
        self.base.servers.set_user(server, ServerUser::Invite(id));
        let invite = Invite::incoming(now, id, flow, server, Arc::clone(request), dialog);
        self.adopt(id, invite);
        self.base.emit(Event::Invite {
            id,
            flow,
            request: Arc::clone(request),
        });
    }

    /// An ACK ends the transaction of a refusal, or confirms a 2xx; stray ones are ignored.
    fn on_ack(&mut self, now: Instant, key: &ServerKey, request: &Request) {
        if let Some(server) = self.base.servers.find(key)
            && self.base.servers.on_ack(now, server) == AckIs::Absorbed
        {
            return;
        }
        if let Ok(Some(dialog)) = DialogId::of_request(request)
            && let Some(id) = self.base.dialogs.get(&dialog).copied()
        {
            self.with(id, |invite, base| invite.on_ack(now, base, request));
        }
    }

    /// RFC 3261 §9.2. The To tag of its response is that of the responses to what it cancels; "A CANCEL
    /// request has no impact on the processing of transactions with any other method" than INVITE.
    fn on_cancel(&mut self, now: Instant, flow: Flow, key: ServerKey, request: &Request) {
        let target = self.base.servers.find_cancelled(&key);
        let entry = target.and_then(|id| Some((id, self.base.servers.get(id)?)));
        let Some((target, entry)) = entry else {
            // Nothing to remember: a repeated CANCEL gets the same answer.
            let response = request.response(Status::CALL_DOES_NOT_EXIST);
            return self.base.respond_stateless(flow.id, response);
        };
        let user = entry.user;
        let has_tag = request.headers.to().is_ok_and(|to| to.tag().is_some());
        let tag = entry.tag.clone().filter(|_| !has_tag);
        let response = request.response(Status::OK);
        if self.base.has_room(true) {
            let servers = &mut self.base.servers;
            let server = servers.insert(now, flow, &Method::Cancel, key, None, tag);
            self.base.respond(now, server, response);
        } else {
            self.base.respond_stateless(flow.id, response);
        }
        if let ServerUser::Invite(id) = user {
            self.with(id, |invite, base| invite.on_cancel(now, base, target));
        }
    }

    /// RFC 3261 §17.1.3, §8.1.3.3; a response nobody waits for is ignored.
    pub(super) fn on_response(&mut self, now: Instant, response: Response) {
        let Ok(vias) = response.headers.vias() else {
            return;
        };
        // "If more than one Via header field value is present in a response, the UAC SHOULD discard the message."
        let [via] = vias.as_slice() else { return };
        if response.validate().is_err() {
            return;
        }
        let Ok(cseq) = response.headers.cseq() else {
            return;
        };
        let Some(branch) = via.branch() else { return };
        let Base {
            clients, transmits, ..
        } = &mut self.base;
        let Some(transaction) = clients.find(branch, &cseq.method) else {
            return;
        };
        let to_tag = tag_of(&response);
        let challenged = matches!(
            response.status,
            Status::UNAUTHORIZED | Status::PROXY_AUTHENTICATION_REQUIRED
        );
        // The transaction may be gone once it has its final response.
        let sent = challenged.then(|| clients.sent(transaction)).flatten();
        match clients.on_response(now, transaction, &response, &to_tag, transmits) {
            None | Some(ClientUser::Agent) => {}
            Some(ClientUser::Request(id)) if response.status.is_final() => {
                self.base.emit(Event::Response {
                    id,
                    result: Ok(Arc::new(response)),
                });
            }
            Some(ClientUser::Request(_)) => {}
            Some(ClientUser::Subscription(id)) if response.status.is_final() => {
                self.subscriptions
                    .on_response(now, &mut self.base, id, Some(&response));
            }
            Some(ClientUser::Subscription(_)) => {}
            Some(ClientUser::Invite(id, purpose)) if self.invites.contains_key(&id) => {
                self.with(id, |invite, base| {
                    let signed = sent.is_some_and(|sent| {
                        invite.sign_again(now, base, (transaction, purpose), sent, &response)
                    });
                    if !signed {
                        invite.on_response(now, base, transaction, purpose, response);
                    }
                });
            }
            Some(ClientUser::Invite(_, Purpose::Initial)) if response.status.is_success() => {
                self.base.shed(now, transaction, &response);
            }
            Some(ClientUser::Invite(_, Purpose::InDialog(id))) if response.status.is_final() => {
                self.base.emit(Event::Response {
                    id,
                    result: Ok(Arc::new(response)),
                });
            }
            Some(ClientUser::Invite(..)) => {}
        }
    }
}

fn capabilities(forwards: bool) -> Capabilities<'static> {
    Capabilities {
        methods: &METHODS,
        extensions: &EXTENSIONS,
        media_types: &[],
        forwards,
    }
}
