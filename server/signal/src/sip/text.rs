//! Text messages outside of calls (RFC 3428): from phones into the dial plan, and from the dial plan to phones.

use std::sync::Arc;

use ::sip::{Flow, HeaderName, Login, Method, NameAddr, Request, Status, Uri};
use bytes::Bytes;
use config::Subscriber;
use switch::{IncomingText, Messages, NotSent, Text};

use crate::sip::authenticate::{Denied, RETRY_AFTER_S};
use crate::sip::command::Command;
use crate::sip::identity::{self, Identity};
use crate::sip::outbound::{self, Place, Route};
use crate::sip::presence::{self, Package};
use crate::sip::request::content_type;
use crate::sip::shared::{Shared, printable};
use crate::sip::{identify, inbound};

/// Headers that say nothing to the dial plan, or that we write ourselves.
const OWN_HEADERS: [&str; 17] = [
    "via",
    "from",
    "to",
    "call-id",
    "cseq",
    "max-forwards",
    "contact",
    "route",
    "record-route",
    "content-type",
    "content-length",
    "authorization",
    "proxy-authorization",
    "allow",
    "supported",
    "require",
    "user-agent",
];

/// Takes a message of somebody who has proven who he is.
pub(crate) async fn receive(
    shared: &Shared,
    flow: &Flow,
    subscriber: &Arc<Subscriber>,
    request: &Request,
) -> Result<(), Denied> {
    if content_type(request).as_deref() != Some("text/plain") {
        let mut denied = Denied::new(Status::UNSUPPORTED_MEDIA_TYPE);
        let accept = (HeaderName::Accept, "text/plain".to_owned());
        denied.headers.push(accept);
        return Err(denied);
    }
    let endpoint = &subscriber.endpoint;
    let context = endpoint.message_context.as_ref();
    let context = context.unwrap_or(&endpoint.context);
    let config = shared.switch.config();
    let user = request.uri.user().unwrap_or_default();
    let exten = match identify::without_options(&config, &user) {
        "" => "s",
        exten => exten,
    };
    let caller = identity::caller_of(endpoint, request);
    let switch = &shared.switch;
    let number = Some(caller.number.as_str());
    let found = switch.has_extension(context, exten, number).await;
    if !found.map_err(|error| inbound::unanswered(&error))? {
        let exten = printable(exten);
        tracing::info!(
            endpoint = endpoint.id,
            exten,
            context,
            "message refused: no such extension"
        );
        return Err(Denied::new(Status::NOT_FOUND));
    }
    let incoming = IncomingText {
        subscriber: Arc::clone(subscriber),
        caller,
        context: context.clone(),
        exten: exten.to_owned(),
        call_id: request.headers.call_id().map(printable).unwrap_or_default(),
        text: text_of(flow, request),
    };
    match shared.switch.incoming_text(incoming) {
        true => Ok(()),
        false => Err(Denied::retry_after(
            Status::SERVICE_UNAVAILABLE,
            RETRY_AFTER_S,
        )),
    }
}

/// The message as Asterisk shows it to the dial plan.
fn text_of(flow: &Flow, request: &Request) -> Text {
    let headers = &request.headers;
    let to = request.uri.to_string();
    let to = to.strip_prefix("sip:").or_else(|| to.strip_prefix("sips:"));
    let own = |name: &HeaderName| {
        let name = name.to_string();
        OWN_HEADERS.iter().any(|own| name.eq_ignore_ascii_case(own))
    };
    let others = headers.iter().filter(|(name, _)| !own(name));
    let others = others.map(|(name, value)| (name.to_string(), printable(value)));
    let marks = [
        ("PJSIP_RECVADDR".to_owned(), flow.remote.to_string()),
        (
            "PJSIP_TRANSPORT".to_owned(),
            flow.transport.uri_token().to_owned(),
        ),
    ];
    Text {
        to: format!("pjsip:{}", printable(to.unwrap_or_default())),
        from: headers
            .from()
            .map(|from| {
                let mut from = from;
                from.params.remove("tag");
                from.to_string()
            })
            .unwrap_or_default(),
        body: String::from_utf8_lossy(&request.body).into_owned(),
        headers: marks
            .into_iter()
            .chain(others)
            .take(switch::TEXT_HEADERS_MAX)
            .collect(),
        outbound: Vec::new(),
    }
}

