//! The transaction layer: RFC 3261 §17, one machine per figure, and the tables that find them.
//!
//! The machines are values: they say what to send again and when they end. The tables own them, keep
//! their deadlines in order and find them by key; each message costs a few lookups, never a scan.

mod client;
mod client_table;
mod invite_client;
mod invite_server;
mod key;
mod server;
mod server_table;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use bytes::Bytes;

pub(crate) use client_table::{Client, ClientTable, ClientUser, Purpose, TransactionId};
pub(crate) use invite_server::AckIs;
pub(crate) use key::{Origin, ServerKey};
pub(crate) use server_table::{ServerId, ServerTable, ServerUser};

use crate::agent::FlowId;
use crate::timer::Repeat;

/// What a client machine makes of a response.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It is for the layer above.
    Deliver,
    /// It is repeated or late.
    Absorb,
    /// It is repeated; this ACK is sent again.
    Send(Bytes),
    /// It is for the layer above, after this ACK.
    DeliverAndSend(Bytes),
}

/// What a machine makes of its deadline.
#[derive(Debug)]
pub(crate) enum Fired {
    /// At most its state changed.
    Nothing,
    /// Send this again.
    Send(Bytes),
    /// The other side never answered.
    TimedOut,
}

impl Repeat {
    /// What to send again if this timer has run out.
    fn fired(&mut self, now: Instant, message: impl FnOnce() -> Bytes) -> Fired {
        if self.fire(now) {
            Fired::Send(message())
        } else {
            Fired::Nothing
        }
    }
}

/// The transactions of each flow.
#[derive(Debug)]
struct FlowIndex<Id>(BTreeMap<FlowId, BTreeSet<Id>>);

impl<Id: Ord + Copy> FlowIndex<Id> {
    const fn new() -> Self {
        Self(BTreeMap::new())
    }

    fn insert(&mut self, flow: FlowId, id: Id) {
        self.0.entry(flow).or_default().insert(id);
    }

    fn remove(&mut self, flow: FlowId, id: Id) {
        if let Some(ids) = self.0.get_mut(&flow) {
            ids.remove(&id);
            if ids.is_empty() {
                self.0.remove(&flow);
            }
        }
    }

    fn count(&self, flow: FlowId) -> usize {
        self.0.get(&flow).map_or(0, BTreeSet::len)
    }

    fn of(&self, flow: FlowId) -> Vec<Id> {
        self.0.get(&flow).into_iter().flatten().copied().collect()
    }
}
