//! Any sequence of messages, verbs, closed connections and time: the Agent does not panic, keeps its bounds,
//! ends each call once, and is empty when everybody has left.

#![no_main]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use sip::{
    Agent, Body, Event, Flow, FlowId, FlowLimits, HeaderName, Identity, InviteId, Limits, Message,
    Method, NameAddr, OfferVia, OutgoingInvite, Reliability, Replaces, Request, RequestId, Status,
    SubscriptionId, SubscriptionRules, Transport,
};

const LIMITS: Limits = Limits {
    transactions: 64,
    invites: 8,
    dialogs: 16,
    subscriptions: 8,
    subscriptions_per_flow: 4,
    per_flow: FlowLimits {
        pending_invites: 4,
        transactions: 32,
    },
    per_known_flow: FlowLimits {
        pending_invites: 6,
        transactions: 48,
    },
};

const METHODS: [&str; 13] = [
    "INVITE", "ACK", "BYE", "CANCEL", "UPDATE", "INFO", "OPTIONS", "REGISTER", "NOTIFY", "REFER",
    "PRACK", "SUBSCRIBE", "FLY",
];

const STATUSES: [&str; 13] = [
    "100 Trying",
    "180 Ringing",
    "183 Session Progress",
    "200 OK",
    "202 Accepted",
    "401 No",
    "403 Wrong Status",
    "422 Short",
    "481 Gone",
    "487 Over",
    "491 Pending",
    "500 Wait",
    "603 Decline",
];

/// The world around the Agent.
struct World {
    agent: Agent,
    now: Instant,
    calls: Vec<InviteId>,
    ended: BTreeMap<InviteId, u32>,
    waiting: Vec<(RequestId, Request)>,
    subscriptions: Vec<SubscriptionId>,
    /// What the Agent sent lately: requests to be answered, tags to be named.
    requests: Vec<Request>,
    tags: Vec<String>,
    /// RSeq and CSeq of its reliable provisional responses.
    rseqs: Vec<(u32, u32)>,
}

struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn pick<T: Clone>(&mut self, items: &[T]) -> Option<T> {
        let byte = usize::from(self.next()?);
        (!items.is_empty()).then(|| items[byte % items.len()].clone())
    }
}

impl World {
    fn new() -> Self {
        let identity = Identity {
            server: "Fuzz".into(),
            ..Identity::default()
        };
        Self {
            agent: Agent::new(identity, LIMITS, [3; 32]),
            now: Instant::now(),
            calls: Vec::new(),
            ended: BTreeMap::new(),
            waiting: Vec::new(),
            subscriptions: Vec::new(),
            requests: Vec::new(),
            tags: vec!["nobody".to_owned()],
            rseqs: Vec::new(),
        }
    }

    fn flow(id: u8) -> Flow {
        let transport = if id % 2 == 0 {
            Transport::Udp
        } else {
            Transport::Ws
        };
        let local = "192.0.2.2:5060".parse().expect("an address");
        let remote = "192.0.2.1:40000".parse().expect("an address");
        Flow {
            id: FlowId(u64::from(id % 4)),
            transport,
            local,
            remote,
        }
    }

    fn drain(&mut self) {
        while let Some(transmit) = self.agent.poll_transmit() {
            match Message::parse(&transmit.bytes).expect("an Agent sends well-formed messages") {
                Message::Request(request) => {
                    self.requests.push(request);
                    self.requests
                        .drain(..self.requests.len().saturating_sub(16));
                }
                Message::Response(response) => {
                    let tag = response
                        .headers
                        .to()
                        .ok()
                        .and_then(|to| to.tag().map(str::to_owned));
                    self.tags.extend(tag);
                    if let (Ok(Some(rseq)), Ok(cseq)) =
                        (response.headers.rseq(), response.headers.cseq())
                    {
                        self.rseqs = vec![(rseq, cseq.number)];
                    }
                    let surplus = self.tags.len().saturating_sub(8);
                    self.tags.drain(..surplus);
                }
            }
        }
        while let Some(event) = self.agent.poll_event() {
            self.note(event);
        }
        let counts = self.agent.counts();
        assert!(
            counts.transactions <= LIMITS.transactions + 64,
            "{counts:?}"
        );
        assert!(counts.invites <= LIMITS.invites && counts.dialogs <= LIMITS.dialogs + 8);
        assert!(counts.subscriptions <= LIMITS.subscriptions, "{counts:?}");
    }

