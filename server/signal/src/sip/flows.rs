//! The driver's table of flows: connections, and pairs of a UDP socket and a remote address.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ::sip::{Flow, FlowId, Transport};
use bytes::Bytes;
use tokio::sync::mpsc;

use crate::sip::transport::udp::UdpListener;

/// Remote UDP addresses remembered. Beyond it the longest silent ones without call and registration
/// are forgotten; a forger of source addresses costs them no more than a retransmission.
pub(crate) const UDP_FLOWS_MAX: usize = 16_384;

/// Silence after which a UDP flow without call and registration is forgotten.
pub(crate) const UDP_FLOW_IDLE_MAX: Duration = Duration::from_secs(300);

/// Where messages go.
#[derive(Debug)]
pub(crate) struct Flows {
    connections: BTreeMap<FlowId, Connection>,
    udp: BTreeMap<FlowId, UdpFlow>,
    by_address: BTreeMap<Addresses, FlowId>,
    next_id: u64,
    forgotten: Vec<FlowId>,
}

/// Socket, our address, theirs.
type Addresses = (u32, SocketAddr, SocketAddr);

#[derive(Debug)]
struct Connection {
    flow: Flow,
    writer: mpsc::Sender<Bytes>,
    heard: Instant,
}

#[derive(Debug)]
struct UdpFlow {
    flow: Flow,
    listener: Arc<UdpListener>,
    heard: Instant,
}

impl UdpFlow {
    fn addresses(&self) -> Addresses {
        (self.listener.id, self.flow.local, self.flow.remote)
    }
}

/// What became of a message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    Yes,
    /// There is no such flow, or the kernel's buffer is full: as if the network had lost it.
    Lost,
    /// A connection whose reader is too slow: it must be closed.
    Stalled,
}

impl Flows {
    pub(crate) fn new() -> Self {
        Self {
            connections: BTreeMap::new(),
            udp: BTreeMap::new(),
            by_address: BTreeMap::new(),
            next_id: 1,
            forgotten: Vec::new(),
        }
    }

    pub(crate) fn open(&mut self, flow: Flow, writer: mpsc::Sender<Bytes>, now: Instant) {
        let connection = Connection {
            flow,
            writer,
            heard: now,
        };
        self.connections.insert(flow.id, connection);
    }

