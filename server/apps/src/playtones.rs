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
    let script = match call.tone(text.trim()) {
        Some(script) => script,
        None => match ToneScript::parse(&text) {
            Ok(script) => script,
            Err(why) => {
                let config = call.switch().config();
                let names: Vec<&str> = config.indications.names().collect();
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
