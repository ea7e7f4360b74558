//! What belongs to subroutines: `LOCAL`, `LOCAL_PEEK`, `STACK_PEEK`.

use switch::{Channel, Function, SetError};

use super::arguments::parts;

/// Variables that end with the subroutine they are set in.
pub(crate) static LOCAL: Function = Function {
    name: "LOCAL",
    synopsis: "Variables that end with the subroutine",
    read: |call, name| call.vars.value(name).map(str::to_owned),
    write: Some(write),
};

fn write(call: &mut Channel, name: &str, value: &str) -> Result<(), SetError> {
    call.set_local(name, value)
}

/// What a variable was further out.
pub(crate) static LOCAL_PEEK: Function = Function {
    name: "LOCAL_PEEK",
    synopsis: "A variable as it is so many subroutines further out: LOCAL_PEEK(levels,name)",
    read: |call, text| {
        let (levels, name) = text.split_once(',')?;
        let value = call.variable_before(levels.trim().parse().ok()?, name.trim());
        value.map(str::to_owned)
    },
    write: None,
};

/// Where subroutines were called.
pub(crate) static STACK_PEEK: Function = Function {
    name: "STACK_PEEK",
    synopsis: "Where a subroutine was called, the latest being 1: its context `c`, extension `e`, priority `p` or all of \
               them `l`: STACK_PEEK(level,which[,suppress])",
    read: |call, text| {
        let [level, which, suppress] = parts(text);
        let level: usize = level.trim().parse().ok().filter(|level| *level > 0)?;
        let Some(back) = call.returns_to(level) else {
            if suppress.trim().is_empty() {
                let (channel, depth) = (call.name(), call.depth());
                tracing::warn!(
                    channel,
                    "STACK_PEEK({text}): only {depth} subroutines were called"
                );
            }
            return None;
        };
        let priority = back.priority.saturating_sub(1);
        match which.trim().chars().next()? {
            'c' => Some(back.context.clone()),
            'e' => Some(back.exten.clone()),
            'p' => Some(priority.to_string()),
            'l' => Some(format!("{},{},{priority}", back.context, back.exten)),
            _ => None,
        }
    },
    write: None,
};
