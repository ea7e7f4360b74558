//! Whose packets a leg believes: symmetric RTP with strict learning.
//!
//! A description names an address; behind a NAT packets come from another one. The source is learned
//! from the first packets that make sense, then locked. A stranger who sprays a range of ports (RTP
//! Bleed, CVE-2017-14099) is not heard and is sent nothing: while the source is locked nothing moves it
//! but a new description, or its proven silence together with a sign that it is the same one.
//!
//! Encrypted packets prove themselves; for them the address is a matter of where to send to alone.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// How strict (`strictrtp`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strictness {
    /// `yes`: the source is learned, then locked.
    #[default]
    Yes,
    /// `seqno`: learned by sequence numbers alone, whatever address the description names.
    Sequence,
    /// `no`: whatever comes is taken.
    No,
}

/// The learned source of one stream.
#[derive(Clone, Debug)]
pub struct Latch {
    strictness: Strictness,
    /// What the description names.
    declared: Option<SocketAddr>,
    /// Where the peer's signalling comes from.
    signaled: Option<IpAddr>,
    state: State,
    candidates: Vec<Candidate>,
    /// Packets refused.
    refused: u64,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Learning { since: Instant },
    Locked(Lock),
}

#[derive(Clone, Copy, Debug)]
struct Lock {
    address: SocketAddr,
    since: Instant,
    heard: Instant,
    ssrc: u32,
    sequence: u16,
}

/// An address that has not proven itself.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    address: SocketAddr,
    ssrc: u32,
    sequence: u16,
    in_order: u8,
}

/// A packet, as far as it says whose it is.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    /// Where it comes from.
    pub from: SocketAddr,
    /// Its source.
    pub ssrc: u32,
    /// Its number.
    pub sequence: u16,
    /// Whether its key proves whose it is.
    pub is_proven: bool,
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is the source's.
    Heard,
    /// It is the source's, whose address was not known before.
    Learned,
    /// It is a stranger's, or of one who still has to prove itself.
    Refused,
}

impl Latch {
    /// Waits for a source.
    pub fn new(now: Instant, strictness: Strictness, signaled: Option<IpAddr>) -> Self {
        Self {
            strictness,
            declared: None,
            signaled: signaled.map(|ip| ip.to_canonical()),
            state: State::Learning { since: now },
            candidates: Vec::new(),
            refused: 0,
        }
    }

    /// A description names where packets come from; `None` if it names no place (on hold).
    pub fn declare(&mut self, now: Instant, declared: Option<SocketAddr>) {
        if declared.is_none() || declared == self.declared {
            return;
        }
        self.declared = declared;
        self.candidates.clear();
        let is_same = matches!(self.state, State::Locked(lock) if Some(lock.address) == declared);
        if !is_same {
            self.state = State::Learning { since: now };
        }
    }

    /// The learned address.
    pub fn address(&self) -> Option<SocketAddr> {
        match self.state {
            State::Learning { .. } => None,
            State::Locked(lock) => Some(lock.address),
        }
    }

    /// Packets refused so far.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Judges a packet of a format that was agreed on.
    pub fn judge(&mut self, now: Instant, claim: Claim) -> Verdict {
        let verdict = match self.state {
            _ if self.strictness == Strictness::No => self.take(now, claim),
            State::Learning { since } => self.learn(now, since, claim),
            State::Locked(lock) if lock.address == claim.from => self.take(now, claim),
            State::Locked(lock) => self.relearn(now, lock, claim),
        };
        if verdict == Verdict::Refused {
            self.refused += 1;
        }
        verdict
    }

    fn learn(&mut self, now: Instant, since: Instant, claim: Claim) -> Verdict {
        let is_declared = self.strictness == Strictness::Yes && self.declared == Some(claim.from);
        if claim.is_proven || is_declared {
            return self.take(now, claim);
        }
        let is_near = self.is_near(claim.from.ip()) || self.strictness == Strictness::Sequence;
        let is_patient = now.saturating_duration_since(since) >= STRANGER_PAUSE;
        match self.prove(claim) && (is_near || is_patient) {
            true => self.take(now, claim),
            false => Verdict::Refused,
        }
    }

