//! Arguments that cannot be used.

use std::fmt;

use switch::story::StoryEvent;
use switch::{Args, Cause, Channel, Interrupt, Position};

/// Hangs up over an argument that cannot be used, as Asterisk does, and says where it stands.
pub(crate) fn unusable(
    call: &mut Channel,
    application: &str,
    args: &Args<'_>,
    why: impl fmt::Display,
) -> Interrupt {
    let text = format!("{}: {application}({}): {why}", args.place(), args.text());
    tracing::error!(channel = call.name(), "{text}; call hung up");
    call.tell(StoryEvent::Remark { text });
    call.hangup(Cause::NormalUnspecified)
}

/// Warns of something that does not end the call.
pub(crate) fn warn(
    call: &mut Channel,
    application: &str,
    args: &Args<'_>,
    what: impl fmt::Display,
) {
    let text = format!("{}: {application}({}): {what}", args.place(), args.text());
    tracing::warn!(channel = call.name(), "{text}");
    call.tell(StoryEvent::Remark { text });
}

/// Whether a value means yes, as Asterisk reads it.
pub(crate) fn is_true(value: &str) -> bool {
    let value = value.trim().to_ascii_lowercase();
    matches!(value.as_str(), "yes" | "true" | "y" | "t" | "1" | "on")
}

/// A place of the dial plan, `[[context,]extension,]priority`, with this separator. What is left out is where
/// the call stands; the priority is a number, a distance (`+2`, `-1`) or a label.
pub(crate) fn position(call: &Channel, text: &str, separator: char) -> Result<Position, String> {
    let parts: Vec<&str> = text.split(separator).map(str::trim).collect();
    let (context, exten, priority) = match parts[..] {
        [priority] => ("", "", priority),
        [exten, priority] => ("", exten, priority),
        [context, exten, priority] => (context, exten, priority),
        _ => ("", "", ""),
    };
    if priority.is_empty() {
        let separator = separator.to_string();
        let form = "[[context,]extension,]priority".replace(',', &separator);
        return Err(format!("write the place as {form}"));
    }
    let or = |text: &str, here: &String| match text {
        "" => here.clone(),
        text => text.to_owned(),
    };
    let (context, exten) = (or(context, &call.at.context), or(exten, &call.at.exten));
    let Some(priority) = number(call, &context, &exten, priority) else {
        return Err(format!(
            "'{priority}' is neither a priority nor a label of {context},{exten}"
        ));
    };
    Ok(Position {
        context,
        exten,
        priority,
    })
}

/// Who sent it here may want to know: it has to do with something, if it has been answered.
pub(crate) fn arrived(call: &mut Channel) {
    if call.is_up() {
        call.fares(200);
    }
}

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
    let caller = Some(call.caller.number.as_str());
    plan.label_now(context, exten, priority, caller, call)
}
