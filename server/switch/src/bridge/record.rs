//! A recording that is begun and ended by digits, under the names of `TOUCH_MIXMONITOR` and the like.

use std::time::{SystemTime, UNIX_EPOCH};

use media::{RecordSpec, Side};

use super::{Goes, Party, Talk, parted};
use crate::channel::{Channel, Instead};
use crate::features::Touch;

/// Where the number of a touched recording is kept on the channel that is recorded.
const RUNNING: &str = "TOUCH_RECORDING";

impl Talk<'_> {
    pub(super) async fn record(&mut self, side: Party, touch: Touch) -> Goes {
        let prefix = match touch {
            Touch::Monitor => "TOUCH_MONITOR",
            Touch::MixMonitor => "TOUCH_MIXMONITOR",
        };
        let (own, other) = self.pair(side);
        let running = own.vars.value(RUNNING).and_then(|it| it.parse().ok());
        if let Some(id) = running.filter(|id| own.is_recording(*id)) {
            own.stop_recording(Some(id));
            // Taking a variable away cannot fail.
            let _ = own.vars.set(RUNNING, "");
            let said = message(own, prefix, "STOP");
            return self.both_hear(side, said, Instead::Beep).await;
        }
        let name = name_of(own, other, prefix);
        let recorded = match own.recording_file(&name) {
            Err(why) => Err(why),
            Ok((file, format)) => {
                let spec = RecordSpec {
                    rate_hz: format.rate_hz(),
                    files: vec![(file.clone(), format, vec![Side::Heard, Side::Said])],
                    is_appended: false,
                    volume: [0; 2],
                };
                let begun = own.record_sound(spec).await;
                begun
                    .map_err(|interrupt| parted(side, true, interrupt))?
                    .map(|id| (id, file))
            }
        };
        let (own, other) = self.pair(side);
        match recorded {
            Ok((id, file)) => {
                let _ = own.vars.set(RUNNING, &id.to_string());
                for channel in [&mut *own, other] {
                    let output = format!("{prefix}_OUTPUT");
                    // A path too long for a variable stays unset.
                    let _ = channel.vars.set(&output, &file.display().to_string());
                }
                let said = message(own, prefix, "START");
                self.both_hear(side, said, Instead::Beep).await
            }
            Err(why) => {
                tracing::warn!(channel = own.name(), "not recorded: {why}");
                let failed = own.features().general.recording_fail_sound;
                match failed {
                    Some(sound) => {
                        self.tells(side, sound, Instead::Refusal).await?;
                        self.rejoin().await
                    }
                    None => Ok(()),
                }
            }
        }
    }

    /// Lets both hear a sound, one after the other; none if its name is empty.
    async fn both_hear(&mut self, side: Party, sound: String, instead: Instead) -> Goes {
        if sound.is_empty() {
            return Ok(());
        }
        self.tells(side, sound.clone(), instead).await?;
        self.tells(side.other(), sound, instead).await?;
        self.rejoin().await
    }
}

/// What both hear: the message that was set, or else the courtesy tone.
fn message(own: &Channel, prefix: &str, when: &str) -> String {
    let set = own.vars.value(&format!("{prefix}_MESSAGE_{when}"));
    let tone = || own.features().general.courtesy_tone.unwrap_or_default();
    set.map_or_else(tone, str::to_owned)
}

/// `auto-1700000000-alice-bob.wav`, or with the name that was set in place of the two.
fn name_of(own: &Channel, other: &Channel, prefix: &str) -> String {
    let set = |what: &str| own.vars.value(&format!("{prefix}{what}"));
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.unwrap_or_default().as_secs();
    let plain = |text: &str| -> String {
        let is_plain = |c: &char| c.is_alphanumeric() || matches!(c, '-' | '_' | '+');
        text.chars().filter(is_plain).collect()
    };
    let begin = set("_PREFIX").unwrap_or("auto");
    let ending = set("_FORMAT").unwrap_or("wav");
    match set("") {
        Some(name) => format!("{begin}-{now}-{name}.{ending}"),
        None => {
            let (one, two) = (plain(&own.caller.number), plain(&other.caller.number));
            format!("{begin}-{now}-{one}-{two}.{ending}")
        }
    }
}
