//! The machine's own addresses, which media offers as ICE candidates.

use std::net::IpAddr;

/// What media may be reached at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Addresses {
    /// Interface addresses first, loopback last: the order of preference (RFC 8421).
    pub(crate) all: Vec<IpAddr>,
    /// There is nothing but loopback; browsers gather no loopback candidates of their own.
    pub(crate) loopback_only: bool,
}

/// Asks the system. A machine that does not tell has loopback.
pub(crate) fn of_this_machine() -> Addresses {
    let found = if_addrs::get_if_addrs().unwrap_or_else(|error| {
        tracing::warn!("cannot list the network interfaces ({error}); media offers loopback alone");
        Vec::new()
    });
    sorted(found.iter().map(if_addrs::Interface::ip))
}

fn sorted(found: impl Iterator<Item = IpAddr>) -> Addresses {
    let (mut all, mut loopback): (Vec<IpAddr>, Vec<IpAddr>) = found
        .filter(usable)
        .partition(|address| !address.is_loopback());
    all.truncate(ADDRESSES_MAX);
    let loopback_only = all.is_empty();
    if loopback.is_empty() {
        loopback.push(IpAddr::from([127, 0, 0, 1]));
    }
    all.append(&mut loopback);
    Addresses { all, loopback_only }
}

/// Link-local addresses need a scope that ICE candidates cannot carry (RFC 8445 §5.1.1.1).
fn usable(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !v4.is_link_local() && !v4.is_unspecified() && !v4.is_multicast(),
        IpAddr::V6(v6) => !v6.is_unicast_link_local() && !v6.is_unspecified() && !v6.is_multicast(),
    }
}

/// A machine with many container bridges must not make an SDP of candidates alone.
const ADDRESSES_MAX: usize = 12;

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::sorted;

    fn addresses(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn interface_addresses_come_before_loopback_and_link_local_ones_not_at_all() {
        let found = addresses(&["127.0.0.1", "192.0.2.2", "fe80::1", "::1", "2001:db8::7"]);
        let sorted = sorted(found.into_iter());
        assert_eq!(
            sorted.all,
            addresses(&["192.0.2.2", "2001:db8::7", "127.0.0.1", "::1"])
        );
        assert!(!sorted.loopback_only);
    }

    #[test]
    fn a_machine_with_loopback_alone_is_known_as_such() {
        assert!(sorted(addresses(&["127.0.0.1", "::1"]).into_iter()).loopback_only);
        assert!(sorted(std::iter::empty()).loopback_only);
    }
}
