//! `GLOBAL(name)`.

use switch::{Channel, Function, SetError};

/// Reads and sets variables of the whole exchange.
pub(crate) static GLOBAL: Function = Function {
    name: "GLOBAL",
    synopsis: "Variables of the whole exchange",
    read: |call, name| call.switch().global(name),
    write: Some(write),
};

fn write(call: &mut Channel, name: &str, value: &str) -> Result<(), SetError> {
    call.switch().globals().set(name, value)
}
