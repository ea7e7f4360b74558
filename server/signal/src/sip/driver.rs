//! The one task that owns `sip::Agent`. It waits for its inputs and for nothing else.
//!
//! After each input all outputs of the Agent are drained: messages to the sockets, events to the
//! inboxes of calls, new requests and calls to tasks of their own.

mod calls;
mod dials;
mod digits;
mod elsewhere;
mod letters;
mod notices;
mod party;
mod probes;
pub(crate) mod refer;
mod registrations;
mod watchers;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr, UdpSocket as StdSocket};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ::sip::{
    Agent, Body, Event, Flow, FlowId, HeaderName, InviteId, Request, RequestId, Status, Transport,
};
use bytes::Bytes;
use config::Config;
use store::SavedContact;
use switch::story::StoryEvent;
use switch::{Cause, ChannelEvent};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::sip::authenticate::{Denied, RETRY_AFTER_S};
use crate::sip::command::{CallRef, Command, Rules, Verb};
use crate::sip::destination::Destination;
use crate::sip::driver::calls::{Calls, Ours, Retry};
use crate::sip::driver::dials::{Dials, Waiting};
use crate::sip::driver::elsewhere::SILENCE_MAX;
use crate::sip::driver::letters::{Answered, Letters};
use crate::sip::driver::notices::Notices;
use crate::sip::driver::probes::{PROBES_PER_TURN_MAX, Probes};
use crate::sip::driver::registrations::Registrations;
use crate::sip::driver::watchers::Watchers;
use crate::sip::flows::{Flows, Sent};
use crate::sip::location::way_to;
use crate::sip::outbound::{Ask, Route};
use crate::sip::outside::{Outside, as_seen_from_outside};
use crate::sip::qualify::Probe;
use crate::sip::resolve::Hop;
use crate::sip::shared::{Shared, now};
use crate::sip::text::Letter;
use crate::sip::trace::{self, Name, Way};
use crate::sip::transport::Links;
use crate::sip::transport::udp::UdpListener;
use crate::sip::{inbound, qualify, request};

/// Messages from the wire that may wait. Connections wait for room, datagrams are dropped.
pub(crate) const INPUTS_MAX: usize = 1_024;

/// How often idle UDP flows are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// What the sockets tell.
#[derive(Debug)]
pub(crate) enum Input {
    /// A connection is open; what is put into `writer` goes out on it.
    Opened {
        flow: Flow,
        writer: mpsc::Sender<Bytes>,
        /// What stands for our addresses on it.
        outside: Outside,
    },
    /// A message on it.
    Message { flow: Flow, bytes: Bytes },
    /// The peer sends nothing more on it; answers still go.
    Closing { flow: FlowId },
    /// It is gone.
    Closed { flow: FlowId },
    /// A connection of ours did not come to be.
    Undialed { flow: FlowId, reason: String },
    /// A message on a UDP socket, and which address of ours it came to.
    Datagram {
        listener: Arc<UdpListener>,
        local: SocketAddr,
        remote: SocketAddr,
        bytes: Bytes,
    },
}

/// See the module.
pub(crate) struct Driver {
    agent: Agent,
    shared: Arc<Shared>,
    flows: Flows,
    calls: Calls,
    probes: Probes,
    letters: Letters,
    notices: Notices,
    watchers: Watchers,
    dials: Dials,
    registrations: Registrations,
    links: Links,
    /// Addresses of media that stand for ours on some flows.
    media: BTreeMap<FlowId, IpAddr>,
    sweep_at: Instant,
    /// The configuration by which contacts are asked whether they are there.
    asked_by: Option<Arc<Config>>,
}

impl Driver {
    pub(crate) fn new(agent: Agent, links: Links) -> Self {
        Self {
            agent,
            shared: links.shared.clone(),
            flows: Flows::new(),
            media: BTreeMap::new(),
            calls: Calls::default(),
            probes: Probes::default(),
            letters: Letters::default(),
            notices: Notices::default(),
            watchers: Watchers::default(),
            dials: Dials::default(),
            registrations: Registrations::default(),
            links,
            sweep_at: now() + SWEEP_EVERY,
            asked_by: None,
        }
    }

