//! `Wait`.

use std::time::Duration;

use switch::{AppResult, Application, Args, Channel};

use crate::arguments::warn;

/// Waits.
pub(crate) static WAIT: Application = Application {
    name: "Wait",
    synopsis: "Wait for some seconds",
    doc: include_str!("wait.md"),
    run: |call, args| Box::pin(run(call, args)),
};

async fn run(call: &mut Channel, args: Args<'_>) -> AppResult {
    let seconds = args.at(0).map(str::parse::<f64>);
    let Some(Ok(seconds)) = seconds else {
        warn(
            call,
            "Wait",
            &args,
            "give a number of seconds, as in Wait(0.5); not waiting",
        );
        return Ok(());
    };
    // What is negative or not a number is no time at all; what no clock can hold is for ever.
    let duration = if seconds > 0.0 {
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    } else {
        Duration::ZERO
    };
    call.wait(duration).await
}
