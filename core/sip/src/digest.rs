//! Digest authentication for SIP: RFC 2617, RFC 7616, RFC 8760.
//!
//! A nonce carries its time and a MAC, so it verifies without stored state. What is stored is
//! only which nonce counts a proven user has spent, in a bounded table. A peer that proved nothing
//! leaves no trace here.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha2::{Digest, Sha256, Sha512_256};

use crate::header::scan;
use crate::{Challenge, Credentials, Method};

/// The hash of a challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// What every peer understands.
    Md5,
    /// RFC 8760.
    Sha256,
    /// RFC 8760; the true SHA-512/256 of FIPS 180-4, where the example of RFC 7616 §3.9.2 shows a
    /// truncated SHA-512.
    Sha512_256,
}

impl Algorithm {
    /// The token in a challenge.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
            Self::Sha512_256 => "SHA-512-256",
        }
    }

    /// The algorithm with this token, compared without case.
    pub fn from_token(token: &str) -> Option<Self> {
        [Self::Md5, Self::Sha256, Self::Sha512_256]
            .into_iter()
            .find(|algorithm| algorithm.as_str().eq_ignore_ascii_case(token))
    }

    /// The hash of the parts with colons between them, in lower-case hexadecimal.
    fn hash(self, parts: &[&[u8]]) -> String {
        match self {
            Self::Md5 => hash::<Md5>(parts),
            Self::Sha256 => hash::<Sha256>(parts),
            Self::Sha512_256 => hash::<Sha512_256>(parts),
        }
    }
}

fn hash<D: Digest>(parts: &[&[u8]]) -> String {
    let mut hasher = D::new();
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            hasher.update(b":");
        }
        hasher.update(part);
    }
    hex(&hasher.finalize())
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a String takes any text");
    }
    text
}

/// What the user proves to know.
#[derive(Clone, Copy)]
pub enum Secret<'a> {
    /// The password.
    Password(&'a str),
    /// H(username:realm:password) in hexadecimal, made with the algorithm in use.
    Ha1(&'a str),
}

impl Secret<'_> {
    fn ha1(self, algorithm: Algorithm, username: &str, realm: &str) -> String {
        match self {
            Self::Password(password) => {
                algorithm.hash(&[username.as_bytes(), realm.as_bytes(), password.as_bytes()])
            }
            Self::Ha1(ha1) => ha1.to_ascii_lowercase(),
        }
    }
}

/// The quality of protection (RFC 7616 §3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Qop<'a> {
    /// None, as in RFC 2069.
    Absent,
    /// The request line is covered.
    Auth,
    /// The body is covered too.
    AuthInt(&'a [u8]),
}

impl Qop<'_> {
    fn as_str(self) -> &'static str {
        match self {
            Self::Absent => "",
            Self::Auth => "auth",
            Self::AuthInt(_) => "auth-int",
        }
    }
}

/// Everything a response is computed from besides the secret.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The hash.
    pub algorithm: Algorithm,
    /// The user.
    pub username: &'a str,
    /// The realm of the challenge.
    pub realm: &'a str,
    /// The nonce of the challenge.
    pub nonce: &'a str,
    /// The method of the request.
    pub method: &'a Method,
    /// The `uri` parameter.
    pub uri: &'a str,
    /// The quality of protection.
    pub qop: Qop<'a>,
    /// The `nc` parameter as it is spelled.
    pub nc: &'a str,
    /// The `cnonce` parameter.
    pub cnonce: &'a str,
}

/// The `response` parameter (RFC 7616 §3.4.1).
pub fn response(input: &Input<'_>, secret: Secret<'_>) -> String {
    let algorithm = input.algorithm;
    let ha1 = secret.ha1(algorithm, input.username, input.realm);
    let (method, uri) = (input.method.as_str().as_bytes(), input.uri.as_bytes());
    let ha2 = match input.qop {
        Qop::Absent | Qop::Auth => algorithm.hash(&[method, uri]),
        Qop::AuthInt(body) => algorithm.hash(&[method, uri, algorithm.hash(&[body]).as_bytes()]),
    };
    let (ha1, ha2, nonce) = (ha1.as_bytes(), ha2.as_bytes(), input.nonce.as_bytes());
    match input.qop {
        Qop::Absent => algorithm.hash(&[ha1, nonce, ha2]),
        Qop::Auth | Qop::AuthInt(_) => {
            let (nc, cnonce) = (input.nc.as_bytes(), input.cnonce.as_bytes());
            algorithm.hash(&[ha1, nonce, nc, cnonce, input.qop.as_str().as_bytes(), ha2])
        }
    }
}

