//! All server transactions.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use bytes::Bytes;

use super::invite_server::{AckIs, InviteServer};
use super::key::{Origin, ServerKey};
use super::server::Server;
use super::{Fired, FlowIndex};
use crate::agent::{Flow, FlowId, InviteId, RequestId, Transmit};
use crate::timer::TimerTable;
use crate::{Method, Status};

/// The name of a server transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ServerId(u64);

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ServerUser {
    /// The Agent has answered at once.
    Agent,
    /// The layer above.
    Request(RequestId),
    /// An INVITE usage.
    Invite(InviteId),
}

/// A server transaction and what is needed to answer.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) flow: Flow,
    pub(crate) user: ServerUser,
    /// RFC 3261 §8.2.6.2: the To tag of all our responses; `None` when the request brought one.
    pub(crate) tag: Option<Box<str>>,
    key: ServerKey,
    origin: Option<Origin>,
    machine: Machine,
}

#[derive(Debug)]
enum Machine {
    Invite(InviteServer),
    Other(Server),
}

/// All server transactions and the ways to find them.
#[derive(Debug)]
pub(crate) struct ServerTable {
    entries: BTreeMap<ServerId, Entry>,
    by_key: BTreeMap<ServerKey, ServerId>,
    by_origin: BTreeMap<Origin, ServerId>,
    by_flow: FlowIndex<ServerId>,
    timers: TimerTable<ServerId>,
    /// How many came over UDP.
    unreliable: usize,
    last_id: u64,
}

impl ServerTable {
    pub(crate) const fn new() -> Self {
        Self {
            entries: BTreeMap::new(),
            by_key: BTreeMap::new(),
            by_origin: BTreeMap::new(),
            by_flow: FlowIndex::new(),
            timers: TimerTable::new(),
            unreliable: 0,
            last_id: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many came over UDP, where the source of a request can be forged.
    pub(crate) fn unreliable(&self) -> usize {
        self.unreliable
    }

    /// Forgets an INVITE that came over UDP and was refused: nothing is sent again.
    pub(crate) fn disown(&mut self, id: ServerId) {
        let forgets = self.entries.get(&id).is_some_and(|entry| {
            !entry.flow.transport.is_reliable() && matches!(entry.machine, Machine::Invite(_))
        });
        if forgets {
            self.remove(id);
        }
    }

    /// Does the INVITE wait for its very first response?
    pub(crate) fn is_silent(&self, id: ServerId) -> bool {
        self.entries
            .get(&id)
            .is_some_and(|entry| match &entry.machine {
                Machine::Invite(machine) => machine.is_silent(),
                Machine::Other(_) => false,
            })
    }

    /// How many live on this flow.
    pub(crate) fn count_of(&self, flow: FlowId) -> usize {
        self.by_flow.count(flow)
    }

    pub(crate) fn find(&self, key: &ServerKey) -> Option<ServerId> {
        self.by_key.get(key).copied()
    }

    /// The transaction that a CANCEL wants to cancel. RFC 3261 §9.2: it is found by "assuming that the
    /// request method is anything but CANCEL or ACK and applying the transaction matching procedures".
    pub(crate) fn find_cancelled(&self, cancel: &ServerKey) -> Option<ServerId> {
        let same = self
            .by_key
            .range(cancel.first_method()..)
            .take_while(|(key, _)| key.differs_in_method(cancel));
        let mut others = same.filter(|(key, _)| *key.method() != Method::Cancel);
        others.next().map(|(_, id)| *id)
    }

    pub(crate) fn find_origin(&self, origin: &Origin) -> Option<ServerId> {
        self.by_origin.get(origin).copied()
    }

    pub(crate) fn get(&self, id: ServerId) -> Option<&Entry> {
        self.entries.get(&id)
    }

    /// Names who answers.
    pub(crate) fn set_user(&mut self, id: ServerId, user: ServerUser) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.user = user;
        }
    }

    pub(crate) fn insert(
        &mut self,
        now: Instant,
        flow: Flow,
        method: &Method,
        key: ServerKey,
        origin: Option<Origin>,
        tag: Option<Box<str>>,
    ) -> ServerId {
        self.last_id += 1;
        let id = ServerId(self.last_id);
        let reliable = flow.transport.is_reliable();
        self.unreliable += usize::from(!reliable);
        let machine = match method {
            Method::Invite => Machine::Invite(InviteServer::start(reliable)),
            _ => Machine::Other(Server::start(now, reliable)),
        };
        self.by_key.insert(key.clone(), id);
        if let Some(origin) = &origin {
            self.by_origin.insert(origin.clone(), id);
        }
        self.by_flow.insert(flow.id, id);
        let user = ServerUser::Agent;
        self.entries.insert(
            id,
            Entry {
                flow,
                user,
                tag,
                key,
                origin,
                machine,
            },
        );
        self.settle(id);
        id
    }

