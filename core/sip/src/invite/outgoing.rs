//! The caller: from our INVITE to its final response (RFC 3261 §13.2, §9.1).

use std::sync::Arc;
use std::time::Instant;

use super::offer::Turn;
use super::{Extra, Invite, LOGIN_TRIES_MAX, PATIENCE, Phase, Reliability, attach, description};
use crate::agent::{
    Base, Body, Ended, Event, FORKS_MAX, Failure, Flow, InviteId, OutgoingInvite, tag_of,
};
use crate::dialog::Dialog;
use crate::session_timer::{
    MIN_SE_S, SESSION_EXPIRES_S, SESSION_EXPIRES_S_MAX, SessionMode, Terms,
};
use crate::transaction::{ClientUser, Purpose, TransactionId};
use crate::{CSeq, HeaderName, Login, Method, Request, Response, Status, sign};

/// How often a 422 makes us ask again.
const INTERVAL_RETRIES_MAX: u8 = 3;

/// Our INVITE without final response.
#[derive(Debug)]
pub(crate) struct Outgoing {
    transaction: TransactionId,
    /// Without Via.
    request: Request,
    /// RFC 3261 §12.1.2: one early dialog for each To tag of the provisional responses.
    pub(super) early: Vec<Early>,
    cancel: Cancel,
    interval_retries: u8,
    login_tries: u8,
    /// When it is told that nobody has said anything.
    silent_at: Option<Instant>,
}

/// An early dialog of ours.
#[derive(Debug)]
pub(super) struct Early {
    pub(super) dialog: Dialog,
    /// RFC 3262 §4: the number of the last reliable provisional response in it.
    pub(super) rseq: Option<u32>,
}

/// How far the CANCEL is.
#[derive(Debug)]
enum Cancel {
    No,
    /// §9.1: "If no provisional response has been received, the CANCEL request MUST NOT be sent; rather,
    /// the client MUST wait for the arrival of a provisional response".
    Wanted {
        headers: Extra,
        cause: Ended,
    },
    Sent {
        give_up_at: Instant,
        cause: Ended,
    },
}

/// A 2xx whose ACK waits for the layer above's answer: our INVITE had no offer.
#[derive(Debug)]
pub(super) struct LateOffer {
    transaction: TransactionId,
    to_tag: Box<str>,
    cseq: u32,
}

impl Outgoing {
    pub(super) const fn deadline(&self) -> Option<Instant> {
        match &self.cancel {
            Cancel::Sent { give_up_at, .. } => Some(*give_up_at),
            Cancel::No => self.silent_at,
            Cancel::Wanted { .. } => None,
        }
    }
}

impl Invite {
    /// Sends an INVITE.
    pub(crate) fn outgoing(
        now: Instant,
        base: &mut Base,
        id: InviteId,
        flow: Flow,
        mut invite: OutgoingInvite,
    ) -> Self {
        let description = invite.offer.clone();
        let logins = std::mem::take(&mut invite.logins);
        let (rules, reliability) = (invite.session, invite.reliability);
        let request = first_request(base, &flow, invite);
        let user = ClientUser::Invite(id, Purpose::Initial);
        let transaction = base.start(now, flow, request.clone(), user);
        let outgoing = Outgoing {
            transaction,
            request,
            early: Vec::new(),
            cancel: Cancel::No,
            interval_retries: 0,
            login_tries: 0,
            silent_at: None,
        };
        let mut invite = Self::new(id, flow, Phase::Outgoing(Box::new(outgoing)), None);
        invite.description = description;
        invite.owns_call_id = true;
        invite.session_rules = rules;
        invite.reliability = reliability;
        invite.logins = logins;
        invite
    }

    /// Tells if nobody has said anything by then, not even 100.
    pub(crate) fn notice_silence(&mut self, at: Instant) {
        if let Phase::Outgoing(outgoing) = &mut self.phase {
            outgoing.silent_at = Some(at);
        }
    }

    /// Our INVITE is repeated no more.
    pub(crate) fn hush(&self, base: &mut Base) {
        if let Phase::Outgoing(outgoing) = &self.phase {
            base.clients.hush(outgoing.transaction);
        }
    }