/// The hashed user name of RFC 7616 §3.4.4. We never ask for it.
pub fn userhash(algorithm: Algorithm, username: &str, realm: &str) -> String {
    algorithm.hash(&[username.as_bytes(), realm.as_bytes()])
}

/// A client's answer to a challenge: who answers, and for what.
#[derive(Clone, Copy)]
pub struct Answer<'a> {
    /// The user.
    pub username: &'a str,
    /// What the user knows.
    pub secret: Secret<'a>,
    /// The method of the request.
    pub method: &'a Method,
    /// The Request-URI as it is printed.
    pub uri: &'a str,
    /// Unique per request.
    pub cnonce: &'a str,
    /// How often this nonce was used, this time included.
    pub nc: u32,
}

impl Answer<'_> {
    /// The value of an Authorization header; `None` when the challenge asks for what we cannot do.
    pub fn authorization(&self, challenge: &Challenge) -> Option<String> {
        if !challenge.scheme().eq_ignore_ascii_case("Digest") {
            return None;
        }
        let algorithm = Algorithm::from_token(challenge.get("algorithm").unwrap_or("MD5"))?;
        let (realm, nonce) = (challenge.get("realm")?, challenge.get("nonce")?);
        let qop = match challenge.get("qop") {
            None => Qop::Absent,
            Some(offered) => {
                let auth = |qop: &str| scan::trim(qop).eq_ignore_ascii_case("auth");
                offered.split(',').any(auth).then_some(Qop::Auth)?
            }
        };
        let nc = format!("{:08x}", self.nc);
        let &Self {
            username,
            method,
            uri,
            cnonce,
            secret,
            ..
        } = self;
        let input = Input {
            algorithm,
            username,
            realm,
            nonce,
            method,
            uri,
            qop,
            nc: &nc,
            cnonce,
        };
        let mut value = String::from("Digest username=");
        quoted(&mut value, username);
        for (name, text) in [("realm", realm), ("nonce", nonce), ("uri", uri)] {
            write!(value, ", {name}=").expect("a String takes any text");
            quoted(&mut value, text);
        }
        let (response, name) = (response(&input, secret), algorithm.as_str());
        write!(value, ", response=\"{response}\", algorithm={name}")
            .expect("a String takes any text");
        if qop == Qop::Auth {
            value.push_str(", qop=auth, cnonce=");
            quoted(&mut value, cnonce);
            write!(value, ", nc={nc}").expect("a String takes any text");
        }
        if let Some(opaque) = challenge.get("opaque") {
            value.push_str(", opaque=");
            quoted(&mut value, opaque);
        }
        Some(value)
    }
}

fn quoted(out: &mut String, text: &str) {
    scan::quote(text, out).expect("a String takes any text");
}

/// The outcome of [`Challenger::verify`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The user knows the secret.
    Ok,
    /// The user does not.
    Wrong,
    /// The user knows the secret, but the nonce is too old: challenge again with
    /// `stale=true` (RFC 7616 §3.3), and the client repeats without asking its user.
    Stale,
    /// The user knows the secret, but this nonce count was spent before: treat it as stale.
    Replayed,
    /// The nonce is not one of those given to this source. The secret was not looked at, or guessing
    /// would cost nothing; challenge as if it were stale. Nothing is held against the source: anybody
    /// can write its address.
    Foreign,
    /// No credentials for this realm and algorithm: challenge.
    Missing,
    /// A parameter is missing or malformed: 400.
    Malformed,
}

/// The request whose credentials are verified, and the user they must prove.
#[derive(Clone, Copy)]
pub struct Check<'a> {
    /// Where the request comes from: a nonce is good for the source it was given to.
    pub source: &'a [u8],
    /// The method of the request.
    pub method: &'a Method,
    /// The body of the request, covered by `qop=auth-int`.
    pub body: &'a [u8],
    /// The realm that was challenged.
    pub realm: &'a str,
    /// The algorithm that was challenged: another one is no answer, so nobody
    /// can talk a client down to a weaker one.
    pub algorithm: Algorithm,
    /// The user whose secret this is.
    pub username: &'a str,
    /// What the user must know.
    pub secret: Secret<'a>,
}

