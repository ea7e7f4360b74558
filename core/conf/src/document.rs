//! Text to sections: comments, includes, headers with templates, entries.
//!
//! The grammar is Asterisk's: `[name](template,other)`, `[name](!)` for a template that is not an
//! object itself, `[name](+)` to add to an earlier section; `name = value`, `name => value` and
//! `name += more`; `;` comments unless written `\;`, and `;-- … --;` blocks; `#include`,
//! `#tryinclude`. `#exec` is refused. Sections of one name stay apart, because in `pjsip.conf` each
//! is an object of its own type.

use crate::{Diagnostic, Report, Severity, Source, closest};
use scan::Scanner;
use std::collections::BTreeMap;
use std::fmt::Display;

mod scan;

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

/// `#include` within `#include`, as deep as Asterisk goes.
const INCLUDE_DEPTH_MAX: usize = 10;
/// Files in one document.
const FILES_MAX: usize = 1000;
/// One file.
const FILE_BYTES_MAX: usize = 16 << 20;
/// Entries in one document, inherited ones counted each time: templates of templates double.
const ENTRIES_MAX: usize = 500_000;

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
                reader.file(name, &text);
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

    /// The name of the file a place is in.
    pub fn file(&self, at: Place) -> &str {
        let file = self.files.get(usize::from(at.file));
        file.map_or("", |file| file.name.as_str())
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

/// The line as it may be shown to whoever reads the log.
fn without_secret(line: &str) -> String {
    let shown: String = line.chars().take(EXCERPT_CHARS_MAX).collect();
    match shown.split_once('=') {
        Some((name, _)) if is_secret(name.trim()) => format!("{name}=…"),
        _ => shown,
    }
}

/// Longer lines are cut in excerpts.
const EXCERPT_CHARS_MAX: usize = 200;

/// Whether the value of an option of this name, perhaps misspelt, must not be shown.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["pass", "pwd", "secret", "cred", "token", "digest"]
        .iter()
        .any(|part| name.contains(part))
        || closest(&name, ["password", "password_digest", "md5_cred", "secret"]).is_some()
}

struct Reader<'a> {
    source: &'a dyn Source,
    document: &'a mut Document,
    report: &'a mut Report,
    depth: usize,
    entries: usize,
    /// The last section of each name.
    latest: BTreeMap<String, usize>,
    /// What entries go to: nothing before the first header, or after a broken one.
    into: Target,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Target {
    Nothing,
    /// The header was refused and said so; its entries are passed over in silence.
    Refused,
    Section(usize),
}

impl<'a> Reader<'a> {
    fn new(source: &'a dyn Source, document: &'a mut Document, report: &'a mut Report) -> Self {
        Self {
            source,
            document,
            report,
            depth: 0,
            entries: 0,
            latest: BTreeMap::new(),
            into: Target::Nothing,
        }
    }

    fn file(&mut self, name: &str, text: &str) {
        let Ok(file) = u16::try_from(self.document.files.len()) else {
            return;
        };
        if text.len() > FILE_BYTES_MAX {
            let message = format!("is longer than {FILE_BYTES_MAX} bytes and is not read");
            let about = Diagnostic::about_file(Severity::Error, name, message);
            self.report.push(about);
            return;
        }
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        self.document.files.push(Text {
            name: name.to_owned(),
            lines: text.lines().map(Box::from).collect(),
        });
        let mut scanner = Scanner::default();
        for (line, number) in text.lines().zip(1..) {
            scanner.line(line);
            self.line(&scanner, file, number);
        }
        if let Some(line) = scanner.open_since() {
            let at = Place {
                file,
                line,
                column: 1,
            };
            self.say(
                Severity::Warning,
                at,
                "comment `;--` is never closed",
                Some("close it with `--;`".into()),
            );
        }
    }

