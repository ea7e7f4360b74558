//! What phones may subscribe to (RFC 6665): the state of an extension for a lamp (`dialog`, RFC 4235) or a list
//! of friends (`presence`, RFC 3856, PIDF), and whether there is voice mail (`message-summary`, RFC 3842).
//!
//! The state of an extension is that of the devices of its hint in `extensions.conf`; that of a device is what
//! its calls and its contacts say. There is no voicemail: what waits in a
//! mailbox is what others have said of it (`switch/mailbox.rs`).

use std::fmt::Write;
use std::sync::Arc;

use ::sip::{Body, HeaderName, Request, Status, SubscriptionRules};
use config::{CallerId, Subscriber};
use switch::{ChannelHandle, ChannelState, DeviceState as State, Messages, hint_devices};

use crate::sip::authenticate::Denied;
use crate::sip::identify;
use crate::sip::identity;
use crate::sip::shared::{Shared, printable};

/// Events that can be subscribed to, for Allow-Events.
const EVENTS: &str = "presence, dialog, message-summary";

/// The longest a subscription lasts, and what is given to who names no time: Asterisk's own.
const EXPIRES_S: u32 = 3_600;

/// What is told, and how it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Package {
    Presence,
    Dialog,
    MessageSummary,
}

/// What somebody subscribed to.
#[derive(Debug, Clone)]
pub(crate) struct Watched {
    pub(crate) package: Package,
    /// The endpoint that watches.
    pub(crate) endpoint: String,
    /// The extension, or the address of record of a mailbox.
    pub(crate) resource: String,
    /// Who watches.
    pub(crate) caller: CallerId,
    /// The context of the extension; empty for a mailbox.
    pub(crate) context: String,
    /// As the subscriber names it.
    entity: String,
    devices: Vec<Device>,
    /// The mailboxes of the addresses of record, for message-summary.
    mailboxes: Vec<String>,
    /// `notify_early_inuse_ringing`.
    early_in_use: bool,
}

/// What somebody is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Now {
    state: State,
    messages: Messages,
}

/// `PJSIP/alice` in a hint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Device {
    /// It is no phone of ours: the switch knows how it is.
    other: Option<String>,
    /// As channels are named: `PJSIP/alice`. Empty if it is a kind of device nobody knows.
    name: String,
    /// Where its contacts are; `None`: there is no such endpoint.
    aors: Option<Vec<String>>,
    /// It has a written contact.
    written: bool,
    /// From so many calls on it is busy; 0: never.
    busy_at: usize,
}

/// Who may subscribe to what, and for how long.
pub(crate) async fn admit(
    shared: &Shared,
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
    let config = shared.switch.config();
    let user = request.uri.user().unwrap_or_default();
    let resource = identify::without_options(&config, &user).to_owned();
    let to = request.headers.to().map(|to| to.uri.address().to_owned());
    let mut watched = Watched {
        package,
        endpoint: endpoint.id.clone(),
        caller: identity::caller_of(endpoint, request),
        context: String::new(),
        entity: printable(&to.unwrap_or_default()),
        resource,
        devices: Vec::new(),
        mailboxes: Vec::new(),
        early_in_use: endpoint.notify_early_inuse_ringing,
    };
    match package {
        Package::MessageSummary => {
            let aors = subscriber.aors.iter();
            let own = aors.filter(|aor| watched.resource.is_empty() || aor.id == watched.resource);
            watched.mailboxes = own.flat_map(|aor| aor.mailboxes.clone()).collect();
            if watched.mailboxes.is_empty() {
                return Err(Denied::new(Status::NOT_FOUND));
            }
        }
        Package::Presence | Package::Dialog => {
            let context = endpoint.subscribe_context.as_ref();
            let context = context.unwrap_or(&endpoint.context);
            let Some(hint) = config.plan.hint(context, &watched.resource) else {
                let exten = printable(&watched.resource);
                tracing::info!(
                    endpoint = endpoint.id,
                    exten,
                    context,
                    "subscription refused: the extension has no hint"
                );
                return Err(Denied::new(Status::NOT_FOUND));
            };
            watched.devices = devices_of(shared, hint).await;
            context.clone_into(&mut watched.context);
        }
    }
    let rules = SubscriptionRules {
        expires_s_min: endpoint.sub_min_expiry_s,
        expires_s_max: EXPIRES_S.max(endpoint.sub_min_expiry_s),
        expires_s_default: EXPIRES_S,
    };
    Ok((watched, rules))
}

