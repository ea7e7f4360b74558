//! What phones may subscribe to (RFC 6665): the state of an extension for a lamp (`dialog`, RFC 4235) or a list
//! of friends (`presence`, RFC 3856, PIDF or XPIDF), and whether there is voice mail (`message-summary`, RFC 3842);
//! or many of these at once (`type=resource_list`, RFC 4662).
//!
//! The state of an extension is that of the devices of its hint in `extensions.conf`; that of a device is what
//! its calls and its contacts say. There is no voicemail: what waits in a
//! mailbox is what others have said of it (`switch/mailbox.rs`).

mod device;
mod document;
mod list;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ::sip::{Body, Flow, HeaderName, Request, Status, SubscriptionRules};
use config::{CallerId, Config, ListEvent, Subscriber};
use switch::{ChannelId, DeviceState as State, Messages, hint_name};

pub(crate) use device::{Device, Moment};
pub(crate) use document::{Early, summary};
pub(crate) use list::List;

use crate::sip::authenticate::Denied;
use crate::sip::identify;
use crate::sip::identity;
use crate::sip::presence::document::{Facts, beside};
use crate::sip::presence::list::Part;
use crate::sip::shared::{Shared, printable};

/// Events that can be subscribed to, for Allow-Events.
const EVENTS: &str = "presence, dialog, message-summary";

/// The longest a subscription lasts, and what is given to who names no time: Asterisk's own.
const EXPIRES_S: u32 = 3_600;

/// Resources of one list, those of the lists in it included; more are left out.
pub(crate) const LIST_ITEMS_MAX: usize = 200;

/// What is told, and how it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Package {
    Presence(Friends),
    Dialog,
    MessageSummary,
}

/// How presence is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Friends {
    Pidf,
    Xpidf,
}

/// What somebody subscribed to.
#[derive(Debug, Clone)]
pub(crate) struct Watched {
    pub(crate) package: Package,
    /// The endpoint that watches.
    pub(crate) endpoint: String,
    /// The extension, the address of record of a mailbox, or the list.
    pub(crate) resource: String,
    /// Who watches.
    pub(crate) caller: CallerId,
    /// The context of the extensions; empty for a mailbox.
    pub(crate) context: String,
    /// As the subscriber names it.
    entity: String,
    /// What is watched: one, unless it is a list.
    pub(crate) items: Vec<Item>,
    pub(crate) list: Option<List>,
    /// `notify_early_inuse_ringing`.
    early_in_use: bool,
}

/// One extension or mailbox.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) name: String,
    entity: String,
    /// The name of its hint.
    display: Option<String>,
    devices: Vec<Device>,
    /// The mailboxes of the addresses of record, for message-summary.
    mailboxes: Vec<String>,
    /// Where a phone calls to hear its messages: `voicemail_extension`.
    account: Option<String>,
    /// The dial plan has no hint for it any more.
    is_gone: bool,
}

/// What somebody is told of one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Now {
    state: State,
    messages: Messages,
    /// The call that rings.
    rings: Option<ChannelId>,
    /// There is no such thing any more.
    is_gone: bool,
}

/// Hints, as they are in one configuration.
#[derive(Debug)]
pub(crate) struct Hints {
    config: Arc<Config>,
    /// By context and extension; `None`: it has none.
    found: BTreeMap<(String, String), Option<Hint>>,
}

/// The devices of a hint, and its name.
type Hint = (Vec<Device>, Option<String>);

/// Who may subscribe to what, and for how long, in this configuration.
pub(crate) async fn admit(
    shared: &Shared,
    config: &Config,
    subscriber: &Subscriber,
    request: &Request,
) -> Result<(Watched, SubscriptionRules), Denied> {
    let endpoint = &subscriber.endpoint;
    if !endpoint.allow_subscribe {
        let endpoint = &endpoint.id;
        tracing::info!(endpoint, "subscription refused: allow_subscribe is no");
        // What Asterisk answers.
        return Err(Denied::new(Status::DECLINE));
    }
    let package = package_of(request)?;
    let user = request.uri.user().unwrap_or_default();
    let resource = identify::without_options(config, &user).to_owned();
    let to = request.headers.to().map(|to| to.uri.address().to_owned());
    let context = match package {
        Package::MessageSummary => "",
        Package::Presence(_) | Package::Dialog => {
            let context = endpoint.subscribe_context.as_ref();
            context.unwrap_or(&endpoint.context)
        }
    };
    let mut watched = Watched {
        package,
        endpoint: endpoint.id.clone(),
        caller: identity::caller_of(endpoint, request),
        context: context.to_owned(),
        entity: printable(&to.unwrap_or_default()),
        resource,
        items: Vec::new(),
        list: None,
        early_in_use: endpoint.notify_early_inuse_ringing,
    };
    let rules = SubscriptionRules {
        expires_s_min: endpoint.sub_min_expiry_s,
        expires_s_max: EXPIRES_S.max(endpoint.sub_min_expiry_s),
        expires_s_default: EXPIRES_S,
        is_list: false,
    };
    watch((shared, config), subscriber, request, &mut watched).await?;
    let is_list = watched.list.is_some();
    Ok((watched, SubscriptionRules { is_list, ..rules }))
}