    /// Cancels our INVITE as soon as that is allowed.
    pub(super) fn cancel(&mut self, now: Instant, base: &mut Base, headers: Extra, cause: Ended) {
        if self.flow_lost {
            return self.end(now, base, cause);
        }
        let Phase::Outgoing(outgoing) = &mut self.phase else {
            return;
        };
        if let Cancel::No = outgoing.cancel {
            outgoing.cancel = Cancel::Wanted { headers, cause };
            outgoing.send_cancel(now, base);
        }
    }

    pub(super) fn on_initial_response(
        &mut self,
        now: Instant,
        base: &mut Base,
        transaction: TransactionId,
        response: Response,
    ) {
        let Phase::Outgoing(outgoing) = &mut self.phase else {
            if response.status.is_success() {
                base.shed(now, transaction, &response);
            }
            return;
        };
        outgoing.silent_at = None;
        if response.status.is_provisional() {
            outgoing.send_cancel(now, base);
            return self.on_progress(now, base, response);
        }
        if response.status.is_success() {
            return self.on_answered(now, base, response);
        }
        if response.status == Status::SESSION_INTERVAL_TOO_SMALL
            && outgoing.ask_longer(now, base, self.id, self.flow, &response)
        {
            return;
        }
        if outgoing.log_in(now, base, (self.id, self.flow), &self.logins, &response) {
            return;
        }
        match outgoing.cancelled_because() {
            Some(cause) => self.end(now, base, cause),
            None => {
                let outcome = Failure::Response(Arc::new(response));
                base.emit(Event::Failed {
                    id: self.id,
                    outcome,
                });
                self.end(now, base, Ended::Failed);
            }
        }
    }

    fn on_progress(&mut self, now: Instant, base: &mut Base, response: Response) {
        if response.status == Status::TRYING {
            return;
        }
        let id = self.id;
        let Phase::Outgoing(outgoing) = &mut self.phase else {
            return;
        };
        outgoing.add_early(base, id, &response);
        if !self.on_reliable(now, base, &response) {
            return;
        }
        if let Phase::Outgoing(outgoing) = &self.phase
            && let Cancel::No = outgoing.cancel
        {
            base.emit(Event::Progress {
                id,
                response: Arc::new(response),
            });
        }
    }

    fn on_answered(&mut self, now: Instant, base: &mut Base, response: Response) {
        let Phase::Outgoing(outgoing) = std::mem::replace(&mut self.phase, Phase::Established)
        else {
            return;
        };
        for early in &outgoing.early {
            base.dialogs.remove(&early.dialog.id);
        }
        let Ok(Some(mut dialog)) = Dialog::of_response(&outgoing.request, &response) else {
            // A 2xx without To tag makes no dialog: there is nobody to send an ACK to.
            self.phase = Phase::Outgoing(outgoing);
            return self.on_initial_failed(now, base, false);
        };
        let mut known = outgoing.early.iter().map(|early| &early.dialog);
        if let Some(early) = known.find(|early| early.id == dialog.id) {
            dialog.continue_from(early);
        }
        // RFC 3261 §13.2.1: "The UAC MUST treat the first session description it receives as the answer, and
        // MUST ignore any session descriptions in subsequent responses to the initial INVITE."
        let settled = self.early.take().is_some_and(|early| early == dialog.id);
        if !settled {
            // Another fork has won.
            self.withdraw(now, base);
        }
        self.late_prack = None;
        base.dialogs.insert(dialog.id.clone(), self.id);
        self.dialog = Some(dialog);
        let allows_update = response.headers.allows(&Method::Update);
        self.allows_update = allows_update.unwrap_or(settled && self.allows_update);
        let min_se = outgoing.request.headers.min_se().ok().flatten();
        self.min_se = min_se.filter(|seconds| *seconds > MIN_SE_S);
        let terms = Terms::of_answer(&response, self.session_rules);
        self.agree(now, terms, true);
        self.late_offer = Some(LateOffer {
            transaction: outgoing.transaction,
            to_tag: tag_of(&response),
            cseq: outgoing
                .request
                .headers
                .cseq()
                .map_or(0, |cseq| cseq.number),
        });
        // RFC 3261 §13.2.2.4 and §9.1: the 2xx has crossed our CANCEL: ACK, then BYE.
        if let Some(cause) = outgoing.cancelled_because() {
            self.acknowledge_late_offer(base, None);
            return self.leave(now, base, &Vec::new(), cause);
        }
        if outgoing.has_offer() || settled {
            self.acknowledge_late_offer(base, None);
        }
        base.emit(Event::Answered {
            id: self.id,
            response: Arc::new(response),
            settled,
        });
        self.pump(now, base);
    }

