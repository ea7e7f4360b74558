//! Threads, sockets and the clock of the media plane: its only input and output.
//!
//! A shard has one socket for each local address, all on the same port, so that the destination of
//! a datagram is known without asking the kernel for it (str0m takes no wildcard candidates), and
//! an answer leaves from the address it was asked at. A desk phone has sockets of its own ([`legs`]). A
//! socket that cannot take a datagram at once drops it, as the network would: a thread that waits for
//! one peer would make all others wait.

mod legs;

use crate::debug::{self, Way};
use crate::plane::StartError;
use crate::shard::{Command, Relayed, Shard};
use legs::LegSockets;
use nix::sys::socket::{ControlMessage, MsgFlags, SockaddrStorage, sendmsg};
use rtc::Transmit;
use rtc::policy::Marks;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::sync::Once;
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::Instant;
use tokio::io::ReadBuf;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::{Sleep, sleep_until};

/// The sockets of a shard, not yet on its thread.
pub(crate) struct Bound(Vec<(SocketAddr, std::net::UdpSocket)>);

impl Bound {
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.0.iter().map(|(address, _)| *address).collect()
    }

    pub(crate) fn port(&self) -> u16 {
        self.0.first().map_or(0, |(address, _)| address.port())
    }
}

/// Binds every address on the first port that is free on all of them.
pub(crate) fn bind(
    addresses: &[IpAddr],
    ports: &mut RangeInclusive<u16>,
) -> Result<Bound, StartError> {
    let (first, last) = (*ports.start(), *ports.end());
    if addresses.is_empty() {
        return Err(StartError::NoAddress);
    }
    let mut source = io::Error::from(io::ErrorKind::AddrInUse);
    for port in ports.by_ref() {
        match bind_port(addresses, port) {
            Ok(bound) => return Ok(bound),
            Err(error) => source = error,
        }
    }
    Err(StartError::NoPort {
        first,
        last,
        source,
    })
}

fn bind_port(addresses: &[IpAddr], port: u16) -> io::Result<Bound> {
    let mut port = port;
    let mut bound = Vec::new();
    let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for ip in addresses {
        let address = SocketAddr::new(*ip, port);
        match bind_address(address) {
            Ok(socket) => {
                let address = socket.local_addr()?;
                port = address.port();
                bound.push((address, socket));
            }
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(error),
            // An interface may have lost its address; the others serve.
            Err(error) => {
                tracing::warn!(%ip, %error, "media cannot be received on this address");
                failure = error;
            }
        }
    }
    if bound.is_empty() {
        return Err(failure);
    }
    Ok(Bound(bound))
}

fn bind_address(address: SocketAddr) -> io::Result<std::net::UdpSocket> {
    bind_socket(address, RECEIVE_BUFFER, SEND_BUFFER)
}

/// A socket of one leg.
pub(crate) fn bind_leg(address: SocketAddr) -> io::Result<std::net::UdpSocket> {
    bind_socket(address, LEG_BUFFER, LEG_BUFFER)
}

/// Asks the network to treat the packets of a leg so. A kernel that does not grant it costs quality, not calls.
pub(crate) fn mark(socket: &std::net::UdpSocket, ip: IpAddr, marks: Marks) {
    let socket = SockRef::from(socket);
    let tos = u32::from(marks.tos);
    let marked = match ip {
        _ if tos == 0 => Ok(()),
        IpAddr::V4(_) => socket.set_tos_v4(tos),
        IpAddr::V6(_) => socket.set_tclass_v6(tos),
    };
    // Behind the type of service, which sets a priority of its own.
    let marked = marked.and_then(|()| match marks.cos {
        0 => Ok(()),
        cos => socket.set_priority(cos.into()),
    });
    if let Err(error) = marked {
        // What the kernel does not grant it grants to no call: said once.
        static SAID: Once = Once::new();
        SAID.call_once(|| tracing::warn!(?marks, %error, "packets of media are not marked"));
        tracing::debug!(?marks, %error, "packets of a leg are not marked");
    }
}

