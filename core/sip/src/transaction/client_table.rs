//! All client transactions.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use bytes::Bytes;

use super::client::Client as ClientMachine;
use super::invite_client::InviteClient;
use super::{Fired, FlowIndex, Verdict};
use crate::agent::{ClientId, Flow, FlowId, InviteId, SubscriptionId, Transmit};
use crate::timer::TimerTable;
use crate::{HeaderName, Method, Request, Response};

/// The name of a client transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TransactionId(u64);

/// Who waits for the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientUser {
    /// Nobody: a CANCEL, the BYE of an unwanted fork.
    Agent,
    /// The layer above.
    Request(ClientId),
    /// An INVITE usage.
    Invite(InviteId, Purpose),
    /// A NOTIFY to a subscriber.
    Subscription(SubscriptionId),
}

/// What an INVITE usage sent the request for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The first INVITE.
    Initial,
    /// A re-INVITE or UPDATE with an offer.
    Offer,
    /// An UPDATE without body: RFC 4028 refresh.
    Refresh,
    /// An UPDATE without body that says who the peer is connected to.
    Announcement,
    /// The acknowledgement of a provisional response.
    Prack,
    /// The end.
    Bye,
    /// A request of the layer above inside the dialog.
    InDialog(ClientId),
}

/// A client transaction to be.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) flow: Flow,
    pub(crate) branch: Box<str>,
    /// With its Via.
    pub(crate) request: Request,
    pub(crate) user: ClientUser,
    /// How often it has been signed anew.
    pub(crate) logins: u8,
}

#[derive(Debug)]
struct Entry {
    flow: Flow,
    user: ClientUser,
    logins: u8,
    key: ClientKey,
    machine: Machine,
}

/// RFC 3261 §17.1.3: the branch of the topmost Via and the method of the CSeq.
type ClientKey = (Box<str>, Method);

#[derive(Debug)]
enum Machine {
    /// With the INVITE, of which its ACK and CANCEL are made.
    Invite(InviteClient, Box<Request>),
    Other(ClientMachine),
}

/// All client transactions and the ways to find them.
#[derive(Debug)]
pub(crate) struct ClientTable {
    entries: BTreeMap<TransactionId, Entry>,
    by_key: BTreeMap<ClientKey, TransactionId>,
    by_flow: FlowIndex<TransactionId>,
    timers: TimerTable<TransactionId>,
    last_id: u64,
}

