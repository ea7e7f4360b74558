//! How many connections strangers may hold, and for how long.
//!
//! Whoever opens a connection is a stranger until a request on it has proven who sent it. Strangers
//! are few per address (a network of IPv6 counts as one), few altogether, may send little, and must
//! prove themselves in time. Who has proven himself counts no more: a whole office behind one address
//! may register.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use ::sip::FlowId;

use crate::sip::limiter::prefix;
use crate::sip::shared::Shared;

/// What strangers may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections of strangers altogether.
    pub strangers: usize,
    /// Those of one IPv4 address or one IPv6 network (/64).
    pub strangers_per_address: usize,
    /// Time to prove oneself.
    pub stranger_life: Duration,
    /// Bytes a stranger may send. Two INVITEs with the largest description fit.
    pub stranger_bytes: usize,
    /// Connections of one TCP or TLS transport.
    pub connections: usize,
    /// Time to the first whole message of a TCP or TLS connection.
    pub first_message: Duration,
    /// Time from the first byte of a message to its last.
    pub message: Duration,
    /// Time for a TLS handshake.
    pub handshake: Duration,
    /// Time to open a connection of our own, TLS included.
    pub dial: Duration,
    /// Silence after which a TCP or TLS connection without registration and call is closed.
    pub idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            strangers: 2_048,
            strangers_per_address: 256,
            stranger_life: Duration::from_secs(90),
            stranger_bytes: 128 * 1024,
            connections: 8_192,
            first_message: Duration::from_secs(30),
            message: Duration::from_secs(20),
            handshake: Duration::from_secs(10),
            dial: Duration::from_secs(5),
            idle: Duration::from_secs(600),
        }
    }
}

/// The strangers there are.
#[derive(Debug, Default)]
pub(crate) struct Admissions {
    by_address: BTreeMap<IpAddr, usize>,
    by_flow: BTreeMap<FlowId, Stranger>,
}

#[derive(Debug)]
struct Stranger {
    address: IpAddr,
    known: Arc<AtomicBool>,
}

impl Admissions {
    /// Lets a stranger in; `None` if there are too many.
    fn admit(&mut self, flow: FlowId, remote: IpAddr, limits: &Limits) -> Option<Arc<AtomicBool>> {
        let address = prefix(remote);
        let own = self.by_address.get(&address).copied().unwrap_or(0);
        if own >= limits.strangers_per_address || self.by_flow.len() >= limits.strangers {
            return None;
        }
        self.by_address.insert(address, own + 1);
        let known = Arc::new(AtomicBool::new(false));
        let stranger = Stranger {
            address,
            known: known.clone(),
        };
        self.by_flow.insert(flow, stranger);
        Some(known)
    }

    /// The flow's user is known now, or gone.
    fn remove(&mut self, flow: FlowId) -> Option<Stranger> {
        let stranger = self.by_flow.remove(&flow)?;
        if let Some(count) = self.by_address.get_mut(&stranger.address) {
            *count -= 1;
            if *count == 0 {
                self.by_address.remove(&stranger.address);
            }
        }
        Some(stranger)
    }

    /// A request on this flow has proven who sent it.
    pub(crate) fn prove(&mut self, flow: FlowId) {
        if let Some(stranger) = self.remove(flow) {
            stranger.known.store(true, Ordering::Relaxed);
        }
    }
}

/// The place of one connection; dropping it gives the place back.
#[derive(Debug)]
pub(crate) struct Place {
    shared: Arc<Shared>,
    flow: FlowId,
    known: Arc<AtomicBool>,
}

impl Place {
    /// A place for a stranger, if there is one.
    pub(crate) fn take(
        shared: &Arc<Shared>,
        flow: FlowId,
        remote: IpAddr,
        limits: &Limits,
    ) -> Option<Self> {
        let Some(known) = shared.admissions().admit(flow, remote, limits) else {
            if shared
                .counters
                .crowded
                .fetch_add(1, Ordering::Relaxed)
                .is_power_of_two()
            {
                tracing::warn!(%remote, "closed a connection: too many of this address, or of all, have not proven who they are");
            }
            return None;
        };
        let shared = shared.clone();
        Some(Self {
            shared,
            flow,
            known,
        })
    }

    /// That of a connection of our own: whom we call is no stranger.
    pub(crate) fn of_ours(shared: &Arc<Shared>, flow: FlowId) -> Self {
        Self {
            shared: shared.clone(),
            flow,
            known: Arc::new(AtomicBool::new(true)),
        }
    }

    /// Whether the user of the connection has proven who he is.
    pub(crate) fn is_known(&self) -> bool {
        self.known.load(Ordering::Relaxed)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shared.admissions().remove(self.flow);
    }
}

/// One more in a counter as long as it lives.
#[derive(Debug)]
pub(crate) struct Counted(Arc<AtomicUsize>);

impl Counted {
    /// `None` if there are `max` already.
    pub(crate) fn take(counter: &Arc<AtomicUsize>, max: usize) -> Option<Self> {
        let more = |count: usize| (count < max).then_some(count + 1);
        let taken = counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        taken.is_ok().then(|| Self(counter.clone()))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_are_few_and_the_known_do_not_count() {
        let limits = Limits {
            strangers: 3,
            strangers_per_address: 2,
            ..Limits::default()
        };
        let (mut table, one) = (Admissions::default(), "192.0.2.1".parse().unwrap());
        let first = table.admit(FlowId(1), one, &limits).unwrap();
        assert!(table.admit(FlowId(2), one, &limits).is_some());
        assert!(table.admit(FlowId(3), one, &limits).is_none(), "address");
        table.prove(FlowId(1));
        assert!(first.load(Ordering::Relaxed));
        assert!(table.admit(FlowId(3), one, &limits).is_some());
        let six = |host| format!("2001:db8::{host}").parse().unwrap();
        assert!(table.admit(FlowId(4), six(1), &limits).is_some());
        assert!(table.admit(FlowId(5), six(2), &limits).is_none(), "all");
        for flow in 1..=5 {
            table.remove(FlowId(flow));
        }
        assert_eq!((table.by_address.len(), table.by_flow.len()), (0, 0));
    }

    #[test]
    fn hosts_of_one_ipv6_network_count_together() {
        let limits = Limits {
            strangers_per_address: 1,
            ..Limits::default()
        };
        let mut table = Admissions::default();
        let six = |host| format!("2001:db8::{host}").parse().unwrap();
        assert!(table.admit(FlowId(1), six(1), &limits).is_some());
        assert!(table.admit(FlowId(2), six(2), &limits).is_none());
        let mapped = "::ffff:192.0.2.1".parse().unwrap();
        assert!(table.admit(FlowId(3), mapped, &limits).is_some());
        let plain = "192.0.2.1".parse().unwrap();
        assert!(table.admit(FlowId(4), plain, &limits).is_none());
    }
}
