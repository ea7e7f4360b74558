//! The driver's table of flows: WebSocket connections, and pairs of a UDP socket and a remote address.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::sip::{Flow, FlowId, Transport};
use bytes::Bytes;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use crate::sip::transport::udp;

/// Remote UDP addresses remembered. Beyond it the longest silent ones without call and registration
/// are forgotten; a forger of source addresses costs them no more than a retransmission.
pub(crate) const UDP_FLOWS_MAX: usize = 16_384;

/// Silence after which a UDP flow without call and registration is forgotten.
pub(crate) const UDP_FLOW_IDLE_MAX: Duration = Duration::from_secs(300);

/// Where messages go.
#[derive(Debug)]
pub(crate) struct Flows {
    sockets: Vec<Arc<UdpSocket>>,
    connections: BTreeMap<FlowId, Connection>,
    udp: BTreeMap<FlowId, UdpFlow>,
    by_address: BTreeMap<(usize, SocketAddr), FlowId>,
    next_id: u64,
}

#[derive(Debug)]
struct Connection {
    flow: Flow,
    writer: mpsc::Sender<Bytes>,
}

#[derive(Debug)]
struct UdpFlow {
    flow: Flow,
    socket: usize,
    heard: Instant,
}

/// What became of a message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    Yes,
    /// There is no such flow, or the kernel's buffer is full: as if the network had lost it.
    Lost,
    /// A WebSocket whose reader is too slow: it must be closed.
    Stalled,
}

impl Flows {
    pub(crate) fn new(sockets: Vec<Arc<UdpSocket>>) -> Self {
        Self {
            sockets,
            connections: BTreeMap::new(),
            udp: BTreeMap::new(),
            by_address: BTreeMap::new(),
            next_id: 1,
        }
    }

    pub(crate) fn open(&mut self, flow: Flow, writer: mpsc::Sender<Bytes>) {
        self.connections
            .insert(flow.id, Connection { flow, writer });
    }

    /// `false`: it was closed before.
    pub(crate) fn close(&mut self, id: FlowId) -> bool {
        self.connections.remove(&id).is_some()
    }

    /// The flow of a datagram. `pinned` tells which flows have a call or registration; it is asked
    /// when the table is full.
    pub(crate) fn of_datagram(
        &mut self,
        socket: usize,
        remote: SocketAddr,
        now: Instant,
        pinned: impl FnOnce() -> BTreeSet<FlowId>,
    ) -> Option<Flow> {
        if let Some(id) = self.by_address.get(&(socket, remote)) {
            let known = self.udp.get_mut(id)?;
            known.heard = now;
            return Some(known.flow);
        }
        if self.udp.len() >= UDP_FLOWS_MAX {
            self.make_room(&pinned());
        }
        if self.udp.len() >= UDP_FLOWS_MAX {
            return None;
        }
        let local = udp::local_address(self.sockets.get(socket)?, remote)?;
        let flow = Flow {
            id: FlowId(self.next_id),
            transport: Transport::Udp,
            local,
            remote,
        };
        self.next_id += 1;
        self.udp.insert(
            flow.id,
            UdpFlow {
                flow,
                socket,
                heard: now,
            },
        );
        self.by_address.insert((socket, remote), flow.id);
        Some(flow)
    }

    /// The flow to an address nobody needs to have written from.
    pub(crate) fn of_address(
        &mut self,
        remote: SocketAddr,
        now: Instant,
        pinned: impl FnOnce() -> BTreeSet<FlowId>,
    ) -> Option<Flow> {
        let socket = self.sockets.iter().position(|socket| {
            let local = socket.local_addr();
            local.is_ok_and(|local| local.is_ipv4() == remote.is_ipv4())
        })?;
        self.of_datagram(socket, remote, now, pinned)
    }

    /// Forgets UDP flows that were silent for long.
    pub(crate) fn sweep(&mut self, now: Instant, pinned: &BTreeSet<FlowId>) {
        let idle = |flow: &UdpFlow| now.saturating_duration_since(flow.heard) > UDP_FLOW_IDLE_MAX;
        let forgotten: Vec<_> = self
            .udp
            .iter()
            .filter(|(id, flow)| idle(flow) && !pinned.contains(id))
            .map(|(id, _)| *id)
            .collect();
        self.forget(&forgotten);
    }

