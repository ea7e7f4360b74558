//! Digest authentication of whatever is not part of a dialog (RFC 3261 §22, RFC 7616).
//!
//! An unknown user goes the same way as a known one: the same challenge, the same hash computed, the
//! same answer. So neither the answers nor their timing tell which accounts exist.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ::sip::digest::{Algorithm, Check, Secret, Verdict};
use ::sip::{Credentials, Flow, HeaderName, Method, Request, Response, Status, Uri};
use config::{Auth, Config, Credential, DigestAlgorithm, Global, Subscriber};
use store::StoreError;

use crate::sip::shared::{NONCE_LIFETIME, Shared, now, printable, unix_s};
use crate::sip::strangers::Threshold;
use crate::sip::trace::Name;
use crate::sip::{acl, banned, identify, likely_trunk};

/// A request is not let in: what to answer.
#[derive(Debug)]
pub(crate) struct Denied {
    pub(crate) status: Status,
    pub(crate) headers: Vec<(HeaderName, String)>,
}

impl Denied {
    pub(crate) fn new(status: Status) -> Self {
        Self {
            status,
            headers: Vec::new(),
        }
    }

    /// With a sentence for whoever reads the message (RFC 3261 §20.43, code 399).
    pub(crate) fn with_warning(status: Status, sentence: &str) -> Self {
        let sentence: String = sentence
            .chars()
            .filter(|c| !c.is_control() && !matches!(c, '"' | '\\'))
            .collect();
        let warning = format!("399 sidetone \"{sentence}\"");
        Self {
            status,
            headers: vec![(HeaderName::Warning, warning)],
        }
    }

    pub(crate) fn retry_after(status: Status, seconds: u32) -> Self {
        Self {
            status,
            headers: vec![(HeaderName::RetryAfter, seconds.to_string())],
        }
    }

    pub(crate) fn response(&self, request: &Request) -> Response {
        let mut response = request.response(self.status);
        for (name, value) in &self.headers {
            response.headers.push(name.clone(), value);
        }
        response
    }
}

/// What shows that a request comes from its endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Proof {
    /// Nothing: the request is one that anybody may send.
    None,
    /// It says so, and nothing was asked of it: a guest.
    Word,
    /// A password, an address, or a sign that it alone was told.
    Known,
}

/// The endpoint that sent the request, proven; or the answer that asks for proof. Its connection is
/// no stranger's any more.
pub(crate) async fn check(
    shared: &Shared,
    flow: &Flow,
    request: &Request,
) -> Result<Arc<Subscriber>, Denied> {
    let (subscriber, _) = check_caller(shared, flow, request).await?;
    Ok(subscriber)
}

/// The same, and whether more than its own word says so.
pub(crate) async fn check_caller(
    shared: &Shared,
    flow: &Flow,
    request: &Request,
) -> Result<(Arc<Subscriber>, bool), Denied> {
    let (subscriber, proof) = find(shared, flow, request).await?;
    if proof != Proof::None {
        shared.admissions().prove(flow.id);
    }
    Ok((subscriber, proof == Proof::Known))
}

/// The endpoint, and what proves it.
async fn find(
    shared: &Shared,
    flow: &Flow,
    request: &Request,
) -> Result<(Arc<Subscriber>, Proof), Denied> {
    let credentials = match request.headers.authorizations() {
        Ok(all) => all
            .into_iter()
            .find(|credentials| credentials.is_digest() && !credentials.is_empty()),
        Err(error) => {
            return Err(Denied::with_warning(
                Status::BAD_REQUEST,
                &error.to_string(),
            ));
        }
    };
    let config = shared.switch.config();
    acl::check_exchange(shared, &config, flow, request)?;
    let found = identify::endpoint(shared, flow, request, credentials.as_ref()).await;
    let found = found.map_err(|error| not_looked_up(&error))?;
    let is_known = found.as_ref().is_some_and(|found| found.is_known);
    let subscriber = found.map(|found| found.subscriber);
    match &subscriber {
        Some(subscriber) => {
            let endpoint = &subscriber.endpoint;
            acl::check_endpoint(shared, &config, flow, request, endpoint)?;
            // An endpoint without `auth` is let in by what it was known by, as in Asterisk.
            let unsigned =
                request.method == Method::Options && endpoint.allow_unauthenticated_options;
            let open = endpoint.auth.is_empty();
            if open || unsigned {
                let proof = match (open, is_known) {
                    (true, true) => Proof::Known,
                    (true, false) => Proof::Word,
                    (false, _) => Proof::None,
                };
                return Ok((subscriber.clone(), proof));
            }
        }
        None => unidentified(shared, &config, flow, request),
    }
    let lock = Lock::of(subscriber.as_deref(), credentials.as_ref(), &config.global);
    let source = flow.remote.ip();
    let Some(credentials) = credentials else {
        return Err(lock.challenge(shared, source, false));
    };
    if !shared.limiter().admits(source, flow.id, now()) {
        // Each of his failures before had its line in the log; a flood of them helps nobody.
        shared.counters.failed_auths.fetch_add(1, Ordering::Relaxed);
        tracing::debug!(remote = %source, "credentials not looked at: too many failures before");
        return Err(Denied::retry_after(
            Status::SERVICE_UNAVAILABLE,
            RETRY_AFTER_S,
        ));
    }
    let verdict = lock.judge(shared, source, request, &credentials);
    let reason = match (verdict, &subscriber) {
        (Verdict::Ok, Some(subscriber)) if lock.fits(&credentials) => {
            return Ok((subscriber.clone(), Proof::Known));
        }
        (Verdict::Malformed, _) => {
            let sentence = "The Authorization header lacks a parameter or has a malformed one";
            return Err(Denied::with_warning(Status::BAD_REQUEST, sentence));
        }
        (Verdict::Stale | Verdict::Replayed | Verdict::Foreign, _) => {
            return Err(lock.challenge(shared, source, true));
        }
        (Verdict::Missing, _) => return Err(lock.challenge(shared, source, false)),
        (Verdict::Ok | Verdict::Wrong, None) => Failure::NoEndpoint,
        (Verdict::Ok | Verdict::Wrong, Some(_)) => Failure::Wrong,
    };
    shared.limiter().failed(source, flow.id, now());
    failed(shared, flow, request, (credentials.username(), reason));
    Err(lock.challenge(shared, source, false))
}

