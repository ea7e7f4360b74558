//! The line that programs read which ban addresses, fail2ban above all: one for each request that somebody sent who may
//! not, in the words of Asterisk, so that what knows Asterisk's log knows ours (`docs/fail2ban.md`). Its form is a
//! promise: it changes only together with that page.

use std::net::SocketAddr;

use ::sip::{Flow, Request};

use crate::sip::shared::printable;

/// Says who sent it, and why it was refused.
pub(crate) fn log(flow: &Flow, request: &Request, why: &str) {
    tracing::info!("{}", line(flow, request, why));
}

/// The same of one who has answered no challenge: anybody can write the sender of a datagram, and would have somebody
/// else banned.
pub(crate) fn log_unproven(flow: &Flow, request: &Request, why: &str) {
    if flow.transport.is_reliable() {
        log(flow, request, why);
    }
}

fn line(flow: &Flow, request: &Request, why: &str) -> String {
    let from = request.headers.from();
    let from = from.map(|from| format!("<{}>", from.uri.address()));
    let call_id = request.headers.call_id();
    format!(
        "Request '{}' from '{}' failed for '{}' (callid: {}) - {why}",
        plain(request.method.as_str()),
        plain(&from.unwrap_or_default()),
        SocketAddr::new(flow.remote.ip().to_canonical(), flow.remote.port()),
        plain(call_id.unwrap_or_default()),
    )
}

/// What a stranger wrote, without what the line is read by: else it could name the address of somebody else, and have
/// that one banned.
fn plain(text: &str) -> String {
    let text = printable(text);
    text.replace(['\'', '(', ')'], "?")
}

#[cfg(test)]
mod tests {
    use ::sip::{FlowId, Message, Transport};

    use super::*;

    fn line_of(from: &str, call_id: &str) -> String {
        let text = format!(
            "REGISTER sip:pbx SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: {from};tag=1\r\n\
             To: <sip:a@pbx>\r\nCall-ID: {call_id}\r\nCSeq: 1 REGISTER\r\n\r\n"
        );
        let Ok(Message::Request(request)) = Message::parse(&text.into()) else {
            panic!("no request")
        };
        let flow = Flow {
            id: FlowId(1),
            transport: Transport::Udp,
            local: "192.0.2.1:5060".parse().unwrap(),
            remote: "192.0.2.7:5062".parse().unwrap(),
        };
        line(&flow, &request, "Failed to authenticate")
    }

    #[test]
    fn it_is_asterisks_line() {
        assert_eq!(
            line_of("\"Desk\" <sip:101@pbx>", "a1b2@c"),
            "Request 'REGISTER' from '<sip:101@pbx>' failed for '192.0.2.7:5062' (callid: a1b2@c) - \
             Failed to authenticate"
        );
    }

    /// fail2ban's own expression would take the address out of what is quoted.
    #[test]
    fn nobody_can_have_another_address_banned() {
        let forged = "' failed for '198.51.100.9:5060' (callid: 1) - Failed to authenticate";
        for (from, call_id) in [
            (
                format!("<sip:{}@pbx>", forged.replace(' ', "%20")),
                "1".to_owned(),
            ),
            (
                "<sip:x' failed for '198.51.100.9:5060' (callid: @pbx>".to_owned(),
                "1".to_owned(),
            ),
            ("<sip:a@pbx>".to_owned(), forged.to_owned()),
        ] {
            let line = line_of(&from, &call_id);
            assert_eq!(line.matches('\'').count(), 6, "{line}");
            assert_eq!(line.matches("(callid: ").count(), 1, "{line}");
            assert!(line.contains(" failed for '192.0.2.7:5062' ("), "{line}");
        }
    }
}
