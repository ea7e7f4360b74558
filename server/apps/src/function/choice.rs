//! Functions that choose: `IF`, `IFTIME`, `ISNULL`, `EXISTS`, `SET`.

use switch::{Channel, Function, Timing};

use crate::clock::now;
use crate::condition::{holds, split};
use crate::set;

/// One of two values.
pub(crate) static IF: Function = Function {
    name: "IF",
    synopsis: "One of two values, as a condition says: IF(condition?value:value)",
    read: |call, text| choose(call, "IF", text, |condition| Ok(holds(condition))),
    write: None,
};

/// The same by the clock.
pub(crate) static IF_TIME: Function = Function {
    name: "IFTIME",
    synopsis: "One of two values, as the time and the date say: IFTIME(times,weekdays,days,months?value:value)",
    read: |call, text| {
        choose(call, "IFTIME", text, |times| {
            let timing = Timing::parse(times).map_err(|why| why.to_string())?;
            Ok(timing.holds(&now(timing.zone())?))
        })
    },
    write: None,
};

/// Whether it is nothing.
pub(crate) static IS_NULL: Function = Function {
    name: "ISNULL",
    synopsis: "1 if a value is nothing, else 0: ISNULL(value)",
    read: |_, text| Some(u8::from(text.is_empty()).to_string()),
    write: None,
};

/// Whether it is something.
pub(crate) static EXISTS: Function = Function {
    name: "EXISTS",
    synopsis: "1 if a value is something, else 0: EXISTS(value)",
    read: |_, text| Some(u8::from(!text.is_empty()).to_string()),
    write: None,
};

/// Sets while it is read.
pub(crate) static SET: Function = Function {
    name: "SET",
    synopsis: "Sets a variable, and is its value: SET(name=value)",
    read: |call, text| match set::split(text) {
        Some((name, value)) => {
            call.set_as_read(name.trim(), value);
            Some(value.to_owned())
        }
        None => Some(super::arguments::named(call, text.trim())),
    },
    write: None,
};

fn choose(
    call: &Channel,
    function: &str,
    text: &str,
    decide: impl Fn(&str) -> Result<bool, String>,
) -> Option<String> {
    let warn = |why: &str| call.warn(format_args!("{function}({text}): {why}"));
    let Some((condition, values)) = split(text, '?') else {
        warn("write it as condition?value:value");
        return None;
    };
    let (yes, no) = split(values, ':').unwrap_or((values, ""));
    let is = decide(condition).map_err(|why| warn(&why)).ok()?;
    let value = if is { yes } else { no }.trim();
    let unquoted = value.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
    Some(unquoted.unwrap_or(value).to_owned())
}
