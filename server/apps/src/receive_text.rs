//! `ReceiveText`: a text of the far end within the call.

use std::time::Duration;

use switch::{AppResult, Application, Args, Channel, Happened};
use tokio::time::Instant;

/// Waits for a text of the far end.
pub(crate) static RECEIVE_TEXT: Application = Application {
    name: "ReceiveText",
    synopsis: "Wait for a text of the far end within the call",
    doc: include_str!("receive_text.md"),
    run: |call, args| Box::pin(run(call, args)),
};

/// The longest one waits for a text: longer than any call.
const WAIT_MAX: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

async fn run(call: &mut Channel, args: Args<'_>) -> AppResult {
    let seconds = args.at(0).unwrap_or("0").parse::<f64>();
    let seconds = seconds.ok().filter(|seconds| *seconds > 0.0);
    let patience = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let end = Instant::now() + patience.unwrap_or(WAIT_MAX).min(WAIT_MAX);
    let text = loop {
        match call.next_until(end).await? {
            Some(Happened::Text(text)) => break Some(text.body),
            Some(_) => {}
            None => break None,
        }
    };
    let status = match &text {
        Some(_) => "SUCCESS",
        None => "FAILURE",
    };
    // One too long is told by Set itself.
    let _ = call
        .vars
        .set("RECEIVETEXTMESSAGE", text.as_deref().unwrap_or_default());
    let _ = call.vars.set("RECEIVETEXTSTATUS", status);
    Ok(())
}
