//! `type=resource_list`: many lamps or friends that a phone watches by one subscription (RFC 4662).

use crate::option::{Fault, Object, Parse, Row, names, row, word};

/// One `type=resource_list` object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourceList {
    /// The section's name, which phones subscribe to.
    pub id: String,
    /// What is told of its resources.
    pub event: Option<ListEvent>,
    /// Extensions, addresses of record or other lists, in the order of the file.
    pub items: Vec<String>,
    /// Whether each change tells of all resources.
    pub full_state: bool,
    /// Milliseconds for which changes are gathered.
    pub batch_ms: u32,
    /// Whether the names of hints are told.
    pub display_name: bool,
}

/// What a list tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListEvent {
    /// `presence`.
    Presence,
    /// `dialog`.
    Dialog,
    /// `message-summary`.
    MessageSummary,
}

impl ResourceList {
    /// What it lacks to be of use, and what to do about it.
    pub fn lack(&self) -> Option<(&'static str, &'static str)> {
        match (self.event, self.items.is_empty()) {
            (None, _) => Some((
                "has no event",
                "add `event=presence`, `event=dialog` or `event=message-summary`",
            )),
            (Some(_), true) => Some(("holds nothing", "add `list_item=EXTENSION`")),
            (Some(_), false) => None,
        }
    }
}

impl Object for ResourceList {
    const KIND: &'static str = "resource_list";
    const OPTIONS: &'static [Row<Self>] = OPTIONS;

    fn named(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            ..Self::default()
        }
    }
}

const OPTIONS: &[Row<ResourceList>] = &[
    row(
        "event",
        "",
        Parse::Own(event),
        "What it tells of: presence, dialog or message-summary.",
    ),
    row(
        "full_state",
        "no",
        Parse::YesNo(|l| &mut l.full_state),
        "Each change tells of all resources; if not, of those that changed.",
    ),
    row(
        "list_item",
        "",
        Parse::Own(items),
        "Extensions with hints, addresses of record with mailboxes, or other lists, whose resources it then has too; \
         repeatable.",
    ),
    row(
        "notification_batch_interval",
        "0",
        Parse::Number(|l| &mut l.batch_ms, 0, BATCH_MS_MAX),
        "Milliseconds for which changes are gathered before they are told together; 0: 100.",
    ),
    row(
        "resource_display_name",
        "no",
        Parse::YesNo(|l| &mut l.display_name),
        "Tells the names of hints, as in `PJSIP/alice(Alice)`.",
    ),
];

/// A lamp that is an hour late is of no use.
const BATCH_MS_MAX: u32 = 3_600_000;
/// Resources that one section names.
const ITEMS_MAX: usize = 1_000;

fn event(list: &mut ResourceList, value: &str) -> Result<(), Fault> {
    list.event = Some(
        match word(value, &["presence", "dialog", "message-summary"])? {
            0 => ListEvent::Presence,
            1 => ListEvent::Dialog,
            _ => ListEvent::MessageSummary,
        },
    );
    Ok(())
}

fn items(list: &mut ResourceList, value: &str) -> Result<(), Fault> {
    for item in names(value)? {
        if list.items.len() >= ITEMS_MAX {
            return Err(Fault::TooMany(ITEMS_MAX));
        }
        if !list.items.contains(&item) {
            list.items.push(item);
        }
    }
    Ok(())
}
