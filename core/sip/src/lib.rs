//! SIP as a pure machine: messages, transactions, dialogs, the INVITE usage.
//!
//! Bytes, verbs and the time go in; bytes, events and the next deadline come out. There is no socket,
//! clock, task or lock in here, and all randomness comes from a seed, so a test can replay any call.
//!
//! # The layers, from the wire up
//!
//! | layer | file | RFC |
//! |---|---|---|
//! | flows: where a message came from, where it goes | `agent/flow.rs` | 5626, 7118 |
//! | messages: framing, headers, the first checks | `message.rs`, `header.rs`, `uri.rs` | 3261 §7, §8.2, §20 |
//! | authentication, of either side | `digest.rs`, `login.rs` | 7616, 8760 |
//! | transactions: one machine per figure, found by key | `transaction.rs`, `timer.rs` | 3261 §17, 6026 |
//! | dialogs: tags, route set, sequence numbers | `dialog.rs` | 3261 §12 |
//! | the INVITE usage: whose turn, PRACK, CANCEL, BYE, refreshes | `invite.rs`, `session_timer.rs` | 3261 §13–15, 3262, 3311, 4028, 6337 |
//! | a registration of ours: when, what, and what comes of it | `registration.rs` | 3261 §10.2 |
//! | subscriptions of others to us | `subscription.rs` | 6665 |
//! | [`Agent`]: sorts what comes, answers what needs no thought | `agent.rs`, `agent/receive.rs` | 3261 §8.2, §18 |
//!
//! The Agent answers by itself: 100, CANCEL, BYE, retransmissions, the ACK of a 2xx, session refreshes without
//! body, and every refusal that is a matter of the protocol (400, 405, 420, 422, 481, 482, 483, 491, 500,
//! 501, 503). Everything else is an [`Event`]. It opens no connection and resolves no name: requests inside a
//! dialog go down the flow the dialog came by, whatever Contact and Via say.
//!
//! # A complete run loop
//!
//! One rule: after every input, take all outputs before the next input.
//!
//! ```
//! use std::collections::VecDeque;
//! use std::time::Instant;
//!
//! use sip::{Agent, Body, Event, Flow, FlowId, Identity, Limits, Status, Transport};
//!
//! /// The layer above: a party that answers every call with the same description.
//! fn on_event(agent: &mut Agent, now: Instant, event: Event) {
//!     match event {
//!         Event::Invite { id, .. } => agent.accept(now, id, Body::sdp("v=0\r\n")),
//!         Event::Request { id, request, .. } => {
//!             agent.respond(now, id, request.response(Status::OK));
//!         }
//!         _ => {}
//!     }
//! }
//!
//! let identity = Identity { server: "Example".into(), ..Identity::default() };
//! // The seed must be secret and fresh: take it from the operating system.
//! let mut agent = Agent::new(identity, Limits::default(), [7; 32]);
//! let flow = Flow {
//!     id: FlowId(1),
//!     transport: Transport::Ws,
//!     local: "192.0.2.2:8088".parse()?,
//!     remote: "192.0.2.1:50000".parse()?,
//! };
//! // In a driver this is a socket, a queue of verbs, and a sleep until `poll_timeout()`.
//! let mut inbox = VecDeque::from([
//!     "OPTIONS sip:example.com SIP/2.0\r\n\
//!      Via: SIP/2.0/WS a.invalid;branch=z9hG4bK1\r\n\
//!      From: <sip:alice@example.com>;tag=1\r\n\
//!      To: <sip:example.com>\r\n\
//!      Call-ID: 1\r\n\
//!      CSeq: 1 OPTIONS\r\n\r\n",
//! ]);
//! let mut sent = Vec::new();
//! loop {
//!     let now = Instant::now();
//!     match (inbox.pop_front(), agent.poll_timeout()) {
//!         (Some(message), _) => agent.handle_message(now, flow, &message.into()),
//!         (None, Some(deadline)) if deadline <= now => agent.handle_timeout(now),
//!         (None, _) => break, // a driver waits here
//!     }
//!     // The events may cause more to be sent, so they come first.
//!     while let Some(event) = agent.poll_event() {
//!         on_event(&mut agent, now, event);
//!     }
//!     while let Some(transmit) = agent.poll_transmit() {
//!         sent.push(String::from_utf8(transmit.bytes.to_vec())?);
//!     }
//! }
//! assert!(sent[0].starts_with("SIP/2.0 200 OK\r\nVia: SIP/2.0/WS a.invalid;branch=z9hG4bK1"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod agent;
mod dialog;
pub mod digest;
mod error;
mod header;
mod invite;
mod login;
mod message;
mod method;
mod registration;
mod session_timer;
mod status;
mod stream;
mod subscription;
mod timer;
mod transaction;
mod uri;

pub use agent::{
    Agent, Body, Busy, ClientId, Counts, Ended, Event, Failure, Flow, FlowId, FlowLimits, Identity,
    InviteId, Limits, OfferVia, OutgoingInvite, RequestId, SubscriptionId, Timeout, Transmit,
    Transport,
};
pub use error::{Fault, HeaderError, ParseError, ParseFault, Rejected};
pub use header::auth::{Challenge, Credentials};
pub use header::contact::{Contact, Contacts};
pub use header::cseq::{CSeq, RAck};
pub use header::media_type::MediaType;
pub use header::name::HeaderName;
pub use header::name_addr::NameAddr;
pub use header::params::Params;
pub use header::reason::Reason;
pub use header::replaces::Replaces;
pub use header::session_timer::{Refresher, SessionExpires};
pub use header::via::Via;
pub use header::{Headers, limits};
pub use invite::Reliability;
pub use login::{Login, sign};
pub use message::{Capabilities, Message, Request, Response, description};
pub use method::Method;
pub use registration::{
    NextRegister, Registration, RegistrationEvent, RegistrationRules, Standing,
};
pub use session_timer::{SessionMode, SessionRules};
pub use status::Status;
pub use stream::{Frame, FramingError, StreamFramer};
pub use subscription::SubscriptionRules;
pub use timer::{T1, T2, T4, Timer};
pub use uri::{BadUri, Host, Uri};
