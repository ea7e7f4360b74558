//! The ways messages go: which flow leads where, those of datagrams and of an earlier run, and how our addresses are
//! seen from each.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr, UdpSocket as StdSocket};
use std::sync::Arc;
use std::time::Instant;

use ::sip::{Body, Flow, FlowId, InviteId, Transport};
use bytes::Bytes;
use config::Protocol;
use store::SavedContact;

use crate::sip::destination::Destination;
use crate::sip::driver::Driver;
use crate::sip::driver::calls::Calls;
use crate::sip::location::way_to;
use crate::sip::outbound::Route;
use crate::sip::outside::{Outside, as_seen_from_outside};
use crate::sip::qualify;
use crate::sip::resolve::Hop;
use crate::sip::shared::Shared;
use crate::sip::trace::{self, Way};
use crate::sip::transport::udp::UdpListener;

impl Driver {
    /// The flow that a route is now, and where a connection would have to go.
    pub(super) fn way(
        &mut self,
        route: &Route,
        now: Instant,
    ) -> (Option<Flow>, Option<Destination>) {
        match route {
            Route::Contact(flow, to) => (self.flows.find(flow.id), to.clone()),
            Route::Hops(hops) => match hops.first() {
                Some(Hop::Udp(remote, by)) => (self.udp_flow(*remote, by.as_deref(), now), None),
                Some(Hop::Connection(to)) => (None, Some(to.clone())),
                None => (None, None),
            },
        }
    }

    /// The flow to an address that has not written to us, maybe.
    pub(super) fn udp_flow(
        &mut self,
        remote: SocketAddr,
        transport: Option<&str>,
        now: Instant,
    ) -> Option<Flow> {
        let (calls, shared) = (&self.calls, &self.shared);
        let pinned = || pinned(calls, shared);
        let listeners = shared.udp.load_full();
        let found = self
            .flows
            .of_address(&listeners, transport, remote, now, pinned);
        self.forget();
        let (flow, is_new) = found?;
        if is_new {
            self.advertise(&flow);
        }
        Some(flow)
    }

    pub(super) fn on_datagram(
        &mut self,
        listener: &Arc<UdpListener>,
        local: SocketAddr,
        remote: SocketAddr,
        bytes: &Bytes,
        now: Instant,
    ) {
        // RFC 5626 §3.5.2 and devices that keep their NAT open send what is no message.
        if bytes
            .iter()
            .all(|byte| matches!(byte, b'\r' | b'\n' | b'\0'))
        {
            return;
        }
        let (calls, shared) = (&self.calls, &self.shared);
        let pinned = || pinned(calls, shared);
        let flow = self.flows.of_datagram(listener, local, remote, now, pinned);
        self.forget();
        let Some((flow, is_new)) = flow else {
            return self.dropped();
        };
        if is_new {
            self.advertise(&flow);
        }
        trace::message(Way::In, &flow, bytes);
        self.agent.handle_message(now, flow, bytes);
    }

    /// Contacts of an earlier run are reached as before: over UDP at once, by the address they came
    /// from; over a connection when the phone opens one.
    pub(super) fn restore(&mut self, now: Instant, contacts: &[SavedContact]) {
        let (mut count, mut lost) = (0_usize, 0_usize);
        for contact in contacts {
            let flow = way_to(contact).and_then(|(transport, local, remote)| match transport {
                Transport::Udp => self.restored_flow(local, remote, now),
                _ => Some(self.flows.closed(transport, local, remote)),
            });
            let restored = flow.is_some_and(|flow| self.shared.location().restore(contact, flow));
            count += usize::from(restored);
            lost += usize::from(!restored);
        }
        if count > 0 {
            tracing::info!(
                contacts = count,
                "registrations of the last run are in force"
            );
            self.links
                .tracker
                .spawn(qualify::adopt(self.shared.clone()));
        }
        if lost > 0 {
            tracing::info!(
                contacts = lost,
                "registrations of the last run cannot be used"
            );
        }
    }

