//! What the rest of the exchange asks of the driver, done with the Agent: answers, calls, texts, questions to contacts.

use std::sync::Arc;
use std::time::Instant;

use ::sip::{Body, Flow, InviteId, Status};
use switch::story::StoryEvent;
use switch::{Cause, ChannelEvent};

use crate::sip::command::{CallRef, Command, Party, Rules, Verb};
use crate::sip::driver::calls::{Ours, Retry};
use crate::sip::driver::dials::Waiting;
use crate::sip::driver::elsewhere::SILENCE_MAX;
use crate::sip::driver::watchers::Sources;
use crate::sip::driver::{Driver, letters};
use crate::sip::outbound::{Ask, Route};
use crate::sip::qualify::Probe;
use crate::sip::shared::now;
use crate::sip::text::Letter;

impl Driver {
    pub(super) fn on_command(&mut self, command: Command) {
        let now = now();
        match command {
            Command::Respond { id, response } => self.agent.respond(now, id, *response),
            Command::Invite { call, ask, offer } => self.invite(now, call, ask, offer),
            Command::Subscribe { id, subscribe } => {
                let sources = Sources {
                    shared: &self.shared,
                    calls: &self.calls,
                };
                let mut subscribe = *subscribe;
                // It may be gone by now.
                let connection = subscribe.connection;
                subscribe.connection = connection.and_then(|flow| self.flows.find(flow.id));
                let agent = &mut self.agent;
                if let Some(id) = self.watchers.begin(agent, sources, now, id, subscribe) {
                    let to = (&self.shared, &self.links.tracker);
                    self.watchers.catch_up(agent, to, now, id);
                }
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
            Command::Hints(hints) => {
                let config = self.shared.switch.config();
                self.watchers.adopt(&mut self.agent, &config, now, &hints);
            }
            Command::Ping(reply) => drop(reply.send(())),
            Command::Mailboxes { mwi, contacts } => {
                self.notices.registered(&self.shared, now, *mwi, contacts);
            }
            Command::AllMailboxes { config, all } => {
                if Arc::ptr_eq(&config, &self.shared.switch.config()) {
                    self.notices.adopt(&self.shared, now, all);
                }
            }
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
                    if self.is_registered_there(id, &parties) {
                        continue;
                    }
                    self.agent.rebind(now, id, flow);
                    self.calls.restored(id, flow);
                    self.calls.dial_again(&mut self.agent, now, id);
                }
            }
        }
    }

    /// Whether one of these clients has a registration of its own by the connection of this call as well (RFC 5626
    /// §4.2: one for each `reg-id`): then that of another connection moves nothing.
    fn is_registered_there(&self, id: InviteId, parties: &[Party]) -> bool {
        let flow = self.calls.flow(id);
        flow.is_some_and(|flow| self.shared.location().is_registered_over(flow, parties))
    }

    /// Something before the answer.
    fn provide(&mut self, now: Instant, id: InviteId, status: Status, body: Option<Body>) {
        self.calls.sent(id, &status);
        if body.is_some() {
            self.calls.heard(id);
        }
        let body = body.map(|body| self.described(id, body));
        self.agent.provisional(now, id, status, body);
    }

    fn on_verb(&mut self, now: Instant, id: InviteId, verb: Verb) {
        match verb {
            Verb::Provisional { status, body } => self.provide(now, id, status, body),
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
            Verb::Keyframe => self.calls.ask_keyframe(&mut self.agent, now, id),
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
            Verb::Admitted { party, rules } => self.admitted(now, id, party, *rules),
        }
    }

    /// A call that came in may start.
    fn admitted(&mut self, now: Instant, id: InviteId, party: Party, rules: Rules) {
        self.agent.trying(now, id);
        self.calls.admitted(id, party);
        let Rules {
            session,
            reliability,
            logins,
            believed,
            is_known,
        } = rules;
        if is_known {
            self.agent.know(id);
        }
        self.calls.believe(id, believed);
        self.agent.watch(id, session);
        self.agent.rely(id, reliability);
        self.agent.log_in_with(id, logins);
    }

    /// Calls somebody. A flow that is gone by now, and cannot be opened by us, is as good as no answer
    /// at all.
    pub(super) fn invite(&mut self, now: Instant, call: CallRef, ask: Box<Ask>, offer: Body) {
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

    pub(super) fn send_invite(
        &mut self,
        now: Instant,
        flow: Flow,
        call: &CallRef,
        ask: Ask,
        offer: Body,
    ) {
        let retry = ask.has_next().then(|| {
            let (call, ask, offer) = (call.clone(), ask.clone(), offer.clone());
            Box::new(Retry { call, ask, offer })
        });
        let ours = Ours {
            call: call.clone(),
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
    pub(super) fn send_text(&mut self, now: Instant, letter: Letter) {
        match self.way(letter.route(), now) {
            (Some(flow), _) => self.letters.send(&mut self.agent, now, flow, letter),
            (None, Some(to)) => self.dial(now, &to, Waiting::Text(Box::new(letter))),
            (None, None) => letters::lost(&letter, "the connection of this contact is gone"),
        }
    }

    /// Asks a contact whether it is there.
    pub(super) fn ask(&mut self, mut probe: Probe, now: Instant) {
        match self.way(&probe.route, now) {
            (None, Some(to)) => self.dial(now, &to, Waiting::Probe(Box::new(probe))),
            (None, None) if probe.route.next() => self.ask(probe, now),
            (flow, _) => {
                self.probes
                    .ask(&mut self.agent, &self.shared, probe, flow, now);
            }
        }
    }
}
