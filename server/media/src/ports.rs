//! The ports of desk phones: pairs out of `rtpstart` to `rtpend`, RTP on the even one and RTCP on the odd
//! one behind it (RFC 3550 §11).
//!
//! Which pair is next cannot be guessed: who sprays a range with packets shall not know where a call that
//! begins now will listen. A pair goes back when its sockets are closed.

use crate::io;
use rtc::PortPair;
use std::collections::BTreeSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The pairs that are in use, of whatever range.
#[derive(Debug, Default)]
pub(crate) struct PortPool {
    /// The even ports in use.
    used: Mutex<BTreeSet<u16>>,
}

/// Two bound sockets.
#[derive(Debug)]
pub(crate) struct BoundPair {
    pub(crate) ports: PortPair,
    pub(crate) rtp: UdpSocket,
    pub(crate) rtcp: UdpSocket,
    pub(crate) lease: Lease,
}

/// Keeps a pair from being given away again.
#[derive(Debug)]
pub(crate) struct Lease {
    pool: Arc<PortPool>,
    port: u16,
}

impl PortPool {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// How many pairs are in use.
    pub(crate) fn used(&self) -> usize {
        self.locked().len()
    }

    /// Binds a free pair of a range; `None` if there is none. Port 0 at the start: whatever is free.
    pub(crate) fn bind(
        self: &Arc<Self>,
        ip: IpAddr,
        range: &RangeInclusive<u16>,
    ) -> Option<BoundPair> {
        if *range.start() == 0 {
            return (0..TRIES_MAX).find_map(|_| self.bind_any(ip));
        }
        let (first, last) = (u32::from(*range.start()), u32::from(*range.end()));
        let first = first.next_multiple_of(2);
        let pairs = (last + 1).saturating_sub(first) / 2;
        if pairs == 0 {
            return None;
        }
        let begin = (RandomState::new().hash_one(ip) % u64::from(pairs)) as u32;
        let mut ports = (0..pairs).map(|index| ((begin + index) % pairs * 2 + first) as u16);
        ports.find_map(|port| {
            // Taken before it is bound: two calls may look at once.
            let lease = self.lease(port)?;
            bind_pair(SocketAddr::new(ip, port), lease)
        })
    }

    /// A pair where the kernel finds one.
    fn bind_any(self: &Arc<Self>, ip: IpAddr) -> Option<BoundPair> {
        let rtp = io::bind_leg(SocketAddr::new(ip, 0)).ok()?;
        let port = rtp.local_addr().ok()?.port();
        drop(rtp);
        let lease = self.lease(port).filter(|_| port.is_multiple_of(2))?;
        bind_pair(SocketAddr::new(ip, port), lease)
    }

    fn lease(self: &Arc<Self>, port: u16) -> Option<Lease> {
        self.locked().insert(port).then(|| Lease {
            pool: Arc::clone(self),
            port,
        })
    }

    fn locked(&self) -> MutexGuard<'_, BTreeSet<u16>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.pool.locked().remove(&self.port);
    }
}

fn bind_pair(address: SocketAddr, lease: Lease) -> Option<BoundPair> {
    let beside = SocketAddr::new(address.ip(), address.port().checked_add(1)?);
    Some(BoundPair {
        rtp: io::bind_leg(address).ok()?,
        rtcp: io::bind_leg(beside).ok()?,
        ports: PortPair {
            rtp: address,
            rtcp: beside,
        },
        lease,
    })
}

/// Whether an address is one of this machine.
pub(crate) fn is_ours(ip: IpAddr) -> bool {
    UdpSocket::bind((ip, 0)).is_ok()
}

/// The address of ours that leads to a peer: what the kernel would send from.
pub(crate) fn address_towards(remote: IpAddr) -> Option<IpAddr> {
    let any: IpAddr = match remote {
        IpAddr::V4(_) => [0; 4].into(),
        IpAddr::V6(_) => [0_u16; 8].into(),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    // Nothing is sent: connecting a UDP socket only chooses the route.
    socket.connect((remote, DISCARD_PORT)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

const TRIES_MAX: usize = 64;
/// RFC 863.
const DISCARD_PORT: u16 = 9;

#[cfg(test)]
mod tests {
    use super::{PortPool, address_towards};
    use std::net::{IpAddr, Ipv4Addr};

    const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn pairs_are_even_and_odd_within_the_range_and_come_back() {
        // Whatever is free right now is a place for four pairs, most likely.
        let base = PortPool::new()
            .bind(LOOPBACK, &(0..=0))
            .unwrap()
            .ports
            .rtp
            .port();
        let (pool, range) = (PortPool::new(), base - 1..=base + 8);
        let pairs: Vec<_> = std::iter::from_fn(|| pool.bind(LOOPBACK, &range)).collect();
        assert!((1..=4).contains(&pairs.len()), "{pairs:?}");
        for pair in &pairs {
            let (rtp, rtcp) = (pair.ports.rtp.port(), pair.ports.rtcp.port());
            assert!(rtp.is_multiple_of(2) && rtcp == rtp + 1);
            assert!(rtp >= base && rtcp < base + 8, "{rtp} from {base}");
        }
        assert_eq!(pool.used(), pairs.len());
        assert!(pool.bind(LOOPBACK, &range).is_none(), "none is left");
        drop(pairs);
        assert_eq!(pool.used(), 0);
        assert!(pool.bind(LOOPBACK, &range).is_some());
    }

    #[test]
    fn a_range_without_a_pair_gives_none() {
        for (first, last) in [(5001, 5001), (5001, 5002), (65_535, 65_535)] {
            let range = first..=last;
            assert!(PortPool::new().bind(LOOPBACK, &range).is_none());
        }
    }

    #[test]
    fn a_pair_half_of_which_is_taken_is_passed_over() {
        let base = PortPool::new()
            .bind(LOOPBACK, &(0..=0))
            .unwrap()
            .ports
            .rtp
            .port();
        let _taken = std::net::UdpSocket::bind((LOOPBACK, base + 1)).unwrap();
        let pool = PortPool::new();
        assert!(pool.bind(LOOPBACK, &(base..=base + 1)).is_none());
        assert_eq!(pool.used(), 0, "and not kept");
    }

    #[test]
    fn the_address_towards_loopback_is_loopback() {
        assert_eq!(address_towards(LOOPBACK), Some(LOOPBACK));
    }
}
