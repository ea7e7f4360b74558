//! `SendDTMF`.

use std::time::Duration;

use media::{Digit, DigitEvent};
use switch::{AppResult, Application, Args, Channel, Control, DigitStep, digit_steps};

use crate::arguments::warn;

/// Sends digits to the far end.
pub(crate) static SEND_DTMF: Application = Application {
    name: "SendDTMF",
    synopsis: "Send digits to the caller or to another channel",
    doc: include_str!("send_dtmf.md"),
    run: |call, args| Box::pin(run(call, args)),
};

async fn run(call: &mut Channel, args: Args<'_>) -> AppResult {
    let Some(digits) = args.at(0) else {
        let what = "name the digits, as in SendDTMF(1234#); nothing is sent";
        warn(call, "SendDTMF", &args, what);
        return Ok(());
    };
    let pause = milliseconds(call, &args, 1, PAUSE);
    let duration = milliseconds(call, &args, 2, DURATION);
    let unknown = digit_steps(digits).find(|step| matches!(step, DigitStep::Unknown(_)));
    if let Some(DigitStep::Unknown(character)) = unknown {
        let what =
            format!("`{character}` is no digit and is passed over; there are 0-9 * # A-D w W");
        warn(call, "SendDTMF", &args, what);
    }
    match args.at(3).filter(|name| *name != call.name()) {
        None => call.send_digits(digits, duration, pause).await,
        Some(name) => elsewhere(call, &args, name, digits, (duration, pause)).await,
    }
}

/// The digits go to the far end of another channel, in the time of this one.
async fn elsewhere(
    call: &mut Channel,
    args: &Args<'_>,
    name: &str,
    digits: &str,
    (duration, pause): (Duration, Duration),
) -> AppResult {
    let Some(other) = call.switch().directory().by_name(name) else {
        let what = format!("there is no channel '{name}'; nothing is sent");
        warn(call, "SendDTMF", args, what);
        return Ok(());
    };
    for step in digit_steps(digits) {
        let length = match step {
            DigitStep::Digit(digit) => {
                let event = DigitEvent::Ended(Digit { digit, duration });
                if !other.control(Control::Digit(event)) {
                    let what = format!("channel '{name}' is gone");
                    warn(call, "SendDTMF", args, what);
                    return Ok(());
                }
                duration + pause
            }
            DigitStep::Pause(length) => length,
            DigitStep::Unknown(_) => continue,
        };
        call.during(tokio::time::sleep(length)).await?;
    }
    Ok(())
}

/// As in Asterisk, what is not above 0 is the usual time.
fn milliseconds(call: &mut Channel, args: &Args<'_>, index: usize, usual: Duration) -> Duration {
    let Some(text) = args.at(index) else {
        return usual;
    };
    match text.parse::<u64>() {
        Ok(0) => usual,
        Ok(ms) => Duration::from_millis(ms).min(LENGTH_MAX),
        Err(_) => {
            let what = format!(
                "`{text}` is no number of milliseconds; {} it is",
                usual.as_millis()
            );
            warn(call, "SendDTMF", args, what);
            usual
        }
    }
}

/// As in Asterisk.
pub(crate) const PAUSE: Duration = Duration::from_millis(250);
pub(crate) const DURATION: Duration = Duration::from_millis(100);
/// Of a digit, and of the silence after it.
const LENGTH_MAX: Duration = Duration::from_secs(60);
