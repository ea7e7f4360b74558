//! How a device is: a phone, a lamp of the dial plan's own (`Custom:name`), or the devices of a hint together.

use dialplan::Plan;

use crate::switch::Switch;

/// Where custom states are kept: the family of Asterisk's own database.
const CUSTOM_FAMILY: &str = "CustomDevstate";

/// Custom devices are named so.
const CUSTOM: &str = "Custom:";

/// Devices of one hint; more are left out.
pub const HINT_DEVICES_MAX: usize = 64;

/// How a device, or an extension, is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceState {
    /// Nobody knows.
    Unknown,
    /// It is there and idle.
    NotInUse,
    /// It talks, or calls somebody.
    InUse,
    /// It has as many calls as it takes.
    Busy,
    /// There is no such device.
    Invalid,
    /// It is not there.
    Unavailable,
    /// It rings.
    Ringing,
    /// It rings while it talks.
    RingInUse,
    /// All its calls are on hold.
    OnHold,
}

/// States with their word in the dial plan, and what an extension of that state is called on the console.
const STATES: [(DeviceState, &str, &str); 9] = [
    (DeviceState::Unknown, "UNKNOWN", "Idle"),
    (DeviceState::NotInUse, "NOT_INUSE", "Idle"),
    (DeviceState::InUse, "INUSE", "InUse"),
    (DeviceState::Busy, "BUSY", "Busy"),
    (DeviceState::Invalid, "INVALID", "Unavailable"),
    (DeviceState::Unavailable, "UNAVAILABLE", "Unavailable"),
    (DeviceState::Ringing, "RINGING", "Ringing"),
    (DeviceState::RingInUse, "RINGINUSE", "InUse&Ringing"),
    (DeviceState::OnHold, "ONHOLD", "Hold"),
];

impl DeviceState {
    /// The words of `DEVICE_STATE` and `devstate change`.
    pub const WORDS: [&'static str; 9] = {
        let mut words = [""; 9];
        let mut index = 0;
        while index < words.len() {
            words[index] = STATES[index].1;
            index += 1;
        }
        words
    };

    fn row(self) -> (&'static str, &'static str) {
        let mut rows = STATES.iter();
        let found = rows.find(|(state, ..)| *state == self);
        found.map_or(("UNKNOWN", "Idle"), |(_, word, shown)| (*word, *shown))
    }

    /// Its word: `NOT_INUSE`.
    pub fn as_str(self) -> &'static str {
        self.row().0
    }

    /// An extension of this state on the console: `Idle`.
    pub fn in_words(self) -> &'static str {
        self.row().1
    }

    /// What a word means, compared without case.
    pub fn parse(word: &str) -> Option<Self> {
        let mut rows = STATES.iter();
        let found = rows.find(|(_, own, _)| own.eq_ignore_ascii_case(word.trim()));
        found.map(|(state, ..)| *state)
    }

    /// The state of an extension with several devices, by Asterisk's rules.
    pub fn of_all(states: &[Self]) -> Self {
        let all = |of: Self| !states.is_empty() && states.iter().all(|state| *state == of);
        let any = |of: Self| states.contains(&of);
        let rings = any(Self::Ringing) || any(Self::RingInUse);
        let talks =
            any(Self::InUse) || any(Self::RingInUse) || any(Self::Busy) || any(Self::OnHold);
        let out = |state: &Self| matches!(state, Self::Unavailable | Self::Invalid | Self::Unknown);
        if rings {
            return match talks {
                true => Self::RingInUse,
                false => Self::Ringing,
            };
        }
        for same in [Self::Busy, Self::OnHold, Self::Unknown, Self::Invalid] {
            if all(same) {
                return same;
            }
        }
        if talks {
            return Self::InUse;
        }
        match states.iter().all(out) {
            true if states.is_empty() => Self::Unknown,
            true => Self::Unavailable,
            false => Self::NotInUse,
        }
    }
}

/// Why the state of a device is not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotKept {
    /// It is no custom device.
    #[error("only states of custom devices are set, like Custom:lamp1")]
    NotCustom,
    /// The database of the dial plan does not take it.
    #[error("the database of the dial plan does not take it")]
    Store,
}

/// The devices of a hint: `PJSIP/alice&Custom:lamp`. What follows a comma is a provider of presence, and what
/// stands in parentheses a name, as in Asterisk.
pub fn hint_devices(hint: &str) -> impl Iterator<Item = &str> {
    let devices = hint.split([',', '(']).next().unwrap_or_default();
    let devices = devices.split('&').map(str::trim);
    devices
        .filter(|device| !device.is_empty())
        .take(HINT_DEVICES_MAX)
}

/// The name of a hint: `PJSIP/alice(Alice)`.
pub fn hint_name(hint: &str) -> Option<&str> {
    let (_, rest) = hint.split_once('(')?;
    Some(rest.trim_end().trim_end_matches(')'))
}

