//! What the two parties of a call are told of each other: who they are, and their texts.

use std::sync::Arc;
use std::time::Instant;

use ::sip::{
    Agent, Body, ClientId, HeaderName, Headers, InviteId, Method, Request, Response, Status,
};
use bytes::Bytes;
use switch::story::StoryEvent;
use switch::{ChannelEvent, Redirecting, Text};

use crate::sip::command::{How, Told};
use crate::sip::driver::calls::{Call, Calls};
use crate::sip::identity::{self, Identity};
use crate::sip::shared::printable;

/// Texts within calls without an answer at a time; more are not sent.
const TEXTS_MAX: usize = 10_000;

impl Calls {
    /// The far end is believed who it is, from now on.
    pub(crate) fn believe(&mut self, id: InviteId, believed: Option<Box<str>>) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.believed = believed;
        }
    }

    /// The far end says who it is in the middle of the call.
    pub(super) fn hear(&self, id: InviteId, request: &Request) {
        if let Some(call) = self.calls.get(&id) {
            call.hear(&request.headers);
        }
    }

    /// Tells the far end who it is connected to.
    pub(crate) fn tell_party(
        &mut self,
        agent: &mut Agent,
        now: Instant,
        id: InviteId,
        told: &Told,
    ) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        call.told = told.identity.headers(&call.flow, &told.party, told.role);
        agent.tell(id, call.told.clone());
        match told.how {
            How::InPassing => {}
            How::Ringing => {
                // After early media 180 would have many phones ring themselves instead of playing it.
                let status = match call.is_heard {
                    true => Status::SESSION_PROGRESS,
                    false => Status::RINGING,
                };
                self.sent(id, &status);
                agent.provisional(now, id, status, None);
            }
            How::By(via) => {
                self.sent(id, &format_args!("who is connected: {}", told.party));
                agent.announce(now, id, via);
            }
        }
    }

    /// The call of the far end is sent on: 181, with who did it.
    pub(crate) fn sent_on(
        &self,
        agent: &mut Agent,
        now: Instant,
        id: InviteId,
        identity: &Identity,
        redirecting: &Redirecting,
    ) {
        let Some(call) = self.calls.get(&id) else {
            return;
        };
        let own = call.told.clone();
        let diversions = identity.diversions(&call.flow, redirecting);
        agent.tell(id, own.iter().cloned().chain(diversions).collect());
        self.sent(id, &Status::CALL_IS_BEING_FORWARDED);
        agent.provisional(now, id, Status::CALL_IS_BEING_FORWARDED, None);
        agent.tell(id, own);
    }

    /// Sends a text within the call.
    pub(crate) fn send_text(&mut self, agent: &mut Agent, now: Instant, id: InviteId, text: &Text) {
        if self.texts.len() >= TEXTS_MAX {
            return self.lost(id, "too many texts wait for their answer");
        }
        let content_type = text
            .header("Content-Type")
            .unwrap_or("text/plain;charset=UTF-8");
        let body = Body {
            content_type: printable(content_type).into(),
            bytes: Bytes::copy_from_slice(text.body.as_bytes()),
        };
        self.sent(id, &"MESSAGE");
        let client = agent.send(now, id, Method::Message, Vec::new(), Some(body));
        self.texts.insert(client, id);
    }

    /// The answer to such a text came, or never will. `false`: it is none.
    pub(crate) fn on_text_answered(
        &mut self,
        client: ClientId,
        response: Option<&Arc<Response>>,
    ) -> bool {
        let Some(id) = self.texts.remove(&client) else {
            return false;
        };
        match response {
            Some(response) if response.status.is_success() => {}
            Some(response) => {
                let why = format!("{} {}", response.status, printable(&response.reason));
                self.lost(id, &why);
            }
            None => self.lost(id, "no answer came"),
        }
        true
    }

    fn lost(&self, id: InviteId, why: &str) {
        if let Some(call) = self.calls.get(&id) {
            let text = format!("a text was not delivered: {why}");
            call.inbox.note(StoryEvent::Remark { text });
        }
    }

    /// A text of the far end.
    pub(super) fn on_text(&self, id: InviteId, request: &Request) {
        let headers = &request.headers;
        let content_type = headers.get(&HeaderName::ContentType).map(printable);
        let address = |name: HeaderName| {
            let address = headers.get(&name).unwrap_or_default();
            let bare = address.split(";tag=").next().unwrap_or_default();
            printable(bare)
        };
        let text = Text {
            to: address(HeaderName::To),
            from: address(HeaderName::From),
            body: String::from_utf8_lossy(&request.body).into_owned(),
            headers: content_type
                .map(|value| ("Content-Type".to_owned(), value))
                .into_iter()
                .collect(),
            outbound: Vec::new(),
        };
        if let Some(call) = self.calls.get(&id) {
            call.received(&"MESSAGE");
        }
        self.tell(id, ChannelEvent::Text(Box::new(text)));
    }
}

impl Call {
    /// What the far end says of who it is, if it is believed.
    pub(super) fn hear(&self, headers: &Headers) {
        let heard = self
            .believed
            .as_deref()
            .and_then(|tag| identity::heard(headers, tag));
        if let Some(party) = heard {
            self.inbox.send(ChannelEvent::Connected(party));
        }
    }

    /// What the far end says of who sends our call on, if it is believed.
    pub(super) fn hear_of_forwarding(&self, response: &Response) {
        let is_forwarded = response.status == Status::CALL_IS_BEING_FORWARDED;
        if is_forwarded && self.believed.is_some() {
            let redirecting = Box::new(identity::sent_on(&response.headers));
            self.inbox.send(ChannelEvent::SentOn(redirecting));
        }
    }
}
