//! The sockets of desk phones: two for each stream, hundreds on a thread.
//!
//! Asking each of them at each turn would cost what the packets themselves cost, so each socket has a
//! waker of its own that puts it on a list; only those on the list are asked.

use crate::ports::{BoundPair, Lease};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use tokio::io::ReadBuf;
use tokio::net::UdpSocket;

#[derive(Default)]
pub(super) struct LegSockets {
    sockets: HashMap<SocketAddr, LegSocket>,
    ready: Arc<Mutex<Ready>>,
}

struct LegSocket {
    leg: u32,
    socket: UdpSocket,
    waker: Waker,
    /// Both sockets of a pair keep it: the ports are free when both are closed.
    _lease: Arc<Lease>,
}

/// The sockets that have something, and who is to be told.
#[derive(Default)]
struct Ready {
    sockets: Vec<SocketAddr>,
    driver: Option<Waker>,
}

struct SocketWaker {
    socket: SocketAddr,
    ready: Arc<Mutex<Ready>>,
}

impl Wake for SocketWaker {
    fn wake(self: Arc<Self>) {
        let mut ready = locked(&self.ready);
        if !ready.sockets.contains(&self.socket) {
            ready.sockets.push(self.socket);
        }
        if let Some(driver) = &ready.driver {
            driver.wake_by_ref();
        }
    }
}

impl LegSockets {
    /// Watches the sockets of a leg. To be called on the thread that has the event queue.
    pub(super) fn open(&mut self, leg: u32, pairs: Vec<BoundPair>) -> io::Result<()> {
        for BoundPair {
            ports,
            rtp,
            rtcp,
            lease,
        } in pairs
        {
            let lease = Arc::new(lease);
            for (address, socket) in [(ports.rtp, rtp), (ports.rtcp, rtcp)] {
                let waker = SocketWaker {
                    socket: address,
                    ready: Arc::clone(&self.ready),
                };
                let socket = LegSocket {
                    leg,
                    socket: UdpSocket::from_std(socket)?,
                    waker: Arc::new(waker).into(),
                    _lease: Arc::clone(&lease),
                };
                self.sockets.insert(address, socket);
                // Asking it once is what makes the kernel tell of it.
                self.set_ready(address);
            }
        }
        Ok(())
    }

    /// Closes the sockets of a leg.
    pub(super) fn close(&mut self, leg: u32) {
        self.sockets.retain(|_, socket| socket.leg != leg);
    }

    pub(super) fn socket(&self, local: SocketAddr) -> Option<&UdpSocket> {
        self.sockets.get(&local).map(|own| &own.socket)
    }

    /// Who is woken when a socket has something.
    pub(super) fn wake_by(&self, driver: &Waker) {
        let mut ready = locked(&self.ready);
        match &mut ready.driver {
            Some(known) => known.clone_from(driver),
            none => *none = Some(driver.clone()),
        }
    }

    /// The sockets to be asked now, for an empty list, whose memory is used again.
    pub(super) fn take_ready(&self, mut empty: Vec<SocketAddr>) -> Vec<SocketAddr> {
        std::mem::swap(&mut locked(&self.ready).sockets, &mut empty);
        empty
    }

    pub(super) fn set_ready(&self, local: SocketAddr) {
        locked(&self.ready).sockets.push(local);
    }

    /// The next datagram of a socket; if there is none, the socket is on the list when one comes.
    pub(super) fn poll_recv(
        &self,
        local: SocketAddr,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<SocketAddr>> {
        match self.sockets.get(&local) {
            Some(own) => {
                let mut cx = Context::from_waker(&own.waker);
                own.socket.poll_recv_from(&mut cx, buffer)
            }
            // Closed since.
            None => Poll::Pending,
        }
    }
}

fn locked(ready: &Mutex<Ready>) -> MutexGuard<'_, Ready> {
    ready.lock().unwrap_or_else(PoisonError::into_inner)
}
