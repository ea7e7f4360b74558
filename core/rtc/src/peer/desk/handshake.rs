//! The DTLS handshake of one port of a desk phone (RFC 5764), on its own or behind ICE.
//!
//! The peer is who has the certificate whose fingerprint came by signalling. Each address that shakes hands has
//! an attempt of its own, so that a stranger who comes first neither ends the call nor takes part in the
//! handshake of the phone.

use crate::dtls::{Association, Certificate, Keying, Print, Progress, Shake};
use rtp::srtp::{MasterKey, Suite};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

pub(super) struct Handshake {
    terms: Shake,
    attempts: Vec<Attempt>,
    is_done: bool,
    /// When the next attempt of ours may begin.
    rest: Option<Instant>,
    /// Who answered one of ours and was somebody else.
    refused: Vec<SocketAddr>,
    keyed: Option<Keyed>,
}

/// One address, and how far it has come.
struct Attempt {
    remote: SocketAddr,
    /// Where its answers come from; a phone with several addresses, or behind a NAT, may answer from another.
    heard: Option<SocketAddr>,
    association: Association,
    began: Instant,
    /// It comes from where the peer is said to be.
    is_expected: bool,
    /// It has shown that it receives what is sent there.
    is_reached: bool,
}

/// What came of it.
pub(super) struct Keyed {
    pub(super) ours: MasterKey,
    pub(super) theirs: MasterKey,
    /// Names of the version and of the protection profile.
    pub(super) names: (&'static str, &'static str),
}

impl Handshake {
    pub(super) fn new(
        certificate: &Certificate,
        prints: &[Print],
        suites: &[Suite],
        is_active: bool,
    ) -> Option<Self> {
        Some(Self {
            terms: Shake::new(certificate, prints, suites, is_active)?,
            attempts: Vec::new(),
            is_done: false,
            rest: None,
            refused: Vec::new(),
            keyed: None,
        })
    }

    /// Whether it is the same association that this agrees to.
    pub(super) fn is_for(&self, prints: &[Print], is_active: bool) -> bool {
        self.terms.prints() == prints && self.terms.is_active() == is_active
    }

    pub(super) fn is_done(&self) -> bool {
        self.is_done
    }

    /// The peer is there: who begins does so now.
    pub(super) fn begin(&mut self, now: Instant, remote: SocketAddr) {
        let is_resting = self.rest.is_some_and(|rest| now < rest);
        if !self.terms.is_active() || self.is_done || is_resting {
            return;
        }
        if self.attempts.iter().any(|own| own.remote == remote) {
            return;
        }
        // The path is another one.
        self.attempts.clear();
        self.attempts.extend(self.attempt(now, remote, true));
    }

