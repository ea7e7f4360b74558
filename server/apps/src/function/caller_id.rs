//! `CALLERID(num|name|all)`.

use switch::{Channel, Function, SetError, VALUE_BYTES_MAX};

/// Reads and sets who calls.
pub(crate) static CALLER_ID: Function = Function {
    name: "CALLERID",
    synopsis: "Number and name of the caller",
    read,
    write: Some(write),
};

fn read(call: &Channel, part: &str) -> Option<String> {
    let caller = &call.caller;
    match part.to_ascii_lowercase().as_str() {
        "num" | "number" | "ani" => Some(caller.number.clone()),
        "name" => Some(caller.name.clone()),
        "all" => Some(format!("\"{}\" <{}>", caller.name, caller.number)),
        _ => None,
    }
}

fn write(call: &mut Channel, part: &str, value: &str) -> Result<(), SetError> {
    if value.len() > VALUE_BYTES_MAX {
        return Err(SetError::TooLong);
    }
    match part.to_ascii_lowercase().as_str() {
        "num" | "number" => value.clone_into(&mut call.caller.number),
        "name" => value.clone_into(&mut call.caller.name),
        _ => return Err(SetError::Function),
    }
    Ok(())
}
