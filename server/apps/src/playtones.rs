//! `Playtones` and `StopPlaytones`.

use codec::ToneScript;
use media::Playable;
use switch::{AppResult, Application, Args, Channel};

use crate::arguments::{unusable, warn};

/// Plays tones while the dial plan goes on.
pub(crate) static PLAYTONES: Application = Application {
    name: "Playtones",
    synopsis: "Play tones while the dial plan goes on",
    doc: include_str!("playtones.md"),
    run: |call, args| Box::pin(run(call, args)),
};

/// Ends them.
pub(crate) static STOP_PLAYTONES: Application = Application {
    name: "StopPlaytones",
    synopsis: "End the tones that Playtones began",
    doc: include_str!("stop_playtones.md"),
    run: |call, _| {
        Box::pin(async move {
            call.stop_tones();
            Ok(())
        })
    },
};

async fn run(call: &mut Channel, args: Args<'_>) -> AppResult {
    // Commas of a list may be written `\,`.
    let text = args.text().replace('\\', "");
    let script = match signal(text.trim()) {
        Some(script) => script,
        None => match ToneScript::parse(&text) {
            Ok(script) => script,
            Err(why) => {
                let names: Vec<&str> = SIGNALS.iter().map(|(name, _)| *name).collect();
                let why = format!("{why}, nor one of the names {}", names.join(", "));
                return Err(unusable(call, "Playtones", &args, why));
            }
        },
    };
    if !call.is_up() && !call.early().await? {
        let what = "the call is not answered, so nobody hears it; put Answer() before it";
        warn(call, "Playtones", &args, what);
    }
    call.play_on(Playable::Tones(script));
    Ok(())
}

/// The tones of this name.
pub(crate) fn signal(name: &str) -> Option<ToneScript> {
    let (_, list) = SIGNALS.iter().find(|(known, _)| *known == name)?;
    ToneScript::parse(list).ok()
}

/// The signals of North America, under the names of Asterisk's `indications.conf`.
const SIGNALS: &[(&str, &str)] = &[
    ("dial", "350+440"),
    ("busy", "480+620/500,0/500"),
    ("ring", "440+480/2000,0/4000"),
    ("congestion", "480+620/250,0/250"),
    ("callwaiting", "440/300,0/10000"),
    (
        "dialrecall",
        "!350+440/100,!0/100,!350+440/100,!0/100,!350+440/100,!0/100,350+440",
    ),
    ("record", "1400/500,0/15000"),
    ("info", "!950/330,!1400/330,!1800/330,0"),
    (
        "stutter",
        "!350+440/100,!0/100,!350+440/100,!0/100,!350+440/100,!0/100,!350+440/100,!0/100,\
         !350+440/100,!0/100,!350+440/100,!0/100,350+440",
    ),
];

#[cfg(test)]
mod tests {
    use super::{SIGNALS, signal};

    #[test]
    fn every_signal_is_a_list_of_tones() {
        assert!(SIGNALS.iter().all(|(name, _)| signal(name).is_some()));
        assert_eq!(signal("engaged"), None);
    }
}
