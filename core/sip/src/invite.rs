//! The INVITE usage: one call, of either role, from its INVITE to its end.
//!
//! RFC 3261 §13 to §15 with offer/answer turns (RFC 3264, RFC 6337), UPDATE (RFC 3311) and session timers
//! (RFC 4028), and provisional responses that are acknowledged (RFC 3262). It knows whose turn it is, not
//! what an offer says.

mod incoming;
mod offer;
mod outgoing;
mod peer;
mod reliable;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::agent::{
    Base, Body, ClientId, Ended, Event, Flow, FlowId, InviteId, REQUESTS_PER_INVITE_MAX, RequestId,
    Timeout,
};
use crate::dialog::{Dialog, DialogId};
use crate::session_timer::{Due, SessionRules, SessionTimer, Terms};
use crate::timer::earliest;
use crate::transaction::{ClientUser, Purpose, ServerId, TransactionId};
use crate::{HeaderName, Login, Method, Request, Response, Status, description, sign};

use incoming::{Incoming, Unacked};
use offer::{Announced, Held, Turn};
use outgoing::{LateOffer, Outgoing};
pub use reliable::Reliability;
use reliable::{LatePrack, Provisionals};

/// Headers the layer above adds.
pub(crate) type Extra = Vec<(HeaderName, String)>;

/// One INVITE usage.
#[derive(Debug)]
pub(crate) struct Invite {
    pub(crate) id: InviteId,
    pub(crate) flow: Flow,
    flow_lost: bool,
    phase: Phase,
    /// Of a caller from its INVITE on, of a callee from its 2xx on.
    dialog: Option<Dialog>,
    /// Our 2xx that waits for its ACK.
    unacked: Option<Unacked>,
    /// The offer in the peer's 2xx that waits for our answer, in the ACK.
    late_offer: Option<LateOffer>,
    reliability: Reliability,
    provisionals: Provisionals,
    /// The offer in the peer's reliable provisional response that waits for our answer, in the PRACK.
    late_prack: Option<LatePrack>,
    /// The early dialog whose session is agreed, by a reliable provisional response.
    early: Option<DialogId>,
    turn: Turn,
    held: Option<Held>,
    session_timer: Option<SessionTimer>,
    /// How it is watched over.
    session_rules: SessionRules,
    /// The largest Min-SE a 422 told us (RFC 4028 §7.4), in seconds.
    min_se: Option<u32>,
    /// The peer's Allow names UPDATE.
    allows_update: bool,
    /// We made the Call-ID (RFC 3261 §14.1).
    owns_call_id: bool,
    /// The answer that unreliable provisional responses show beforehand.
    preview: Option<Body>,
    /// The last description of ours that stands; sent again to refresh by re-INVITE.
    description: Option<Body>,
    /// Headers that say who the peer is connected to, in whatever says something of the session.
    told: Extra,
    /// They have changed, and a request is to say so.
    announced: Option<Announced>,
    /// How often it was said by the last UPDATE for it.
    announcements: u8,
    /// What a challenge is answered with.
    logins: Vec<Login>,
    /// Requests inside the dialog that the layer above has not answered yet.
    waiting: Vec<(RequestId, Arc<Request>)>,
}

#[derive(Debug)]
enum Phase {
    /// The peer's INVITE waits for our final response.
    Incoming(Incoming),
    /// Our INVITE waits for theirs.
    Outgoing(Box<Outgoing>),
    /// A 2xx was sent or came.
    Established,
    /// RFC 3261 §15: "the callee's UA MUST NOT send a BYE on a confirmed dialog until it has received an ACK
    /// for its 2xx response or until the server transaction times out."
    Departing { headers: Extra, cause: Ended },
    /// Our BYE waits for its response.
    Leaving { cause: Ended },
    /// [`Event::Ended`] is told.
    Over,
}

impl Invite {
    fn new(id: InviteId, flow: Flow, phase: Phase, dialog: Option<Dialog>) -> Self {
        Self {
            id,
            flow,
            flow_lost: false,
            phase,
            dialog,
            unacked: None,
            late_offer: None,
            reliability: Reliability::default(),
            provisionals: Provisionals::default(),
            late_prack: None,
            early: None,
            turn: Turn::Idle,
            held: None,
            session_timer: None,
            session_rules: SessionRules::default(),
            min_se: None,
            allows_update: false,
            owns_call_id: false,
            preview: None,
            description: None,
            told: Extra::new(),
            announced: None,
            announcements: 0,
            logins: Vec::new(),
            waiting: Vec::new(),
        }
    }

