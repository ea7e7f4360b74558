//! Signalling protocols. So far one: [`sip`], over UDP, TCP, TLS and WebSocket.
//!
//! [`Signal::start`] runs the driver, which owns the SIP machine ([`::sip::Agent`]), and the sockets.
//! Requests are answered in short tasks of their own; a call that is let in goes to
//! [`switch::Switch::incoming`] and speaks to the driver through a bounded queue.

mod signal;
pub mod sip;

pub use ::sip::Standing;
pub use signal::{Counts, Keepalive, Options, Outbound, Prepared, Registered, Signal, Subscribed};
pub use sip::qualify::ContactStatus;
pub use sip::transport::admission::Limits;
pub use sip::transport::listeners::TransportState;