/// Why credentials open nothing.
#[derive(Debug, Clone, Copy)]
enum Failure {
    NoEndpoint,
    Wrong,
}

/// Says who failed: once for people and once for programs.
fn failed(shared: &Shared, flow: &Flow, request: &Request, (user, why): (&str, Failure)) {
    shared.counters.failed_auths.fetch_add(1, Ordering::Relaxed);
    let (reason, words) = match why {
        Failure::NoEndpoint => ("no such endpoint", "No matching endpoint found"),
        Failure::Wrong => (
            "wrong user name, realm, address or password",
            "Failed to authenticate",
        ),
    };
    banned::log(flow, request, words);
    let call_id = request.headers.call_id().map(printable);
    tracing::warn!(
        remote = %flow.remote,
        transport = Name(flow).transport(),
        method = request.method.as_str(),
        call_id = call_id.unwrap_or_default(),
        user = printable(user),
        "authentication failed: {reason}"
    );
}

/// Nobody knows who it is: the database does not answer.
fn not_looked_up(error: &StoreError) -> Denied {
    // That the database is away was said once; many who come meanwhile are no news.
    match error.is_unreachable() {
        true => tracing::debug!("cannot look up an endpoint: {error}"),
        false => tracing::warn!("cannot look up an endpoint: {error}"),
    }
    Denied::retry_after(Status::SERVICE_UNAVAILABLE, RETRY_AFTER_S)
}

/// What a nonce is bound to. The address, not the connection: some phones open a new one for the
/// answer to a challenge.
fn bytes_of(source: IpAddr) -> Vec<u8> {
    match source.to_canonical() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

fn has_issued(shared: &Shared, source: IpAddr, credentials: &Credentials) -> bool {
    let nonce = credentials.get("nonce").unwrap_or_default();
    shared.challenger().has_issued(nonce, &bytes_of(source))
}

/// Says of an address whose requests speak for nobody that it goes on with it. One of them is no news:
/// whoever mistypes a name is told with his credentials.
fn unidentified(shared: &Shared, config: &Config, flow: &Flow, request: &Request) {
    // Trunks do not answer the challenge, and do not call twice.
    if request.method == Method::Invite && !request.headers.has(&HeaderName::Authorization) {
        likely_trunk::say(shared, config, flow, request);
    }
    let (global, source) = (&config.global, flow.remote.ip());
    let threshold = Threshold {
        count: global.unidentified_request_count,
        period: Duration::from_secs(global.unidentified_request_period_s.into()),
        forget: Duration::from_secs(global.unidentified_request_prune_interval_s.into()),
    };
    if shared.unidentified().note(source, now(), threshold) {
        let (count, seconds) = (threshold.count, global.unidentified_request_period_s);
        let words =
            format!("No matching endpoint found after {count} tries in {seconds}000.000 ms");
        banned::log_unproven(flow, request, &words);
        let from = request.headers.from().ok();
        let user = from.and_then(|from| from.uri.user().map(|user| printable(&user)));
        tracing::warn!(
            remote = %flow.remote,
            method = request.method.as_str(),
            user = user.unwrap_or_default(),
            "no matching endpoint for {} requests in {} s",
            threshold.count,
            global.unidentified_request_period_s
        );
    }
}

/// What a request must fit: an `auth` object, or nothing that anybody has.
struct Lock<'a> {
    auth: Option<&'a Auth>,
    realm: &'a str,
    algorithm: DigestAlgorithm,
}

