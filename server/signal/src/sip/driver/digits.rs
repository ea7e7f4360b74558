//! Digits of ours that go out by INFO: one after the other, so that they arrive in their order.
//!
//! The next one is sent when the one before has been answered. Who does not take
//! `application/dtmf-relay` (415) is sent `application/dtmf`; who does not take that either, or no INFO at all, is
//! sent what waits and all later digits by media, as events or tones: the channel gets them back in their order, and
//! none goes by INFO any more, or a later one could overtake those that sound. A connection that is gone is waited
//! for, as long as the call does; the digit that had no answer is sent again on the next one.
//!
//! Where the client comes back before the connection it left is missed, the answer may be on its way on that one: it is
//! waited for a little, so that the digit comes once. A datagram is repeated to the new address as it was, as often as
//! it takes: whoever has heard it knows it by its branch (RFC 3261 §17.2.3).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::sip::{Agent, ClientId, Flow, InviteId, Method, Response, Status};
use media::Digit;
use switch::ChannelEvent;
use switch::story::StoryEvent;

use crate::sip::driver::calls::Calls;
use crate::sip::info;

/// The digits one call still has to send.
#[derive(Debug, Default)]
pub(super) struct Digits {
    waiting: VecDeque<Digit>,
    first: First,
    form: Form,
    /// The far end asked for the first one again, so often already.
    tries: u8,
}

/// Where the first of those that wait is.
#[derive(Debug, Default, Clone, Copy)]
enum First {
    /// It is next.
    #[default]
    Waits,
    /// It waits for its answer, by this flow.
    Sent(ClientId, Flow),
    /// The client has left the connection it went by; until then the answer may be on its way.
    Left(ClientId, Instant),
    /// It is sent again then.
    Later(Instant),
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `application/dtmf-relay`.
    #[default]
    Relay,
    /// `application/dtmf`.
    Plain,
    /// The far end takes neither: media sends them.
    Media,
}

/// What comes of a digit that was sent.
enum Outcome {
    Taken,
    /// In another form.
    Again(Form),
    Later(Duration),
    /// Not by INFO, for this reason.
    Refused(String),
    /// Nobody knows whether it was heard.
    Unanswered,
    /// The connection or the call is gone.
    Gone,
}

impl Digits {
    /// The request that waits for its answer.
    pub(super) fn sent(&self) -> Option<ClientId> {
        match self.first {
            First::Sent(client, _) | First::Left(client, _) => Some(client),
            First::Waits | First::Later(_) => None,
        }
    }

    /// When something is to be done about the first one.
    pub(super) fn due(&self) -> Option<Instant> {
        match self.first {
            First::Left(_, at) | First::Later(at) => Some(at),
            First::Waits | First::Sent(..) => None,
        }
    }

    fn outcome(&self, response: Option<&Response>, is_lost: bool) -> Outcome {
        let Some(response) = response else {
            return match is_lost {
                true => Outcome::Gone,
                false => Outcome::Unanswered,
            };
        };
        let again = self.tries < TRIES_MAX;
        let after = response.headers.retry_after().ok().flatten();
        let after = after.filter(|seconds| *seconds <= RETRY_AFTER_S_MAX);
        match response.status {
            status if status.is_success() => Outcome::Taken,
            // The Agent ends such a call (RFC 3261 §12.2.1.2).
            Status::CALL_DOES_NOT_EXIST => Outcome::Gone,
            Status::UNSUPPORTED_MEDIA_TYPE if self.form == Form::Relay => {
                Outcome::Again(Form::Plain)
            }
            Status::REQUEST_TIMEOUT => Outcome::Unanswered,
            // It is busy with an offer.
            Status::REQUEST_PENDING if again => Outcome::Later(PENDING_PAUSE),
            Status::SERVER_INTERNAL_ERROR | Status::SERVICE_UNAVAILABLE if again => match after {
                Some(seconds) => Outcome::Later(Duration::from_secs(seconds.into())),
                None => Outcome::Refused(response.status.to_string()),
            },
            status => Outcome::Refused(status.to_string()),
        }
    }
}

