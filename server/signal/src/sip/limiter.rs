//! Slows down who guesses passwords, without locking out who knows one.
//!
//! Each address may fail [`FAILURES_MAX`] times, and once more every [`FAILURE_EVERY`]. Beyond that
//! its credentials are looked at only when they come over a flow that has not failed lately: a guesser
//! needs a new connection (and TLS handshake) for each guess, while somebody behind the same NAT who
//! sends the right password on a connection of his own is let in as ever. On UDP a new flow is a new
//! port and costs a guesser nothing: there passwords must be long.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use ::sip::FlowId;

/// Failures an address may make at once.
pub(crate) const FAILURES_MAX: u32 = 30;

/// After this time one failure is forgiven.
pub(crate) const FAILURE_EVERY: Duration = Duration::from_secs(2);

/// How long a flow is remembered to have failed.
pub(crate) const FLOW_PENANCE: Duration = Duration::from_secs(60);

/// Addresses remembered; beyond it the longest silent ones are forgotten.
pub(crate) const SOURCES_MAX: usize = 4_096;

/// Flows remembered, likewise.
pub(crate) const FLOWS_MAX: usize = 16_384;

/// Who failed how often.
#[derive(Debug, Default)]
pub(crate) struct Limiter {
    /// When all failures of an address are forgiven: each failure pushes it on by [`FAILURE_EVERY`].
    sources: Forgiveness<IpAddr>,
    flows: Forgiveness<FlowId>,
}

impl Limiter {
    /// Whether credentials from here are worth looking at.
    pub(crate) fn admits(&self, source: IpAddr, flow: FlowId, now: Instant) -> bool {
        let exhausted = self
            .sources
            .until(&prefix(source))
            .is_some_and(|until| until > now + FAILURE_EVERY * (FAILURES_MAX - 1));
        let failed = self.flows.until(&flow).is_some_and(|until| until > now);
        !(exhausted && failed)
    }

    /// Notes a failure.
    pub(crate) fn failed(&mut self, source: IpAddr, flow: FlowId, now: Instant) {
        let source = prefix(source);
        let before = self
            .sources
            .until(&source)
            .map_or(now, |until| until.max(now));
        let until = (before + FAILURE_EVERY).min(now + FAILURE_EVERY * FAILURES_MAX);
        self.sources.note(source, until, now, SOURCES_MAX);
        self.flows.note(flow, now + FLOW_PENANCE, now, FLOWS_MAX);
    }
}

/// Until when something is held against somebody; the first to be forgiven goes when it is full.
#[derive(Debug)]
struct Forgiveness<K> {
    until: BTreeMap<K, Instant>,
    by_time: BTreeSet<(Instant, K)>,
}

impl<K: Ord + Copy> Forgiveness<K> {
    fn until(&self, key: &K) -> Option<Instant> {
        self.until.get(key).copied()
    }

    fn note(&mut self, key: K, until: Instant, now: Instant, max: usize) {
        if let Some(before) = self.until.insert(key, until) {
            self.by_time.remove(&(before, key));
        }
        self.by_time.insert((until, key));
        while let Some(&(until, key)) = self.by_time.first()
            && (until <= now || self.until.len() > max)
        {
            self.by_time.pop_first();
            self.until.remove(&key);
        }
    }
}

impl<K> Default for Forgiveness<K> {
    fn default() -> Self {
        Self {
            until: BTreeMap::new(),
            by_time: BTreeSet::new(),
        }
    }
}

/// One subscriber of an IPv6 network has a whole /64.
pub(crate) fn prefix(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    #[test]
    fn a_guesser_is_ignored_and_his_neighbour_is_not() {
        let (mut limiter, now) = (Limiter::default(), Instant::now());
        for guess in 0..FAILURES_MAX {
            assert!(limiter.admits(SOURCE, FlowId(1), now), "guess {guess}");
            limiter.failed(SOURCE, FlowId(1), now);
        }
        assert!(!limiter.admits(SOURCE, FlowId(1), now));
        assert!(
            limiter.admits(SOURCE, FlowId(2), now),
            "same address, own connection"
        );
        assert!(limiter.admits("192.0.2.2".parse().unwrap(), FlowId(1), now));
        assert!(
            limiter.admits(SOURCE, FlowId(1), now + FAILURE_EVERY),
            "one guess every while"
        );
        assert!(limiter.admits(SOURCE, FlowId(1), now + FLOW_PENANCE));
    }

    #[test]
    fn addresses_of_one_ipv6_network_count_together() {
        let (mut limiter, now) = (Limiter::default(), Instant::now());
        for host in 0..FAILURES_MAX {
            let source = format!("2001:db8::{host:x}").parse().unwrap();
            limiter.failed(source, FlowId(1), now);
        }
        assert!(!limiter.admits("2001:db8::ffff".parse().unwrap(), FlowId(1), now));
        assert!(limiter.admits("2001:db8:0:1::1".parse().unwrap(), FlowId(1), now));
    }

    #[test]
    fn both_tables_are_bounded() {
        let (mut limiter, now) = (Limiter::default(), Instant::now());
        for number in 0..u32::try_from(FLOWS_MAX).unwrap() + 100 {
            limiter.failed(
                IpAddr::from(number.to_be_bytes()),
                FlowId(number.into()),
                now,
            );
            // The busiest guesser is the last to be forgotten.
            limiter.failed(SOURCE, FlowId(0), now);
        }
        assert_eq!(limiter.sources.until.len(), SOURCES_MAX);
        assert_eq!(limiter.sources.by_time.len(), SOURCES_MAX);
        assert_eq!(limiter.flows.until.len(), FLOWS_MAX);
        assert_eq!(limiter.flows.by_time.len(), FLOWS_MAX);
        assert!(limiter.sources.until(&SOURCE).is_some());
    }
}
