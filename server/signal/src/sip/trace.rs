//! `--sip-trace`: every message with its direction and flow, secrets taken out.

use std::fmt;

use ::sip::{Flow, Transport};

use crate::sip::redact;

/// The tracing target; switched on by `sip_trace=trace` in the filter.
pub const TARGET: &str = "sip_trace";

/// Which way a message went.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Way {
    In,
    Out,
}

/// Prints a message, if anybody wants it. The subscriber adds the time.
pub(crate) fn message(way: Way, flow: &Flow, bytes: &[u8]) {
    if !tracing::enabled!(target: TARGET, tracing::Level::TRACE) {
        return;
    }
    let arrow = match way {
        Way::In => "<--",
        Way::Out => "-->",
    };
    let text = redact::message(bytes);
    tracing::trace!(target: TARGET, "{arrow} {} ({} bytes)\n{text}", Name(flow), bytes.len());
}

/// A flow as people read it: `wss 192.0.2.7:50123`.
pub(crate) struct Name<'a>(pub(crate) &'a Flow);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let transport = match self.0.transport {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
            Transport::Tls => "tls",
            Transport::Ws => "ws",
            Transport::Wss => "wss",
        };
        write!(f, "{transport} {}", self.0.remote)
    }
}
