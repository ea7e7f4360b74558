//! SIP over UDP (RFC 3261 §18): one datagram is one message. A machine with several addresses answers
//! from the one that was asked: the kernel tells it with each datagram (IP_PKTINFO, RFC 3542 §6).

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket as StdSocket};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use config::TransportConfig;
use nix::libc;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg, setsockopt,
    sockopt,
};
use socket2::{SockRef, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::time::{MissedTickBehavior, interval};

use crate::sip::driver::Input;
use crate::sip::transport::{Links, canonical, mark, socket};

/// Room for one datagram, the largest there is.
const DATAGRAM_BYTES_MAX: usize = 65_535;

/// What the kernel may hold for us while the driver is busy.
const RECEIVE_BUFFER_BYTES: usize = 1 << 20;

/// How often a removed transport is looked at: it ends with its last registration and call.
const RETIRED_CHECK: Duration = Duration::from_secs(1);

/// One bound UDP socket.
#[derive(Debug)]
pub(crate) struct UdpListener {
    /// Never used again for another one.
    pub(crate) id: u32,
    pub(crate) bound: SocketAddr,
    pub(crate) config: ArcSwap<TransportConfig>,
    /// The transport was removed: who is known stays, nobody new comes.
    pub(crate) retired: AtomicBool,
    /// Remote addresses that are remembered.
    pub(crate) flows: AtomicUsize,
    /// An IPv6 wildcard that takes IPv4 too.
    dual: bool,
    socket: UdpSocket,
}

static NEXT_ID: AtomicU32 = AtomicU32::new(0);

impl UdpListener {
    /// Binds the address; `dual` takes IPv4 on an IPv6 wildcard too.
    pub(crate) fn bind(config: Arc<TransportConfig>, dual: bool) -> io::Result<Self> {
        let address = config.bind;
        let socket = socket(address, Type::DGRAM, dual)?;
        if address.is_ipv6() {
            setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?;
        } else {
            setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
        }
        // The kernel grants what it is configured to; less is no error.
        let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES);
        socket.bind(&address.into())?;
        mark(&socket, address.is_ipv6(), config.tos, config.cos);
        let socket = UdpSocket::from_std(StdSocket::from(socket))?;
        Ok(Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            bound: socket.local_addr()?,
            config: ArcSwap::new(config),
            retired: AtomicBool::new(false),
            flows: AtomicUsize::new(0),
            dual,
            socket,
        })
    }

    /// Takes over what a reload says of the transport.
    pub(crate) fn configure(&self, config: Arc<TransportConfig>) {
        let socket = SockRef::from(&self.socket);
        mark(&socket, self.bound.is_ipv6(), config.tos, config.cos);
        self.config.store(config);
    }

    /// Reads the socket to the end. A datagram that finds the driver's queue full is dropped: its
    /// sender sends it again (RFC 3261 §17).
    pub(crate) async fn receive(self: Arc<Self>, links: Links) {
        let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
        let mut check = interval(RETIRED_CHECK);
        check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let received = tokio::select! {
                received = self.datagram(&mut buffer) => received,
                () = links.stopping.cancelled() => return,
                _ = check.tick() => {
                    if self.is_over() {
                        return;
                    }
                    continue;
                }
            };
            // An ICMP error of an earlier datagram shows up here; it ends nothing.
            let Ok((length, remote, local)) = received else {
                continue;
            };
            let bytes = Bytes::copy_from_slice(&buffer[..length]);
            let _ = links.inputs.try_send(Input::Datagram {
                listener: self.clone(),
                local,
                remote,
                bytes,
            });
        }
    }

    /// Our address as `remote` sees it; `None` if it cannot be reached from here. A wildcard socket
    /// has none of its own; the routing table knows it, asked by a socket that is connected and sends
    /// nothing.
    pub(crate) fn local_for(&self, remote: SocketAddr) -> Option<SocketAddr> {
        let own = self.bound.ip();
        if !own.is_unspecified() {
            return (own.is_ipv4() == remote.is_ipv4()).then_some(self.bound);
        }
        if own.is_ipv4() && remote.is_ipv6() || !self.dual && own.is_ipv6() && remote.is_ipv4() {
            return None;
        }
        let wildcard = match remote {
            SocketAddr::V4(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED),
            SocketAddr::V6(_) => IpAddr::from(Ipv6Addr::UNSPECIFIED),
        };
        let probe = StdSocket::bind((wildcard, 0)).ok()?;
        probe.connect(remote).ok()?;
        let ip = probe.local_addr().ok()?.ip();
        Some(SocketAddr::new(ip, self.bound.port()))
    }

    fn is_over(&self) -> bool {
        self.retired.load(Ordering::Relaxed) && self.flows.load(Ordering::Relaxed) == 0
    }

    /// One datagram: its length, where it came from, and which address of ours it came to.
    async fn datagram(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr, SocketAddr)> {
        loop {
            self.socket.readable().await?;
            let received = self
                .socket
                .try_io(Interest::READABLE, || self.receive_now(buffer));
            match received {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                received => return received,
            }
        }
    }

    fn receive_now(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr, SocketAddr)> {
        let mut parts = [IoSliceMut::new(buffer)];
        let mut space = nix::cmsg_space!(libc::in_pktinfo, libc::in6_pktinfo);
        let received = recvmsg::<SockaddrStorage>(
            self.socket.as_raw_fd(),
            &mut parts,
            Some(&mut space),
            MsgFlags::empty(),
        )?;
        let remote = received
            .address
            .as_ref()
            .and_then(address_of)
            .ok_or_else(|| io::Error::other("a datagram from nowhere"))?;
        let mut local = None;
        for message in received.cmsgs()? {
            match message {
                ControlMessageOwned::Ipv4PacketInfo(info) => {
                    local = Some(IpAddr::from(info.ipi_spec_dst.s_addr.to_ne_bytes()));
                }
                ControlMessageOwned::Ipv6PacketInfo(info) => {
                    local = Some(IpAddr::from(info.ipi6_addr.s6_addr));
                }
                _ => {}
            }
        }
        let ip = local.unwrap_or_else(|| self.bound.ip());
        let local = SocketAddr::new(ip, self.bound.port());
        Ok((received.bytes, canonical(remote), canonical(local)))
    }

    /// Sends from our address `local`; false if the kernel does not take it now.
    pub(crate) fn send(&self, local: SocketAddr, remote: SocketAddr, bytes: &[u8]) -> bool {
        let sent = self
            .socket
            .try_io(Interest::WRITABLE, || self.send_now(local, remote, bytes));
        sent.is_ok()
    }

    fn send_now(&self, local: SocketAddr, remote: SocketAddr, bytes: &[u8]) -> io::Result<usize> {
        let to = SockaddrStorage::from(self.outward(remote));
        let parts = [IoSlice::new(bytes)];
        let (v4, v6);
        let from = match self.outward(local).ip() {
            ip if ip.is_unspecified() || ip.is_multicast() => None,
            IpAddr::V4(ip) => {
                v4 = libc::in_pktinfo {
                    ipi_ifindex: 0,
                    ipi_spec_dst: libc::in_addr {
                        s_addr: u32::from_ne_bytes(ip.octets()),
                    },
                    ipi_addr: libc::in_addr { s_addr: 0 },
                };
                Some(ControlMessage::Ipv4PacketInfo(&v4))
            }
            IpAddr::V6(ip) => {
                v6 = libc::in6_pktinfo {
                    ipi6_addr: libc::in6_addr {
                        s6_addr: ip.octets(),
                    },
                    ipi6_ifindex: 0,
                };
                Some(ControlMessage::Ipv6PacketInfo(&v6))
            }
        };
        let fd = self.socket.as_raw_fd();
        let sent = sendmsg(fd, &parts, from.as_slice(), MsgFlags::empty(), Some(&to))?;
        Ok(sent)
    }

    /// An address as the socket's family spells it.
    fn outward(&self, address: SocketAddr) -> SocketAddr {
        match (self.bound.is_ipv6(), address) {
            (true, SocketAddr::V4(v4)) => (v4.ip().to_ipv6_mapped(), v4.port()).into(),
            _ => address,
        }
    }
}

fn address_of(address: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = address.as_sockaddr_in() {
        return Some(SocketAddr::from((v4.ip(), v4.port())));
    }
    let v6 = address.as_sockaddr_in6()?;
    Some(SocketAddr::V6((*v6).into()))
}
