//! What waits in the mailboxes of an endpoint is told to its contacts though they have not subscribed to it: by
//! NOTIFYs outside of any dialog, as Asterisk sends them ("unsolicited MWI") and desk phones expect them.
//!
//! The driver knows who is to be told and when (`driver/notices.rs`); where the contacts are is looked up here, by
//! tasks, because that may ask the database and DNS.

use std::sync::Arc;

use ::sip::Uri;
use config::Subscriber;

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
