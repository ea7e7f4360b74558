//! What there is in the exchange: `DIALPLAN_EXISTS`, `VALID_EXTEN`, `CHANNELS`, `VERSION`.

use switch::{Channel, Function, Position};

use super::arguments::parts;

/// Whether there is such a place.
pub(crate) static DIALPLAN_EXISTS: Function = Function {
    name: "DIALPLAN_EXISTS",
    synopsis: "1 if the dial plan has such a place, else 0: DIALPLAN_EXISTS(context[,extension[,priority]])",
    read: |call, text| {
        let [context, exten, priority] = parts(text);
        let (context, exten) = (context.trim(), exten.trim());
        let config = call.switch().config();
        let exists = match exten {
            "" => config.plan.has_context(context),
            exten => has(call, context, exten, priority.trim()),
        };
        Some(u8::from(exists).to_string())
    },
    write: None,
};

/// The same, from where the call stands.
pub(crate) static VALID_EXTEN: Function = Function {
    name: "VALID_EXTEN",
    synopsis: "1 if there is such an extension, else 0: VALID_EXTEN([context],extension[,priority])",
    read: |call, text| {
        let [context, exten, priority] = parts(text);
        let context = match context.trim() {
            "" => call.at.context.as_str(),
            context => context,
        };
        let exists = has(call, context, exten.trim(), priority.trim());
        Some(u8::from(exists).to_string())
    },
    write: None,
};

/// Who is in a call.
pub(crate) static CHANNELS: Function = Function {
    name: "CHANNELS",
    synopsis: "The names of all channels, or of those that fit a regular expression: CHANNELS([expression])",
    read: |call, expression| {
        let regex = regex_lite::Regex::new(expression).ok()?;
        let channels = call.switch().directory().all();
        let names = channels.iter().map(|channel| channel.name());
        let names: Vec<&str> = names.filter(|name| regex.is_match(name)).collect();
        Some(names.join(" "))
    },
    write: None,
};

/// Which exchange it is.
pub(crate) static VERSION: Function = Function {
    name: "VERSION",
    synopsis: "The version of the exchange",
    read: |_, _| Some(env!("CARGO_PKG_VERSION").to_owned()),
    write: None,
};

fn has(call: &Channel, context: &str, exten: &str, priority: &str) -> bool {
    let plan = &call.switch().config().plan;
    let number = Some(call.caller.number.as_str());
    let priority = match priority {
        "" => Some(1),
        text => text
            .parse()
            .ok()
            .or_else(|| plan.label_now(context, exten, text, number, call)),
    };
    let at = priority.map(|priority| Position {
        context: context.to_owned(),
        exten: exten.to_owned(),
        priority,
    });
    at.is_some_and(|at| plan.step_now(&at, number, call).is_some())
}
