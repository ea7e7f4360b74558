//! What every usage needs: the transactions, the random tokens, our identity, and the outputs.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Instant;

use bytes::Bytes;
use rand_chacha::ChaCha12Rng;
use rand_core::{Rng, SeedableRng};

use super::{
    ClientId, Event, Flow, FlowId, FlowLimits, Identity, InviteId, Limits, RETRY_AFTER_S,
    RequestId, SubscriptionId, Transmit, Transport,
};
use crate::dialog::{Dialog, DialogId, SharedSequences};
use crate::transaction::{Client, ClientTable, ClientUser, ServerId, ServerTable, TransactionId};
use crate::{HeaderName, Host, Method, Request, Response, Status, Via};

/// The methods we act on, for Allow.
pub(crate) const METHODS: [Method; 14] = [
    Method::Invite,
    Method::Ack,
    Method::Cancel,
    Method::Bye,
    Method::Prack,
    Method::Update,
    Method::Options,
    Method::Register,
    Method::Message,
    Method::Info,
    Method::Refer,
    Method::Notify,
    Method::Subscribe,
    Method::Publish,
];

/// What our calls promise to act on. The other methods reach the layer above, which may refuse them.
pub(crate) const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, PRACK, UPDATE, INFO, MESSAGE, OPTIONS, REGISTER, REFER, SUBSCRIBE, NOTIFY";

/// A request that waits for the layer above.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waiting {
    pub(crate) server: ServerId,
    pub(crate) invite: Option<InviteId>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Base {
    pub(crate) identity: Identity,
    pub(crate) limits: Limits,
    pub(crate) servers: ServerTable,
    pub(crate) clients: ClientTable,
    pub(crate) dialogs: BTreeMap<DialogId, InviteId>,
    pub(crate) sequences: SharedSequences,
    pub(crate) requests: BTreeMap<RequestId, Waiting>,
    /// INVITEs without final response, of each flow.
    pub(crate) pending: BTreeMap<FlowId, usize>,
    /// Flows on which a caller was let in.
    pub(crate) known: BTreeSet<FlowId>,
    /// Hosts that stand for ours on some flows.
    pub(crate) advertised: BTreeMap<FlowId, Box<str>>,
    pub(crate) transmits: VecDeque<Transmit>,
    pub(crate) events: VecDeque<Event>,
    rng: ChaCha12Rng,
    last_id: u64,
}

impl Base {
    pub(crate) fn new(identity: Identity, limits: Limits, seed: [u8; 32]) -> Self {
        Self {
            identity,
            limits,
            servers: ServerTable::new(),
            clients: ClientTable::new(),
            dialogs: BTreeMap::new(),
            sequences: SharedSequences::default(),
            requests: BTreeMap::new(),
            pending: BTreeMap::new(),
            known: BTreeSet::new(),
            advertised: BTreeMap::new(),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            rng: ChaCha12Rng::from_seed(seed),
            last_id: 0,
        }
    }

    pub(crate) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// 100 random bits in letters and digits, for tags, branches and Call-IDs. RFC 3261 §19.3: a tag "MUST be
    /// globally unique and cryptographically random with at least 32 bits of randomness".
    pub(crate) fn token(&mut self) -> String {
        const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
        let mut bytes = [0; 20];
        self.rng.fill_bytes(&mut bytes);
        bytes
            .iter()
            .map(|byte| char::from(ALPHABET[usize::from(byte % 32)]))
            .collect()
    }

    /// A random number below `end`.
    pub(crate) fn below(&mut self, end: u32) -> u32 {
        self.rng.next_u32() % end
    }

    pub(crate) fn transactions(&self) -> usize {
        self.servers.len() + self.clients.len()
    }

    /// Is there room for one more transaction? `urgent` ones may use the reserve.
    pub(crate) fn has_room(&self, urgent: bool) -> bool {
        let reserve = if urgent {
            self.limits.transactions / 8 + 1
        } else {
            0
        };
        self.transactions() < self.limits.transactions + reserve
    }

    /// Our Contact on this flow. Always `sip:`: JsSIP answers 416 to `sips:`.
    pub(crate) fn contact(&self, flow: &Flow) -> String {
        let token = flow.transport.uri_token();
        format!("<sip:{};transport={token}>", self.address(flow))
    }

