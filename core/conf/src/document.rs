//! Text to sections: comments, includes, headers with templates, entries.
//!
//! The grammar is Asterisk's: `[name](template,other)`, `[name](!)` for a template that is not an
//! object itself, `[name](+)` and `[name](+type=aor)` to add to an earlier section; `name = value`,
//! `name => value` and `name += more`; `;` comments unless written `\;`, and `;-- … --;` blocks
//! within blocks; `#include` and `#tryinclude` of a file or of a pattern. `#exec` is refused.
//! Sections of one name stay apart, because in `pjsip.conf` each is an object of its own type.

mod excerpt;
mod filter;
mod reader;
mod scan;

pub use excerpt::show_lines;

use crate::{Diagnostic, Report, Severity, Source};
use excerpt::without_secret;
use reader::Reader;

/// A place in the text. Only the [`Document`] it came from can tell its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    file: u16,
    /// From 1.
    pub line: u32,
    /// In characters, from 1.
    pub column: u32,
}

/// One `name = value`.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What stands before the sign, blanks trimmed.
    pub name: String,
    /// What stands after it, comments removed and blanks trimmed.
    pub value: String,
    /// Whether the sign was `=>`.
    pub arrow: bool,
    /// Where the name stands.
    pub at: Place,
    /// Where the value stands.
    pub value_at: Place,
}

/// One `[name]` and what follows it; what templates gave comes first.
#[derive(Clone, Debug)]
pub struct Section {
    /// The name in the brackets.
    pub name: String,
    /// Whether it was marked `(!)`: a pattern for others, not an object.
    pub template: bool,
    /// In order, inherited ones first.
    pub entries: Vec<Entry>,
    /// Where the name stands.
    pub at: Place,
}

impl Entry {
    /// The place of a byte of the value. Exact unless a block comment was taken out of it.
    pub fn within_value(&self, offset: usize) -> Place {
        let before = self.value.get(..offset).unwrap_or(&self.value);
        let columns = u32::try_from(before.chars().count()).unwrap_or(u32::MAX);
        Place {
            column: self.value_at.column.saturating_add(columns),
            ..self.value_at
        }
    }
}

impl Section {
    /// The last entry of this name, compared without case. The last one wins in Asterisk.
    pub fn last(&self, name: &str) -> Option<&Entry> {
        let mut entries = self.entries.iter().rev();
        entries.find(|entry| entry.name.eq_ignore_ascii_case(name))
    }
}

/// A file read whole, with everything it includes.
#[derive(Clone, Debug)]
pub struct Document {
    files: Vec<Text>,
    /// In the order of the text, templates included.
    pub sections: Vec<Section>,
}

#[derive(Clone, Debug)]
struct Text {
    name: String,
    lines: Vec<Box<str>>,
}

/// Options that stand in no text: a row of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// What would be the name of the section.
    pub name: String,
    /// Names and values.
    pub values: Vec<(String, String)>,
}

impl Document {
    /// Reads `name` and what it includes. `None` if there is no such file or it cannot be read;
    /// only the second makes an error.
    pub fn read(source: &dyn Source, name: &str, report: &mut Report) -> Option<Self> {
        let mut document = Self {
            files: Vec::new(),
            sections: Vec::new(),
        };
        match source.read(name) {
            Ok(Some(text)) => {
                let mut reader = Reader::new(source, &mut document, report);
                reader.file(name, &text, None);
                Some(document)
            }
            Ok(None) => None,
            Err(reason) => {
                let message = format!("cannot be read: {reason}");
                report.push(Diagnostic::about_file(Severity::Error, name, message));
                None
            }
        }
    }

    /// The same from records, to be read as sections are. A message about one of them names no line but what
    /// `place` says of a record and of the value in it.
    pub fn of_records(records: &[Record], place: impl Fn(&Record, Option<&str>) -> String) -> Self {
        let mut document = Self {
            files: Vec::new(),
            sections: Vec::new(),
        };
        for record in records {
            let at = document.record_place(place(record, None));
            let entries = record.values.iter().map(|(name, value)| {
                let at = document.record_place(place(record, Some(name)));
                Entry {
                    name: name.clone(),
                    value: value.clone(),
                    arrow: false,
                    at,
                    value_at: at,
                }
            });
            let entries = entries.collect();
            document.sections.push(Section {
                name: record.name.clone(),
                template: false,
                entries,
                at,
            });
        }
        document
    }

    fn record_place(&mut self, name: String) -> Place {
        // Beyond what a place can count, the last one is named.
        let file = u16::try_from(self.files.len()).unwrap_or(u16::MAX);
        if self.files.len() <= usize::from(u16::MAX) {
            let lines = Vec::new();
            self.files.push(Text { name, lines });
        }
        Place {
            file,
            line: 0,
            column: 0,
        }
    }

    /// The name of the file a place is in.
    pub fn file(&self, at: Place) -> &str {
        let file = self.files.get(usize::from(at.file));
        file.map_or("", |file| file.name.as_str())
    }

    /// The names of the files it was read from, the first one first, each as often as it was included.
    pub fn file_names(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|file| file.name.as_str())
    }

    /// A message about a place. The value on a line that seems to hold a secret is blotted out of
    /// the excerpt.
    pub fn diagnostic(
        &self,
        severity: Severity,
        at: Place,
        message: impl Into<String>,
    ) -> Diagnostic {
        let file = self.files.get(usize::from(at.file));
        let line = file.and_then(|file| file.lines.get((at.line as usize).saturating_sub(1)));
        Diagnostic {
            severity,
            file: self.file(at).to_owned(),
            line: at.line,
            column: at.column,
            message: message.into(),
            suggestion: None,
            excerpt: line.map(|line| without_secret(line)),
        }
    }
}
