//! `NoOp`: nothing, but seen in the log.

use std::future::ready;

use switch::{AppResult, Application, Args, Channel};

/// Does nothing.
pub(crate) static NOOP: Application = Application {
    name: "NoOp",
    synopsis: "Do nothing",
    doc: include_str!("noop.md"),
    run: |call, args| Box::pin(ready(run(call, args))),
};

fn run(call: &Channel, args: Args<'_>) -> AppResult {
    tracing::debug!(channel = call.name(), "NoOp({})", args.text());
    Ok(())
}
