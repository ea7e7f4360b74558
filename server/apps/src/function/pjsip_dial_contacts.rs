//! `PJSIP_DIAL_CONTACTS(endpoint[,aor])`.

use switch::Function;

/// The contacts of an endpoint, as `Dial` takes them.
pub(crate) static PJSIP_DIAL_CONTACTS: Function = Function {
    name: "PJSIP_DIAL_CONTACTS",
    synopsis: "The contacts of an endpoint, or of one of its addresses of record, for Dial",
    read: |call, arguments| {
        let (endpoint, aor) = arguments.split_once(',').unwrap_or((arguments, ""));
        let aor = aor.split(',').next().unwrap_or_default().trim();
        let contacts = call.switch().contacts("PJSIP", endpoint.trim(), aor);
        Some(contacts.join("&"))
    },
    write: None,
};