    /// Runs until `stopping`. Messages come last: a flood of them must hold up neither timers nor
    /// commands, which make room. Commands come before the stop, so that the last BYEs go out.
    pub(crate) async fn run(
        mut self,
        mut commands: mpsc::Receiver<Command>,
        mut inputs: mpsc::Receiver<Input>,
        stopping: CancellationToken,
    ) {
        self.follow_reload();
        let changes = self.shared.switch.directory().changes();
        loop {
            let deadline = tokio::time::Instant::from_std(self.deadline());
            tokio::select! {
                biased;
                () = tokio::time::sleep_until(deadline) => self.on_deadline(),
                command = commands.recv() => match command {
                    Some(command) => self.on_command(command),
                    None => return,
                },
                () = stopping.cancelled() => return,
                () = changes.notified() => {
                    self.watchers.changed(now());
                    self.notices.changed(now());
                }
                input = inputs.recv() => match input {
                    Some(input) => self.on_input(input),
                    None => return,
                },
            }
            self.drain();
        }
    }

    fn deadline(&self) -> Instant {
        let location = self.shared.location();
        let (expiry, probe) = (location.next_expiry(), location.next_probe());
        drop(location);
        let registration = self.registrations.next();
        let agent = self.agent.poll_timeout();
        let watchers = self.watchers.next();
        let notices = self.notices.next();
        let probes = self.probes.next();
        let earliest = [
            agent,
            expiry,
            probe,
            probes,
            registration,
            watchers,
            notices,
        ]
        .into_iter()
        .flatten()
        .min();
        earliest.map_or(self.sweep_at, |at| at.min(self.sweep_at))
    }

    fn on_deadline(&mut self) {
        let now = now();
        if self.agent.poll_timeout().is_some_and(|at| at <= now) {
            self.agent.handle_timeout(now);
        }
        for (aor, binding) in self.shared.expire(now) {
            tracing::info!(aor, from = %Name(&binding.flow), "registration expired");
        }
        self.probes.on_deadline(&self.shared, now);
        self.watchers
            .on_deadline(&mut self.agent, &self.shared, now);
        let (shared, tasks) = (&self.shared, &self.links.tracker);
        self.notices.on_deadline(shared, &self.watchers, tasks, now);
        self.registrations_due(now);
        let due = self.shared.location().due(now, PROBES_PER_TURN_MAX);
        for probe in due {
            self.ask(probe, now);
        }
        if self.sweep_at <= now {
            self.sweep_at = now + SWEEP_EVERY;
            if !self.follow_reload() {
                self.links
                    .tracker
                    .spawn(qualify::look_again(self.shared.clone()));
            }
            self.notices.sweep(&self.shared);
            let pinned = self.pinned();
            self.flows.sweep(now, &pinned);
            for flow in self.flows.idle(now, self.links.limits.idle, &pinned) {
                tracing::debug!(flow = flow.0, "closed a silent connection nobody needs");
                self.close(flow, now);
            }
            self.forget();
        }
    }

    fn forget(&mut self) {
        for forgotten in self.flows.forgotten() {
            self.advertise(forgotten, Outside::default());
        }
    }

    /// What stands for our addresses on a flow; nothing, when it is forgotten.
    fn advertise(&mut self, flow: FlowId, outside: Outside) {
        self.agent.advertise(flow, outside.host);
        match outside.media {
            Some(address) => self.media.insert(flow, address),
            None => self.media.remove(&flow),
        };
    }

    /// A description for a call, as its peer must see it.
    fn described(&self, id: InviteId, body: Body) -> Body {
        match self.calls.flow(id) {
            Some(flow) => self.seen_from(flow, body),
            None => body,
        }
    }

    fn seen_from(&self, flow: FlowId, body: Body) -> Body {
        match self.media.get(&flow) {
            Some(address) => as_seen_from_outside(body, *address),
            None => body,
        }
    }

