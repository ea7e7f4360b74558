//! The INVITE server transaction: RFC 3261 §17.2.1, figure 7, with the Accepted state of RFC 6026 §7.1.

use std::time::Instant;

use bytes::Bytes;

use super::Fired;
use crate::Status;
use crate::timer::{Repeat, Timer, earliest};

/// One INVITE of a peer.
#[derive(Debug)]
pub(crate) struct InviteServer {
    reliable: bool,
    state: State,
}

#[derive(Debug)]
enum State {
    Proceeding {
        last: Option<Bytes>,
    },
    /// A 2xx was sent. The layer above repeats it; here repeated INVITEs are absorbed.
    Accepted {
        l: Instant,
    },
    Completed {
        response: Bytes,
        g: Option<Repeat>,
        h: Instant,
    },
    Confirmed {
        i: Instant,
    },
    Terminated,
}

/// Whose an ACK is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AckIs {
    /// It ends this transaction, or is repeated.
    Absorbed,
    /// RFC 6026 §7.1: in Accepted it is the layer above's.
    Above,
}

impl InviteServer {
    pub(crate) const fn start(reliable: bool) -> Self {
        Self {
            reliable,
            state: State::Proceeding { last: None },
        }
    }

    /// A repeated INVITE: what to send again.
    pub(crate) fn on_request(&self) -> Option<Bytes> {
        match &self.state {
            State::Proceeding { last } => last.clone(),
            State::Completed { response, .. } => Some(response.clone()),
            // RFC 6026 §7.1: "any retransmissions of the INVITE received … are absorbed".
            State::Accepted { .. } | State::Confirmed { .. } | State::Terminated => None,
        }
    }

    pub(crate) fn on_ack(&mut self, now: Instant) -> AckIs {
        match self.state {
            State::Completed { .. } => {
                let i = now + Timer::I.wait(self.reliable);
                self.state = State::Confirmed { i };
                if i <= now {
                    self.state = State::Terminated;
                }
                AckIs::Absorbed
            }
            State::Accepted { .. } => AckIs::Above,
            State::Proceeding { .. } | State::Confirmed { .. } | State::Terminated => {
                AckIs::Absorbed
            }
        }
    }

    /// Takes a response to be sent; false when a final one was sent before.
    pub(crate) fn respond(&mut self, now: Instant, status: Status, bytes: Bytes) -> bool {
        let State::Proceeding { last } = &mut self.state else {
            return false;
        };
        if status.is_provisional() {
            *last = Some(bytes);
        } else if status.is_success() {
            self.state = State::Accepted {
                l: now + Timer::L.wait(self.reliable),
            };
        } else {
            let g = Repeat::start(Timer::G, now, self.reliable);
            let h = now + Timer::H.wait(self.reliable);
            self.state = State::Completed {
                response: bytes,
                g,
                h,
            };
        }
        true
    }

    pub(crate) fn on_timeout(&mut self, now: Instant) -> Fired {
        match &mut self.state {
            State::Completed { h, .. } if now >= *h => {
                self.state = State::Terminated;
                Fired::TimedOut
            }
            State::Completed {
                g: Some(g),
                response,
                ..
            } => g.fired(now, || response.clone()),
            State::Accepted { l: end } | State::Confirmed { i: end } if now >= *end => {
                self.state = State::Terminated;
                Fired::Nothing
            }
            State::Proceeding { .. }
            | State::Accepted { .. }
            | State::Completed { .. }
            | State::Confirmed { .. }
            | State::Terminated => Fired::Nothing,
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Completed { g, h, .. } => earliest([g.as_ref().map(|g| g.at), Some(*h)]),
            State::Accepted { l: end } | State::Confirmed { i: end } => Some(*end),
            State::Proceeding { .. } | State::Terminated => None,
        }
    }

    pub(crate) const fn is_terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }

    pub(crate) const fn is_silent(&self) -> bool {
        matches!(self.state, State::Proceeding { last: None })
    }

    pub(crate) const fn is_proceeding(&self) -> bool {
        matches!(self.state, State::Proceeding { .. })
    }
}