impl<'a> Lock<'a> {
    /// Of several `auth` objects the one the credentials name, else the first. Exactly one challenge
    /// is sent: browsers' libraries take the last of several, or none.
    fn of(
        subscriber: Option<&'a Subscriber>,
        credentials: Option<&Credentials>,
        global: &'a Global,
    ) -> Self {
        let auths = subscriber
            .map(|subscriber| &*subscriber.auths)
            .unwrap_or_default();
        let realm = |auth: &'a Auth| auth.realm.as_deref().unwrap_or(&global.default_realm);
        let named = credentials.and_then(|credentials| {
            auths.iter().find(|auth| {
                auth.username == credentials.username() && realm(auth) == credentials.realm()
            })
        });
        let auth = named.or_else(|| auths.first()).map(|auth| &**auth);
        let wanted = auth.map_or(&[][..], |auth| &*auth.algorithms);
        let wanted = if wanted.is_empty() {
            &*global.default_auth_algorithms_uas
        } else {
            wanted
        };
        let answerable = |algorithm: &&DigestAlgorithm| {
            auth.is_none_or(|auth| auth.credential(**algorithm).is_some())
        };
        Self {
            auth,
            realm: auth.map_or(&*global.default_realm, realm),
            algorithm: wanted
                .iter()
                .find(answerable)
                .copied()
                .unwrap_or(DigestAlgorithm::Md5),
        }
    }

    fn challenge(&self, shared: &Shared, source: IpAddr, stale: bool) -> Denied {
        let algorithm = algorithm_of(self.algorithm);
        let value = shared.challenger().challenge(
            unix_s(),
            self.realm,
            algorithm,
            stale,
            &bytes_of(source),
        );
        let headers = vec![(HeaderName::WwwAuthenticate, value)];
        Denied {
            status: Status::UNAUTHORIZED,
            headers,
        }
    }

    /// A header made for somebody else is not even tried: that would spend its nonce count. The hash is
    /// computed in every other case that brings a nonce of ours, also where nothing can fit.
    fn judge(
        &self,
        shared: &Shared,
        source: IpAddr,
        request: &Request,
        credentials: &Credentials,
    ) -> Verdict {
        if !is_about(credentials, &request.uri) {
            return match has_issued(shared, source, credentials) {
                true => Verdict::Wrong,
                false => Verdict::Foreign,
            };
        }
        let secret = match self.auth.and_then(|auth| auth.credential(self.algorithm)) {
            Some(Credential::Password(password)) => Secret::Password(password.expose()),
            Some(Credential::Ha1(ha1)) => Secret::Ha1(ha1.expose()),
            None => Secret::Password(""),
        };
        let check = Check {
            source: &bytes_of(source),
            method: &request.method,
            body: &request.body,
            realm: self.realm,
            algorithm: algorithm_of(self.algorithm),
            username: self
                .auth
                .map_or_else(|| credentials.username(), |auth| &auth.username),
            secret,
        };
        let lifetime = self.auth.map_or(NONCE_LIFETIME, |auth| {
            Duration::from_secs(auth.nonce_lifetime_s.into())
        });
        let mut challenger = shared.challenger();
        challenger.verify_within(unix_s(), credentials, &check, lifetime)
    }

    fn fits(&self, credentials: &Credentials) -> bool {
        self.auth.is_some_and(|auth| {
            auth.username == credentials.username()
                && auth.credential(self.algorithm).is_some()
                && self.realm == credentials.realm()
        })
    }
}

/// RFC 7616 §3.4.6: "the server MUST check that the URI in the Request-Line and the 'uri' … are the
/// same resource", else a captured header would open other doors. Here a resource is what the user
/// part names: host, port and parameters choose nothing in this exchange, proxies rewrite them and
/// clients write them in different ways. The hash is made of the `uri` as it was sent all the same.
///
/// A `uri` without user names the exchange, as SIPp does for every request. The method is in the hash,
/// so the REGISTER of a phone does not become an INVITE; only who signs his INVITEs like that leaves
/// the number open.
fn is_about(credentials: &Credentials, asked: &Uri) -> bool {
    // Without it the digest is malformed, which is found out when it is tried.
    let Some(uri) = credentials.get("uri") else {
        return true;
    };
    match uri.parse::<Uri>() {
        Ok(uri) if uri.is_sip() => uri.user().is_none_or(|user| asked.user() == Some(user)),
        Ok(uri) => uri == *asked,
        // SIPp 3.6 leaves out the brackets of an IPv6 address.
        Err(_) => !uri.contains('@') && uri.starts_with("sip:"),
    }
}

fn algorithm_of(algorithm: DigestAlgorithm) -> Algorithm {
    match algorithm {
        DigestAlgorithm::Md5 => Algorithm::Md5,
        DigestAlgorithm::Sha256 => Algorithm::Sha256,
        DigestAlgorithm::Sha512_256 => Algorithm::Sha512_256,
    }
}

/// The value of Retry-After where we are too busy or too suspicious.
pub(crate) const RETRY_AFTER_S: u32 = 5;
