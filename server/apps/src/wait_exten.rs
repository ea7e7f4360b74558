//! `WaitExten`.

use std::time::Duration;

use media::Playable;
use switch::{AppResult, Application, Args, Cause, Channel, Interrupt, Position};

use crate::arguments::{unusable, warn};

/// Waits for the caller to dial.
pub(crate) static WAIT_EXTEN: Application = Application {
    name: "WaitExten",
    synopsis: "Wait for the caller to dial an extension",
    doc: include_str!("wait_exten.md"),
    run: |call, args| Box::pin(run(call, args)),
};

/// What is heard meanwhile.
enum Heard {
    Nothing,
    Music,
    Tone,
}

/// `m[(class)]` and `d`.
async fn begin(call: &mut Channel, args: &Args<'_>) -> Heard {
    let options = args.at(1).unwrap_or_default();
    let (letter, argument) = options.split_at(options.chars().next().map_or(0, char::len_utf8));
    let argument = argument
        .strip_prefix('(')
        .map(|text| text.trim_end_matches(')'));
    match letter {
        "" => return Heard::Nothing,
        "m" => {
            call.start_music(argument).await;
            return Heard::Music;
        }
        "d" => {
            if let Some(tone) = call.tone(argument.unwrap_or("dial")) {
                call.play_on(Playable::Tones(tone));
                return Heard::Tone;
            }
        }
        _ => {}
    }
    let what = format!("options `{options}` have no effect: there are m(class) and d(tone)");
    warn(call, "WaitExten", args, what);
    Heard::Nothing
}

async fn run(call: &mut Channel, args: Args<'_>) -> AppResult {
    let patience = match args.at(0).map(str::parse::<f64>) {
        None => call.response_timeout(),
        Some(Ok(seconds)) if seconds > 0.0 => {
            Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
        }
        Some(Ok(_)) => Duration::ZERO,
        Some(Err(_)) => {
            let why = "give a number of seconds, as in WaitExten(5)";
            return Err(unusable(call, "WaitExten", &args, why));
        }
    };
    let heard = begin(call, &args).await;
    let digit = call.read_digit_within(patience).await;
    match heard {
        Heard::Nothing => {}
        Heard::Music => call.stop_music(),
        Heard::Tone => call.stop_tones(),
    }
    if let Some(digit) = digit? {
        call.dials(&digit.to_string());
        return Ok(());
    }
    // As Asterisk does: on to the next priority if there is one, else to `t`.
    if call.has_next_priority().await? {
        return Ok(());
    }
    if call.has_extension("t").await?.unwrap_or(false) {
        return Err(Interrupt::Redirect(Position {
            context: call.at.context.clone(),
            exten: "t".to_owned(),
            priority: 1,
        }));
    }
    let what = "nothing dialled, and neither a next priority nor an extension t";
    warn(call, "WaitExten", &args, what);
    Err(call.hangup(Cause::NoUserResponse))
}
