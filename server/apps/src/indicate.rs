//! What a caller is told or hears of its call: `Ringing`, `Progress`, `Proceeding`, `Busy`, `Congestion`,
//! `Milliwatt`.

use std::time::Duration;

use codec::ToneScript;
use media::Playable;
use switch::{AppResult, Application, Args, Cause, Channel};

use crate::arguments::{arrived, warn};

/// Alerts the caller.
pub(crate) static RINGING: Application = Application {
    name: "Ringing",
    synopsis: "Tell the caller that it rings",
    doc: include_str!("ringing.md"),
    run: |call, _| {
        Box::pin(async move {
            match call.is_up() {
                true => hear(call, "ring"),
                false => call.ring(),
            }
            Ok(())
        })
    },
};

/// Lets the caller hear what comes before the answer.
pub(crate) static PROGRESS: Application = Application {
    name: "Progress",
    synopsis: "Let the caller hear what comes before the answer",
    doc: include_str!("progress.md"),
    run: |call, _| {
        Box::pin(async move {
            if !call.is_up() {
                call.early().await?;
            }
            Ok(())
        })
    },
};

/// Nothing: the caller knows already.
pub(crate) static PROCEEDING: Application = Application {
    name: "Proceeding",
    synopsis: "Tell the caller that its call is dealt with, which it has been told",
    doc: include_str!("proceeding.md"),
    run: |_, _| Box::pin(async { Ok(()) }),
};

/// Tells the caller that somebody is busy.
pub(crate) static BUSY: Application = Application {
    name: "Busy",
    synopsis: "Tell the caller that the other party is busy, and end the call",
    doc: include_str!("busy.md"),
    run: |call, args| Box::pin(refuse(call, "Busy", args, Cause::UserBusy, "busy")),
};

/// Tells the caller that there is no way through.
pub(crate) static CONGESTION: Application = Application {
    name: "Congestion",
    synopsis: "Tell the caller that there is no way through, and end the call",
    doc: include_str!("congestion.md"),
    run: |call, args| {
        let cause = Cause::NormalCircuitCongestion;
        Box::pin(refuse(call, "Congestion", args, cause, "congestion"))
    },
};

/// A tone to measure with.
pub(crate) static MILLIWATT: Application = Application {
    name: "Milliwatt",
    synopsis: "Play a tone of 1004 Hz until the caller hangs up",
    doc: include_str!("milliwatt.md"),
    run: |call, args| Box::pin(milliwatt(call, args)),
};

fn hear(call: &mut Channel, name: &str) {
    if let Some(tones) = call.tone(name) {
        call.play_on(Playable::Tones(tones));
    }
}

/// Who has not been answered is refused; who has hears a tone, for so long or until it hangs up.
async fn refuse(
    call: &mut Channel,
    own: &str,
    args: Args<'_>,
    cause: Cause,
    tone: &str,
) -> AppResult {
    if !call.is_up() {
        return Err(call.hangup(cause));
    }
    call.set_cause(cause);
    hear(call, tone);
    let patience = match args.at(0).map(str::parse::<f64>) {
        None => None,
        Some(Ok(seconds)) => Duration::try_from_secs_f64(seconds).ok(),
        Some(Err(_)) => {
            let what = "the timeout is no number of seconds; it lasts until the caller hangs up";
            warn(call, own, &args, what);
            None
        }
    };
    match patience.filter(|patience| !patience.is_zero()) {
        Some(patience) => call.wait(patience).await?,
        None => loop {
            call.next().await?;
        },
    }
    Err(call.hangup(cause))
}

async fn milliwatt(call: &mut Channel, args: Args<'_>) -> AppResult {
    call.answer().await?;
    let script = match args.at(0) {
        Some(options) if options.contains('m') => "1004/9000,0/1000",
        _ => "1004",
    };
    let tones = ToneScript::parse(script).expect("a tone of a known length");
    call.play_on(Playable::Tones(tones));
    arrived(call);
    loop {
        call.next().await?;
    }
}