fn package_of(request: &Request) -> Result<Package, Denied> {
    let event = request.headers.get(&HeaderName::Event).unwrap_or_default();
    let name = event.split(';').next().unwrap_or_default().trim();
    let package = match name.to_ascii_lowercase().as_str() {
        "presence" => Package::Presence,
        "dialog" => Package::Dialog,
        "message-summary" => Package::MessageSummary,
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
    let takes = |media: &String| {
        matches!(media.as_str(), "*/*" | "application/*") || media == package.media_type()
    };
    match types.is_empty() || types.iter().any(takes) {
        true => Ok(package),
        false => {
            let mut denied = Denied::new(Status::NOT_ACCEPTABLE);
            let accept = (HeaderName::Accept, package.media_type().to_owned());
            denied.headers.push(accept);
            Err(denied)
        }
    }
}

/// The devices of a hint: `PJSIP/alice&PJSIP/bob`. What follows a comma is a provider of presence, as in Asterisk.
async fn devices_of(shared: &Shared, hint: &str) -> Vec<Device> {
    let mut devices = Vec::new();
    for name in hint_devices(hint) {
        devices.push(device_of(shared, name).await);
    }
    devices
}

async fn device_of(shared: &Shared, name: &str) -> Device {
    let mut device = Device {
        other: None,
        name: String::new(),
        aors: None,
        written: false,
        busy_at: 0,
    };
    let known = name.split_once('/');
    let Some((_, id)) = known.filter(|(kind, _)| kind.eq_ignore_ascii_case("PJSIP")) else {
        device.other = Some(name.to_owned());
        return device;
    };
    device.name = format!("PJSIP/{id}");
    // A database that cannot be asked leaves the device as one nobody knows, until the phone asks again.
    if let Ok(Some(subscriber)) = shared.switch.store().subscriber(id).await {
        let aors = &subscriber.aors;
        device.written = aors.iter().any(|aor| !aor.contacts.is_empty());
        device.busy_at = usize::try_from(subscriber.endpoint.device_state_busy_at).unwrap_or(0);
        device.aors = Some(aors.iter().map(|aor| aor.id.clone()).collect());
    }
    device
}

impl Watched {
    /// How it is now.
    pub(crate) fn now(&self, shared: &Shared, calls: &[ChannelHandle]) -> Now {
        Now {
            state: self.state(shared, calls),
            messages: shared.switch.mailboxes(&self.mailboxes),
        }
    }

    fn state(&self, shared: &Shared, calls: &[ChannelHandle]) -> State {
        let states = self
            .devices
            .iter()
            .map(|device| device.state(shared, calls));
        State::of_all(&states.collect::<Vec<_>>())
    }

    /// What a NOTIFY says. `version` counts those of this subscription.
    pub(crate) fn document(&self, now: Now, version: u32) -> Body {
        let Now { state, messages } = now;
        let text = match self.package {
            Package::Presence => self.pidf(state),
            Package::Dialog => self.dialog_info(state, version),
            Package::MessageSummary => summary(messages, Some(&self.entity)),
        };
        Body {
            content_type: self.package.media_type().into(),
            bytes: text.into(),
        }
    }

    fn pidf(&self, state: State) -> String {
        let entity = escaped(&self.entity);
        let id = escaped(&self.resource);
        let (basic, activity, note) = match state {
            State::Ringing | State::RingInUse => ("open", "busy", "Ringing"),
            State::InUse => ("open", "busy", "On the phone"),
            State::Busy => ("closed", "busy", "On the phone"),
            State::OnHold => ("closed", "busy", "On hold"),
            State::Unavailable | State::Invalid => ("closed", "away", "Unavailable"),
            State::NotInUse | State::Unknown => ("open", "", "Ready"),
        };
        let activity = match activity {
            "" => String::new(),
            word => format!("<rpid:activities><rpid:{word}/></rpid:activities>"),
        };
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n\
             <presence xmlns=\"urn:ietf:params:xml:ns:pidf\" \
             xmlns:dm=\"urn:ietf:params:xml:ns:pidf:data-model\" \
             xmlns:rpid=\"urn:ietf:params:xml:ns:pidf:rpid\" entity=\"{entity}\">\r\n\
             <tuple id=\"{id}\"><status><basic>{basic}</basic></status>\
             <contact priority=\"1\">{entity}</contact></tuple>\r\n\
             <dm:person id=\"p{id}\">{activity}</dm:person>\r\n\
             <note>{note}</note>\r\n</presence>\r\n"
        )
    }

    fn dialog_info(&self, state: State, version: u32) -> String {
        let entity = escaped(&self.entity);
        let id = escaped(&self.resource);
        let word = match state {
            State::Ringing => "early",
            State::RingInUse if self.early_in_use => "early",
            State::RingInUse | State::InUse | State::Busy | State::OnHold => "confirmed",
            State::NotInUse | State::Unavailable | State::Invalid | State::Unknown => "terminated",
        };
        let direction = match word {
            "early" => " direction=\"recipient\"",
            _ => "",
        };
        let mut text = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n\
             <dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"{version}\" \
             state=\"full\" entity=\"{entity}\">\r\n<dialog id=\"{id}\"{direction}>\r\n\
             <state>{word}</state>\r\n"
        );
        if state == State::OnHold {
            // RFC 4235 §4.1.6.2, RFC 3840: the device renders nothing.
            let _ = write!(
                text,
                "<local><target uri=\"{entity}\"><param pname=\"+sip.rendering\" pvalue=\"no\"/>\
                 </target></local>\r\n"
            );
        }
        text + "</dialog>\r\n</dialog-info>\r\n"
    }
}

