//! Timers of RFC 3261 §17 (table 4 of its appendix A) and RFC 6026 §8, and the table that keeps deadlines in order.
//!
//! Timer C belongs to proxies (§16.6) and is not here.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Round-trip estimate (RFC 3261 §17.1.1.1).
pub const T1: Duration = Duration::from_millis(500);
/// The longest interval between retransmissions of non-INVITE requests and INVITE responses.
pub const T2: Duration = Duration::from_secs(4);
/// The longest time a message stays in the network.
pub const T4: Duration = Duration::from_secs(5);

/// The timers of the transaction machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timer {
    /// INVITE client in Calling: send the request again; doubles without bound.
    A,
    /// INVITE client in Calling: give up.
    B,
    /// INVITE client in Completed: absorb repeated responses.
    D,
    /// Client in Trying: send again, doubling up to T2; in Proceeding every T2.
    E,
    /// Client: give up.
    F,
    /// INVITE server in Completed: send the response again, doubling up to T2.
    G,
    /// INVITE server in Completed: no ACK came.
    H,
    /// INVITE server in Confirmed: absorb repeated ACKs.
    I,
    /// Server in Completed: absorb repeated requests.
    J,
    /// Client in Completed: absorb repeated responses.
    K,
    /// INVITE server in Accepted (RFC 6026 §7.1): absorb repeated INVITEs.
    L,
    /// INVITE client in Accepted (RFC 6026 §7.2): pass repeated 2xx up.
    M,
}

impl Timer {
    /// Its first interval; `None` if it does not run on this kind of transport.
    pub const fn initial(self, reliable: bool) -> Option<Duration> {
        match self {
            Self::A | Self::E if reliable => None,
            // RFC 3261 §17.2.1: "If an unreliable transport is being used, the timer G is set".
            Self::G if reliable => None,
            Self::A | Self::E | Self::G => Some(T1),
            Self::B | Self::F | Self::H | Self::L | Self::M => Some(T1.saturating_mul(64)),
            // "Timer D … at least 32 seconds for unreliable transports, and a value of zero
            // seconds for reliable transports".
            Self::D if reliable => Some(Duration::ZERO),
            Self::D => Some(Duration::from_secs(32)),
            Self::I | Self::J | Self::K if reliable => Some(Duration::ZERO),
            Self::I | Self::K => Some(T4),
            Self::J => Some(T1.saturating_mul(64)),
        }
    }

    /// Its whole length, nothing if it does not run.
    pub(crate) fn wait(self, reliable: bool) -> Duration {
        self.initial(reliable).unwrap_or_default()
    }

    /// The interval after this one.
    pub fn following(self, interval: Duration) -> Duration {
        match self {
            Self::A => interval.saturating_mul(2),
            Self::E | Self::G => interval.saturating_mul(2).min(T2),
            Self::B | Self::D | Self::F | Self::H => interval,
            Self::I | Self::J | Self::K | Self::L | Self::M => interval,
        }
    }
}

/// A retransmission timer that runs: when it fires next and with which interval it was set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Repeat {
    timer: Timer,
    interval: Duration,
    pub(crate) at: Instant,
}

impl Repeat {
    /// Starts `timer`; `None` on transports on which it does not run.
    pub(crate) fn start(timer: Timer, now: Instant, reliable: bool) -> Option<Self> {
        timer.initial(reliable).map(|interval| Self {
            timer,
            interval,
            at: now + interval,
        })
    }

    /// Sets the next interval if this one has run out by `now`.
    pub(crate) fn fire(&mut self, now: Instant) -> bool {
        if now < self.at {
            return false;
        }
        self.interval = self.timer.following(self.interval);
        // From the deadline, not from `now`: a late driver must not stretch the timers.
        self.at += self.interval;
        if self.at <= now {
            self.at = now + self.interval;
        }
        true
    }

    /// RFC 3261 §17.1.2.2: in Proceeding, Timer E is reset with a value of T2.
    pub(crate) fn slow_down(&mut self) {
        self.interval = T2;
    }
}

/// One deadline for each owner, in order of time. All operations are O(log n).
#[derive(Debug)]
pub(crate) struct TimerTable<K> {
    by_time: BTreeSet<(Instant, K)>,
    by_owner: BTreeMap<K, Instant>,
}

impl<K: Ord + Copy> TimerTable<K> {
    pub(crate) const fn new() -> Self {
        Self {
            by_time: BTreeSet::new(),
            by_owner: BTreeMap::new(),
        }
    }

    /// Replaces the deadline of `owner`.
    pub(crate) fn set(&mut self, owner: K, deadline: Option<Instant>) {
        let old = match deadline {
            Some(at) => self.by_owner.insert(owner, at),
            None => self.by_owner.remove(&owner),
        };
        if old == deadline {
            return;
        }
        if let Some(old) = old {
            self.by_time.remove(&(old, owner));
        }
        if let Some(at) = deadline {
            self.by_time.insert((at, owner));
        }
    }

    /// The earliest deadline.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Takes an owner whose deadline has come.
    pub(crate) fn pop(&mut self, now: Instant) -> Option<K> {
        let &(at, owner) = self.by_time.first()?;
        if at > now {
            return None;
        }
        self.set(owner, None);
        Some(owner)
    }
}

/// The earlier of several deadlines.
pub(crate) fn earliest<const N: usize>(deadlines: [Option<Instant>; N]) -> Option<Instant> {
    deadlines.into_iter().flatten().min()
}
