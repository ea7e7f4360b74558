//! `Answer`.

use std::time::Duration;

use switch::{AppResult, Application, Args, Channel};

use crate::arguments::unusable;

/// Answers the call.
pub(crate) static ANSWER: Application = Application {
    name: "Answer",
    synopsis: "Answer a call that rings",
    doc: include_str!("answer.md"),
    run: |call, args| Box::pin(run(call, args)),
};

async fn run(call: &mut Channel, args: Args<'_>) -> AppResult {
    let delay = match args.at(0).map(str::parse::<u32>) {
        None => Duration::ZERO,
        Some(Ok(delay_ms)) => Duration::from_millis(delay_ms.into()),
        Some(Err(_)) => {
            return Err(unusable(
                call,
                "Answer",
                &args,
                "the delay is a number of milliseconds",
            ));
        }
    };
    if call.is_up() {
        // Who sent it here may want to know that it has arrived.
        call.fares(200);
        return Ok(());
    }
    call.answer().await?;
    if delay.is_zero() {
        Ok(())
    } else {
        call.wait(delay).await
    }
}
