//! `RetryDial`.

use std::time::Duration;

use media::Playable;
use switch::{AppResult, Application, Args, Channel, Interrupt};

use crate::arguments::{unusable, warn};
use crate::condition::split;
use crate::dial::{DIAL, exit_by};

/// Calls again and again.
pub(crate) static RETRY_DIAL: Application = Application {
    name: "RetryDial",
    synopsis: "Call again and again until somebody answers",
    doc: include_str!("retry_dial.md"),
    run: |call, args| Box::pin(run(call, args)),
};

/// Between two calls, if nothing else is said.
const PAUSE: Duration = Duration::from_secs(10);

/// The shortest pause: a call to nobody ends at once, and must not be made again without a breath.
const PAUSE_MIN: Duration = Duration::from_secs(1);

/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(24 * 3600);

async fn run(call: &mut Channel, args: Args<'_>) -> AppResult {
    let parts = split(args.text(), ',').and_then(|(announce, rest)| {
        let (seconds, rest) = split(rest, ',')?;
        let (retries, dial) = split(rest, ',')?;
        Some((announce.trim(), seconds.trim(), retries.trim(), dial))
    });
    let Some((announce, seconds, retries, dial)) =
        parts.filter(|(.., dial)| !dial.trim().is_empty())
    else {
        let why = "write it as RetryDial(announce,seconds,retries,PJSIP/alice,30)";
        return Err(unusable(call, "RetryDial", &args, why));
    };
    let pause = match seconds {
        "" => PAUSE,
        text => match text.parse().map(Duration::try_from_secs_f64) {
            Ok(Ok(pause)) => pause.clamp(PAUSE_MIN, PAUSE_MAX),
            _ => {
                let what = format!("'{text}' is no number of seconds; 10 it is");
                warn(call, "RetryDial", &args, what);
                PAUSE
            }
        },
    };
    // Below zero is without end; nothing, or no number, is once.
    let mut left: i64 = retries.parse().unwrap_or(1);
    if left == 0 {
        left = 1;
    }
    while left != 0 {
        (DIAL.run)(call, Args::new(dial, args.file(), args.line())).await?;
        let status = call.vars.value("DIALSTATUS").unwrap_or_default();
        if matches!(status, "ANSWER" | "INVALIDARGS") {
            return Ok(());
        }
        if let Some(ended) = call.ended() {
            return Err(Interrupt::Hangup(ended));
        }
        let pressed = wait(call, &args, announce, pause).await?;
        if let Some(digit) = pressed
            && let Some(to) = exit_by(call, digit).await?
        {
            return Err(Interrupt::Redirect(to));
        }
        left = left.saturating_sub(1).max(-1);
    }
    Ok(())
}

/// The caller hears that it goes on, and music; the digit it presses.
async fn wait(
    call: &mut Channel,
    args: &Args<'_>,
    announce: &str,
    pause: Duration,
) -> AppResult<Option<char>> {
    let mut pressed = None;
    if !announce.is_empty() {
        match call.sound(announce).await? {
            Ok(sound) => pressed = call.play(Playable::Sound(sound), |_| true).await?,
            Err(why) => warn(call, "RetryDial", args, why),
        }
    }
    if pressed.is_none() {
        call.start_music(None).await;
        let waited = call.read_digit_within(pause).await;
        call.stop_music();
        pressed = waited?;
    }
    Ok(pressed)
}
