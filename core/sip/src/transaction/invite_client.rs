//! The INVITE client transaction: RFC 3261 §17.1.1, figure 5, with the Accepted state of RFC 6026 §7.2.

use std::time::Instant;

use bytes::Bytes;

use super::{Fired, Verdict};
use crate::Status;
use crate::agent::FORKS_MAX;
use crate::timer::{Repeat, Timer, earliest};

/// One INVITE of ours.
#[derive(Debug)]
pub(crate) struct InviteClient {
    invite: Bytes,
    reliable: bool,
    forgotten: bool,
    state: State,
}

#[derive(Debug)]
enum State {
    Calling {
        a: Option<Repeat>,
        b: Instant,
    },
    /// No timer runs: a human may be asked. Unless nobody waits for the outcome any more.
    Proceeding {
        until: Option<Instant>,
    },
    /// A 2xx came; each fork's 2xx may be repeated, and is answered with that fork's ACK.
    Accepted {
        m: Instant,
        forks: Vec<Fork>,
    },
    Completed {
        d: Instant,
        ack: Bytes,
    },
    Terminated,
}

#[derive(Debug)]
struct Fork {
    to_tag: Box<str>,
    ack: Option<Bytes>,
}

impl InviteClient {
    /// The caller transmits `invite` once; the machine repeats it.
    pub(crate) fn start(now: Instant, reliable: bool, invite: Bytes) -> Self {
        let a = Repeat::start(Timer::A, now, reliable);
        let b = now + Timer::B.wait(reliable);
        Self {
            invite,
            reliable,
            forgotten: false,
            state: State::Calling { a, b },
        }
    }

    /// `ack` builds the ACK to a final response other than 2xx (§17.1.1.3).
    pub(crate) fn on_response(
        &mut self,
        now: Instant,
        status: Status,
        to_tag: &str,
        ack: impl FnOnce() -> Bytes,
    ) -> Verdict {
        match &mut self.state {
            State::Calling { .. } | State::Proceeding { .. } if status.is_provisional() => {
                if !matches!(self.state, State::Proceeding { .. }) {
                    let until = self.forgotten.then(|| now + Timer::B.wait(self.reliable));
                    self.state = State::Proceeding { until };
                }
                Verdict::Deliver
            }
            State::Calling { .. } | State::Proceeding { .. } if status.is_success() => {
                let fork = Fork {
                    to_tag: to_tag.into(),
                    ack: None,
                };
                let m = now + Timer::M.wait(self.reliable);
                self.state = State::Accepted {
                    m,
                    forks: vec![fork],
                };
                Verdict::Deliver
            }
            State::Calling { .. } | State::Proceeding { .. } => {
                let ack = ack();
                let d = now + Timer::D.wait(self.reliable);
                self.state = State::Completed {
                    d,
                    ack: ack.clone(),
                };
                if d <= now {
                    self.state = State::Terminated;
                }
                Verdict::DeliverAndSend(ack)
            }
            State::Accepted { forks, .. } if status.is_success() => on_success(forks, to_tag),
            State::Completed { ack, .. } if status.is_final() && !status.is_success() => {
                Verdict::Send(ack.clone())
            }
            State::Accepted { .. } | State::Completed { .. } | State::Terminated => Verdict::Absorb,
        }
    }

    /// The layer above has sent this ACK to the 2xx with this To tag; repeated 2xx get it again.
    pub(crate) fn acknowledged(&mut self, to_tag: &str, ack: Bytes) {
        if let State::Accepted { forks, .. } = &mut self.state
            && let Some(fork) = forks.iter_mut().find(|fork| *fork.to_tag == *to_tag)
        {
            fork.ack = Some(ack);
        }
    }

    /// RFC 3261 §9.1: 64*T1 after a CANCEL without a final response, the client "SHOULD then consider
    /// the original transaction cancelled and SHOULD destroy the client transaction".
    pub(crate) fn abandon(&mut self) {
        self.state = State::Terminated;
    }

    /// The INVITE is not repeated any more; what comes of it is still waited for.
    pub(crate) fn hush(&mut self) {
        if let State::Calling { a, .. } = &mut self.state {
            *a = None;
        }
    }

    /// Nobody waits for the outcome any more: the call is over. A 2xx that is lost is not repeated then, so
    /// the transaction must not wait for ever.
    pub(crate) fn forget(&mut self, now: Instant) {
        self.forgotten = true;
        if let State::Proceeding { until } = &mut self.state {
            until.get_or_insert(now + Timer::B.wait(self.reliable));
        }
    }

    /// May a CANCEL be sent? §9.1: "If no provisional response has been received, the CANCEL request
    /// MUST NOT be sent".
    pub(crate) const fn is_proceeding(&self) -> bool {
        matches!(self.state, State::Proceeding { .. })
    }

    pub(crate) fn on_timeout(&mut self, now: Instant) -> Fired {
        match &mut self.state {
            State::Calling { b, .. } if now >= *b => {
                self.state = State::Terminated;
                Fired::TimedOut
            }
            State::Proceeding { until: Some(until) } if now >= *until => {
                self.state = State::Terminated;
                Fired::Nothing
            }
            State::Calling { a: Some(a), .. } => a.fired(now, || self.invite.clone()),
            State::Accepted { m: end, .. } | State::Completed { d: end, .. } if now >= *end => {
                self.state = State::Terminated;
                Fired::Nothing
            }
            State::Calling { .. }
            | State::Proceeding { .. }
            | State::Accepted { .. }
            | State::Completed { .. }
            | State::Terminated => Fired::Nothing,
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Calling { a, b } => earliest([a.as_ref().map(|a| a.at), Some(*b)]),
            State::Accepted { m: end, .. } | State::Completed { d: end, .. } => Some(*end),
            State::Proceeding { until } => *until,
            State::Terminated => None,
        }
    }

    /// Is a final response still to come?
    pub(crate) const fn waits(&self) -> bool {
        matches!(self.state, State::Calling { .. } | State::Proceeding { .. })
    }

    pub(crate) const fn is_terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }
}

/// RFC 6026 §7.2: in Accepted each 2xx is passed up; ours are answered here once the layer above has
/// shown its ACK.
fn on_success(forks: &mut Vec<Fork>, to_tag: &str) -> Verdict {
    match forks.iter().find(|fork| *fork.to_tag == *to_tag) {
        Some(Fork { ack: Some(ack), .. }) => Verdict::Send(ack.clone()),
        Some(_) => Verdict::Absorb,
        None if forks.len() < FORKS_MAX => {
            forks.push(Fork {
                to_tag: to_tag.into(),
                ack: None,
            });
            Verdict::Deliver
        }
        None => Verdict::Absorb,
    }
}