/// Issues challenges and verifies answers.
pub struct Challenger {
    seed: [u8; 32],
    lifetime_s: u64,
    issued: u64,
    spent: BTreeMap<Stamp, Window>,
    /// Nonces up to this one were pushed out of the table and are stale for good.
    forgotten: Option<Stamp>,
}

/// Nonces whose spent counts are remembered. One entry is a successful authentication, so a
/// stranger cannot grow the table; beyond the limit the oldest nonces become stale.
pub const NONCES_MAX: usize = 16_384;

/// When a nonce was issued, and its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Stamp {
    time_s: u64,
    number: u64,
}

/// Which counts of one nonce were spent: a sliding window, because requests may overtake each
/// other on UDP.
#[derive(Debug, Default)]
struct Window {
    highest: u32,
    /// Bit n: `highest - n` was spent.
    below: u64,
}

impl Window {
    /// Spends a count; false if it was spent before or is too far behind to know.
    fn spend(&mut self, count: u32) -> bool {
        if count > self.highest {
            let ahead = count - self.highest;
            self.below = self.below.checked_shl(ahead).unwrap_or(0) | 1;
            self.highest = count;
            return true;
        }
        let Some(bit) = 1u64.checked_shl(self.highest - count) else {
            return false;
        };
        let fresh = self.below & bit == 0;
        self.below |= bit;
        fresh
    }
}

impl Challenger {
    /// A challenger whose nonces live for `lifetime`, or shorter where [`Self::verify_within`] says so.
    pub fn new(seed: [u8; 32], lifetime: Duration) -> Self {
        let lifetime_s = lifetime.as_secs();
        Self {
            seed,
            lifetime_s,
            issued: 0,
            spent: BTreeMap::new(),
            forgotten: None,
        }
    }

    /// The value of exactly one WWW-Authenticate header. Only `auth` is offered: some clients
    /// prefer `auth-int` when they see it and then fail on proxies that touch the body. The nonce is
    /// good for `source` alone.
    pub fn challenge(
        &mut self,
        now_unix_s: u64,
        realm: &str,
        algorithm: Algorithm,
        stale: bool,
        source: &[u8],
    ) -> String {
        self.issued += 1;
        let stamp = Stamp {
            time_s: now_unix_s,
            number: self.issued,
        };
        let nonce = self.nonce(stamp, source);
        let mut value = String::from("Digest realm=");
        quoted(&mut value, realm);
        let name = algorithm.as_str();
        write!(value, ", nonce=\"{nonce}\", algorithm={name}, qop=\"auth\"")
            .expect("a String takes any text");
        if stale {
            value.push_str(", stale=true");
        }
        value
    }

    /// Verifies the credentials of a request.
    pub fn verify(
        &mut self,
        now_unix_s: u64,
        credentials: &Credentials,
        check: &Check<'_>,
    ) -> Verdict {
        let lifetime = Duration::from_secs(self.lifetime_s);
        self.verify_within(now_unix_s, credentials, check, lifetime)
    }

    /// The same for a user whose nonces are stale after `lifetime`.
    pub fn verify_within(
        &mut self,
        now_unix_s: u64,
        credentials: &Credentials,
        check: &Check<'_>,
        lifetime: Duration,
    ) -> Verdict {
        let algorithm = Algorithm::from_token(credentials.get("algorithm").unwrap_or("MD5"));
        if !credentials.is_digest()
            || credentials.is_empty()
            || credentials.realm() != check.realm
            || algorithm != Some(check.algorithm)
        {
            return Verdict::Missing;
        }
        let Some((input, answer, count)) = read(credentials, check) else {
            return Verdict::Malformed;
        };
        let Some(stamp) = self.stamp(input.nonce, check.source) else {
            return Verdict::Foreign;
        };
        let expected = response(&input, check.secret);
        let knows = is_same(expected.as_bytes(), answer.to_ascii_lowercase().as_bytes());
        if !knows || input.username != check.username {
            return Verdict::Wrong;
        }
        match self.is_fresh(now_unix_s, stamp, lifetime.as_secs()) {
            true => self.spend(now_unix_s, stamp, count),
            false => Verdict::Stale,
        }
    }

    /// Whether a nonce was given to this source.
    pub fn has_issued(&self, nonce: &str, source: &[u8]) -> bool {
        self.stamp(nonce, source).is_some()
    }