    /// The flow of an earlier run: from the same port and address of ours, else from any that reaches
    /// `remote`.
    fn restored_flow(
        &mut self,
        local: Option<SocketAddr>,
        remote: SocketAddr,
        now: Instant,
    ) -> Option<Flow> {
        let listeners = self.shared.udp.load_full();
        let same = local.and_then(|local| {
            let reaches = |listener: &&Arc<UdpListener>| {
                listener.bound.port() == local.port() && listener.local_for(remote).is_some()
            };
            let listener = listeners.iter().find(reaches)?;
            // The machine may have lost the address meanwhile.
            let is_ours = StdSocket::bind((local.ip(), 0)).is_ok();
            let local = if is_ours {
                local
            } else {
                listener.local_for(remote)?
            };
            Some((listener.clone(), local))
        });
        let Some((listener, local)) = same else {
            return self.udp_flow(remote, None, now);
        };
        let (calls, shared) = (&self.calls, &self.shared);
        let pinned = || pinned(calls, shared);
        let (flow, is_new) = self
            .flows
            .of_datagram(&listener, local, remote, now, pinned)?;
        if is_new {
            self.advertise(&flow);
        }
        Some(flow)
    }

    pub(super) fn pinned(&self) -> BTreeSet<FlowId> {
        pinned(&self.calls, &self.shared)
    }

    /// Takes what the files say of our addresses for a flow. Whether it is reached by another one now.
    pub(super) fn advertise(&mut self, flow: &Flow) -> bool {
        // Who stays on a transport that was removed is told what he was told.
        let Some(outside) = self.outside(flow) else {
            return false;
        };
        let before = self.agent.address(flow);
        self.agent.advertise(flow.id, outside.host);
        match outside.media {
            Some(address) => self.media.insert(flow.id, address),
            None => self.media.remove(&flow.id),
        };
        before != self.agent.address(flow)
    }

    /// After a reload: who is here already is told new addresses too, and registrars are at once.
    pub(super) fn advertise_all(&mut self, now: Instant) {
        let mut moved = BTreeSet::new();
        for flow in self.flows.all() {
            if self.advertise(&flow) {
                moved.insert(flow.id);
            }
        }
        self.register_moved(now, &moved);
    }

    /// What the transport of a flow says of our addresses; `None`: it has none any more.
    fn outside(&self, flow: &Flow) -> Option<Outside> {
        let (remote, local) = (flow.remote.ip(), flow.local);
        let protocol = match flow.transport {
            Transport::Udp => {
                let config = self.flows.socket(flow.id)?.config.load();
                return Some(Outside::of(&config, remote));
            }
            Transport::Tcp => Protocol::Tcp,
            Transport::Tls => Protocol::Tls,
            Transport::Ws => Protocol::Ws,
            Transport::Wss => Protocol::Wss,
        };
        if !protocol.binds() {
            // WebSockets have no transport of their own; the first of their protocol says it.
            let config = self.shared.switch.config();
            let mut transports = config.transports.iter();
            let own = transports.find(|transport| transport.protocol == protocol);
            return Some(own.map_or_else(Outside::default, |own| Outside::of(own, remote)));
        }
        let streams = self.shared.streams.load();
        let at = |is_own: &dyn Fn(IpAddr) -> bool| {
            streams.iter().find(|listener| {
                let is_of = listener.settings.load().config.protocol == protocol;
                is_of && listener.bound.port() == local.port() && is_own(listener.bound.ip())
            })
        };
        let listener = at(&|ip| ip == local.ip()).or_else(|| at(&|ip| ip.is_unspecified()))?;
        Some(Outside::of(&listener.settings.load().config, remote))
    }

    pub(super) fn forget(&mut self) {
        for forgotten in self.flows.forgotten() {
            self.agent.forget(forgotten);
            self.media.remove(&forgotten);
        }
    }

    /// A description for a call, as its peer must see it.
    pub(super) fn described(&self, id: InviteId, body: Body) -> Body {
        match self.calls.flow(id) {
            Some(flow) => self.seen_from(flow, body),
            None => body,
        }
    }

    pub(super) fn seen_from(&self, flow: FlowId, body: Body) -> Body {
        match self.media.get(&flow) {
            Some(address) => as_seen_from_outside(body, *address),
            None => body,
        }
    }
}

/// Flows that must not be forgotten.
fn pinned(calls: &Calls, shared: &Shared) -> BTreeSet<FlowId> {
    let mut pinned = shared.location().flows();
    pinned.extend(shared.trunks().flows());
    pinned.extend(calls.flows());
    pinned
}
