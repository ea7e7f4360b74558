//! Lines with editing, history and completion.

use std::fs::{OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustyline::completion::{Completer, Pair};

use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::Validator;
use rustyline::{CompletionType, Config, Editor, ExternalPrinter, Helper};

use crate::remote::complete;

/// The file in the data folder.
const HISTORY_NAME: &str = "console_history";

/// Lines it keeps.
const HISTORY_LINES_MAX: usize = 1_000;

/// What is typed, line by line.
pub(super) struct Lines {
    editor: Editor<Completion, DefaultHistory>,
    prompt: String,
    history: PathBuf,
}

impl Lines {
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        let config = Config::builder()
            .max_history_size(HISTORY_LINES_MAX)
            .map_err(io::Error::other)?
            .history_ignore_space(true)
            .completion_type(CompletionType::List)
            .build();
        let mut editor = Editor::with_config(config).map_err(io::Error::other)?;
        editor.set_helper(Some(Completion {
            folder: folder.to_owned(),
        }));
        let history = folder.join(HISTORY_NAME);
        // Without one, the console works all the same.
        let _ = closed_to_others(&history).map(|()| editor.load_history(&history));
        Ok(Self {
            editor,
            prompt: format!("{}*CLI> ", super::follower::host()),
            history,
        })
    }

    /// Prints above the line that is being typed.
    pub(super) fn printer(&mut self) -> io::Result<impl ExternalPrinter + Send + use<>> {
        self.editor
            .create_external_printer()
            .map_err(io::Error::other)
    }

    /// The next line; `None` when the person leaves by Ctrl-C or Ctrl-D.
    pub(super) fn next(&mut self) -> Option<String> {
        match self.editor.readline(&self.prompt) {
            Ok(line) => {
                if self.editor.add_history_entry(&line).unwrap_or(false) {
                    let _ = self.editor.append_history(&self.history);
                }
                Some(line.trim().to_owned())
            }
            // Interrupted, at its end, or without a terminal from now on.
            Err(_) => None,
        }
    }
}

/// Makes the file if there is none. What was typed is nobody else's business.
fn closed_to_others(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let file = options.append(true).create(true).mode(0o600).open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))
}

/// Completes by what the exchange knows at this moment.
struct Completion {
    folder: PathBuf,
}

impl Completer for Completion {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &rustyline::Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let line = &line[..position];
        let start = line.rfind(char::is_whitespace).map_or(0, |at| at + 1);
        // Nothing is offered where nobody answers.
        let words = complete(&self.folder, line).unwrap_or_default();
        let alone = words.len() == 1;
        let pairs = words.into_iter().map(|word| Pair {
            display: word.clone(),
            replacement: if alone { word + " " } else { word },
        });
        Ok((start, pairs.collect()))
    }
}

impl Helper for Completion {}
impl Highlighter for Completion {}
impl Validator for Completion {}

impl Hinter for Completion {
    type Hint = String;
}