    /// After a reload, contacts are asked as the new files say; the database is read at each registration.
    /// Whether there was one.
    fn follow_reload(&mut self) -> bool {
        let config = self.shared.switch.config();
        let known = self.asked_by.as_ref();
        let is_new = known.is_none_or(|known| !Arc::ptr_eq(known, &config));
        if is_new {
            self.asked_by = Some(config);
            self.links
                .tracker
                .spawn(qualify::adopt(self.shared.clone()));
        }
        is_new
    }

    fn on_input(&mut self, input: Input) {
        let now = now();
        match input {
            Input::Opened {
                flow,
                writer,
                outside,
            } => {
                self.shared.location().open(flow.id);
                self.advertise(flow.id, outside);
                self.flows.open(flow, writer, now);
                for waiting in self.dials.opened(flow.id) {
                    self.go(now, flow, waiting);
                }
            }
            Input::Message { flow, bytes } => {
                self.flows.hear(flow.id, now);
                trace::message(Way::In, &flow, &bytes);
                self.agent.handle_message(now, flow, &bytes);
            }
            Input::Closing { flow } => self.abandon(flow),
            Input::Closed { flow } => self.close(flow, now),
            Input::Undialed { flow, reason } => {
                let waiting = self.dials.closed(flow);
                // Whether a contact that is only asked is there is said when that changes.
                match waiting.iter().any(Waiting::is_call) {
                    true => tracing::info!("{reason}"),
                    false => tracing::debug!("{reason}"),
                }
                for waiting in waiting {
                    self.give_up(now, waiting, &reason);
                }
            }
            Input::Datagram {
                listener,
                local,
                remote,
                bytes,
            } => self.on_datagram(&listener, local, remote, &bytes, now),
        }
    }

