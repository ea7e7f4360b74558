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
        None => as_it_went(call),
        Some(Ok(cause)) => cause,
        Some(Err(unknown)) => {
            warn(call, "Hangup", &args, unknown);
            as_it_went(call)
        }
    };
    Err(call.hangup(cause))
}

/// What became of the last call that was dialled: the caller of a busy phone is told that it is busy. Who was
/// answered since then, by a mailbox for instance, has had its call.
fn as_it_went(call: &Channel) -> Cause {
    let dialled = call.cause().filter(|_| !call.is_up());
    dialled.unwrap_or(Cause::NormalClearing)
}