    fn note(&mut self, event: Event) {
        let id = match event {
            Event::Request { id, request, .. } => {
                return self.waiting.push((id, (*request).clone()));
            }
            Event::InDialog {
                id,
                request_id,
                request,
            } => {
                self.waiting.push((request_id, (*request).clone()));
                id
            }
            Event::Response { .. } | Event::Resubscribed { .. } => return,
            Event::SubscriptionEnded { id } => {
                return self.subscriptions.retain(|known| *known != id);
            }
            Event::Invite { id, .. } => {
                self.calls.push(id);
                id
            }
            Event::Ended { id, .. } => {
                let count = self.ended.entry(id).or_default();
                *count += 1;
                assert_eq!(*count, 1, "a call ends once");
                self.calls.retain(|known| *known != id);
                return;
            }
            Event::Progress { id, .. }
            | Event::Answered { id, .. }
            | Event::Failed { id, .. }
            | Event::Confirmed { id, .. }
            | Event::GivenUp { id }
            | Event::Identity { id, .. }
            | Event::Silent { id }
            | Event::Offer { id, .. }
            | Event::OfferWithdrawn { id }
            | Event::Answer { id, .. }
            | Event::Restated { id, .. }
            | Event::OfferRefused { id, .. }
            | Event::FlowLost { id }
            | Event::FlowRestored { id, .. } => id,
        };
        assert!(
            !self.ended.contains_key(&id),
            "nothing is told after the end"
        );
    }

    fn request(&mut self, input: &mut Input<'_>) -> Option<()> {
        let method = input.pick(&METHODS)?;
        let flow = Self::flow(input.next()?);
        let branch = input.next()? % 8;
        let cseq = input.next()? % 16;
        let call = input.next()? % 3;
        let tag = input.pick(&self.tags)?;
        let shape = input.next()?;
        let tag = if shape & 1 == 0 {
            String::new()
        } else {
            format!(";tag={tag}")
        };
        let body = if shape & 2 == 0 { "" } else { "v=0\r\n" };
        let timer = [
            "",
            "Supported: timer\r\nSession-Expires: 90\r\n",
            "Session-Expires: 1\r\n",
            "Require: x\r\n",
            "Supported: 100rel\r\n",
            "Require: 100rel\r\nRAck: 1 1 INVITE\r\n",
            "Event: presence\r\nExpires: 30\r\n",
            "Event: presence\r\nExpires: 0\r\n",
        ][usize::from(shape >> 2) % 8];
        let rack = match (method, self.rseqs.last()) {
            ("PRACK", Some((rseq, cseq))) => format!("RAck: {rseq} {cseq} INVITE\r\n"),
            _ => String::new(),
        };
        let text = format!(
            "{method} sip:246@example.com SIP/2.0\r\n\
             Via: SIP/2.0/UDP a.invalid;branch=z9hG4bK{branch}\r\n\
             From: <sip:a@example.com>;tag=peer\r\nTo: <sip:246@example.com>{tag}\r\n\
             Call-ID: {call}\r\nCSeq: {cseq} {method}\r\nContact: <sip:a@a.invalid>\r\n\
             Content-Type: application/sdp\r\nAllow: INVITE, UPDATE\r\n{timer}{rack}\r\n{body}"
        );
        self.agent.handle_message(self.now, flow, &text.into());
        Some(())
    }

