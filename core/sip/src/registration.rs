//! A registration of ours at another server (RFC 3261 §10.2): when a REGISTER goes out, what it says, and
//! what comes of the answer. One machine per registration, in the shape of the others.
//!
//! It knows neither sockets nor names. When [`Registration::poll_send`] says [`NextRegister::Anew`], whoever drives it
//! finds a flow to the registrar and asks [`Registration::compose`] for the request; what else it sends goes
//! down the same flow. The rules of retrying are those of Asterisk's `type=registration`.

use std::time::{Duration, Instant};

use crate::header::contact::Contacts;
use crate::{HeaderName, Login, Method, NameAddr, Request, Response, Status, Uri, sign};

/// How often the challenges of one REGISTER are answered: the first one, and stale nonces after it.
const LOGIN_TRIES_MAX: u8 = 3;

/// The registrar is asked again so long before it forgets us, as Asterisk does.
const BEFORE_EXPIRY: Duration = Duration::from_secs(10);

/// A connection that is lost again and again does not make us register more often than this.
const AFTER_LOSS: Duration = Duration::from_secs(1);

/// A Retry-After is believed up to a day: a slip of the registrar must not cut us off for ever.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 3600);

/// Longer registrations than a year are not asked for, whatever Min-Expires says.
const EXPIRES_S_MAX: u32 = 365 * 24 * 3600;

/// What is registered where, and how often it is tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistrationRules {
    /// The registrar: the Request-URI.
    pub registrar: Uri,
    /// The address that is registered: From and To.
    pub address: Uri,
    /// Proxies on the way: the Route.
    pub routes: Vec<String>,
    /// Extensions we support, for Supported.
    pub supported: Vec<String>,
    /// User-Agent; the Agent's own if `None`.
    pub user_agent: Option<String>,
    /// What challenges are answered with.
    pub logins: Vec<Login>,
    /// Seconds asked for.
    pub expires_s: u32,
    /// The time to the next try after no answer, or one that may be better next time.
    pub retry: Duration,
    /// The same after a 403; zero gives up.
    pub forbidden_retry: Duration,
    /// The same after any other refusal; zero gives up.
    pub fatal_retry: Duration,
    /// Tries after the first; then it is given up.
    pub retries_max: u32,
    /// A challenge we cannot answer is a refusal, and not something that may be better next time.
    pub auth_rejection_permanent: bool,
}

/// How a registration stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Standing {
    /// Not registered, or not any more, by our own wish.
    #[default]
    Unregistered,
    /// The registrar knows us.
    Registered,
    /// The registrar refused or did not answer.
    Rejected,
    /// It is being taken back for good.
    Stopping,
    /// It is over.
    Stopped,
}

/// What is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextRegister {
    /// A new REGISTER, as [`Registration::compose`] makes it once there is a flow.
    Anew,
    /// The same once more down the same flow, with what the registrar asked for.
    Again(Box<Request>),
}

/// What there is to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegistrationEvent {
    /// The registrar knows us for so many seconds.
    Registered {
        /// Seconds granted.
        expires_s: u32,
        /// It knew us before.
        again: bool,
    },
    /// The registrar does not know us any more.
    Unregistered,
    /// It did not work and is tried again.
    Retrying {
        /// The refusal; `None` if there was no answer.
        status: Option<Status>,
        /// The time until then.
        after: Duration,
    },
    /// It did not work and is not tried again.
    GaveUp {
        /// The refusal; `None` if there was no answer.
        status: Option<Status>,
        /// There were too many tries; else the refusal was final.
        exhausted: bool,
    },
    /// The connection to the registrar is gone, so it is asked again.
    FlowLost,
}

