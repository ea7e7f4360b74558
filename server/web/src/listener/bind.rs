//! Sockets that listen.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

/// Binds and listens. `both`: `::` takes IPv4 too, as a server on it does nearly everywhere.
///
/// `own` are those we have already. One of them may hold the port on another address, as `0.0.0.0`
/// does for a new `127.0.0.1`: the two then share it until the old one is closed.
pub(super) fn bind<'a>(
    address: SocketAddr,
    both: bool,
    own: impl Iterator<Item = &'a TcpListener>,
) -> io::Result<(TcpListener, SocketAddr)> {
    let busy = match listen(address, both, false) {
        Ok(bound) => return Ok(bound),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => error,
        Err(error) => return Err(error),
    };
    let shares = |listener: &&TcpListener| {
        let local = listener.local_addr();
        local.is_ok_and(|local| local.port() == address.port() && local.ip() != address.ip())
    };
    let overlapping: Vec<&TcpListener> = own.filter(shares).collect();
    if overlapping.is_empty() {
        return Err(busy);
    }
    // SO_REUSEPORT is on for this moment only, since with it any program of the same user could
    // take a share of our connections.
    for listener in &overlapping {
        SockRef::from(*listener).set_reuse_port(true)?;
    }
    let bound = listen(address, both, true);
    for listener in &overlapping {
        SockRef::from(*listener).set_reuse_port(false)?;
    }
    bound
}

fn listen(
    address: SocketAddr,
    both: bool,
    reuse_port: bool,
) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(!(both && address.ip().is_unspecified()))?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.set_reuse_port(reuse_port)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_reuse_port(false)?;
    let listener = TcpListener::from_std(StdListener::from(socket))?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// A connection that waits in the queue at this very moment, which the runtime may not know yet.
pub(super) fn accept_queued(listener: &TcpListener) -> Option<(TcpStream, SocketAddr)> {
    let (socket, remote) = SockRef::from(listener).accept().ok()?;
    socket.set_nonblocking(true).ok()?;
    let stream = TcpStream::from_std(socket.into()).ok()?;
    Some((stream, remote.as_socket()?))
}

/// The machine has no such address or no such family.
pub(super) fn is_absent(error: &io::Error) -> bool {
    const EAFNOSUPPORT: i32 = 97;
    error.kind() == io::ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(EAFNOSUPPORT)
}

/// Connections the system keeps for us until they are accepted.
pub(super) const BACKLOG: i32 = 1_024;
