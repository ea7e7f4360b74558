//! Text messages of ours that wait for their answer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use ::sip::{Agent, ClientId, Flow, Request, Response, Status, Uri, sign};

use crate::sip::outbound::call_id;
use crate::sip::shared::printable;
use crate::sip::text::Letter;

/// Messages without an answer at a time; more are not sent.
const PENDING_MAX: usize = 10_000;

/// With so many of them no NOTIFY about mailboxes is sent: phones that are gone leave those without an answer.
const NOTICES_MAX: usize = PENDING_MAX / 2;

/// How often the challenges of one message are answered: the first one, and stale nonces after it.
const LOGIN_TRIES_MAX: u8 = 3;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Letters {
    pending: BTreeMap<ClientId, Pending>,
}

#[derive(Debug)]
struct Pending {
    letter: Letter,
    flow: Flow,
    request: Request,
    login_tries: u8,
}

/// What came of a response.
pub(crate) enum Answered {
    /// It is nobody's here.
    Nobodys,
    /// It was a letter's.
    Done,
    /// The letter is to go to its next place.
    Elsewhere(Box<Letter>),
    /// This contact of an endpoint wants no NOTIFY about mailboxes.
    Refused(String, Uri),
}

impl Letters {
    /// Sends a message down this flow.
    pub(crate) fn send(&mut self, agent: &mut Agent, now: Instant, flow: Flow, letter: Letter) {
        let most = match letter.noticed() {
            Some(_) => NOTICES_MAX,
            None => PENDING_MAX,
        };
        if self.pending.len() >= most {
            return lost(&letter, "too many messages wait for their answer");
        }
        let request = letter.request(&flow, &agent.contact(&flow));
        let pending = Pending {
            letter,
            flow,
            request,
            login_tries: 0,
        };
        self.go(agent, now, pending);
    }

    fn go(&mut self, agent: &mut Agent, now: Instant, pending: Pending) {
        let id = agent.request(now, pending.flow, pending.request.clone());
        self.pending.insert(id, pending);
    }

    /// A response came, or none in the time of the transaction. What is to be sent to the next place is returned (RFC
    /// 3263 §4.3).
    pub(crate) fn on_response(
        &mut self,
        agent: &mut Agent,
        id: ClientId,
        response: Option<&Arc<Response>>,
        now: Instant,
    ) -> Answered {
        let Some(mut pending) = self.pending.remove(&id) else {
            return Answered::Nobodys;
        };
        let unavailable = |response: &Arc<Response>| response.status == Status::SERVICE_UNAVAILABLE;
        if response.is_none_or(unavailable) && pending.letter.place.next() {
            return Answered::Elsewhere(Box::new(pending.letter));
        }
        let Some(response) = response else {
            lost(&pending.letter, "no answer came");
            return Answered::Done;
        };
        let challenged = matches!(
            response.status,
            Status::UNAUTHORIZED | Status::PROXY_AUTHENTICATION_REQUIRED
        );
        if challenged
            && pending.login_tries < LOGIN_TRIES_MAX
            && sign(
                &mut pending.request,
                response,
                &pending.letter.logins,
                &call_id(),
            )
        {
            pending.login_tries += 1;
            self.go(agent, now, pending);
            return Answered::Done;
        }
        if !response.status.is_success() {
            let why = format!("{} {}", response.status, printable(&response.reason));
            lost(&pending.letter, &why);
            let is_refusal = (400..500).contains(&response.status.code());
            if let Some(endpoint) = pending.letter.noticed().filter(|_| is_refusal) {
                let uri = pending.letter.place.uri().clone();
                return Answered::Refused(endpoint.to_owned(), uri);
            }
        }
        Answered::Done
    }
}

/// Says that a message did not arrive.
pub(crate) fn lost(letter: &Letter, why: &str) {
    let to = printable(letter.place.uri().address());
    match letter.noticed() {
        Some(endpoint) => tracing::debug!(endpoint, to, "mailboxes not told of: {why}"),
        None => tracing::warn!(to, "message not delivered: {why}"),
    }
}
