//! What works here of a folder of Asterisk: every file, section by section.
//!
//! Files the exchange reads are judged by what it says of them; the others by what they are for. No file
//! is passed over in silence. An item is one section, one option or one kind of thing; it works, differs,
//! or is not supported.

mod dialplan;
mod foreign;

use conf::{Diagnostic, Document, Report, Section, Severity, Source, Wildcard};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::snapshot::FILES;

/// What the exchange can do, which the caller knows.
#[derive(Clone, Copy, Debug)]
pub struct Abilities<'a> {
    /// Applications of the dial plan.
    pub applications: &'a [&'a str],
    /// Functions of the dial plan.
    pub functions: &'a [&'a str],
}

/// How far something works here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// As in Asterisk.
    Works,
    /// Otherwise than in Asterisk, or without effect; or worth a look.
    Differs,
    /// Not at all.
    Unsupported,
}

impl Verdict {
    /// As it is printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Works => "works",
            Self::Differs => "differs",
            Self::Unsupported => "unsupported",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One thing that was judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// How far it works.
    pub verdict: Verdict,
    /// Its file.
    pub file: String,
    /// Its line, from 1; 0 if it is the file as a whole.
    pub line: u32,
    /// Its column, from 1.
    pub column: u32,
    /// What it is and what becomes of it.
    pub message: String,
    /// What to do.
    pub suggestion: Option<String>,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileReport {
    /// Its name in the folder.
    pub file: String,
    /// What it is for and whether it is read.
    pub about: String,
    /// What stands in it, in the order of the lines.
    pub items: Vec<Item>,
}

/// Something the dial plan uses and the exchange has not, with the places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lacking {
    /// Its name.
    pub name: String,
    /// What is missing.
    pub why: &'static str,
    /// `file:line` of each use.
    pub places: Vec<String>,
}

/// The whole report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Migration {
    /// Every file, those that are read first.
    pub files: Vec<FileReport>,
    /// Applications the dial plan uses and the exchange has not.
    pub applications: Vec<Lacking>,
    /// Functions, likewise.
    pub functions: Vec<Lacking>,
}

impl Migration {
    /// Items with this verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        let items = self.files.iter().flat_map(|file| &file.items);
        items.filter(|item| item.verdict == verdict).count()
    }
}

/// Judges a folder of Asterisk; `beside` is what was found about the files and certificates that its options
/// name.
pub fn migration(
    source: &dyn Source,
    abilities: Abilities<'_>,
    beside: &[Diagnostic],
) -> Migration {
    let (config, messages) = crate::load(source);
    let config = config.unwrap_or_default();
    let mut judged = Judged::default();
    let faults = config.plan.faults();
    let devices = config.device_faults(None);
    let found = messages.iter().chain(&faults).chain(&devices);
    for message in found.chain(beside) {
        judged.message(message);
    }
    let mut reports: Vec<FileReport> = Vec::new();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for file in FILES {
        let Some(document) = Document::read(source, file, &mut Report::default()) else {
            continue;
        };
        seen.extend(document.file_names().map(str::to_owned));
        judged.sections(file, &document);
    }
    let (applications, functions) = dialplan::judge(&config.plan, abilities, &mut judged);
    let mut included: BTreeSet<String> = BTreeSet::new();
    for file in listed(source) {
        if !seen.contains(&file) {
            reports.push(foreign::judge(source, &file, &mut included));
        }
    }
    // What a file that is not read includes is told with it.
    reports.retain(|report| !included.contains(&report.file));
    let mut files: Vec<FileReport> = judged.into_files(&seen);
    files.extend(reports);
    Migration {
        files,
        applications,
        functions,
    }
}

/// A word about each file of a folder that looks like a configuration and is not read; a warning where phones or
/// trunks are missing for it, or its name is nearly one that is read.
pub fn unread_files(source: &dyn Source) -> Vec<Diagnostic> {
    let mut read: BTreeSet<String> = BTreeSet::new();
    for file in FILES {
        if let Some(document) = Document::read(source, file, &mut Report::default()) {
            read.extend(document.file_names().map(str::to_owned));
        }
    }
    let names = listed(source)
        .into_iter()
        .filter(|name| !read.contains(name));
    names.filter_map(|name| foreign::unread(&name)).collect()
}

/// The files of the folder itself, by name.
fn listed(source: &dyn Source) -> Vec<String> {
    let patterns = ["*.conf", "*.ael", "*.lua"];
    let patterns = patterns.into_iter().filter_map(Wildcard::parse);
    let mut names: Vec<String> = patterns
        .flat_map(|pattern| source.list(pattern).unwrap_or_default())
        .collect();
    names.sort();
    names
}

/// Items while they are gathered.
#[derive(Default)]
struct Judged {
    /// By file and place; `true` if the place is a section that works unless something else is said of it.
    items: BTreeMap<(String, u32, u32), Vec<Item>>,
    /// Sections: file, first line, and what they are.
    sections: Vec<(String, u32, u32, String)>,
}

impl Judged {
    fn add(&mut self, item: Item) {
        let key = (item.file.clone(), item.line, item.column);
        let items = self.items.entry(key).or_default();
        if !items.contains(&item) {
            items.push(item);
        }
    }

