//! Where a request goes that follows no flow (RFC 3263): the places a URI names, the best first.
//!
//! Addresses need no DNS; neither do names of the hosts file. Answers are kept as long as they say, and the
//! system is asked like any other program would where DNS says nothing.

mod names;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ::sip::{Host, Uri};
use config::{Config, Protocol};

pub(crate) use names::{Names, Silent, Srv};

use crate::sip::destination::Destination;
use crate::sip::outbound::call_id;
use crate::sip::shared::{Shared, printable};

/// Places of one name that are tried.
pub(crate) const HOPS_MAX: usize = 8;

/// How long all the questions about one name may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// One place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Hop {
    /// By UDP, from the transport of this name if there is one.
    Udp(SocketAddr, Option<Box<str>>),
    /// Over a connection of our own.
    Connection(Destination),
}

impl Hop {
    /// Its address, where that is known.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Udp(address, _) => Some(*address),
            Self::Connection(to) => {
                let ip = to.address.or_else(|| to.host.parse().ok())?;
                Some(SocketAddr::new(ip, to.port))
            }
        }
    }
}

impl std::fmt::Display for Hop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Udp(address, _) => write!(f, "udp {address}"),
            Self::Connection(to) => to.fmt(f),
        }
    }
}

/// The transport a request goes by, where the configuration names one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct By {
    pub(crate) id: Box<str>,
    pub(crate) protocol: Protocol,
}

impl By {
    /// The transport of this name, if there is one.
    pub(crate) fn named(config: &Config, id: Option<&str>) -> Option<Self> {
        let own = config.transports.iter().find(|own| Some(&*own.id) == id)?;
        Some(Self {
            id: own.id.as_str().into(),
            protocol: own.protocol,
        })
    }
}

/// The protocols the exchange has a transport for, as it prefers them. RFC 3263 §4.1 leaves the choice to us;
/// most trunks speak UDP first.
#[derive(Debug, Clone, Copy)]
struct Served([Option<Protocol>; 3]);

impl Served {
    fn of(shared: &Shared) -> Self {
        let streams = shared.streams.load();
        let has = |protocol: Protocol| {
            let mut streams = streams.iter();
            streams.any(|listener| listener.settings.load().config.protocol == protocol)
        };
        let is = |protocol, served: bool| served.then_some(protocol);
        Self([
            is(Protocol::Udp, !shared.udp.load().is_empty()),
            is(Protocol::Tcp, has(Protocol::Tcp)),
            is(Protocol::Tls, has(Protocol::Tls)),
        ])
    }

    fn iter(self) -> impl Iterator<Item = Protocol> {
        self.0.into_iter().flatten()
    }
}

/// The places of `uri`, one at least. The error is the end of a sentence.
pub(crate) async fn hops(shared: &Shared, uri: &Uri, by: Option<&By>) -> Result<Vec<Hop>, String> {
    let found = find(&shared.names, uri, by, Served::of(shared));
    let found = tokio::time::timeout(PATIENCE, found).await;
    let mut hops = found.map_err(|_| "DNS does not answer in time".to_owned())??;
    hops.truncate(HOPS_MAX);
    match hops.is_empty() {
        true => Err("it has no address".to_owned()),
        false => Ok(hops),
    }
}

async fn find(
    names: &Names,
    uri: &Uri,
    by: Option<&By>,
    served: Served,
) -> Result<Vec<Hop>, String> {
    let protocol = protocol_of(uri, by)?;
    // RFC 3263 §4: "If the maddr parameter is present … TARGET is its value"; it is the whole of it.
    let maddr = uri.param("maddr").and_then(Host::parse);
    let host = maddr.as_ref().or_else(|| uri.host());
    let host = host.ok_or("it names no host")?;
    let fallback = match protocol {
        Some(protocol) => protocol,
        None if uri.is_secure() => Protocol::Tls,
        None => Protocol::Udp,
    };
    let port = uri.port().unwrap_or_else(|| default_port(fallback));
    let name = name_of(host);
    let place = |protocol, ip, port| hop(protocol, &name, SocketAddr::new(ip, port), by);
    if let Some(ip) = host.ip() {
        return Ok(vec![place(fallback, ip, port)]);
    }
    // §4.2: "If the TARGET was not a numeric IP address, but a port is present in the URI, the client performs
    // an A or AAAA record lookup". A name that the hosts file knows has nothing else.
    if uri.port().is_none()
        && !names.is_local(&name)
        && let Ok(Some(found)) = by_service(names, &name, uri, protocol, served).await
    {
        let found = found.into_iter();
        return Ok(found
            .map(|(protocol, address)| place(protocol, address.ip(), address.port()))
            .collect());
    }
    let addresses = names.addresses(&name).await?;
    let addresses = addresses.into_iter();
    Ok(addresses.map(|ip| place(fallback, ip, port)).collect())
}

