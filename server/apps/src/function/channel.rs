//! `CHANNEL(name)` and other facts of a channel.

use switch::{Channel, Function, SetError};

/// Reads facts of the channel.
pub(crate) static CHANNEL: Function = Function {
    name: "CHANNEL",
    synopsis: "Facts of the channel: name, uniqueid, linkedid, state, channeltype, endpoint, context, exten, …",
    read,
    write: Some(write),
};

fn read(call: &Channel, item: &str) -> Option<String> {
    match item.to_ascii_lowercase().as_str() {
        "name" => Some(call.name().to_owned()),
        "uniqueid" => Some(call.unique_id().to_owned()),
        "linkedid" => Some(call.record().fields().linkedid.clone()),
        "state" => Some(call.state().to_owned()),
        "endpoint" => Some(call.endpoint().id.clone()),
        "channeltype" => call.name().split('/').next().map(str::to_owned),
        "context" => Some(call.at.context.clone()),
        "exten" => Some(call.at.exten.clone()),
        "accountcode" => Some(call.record().fields().accountcode.clone()),
        "peer" => call.vars.value("BRIDGEPEER").map(str::to_owned),
        "tonezone" => {
            let config = call.switch().config();
            let own = call.tone_zone().map(str::to_owned);
            Some(own.unwrap_or_else(|| config.indications.country.clone()))
        }
        "musicclass" => Some(call.music_class().to_owned()),
        "language" => Some(
            call.endpoint()
                .language
                .clone()
                .unwrap_or_else(|| "en".to_owned()),
        ),
        _ => None,
    }
}

fn write(call: &mut Channel, item: &str, value: &str) -> Result<(), SetError> {
    match item.to_ascii_lowercase().as_str() {
        "musicclass" => call.set_music_class(value.trim()),
        "tonezone" => {
            if !call.set_tone_zone(value.trim()) {
                tracing::warn!(
                    channel = call.name(),
                    "CHANNEL(tonezone): there is no country '{}' in indications.conf",
                    value.trim()
                );
            }
        }
        _ => return Err(SetError::Name),
    }
    Ok(())
}