    fn line(&mut self, scanner: &Scanner, file: u16, line: u32) {
        let text = scanner.text();
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return;
        }
        let place = |part: &str| Place {
            file,
            line,
            column: scanner.column(part.as_ptr() as usize - text.as_ptr() as usize),
        };
        if let Some(rest) = trimmed.strip_prefix('[') {
            self.header(rest, place(rest));
        } else if let Some(rest) = trimmed.strip_prefix('#') {
            self.directive(rest, place(trimmed));
        } else if let Some((name, value)) = trimmed.split_once('=') {
            let (name, append) = match name.strip_suffix('+') {
                Some(name) => (name.trim(), true),
                None => (name.trim(), false),
            };
            let (value, arrow) = match value.strip_prefix('>') {
                Some(value) => (value.trim(), true),
                None => (value.trim(), false),
            };
            let entry = Entry {
                name: name.to_owned(),
                value: value.to_owned(),
                arrow,
                at: place(name),
                value_at: place(value),
            };
            self.entry(entry, append);
        } else {
            self.say(
                Severity::Warning,
                place(trimmed),
                "line has no `=`",
                Some("write `name = value`, or start a comment with `;`".into()),
            );
        }
    }

    fn entry(&mut self, mut entry: Entry, append: bool) {
        let section = match self.into {
            Target::Section(index) => index,
            Target::Refused => return,
            Target::Nothing => {
                self.say(
                    Severity::Error,
                    entry.at,
                    "option stands before any section",
                    Some("put a `[section]` line above it".into()),
                );
                return;
            }
        };
        if self.entries >= ENTRIES_MAX {
            return;
        }
        self.entries += 1;
        let section = &mut self.document.sections[section];
        if append && let Some(earlier) = section.last(&entry.name) {
            entry.value.insert_str(0, &earlier.value);
        }
        section.entries.push(entry);
        if self.entries == ENTRIES_MAX {
            let message = format!("more than {ENTRIES_MAX} options; the rest is not read");
            let at = section.at;
            self.say(Severity::Error, at, message, None);
        }
    }

    /// What follows `[`.
    fn header(&mut self, rest: &str, at: Place) {
        self.into = Target::Refused;
        let Some((name, rest)) = rest.split_once(']') else {
            self.say(Severity::Error, at, "section name has no closing `]`", None);
            return;
        };
        let mut section = Section {
            name: name.trim().to_owned(),
            template: false,
            entries: Vec::new(),
            at,
        };
        let rest = rest.trim();
        let options = match rest.strip_prefix('(') {
            Some(options) => match options.strip_suffix(')') {
                Some(options) => options,
                None => {
                    self.say(
                        Severity::Error,
                        at,
                        "template list has no closing `)`",
                        None,
                    );
                    return;
                }
            },
            None if rest.is_empty() => "",
            None => {
                let message = format!("`{rest}` after the section name is not understood");
                self.say(Severity::Warning, at, message, None);
                ""
            }
        };
        for option in options.split(',').map(str::trim) {
            match option {
                "" => {}
                "!" => section.template = true,
                "+" => {
                    self.reopen(&section.name, at);
                    return;
                }
                template => {
                    if !self.inherit(&mut section, template) {
                        return;
                    }
                }
            }
        }
        let index = self.document.sections.len();
        self.latest.insert(section.name.clone(), index);
        self.document.sections.push(section);
        self.into = Target::Section(index);
    }

    /// `[name](+)`: what follows is added to the last section of that name.
    fn reopen(&mut self, name: &str, at: Place) {
        match self.latest.get(name) {
            Some(index) => self.into = Target::Section(*index),
            None => {
                let message = format!("there is no earlier section `{name}` to add to");
                let meant = self.closest_section(name);
                self.say(Severity::Error, at, message, question(meant));
            }
        }
    }

    /// Copies the entries of `template` into `section`; false if there is no such section.
    fn inherit(&mut self, section: &mut Section, template: &str) -> bool {
        let base = self.latest.get(template);
        let Some(base) = base.map(|index| &self.document.sections[*index]) else {
            let message = format!(
                "section `{}` is not used: there is no template `{template}` above it",
                section.name
            );
            let meant = self.closest_section(template);
            self.say(Severity::Error, section.at, message, question(meant));
            return false;
        };
        let room = ENTRIES_MAX.saturating_sub(self.entries);
        if base.entries.len() > room {
            let message = format!(
                "section `{}` is not used: templates give it too many options",
                section.name
            );
            self.say(Severity::Error, section.at, message, None);
            return false;
        }
        self.entries += base.entries.len();
        section.entries.extend(base.entries.iter().cloned());
        true
    }

    fn closest_section(&self, name: &str) -> Option<String> {
        let names = self.latest.keys().map(String::as_str);
        closest(name, names).map(str::to_owned)
    }

    /// What follows `#`.
    fn directive(&mut self, rest: &str, at: Place) {
        let (verb, argument) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let name = argument
            .trim()
            .trim_matches(|c| matches!(c, '"' | '<' | '>'));
        match verb {
            "include" => self.include(name, at, true),
            "tryinclude" => self.include(name, at, false),
            "exec" => {
                let message = "`#exec` is refused: no program is run to make configuration";
                self.say(
                    Severity::Error,
                    at,
                    message,
                    Some("write its output to a file and `#include` that".into()),
                );
            }
            verb => {
                let message = format!("`#{verb}` is not a directive");
                let meant = closest(verb, ["include", "tryinclude", "exec"]);
                let meant = meant.map(|name| format!("#{name}"));
                self.say(Severity::Warning, at, message, question(meant));
            }
        }
    }

    fn include(&mut self, name: &str, at: Place, required: bool) {
        if name.is_empty() {
            self.say(Severity::Error, at, "no file is named", None);
            return;
        }
        if self.depth >= INCLUDE_DEPTH_MAX || self.document.files.len() >= FILES_MAX {
            self.say(Severity::Error, at, "files are included too deep", None);
            return;
        }
        match self.source.read(name) {
            Ok(Some(text)) => {
                self.depth += 1;
                self.file(name, &text);
                self.depth -= 1;
            }
            Ok(None) if !required => {}
            Ok(None) => {
                let message = format!("file `{name}` does not exist");
                self.say(
                    Severity::Error,
                    at,
                    message,
                    Some("`#tryinclude` passes over a file that is not there".into()),
                );
            }
            Err(reason) => {
                let message = format!("file `{name}` cannot be read: {reason}");
                self.say(Severity::Error, at, message, None);
            }
        }
    }

    fn say(
        &mut self,
        severity: Severity,
        at: Place,
        message: impl Into<String>,
        suggestion: Option<String>,
    ) {
        let mut diagnostic = self.document.diagnostic(severity, at, message);
        diagnostic.suggestion = suggestion;
        self.report.push(diagnostic);
    }
}

fn question(meant: Option<impl Display>) -> Option<String> {
    meant.map(|meant| format!("did you mean `{meant}`?"))
}