    /// A message came on a connection.
    pub(crate) fn hear(&mut self, id: FlowId, now: Instant) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.heard = now;
        }
    }

    /// TCP and TLS connections that said nothing for `idle` and are of no use to anybody. WebSockets
    /// are pinged, so a silent one is found out by its own task.
    pub(crate) fn idle(
        &self,
        now: Instant,
        idle: Duration,
        pinned: &BTreeSet<FlowId>,
    ) -> Vec<FlowId> {
        let is_stream = |flow: &Flow| matches!(flow.transport, Transport::Tcp | Transport::Tls);
        let connections = self.connections.iter().filter(|(id, connection)| {
            is_stream(&connection.flow)
                && now.saturating_duration_since(connection.heard) > idle
                && !pinned.contains(id)
        });
        connections.map(|(id, _)| *id).collect()
    }

    /// `false`: it was closed before.
    pub(crate) fn close(&mut self, id: FlowId) -> bool {
        self.connections.remove(&id).is_some()
    }

    /// The flow of a datagram, and whether it is new. `pinned` tells which flows have a call or
    /// registration; it is asked when the table is full.
    pub(crate) fn of_datagram(
        &mut self,
        listener: &Arc<UdpListener>,
        local: SocketAddr,
        remote: SocketAddr,
        now: Instant,
        pinned: impl FnOnce() -> BTreeSet<FlowId>,
    ) -> Option<(Flow, bool)> {
        if let Some(id) = self.by_address.get(&(listener.id, local, remote)) {
            let known = self.udp.get_mut(id)?;
            known.heard = now;
            return Some((known.flow, false));
        }
        if listener.retired.load(Ordering::Relaxed) {
            return None;
        }
        if self.udp.len() >= UDP_FLOWS_MAX {
            self.make_room(&pinned());
        }
        if self.udp.len() >= UDP_FLOWS_MAX {
            return None;
        }
        let flow = Flow {
            id: FlowId(self.next_id),
            transport: Transport::Udp,
            local,
            remote,
        };
        self.next_id += 1;
        let known = UdpFlow {
            flow,
            listener: listener.clone(),
            heard: now,
        };
        listener.flows.fetch_add(1, Ordering::Relaxed);
        self.by_address.insert(known.addresses(), flow.id);
        self.udp.insert(flow.id, known);
        Some((flow, true))
    }

    /// UDP flows that were forgotten since the last time.
    pub(crate) fn forgotten(&mut self) -> Vec<FlowId> {
        std::mem::take(&mut self.forgotten)
    }

    /// The flow to an address nobody needs to have written from, and whether it is new; from the transport
    /// of this name if one is named.
    pub(crate) fn of_address(
        &mut self,
        listeners: &[Arc<UdpListener>],
        transport: Option<&str>,
        remote: SocketAddr,
        now: Instant,
        pinned: impl FnOnce() -> BTreeSet<FlowId>,
    ) -> Option<(Flow, bool)> {
        let named = |listener: &&Arc<UdpListener>| {
            transport.is_none_or(|id| listener.config.load().id == id)
        };
        let reached = listeners
            .iter()
            .filter(named)
            .find_map(|listener| Some((listener, listener.local_for(remote)?)));
        let (listener, local) = reached?;
        self.of_datagram(listener, local, remote, now, pinned)
    }

    /// A name for a connection of an earlier run: nothing goes out on it.
    pub(crate) fn closed(
        &mut self,
        transport: Transport,
        local: Option<SocketAddr>,
        remote: SocketAddr,
    ) -> Flow {
        let id = FlowId(self.next_id);
        self.next_id += 1;
        Flow {
            id,
            transport,
            local: local.unwrap_or(remote),
            remote,
        }
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
        let Flow { local, remote, .. } = flow.flow;
        match flow.listener.send(local, remote, &bytes) {
            true => Sent::Yes,
            false => Sent::Lost,
        }
    }

    /// Everything that is open or remembered.
    pub(crate) fn all(&self) -> Vec<Flow> {
        let connections = self.connections.values().map(|connection| connection.flow);
        connections
            .chain(self.udp.values().map(|udp| udp.flow))
            .collect()
    }

    /// The socket of a UDP flow.
    pub(crate) fn socket(&self, id: FlowId) -> Option<&Arc<UdpListener>> {
        self.udp.get(&id).map(|udp| &udp.listener)
    }

    pub(crate) fn find(&self, id: FlowId) -> Option<Flow> {
        let connection = self.connections.get(&id).map(|connection| connection.flow);
        connection.or_else(|| self.udp.get(&id).map(|flow| flow.flow))
    }

    /// WebSockets, and connections of TCP and TLS.
    pub(crate) fn connections(&self) -> (usize, usize) {
        let is_web = |connection: &&Connection| {
            matches!(connection.flow.transport, Transport::Ws | Transport::Wss)
        };
        let web = self.connections.values().filter(is_web).count();
        (web, self.connections.len() - web)
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
                self.by_address.remove(&flow.addresses());
                flow.listener.flows.fetch_sub(1, Ordering::Relaxed);
                self.forgotten.push(*id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use config::Object;

    use super::*;

    fn remote(number: usize) -> SocketAddr {
        let [a, b, c, d] = u32::try_from(number).unwrap().to_be_bytes();
        SocketAddr::from(([127, b, c, d.max(a)], 5060))
    }

    #[tokio::test]
    async fn flood_of_addresses_forgets_the_silent_and_spares_who_is_registered() {
        let (config, _) =
            config::TransportConfig::from_columns("u", &[("bind", "127.0.0.1")]).unwrap();
        let mut config = config;
        config.bind.set_port(0);
        let listener = Arc::new(UdpListener::bind(Arc::new(config), false).unwrap());
        let (mut flows, now, local) = (Flows::new(), Instant::now(), listener.bound);
        let (registered, is_new) = flows
            .of_datagram(&listener, local, remote(0), now, BTreeSet::new)
            .unwrap();
        assert!(is_new);
        let pinned = || BTreeSet::from([registered.id]);
        for number in 1..UDP_FLOWS_MAX * 2 {
            let later = now + Duration::from_millis(number as u64);
            let flow = flows.of_datagram(&listener, local, remote(number), later, pinned);
            assert!(flow.is_some());
            assert!(flows.udp_flows() <= UDP_FLOWS_MAX);
        }
        assert_eq!(listener.flows.load(Ordering::Relaxed), flows.udp_flows());
        let again = flows.of_datagram(&listener, local, remote(0), now, pinned);
        assert_eq!(again, Some((registered, false)));
        flows.sweep(now + Duration::from_secs(3_600), &pinned());
        assert_eq!(flows.udp_flows(), 1);
        assert_eq!(flows.forgotten().len(), UDP_FLOWS_MAX * 2 - 1);
        listener.retired.store(true, Ordering::Relaxed);
        let newcomer = flows.of_datagram(&listener, local, remote(1), now, pinned);
        assert_eq!(newcomer, None, "a removed transport takes nobody new");
        let again = flows.of_datagram(&listener, local, remote(0), now, pinned);
        assert_eq!(again, Some((registered, false)), "and keeps who was there");
    }

    #[test]
    fn silent_connections_without_use_are_found_and_no_others() {
        let (mut flows, now) = (Flows::new(), Instant::now());
        let address = "127.0.0.1:5060".parse().unwrap();
        let all = [
            (1, Transport::Tcp),
            (2, Transport::Tls),
            (3, Transport::Ws),
            (4, Transport::Tcp),
            (5, Transport::Tcp),
        ];
        for (id, transport) in all {
            let flow = Flow {
                id: FlowId(id),
                transport,
                local: address,
                remote: address,
            };
            flows.open(flow, mpsc::channel(1).0, now);
        }
        let (idle, later) = (Duration::from_secs(600), now + Duration::from_secs(601));
        flows.hear(FlowId(4), later);
        let found = flows.idle(later, idle, &BTreeSet::from([FlowId(5)]));
        assert_eq!(found, [FlowId(1), FlowId(2)]);
        assert_eq!(flows.idle(now + idle, idle, &BTreeSet::new()), []);
    }

    #[tokio::test]
    async fn reader_that_is_too_slow_is_noticed() {
        let mut flows = Flows::new();
        let address = "127.0.0.1:5060".parse().unwrap();
        let flow = Flow {
            id: FlowId(7),
            transport: Transport::Ws,
            local: address,
            remote: address,
        };
        let (writer, _queue) = mpsc::channel(1);
        flows.open(flow, writer, Instant::now());
        assert_eq!(flows.send(flow.id, Bytes::new()), Sent::Yes);
        assert_eq!(flows.send(flow.id, Bytes::new()), Sent::Stalled);
        assert!(flows.close(flow.id));
        assert_eq!(flows.send(flow.id, Bytes::new()), Sent::Lost);
        assert!(!flows.close(flow.id));
    }
}
