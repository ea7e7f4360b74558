//! The next place of a call that goes out, after one that failed or says nothing (RFC 3263 §4.3).

use std::time::{Duration, Instant};

use ::sip::{Failure, InviteId};
use switch::story::StoryEvent;

use crate::sip::driver::Driver;
use crate::sip::driver::calls::Retry;

/// A place that says nothing at all for so long, after the INVITE and three repetitions, is followed by the next one,
/// where there is one: Timer B would be 32 seconds of silence for who calls.
pub(super) const SILENCE_MAX: Duration = Duration::from_secs(4);

impl Driver {
    /// A place says nothing at all: the next one is tried. What the first one says late is cancelled or hung up.
    pub(super) fn on_silence(&mut self, now: Instant, id: InviteId) {
        if !self.calls.is_elsewhere(id, &Failure::Timeout) {
            return;
        }
        self.invite_elsewhere(now, id, &Failure::Timeout);
        self.agent.give_up(now, id);
    }

    /// RFC 3263 §4.3: the INVITE goes to the next place, as a new transaction.
    pub(super) fn invite_elsewhere(&mut self, now: Instant, id: InviteId, outcome: &Failure) {
        let Some(Retry {
            call,
            mut ask,
            offer,
        }) = self.calls.abandon(id)
        else {
            return;
        };
        call.is(None);
        ask.next();
        let why = match outcome {
            Failure::Response(response) => format!("it answered {}", response.status),
            Failure::Timeout => "it does not answer".to_owned(),
            Failure::FlowLost => "the connection is gone".to_owned(),
        };
        let text = format!("{why}; the next place is tried");
        ask.inbox.note(StoryEvent::Remark { text });
        self.invite(now, call, Box::new(ask), offer);
    }
}
