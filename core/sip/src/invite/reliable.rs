//! Provisional responses that are acknowledged (100rel, PRACK: RFC 3262), and the session that they can
//! settle before the answer (RFC 3262 §5, RFC 6337 §3.1).
//!
//! One reliable response at a time is on the way; those that come meanwhile wait. We put no offer into a
//! PRACK of ours; the peer may.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::offer::{Theirs, Turn};
use super::peer::Refusal;
use super::{Extra, Invite, Phase, attach, attach_response, description};
use crate::agent::{Base, Body, Ended, Event, FlowId, OfferVia, Transmit};
use crate::dialog::DialogId;
use crate::timer::T1;
use crate::transaction::{ClientUser, Purpose, ServerId};
use crate::{HeaderName, Method, RAck, Request, Response, Status};

/// Provisional responses that wait for the PRACK of the one before; more are not sent.
const PROVISIONALS_WAITING_MAX: usize = 8;

/// RFC 3262 §3: "The value of the header field for the first reliable provisional response in a transaction
/// MUST be between 1 and 2**31 - 1. It is RECOMMENDED that it be chosen uniformly in this range."
const FIRST_RSEQ_END: u32 = (1 << 31) - 1;

/// Whether provisional responses are acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reliability {
    /// Never, and we do not say that we could.
    Never,
    /// Where the peer asks for it.
    #[default]
    IfRequired,
    /// Where the peer can.
    IfSupported,
    /// In every call: our INVITE requires it. A caller that cannot is refused by the layer above.
    Always,
}

/// Our reliable provisional responses to the peer's INVITE.
#[derive(Debug, Default)]
pub(super) struct Provisionals {
    rseq_last: Option<u32>,
    sent: Option<Sent>,
    waiting: VecDeque<Said>,
    /// The 200 that waits. §3: "unless the final response is 2xx and any of the unacknowledged reliable
    /// provisional responses contained a session description".
    accept: Option<Body>,
    /// Sent, and overtaken by our final response: its PRACK may still come.
    overtaken: Option<(u32, u32)>,
}

/// What a provisional response says.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) status: Status,
    pub(super) body: Option<Body>,
    /// Headers that were to go with it when it was said.
    pub(super) told: Extra,
}

/// A reliable provisional response without its PRACK. §3: "passed to the transaction layer periodically with
/// an interval that starts at T1 seconds and doubles for each retransmission", for 64*T1.
#[derive(Debug)]
struct Sent {
    flow: FlowId,
    rseq: u32,
    cseq: u32,
    carries: Carries,
    bytes: Bytes,
    interval: Duration,
    again_at: Instant,
    give_up_at: Instant,
}

/// What a reliable provisional response says of the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Carries {
    Nothing,
    /// Our offer: the PRACK brings the answer.
    Offer,
    /// Our answer to the INVITE.
    Answer,
}

/// The offer in a reliable provisional response, which our PRACK is to answer.
#[derive(Debug)]
pub(super) struct LatePrack {
    dialog: DialogId,
    rack: RAck,
}

impl Provisionals {
    pub(super) fn deadline(&self) -> Option<Instant> {
        let sent = self.sent.as_ref()?;
        Some(sent.again_at.min(sent.give_up_at))
    }

    /// Is a description of ours on the way that its PRACK has not confirmed?
    pub(super) fn unsettled(&self) -> bool {
        let sent = self.sent.as_ref();
        sent.is_some_and(|sent| sent.carries != Carries::Nothing)
    }

    /// Does our offer wait for its answer in a PRACK?
    pub(super) fn offers(&self) -> bool {
        let sent = self.sent.as_ref();
        sent.is_some_and(|sent| sent.carries == Carries::Offer)
    }

    /// The 200, if it must wait for a PRACK. Whatever else waited is of no use any more.
    pub(super) fn hold(&mut self, body: Body) -> Option<Body> {
        self.waiting.clear();
        if self.unsettled() {
            self.accept = Some(body);
            return None;
        }
        let sent = self.sent.take();
        self.overtaken = sent.map(|sent| (sent.rseq, sent.cseq));
        Some(body)
    }

    pub(super) fn is_accepting(&self) -> bool {
        self.accept.is_some()
    }
}

impl Invite {
    /// From the next provisional response on.
    pub(crate) const fn rely(&mut self, reliability: Reliability) {
        self.reliability = reliability;
    }

    /// Are provisional responses to this INVITE acknowledged?
    pub(super) fn relies(&self, invite: &Request) -> bool {
        let requires = invite.headers.requires();
        let required = requires.is_ok_and(|tags| names_100rel(&tags));
        match self.reliability {
            Reliability::Never => false,
            Reliability::IfRequired => required,
            Reliability::IfSupported | Reliability::Always => {
                required || invite.headers.supports("100rel")
            }
        }
    }

