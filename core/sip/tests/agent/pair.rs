//! Two Agents and a wire with loss, duplication, reordering and delay, all from one seed.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sip::{
    Agent, Body, Ended, Event, Flow, FlowId, Identity, InviteId, Limits, Message, NameAddr,
    OutgoingInvite, Transport,
};

/// Which end of the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    /// Calls.
    Alice,
    /// Is called.
    Bob,
}

impl Side {
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Alice => Self::Bob,
            Self::Bob => Self::Alice,
        }
    }
}

/// What the wire does to messages.
#[derive(Debug, Clone)]
pub(crate) struct Wire {
    pub(crate) transport: Transport,
    pub(crate) loss_percent: u64,
    pub(crate) duplicate_percent: u64,
    pub(crate) delay_ms: std::ops::RangeInclusive<u64>,
}

impl Wire {
    pub(crate) const PERFECT_WS: Self = Self::perfect(Transport::Ws);
    pub(crate) const PERFECT_UDP: Self = Self::perfect(Transport::Udp);

    const fn perfect(transport: Transport) -> Self {
        Self {
            transport,
            loss_percent: 0,
            duplicate_percent: 0,
            delay_ms: 10..=10,
        }
    }
}

/// Two Agents and the wire between them.
pub(crate) struct Pair {
    pub(crate) now: Instant,
    start: Instant,
    pub(crate) alice: Agent,
    pub(crate) bob: Agent,
    pub(crate) events: Vec<(Side, Event)>,
    /// Every message put on the wire: time, sender, first line.
    pub(crate) ladder: Vec<(Duration, Side, String)>,
    wire: Wire,
    flying: BTreeMap<(Instant, u64), (Side, Flow, Bytes)>,
    flow: u64,
    count: u64,
    rng: u64,
    /// Drops a message: sender and first line.
    pub(crate) drop: fn(Side, &str) -> bool,
}

/// A moment; which one does not matter.
#[expect(
    clippy::disallowed_methods,
    reason = "tests need some Instant to count from"
)]
pub(crate) fn some_moment() -> Instant {
    Instant::now()
}

pub(crate) fn identity(name: &str) -> Identity {
    Identity {
        server: name.into(),
        ..Identity::default()
    }
}

impl Pair {
    pub(crate) fn new(wire: Wire, seed: u64) -> Self {
        let bytes = |salt: u8| {
            let mut bytes = [salt; 32];
            bytes[..8].copy_from_slice(&seed.to_le_bytes());
            bytes
        };
        let now = some_moment();
        Self {
            now,
            start: now,
            alice: Agent::new(identity("Alice"), Limits::default(), bytes(1)),
            bob: Agent::new(identity("Bob"), Limits::default(), bytes(2)),
            events: Vec::new(),
            ladder: Vec::new(),
            wire,
            flying: BTreeMap::new(),
            flow: 1,
            count: 0,
            rng: seed.wrapping_mul(2).wrapping_add(0x9E37_79B9_7F4A_7C15),
            drop: |_, _| false,
        }
    }