/// What waits, as RFC 3842 §5 writes it.
pub(crate) fn summary(messages: Messages, account: Option<&str>) -> String {
    let Messages { new, old } = messages;
    let waiting = if new > 0 { "yes" } else { "no" };
    let account = account.map(|account| format!("Message-Account: {account}\r\n"));
    let account = account.unwrap_or_default();
    format!("Messages-Waiting: {waiting}\r\n{account}Voice-Message: {new}/{old} (0/0)\r\n")
}

impl Package {
    pub(crate) const fn media_type(self) -> &'static str {
        match self {
            Self::Presence => "application/pidf+xml",
            Self::Dialog => "application/dialog-info+xml",
            Self::MessageSummary => "application/simple-message-summary",
        }
    }
}

impl Device {
    /// A phone, as far as it is known without asking the database: one that stands there has, as a rule, an
    /// address of record of its own name.
    pub(crate) fn known(shared: &Shared, id: &str) -> Self {
        let config = shared.switch.config();
        let mut device = Self {
            other: None,
            name: format!("PJSIP/{id}"),
            aors: None,
            written: false,
            busy_at: 0,
        };
        if let Some(known) = config.endpoints.get(id) {
            let aors = &known.endpoint.aors;
            let is_written = |aor: &String| {
                let aor = config.aors.get(aor);
                aor.is_some_and(|aor| !aor.contacts.is_empty())
            };
            device.written = aors.iter().any(is_written);
            device.busy_at = usize::try_from(known.endpoint.device_state_busy_at).unwrap_or(0);
            device.aors = Some(aors.clone());
        } else if !shared.location().contacts(id).is_empty() {
            device.aors = Some(vec![id.to_owned()]);
        }
        device
    }

    pub(crate) fn state(&self, shared: &Shared, calls: &[ChannelHandle]) -> State {
        if let Some(other) = &self.other {
            return shared.switch.device_state(other);
        }
        let (mut ringing, mut in_use, mut held) = (0, 0, 0);
        let own = calls.iter().filter(|call| self.is_of(call.name()));
        for call in own {
            let info = call.info();
            match info.state {
                ChannelState::Alerting => ringing += 1,
                ChannelState::Up if info.is_on_hold() => held += 1,
                ChannelState::Up | ChannelState::Ringing | ChannelState::Dialling => in_use += 1,
                ChannelState::Ended => {}
            }
        }
        let calls = ringing + in_use + held;
        if self.busy_at > 0 && calls >= self.busy_at {
            return State::Busy;
        }
        match (ringing, in_use, held) {
            (0, 0, 0) => self.state_without_calls(shared),
            (0, 0, _) => State::OnHold,
            (0, ..) => State::InUse,
            (_, 0, 0) => State::Ringing,
            _ => State::RingInUse,
        }
    }

