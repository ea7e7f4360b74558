//! What `${…}` means on a channel.

use std::borrow::Cow;
use std::fmt;

use dialplan::{Moment, Note, Variables, substitute};

use super::Channel;
use crate::cause::Cause;
use crate::clock::time_of_day;
use crate::variables::SetError;

impl Variables for Channel {
    fn variable(&self, name: &str) -> Option<Cow<'_, str>> {
        let special = match name {
            "EXTEN" => Cow::Borrowed(self.at.exten.as_str()),
            "CONTEXT" => Cow::Borrowed(self.at.context.as_str()),
            "PRIORITY" => Cow::Owned(self.at.priority.to_string()),
            "CHANNEL" => Cow::Borrowed(self.name()),
            "UNIQUEID" => Cow::Borrowed(self.unique_id()),
            "HANGUPCAUSE" => Cow::Owned(self.cause().map_or(0, Cause::q850).to_string()),
            "EPOCH" => Cow::Owned(epoch().to_string()),
            _ => {
                let own = self.vars.value_as_read(name);
                return own.or_else(|| self.switch.global(name).map(Cow::Owned));
            }
        };
        Some(special)
    }

    fn function(&self, name: &str, arguments: &str) -> Option<String> {
        let function = self.switch.function(name)?;
        Some((function.read)(self, arguments).unwrap_or_default())
    }

    fn moment(&self, zone: Option<&str>) -> Option<Moment> {
        let moment = time_of_day(zone);
        if let Err(why) = &moment {
            tracing::warn!(channel = self.name(), "an `include` with times: {why}");
        }
        moment.ok()
    }

    fn note(&self, note: &Note) {
        match note {
            Note::UnknownFunction(name) => {
                let known = self.switch.functions().iter().map(|own| own.name);
                match config::closest(name, known) {
                    Some(meant) => self.warn(format_args!("{note}; did you mean {meant}?")),
                    None => self.warn(note),
                }
            }
            Note::Unclosed(_) | Note::TooDeep | Note::TooLong | Note::Expression(..) => {
                self.warn(note);
            }
        }
    }
}

impl Channel {
    /// Warns of something that is wrong in the step that runs, in the log and in the story, with its file and line.
    pub fn warn(&self, what: impl fmt::Display) {
        let dialplan::Position {
            context,
            exten,
            priority,
        } = &self.at;
        let place = self.standing.place();
        let text = format!("{place}{context},{exten},{priority}: {what}");
        tracing::warn!(channel = self.name(), "{text}");
        self.standing.remark(text);
    }

    /// The text with its variables, functions and expressions put in, maybe within another that is read: nothing where
    /// that goes on for ever.
    pub fn substitute(&self, text: &str) -> String {
        let substituted = self.vars.within(|| substitute(text, self));
        if substituted.is_none() && self.vars.leave_out() {
            self.note(&Note::TooDeep);
        }
        substituted.unwrap_or_default()
    }

    /// The text of a step; what its functions set is set from here on.
    pub(crate) fn substituted(&mut self, text: &str) -> String {
        for (name, value) in self.vars.take_given() {
            if let Err(why) = self.vars.set(&name, &value) {
                tracing::warn!(channel = self.name(), "{name} is not set: {why}");
            }
        }
        let substituted = self.substitute(text);
        for (name, value) in self.vars.take_as_read() {
            if let Err(why) = self.set(&name, &value) {
                tracing::warn!(channel = self.name(), "{name} is not set: {why}");
            }
        }
        substituted
    }

    /// Sets a variable, or what a function stands for, while a text is read.
    pub fn set_as_read(&self, name: &str, value: &str) {
        if !self.vars.set_as_read(name, value) {
            let channel = self.name();
            tracing::warn!(channel, "{name} is not set: one step sets too much");
        }
    }

    /// Sets a variable, or what a function stands for: `CALLERID(num)`.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), SetError> {
        let Some((function, rest)) = name.split_once('(') else {
            return self.vars.set(name, value);
        };
        let arguments = rest.strip_suffix(')').ok_or(SetError::Name)?;
        let function = self.switch.function(function).ok_or(SetError::NoFunction)?;
        let write = function.write.ok_or(SetError::ReadOnly)?;
        write(self, arguments, value)
    }
}

fn epoch() -> u64 {
    let now = std::time::SystemTime::now();
    now.duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}
