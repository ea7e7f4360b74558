//! What there is right now, taken once per command.

use std::sync::Arc;
use std::time::Duration;

use switch::{ChannelHandle, ChannelInfo, ChannelState};

use crate::command::{Names, Slot, Takes, slot_after};
use crate::exchange::Exchange;
use crate::reload::MODULES;

/// A channel, as the tables show it.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) unique_id: String,
    pub(crate) info: Arc<ChannelInfo>,
    pub(crate) age: Duration,
}

impl Line {
    pub(crate) fn of(handle: &ChannelHandle) -> Self {
        Self {
            name: handle.name().to_owned(),
            unique_id: handle.unique_id().to_owned(),
            info: handle.info(),
            age: handle.age(),
        }
    }

    /// The endpoint in `PJSIP/alice-00000001`.
    pub(crate) fn endpoint(&self) -> &str {
        let name = self.name.split_once('/').map_or("", |(_, name)| name);
        name.rsplit_once('-').map_or(name, |(endpoint, _)| endpoint)
    }

    /// The application that runs and its arguments.
    pub(crate) fn application(&self) -> (&str, &str) {
        match self.info.application.split_once('(') {
            Some((name, rest)) => (name, rest.strip_suffix(')').unwrap_or(rest)),
            None => (&self.info.application, ""),
        }
    }

    /// Asterisk's name and number of the state.
    pub(crate) fn state(&self) -> (&'static str, u8) {
        match self.info.state {
            ChannelState::Ended | ChannelState::Dialling => ("Down", 0),
            ChannelState::Alerting => ("Ringing", 5),
            ChannelState::Ringing => ("Ring", 4),
            ChannelState::Up => ("Up", 6),
        }
    }

    /// `00:00:07`.
    pub(crate) fn clock(&self) -> String {
        let s = self.age.as_secs();
        format!("{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
    }
}

/// All channels, the oldest first.
pub(crate) fn channels(exchange: &Exchange) -> Vec<Line> {
    let handles = exchange.parts.switch.directory().all();
    handles.iter().map(Line::of).collect()
}

/// The words that may follow a command's path.
pub(crate) async fn completions(exchange: &Exchange, takes: Takes) -> Vec<String> {
    match takes {
        Takes::Nothing | Takes::Command => Vec::new(),
        Takes::Maybe(words) | Takes::One(words) => owned(words),
        Takes::Channel => names(exchange, Names::Channels).await,
        Takes::ChannelOrAll => {
            let mut all = names(exchange, Names::Channels).await;
            all.push("all".to_owned());
            all
        }
        Takes::Endpoint => names(exchange, Names::Endpoints).await,
        Takes::Aor => names(exchange, Names::Aors).await,
        Takes::Application => names(exchange, Names::Applications).await,
        Takes::Module => names(exchange, Names::Modules).await,
        Takes::Extension => names(exchange, Names::Contexts).await,
        Takes::Form(form) => match slot_after(form, &[]) {
            Some(slot) => fitting(exchange, slot).await,
            None => Vec::new(),
        },
    }
}

/// The words that may stand at one place of a form.
pub(crate) async fn fitting(exchange: &Exchange, slot: Slot) -> Vec<String> {
    match slot {
        Slot::Word(word) => vec![word.to_owned()],
        Slot::One(words) => owned(words),
        Slot::Name(_, kind) => names(exchange, kind).await,
        Slot::Any(_) | Slot::Optional | Slot::Rest(_) => Vec::new(),
    }
}

/// The names there are of one kind.
async fn names(exchange: &Exchange, kind: Names) -> Vec<String> {
    let parts = &exchange.parts;
    let config = parts.switch.config();
    match kind {
        Names::Channels => channels(exchange)
            .into_iter()
            .map(|line| line.name)
            .collect(),
        Names::Endpoints => parts
            .switch
            .store()
            .endpoint_ids()
            .await
            .unwrap_or_default(),
        Names::Aors => config.aors.keys().cloned().collect(),
        Names::Auths => config.auths.keys().cloned().collect(),
        Names::Contacts => {
            let contacts = parts.signal.contacts().into_iter();
            contacts
                .map(|contact| format!("{}/{}", contact.aor, contact.uri))
                .collect()
        }
        Names::Transports => {
            let transports = config.transports.iter();
            transports.map(|transport| transport.id.clone()).collect()
        }
        Names::Registrations | Names::RegistrationsOrAll => {
            let own = config.registrations.iter().map(|own| own.id.clone());
            let all = (kind == Names::RegistrationsOrAll).then(|| "*all".to_owned());
            all.into_iter().chain(own).collect()
        }
        Names::Identifies => {
            let identifies = parts.switch.store().identifies().await;
            let identifies = identifies.iter();
            identifies.map(|identify| identify.id.clone()).collect()
        }
        Names::Applications => {
            let all = parts.switch.applications().iter();
            all.map(|application| application.name.to_owned()).collect()
        }
        Names::Functions => {
            let all = parts.switch.functions().iter();
            all.map(|function| function.name.to_owned()).collect()
        }
        Names::Contexts => config
            .plan
            .contexts()
            .map(|(name, _)| name.to_owned())
            .collect(),
        Names::Modules => MODULES.iter().map(|(name, _)| (*name).to_owned()).collect(),
    }
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}
