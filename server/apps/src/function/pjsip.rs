//! What is known of endpoints, addresses of record, contacts and URIs: `PJSIP_ENDPOINT`, `PJSIP_AOR`,
//! `PJSIP_CONTACT`, `PJSIP_PARSE_URI`, `PJSIP_PARSE_URI_FROM`.

use switch::{Channel, Function, Thing};

use super::arguments::named;

/// An option of an endpoint.
pub(crate) static PJSIP_ENDPOINT: Function = Function {
    name: "PJSIP_ENDPOINT",
    synopsis: "An option of an endpoint as it is in force: PJSIP_ENDPOINT(name,option)",
    read: |call, text| option(call, "PJSIP_ENDPOINT", Thing::Endpoint, text),
    write: None,
};

/// An option of an address of record.
pub(crate) static PJSIP_AOR: Function = Function {
    name: "PJSIP_AOR",
    synopsis: "An option of an address of record; `contact` is the names of its contacts: PJSIP_AOR(name,option)",
    read: |call, text| option(call, "PJSIP_AOR", Thing::Aor, text),
    write: None,
};

/// What is known of a contact.
pub(crate) static PJSIP_CONTACT: Function = Function {
    name: "PJSIP_CONTACT",
    synopsis: "What is known of a contact that PJSIP_AOR(name,contact) names: PJSIP_CONTACT(name,uri), `status`, `rtt` in \
               microseconds, `user_agent`, `via_addr`, `expiration_time` and the like",
    read: |call, text| option(call, "PJSIP_CONTACT", Thing::Contact, text),
    write: None,
};

/// A part of an address.
pub(crate) static PJSIP_PARSE_URI: Function = Function {
    name: "PJSIP_PARSE_URI",
    synopsis: "A part of an address: PJSIP_PARSE_URI(uri,part), one of display, scheme, user, passwd, host, port, \
               user_param, method_param, transport_param, ttl_param, lr_param, maddr_param",
    read: |call, text| option(call, "PJSIP_PARSE_URI", Thing::Uri, text),
    write: None,
};

/// The same of one that stands in a variable.
pub(crate) static PJSIP_PARSE_URI_FROM: Function = Function {
    name: "PJSIP_PARSE_URI_FROM",
    synopsis: "The same of an address that stands in a variable: PJSIP_PARSE_URI_FROM(variable,part)",
    read: |call, text| {
        let (name, part) = text.rsplit_once(',')?;
        let uri = named(call, name.trim());
        of(
            call,
            "PJSIP_PARSE_URI_FROM",
            Thing::Uri,
            (&uri, part.trim()),
        )
    },
    write: None,
};

/// The option is the last: URIs may have commas.
fn option(call: &Channel, function: &str, thing: Thing, text: &str) -> Option<String> {
    let (name, option) = text.rsplit_once(',')?;
    of(call, function, thing, (name.trim(), option.trim()))
}

fn of(
    call: &Channel,
    function: &str,
    thing: Thing,
    (name, option): (&str, &str),
) -> Option<String> {
    let known = call.switch().option_of("PJSIP", thing, name, option);
    let warn = |why| {
        let channel = call.name();
        tracing::warn!(channel, "{function}({name},{option}): {why}");
    };
    known.map_err(warn).ok()
}
