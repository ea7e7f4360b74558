//! How many connections there may be, over all and for one address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::limits::{ADDRESS_SHARE_MIN, STRANGERS_PER_ADDRESS_MAX};

/// The table of who holds how many.
#[derive(Debug, Default)]
pub(crate) struct Places {
    held: Mutex<Held>,
    refused: AtomicUsize,
}

#[derive(Debug, Default)]
struct Held {
    total: usize,
    /// No more entries than connections.
    by_address: HashMap<IpAddr, Counts>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    all: usize,
    /// Those that are no WebSocket (yet): handshakes, requests, idle ones.
    strangers: usize,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Full {
    #[error("{0} connections are open, which is the limit (sessionlimit in http.conf)")]
    Server(usize),
    #[error("{0} connections of this address are open, which is the limit for one")]
    Address(usize),
    #[error("{0} connections of this address have not become WebSockets, which is the limit")]
    Strangers(usize),
}

/// One connection's place; free again when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    address: IpAddr,
    settled: AtomicBool,
}

impl Places {
    /// A place among `most`. One address has three quarters of them at most, so that no single
    /// machine shuts everybody else out; this machine itself (a proxy) has no such limit.
    pub(crate) fn take(self: &Arc<Self>, remote: IpAddr, most: usize) -> Result<Place, Full> {
        let taken = self.try_take(remote, most);
        if taken.is_err() {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        taken
    }

    fn try_take(self: &Arc<Self>, remote: IpAddr, most: usize) -> Result<Place, Full> {
        let address = network_of(remote);
        let mut held = self.lock();
        if held.total >= most {
            return Err(Full::Server(most));
        }
        let share = (most - most / 4).max(ADDRESS_SHARE_MIN);
        let own = held.by_address.entry(address).or_default();
        if !address.is_loopback() {
            if own.all >= share {
                return Err(Full::Address(share));
            }
            if own.strangers >= STRANGERS_PER_ADDRESS_MAX {
                return Err(Full::Strangers(STRANGERS_PER_ADDRESS_MAX));
            }
        }
        own.all += 1;
        own.strangers += 1;
        held.total += 1;
        Ok(Place {
            places: self.clone(),
            address,
            settled: AtomicBool::new(false),
        })
    }

    pub(crate) fn taken(&self) -> usize {
        self.lock().total
    }

    /// Those who found none, since the start.
    pub(crate) fn refused(&self) -> usize {
        self.refused.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// The connection has become a WebSocket.
    pub(crate) fn settle(&self) {
        if !self.settled.swap(true, Ordering::Relaxed)
            && let Some(own) = self.places.lock().by_address.get_mut(&self.address)
        {
            own.strangers -= 1;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.places.lock();
        held.total -= 1;
        if let Some(own) = held.by_address.get_mut(&self.address) {
            own.all -= 1;
            own.strangers -= usize::from(!*self.settled.get_mut());
            if own.all == 0 {
                held.by_address.remove(&self.address);
            }
        }
    }
}

/// Of IPv6 a household has a /64, and any address in it.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) if !v6.is_loopback() => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_address_leaves_room_for_others() {
        let places = Arc::new(Places::default());
        let (greedy, other) = (address("192.0.2.1"), address("192.0.2.2"));
        let held: Vec<Place> = (0..75)
            .map(|_| {
                let place = places.take(greedy, 100).unwrap();
                place.settle();
                place
            })
            .collect();
        assert_eq!(places.take(greedy, 100).unwrap_err(), Full::Address(75));
        let rest: Vec<Place> = (0..25).map(|_| places.take(other, 100).unwrap()).collect();
        assert_eq!(places.take(other, 100).unwrap_err(), Full::Server(100));
        assert_eq!((places.taken(), places.refused()), (100, 2));
        drop((held, rest));
        assert_eq!(places.taken(), 0);
        assert!(
            places.lock().by_address.is_empty(),
            "the table is as small as the crowd"
        );
    }

    #[test]
    fn a_flood_of_handshakes_does_not_count_those_who_became_websockets() {
        let places = Arc::new(Places::default());
        let flood = address("2001:db8::1");
        let first = places.take(flood, 10_000).unwrap();
        first.settle();
        first.settle();
        let _held: Vec<Place> = (0..STRANGERS_PER_ADDRESS_MAX)
            .map(|number| {
                let neighbour = address(&format!("2001:db8::{number:x}"));
                places.take(neighbour, 10_000).unwrap()
            })
            .collect();
        let full = Full::Strangers(STRANGERS_PER_ADDRESS_MAX);
        assert_eq!(places.take(flood, 10_000).unwrap_err(), full);
        assert!(places.take(address("2001:db8:0:1::1"), 10_000).is_ok());
        let local = address("::ffff:127.0.0.1");
        let own: Vec<Place> = (0..1_000)
            .map(|_| places.take(local, 10_000).unwrap())
            .collect();
        assert_eq!(own.len(), 1_000);
    }
}