fn bind_socket(
    address: SocketAddr,
    receive_buffer: usize,
    send_buffer: usize,
) -> io::Result<std::net::UdpSocket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // The kernel grants less where it must; the defaults do.
    let _ = socket.set_recv_buffer_size(receive_buffer);
    let _ = socket.set_send_buffer_size(send_buffer);
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// Runs a shard on a thread of its own until it is over.
pub(crate) fn spawn(
    bound: Bound,
    shard: Shard,
    commands: mpsc::Receiver<Command>,
    relayed: mpsc::Receiver<Relayed>,
) -> io::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()?;
    let sockets = {
        let _guard = runtime.enter();
        let sockets = bound.0.into_iter();
        sockets
            .map(|(address, socket)| Ok((address, UdpSocket::from_std(socket)?)))
            .collect::<io::Result<Vec<_>>>()?
    };
    let thread = std::thread::Builder::new().name("media".to_owned());
    thread.spawn(move || {
        runtime.block_on(async {
            let mut driver = Driver {
                shard,
                sockets,
                legs: LegSockets::default(),
                commands,
                relayed,
                sleep: Box::pin(sleep_until(Instant::now().into())),
                buffer: vec![0; DATAGRAM_MAX],
                asked: Vec::new(),
                dropped: 0,
            };
            poll_fn(|cx| driver.poll(cx)).await;
        });
    })
}

struct Driver {
    shard: Shard,
    sockets: Vec<(SocketAddr, UdpSocket)>,
    legs: LegSockets,
    commands: mpsc::Receiver<Command>,
    relayed: mpsc::Receiver<Relayed>,
    sleep: Pin<Box<Sleep>>,
    buffer: Vec<u8>,
    /// The memory for the sockets of legs that are asked.
    asked: Vec<SocketAddr>,
    dropped: u64,
}

impl Driver {
    /// Does everything that can be done now. Ready when the shard is over.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        for _ in 0..TURNS_MAX {
            let mut is_busy = self.poll_commands(cx);
            is_busy |= self.poll_relayed(cx);
            is_busy |= self.poll_sockets(cx);
            is_busy |= self.poll_legs(cx);
            is_busy |= self.poll_timeout(cx);
            self.send();
            if self.shard.is_over() {
                return Poll::Ready(());
            }
            if !is_busy {
                return Poll::Pending;
            }
        }
        // The runtime's own work, such as watching the sockets, has its turn too.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn poll_commands(&mut self, cx: &mut Context<'_>) -> bool {
        for turn in 0..BATCH {
            match self.commands.poll_recv(cx) {
                Poll::Ready(Some(command)) => self.on_command(command),
                // The plane is gone without a farewell, and no leg is left.
                Poll::Ready(None) => {
                    self.shard.handle_command(Instant::now(), Command::Shutdown);
                    return false;
                }
                Poll::Pending => return turn > 0,
            }
        }
        true
    }

    fn poll_relayed(&mut self, cx: &mut Context<'_>) -> bool {
        for turn in 0..BATCH {
            match self.relayed.poll_recv(cx) {
                Poll::Ready(Some(relayed)) => self.shard.handle_relayed(Instant::now(), relayed),
                // No leg can be connected to one of this shard any more.
                Poll::Ready(None) => return false,
                Poll::Pending => return turn > 0,
            }
        }
        true
    }

    fn on_command(&mut self, mut command: Command) {
        let now = Instant::now();
        match &mut command {
            Command::Open(id, opening) => {
                let pairs = std::mem::take(&mut opening.pairs);
                if let Err(error) = self.legs.open(id.serial, pairs) {
                    // Its call hears nothing and ends by its own rules.
                    tracing::error!(leg = %id, %error, "the sockets of a leg cannot be watched");
                }
                self.shard.handle_command(now, command);
            }
            Command::Close(id) => {
                let serial = id.serial;
                self.shard.handle_command(now, command);
                // The farewell goes out by the sockets of the leg.
                self.send();
                self.legs.close(serial);
            }
            Command::Seat(..) | Command::Leg(..) | Command::Ping(_) | Command::Shutdown => {
                self.shard.handle_command(now, command);
            }
        }
    }

    fn poll_legs(&mut self, cx: &Context<'_>) -> bool {
        self.legs.wake_by(cx.waker());
        let mut is_busy = false;
        let mut asked = self.legs.take_ready(std::mem::take(&mut self.asked));
        for local in asked.drain(..) {
            for turn in 0..=BATCH {
                if turn == BATCH {
                    self.legs.set_ready(local);
                    break;
                }
                let mut buffer = ReadBuf::new(&mut self.buffer);
                let remote = match self.legs.poll_recv(local, &mut buffer) {
                    Poll::Ready(Ok(remote)) => remote,
                    Poll::Ready(Err(_)) => {
                        is_busy = true;
                        continue;
                    }
                    Poll::Pending => break,
                };
                is_busy = true;
                let bytes = buffer.filled();
                if bytes.len() < DATAGRAM_MAX {
                    debug::packet(Way::In, remote, bytes);
                    let now = Instant::now();
                    self.shard.handle_datagram(now, local, remote, bytes);
                }
                self.send();
            }
        }
        self.asked = asked;
        is_busy
    }

    fn poll_sockets(&mut self, cx: &mut Context<'_>) -> bool {
        let mut is_busy = false;
        for index in 0..self.sockets.len() {
            for _ in 0..BATCH {
                let (local, socket) = &self.sockets[index];
                let mut buffer = ReadBuf::new(&mut self.buffer);
                let remote = match socket.poll_recv_from(cx, &mut buffer) {
                    Poll::Ready(Ok(remote)) => remote,
                    // An error of a datagram sent before (ICMP); the socket is fine, but it has not
                    // promised to wake us yet.
                    Poll::Ready(Err(_)) => {
                        is_busy = true;
                        continue;
                    }
                    Poll::Pending => break,
                };
                is_busy = true;
                let bytes = buffer.filled();
                if bytes.len() < DATAGRAM_MAX {
                    debug::packet(Way::In, remote, bytes);
                    let now = Instant::now();
                    self.shard.handle_datagram(now, *local, remote, bytes);
                }
                self.send();
            }
        }
        is_busy
    }

    fn poll_timeout(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(due) = self.shard.poll_timeout() else {
            return false;
        };
        if self.sleep.deadline() != due.into() {
            self.sleep.as_mut().reset(due.into());
        }
        if self.sleep.as_mut().poll(cx).is_pending() {
            return false;
        }
        self.shard.handle_timeout(Instant::now());
        // An elapsed alarm must not be polled again.
        self.sleep.as_mut().reset(Instant::now().into());
        true
    }

    fn send(&mut self) {
        while let Some((transmit, tos)) = self.shard.poll_marked() {
            if !self.send_one(&transmit, tos) {
                self.dropped += 1;
            }
        }
    }

    fn send_one(&self, transmit: &Transmit, tos: u8) -> bool {
        debug::packet(Way::Out, transmit.remote, &transmit.bytes);
        let socket = self
            .sockets
            .iter()
            .find(|(local, _)| *local == transmit.local);
        let socket = socket
            .map(|(_, socket)| socket)
            .or_else(|| self.legs.socket(transmit.local));
        socket.is_some_and(|socket| match tos {
            0 => send_now(socket, transmit).is_ok(),
            tos => send_marked(socket, transmit, tos).is_ok(),
        })
    }
}