/// Finds what is watched.
async fn watch(
    (shared, config): (&Shared, &Config),
    subscriber: &Subscriber,
    request: &Request,
    watched: &mut Watched,
) -> Result<(), Denied> {
    if let Some(list) = list_of(config, watched.package, &watched.resource) {
        if takes_lists(request) {
            for name in &list.items {
                let entity = beside(&watched.entity, name);
                let item = item_of((shared, config), subscriber, watched, (name, entity)).await;
                watched.items.extend(item);
            }
            watched.list = Some(list);
            if watched.items.is_empty() {
                let list = &watched.resource;
                tracing::info!(list, "subscription refused: nothing of the list is known");
                return Err(Denied::new(Status::NOT_FOUND));
            }
            return Ok(());
        }
        // RFC 4662 §4.1: without it the state of a list cannot be told.
        let hint = config.plan.hint(&watched.context, &watched.resource);
        if hint.is_none() {
            let mut denied = Denied::new(Status::EXTENSION_REQUIRED);
            let required = (HeaderName::Require, "eventlist".to_owned());
            denied.headers.push(required);
            return Err(denied);
        }
    }
    let named = (watched.resource.as_str(), watched.entity.clone());
    let item = item_of((shared, config), subscriber, watched, named).await;
    watched.items = vec![item.ok_or_else(|| Denied::new(Status::NOT_FOUND))?];
    Ok(())
}

/// The list of this name with what lists in it hold, if it is one of this event.
fn list_of(config: &Config, package: Package, name: &str) -> Option<List> {
    let event = match package {
        Package::Presence(_) => ListEvent::Presence,
        Package::Dialog => ListEvent::Dialog,
        Package::MessageSummary => ListEvent::MessageSummary,
    };
    let known = |name: &str| {
        let list = config.resource_lists.get(name);
        list.filter(|list| list.event == Some(event))
    };
    let own = known(name)?;
    let (mut seen, mut items) = (BTreeSet::from([name]), Vec::new());
    let mut open: Vec<&String> = own.items.iter().rev().collect();
    while let Some(next) = open.pop() {
        // Each is told of once, and a list that leads to itself ends.
        if !seen.insert(next) {
            continue;
        }
        match known(next) {
            Some(list) => open.extend(list.items.iter().rev()),
            None if items.len() < LIST_ITEMS_MAX => items.push(next.clone()),
            None => {
                let list = name;
                tracing::warn!(
                    list,
                    "more than {LIST_ITEMS_MAX} resources: the rest is left out"
                );
                break;
            }
        }
    }
    Some(List {
        is_full: own.full_state,
        batch_ms: own.batch_ms,
        is_named: own.display_name,
        items,
    })
}

/// RFC 4662 §4.1: Supported names `eventlist`.
fn takes_lists(request: &Request) -> bool {
    let supported = request.headers.get_all(&HeaderName::Supported);
    let mut words = supported.flat_map(|line| line.split(','));
    words.any(|word| word.trim().eq_ignore_ascii_case("eventlist"))
}

