//! Digits of ours that go out by INFO: one after the other, so that they arrive in their order.
//!
//! The next one is sent when the one before has been answered. Who does not take
//! `application/dtmf-relay` (415) is sent `application/dtmf`, and who does not take that either is sent no
//! more. A connection that is gone is waited for, as long as the call does.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use ::sip::{Agent, ClientId, InviteId, Method, Response, Status};
use media::Digit;
use switch::story::StoryEvent;

use crate::sip::driver::calls::Calls;
use crate::sip::info;

/// The digits one call still has to send.
#[derive(Debug, Default)]
pub(super) struct Digits {
    waiting: VecDeque<Digit>,
    /// The first one waits for its answer.
    sent: Option<ClientId>,
    form: Form,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `application/dtmf-relay`.
    #[default]
    Relay,
    /// `application/dtmf`.
    Plain,
    /// The far end takes neither.
    None,
}

impl Digits {
    /// The request that waits for its answer.
    pub(super) fn sent(&self) -> Option<ClientId> {
        self.sent
    }
}

impl Calls {
    /// Sends a digit as soon as those before it have been answered.
    pub(crate) fn dial(&mut self, agent: &mut Agent, now: Instant, id: InviteId, digit: Digit) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let digits = &mut call.digits;
        if digits.form == Form::None {
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

    /// The connection of a call is back.
    pub(crate) fn dial_again(&mut self, agent: &mut Agent, now: Instant, id: InviteId) {
        self.dial_next(agent, now, id);
    }

    fn dial_next(&mut self, agent: &mut Agent, now: Instant, id: InviteId) {
        let Some(call) = self.calls.get_mut(&id).filter(|call| !call.is_lost()) else {
            return;
        };
        let digits = &mut call.digits;
        let Some(digit) = digits.waiting.front().filter(|_| digits.sent.is_none()) else {
            return;
        };
        let body = match digits.form {
            Form::Relay => info::relay(digit),
            Form::Plain => info::plain(digit),
            Form::None => return,
        };
        let line = format!("INFO {}", digit.digit);
        let client = agent.send(now, id, Method::Info, Vec::new(), Some(body));
        digits.sent = Some(client);
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
        let is_lost = call.is_lost();
        let digits = &mut call.digits;
        digits.sent = None;
        let status = response.map(|response| response.status);
        match status {
            Some(status) if status.is_success() => drop(digits.waiting.pop_front()),
            Some(Status::UNSUPPORTED_MEDIA_TYPE) if digits.form == Form::Relay => {
                digits.form = Form::Plain;
            }
            Some(Status::UNSUPPORTED_MEDIA_TYPE) => {
                digits.form = Form::None;
                digits.waiting.clear();
                let text = "the far end takes no digits by INFO (415): none is sent any more";
                let text = text.to_owned();
                call.inbox.note(StoryEvent::Remark { text });
            }
            // It is sent again when the connection is back.
            None if is_lost => {}
            _ => {
                let digit = digits.waiting.pop_front();
                let digit = digit.map_or(' ', |digit| digit.digit);
                let why = status.map_or_else(
                    || "no answer came".to_owned(),
                    |status| format!("the far end answered {status}"),
                );
                let text = format!("digit {digit} by INFO is lost: {why}");
                call.inbox.note(StoryEvent::Remark { text });
            }
        }
        self.dial_next(agent, now, id);
        true
    }
}

/// Digits of one call that wait for their turn.
const WAITING_MAX: usize = 64;
