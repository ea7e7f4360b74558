//! Session timers: RFC 4028. Who refreshes the call, when, and when it counts as gone.
//!
//! We never ask a caller for a timer it did not ask for; we ask those we call. JsSIP asks for 90 s and
//! refreshes with an UPDATE without body every 45 s; SIP.js knows nothing of timers.

use std::time::{Duration, Instant};

use crate::timer::earliest;
use crate::{HeaderName, Headers, Refresher, Request, Response, SessionExpires};

/// The shortest interval we accept: RFC 4028 §4, "The absolute minimum for this value is 90 seconds". JsSIP
/// cannot handle 422 and asks for exactly this.
pub(crate) const MIN_SE_S: u32 = 90;

/// The interval we ask for. RFC 4028 §4: "The RECOMMENDED value … is 30 minutes".
pub(crate) const SESSION_EXPIRES_S: u32 = 1_800;

/// The longest interval we let a 422 talk us into, a day.
pub(crate) const SESSION_EXPIRES_S_MAX: u32 = 86_400;

/// How a call is watched over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionRules {
    /// When signs of life are asked for.
    pub mode: SessionMode,
    /// The shortest interval that is accepted, in seconds; never below the 90 of RFC 4028.
    pub min_se_s: u32,
    /// The interval that is asked for, in seconds.
    pub interval_s: u32,
}

/// When signs of life are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionMode {
    /// Never, whatever the peer asks.
    Never,
    /// Of those we call, and of callers that ask for it themselves.
    Asked,
    /// In every call; of a caller that knows nothing of it we are the one who refreshes.
    Always,
}

impl Default for SessionRules {
    fn default() -> Self {
        Self {
            mode: SessionMode::Asked,
            min_se_s: MIN_SE_S,
            interval_s: SESSION_EXPIRES_S,
        }
    }
}

impl SessionRules {
    /// What Min-SE of a 422 says.
    pub(crate) fn min_se_s(self) -> u32 {
        self.min_se_s.max(MIN_SE_S)
    }
}

/// What a request and its 2xx agreed on. `refresher` is meant relative to that request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Terms {
    delta_s: u32,
    refresher: Refresher,
}

/// RFC 4028 §9: the interval is below our minimum; 422 with Min-SE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooSmall;

impl Terms {
    /// What our 2xx to `request` says (§9, table 2). `running`: the interval agreed before.
    pub(crate) fn answer(
        request: &Request,
        running: Option<u32>,
        rules: SessionRules,
    ) -> Result<Option<Self>, TooSmall> {
        if rules.mode == SessionMode::Never {
            return Ok(None);
        }
        let supported = request.headers.supports("timer");
        let asked = request.headers.session_expires().ok().flatten();
        let Some(asked) = asked else {
            // A refresh that says nothing keeps what runs, if the peer can refresh.
            let kept = running.filter(|_| supported).map(|delta_s| Self {
                delta_s,
                refresher: Refresher::Uac,
            });
            // §9, table 2: without a wish of the caller's the callee may name itself.
            let ours = (rules.mode == SessionMode::Always).then(|| Self {
                delta_s: running.unwrap_or_else(|| rules.interval_s.max(rules.min_se_s())),
                refresher: Refresher::Uas,
            });
            return Ok(kept.or(ours));
        };
        if asked.delta_s < rules.min_se_s() {
            // "If … the request contains a Supported header field with a value 'timer', the UAS MAY reject":
            // one that does not would not understand the 422.
            return if supported { Err(TooSmall) } else { Ok(None) };
        }
        let refresher = match (supported, asked.refresher) {
            (true, Some(refresher)) => refresher,
            (true, None) => Refresher::Uac,
            (false, _) => Refresher::Uas,
        };
        Ok(Some(Self {
            delta_s: asked.delta_s,
            refresher,
        }))
    }