/// See the module.
#[derive(Debug)]
pub struct Registration {
    rules: RegistrationRules,
    call_id: String,
    from_tag: String,
    cseq: u32,
    /// Seconds asked for: more than the rules say after a 423.
    expires_s: u32,
    phase: Phase,
    standing: Standing,
    /// When the registrar forgets us, or forgot us.
    expires_at: Option<Instant>,
    retries: u32,
    /// It is to be taken back as soon as the answer that is waited for is there.
    leaving: bool,
    /// It is to be registered again once what is under way is over.
    rejoin_at: Option<Instant>,
    /// There is to be no other REGISTER after the last one.
    for_good: bool,
    again: Option<Box<Request>>,
    events: Vec<RegistrationEvent>,
}

#[derive(Debug)]
enum Phase {
    /// Nothing is planned.
    Resting,
    /// A REGISTER goes out then.
    Planned(Instant),
    /// A flow is needed.
    Due(Want),
    /// A flow is being found.
    Finding(Want),
    /// The answer is waited for.
    Sent(Box<Sent>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Want {
    Register,
    Unregister,
}

#[derive(Debug)]
struct Sent {
    want: Want,
    request: Request,
    login_tries: u8,
    /// A 423 was heeded.
    lengthened: bool,
}

impl Registration {
    /// A registration nothing is planned for. `call_id` and `from_tag` must be unique; they stay the same for
    /// all its requests (RFC 3261 §10.2: "All registrations from a UAC SHOULD use the same Call-ID").
    pub fn new(rules: RegistrationRules, call_id: String, from_tag: String) -> Self {
        Self {
            expires_s: rules.expires_s,
            rules,
            call_id,
            from_tag,
            cseq: 0,
            phase: Phase::Resting,
            standing: Standing::Unregistered,
            expires_at: None,
            retries: 0,
            leaving: false,
            rejoin_at: None,
            for_good: false,
            again: None,
            events: Vec::new(),
        }
    }

    /// What is registered where.
    pub fn rules(&self) -> &RegistrationRules {
        &self.rules
    }

    /// Other rules from now on.
    pub fn set_rules(&mut self, rules: RegistrationRules) {
        self.expires_s = rules.expires_s;
        self.rules = rules;
    }

    /// What challenges are answered with from now on.
    pub fn set_logins(&mut self, logins: Vec<Login>) {
        self.rules.logins = logins;
    }

    /// How it stands.
    pub fn standing(&self) -> Standing {
        self.standing
    }

    /// When the registrar forgets us, or has forgotten us; `None` if it never knew us.
    pub fn expires_at(&self) -> Option<Instant> {
        self.expires_at
    }

    /// Nothing is going on, and nothing will.
    pub fn is_over(&self) -> bool {
        self.standing == Standing::Stopped
    }

    /// Registers at `at`, with all tries before it. An answer that is waited for is waited for.
    pub fn register(&mut self, at: Instant) {
        if self.for_good {
            return;
        }
        (self.retries, self.leaving) = (0, false);
        match &self.phase {
            Phase::Resting | Phase::Planned(_) | Phase::Due(_) => self.phase = Phase::Planned(at),
            Phase::Finding(_) => self.phase = Phase::Finding(Want::Register),
            // What is under way may say what is not true any more.
            Phase::Sent(_) => self.rejoin_at = Some(at),
        }
    }

    /// Our Contact is another one: whatever the registrar knows, or is just told, is registered anew at `at`. What is
    /// being taken back, or is not registered, stays so.
    pub fn renew(&mut self, at: Instant) {
        match &self.phase {
            Phase::Sent(sent) if sent.want == Want::Register && !self.leaving => {
                self.rejoin_at = Some(at);
            }
            Phase::Resting | Phase::Planned(_) if self.standing == Standing::Registered => {
                self.phase = Phase::Planned(at);
            }
            // The REGISTER that is made next has it.
            Phase::Resting
            | Phase::Planned(_)
            | Phase::Due(_)
            | Phase::Finding(_)
            | Phase::Sent(_) => {}
        }
    }

    /// Takes the registration back, and plans nothing more; `for_good`: nor can anybody else.
    pub fn unregister(&mut self, for_good: bool) {
        if self.for_good {
            return;
        }
        (self.for_good, self.rejoin_at) = (for_good, None);
        let known = self.standing == Standing::Registered;
        match &self.phase {
            Phase::Sent(_) => self.leaving = true,
            Phase::Resting | Phase::Planned(_) | Phase::Due(_) | Phase::Finding(_) if known => {
                self.phase = Phase::Due(Want::Unregister);
            }
            Phase::Resting | Phase::Planned(_) | Phase::Due(_) | Phase::Finding(_) => {
                self.phase = Phase::Resting;
            }
        }
        self.standing = match (for_good, &self.phase) {
            (true, Phase::Resting) => Standing::Stopped,
            (true, _) => Standing::Stopping,
            (false, Phase::Resting) => Standing::Unregistered,
            (false, _) => self.standing,
        };
    }

    /// When [`Registration::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.phase {
            Phase::Planned(at) => Some(at),
            Phase::Resting | Phase::Due(_) | Phase::Finding(_) | Phase::Sent(_) => None,
        }
    }

