//! `type=transport`: where SIP listens.

use crate::acl::Network;
use crate::option::{Fault, Object, Parse, Row, names, number, row, word};
use crate::shown::Shown;
use std::fmt;
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
    /// The private key (tls); in the file of the certificate if unset.
    pub priv_key_file: Option<String>,
    /// The authorities client certificates are signed by (tls).
    pub ca_list_file: Option<String>,
    /// A folder of such files.
    pub ca_list_path: Option<String>,
    /// The versions of TLS.
    pub method: TlsMethod,
    /// The suites of TLS 1.2, in OpenSSL's names; the secure ones if empty.
    pub cipher: Vec<String>,
    /// Whether a client that shows a certificate must show a good one.
    pub verify_client: bool,
    /// Whether a client must show one.
    pub require_client_cert: bool,
    /// Whether the certificate of a phone we connect to must be good.
    pub verify_server: bool,
    /// Whether it may be one for `*.example.org`.
    pub allow_wildcard_certs: bool,
    /// The address written into SDP for peers outside the local networks.
    pub external_media_address: Option<String>,
    /// The host written into Contact and Via for peers outside the local networks.
    pub external_signaling_address: Option<String>,
    /// The port written beside it; 0 is that of `bind`.
    pub external_signaling_port: u16,
    /// The networks without address translation on the way; without any, everybody is outside.
    pub local_net: Vec<Network>,
    /// The byte of the IP header that says how urgent a packet is (`tos`).
    pub tos: u8,
    /// The priority of packets inside this machine and on its VLAN (`cos`).
    pub cos: u8,
    /// Whether the kernel asks silent TCP peers for a sign of life.
    pub tcp_keepalive_enable: bool,
    /// Silence before it asks, in seconds.
    pub tcp_keepalive_idle_time: u32,
    /// Time between its questions, in seconds.
    pub tcp_keepalive_interval_time: u32,
    /// Questions without answer after which the connection is dead.
    pub tcp_keepalive_probe_count: u32,
    /// Where the section stands.
    pub written: Written,
}

/// Where an object stands. It says nothing about what the object is, so all are equal: a section
/// that moved down a line has not changed.
#[derive(Clone, Debug, Default)]
pub struct Written {
    /// The file, by the name it was read under; the table and the row; empty if there is none.
    pub file: String,
    /// The line, from 1; 0 for a row.
    pub line: u32,
}

impl PartialEq for Written {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Written {}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.file),
            line => write!(f, "{}:{line}", self.file),
        }
    }
}

/// `method`: which versions of TLS are spoken. SSL and TLS 1.0 and 1.1 (RFC 8996) are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsMethod {
    /// TLS 1.2 and 1.3.
    Any,
    /// TLS 1.2 alone.
    Tls12,
    /// TLS 1.3 alone.
    Tls13,
    /// An older version was asked for; TLS 1.2 and 1.3 are spoken.
    Obsolete,
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

    /// Whether `bind` counts: web sockets listen where `http.conf` says.
    pub fn binds(self) -> bool {
        match self {
            Self::Udp | Self::Tcp | Self::Tls => true,
            Self::Ws | Self::Wss => false,
        }
    }
}

impl TransportConfig {
    /// Whether address translation lies on the way to `remote`: it is outside `local_net`, or there
    /// is no `local_net` (as in Asterisk).
    pub fn is_outside(&self, remote: IpAddr) -> bool {
        !self.local_net.iter().any(|net| net.contains(remote))
    }

    /// What our Contact and Via say to `remote`, if it is not our own address: a host with a port.
    pub fn external_host(&self, remote: IpAddr) -> Option<String> {
        let host = self.external_signaling_address.as_deref()?;
        if !self.is_outside(remote) {
            return None;
        }
        let port = match self.external_signaling_port {
            0 => self.bind.port(),
            port => port,
        };
        let bare = host.trim_matches(['[', ']']);
        Some(match bare.parse::<IpAddr>() {
            Ok(IpAddr::V6(_)) => format!("[{bare}]:{port}"),
            Ok(IpAddr::V4(_)) | Err(_) => format!("{bare}:{port}"),
        })
    }

    /// The address of media for `remote`, if it is not our own.
    pub fn external_media(&self, remote: IpAddr) -> Option<IpAddr> {
        let address = self.external_media_address.as_deref()?.parse().ok()?;
        self.is_outside(remote).then_some(address)
    }

