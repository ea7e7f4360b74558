//! `logger …`, `core set verbose`, `core set debug`.

use crate::asker::asker;
use crate::command::{Command, Outcome, Slot, Takes};
use crate::exchange::Exchange;
use crate::log::{Channel, Format, Level, Levels, OURS, Out};
use crate::reload::Part;

pub(crate) static SHOW_CHANNELS: Command = Command {
    path: "logger show channels",
    takes: Takes::Nothing,
    synopsis: "List configured log channels",
    doc: "Lists where the log goes: the files and syslog of logger.conf, the standard error of the\n\
          exchange, and the consoles that are attached. VERBOSE(*) goes as far as\n\
          `core set verbose` says.",
    run: |exchange, _| Box::pin(async { show_channels(exchange) }),
};

pub(crate) static SHOW_LEVELS: Command = Command {
    path: "logger show levels",
    takes: Takes::Nothing,
    synopsis: "List configured log levels",
    doc: "Lists the levels and what is logged on them.",
    run: |_, _| Box::pin(async { show_levels() }),
};

pub(crate) static SET_LEVEL: Command = Command {
    path: "logger set level",
    takes: Takes::Form(&[
        Slot::One(&[
            "DEBUG", "TRACE", "NOTICE", "WARNING", "ERROR", "VERBOSE", "DTMF",
        ]),
        Slot::One(&["on", "off"]),
    ]),
    synopsis: "Enables/Disables a specific logging level for this console",
    doc: "Typed at an attached console, it means that console; as a single command, the standard\n\
          error of the exchange.",
    run: |exchange, words| Box::pin(async { set_level(exchange, words) }),
};

pub(crate) static ROTATE: Command = Command {
    path: "logger rotate",
    takes: Takes::Nothing,
    synopsis: "Rotates and reopens the log files",
    doc: "Puts each log file away under another name, as `rotatestrategy` of logger.conf says, and\n\
          opens a new one.",
    run: |exchange, _| Box::pin(rotate(exchange)),
};

pub(crate) static RELOAD: Command = Command {
    path: "logger reload",
    takes: Takes::Nothing,
    synopsis: "Reopens the log files",
    doc: "Reads logger.conf again and opens the log files again, for a program that has moved them.",
    run: |exchange, _| Box::pin(reload(exchange)),
};

pub(crate) static SET_VERBOSE: Command = Command {
    path: "core set verbose",
    takes: Takes::Form(&[Slot::Any("level")]),
    synopsis: "Set level of verbose chattiness",
    doc: "How much is told of calls: 0 nothing, 1 that they begin and end, 3 each step of the dial\n\
          plan. Typed at an attached console, it means that console; as a single command, the\n\
          standard error of the exchange and the files that name no level of their own.",
    run: |exchange, words| Box::pin(async { set_verbose(exchange, &words[0]) }),
};

pub(crate) static SET_DEBUG: Command = Command {
    path: "core set debug",
    takes: Takes::Form(&[Slot::Any("level"), Slot::Optional, Slot::One(&OURS)]),
    synopsis: "Set level of debug chattiness",
    doc: "How much is told to programmers: 0 nothing, 1 what is decided, 5 every step; by the whole\n\
          program or by one module of it.",
    run: |exchange, words| Box::pin(async { set_debug(exchange, words) }),
};

fn show_channels(exchange: &Exchange) -> Outcome {
    let state = exchange.parts.log.state();
    let consoles = state
        .consoles()
        .map(|(id, levels)| (format!("console {id}"), levels));
    let channels: Vec<Channel> = state.listeners().cloned().collect();
    let consoles: Vec<_> = consoles.collect();
    Outcome::Done(render(&channels, state.stderr_levels(), &consoles))
}

fn render(channels: &[Channel], stderr: Levels, consoles: &[(String, Levels)]) -> String {
    let row = |name: &str, kind: &str, format: &str, levels: &dyn std::fmt::Display| {
        format!(
            "{name:<35.35} {kind:<8.8} {format:<10.10} {:<9.9}  - {levels}\n",
            "Enabled"
        )
    };
    let mut text = format!(
        "{:<35} {:<8} {:<10} {:<9} Configuration\n{:<35} {:<8} {:<10} {:<9} -------------\n",
        "Channel", "Type", "Formatter", "Status", "-------", "----", "---------", "------"
    );
    for channel in channels {
        let kind = match channel.out {
            Out::Console => "Console",
            Out::File(_) => "File",
            Out::Syslog(..) => "Syslog",
        };
        let (name, format) = (channel.out.to_string(), channel.format.as_str());
        text.push_str(&row(&name, kind, format, &channel.levels));
    }
    let default = Format::Default.as_str();
    text.push_str(&row("", "Console", default, &stderr));
    for (name, levels) in consoles {
        text.push_str(&row(name, "Console", default, levels));
    }
    text
}