/// A message on its way to one place.
#[derive(Debug, Clone)]
pub(crate) struct Letter {
    pub(crate) place: Place,
    pub(crate) logins: Vec<Login>,
    identity: Identity,
    kind: Kind,
    sender: Sender,
    body: Bytes,
    headers: Vec<(HeaderName, String)>,
}

/// What it is.
#[derive(Debug, Clone)]
enum Kind {
    Message,
    Notice(Notice),
}

/// What waits in the mailboxes of an endpoint, told without a subscription (RFC 3842).
#[derive(Debug, Clone)]
struct Notice {
    endpoint: String,
    messages: Messages,
    /// The extension that is called to hear them.
    account: Option<String>,
}

/// Who is shown to send it.
#[derive(Debug, Clone)]
enum Sender {
    Nobody,
    /// The user at our own address.
    User(String),
    /// The user at our own address, whatever `from_user` says.
    Own(String),
    Address(Box<NameAddr>),
}

/// Sends a message to a destination as `PJSIP/…` names it, or to a URI.
pub(crate) async fn send(shared: &Arc<Shared>, to: &str, text: &Text) -> Result<(), NotSent> {
    let sender = sender_of(&text.from)?;
    let (subscriber, places) = outbound::places_of_text(shared, to).await?;
    let headers = text.outbound.iter().filter(|(name, _)| {
        let own = OWN_HEADERS.iter();
        !own.clone().any(|own| own.eq_ignore_ascii_case(name)) && !name.starts_with("PJSIP_")
    });
    let headers: Vec<_> = headers
        .map(|(name, value)| (HeaderName::from(name.as_str()), one_line(value)))
        .collect();
    for place in places {
        let letter = Letter {
            place,
            logins: outbound::logins_of(shared, &subscriber),
            identity: Identity::of(shared, &subscriber),
            kind: Kind::Message,
            sender: sender.clone(),
            body: Bytes::copy_from_slice(text.body.as_bytes()),
            headers: headers.clone(),
        };
        shared.command(Command::Text(Box::new(letter)));
    }
    Ok(())
}

/// No value may begin a header of its own.
fn one_line(value: &str) -> String {
    value.chars().filter(|c| !c.is_control()).collect()
}

/// `"Alice" <sip:alice@example.com>`, `sip:alice@example.com`, `alice@example.com` or `alice`; the last with
/// Asterisk's `pjsip:` before it as well.
fn sender_of(text: &str) -> Result<Sender, NotSent> {
    let wrong = || NotSent::From(printable(text));
    let plain = text.trim();
    let plain = plain.strip_prefix("pjsip:").unwrap_or(plain);
    if plain.is_empty() {
        return Ok(Sender::Nobody);
    }
    if plain.contains('<') {
        let address = NameAddr::parse(plain).map_err(|_| wrong())?;
        return Ok(Sender::Address(Box::new(address)));
    }
    let has_scheme = plain.starts_with("sip:") || plain.starts_with("sips:");
    if !has_scheme && !plain.contains('@') {
        return Ok(Sender::User(printable(plain)));
    }
    let uri = match has_scheme {
        true => plain.to_owned(),
        false => format!("sip:{plain}"),
    };
    let uri: Uri = uri.parse().map_err(|_| wrong())?;
    Ok(Sender::Address(Box::new(NameAddr::new(uri))))
}

