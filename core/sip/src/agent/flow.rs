//! Flows: where messages come from and go to. The Agent opens no connections; a flow is one
//! WebSocket or TCP connection, or one pair of a UDP socket and a remote address (RFC 5626 §2).

use std::net::SocketAddr;

use bytes::Bytes;

/// The transports of SIP that the Agent can be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// Datagrams: requests and responses are sent again until they are answered.
    Udp,
    /// A stream framed by Content-Length.
    Tcp,
    /// The same inside TLS.
    Tls,
    /// RFC 7118: one WebSocket message is one SIP message.
    Ws,
    /// The same inside TLS.
    Wss,
}

impl Transport {
    /// RFC 3261 §17: a reliable transport makes timers A, E and G unnecessary.
    pub const fn is_reliable(self) -> bool {
        !matches!(self, Self::Udp)
    }

    /// The word in Via (RFC 3261 §18, RFC 7118 §5.1).
    pub const fn via_token(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Ws => "WS",
            Self::Wss => "WSS",
        }
    }

    /// The value of the `transport` URI parameter. RFC 7118 §5.2 knows `ws` alone, inside TLS too.
    pub const fn uri_token(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Ws | Self::Wss => "ws",
        }
    }
}

/// The name of a flow, chosen by whoever owns the sockets; never used again for another flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowId(pub u64);

/// One connection, or one UDP socket and the address it talks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Flow {
    /// Its name.
    pub id: FlowId,
    /// What it runs on.
    pub transport: Transport,
    /// Our end; the host of our Via and Contact unless the [`Identity`](super::Identity) names one.
    pub local: SocketAddr,
    /// The source of what arrives, the destination of what is sent.
    pub remote: SocketAddr,
}

/// One message for the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transmit {
    /// Where it goes.
    pub flow: FlowId,
    /// The whole message.
    pub bytes: Bytes,
}