    /// The deadline has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        if let Phase::Planned(at) = self.phase
            && at <= now
        {
            self.phase = Phase::Due(Want::Register);
        }
    }

    /// What is to be sent now.
    pub fn poll_send(&mut self) -> Option<NextRegister> {
        if let Some(request) = self.again.take() {
            return Some(NextRegister::Again(request));
        }
        let Phase::Due(want) = self.phase else {
            return None;
        };
        self.phase = Phase::Finding(want);
        Some(NextRegister::Anew)
    }

    /// What there is to say.
    pub fn poll_event(&mut self) -> Option<RegistrationEvent> {
        (!self.events.is_empty()).then(|| self.events.remove(0))
    }

    /// The REGISTER, now that there is a flow and `contact` says where we are reached by it. `None`: it is not
    /// wanted any more.
    pub fn compose(&mut self, contact: &str) -> Option<Request> {
        let want = match &self.phase {
            Phase::Finding(want) => *want,
            // The next place of the same registrar, since the first did not answer.
            Phase::Sent(sent) => sent.want,
            Phase::Resting | Phase::Planned(_) | Phase::Due(_) => return None,
        };
        if want == Want::Register {
            // This one says what is true now.
            self.rejoin_at = None;
        }
        let request = self.request(want, contact);
        self.phase = Phase::Sent(Box::new(Sent {
            want,
            request: request.clone(),
            login_tries: 0,
            lengthened: false,
        }));
        Some(request)
    }

    fn request(&mut self, want: Want, contact: &str) -> Request {
        self.cseq += 1;
        let rules = &self.rules;
        let mut request = Request::new(Method::Register, rules.registrar.clone());
        let headers = &mut request.headers;
        for route in &rules.routes {
            headers.push(HeaderName::Route, route);
        }
        let to = NameAddr::new(rules.address.clone());
        let mut from = to.clone();
        from.set_tag(&self.from_tag);
        headers.push(HeaderName::MaxForwards, "70");
        headers.push(HeaderName::From, &from.to_string());
        headers.push(HeaderName::To, &to.to_string());
        headers.push(HeaderName::CallId, &self.call_id);
        headers.push(HeaderName::CSeq, &format!("{} REGISTER", self.cseq));
        headers.push(HeaderName::Contact, contact);
        let expires_s = match want {
            Want::Register => self.expires_s,
            Want::Unregister => 0,
        };
        headers.push(HeaderName::Expires, &expires_s.to_string());
        if !rules.supported.is_empty() {
            headers.push(HeaderName::Supported, &rules.supported.join(", "));
        }
        if let Some(name) = &rules.user_agent {
            headers.push(HeaderName::UserAgent, name);
        }
        request
    }

    /// The final response to what was sent; `None` if there was none in time, or no flow to send it by.
    /// `cnonce` must be unique.
    pub fn handle_response(&mut self, now: Instant, response: Option<&Response>, cnonce: &str) {
        let (want, sent) = match std::mem::replace(&mut self.phase, Phase::Resting) {
            Phase::Sent(sent) => (sent.want, Some(sent)),
            Phase::Finding(want) => (want, None),
            other @ (Phase::Resting | Phase::Planned(_) | Phase::Due(_)) => {
                self.phase = other;
                return;
            }
        };
        if let (Some(mut sent), Some(response)) = (sent, response) {
            if self.improve(&mut sent, response, cnonce) {
                self.again = Some(Box::new(sent.request.clone()));
                self.phase = Phase::Sent(sent);
                return;
            }
            if response.status.is_success() && want == Want::Register {
                let granted_s = granted_s(&sent.request, response, self.expires_s);
                if granted_s > 0 {
                    return self.registered(now, granted_s);
                }
            }
        }
        match want {
            // Whatever the registrar says: we do not refresh it any more.
            Want::Unregister => self.unregistered(now),
            Want::Register => self.refused(now, response),
        }
    }

    /// Makes the request into one that does what the refusal asks for; `false` if it does not.
    fn improve(&mut self, sent: &mut Sent, response: &Response, cnonce: &str) -> bool {
        let request = &mut sent.request;
        match response.status {
            Status::UNAUTHORIZED | Status::PROXY_AUTHENTICATION_REQUIRED => {
                let signed = sent.login_tries < LOGIN_TRIES_MAX
                    && sign(request, response, &self.rules.logins, cnonce);
                sent.login_tries += 1;
                if signed {
                    self.cseq = request.headers.cseq().map_or(self.cseq, |cseq| cseq.number);
                }
                signed
            }
            // RFC 3261 §10.2.8: "the UA MAY retry the registration after making the expiration interval of
            // all contact addresses … equal to or greater than the expiration interval within the
            // Min-Expires header field".
            Status::INTERVAL_TOO_BRIEF if sent.want == Want::Register && !sent.lengthened => {
                let least = response.headers.min_expires().ok().flatten();
                let Some(least) = least.filter(|least| {
                    (self.expires_s.saturating_add(1)..=EXPIRES_S_MAX).contains(least)
                }) else {
                    return false;
                };
                self.expires_s = least;
                self.cseq += 1;
                sent.lengthened = true;
                let headers = &mut request.headers;
                headers.set(HeaderName::Expires, &least.to_string());
                headers.set(HeaderName::CSeq, &format!("{} REGISTER", self.cseq));
                // Credentials are good for one request; a nonce is good for the next as well, but a count
                // that comes again is not.
                headers.remove(&HeaderName::Authorization);
                headers.remove(&HeaderName::ProxyAuthorization);
                true
            }
            _ => false,
        }
    }

    fn registered(&mut self, now: Instant, granted_s: u32) {
        let granted = Duration::from_secs(granted_s.into());
        let again = self.standing == Standing::Registered;
        self.retries = 0;
        self.expires_at = Some(now + granted);
        self.events.push(RegistrationEvent::Registered {
            expires_s: granted_s,
            again,
        });
        if std::mem::take(&mut self.leaving) {
            self.phase = Phase::Due(Want::Unregister);
            if self.for_good {
                self.standing = Standing::Stopping;
            } else {
                self.standing = Standing::Registered;
            }
            return;
        }
        self.standing = Standing::Registered;
        let refresh = match granted > 2 * BEFORE_EXPIRY {
            true => granted - BEFORE_EXPIRY,
            false => (granted / 2).max(Duration::from_secs(1)),
        };
        let due = now + refresh;
        let at = self.rejoin_at.take().map_or(due, |at| at.min(due));
        self.phase = Phase::Planned(at);
    }

    fn unregistered(&mut self, now: Instant) {
        self.leaving = false;
        self.expires_at = Some(now);
        self.events.push(RegistrationEvent::Unregistered);
        self.standing = match self.for_good {
            true => Standing::Stopped,
            false => Standing::Unregistered,
        };
        if let Some(at) = self.rejoin_at.take() {
            self.phase = Phase::Planned(at);
        }
    }

    fn refused(&mut self, now: Instant, response: Option<&Response>) {
        if std::mem::take(&mut self.leaving) {
            return self.unregistered(now);
        }
        self.standing = Standing::Rejected;
        let status = response.map(|response| response.status);
        if self.rejoin_at.take().is_some() {
            // Somebody wished for another one meanwhile.
            return self.retry(now, status, Duration::from_secs(1));
        }
        let after = response.and_then(|response| response.headers.retry_after().ok().flatten());
        if let Some(after) = after.filter(|after| *after > 0) {
            let after = Duration::from_secs(after.into()).min(RETRY_AFTER_MAX);
            return self.retry(now, status, after);
        }
        let forbidden = status == Some(Status::FORBIDDEN) && !self.rules.forbidden_retry.is_zero();
        let (temporary, after) = match status {
            status if self.is_temporary(status) => (true, self.rules.retry),
            _ if forbidden => (false, self.rules.forbidden_retry),
            _ => (false, self.rules.fatal_retry),
        };
        let exhausted = self.retries >= self.rules.retries_max;
        if exhausted || !temporary && after.is_zero() {
            let exhausted = exhausted && (temporary || !after.is_zero());
            let event = RegistrationEvent::GaveUp { status, exhausted };
            return self.events.push(event);
        }
        self.retries += 1;
        // `retry_interval=0` is no licence to flood the registrar.
        self.retry(now, status, after.max(Duration::from_secs(1)));
    }

    fn retry(&mut self, now: Instant, status: Option<Status>, after: Duration) {
        self.events
            .push(RegistrationEvent::Retrying { status, after });
        self.phase = Phase::Planned(now + after);
    }

    /// Whether the registrar may think better of it: the statuses Asterisk takes for that. A 200 that grants
    /// no time is among them.
    fn is_temporary(&self, status: Option<Status>) -> bool {
        let Some(status) = status else {
            return true;
        };
        match status.code() {
            401 | 407 => !self.rules.auth_rejection_permanent,
            408 | 500 | 502 | 503 | 504 => true,
            code => (200..300).contains(&code) || code >= 600,
        }
    }

    /// The connection to the registrar is gone: where it would reach us is gone as well.
    pub fn handle_flow_closed(&mut self, now: Instant) {
        if self.standing == Standing::Registered && matches!(self.phase, Phase::Planned(_)) {
            self.events.push(RegistrationEvent::FlowLost);
            self.phase = Phase::Planned(now + AFTER_LOSS);
        }
    }
}

/// The seconds a 200 grants our Contact. RFC 3261 §10.2.4: "the UA … examines … the expires parameter … If …
/// not present, the … Expires header"; a registrar that says neither grants what was asked.
fn granted_s(request: &Request, response: &Response, asked_s: u32) -> u32 {
    let list = |headers: &crate::Headers| match headers.contacts() {
        Ok(Contacts::List(list)) => list,
        Ok(Contacts::Star) | Err(_) => Vec::new(),
    };
    let own = list(&request.headers);
    let uri = own.first().map(|own| &own.address.uri);
    let all = list(&response.headers);
    let mut ours = all
        .iter()
        .filter(|one| uri.is_some_and(|uri| uri.equivalent(&one.address.uri)));
    // A registrar that rewrites Contacts has one of ours all the same if it has but one.
    let only = all.first().filter(|_| all.len() == 1);
    let named = ours.next().or(only).and_then(|one| one.expires());
    let general = || response.headers.expires().ok().flatten();
    named.or_else(general).unwrap_or(asked_s).min(EXPIRES_S_MAX)
}
