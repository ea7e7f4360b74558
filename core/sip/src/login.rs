//! A client's credentials, and its answer to a challenge (RFC 3261 §22, RFC 7616 §3.4, RFC 8760 §2.4).

use std::fmt;

use crate::digest::{Algorithm, Answer, Secret};
use crate::{Challenge, HeaderName, Request, Response};

/// What we answer a challenge with.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The user.
    pub username: Box<str>,
    /// The realm it is for; `None` fits every realm, after those that name theirs.
    pub realm: Option<Box<str>>,
    /// The password, if it is known.
    pub password: Option<Box<str>>,
    /// H(username:realm:password) by algorithm, in hexadecimal.
    pub digests: Vec<(Algorithm, Box<str>)>,
    /// The algorithms it answers; all if empty.
    pub algorithms: Vec<Algorithm>,
}

/// Secrets are not printed.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("username", &self.username)
            .field("realm", &self.realm)
            .finish_non_exhaustive()
    }
}

impl Login {
    fn secret(&self, algorithm: Algorithm) -> Option<Secret<'_>> {
        if !self.algorithms.is_empty() && !self.algorithms.contains(&algorithm) {
            return None;
        }
        let mut digests = self.digests.iter();
        match digests.find(|(known, _)| *known == algorithm) {
            Some((_, ha1)) => Some(Secret::Ha1(ha1)),
            None => self.password.as_deref().map(Secret::Password),
        }
    }
}

/// Makes `request` into the one that answers the challenges of a 401 or 407: the next CSeq, and the
/// credentials of each realm in place of older ones. `false`: no login fits, or the ones that were sent
/// are refused; then the request is as it was.
pub fn sign(request: &mut Request, refusal: &Response, logins: &[Login], cnonce: &str) -> bool {
    let mut answers = Vec::new();
    for (challenged, answering) in [
        (HeaderName::WwwAuthenticate, HeaderName::Authorization),
        (
            HeaderName::ProxyAuthenticate,
            HeaderName::ProxyAuthorization,
        ),
    ] {
        let challenges = refusal.headers.get_all(&challenged);
        let challenges: Vec<Challenge> = challenges
            .filter_map(|value| Challenge::parse(value).ok())
            .collect();
        // What was answered before and is not stale has been refused (RFC 3261 §22.2).
        let stale = |challenge: &Challenge| {
            challenge
                .get("stale")
                .is_some_and(|value| value.eq_ignore_ascii_case("true"))
        };
        if request.headers.has(&answering) && !challenges.iter().any(stale) {
            return false;
        }
        let mut realms: Vec<&str> = Vec::new();
        for challenge in &challenges {
            let realm = challenge.get("realm").unwrap_or_default();
            if realms.contains(&realm) {
                continue;
            }
            // RFC 8760 §2.4: "the UAC … SHOULD use the topmost header field that it supports".
            if let Some(value) = answer(request, challenge, logins, cnonce) {
                realms.push(realm);
                answers.push((answering.clone(), value));
            }
        }
    }
    if answers.is_empty() {
        return false;
    }
    let number = request.headers.cseq().map_or(1, |cseq| cseq.number + 1);
    let cseq = format!("{number} {}", request.method);
    let headers = &mut request.headers;
    headers.set(HeaderName::CSeq, &cseq);
    headers.remove(&HeaderName::Authorization);
    headers.remove(&HeaderName::ProxyAuthorization);
    for (name, value) in answers {
        headers.push(name, &value);
    }
    true
}

fn answer(
    request: &Request,
    challenge: &Challenge,
    logins: &[Login],
    cnonce: &str,
) -> Option<String> {
    let realm = challenge.get("realm")?;
    let algorithm = Algorithm::from_token(challenge.get("algorithm").unwrap_or("MD5"))?;
    let named = logins
        .iter()
        .filter(|login| login.realm.as_deref() == Some(realm));
    let any = logins.iter().filter(|login| login.realm.is_none());
    named.chain(any).find_map(|login| {
        let answer = Answer {
            username: &login.username,
            secret: login.secret(algorithm)?,
            method: &request.method,
            uri: request.uri.as_str(),
            cnonce,
            nc: 1,
        };
        answer.authorization(challenge)
    })
}