    /// `time number mac`, in hexadecimal.
    fn nonce(&self, stamp: Stamp, source: &[u8]) -> String {
        let mac = self.mac(stamp, source);
        format!("{:010x}{:010x}{}", stamp.time_s, stamp.number, hex(&mac))
    }

    fn mac(&self, stamp: Stamp, source: &[u8]) -> [u8; 16] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.seed).expect("HMAC takes any key");
        mac.update(&stamp.time_s.to_be_bytes());
        mac.update(&stamp.number.to_be_bytes());
        mac.update(source);
        let whole: [u8; 32] = mac.finalize().into_bytes().into();
        let mut half = [0; 16];
        half.copy_from_slice(&whole[..16]);
        half
    }

    /// The stamp of a nonce of ours.
    fn stamp(&self, nonce: &str, source: &[u8]) -> Option<Stamp> {
        let part = |from, to| u64::from_str_radix(nonce.get(from..to)?, 16).ok();
        let stamp = Stamp {
            time_s: part(0, 10)?,
            number: part(10, 20)?,
        };
        is_same(self.nonce(stamp, source).as_bytes(), nonce.as_bytes()).then_some(stamp)
    }

    fn is_fresh(&self, now_unix_s: u64, stamp: Stamp, lifetime_s: u64) -> bool {
        // A clock that was set back makes nonces from the future; they live no longer for it.
        let age_s = now_unix_s.abs_diff(stamp.time_s);
        age_s <= lifetime_s.min(self.lifetime_s)
            && self.forgotten.is_none_or(|forgotten| stamp > forgotten)
    }

    /// `count` is `None` without qop: such a nonce is good for one request.
    fn spend(&mut self, now_unix_s: u64, stamp: Stamp, count: Option<u32>) -> Verdict {
        self.forget_old(now_unix_s);
        if self.spent.len() >= NONCES_MAX
            && !self.spent.contains_key(&stamp)
            && let Some((oldest, _)) = self.spent.pop_first()
        {
            self.forgotten = self.forgotten.max(Some(oldest));
            if stamp < oldest {
                return Verdict::Stale;
            }
        }
        let window = self.spent.entry(stamp).or_default();
        let fresh = match count {
            Some(count) => window.spend(count),
            None => window.highest == 0 && window.spend(u32::MAX),
        };
        if fresh {
            Verdict::Ok
        } else {
            Verdict::Replayed
        }
    }

    fn forget_old(&mut self, now_unix_s: u64) {
        let horizon_s = now_unix_s.saturating_sub(self.lifetime_s);
        while self
            .spent
            .first_key_value()
            .is_some_and(|(stamp, _)| stamp.time_s < horizon_s)
        {
            let forgotten = self.spent.pop_first().map(|(stamp, _)| stamp);
            self.forgotten = self.forgotten.max(forgotten);
        }
    }
}

/// What the credentials say: the input of the hash, the response, the nonce count.
fn read<'a>(
    credentials: &'a Credentials,
    check: &Check<'a>,
) -> Option<(Input<'a>, &'a str, Option<u32>)> {
    let get = |name| credentials.get(name).filter(|value| !value.is_empty());
    let qop = match credentials.get("qop") {
        None => Qop::Absent,
        Some(qop) if qop.eq_ignore_ascii_case("auth") => Qop::Auth,
        Some(qop) if qop.eq_ignore_ascii_case("auth-int") => Qop::AuthInt(check.body),
        Some(_) => return None,
    };
    let (nc, cnonce, count) = match qop {
        Qop::Absent => ("", "", None),
        Qop::Auth | Qop::AuthInt(_) => {
            let nc = get("nc").filter(|nc| nc.len() <= 8 && !nc.starts_with('+'))?;
            (
                nc,
                get("cnonce")?,
                Some(
                    u32::from_str_radix(nc, 16)
                        .ok()
                        .filter(|&count| count > 0)?,
                ),
            )
        }
    };
    let input = Input {
        algorithm: check.algorithm,
        username: get("username")?,
        realm: check.realm,
        nonce: get("nonce")?,
        method: check.method,
        uri: get("uri")?,
        qop,
        nc,
        cnonce,
    };
    Some((input, get("response")?, count))
}

/// Compares without telling by its duration where the difference is.
fn is_same(a: &[u8], b: &[u8]) -> bool {
    let difference = a
        .iter()
        .zip(b)
        .fold(0, |sum, (x, y)| std::hint::black_box(sum | (x ^ y)));
    a.len() == b.len() && difference == 0
}
