//! What the driver knows of each call: its inbox, its client, its flow. Events of the Agent become
//! events of channels here.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Instant;

use ::sip::{
    Agent, Body, Busy, ClientId, Ended, Event, Failure, Flow, FlowId, HeaderName, InviteId, Method,
    OfferVia, Replaces, Request, RequestId, Response, Status, SubscriptionId,
};
use media::DigitEvent;
use sdp::Sdp;
use switch::story::StoryEvent;
use switch::{Cause, ChannelEvent, ChannelHandle, InboxSender};

use crate::sip::authenticate::Denied;
use crate::sip::command::{CallRef, Party};
use crate::sip::driver::digits::Digits;
use crate::sip::driver::picture::Picture;
use crate::sip::driver::refer::Refer;
use crate::sip::driver::refusals::{asked_realm, cause_of, redirected_to, refusal_of, said};
use crate::sip::info;
use crate::sip::outbound::{self, Ask};
use crate::sip::picture;
use crate::sip::request::{ALLOW, content_type};
use crate::sip::shared::printable;
use crate::sip::trace::Name;

/// How the names begin that lamps are told.
const LAMP: &str = "pickup-";

/// All calls the Agent has an INVITE usage for.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    pub(super) calls: BTreeMap<InviteId, Call>,
    /// The calls whose party is known, by its endpoint: each REGISTER asks.
    by_endpoint: BTreeMap<String, BTreeSet<InviteId>>,
    /// Calls of ours, by what names them to lamps.
    by_lamp: BTreeMap<Box<str>, InviteId>,
    /// The digits that wait for their answer.
    pub(super) infos: BTreeMap<ClientId, InviteId>,
    /// When digits are to be sent again.
    pub(super) digits_due: BTreeSet<(Instant, InviteId)>,
    /// Texts within calls that wait for their answer.
    pub(super) texts: BTreeMap<ClientId, InviteId>,
    /// Our requests for key frames that are not answered yet.
    pub(super) pictures: BTreeMap<ClientId, InviteId>,
    /// Our REFERs that are not answered yet.
    pub(super) referring: BTreeMap<ClientId, InviteId>,
    /// Who wants to know how the party fares that it sent on, beyond the end of its call.
    pub(super) followed: BTreeMap<InviteId, SubscriptionId>,
}

#[derive(Debug)]
pub(super) struct Call {
    pub(super) inbox: InboxSender,
    pub(super) flow: Flow,
    /// What names a call of ours to its channel.
    reference: Option<CallRef>,
    /// Known once the caller is authenticated.
    party: Option<Party>,
    /// What names a call of ours to lamps. It is not the name of its dialog, which stays when the call is answered: who
    /// was told that could take the call away from those who talk.
    lamp: Option<Box<str>>,
    /// The flow is gone and has not come back.
    lost: bool,
    /// The INVITE had no offer: the answer must be in the ACK.
    wants_offer: bool,
    /// Offers the channel was told of and has not answered yet.
    unanswered: u32,
    /// The oldest of those, which the far end took back: their answers have no taker.
    withdrawn: u32,
    stage: Stage,
    /// The next place, while nobody has answered at this one.
    retry: Option<Box<Retry>>,
    /// A REFER of the far end that is not answered yet.
    pub(super) refer: Option<Refer>,
    /// What is sent it by INFO.
    pub(super) digits: Digits,
    /// How it is asked for key frames.
    pub(super) picture: Picture,
    /// The tag of the far end, if it is believed who it is.
    pub(super) believed: Option<Box<str>>,
    /// What the far end is told of who it is connected to.
    pub(super) told: Vec<(HeaderName, String)>,
    /// Our REFER, until the far end has said what came of it.
    pub(super) away: Option<ClientId>,
    /// It was given something to be heard before the answer.
    pub(super) is_heard: bool,
}

/// What an INVITE to another place is made of.
#[derive(Debug)]
pub(crate) struct Retry {
    pub(crate) call: CallRef,
    pub(crate) ask: Ask,
    pub(crate) offer: Body,
}

