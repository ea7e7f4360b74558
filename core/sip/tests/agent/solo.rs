//! One Agent and a peer written by hand: exact messages, exact times.

use std::time::{Duration, Instant};

use bytes::Bytes;
use sip::{
    Agent, Event, Flow, FlowId, HeaderName, InviteId, Limits, Message, Request, Response, Transport,
};

use super::pair::{identity, some_moment};

pub(crate) struct Solo {
    pub(crate) agent: Agent,
    pub(crate) flow: Flow,
    pub(crate) now: Instant,
    pub(crate) start: Instant,
    pub(crate) sent: Vec<(Duration, Message)>,
    pub(crate) events: Vec<Event>,
    /// The layer above lets every caller in.
    pub(crate) admits: bool,
}

pub(crate) fn flow(id: u64, transport: Transport) -> Flow {
    let local = "192.0.2.2:5060".parse().unwrap();
    let remote = "192.0.2.1:40000".parse().unwrap();
    Flow {
        id: FlowId(id),
        transport,
        local,
        remote,
    }
}

impl Solo {
    pub(crate) fn new(transport: Transport) -> Self {
        Self::with_limits(transport, Limits::default())
    }

    pub(crate) fn with_limits(transport: Transport, limits: Limits) -> Self {
        let now = some_moment();
        Self {
            agent: Agent::new(identity("Sidetone"), limits, [7; 32]),
            flow: flow(1, transport),
            now,
            start: now,
            sent: Vec::new(),
            events: Vec::new(),
            admits: true,
        }
    }

    pub(crate) fn act<R>(&mut self, act: impl FnOnce(&mut Agent, Instant, Flow) -> R) -> R {
        let result = act(&mut self.agent, self.now, self.flow);
        self.drain();
        result
    }

    fn drain(&mut self) {
        self.transmit();
        while let Some(event) = self.agent.poll_event() {
            if let Event::Invite { id, .. } = &event
                && self.admits
            {
                self.agent.trying(self.now, *id);
            }
            self.events.push(event);
        }
        self.transmit();
    }

    fn transmit(&mut self) {
        while let Some(transmit) = self.agent.poll_transmit() {
            let message = Message::parse(&transmit.bytes).unwrap();
            self.sent.push((self.now - self.start, message));
        }
    }

    /// A message from the peer.
    pub(crate) fn receive(&mut self, text: &str) {
        let flow = self.flow;
        self.receive_on(flow, text);
    }

    pub(crate) fn receive_on(&mut self, flow: Flow, text: &str) {
        let bytes = wire(text);
        self.agent.handle_message(self.now, flow, &bytes);
        self.drain();
    }