    /// Takes a piece of a handshake. `is_expected`: it comes from where the peer is said to be.
    pub(super) fn handle_datagram(
        &mut self,
        now: Instant,
        remote: SocketAddr,
        is_expected: bool,
        bytes: &[u8],
    ) {
        let is_from = |own: &Attempt| own.heard.unwrap_or(own.remote) == remote;
        let known = self.attempts.iter().position(is_from);
        let known = known.or_else(|| match self.terms.is_active() {
            true => self.follow(now, remote, is_expected, bytes),
            false => self.admit(now, remote, is_expected),
        });
        let Some(index) = known else { return };
        let attempt = &mut self.attempts[index];
        if is_answer(bytes) {
            attempt.heard = Some(remote);
        }
        match attempt.association.handle_datagram(now, bytes) {
            Progress::Open => {}
            Progress::Failed => self.fail(now, index),
            Progress::Done(keying) => match keys(&keying, self.terms.is_active()) {
                None => self.fail(now, index),
                Some(keyed) => {
                    self.attempts.swap(0, index);
                    self.attempts.truncate(1);
                    self.is_done = true;
                    self.keyed = Some(keyed);
                }
            },
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.rest.is_some_and(|rest| rest <= now) {
            self.rest = None;
        }
        for index in (0..self.attempts.len()).rev() {
            let attempt = &mut self.attempts[index];
            let progress = attempt.association.handle_timeout(now);
            let is_late = attempt.leaves().is_some_and(|leaves| leaves <= now) && !self.is_done;
            if is_late || matches!(progress, Progress::Failed) {
                self.fail(now, index);
            }
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let attempts = self.attempts.iter();
        let dues = attempts.clone();
        let dues = dues.filter_map(|own| own.association.poll_timeout());
        let leaves = attempts
            .filter_map(Attempt::leaves)
            .filter(|_| !self.is_done);
        dues.chain(leaves).chain(self.rest).min()
    }

    /// What is to be sent where.
    pub(super) fn poll_transmit(&mut self) -> Option<(SocketAddr, Vec<u8>)> {
        for attempt in &mut self.attempts {
            if let Some(bytes) = attempt.association.poll_transmit() {
                attempt.is_reached |= is_server_hello(&bytes);
                return Some((attempt.heard.unwrap_or(attempt.remote), bytes));
            }
        }
        None
    }

    /// The keys, once they are there.
    pub(super) fn poll_keyed(&mut self) -> Option<Keyed> {
        self.keyed.take()
    }

    fn attempt(&self, now: Instant, remote: SocketAddr, is_expected: bool) -> Option<Attempt> {
        Some(Attempt {
            remote,
            heard: None,
            association: Association::new(now, &self.terms)?,
            began: now,
            is_expected,
            is_reached: false,
        })
    }

    /// Whether who answers from elsewhere than it was called at is believed to be who was called. One whose
    /// address is known otherwise is at once; another only where nobody else answers.
    fn follow(
        &self,
        now: Instant,
        remote: SocketAddr,
        is_expected: bool,
        bytes: &[u8],
    ) -> Option<usize> {
        let attempt = self.attempts.first().filter(|own| own.heard.is_none())?;
        let is_patient = now >= attempt.began + STRANGER_PAUSE;
        let is_new = !self.refused.contains(&remote);
        (is_answer(bytes) && is_new && (is_expected || is_patient)).then_some(0)
    }

    /// Room for who comes, unless others have it who may well be the peer.
    fn admit(&mut self, now: Instant, remote: SocketAddr, is_expected: bool) -> Option<usize> {
        if self.is_done {
            return None;
        }
        let attempt = self.attempt(now, remote, is_expected)?;
        if self.attempts.len() < ATTEMPTS_MAX {
            self.attempts.push(attempt);
            return Some(self.attempts.len() - 1);
        }
        let is_old = |own: &Attempt| now >= own.began + ATTEMPT_MAX;
        // Who is where the peer should be has its time, whoever else comes.
        let is_idle = |own: &Attempt| is_old(own) || !own.is_reached && !own.is_expected;
        let oldest = (0..self.attempts.len())
            .filter(|index| is_expected || is_idle(&self.attempts[*index]))
            .min_by_key(|index| {
                let own = &self.attempts[*index];
                (own.is_expected, own.began)
            })?;
        self.attempts[oldest] = attempt;
        Some(oldest)
    }

    /// It was somebody else, or the handshake broke.
    fn fail(&mut self, now: Instant, index: usize) {
        let attempt = self.attempts.remove(index);
        if self.terms.is_active() {
            let strange = attempt.heard.filter(|heard| *heard != attempt.remote);
            let has_room = self.refused.len() < REFUSED_MAX;
            self.refused.extend(strange.filter(|_| has_room));
            self.rest = Some(now + REST);
        }
    }
}

impl Attempt {
    /// When it is given up because who answers from elsewhere does not go on.
    fn leaves(&self) -> Option<Instant> {
        let is_strange = self.heard.is_some_and(|heard| heard != self.remote);
        is_strange.then_some(self.began + ATTEMPT_MAX)
    }
}

fn keys(keying: &Keying, is_active: bool) -> Option<Keyed> {
    let suite = keying.suite;
    // RFC 5764 §4.2: client key, server key, client salt, server salt.
    let salt_len = match suite {
        Suite::Gcm128 | Suite::Gcm256 => 12,
        Suite::AesCm128Sha1_80 | Suite::AesCm128Sha1_32 => 14,
        Suite::AesCm256Sha1_80 | Suite::AesCm256Sha1_32 => 14,
    };
    let key_len = suite.key_len() - salt_len;
    let (keys, salts) = keying.material.split_at_checked(2 * key_len)?;
    let end = |index: usize| {
        let key = keys.get(index * key_len..(index + 1) * key_len)?;
        let salt = salts.get(index * salt_len..(index + 1) * salt_len)?;
        MasterKey::new(suite, &[key, salt].concat())
    };
    let (client, server) = (end(0)?, end(1)?);
    let (ours, theirs) = match is_active {
        true => (client, server),
        false => (server, client),
    };
    let srtp = match suite {
        Suite::Gcm128 => "SRTP_AEAD_AES_128_GCM",
        Suite::Gcm256 => "SRTP_AEAD_AES_256_GCM",
        Suite::AesCm128Sha1_32 => "SRTP_AES128_CM_HMAC_SHA1_32",
        _ => "SRTP_AES128_CM_HMAC_SHA1_80",
    };
    Some(Keyed {
        ours,
        theirs,
        names: ("DTLS 1.2", srtp),
    })
}

/// RFC 5246 §7.4.1.3: it follows the cookie that only who receives our packets can send back.
fn is_server_hello(bytes: &[u8]) -> bool {
    (bytes.first(), bytes.get(13)) == (Some(&22), Some(&2))
}

/// HelloVerifyRequest or ServerHello: what a server says first.
fn is_answer(bytes: &[u8]) -> bool {
    bytes.first() == Some(&22) && matches!(bytes.get(13), Some(2 | 3))
}

/// Addresses that shake hands at once.
const ATTEMPTS_MAX: usize = 4;
/// One that takes longer makes room for others.
const ATTEMPT_MAX: Duration = Duration::from_secs(3);
/// Nobody else answers, where a stranger is believed to be who was called.
const STRANGER_PAUSE: Duration = Duration::from_secs(1);
const REFUSED_MAX: usize = 8;
/// Between two of ours, where the first came to nothing.
const REST: Duration = Duration::from_millis(500);
