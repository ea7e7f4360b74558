//! `While`, `EndWhile`, `ExitWhile`, `ContinueWhile`.
//!
//! Where a loop begins and ends is read from the steps of its extension, so nothing has to be remembered of it.

use switch::{AppResult, Application, Args, Channel, Interrupt, Position};

use crate::arguments::unusable;
use crate::condition::holds;

/// Begins a loop.
pub(crate) static WHILE: Application = Application {
    name: "While",
    synopsis: "Repeat the steps until EndWhile as long as a condition holds",
    doc: include_str!("while.md"),
    run: |call, args| Box::pin(begin(call, args)),
};

/// Ends a loop.
pub(crate) static END_WHILE: Application = Application {
    name: "EndWhile",
    synopsis: "Go back to While",
    doc: include_str!("end_while.md"),
    run: |call, args| Box::pin(back(call, "EndWhile", args)),
};

/// Leaves a loop.
pub(crate) static EXIT_WHILE: Application = Application {
    name: "ExitWhile",
    synopsis: "Go on after EndWhile",
    doc: include_str!("exit_while.md"),
    run: |call, args| Box::pin(leave(call, "ExitWhile", args)),
};

/// Begins the next round of a loop.
pub(crate) static CONTINUE_WHILE: Application = Application {
    name: "ContinueWhile",
    synopsis: "Go back to While, leaving out the rest of the steps",
    doc: include_str!("continue_while.md"),
    run: |call, args| Box::pin(back(call, "ContinueWhile", args)),
};

/// Steps that a loop may have.
const STEPS_MAX: u32 = 1_000;

async fn begin(call: &mut Channel, args: Args<'_>) -> AppResult {
    match holds(args.text()) {
        true => Ok(()),
        false => leave(call, "While", args).await,
    }
}

async fn leave(call: &mut Channel, own: &str, args: Args<'_>) -> AppResult {
    let mut depth = 0_u32;
    let here = call.at.priority;
    for priority in
        (here.saturating_add(1)..=here.saturating_add(STEPS_MAX)).take_while(|it| *it > 0)
    {
        let Some(application) = call.application_at(priority).await? else {
            break;
        };
        match application.to_ascii_lowercase().as_str() {
            "while" => depth += 1,
            "endwhile" if depth == 0 => return Err(go(call, priority.saturating_add(1))),
            "endwhile" => depth -= 1,
            _ => {}
        }
    }
    Err(unusable(call, own, &args, "its EndWhile is missing"))
}

async fn back(call: &mut Channel, own: &str, args: Args<'_>) -> AppResult {
    let mut depth = 0_u32;
    let here = call.at.priority;
    for priority in (here.saturating_sub(STEPS_MAX).max(1)..here).rev() {
        let Some(application) = call.application_at(priority).await? else {
            break;
        };
        match application.to_ascii_lowercase().as_str() {
            "endwhile" => depth += 1,
            "while" if depth == 0 => return Err(go(call, priority)),
            "while" => depth -= 1,
            _ => {}
        }
    }
    Err(unusable(call, own, &args, "its While is missing"))
}

fn go(call: &Channel, priority: u32) -> Interrupt {
    Interrupt::Redirect(Position {
        priority,
        ..call.at.clone()
    })
}
