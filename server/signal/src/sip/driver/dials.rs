//! Requests to contacts whose connection is gone: they wait until one of our own stands, and follow it
//! as long as it does.

use std::collections::BTreeMap;
use std::time::Instant;

use ::sip::{Body, Flow, FlowId, Status};
use switch::story::StoryEvent;
use switch::{Cause, ChannelEvent};

use crate::sip::command::CallRef;
use crate::sip::destination::Destination;
use crate::sip::driver::Driver;
use crate::sip::outbound::Ask;
use crate::sip::qualify::Probe;
use crate::sip::transport::{dial, next_connection};

/// Connections that are being opened at a time.
const OPENING_MAX: usize = 256;

/// Requests that wait for one of them.
const WAITING_MAX: usize = 64;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Dials {
    by_destination: BTreeMap<Destination, Dial>,
    by_flow: BTreeMap<FlowId, Destination>,
    opening: usize,
}

#[derive(Debug)]
struct Dial {
    flow: FlowId,
    state: State,
}

#[derive(Debug)]
enum State {
    Opening(Vec<Waiting>),
    Open,
}

/// A request that waits for a connection.
#[derive(Debug)]
pub(crate) enum Waiting {
    Invite {
        call: CallRef,
        ask: Box<Ask>,
        offer: Body,
    },
    Probe(Box<Probe>),
}

/// What becomes of one that comes.
#[derive(Debug)]
enum Join {
    /// It goes out now.
    Open(FlowId, Waiting),
    /// It waits for a connection that must be opened.
    Begins(FlowId),
    /// It waits with others.
    Waits,
    /// There are too many.
    Full(Waiting),
}

impl Dials {
    fn join(&mut self, to: &Destination, waiting: Waiting) -> Join {
        match self.by_destination.get_mut(to) {
            Some(Dial {
                flow,
                state: State::Open,
            }) => Join::Open(*flow, waiting),
            Some(Dial {
                state: State::Opening(all),
                ..
            }) => {
                if all.len() >= WAITING_MAX {
                    return Join::Full(waiting);
                }
                all.push(waiting);
                Join::Waits
            }
            None if self.opening >= OPENING_MAX => Join::Full(waiting),
            None => {
                let flow = next_connection();
                let state = State::Opening(vec![waiting]);
                self.by_destination.insert(to.clone(), Dial { flow, state });
                self.by_flow.insert(flow, to.clone());
                self.opening += 1;
                Join::Begins(flow)
            }
        }
    }

    /// A connection stands; what waited for it, if it is ours.
    pub(crate) fn opened(&mut self, flow: FlowId) -> Vec<Waiting> {
        let to = self.by_flow.get(&flow);
        let Some(dial) = to.and_then(|to| self.by_destination.get_mut(to)) else {
            return Vec::new();
        };
        self.opening -= 1;
        match std::mem::replace(&mut dial.state, State::Open) {
            State::Opening(waiting) => waiting,
            State::Open => Vec::new(),
        }
    }

    /// A connection is gone, or did not come to be; what waited for it.
    pub(crate) fn closed(&mut self, flow: FlowId) -> Vec<Waiting> {
        let to = self.by_flow.remove(&flow);
        match to.and_then(|to| self.by_destination.remove(&to)) {
            Some(Dial {
                state: State::Opening(waiting),
                ..
            }) => {
                self.opening -= 1;
                waiting
            }
            Some(_) | None => Vec::new(),
        }
    }

    /// A call is over before it began.
    pub(crate) fn withdraw(&mut self, over: &CallRef) {
        let is_it = |waiting: &Waiting| matches!(waiting, Waiting::Invite { call, .. } if call.is_same(over));
        for dial in self.by_destination.values_mut() {
            if let State::Opening(waiting) = &mut dial.state {
                waiting.retain(|waiting| !is_it(waiting));
            }
        }
    }
}

impl Driver {
    /// Sends a request over a connection of our own, once it stands.
    pub(crate) fn dial(&mut self, now: Instant, to: &Destination, waiting: Waiting) {
        match self.dials.join(to, waiting) {
            Join::Open(flow, waiting) => match self.flows.find(flow) {
                Some(flow) => self.go(now, flow, waiting),
                None => self.give_up(now, waiting, "the connection is gone"),
            },
            Join::Begins(flow) => {
                let dial = dial::run(flow, to.clone(), self.links.clone());
                self.links.tracker.spawn(dial);
            }
            Join::Waits => {}
            Join::Full(Waiting::Probe(_)) => {}
            Join::Full(waiting) => {
                self.give_up(now, waiting, "too many connections are being opened")
            }
        }
    }

    pub(crate) fn go(&mut self, now: Instant, flow: Flow, waiting: Waiting) {
        match waiting {
            Waiting::Invite { call, ask, offer } => self.send_invite(now, flow, &call, *ask, offer),
            Waiting::Probe(probe) => {
                self.probes
                    .ask(&mut self.agent, &self.shared, *probe, Some(flow), now);
            }
        }
    }

    /// RFC 3261 §8.1.3.1: a transport error is as good as "a 503 (Service Unavailable) status code".
    pub(crate) fn give_up(&mut self, now: Instant, waiting: Waiting, why: &str) {
        match waiting {
            Waiting::Invite { ask, .. } => {
                let text = why.to_owned();
                ask.inbox.note(StoryEvent::Remark { text });
                let cause = Cause::from_status(Status::SERVICE_UNAVAILABLE.code());
                ask.inbox.send(ChannelEvent::Hangup(cause));
            }
            Waiting::Probe(probe) => {
                self.probes
                    .ask(&mut self.agent, &self.shared, *probe, None, now);
            }
        }
    }
}
