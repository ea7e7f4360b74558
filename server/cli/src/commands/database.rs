//! `database show|get|put|del|deltree`: the dial plan's own database, with Asterisk's words.

use store::AstDb;

use crate::command::{Command, Outcome, Slot, Takes};
use crate::exchange::Exchange;

pub(crate) static DEL: Command = Command {
    path: "database del",
    takes: Takes::Form(&[Slot::Any("family"), Slot::Any("key")]),
    synopsis: "Removes database key/value",
    doc: "Deletes an entry in the database for a given family and key.",
    run: |exchange, words| Box::pin(remove(exchange, words)),
};

pub(crate) static DELTREE: Command = Command {
    path: "database deltree",
    takes: Takes::Form(&[Slot::Any("family"), Slot::Optional, Slot::Any("keytree")]),
    synopsis: "Removes database keytree/values",
    doc: "Deletes a family or specific keytree within a family in the database. The two arguments\n\
          may be separated by either a space or a slash. Registered contacts stay.",
    run: |exchange, words| Box::pin(async { remove_tree(exchange, words) }),
};

pub(crate) static GET: Command = Command {
    path: "database get",
    takes: Takes::Form(&[Slot::Any("family"), Slot::Any("key")]),
    synopsis: "Gets database value",
    doc: "Retrieves an entry in the database for a given family and key.",
    run: |exchange, words| Box::pin(async { value(exchange, words) }),
};

pub(crate) static PUT: Command = Command {
    path: "database put",
    takes: Takes::Form(&[Slot::Any("family"), Slot::Any("key"), Slot::Any("value")]),
    synopsis: "Adds/updates database value",
    doc: "Adds or updates an entry in the database for a given family, key, and value. It is on\n\
          the disk when the answer comes.",
    run: |exchange, words| Box::pin(put(exchange, words)),
};

pub(crate) static SHOW: Command = Command {
    path: "database show",
    takes: Takes::Form(&[
        Slot::Optional,
        Slot::Any("family"),
        Slot::Optional,
        Slot::Any("keytree"),
    ]),
    synopsis: "Shows database contents",
    doc: "Shows the database's contents, optionally restricted to a given family, or family and\n\
          keytree. The two arguments may be separated either by a space or by a slash. Registered\n\
          contacts are in the family `registrar`.",
    run: |exchange, words| Box::pin(show(exchange, words)),
};

pub(crate) static SHOWKEY: Command = Command {
    path: "database showkey",
    takes: Takes::Form(&[Slot::Any("keytree")]),
    synopsis: "Shows database contents",
    doc: "Shows the entries with this key, in whatever family.",
    run: |exchange, words| Box::pin(show_key(exchange, &words[0])),
};

async fn show_key(exchange: &Exchange, wanted: &str) -> Outcome {
    let database = match database(exchange) {
        Ok(database) => database,
        Err(outcome) => return outcome,
    };
    match database.tree("", None).await {
        Ok(entries) => {
            let ending = format!("/{wanted}");
            let found = entries.iter().filter(|(key, _)| key.ends_with(&ending));
            let lines = found.map(|(key, value)| format!("{key:<50}: {value:<25}\n"));
            let lines: Vec<String> = lines.collect();
            Outcome::Done(format!(
                "{}{} results found.\n",
                lines.concat(),
                lines.len()
            ))
        }
        Err(error) => Outcome::Failed(format!("Database unavailable: {error}\n")),
    }
}

fn database(exchange: &Exchange) -> Result<AstDb, Outcome> {
    let database = exchange.parts.switch.store().astdb();
    database.ok_or_else(|| Outcome::Failed("Database unavailable.\n".to_owned()))
}

async fn show(exchange: &Exchange, words: &[String]) -> Outcome {
    let database = match database(exchange) {
        Ok(database) => database,
        Err(outcome) => return outcome,
    };
    let family = words.first().map_or("", String::as_str);
    match database
        .tree(family, words.get(1).map(String::as_str))
        .await
    {
        Ok(entries) => {
            let mut text = String::new();
            for (key, value) in &entries {
                text.push_str(&format!("{key:<50}: {value:<25}\n"));
            }
            Outcome::Done(format!("{text}{} results found.\n", entries.len()))
        }
        Err(error) => Outcome::Failed(format!("Database unavailable: {error}\n")),
    }
}

fn value(exchange: &Exchange, words: &[String]) -> Outcome {
    match database(exchange) {
        Ok(database) => match database.value(&words[0], &words[1]) {
            Some(value) => Outcome::Done(format!("Value: {value}\n")),
            None => Outcome::Missing("Database entry not found.\n".to_owned()),
        },
        Err(outcome) => outcome,
    }
}

async fn put(exchange: &Exchange, words: &[String]) -> Outcome {
    let database = match database(exchange) {
        Ok(database) => database,
        Err(outcome) => return outcome,
    };
    let put = database.put(&words[0], &words[1], &words[2]);
    // It may be a state or a mailbox that somebody watches.
    exchange.parts.switch.directory().changed();
    match put {
        Ok(pending) => match pending.durable().await {
            true => Outcome::Done("Updated database successfully\n".to_owned()),
            false => {
                Outcome::Failed("The disk does not take it; it is kept in memory.\n".to_owned())
            }
        },
        Err(error) => Outcome::Failed(format!("Failed to update entry: {error}\n")),
    }
}

async fn remove(exchange: &Exchange, words: &[String]) -> Outcome {
    let database = match database(exchange) {
        Ok(database) => database,
        Err(outcome) => return outcome,
    };
    match database.remove(&words[0], &words[1]) {
        Some(pending) => {
            pending.durable().await;
            Outcome::Done("Database entry removed.\n".to_owned())
        }
        None => Outcome::Missing("Database entry does not exist.\n".to_owned()),
    }
}

fn remove_tree(exchange: &Exchange, words: &[String]) -> Outcome {
    let database = match database(exchange) {
        Ok(database) => database,
        Err(outcome) => return outcome,
    };
    match database.remove_tree(&words[0], words.get(1).map(String::as_str)) {
        0 => Outcome::Missing("Database entries do not exist.\n".to_owned()),
        count => Outcome::Done(format!("{count} database entries removed.\n")),
    }
}
