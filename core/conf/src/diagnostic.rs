//! Messages about configuration text, each with its place, the line and what was probably meant.

use std::fmt;

/// How much a [`Diagnostic`] matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing; nothing is wrong.
    Info,
    /// Probably not what was meant; the object still works.
    Warning,
    /// The object, or the file, is not used.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// One message about one place. `Display` prints `file:line:column: message`, then the line with
/// a caret under the place, then the suggestion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whether the object is still used.
    pub severity: Severity,
    /// The file, by the name it was read under.
    pub file: String,
    /// The line, from 1; 0 if the message is about the file as a whole.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// What to write instead, or what was probably meant.
    pub suggestion: Option<String>,
    /// The line itself, values of secrets blotted out.
    pub excerpt: Option<String>,
}

impl Diagnostic {
    /// A message about a file as a whole.
    pub fn about_file(severity: Severity, file: &str, message: impl Into<String>) -> Self {
        Self {
            severity,
            file: file.to_owned(),
            line: 0,
            column: 0,
            message: message.into(),
            suggestion: None,
            excerpt: None,
        }
    }

    /// The same message with "did you mean `name`?", if there is a name.
    #[must_use]
    pub fn did_you_mean(mut self, name: Option<&str>) -> Self {
        if let Some(name) = name {
            self.suggestion = Some(format!("did you mean `{name}`?"));
        }
        self
    }

    /// The same message with advice.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.suggestion = Some(advice.into());
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file)?;
        if self.line > 0 {
            write!(f, "{}:{}:", self.line, self.column)?;
        }
        write!(f, " {}", self.message)?;
        let number = self.line.to_string();
        let margin = " ".repeat(number.len());
        if let Some(excerpt) = &self.excerpt {
            // A tab stays a tab above and below, so that the caret stands where it should.
            let before = (self.column as usize).saturating_sub(1);
            let indent: String = excerpt
                .chars()
                .chain(std::iter::repeat(' '))
                .take(before)
                .map(|c| if c == '\t' { '\t' } else { ' ' })
                .collect();
            write!(f, "\n {number} | {excerpt}\n {margin} | {indent}^")?;
        }
        if let Some(suggestion) = &self.suggestion {
            write!(f, "\n {margin} = {suggestion}")?;
        }
        Ok(())
    }
}

/// Messages gathered while reading, up to [`REPORT_MAX`]; what comes after is counted.
#[derive(Debug, Default)]
pub struct Report {
    diagnostics: Vec<Diagnostic>,
    dropped: usize,
}

/// More messages than this help nobody; a file of garbage must not fill the memory.
pub const REPORT_MAX: usize = 1000;

impl Report {
    /// Adds a message.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        if self.diagnostics.len() < REPORT_MAX {
            self.diagnostics.push(diagnostic);
        } else {
            self.dropped += 1;
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.diagnostics.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.diagnostics.is_empty()
    }

    /// One of them by its number from 0, to be changed; `None`: it was one too many.
    pub fn message_mut(&mut self, number: usize) -> Option<&mut Diagnostic> {
        self.diagnostics.get_mut(number)
    }

    /// Adds messages gathered elsewhere.
    pub fn extend(&mut self, diagnostics: impl IntoIterator<Item = Diagnostic>) {
        for diagnostic in diagnostics {
            self.push(diagnostic);
        }
    }

    /// The messages in the order of the text, file by file; a last one says how many were left
    /// out, if any were.
    pub fn finish(mut self) -> Vec<Diagnostic> {
        let mut files: Vec<String> = Vec::new();
        for diagnostic in &self.diagnostics {
            if !files.contains(&diagnostic.file) {
                files.push(diagnostic.file.clone());
            }
        }
        self.diagnostics.sort_by_key(|diagnostic| {
            let file = files.iter().position(|file| *file == diagnostic.file);
            (file, diagnostic.line, diagnostic.column)
        });
        // A line of a template is read once for each section that inherits it.
        self.diagnostics
            .dedup_by(|next, told| next.line > 0 && next == told);
        if self.dropped > 0 {
            let message = format!("{} more messages are not shown", self.dropped);
            let file = self
                .diagnostics
                .last()
                .map_or("", |last| last.file.as_str());
            let last = Diagnostic::about_file(Severity::Warning, file, message);
            self.diagnostics.push(last);
        }
        self.diagnostics
    }
}
