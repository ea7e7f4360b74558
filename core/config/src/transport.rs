//! `type=transport`: where SIP listens.

use crate::option::{Fault, Object, Parse, Row, number, row, word};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// One `type=transport` object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransportConfig {
    /// The section's name.
    pub id: String,
    /// The protocol.
    pub protocol: Protocol,
    /// The address it listens on. Web sockets listen where `http.conf` says, not here.
    pub bind: SocketAddr,
    /// The certificate chain (tls).
    pub cert_file: Option<String>,
    /// The private key (tls).
    pub priv_key_file: Option<String>,
    /// The address written into SDP for peers outside the local networks.
    pub external_media_address: Option<String>,
    /// The host written into Contact and Via for peers outside the local networks.
    pub external_signaling_address: Option<String>,
    /// The port written beside it; 0 is that of `bind`.
    pub external_signaling_port: u16,
}

/// `protocol`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// `udp`.
    Udp,
    /// `tcp`.
    Tcp,
    /// `tls`.
    Tls,
    /// `ws`.
    Ws,
    /// `wss`.
    Wss,
}

impl Protocol {
    /// As written in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Ws => "ws",
            Self::Wss => "wss",
        }
    }

    /// Whether the exchange listens on it.
    pub fn is_served(self) -> bool {
        match self {
            Self::Udp | Self::Ws | Self::Wss => true,
            Self::Tcp | Self::Tls => false,
        }
    }
}

impl Object for TransportConfig {
    const KIND: &'static str = "transport";
    const OPTIONS: &'static [Row<Self>] = OPTIONS;

    fn named(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            protocol: Protocol::Udp,
            bind: SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0),
            cert_file: None,
            priv_key_file: None,
            external_media_address: None,
            external_signaling_address: None,
            external_signaling_port: 0,
        }
    }

    fn finish(&mut self) {
        if self.bind.port() == 0 {
            self.bind.set_port(match self.protocol {
                Protocol::Udp | Protocol::Tcp | Protocol::Ws => 5060,
                Protocol::Tls | Protocol::Wss => 5061,
            });
        }
    }
}

const OPTIONS: &[Row<TransportConfig>] = &[
    row(
        "bind",
        "",
        Parse::Own(bind),
        "Address and port; 5060, or 5061 for tls, without one.",
    ),
    row(
        "cert_file",
        "",
        Parse::Optional(|t| &mut t.cert_file),
        "The certificate chain (tls); not acted on yet.",
    ),
    row(
        "external_media_address",
        "",
        Parse::Optional(|t| &mut t.external_media_address),
        "Address in SDP for peers outside; not acted on yet.",
    ),
    row(
        "external_signaling_address",
        "",
        Parse::Optional(|t| &mut t.external_signaling_address),
        "Host in Contact and Via for peers outside; not acted on yet.",
    ),
    row(
        "external_signaling_port",
        "0",
        Parse::Own(external_port),
        "The port beside it; not acted on yet.",
    ),
    row(
        "priv_key_file",
        "",
        Parse::Optional(|t| &mut t.priv_key_file),
        "The private key (tls); not acted on yet.",
    ),
    row(
        "protocol",
        "udp",
        Parse::Own(protocol),
        "udp, tcp, tls, ws or wss; tcp and tls are not served yet.",
    ),
];

fn bind(transport: &mut TransportConfig, value: &str) -> Result<(), Fault> {
    let (address, port) = address(value)?;
    transport.bind = SocketAddr::new(address, port.unwrap_or(0));
    Ok(())
}

/// `1.2.3.4`, `1.2.3.4:5060`, `::`, `[::]`, `[::]:5060`, and `localhost` for an address.
pub(crate) fn address(value: &str) -> Result<(IpAddr, Option<u16>), Fault> {
    let bare = value.strip_prefix('[').and_then(|v| v.strip_suffix(']'));
    if let Ok(address) = bare.unwrap_or(value).parse() {
        return Ok((address, None));
    }
    if let Ok(address) = value.parse::<SocketAddr>() {
        return Ok((address.ip(), Some(address.port())));
    }
    match value.strip_prefix("localhost") {
        Some("") => Ok((Ipv4Addr::LOCALHOST.into(), None)),
        Some(port) => {
            let port = port.strip_prefix(':').ok_or(Fault::NotAddress)?;
            let port = port.parse().map_err(|_| Fault::NotAddress)?;
            Ok((Ipv4Addr::LOCALHOST.into(), Some(port)))
        }
        None => Err(Fault::NotAddress),
    }
}

fn protocol(transport: &mut TransportConfig, value: &str) -> Result<(), Fault> {
    transport.protocol = match word(value, &["udp", "tcp", "tls", "ws", "wss"])? {
        0 => Protocol::Udp,
        1 => Protocol::Tcp,
        2 => Protocol::Tls,
        3 => Protocol::Ws,
        _ => Protocol::Wss,
    };
    Ok(())
}

fn external_port(transport: &mut TransportConfig, value: &str) -> Result<(), Fault> {
    transport.external_signaling_port = number(value, 0, 65_535)?;
    Ok(())
}