    /// What the reader says of the text.
    fn message(&mut self, message: &Diagnostic) {
        self.add(Item {
            verdict: match message.severity {
                Severity::Info | Severity::Warning => Verdict::Differs,
                Severity::Error => Verdict::Unsupported,
            },
            file: message.file.clone(),
            line: message.line,
            column: message.column,
            message: message.message.clone(),
            suggestion: message.suggestion.clone(),
        });
    }

    fn sections(&mut self, file: &str, document: &Document) {
        for section in &document.sections {
            let name = document.file(section.at).to_owned();
            let what = describe(file, section);
            if let Some(lack) = lacks(file, section) {
                if lack.wholly {
                    self.forget(document, section);
                }
                let mut places = vec![section.at];
                places.extend(section.last("type").map(|entry| entry.value_at));
                for at in places {
                    let file = document.file(at).to_owned();
                    self.items.remove(&(file, at.line, at.column));
                }
                self.add(Item {
                    verdict: Verdict::Unsupported,
                    file: name.clone(),
                    line: section.at.line,
                    column: section.at.column,
                    message: format!("{what}: {}", lack.why),
                    suggestion: lack.suggestion.map(str::to_owned),
                });
            }
            self.sections
                .push((name, section.at.line, section.at.column, what));
        }
    }

    /// Takes back what was said of the options of a section: none of them counts. What templates gave
    /// counts elsewhere.
    fn forget(&mut self, document: &Document, section: &Section) {
        let own = section.entries.iter().filter(|entry| {
            entry.at.line > section.at.line && document.file(entry.at) == document.file(section.at)
        });
        for entry in own {
            for at in [entry.at, entry.value_at] {
                let key = (document.file(at).to_owned(), at.line, at.column);
                if let Some(items) = self.items.get_mut(&key) {
                    items.retain(|item| {
                        item.verdict == Verdict::Unsupported || item.suggestion.is_some()
                    });
                }
            }
        }
    }

    /// Sections of which nothing is said work.
    fn into_files(mut self, seen: &BTreeSet<String>) -> Vec<FileReport> {
        let sections = std::mem::take(&mut self.sections);
        for (file, line, column, what) in &sections {
            let next = sections
                .iter()
                .filter(|(other, start, ..)| other == file && start > line)
                .map(|(_, start, ..)| *start)
                .min()
                .unwrap_or(u32::MAX);
            if self.items.contains_key(&(file.clone(), *line, *column)) {
                continue;
            }
            let range = (file.clone(), *line, 0)..(file.clone(), next, 0);
            let worst = self.items.range(range).flat_map(|(_, items)| items);
            let worst = worst.map(|item| item.verdict).max();
            let (verdict, message) = match worst {
                None => (Verdict::Works, format!("{what} works")),
                Some(Verdict::Works | Verdict::Differs) => {
                    let message = format!("{what} works, but for what follows");
                    (Verdict::Works, message)
                }
                Some(Verdict::Unsupported) if what.starts_with("context ") => {
                    (Verdict::Differs, format!("{what} works in part"))
                }
                Some(Verdict::Unsupported) => continue,
            };
            self.add(Item {
                verdict,
                file: file.clone(),
                line: *line,
                column: *column,
                message,
                suggestion: None,
            });
        }
        let mut files: Vec<FileReport> = Vec::new();
        let order = FILES.iter().map(|file| (*file).to_owned());
        let mut names: Vec<String> = order.filter(|file| seen.contains(file)).collect();
        names.extend(
            seen.iter()
                .filter(|name| !FILES.contains(&name.as_str()))
                .cloned(),
        );
        for name in names {
            let mine = self.items.iter().filter(|((file, ..), _)| *file == name);
            let mut items: Vec<Item> = mine.flat_map(|(_, items)| items.clone()).collect();
            items.sort_by_key(|item| (item.line, item.verdict, item.column));
            let about = match FILES.contains(&name.as_str()) {
                true => "read".to_owned(),
                false => "read, since another file includes it".to_owned(),
            };
            files.push(FileReport {
                file: name,
                about,
                items,
            });
        }
        files
    }
}

/// `endpoint alice`, `context from-trunk`.
fn describe(file: &str, section: &Section) -> String {
    let name = &section.name;
    if section.template {
        return format!("template {name}");
    }
    let kind = section.last("type").map(|entry| entry.value.as_str());
    match (file, kind) {
        (_, Some(kind)) => format!("{kind} {name}"),
        ("extensions.conf", None) if !matches!(name.as_str(), "general" | "globals") => {
            format!("context {name}")
        }
        ("acl.conf", None) => format!("list of addresses {name}"),
        (_, None) => format!("section {name}"),
    }
}

/// Why a section does not work, where the reader takes it.
struct Lack {
    why: &'static str,
    suggestion: Option<&'static str>,
    /// Nothing at all comes of it, whatever its options are.
    wholly: bool,
}

fn lacks(file: &str, section: &Section) -> Option<Lack> {
    if section.template {
        return None;
    }
    let kind = section.last("type").map(|entry| entry.value.as_str());
    match (file, kind?) {
        ("pjsip.conf", kind) => {
            let mut unserved = crate::pjsip::unserved_types();
            let found = unserved.find(|(name, _)| *name == kind);
            found.map(|(_, why)| Lack {
                why,
                suggestion: None,
                wholly: true,
            })
        }
        ("confbridge.conf", "user" | "bridge" | "menu") => Some(Lack {
            why: crate::confbridge::NO_CONFERENCE,
            suggestion: None,
            wholly: true,
        }),
        _ => None,
    }
}
