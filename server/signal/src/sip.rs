//! SIP for phones and browsers: transports, registrar, authentication, calls that come in.
//!
//! The driver feeds `sip::Agent` and carries out what it says; nothing in it waits. A REGISTER, an
//! INVITE and every other request from outside a dialog is answered by a short task, because looking
//! up an endpoint may ask the database.

mod acl;
mod authenticate;
mod banned;
mod channel;
pub(crate) mod command;
mod date;
mod destination;
pub(crate) mod driver;
mod flows;
mod identify;
mod identity;
mod inbound;
mod info;
mod likely_trunk;
mod limiter;
mod location;
mod mwi;
pub(crate) mod outbound;
mod outside;
mod picture;
mod presence;
pub(crate) mod qualify;
mod redact;
mod registrar;
mod request;
mod resolve;
mod session;
pub(crate) mod shared;
mod strangers;
mod text;
mod trace;
pub(crate) mod transport;
pub(crate) mod trunk;

pub use trace::TARGET as TRACE_TARGET;
