//! `pjsip …`.

pub(crate) mod channel_stats;
pub(crate) mod logger;
pub(crate) mod objects;
pub(crate) mod registration;
pub(crate) mod subscription;
mod table;
mod transport;

pub(crate) use transport::SHOW_TRANSPORT;

use std::collections::BTreeMap;
use std::sync::Arc;

use config::{Aor, Auth, Identify, Shown, Subscriber};
use signal::Registered;
use store::StoreError;

use crate::command::{Command, Outcome, Slot, Takes};
use crate::commands::live::{self, Line};
use crate::exchange::Exchange;

pub(crate) static SHOW_ENDPOINTS: Command = Command {
    path: "pjsip show endpoints",
    takes: Takes::Form(&[Slot::Optional, Slot::Word("like"), Slot::Any("pattern")]),
    synopsis: "Show PJSIP Endpoints",
    doc: "Lists the endpoints of the files and of the database, with their addresses, registered\n\
          contacts and channels; `like` takes a regular expression that the name must match.",
    run: |exchange, words| Box::pin(show_endpoints(exchange, words.get(1))),
};

pub(crate) static SHOW_ENDPOINT: Command = Command {
    path: "pjsip show endpoint",
    takes: Takes::Endpoint,
    synopsis: "Show PJSIP Endpoint",
    doc: "Shows one endpoint with its options in force. Options without effect here are left out.",
    run: |exchange, words| Box::pin(show_endpoint(exchange, &words[0])),
};

pub(crate) static SHOW_CONTACTS: Command = Command {
    path: "pjsip show contacts",
    takes: Takes::Nothing,
    synopsis: "Show PJSIP Contacts",
    doc: "Lists the registered contacts.",
    run: |exchange, _| {
        Box::pin(async { Outcome::Done(table::contacts(&exchange.parts.signal.contacts())) })
    },
};

pub(crate) static SHOW_AORS: Command = Command {
    path: "pjsip show aors",
    takes: Takes::Nothing,
    synopsis: "Show PJSIP Aors",
    doc: "Lists the addresses of record of the files and those that endpoints name, with their\n\
          contacts.",
    run: |exchange, _| Box::pin(show_aors(exchange)),
};

pub(crate) static SHOW_AOR: Command = Command {
    path: "pjsip show aor",
    takes: Takes::Aor,
    synopsis: "Show PJSIP Aor",
    doc: "Shows one address of record with its options in force and its contacts.",
    run: |exchange, words| Box::pin(show_aor(exchange, &words[0])),
};

pub(crate) static SHOW_AUTHS: Command = Command {
    path: "pjsip show auths",
    takes: Takes::Nothing,
    synopsis: "Show PJSIP Auths",
    doc: "Lists the auths of the files and those that endpoints name. Secrets are not shown.",
    run: |exchange, _| Box::pin(show_auths(exchange)),
};

pub(crate) static SHOW_TRANSPORTS: Command = Command {
    path: "pjsip show transports",
    takes: Takes::Nothing,
    synopsis: "Show PJSIP Transports",
    doc: "Lists the transports, and why one does not listen. WebSockets listen where `http show status`\n\
          says.",
    run: |exchange, _| {
        Box::pin(async {
            let list = table::transports(&exchange.parts.switch.config().transports);
            Outcome::Done(list + &transport::faults(exchange))
        })
    },
};

pub(crate) static LIST_AORS: Command = Command {
    path: "pjsip list aors",
    takes: Takes::Nothing,
    synopsis: "List PJSIP Aors",
    doc: "One line for each of what `pjsip show aors` shows.",
    run: |exchange, _| {
        Box::pin(async {
            let all = show_aors(exchange).await;
            listed(all, "Aor")
        })
    },
};

pub(crate) static LIST_AUTHS: Command = Command {
    path: "pjsip list auths",
    takes: Takes::Nothing,
    synopsis: "List PJSIP Auths",
    doc: "One line for each of what `pjsip show auths` shows.",
    run: |exchange, _| {
        Box::pin(async {
            let all = show_auths(exchange).await;
            listed(all, "Auth")
        })
    },
};

