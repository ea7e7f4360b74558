//! `dialplan add …`, `dialplan remove …`: the plan in force changed, until its files are read again.

use std::sync::Arc;

use dialplan::{NotEdited, Plan};

use crate::command::{Command, Names, Outcome, Slot, Takes};
use crate::exchange::Exchange;

pub(crate) static ADD_EXTENSION: Command = Command {
    path: "dialplan add extension",
    takes: Takes::Form(&[
        Slot::Any("exten>,<priority>,<application"),
        Slot::Word("into"),
        Slot::Name("context", Names::Contexts),
        Slot::Optional,
        Slot::Word("replace"),
    ]),
    synopsis: "Add new extension into context",
    doc: "Adds one priority to the plan in force, until extensions.conf is read again; the files\n\
          stay as they are. The context is made if it is not there. With `replace`, it may take\n\
          the place of another. Example:\n\
          dialplan add extension 6123,1,Dial(PJSIP/216,20) into local",
    run: |exchange, words| Box::pin(add_extension(exchange, words)),
};

pub(crate) static REMOVE_EXTENSION: Command = Command {
    path: "dialplan remove extension",
    takes: Takes::Form(&[
        Slot::Any("exten[/caller]@context"),
        Slot::Optional,
        Slot::Any("priority"),
    ]),
    synopsis: "Remove a specified extension",
    doc: "Takes an extension, or one priority of it, out of the plan in force, until\n\
          extensions.conf is read again.",
    run: |exchange, words| Box::pin(remove_extension(exchange, words)),
};

pub(crate) static ADD_INCLUDE: Command = Command {
    path: "dialplan add include",
    takes: Takes::Form(&[
        Slot::Name("context", Names::Contexts),
        Slot::Word("into"),
        Slot::Name("context", Names::Contexts),
    ]),
    synopsis: "Include context in other context",
    doc: "Lets a context include another, until extensions.conf is read again.",
    run: |exchange, words| Box::pin(add_include(exchange, &words[0], &words[2])),
};

pub(crate) static REMOVE_INCLUDE: Command = Command {
    path: "dialplan remove include",
    takes: Takes::Form(&[
        Slot::Name("context", Names::Contexts),
        Slot::Word("from"),
        Slot::Name("context", Names::Contexts),
    ]),
    synopsis: "Remove a specified include from context",
    doc: "Takes an include out of a context, until extensions.conf is read again.",
    run: |exchange, words| Box::pin(remove_include(exchange, &words[0], &words[2])),
};

pub(crate) static REMOVE_CONTEXT: Command = Command {
    path: "dialplan remove context",
    takes: Takes::Form(&[Slot::Name("context", Names::Contexts)]),
    synopsis: "Remove a specified context",
    doc: "Takes a whole context out of the plan in force, until extensions.conf is read again.",
    run: |exchange, words| Box::pin(remove_context(exchange, &words[0])),
};

pub(crate) static SAVE: Command = Command {
    path: "dialplan save",
    takes: Takes::Nothing,
    synopsis: "Save current dialplan into a file (not done here)",
    doc: "Refused: the exchange never writes the files it is configured by.",
    run: |_, _| {
        Box::pin(async {
            Outcome::Failed(
                "The exchange never writes its configuration files: write what you added into \
                 extensions.conf, then `dialplan reload`.\n"
                    .to_owned(),
            )
        })
    },
};

/// Changes a copy of the plan and puts it in force, if that can be done.
async fn edit(
    exchange: &Exchange,
    edit: impl FnOnce(&mut Plan) -> Result<(), NotEdited>,
) -> Result<(), NotEdited> {
    let store = exchange.parts.switch.store();
    let change = || {
        let mut config = (*store.config()).clone();
        let mut plan = (*config.plan).clone();
        edit(&mut plan)?;
        config.plan = Arc::new(plan);
        store.set_config(Arc::new(config));
        Ok(())
    };
    exchange.reloader.edit(change).await
}

fn failed(text: String) -> Outcome {
    Outcome::Failed(text + "\n")
}

fn no_context(context: &str) -> Outcome {
    failed(format!("There is no existence of '{context}' context"))
}

async fn add_extension(exchange: &Exchange, words: &[String]) -> Outcome {
    let (line, context, replace) = (&words[0], &words[2], words.len() > 3);
    match edit(exchange, |plan| plan.add(context, line, replace)).await {
        Ok(()) if replace => Outcome::Done(format!(
            "Extension '{line}' is in the '{context}' context, in the place of another if there was one\n"
        )),
        Ok(()) => Outcome::Done(format!(
            "Extension '{line}' added into '{context}' context\n"
        )),
        Err(NotEdited::Exists { priority }) => {
            let exten = line.split(',').next().unwrap_or_default();
            let which = match priority {
                Some(priority) => format!("priority {priority}"),
                None => "a hint".to_owned(),
            };
            failed(format!(
                "Extension {exten}@{context} with {which} already exists"
            ))
        }
        Err(NotEdited::Unreadable(messages)) => {
            let mut text: String = messages
                .iter()
                .map(|one| one.message.clone() + "\n")
                .collect();
            text.push_str(&format!(
                "'{line}' is not an extension: write exten,priority,application(arguments)\n"
            ));
            Outcome::Failed(text)
        }
        Err(NotEdited::Absent) => no_context(context),
    }
}

async fn remove_extension(exchange: &Exchange, words: &[String]) -> Outcome {
    let Some((exten, context)) = words[0].rsplit_once('@') else {
        return Outcome::Usage;
    };
    let (exten, caller) = match exten.split_once('/') {
        Some((exten, caller)) => (exten, Some(caller)),
        None => (exten, None),
    };
    let priority: Option<u32> = match words.get(1).map(|word| word.parse()) {
        None => None,
        Some(Ok(priority)) => Some(priority),
        Some(Err(_)) => return Outcome::Usage,
    };
    let removed = edit(exchange, |plan| {
        plan.remove(context, exten, caller, priority)
    })
    .await;
    match (removed, priority) {
        (Ok(()), None) => Outcome::Done(format!("Whole extension {exten}@{context} removed\n")),
        (Ok(()), Some(priority)) => Outcome::Done(format!(
            "Extension {exten}@{context} with priority {priority} removed\n"
        )),
        (Err(_), _) => failed(format!(
            "Failed to remove extension {exten}@{context}: it is not there"
        )),
    }
}

async fn add_include(exchange: &Exchange, included: &str, context: &str) -> Outcome {
    match edit(exchange, |plan| plan.add_include(context, included)).await {
        Ok(()) => Outcome::Done(format!(
            "Context '{included}' included in '{context}' context\n"
        )),
        Err(NotEdited::Exists { .. }) => failed(format!(
            "Context '{included}' already included in '{context}' context"
        )),
        Err(NotEdited::Absent | NotEdited::Unreadable(_)) => no_context(context),
    }
}

async fn remove_include(exchange: &Exchange, included: &str, context: &str) -> Outcome {
    match edit(exchange, |plan| plan.remove_include(context, included)).await {
        Ok(()) => Outcome::Done(format!(
            "We are not including '{included}' into '{context}' now\n"
        )),
        Err(_) => failed(format!(
            "Failed to remove '{included}' include from '{context}' context: it is not there"
        )),
    }
}

async fn remove_context(exchange: &Exchange, context: &str) -> Outcome {
    match edit(exchange, |plan| plan.remove_context(context)).await {
        Ok(()) => Outcome::Done(format!("Removing context '{context}'\n")),
        Err(_) => no_context(context),
    }
}