fn show_levels() -> Outcome {
    let meaning = |level: Level| match level {
        Level::Debug => "for programmers, see `core set debug`",
        Level::Trace => "for programmers, every step (`core set debug 5`)",
        Level::Notice => "worth knowing",
        Level::Warning => "something is wrong, the exchange helps itself",
        Level::Error => "something does not work",
        Level::Verbose => "what happens in calls, see `core set verbose`; traced messages",
        Level::Dtmf => "nothing is logged on it",
    };
    let lines = Level::ALL.into_iter();
    let lines = lines.map(|level| format!("{:<10} {}\n", level.as_str(), meaning(level)));
    Outcome::Done(lines.collect())
}

fn set_level(exchange: &Exchange, words: &[String]) -> Outcome {
    let Some(level) = Level::named(&words[0]) else {
        return Outcome::Usage;
    };
    let on = words[1].eq_ignore_ascii_case("on");
    let log = &exchange.parts.log;
    log.set_level(asker(), level, on);
    let state = if on { "on" } else { "off" };
    let mut text = format!(
        "Logger status for '{}' has been set to '{state}'.\n",
        level.as_str()
    );
    let debug = &log.state().debug;
    if on
        && matches!(level, Level::Debug | Level::Trace)
        && debug.all == 0
        && debug.modules.is_empty()
    {
        text.push_str("Nothing is told on it before `core set debug 1`.\n");
    }
    Outcome::Done(text)
}

async fn rotate(exchange: &Exchange) -> Outcome {
    let log = exchange.parts.log.clone();
    let said = tokio::task::spawn_blocking(move || log.rotate()).await;
    lines(said.unwrap_or_default())
}

async fn reload(exchange: &Exchange) -> Outcome {
    let mut text = match exchange.reload(Part::Logger, "the console").await {
        Ok(text) => text,
        Err(text) => return Outcome::Failed(text),
    };
    let log = exchange.parts.log.clone();
    let said = tokio::task::spawn_blocking(move || log.reopen()).await;
    if let Outcome::Done(more) = lines(said.unwrap_or_default()) {
        text.push_str(&more);
    }
    Outcome::Done(text)
}

fn lines(said: Vec<String>) -> Outcome {
    Outcome::Done(said.into_iter().map(|line| line + "\n").collect())
}

/// A number, or `off`.
fn number(word: &str) -> Option<u8> {
    match word.eq_ignore_ascii_case("off") {
        true => Some(0),
        false => word.parse().ok(),
    }
}

fn set_verbose(exchange: &Exchange, word: &str) -> Outcome {
    let Some(level) = number(word) else {
        return Outcome::Usage;
    };
    let console = asker();
    let before = exchange.parts.log.set_verbose(console, level);
    changed("Console verbose", before, level)
}

fn set_debug(exchange: &Exchange, words: &[String]) -> Outcome {
    let Some(level) = number(&words[0]) else {
        return Outcome::Usage;
    };
    let module = words.get(1).map(|word| word.to_ascii_lowercase());
    let before = exchange.parts.log.set_debug(module.as_deref(), level);
    let what = match module {
        Some(module) => format!("Debug of module '{module}'"),
        None => "Core debug".to_owned(),
    };
    changed(&what, before, level)
}

fn changed(what: &str, before: u8, now: u8) -> Outcome {
    let word = |level: u8| match level {
        0 => "OFF".to_owned(),
        level => level.to_string(),
    };
    Outcome::Done(match before == now {
        true => format!("{what} is still {}.\n", word(now)),
        false => format!("{what} was {} and is now {}.\n", word(before), word(now)),
    })
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::render;
    use crate::log::{Channel, Format, Level, Levels, Out};

    #[test]
    fn channels_stand_in_asterisks_columns() {
        let usual = Levels::of(&[Level::Notice, Level::Warning, Level::Error]);
        let file = Channel {
            out: Out::File("full".to_owned()),
            format: Format::Default,
            levels: Levels::of(&[Level::Notice, Level::Error, Level::Verbose]).with_verbose(3),
        };
        let console = ("console 4".to_owned(), Levels::of(&[Level::Verbose]));
        expect![[r#"
            Channel                             Type     Formatter  Status    Configuration
            -------                             ----     ---------  ------    -------------
            full                                File     default    Enabled    - NOTICE ERROR VERBOSE:3 
                                                Console  default    Enabled    - NOTICE WARNING ERROR 
            console 4                           Console  default    Enabled    - VERBOSE(*) 
        "#]]
        .assert_eq(&render(&[file], usual, &[console]));
    }
}