pub(crate) static LIST_CONTACTS: Command = Command {
    path: "pjsip list contacts",
    takes: Takes::Nothing,
    synopsis: "List PJSIP Contacts",
    doc: "One line for each of what `pjsip show contacts` shows.",
    run: |exchange, _| {
        Box::pin(async {
            let all = Outcome::Done(table::contacts(&exchange.parts.signal.contacts()));
            listed(all, "Contact")
        })
    },
};

pub(crate) static LIST_ENDPOINTS: Command = Command {
    path: "pjsip list endpoints",
    takes: Takes::Nothing,
    synopsis: "List PJSIP Endpoints",
    doc: "One line for each of what `pjsip show endpoints` shows.",
    run: |exchange, _| {
        Box::pin(async {
            let all = show_endpoints(exchange, None).await;
            listed(all, "Endpoint")
        })
    },
};

pub(crate) static LIST_IDENTIFIES: Command = Command {
    path: "pjsip list identifies",
    takes: Takes::Nothing,
    synopsis: "List PJSIP Identifies",
    doc: "One line for each of what `pjsip show identifies` shows.",
    run: |exchange, _| {
        Box::pin(async {
            let all = (objects::SHOW_IDENTIFIES.run)(exchange, &[]).await;
            listed(all, "Identify")
        })
    },
};

pub(crate) static LIST_REGISTRATIONS: Command = Command {
    path: "pjsip list registrations",
    takes: Takes::Nothing,
    synopsis: "List PJSIP Registrations",
    doc: "The same as `pjsip show registrations`.",
    run: |exchange, _| (registration::SHOW_REGISTRATIONS.run)(exchange, &[]),
};

pub(crate) static LIST_TRANSPORTS: Command = Command {
    path: "pjsip list transports",
    takes: Takes::Nothing,
    synopsis: "List PJSIP Transports",
    doc: "One line for each of what `pjsip show transports` shows.",
    run: |exchange, _| {
        Box::pin(async {
            let all = Outcome::Done(table::transports(
                &exchange.parts.switch.config().transports,
            ));
            listed(all, "Transport")
        })
    },
};

/// The rows of the objects alone, of what `pjsip show …` lists.
fn listed(outcome: Outcome, title: &str) -> Outcome {
    match outcome {
        Outcome::Done(text) => {
            let is_kept = |line: &&str| {
                let line = line.trim_start();
                let name = line.split(':').next().unwrap_or_default();
                (line.contains(':') && name.ends_with(title))
                    || line.starts_with("===")
                    || line.starts_with("Objects")
                    || line.starts_with("No objects")
            };
            let lines: Vec<&str> = text.lines().filter(is_kept).collect();
            let mut text = String::new();
            for line in lines {
                if line.starts_with("Objects") {
                    text.push('\n');
                }
                text.push_str(line);
                text.push('\n');
            }
            Outcome::Done(text + "\n")
        }
        other => other,
    }
}

/// What the tables are made of.
pub(crate) struct View {
    subscribers: Vec<Arc<Subscriber>>,
    contacts: BTreeMap<String, Vec<Registered>>,
    channels: Vec<Line>,
    identifies: Vec<Identify>,
}

impl View {
    async fn of(exchange: &Exchange) -> Result<Self, StoreError> {
        let store = exchange.parts.switch.store();
        let mut subscribers = Vec::new();
        for id in store.endpoint_ids().await? {
            subscribers.extend(store.subscriber(&id).await?);
        }
        Ok(Self::with(exchange, subscribers))
    }

    fn with(exchange: &Exchange, subscribers: Vec<Arc<Subscriber>>) -> Self {
        let mut contacts: BTreeMap<String, Vec<Registered>> = BTreeMap::new();
        for contact in exchange.parts.signal.contacts() {
            let list = contacts.entry(contact.aor.clone()).or_default();
            list.push(contact);
        }
        Self {
            subscribers,
            contacts,
            channels: live::channels(exchange),
            identifies: exchange.config().identifies.clone(),
        }
    }

    fn contacts_of(&self, aor: &str) -> &[Registered] {
        self.contacts
            .get(aor)
            .map(Vec::as_slice)
            .unwrap_or_default()
    }
}

