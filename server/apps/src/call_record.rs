//! `NoCDR` and `ResetCDR`.

use std::future::ready;

use switch::{AppResult, Application, Args, Channel};

/// No record is written.
pub(crate) static NO_CDR: Application = Application {
    name: "NoCDR",
    synopsis: "Write no record of this call",
    doc: include_str!("no_cdr.md"),
    run: |call, _| {
        call.record_mut().set_enabled(false);
        Box::pin(ready(Ok(())))
    },
};

/// The record begins anew.
pub(crate) static RESET_CDR: Application = Application {
    name: "ResetCDR",
    synopsis: "Let the record of the call begin anew",
    doc: include_str!("reset_cdr.md"),
    run: |call, args| Box::pin(ready(reset(call, args))),
};

fn reset(call: &mut Channel, args: Args<'_>) -> AppResult {
    let keeps = args.at(0).is_some_and(|options| options.contains('v'));
    let record = call.record_mut();
    record.restart();
    if !keeps {
        record.forget_variables();
    }
    Ok(())
}
