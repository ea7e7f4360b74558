//! `Hangup`.

use switch::{AppResult, Application, Args, Cause, Channel};

use crate::arguments::warn;

/// Hangs up.
pub(crate) static HANGUP: Application = Application {
    name: "Hangup",
    synopsis: "Hang up the call",
    doc: include_str!("hangup.md"),
    run: |call, args| Box::pin(run(call, args)),
};

async fn run(call: &mut Channel, args: Args<'_>) -> AppResult {
    let cause = match args.at(0).map(str::parse::<Cause>) {
        None => Cause::NormalClearing,
        Some(Ok(cause)) => cause,
        Some(Err(unknown)) => {
            warn(call, "Hangup", &args, unknown);
            Cause::NormalClearing
        }
    };
    Err(call.hangup(cause))
}