    /// Host and port of our Contact on this flow.
    pub(crate) fn address(&self, flow: &Flow) -> String {
        match self.host(flow) {
            Some(host) => host.to_owned(),
            None => canonical(flow).to_string(),
        }
    }

    /// The host that stands for ours on this flow.
    fn host(&self, flow: &Flow) -> Option<&str> {
        let advertised = self.advertised.get(&flow.id).map(|host| &**host);
        advertised.or(self.identity.host.as_deref())
    }

    /// Sends a response and gives its bytes. Adds the To tag (RFC 3261 §8.2.6.2) and Server.
    pub(crate) fn respond(
        &mut self,
        now: Instant,
        server: ServerId,
        mut response: Response,
    ) -> Option<Bytes> {
        let tag = self.servers.get(server)?.tag.clone();
        if response.status != Status::TRYING {
            self.complete(&mut response, tag.as_deref());
        }
        let bytes = response.to_bytes();
        let sent = self.servers.respond(
            now,
            server,
            response.status,
            bytes.clone(),
            &mut self.transmits,
        );
        sent.then_some(bytes)
    }

    /// The final answer to somebody who has proven nothing. Over UDP anybody can write anybody's
    /// address into a request, and a refusal of an INVITE, sent again until the ACK comes, would hit
    /// him eleven times. RFC 3261 §26.3.2.4: send "only a single 401 (Unauthorized) or 407 …, forgoing
    /// the normal response retransmission algorithm, and thus behaving statelessly towards
    /// unauthenticated requests".
    pub(crate) fn turn_away(&mut self, now: Instant, server: ServerId, response: Response) {
        self.respond(now, server, response);
        self.servers.disown(server);
    }

    /// Sends a response outside any transaction (RFC 3261 §8.2.7).
    pub(crate) fn respond_stateless(&mut self, flow: FlowId, mut response: Response) {
        let tag = self.token();
        self.complete(&mut response, Some(&tag));
        self.transmits.push_back(Transmit {
            flow,
            bytes: response.to_bytes(),
        });
    }

    fn complete(&self, response: &mut Response, tag: Option<&str>) {
        let headers = &mut response.headers;
        if let Some(tag) = tag
            && headers.to().is_ok_and(|to| to.tag().is_none())
        {
            let to = headers.get(&HeaderName::To).unwrap_or_default();
            let to = format!("{to};tag={tag}");
            headers.set(HeaderName::To, &to);
        }
        if !self.identity.server.is_empty() && !headers.has(&HeaderName::Server) {
            headers.push(HeaderName::Server, &self.identity.server);
        }
    }

    /// Refuses: 503 with Retry-After.
    pub(crate) fn refuse_overload(&mut self, flow: FlowId, request: &Request) {
        let mut response = request.response(Status::SERVICE_UNAVAILABLE);
        response
            .headers
            .push(HeaderName::RetryAfter, &RETRY_AFTER_S.to_string());
        self.respond_stateless(flow, response);
    }

    /// Puts our Via on top, with a new branch, and User-Agent below.
    fn dress(&mut self, flow: &Flow, request: &mut Request) -> Box<str> {
        let branch = format!("z9hG4bK{}", self.token());
        let local = canonical(flow);
        let token = flow.transport.via_token();
        let advertised = self
            .advertised
            .get(&flow.id)
            .and_then(|host| Via::parse(&format!("SIP/2.0/{token} {host};branch={branch}")).ok());
        let own = || Via::new(token, Host::from(local.ip()), Some(local.port()), &branch);
        let mut via = advertised.unwrap_or_else(own);
        // RFC 3581 §3: "the client … MUST include an rport parameter"; of use on UDP only.
        if flow.transport == Transport::Udp {
            via.params.set("rport", None);
        }
        request
            .headers
            .push_front(HeaderName::Via, &via.to_string());
        if let Some(hops) = self.identity.max_forwards {
            let headers = &mut request.headers;
            headers.set(HeaderName::MaxForwards, &hops.to_string());
        }
        if !self.identity.server.is_empty() && !request.headers.has(&HeaderName::UserAgent) {
            let server = &self.identity.server;
            request.headers.push(HeaderName::UserAgent, server);
        }
        branch.into()
    }

