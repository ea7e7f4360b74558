//! A call of ours and the far end that answers its INFO, without wires.

use std::net::SocketAddr;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use ::sip::{
    Agent, Body, Event, Flow, FlowId, HeaderName, Identity, InviteId, Limits, Message, Method,
    NameAddr, OutgoingInvite, Reliability, Request, SessionRules, Status, Transport,
};
use media::Digit;
use switch::{ChannelEvent, InboxReceiver};

use crate::sip::command::{CallRef, Party};
use crate::sip::driver::calls::{Calls, Ours};

/// A call of ours that was answered, in virtual time.
pub(super) struct Rig {
    pub(super) agent: Agent,
    pub(super) calls: Calls,
    pub(super) id: InviteId,
    pub(super) flow: Flow,
    pub(super) now: Instant,
    inbox: InboxReceiver,
    /// What the far end was sent.
    pub(super) wire: Vec<Request>,
    /// What media is to send.
    pub(super) media: String,
}

impl Rig {
    pub(super) fn new(transport: Transport) -> Self {
        let identity = Identity {
            server: "test".to_owned(),
            host: None,
            max_forwards: None,
        };
        let mut agent = Agent::new(identity, Limits::default(), [7; 32]);
        let (now, flow) = (Instant::now(), flow(1, transport));
        let invite = OutgoingInvite {
            uri: "sip:bob@192.0.2.2".parse().unwrap(),
            from: NameAddr::parse("<sip:alice@192.0.2.1>").unwrap(),
            to: NameAddr::parse("<sip:bob@192.0.2.2>").unwrap(),
            headers: Vec::new(),
            offer: Some(Body::sdp("v=0\r\n".to_owned())),
            call_id: None,
            logins: Vec::new(),
            session: SessionRules::default(),
            reliability: Reliability::default(),
        };
        let id = agent.invite(now, flow, invite);
        let (sender, inbox) = switch::inbox();
        let mut calls = Calls::default();
        let ours = Ours {
            call: CallRef::default(),
            inbox: sender,
            party: Party {
                endpoint: "bob".to_owned(),
                instance: None,
                contact: None,
            },
            line: "INVITE".to_owned(),
            retry: None,
            believed: None,
            told: Vec::new(),
        };
        calls.begin_ours(id, flow, ours);
        let mut rig = Self {
            agent,
            calls,
            id,
            flow,
            now,
            inbox,
            wire: Vec::new(),
            media: String::new(),
        };
        rig.turn();
        let invite = rig.wire.remove(0);
        rig.answer(&invite, 200, 0);
        rig
    }

    pub(super) fn dial(&mut self, digits: &str) {
        for digit in digits.chars() {
            let digit = Digit {
                digit,
                duration: Duration::from_millis(160),
            };
            self.calls.dial(&mut self.agent, self.now, self.id, digit);
        }
        self.turn();
    }

    /// All outputs, as the driver drains them.
    pub(super) fn turn(&mut self) {
        loop {
            while let Some(transmit) = self.agent.poll_transmit() {
                assert_eq!(transmit.flow, self.flow.id);
                let Ok(Message::Request(request)) = Message::parse(&transmit.bytes) else {
                    panic!("{:?}", transmit.bytes);
                };
                if request.method != Method::Ack {
                    self.wire.push(request);
                }
            }
            let Some(event) = self.agent.poll_event() else {
                break;
            };
            let (agent, now) = (&mut self.agent, self.now);
            match event {
                Event::Response { id, result } => {
                    let response = result.as_ref().ok();
                    // One that belongs to a connection before is nobody's.
                    let _ = self.calls.on_response(agent, id, response, now);
                }
                event => self.calls.on_event(agent, now, event),
            }
        }
        while let Poll::Ready(Some(event)) =
            pin!(self.inbox.recv()).poll(&mut Context::from_waker(Waker::noop()))
        {
            if let ChannelEvent::DigitsRefused(digits) = event {
                self.media.extend(digits.iter().map(|digit| digit.digit));
            }
        }
    }

    /// Time passes, and every deadline in it.
    pub(super) fn pass(&mut self, length: Duration) {
        let end = self.now + length;
        loop {
            let deadlines = [self.agent.poll_timeout(), self.calls.next_digit()];
            let next = deadlines.into_iter().flatten().min();
            let Some(at) = next.filter(|at| *at <= end) else {
                break;
            };
            self.now = at;
            self.agent.handle_timeout(at);
            self.calls.dial_due(&mut self.agent, at);
            self.turn();
        }
        self.now = end;
    }

    /// The next INFO, which is the only one.
    pub(super) fn info(&mut self) -> Request {
        assert_eq!(self.wire.len(), 1, "{:?}", self.wire);
        let request = self.wire.remove(0);
        assert_eq!(request.method, Method::Info);
        request
    }

    pub(super) fn answer(&mut self, request: &Request, status: u16, retry_after: u32) {
        let mut response = request.response(Status::new(status).unwrap());
        let mut to = request.headers.to().unwrap();
        if to.tag().is_none() {
            to.set_tag("b");
            response.headers.set(HeaderName::To, &to.to_string());
        }
        match request.method {
            Method::Invite => response
                .headers
                .push(HeaderName::Contact, "<sip:bob@192.0.2.2>"),
            _ if retry_after > 0 => response
                .headers
                .push(HeaderName::RetryAfter, &retry_after.to_string()),
            _ => {}
        }
        self.agent
            .handle_message(self.now, self.flow, &response.to_bytes());
        self.turn();
    }

    /// A plain answer, by another flow than that of the call.
    pub(super) fn answer_by(&mut self, flow: Flow, request: &Request, status: u16) {
        let response = request.response(Status::new(status).unwrap());
        self.agent
            .handle_message(self.now, flow, &response.to_bytes());
        self.turn();
    }

    pub(super) fn reconnect(&mut self, number: u64) {
        self.flow = flow(number, self.flow.transport);
        self.agent.rebind(self.now, self.id, self.flow);
        self.calls.restored(self.id, self.flow);
        self.calls.dial_again(&mut self.agent, self.now, self.id);
        self.turn();
    }
}

fn flow(number: u64, transport: Transport) -> Flow {
    Flow {
        id: FlowId(number),
        transport,
        local: SocketAddr::from(([192, 0, 2, 1], 5060)),
        remote: SocketAddr::from(([192, 0, 2, 2], 5060)),
    }
}

pub(super) fn digit_of(request: &Request) -> char {
    let body = String::from_utf8(request.body.to_vec()).unwrap();
    let value = body.strip_prefix("Signal=").unwrap_or(&body);
    value.chars().next().unwrap()
}
