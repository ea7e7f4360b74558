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
    // By these two a trace is narrowed.
    let (remote, method) = (flow.remote, method(&text));
    tracing::trace!(
        target: TARGET,
        %remote,
        method,
        "{arrow} {} ({} bytes)\n{text}",
        Name(flow),
        bytes.len()
    );
}

/// The method of a request, or the one a response answers.
fn method(text: &str) -> &str {
    let first = text.split(' ').next().unwrap_or_default();
    if first != "SIP/2.0" {
        return first;
    }
    let mut lines = text.lines().take_while(|line| !line.is_empty());
    let cseq = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("cseq").then_some(value)
    });
    cseq.and_then(|value| value.split_whitespace().nth(1))
        .unwrap_or_default()
}

/// A flow as people read it: `wss 192.0.2.7:50123`.
pub(crate) struct Name<'a>(pub(crate) &'a Flow);

impl Name<'_> {
    /// How it goes, in the words of Via's `transport`, in lower case.
    pub(crate) fn transport(&self) -> &'static str {
        match self.0.transport {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
            Transport::Tls => "tls",
            Transport::Ws => "ws",
            Transport::Wss => "wss",
        }
    }
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.transport(), self.0.remote)
    }
}

#[cfg(test)]
mod tests {
    use super::method;

    #[test]
    fn a_response_has_the_method_it_answers() {
        assert_eq!(
            method("INVITE sip:a SIP/2.0\r\nCSeq: 1 INVITE\r\n"),
            "INVITE"
        );
        let response = "SIP/2.0 200 OK\r\nVia: x\r\ncseq: 2 REGISTER\r\n\r\nCSeq: 3 BYE\r\n";
        assert_eq!(method(response), "REGISTER");
        assert_eq!(method("SIP/2.0 200 OK\r\n\r\nCSeq: 3 BYE"), "");
    }
}
