//! `WaitForSilence` and `WaitForNoise`.

use std::time::Duration;

use switch::{AppResult, Application, Args, Channel};
use tokio::time::Instant;

use crate::arguments::{arrived, warn};
use crate::record::{FOR_EVER, LOOK};

/// Waits until nothing is heard.
pub(crate) static WAIT_FOR_SILENCE: Application = Application {
    name: "WaitForSilence",
    synopsis: "Wait until the caller is silent",
    doc: include_str!("wait_for_silence.md"),
    run: |call, args| Box::pin(run(call, args, false)),
};

/// Waits until something is heard.
pub(crate) static WAIT_FOR_NOISE: Application = Application {
    name: "WaitForNoise",
    synopsis: "Wait until the caller is heard",
    doc: include_str!("wait_for_noise.md"),
    run: |call, args| Box::pin(run(call, args, true)),
};

async fn run(call: &mut Channel, args: Args<'_>, noise: bool) -> AppResult {
    let (application, reached) = match noise {
        true => ("WaitForNoise", "NOISE"),
        false => ("WaitForSilence", "SILENCE"),
    };
    let mut number = |index: usize, otherwise: u64| match args.at(index).map(str::parse) {
        None | Some(Ok(0)) => otherwise,
        Some(Ok(number)) => number,
        Some(Err(_)) => {
            let what = format!("'{}' is no number", args.at(index).unwrap_or_default());
            warn(call, application, &args, what);
            otherwise
        }
    };
    let wanted = Duration::from_millis(number(0, 1000));
    let times = number(1, 1);
    let timeout = Duration::from_secs(number(2, FOR_EVER.as_secs())).min(FOR_EVER);
    let id = match call.listen_in().await? {
        Ok(id) => id,
        Err(why) => {
            warn(call, application, &args, why);
            return Ok(());
        }
    };
    arrived(call);
    let heard = listen(call, id, (wanted, times, timeout), noise).await;
    call.stop_recording(Some(id));
    let status = match heard? {
        true => reached,
        false => "TIMEOUT",
    };
    if let Err(why) = call.vars.set("WAITSTATUS", status) {
        warn(call, application, &args, why);
    }
    Ok(())
}

/// `false`: the time is over.
async fn listen(
    call: &mut Channel,
    id: u64,
    (wanted, times, timeout): (Duration, u64, Duration),
    noise: bool,
) -> AppResult<bool> {
    let mut since = Instant::now();
    let end = since + timeout;
    let (mut loud, mut left) = (call.loud(id), times);
    loop {
        let next = end.min(Instant::now() + LOOK);
        while call.next_until(next).await?.is_some() {}
        let now = Instant::now();
        let is_loud = std::mem::replace(&mut loud, call.loud(id)) != loud;
        if is_loud != noise {
            since = now;
        }
        if now >= since + wanted {
            left -= 1;
            since = now;
        }
        if left == 0 {
            return Ok(true);
        }
        if now >= end {
            return Ok(false);
        }
    }
}
