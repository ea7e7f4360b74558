//! How calls of an endpoint are watched over (RFC 4028): `timers`, `timers_min_se`,
//! `timers_sess_expires`.

use ::sip::{HeaderName, Request, SessionMode, SessionRules, Status};
use config::{Endpoint, SessionTimers};

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

/// Refuses a call that cannot be watched over as its endpoint must be.
pub(crate) fn check(endpoint: &Endpoint, request: &Request) -> Result<(), Denied> {
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
