//! `PJSIP_HEADER(read,name)`, `Set(PJSIP_HEADER(add,name)=value)`.

use switch::{Channel, Function, SetError};

/// Reads a header of the INVITE that brought the call; adds one to that of a call that is to go out.
pub(crate) static PJSIP_HEADER: Function = Function {
    name: "PJSIP_HEADER",
    synopsis: "A header of the INVITE that brought the call, or of one that is to go out",
    read: |call, arguments| {
        let name = header(arguments, "read")?;
        call.header(name)
    },
    write: Some(write),
};

fn write(call: &mut Channel, arguments: &str, value: &str) -> Result<(), SetError> {
    let name = header(arguments, "add").ok_or(SetError::Function)?;
    match call.add_header(name, value) {
        true => Ok(()),
        false => Err(SetError::Function),
    }
}

fn header<'a>(arguments: &'a str, wanted: &str) -> Option<&'a str> {
    let (action, rest) = arguments.split_once(',')?;
    let name = rest.split(',').next()?.trim();
    let is_wanted = action.trim().eq_ignore_ascii_case(wanted) && !name.is_empty();
    is_wanted.then_some(name)
}