    /// Sends a provisional response that the peer acknowledges, or lets it wait for the one before.
    pub(super) fn provide(
        &mut self,
        now: Instant,
        base: &mut Base,
        (server, invite): (ServerId, &Request),
        said: Said,
    ) {
        let Provisionals { sent, waiting, .. } = &mut self.provisionals;
        if sent.is_some() {
            if waiting.len() < PROVISIONALS_WAITING_MAX {
                waiting.push_back(said);
            }
            return;
        }
        let Said { status, body, told } = said;
        // What is settled is not said again (RFC 6337 §3.1.1).
        let body = body.filter(|_| self.early.is_none());
        let offered = description(&invite.headers, &invite.body).is_some();
        let carries = match (&body, offered) {
            (None, _) => Carries::Nothing,
            (Some(_), true) => Carries::Answer,
            (Some(_), false) => Carries::Offer,
        };
        let rseq = match self.provisionals.rseq_last {
            Some(last) => last.saturating_add(1),
            None => 1 + base.below(FIRST_RSEQ_END),
        };
        let mut response = self.provisional_response(base, invite, status, &told);
        response.headers.push(HeaderName::Require, "100rel");
        response.headers.push(HeaderName::RSeq, &rseq.to_string());
        if body.is_some() {
            self.description = body.clone();
        }
        attach_response(&mut response, body);
        let flow = base.servers.get(server);
        let flow = flow.map_or(self.flow.id, |entry| entry.flow.id);
        let Some(bytes) = base.respond(now, server, response) else {
            return;
        };
        self.provisionals.rseq_last = Some(rseq);
        self.provisionals.sent = Some(Sent {
            flow,
            rseq,
            cseq: invite.headers.cseq().map_or(0, |cseq| cseq.number),
            carries,
            bytes,
            interval: T1,
            again_at: now + T1,
            give_up_at: now + T1 * 64,
        });
    }

    /// What every provisional response to the first INVITE says.
    pub(super) fn provisional_response(
        &self,
        base: &Base,
        invite: &Request,
        status: Status,
        told: &Extra,
    ) -> Response {
        let mut response = invite.response(status);
        let headers = &mut response.headers;
        headers.copy(&invite.headers, &HeaderName::RecordRoute);
        headers.push(HeaderName::Contact, &base.contact(&self.flow));
        headers.push(HeaderName::Allow, crate::agent::ALLOW);
        for (name, value) in told {
            headers.push(name.clone(), value);
        }
        response
    }

    pub(super) fn on_provisional_timeout(&mut self, now: Instant, base: &mut Base) {
        let Some(sent) = &mut self.provisionals.sent else {
            return;
        };
        if now >= sent.give_up_at {
            // §3: "If a reliable provisional response is retransmitted for 64*T1 seconds without reception of a
            // corresponding PRACK, the UAS SHOULD reject the original request with a 5xx response."
            self.provisionals = Provisionals::default();
            self.refuse_incoming(now, base, Status::SERVER_TIMEOUT, &Vec::new());
            return self.end(now, base, Ended::AckTimeout);
        }
        if now >= sent.again_at {
            sent.interval *= 2;
            sent.again_at = now + sent.interval;
            let (flow, bytes) = (sent.flow, sent.bytes.clone());
            base.transmits.push_back(Transmit { flow, bytes });
        }
    }

    /// RFC 3262 §3: "If the UAS receives a PRACK request that does not match any unacknowledged reliable
    /// provisional response, the UAS MUST respond to the PRACK with a 481 response. If the PRACK does match
    /// …, it MUST be responded to with a 2xx response."
    pub(super) fn on_prack(
        &mut self,
        now: Instant,
        base: &mut Base,
        server: ServerId,
        dialog: &DialogId,
        request: &Arc<Request>,
    ) -> Result<(), Refusal> {
        let rack = request.headers.rack().ok().flatten();
        let rack = rack.ok_or(Refusal::Malformed)?;
        let number = (rack.rseq, rack.cseq.number);
        let body = description(&request.headers, &request.body);
        if body.is_none() && !request.body.is_empty() {
            return Err(Refusal::MediaType);
        }
        let overtaken = &mut self.provisionals.overtaken;
        if rack.cseq.method == Method::Invite && overtaken.take_if(|it| *it == number).is_some() {
            base.respond(now, server, request.response(Status::OK));
            return Ok(());
        }
        let matches =
            |sent: &Sent| (sent.rseq, sent.cseq) == number && rack.cseq.method == Method::Invite;
        let carries = match self.provisionals.sent.as_ref().filter(|it| matches(it)) {
            Some(sent) => sent.carries,
            None => return Err(Refusal::Gone),
        };
        let settled = self.early.is_some() || carries == Carries::Answer;
        match (carries, &body) {
            // An offer needs an answer, and an offer while ours to answer is open has no meaning.
            (Carries::Offer, None) => return Err(Refusal::Malformed),
            (Carries::Nothing | Carries::Answer, Some(_)) if !settled => {
                return Err(Refusal::Malformed);
            }
            (Carries::Offer | Carries::Nothing | Carries::Answer, _) => {}
        }
        if body.is_some() && carries != Carries::Offer {
            self.may_offer(request)?;
        }
        self.provisionals.sent = None;
        if carries != Carries::Nothing {
            self.early = Some(dialog.clone());
        }
        match body {
            Some(body) if carries == Carries::Offer => {
                base.respond(now, server, request.response(Status::OK));
                base.emit(Event::Answer { id: self.id, body });
            }
            Some(body) => {
                self.give_way(base);
                self.turn = Turn::Theirs(Theirs {
                    server,
                    via: OfferVia::Prack,
                    request: Arc::clone(request),
                });
                let (via, body) = (OfferVia::Prack, Some(body));
                base.emit(Event::Offer {
                    id: self.id,
                    via,
                    body,
                });
            }
            None => drop(base.respond(now, server, request.response(Status::OK))),
        }
        self.go_on(now, base);
        Ok(())
    }

