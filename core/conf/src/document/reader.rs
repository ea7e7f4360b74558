//! Lines to sections: headers, templates, entries and directives, each of which says what is wrong with it.

use super::excerpt::may_hold_semicolons;
use super::filter::{Filter, matches};
use super::scan::Scanner;
use super::{Document, Entry, Place, Section, Text};
use crate::{Diagnostic, Report, Severity, Source, Wildcard, closest};
use std::collections::BTreeMap;
use std::fmt::Display;

pub(super) struct Reader<'a> {
    source: &'a dyn Source,
    document: &'a mut Document,
    report: &'a mut Report,
    /// The files being read, outermost first, each with the `#include` that named it.
    open: Vec<(String, Option<Place>)>,
    entries: usize,
    /// The sections of each name, which is in lower case here, in the order of the text.
    named: BTreeMap<String, Vec<usize>>,
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
    pub(super) fn new(
        source: &'a dyn Source,
        document: &'a mut Document,
        report: &'a mut Report,
    ) -> Self {
        Self {
            source,
            document,
            report,
            open: Vec::new(),
            entries: 0,
            named: BTreeMap::new(),
            into: Target::Nothing,
        }
    }

    pub(super) fn file(&mut self, name: &str, text: &str, named_at: Option<Place>) {
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
        self.open.push((name.to_owned(), named_at));
        let mut scanner = Scanner::default();
        for (line, number) in text.lines().zip(1..) {
            scanner.line(line);
            self.line(&scanner, file, number);
        }
        self.open.pop();
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
                "close it with `--;`",
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
            if scanner.comment_touches() && may_hold_semicolons(name, value) {
                let message =
                    format!("the value of `{name}` ends before `;`, which begins a comment");
                let advice = "write `\\;` if it belongs to the value, else a blank before it";
                self.say(Severity::Warning, entry.value_at, message, advice);
            }
            self.entry(entry, append);
        } else {
            self.say(
                Severity::Warning,
                place(trimmed),
                "line has no `=`",
                "write `name = value`, or start a comment with `;`",
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
                    "put a `[section]` line above it",
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
            let advice = "take options out of templates that many sections use";
            self.say(Severity::Error, at, message, advice);
        }
    }

    /// What follows `[`.
    fn header(&mut self, rest: &str, at: Place) {
        self.into = Target::Refused;
        let Some((name, rest)) = rest.split_once(']') else {
            let message = "section name has no closing `]`";
            self.say(Severity::Error, at, message, "write `[name]`");
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
                    let message = "template list has no closing `)`";
                    let advice = "write `[name](template)`";
                    self.say(Severity::Error, at, message, advice);
                    return;
                }
            },
            None if rest.is_empty() => "",
            None => {
                let message = format!("`{rest}` after the section name is not understood");
                let advice = "write `[name](template)`, or put a comment behind `;`";
                self.say(Severity::Warning, at, message, advice);
                ""
            }
        };
        if section.name.is_empty() {
            let message = "section has no name";
            self.say(Severity::Error, at, message, "write `[name]`");
            return;
        }
        let mut reopened = None;
        let mut templates = Vec::new();
        for option in options.split(',').map(str::trim) {
            match (option.strip_prefix('+'), option) {
                (Some(filter), _) => match self.reopen(&section.name, filter.trim(), at) {
                    Some(index) => reopened = Some(index),
                    None => return,
                },
                (None, "") => {}
                (None, "!") => section.template = true,
                (None, template) => templates.push(template),
            }
        }
        for template in templates {
            if !self.inherit(&mut section, template) {
                return;
            }
        }
        if let Some(index) = reopened {
            // `[name](+,template)`: the template adds to the earlier section too.
            let earlier = &mut self.document.sections[index];
            earlier.entries.append(&mut section.entries);
            self.into = Target::Section(index);
            return;
        }
        let index = self.document.sections.len();
        let same = self.named.entry(section.name.to_ascii_lowercase());
        same.or_default().push(index);
        self.document.sections.push(section);
        self.into = Target::Section(index);
    }

    /// `[name](+)`: what follows is added to the first section of that name, as in Asterisk;
    /// `[name](+type=endpoint)` to the first whose options match.
    fn reopen(&mut self, name: &str, filter: &str, at: Place) -> Option<usize> {
        let filters = match Filter::parse(filter) {
            Ok(filters) => filters,
            Err(why) => {
                let advice = "write for example `[name](+type=endpoint)`";
                self.say(Severity::Error, at, why, advice);
                return None;
            }
        };
        let same = self.same_named(name);
        let mut sections = same
            .iter()
            .map(|index| (*index, &self.document.sections[*index]));
        let found = sections
            .clone()
            .find(|(_, section)| !section.template && matches(&filters, section))
            .or_else(|| sections.find(|(_, section)| matches(&filters, section)));
        match found {
            Some((index, _)) => Some(index),
            None => {
                let (which, meant) = match same.is_empty() {
                    true => (String::new(), self.closest_section(name)),
                    false => (format!(" with {filter}"), None),
                };
                let message = format!("there is no earlier section `{name}`{which} to add to");
                let advice = "take `(+)` out, or put the section it adds to above it";
                self.say(Severity::Error, at, message, question(meant, advice));
                None
            }
        }
    }

    fn same_named(&self, name: &str) -> &[usize] {
        let same = self.named.get(&name.to_ascii_lowercase());
        same.map_or(&[], Vec::as_slice)
    }

    /// Copies the entries of `template` into `section`; false if there is no such section.
    fn inherit(&mut self, section: &mut Section, template: &str) -> bool {
        let base = self.same_named(template).first();
        let Some(base) = base.map(|index| &self.document.sections[*index]) else {
            let message = format!(
                "section `{}` is not used: there is no template `{template}` above it",
                section.name
            );
            let advice = match self.stands(template, section.at) {
                _ if template.eq_ignore_ascii_case(&section.name) => {
                    format!(
                        "a section cannot be its own template; take `{template}` out of the list"
                    )
                }
                Some(line) if line > section.at.line => format!(
                    "it stands in line {line}; move it above this one (two cannot be templates of each other)"
                ),
                Some(line) => {
                    format!("the one in line {line} is not used either; mend that one first")
                }
                None => question(
                    self.closest_section(template),
                    &format!("put `[{template}](!)` above it, or take it out of the list"),
                ),
            };
            self.say(Severity::Error, section.at, message, advice);
            return false;
        };
        let room = ENTRIES_MAX.saturating_sub(self.entries);
        if base.entries.len() > room {
            let message = format!(
                "section `{}` is not used: templates give it too many options",
                section.name
            );
            let advice = "inherit from fewer templates";
            self.say(Severity::Error, section.at, message, advice);
            return false;
        }
        self.entries += base.entries.len();
        section.entries.extend(base.entries.iter().cloned());
        true
    }

    /// The line in the file of `at` where a section of this name begins, used or not.
    fn stands(&self, name: &str, at: Place) -> Option<u32> {
        let lines = &self.document.files.get(usize::from(at.file))?.lines;
        let found = lines.iter().zip(1..).find(|(line, _)| {
            let header = line.trim_start().strip_prefix('[');
            let header = header.and_then(|rest| rest.split_once(']'));
            header.is_some_and(|(header, _)| header.trim().eq_ignore_ascii_case(name))
        });
        found.map(|(_, line)| line)
    }

    fn closest_section(&self, name: &str) -> Option<String> {
        let indices = self.named.values().flatten();
        let names = indices.map(|index| self.document.sections[*index].name.as_str());
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
                    "write its output to a file and `#include` that",
                );
            }
            verb => {
                let message = format!("`#{verb}` is not a directive");
                let meant = closest(verb, ["include", "tryinclude", "exec"]);
                let meant = meant.map(|name| format!("#{name}"));
                let advice = "directives are #include and #tryinclude; a comment begins with `;`";
                self.say(Severity::Warning, at, message, question(meant, advice));
            }
        }
    }

    /// A file, or all that a pattern matches in the order of their names.
    fn include(&mut self, name: &str, at: Place, required: bool) {
        if name.is_empty() {
            let advice = "write `#include FILE`";
            self.say(Severity::Error, at, "no file is named", advice);
            return;
        }
        let Some(pattern) = Wildcard::parse(name) else {
            self.include_file(name, at, required);
            return;
        };
        match self.source.list(pattern) {
            Ok(mut names) => {
                if names.is_empty() && required {
                    let message = format!("no file is like `{name}`");
                    let advice = "names lead from the folder of the configuration; \
                                  `#tryinclude` does not mind if there is none";
                    self.say(Severity::Warning, at, message, advice);
                }
                names.sort();
                for name in names {
                    self.include_file(&name, at, false);
                }
            }
            Err(reason) => {
                let message = format!("files like `{name}` cannot be listed: {reason}");
                let advice = "let the exchange read the folder";
                self.say(Severity::Error, at, message, advice);
            }
        }
    }

    fn include_file(&mut self, name: &str, at: Place, required: bool) {
        if let Some(message) = self.too_much(name) {
            let advice = "take this `#include` out";
            self.say(Severity::Error, at, message, advice);
            return;
        }
        match self.source.read(name) {
            Ok(Some(text)) => self.file(name, &text, Some(at)),
            Ok(None) if !required => {}
            Ok(None) => {
                let message = format!("file `{name}` does not exist");
                self.say(
                    Severity::Error,
                    at,
                    message,
                    "names lead from the folder of the configuration; \
                     `#tryinclude` passes over a file that is not there",
                );
            }
            Err(reason) => {
                let message = format!("file `{name}` cannot be read: {reason}");
                let advice = "let the exchange read the file";
                self.say(Severity::Error, at, message, advice);
            }
        }
    }

    /// Why this file is not read now: a circle, too deep, too many.
    fn too_much(&self, name: &str) -> Option<String> {
        let place = |at: Place| format!("{}:{}", self.document.file(at), at.line);
        if let Some((_, named_at)) = self.open.iter().find(|(open, _)| open == name) {
            let since = match named_at {
                Some(at) => format!("since the `#include` at {}", place(*at)),
                None => "as the first file".to_owned(),
            };
            return Some(format!(
                "file `{name}` includes itself: it is being read {since}"
            ));
        }
        if self.open.len() > INCLUDE_DEPTH_MAX {
            let outermost = self.open.iter().find_map(|(_, named_at)| *named_at);
            let since = outermost.map_or_else(String::new, place);
            return Some(format!(
                "files are included more than {INCLUDE_DEPTH_MAX} deep, beginning at {since}"
            ));
        }
        let too_many = self.document.files.len() >= FILES_MAX;
        too_many.then(|| format!("more than {FILES_MAX} files are included"))
    }

    fn say(
        &mut self,
        severity: Severity,
        at: Place,
        message: impl Into<String>,
        suggestion: impl Into<String>,
    ) {
        let diagnostic = self.document.diagnostic(severity, at, message);
        self.report.push(diagnostic.advise(suggestion));
    }
}

fn question(meant: Option<impl Display>, advice: &str) -> String {
    match meant {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => advice.to_owned(),
    }
}

/// `#include` within `#include`, as deep as Asterisk goes.
const INCLUDE_DEPTH_MAX: usize = 10;
/// Files in one document.
const FILES_MAX: usize = 1000;
/// One file.
const FILE_BYTES_MAX: usize = 16 << 20;
/// Entries in one document, inherited ones counted each time: templates of templates double.
const ENTRIES_MAX: usize = 500_000;
