//! Requests to contacts whose connection is gone: they wait until one of our own stands, and follow it
//! as long as it does.

use std::collections::BTreeMap;
use std::time::Instant;

use ::sip::{Body, Flow, FlowId, Status};
use switch::story::StoryEvent;
use switch::{Cause, ChannelEvent};

use crate::sip::command::CallRef;
use crate::sip::destination::Destination;
use crate::sip::driver::{Driver, letters};
use crate::sip::outbound::Ask;
use crate::sip::qualify::Probe;
use crate::sip::text::Letter;
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
    Text(Box<Letter>),
    /// A registration of ours, by its number.
    Register(u64),
}

impl Waiting {
    pub(crate) fn is_call(&self) -> bool {
        matches!(self, Self::Invite { .. } | Self::Text(_))
    }
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
        match std::mem::replace(&mut dial.state, State::Open) {
            State::Opening(waiting) => {
                self.opening -= 1;
                waiting
            }
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
            Waiting::Text(letter) => self.letters.send(&mut self.agent, now, flow, *letter),
            Waiting::Register(number) => self.send_register(now, number, flow),
        }
    }

    /// RFC 3261 §8.1.3.1: a transport error is as good as "a 503 (Service Unavailable) status code".
    pub(crate) fn give_up(&mut self, now: Instant, waiting: Waiting, why: &str) {
        match waiting {
            Waiting::Invite {
                call,
                mut ask,
                offer,
            } => {
                let text = why.to_owned();
                ask.inbox.note(StoryEvent::Remark { text });
                if ask.next() {
                    return self.invite(now, call, ask, offer);
                }
                let cause = Cause::from_status(Status::SERVICE_UNAVAILABLE.code());
                ask.inbox.send(ChannelEvent::Hangup(cause));
            }
            Waiting::Probe(mut probe) => match probe.route.next() {
                true => self.ask(*probe, now),
                false => {
                    self.probes
                        .ask(&mut self.agent, &self.shared, *probe, None, now);
                }
            },
            Waiting::Text(mut letter) => match letter.place.next() {
                true => self.send_text(now, *letter),
                false => letters::lost(&letter, why),
            },
            Waiting::Register(number) => self.register_elsewhere(now, number, Some(why)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::sip::outbound::Route;
    use crate::sip::qualify::Qualify;
    use crate::sip::resolve::Hop;

    fn to(port: u16) -> Destination {
        Destination {
            secure: false,
            host: "192.0.2.1".to_owned(),
            port,
            address: None,
            transport: None,
        }
    }

    fn probe() -> Waiting {
        Waiting::Probe(Box::new(Probe {
            aor: "a".to_owned(),
            id: 1,
            uri: "sip:a@192.0.2.1".parse().unwrap(),
            route: Route::Hops(vec![Hop::Connection(to(5060))]),
            path: Vec::new(),
            qualify: Arc::new(Qualify {
                every: Duration::ZERO,
                patience: Duration::ZERO,
                success_only: false,
                logins: Vec::new(),
            }),
        }))
    }

    #[test]
    fn many_wait_for_one_connection_and_not_too_many() {
        let mut dials = Dials::default();
        let Join::Begins(flow) = dials.join(&to(1), probe()) else {
            panic!("the first opens it")
        };
        for _ in 1..WAITING_MAX {
            assert!(matches!(dials.join(&to(1), probe()), Join::Waits));
        }
        assert!(matches!(dials.join(&to(1), probe()), Join::Full(_)));
        assert_eq!(dials.opened(flow).len(), WAITING_MAX);
        let Join::Open(open, _) = dials.join(&to(1), probe()) else {
            panic!("it stands")
        };
        assert_eq!(open, flow);
        assert!(dials.closed(flow).is_empty());
        assert!(matches!(dials.join(&to(1), probe()), Join::Begins(other) if other != flow));
    }

    #[test]
    fn connections_being_opened_are_bounded_and_open_ones_do_not_count() {
        let mut dials = Dials::default();
        for port in 0..OPENING_MAX as u16 {
            assert!(matches!(dials.join(&to(port), probe()), Join::Begins(_)));
        }
        assert!(matches!(dials.join(&to(9_999), probe()), Join::Full(_)));
        let (failed, open) = (
            dials.by_destination[&to(0)].flow,
            dials.by_destination[&to(1)].flow,
        );
        assert_eq!(dials.closed(failed).len(), 1);
        assert!(matches!(dials.join(&to(9_999), probe()), Join::Begins(_)));
        assert_eq!(dials.opened(open).len(), 1);
        assert!(dials.opened(open).is_empty());
        assert!(matches!(dials.join(&to(9_998), probe()), Join::Begins(_)));
        assert_eq!(dials.opening, OPENING_MAX);
        let flows: Vec<_> = dials.by_flow.keys().copied().collect();
        for flow in flows {
            dials.closed(flow);
        }
        assert_eq!((dials.opening, dials.by_destination.len()), (0, 0));
    }
}