    fn response(&mut self, input: &mut Input<'_>) -> Option<()> {
        let request = input.pick(&self.requests)?;
        let status = input.pick(&STATUSES)?;
        let flow = Self::flow(input.next()?);
        let shape = input.next()?;
        let get = |name: HeaderName| request.headers.get(&name).unwrap_or_default().to_owned();
        let mut to = get(HeaderName::To);
        if !to.contains(";tag=") && shape & 7 != 0 {
            to = format!("{to};tag=fork{}", shape & 7);
        }
        let body = if shape & 8 == 0 { "" } else { "v=0\r\n" };
        let extra = [
            "",
            "Session-Expires: 90\r\n",
            "Min-SE: 100\r\n",
            "Retry-After: 1\r\n",
            "Require: 100rel\r\nRSeq: 1\r\nAllow: UPDATE\r\n",
            "Require: 100rel\r\nRSeq: 2\r\n",
        ][usize::from(shape >> 4) % 6];
        let text = format!(
            "SIP/2.0 {status}\r\nVia: {}\r\nFrom: {}\r\nTo: {to}\r\nCall-ID: {}\r\nCSeq: {}\r\n\
             Contact: <sip:b@b.invalid>\r\n{extra}\r\n{body}",
            get(HeaderName::Via),
            get(HeaderName::From),
            get(HeaderName::CallId),
            get(HeaderName::CSeq),
        );
        self.agent.handle_message(self.now, flow, &text.into());
        Some(())
    }

    fn verb(&mut self, input: &mut Input<'_>) -> Option<()> {
        let verb = input.next()?;
        let now = self.now;
        let body = || Body::sdp("v=0\r\n");
        if verb == 0 {
            return self.invite(input);
        }
        if verb == 1 {
            let (id, request) = self.waiting.pop()?;
            if request.method == Method::Subscribe && request.headers.has(&HeaderName::Expires) {
                let rules = SubscriptionRules::default();
                let accepted = self.agent.accept_subscription(now, id, &request, rules);
                self.subscriptions.extend(accepted);
                return Some(());
            }
            let status = if input.next()? & 1 == 0 {
                Status::OK
            } else {
                Status::NOT_FOUND
            };
            self.agent.respond(now, id, request.response(status));
            return Some(());
        }
        if verb == 2 || verb == 3 {
            let id = input.pick(&self.subscriptions)?;
            match verb {
                2 => self.agent.notify(now, id, Some(body())),
                _ => self.agent.end_subscription(now, id, "noresource", None),
            }
            return Some(());
        }
        if verb == 4 {
            return self.look_up(input);
        }
        let id = input.pick(&self.calls)?;
        match verb % 19 {
            0 => self.agent.provisional(now, id, Status::RINGING, None),
            9 => {
                let status = Status::SESSION_PROGRESS;
                self.agent.provisional(now, id, status, Some(body()));
            }
            10 => self.agent.rely(id, Reliability::IfSupported),
            1 => self.agent.accept(now, id, body()),
            2 => self.agent.reject(now, id, Status::BUSY_HERE, Vec::new()),
            3 => drop(self.agent.reinvite(now, id, body())),
            4 => drop(self.agent.update(now, id, body())),
            5 => self.agent.answer(now, id, Some(body())),
            6 => self
                .agent
                .refuse(now, id, Status::NOT_ACCEPTABLE_HERE, Vec::new()),
            7 => drop(self.agent.send(now, id, Method::Info, Vec::new(), None)),
            8 => self.agent.hangup(now, id, Vec::new(), Status::DECLINE),
            11 => self.agent.trying(now, id),
            12 => self.agent.know(id),
            13 => {
                // Of several REFERs in one dialog each has its own (RFC 3515 §2.4.6, RFC 5057).
                let event = ["refer", "refer;id=2"][usize::from(input.next()? & 1)];
                let lasts_s = u32::from(input.next()?);
                let followed = self.agent.follow_refer(now, id, event, lasts_s);
                self.subscriptions.extend(followed);
            }
            14 => self.agent.give_up(now, id),
            15 => {
                let party = "\"Ann\" <sip:ann@example.com>".to_owned();
                let headers = vec![(HeaderName::PAssertedIdentity, party)];
                self.agent.tell(id, headers);
            }
            16 => {
                let via = [OfferVia::Update, OfferVia::Reinvite][usize::from(input.next()? & 1)];
                self.agent.announce(now, id, via);
            }
            17 => {
                let at = now + Duration::from_millis(u64::from(input.next()?) * 16);
                self.agent.notice_silence(id, at);
            }
            _ => self.agent.rebind(now, id, Self::flow(input.next()?)),
        }
        Some(())
    }