    /// splitmix64.
    pub(crate) fn random(&mut self) -> u64 {
        self.rng = self.rng.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.rng;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn flow_of(&self, side: Side) -> Flow {
        let (alice, bob) = (
            "192.0.2.1:5060".parse().unwrap(),
            "192.0.2.2:5060".parse().unwrap(),
        );
        let (local, remote) = match side {
            Side::Alice => (alice, bob),
            Side::Bob => (bob, alice),
        };
        Flow {
            id: FlowId(self.flow),
            transport: self.wire.transport,
            local,
            remote,
        }
    }

    pub(crate) fn agent(&mut self, side: Side) -> &mut Agent {
        match side {
            Side::Alice => &mut self.alice,
            Side::Bob => &mut self.bob,
        }
    }

    /// Alice calls with an offer; nothing is delivered yet.
    pub(crate) fn call(&mut self) -> InviteId {
        let flow = self.flow_of(Side::Alice);
        let id = self.alice.invite(self.now, flow, outgoing(Some("offer 1")));
        self.flush(Side::Alice);
        id
    }

    /// Alice calls, Bob answers, the ACK arrives: both ids.
    pub(crate) fn established(&mut self) -> (InviteId, InviteId) {
        let alice = self.call();
        self.run_ms(20);
        let bob = self.invited();
        self.bob.accept(self.now, bob, Body::sdp("answer 1"));
        self.flush(Side::Bob);
        self.run_ms(100);
        assert!(self.has(Side::Bob, |event| matches!(event, Event::Confirmed { .. })));
        self.events.clear();
        (alice, bob)
    }

    /// The call Bob was told of.
    pub(crate) fn invited(&self) -> InviteId {
        let mut invites = self.events.iter().filter_map(|(side, event)| match event {
            Event::Invite { id, .. } if *side == Side::Bob => Some(*id),
            _ => None,
        });
        invites.next().expect("Bob was called")
    }

    /// Lets an agent act and takes what it has to say.
    pub(crate) fn act<R>(&mut self, side: Side, act: impl FnOnce(&mut Agent, Instant) -> R) -> R {
        let now = self.now;
        let result = act(self.agent(side), now);
        self.flush(side);
        result
    }

    pub(crate) fn flush(&mut self, side: Side) {
        while let Some(transmit) = self.agent(side).poll_transmit() {
            let line = first_line(&transmit.bytes);
            self.ladder
                .push((self.now - self.start, side, line.clone()));
            let lost = self.random() % 100 < self.wire.loss_percent || (self.drop)(side, &line);
            let doubled = self.random() % 100 < self.wire.duplicate_percent;
            if lost || transmit.flow.0 != self.flow {
                continue;
            }
            for _ in 0..1 + usize::from(doubled) {
                let (low, high) = (*self.wire.delay_ms.start(), *self.wire.delay_ms.end());
                let delay = low + self.random() % (high - low + 1);
                self.count += 1;
                let at = self.now + Duration::from_millis(delay);
                let to = side.other();
                let flow = self.flow_of(to);
                self.flying
                    .insert((at, self.count), (to, flow, transmit.bytes.clone()));
            }
        }
        while let Some(event) = self.agent(side).poll_event() {
            self.events.push((side, event));
        }
    }

    fn next(&self) -> Option<Instant> {
        let flying = self.flying.first_key_value().map(|((at, _), _)| *at);
        [flying, self.alice.poll_timeout(), self.bob.poll_timeout()]
            .into_iter()
            .flatten()
            .min()
    }

    /// One thing that happens no later than `until`.
    pub(crate) fn step(&mut self, until: Instant) -> bool {
        let Some(at) = self.next().filter(|at| *at <= until) else {
            return false;
        };
        self.now = self.now.max(at);
        if let Some(entry) = self
            .flying
            .first_entry()
            .filter(|entry| entry.key().0 <= self.now)
        {
            let (side, flow, bytes) = entry.remove();
            self.act(side, |agent, now| agent.handle_message(now, flow, &bytes));
        } else if self.alice.poll_timeout().is_some_and(|at| at <= self.now) {
            self.act(Side::Alice, Agent::handle_timeout);
        } else {
            self.act(Side::Bob, Agent::handle_timeout);
        }
        true
    }

    pub(crate) fn run_ms(&mut self, ms: u64) {
        let until = self.now + Duration::from_millis(ms);
        self.run_until(until);
    }

    pub(crate) fn run_until(&mut self, until: Instant) {
        let mut steps = 0;
        while self.step(until) {
            steps += 1;
            assert!(steps < 1_000_000, "the agents never come to rest");
        }
        self.now = until;
    }

    pub(crate) fn has(&self, side: Side, test: impl Fn(&Event) -> bool) -> bool {
        self.events
            .iter()
            .any(|(from, event)| *from == side && test(event))
    }

    /// The causes of the ends this side was told of.
    pub(crate) fn ends(&self, side: Side) -> Vec<Ended> {
        let ends = self.events.iter().filter_map(|(from, event)| match event {
            Event::Ended { cause, .. } if *from == side => Some(cause.clone()),
            _ => None,
        });
        ends.collect()
    }

    /// Messages sent by this side whose first line starts so.
    pub(crate) fn sent(&self, side: Side, start: &str) -> usize {
        let sent = |(_, from, line): &&(_, Side, String)| *from == side && line.starts_with(start);
        self.ladder.iter().filter(sent).count()
    }

    /// The connection closes at both ends; later messages go over a new one.
    pub(crate) fn close_flow(&mut self) {
        let old = FlowId(self.flow);
        self.flying.clear();
        self.flow += 1;
        for side in [Side::Alice, Side::Bob] {
            self.act(side, |agent, now| agent.handle_flow_closed(now, old));
        }
    }

    /// Nothing is left on either side.
    #[track_caller]
    pub(crate) fn assert_empty(&self) {
        assert_eq!(self.alice.counts(), sip::Counts::default(), "Alice");
        assert_eq!(self.bob.counts(), sip::Counts::default(), "Bob");
        assert_eq!(self.alice.poll_timeout(), None);
        assert_eq!(self.bob.poll_timeout(), None);
    }
}

pub(crate) fn outgoing(offer: Option<&'static str>) -> OutgoingInvite {
    OutgoingInvite {
        uri: "sip:bob@example.com".parse().unwrap(),
        from: NameAddr::parse("\"Alice\" <sip:alice@example.com>").unwrap(),
        to: NameAddr::parse("<sip:bob@example.com>").unwrap(),
        headers: Vec::new(),
        offer: offer.map(Body::sdp),
        call_id: None,
        logins: Vec::new(),
        session: sip::SessionRules::default(),
        reliability: sip::Reliability::default(),
    }
}

pub(crate) fn first_line(bytes: &Bytes) -> String {
    match Message::parse(bytes).expect("an Agent sends well-formed messages") {
        Message::Request(request) => request.method.to_string(),
        Message::Response(response) => {
            let method = response.headers.cseq().unwrap().method;
            format!("{} {method}", response.status)
        }
    }
}