    fn state_without_calls(&self, shared: &Shared) -> State {
        let Some(aors) = &self.aors else {
            return match self.name.is_empty() {
                true => State::Unknown,
                false => State::Invalid,
            };
        };
        let location = shared.location();
        let answers = aors.iter().any(|aor| {
            let mut contacts = location.contacts(aor).iter();
            contacts.any(super::location::Binding::answers)
        });
        // A written contact that does not answer its OPTIONS is known to the table.
        let silent = || {
            let mut written = location.all_written();
            written.any(|(aor, own)| aors.iter().any(|known| known == aor) && !own.answers())
        };
        match answers || (self.written && !silent()) {
            true => State::NotInUse,
            false => State::Unavailable,
        }
    }

    /// Is this channel (`PJSIP/alice-00000001`) one of its calls?
    fn is_of(&self, channel: &str) -> bool {
        let device = channel.rsplit_once('-').map(|(device, _)| device);
        !self.name.is_empty() && device == Some(&self.name)
    }
}

/// Text in XML.
fn escaped(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .fold(String::new(), |mut text, character| {
            match character {
                '&' => text.push_str("&amp;"),
                '<' => text.push_str("&lt;"),
                '>' => text.push_str("&gt;"),
                '"' => text.push_str("&quot;"),
                '\'' => text.push_str("&apos;"),
                other => text.push(other),
            }
            text
        })
}

/// What the driver is to accept.
#[derive(Debug)]
pub(crate) struct Subscribe {
    pub(crate) request: Arc<Request>,
    pub(crate) watched: Watched,
    pub(crate) rules: SubscriptionRules,
}

#[cfg(test)]
mod tests {
    use super::State::*;
    use super::*;

    fn watched(package: Package) -> Watched {
        Watched {
            package,
            endpoint: "alice".to_owned(),
            caller: CallerId::default(),
            context: "phones".to_owned(),
            resource: "6001".to_owned(),
            entity: "sip:6001@example.com".to_owned(),
            devices: Vec::new(),
            mailboxes: Vec::new(),
            early_in_use: false,
        }
    }

    fn now(state: State) -> Now {
        let messages = Messages { new: 2, old: 1 };
        Now { state, messages }
    }

    #[test]
    fn a_mailbox_is_told_of_in_numbers() {
        let text = text(Package::MessageSummary, Unknown);
        assert!(text.starts_with("Messages-Waiting: yes\r\n"), "{text}");
        assert!(text.ends_with("Voice-Message: 2/1 (0/0)\r\n"), "{text}");
    }

    fn text(package: Package, state: State) -> String {
        let body = watched(package).document(now(state), 3);
        String::from_utf8(body.bytes.to_vec()).unwrap()
    }

    #[test]
    fn a_lamp_is_told_of_in_dialog_info() {
        let text = text(Package::Dialog, Ringing);
        assert!(text.contains("version=\"3\" state=\"full\" entity=\"sip:6001@example.com\""));
        assert!(
            text.contains("<dialog id=\"6001\" direction=\"recipient\">\r\n<state>early</state>")
        );
        for (state, word) in [
            (InUse, "confirmed"),
            (NotInUse, "terminated"),
            (OnHold, "confirmed"),
        ] {
            assert!(self::text(Package::Dialog, state).contains(&format!("<state>{word}</state>")));
        }
        assert!(self::text(Package::Dialog, OnHold).contains("+sip.rendering"));
    }

    #[test]
    fn a_friend_is_told_of_in_pidf() {
        for (state, basic, note) in [
            (NotInUse, "open", "Ready"),
            (InUse, "open", "On the phone"),
            (Unavailable, "closed", "Unavailable"),
        ] {
            let text = text(Package::Presence, state);
            assert!(text.contains(&format!("<basic>{basic}</basic>")), "{text}");
            assert!(text.contains(&format!("<note>{note}</note>")), "{text}");
        }
    }

    #[test]
    fn names_cannot_break_the_document() {
        let mut watched = watched(Package::Dialog);
        watched.resource = "a\"><b>&\r\n".to_owned();
        let body = watched.document(now(Ringing), 0);
        let text = String::from_utf8(body.bytes.to_vec()).unwrap();
        assert!(text.contains("id=\"a&quot;&gt;&lt;b&gt;&amp;\""), "{text}");
    }
}
