//! The console a person types into: line editing, history, completion, and the log as it goes by.
//!
//! Commands and completions are asked of the exchange one by one; the log comes by a connection of its
//! own, which a thread reads. When the exchange restarts, that thread finds it again.

mod editor;
mod follower;

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use crate::remote::{Unanswered, ask, ask_at};
use follower::Follower;

/// How to open a console.
#[derive(Clone, Debug)]
pub struct ShellOptions {
    /// The data folder of the exchange.
    pub folder: PathBuf,
    /// How much is shown of calls; see `core set verbose`.
    pub verbose: u8,
}

/// How long the end of the exchange is waited for after a command that brings it.
const END_PATIENCE: Duration = Duration::from_secs(3);

/// Reads commands from the standard input and runs them, until it ends or the person leaves. Without a
/// terminal there is no prompt and no log; `false` if a command was not done then.
///
/// # Errors
///
/// When no exchange runs on the folder.
pub fn shell(options: &ShellOptions) -> Result<bool, Unanswered> {
    match io::stdin().is_terminal() {
        true => interactive(options).map(|()| true),
        false => batch(options),
    }
}

#[expect(
    clippy::print_stdout,
    reason = "the person who typed the command reads it"
)]
fn batch(options: &ShellOptions) -> Result<bool, Unanswered> {
    let mut all_done = true;
    for line in io::stdin().lock().lines() {
        let line = line?;
        if is_farewell(&line) {
            break;
        }
        let answer = ask(&options.folder, &line)?;
        print!("{}", answer.text);
        all_done &= answer.done;
    }
    Ok(all_done)
}

fn interactive(options: &ShellOptions) -> Result<(), Unanswered> {
    let follower = Follower::connect(&options.folder, options.verbose)?;
    let mut editor = editor::Lines::open(&options.folder)?;
    let link = follower.start(editor.printer()?);
    while let Some(line) = editor.next() {
        if link.is_stopped() || is_farewell(&line) {
            break;
        }
        if line.is_empty() {
            continue;
        }
        match ask_at(&options.folder, link.id(), &line) {
            Ok(answer) => say(&answer.text),
            Err(Unanswered::NotRunning(_)) => {
                say("There is no exchange now. `exit` leaves; else it is waited for.\n");
            }
            Err(error) => say(&format!("{error}\n")),
        }
        if ends_at_once(&line) {
            link.wait_for_end(END_PATIENCE);
        }
        if link.is_stopped() {
            break;
        }
    }
    Ok(())
}

#[expect(
    clippy::print_stdout,
    reason = "the person who typed the command reads it"
)]
fn say(text: &str) {
    print!("{text}");
    let _ = io::stdout().flush();
}

/// Leaves the console; the exchange goes on.
fn is_farewell(line: &str) -> bool {
    matches!(line.trim(), "exit" | "quit")
}

fn ends_at_once(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    matches!(words[..], ["core", "stop" | "restart", "now"])
}
