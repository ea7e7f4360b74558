//! `BlindTransfer` and `AttnTransfer`: what a party of a conversation runs to have the other one sent on.
//!
//! They run where one of two parties is led aside: as a feature of `[applicationmap]`, or in a subroutine of one. What
//! they ask for is done when that is over.

use switch::{AppResult, Application, Args, Channel, Onward, Position};

use crate::arguments::warn;

/// Sends the other party on.
pub(crate) static BLIND_TRANSFER: Application = Application {
    name: "BlindTransfer",
    synopsis: "Send the other party of the conversation to an extension",
    doc: include_str!("blind_transfer.md"),
    run: |call, args| {
        Box::pin(async move {
            let status = ask(call, &args, "BlindTransfer", Onward::Blind).await?;
            set(call, "BLINDTRANSFERSTATUS", status);
            Ok(())
        })
    },
};

/// Calls somebody before the other party is sent there.
pub(crate) static ATTN_TRANSFER: Application = Application {
    name: "AttnTransfer",
    synopsis: "Call an extension before the other party of the conversation is sent there",
    doc: include_str!("attn_transfer.md"),
    run: |call, args| {
        Box::pin(async move {
            let status = ask(call, &args, "AttnTransfer", Onward::Attended).await?;
            set(call, "ATTENDEDTRANSFERSTATUS", status);
            Ok(())
        })
    },
};

/// Asks for it; how that went.
async fn ask(
    call: &mut Channel,
    args: &Args<'_>,
    name: &str,
    onward: fn(Position) -> Onward,
) -> AppResult<&'static str> {
    let Some(exten) = args.at(0) else {
        let what = format!("name an extension, as in {name}(100)");
        warn(call, name, args, what);
        return Ok("INVALID");
    };
    if !call.is_aside() {
        warn(call, name, args, "the channel talks to nobody");
        return Ok("FAILURE");
    }
    if !call.endpoint().allow_transfer {
        return Ok("NOTPERMITTED");
    }
    let context = args.at(1).map(str::to_owned);
    let to = Position {
        context: context.unwrap_or_else(|| call.transfer_context()),
        exten: exten.to_owned(),
        priority: 1,
    };
    let (switch, caller) = (call.switch().clone(), call.caller.number.clone());
    let known = switch.has_extension(&to.context, &to.exten, Some(&caller));
    match call.during(known).await? {
        Ok(true) => {
            call.send_other(onward(to));
            Ok("SUCCESS")
        }
        Ok(false) => Ok("INVALID"),
        Err(why) => {
            warn(call, name, args, why);
            Ok("FAILURE")
        }
    }
}

fn set(call: &mut Channel, name: &str, status: &str) {
    // Short values; a full table is told by Set itself.
    let _ = call.vars.set(name, status);
}