impl ClientTable {
    pub(crate) const fn new() -> Self {
        Self {
            entries: BTreeMap::new(),
            by_key: BTreeMap::new(),
            by_flow: FlowIndex::new(),
            timers: TimerTable::new(),
            last_id: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Sends a request.
    pub(crate) fn start(
        &mut self,
        now: Instant,
        client: Client,
        out: &mut VecDeque<Transmit>,
    ) -> TransactionId {
        let Client {
            flow,
            branch,
            request,
            user,
            logins,
        } = client;
        self.last_id += 1;
        let id = TransactionId(self.last_id);
        let reliable = flow.transport.is_reliable();
        let bytes = request.to_bytes();
        out.push_back(Transmit {
            flow: flow.id,
            bytes: bytes.clone(),
        });
        let key = (branch, request.method.clone());
        let machine = match request.method {
            Method::Invite => {
                Machine::Invite(InviteClient::start(now, reliable, bytes), Box::new(request))
            }
            _ => Machine::Other(ClientMachine::start(now, reliable, bytes)),
        };
        self.by_key.insert(key.clone(), id);
        self.by_flow.insert(flow.id, id);
        self.entries.insert(
            id,
            Entry {
                flow,
                user,
                logins,
                key,
                machine,
            },
        );
        self.settle(id);
        id
    }

    /// The transaction a response belongs to.
    pub(crate) fn find(&self, branch: &str, method: &Method) -> Option<TransactionId> {
        self.by_key.get(&(branch.into(), method.clone())).copied()
    }

    /// Gives a response to its transaction; `Some` if it is for the layer above.
    pub(crate) fn on_response(
        &mut self,
        now: Instant,
        id: TransactionId,
        response: &Response,
        to_tag: &str,
        out: &mut VecDeque<Transmit>,
    ) -> Option<ClientUser> {
        let entry = self.entries.get_mut(&id)?;
        let verdict = match &mut entry.machine {
            Machine::Invite(machine, invite) => {
                let ack = || ack_to_refusal(invite, response);
                machine.on_response(now, response.status, to_tag, ack)
            }
            Machine::Other(machine) => machine.on_response(now, response.status),
        };
        let user = entry.user;
        let flow = entry.flow.id;
        let deliver = match verdict {
            Verdict::Deliver => true,
            Verdict::Absorb => false,
            Verdict::Send(bytes) => {
                out.push_back(Transmit { flow, bytes });
                false
            }
            Verdict::DeliverAndSend(bytes) => {
                out.push_back(Transmit { flow, bytes });
                true
            }
        };
        self.settle(id);
        deliver.then_some(user)
    }

    /// The INVITE of this transaction and the flow it went down.
    pub(crate) fn invite_of(&self, id: TransactionId) -> Option<(&Request, Flow)> {
        let entry = self.entries.get(&id)?;
        match &entry.machine {
            Machine::Invite(_, invite) => Some((invite, entry.flow)),
            Machine::Other(_) => None,
        }
    }

    /// The request of this transaction as it was before its Via, and how often it was signed anew.
    pub(crate) fn sent(&self, id: TransactionId) -> Option<(Request, u8)> {
        let entry = self.entries.get(&id)?;
        let mut request = match &entry.machine {
            Machine::Invite(_, invite) => (**invite).clone(),
            Machine::Other(machine) => machine.request()?,
        };
        request.headers.remove(&HeaderName::Via);
        Some((request, entry.logins))
    }

    /// The layer above sent this ACK to a 2xx.
    pub(crate) fn acknowledged(&mut self, id: TransactionId, to_tag: &str, ack: Bytes) {
        if let Some(Machine::Invite(machine, _)) = self.entries.get_mut(&id).map(|e| &mut e.machine)
        {
            machine.acknowledged(to_tag, ack);
        }
    }

    /// May the INVITE be cancelled now (RFC 3261 §9.1)?
    pub(crate) fn is_proceeding(&self, id: TransactionId) -> bool {
        match self.entries.get(&id).map(|entry| &entry.machine) {
            Some(Machine::Invite(machine, _)) => machine.is_proceeding(),
            Some(Machine::Other(_)) | None => false,
        }
    }

    /// Sends the CANCEL of an INVITE, with these headers added.
    pub(crate) fn cancel(
        &mut self,
        now: Instant,
        id: TransactionId,
        headers: &[(HeaderName, String)],
        out: &mut VecDeque<Transmit>,
    ) {
        let Some(entry) = self.entries.get(&id) else {
            return;
        };
        let Machine::Invite(_, invite) = &entry.machine else {
            return;
        };
        let mut request = like(invite, &Method::Cancel);
        request.headers.copy(&invite.headers, &HeaderName::To);
        for (name, value) in headers {
            request.headers.push(name.clone(), value);
        }
        let client = Client {
            flow: entry.flow,
            branch: entry.key.0.clone(),
            request,
            user: ClientUser::Agent,
            logins: 0,
        };
        self.start(now, client, out);
    }

    /// Ends an INVITE that was cancelled and never answered.
    pub(crate) fn abandon(&mut self, id: TransactionId) {
        if let Some(Machine::Invite(machine, _)) = self.entries.get_mut(&id).map(|e| &mut e.machine)
        {
            machine.abandon();
        }
        self.settle(id);
    }

    /// This INVITE is not repeated any more.
    pub(crate) fn hush(&mut self, id: TransactionId) {
        if let Some(Machine::Invite(machine, _)) = self.entries.get_mut(&id).map(|e| &mut e.machine)
        {
            machine.hush();
        }
        self.settle(id);
    }

    /// A request of the layer above goes by another flow from now on, at once and with all its repetitions.
    pub(crate) fn redirect(
        &mut self,
        client: ClientId,
        from: FlowId,
        to: Flow,
        out: &mut VecDeque<Transmit>,
    ) {
        for id in self.by_flow.of(from) {
            let Some(entry) = self.entries.get_mut(&id) else {
                continue;
            };
            let is_it = match entry.user {
                ClientUser::Request(own) | ClientUser::Invite(_, Purpose::InDialog(own)) => {
                    own == client
                }
                ClientUser::Agent | ClientUser::Invite(..) | ClientUser::Subscription(_) => false,
            };
            let is_datagram = !entry.flow.transport.is_reliable() && !to.transport.is_reliable();
            if let Machine::Other(machine) = &entry.machine
                && is_it
                && is_datagram
                && machine.waits()
            {
                out.push_back(Transmit {
                    flow: to.id,
                    bytes: machine.bytes(),
                });
                entry.flow = to;
                self.by_flow.remove(from, id);
                self.by_flow.insert(to.id, id);
            }
        }
    }

    /// Ends the transactions of a flow; those who still waited for a final response are told.
    pub(crate) fn close_flow(&mut self, flow: FlowId) -> Vec<ClientUser> {
        let ids = self.by_flow.of(flow);
        let entries = ids.into_iter().filter_map(|id| self.remove(id));
        entries
            .filter(Entry::waits)
            .map(|entry| entry.user)
            .collect()
    }

    /// The call of this INVITE is over; its transaction may not outlive it for long.
    pub(crate) fn forget(&mut self, now: Instant, id: TransactionId) {
        if let Some(Machine::Invite(machine, _)) = self.entries.get_mut(&id).map(|e| &mut e.machine)
        {
            machine.forget(now);
        }
        self.settle(id);
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Lets one transaction whose deadline has come act. Gives its user when no response came.
    pub(crate) fn handle_timeout(
        &mut self,
        now: Instant,
        out: &mut VecDeque<Transmit>,
    ) -> Option<ClientUser> {
        let id = self.timers.pop(now)?;
        let entry = self.entries.get_mut(&id)?;
        let fired = match &mut entry.machine {
            Machine::Invite(machine, _) => machine.on_timeout(now),
            Machine::Other(machine) => machine.on_timeout(now),
        };
        let (user, flow) = (entry.user, entry.flow.id);
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
    fn settle(&mut self, id: TransactionId) {
        let Some(entry) = self.entries.get(&id) else {
            return;
        };
        let (over, deadline) = match &entry.machine {
            Machine::Invite(machine, _) => (machine.is_terminated(), machine.deadline()),
            Machine::Other(machine) => (machine.is_terminated(), machine.deadline()),
        };
        if over {
            self.remove(id);
        } else {
            self.timers.set(id, deadline);
        }
    }

    fn remove(&mut self, id: TransactionId) -> Option<Entry> {
        let entry = self.entries.remove(&id)?;
        self.timers.set(id, None);
        self.by_key.remove(&entry.key);
        self.by_flow.remove(entry.flow.id, id);
        Some(entry)
    }
}

impl Entry {
    const fn waits(&self) -> bool {
        match &self.machine {
            Machine::Invite(machine, _) => machine.waits(),
            Machine::Other(machine) => machine.waits(),
        }
    }
}

/// RFC 3261 §17.1.1.3: "The ACK request constructed by the client transaction MUST contain values for
/// the Call-ID, From, and Request-URI that are equal to the values of those header fields in the
/// request passed to the transport by the client transaction … The To header field in the ACK MUST
/// equal the To header field in the response being acknowledged".
fn ack_to_refusal(invite: &Request, response: &Response) -> Bytes {
    let mut ack = like(invite, &Method::Ack);
    ack.headers.copy(&response.headers, &HeaderName::To);
    ack.to_bytes()
}

/// An ACK (§17.1.1.3) or CANCEL (§9.1) of an INVITE, without To: one Via, "equal to the top Via header
/// field of the original request", the CSeq number, the Route.
fn like(invite: &Request, method: &Method) -> Request {
    let mut request = Request::new(method.clone(), invite.uri.clone());
    let headers = &mut request.headers;
    headers.copy(&invite.headers, &HeaderName::Via);
    headers.push(HeaderName::MaxForwards, "70");
    for name in [HeaderName::From, HeaderName::CallId, HeaderName::Route] {
        headers.copy(&invite.headers, &name);
    }
    let number = invite.headers.cseq().map_or(0, |cseq| cseq.number);
    headers.push(HeaderName::CSeq, &format!("{number} {method}"));
    request
}
