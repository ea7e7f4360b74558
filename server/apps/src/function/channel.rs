//! `CHANNEL(name|uniqueid|state|endpoint)`.

use switch::{Channel, Function};

/// Reads facts of the channel.
pub(crate) static CHANNEL: Function = Function {
    name: "CHANNEL",
    synopsis: "Facts of the channel: name, uniqueid, state, endpoint, language",
    read,
    write: None,
};

fn read(call: &Channel, item: &str) -> Option<String> {
    match item.to_ascii_lowercase().as_str() {
        "name" => Some(call.name().to_owned()),
        "uniqueid" => Some(call.unique_id().to_owned()),
        "state" => Some(if call.is_up() { "Up" } else { "Ring" }.to_owned()),
        "endpoint" => Some(call.endpoint().id.clone()),
        "channeltype" => Some("PJSIP".to_owned()),
        "language" => Some(
            call.endpoint()
                .language
                .clone()
                .unwrap_or_else(|| "en".to_owned()),
        ),
        _ => None,
    }
}
