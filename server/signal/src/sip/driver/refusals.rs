//! Why a call came to nothing or is over: its cause, and the words of who refused it.

use std::sync::Arc;

use ::sip::{Challenge, Contacts, Ended, HeaderName, Request, Response, Status};
use switch::Cause;

use crate::sip::shared::printable;

/// Why a call is over.
pub(super) fn cause_of(ended: &Ended) -> Cause {
    match ended {
        Ended::Bye(bye) => reason_of(bye).unwrap_or(Cause::NormalClearing),
        Ended::Cancelled | Ended::Hangup => Cause::NormalClearing,
        Ended::Expired => Cause::NoAnswer,
        Ended::AckTimeout | Ended::SessionExpired => Cause::RecoveryOnTimerExpire,
        Ended::Timeout => Cause::NoUserResponse,
        Ended::Gone(status) => Cause::from_status(status.code()),
        Ended::Failed | Ended::FlowLost => Cause::DestinationOutOfOrder,
    }
}

/// The status line of a refusal, with the text of its first Warning (RFC 3261 §20.43).
pub(super) fn said(response: &Response) -> String {
    let mut said = format!("{} {}", response.status, printable(&response.reason));
    if let Some(warning) = response.headers.get(&HeaderName::Warning) {
        said.push_str(" (Warning: ");
        said.push_str(&printable(warning));
        said.push(')');
    }
    said
}

/// The realm a password is wanted for.
pub(super) fn asked_realm(response: &Response) -> Option<String> {
    let header = match response.status {
        Status::UNAUTHORIZED => HeaderName::WwwAuthenticate,
        Status::PROXY_AUTHENTICATION_REQUIRED => HeaderName::ProxyAuthenticate,
        _ => return None,
    };
    let challenge = response.headers.get(&header);
    let challenge = challenge.and_then(|value| Challenge::parse(value).ok());
    let realm = challenge
        .as_ref()
        .and_then(|challenge| challenge.get("realm"));
    Some(printable(realm.unwrap_or_default()))
}

/// Why our INVITE was refused: the Q.850 cause if one is named, else what the status stands for.
pub(super) fn refusal_of(response: &Response) -> Cause {
    let named = response
        .headers
        .get_all(&HeaderName::Reason)
        .find_map(Cause::from_reason);
    named.unwrap_or_else(|| match response.status.code() {
        300..=399 => Cause::RedirectedToNewDestination,
        status => Cause::from_status(status),
    })
}

/// Where a 3xx points (RFC 3261 §8.1.3.4).
pub(super) fn redirected_to(response: &Response) -> Option<String> {
    if !(300..400).contains(&response.status.code()) {
        return None;
    }
    match response.headers.contacts() {
        Ok(Contacts::List(list)) => Some(printable(list.first()?.address.uri.address())),
        Ok(Contacts::Star) | Err(_) => None,
    }
}

fn reason_of(bye: &Arc<Request>) -> Option<Cause> {
    bye.headers
        .get_all(&HeaderName::Reason)
        .find_map(Cause::from_reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, reason: &str, header: (HeaderName, &str)) -> Response {
        let mut response = Response::new(Status::new(status).unwrap());
        response.reason = reason.into();
        response.headers.push(header.0, header.1);
        response
    }

    #[test]
    fn the_words_of_a_refusal_are_kept_without_what_a_terminal_obeys() {
        let warning = "399 provider \"no credit\"";
        let response = refusal(403, "Account \u{1b}blocked", (HeaderName::Warning, warning));
        let expected = format!("403 Account blocked (Warning: {warning})");
        assert_eq!(said(&response), expected);
    }

    #[test]
    fn a_challenge_names_the_realm_a_password_is_missing_for() {
        let challenge = "Digest realm=\"itsp.example\", nonce=\"1\"";
        let www = (HeaderName::WwwAuthenticate, challenge);
        let proxy = (HeaderName::ProxyAuthenticate, challenge);
        let realm = |status, header| asked_realm(&refusal(status, "", header));
        assert_eq!(realm(401, www.clone()).as_deref(), Some("itsp.example"));
        assert_eq!(realm(407, proxy).as_deref(), Some("itsp.example"));
        assert_eq!(
            realm(407, www.clone()).as_deref(),
            Some(""),
            "it names none"
        );
        assert_eq!(realm(403, www), None);
    }
}