/// How far a call has come, where that decides what is said of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Their INVITE.
    Theirs,
    /// Our INVITE waits for its final response.
    Calling,
    /// Our INVITE was answered.
    Answered,
    /// Our INVITE was refused.
    Refused(Cause),
}

/// A call of ours that begins.
pub(crate) struct Ours {
    pub(crate) call: CallRef,
    pub(crate) inbox: InboxSender,
    pub(crate) party: Party,
    /// The first line of its story.
    pub(crate) line: String,
    pub(crate) retry: Option<Box<Retry>>,
    /// The tag of the far end, if it is believed who it is.
    pub(crate) believed: Option<Box<str>>,
    /// What requests in the call say of who calls.
    pub(crate) told: Vec<(HeaderName, String)>,
}

impl Calls {
    /// An INVITE came in.
    pub(crate) fn begin(
        &mut self,
        id: InviteId,
        flow: Flow,
        request: &Request,
        inbox: InboxSender,
    ) {
        let wants_offer = request.body.is_empty();
        let call = Call {
            inbox,
            flow,
            reference: None,
            party: None,
            lamp: None,
            lost: false,
            wants_offer,
            unanswered: 0,
            withdrawn: 0,
            stage: Stage::Theirs,
            retry: None,
            refer: None,
            digits: Digits::default(),
            picture: Picture::default(),
            believed: None,
            told: Vec::new(),
            away: None,
            is_heard: false,
        };
        call.received(&format_args!("INVITE {}", printable(request.uri.address())));
        self.calls.insert(id, call);
    }

    /// We have sent an INVITE.
    pub(crate) fn begin_ours(&mut self, id: InviteId, flow: Flow, ours: Ours) {
        let call = Call {
            inbox: ours.inbox,
            flow,
            reference: Some(ours.call),
            party: Some(ours.party),
            lamp: Some(format!("{LAMP}{}", outbound::call_id()).into()),
            lost: false,
            wants_offer: false,
            unanswered: 0,
            withdrawn: 0,
            stage: Stage::Calling,
            retry: ours.retry,
            refer: None,
            digits: Digits::default(),
            picture: Picture::default(),
            believed: ours.believed,
            told: ours.told,
            away: None,
            is_heard: false,
        };
        self.index(id, &call);
        self.calls.insert(id, call);
        self.sent(id, &ours.line);
    }

    /// Whether a failure of an INVITE of ours is a reason to try the next place, and there is one.
    pub(crate) fn is_elsewhere(&self, id: InviteId, outcome: &Failure) -> bool {
        let has_next = self.calls.get(&id).is_some_and(|call| call.retry.is_some());
        has_next
            && match outcome {
                Failure::Response(response) => response.status == Status::SERVICE_UNAVAILABLE,
                Failure::Timeout | Failure::FlowLost => true,
            }
    }

    /// The call goes on elsewhere; what comes of this INVITE is of no matter any more.
    pub(crate) fn abandon(&mut self, id: InviteId) -> Option<Retry> {
        let retry = self.remove(id)?.retry?;
        Some(*retry)
    }

