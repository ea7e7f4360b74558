//! `Transfer`.

use switch::{AppResult, Application, Args, Channel};

use crate::arguments::unusable;

/// Sends the far end on.
pub(crate) static TRANSFER: Application = Application {
    name: "Transfer",
    synopsis: "Ask the far end to call somebody else instead",
    doc: include_str!("transfer.md"),
    run: |call, args| Box::pin(run(call, args)),
};

async fn run(call: &mut Channel, args: Args<'_>) -> AppResult {
    let Some(destination) = args.at(0) else {
        set(call, "FAILURE", 0);
        let why = "name whom the far end is to call, as in Transfer(PJSIP/100)";
        return Err(unusable(call, "Transfer", &args, why));
    };
    let (technology, to) = match destination.split_once('/') {
        Some((technology, to)) => (technology, to),
        None => ("PJSIP", destination),
    };
    if !technology.eq_ignore_ascii_case("PJSIP") || to.is_empty() {
        set(call, "UNSUPPORTED", 0);
        return Ok(());
    }
    // What was asked for before the answer ends the call, and `h` sees how it went.
    set(call, "SUCCESS", 302);
    match call.send_away(to).await? {
        Some(status) if (200..300).contains(&status) => set(call, "SUCCESS", status),
        Some(status) => set(call, "FAILURE", status),
        None => set(call, "FAILURE", 0),
    }
    Ok(())
}

fn set(call: &mut Channel, status: &str, code: u16) {
    // Short values; a full table is told by Set itself.
    let _ = call.vars.set("TRANSFERSTATUS", status);
    let _ = call.vars.set("TRANSFERSTATUSPROTOCOL", &code.to_string());
}