async fn show_endpoints(exchange: &Exchange, like: Option<&String>) -> Outcome {
    let like = match like
        .map(|pattern| regex_lite::Regex::new(pattern))
        .transpose()
    {
        Ok(like) => like,
        Err(error) => return Outcome::Failed(format!("That is no regular expression: {error}\n")),
    };
    match View::of(exchange).await {
        Ok(mut view) => {
            if let Some(like) = like {
                view.subscribers
                    .retain(|one| like.is_match(&one.endpoint.id));
            }
            if view.subscribers.is_empty() {
                return Outcome::Done(nothing());
            }
            let transports = &exchange.parts.switch.config().transports;
            Outcome::Done(table::endpoints(&view, transports))
        }
        Err(error) => unreadable(&error),
    }
}

async fn show_endpoint(exchange: &Exchange, id: &str) -> Outcome {
    match exchange.parts.switch.store().subscriber(id).await {
        Ok(Some(subscriber)) => {
            let mut options = table::options(&subscriber.endpoint.shown(), 34, 99);
            let dangling = exchange
                .parts
                .switch
                .config()
                .dangling(&subscriber.endpoint);
            options.extend(dangling.iter().map(|dangling| format!(" {dangling}\n\n")));
            let view = View::with(exchange, vec![subscriber]);
            let transports = &exchange.parts.switch.config().transports;
            Outcome::Done(table::endpoint(&view, transports) + &options)
        }
        Ok(None) => missing(id),
        Err(error) => unreadable(&error),
    }
}

/// All addresses of record by name: those of the files, and those that endpoints name.
async fn aors(exchange: &Exchange) -> Result<(BTreeMap<String, Arc<Aor>>, View), StoreError> {
    let view = View::of(exchange).await?;
    let mut aors = exchange.parts.switch.config().aors.clone();
    for aor in view
        .subscribers
        .iter()
        .flat_map(|subscriber| &subscriber.aors)
    {
        aors.insert(aor.id.clone(), aor.clone());
    }
    Ok((aors, view))
}

async fn show_aors(exchange: &Exchange) -> Outcome {
    match aors(exchange).await {
        Ok((aors, _)) if aors.is_empty() => Outcome::Done(nothing()),
        Ok((aors, view)) => Outcome::Done(table::aors(aors.values(), &view)),
        Err(error) => unreadable(&error),
    }
}

async fn show_aor(exchange: &Exchange, id: &str) -> Outcome {
    match aors(exchange).await {
        Ok((aors, view)) => match aors.get(id) {
            Some(aor) => {
                let mut shown = aor.shown();
                if let Some((_, value)) = shown.iter_mut().find(|(name, _)| *name == "contact") {
                    let live = view
                        .contacts_of(id)
                        .iter()
                        .map(|contact| contact.uri.clone());
                    let all = aor.contacts.iter().cloned().chain(live);
                    *value = all.collect::<Vec<_>>().join(",");
                }
                Outcome::Done(table::aor(aor, &view) + &table::options(&shown, 20, 94))
            }
            None => missing(id),
        },
        Err(error) => unreadable(&error),
    }
}

/// All auths by name: those of the files, and those that endpoints name.
async fn every_auth(exchange: &Exchange) -> Result<BTreeMap<String, Arc<Auth>>, StoreError> {
    let view = View::of(exchange).await?;
    let mut auths = exchange.parts.switch.config().auths.clone();
    let named = view.subscribers.iter();
    for auth in named.flat_map(|subscriber| &subscriber.auths) {
        auths.insert(auth.id.clone(), auth.clone());
    }
    Ok(auths)
}

async fn show_auths(exchange: &Exchange) -> Outcome {
    match every_auth(exchange).await {
        Ok(auths) if auths.is_empty() => Outcome::Done(nothing()),
        Ok(auths) => Outcome::Done(table::auths(auths.values())),
        Err(error) => unreadable(&error),
    }
}

fn nothing() -> String {
    "No objects found.\n\n".to_owned()
}

fn missing(id: &str) -> Outcome {
    Outcome::Missing(format!("Unable to find object {id}.\n\n"))
}

fn unreadable(error: &StoreError) -> Outcome {
    Outcome::Failed(format!("The database cannot be asked: {error}\n"))
}
