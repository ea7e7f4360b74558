//! What commands see of the running exchange, and how a typed line is run.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use config::Config;
use signal::Signal;
use switch::Switch;
use tokio::time::Instant;

use crate::command::{Command, Outcome, Takes, slot_after};
use crate::commands::{COMMANDS, elsewhere, live};
use crate::log::Log;
use crate::reload::{Files, Part, Piece, Reloader, SAME};
use crate::words;

/// What an [`Exchange`] is made of.
pub struct Parts {
    /// Calls, configuration, database.
    pub switch: Switch,
    /// Registered contacts.
    pub signal: Arc<Signal>,
    /// The web server, once it runs.
    pub server: Arc<OnceLock<web::Server>>,
    /// Reads the files again; it may block.
    pub read: Arc<dyn Fn() -> Files + Send + Sync>,
    /// What must be made ready before changed files are in force.
    pub pieces: Vec<Piece>,
    /// The log.
    pub log: Log,
    /// The folders it runs on.
    pub places: Places,
    /// The product's name and version.
    pub product: &'static str,
    /// What the manual says of a function of the dial plan besides its synopsis, in Markdown.
    pub function_doc: fn(&str) -> Option<&'static str>,
}

/// The folders the exchange runs on.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// The configuration files; `None` if they are built in.
    pub config: Option<PathBuf>,
    /// What survives a restart.
    pub data: PathBuf,
}

/// The running exchange, as commands see it.
pub struct Exchange {
    pub(crate) parts: Parts,
    started: Instant,
    pub(crate) reloader: Reloader,
}

/// What is printed, and whether the command did what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Lines, each ended.
    pub text: String,
    /// Whether it was done.
    pub done: bool,
}

impl Exchange {
    /// An exchange that starts now.
    pub fn new(mut parts: Parts) -> Self {
        let pieces = std::mem::take(&mut parts.pieces);
        Self {
            reloader: Reloader::new(parts.read.clone(), pieces),
            parts,
            started: Instant::now(),
        }
    }

    /// The configuration in force.
    pub fn config(&self) -> Arc<Config> {
        self.parts.switch.config()
    }

    /// Reads the files again and puts a part of them in force: whole, or not at all. Says what changed,
    /// or what is wrong, in lines; the log says it too, and who asked.
    ///
    /// # Errors
    ///
    /// What is wrong; nothing has changed then.
    pub async fn reload(&self, part: Part, by: &str) -> Result<String, String> {
        let store = self.parts.switch.store();
        let done = self.reloader.reload(store, part).await;
        match &done {
            Ok(said) => {
                tracing::info!("{by}: the files were read again");
                log(said);
            }
            Err(said) => {
                tracing::error!("{by}: the files cannot be used");
                log(said);
            }
        }
        done
    }

    /// Runs a line as typed.
    pub async fn run(&self, line: &str) -> Answer {
        let words = words::split(line);
        let typed = words.join(" ");
        if words.is_empty() {
            return Answer::new(String::new(), true);
        }
        let Some((command, rest)) = Command::find(&words) else {
            let mut text = format!(
                "No such command '{typed}' (type 'core show help {typed}' for other possible commands)\n"
            );
            if let Some(instead) = elsewhere::instead(&words) {
                text.push_str(&format!("{instead}\n"));
            }
            return Answer::new(text, false);
        };
        match command.run(self, rest).await {
            Outcome::Done(text) => Answer::new(text, true),
            Outcome::Missing(text) => Answer::new(text, false),
            Outcome::Failed(text) => {
                Answer::new(format!("{text}Command '{typed}' failed.\n"), false)
            }
            Outcome::Usage => Answer::new(usage(command), false),
        }
    }

    /// The lines that `line`, typed so far, may become by its last word, sorted.
    pub async fn complete(&self, line: &str) -> Vec<String> {
        let mut before = words::split(line);
        let last = match line.ends_with(char::is_whitespace) {
            true => String::new(),
            false => before.pop().unwrap_or_default(),
        };
        let mut found = self.next_words(&before).await;
        found.retain(|word| {
            let start = word.get(..last.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(&last))
        });
        found.sort();
        found.dedup();
        found.truncate(COMPLETIONS_MAX);
        found
    }

    /// How long it runs.
    pub(crate) fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    /// What may be typed after these words.
    async fn next_words(&self, before: &[String]) -> Vec<String> {
        let mut found = Vec::new();
        for command in COMMANDS {
            let mut path = command.path.split(' ');
            let mut typed = before.iter();
            let fits = typed.all(|typed| {
                path.next()
                    .is_some_and(|word| word.eq_ignore_ascii_case(typed))
            });
            if fits && let Some(word) = path.next() {
                found.push(word.to_owned());
            }
        }
        if let Some((command, rest)) = Command::find(before) {
            match (command.takes, rest) {
                (Takes::Form(form), rest) => {
                    if let Some(slot) = slot_after(form, rest) {
                        found.extend(live::fitting(self, slot).await);
                    }
                }
                (takes, []) => found.extend(live::completions(self, takes).await),
                _ => {}
            }
        }
        found
    }
}

/// Words offered for one beginning; nobody reads more.
const COMPLETIONS_MAX: usize = 1_000;

impl Answer {
    fn new(text: String, done: bool) -> Self {
        Self { text, done }
    }
}

/// `Usage:` and what the command is for.
pub(crate) fn usage(command: &Command) -> String {
    let mut text = format!("Usage: {}\n", command.usage());
    for line in command.doc.lines() {
        text.push_str(&format!("       {line}\n"));
    }
    text
}

/// Into the log what a reload says, each message on the level it has.
fn log(said: &str) {
    let mut level = tracing::Level::INFO;
    for line in said.lines() {
        level = match line.split(' ').next() {
            // Below its first line: the line of the file, the caret, the advice.
            Some("") => level,
            Some("Nothing") if line == SAME.trim_end() => tracing::Level::INFO,
            Some("error:" | "Nothing") => tracing::Level::ERROR,
            Some("warning:" | "!") => tracing::Level::WARN,
            _ => tracing::Level::INFO,
        };
        match level {
            tracing::Level::ERROR => tracing::error!("{line}"),
            tracing::Level::WARN => tracing::warn!("{line}"),
            _ => tracing::info!("{line}"),
        }
    }
}
