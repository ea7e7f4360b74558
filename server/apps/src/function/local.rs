//! `LOCAL(name)`.

use switch::{Channel, Function, SetError};

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
