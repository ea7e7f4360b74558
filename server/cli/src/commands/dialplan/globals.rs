//! `dialplan show globals`, `dialplan set global`.

use std::collections::BTreeMap;

use crate::command::{Command, Outcome, Slot, Takes};
use crate::commands::count;
use crate::exchange::Exchange;

pub(crate) static EVAL_FUNCTION: Command = Command {
    path: "dialplan eval function",
    takes: Takes::Form(&[Slot::Rest("function(arguments)")]),
    synopsis: "Evaluate dialplan function",
    doc: "Shows what a function tells on a channel that nobody calls on: `dialplan eval function\n\
          DB(cid/1001)`. One that changes what it reads does so.",
    run: |exchange, words| Box::pin(async { evaluate(exchange, &words.join(" ")) }),
};

fn evaluate(exchange: &Exchange, written: &str) -> Outcome {
    let written = written.trim();
    let name = written.split('(').next().unwrap_or_default().trim();
    let switch = &exchange.parts.switch;
    let is_known = switch.functions().iter().any(|own| own.name == name);
    if !is_known || !written.ends_with(')') {
        return Outcome::Failed(format!(
            "'{written}' is no function with its arguments, as `core show functions` lists them\n"
        ));
    }
    match switch.evaluate(&format!("${{{written}}}")) {
        Some(value) => Outcome::Done(format!("Return Value: Success (0)\nResult: {value}\n")),
        None => Outcome::Failed("There are too many calls.\n".to_owned()),
    }
}

pub(crate) static SHOW_GLOBALS: Command = Command {
    path: "dialplan show globals",
    takes: Takes::Nothing,
    synopsis: "Show global dialplan variables",
    doc: "Lists the variables of [globals] and those that calls or the console have set.",
    run: |exchange, _| Box::pin(async { show(exchange) }),
};

pub(crate) static SET_GLOBAL: Command = Command {
    path: "dialplan set global",
    takes: Takes::Form(&[Slot::Any("name"), Slot::Any("value")]),
    synopsis: "Set global dialplan variable",
    doc: "Sets a variable that every call sees, until the exchange ends. An empty value (\"\")\n\
          brings back that of [globals].",
    run: |exchange, words| Box::pin(async { set(exchange, &words[0], &words[1]) }),
};

fn show(exchange: &Exchange) -> Outcome {
    let switch = &exchange.parts.switch;
    let mut all: BTreeMap<String, String> = switch.config().plan.globals().clone();
    let globals = switch.globals();
    all.extend(
        globals
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    drop(globals);
    let number = all.len() as u64;
    let lines = all
        .into_iter()
        .map(|(name, value)| format!("   {name}={value}\n"));
    let lines: String = lines.collect();
    Outcome::Done(format!(
        "{lines}\n    -- {}\n",
        count(number, "variable", "variables")
    ))
}

fn set(exchange: &Exchange, name: &str, value: &str) -> Outcome {
    match exchange.parts.switch.globals().set(name, value) {
        Ok(()) => Outcome::Done("    -- Global variable set\n".to_owned()),
        Err(error) => Outcome::Failed(format!("'{name}' is not set: {error}\n")),
    }
}