    /// Sends a request of ours.
    pub(crate) fn start(
        &mut self,
        now: Instant,
        flow: Flow,
        request: Request,
        user: ClientUser,
    ) -> TransactionId {
        self.start_again(now, flow, request, user, 0)
    }

    /// Sends a request of ours that was signed anew for the `logins`th time.
    pub(crate) fn start_again(
        &mut self,
        now: Instant,
        flow: Flow,
        mut request: Request,
        user: ClientUser,
        logins: u8,
    ) -> TransactionId {
        let branch = self.dress(&flow, &mut request);
        let client = Client {
            flow,
            branch,
            request,
            user,
            logins,
        };
        self.clients.start(now, client, &mut self.transmits)
    }

    /// Sends the ACK of a 2xx, and leaves it with the INVITE's transaction for repeated 2xx.
    /// RFC 3261 §13.2.2.4: it "is passed to the transport layer directly", with a branch of its own.
    pub(crate) fn send_ack(
        &mut self,
        flow: Flow,
        mut ack: Request,
        invite: TransactionId,
        to_tag: &str,
    ) {
        // RFC 3261 §22.1: an ACK carries the credentials its INVITE was accepted with.
        if let Some((request, _)) = self.clients.invite_of(invite) {
            for name in [HeaderName::Authorization, HeaderName::ProxyAuthorization] {
                ack.headers.copy(&request.headers, &name);
            }
        }
        self.dress(&flow, &mut ack);
        let bytes = ack.to_bytes();
        self.clients.acknowledged(invite, to_tag, bytes.clone());
        self.transmits.push_back(Transmit {
            flow: flow.id,
            bytes,
        });
    }

    /// RFC 3261 §13.2.2.4: a 2xx nobody wants any more, of a late fork or after the call is over, is ACKed
    /// and its dialog ended by a BYE.
    pub(crate) fn shed(&mut self, now: Instant, invite: TransactionId, response: &Response) {
        let Some((request, flow)) = self.clients.invite_of(invite) else {
            return;
        };
        let number = request.headers.cseq().map_or(0, |cseq| cseq.number);
        let Ok(Some(mut dialog)) = Dialog::of_response(request, response) else {
            return;
        };
        let to_tag = tag_of(response);
        self.send_ack(flow, dialog.ack(number), invite, &to_tag);
        let bye = dialog.request(&mut self.sequences, &Method::Bye);
        self.start(now, flow, bye, ClientUser::Agent);
    }

    /// A new request of the peer for the layer above.
    pub(crate) fn wait(&mut self, server: ServerId, invite: Option<InviteId>) -> RequestId {
        let id = RequestId(self.next_id());
        self.requests.insert(id, Waiting { server, invite });
        id
    }

    pub(crate) fn next_client_id(&mut self) -> ClientId {
        ClientId(self.next_id())
    }

    pub(crate) fn next_subscription_id(&mut self) -> SubscriptionId {
        SubscriptionId(self.next_id())
    }

    /// What this flow may ask for.
    pub(crate) fn per_flow(&self, flow: FlowId) -> FlowLimits {
        match self.known.contains(&flow) {
            true => self.limits.per_known_flow,
            false => self.limits.per_flow,
        }
    }

    /// One INVITE less of this flow waits for its final response.
    pub(crate) fn settle_pending(&mut self, flow: FlowId) {
        if let Some(count) = self.pending.get_mut(&flow) {
            *count -= 1;
            if *count == 0 {
                self.pending.remove(&flow);
            }
        }
    }

    pub(crate) fn emit(&mut self, event: Event) {
        self.events.push_back(event);
    }
}

/// The To tag of a response.
pub(crate) fn tag_of(response: &Response) -> Box<str> {
    response
        .headers
        .to()
        .ok()
        .and_then(|to| to.tag().map(Into::into))
        .unwrap_or_default()
}

/// Our end of the flow; an IPv4-mapped address as IPv4.
fn canonical(flow: &Flow) -> std::net::SocketAddr {
    (flow.local.ip().to_canonical(), flow.local.port()).into()
}
