//! SIP as a pure machine: messages, transactions, dialogs, the INVITE usage.

mod agent;
mod dialog;
pub mod digest;
mod error;
mod header;
mod invite;
mod message;
mod method;
mod session_timer;
mod status;
mod stream;
mod timer;
mod transaction;
mod uri;

pub use agent::{
    Agent, Body, Busy, ClientId, Counts, Ended, Event, Failure, Flow, FlowId, Identity, InviteId,
    Limits, OfferVia, OutgoingInvite, RequestId, Timeout, Transmit, Transport,
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
pub use header::session_timer::{Refresher, SessionExpires};
pub use header::via::Via;
pub use header::{Headers, limits};
pub use message::{Capabilities, Message, Request, Response};
pub use method::Method;
pub use status::Status;
pub use stream::{Frame, FramingError, StreamFramer};
pub use timer::{T1, T2, T4, Timer};
pub use uri::{BadUri, Host, Uri};
