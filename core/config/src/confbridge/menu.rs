//! `type=menu` of `confbridge.conf`: what digits do in a conference.

use super::NO_CONFERENCE;
use crate::option::{Applied, Fault, Object, Parse, Row, row};

/// `type=menu`: what digits do in a conference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Menu {
    /// The section's name.
    pub id: String,
    /// The menu it starts from.
    pub template: Option<String>,
    /// Digits, and what each does in turn.
    pub actions: Vec<(String, Vec<MenuAction>)>,
}

/// One thing digits do: `playback(tt-monkeys)`, `toggle_mute`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MenuAction {
    /// One of Asterisk's actions.
    pub name: &'static str,
    /// What stands in its parentheses.
    pub arguments: String,
}

impl Object for Menu {
    const KIND: &'static str = "menu";
    const OPTIONS: &'static [Row<Self>] = MENU;
    const INERT: Option<&'static str> = Some(NO_CONFERENCE);

    fn named(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            template: None,
            actions: Vec::new(),
        }
    }

    fn free_option(&mut self, name: &str, value: &str) -> Option<Applied> {
        let is_digit = |c: char| c.is_ascii_digit() || matches!(c, '*' | '#' | 'A'..='D');
        if name.is_empty() || !name.chars().all(is_digit) {
            return None;
        }
        Some(match self.add(name, value) {
            Ok(()) => Applied::Inert(NO_CONFERENCE),
            Err(fault) => Applied::Fault(fault),
        })
    }
}

const MENU: &[Row<Menu>] = &[row(
    "template",
    "",
    Parse::Optional(|m| &mut m.template),
    "The menu it starts from, for the function CONFBRIDGE.",
)];

/// Actions of a menu.
pub(crate) const ACTIONS: &[&str] = &[
    "admin_kick_last",
    "admin_toggle_conference_lock",
    "admin_toggle_mute_participants",
    "decrease_listening_volume",
    "decrease_talking_volume",
    "dialplan_exec",
    "increase_listening_volume",
    "increase_talking_volume",
    "leave_conference",
    "no_op",
    "participant_count",
    "playback",
    "playback_and_continue",
    "release_as_single_video_src",
    "reset_listening_volume",
    "reset_talking_volume",
    "set_as_single_video_src",
    "toggle_binaural",
    "toggle_mute",
];

/// Entries of one menu, and actions of one entry.
const ACTIONS_MAX: usize = 200;

impl Menu {
    /// Reads `digits = action, action(arguments)`.
    fn add(&mut self, digits: &str, value: &str) -> Result<(), Fault> {
        if self.actions.len() >= ACTIONS_MAX {
            return Err(Fault::TooMany(ACTIONS_MAX));
        }
        let mut actions = Vec::new();
        let mut rest = value.trim();
        while !rest.is_empty() {
            let end = rest.find([',', '(']).unwrap_or(rest.len());
            let written = rest[..end].trim();
            let known = ACTIONS
                .iter()
                .find(|name| name.eq_ignore_ascii_case(written));
            let name = *known.ok_or_else(|| Fault::NotAction(written.to_owned()))?;
            let mut arguments = "";
            rest = &rest[end..];
            if let Some(inner) = rest.strip_prefix('(') {
                let close = inner.find(')');
                let close = close.ok_or_else(|| Fault::NotAction(written.to_owned()))?;
                arguments = &inner[..close];
                rest = inner[close + 1..].trim_start();
            }
            if actions.len() >= ACTIONS_MAX {
                return Err(Fault::TooMany(ACTIONS_MAX));
            }
            actions.push(MenuAction {
                name,
                arguments: arguments.to_owned(),
            });
            rest = rest.trim_start_matches(',').trim_start();
        }
        self.actions.push((digits.to_owned(), actions));
        Ok(())
    }
}