    /// The transport by name and place, as messages begin.
    pub fn title(&self) -> String {
        match self.written.file.is_empty() {
            true => format!("transport `{}`", self.id),
            false => format!("{}: transport `{}`", self.written, self.id),
        }
    }

    /// Whether both cannot listen at once: the same kind of socket, port and family, and an address
    /// in common.
    pub fn collides(&self, other: &Self) -> bool {
        let both = self.protocol.binds() && other.protocol.binds();
        let same_kind = (self.protocol == Protocol::Udp) == (other.protocol == Protocol::Udp);
        let (one, two) = (self.bind.ip(), other.bind.ip());
        let same_ip = one == two
            || one.is_ipv4() == two.is_ipv4() && (one.is_unspecified() || two.is_unspecified());
        both && same_kind && self.bind.port() == other.bind.port() && same_ip
    }

    /// What is wrong with the options seen together, and what to do; the flag says whether nothing will
    /// listen.
    pub(crate) fn faults(&self) -> Vec<(bool, String, &'static str)> {
        let mut faults = Vec::new();
        if let Some(address) = &self.external_media_address
            && address.parse::<IpAddr>().is_err()
        {
            let message = format!(
                "external_media_address `{address}` is no IP address, which a candidate must be: \
                 it is not offered"
            );
            let advice = "write the address itself, for example `203.0.113.7`";
            faults.push((false, message, advice));
        }
        if !self.protocol.binds() {
            return faults;
        }
        if self.protocol == Protocol::Tls {
            if self.cert_file.is_none() {
                let message = "protocol=tls needs `cert_file`: nothing listens";
                let advice = "add `cert_file=…`; `sidetone cert` makes a certificate";
                faults.push((true, message.to_owned(), advice));
            }
            let trusts_nobody = self.ca_list_file.is_none() && self.ca_list_path.is_none();
            if (self.verify_client || self.require_client_cert) && trusts_nobody {
                let message = "verify_client and require_client_cert need `ca_list_file` or \
                               `ca_list_path`: nothing listens";
                let advice = "add `ca_list_file=…` with the authorities that sign the phones";
                faults.push((true, message.to_owned(), advice));
            }
            if self.verify_server && trusts_nobody {
                let message = "verify_server needs `ca_list_file` or `ca_list_path`: nobody is \
                               connected to by TLS";
                let advice = "add `ca_list_file=/etc/ssl/certs/ca-certificates.crt`, or your own";
                faults.push((false, message.to_owned(), advice));
            }
            if self.method == TlsMethod::Obsolete {
                let message = "method names SSL, TLS 1.0 or TLS 1.1, which are not spoken \
                               (RFC 8996): TLS 1.2 and 1.3 are";
                faults.push((false, message.to_owned(), "write `method=tlsv1_2`"));
            }
            let unknown: Vec<&str> = self
                .cipher
                .iter()
                .map(String::as_str)
                .filter(|name| !CIPHERS.iter().any(|known| known.eq_ignore_ascii_case(name)))
                .collect();
            if !unknown.is_empty() {
                let message = format!(
                    "cipher names `{}`, not spoken here and left out; there are {}",
                    unknown.join("`, `"),
                    CIPHERS.join(", ")
                );
                faults.push((false, message, "take them out of the list"));
            }
        }
        faults
    }
}