/// What NAPTR and SRV say of a name; `None` if they say nothing.
async fn by_service(
    names: &Names,
    name: &str,
    uri: &Uri,
    protocol: Option<Protocol>,
    served: Served,
) -> Result<Option<Vec<(Protocol, SocketAddr)>>, Silent> {
    let takes = |own: Protocol| match protocol {
        Some(protocol) => own == protocol,
        None => served.iter().any(|one| one == own) && (!uri.is_secure() || own == Protocol::Tls),
    };
    let mut services: Vec<(Protocol, String)> = match protocol {
        Some(protocol) => vec![(protocol, service_of(protocol, name))],
        None => {
            let offered = names.naptr(name).await?.into_iter();
            offered.filter(|(own, _)| takes(*own)).collect()
        }
    };
    if services.is_empty() {
        let own = served.iter().filter(|own| takes(*own));
        services.extend(own.map(|own| (own, service_of(own, name))));
    }
    let (mut found, mut any) = (Vec::new(), false);
    for (protocol, service) in services {
        let records = names.srv(&service).await?;
        any |= !records.is_empty();
        for record in in_order(records, draw) {
            if found.len() >= HOPS_MAX {
                break;
            }
            // A target without an address is as good as one that does not answer.
            let addresses = names.addresses(&record.target).await.unwrap_or_default();
            found.extend(
                addresses
                    .into_iter()
                    .map(|ip| (protocol, SocketAddr::new(ip, record.port))),
            );
        }
    }
    Ok(any.then_some(found))
}

/// The addresses a host sends from, as far as its records say (`match=` with `srv_lookups`).
pub(crate) async fn senders(names: &Names, host: &str, srv: bool) -> Vec<IpAddr> {
    let mut all = names.addresses(host).await.unwrap_or_default();
    if srv {
        for protocol in [Protocol::Udp, Protocol::Tcp, Protocol::Tls] {
            let records = names.srv(&service_of(protocol, host)).await;
            for record in records.unwrap_or_default().into_iter().take(HOPS_MAX) {
                all.extend(names.addresses(&record.target).await.unwrap_or_default());
            }
        }
    }
    all
}

/// RFC 2782: the lowest priority first; among equals, one after the other is drawn, each as likely as its
/// weight says. `draw` gives a number up to its argument, that included.
fn in_order(mut records: Vec<Srv>, mut draw: impl FnMut(u32) -> u32) -> Vec<Srv> {
    // "arrange all SRV RRs (that have not been ordered yet) in any order, except that all those with weight 0
    // are placed at the beginning of the list".
    records.sort_by_key(|record| (record.priority, record.weight != 0));
    let mut ordered = Vec::with_capacity(records.len());
    while let Some(first) = records.first() {
        let priority = first.priority;
        let same = records.iter().take_while(|one| one.priority == priority);
        let weights: Vec<u32> = same.map(|one| one.weight.into()).collect();
        let drawn = draw(weights.iter().sum());
        let mut sum = 0;
        let reached = weights.iter().position(|weight| {
            sum += weight;
            sum >= drawn
        });
        ordered.push(records.remove(reached.unwrap_or(0)));
    }
    // "A Target of "." means that the service is decidedly not available at this domain."
    ordered.retain(|record| !record.target.is_empty());
    ordered
}

fn draw(most: u32) -> u32 {
    let drawn = u64::from_str_radix(&call_id()[..8], 16).unwrap_or_default();
    u32::try_from(drawn % (u64::from(most) + 1)).unwrap_or(0)
}

fn hop(protocol: Protocol, name: &str, address: SocketAddr, by: Option<&By>) -> Hop {
    let transport = by.map(|by| by.id.clone());
    match protocol {
        Protocol::Udp => Hop::Udp(address, transport),
        // RFC 5922 §7.2: the certificate is for the domain of the URI, wherever SRV leads.
        Protocol::Tcp | Protocol::Tls | Protocol::Ws | Protocol::Wss => {
            Hop::Connection(Destination {
                secure: protocol == Protocol::Tls,
                host: name.to_owned(),
                port: address.port(),
                address: Some(address.ip()),
                transport,
            })
        }
    }
}

/// RFC 3261 §19.1.2.
fn default_port(protocol: Protocol) -> u16 {
    match protocol {
        Protocol::Tls | Protocol::Wss => 5061,
        Protocol::Udp | Protocol::Tcp | Protocol::Ws => 5060,
    }
}

/// RFC 3263 §4.1.
fn service_of(protocol: Protocol, name: &str) -> String {
    let service = match protocol {
        Protocol::Udp => "_sip._udp",
        Protocol::Tls | Protocol::Wss => "_sips._tcp",
        Protocol::Tcp | Protocol::Ws => "_sip._tcp",
    };
    format!("{service}.{name}")
}

