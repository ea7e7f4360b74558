//! `ChanIsAvail`.

use switch::{AppResult, Application, Args, Channel, DeviceState};

use crate::arguments::{unusable, warn};

/// Says who could be called.
pub(crate) static CHAN_IS_AVAIL: Application = Application {
    name: "ChanIsAvail",
    synopsis: "Find out who could be called now",
    doc: include_str!("chan_is_avail.md"),
    run: |call, args| Box::pin(run(call, args)),
};

/// Destinations that are looked at.
const DESTINATIONS_MAX: usize = 64;

async fn run(call: &mut Channel, args: Args<'_>) -> AppResult {
    let Some(destinations) = args.at(0) else {
        let why = "name whom to look for, as in ChanIsAvail(PJSIP/alice)";
        return Err(unusable(call, "ChanIsAvail", &args, why));
    };
    let options = args.at(1).unwrap_or_default();
    if let Some(other) = options.chars().find(|option| !"ast".contains(*option)) {
        let what = format!("option `{other}` has no effect; there are a, s and t");
        warn(call, "ChanIsAvail", &args, what);
    }
    let has = |option: char| options.contains(option);
    let (mut names, mut found, mut states, mut cause) = (Vec::new(), Vec::new(), Vec::new(), 0);
    let all = destinations.split('&').map(str::trim);
    for destination in all.filter(|it| !it.is_empty()).take(DESTINATIONS_MAX) {
        let switch = call.switch().clone();
        let state = switch.device_state(destination);
        states.push(number(state).to_string());
        let is_idle = matches!(state, DeviceState::Unknown | DeviceState::NotInUse);
        if (has('s') || has('t')) && !is_idle {
            continue;
        }
        let name = match call.during(switch.find(destination)).await? {
            Ok(targets) => targets.into_iter().next().map(|target| target.name),
            Err(unreachable) => {
                cause = unreachable.cause().q850();
                None
            }
        };
        if let Some(name) = name {
            cause = 0;
            names.push(format!("{name}-{:08x}", switch.lucky()));
            found.push(destination.to_owned());
            if !has('a') {
                break;
            }
        }
    }
    let results = [
        ("AVAILCHAN", names.join("&")),
        ("AVAILORIGCHAN", found.join("&")),
        ("AVAILSTATUS", states.join("&")),
        ("AVAILCAUSECODE", cause.to_string()),
    ];
    for (name, value) in results {
        if let Err(why) = call.vars.set(name, &value) {
            warn(call, "ChanIsAvail", &args, why);
        }
    }
    Ok(())
}

/// Asterisk's number of a state.
fn number(state: DeviceState) -> u8 {
    match state {
        DeviceState::Unknown => 0,
        DeviceState::NotInUse => 1,
        DeviceState::InUse => 2,
        DeviceState::Busy => 3,
        DeviceState::Invalid => 4,
        DeviceState::Unavailable => 5,
        DeviceState::Ringing => 6,
        DeviceState::RingInUse => 7,
        DeviceState::OnHold => 8,
    }
}
