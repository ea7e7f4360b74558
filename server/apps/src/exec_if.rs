//! `ExecIf`, `ExecIfTime`, `Exec`, `TryExec`.

use switch::{AppResult, Application, Args, Channel, Interrupt, Timing, pbx};

use crate::arguments::{unusable, warn};
use crate::clock::now;
use crate::condition::{branches, call_of, holds};

/// Runs one of two applications.
pub(crate) static EXEC_IF: Application = Application {
    name: "ExecIf",
    synopsis: "Run one of two applications, as a condition says",
    doc: include_str!("exec_if.md"),
    run: |call, args| Box::pin(exec_if(call, args)),
};

/// Runs an application at certain times.
pub(crate) static EXEC_IF_TIME: Application = Application {
    name: "ExecIfTime",
    synopsis: "Run an application, if the time and the date say so",
    doc: include_str!("exec_if_time.md"),
    run: |call, args| Box::pin(exec_if_time(call, args)),
};

/// Runs an application that a variable names.
pub(crate) static EXEC: Application = Application {
    name: "Exec",
    synopsis: "Run an application whose name is computed",
    doc: include_str!("exec.md"),
    run: |call, args| Box::pin(exec(call, args)),
};

/// The same, whatever comes of it.
pub(crate) static TRY_EXEC: Application = Application {
    name: "TryExec",
    synopsis: "Run an application whose name is computed, and go on whatever comes of it",
    doc: include_str!("try_exec.md"),
    run: |call, args| Box::pin(try_exec(call, args)),
};

async fn exec_if(call: &mut Channel, args: Args<'_>) -> AppResult {
    let Some((condition, rest)) = args.text().split_once('?') else {
        let why = "write it as ExecIf(condition?application(arguments):application(arguments))";
        return Err(unusable(call, "ExecIf", &args, why));
    };
    let (yes, no) = branches(rest);
    run(
        call,
        "ExecIf",
        &args,
        if holds(condition) { yes } else { no },
    )
    .await
}

async fn exec_if_time(call: &mut Channel, args: Args<'_>) -> AppResult {
    let Some((times, rest)) = args.text().split_once('?') else {
        let why = "write it as ExecIfTime(times,weekdays,days,months?application(arguments))";
        return Err(unusable(call, "ExecIfTime", &args, why));
    };
    let timing = Timing::parse(times).map_err(|why| why.to_string());
    let holds = timing.and_then(|timing| Ok(timing.holds(&now(timing.zone())?)));
    match holds {
        Ok(true) => run(call, "ExecIfTime", &args, rest).await,
        Ok(false) => Ok(()),
        Err(why) => {
            let what = format!("{why}; taken as a time that does not hold");
            warn(call, "ExecIfTime", &args, what);
            Ok(())
        }
    }
}

async fn exec(call: &mut Channel, args: Args<'_>) -> AppResult {
    run(call, "Exec", &args, args.text()).await
}

async fn try_exec(call: &mut Channel, args: Args<'_>) -> AppResult {
    let (name, arguments) = call_of(args.text());
    let status = match pbx::execute(call, name, arguments, &args).await {
        Some(Err(interrupt @ (Interrupt::Join(_) | Interrupt::Park(_)))) => return Err(interrupt),
        Some(Err(interrupt @ Interrupt::Hangup(_))) if call.ended().is_some() => {
            return Err(interrupt);
        }
        Some(Err(interrupt @ Interrupt::Redirect(_))) => {
            set(call, "SUCCESS");
            return Err(interrupt);
        }
        Some(Ok(())) => "SUCCESS",
        Some(Err(_)) => "FAILED",
        None => "NOAPP",
    };
    set(call, status);
    Ok(())
}

fn set(call: &mut Channel, status: &str) {
    // The name is good and the value short; a full table is told by Set itself.
    let _ = call.vars.set("TRYSTATUS", status);
}

/// Runs `application(arguments)`; nothing is as good as doing nothing.
async fn run(call: &mut Channel, own: &str, args: &Args<'_>, text: &str) -> AppResult {
    let (name, arguments) = call_of(text);
    if name.is_empty() {
        return Ok(());
    }
    match pbx::execute(call, name, arguments, args).await {
        Some(result) => result,
        None => {
            let why = format!("no application is called '{name}'");
            Err(unusable(call, own, args, why))
        }
    }
}
