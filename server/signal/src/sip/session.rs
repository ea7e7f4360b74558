//! How calls of an endpoint are kept: signs of life (RFC 4028, `timers`, `timers_min_se`,
//! `timers_sess_expires`) and provisional responses that are acknowledged (RFC 3262, `100rel`).

use ::sip::{HeaderName, Reliability, Request, SessionMode, SessionRules, Status};
use config::{Endpoint, ProvisionalAcks, SessionTimers};

use crate::sip::authenticate::Denied;

/// What the endpoint asks for, in the words of the SIP machine.
pub(crate) fn rules(endpoint: &Endpoint) -> SessionRules {
    SessionRules {
        mode: match endpoint.timers {
            SessionTimers::No => SessionMode::Never,
            SessionTimers::Yes => SessionMode::Asked,
            SessionTimers::Required | SessionTimers::Always => SessionMode::Always,
        },
        min_se_s: endpoint.timers_min_se_s,
        interval_s: endpoint.timers_sess_expires_s,
    }
}

/// When provisional responses of its calls are acknowledged.
pub(crate) fn reliability(endpoint: &Endpoint) -> Reliability {
    match endpoint.provisional_acks {
        ProvisionalAcks::No => Reliability::Never,
        ProvisionalAcks::Yes => Reliability::IfRequired,
        ProvisionalAcks::PeerSupported => Reliability::IfSupported,
        ProvisionalAcks::Required => Reliability::Always,
    }
}

/// Refuses a call that cannot be kept as its endpoint asks.
pub(crate) fn check(endpoint: &Endpoint, request: &Request) -> Result<(), Denied> {
    check_reliability(endpoint, request)?;
    check_timers(endpoint, request)
}

fn check_reliability(endpoint: &Endpoint, request: &Request) -> Result<(), Denied> {
    let is_100rel = |tag: &&str| tag.eq_ignore_ascii_case("100rel");
    let requires = request.headers.requires().unwrap_or_default();
    let requires = requires.iter().any(is_100rel);
    let (status, header) = match endpoint.provisional_acks {
        ProvisionalAcks::No if requires => (Status::BAD_EXTENSION, HeaderName::Unsupported),
        ProvisionalAcks::Required if !requires && !request.headers.supports("100rel") => {
            (Status::EXTENSION_REQUIRED, HeaderName::Require)
        }
        ProvisionalAcks::No
        | ProvisionalAcks::Yes
        | ProvisionalAcks::PeerSupported
        | ProvisionalAcks::Required => return Ok(()),
    };
    let mut denied = Denied::new(status);
    denied.headers.push((header, "100rel".to_owned()));
    Err(denied)
}

fn check_timers(endpoint: &Endpoint, request: &Request) -> Result<(), Denied> {
    let supports = request.headers.supports("timer");
    if endpoint.timers == SessionTimers::Required && !supports {
        let mut denied = Denied::new(Status::EXTENSION_REQUIRED);
        denied
            .headers
            .push((HeaderName::Require, "timer".to_owned()));
        return Err(denied);
    }
    let asked = request.headers.session_expires().ok().flatten();
    let too_small = asked.is_some_and(|asked| asked.delta_s < endpoint.timers_min_se_s);
    if endpoint.timers != SessionTimers::No && supports && too_small {
        // RFC 4028 §9: "the UAS … MUST include a Min-SE header field".
        let mut denied = Denied::new(Status::SESSION_INTERVAL_TOO_SMALL);
        let least = endpoint.timers_min_se_s.to_string();
        denied.headers.push((HeaderName::MinSe, least));
        return Err(denied);
    }
    Ok(())
}
