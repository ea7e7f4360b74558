//! What there is right now, taken once per command.

use std::sync::Arc;
use std::time::Duration;

use switch::{ChannelHandle, ChannelInfo, ChannelState};

use crate::command::Takes;
use crate::commands::reload::MODULES;
use crate::exchange::Exchange;

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
            ChannelState::Ended => ("Down", 0),
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
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let names = || channels(exchange).into_iter().map(|line| line.name);
    let config = exchange.parts.switch.config();
    match takes {
        Takes::Nothing | Takes::Command => Vec::new(),
        Takes::Maybe(words) | Takes::One(words) => owned(words),
        Takes::Channel => names().collect(),
        Takes::ChannelOrAll => names().chain(["all".to_owned()]).collect(),
        Takes::Endpoint => {
            let ids = exchange.parts.switch.store().endpoint_ids().await;
            ids.unwrap_or_default()
        }
        Takes::Aor => config.aors.keys().cloned().collect(),
        Takes::Application => {
            let applications = exchange.parts.switch.applications().iter();
            applications
                .map(|application| application.name.to_owned())
                .collect()
        }
        Takes::Module => owned(MODULES),
        Takes::Extension => {
            let contexts = config.plan.contexts();
            contexts.map(|(name, _)| name.to_owned()).collect()
        }
    }
}