    /// What concerns no one call: a flow that is forgotten, a dialog that is named.
    fn look_up(&mut self, input: &mut Input<'_>) -> Option<()> {
        if input.next()? & 1 == 0 {
            self.agent.forget(Self::flow(input.next()?).id);
            return Some(());
        }
        let (to_tag, from_tag) = (input.pick(&self.tags)?, "peer".to_owned());
        let named = Replaces {
            call_id: (input.next()? % 3).to_string().into(),
            to_tag: to_tag.into(),
            from_tag: from_tag.into(),
            early_only: false,
        };
        if let Some(id) = self.agent.replaced(&named) {
            assert!(!self.ended.contains_key(&id), "a dialog leads to no ended call");
        }
        Some(())
    }

    fn invite(&mut self, input: &mut Input<'_>) -> Option<()> {
        let invite = OutgoingInvite {
            uri: "sip:b@example.com".parse().ok()?,
            from: NameAddr::parse("<sip:a@example.com>").ok()?,
            to: NameAddr::parse("<sip:b@example.com>").ok()?,
            headers: Vec::new(),
            offer: (input.next()? & 1 == 0).then(|| Body::sdp("v=0\r\n")),
            call_id: None,
            logins: Vec::new(),
            session: sip::SessionRules::default(),
            reliability: [Reliability::Never, Reliability::IfRequired, Reliability::Always]
                [usize::from(input.next()? % 3)],
        };
        let id = self
            .agent
            .invite(self.now, Self::flow(input.next()?), invite);
        self.calls.push(id);
        Some(())
    }

    fn step(&mut self, input: &mut Input<'_>) -> Option<()> {
        match input.next()? % 8 {
            0..=2 => self.request(input),
            3..=4 => self.response(input),
            5 => self.verb(input),
            6 => {
                let ms = u64::from(input.next()?).pow(2);
                self.pass(Duration::from_millis(ms));
                Some(())
            }
            _ => {
                let length = usize::from(input.next()?).min(input.0.len());
                let (bytes, rest) = input.0.split_at(length);
                input.0 = rest;
                let flow = Self::flow(input.next()?);
                if bytes.is_empty() {
                    self.agent.handle_flow_closed(self.now, flow.id);
                } else {
                    self.agent
                        .handle_message(self.now, flow, &Bytes::copy_from_slice(bytes));
                }
                Some(())
            }
        }
    }

    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(at) = self.agent.poll_timeout().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.agent.handle_timeout(self.now);
            self.drain();
        }
        self.now = until;
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut world = World::new();
    let mut input = Input(bytes);
    while !input.0.is_empty() {
        world.step(&mut input);
        world.drain();
    }
    for id in world.calls.clone() {
        world
            .agent
            .hangup(world.now, id, Vec::new(), Status::DECLINE);
        world.drain();
    }
    for flow in 0..4 {
        world.agent.handle_flow_closed(world.now, FlowId(flow));
        world.drain();
    }
    world.pass(Duration::from_secs(200));
    assert_eq!(world.agent.counts(), sip::Counts::default());
    assert_eq!(world.agent.poll_timeout(), None);
});
