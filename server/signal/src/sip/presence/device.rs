//! How the devices of a hint are: what their calls and their contacts say.

use std::collections::BTreeMap;

use switch::{ChannelHandle, ChannelId, ChannelState, DeviceState as State, hint_devices};

use crate::sip::shared::Shared;

/// `PJSIP/alice` in a hint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Device {
    /// It is no phone of ours: the switch knows how it is.
    other: Option<String>,
    /// As channels are named: `PJSIP/alice`. Empty if it is a kind of device nobody knows.
    name: String,
    /// Where its contacts are; `None`: there is no such endpoint.
    aors: Option<Vec<String>>,
    /// It has a written contact.
    written: bool,
    /// From so many calls on it is busy; 0: never.
    busy_at: usize,
}

/// The devices of a hint: `PJSIP/alice&PJSIP/bob`. What follows a comma is a provider of presence, as in Asterisk.
pub(crate) async fn devices_of(shared: &Shared, hint: &str) -> Vec<Device> {
    let mut devices = Vec::new();
    for name in hint_devices(hint) {
        devices.push(device_of(shared, name).await);
    }
    devices
}

async fn device_of(shared: &Shared, name: &str) -> Device {
    let mut device = Device {
        other: None,
        name: String::new(),
        aors: None,
        written: false,
        busy_at: 0,
    };
    let known = name.split_once('/');
    let Some((_, id)) = known.filter(|(kind, _)| kind.eq_ignore_ascii_case("PJSIP")) else {
        device.other = Some(name.to_owned());
        return device;
    };
    device.name = format!("PJSIP/{id}");
    // A database that cannot be asked leaves the device as one nobody knows, until the phone asks again.
    if let Ok(Some(subscriber)) = shared.switch.store().subscriber(id).await {
        let aors = &subscriber.aors;
        device.written = aors.iter().any(|aor| !aor.contacts.is_empty());
        device.busy_at = usize::try_from(subscriber.endpoint.device_state_busy_at).unwrap_or(0);
        device.aors = Some(aors.iter().map(|aor| aor.id.clone()).collect());
    }
    device
}

impl Device {
    /// A phone, as far as it is known without asking the database: one that stands there has, as a rule, an
    /// address of record of its own name.
    pub(crate) fn known(shared: &Shared, id: &str) -> Self {
        let config = shared.switch.config();
        let mut device = Self {
            other: None,
            name: format!("PJSIP/{id}"),
            aors: None,
            written: false,
            busy_at: 0,
        };
        if let Some(known) = config.endpoints.get(id) {
            let aors = &known.endpoint.aors;
            let is_written = |aor: &String| {
                let aor = config.aors.get(aor);
                aor.is_some_and(|aor| !aor.contacts.is_empty())
            };
            device.written = aors.iter().any(is_written);
            device.busy_at = usize::try_from(known.endpoint.device_state_busy_at).unwrap_or(0);
            device.aors = Some(aors.clone());
        } else if !shared.location().contacts(id).is_empty() {
            device.aors = Some(vec![id.to_owned()]);
        }
        device
    }

    /// The call that makes it ring, the oldest of them.
    pub(crate) fn ringing(&self, moment: &Moment) -> Option<ChannelId> {
        moment.of(&self.name).rings
    }

    pub(crate) fn state(&self, shared: &Shared, moment: &mut Moment) -> State {
        if let Some(other) = &self.other {
            return moment.other(shared, other);
        }
        let Tally {
            ringing,
            in_use,
            held,
            ..
        } = moment.of(&self.name);
        let calls = ringing + in_use + held;
        if self.busy_at > 0 && calls >= self.busy_at {
            return State::Busy;
        }
        match (ringing, in_use, held) {
            (0, 0, 0) => self.state_without_calls(shared),
            (0, 0, _) => State::OnHold,
            (0, ..) => State::InUse,
            (_, 0, 0) => State::Ringing,
            _ => State::RingInUse,
        }
    }

    fn state_without_calls(&self, shared: &Shared) -> State {
        let Some(aors) = &self.aors else {
            return match self.name.is_empty() {
                true => State::Unknown,
                false => State::Invalid,
            };
        };
        let location = shared.location();
        let answers = aors.iter().any(|aor| {
            let mut contacts = location.contacts(aor).iter();
            contacts.any(crate::sip::location::Binding::answers)
        });
        // A written contact that does not answer its OPTIONS is known to the table.
        let silent = || {
            let mut written = aors.iter().flat_map(|aor| location.written(aor));
            written.any(|own| !own.answers())
        };
        match answers || (self.written && !silent()) {
            true => State::NotInUse,
            false => State::Unavailable,
        }
    }
}

/// How devices are at one moment, found out once for all who watch them: there may be many of both.
#[derive(Debug, Default)]
pub(crate) struct Moment {
    /// The calls of each phone.
    calls: BTreeMap<Box<str>, Tally>,
    /// Devices that are no phones of ours, as far as they were asked for.
    others: BTreeMap<Box<str>, State>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    ringing: usize,
    in_use: usize,
    held: usize,
    /// The oldest that rings.
    rings: Option<ChannelId>,
}

impl Moment {
    pub(crate) fn of_calls(calls: &[ChannelHandle]) -> Self {
        let mut moment = Self::default();
        for call in calls {
            if let Some(device) = device_of_channel(call.name()) {
                moment.add(device, call);
            }
        }
        moment
    }

    /// With the calls of this device alone.
    pub(crate) fn of_device(device: &Device, calls: &[ChannelHandle]) -> Self {
        let mut moment = Self::default();
        let is_own = |call: &&ChannelHandle| device_of_channel(call.name()) == Some(&device.name);
        for call in calls.iter().filter(is_own) {
            moment.add(&device.name, call);
        }
        moment
    }

    fn add(&mut self, device: &str, call: &ChannelHandle) {
        let info = call.info();
        let tally = self.calls.entry(device.into()).or_default();
        match info.state {
            ChannelState::Alerting => {
                tally.ringing += 1;
                tally.rings.get_or_insert_with(|| call.id());
            }
            ChannelState::Up if info.is_on_hold() => tally.held += 1,
            ChannelState::Up | ChannelState::Ringing => tally.in_use += 1,
            // The phone has not said anything yet: it is as it was, as in Asterisk.
            ChannelState::Dialling | ChannelState::Ended => {}
        }
    }

    fn of(&self, device: &str) -> Tally {
        self.calls.get(device).copied().unwrap_or_default()
    }

    fn other(&mut self, shared: &Shared, device: &str) -> State {
        if let Some(known) = self.others.get(device) {
            return *known;
        }
        let state = shared.switch.device_state(device);
        self.others.insert(device.into(), state);
        state
    }
}

/// `PJSIP/alice-00000001` is a call of `PJSIP/alice`.
fn device_of_channel(channel: &str) -> Option<&str> {
    channel.rsplit_once('-').map(|(device, _)| device)
}
