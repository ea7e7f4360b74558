//! Counts requests by address, so that the log has one line for a flood of them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::sip::limiter::prefix;

/// Addresses remembered; beyond it the silent ones are forgotten, or all.
pub(crate) const SOURCES_MAX: usize = 4_096;

/// Requests of each address since the first of its period.
#[derive(Debug, Default)]
pub(crate) struct Strangers {
    sources: BTreeMap<IpAddr, Counted>,
    prune_at: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Counted {
    since: Instant,
    last: Instant,
    count: u32,
}

/// When a flood is worth a line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Threshold {
    /// So many requests…
    pub(crate) count: u32,
    /// …within this time.
    pub(crate) period: Duration,
    /// How long a silent address is remembered.
    pub(crate) forget: Duration,
}

impl Strangers {
    /// Counts one request; true if this one makes the number worth a line, once in each period.
    pub(crate) fn note(&mut self, source: IpAddr, now: Instant, threshold: Threshold) -> bool {
        self.prune(now, threshold.forget);
        let counted = self.sources.entry(prefix(source)).or_insert(Counted {
            since: now,
            last: now,
            count: 0,
        });
        if now.duration_since(counted.since) > threshold.period {
            counted.since = now;
            counted.count = 0;
        }
        counted.last = now;
        counted.count = counted.count.saturating_add(1);
        counted.count == threshold.count.max(1)
    }

    /// What was counted of an address came to nothing.
    pub(crate) fn forget(&mut self, source: IpAddr) {
        self.sources.remove(&prefix(source));
    }

    fn prune(&mut self, now: Instant, forget: Duration) {
        let full = self.sources.len() >= SOURCES_MAX;
        if full || self.prune_at.is_none_or(|at| at <= now) {
            self.prune_at = Some(now + forget);
            let is_recent = |counted: &Counted| now.duration_since(counted.last) < forget;
            self.sources.retain(|_, counted| is_recent(counted));
        }
        if self.sources.len() >= SOURCES_MAX {
            self.sources.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THRESHOLD: Threshold = Threshold {
        count: 3,
        period: Duration::from_secs(5),
        forget: Duration::from_secs(30),
    };

    #[test]
    fn a_flood_has_one_line_in_each_period() {
        let (mut strangers, now) = (Strangers::default(), Instant::now());
        let source = IpAddr::from([192, 0, 2, 1]);
        let mut lines = 0;
        for tenth in 0..100 {
            let at = now + Duration::from_millis(100 * tenth);
            lines += u32::from(strangers.note(source, at, THRESHOLD));
        }
        assert_eq!(lines, 2);
        assert!(!strangers.note(IpAddr::from([192, 0, 2, 2]), now, THRESHOLD));
        // Somebody who has a whole network of IPv6 is one.
        let lines = (0..1_000_u16).filter(|host| {
            let source = std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, *host);
            strangers.note(source.into(), now, THRESHOLD)
        });
        assert_eq!(lines.count(), 1);
    }

    #[test]
    fn addresses_are_forgotten() {
        let (mut strangers, now) = (Strangers::default(), Instant::now());
        for number in 0..2 * u32::try_from(SOURCES_MAX).unwrap() {
            strangers.note(IpAddr::from(number.to_be_bytes()), now, THRESHOLD);
            assert!(strangers.sources.len() <= SOURCES_MAX);
        }
        strangers.note(
            IpAddr::from([192, 0, 2, 1]),
            now + Duration::from_secs(60),
            THRESHOLD,
        );
        assert_eq!(strangers.sources.len(), 1);
    }
}