    /// Offers in an early dialog that has come to nothing.
    fn withdraw(&mut self, now: Instant, base: &mut Base) {
        let (theirs, ours) = (
            matches!(self.turn, Turn::Theirs(_)),
            matches!(self.turn, Turn::Ours(_)) || self.held.is_some(),
        );
        let id = self.id;
        if theirs || self.late_prack.is_some() {
            base.emit(Event::OfferWithdrawn { id });
        }
        if ours {
            let status = Status::REQUEST_TERMINATED;
            let reason = status.reason().into();
            base.emit(Event::OfferRefused { id, status, reason });
        }
        self.drop_turns(now, base);
    }

    /// Sends the ACK that is due, if one is; `answer` when the 2xx carried the offer.
    pub(super) fn acknowledge_late_offer(&mut self, base: &mut Base, answer: Option<Body>) -> bool {
        let Some(due) = self.late_offer.take() else {
            return false;
        };
        if let Some(dialog) = &self.dialog {
            let mut ack = dialog.ack(due.cseq);
            if answer.is_some() {
                self.description = answer.clone();
            }
            attach(&mut ack, answer);
            base.send_ack(self.flow, ack, due.transaction, &due.to_tag);
        }
        true
    }

    pub(super) fn on_initial_failed(&mut self, now: Instant, base: &mut Base, flow_closed: bool) {
        let Phase::Outgoing(outgoing) = &self.phase else {
            return;
        };
        match outgoing.cancelled_because() {
            Some(cause) => self.end(now, base, cause),
            None => {
                let outcome = if flow_closed {
                    Failure::FlowLost
                } else {
                    Failure::Timeout
                };
                base.emit(Event::Failed {
                    id: self.id,
                    outcome,
                });
                self.end(now, base, Ended::Failed);
            }
        }
    }

    pub(super) fn on_outgoing_timeout(&mut self, now: Instant, base: &mut Base) {
        let id = self.id;
        let Phase::Outgoing(outgoing) = &mut self.phase else {
            return;
        };
        let is_silent = matches!(outgoing.cancel, Cancel::No);
        if outgoing.silent_at.take_if(|at| now >= *at).is_some() && is_silent {
            base.emit(Event::Silent { id });
            return;
        }
        if let Cancel::Sent { give_up_at, cause } = &outgoing.cancel
            && now >= *give_up_at
        {
            let cause = cause.clone();
            base.clients.abandon(outgoing.transaction);
            self.end(now, base, cause);
        }
    }
}

impl Outgoing {
    fn cancelled_because(&self) -> Option<Ended> {
        match &self.cancel {
            Cancel::No => None,
            Cancel::Wanted { cause, .. } | Cancel::Sent { cause, .. } => Some(cause.clone()),
        }
    }

    fn send_cancel(&mut self, now: Instant, base: &mut Base) {
        let Cancel::Wanted { headers, cause } = &mut self.cancel else {
            return;
        };
        if base.clients.is_proceeding(self.transaction) {
            base.clients
                .cancel(now, self.transaction, headers, &mut base.transmits);
            self.cancel = Cancel::Sent {
                give_up_at: now + PATIENCE,
                cause: cause.clone(),
            };
        }
    }

    fn add_early(&mut self, base: &mut Base, id: InviteId, response: &Response) {
        let Ok(Some(dialog)) = Dialog::of_response(&self.request, response) else {
            return;
        };
        let mut dialogs = self.early.iter();
        let known = dialogs.any(|early| early.dialog.id == dialog.id);
        let full = self.early.len() >= FORKS_MAX || base.dialogs.len() >= base.limits.dialogs;
        if !known && !full {
            base.dialogs.insert(dialog.id.clone(), id);
            self.early.push(Early { dialog, rseq: None });
        }
    }

    /// The early dialog of a provisional response.
    pub(super) fn early_of(&mut self, response: &Response) -> Option<&mut Early> {
        let dialog = Dialog::of_response(&self.request, response).ok()??;
        let mut dialogs = self.early.iter_mut();
        dialogs.find(|early| early.dialog.id == dialog.id)
    }

    pub(super) fn has_offer(&self) -> bool {
        description(&self.request.headers, &self.request.body).is_some()
    }

