//! Addresses of the hosts that `identify` objects name, looked up when they are first needed and again
//! every minute.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::OnceCell;

use crate::sip::resolve::{Names, senders};
use crate::sip::shared::now;

/// How long an answer is believed.
const AGE_MAX: Duration = Duration::from_secs(60);
/// How long a request waits for an answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// Hosts remembered; files name fewer.
const HOSTS_MAX: usize = 10_000;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Hosts {
    slots: Mutex<BTreeMap<Key, Arc<Slot>>>,
}

/// A host, and whether its SRV records count.
type Key = (String, bool);

#[derive(Debug, Default)]
struct Slot {
    first: OnceCell<()>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    addresses: Vec<IpAddr>,
    until: Option<Instant>,
}

impl Hosts {
    /// The addresses of a host. The first question waits for the answer; later one request in a minute
    /// asks again, and the others take what is known. Nothing new is as good as no change.
    pub(crate) async fn addresses(&self, names: &Names, host: &str, srv: bool) -> Vec<IpAddr> {
        let slot = self.slot((host.to_owned(), srv));
        slot.first
            .get_or_init(|| slot.look_up(names, host, srv))
            .await;
        let stale = {
            let mut known = slot.known();
            let stale = known.until.is_none_or(|until| until <= now());
            if stale {
                known.until = Some(now() + AGE_MAX);
            }
            stale
        };
        if stale {
            slot.look_up(names, host, srv).await;
        }
        slot.known().addresses.clone()
    }

    fn slot(&self, key: Key) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= HOSTS_MAX && !slots.contains_key(&key) {
            slots.clear();
        }
        slots.entry(key).or_default().clone()
    }
}

impl Slot {
    async fn look_up(&self, names: &Names, host: &str, srv: bool) {
        let answer = tokio::time::timeout(PATIENCE, senders(names, host, srv)).await;
        let mut known = self.known();
        known.until = Some(now() + AGE_MAX);
        match answer {
            Ok(found) if !found.is_empty() => known.addresses = found,
            Ok(_) => tracing::warn!(
                host,
                "the host that `match` of an identify in pjsip.conf names is not found: no request is known by it"
            ),
            Err(_) => tracing::warn!(
                host,
                "no name server answers where the host is that `match` of an identify in pjsip.conf names"
            ),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