    pub(crate) fn send(&self, id: FlowId, bytes: Bytes) -> Sent {
        if let Some(connection) = self.connections.get(&id) {
            return match connection.writer.try_send(bytes) {
                Ok(()) => Sent::Yes,
                Err(mpsc::error::TrySendError::Full(_)) => Sent::Stalled,
                Err(mpsc::error::TrySendError::Closed(_)) => Sent::Lost,
            };
        }
        let Some(flow) = self.udp.get(&id) else {
            return Sent::Lost;
        };
        let Some(socket) = self.sockets.get(flow.socket) else {
            return Sent::Lost;
        };
        match socket.try_send_to(&bytes, flow.flow.remote) {
            Ok(_) => Sent::Yes,
            Err(_) => Sent::Lost,
        }
    }

    pub(crate) fn find(&self, id: FlowId) -> Option<Flow> {
        let connection = self.connections.get(&id).map(|connection| connection.flow);
        connection.or_else(|| self.udp.get(&id).map(|flow| flow.flow))
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.len()
    }

    pub(crate) fn udp_flows(&self) -> usize {
        self.udp.len()
    }

    /// Forgets an eighth of the table, the longest silent first: sorting it for every new flow
    /// would be a gift to a flood.
    fn make_room(&mut self, pinned: &BTreeSet<FlowId>) {
        let free = self.udp.iter().filter(|(id, _)| !pinned.contains(id));
        let mut free: Vec<_> = free.map(|(id, flow)| (flow.heard, *id)).collect();
        free.sort_unstable();
        let forgotten: Vec<_> = free
            .into_iter()
            .take(UDP_FLOWS_MAX / 8)
            .map(|(_, id)| id)
            .collect();
        self.forget(&forgotten);
    }

    fn forget(&mut self, ids: &[FlowId]) {
        for id in ids {
            if let Some(flow) = self.udp.remove(id) {
                self.by_address.remove(&(flow.socket, flow.flow.remote));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remote(number: usize) -> SocketAddr {
        let [a, b, c, d] = u32::try_from(number).unwrap().to_be_bytes();
        SocketAddr::from(([127, b, c, d.max(a)], 5060))
    }

    #[tokio::test]
    async fn flood_of_addresses_forgets_the_silent_and_spares_who_is_registered() {
        let socket = udp::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let (mut flows, now) = (Flows::new(vec![Arc::new(socket)]), Instant::now());
        let registered = flows.of_datagram(0, remote(0), now, BTreeSet::new).unwrap();
        let pinned = || BTreeSet::from([registered.id]);
        for number in 1..UDP_FLOWS_MAX * 2 {
            let later = now + Duration::from_millis(number as u64);
            assert!(
                flows
                    .of_datagram(0, remote(number), later, pinned)
                    .is_some()
            );
            assert!(flows.udp_flows() <= UDP_FLOWS_MAX);
        }
        let again = flows.of_datagram(0, remote(0), now, pinned).unwrap();
        assert_eq!(again.id, registered.id);
        flows.sweep(now + Duration::from_secs(3_600), &pinned());
        assert_eq!(flows.udp_flows(), 1);
    }

    #[tokio::test]
    async fn reader_that_is_too_slow_is_noticed() {
        let mut flows = Flows::new(Vec::new());
        let address = "127.0.0.1:5060".parse().unwrap();
        let flow = Flow {
            id: FlowId(7),
            transport: Transport::Ws,
            local: address,
            remote: address,
        };
        let (writer, _queue) = mpsc::channel(1);
        flows.open(flow, writer);
        assert_eq!(flows.send(flow.id, Bytes::new()), Sent::Yes);
        assert_eq!(flows.send(flow.id, Bytes::new()), Sent::Stalled);
        assert!(flows.close(flow.id));
        assert_eq!(flows.send(flow.id, Bytes::new()), Sent::Lost);
        assert!(!flows.close(flow.id));
    }
}