impl Letter {
    /// What waits in mailboxes, for a contact that has not asked.
    pub(crate) fn notice(
        shared: &Shared,
        subscriber: &Subscriber,
        place: Place,
        from: Option<&str>,
        messages: Messages,
    ) -> Self {
        let default = &shared.switch.config().global.default_voicemail_extension;
        let default = default.clone();
        Self {
            place,
            logins: outbound::logins_of(shared, subscriber),
            identity: Identity::of(shared, subscriber),
            kind: Kind::Notice(Notice {
                endpoint: subscriber.endpoint.id.clone(),
                messages,
                account: subscriber.endpoint.voicemail_extension.clone().or(default),
            }),
            sender: from.map_or(Sender::Nobody, |user| Sender::Own(one_line(user))),
            body: Bytes::new(),
            headers: vec![
                (HeaderName::Event, "message-summary".to_owned()),
                // What Asterisk writes: there is no subscription that could go on.
                (HeaderName::SubscriptionState, "terminated".to_owned()),
            ],
        }
    }

    /// The endpoint whose mailboxes it tells of, if it does.
    pub(crate) fn noticed(&self) -> Option<&str> {
        match &self.kind {
            Kind::Notice(notice) => Some(&notice.endpoint),
            Kind::Message => None,
        }
    }

    pub(crate) fn route(&self) -> &Route {
        self.place.route()
    }

    /// The request, once it is known which flow it goes down; `contact` is ours on it.
    pub(crate) fn request(&self, flow: &Flow, contact: &str) -> Request {
        let uri = self.place.uri().clone();
        let (method, cseq, media_type, body) = match &self.kind {
            Kind::Message => {
                let media_type = "text/plain;charset=UTF-8";
                (Method::Message, "1 MESSAGE", media_type, self.body.clone())
            }
            Kind::Notice(notice) => {
                let media_type = Package::MessageSummary.media_type();
                let account = notice.account.as_deref().map(one_line);
                let account = account.map(|exten| self.identity.at(flow, &exten, None).uri);
                let account = account.map(|uri| uri.to_string());
                let body = presence::summary(notice.messages, account.as_deref());
                (Method::Notify, "1 NOTIFY", media_type, body.into())
            }
        };
        let mut request = Request::new(method, uri.clone());
        let mut from = match &self.sender {
            Sender::Address(address) => (**address).clone(),
            Sender::Own(user) => self.identity.at(flow, user, None),
            Sender::User(user) => self.identity.address(flow, Some(user), None),
            Sender::Nobody => self.identity.address(flow, None, None),
        };
        // RFC 3261 §8.1.3.5: what answers a challenge keeps them.
        from.set_tag(&outbound::call_id());
        let headers = &mut request.headers;
        headers.push(HeaderName::CallId, &outbound::call_id());
        headers.push(HeaderName::CSeq, cseq);
        for hop in self.place.path() {
            headers.push(HeaderName::Route, hop);
        }
        headers.push(HeaderName::From, &from.to_string());
        headers.push(HeaderName::To, &NameAddr::new(uri).to_string());
        if self.noticed().is_some() {
            headers.push(HeaderName::Contact, contact);
        }
        for (name, value) in &self.headers {
            headers.push(name.clone(), value);
        }
        headers.push(HeaderName::ContentType, media_type);
        request.body = body;
        request
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn senders_are_written_in_many_ways() {
        let shown = |text: &str| match sender_of(text) {
            Ok(Sender::Nobody) => "nobody".to_owned(),
            Ok(Sender::User(user) | Sender::Own(user)) => format!("user {user}"),
            Ok(Sender::Address(address)) => address.to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!(shown(""), "nobody");
        assert_eq!(shown("pjsip:alice"), "user alice");
        assert_eq!(shown("alice@example.com"), "<sip:alice@example.com>");
        assert_eq!(shown("sip:alice@example.com"), "<sip:alice@example.com>");
        assert_eq!(
            shown("\"Alice\" <sip:alice@example.com>"),
            "\"Alice\" <sip:alice@example.com>"
        );
        assert_eq!(shown("<alice"), "'<alice' is no address of a sender");
    }

    #[test]
    fn a_header_cannot_begin_another_one() {
        assert_eq!(one_line("a\r\nVia: b"), "aVia: b");
    }
}