/// What is watched by this name; `None`: there is no such thing.
async fn item_of(
    (shared, config): (&Shared, &Config),
    subscriber: &Subscriber,
    watched: &Watched,
    (name, entity): (&str, String),
) -> Option<Item> {
    let mut item = Item {
        name: name.to_owned(),
        entity,
        ..Item::default()
    };
    match watched.package {
        Package::MessageSummary => {
            let aors = subscriber.aors.iter();
            let own = aors.filter(|aor| name.is_empty() || aor.id == name);
            let own: Vec<_> = own.collect();
            item.mailboxes = own.iter().flat_map(|aor| aor.mailboxes.clone()).collect();
            let account = own
                .iter()
                .find_map(|aor| aor.voicemail_extension.as_deref());
            let account = account.or(subscriber.endpoint.voicemail_extension.as_deref());
            let account = account.or(config.global.default_voicemail_extension.as_deref());
            item.account = account.map(|exten| beside(&item.entity, exten));
            (!item.mailboxes.is_empty()).then_some(item)
        }
        Package::Presence(_) | Package::Dialog => {
            let context = &watched.context;
            let Some(hint) = config.plan.hint(context, name) else {
                let (endpoint, exten) = (&watched.endpoint, printable(name));
                tracing::info!(
                    endpoint,
                    exten,
                    context,
                    "subscription refused: the extension has no hint"
                );
                return None;
            };
            item.display = hint_name(hint).map(str::to_owned);
            item.devices = device::devices_of(shared, hint).await;
            Some(item)
        }
    }
}

/// The hints of these extensions, as the dial plan of this configuration has them.
pub(crate) async fn hints(
    shared: &Shared,
    config: Arc<Config>,
    named: BTreeSet<(String, String)>,
) -> Hints {
    let mut found = BTreeMap::new();
    for (context, exten) in named {
        let hint = match config.plan.hint(&context, &exten) {
            Some(hint) => {
                let devices = device::devices_of(shared, hint).await;
                Some((devices, hint_name(hint).map(str::to_owned)))
            }
            None => None,
        };
        found.insert((context, exten), hint);
    }
    Hints { config, found }
}

fn package_of(request: &Request) -> Result<Package, Denied> {
    let event = request.headers.get(&HeaderName::Event).unwrap_or_default();
    let name = event.split(';').next().unwrap_or_default().trim();
    let forms: &[Package] = match name.to_ascii_lowercase().as_str() {
        "presence" => &[
            Package::Presence(Friends::Pidf),
            Package::Presence(Friends::Xpidf),
        ],
        "dialog" => &[Package::Dialog],
        "message-summary" => &[Package::MessageSummary],
        _ => {
            // RFC 6665 §8.2.2: a 489 names the events that are understood.
            let mut denied = Denied::new(Status::BAD_EVENT);
            let allowed = (HeaderName::AllowEvents, EVENTS.to_owned());
            denied.headers.push(allowed);
            return Err(denied);
        }
    };
    let accept = request.headers.get_all(&HeaderName::Accept);
    let types: Vec<String> = accept
        .flat_map(|line| line.split(','))
        .map(|media| media.split(';').next().unwrap_or_default())
        .map(|media| media.trim().to_ascii_lowercase())
        .filter(|media| !media.is_empty())
        .collect();
    let written_as = |media: &String| match media.as_str() {
        "*/*" | "application/*" => forms.first(),
        media => forms.iter().find(|form| form.media_type() == media),
    };
    let form = match types.is_empty() {
        true => forms.first(),
        // The first that is known, as in Asterisk.
        false => types.iter().find_map(written_as),
    };
    form.copied().ok_or_else(|| {
        let mut denied = Denied::new(Status::NOT_ACCEPTABLE);
        let known = forms.iter().map(|form| form.media_type());
        let accept = known.collect::<Vec<_>>().join(", ");
        denied.headers.push((HeaderName::Accept, accept));
        denied
    })
}

impl Watched {
    /// How all of it is now.
    pub(crate) fn now(&self, shared: &Shared, moment: &mut Moment) -> Vec<Now> {
        let items = self.items.iter();
        items.map(|item| item.now(shared, moment)).collect()
    }

    /// What a NOTIFY says of the one that is watched. `version` counts those of this subscription.
    pub(crate) fn document(&self, now: Now, early: Option<&Early>, version: u32) -> Body {
        let text = self
            .items
            .first()
            .map(|item| self.text(item, now, early, version));
        Body {
            content_type: self.package.media_type().into(),
            bytes: text.unwrap_or_default().into(),
        }
    }

    fn text(&self, item: &Item, now: Now, early: Option<&Early>, version: u32) -> String {
        let facts = Facts {
            state: now.state,
            messages: now.messages,
            early,
            version,
            early_in_use: self.early_in_use,
        };
        document::write(self.package, item, &facts)
    }

    /// What a NOTIFY says of these of a list.
    pub(crate) fn documents(
        &self,
        list: &List,
        version: u32,
        of: &[(usize, Now, Option<Early>)],
    ) -> Body {
        let parts = of.iter().filter_map(|(index, now, early)| {
            let item = self.items.get(*index)?;
            let text = || self.text(item, *now, early.as_ref(), version);
            let text = (!item.is_gone).then(text);
            Some(Part { item, text })
        });
        let parts: Vec<_> = parts.collect();
        let is_full = parts.len() == self.items.len();
        list::body(self, list, (version, is_full), &parts)
    }