    /// No other place is tried.
    pub(crate) fn take_retry(&mut self, id: InviteId) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.retry = None;
        }
    }

    /// How we take leave of a call.
    pub(crate) fn farewell(&self, id: InviteId) -> &'static str {
        match self.calls.get(&id).map(|call| call.stage) {
            Some(Stage::Calling) => "CANCEL",
            Some(Stage::Theirs | Stage::Answered | Stage::Refused(_)) | None => "BYE",
        }
    }

    /// The caller of `id` is known.
    pub(crate) fn admitted(&mut self, id: InviteId, party: Party) {
        if let Some(mut call) = self.remove(id) {
            call.party = Some(party);
            self.index(id, &call);
            self.calls.insert(id, call);
        }
    }

    fn index(&mut self, id: InviteId, call: &Call) {
        if let Some(party) = &call.party {
            let calls = self.by_endpoint.entry(party.endpoint.clone()).or_default();
            calls.insert(id);
        }
        if let Some(lamp) = &call.lamp {
            self.by_lamp.insert(lamp.clone(), id);
        }
    }

    fn remove(&mut self, id: InviteId) -> Option<Call> {
        let call = self.calls.remove(&id)?;
        if let Some(client) = call.digits.sent() {
            self.infos.remove(&client);
        }
        if let Some(client) = call.picture.sent() {
            self.pictures.remove(&client);
        }
        if let Some(at) = call.digits.due() {
            self.digits_due.remove(&(at, id));
        }
        if let Some(lamp) = &call.lamp {
            self.by_lamp.remove(lamp);
        }
        if let Some(party) = &call.party
            && let Some(calls) = self.by_endpoint.get_mut(&party.endpoint)
        {
            calls.remove(&id);
            if calls.is_empty() {
                self.by_endpoint.remove(&party.endpoint);
            }
        }
        Some(call)
    }

    /// Calls of these clients that are bound to another flow than theirs is now.
    pub(crate) fn of_parties(&self, parties: &[Party], flow: FlowId) -> Vec<InviteId> {
        let is_theirs = |call: &Call| {
            call.flow.id != flow
                && call.party.as_ref().is_some_and(|own| {
                    parties.iter().any(|party| {
                        // Without an instance, two clients may look alike: only a call whose
                        // connection is gone is taken over.
                        own.is_same(party) && (call.lost || own.instance.is_some())
                    })
                })
        };
        let endpoints: BTreeSet<&str> = parties.iter().map(|party| &*party.endpoint).collect();
        endpoints
            .into_iter()
            .filter_map(|endpoint| self.by_endpoint.get(endpoint))
            .flatten()
            .filter(|id| self.calls.get(id).is_some_and(is_theirs))
            .copied()
            .collect()
    }

    /// The call is bound to `flow` now.
    pub(crate) fn restored(&mut self, id: InviteId, flow: Flow) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.flow = flow;
            if std::mem::take(&mut call.lost) {
                call.inbox.send(ChannelEvent::FlowRestored);
            }
        }
    }

    /// What names a channel's call to lamps: good for picking it up while it rings, and for nothing else.
    pub(crate) fn lamp_of(&self, channel: &ChannelHandle) -> Option<Replaces> {
        let ids = self.by_endpoint.get(&channel.endpoint().id)?;
        let mut calls = ids.iter().filter_map(|id| self.calls.get(id));
        let own = calls.find(|call| channel.reads(&call.inbox))?;
        Some(Replaces {
            call_id: own.lamp.clone()?,
            to_tag: "caller".into(),
            from_tag: "lamp".into(),
            early_only: true,
        })
    }

    /// The call that has this name for lamps; `None`: it is no such name.
    pub(super) fn by_lamp(&self, name: &Replaces) -> Option<Option<InviteId>> {
        let is_lamp = name.call_id.starts_with(LAMP);
        is_lamp.then(|| self.by_lamp.get(&name.call_id).copied())
    }

    /// The flow a call is bound to.
    pub(crate) fn flow(&self, id: InviteId) -> Option<FlowId> {
        self.calls.get(&id).map(|call| call.flow.id)
    }

    /// Flows that calls are bound to.
    pub(crate) fn flows(&self) -> impl Iterator<Item = FlowId> {
        self.calls.values().map(|call| call.flow.id)
    }

    /// The far end was given something to be heard before the answer.
    pub(crate) fn heard(&mut self, id: InviteId) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.is_heard = true;
        }
    }

    /// A line for the story: something went out.
    pub(crate) fn sent(&self, id: InviteId, message: &dyn fmt::Display) {
        if let Some(call) = self.calls.get(&id) {
            let (message, flow) = (message.to_string(), Name(&call.flow).to_string());
            call.inbox.note(StoryEvent::Sent { message, flow });
        }
    }

    /// Is there nothing to refuse but the call itself, which waits for its answer?
    pub(crate) fn is_unasked(&self, id: InviteId) -> bool {
        let call = self.calls.get(&id);
        call.is_some_and(|call| call.stage == Stage::Theirs && call.unanswered == 0)
    }

    /// The channel answers or refuses an offer. False if that offer was taken back: the Agent would take
    /// the answer for one to a later offer.
    pub(crate) fn takes_answer(&mut self, id: InviteId) -> bool {
        let Some(call) = self.calls.get_mut(&id) else {
            return true;
        };
        call.unanswered = call.unanswered.saturating_sub(1);
        let stale = call.withdrawn > 0;
        call.withdrawn = call.withdrawn.saturating_sub(1);
        !stale
    }

    /// The Agent would not take our offer.
    pub(crate) fn offer_failed(&self, id: InviteId, busy: Busy) {
        let status = match busy {
            Busy::OursPending | Busy::TheirsPending => Status::REQUEST_PENDING,
            Busy::NotEstablished => Status::CALL_DOES_NOT_EXIST,
        };
        self.tell(
            id,
            ChannelEvent::OfferRejected {
                status: status.code(),
            },
        );
    }

    fn on_answer(&mut self, id: InviteId, body: &[u8]) {
        if let Some(call) = self.calls.get_mut(&id) {
            // By PRACK, before the ACK could bring it.
            call.wants_offer = false;
        }
        match sdp::parse(body) {
            Ok(answer) => self.tell(id, ChannelEvent::Answer(answer)),
            Err(_) => {
                let status = Status::NOT_ACCEPTABLE_HERE.code();
                self.tell(id, ChannelEvent::OfferRejected { status });
            }
        }
    }

    /// The answer to what stands. One that cannot be read changes nothing.
    fn on_restated(&self, id: InviteId, body: &[u8]) {
        if let Ok(answer) = sdp::parse(body) {
            self.tell(id, ChannelEvent::Restated(answer));
        }
    }

    /// Whatever concerns a call that exists.
    pub(crate) fn on_event(&mut self, agent: &mut Agent, now: Instant, event: Event) {
        match event {
            Event::Confirmed { id, body } => self.on_confirmed(agent, now, id, body.as_deref()),
            Event::Offer { id, via, body } => self.on_offer(agent, now, id, via, body.as_deref()),
            Event::Answer { id, body } => self.on_answer(id, &body),
            Event::Restated { id, body } => self.on_restated(id, &body),
            Event::OfferRefused { id, status, reason } => {
                if let Some(call) = self.calls.get(&id) {
                    call.received(&format_args!("{status} {}", printable(&reason)));
                }
                let status = status.code();
                self.tell(id, ChannelEvent::OfferRejected { status });
            }
            Event::Identity { id, request } => self.hear(id, &request),
            Event::InDialog {
                id,
                request_id,
                request,
            } => {
                self.on_request(agent, now, id, request_id, &request);
            }
            Event::FlowLost { id } => {
                if let Some(call) = self.calls.get_mut(&id) {
                    call.lost = true;
                    call.inbox.send(ChannelEvent::FlowLost);
                }
            }
            Event::FlowRestored { id, flow } => {
                self.restored(id, flow);
                self.dial_again(agent, now, id);
            }
            Event::GivenUp { id } => self.on_given_up(id),
            Event::Ended { id, cause } => self.on_ended(id, &cause),
            Event::OfferWithdrawn { id } => {
                if let Some(call) = self.calls.get_mut(&id)
                    && call.unanswered > call.withdrawn
                {
                    call.withdrawn = call.unanswered;
                    call.inbox.send(ChannelEvent::OfferWithdrawn);
                }
            }
            Event::Progress { id, response } => {
                // It rings there, so it stays there.
                self.take_retry(id);
                if let Some(call) = self.calls.get(&id) {
                    call.received(&response.status);
                    call.hear(&response.headers);
                    call.hear_of_forwarding(&response);
                    let status = response.status.code();
                    let answer = description(&response);
                    call.inbox.send(ChannelEvent::Progress { status, answer });
                }
            }
            Event::Answered { id, response, .. } => self.on_answered(id, &response),
            Event::Failed { id, outcome } => self.on_failed(id, &outcome),
            Event::Response { .. }
            | Event::Request { .. }
            | Event::Invite { .. }
            | Event::Silent { .. }
            | Event::Resubscribed { .. }
            | Event::SubscriptionEnded { .. } => {}
        }
    }

    fn on_answered(&mut self, id: InviteId, response: &Response) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        call.stage = Stage::Answered;
        call.received(&response.status);
        call.hear(&response.headers);
        if let Some(reference) = &call.reference {
            reference.is_answered(&response.headers);
        }
        call.inbox
            .send(ChannelEvent::Accepted(description(response)));
    }

    fn on_failed(&mut self, id: InviteId, outcome: &Failure) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let cause = match outcome {
            Failure::Response(response) => {
                let said = said(response);
                call.received(&said);
                call.tell_refusal(response, &said);
                if let Some(to) = redirected_to(response) {
                    call.inbox.send(ChannelEvent::Forwarded(to));
                }
                refusal_of(response)
            }
            Failure::Timeout => Cause::NoUserResponse,
            Failure::FlowLost => Cause::SubscriberAbsent,
        };
        call.stage = Stage::Refused(cause);
    }

    fn on_confirmed(&self, agent: &mut Agent, now: Instant, id: InviteId, body: Option<&[u8]>) {
        let Some(call) = self.calls.get(&id) else {
            return;
        };
        call.received(&"ACK");
        if !call.wants_offer {
            call.inbox.send(ChannelEvent::Established);
            return;
        }
        // The answer is told first: once established, either side may offer anew.
        match body.map(sdp::parse) {
            Some(Ok(answer)) => {
                call.inbox.send(ChannelEvent::Answer(answer));
                call.inbox.send(ChannelEvent::Established);
            }
            Some(Err(_)) | None => {
                let cause = Cause::InvalidMessage;
                let headers = vec![(HeaderName::Reason, cause.reason())];
                call.inbox.send(ChannelEvent::Hangup(cause));
                agent.hangup(now, id, headers, Status::NOT_ACCEPTABLE_HERE);
            }
        }
    }

    fn on_offer(
        &mut self,
        agent: &mut Agent,
        now: Instant,
        id: InviteId,
        via: OfferVia,
        body: Option<&[u8]>,
    ) {
        if let Some(call) = self.calls.get(&id) {
            call.received(match via {
                OfferVia::Reinvite => &"re-INVITE",
                OfferVia::Update => &"UPDATE",
                OfferVia::Prack => &"PRACK",
            });
        }
        let offer: Option<Sdp> = match body.map(sdp::parse) {
            None => None,
            Some(Ok(offer)) => Some(offer),
            Some(Err(error)) => {
                let denied = Denied::with_warning(Status::BAD_REQUEST, &error.to_string());
                return agent.refuse(now, id, denied.status, denied.headers);
            }
        };
        if let Some(call) = self.calls.get_mut(&id) {
            call.unanswered += 1;
        }
        self.tell(id, ChannelEvent::Offer(offer));
    }

    fn on_request(
        &mut self,
        agent: &mut Agent,
        now: Instant,
        id: InviteId,
        request_id: RequestId,
        request: &Request,
    ) {
        let content_type = content_type(request).unwrap_or_default();
        let unsupported = |accept: &str| {
            let mut denied = Denied::new(Status::UNSUPPORTED_MEDIA_TYPE);
            denied.headers.push((HeaderName::Accept, accept.to_owned()));
            denied
        };
        let denied = match &request.method {
            Method::Info => match info::digit(&content_type, &request.body) {
                Some(digit) => {
                    self.tell(id, ChannelEvent::Digit(DigitEvent::Ended(digit)));
                    None
                }
                // RFC 6086 §4.2.1: an INFO without a body is a sign of life.
                None if request.body.is_empty() => None,
                None if content_type.starts_with("application/dtmf") => Some(Denied::with_warning(
                    Status::BAD_REQUEST,
                    "This is no digit",
                )),
                None if content_type.eq_ignore_ascii_case(picture::TYPE) => {
                    if picture::is_fast_update(&request.body) {
                        self.tell(id, ChannelEvent::KeyframeRequested);
                    }
                    None
                }
                None => Some(unsupported(
                    "application/dtmf-relay, application/dtmf, application/media_control+xml",
                )),
            },
            Method::Message if content_type.starts_with("text/") => {
                self.on_text(id, request);
                None
            }
            Method::Message => Some(unsupported("text/plain")),
            Method::Options => None,
            Method::Refer => match self.on_refer(agent, id, request_id, request) {
                Ok(()) => return,
                Err(denied) => Some(denied),
            },
            Method::Notify => self.on_notify(id, request).err(),
            Method::Subscribe => Some(Denied::new(Status::BAD_EVENT)),
            _ => {
                let mut denied = Denied::new(Status::NOT_IMPLEMENTED);
                denied.headers.push((HeaderName::Allow, ALLOW.to_owned()));
                Some(denied)
            }
        };
        let response = match denied {
            Some(denied) => denied.response(request),
            None => request.response(Status::OK),
        };
        agent.respond(now, request_id, response);
    }

    /// The caller hung up while our answer was on its way; the Agent sees to the rest.
    fn on_given_up(&self, id: InviteId) {
        if let Some(call) = self.calls.get(&id) {
            call.received(&"CANCEL");
            let text = "the caller gave up while the answer was on its way to it".to_owned();
            call.inbox.note(StoryEvent::Remark { text });
            call.inbox.send(ChannelEvent::Hangup(Cause::NormalClearing));
        }
    }

    fn on_ended(&mut self, id: InviteId, ended: &Ended) {
        let Some(call) = self.remove(id) else {
            return;
        };
        if let Some(client) = call.away {
            self.referring.remove(&client);
        }
        match ended {
            Ended::Bye(_) => call.received(&"BYE"),
            Ended::Cancelled => call.received(&"CANCEL"),
            _ => {}
        }
        let cause = match call.stage {
            Stage::Refused(cause) => cause,
            Stage::Theirs | Stage::Calling | Stage::Answered => cause_of(ended),
        };
        call.inbox.send(ChannelEvent::Hangup(cause));
    }

    pub(super) fn tell(&self, id: InviteId, event: ChannelEvent) {
        if let Some(call) = self.calls.get(&id) {
            call.inbox.send(event);
        }
    }
}

impl Call {
    /// Whether its connection is gone and has not come back.
    pub(super) fn is_lost(&self) -> bool {
        self.lost
    }

    /// The words of a refusal are the best hint at its cause, above all at what a provider charges for.
    fn tell_refusal(&self, response: &Response, said: &str) {
        let place = Name(&self.flow);
        let endpoint = self.party.as_ref().map_or("?", |party| &party.endpoint);
        match asked_realm(response) {
            Some(realm) => tracing::warn!(
                endpoint,
                "{place} answered {said}: it wants a password for realm \"{realm}\"; outbound_auth of endpoint \
                 {endpoint} in pjsip.conf names none for that realm, or a wrong one"
            ),
            None => tracing::info!(endpoint, "{place} answered {said}"),
        }
    }

    pub(super) fn received(&self, message: &dyn fmt::Display) {
        let (message, flow) = (message.to_string(), Name(&self.flow).to_string());
        self.inbox.note(StoryEvent::Received { message, flow });
    }
}

/// The description a response carries, if it can be read.
fn description(response: &Response) -> Option<Sdp> {
    let body = ::sip::description(&response.headers, &response.body)?;
    sdp::parse(&body).ok()
}
