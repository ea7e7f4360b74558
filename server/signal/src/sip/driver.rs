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
mod orders;
mod party;
mod picture;
mod probes;
pub(crate) mod refer;
mod refusals;
mod registrations;
mod watchers;
mod ways;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ::sip::{Agent, Event, Flow, FlowId, HeaderName, InviteId, Request, RequestId, Status};
use bytes::Bytes;
use config::Config;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::sip::authenticate::{Denied, RETRY_AFTER_S};
use crate::sip::command::Command;
use crate::sip::driver::calls::Calls;
use crate::sip::driver::dials::{Dials, Waiting};
use crate::sip::driver::letters::{Answered, Letters};
use crate::sip::driver::notices::Notices;
use crate::sip::driver::probes::{Asked, PROBES_PER_TURN_MAX, Probes};
use crate::sip::driver::registrations::Registrations;
use crate::sip::driver::watchers::{Sources, Watchers};
use crate::sip::flows::{Flows, Sent};
use crate::sip::shared::{Shared, now};
use crate::sip::trace::{self, Name, Way};
use crate::sip::transport::Links;
use crate::sip::transport::udp::UdpListener;
use crate::sip::{identify, inbound, qualify, request};

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
        let reloads = self.shared.switch.store().reloads();
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
                () = reloads.notified() => drop(self.follow_reload()),
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
        let digits = self.calls.next_digit();
        let earliest = [
            agent,
            expiry,
            probe,
            probes,
            digits,
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
        self.calls.dial_due(&mut self.agent, now);
        for probe in self.probes.on_deadline(&self.shared, now) {
            self.ask(probe, now);
        }
        let sources = Sources {
            shared: &self.shared,
            calls: &self.calls,
        };
        self.watchers.on_deadline(&mut self.agent, sources, now);
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

    /// After a reload, contacts are asked as the new files say, and told our new addresses; the database is read at each
    /// registration.
    /// Whether there was one.
    fn follow_reload(&mut self) -> bool {
        let config = self.shared.switch.config();
        let known = self.asked_by.as_ref();
        let is_new = known.is_none_or(|known| !Arc::ptr_eq(known, &config));
        if is_new {
            self.asked_by = Some(config);
            self.advertise_all(now());
            self.links
                .tracker
                .spawn(qualify::adopt(self.shared.clone()));
            self.links
                .tracker
                .spawn(identify::find_hosts(self.shared.clone()));
            let (agent, tasks) = (&mut self.agent, &self.links.tracker);
            self.watchers.reloaded(agent, (&self.shared, tasks), now());
        }
        is_new
    }

    fn on_input(&mut self, input: Input) {
        let now = now();
        match input {
            Input::Opened { flow, writer } => {
                self.shared.location().open(flow.id);
                self.advertise(&flow);
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
                    || self.calls.on_keyframe_answered(id, response)
                    || self.calls.went(id, response)
                    || self.calls.on_response(agent, id, response, now)
                {
                    return;
                }
                match self.letters.on_response(agent, id, response, now) {
                    Answered::Elsewhere(letter) => self.send_text(now, *letter),
                    Answered::Refused(endpoint, uri) => self.notices.refused(&endpoint, &uri),
                    Answered::Nobodys => {
                        match self.probes.on_response(agent, shared, id, response, now) {
                            Asked::Nobodys => self.on_registered(now, id, response),
                            Asked::Elsewhere(probe) => self.ask(*probe, now),
                            Asked::Done => {}
                        }
                    }
                    Answered::Done => {}
                }
            }
            Event::Resubscribed { id } => {
                let sources = Sources {
                    shared: &self.shared,
                    calls: &self.calls,
                };
                self.watchers.again(&mut self.agent, sources, now(), id);
            }
            Event::SubscriptionEnded { id } => {
                self.watchers.end(id);
                self.calls.followed.retain(|_, followed| *followed != id);
            }
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

    fn dropped(&self) {
        self.shared.counters.dropped.fetch_add(1, Ordering::Relaxed);
    }
}