impl Calls {
    /// Sends a digit as soon as those before it have been answered.
    pub(crate) fn dial(&mut self, agent: &mut Agent, now: Instant, id: InviteId, digit: Digit) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let digits = &mut call.digits;
        if digits.form == Form::Media {
            call.inbox.send(ChannelEvent::DigitsRefused(vec![digit]));
            return;
        }
        if digits.waiting.len() == WAITING_MAX {
            let text = format!(
                "digit {} is lost: the far end has not answered {WAITING_MAX} INFO before it",
                digit.digit
            );
            return call.inbox.note(StoryEvent::Remark { text });
        }
        digits.waiting.push_back(digit);
        self.dial_next(agent, now, id);
    }

    /// The call has another flow now: what was not answered by the one before is sent again by this one.
    pub(crate) fn dial_again(&mut self, agent: &mut Agent, now: Instant, id: InviteId) {
        if let Some(call) = self.calls.get_mut(&id)
            && let First::Sent(client, before) = call.digits.first
            && before.id != call.flow.id
        {
            let is_reliable = |flow: Flow| flow.transport.is_reliable();
            call.digits.first = if is_reliable(before) || is_reliable(call.flow) {
                let at = now + ANSWER_PATIENCE;
                self.digits_due.insert((at, id));
                First::Left(client, at)
            } else {
                agent.redirect(client, before.id, call.flow);
                First::Sent(client, call.flow)
            };
        }
        self.dial_next(agent, now, id);
    }

    /// When a digit is to be sent again.
    pub(crate) fn next_digit(&self) -> Option<Instant> {
        self.digits_due.first().map(|(at, _)| *at)
    }

    /// Digits whose time has come.
    pub(crate) fn dial_due(&mut self, agent: &mut Agent, now: Instant) {
        while let Some((at, id)) = self.digits_due.first().copied()
            && at <= now
        {
            self.digits_due.pop_first();
            if let Some(call) = self.calls.get_mut(&id) {
                if let Some(client) = call.digits.sent() {
                    self.infos.remove(&client);
                }
                call.digits.first = First::Waits;
            }
            self.dial_next(agent, now, id);
        }
    }

    fn dial_next(&mut self, agent: &mut Agent, now: Instant, id: InviteId) {
        let Some(call) = self.calls.get_mut(&id).filter(|call| !call.is_lost()) else {
            return;
        };
        let digits = &mut call.digits;
        let (First::Waits, Some(digit)) = (digits.first, digits.waiting.front()) else {
            return;
        };
        let body = match digits.form {
            Form::Relay => info::relay(digit),
            Form::Plain => info::plain(digit),
            Form::Media => return,
        };
        let line = format!("INFO {}", digit.digit);
        let client = agent.send(now, id, Method::Info, Vec::new(), Some(body));
        digits.first = First::Sent(client, call.flow);
        self.infos.insert(client, id);
        self.sent(id, &line);
    }

    /// A response came, or none in the time of the transaction. `false`: it is nobody's here.
    pub(crate) fn on_response(
        &mut self,
        agent: &mut Agent,
        client: ClientId,
        response: Option<&Arc<Response>>,
        now: Instant,
    ) -> bool {
        let Some(id) = self.infos.remove(&client) else {
            return false;
        };
        let Some(call) = self.calls.get_mut(&id) else {
            return true;
        };
        let is_left = matches!(call.digits.first, First::Left(..));
        let is_lost = call.is_lost() || is_left;
        let digits = &mut call.digits;
        if let Some(at) = digits.due() {
            self.digits_due.remove(&(at, id));
        }
        digits.first = First::Waits;
        match digits.outcome(response.map(|response| &**response), is_lost) {
            Outcome::Taken => {
                digits.waiting.pop_front();
                digits.tries = 0;
            }
            Outcome::Again(form) => digits.form = form,
            Outcome::Later(pause) => {
                let at = now + pause;
                digits.tries += 1;
                digits.first = First::Later(at);
                self.digits_due.insert((at, id));
            }
            Outcome::Refused(status) => {
                let text = format!(
                    "the far end takes no digits by INFO ({status}): they are sent as events or tones from now on"
                );
                call.inbox.note(StoryEvent::Remark { text });
                call.hand_back();
            }
            Outcome::Unanswered => {
                let digit = digits.waiting.pop_front().map_or(' ', |digit| digit.digit);
                let text = format!(
                    "digit {digit} by INFO had no answer and may be lost; those after it are sent as events or tones"
                );
                call.inbox.note(StoryEvent::Remark { text });
                call.hand_back();
            }
            Outcome::Gone => {}
        }
        self.dial_next(agent, now, id);
        true
    }
}

impl super::calls::Call {
    /// Media sends what waits, and what comes after it.
    fn hand_back(&mut self) {
        self.digits.form = Form::Media;
        let waiting: Vec<Digit> = self.digits.waiting.drain(..).collect();
        if !waiting.is_empty() {
            self.inbox.send(ChannelEvent::DigitsRefused(waiting));
        }
    }
}

/// Digits of one call that wait for their turn.
const WAITING_MAX: usize = 64;
/// How long an answer may take on a connection that the client has left: what it sent before it left it has long come.
const ANSWER_PATIENCE: Duration = Duration::from_secs(2);
/// How often a far end that is busy is asked again.
const TRIES_MAX: u8 = 5;
/// How long it is given where it does not say so: an offer and its answer.
const PENDING_PAUSE: Duration = Duration::from_millis(500);
/// A far end that wants more time than that is not waited for.
const RETRY_AFTER_S_MAX: u32 = 10;

#[cfg(test)]
mod tests;