impl Switch {
    /// How a device is now: `PJSIP/alice`, `Custom:lamp1`.
    pub fn device_state(&self, device: &str) -> DeviceState {
        if let Some(name) = custom(device) {
            let database = self.store().astdb();
            let word = database.and_then(|database| database.value(CUSTOM_FAMILY, name));
            return word
                .and_then(|word| DeviceState::parse(&word))
                .unwrap_or(DeviceState::Unknown);
        }
        if let Some(state) = self.space_state(device) {
            return state;
        }
        let Some((technology, id)) = device.split_once('/') else {
            return DeviceState::Unknown;
        };
        let mut technologies = self.technologies().iter();
        let named = technologies.find(|known| known.name().eq_ignore_ascii_case(technology));
        named.map_or(DeviceState::Unknown, |named| {
            named.device_state(id, &self.directory().all())
        })
    }

    /// How a parking space is, for the keys of phones: `park:701@parkedcalls`. `None`: it is another kind of
    /// device.
    fn space_state(&self, device: &str) -> Option<DeviceState> {
        let (lot, space) = self.config().parking.space_of(device)?;
        Some(match lot {
            None => DeviceState::Invalid,
            Some(lot) if self.parkings().is_taken(&lot, space) => DeviceState::InUse,
            Some(_) => DeviceState::NotInUse,
        })
    }

    /// Sets the state of a custom device, which is kept over restarts.
    ///
    /// # Errors
    ///
    /// See [`NotKept`].
    pub fn set_device_state(&self, device: &str, state: DeviceState) -> Result<(), NotKept> {
        let name = custom(device).ok_or(NotKept::NotCustom)?;
        let database = self.store().astdb().ok_or(NotKept::Store)?;
        let kept = database.put(CUSTOM_FAMILY, name, state.as_str());
        drop(kept.map_err(|_| NotKept::Store)?);
        self.directory().changed();
        Ok(())
    }

    /// All custom devices with their states, by name.
    ///
    /// # Errors
    ///
    /// The database of the dial plan cannot be read.
    pub async fn custom_devices(&self) -> Result<Vec<(String, DeviceState)>, NotKept> {
        let database = self.store().astdb().ok_or(NotKept::Store)?;
        let all = database.tree(CUSTOM_FAMILY, None).await;
        let all = all.map_err(|_| NotKept::Store)?.into_iter();
        let devices = all.filter_map(|(key, word)| {
            let name = key.rsplit('/').next()?.to_owned();
            Some((name, DeviceState::parse(&word)?))
        });
        Ok(devices.collect())
    }

    /// How the devices of an extension's hint are; `None`: it has no hint.
    pub fn extension_state(&self, plan: &Plan, context: &str, exten: &str) -> Option<DeviceState> {
        let hint = plan.hint(context, exten)?;
        Some(self.hint_state(hint))
    }

    /// How the devices of a hint are together.
    pub fn hint_state(&self, hint: &str) -> DeviceState {
        let states = hint_devices(hint).map(|device| self.device_state(device));
        DeviceState::of_all(&states.collect::<Vec<_>>())
    }
}

/// The name of a custom device; it must be one that the database can keep.
fn custom(device: &str) -> Option<&str> {
    let device = device.trim();
    let begins = device.get(..CUSTOM.len())?;
    let name = &device[CUSTOM.len()..];
    (begins.eq_ignore_ascii_case(CUSTOM) && !name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::DeviceState::*;
    use super::{DeviceState, custom, hint_devices, hint_name};

    #[test]
    fn several_devices_are_one_lamp() {
        let rows: [(&[DeviceState], DeviceState); 12] = [
            (&[], Unknown),
            (&[NotInUse, NotInUse], NotInUse),
            (&[NotInUse, Unavailable], NotInUse),
            (&[Unavailable, Unavailable], Unavailable),
            (&[Unavailable, Invalid], Unavailable),
            (&[InUse, NotInUse], InUse),
            (&[Busy, NotInUse], InUse),
            (&[Busy, Busy], Busy),
            (&[OnHold], OnHold),
            (&[OnHold, NotInUse], InUse),
            (&[Ringing, NotInUse], Ringing),
            (&[Ringing, InUse], RingInUse),
        ];
        for (states, expected) in rows {
            assert_eq!(DeviceState::of_all(states), expected, "{states:?}");
        }
    }

    #[test]
    fn words_are_read_as_they_are_written() {
        for word in DeviceState::WORDS {
            assert_eq!(
                DeviceState::parse(word).map(DeviceState::as_str),
                Some(word)
            );
        }
        assert_eq!(DeviceState::parse("inuse"), Some(InUse));
        assert_eq!(DeviceState::parse("HELD"), None);
    }

    #[test]
    fn a_hint_has_devices_and_maybe_a_name() {
        let devices = |hint| hint_devices(hint).collect::<Vec<_>>();
        assert_eq!(
            devices("PJSIP/a & Custom:b,CustomPresence:c"),
            ["PJSIP/a", "Custom:b"]
        );
        assert_eq!(devices("PJSIP/a(Alice A.)"), ["PJSIP/a"]);
        assert_eq!(hint_name("PJSIP/a(Alice A.)"), Some("Alice A."));
        assert_eq!(custom("custom:lamp"), Some("lamp"));
        assert_eq!(custom("Custom:"), None);
        assert_eq!(custom("PJSIP/a"), None);
    }
}