/// Sends past the runtime, which would know of a new socket only at its next turn that it can be written to.
fn send_now(socket: &UdpSocket, transmit: &Transmit) -> io::Result<usize> {
    SockRef::from(socket).send_to(&transmit.bytes, &transmit.remote.into())
}

/// Sends a datagram of one leg by a socket of many.
fn send_marked(socket: &UdpSocket, transmit: &Transmit, tos: u8) -> io::Result<usize> {
    let class = i32::from(tos);
    let mark = match transmit.local {
        SocketAddr::V4(_) => ControlMessage::Ipv4Tos(&tos),
        SocketAddr::V6(_) => ControlMessage::Ipv6TClass(&class),
    };
    let remote = SockaddrStorage::from(transmit.remote);
    let parts = [io::IoSlice::new(&transmit.bytes)];
    let flags = MsgFlags::empty();
    let fd = socket.as_raw_fd();
    Ok(sendmsg(fd, &parts, &[mark], flags, Some(&remote))?)
}

impl Drop for Driver {
    fn drop(&mut self) {
        if self.dropped > 0 {
            tracing::info!(dropped = self.dropped, "media datagrams could not be sent");
        }
    }
}

/// A second of 250 video calls, if the kernel grants it.
const RECEIVE_BUFFER: usize = 4 << 20;
const SEND_BUFFER: usize = 2 << 20;
/// A second of a video call.
const LEG_BUFFER: usize = 256 << 10;
/// Larger than any datagram of a browser; one that fills it was cut off.
const DATAGRAM_MAX: usize = 2048;
const BATCH: usize = 64;
const TURNS_MAX: usize = 16;
