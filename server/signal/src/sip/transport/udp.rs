//! SIP over UDP (RFC 3261 §18): one datagram is one message.

use std::io;
use std::net::{SocketAddr, UdpSocket as StdSocket};
use std::sync::Arc;

use bytes::Bytes;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::sip::driver::Input;

/// Room for one datagram, the largest there is.
const DATAGRAM_BYTES_MAX: usize = 65_535;

/// What the kernel may hold for us while the driver is busy.
const RECEIVE_BUFFER_BYTES: usize = 1 << 20;

/// IPv6 sockets take IPv6 alone: `0.0.0.0` and `::` can both be in the list.
pub(crate) fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // The kernel grants what it is configured to; less is no error.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES);
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    UdpSocket::from_std(StdSocket::from(socket))
}

/// Reads one socket to the end. A datagram that finds the driver's queue full is dropped: its sender
/// sends it again (RFC 3261 §17).
pub(crate) async fn receive(
    index: usize,
    socket: Arc<UdpSocket>,
    inputs: mpsc::Sender<Input>,
    stopping: CancellationToken,
) {
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    loop {
        let received = tokio::select! {
            received = socket.recv_from(&mut buffer) => received,
            () = stopping.cancelled() => return,
        };
        // An ICMP error of an earlier datagram shows up here; it ends nothing.
        let Ok((length, remote)) = received else {
            continue;
        };
        let bytes = Bytes::copy_from_slice(&buffer[..length]);
        let _ = inputs.try_send(Input::Datagram {
            socket: index,
            remote,
            bytes,
        });
    }
}

/// Our address as `remote` sees it. A wildcard socket has none of its own; the routing table knows
/// it, asked by a socket that is connected and sends nothing.
pub(crate) fn local_address(socket: &UdpSocket, remote: SocketAddr) -> Option<SocketAddr> {
    let bound = socket.local_addr().ok()?;
    if !bound.ip().is_unspecified() {
        return Some(bound);
    }
    let probe = StdSocket::bind(SocketAddr::new(bound.ip(), 0)).ok()?;
    probe.connect(remote).ok()?;
    Some(SocketAddr::new(probe.local_addr().ok()?.ip(), bound.port()))
}
