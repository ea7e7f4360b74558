//! The non-INVITE client transaction: RFC 3261 §17.1.2, figure 6.

use std::time::Instant;

use bytes::Bytes;

use super::{Fired, Verdict};
use crate::timer::{Repeat, Timer, earliest};
use crate::{Message, Request, Status};

/// One request of ours other than INVITE and ACK.
#[derive(Debug)]
pub(crate) struct Client {
    request: Bytes,
    reliable: bool,
    state: State,
}

#[derive(Debug)]
enum State {
    Trying { e: Option<Repeat>, f: Instant },
    Proceeding { e: Option<Repeat>, f: Instant },
    Completed { k: Instant },
    Terminated,
}

impl Client {
    /// The caller transmits `request` once; the machine repeats it.
    pub(crate) fn start(now: Instant, reliable: bool, request: Bytes) -> Self {
        let e = Repeat::start(Timer::E, now, reliable);
        let f = now + Timer::F.wait(reliable);
        Self {
            request,
            reliable,
            state: State::Trying { e, f },
        }
    }

    /// What was sent, for the wire.
    pub(crate) fn bytes(&self) -> Bytes {
        self.request.clone()
    }

    /// What was sent.
    pub(crate) fn request(&self) -> Option<Request> {
        match Message::parse(&self.request) {
            Ok(Message::Request(request)) => Some(request),
            Ok(Message::Response(_)) | Err(_) => None,
        }
    }

    pub(crate) fn on_response(&mut self, now: Instant, status: Status) -> Verdict {
        match self.state {
            State::Trying { mut e, f } | State::Proceeding { mut e, f }
                if status.is_provisional() =>
            {
                // §17.1.2.2: "If Timer E fires while in the Proceeding state … Timer E MUST be reset with a
                // value of T2 seconds"; the interval that runs already is let run out.
                if let Some(e) = &mut e {
                    e.slow_down();
                }
                self.state = State::Proceeding { e, f };
                Verdict::Deliver
            }
            State::Trying { .. } | State::Proceeding { .. } => {
                let k = now + Timer::K.wait(self.reliable);
                self.state = State::Completed { k };
                if k <= now {
                    self.state = State::Terminated;
                }
                Verdict::Deliver
            }
            State::Completed { .. } | State::Terminated => Verdict::Absorb,
        }
    }

    pub(crate) fn on_timeout(&mut self, now: Instant) -> Fired {
        match &mut self.state {
            State::Trying { f, .. } | State::Proceeding { f, .. } if now >= *f => {
                self.state = State::Terminated;
                Fired::TimedOut
            }
            State::Trying { e: Some(e), .. } | State::Proceeding { e: Some(e), .. } => {
                e.fired(now, || self.request.clone())
            }
            State::Completed { k } if now >= *k => {
                self.state = State::Terminated;
                Fired::Nothing
            }
            State::Trying { .. }
            | State::Proceeding { .. }
            | State::Completed { .. }
            | State::Terminated => Fired::Nothing,
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Trying { e, f } | State::Proceeding { e, f } => {
                earliest([e.as_ref().map(|e| e.at), Some(*f)])
            }
            State::Completed { k } => Some(*k),
            State::Terminated => None,
        }
    }

    /// Is a final response still to come?
    pub(crate) const fn waits(&self) -> bool {
        matches!(self.state, State::Trying { .. } | State::Proceeding { .. })
    }

    pub(crate) const fn is_terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }
}
