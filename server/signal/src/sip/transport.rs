//! The sockets SIP runs on. They know flows and bytes, not messages.

pub(crate) mod udp;
pub(crate) mod ws;