    /// What waited for a PRACK may go.
    fn go_on(&mut self, now: Instant, base: &mut Base) {
        if let Some(body) = self.provisionals.accept.take() {
            return self.accept(now, base, body);
        }
        if let Phase::Incoming(incoming) = &self.phase
            && let Some(next) = self.provisionals.waiting.pop_front()
        {
            let (server, invite) = incoming.invite();
            self.provide(now, base, (server, &invite), next);
        }
        self.pump(now, base);
    }

    /// A provisional response to our INVITE: `false` if it is repeated, or came before its turn (RFC 3262 §4).
    pub(super) fn on_reliable(
        &mut self,
        now: Instant,
        base: &mut Base,
        response: &Response,
    ) -> bool {
        let requires = response.headers.requires();
        let required = requires.is_ok_and(|tags| names_100rel(&tags));
        let rseq = response.headers.rseq().ok().flatten();
        let (true, Some(rseq)) = (required && self.reliability != Reliability::Never, rseq) else {
            return true;
        };
        let Phase::Outgoing(outgoing) = &mut self.phase else {
            return true;
        };
        let Some(early) = outgoing.early_of(response) else {
            return true;
        };
        // "Once a reliable provisional response is received, retransmissions of that response MUST be discarded";
        // one whose RSeq "is not one higher … MUST NOT be acknowledged with a PRACK, and MUST NOT be processed
        // further by the UAC".
        if early
            .rseq
            .is_some_and(|known| rseq != known.wrapping_add(1))
        {
            return false;
        }
        let dialog = early.dialog.id.clone();
        let body = description(&response.headers, &response.body);
        let offered = outgoing.has_offer();
        let cseq = outgoing.cseq();
        let open = self.early.as_ref().is_none_or(|known| *known == dialog);
        let offers = body.is_some() && !offered && self.early.as_ref() != Some(&dialog);
        if offers && (self.late_prack.is_some() || !open) {
            // One offer at a time: the other one comes again until we take it.
            return false;
        }
        if let Some(early) = outgoing.early_of(response) {
            early.rseq = Some(rseq);
        }
        if response.headers.allows(&Method::Update) == Some(true) {
            self.allows_update = true;
        }
        let rack = RAck { rseq, cseq };
        match body.filter(|_| offers) {
            Some(body) => {
                self.late_prack = Some(LatePrack { dialog, rack });
                let (via, body) = (OfferVia::Prack, Some(body));
                let id = self.id;
                base.emit(Event::Offer { id, via, body });
            }
            None => {
                if open && offered && !response.body.is_empty() {
                    self.early = Some(dialog.clone());
                }
                self.acknowledge(now, base, &dialog, &rack, None);
            }
        }
        true
    }

    /// Sends the PRACK whose answer the layer above has brought; `false` if none waits.
    pub(super) fn acknowledge_late_prack(
        &mut self,
        now: Instant,
        base: &mut Base,
        answer: Option<Body>,
    ) -> bool {
        let Some(LatePrack { dialog, rack }) = self.late_prack.take() else {
            return false;
        };
        if answer.is_some() {
            self.early = Some(dialog.clone());
            self.description = answer.clone();
        }
        self.acknowledge(now, base, &dialog, &rack, answer);
        true
    }

    fn acknowledge(
        &mut self,
        now: Instant,
        base: &mut Base,
        dialog: &DialogId,
        rack: &RAck,
        answer: Option<Body>,
    ) {
        let (id, flow) = (self.id, self.flow);
        let Some(dialog) = self.dialog_of(dialog).filter(|_| base.has_room(true)) else {
            return;
        };
        let mut prack = dialog.request(&mut base.sequences, &Method::Prack);
        prack.headers.push(HeaderName::RAck, &rack.to_string());
        attach(&mut prack, answer);
        base.start(now, flow, prack, ClientUser::Invite(id, Purpose::Prack));
    }
}

fn names_100rel(tags: &[&str]) -> bool {
    tags.iter().any(|tag| tag.eq_ignore_ascii_case("100rel"))
}
