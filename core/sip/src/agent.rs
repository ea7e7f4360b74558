//! The Agent: one machine for all transactions, dialogs and INVITE usages (RFC 3261).
//!
//! Bytes, verbs and time go in by `handle_…` and the verbs; bytes, events and the next deadline come
//! out by `poll_…`. After every input, drain all three outputs before the next input.

mod event;
mod flow;
mod limits;

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;

pub use event::{
    Body, Busy, ClientId, Ended, Event, Failure, InviteId, OfferVia, OutgoingInvite, RequestId,
    Timeout,
};
pub use flow::{Flow, FlowId, Transmit, Transport};
pub use limits::{Counts, Identity, Limits};

use crate::{HeaderName, Method, Request, Response, Status};

/// The SIP machine.
#[derive(Debug)]
pub struct Agent {
    transmits: VecDeque<Transmit>,
    events: VecDeque<Event>,
    next_id: u64,
}

impl Agent {
    /// An Agent that draws its tags and branches from `seed`.
    pub fn new(_identity: Identity, _limits: Limits, _seed: [u8; 32]) -> Self {
        Self {
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            next_id: 0,
        }
    }

    /// One message from the wire: a datagram or a WebSocket message.
    pub fn handle_message(&mut self, _now: Instant, _flow: Flow, _bytes: &Bytes) {}

    /// The connection is gone: transactions on it end, each answered call gets [`Event::FlowLost`].
    pub fn handle_flow_closed(&mut self, _now: Instant, _flow: FlowId) {}

    /// The deadline of [`Agent::poll_timeout`] has come.
    pub fn handle_timeout(&mut self, _now: Instant) {}

    /// Answers a request of [`Event::Request`] or [`Event::InDialog`] with a response made by
    /// [`Request::response`]; To tag, Server and (in a dialog) Contact are added.
    pub fn respond(&mut self, _now: Instant, _id: RequestId, _response: Response) {}

    /// Sends a request outside any dialog. Via, Max-Forwards, From tag, Call-ID, CSeq and User-Agent
    /// are added where they are missing.
    pub fn request(&mut self, _now: Instant, _flow: Flow, _request: Request) -> ClientId {
        self.next_id += 1;
        ClientId(self.next_id)
    }

    /// A provisional response (101 to 199) to an INVITE.
    pub fn provisional(
        &mut self,
        _now: Instant,
        _id: InviteId,
        _status: Status,
        _body: Option<Body>,
    ) {
    }

    /// 200 to the first INVITE, sent again until the ACK comes, on every transport (RFC 3261 §13.3.1.4).
    pub fn accept(&mut self, _now: Instant, _id: InviteId, _body: Body) {}

    /// The final refusal of the first INVITE: 401 with WWW-Authenticate, 404, 488 with Warning…
    pub fn reject(
        &mut self,
        _now: Instant,
        _id: InviteId,
        _status: Status,
        _headers: Vec<(HeaderName, String)>,
    ) {
    }

    /// Calls somebody. `hangup` before the final response cancels.
    pub fn invite(&mut self, _now: Instant, _flow: Flow, _invite: OutgoingInvite) -> InviteId {
        self.next_id += 1;
        InviteId(self.next_id)
    }

    /// Offers a changed session by re-INVITE. Glare (491), and the 403 of JsSIP that has not sent its
    /// ACK yet, are retried inside (RFC 3261 §14.1). If the peer's own offer comes during such a wait,
    /// ours is given up with [`Event::OfferRefused`] 491, then the peer's is told.
    pub fn reinvite(&mut self, _now: Instant, _id: InviteId, _offer: Body) -> Result<(), Busy> {
        Err(Busy::NotEstablished)
    }

    /// The same by UPDATE (RFC 3311); by re-INVITE if the peer does not allow UPDATE.
    pub fn update(&mut self, _now: Instant, _id: InviteId, _offer: Body) -> Result<(), Busy> {
        Err(Busy::NotEstablished)
    }

    /// Accepts the peer's [`Event::Offer`]; or puts the answer into the ACK when our INVITE had no offer.
    /// Nothing happens if the offer was withdrawn meanwhile.
    pub fn answer(&mut self, _now: Instant, _id: InviteId, _body: Option<Body>) {}

    /// Refuses the peer's [`Event::Offer`] (488…); the old session stands.
    pub fn refuse(
        &mut self,
        _now: Instant,
        _id: InviteId,
        _status: Status,
        _headers: Vec<(HeaderName, String)>,
    ) {
    }

    /// Sends a request inside the dialog: INFO, MESSAGE, REFER, NOTIFY…
    pub fn send(
        &mut self,
        _now: Instant,
        _id: InviteId,
        _method: Method,
        _headers: Vec<(HeaderName, String)>,
        _body: Option<Body>,
    ) -> ClientId {
        self.next_id += 1;
        ClientId(self.next_id)
    }

    /// Ends the call by what its state asks for: BYE, CANCEL, or `status_before_answer` to the
    /// caller; waits for the ACK of our 200 if need be (RFC 3261 §15).
    pub fn hangup(
        &mut self,
        _now: Instant,
        _id: InviteId,
        _headers: Vec<(HeaderName, String)>,
        _status_before_answer: Status,
    ) {
    }

    /// The peer's client came back over another connection: our requests in the dialog go there.
    pub fn rebind(&mut self, _now: Instant, _id: InviteId, _flow: Flow) {}

    /// The next message for the wire.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`Agent::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// How much is held now.
    pub fn counts(&self) -> Counts {
        Counts::default()
    }
}
