//! Addresses of the hosts that `identify` objects name, looked up when they are first needed and again
//! every minute.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::OnceCell;

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
    slots: Mutex<BTreeMap<String, Arc<Slot>>>,
}

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
    pub(crate) async fn addresses(&self, host: &str) -> Vec<IpAddr> {
        let slot = self.slot(host);
        slot.first.get_or_init(|| slot.look_up(host)).await;
        let stale = {
            let mut known = slot.known();
            let stale = known.until.is_none_or(|until| until <= now());
            if stale {
                known.until = Some(now() + AGE_MAX);
            }
            stale
        };
        if stale {
            slot.look_up(host).await;
        }
        slot.known().addresses.clone()
    }

    fn slot(&self, host: &str) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= HOSTS_MAX && !slots.contains_key(host) {
            slots.clear();
        }
        slots.entry(host.to_owned()).or_default().clone()
    }
}

impl Slot {
    async fn look_up(&self, host: &str) {
        let answer = tokio::time::timeout(PATIENCE, tokio::net::lookup_host((host, 0))).await;
        let mut known = self.known();
        known.until = Some(now() + AGE_MAX);
        match answer {
            Ok(Ok(found)) => {
                known.addresses = found.map(|address| address.ip().to_canonical()).collect();
            }
            Ok(Err(error)) => tracing::warn!(host, "identify: the host is not found: {error}"),
            Err(_) => tracing::warn!(host, "identify: nobody answers where the host is"),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
