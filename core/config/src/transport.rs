//! `type=transport`: where SIP listens.

use std::net::SocketAddr;

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