    /// What a 2xx to our request says (§7.2).
    pub(crate) fn of_response(response: &Response) -> Option<Self> {
        let SessionExpires { delta_s, refresher } =
            response.headers.session_expires().ok().flatten()?;
        let delta_s = delta_s.max(MIN_SE_S);
        Some(Self {
            delta_s,
            refresher: refresher.unwrap_or(Refresher::Uac),
        })
    }

    /// What the 2xx to our INVITE says; if it says nothing, because the peer knows no timers, and the rules want them in
    /// every call, we are the one who refreshes (§7.2 lets it).
    pub(crate) fn of_answer(response: &Response, rules: SessionRules) -> Option<Self> {
        let ours = || Self {
            delta_s: rules.interval_s.max(rules.min_se_s()),
            refresher: Refresher::Uac,
        };
        let always = rules.mode == SessionMode::Always;
        Self::of_response(response).or_else(|| always.then(ours))
    }

    /// Writes them into our 2xx.
    pub(crate) fn write(self, headers: &mut Headers) {
        let Self { delta_s, refresher } = self;
        // §9: "If the refresher parameter is set to 'uac', the UAS MUST place a Require header field into
        // the response with the value 'timer'."
        if refresher == Refresher::Uac {
            headers.push(HeaderName::Require, "timer");
        }
        let value = SessionExpires {
            delta_s,
            refresher: Some(refresher),
        };
        headers.push(HeaderName::SessionExpires, &value.to_string());
    }

    /// Starts the timer; `uac`: the request was ours.
    pub(crate) fn start(self, now: Instant, uac: bool) -> SessionTimer {
        let ours = (self.refresher == Refresher::Uac) == uac;
        SessionTimer::start(now, self.delta_s, ours)
    }
}

/// A session timer that runs.
#[derive(Debug)]
pub(crate) struct SessionTimer {
    pub(crate) delta_s: u32,
    refresh_at: Option<Instant>,
    expires_at: Instant,
    ours: bool,
}

/// What a session timer wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// It is too early.
    Nothing,
    /// We refresh: UPDATE or re-INVITE.
    Refresh,
    /// Nobody refreshed: BYE.
    Bye,
}

impl SessionTimer {
    pub(crate) fn start(now: Instant, delta_s: u32, ours: bool) -> Self {
        let interval = Duration::from_secs(delta_s.into());
        // §7.2: "It is RECOMMENDED that this refresh be sent once half the session interval has elapsed."
        let refresh_at = ours.then_some(now + interval / 2);
        // §10: "the BYE SHOULD be sent … slightly before the session expiration. The minimum of 32 seconds
        // and one third of the session interval is RECOMMENDED."
        let expires_at = now + interval - Duration::from_secs(32).min(interval / 3);
        Self {
            delta_s,
            refresh_at,
            expires_at,
            ours,
        }
    }

    /// Session-Expires of our next request, with the roles as they are.
    pub(crate) fn value(&self) -> SessionExpires {
        let refresher = if self.ours {
            Refresher::Uac
        } else {
            Refresher::Uas
        };
        SessionExpires {
            delta_s: self.delta_s,
            refresher: Some(refresher),
        }
    }

    /// A 2xx to our refresh that says nothing of timers: §7.2, the peer does not count; we go on as long as
    /// the refresher is us.
    pub(crate) fn restart(&self, now: Instant) -> Option<Self> {
        self.ours.then(|| Self::start(now, self.delta_s, true))
    }

    /// Tries the refresh again later.
    pub(crate) fn postpone(&mut self, until: Instant) {
        if self.ours {
            self.refresh_at = Some(until);
        }
    }

    /// A refresh is under way.
    pub(crate) fn pause(&mut self) {
        self.refresh_at = None;
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        earliest([self.refresh_at, Some(self.expires_at)])
    }

    pub(crate) fn on_timeout(&mut self, now: Instant) -> Due {
        if now >= self.expires_at {
            return Due::Bye;
        }
        if self.refresh_at.is_some_and(|at| now >= at) {
            self.refresh_at = None;
            return Due::Refresh;
        }
        Due::Nothing
    }
}
