//! What waits in the mailboxes of an endpoint is told to its contacts though they have not subscribed to it: by
//! NOTIFYs outside of any dialog, as Asterisk sends them ("unsolicited MWI") and desk phones expect them.
//!
//! The driver knows who is to be told and when (`driver/notices.rs`); where the contacts are is looked up here, by
//! tasks, because that may ask the database and DNS.

use std::sync::Arc;

use ::sip::{HeaderName, Request, Uri};
use config::Subscriber;
use switch::Messages;

use crate::sip::command::Command;
use crate::sip::outbound;
use crate::sip::shared::Shared;
use crate::sip::text::Letter;

/// What an endpoint is told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mwi {
    pub(crate) endpoint: String,
    pub(crate) aors: Vec<String>,
    pub(crate) mailboxes: Vec<String>,
    /// `aggregate_mwi`.
    is_sum: bool,
    /// `mwi_subscribe_replaces_unsolicited`.
    pub(crate) is_replaced: bool,
    /// `mwi_from_user`.
    from: Option<String>,
}

/// Which contacts are to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Whom {
    All,
    /// Those that have just been registered.
    These(Vec<Uri>),
}

/// What is to be told, and to whom.
#[derive(Debug)]
pub(crate) struct Telling {
    pub(crate) endpoint: String,
    pub(crate) whom: Whom,
    /// Contacts that want to hear nothing.
    pub(crate) refused: Vec<String>,
}

impl Mwi {
    pub(crate) fn of(subscriber: &Subscriber) -> Self {
        let endpoint = &subscriber.endpoint;
        Self {
            endpoint: endpoint.id.clone(),
            aors: subscriber.aors.iter().map(|aor| aor.id.clone()).collect(),
            mailboxes: endpoint.mailboxes.clone(),
            is_sum: endpoint.aggregate_mwi,
            is_replaced: endpoint.mwi_subscribe_replaces_unsolicited,
            from: endpoint.mwi_from_user.clone(),
        }
    }
}

/// These contacts of an endpoint have been registered: they are told how things are.
pub(crate) fn registered(shared: &Shared, subscriber: &Subscriber, contacts: Vec<Uri>) {
    if !subscriber.endpoint.mailboxes.is_empty() && !contacts.is_empty() {
        let mwi = Box::new(Mwi::of(subscriber));
        shared.command(Command::Mailboxes { mwi, contacts });
    }
}

/// A NOTIFY of an endpoint that nobody has asked for: what waits in the mailbox it has elsewhere
/// (`incoming_mwi_mailbox`). `false`: it is something else.
pub(crate) fn heard(shared: &Shared, subscriber: &Subscriber, notify: &Request) -> bool {
    let event = notify.headers.get(&HeaderName::Event).unwrap_or_default();
    let event = event.split(';').next().unwrap_or_default().trim();
    let Some(mailbox) = &subscriber.endpoint.incoming_mwi_mailbox else {
        return false;
    };
    let is_summary = event.eq_ignore_ascii_case("message-summary");
    let Some(messages) = read(&notify.body).filter(|_| is_summary) else {
        return false;
    };
    // As the dial plan calls it: what has no context is in `default`.
    let mailbox = match mailbox.contains('@') {
        true => mailbox.clone(),
        false => format!("{mailbox}@default"),
    };
    match shared.switch.set_mailbox(&mailbox, Some(messages)) {
        Ok(()) => tracing::debug!(mailbox, ?messages, "heard of a mailbox elsewhere"),
        Err(error) => tracing::warn!(mailbox, "heard of a mailbox elsewhere, but {error}"),
    }
    true
}

/// RFC 3842 §3.5: `Voice-Message: 2/8 (0/2)`, or just whether anything waits.
fn read(body: &[u8]) -> Option<Messages> {
    let text = std::str::from_utf8(body).ok()?;
    let value = |wanted: &str| {
        text.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            let is_it = name.trim().eq_ignore_ascii_case(wanted);
            is_it.then(|| value.trim())
        })
    };
    let waiting = value("Messages-Waiting")?;
    let counts = value("Voice-Message").and_then(|counts| {
        let counts = counts.split(['(', ' ']).next()?;
        let (new, old) = counts.split_once('/')?;
        let (new, old) = (new.trim().parse().ok()?, old.trim().parse().ok()?);
        Some(Messages { new, old })
    });
    let some = u32::from(waiting.eq_ignore_ascii_case("yes"));
    Some(counts.unwrap_or(Messages { new: some, old: 0 }))
}

/// Writes what is to be told, and has it sent. What waits is read last, so that what is told last is so.
pub(crate) async fn tell(shared: &Arc<Shared>, telling: Telling) {
    let Telling {
        endpoint,
        whom,
        refused,
    } = telling;
    let (subscriber, places) = match outbound::contacts_of(shared, &endpoint).await {
        Ok(found) => found,
        // Nobody is there to be told.
        Err(error) => return tracing::debug!(endpoint, "mailboxes not told of: {error}"),
    };
    let mwi = Mwi::of(&subscriber);
    if mwi.mailboxes.is_empty() {
        return;
    }
    let parts: Vec<&[String]> = match mwi.is_sum {
        true => vec![&mwi.mailboxes],
        false => mwi.mailboxes.chunks(1).collect(),
    };
    let all = parts.into_iter().map(|part| shared.switch.mailboxes(part));
    let all: Vec<_> = all.collect();
    for place in places {
        let uri = place.uri();
        let is_meant = match &whom {
            Whom::All => true,
            Whom::These(contacts) => contacts.contains(uri),
        };
        if !is_meant || refused.iter().any(|one| one == uri.as_str()) {
            continue;
        }
        for messages in &all {
            let from = mwi.from.as_deref();
            let letter = Letter::notice(shared, &subscriber, place.clone(), from, *messages);
            shared.command(Command::Text(Box::new(letter)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Messages, read};

    #[test]
    fn what_waits_elsewhere_is_read_from_its_summary() {
        let told = |text: &str| read(text.as_bytes()).map(|it| (it.new, it.old));
        let full =
            "Messages-Waiting: yes\r\nMessage-Account: sip:1@h\r\nVoice-Message: 2/8 (0/2)\r\n";
        assert_eq!(told(full), Some((2, 8)));
        assert_eq!(
            told("messages-waiting: no\nvoice-message:0/3\n"),
            Some((0, 3))
        );
        assert_eq!(told("Messages-Waiting: yes\r\n"), Some((1, 0)));
        assert_eq!(told("Messages-Waiting: no\r\n"), Some((0, 0)));
        assert_eq!(
            told("Messages-Waiting: yes\r\nVoice-Message: many\r\n"),
            Some((1, 0))
        );
        assert_eq!(told("Voice-Message: 2/8\r\n"), None);
        assert_eq!(read(b"\xff"), None::<Messages>);
    }
}