/// A host as certificates and DNS name it.
fn name_of(host: &Host) -> String {
    match host.ip() {
        Some(ip) => ip.to_string(),
        None => host.to_string().to_ascii_lowercase(),
    }
}

/// RFC 3263 §4.1: "If the URI specifies a transport protocol in the transport parameter, that transport
/// protocol SHOULD be used"; then the transport that is named decides. RFC 3261 §26.2.2: `sips` is TLS,
/// whatever carries it. `None`: the name decides.
fn protocol_of(uri: &Uri, by: Option<&By>) -> Result<Option<Protocol>, String> {
    let named = uri.param("transport").unwrap_or_default();
    let is = |name: &str| named.eq_ignore_ascii_case(name);
    let by_uri = match (uri.is_secure(), named) {
        (true, "") => None,
        (true, _) if is("tcp") || is("tls") => Some(Protocol::Tls),
        (false, "") => None,
        (false, _) if is("udp") => Some(Protocol::Udp),
        (false, _) if is("tcp") => Some(Protocol::Tcp),
        (false, _) if is("tls") => Some(Protocol::Tls),
        (true | false, _) => {
            let named = printable(named);
            return Err(format!(
                "requests to written addresses go by UDP, TCP and TLS only, not by `{named}`"
            ));
        }
    };
    let Some(By { id, protocol: own }) = by else {
        return Ok(by_uri);
    };
    let wanted = match by_uri {
        None if uri.is_secure() => Some(Protocol::Tls),
        by_uri => by_uri,
    };
    match (wanted, *own) {
        (_, Protocol::Ws | Protocol::Wss) => Err(format!(
            "transport `{id}` is for web sockets, which only others open"
        )),
        (Some(wanted), own) if wanted != own => Err(format!(
            "it is reached by {}, and transport `{id}` is {}",
            wanted.as_str(),
            own.as_str()
        )),
        (_, own) => Ok(Some(own)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(priority: u16, weight: u16, target: &str) -> Srv {
        Srv {
            priority,
            weight,
            port: 5060,
            target: target.to_owned(),
        }
    }

    fn targets(records: Vec<Srv>) -> Vec<String> {
        records.into_iter().map(|record| record.target).collect()
    }

    #[test]
    fn priorities_come_first_and_weights_decide_among_equals() {
        let records = || {
            vec![
                record(20, 0, "spare"),
                record(10, 60, "big"),
                record(10, 0, "none"),
                record(10, 40, "small"),
                record(30, 0, ""),
            ]
        };
        let lowest = targets(in_order(records(), |_| 0));
        assert_eq!(lowest, ["none", "big", "small", "spare"]);
        let highest = targets(in_order(records(), |most| most));
        assert_eq!(highest, ["small", "big", "none", "spare"]);
        // Of a hundred draws, sixty fall to the big one and forty to the small one.
        let first = |drawn: u32| {
            let mut at_first = Some(drawn);
            targets(in_order(records(), |most| {
                at_first.take().unwrap_or(most).min(most)
            }))[0]
                .clone()
        };
        let drawn: Vec<String> = (1..=100).map(first).collect();
        assert_eq!(drawn.iter().filter(|name| *name == "big").count(), 60);
        assert_eq!(drawn.iter().filter(|name| *name == "small").count(), 40);
        assert!((0..1_000).all(|_| draw(3) <= 3));
    }

    #[test]
    fn the_uri_or_the_transport_says_which_protocol() {
        let by = |protocol| By {
            id: "own".into(),
            protocol,
        };
        let of = |uri: &str, by: Option<By>| protocol_of(&uri.parse().unwrap(), by.as_ref());
        assert_eq!(of("sip:a.test", None), Ok(None));
        assert_eq!(of("sips:a.test", None), Ok(None));
        assert_eq!(
            of("sip:a.test;transport=TCP", None),
            Ok(Some(Protocol::Tcp))
        );
        assert_eq!(
            of("sips:a.test;transport=tcp", None),
            Ok(Some(Protocol::Tls))
        );
        let tls = Some(by(Protocol::Tls));
        assert_eq!(of("sip:a.test", tls.clone()), Ok(Some(Protocol::Tls)));
        assert_eq!(of("sips:a.test", tls.clone()), Ok(Some(Protocol::Tls)));
        let crossed = of("sip:a.test;transport=udp", tls).unwrap_err();
        assert_eq!(crossed, "it is reached by udp, and transport `own` is tls");
        assert!(of("sips:a.test", Some(by(Protocol::Udp))).is_err());
        assert!(of("sip:a.test", Some(by(Protocol::Wss))).is_err());
        assert!(of("sip:a.test;transport=ws", None).is_err());
        assert!(of("sips:a.test;transport=udp", None).is_err());
    }
}