    fn on_datagram(
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
            let config = listener.config.load_full();
            self.advertise(flow.id, Outside::of(&config, remote.ip()));
        }
        trace::message(Way::In, &flow, bytes);
        self.agent.handle_message(now, flow, bytes);
    }

    fn on_command(&mut self, command: Command) {
        let now = now();
        match command {
            Command::Respond { id, response } => self.agent.respond(now, id, *response),
            Command::Invite { call, ask, offer } => self.invite(now, call, ask, offer),
            Command::Subscribe { id, subscribe } => {
                let (agent, shared) = (&mut self.agent, &self.shared);
                self.watchers.begin(agent, shared, now, id, *subscribe);
            }
            Command::Text(letter) => self.send_text(now, *letter),
            Command::Qualify { aors } => {
                for aor in aors {
                    let probes = self.shared.location().probes_of(&aor);
                    for probe in probes {
                        self.ask(probe, now);
                    }
                }
            }
            Command::Call(call, verb) => match (call.id(), &verb) {
                (Some(id), _) => self.on_verb(now, id, verb),
                (None, Verb::Hangup { .. }) => self.dials.withdraw(&call),
                (None, _) => {}
            },
            // Nobody waits any more: it came too late.
            Command::Watchers(reply) => {
                drop(reply.send(self.watchers.list(&self.agent, now)));
            }
            Command::Ping(reply) => drop(reply.send(())),
            Command::Mailboxes { mwi, contacts } => {
                self.notices.registered(&self.shared, now, *mwi, contacts);
            }
            Command::AllMailboxes(all) => self.notices.adopt(&self.shared, now, all),
            Command::Rename { server } => self.agent.rename(server),
            Command::Registrations { wanted } => self.adopt_registrations(now, wanted),
            Command::Registrar {
                number,
                hops,
                logins,
            } => self.on_registrar(now, number, hops, logins),
            Command::Register { id, is_on } => self.register(now, id.as_deref(), is_on),
            Command::Leave(reply) => self.leave(now, reply),
            Command::Restore { contacts } => self.restore(now, &contacts),
            Command::Registered { flow, parties } => {
                for id in self.calls.of_parties(&parties, flow.id) {
                    self.agent.rebind(now, id, flow);
                    self.calls.restored(id, flow);
                    self.calls.dial_again(&mut self.agent, now, id);
                }
            }
        }
    }

    fn on_verb(&mut self, now: Instant, id: InviteId, verb: Verb) {
        match verb {
            Verb::Provisional { status, body } => {
                self.calls.sent(id, &status);
                let body = body.map(|body| self.described(id, body));
                self.agent.provisional(now, id, status, body);
            }
            Verb::Accept { body } => {
                self.calls.sent(id, &Status::OK);
                let body = self.described(id, body);
                self.agent.accept(now, id, body);
            }
            Verb::Deny { status, headers } => {
                self.calls.sent(id, &status);
                self.agent.deny(now, id, status, headers);
            }
            Verb::Reinvite { body } => {
                self.calls.sent(id, &"re-INVITE");
                let body = self.described(id, body);
                if let Err(busy) = self.agent.reinvite(now, id, body) {
                    self.calls.offer_failed(id, busy);
                }
            }
            Verb::Answer { body } => {
                if self.calls.takes_answer(id) {
                    let body = self.described(id, body);
                    self.agent.answer(now, id, Some(body));
                }
            }
            Verb::Refuse { status, headers } if self.calls.is_unasked(id) => {
                self.calls.sent(id, &status);
                self.agent.reject(now, id, status, headers);
            }
            Verb::Refuse { status, headers } => {
                if self.calls.takes_answer(id) {
                    self.calls.sent(id, &status);
                    self.agent.refuse(now, id, status, headers);
                }
            }
            Verb::Digit(digit) => self.calls.dial(&mut self.agent, now, id, digit),
            Verb::Tell(told) => self.calls.tell_party(&mut self.agent, now, id, &told),
            Verb::SentOn(identity, redirecting) => {
                let (calls, agent) = (&self.calls, &mut self.agent);
                calls.sent_on(agent, now, id, &identity, &redirecting);
            }
            Verb::Text(text) => self.calls.send_text(&mut self.agent, now, id, &text),
            Verb::SendAway { to, answered } => {
                let agent = &mut self.agent;
                self.calls.send_away(agent, now, id, (&to, answered));
            }
            Verb::Referred(referred) => self.calls.referred(&mut self.agent, now, id, referred),
            Verb::Hangup { status, headers } => {
                self.calls.take_retry(id);
                self.calls.sent(id, &self.calls.farewell(id));
                self.agent.hangup(now, id, headers, status);
            }
            Verb::Admitted { party, rules } => {
                self.agent.trying(now, id);
                self.calls.admitted(id, party);
                let Rules {
                    session,
                    reliability,
                    logins,
                    believed,
                } = *rules;
                self.calls.believe(id, believed);
                self.agent.watch(id, session);
                self.agent.rely(id, reliability);
                self.agent.log_in_with(id, logins);
            }
        }
    }

    /// Calls somebody. A flow that is gone by now, and cannot be opened by us, is as good as no answer
    /// at all.
    fn invite(&mut self, now: Instant, call: CallRef, ask: Box<Ask>, offer: Body) {
        match self.way(ask.route(), now) {
            (Some(flow), _) => self.send_invite(now, flow, &call, *ask, offer),
            (None, Some(to)) => self.dial(now, &to, Waiting::Invite { call, ask, offer }),
            (None, None) => match ask.route() {
                Route::Contact(..) => {
                    let text = "the connection of this contact is gone".to_owned();
                    ask.inbox.note(StoryEvent::Remark { text });
                    ask.inbox
                        .send(ChannelEvent::Hangup(Cause::SubscriberAbsent));
                }
                Route::Hops(_) => {
                    let waiting = Waiting::Invite { call, ask, offer };
                    self.give_up(now, waiting, "no transport of ours reaches it");
                }
            },
        }
    }

    fn send_invite(&mut self, now: Instant, flow: Flow, call: &CallRef, ask: Ask, offer: Body) {
        let retry = ask.has_next().then(|| {
            let (call, ask, offer) = (call.clone(), ask.clone(), offer.clone());
            Box::new(Retry { call, ask, offer })
        });
        let ours = Ours {
            inbox: ask.inbox.clone(),
            party: ask.party(),
            line: ask.line(),
            retry,
            believed: ask.believed.clone(),
            told: ask.told(&flow),
        };
        let offer = self.seen_from(flow.id, offer);
        let told = ours.told.clone();
        let has_next = ask.has_next();
        let id = self.agent.invite(now, flow, ask.invite(&flow, offer));
        self.agent.tell(id, told);
        if has_next {
            self.agent.notice_silence(id, now + SILENCE_MAX);
        }
        call.is(Some(id));
        self.calls.begin_ours(id, flow, ours);
    }

    /// Sends a text message.
    fn send_text(&mut self, now: Instant, letter: Letter) {
        match self.way(letter.route(), now) {
            (Some(flow), _) => self.letters.send(&mut self.agent, now, flow, letter),
            (None, Some(to)) => self.dial(now, &to, Waiting::Text(Box::new(letter))),
            (None, None) => letters::lost(&letter, "the connection of this contact is gone"),
        }
    }

    /// Asks a contact whether it is there.
    fn ask(&mut self, mut probe: Probe, now: Instant) {
        match self.way(&probe.route, now) {
            (None, Some(to)) => self.dial(now, &to, Waiting::Probe(Box::new(probe))),
            (None, None) if probe.route.next() => self.ask(probe, now),
            (flow, _) => {
                self.probes
                    .ask(&mut self.agent, &self.shared, probe, flow, now);
            }
        }
    }

    /// The flow that a route is now, and where a connection would have to go.
    fn way(&mut self, route: &Route, now: Instant) -> (Option<Flow>, Option<Destination>) {
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
    fn udp_flow(
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
        let (flow, listener, is_new) = found?;
        if is_new {
            let config = listener.config.load_full();
            self.advertise(flow.id, Outside::of(&config, remote.ip()));
        }
        Some(flow)
    }

    /// Contacts of an earlier run are reached as before: over UDP at once, by the address they came
    /// from; over a connection when the phone opens one.
    fn restore(&mut self, now: Instant, contacts: &[SavedContact]) {
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
            let config = listener.config.load_full();
            self.advertise(flow.id, Outside::of(&config, remote.ip()));
        }
        Some(flow)
    }

    /// Everything the Agent has to say, until it has nothing left: an event may be answered on the
    /// spot, and that makes new messages.
    fn drain(&mut self) {
        loop {
            let stalled = self.transmit();
            let mut quiet = stalled.is_empty();
            while let Some(event) = self.agent.poll_event() {
                self.on_event(event);
                quiet = false;
            }
            for flow in stalled {
                tracing::warn!(flow = flow.0, "closed a connection that does not read");
                self.close(flow, now());
            }
            if quiet {
                break;
            }
        }
        let (counts, counters) = (self.agent.counts(), &self.shared.counters);
        counters
            .transactions
            .store(counts.transactions, Ordering::Relaxed);
        counters.dialogs.store(counts.dialogs, Ordering::Relaxed);
        counters.invites.store(counts.invites, Ordering::Relaxed);
        let (websockets, streams) = self.flows.connections();
        counters.websockets.store(websockets, Ordering::Relaxed);
        counters.streams.store(streams, Ordering::Relaxed);
        counters
            .udp_flows
            .store(self.flows.udp_flows(), Ordering::Relaxed);
    }

    /// Sends all there is; the connections that do not take it.
    fn transmit(&mut self) -> BTreeSet<FlowId> {
        let mut stalled = BTreeSet::new();
        while let Some(transmit) = self.agent.poll_transmit() {
            if let Some(flow) = self.flows.find(transmit.flow) {
                trace::message(Way::Out, &flow, &transmit.bytes);
            }
            match self.flows.send(transmit.flow, transmit.bytes) {
                Sent::Yes => {}
                Sent::Lost => self.dropped(),
                Sent::Stalled => {
                    self.dropped();
                    stalled.insert(transmit.flow);
                }
            }
        }
        stalled
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Request { id, flow, request } => self.on_request(id, flow, request),
            Event::Invite { id, flow, request } => self.on_invite(id, flow, request),
            Event::Response { id, result } => {
                let (now, response) = (now(), result.as_ref().ok());
                let (agent, shared) = (&mut self.agent, &self.shared);
                if self.calls.on_text_answered(id, response)
                    || self.calls.went(id, response)
                    || self.calls.on_response(agent, id, response, now)
                {
                    return;
                }
                match self.letters.on_response(agent, id, response, now) {
                    Answered::Elsewhere(letter) => self.send_text(now, *letter),
                    Answered::Refused(endpoint, uri) => self.notices.refused(&endpoint, &uri),
                    Answered::Nobodys
                        if !self.probes.on_response(agent, shared, id, response, now) =>
                    {
                        self.on_registered(now, id, response);
                    }
                    Answered::Nobodys | Answered::Done => {}
                }
            }
            Event::Resubscribed { id } => {
                let (agent, shared) = (&mut self.agent, &self.shared);
                self.watchers.again(agent, shared, now(), id);
            }
            Event::SubscriptionEnded { id } => self.watchers.end(id),
            Event::Silent { id } => self.on_silence(now(), id),
            Event::Failed { id, outcome } if self.calls.is_elsewhere(id, &outcome) => {
                self.invite_elsewhere(now(), id, &outcome);
            }
            event => {
                let now = now();
                self.calls.on_event(&mut self.agent, now, event);
            }
        }
    }

    fn on_request(&mut self, id: RequestId, flow: Flow, request: Arc<Request>) {
        let Ok(permit) = self.shared.requests.clone().try_acquire_owned() else {
            let denied = Denied::retry_after(Status::SERVICE_UNAVAILABLE, RETRY_AFTER_S);
            return self.agent.respond(now(), id, denied.response(&request));
        };
        let shared = self.shared.clone();
        self.links.tracker.spawn(async move {
            request::answer(shared, id, flow, request).await;
            drop(permit);
        });
    }

    fn on_invite(&mut self, id: InviteId, flow: Flow, request: Arc<Request>) {
        let Ok(permit) = self.shared.requests.clone().try_acquire_owned() else {
            let headers = vec![(HeaderName::RetryAfter, RETRY_AFTER_S.to_string())];
            return self
                .agent
                .deny(now(), id, Status::SERVICE_UNAVAILABLE, headers);
        };
        // The inbox exists before anything else can happen to the call.
        let inbox = switch::inbox();
        let replaces = self.calls.place_of(&self.agent, &request);
        self.calls.begin(id, flow, &request, inbox.0.clone());
        let shared = self.shared.clone();
        self.links.tracker.spawn(async move {
            inbound::invite(shared, id, flow, request, inbox, replaces).await;
            drop(permit);
        });
    }

    /// A connection is gone, or given up.
    fn close(&mut self, flow: FlowId, now: Instant) {
        if !self.flows.close(flow) {
            return;
        }
        self.abandon(flow);
        self.media.remove(&flow);
        self.agent.handle_flow_closed(now, flow);
        self.registrar_lost(now, flow);
    }

    /// Nothing new goes out by this flow: who would have been called there is connected to.
    fn abandon(&mut self, flow: FlowId) {
        self.dials.closed(flow);
        for (aor, binding) in self.shared.close(flow) {
            let from = Name(&binding.flow);
            tracing::info!(aor, %from, endpoint = binding.endpoint, "unregistered: connection closed");
        }
    }

    fn pinned(&self) -> BTreeSet<FlowId> {
        pinned(&self.calls, &self.shared)
    }

    fn dropped(&self) {
        self.shared.counters.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

/// Flows that must not be forgotten.
fn pinned(calls: &Calls, shared: &Shared) -> BTreeSet<FlowId> {
    let mut pinned = shared.location().flows();
    pinned.extend(shared.trunks().flows());
    pinned.extend(calls.flows());
    pinned
}
