//! The non-INVITE server transaction: RFC 3261 §17.2.2, figure 8.

use std::time::Instant;

use bytes::Bytes;

use super::Fired;
use crate::Status;
use crate::timer::Timer;

/// One request of a peer other than INVITE and ACK.
#[derive(Debug)]
pub(crate) struct Server {
    reliable: bool,
    state: State,
}

#[derive(Debug)]
enum State {
    Trying { until: Instant },
    Proceeding { last: Bytes, until: Instant },
    Completed { response: Bytes, j: Instant },
    Terminated,
}

impl Server {
    /// A request nobody answers is forgotten after Timer F, when its sender has given up as well.
    /// No 408 is sent: RFC 4320 §4.2, "a transaction-stateful SIP element MUST NOT send a response with
    /// Status-Code of 408 to a non-INVITE request".
    pub(crate) fn start(now: Instant, reliable: bool) -> Self {
        Self {
            reliable,
            state: State::Trying {
                until: now + Timer::F.wait(reliable),
            },
        }
    }

    /// A repeated request: what to send again.
    pub(crate) fn on_request(&self) -> Option<Bytes> {
        match &self.state {
            State::Proceeding { last, .. } => Some(last.clone()),
            State::Completed { response, .. } => Some(response.clone()),
            State::Trying { .. } | State::Terminated => None,
        }
    }

    /// Takes a response to be sent; false when a final one was sent before.
    pub(crate) fn respond(&mut self, now: Instant, status: Status, bytes: Bytes) -> bool {
        match self.state {
            State::Trying { until } | State::Proceeding { until, .. }
                if status.is_provisional() =>
            {
                self.state = State::Proceeding { last: bytes, until };
                true
            }
            State::Trying { .. } | State::Proceeding { .. } => {
                let j = now + Timer::J.wait(self.reliable);
                self.state = State::Completed { response: bytes, j };
                if j <= now {
                    self.state = State::Terminated;
                }
                true
            }
            State::Completed { .. } | State::Terminated => false,
        }
    }

    pub(crate) fn on_timeout(&mut self, now: Instant) -> Fired {
        if self.deadline().is_some_and(|end| now >= end) {
            let unanswered = !matches!(self.state, State::Completed { .. });
            self.state = State::Terminated;
            if unanswered {
                return Fired::TimedOut;
            }
        }
        Fired::Nothing
    }

    pub(crate) const fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Trying { until: end }
            | State::Proceeding { until: end, .. }
            | State::Completed { j: end, .. } => Some(*end),
            State::Terminated => None,
        }
    }

    pub(crate) const fn is_terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }
}