    /// Takes hints that were read anew.
    pub(crate) fn adopt(&mut self, hints: &Hints) {
        if self.package == Package::MessageSummary {
            return;
        }
        for item in &mut self.items {
            let named = (self.context.clone(), item.name.clone());
            match hints.found.get(&named) {
                Some(Some((devices, display))) => {
                    item.devices.clone_from(devices);
                    item.display.clone_from(display);
                    item.is_gone = false;
                }
                Some(None) => {
                    item.devices.clear();
                    item.is_gone = true;
                }
                None => {}
            }
        }
    }

    /// Whether nothing of it is there any more.
    pub(crate) fn is_gone(&self) -> bool {
        self.items.iter().all(|item| item.is_gone)
    }

    /// Whether it is a list that the configuration has otherwise now, or with hints that were missing.
    pub(crate) fn is_another(&self, config: &Config) -> bool {
        let is_new = |name: &String| {
            let is_known = self.items.iter().any(|item| item.name == *name);
            !is_known && config.plan.hint(&self.context, name).is_some()
        };
        self.list.as_ref().is_some_and(|list| {
            list_of(config, self.package, &self.resource).as_ref() != Some(list)
                || list.items.iter().any(is_new)
        })
    }
}

impl Hints {
    /// Whether they are those of this configuration. After two reloads in a row those of the first may come last.
    pub(crate) fn are_of(&self, config: &Arc<Config>) -> bool {
        Arc::ptr_eq(&self.config, config)
    }
}

impl Item {
    fn now(&self, shared: &Shared, moment: &mut Moment) -> Now {
        let devices = self.devices.iter();
        let states = devices.map(|device| device.state(shared, moment));
        let state = match self.is_gone {
            true => State::Unavailable,
            false => State::of_all(&states.collect::<Vec<_>>()),
        };
        let rings = match state {
            State::Ringing | State::RingInUse => {
                let mut devices = self.devices.iter();
                devices.find_map(|device| device.ringing(moment))
            }
            _ => None,
        };
        Now {
            state,
            messages: shared.switch.mailboxes(&self.mailboxes),
            rings,
            is_gone: self.is_gone,
        }
    }
}

impl Now {
    /// There is no such thing any more.
    pub(crate) const GONE: Self = Self {
        state: State::Unavailable,
        messages: Messages { new: 0, old: 0 },
        rings: None,
        is_gone: true,
    };

    /// The call that rings.
    pub(crate) fn rings(self) -> Option<ChannelId> {
        self.rings
    }
}

impl Package {
    pub(crate) const fn media_type(self) -> &'static str {
        match self {
            Self::Presence(Friends::Pidf) => "application/pidf+xml",
            Self::Presence(Friends::Xpidf) => "application/xpidf+xml",
            Self::Dialog => "application/dialog-info+xml",
            Self::MessageSummary => "application/simple-message-summary",
        }
    }
}

/// What the driver is to accept.
#[derive(Debug)]
pub(crate) struct Subscribe {
    pub(crate) request: Arc<Request>,
    /// What it came by.
    pub(crate) flow: Flow,
    /// A connection to the same client, where it came by UDP.
    pub(crate) connection: Option<Flow>,
    /// The configuration it was looked up in.
    pub(crate) config: Arc<Config>,
    pub(crate) watched: Watched,
    pub(crate) rules: SubscriptionRules,
}

/// What tests of the driver are made of.
#[cfg(test)]
pub(crate) mod example {
    use super::*;

    /// A lamp for an extension.
    pub(crate) fn lamp(context: &str, exten: &str) -> Watched {
        Watched {
            package: Package::Dialog,
            endpoint: "alice".to_owned(),
            resource: exten.to_owned(),
            caller: CallerId::default(),
            context: context.to_owned(),
            entity: format!("sip:{exten}@192.0.2.1"),
            items: vec![Item {
                name: exten.to_owned(),
                ..Item::default()
            }],
            list: None,
            early_in_use: false,
        }
    }

    /// The extension has no hint in this configuration.
    pub(crate) fn without(config: &Arc<Config>, context: &str, exten: &str) -> Hints {
        Hints {
            config: Arc::clone(config),
            found: BTreeMap::from([((context.to_owned(), exten.to_owned()), None)]),
        }
    }
}
