//! `mwi …`: how many messages wait in mailboxes, as somebody else's voicemail says.

use switch::Messages;

use crate::command::{Command, Outcome, Slot, Takes};
use crate::exchange::Exchange;

pub(crate) static DELETE: Command = Command {
    path: "mwi delete mailbox",
    takes: Takes::Form(&[Slot::Any("mailbox")]),
    synopsis: "Delete a specific mailbox",
    doc: "Forgets a mailbox; who has subscribed to it is told that it is empty.",
    run: |exchange, words| {
        Box::pin(async {
            match exchange.parts.switch.set_mailbox(&words[0], None) {
                Ok(()) => Outcome::Done("Deleted mailbox\n".to_owned()),
                Err(error) => Outcome::Failed(format!("It is not deleted: {error}\n")),
            }
        })
    },
};

pub(crate) static SHOW: Command = Command {
    path: "mwi show mailbox",
    takes: Takes::Form(&[Slot::Any("mailbox")]),
    synopsis: "Show a specific mailbox",
    doc: "Says how many messages wait in a mailbox.",
    run: |exchange, words| {
        Box::pin(async {
            let Messages { new, old } = exchange.parts.switch.mailbox(&words[0]);
            let mailbox = &words[0];
            Outcome::Done(format!(
                "mailbox: {mailbox}\nmsgs_new: {new}\nmsgs_old: {old}\n"
            ))
        })
    },
};

pub(crate) static UPDATE: Command = Command {
    path: "mwi update mailbox",
    takes: Takes::Form(&[
        Slot::Any("mailbox"),
        Slot::Optional,
        Slot::Any("new"),
        Slot::Optional,
        Slot::Any("old"),
    ]),
    synopsis: "Update a specific mailbox",
    doc: "Says how many new and old messages wait in a mailbox; 0 what is left out. It is kept over\n\
          restarts, in the database of the dial plan as Asterisk keeps it:\n\
          `mwi_external/mailboxes/MAILBOX`. Who has subscribed to message-summary of an address of\n\
          record with this mailbox (`mailboxes`) is told, and so are the contacts of an endpoint with it.",
    run: |exchange, words| Box::pin(async { update(exchange, words) }),
};

fn update(exchange: &Exchange, words: &[String]) -> Outcome {
    let count = |index: usize| match words.get(index) {
        Some(word) => word.parse().ok(),
        None => Some(0),
    };
    let (Some(new), Some(old)) = (count(1), count(2)) else {
        return Outcome::Usage;
    };
    let messages = Messages { new, old };
    match exchange.parts.switch.set_mailbox(&words[0], Some(messages)) {
        Ok(()) => Outcome::Done(format!("Updated mailbox {}\n", words[0])),
        Err(error) => Outcome::Failed(format!("It is not updated: {error}\n")),
    }
}