    /// A repeated request: sends the last response again.
    pub(crate) fn on_repeat(&self, id: ServerId, out: &mut VecDeque<Transmit>) {
        let Some(entry) = self.entries.get(&id) else {
            return;
        };
        let again = match &entry.machine {
            Machine::Invite(machine) => machine.on_request(),
            Machine::Other(machine) => machine.on_request(),
        };
        out.extend(again.map(|bytes| Transmit {
            flow: entry.flow.id,
            bytes,
        }));
    }

    pub(crate) fn on_ack(&mut self, now: Instant, id: ServerId) -> AckIs {
        let Some(Machine::Invite(machine)) = self.entries.get_mut(&id).map(|e| &mut e.machine)
        else {
            return AckIs::Above;
        };
        let whose = machine.on_ack(now);
        self.settle(id);
        whose
    }

    /// Sends a response, unless a final one was sent before or the flow is gone.
    pub(crate) fn respond(
        &mut self,
        now: Instant,
        id: ServerId,
        status: Status,
        bytes: Bytes,
        out: &mut VecDeque<Transmit>,
    ) -> bool {
        let Some(entry) = self.entries.get_mut(&id) else {
            return false;
        };
        let sent = match &mut entry.machine {
            Machine::Invite(machine) => machine.respond(now, status, bytes.clone()),
            Machine::Other(machine) => machine.respond(now, status, bytes.clone()),
        };
        if sent {
            out.push_back(Transmit {
                flow: entry.flow.id,
                bytes,
            });
        }
        self.settle(id);
        sent
    }

    /// Does the INVITE still wait for its final response?
    pub(crate) fn is_proceeding(&self, id: ServerId) -> bool {
        self.entries
            .get(&id)
            .is_some_and(|entry| match &entry.machine {
                Machine::Invite(machine) => machine.is_proceeding(),
                Machine::Other(_) => false,
            })
    }

    /// Ends the transactions of a flow; those who had to answer are told.
    pub(crate) fn close_flow(&mut self, flow: FlowId) -> Vec<ServerUser> {
        let ids = self.by_flow.of(flow);
        ids.into_iter()
            .filter_map(|id| self.remove(id))
            .map(|entry| entry.user)
            .collect()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Lets one transaction whose deadline has come act. Gives its user when it ended unanswered.
    pub(crate) fn handle_timeout(
        &mut self,
        now: Instant,
        out: &mut VecDeque<Transmit>,
    ) -> Option<ServerUser> {
        let id = self.timers.pop(now)?;
        let entry = self.entries.get_mut(&id)?;
        let fired = match &mut entry.machine {
            Machine::Invite(machine) => machine.on_timeout(now),
            Machine::Other(machine) => machine.on_timeout(now),
        };
        let user = entry.user;
        let flow = entry.flow.id;
        self.settle(id);
        match fired {
            Fired::Nothing => None,
            Fired::Send(bytes) => {
                out.push_back(Transmit { flow, bytes });
                None
            }
            Fired::TimedOut => Some(user),
        }
    }

    /// Sets the timer anew, or removes the transaction.
    fn settle(&mut self, id: ServerId) {
        let Some(entry) = self.entries.get(&id) else {
            return;
        };
        let (over, deadline) = match &entry.machine {
            Machine::Invite(machine) => (machine.is_terminated(), machine.deadline()),
            Machine::Other(machine) => (machine.is_terminated(), machine.deadline()),
        };
        if over {
            self.remove(id);
        } else {
            self.timers.set(id, deadline);
        }
    }

    fn remove(&mut self, id: ServerId) -> Option<Entry> {
        let entry = self.entries.remove(&id)?;
        self.unreliable -= usize::from(!entry.flow.transport.is_reliable());
        self.timers.set(id, None);
        self.by_key.remove(&entry.key);
        if let Some(origin) = &entry.origin
            && self.by_origin.get(origin) == Some(&id)
        {
            self.by_origin.remove(origin);
        }
        self.by_flow.remove(entry.flow.id, id);
        Some(entry)
    }
}
