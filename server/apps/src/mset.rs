//! `MSet`.

use switch::{AppResult, Application, Args, Channel};

use crate::arguments::warn;
use crate::set::{split, why};

/// Sets several variables or functions.
pub(crate) static MSET: Application = Application {
    name: "MSet",
    synopsis: "Set several variables, or what functions stand for",
    doc: include_str!("mset.md"),
    run: |call, args| Box::pin(run(call, args)),
};

async fn run(call: &mut Channel, args: Args<'_>) -> AppResult {
    for index in 0..args.count() {
        let Some(pair) = args.at(index) else { continue };
        match split(pair) {
            Some((name, value)) => {
                let value = value.trim();
                let quoted = value.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
                if let Err(error) = call.set(name.trim(), quoted.unwrap_or(value)) {
                    warn(
                        call,
                        "MSet",
                        &args,
                        format!("{}: {}", name.trim(), why(name.trim(), error)),
                    );
                }
            }
            None => warn(call, "MSet", &args, format!("'{pair}' is no name=value")),
        }
    }
    Ok(())
}
