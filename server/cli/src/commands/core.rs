//! `core show version`, `core show uptime`, `core show help`.

use std::time::Duration;

use crate::command::{Command, Outcome, Takes};
use crate::commands::{COMMANDS, count};
use crate::exchange::{Exchange, usage};

pub(crate) static SHOW_VERSION: Command = Command {
    path: "core show version",
    takes: Takes::Nothing,
    synopsis: "Display version info",
    doc: "Shows the version of the running exchange.",
    run: |exchange, _| Box::pin(async { show_version(exchange) }),
};

pub(crate) static SHOW_UPTIME: Command = Command {
    path: "core show uptime",
    takes: Takes::Maybe(&["seconds"]),
    synopsis: "Show uptime information",
    doc: "Shows how long the exchange runs, and how long ago its files were read anew.\n\
          With `seconds`, in seconds.",
    run: |exchange, words| Box::pin(show_uptime(exchange, words)),
};

pub(crate) static SHOW_HELP: Command = Command {
    path: "core show help",
    takes: Takes::Command,
    synopsis: "Display help list, or specific help on a command",
    doc: "Lists all commands, or those that begin with the given words; of one command, its usage.",
    run: |_, words| Box::pin(async { show_help(words) }),
};

pub(crate) static HELP: Command = Command {
    path: "help",
    takes: Takes::Command,
    synopsis: "The same as `core show help`",
    doc: "See `core show help`.",
    run: |_, words| Box::pin(async { show_help(words) }),
};

fn show_version(exchange: &Exchange) -> Outcome {
    let product = exchange.parts.product.replacen('/', " ", 1);
    let (machine, system) = (std::env::consts::ARCH, std::env::consts::OS);
    Outcome::Done(format!("{product} on a {machine} running {system}\n"))
}

async fn show_uptime(exchange: &Exchange, words: &[String]) -> Outcome {
    let reloaded = exchange.reloader.last().await;
    let write = |age: Duration| match words.is_empty() {
        true => in_words(age),
        false => age.as_secs().to_string(),
    };
    let mut text = format!("System uptime: {}\n", write(exchange.uptime()));
    // As in Asterisk the start counts as the first one.
    let age = reloaded.map_or_else(|| exchange.uptime(), |reloaded| reloaded.elapsed());
    text.push_str(&format!("Last reload: {}\n", write(age)));
    Outcome::Done(text)
}

/// `6 minutes, 5 seconds`: the units that are not zero.
fn in_words(age: Duration) -> String {
    const UNITS: [(u64, &str, &str); 6] = [
        (365 * 86_400, "year", "years"),
        (7 * 86_400, "week", "weeks"),
        (86_400, "day", "days"),
        (3_600, "hour", "hours"),
        (60, "minute", "minutes"),
        (1, "second", "seconds"),
    ];
    let mut left = age.as_secs();
    let mut parts = Vec::new();
    for (seconds, one, many) in UNITS {
        let number = left / seconds;
        left %= seconds;
        if number > 0 {
            parts.push(count(number, one, many));
        }
    }
    if parts.is_empty() {
        parts.push("0 seconds".to_owned());
    }
    parts.join(", ")
}

fn show_help(words: &[String]) -> Outcome {
    let typed = words.join(" ").to_ascii_lowercase();
    if let Some(command) = COMMANDS.iter().find(|command| command.path == typed) {
        return Outcome::Done(usage(command));
    }
    let found = COMMANDS
        .iter()
        .filter(|command| command.path.starts_with(&typed));
    let lines: Vec<String> = found
        .map(|command| format!("{:<30} -- {}\n", command.listed(), command.synopsis))
        .collect();
    match lines.is_empty() {
        true => Outcome::Missing(format!("No such command '{typed}'.\n")),
        false => Outcome::Done(lines.concat()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use expect_test::expect;

    use super::{in_words, show_help};
    use crate::command::Outcome;

    #[test]
    fn an_age_is_written_in_units_that_are_not_zero() {
        let written = |seconds| in_words(Duration::from_secs(seconds));
        assert_eq!(written(365), "6 minutes, 5 seconds");
        assert_eq!(written(0), "0 seconds");
        assert_eq!(written(86_400 + 3_601), "1 day, 1 hour, 1 second");
    }

    #[test]
    fn help_lists_what_begins_so_and_tells_the_usage_of_one() {
        let text = |line: &str| match show_help(&crate::words::split(line)) {
            Outcome::Done(text) => text,
            other => panic!("{other:?}"),
        };
        expect![[r#"
            core show application          -- Describe a specific dialplan application
            core show applications         -- Shows registered dialplan applications
            core show calls [uptime]       -- Display information on calls
            core show channel              -- Display information on a specific channel
            core show channels [concise|verbose|count] -- Display information on channels
            core show channeltypes         -- List available channel types
            core show codecs [audio|video] -- Displays a list of registered codecs
            core show file formats         -- Displays file formats
            core show function             -- Describe a specific dialplan function
            core show functions            -- Shows registered dialplan functions
            core show help                 -- Display help list, or specific help on a command
            core show hint                 -- Show dialplan hint
            core show hints                -- Show dialplan hints
            core show settings             -- Show some core settings
            core show sysinfo              -- Show System Information
            core show uptime [seconds]     -- Show uptime information
            core show version              -- Display version info
        "#]]
        .assert_eq(&text("core show"));
        expect![[r#"
            Usage: core show uptime [seconds]
                   Shows how long the exchange runs, and how long ago its files were read anew.
                   With `seconds`, in seconds.
        "#]]
        .assert_eq(&text("core show uptime"));
    }
}
