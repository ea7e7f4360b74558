//! `WaitUntil`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use switch::{AppResult, Application, Args, Channel};

use crate::arguments::warn;

/// Waits until a moment.
pub(crate) static WAIT_UNTIL: Application = Application {
    name: "WaitUntil",
    synopsis: "Wait until a moment",
    doc: include_str!("wait_until.md"),
    run: |call, args| Box::pin(run(call, args)),
};

async fn run(call: &mut Channel, args: Args<'_>) -> AppResult {
    let moment = args.at(0).and_then(|text| text.parse::<f64>().ok());
    let moment = moment.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let status = match moment.map(|moment| moment.checked_sub(now)) {
        None => {
            warn(
                call,
                "WaitUntil",
                &args,
                "give the seconds since 1970, as in WaitUntil(${EPOCH})",
            );
            "FAILURE"
        }
        Some(None) => "PAST",
        Some(Some(left)) => {
            call.wait(left).await?;
            "OK"
        }
    };
    if let Err(why) = call.vars.set("WAITUNTILSTATUS", status) {
        warn(call, "WaitUntil", &args, why);
    }
    Ok(())
}