    pub(super) fn cseq(&self) -> CSeq {
        let number = self.request.headers.cseq().map_or(0, |cseq| cseq.number);
        let method = Method::Invite;
        CSeq { number, method }
    }

    /// RFC 3261 §22.2: the UAC tries again with credentials; "the same value of the Call-ID, To, and From",
    /// "the CSeq should contain a new sequence number that is one higher" (§8.1.3.5).
    fn log_in(
        &mut self,
        now: Instant,
        base: &mut Base,
        (id, flow): (InviteId, Flow),
        logins: &[Login],
        response: &Response,
    ) -> bool {
        let challenged = matches!(
            response.status,
            Status::UNAUTHORIZED | Status::PROXY_AUTHENTICATION_REQUIRED
        );
        let cancelled = !matches!(self.cancel, Cancel::No);
        if !challenged || cancelled || self.login_tries >= LOGIN_TRIES_MAX {
            return false;
        }
        let cnonce = base.token();
        if !sign(&mut self.request, response, logins, &cnonce) {
            return false;
        }
        self.login_tries += 1;
        let user = ClientUser::Invite(id, Purpose::Initial);
        self.transaction = base.start(now, flow, self.request.clone(), user);
        true
    }

    /// RFC 4028 §7.3: "the UAC MAY retry the request … with a Session-Expires … at least as large as Min-SE",
    /// as a new transaction with the same Call-ID, To and From, and a higher CSeq.
    fn ask_longer(
        &mut self,
        now: Instant,
        base: &mut Base,
        id: InviteId,
        flow: Flow,
        response: &Response,
    ) -> bool {
        let min_se = response.headers.min_se().ok().flatten().unwrap_or(0);
        let cancelled = !matches!(self.cancel, Cancel::No);
        let fits = (MIN_SE_S..=SESSION_EXPIRES_S_MAX).contains(&min_se);
        if cancelled || !fits || self.interval_retries >= INTERVAL_RETRIES_MAX {
            return false;
        }
        self.interval_retries += 1;
        let headers = &mut self.request.headers;
        let number = headers.cseq().map_or(1, |cseq| cseq.number + 1);
        headers.set(HeaderName::CSeq, &format!("{number} INVITE"));
        headers.set(
            HeaderName::SessionExpires,
            &min_se.max(SESSION_EXPIRES_S).to_string(),
        );
        headers.set(HeaderName::MinSe, &min_se.to_string());
        let user = ClientUser::Invite(id, Purpose::Initial);
        self.transaction = base.start(now, flow, self.request.clone(), user);
        true
    }
}

fn first_request(base: &mut Base, flow: &Flow, invite: OutgoingInvite) -> Request {
    let OutgoingInvite {
        uri,
        mut from,
        mut to,
        headers: extra,
        offer,
        call_id,
        logins: _,
        session,
        reliability,
    } = invite;
    let tag = base.token();
    let call_id = call_id.unwrap_or_else(|| base.token().into());
    from.set_tag(&tag);
    to.params.remove("tag");
    let mut request = Request::new(Method::Invite, uri);
    let headers = &mut request.headers;
    headers.push(HeaderName::MaxForwards, "70");
    headers.push(HeaderName::From, &from.to_string());
    headers.push(HeaderName::To, &to.to_string());
    headers.push(HeaderName::CallId, &call_id);
    headers.push(HeaderName::CSeq, "1 INVITE");
    headers.push(HeaderName::Contact, &base.contact(flow));
    headers.push(HeaderName::Allow, crate::agent::ALLOW);
    let mut supported = Vec::new();
    match reliability {
        Reliability::Never => {}
        Reliability::IfRequired | Reliability::IfSupported => supported.push("100rel"),
        Reliability::Always => headers.push(HeaderName::Require, "100rel"),
    }
    supported.push("replaces");
    if session.mode != SessionMode::Never {
        supported.push("timer");
    }
    headers.push(HeaderName::Supported, &supported.join(", "));
    if session.mode != SessionMode::Never {
        let min_se_s = session.min_se_s();
        let interval_s = session.interval_s.max(min_se_s);
        headers.push(HeaderName::SessionExpires, &interval_s.to_string());
        headers.push(HeaderName::MinSe, &min_se_s.to_string());
    }
    for (name, value) in &extra {
        headers.push(name.clone(), value);
    }
    attach(&mut request, offer);
    request
}
