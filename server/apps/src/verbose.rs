//! `Verbose`.

use std::future::ready;

use switch::{AppResult, Application, Args, Channel};

/// Writes into the log.
pub(crate) static VERBOSE: Application = Application {
    name: "Verbose",
    synopsis: "Write a line into the log",
    doc: include_str!("verbose.md"),
    run: |call, args| Box::pin(ready(run(call, args))),
};

/// From this level on a line is for those who look closely.
pub(crate) const DEBUG_LEVEL_MIN: u8 = 4;

fn run(call: &Channel, args: Args<'_>) -> AppResult {
    let (level, text) = split(args.text());
    if level < DEBUG_LEVEL_MIN {
        tracing::info!(channel = call.name(), "{text}");
    } else {
        tracing::debug!(channel = call.name(), "{text}");
    }
    Ok(())
}

/// `3,text`, or `text` alone, which may have commas of its own.
fn split(text: &str) -> (u8, &str) {
    let leveled = text.split_once(',').and_then(|(level, rest)| {
        let level = level.trim().parse().ok()?;
        Some((level, rest))
    });
    leveled.unwrap_or((0, text))
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn a_number_before_the_first_comma_is_the_level() {
        assert_eq!(split("3,hello, world"), (3, "hello, world"));
        assert_eq!(split("hello, world"), (0, "hello, world"));
        assert_eq!(split("7"), (0, "7"));
    }
}
