//! `Goto`.

use switch::{AppResult, Application, Args, Channel, Interrupt};

use crate::arguments::{position, unusable};

/// Goes on elsewhere.
pub(crate) static GOTO: Application = Application {
    name: "Goto",
    synopsis: "Go on at another priority, extension or context",
    doc: include_str!("goto.md"),
    run: |call, args| Box::pin(run(call, args)),
};

async fn run(call: &mut Channel, args: Args<'_>) -> AppResult {
    match position(call, args.text(), ',') {
        Ok(to) => Err(Interrupt::Redirect(to)),
        Err(why) => Err(unusable(call, "Goto", &args, why)),
    }
}
