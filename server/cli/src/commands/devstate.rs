//! `devstate list`, `devstate change`: the states of custom devices.

use switch::DeviceState;

use crate::command::{Command, Outcome, Slot, Takes};
use crate::exchange::Exchange;

pub(crate) static CHANGE: Command = Command {
    path: "devstate change",
    takes: Takes::Form(&[Slot::Any("device"), Slot::One(&DeviceState::WORDS)]),
    synopsis: "Change a custom device state",
    doc: "Changes the state of a custom device: `devstate change Custom:lamp1 INUSE`. It is kept over\n\
          restarts; the dial plan sets it by `Set(DEVICE_STATE(Custom:lamp1)=INUSE)`.",
    run: |exchange, words| Box::pin(async { change(exchange, words) }),
};

pub(crate) static LIST: Command = Command {
    path: "devstate list",
    takes: Takes::Nothing,
    synopsis: "List currently known custom device states",
    doc: "Lists all custom devices whose state has been set.",
    run: |exchange, _| Box::pin(list(exchange)),
};

fn change(exchange: &Exchange, words: &[String]) -> Outcome {
    let (device, word) = (&words[0], words[1].to_ascii_uppercase());
    let Some(state) = DeviceState::parse(&word) else {
        return Outcome::Usage;
    };
    match exchange.parts.switch.set_device_state(device, state) {
        Ok(()) => Outcome::Done(format!("Changing {device} to {word}\n")),
        Err(error) => Outcome::Failed(format!("{device} is not changed: {error}\n")),
    }
}

async fn list(exchange: &Exchange) -> Outcome {
    match exchange.parts.switch.custom_devices().await {
        Ok(devices) => Outcome::Done(table(&devices)),
        Err(error) => Outcome::Failed(format!("Custom devices cannot be listed: {error}\n")),
    }
}

fn table(devices: &[(String, DeviceState)]) -> String {
    let line = "-".repeat(69);
    let title = format!("--- Custom Device States {}", "-".repeat(44));
    let mut text = format!("\n{line}\n{title}\n{line}\n---\n");
    for (name, state) in devices {
        let state = state.as_str();
        text.push_str(&format!(
            "--- Name: 'Custom:{name}'  State: '{state}'\n---\n"
        ));
    }
    text + &format!("{line}\n{line}\n\n")
}

#[cfg(test)]
mod tests {
    use super::table;
    use switch::DeviceState;

    #[test]
    fn devices_stand_as_asterisk_lists_them() {
        let text = table(&[("lamp1".to_owned(), DeviceState::InUse)]);
        assert!(
            text.contains("\n--- Name: 'Custom:lamp1'  State: 'INUSE'\n---\n"),
            "{text}"
        );
        assert_eq!(text.lines().nth(2).unwrap().len(), 69);
    }
}