    /// A packet from elsewhere while the source is locked.
    fn relearn(&mut self, now: Instant, lock: Lock, claim: Claim) -> Verdict {
        let silence = now.saturating_duration_since(lock.heard);
        if claim.is_proven {
            // A captured packet may be sent on from elsewhere before its original arrives: as long as
            // the source is heard, it is not moved.
            return match silence >= MOVE_PAUSE {
                true => self.take(now, claim),
                false => Verdict::Refused,
            };
        }
        let is_declared = self.strictness == Strictness::Yes && self.declared == Some(claim.from);
        if is_declared {
            // The declared one may come after another that was believed for want of it.
            let is_early = now.saturating_duration_since(lock.since) < LEARN_TIME;
            return match is_early || silence >= SILENCE {
                true => self.take(now, claim),
                false => Verdict::Refused,
            };
        }
        let ahead = claim.sequence.wrapping_sub(lock.sequence);
        let goes_on = claim.ssrc == lock.ssrc && (1..SEQUENCE_AHEAD_MAX).contains(&ahead);
        let is_same = claim.from.ip() == lock.address.ip() || goes_on;
        match silence >= SILENCE && is_same && self.prove(claim) {
            true => self.take(now, claim),
            false => Verdict::Refused,
        }
    }

    /// Whether a candidate has now sent enough in order.
    fn prove(&mut self, claim: Claim) -> bool {
        let is_known = |candidate: &&mut Candidate| {
            (candidate.address, candidate.ssrc) == (claim.from, claim.ssrc)
        };
        if let Some(known) = self.candidates.iter_mut().find(is_known) {
            let is_next = claim.sequence == known.sequence.wrapping_add(1);
            known.in_order = if is_next {
                known.in_order.saturating_add(1)
            } else {
                1
            };
            known.sequence = claim.sequence;
            return known.in_order >= PROBATION;
        }
        if self.candidates.len() == CANDIDATES_MAX {
            // Whoever has proven least gives way; one that is near only to another that is.
            let rank =
                |candidate: &Candidate| (self.is_near(candidate.address.ip()), candidate.in_order);
            let least = (0..CANDIDATES_MAX).min_by_key(|index| rank(&self.candidates[*index]));
            let Some(least) = least else {
                return false;
            };
            if rank(&self.candidates[least]).0 && !self.is_near(claim.from.ip()) {
                return false;
            }
            self.candidates.remove(least);
        }
        self.candidates.push(Candidate {
            address: claim.from,
            ssrc: claim.ssrc,
            sequence: claim.sequence,
            in_order: 1,
        });
        false
    }

    fn is_near(&self, ip: IpAddr) -> bool {
        let declared = self.declared.map(|declared| declared.ip());
        declared == Some(ip) || self.signaled == Some(ip.to_canonical())
    }

    fn take(&mut self, now: Instant, claim: Claim) -> Verdict {
        let before = self.address();
        let since = match self.state {
            State::Locked(lock) if lock.address == claim.from => lock.since,
            State::Locked(_) | State::Learning { .. } => now,
        };
        self.candidates.clear();
        self.state = State::Locked(Lock {
            address: claim.from,
            since,
            heard: now,
            ssrc: claim.ssrc,
            sequence: claim.sequence,
        });
        match before == Some(claim.from) {
            true => Verdict::Heard,
            false => Verdict::Learned,
        }
    }
}

/// Packets in order that make an address believed (`probation` of `rtp.conf`).
const PROBATION: u8 = 4;
/// Addresses on probation at once.
const CANDIDATES_MAX: usize = 4;
/// An address that has nothing to do with the description or the signalling is believed no earlier:
/// the peer's own packets come first.
const STRANGER_PAUSE: Duration = Duration::from_millis(1500);
/// The declared address may take the place of another one for so long.
const LEARN_TIME: Duration = Duration::from_secs(5);
/// A source that was heard within this time has not moved.
const SILENCE: Duration = Duration::from_secs(3);
const MOVE_PAUSE: Duration = Duration::from_millis(500);
/// A minute of packets: what a source may send while it cannot reach us.
const SEQUENCE_AHEAD_MAX: u16 = 3000;
