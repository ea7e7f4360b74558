//! `DEVICE_STATE(device)`, `EXTENSION_STATE(extension@context)` and `HINT(extension@context)`.

use switch::{DeviceState, Function, NotKept, SetError, hint_devices, hint_name};

/// Reads how a device is, and sets it for custom ones.
pub(crate) static DEVICE_STATE: Function = Function {
    name: "DEVICE_STATE",
    synopsis: "How a device is: NOT_INUSE, INUSE, RINGING, …; can be set for those named Custom:name",
    read: |call, device| Some(call.switch().device_state(device).as_str().to_owned()),
    write: Some(|call, device, value| {
        let state = DeviceState::parse(value).ok_or(SetError::Value)?;
        let kept = call.switch().set_device_state(device, state);
        kept.map_err(|error| match error {
            NotKept::NotCustom => SetError::Name,
            NotKept::Store => SetError::Function,
        })
    }),
};

/// Reads how the devices of an extension's hint are together.
pub(crate) static EXTENSION_STATE: Function = Function {
    name: "EXTENSION_STATE",
    synopsis: "How the devices of an extension's hint are together; UNKNOWN without a hint",
    read: |call, place| {
        let (exten, context) = place_of(place);
        let config = call.switch().config();
        let state = call.switch().extension_state(&config.plan, context, exten);
        Some(state.unwrap_or(DeviceState::Unknown).as_str().to_owned())
    },
    write: None,
};

/// Reads the hint of an extension.
pub(crate) static HINT: Function = Function {
    name: "HINT",
    synopsis: "The devices of an extension's hint, or with `,n` its name",
    read: |call, arguments| {
        let (place, options) = arguments.split_once(',').unwrap_or((arguments, ""));
        let (exten, context) = place_of(place);
        let config = call.switch().config();
        let hint = config.plan.hint(context, exten)?;
        match options.contains('n') {
            true => hint_name(hint).map(str::to_owned),
            false => Some(hint_devices(hint).collect::<Vec<_>>().join("&")),
        }
    },
    write: None,
};

/// `extension@context`; as in Asterisk, the context is `default` if it is left out.
fn place_of(place: &str) -> (&str, &str) {
    place
        .trim()
        .split_once('@')
        .unwrap_or_else(|| (place.trim(), "default"))
}
