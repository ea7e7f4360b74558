//! `PJSIP_HEADER(read,name)`.

use switch::Function;

/// Reads a header of the INVITE that brought the call.
pub(crate) static PJSIP_HEADER: Function = Function {
    name: "PJSIP_HEADER",
    synopsis: "A header of the INVITE that brought the call: PJSIP_HEADER(read,X-Name)",
    read: |call, arguments| {
        let (action, rest) = arguments.split_once(',')?;
        let name = rest.split(',').next()?.trim();
        action
            .trim()
            .eq_ignore_ascii_case("read")
            .then(|| call.header(name))?
    },
    write: None,
};
