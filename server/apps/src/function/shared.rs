//! Variables of other channels: `SHARED`, `IMPORT`, `MASTER_CHANNEL`.

use switch::{Channel, ChannelHandle, Function, SetError};

use super::arguments::{named, parts};

/// Variables that all channels may read and set.
pub(crate) static SHARED: Function = Function {
    name: "SHARED",
    synopsis: "A variable of the channel, or of another one, that all may read and set: SHARED(name[,channel])",
    read: |call, text| {
        let [name, channel] = parts(text);
        of(call, channel.trim())?.shared(name.trim())
    },
    write: Some(|call, text, value| {
        let [name, channel] = parts(text);
        let other = of(call, channel.trim()).ok_or(SetError::Name)?;
        other.share(name.trim(), value)
    }),
};

/// A variable of another channel.
pub(crate) static IMPORT: Function = Function {
    name: "IMPORT",
    synopsis: "A variable of another channel, or its CALLERID(num), CALLERID(name), CHANNEL(state) and the like: \
               IMPORT(channel,variable)",
    read: |call, text| {
        let (channel, name) = text.split_once(',')?;
        let other = call.switch().directory().by_name(channel.trim())?;
        let value = value_of(call, &other, name.trim());
        if value.is_none() && name.contains('(') {
            let channel = call.name();
            tracing::warn!(
                channel,
                "IMPORT({text}): that function is not read of another channel"
            );
        }
        value
    },
    write: None,
};

/// A variable of the channel that a call began with.
pub(crate) static MASTER_CHANNEL: Function = Function {
    name: "MASTER_CHANNEL",
    synopsis: "A variable of the channel that the call began with, which may be this one: MASTER_CHANNEL(name)",
    read: |call, name| match master(call) {
        Master::Own => Some(named(call, name.trim())),
        Master::Other(other) => value_of(call, &other, name.trim()),
    },
    write: Some(|call, name, value| match master(call) {
        Master::Own => call.vars.set(name.trim(), value),
        Master::Other(other) => other.give(name.trim(), value),
    }),
};

enum Master {
    /// The channel itself, or one that is gone.
    Own,
    Other(ChannelHandle),
}

fn master(call: &Channel) -> Master {
    let linked = &call.record().fields().linkedid;
    if linked == call.unique_id() {
        return Master::Own;
    }
    let mut all = call.switch().directory().all().into_iter();
    let found = all.find(|handle| handle.unique_id() == linked);
    found.map_or(Master::Own, Master::Other)
}

/// The channel of this name, or the one of this device; the own one if none is named.
fn of(call: &Channel, name: &str) -> Option<ChannelHandle> {
    let directory = call.switch().directory();
    match name {
        "" => directory.channel(call.id()),
        name => directory.by_name(name).or_else(|| {
            let mut all = directory.all().into_iter();
            all.find(|handle| {
                let device = handle.name().rsplit_once('-').map(|(device, _)| device);
                device.is_some_and(|device| device.eq_ignore_ascii_case(name))
            })
        }),
    }
}

/// A variable of another channel, of the exchange, or what is known of the other.
fn value_of(call: &Channel, other: &ChannelHandle, name: &str) -> Option<String> {
    let info = other.info();
    let known = match name {
        "EXTEN" => info.at.exten.clone(),
        "CONTEXT" => info.at.context.clone(),
        "PRIORITY" => info.at.priority.to_string(),
        "CHANNEL" | "CHANNEL(name)" => other.name().to_owned(),
        "UNIQUEID" | "CHANNEL(uniqueid)" => other.unique_id().to_owned(),
        "CALLERID(num)" | "CALLERID(number)" => info.caller.number.clone(),
        "CALLERID(name)" => info.caller.name.clone(),
        "CONNECTEDLINE(num)" | "CONNECTEDLINE(number)" => info.connected.number.clone(),
        "CONNECTEDLINE(name)" => info.connected.name.clone(),
        "CHANNEL(accountcode)" => info.account.clone(),
        "CHANNEL(peeraccount)" => info.peer_account.clone(),
        "CHANNEL(endpoint)" => other.endpoint().id.clone(),
        name => {
            let own = other.variable(name);
            return own.or_else(|| call.switch().global(name));
        }
    };
    Some(known)
}
