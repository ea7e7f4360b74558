//! The sockets SIP runs on. They know flows and bytes, not messages.

pub(crate) mod admission;
pub(crate) mod connection;
pub(crate) mod dial;
pub(crate) mod kind;
pub(crate) mod listeners;
pub(crate) mod tcp;
pub(crate) mod tls;
pub(crate) mod udp;
pub(crate) mod ws;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ::sip::FlowId;
use socket2::{Domain, Socket, Type};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::Limits;
use crate::sip::driver::Input;
use crate::sip::shared::Shared;

/// What every socket needs to speak to the driver.
#[derive(Debug, Clone)]
pub(crate) struct Links {
    pub(crate) inputs: mpsc::Sender<Input>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) tracker: TaskTracker,
    pub(crate) stopping: CancellationToken,
    pub(crate) limits: Limits,
}

/// Messages that may wait for a slow reader; one more and the connection ends.
pub(crate) const WRITE_QUEUE_MAX: usize = 64;

/// Flows of connections count up from here, UDP flows below; neither is ever used again.
const FIRST_CONNECTION: u64 = 1 << 62;

static NEXT_CONNECTION: AtomicU64 = AtomicU64::new(FIRST_CONNECTION);

/// The name of a new connection.
pub(crate) fn next_connection() -> FlowId {
    FlowId(NEXT_CONNECTION.fetch_add(1, Ordering::Relaxed))
}

/// An IPv4 address inside IPv6, as a socket of both families tells it, as IPv4.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => (ip, address.port()).into(),
        // The zone of a link-local address stays.
        IpAddr::V6(_) => address,
    }
}

/// A socket to be bound to `address`; `dual` takes IPv4 on an IPv6 wildcard too.
pub(crate) fn socket(address: SocketAddr, kind: Type, dual: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(!dual)?;
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Marks what goes out (`tos`, `cos`). A kernel that does not grant it costs quality, not calls.
pub(crate) fn mark(socket: &Socket, is_ipv6: bool, tos: u8, cos: u8) {
    let outcome = match is_ipv6 {
        true => socket.set_tclass_v6(tos.into()),
        false => Ok(()),
    };
    // A socket of both families has both bytes.
    let _ = socket.set_tos_v4(tos.into());
    if let Err(error) = outcome.and_then(|()| socket.set_priority(cos.into())) {
        tracing::warn!(
            tos,
            cos,
            "the system does not mark packets as asked: {error}"
        );
    }
}