    /// Lets the time pass, timer by timer.
    pub(crate) fn advance_ms(&mut self, ms: u64) {
        let until = self.now + Duration::from_millis(ms);
        while let Some(at) = self.agent.poll_timeout().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.agent.handle_timeout(self.now);
            self.drain();
        }
        self.now = until;
    }

    /// What was sent since the last call, as short lines: `180 INVITE`, `BYE`.
    pub(crate) fn lines(&mut self) -> Vec<String> {
        self.sent
            .drain(..)
            .map(|(_, message)| line(&message))
            .collect()
    }

    /// The times in ms at which messages with this short line were sent.
    pub(crate) fn times(&self, short: &str) -> Vec<u128> {
        let same = self
            .sent
            .iter()
            .filter(|(_, message)| line(message) == short);
        same.map(|(at, _)| at.as_millis()).collect()
    }

    pub(crate) fn responses(&self) -> Vec<&Response> {
        let responses = self.sent.iter().filter_map(|(_, message)| match message {
            Message::Response(response) => Some(response),
            Message::Request(_) => None,
        });
        responses.collect()
    }

    pub(crate) fn last_response(&self) -> &Response {
        self.responses().last().expect("a response was sent")
    }

    pub(crate) fn last_request(&self) -> &Request {
        let mut requests = self
            .sent
            .iter()
            .rev()
            .filter_map(|(_, message)| match message {
                Message::Request(request) => Some(request),
                Message::Response(_) => None,
            });
        requests.next().expect("a request was sent")
    }

    /// The call the Agent told of.
    pub(crate) fn invited(&self) -> InviteId {
        let mut ids = self.events.iter().rev().filter_map(|event| match event {
            Event::Invite { id, .. } => Some(*id),
            _ => None,
        });
        ids.next().expect("a call came in")
    }

    /// The tag of our side, from the last response.
    pub(crate) fn our_tag(&self) -> String {
        self.last_response()
            .headers
            .to()
            .unwrap()
            .tag()
            .expect("a To tag")
            .to_owned()
    }

    /// A response of the peer to our last request.
    pub(crate) fn answer(&mut self, status: &str, to_tag: &str, more: &str) {
        let request = self.last_request().clone();
        self.answer_to(&request, status, to_tag, more);
    }

    pub(crate) fn answer_to(&mut self, request: &Request, status: &str, to_tag: &str, more: &str) {
        let header = |name: HeaderName| request.headers.get(&name).unwrap().to_owned();
        let mut to = header(HeaderName::To);
        if request.headers.to().unwrap().tag().is_none() && !to_tag.is_empty() {
            to = format!("{to};tag={to_tag}");
        }
        let (headers, body) = more.split_once("\n\n").unwrap_or((more, ""));
        let headers = if headers.is_empty() {
            String::new()
        } else {
            format!("{headers}\n")
        };
        self.receive(&format!(
            "SIP/2.0 {status}\nVia: {}\nFrom: {}\nTo: {to}\nCall-ID: {}\nCSeq: {}\n{headers}\n{body}",
            header(HeaderName::Via),
            header(HeaderName::From),
            header(HeaderName::CallId),
            header(HeaderName::CSeq),
        ));
    }
}

/// Line ends as on the wire, in the headers only.
pub(crate) fn wire(text: &str) -> Bytes {
    let (head, body) = text
        .split_once("\n\n")
        .unwrap_or_else(|| (text.trim_end(), ""));
    Bytes::from(format!("{}\r\n\r\n{body}", head.replace('\n', "\r\n")))
}

pub(crate) fn line(message: &Message) -> String {
    match message {
        Message::Request(request) => request.method.to_string(),
        Message::Response(response) => {
            format!(
                "{} {}",
                response.status,
                response.headers.cseq().unwrap().method
            )
        }
    }
}

/// A request of a browser. `to_tag` empty: outside a dialog.
pub(crate) fn request(method: &str, cseq: u32, branch: &str, to_tag: &str, more: &str) -> String {
    let tag = if to_tag.is_empty() {
        String::new()
    } else {
        format!(";tag={to_tag}")
    };
    let (headers, body) = more.split_once("\n\n").unwrap_or((more, ""));
    let headers = if headers.is_empty() {
        String::new()
    } else {
        format!("{headers}\n")
    };
    format!(
        "{method} sip:246@example.com SIP/2.0\n\
         Via: SIP/2.0/WS hkct7e8ec874.invalid;branch=z9hG4bK{branch}\n\
         Max-Forwards: 69\n\
         To: <sip:246@example.com>{tag}\n\
         From: <sip:alice@example.com>;tag=peer\n\
         Call-ID: call-1\n\
         CSeq: {cseq} {method}\n\
         Contact: <sip:lr5bh7jc@hkct7e8ec874.invalid;transport=ws;ob>\n\
         {headers}\n{body}"
    )
}

pub(crate) const SDP: &str = "Content-Type: application/sdp\n\nv=0\r\n";

#[test]
fn requests_of_ours_have_the_hops_they_are_told() {
    let identity = sip::Identity {
        max_forwards: Some(9),
        ..sip::Identity::default()
    };
    let mut agent = Agent::new(identity, Limits::default(), [1; 32]);
    let flow = flow(1, Transport::Udp);
    agent.invite(some_moment(), flow, super::pair::outgoing(None));
    let sent = agent.poll_transmit().expect("the INVITE");
    let text = String::from_utf8_lossy(&sent.bytes).into_owned();
    assert!(text.contains("Max-Forwards: 9\r\n"), "{text}");
    assert!(!text.contains("Max-Forwards: 70"), "{text}");
}