/// Suites that `cipher` can choose, in OpenSSL's names.
pub const CIPHERS: [&str; 9] = [
    "TLS_AES_256_GCM_SHA384",
    "TLS_AES_128_GCM_SHA256",
    "TLS_CHACHA20_POLY1305_SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-RSA-CHACHA20-POLY1305",
];

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
            ca_list_file: None,
            ca_list_path: None,
            method: TlsMethod::Any,
            cipher: Vec::new(),
            verify_client: false,
            require_client_cert: false,
            verify_server: false,
            allow_wildcard_certs: false,
            external_media_address: None,
            external_signaling_address: None,
            external_signaling_port: 0,
            local_net: Vec::new(),
            tos: 0,
            cos: 0,
            tcp_keepalive_enable: false,
            tcp_keepalive_idle_time: 30,
            tcp_keepalive_interval_time: 10,
            tcp_keepalive_probe_count: 5,
            written: Written::default(),
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
        "allow_wildcard_certs",
        "false",
        Parse::YesNo(|t| &mut t.allow_wildcard_certs),
        "With verify_server, takes a certificate for `*.example.org`.",
    ),
    row(
        "bind",
        "",
        Parse::Own(bind),
        "Address and port; 5060, or 5061 for tls, without one. `[::]` takes IPv4 too, unless another transport has that port on IPv4.",
    ),
    row(
        "ca_list_file",
        "",
        Parse::Optional(|t| &mut t.ca_list_file),
        "The authorities that sign client certificates, in PEM form (tls).",
    ),
    row(
        "ca_list_path",
        "",
        Parse::Optional(|t| &mut t.ca_list_path),
        "A folder of such files (tls).",
    ),
    row(
        "cert_file",
        "",
        Parse::Optional(|t| &mut t.cert_file),
        "The certificate chain, RSA or EC, in PEM form (tls).",
    ),
    row(
        "cipher",
        "",
        Parse::Own(cipher),
        "Suites by their OpenSSL names, between commas; the secure ones if unset (tls).",
    ),
    row(
        "cos",
        "false",
        Parse::Own(cos),
        "Priority of what is sent, 0 to 7 (SO_PRIORITY).",
    ),
    row(
        "external_media_address",
        "",
        Parse::Optional(|t| &mut t.external_media_address),
        "Address of media for peers outside `local_net`: offered as one more ICE candidate.",
    ),
    row(
        "external_signaling_address",
        "",
        Parse::Optional(|t| &mut t.external_signaling_address),
        "Host in Contact and Via for peers outside `local_net`.",
    ),
    row(
        "external_signaling_port",
        "0",
        Parse::Own(external_port),
        "The port beside it; that of `bind` if 0.",
    ),
    row(
        "local_net",
        "",
        Parse::Own(local_net),
        "A network without address translation on the way, as 192.168.0.0/16; repeatable.",
    ),
    row(
        "method",
        "",
        Parse::Own(method),
        "`tlsv1_2` or `tlsv1_3` alone, else both (tls).",
    ),
    row(
        "priv_key_file",
        "",
        Parse::Optional(|t| &mut t.priv_key_file),
        "The private key (tls); in the file of the certificate if unset.",
    ),
    row(
        "protocol",
        "udp",
        Parse::Own(protocol),
        "udp, tcp, tls, ws or wss; ws and wss listen where http.conf says.",
    ),
    row(
        "require_client_cert",
        "false",
        Parse::YesNo(|t| &mut t.require_client_cert),
        "Turns clients away that show no certificate of `ca_list_file` (tls).",
    ),
    row(
        "tcp_keepalive_enable",
        "no",
        Parse::YesNo(|t| &mut t.tcp_keepalive_enable),
        "Lets the kernel ask silent TCP peers for a sign of life.",
    ),
    row(
        "tcp_keepalive_idle_time",
        "30",
        Parse::Number(|t| &mut t.tcp_keepalive_idle_time, 1, 32_767),
        "Seconds of silence before it asks.",
    ),
    row(
        "tcp_keepalive_interval_time",
        "10",
        Parse::Number(|t| &mut t.tcp_keepalive_interval_time, 1, 32_767),
        "Seconds between its questions.",
    ),
    row(
        "tcp_keepalive_probe_count",
        "5",
        Parse::Number(|t| &mut t.tcp_keepalive_probe_count, 1, 127),
        "Unanswered questions after which the connection is dead.",
    ),
    row(
        "tos",
        "false",
        Parse::Own(tos),
        "The type of service of what is sent: `cs3`, `af31`, `ef`, or a number.",
    ),
    row(
        "verify_client",
        "false",
        Parse::YesNo(|t| &mut t.verify_client),
        "Checks the certificate a client shows against `ca_list_file`; one without any is let in (tls).",
    ),
    row(
        "verify_server",
        "false",
        Parse::YesNo(|t| &mut t.verify_server),
        "Checks the certificate of a phone or trunk we connect to by TLS; needs ca_list_file or ca_list_path.",
    ),
];

fn bind(transport: &mut TransportConfig, value: &str) -> Result<(), Fault> {
    let (address, port) = address(value)?;
    transport.bind = SocketAddr::new(address, port.unwrap_or(0));
    Ok(())
}

