//! Where a request goes that follows no flow (RFC 3263): the places a URI names, the best first.

use std::net::SocketAddr;

use ::sip::{Host, Uri};
use config::{Config, Protocol};

use crate::sip::destination::Destination;
use crate::sip::shared::printable;

/// Places of one name that are tried.
pub(crate) const HOPS_MAX: usize = 8;

/// One place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Hop {
    /// By UDP, from the transport of this name if there is one.
    Udp(SocketAddr, Option<Box<str>>),
    /// Over a connection of our own.
    Connection(Destination),
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

/// The places of `uri`. The error is the end of a sentence.
pub(crate) async fn hops(uri: &Uri, by: Option<&By>) -> Result<Vec<Hop>, String> {
    let protocol = protocol_of(uri, by)?;
    let host = uri.host().ok_or("it names no host")?;
    let port = uri.port().unwrap_or(match protocol {
        Protocol::Tls => 5061,
        _ => 5060,
    });
    let addresses: Vec<SocketAddr> = match host.ip() {
        Some(ip) => vec![SocketAddr::new(ip, port)],
        None => {
            let found = tokio::net::lookup_host((host.to_string(), port)).await;
            let found = found.map_err(|error| error.to_string())?;
            found.take(HOPS_MAX).collect()
        }
    };
    if addresses.is_empty() {
        return Err("it has no address".to_owned());
    }
    let addresses = addresses.into_iter();
    Ok(addresses
        .map(|address| hop(protocol, host, address, by))
        .collect())
}

fn hop(protocol: Protocol, host: &Host, address: SocketAddr, by: Option<&By>) -> Hop {
    let transport = by.map(|by| by.id.clone());
    match protocol {
        Protocol::Udp => Hop::Udp(address, transport),
        Protocol::Tcp | Protocol::Tls | Protocol::Ws | Protocol::Wss => {
            Hop::Connection(Destination {
                secure: protocol == Protocol::Tls,
                host: name_of(host),
                port: address.port(),
                address: Some(address.ip()),
                transport,
            })
        }
    }
}

/// A host as certificates and the system name it.
fn name_of(host: &Host) -> String {
    match host.ip() {
        Some(ip) => ip.to_string(),
        None => host.to_string().to_ascii_lowercase(),
    }
}

/// RFC 3263 §4.1: "If the URI specifies a transport protocol in the transport parameter, that transport
/// protocol SHOULD be used"; then the transport that is named decides. RFC 3261 §26.2.2: `sips` is TLS,
/// whatever carries it.
fn protocol_of(uri: &Uri, by: Option<&By>) -> Result<Protocol, String> {
    let named = uri.param("transport").unwrap_or_default();
    let is = |name: &str| named.eq_ignore_ascii_case(name);
    let by_uri = match (uri.is_secure(), named) {
        (true, _) if named.is_empty() || is("tcp") || is("tls") => Some(Protocol::Tls),
        (false, "") => None,
        (false, _) if is("udp") => Some(Protocol::Udp),
        (false, _) if is("tcp") => Some(Protocol::Tcp),
        (false, _) if is("tls") => Some(Protocol::Tls),
        (true | false, _) => {
            let named = printable(named);
            return Err(format!(
                "requests of the exchange go by UDP, TCP and TLS, not by `{named}`"
            ));
        }
    };
    let id = by.map_or("", |by| &by.id);
    match (by_uri, by.map(|by| by.protocol)) {
        (Some(protocol), None) => Ok(protocol),
        (Some(wanted), Some(own)) if wanted == own => Ok(own),
        (Some(wanted), Some(own)) => Err(format!(
            "it is reached by {}, and transport `{id}` is {}",
            wanted.as_str(),
            own.as_str()
        )),
        (None, Some(own @ (Protocol::Udp | Protocol::Tcp | Protocol::Tls))) => Ok(own),
        (None, Some(Protocol::Ws | Protocol::Wss)) => Err(format!(
            "transport `{id}` is for web sockets, which only others open"
        )),
        (None, None) => Ok(Protocol::Udp),
    }
}
