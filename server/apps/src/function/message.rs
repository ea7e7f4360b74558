//! `MESSAGE(to|from|body)` and `MESSAGE_DATA(name)`.

use switch::{Channel, Function, SetError, VALUE_BYTES_MAX};

use super::items::unknown;

/// Reads and sets the text message of the channel.
pub(crate) static MESSAGE: Function = Function {
    name: "MESSAGE",
    synopsis: "The text message of the channel: to, from, body",
    read,
    write: Some(write),
};

/// Reads headers of the message, and sets those that go along when it is sent.
pub(crate) static MESSAGE_DATA: Function = Function {
    name: "MESSAGE_DATA",
    synopsis: "A header of the channel's text message; one that is set goes along with MessageSend",
    read: |call, name| call.text()?.header(name.trim()).map(str::to_owned),
    write: Some(write_data),
};

fn read(call: &Channel, part: &str) -> Option<String> {
    let Some(text) = call.text() else {
        return unknown(call, "MESSAGE", part);
    };
    match part.trim().to_ascii_lowercase().as_str() {
        "to" => Some(text.to.clone()),
        "from" => Some(text.from.clone()),
        "body" => Some(text.body.clone()),
        _ => unknown(call, "MESSAGE", part),
    }
}

fn write(call: &mut Channel, part: &str, value: &str) -> Result<(), SetError> {
    if value.len() > VALUE_BYTES_MAX {
        return Err(SetError::TooLong);
    }
    let text = call.text_mut();
    match part.trim().to_ascii_lowercase().as_str() {
        "to" => value.clone_into(&mut text.to),
        "from" => value.clone_into(&mut text.from),
        "body" => value.clone_into(&mut text.body),
        "custom_data" => match value.trim().to_ascii_lowercase().as_str() {
            "mark_all_outbound" => text.outbound.append(&mut text.headers),
            "clear_all_outbound" => text.outbound.clear(),
            _ => return Err(SetError::Value),
        },
        _ => return Err(SetError::Item),
    }
    Ok(())
}

fn write_data(call: &mut Channel, name: &str, value: &str) -> Result<(), SetError> {
    let name = name.trim();
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.!%*+'~".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err(SetError::Name);
    }
    if value.len() > VALUE_BYTES_MAX {
        return Err(SetError::TooLong);
    }
    match call.text_mut().set_header(name, value) {
        true => Ok(()),
        false => Err(SetError::TooMany),
    }
}