/// `1.2.3.4`, `1.2.3.4:5060`, `::`, `[::]`, `[::]:5060`, and `localhost` for an address.
pub(crate) fn address(value: &str) -> Result<(IpAddr, Option<u16>), Fault> {
    let port = value.strip_prefix("::").unwrap_or_default();
    if port.len() > 1 && port.parse::<u16>().is_ok() {
        return Err(Fault::PortInAddress);
    }
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

fn cipher(transport: &mut TransportConfig, value: &str) -> Result<(), Fault> {
    transport.cipher = names(&value.replace(':', ","))?;
    Ok(())
}

fn method(transport: &mut TransportConfig, value: &str) -> Result<(), Fault> {
    transport.method = match word(value, METHODS)? {
        0..=2 => TlsMethod::Any,
        3 => TlsMethod::Tls12,
        4 => TlsMethod::Tls13,
        _ => TlsMethod::Obsolete,
    };
    Ok(())
}

const METHODS: &[&str] = &[
    "default",
    "unspecified",
    "sslv23",
    "tlsv1_2",
    "tlsv1_3",
    "tlsv1",
    "tlsv1_1",
    "sslv2",
    "sslv3",
];

fn local_net(transport: &mut TransportConfig, value: &str) -> Result<(), Fault> {
    for text in names(value)? {
        let net = Network::parse(&text).ok_or_else(|| Fault::NotNetwork(text.clone()))?;
        if transport.local_net.len() >= NETWORKS_MAX {
            return Err(Fault::TooMany(NETWORKS_MAX));
        }
        transport.local_net.push(net);
    }
    Ok(())
}

/// Networks in one transport.
const NETWORKS_MAX: usize = 100;

fn tos(transport: &mut TransportConfig, value: &str) -> Result<(), Fault> {
    transport.tos = type_of_service(value).ok_or(Fault::NotTos)?;
    Ok(())
}

/// Asterisk's words (RFC 2474, 2597, 3246) and numbers, as the whole byte of the IP header.
pub(crate) fn type_of_service(value: &str) -> Option<u8> {
    let value = value.to_ascii_lowercase();
    let class = |text: &str| {
        text.parse::<u8>()
            .ok()
            .filter(|class| (0..=7).contains(class))
    };
    if let Some(class) = value.strip_prefix("cs").and_then(class) {
        return Some(class << 5);
    }
    if let Some(digits) = value.strip_prefix("af") {
        let number: u8 = digits.parse().ok()?;
        let (class, drop) = (number / 10, number % 10);
        let known = (1..=4).contains(&class) && (1..=3).contains(&drop);
        return known.then_some(class << 5 | drop << 3);
    }
    match value.as_str() {
        "ef" => Some(0xb8),
        "none" | "no" | "false" | "off" => Some(0),
        "lowdelay" => Some(0x10),
        "throughput" => Some(0x08),
        "reliability" => Some(0x04),
        "mincost" => Some(0x02),
        value => match value.strip_prefix("0x") {
            Some(hex) => u8::from_str_radix(hex, 16).ok(),
            None => value.parse().ok(),
        },
    }
}

fn cos(transport: &mut TransportConfig, value: &str) -> Result<(), Fault> {
    transport.cos = class_of_service(value)?;
    Ok(())
}

/// A priority of packets, 0 to 7.
pub(crate) fn class_of_service(value: &str) -> Result<u8, Fault> {
    match value.to_ascii_lowercase().as_str() {
        "no" | "false" | "off" => Ok(0),
        value => number(value, 0, 7),
    }
}

impl Shown for TransportConfig {
    fn own(&self, option: &str) -> Option<String> {
        Some(match option {
            "bind" => self.bind.to_string(),
            "cipher" => self.cipher.join(","),
            "cos" => self.cos.to_string(),
            "external_signaling_port" => self.external_signaling_port.to_string(),
            "local_net" => {
                let nets: Vec<String> = self.local_net.iter().map(Network::to_string).collect();
                nets.join(",")
            }
            "method" => match self.method {
                TlsMethod::Any => "unspecified",
                TlsMethod::Tls12 => "tlsv1_2",
                TlsMethod::Tls13 => "tlsv1_3",
                TlsMethod::Obsolete => "unspecified (an obsolete one was asked for)",
            }
            .to_owned(),
            "protocol" => self.protocol.as_str().to_owned(),
            "tos" => self.tos.to_string(),
            _ => return None,
        })
    }
}
