//! `Goto`.

use switch::{AppResult, Application, Args, Channel, Interrupt, Position};

use crate::arguments::unusable;

/// Goes on elsewhere.
pub(crate) static GOTO: Application = Application {
    name: "Goto",
    synopsis: "Go on at another priority, extension or context",
    doc: include_str!("goto.md"),
    run: |call, args| Box::pin(run(call, args)),
};

async fn run(call: &mut Channel, args: Args<'_>) -> AppResult {
    let (context, exten, priority) = match args.count() {
        1 => (None, None, args.at(0)),
        2 => (None, args.at(0), args.at(1)),
        3 => (args.at(0), args.at(1), args.at(2)),
        _ => (None, None, None),
    };
    let Some(priority) = priority else {
        let why = "write it as Goto([[context,]extension,]priority)";
        return Err(unusable(call, "Goto", &args, why));
    };
    let context = context.unwrap_or(&call.at.context).to_owned();
    let exten = exten.unwrap_or(&call.at.exten).to_owned();
    let Some(priority) = number(call, &context, &exten, priority) else {
        let why = format!("'{priority}' is neither a priority nor a label of {context},{exten}");
        return Err(unusable(call, "Goto", &args, why));
    };
    Err(Interrupt::Redirect(Position {
        context,
        exten,
        priority,
    }))
}

/// A priority by number, by distance (`+2`, `-1`) or by label.
fn number(call: &Channel, context: &str, exten: &str, priority: &str) -> Option<u32> {
    if let Some(forward) = priority.strip_prefix('+') {
        return call.at.priority.checked_add(forward.parse().ok()?);
    }
    if let Some(back) = priority.strip_prefix('-') {
        return call
            .at
            .priority
            .checked_sub(back.parse().ok()?)
            .filter(|number| *number > 0);
    }
    if let Ok(number) = priority.parse::<u32>() {
        return (number > 0).then_some(number);
    }
    let plan = &call.switch().config().plan;
    plan.label(context, exten, priority, Some(&call.caller.number))
}