    /// From the next request or answer on.
    pub(crate) const fn watch(&mut self, rules: SessionRules) {
        self.session_rules = rules;
    }

    /// What challenges of the peer are answered with from now on.
    pub(crate) fn log_in_with(&mut self, logins: Vec<Login>) {
        self.logins = logins;
    }

    /// These headers go along with every response, re-INVITE and UPDATE from now on.
    pub(crate) fn tell(&mut self, headers: Extra) {
        self.told = headers;
    }

    /// Does this request of the peer say who it is?
    fn hear(&self, base: &mut Base, request: &Arc<Request>) {
        let mut names = IDENTITY.iter();
        if names.any(|name| request.headers.has(&HeaderName::from(*name))) {
            base.emit(Event::Identity {
                id: self.id,
                request: Arc::clone(request),
            });
        }
    }

    pub(crate) const fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over)
    }

    /// Does the peer's INVITE wait for our final response?
    pub(crate) const fn is_incoming(&self) -> bool {
        matches!(self.phase, Phase::Incoming(_))
    }

    /// Ends the call by what its state asks for.
    pub(crate) fn hangup(&mut self, now: Instant, base: &mut Base, headers: Extra, status: Status) {
        match &self.phase {
            Phase::Incoming(_) => self.reject(now, base, status, &headers),
            Phase::Outgoing(_) => self.cancel(now, base, headers, Ended::Hangup),
            Phase::Established => self.depart(now, base, headers, Ended::Hangup),
            Phase::Departing { .. } | Phase::Leaving { .. } | Phase::Over => {}
        }
    }

    /// Leaves an answered call, after the ACK of our 2xx if that is still to come.
    fn depart(&mut self, now: Instant, base: &mut Base, headers: Extra, cause: Ended) {
        self.acknowledge_late_offer(base, None);
        if self.unacked.is_some() && !self.flow_lost {
            self.drop_turns(now, base);
            self.phase = Phase::Departing { headers, cause };
        } else {
            self.leave(now, base, &headers, cause);
        }
    }

    /// Sends BYE.
    fn leave(&mut self, now: Instant, base: &mut Base, headers: &Extra, cause: Ended) {
        self.drop_turns(now, base);
        self.unacked = None;
        let Some(dialog) = self.dialog.as_mut().filter(|_| !self.flow_lost) else {
            return self.end(now, base, cause);
        };
        let mut bye = dialog.request(&mut base.sequences, &Method::Bye);
        for (name, value) in headers {
            bye.headers.push(name.clone(), value);
        }
        base.start(
            now,
            self.flow,
            bye,
            ClientUser::Invite(self.id, Purpose::Bye),
        );
        self.phase = Phase::Leaving { cause };
    }

    /// RFC 3261 §15.1.2: "The UAS MUST still respond to any pending requests received for that dialog. It is
    /// RECOMMENDED that a 487 (Request Terminated) response be generated to those pending requests."
    fn drop_turns(&mut self, now: Instant, base: &mut Base) {
        match std::mem::replace(&mut self.turn, Turn::Idle) {
            Turn::Theirs(theirs) => {
                let response = theirs.request.response(Status::REQUEST_TERMINATED);
                base.respond(now, theirs.server, response);
            }
            Turn::Ours(ours) => base.clients.forget(now, ours.transaction),
            Turn::Idle => {}
        }
        self.held = None;
        self.announced = None;
        self.session_timer = None;
    }

    /// The last thing a call does.
    fn end(&mut self, now: Instant, base: &mut Base, cause: Ended) {
        self.drop_turns(now, base);
        self.unacked = None;
        self.provisionals = Provisionals::default();
        for (id, request) in std::mem::take(&mut self.waiting) {
            if let Some(waiting) = base.requests.remove(&id) {
                let response = request.response(Status::REQUEST_TERMINATED);
                base.respond(now, waiting.server, response);
            }
        }
        if let Some(dialog) = self.dialog.take() {
            base.dialogs.remove(&dialog.id);
            base.sequences.leave(&dialog.id);
        }
        if let Phase::Outgoing(outgoing) = &self.phase {
            for early in &outgoing.early {
                base.dialogs.remove(&early.dialog.id);
            }
        }
        self.phase = Phase::Over;
        base.emit(Event::Ended { id: self.id, cause });
    }

    /// Sends a request of the layer above inside the dialog.
    pub(crate) fn send(
        &mut self,
        now: Instant,
        base: &mut Base,
        client: ClientId,
        method: &Method,
        headers: &Extra,
        body: Option<Body>,
    ) {
        let fits = match &self.phase {
            Phase::Incoming(_) | Phase::Outgoing(_) | Phase::Established => !self.flow_lost,
            Phase::Departing { .. } | Phase::Leaving { .. } | Phase::Over => false,
        };
        let flow = self.flow;
        let Some(dialog) = self.speaking().filter(|_| fits) else {
            return base.emit(Event::Response {
                id: client,
                result: Err(Timeout),
            });
        };
        let mut request = dialog.request(&mut base.sequences, method);
        if carries_contact(method) {
            let contact = base.contact(&flow);
            request.headers.push(HeaderName::Contact, &contact);
        }
        for (name, value) in headers {
            request.headers.push(name.clone(), value);
        }
        attach(&mut request, body);
        if !base.has_room(true) {
            let response = request.response(Status::SERVICE_UNAVAILABLE);
            return base.emit(Event::Response {
                id: client,
                result: Ok(response.into()),
            });
        }
        base.start(
            now,
            flow,
            request,
            ClientUser::Invite(self.id, Purpose::InDialog(client)),
        );
    }

    /// Its dialog for another usage (RFC 5057), once it is confirmed.
    pub(crate) fn dialog(&self) -> Option<(Flow, Dialog)> {
        let dialog = self.dialog.as_ref().filter(|_| !self.flow_lost)?;
        Some((self.flow, dialog.clone()))
    }

    /// The dialog our requests go into: the confirmed one, else the early one with a session, else the first
    /// early one.
    fn speaking(&mut self) -> Option<&mut Dialog> {
        match &mut self.phase {
            Phase::Outgoing(outgoing) => {
                let settled = self.early.as_ref();
                let mut dialogs = outgoing.early.iter();
                let at = dialogs.position(|early| settled == Some(&early.dialog.id));
                let early = outgoing.early.get_mut(at.unwrap_or(0))?;
                Some(&mut early.dialog)
            }
            _ => self.dialog.as_mut(),
        }
    }

    /// The dialog of this name.
    fn dialog_of(&mut self, id: &DialogId) -> Option<&mut Dialog> {
        if let Phase::Outgoing(outgoing) = &mut self.phase {
            let mut dialogs = outgoing.early.iter_mut().map(|early| &mut early.dialog);
            return dialogs.find(|early| early.id == *id);
        }
        self.dialog.as_mut().filter(|dialog| dialog.id == *id)
    }

    /// Our requests go down this flow from now on.
    pub(crate) fn rebind(&mut self, now: Instant, base: &mut Base, flow: Flow) {
        if let Some(unacked) = &mut self.unacked {
            unacked.flow = flow.id;
        }
        self.flow = flow;
        self.flow_lost = false;
        self.pump(now, base);
    }

    /// The flow is gone. Answered calls stand.
    pub(crate) fn on_flow_closed(&mut self, now: Instant, base: &mut Base) {
        match &self.phase {
            Phase::Incoming(_) => self.end(now, base, Ended::FlowLost),
            Phase::Established => {
                self.flow_lost = true;
                self.withdraw_offer_of(base);
                base.emit(Event::FlowLost { id: self.id });
            }
            Phase::Departing { .. } => {
                self.flow_lost = true;
                self.leave_departing(now, base);
            }
            // The transaction of the INVITE or the BYE ends as well and says so.
            Phase::Outgoing(_) | Phase::Leaving { .. } => self.flow_lost = true,
            Phase::Over => {}
        }
    }

    /// A response to a request of ours; `None` if none came.
    pub(crate) fn on_response(
        &mut self,
        now: Instant,
        base: &mut Base,
        transaction: TransactionId,
        purpose: Purpose,
        response: Response,
    ) {
        match purpose {
            Purpose::Initial => self.on_initial_response(now, base, transaction, response),
            Purpose::Offer => self.on_offer_response(now, base, transaction, &response),
            Purpose::Refresh => self.on_refresh_response(now, base, &response),
            Purpose::Announcement if response.status.is_provisional() => {}
            Purpose::Announcement => self.on_announcement_response(now, base, &response),
            Purpose::Bye if response.status.is_final() => self.on_bye_done(now, base),
            Purpose::Bye | Purpose::Prack => {}
            Purpose::InDialog(client) => self.on_in_dialog_response(now, base, client, response),
        }
    }

    /// Answers the challenge to a request inside the dialog (RFC 3261 §22.2); that to the first INVITE is
    /// answered with the rest of it. `false`: it stands as the refusal it is.
    pub(crate) fn sign_again(
        &mut self,
        now: Instant,
        base: &mut Base,
        (old, purpose): (TransactionId, Purpose),
        (mut request, logins): (Request, u8),
        challenge: &Response,
    ) -> bool {
        let inside = !matches!(purpose, Purpose::Initial);
        if !inside || self.flow_lost || logins >= LOGIN_TRIES_MAX || !base.has_room(true) {
            return false;
        }
        let cnonce = base.token();
        if !sign(&mut request, challenge, &self.logins, &cnonce) {
            return false;
        }
        let Ok(dialog) = Dialog::of_own(&request) else {
            return false;
        };
        let Some(dialog) = self.dialog_of(&dialog) else {
            return false;
        };
        let number = dialog.next_sequence(&mut base.sequences);
        let cseq = format!("{number} {}", request.method);
        request.headers.set(HeaderName::CSeq, &cseq);
        let user = ClientUser::Invite(self.id, purpose);
        let new = base.start_again(now, self.flow, request, user, logins + 1);
        if let Turn::Ours(ours) = &mut self.turn
            && ours.transaction == old
        {
            ours.transaction = new;
        }
        true
    }

    /// No final response came: Timer B or F, or the flow closed.
    pub(crate) fn on_no_response(
        &mut self,
        now: Instant,
        base: &mut Base,
        purpose: Purpose,
        flow_closed: bool,
    ) {
        match purpose {
            Purpose::Initial => self.on_initial_failed(now, base, flow_closed),
            Purpose::Offer => self.on_offer_failed(now, base, flow_closed),
            Purpose::Refresh | Purpose::Announcement if !flow_closed => {
                self.gone(now, base, Ended::Timeout)
            }
            Purpose::Refresh | Purpose::Announcement => self.postpone_refresh(now),
            Purpose::Bye => self.on_bye_done(now, base),
            // The peer sends its response again, and ends the call if it must.
            Purpose::Prack => {}
            Purpose::InDialog(id) => base.emit(Event::Response {
                id,
                result: Err(Timeout),
            }),
        }
    }

    fn on_bye_done(&mut self, now: Instant, base: &mut Base) {
        if let Phase::Leaving { cause } = &self.phase {
            let cause = cause.clone();
            self.end(now, base, cause);
        }
    }

    fn on_in_dialog_response(
        &mut self,
        now: Instant,
        base: &mut Base,
        client: ClientId,
        response: Response,
    ) {
        if !response.status.is_final() {
            return;
        }
        let method = response.headers.cseq().ok().map(|cseq| cseq.method);
        let status = response.status;
        base.emit(Event::Response {
            id: client,
            result: Ok(response.into()),
        });
        // RFC 3261 §12.2.1.2: "If the response for a request within a dialog is a 481 … the UAC SHOULD
        // terminate the dialog." RFC 5057 §5.1: that of a NOTIFY, REFER or SUBSCRIBE speaks of their usage.
        let ours = !matches!(
            method,
            Some(Method::Notify | Method::Refer | Method::Subscribe)
        );
        if status == Status::CALL_DOES_NOT_EXIST && ours {
            self.gone(now, base, Ended::Gone(status));
        }
    }

    /// The peer has lost the call: a BYE for good measure (§12.2.1.2), and the end.
    fn gone(&mut self, now: Instant, base: &mut Base, cause: Ended) {
        match self.phase {
            Phase::Established => self.leave(now, base, &Vec::new(), cause),
            Phase::Incoming(_)
            | Phase::Outgoing(_)
            | Phase::Departing { .. }
            | Phase::Leaving { .. }
            | Phase::Over => {}
        }
    }

    /// The layer above has answered a request inside the dialog.
    pub(crate) fn answered(&mut self, id: RequestId) {
        self.waiting.retain(|(known, _)| *known != id);
    }

    /// When [`Invite::handle_timeout`] wants to be called.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let phase = match &self.phase {
            Phase::Incoming(incoming) => incoming.deadline(),
            Phase::Outgoing(outgoing) => outgoing.deadline(),
            Phase::Established | Phase::Departing { .. } | Phase::Leaving { .. } | Phase::Over => {
                None
            }
        };
        let unacked = self.unacked.as_ref().map(Unacked::deadline);
        let held = self.held.as_ref().and_then(|held| held.not_before);
        let timer = self.session_timer.as_ref().and_then(SessionTimer::deadline);
        let provisional = self.provisionals.deadline();
        let offer = self.offer_deadline();
        let announced = self.announced.as_ref().and_then(|next| next.not_before);
        earliest([phase, unacked, provisional, held, timer, offer, announced])
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant, base: &mut Base) {
        match &self.phase {
            Phase::Incoming(_) => {
                self.on_provisional_timeout(now, base);
                self.on_incoming_timeout(now, base);
            }
            Phase::Outgoing(_) => self.on_outgoing_timeout(now, base),
            Phase::Established | Phase::Departing { .. } | Phase::Leaving { .. } | Phase::Over => {}
        }
        self.on_unacked_timeout(now, base);
        self.on_offer_timeout(now, base);
        if let Some(held) = &mut self.held
            && held.not_before.is_some_and(|at| now >= at)
        {
            held.not_before = None;
            self.pump(now, base);
        }
        if let Some(announced) = &mut self.announced
            && announced.not_before.is_some_and(|at| now >= at)
        {
            announced.not_before = None;
            self.pump(now, base);
        }
        match self
            .session_timer
            .as_mut()
            .map_or(Due::Nothing, |timer| timer.on_timeout(now))
        {
            Due::Nothing => {}
            Due::Refresh => self.refresh(now, base),
            Due::Bye => self.on_session_expired(now, base),
        }
    }

    fn on_session_expired(&mut self, now: Instant, base: &mut Base) {
        let reason = (
            HeaderName::Reason,
            "SIP ;cause=408 ;text=\"Session expired\"".to_owned(),
        );
        self.session_timer = None;
        match self.phase {
            Phase::Established => self.depart(now, base, vec![reason], Ended::SessionExpired),
            Phase::Incoming(_)
            | Phase::Outgoing(_)
            | Phase::Departing { .. }
            | Phase::Leaving { .. }
            | Phase::Over => {}
        }
    }

    /// Starts the session timer by what a 2xx of ours or theirs said.
    fn agree(&mut self, now: Instant, terms: Option<Terms>, uac: bool) {
        self.session_timer = terms.map(|terms| terms.start(now, uac));
    }

    /// May one more request wait for the layer above?
    fn wait(
        &mut self,
        base: &mut Base,
        server: ServerId,
        request: &Arc<Request>,
    ) -> Option<RequestId> {
        if self.waiting.len() >= REQUESTS_PER_INVITE_MAX {
            return None;
        }
        let id = base.wait(server, Some(self.id));
        self.waiting.push((id, Arc::clone(request)));
        Some(id)
    }

    /// Is this the flow that our requests go down?
    pub(crate) fn is_on(&self, flow: FlowId) -> bool {
        self.flow.id == flow && !self.flow_lost
    }
}

