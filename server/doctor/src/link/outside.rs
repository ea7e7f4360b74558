//! Whether browsers on the internet can be told an address that reaches this machine.

use std::net::{IpAddr, Ipv4Addr};

use config::{Config, Protocol};
use serde_json::json;

use crate::places::Places;
use crate::report::Link;

const NAME: &str = "outside";

/// Looks at the interfaces of this machine and the transports.
pub(crate) fn examine(config: &Config, places: &Places<'_>) -> Link {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let found: Vec<(IpAddr, u8)> = interfaces
        .iter()
        .map(|interface| {
            let prefix = match &interface.addr {
                if_addrs::IfAddr::V4(v4) => v4.prefixlen,
                if_addrs::IfAddr::V6(v6) => v6.prefixlen,
            };
            (interface.ip(), prefix)
        })
        .collect();
    judge(config, places, &found)
}

fn judge(config: &Config, places: &Places<'_>, addresses: &[(IpAddr, u8)]) -> Link {
    let public = addresses.iter().find(|(ip, _)| is_public(*ip));
    let written = config.transports.iter().find_map(|transport| {
        let address = transport.external_media_address.as_deref()?;
        Some((address, transport.id.as_str()))
    });
    let private: Vec<_> = addresses.iter().filter(|(ip, _)| is_private(*ip)).collect();
    let mut link = match (written, public) {
        (Some((address, id)), _) => {
            Link::new(NAME, format!("{id} announces {address} to peers outside"))
        }
        (None, Some((ip, _))) => Link::new(
            NAME,
            format!("{ip} can be reached from the internet, if no firewall objects"),
        ),
        (None, None) => Link::new(NAME, "only addresses of a local network"),
    };
    if written.is_none() && public.is_none() {
        warn(config, places, &private, &mut link);
    }
    if let Some((address, id)) = written
        && address.parse::<IpAddr>().is_ok_and(is_private)
        && address.parse::<IpAddr>().is_ok_and(|ip| !ip.is_loopback())
    {
        link.warn(
            Some(places.object(id, "transport", &["external_media_address"])),
            format!("external_media_address={address} is itself an address of a local network"),
            "write the address under which the internet sees this machine (ask the router, or `curl ifconfig.me`)",
        );
    }
    let shown: Vec<String> = addresses.iter().map(|(ip, _)| ip.to_string()).collect();
    link.details = json!({ "addresses": shown, "external": written.map(|(address, _)| address) });
    link
}

fn warn(config: &Config, places: &Places<'_>, private: &[&(IpAddr, u8)], link: &mut Link) {
    let own = private.first().map(|(ip, prefix)| (*ip, *prefix));
    let shown = own.map_or_else(|| "loopback".to_owned(), |(ip, _)| ip.to_string());
    let transports = &config.transports;
    let id = transports
        .iter()
        .find(|transport| transport.protocol == Protocol::Udp)
        .or_else(|| transports.first())
        .map(|transport| transport.id.as_str());
    let net = own.map_or_else(
        || "192.168.0.0/16".to_owned(),
        |(ip, prefix)| format!("{}/{prefix}", network(ip, prefix)),
    );
    let lines = format!(
        "external_media_address=PUBLIC\nexternal_signaling_address=PUBLIC\nlocal_net={net}"
    );
    let cure = match id {
        Some(id) => format!(
            "for callers outside, forward the ports to {shown} and add under [{id}], PUBLIC being the \
             router's address:\n{lines}"
        ),
        None => format!(
            "for callers outside, forward the ports to {shown} and add to pjsip.conf, PUBLIC being the \
             router's address:\n[transport-wss]\ntype=transport\nprotocol=wss\nbind=0.0.0.0\n{lines}"
        ),
    };
    let place = id.map_or_else(
        || places.file("pjsip.conf"),
        |id| places.object(id, "transport", &[]),
    );
    link.warn(
        Some(place),
        format!(
            "this machine has only local addresses ({shown}) and no external_media_address is \
             configured: phones outside this network will connect, but hear nothing"
        ),
        cure,
    );
}

/// The first address of a network.
fn network(ip: IpAddr, prefix: u8) -> IpAddr {
    match ip {
        IpAddr::V4(v4) => {
            let mask = u32::MAX
                .checked_shl(32 - u32::from(prefix.min(32)))
                .unwrap_or(0);
            Ipv4Addr::from(u32::from(v4) & mask).into()
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX
                .checked_shl(128 - u32::from(prefix.min(128)))
                .unwrap_or(0);
            std::net::Ipv6Addr::from(u128::from(v6) & mask).into()
        }
    }
}

/// Addresses that mean nothing outside their network: RFC 1918, RFC 6598, RFC 4193 and the like.
fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            v4.is_private() || v4.is_link_local() || a == 100 && b & 0xc0 == 64
        }
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

fn is_public(ip: IpAddr) -> bool {
    let documentation = match ip {
        IpAddr::V4(v4) => v4.is_documentation() || v4.is_broadcast(),
        IpAddr::V6(_) => false,
    };
    !is_private(ip) && !ip.is_loopback() && !ip.is_unspecified() && !documentation
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::judge;
    use crate::places::Places;
    use crate::report::{Link, Outcome};

    fn judged(pjsip: &str, addresses: &[(&str, u8)]) -> Link {
        let files = BTreeMap::from([("pjsip.conf".to_owned(), pjsip.to_owned())]);
        let config = config::load(&files).0.unwrap();
        let addresses: Vec<_> = addresses
            .iter()
            .map(|(ip, prefix)| (ip.parse().unwrap(), *prefix))
            .collect();
        judge(&config, &Places::new(Path::new("/etc"), &files), &addresses)
    }

    const UDP: &str = "[udp]\ntype=transport\nprotocol=udp\nbind=0.0.0.0\n";

    #[test]
    fn a_machine_behind_a_router_is_told_the_lines_to_add() {
        let link = judged(UDP, &[("127.0.0.1", 8), ("192.168.7.5", 24)]);
        assert_eq!(link.outcome, Outcome::Warning);
        let finding = &link.findings[0];
        assert_eq!(finding.place.as_deref(), Some("/etc/pjsip.conf:1"));
        let cure = finding.cure.as_deref().unwrap();
        assert!(
            cure.contains("under [udp]") && cure.ends_with("local_net=192.168.7.0/24"),
            "{cure}"
        );
    }

    #[test]
    fn a_public_address_or_a_written_one_is_enough() {
        assert_eq!(judged(UDP, &[("8.8.4.4", 24)]).outcome, Outcome::Ok);
        let written = format!("{UDP}external_media_address=8.8.4.4\n");
        assert_eq!(judged(&written, &[("10.0.0.2", 8)]).outcome, Outcome::Ok);
        let wrong = format!("{UDP}external_media_address=10.0.0.2\n");
        let link = judged(&wrong, &[("10.0.0.2", 8)]);
        assert_eq!(link.findings[0].place.as_deref(), Some("/etc/pjsip.conf:5"));
    }
}
