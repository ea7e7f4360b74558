//! `Macro`, `MacroIf`, `MacroExit`.

use switch::{AppResult, Application, Args, Channel, Interrupt, Position, pbx};

use crate::arguments::{unusable, warn};
use crate::condition::{branches, holds};

/// Runs a macro.
pub(crate) static MACRO: Application = Application {
    name: "Macro",
    synopsis: "Run extension s of context macro-NAME, and come back at its end",
    doc: include_str!("macro.md"),
    run: |call, args| Box::pin(run(call, args)),
};

/// Runs one of two macros.
pub(crate) static MACRO_IF: Application = Application {
    name: "MacroIf",
    synopsis: "Run one of two macros, as a condition says",
    doc: include_str!("macro_if.md"),
    run: |call, args| Box::pin(run_if(call, args)),
};

/// Comes back from a macro.
pub(crate) static MACRO_EXIT: Application = Application {
    name: "MacroExit",
    synopsis: "Come back from a macro before its end",
    doc: include_str!("macro_exit.md"),
    run: |call, args| Box::pin(exit(call, args)),
};

async fn run(call: &mut Channel, args: Args<'_>) -> AppResult {
    enter(call, "Macro", &args, args.text()).await
}

async fn run_if(call: &mut Channel, args: Args<'_>) -> AppResult {
    let Some((condition, rest)) = args.text().split_once('?') else {
        let why = "write it as MacroIf(condition?name,arguments:name,arguments)";
        return Err(unusable(call, "MacroIf", &args, why));
    };
    let (yes, no) = branches(rest);
    match if holds(condition) { yes } else { no } {
        "" => Ok(()),
        chosen => enter(call, "MacroIf", &args, chosen).await,
    }
}

async fn enter(call: &mut Channel, application: &str, args: &Args<'_>, text: &str) -> AppResult {
    let mut words = text.split(',').map(|word| word.trim().to_owned());
    let name = words.next().unwrap_or_default();
    if name.is_empty() {
        let why = "name a macro, as in Macro(stdexten,PJSIP/alice)";
        return Err(unusable(call, application, args, why));
    }
    let arguments: Vec<String> = words.collect();
    let here = call.at.clone();
    pbx::macro_call(call, &name, &arguments).await?;
    let offset = call.vars.value("MACRO_OFFSET").unwrap_or_default();
    let Ok(offset @ 1..) = offset.parse::<u32>() else {
        return Ok(());
    };
    let _ = call.vars.set("MACRO_OFFSET", "");
    Err(Interrupt::Redirect(Position {
        priority: here.priority.saturating_add(1).saturating_add(offset),
        ..here
    }))
}

async fn exit(call: &mut Channel, args: Args<'_>) -> AppResult {
    match call.leave() {
        Some(back) => Err(Interrupt::Redirect(back)),
        None => {
            warn(call, "MacroExit", &args, "no macro runs; the call goes on");
            Ok(())
        }
    }
}