/// Do requests of this method inside a dialog, and their 2xx, name our Contact? They do when they
/// refresh the target or start a usage; RFC 3428 §4: "User Agents MUST NOT insert Contact header
/// fields into MESSAGE requests", and INFO has no use for one.
pub(crate) const fn carries_contact(method: &Method) -> bool {
    matches!(
        method,
        Method::Invite | Method::Update | Method::Refer | Method::Notify | Method::Subscribe
    )
}

/// Puts a body into a request.
fn attach(request: &mut Request, body: Option<Body>) {
    if let Some(body) = body {
        request
            .headers
            .push(HeaderName::ContentType, &body.content_type);
        request.body = body.bytes;
    }
}

/// Puts a body into a response.
fn attach_response(response: &mut Response, body: Option<Body>) {
    if let Some(body) = body {
        response
            .headers
            .push(HeaderName::ContentType, &body.content_type);
        response.body = body.bytes;
    }
}

/// What every 2xx to INVITE or UPDATE carries (§13.3.1.4, §12.1.1).
fn dress_answer(
    base: &Base,
    flow: &Flow,
    request: &Request,
    told: &Extra,
    response: &mut Response,
) {
    let headers = &mut response.headers;
    headers.copy(&request.headers, &HeaderName::RecordRoute);
    headers.push(HeaderName::Contact, &base.contact(flow));
    headers.push(HeaderName::Allow, crate::agent::ALLOW);
    headers.push(HeaderName::Supported, "replaces, timer");
    for (name, value) in told {
        headers.push(name.clone(), value);
    }
}

/// RFC 3325, and what phones had before it.
const IDENTITY: [&str; 2] = ["P-Asserted-Identity", "Remote-Party-ID"];

/// How often a challenge to one request is answered: the first one, and stale nonces after it.
const LOGIN_TRIES_MAX: u8 = 3;

/// The last moment after which nobody expects a final response.
const PATIENCE: Duration = Duration::from_secs(32);
