//! Sections and entries of `extensions.conf` to a [`Plan`].
//!
//! `[general]` and `[globals]` are read first, wherever they stand; every other section that is no
//! template is a context, and sections of one name are one context. A line that cannot be used is
//! left out and said so; the rest of the plan lives.

use crate::alternative::AltSwitch;
use crate::pattern::Pattern;
use crate::plan::{Extension, Extensions, Include, Plan, Step};
use crate::substitute::{Variables, substitute};
use crate::timing::Timing;
use conf::{Diagnostic, Document, Entry, Place, Report, Section, Severity, Source, closest};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Reads one text that includes nothing.
pub(crate) fn parse(file: &str, text: &str) -> (Plan, Vec<Diagnostic>) {
    let mut report = Report::default();
    let plan = read(&[(file, text)].as_slice(), file, &[], &mut report);
    (plan, report.finish())
}

/// Reads a file and what it includes.
pub(crate) fn read(
    source: &dyn Source,
    file: &str,
    elsewhere: &[&str],
    report: &mut Report,
) -> Plan {
    let Some(document) = Document::read(source, file, report) else {
        return Plan::default();
    };
    let mut reader = Reader {
        document: &document,
        elsewhere,
        report,
        plan: Plan::default(),
        drafts: BTreeMap::new(),
        files: BTreeMap::new(),
    };
    let sections = || document.sections.iter().filter(|section| !section.template);
    for section in sections() {
        match section.name.as_str() {
            "general" => reader.general(section),
            "globals" => reader.globals(section),
            _ => {}
        }
    }
    for section in sections() {
        if !matches!(section.name.as_str(), "general" | "globals") {
            reader.context(section);
        }
    }
    reader.finish()
}

struct Reader<'a> {
    document: &'a Document,
    /// Contexts that other files make.
    elsewhere: &'a [&'a str],
    report: &'a mut Report,
    plan: Plan,
    drafts: BTreeMap<&'a str, Draft>,
    /// One copy of each file name, shared by its steps.
    files: BTreeMap<String, Arc<str>>,
}

/// A context while it is being read.
#[derive(Default)]
struct Draft {
    extensions: Vec<Extension>,
    /// Where each of them was first seen.
    places: Vec<Place>,
    /// By name and caller.
    index: BTreeMap<(String, Option<String>), usize>,
    includes: Vec<(Include, Place)>,
    switches: Vec<AltSwitch>,
}

/// What `same =>` and `n` go on from, within a section.
#[derive(Default)]
struct Cursor {
    extension: Same,
    priority: Option<u32>,
}

/// The extension `same =>` means.
#[derive(Clone, Copy, Default)]
enum Same {
    /// There was no `exten` yet.
    #[default]
    Nothing,
    /// The `exten` was refused and said so; its other lines must not go to the one before it.
    Refused,
    Extension(usize),
}

/// `246,1(start),Dial(…)` after the extension has been split off.
struct Line<'a> {
    priority: Priority,
    label: Option<&'a str>,
    /// Where the application begins, in bytes of the value.
    application_at: usize,
    application: &'a str,
}

enum Priority {
    Hint,
    Number(u32),
}

/// Keys a context may have.
const KEYS: [&str; 8] = [
    "exten",
    "same",
    "include",
    "ignorepat",
    "switch",
    "lswitch",
    "eswitch",
    "autohints",
];

/// Options of `[general]` and keys of a context that change nothing here: name, Asterisk's default, and
/// why. A reason is the end of the sentence "accepted, has no effect here, because …".
pub const WITHOUT_EFFECT: [(&str, &str, &str); 7] = [
    (
        "clearglobalvars",
        "no",
        "every reload reads [globals] anew, and calls keep the values they set",
    ),
    (
        "extenpatternmatchnew",
        "no",
        "extensions are found by the same rules, in a table that needs no second algorithm",
    ),
    (
        "static",
        "no",
        "the console changes no file, so none needs protection from it",
    ),
    ("userscontext", "default", "there is no users.conf"),
    (
        "writeprotect",
        "no",
        "the console changes no file, so none needs protection from it",
    ),
    (
        "ignorepat",
        "",
        "it keeps the dial tone of analogue phones, and there are none",
    ),
    (
        "autohints",
        "no",
        "states of devices are not published to phones yet",
    ),
];

/// How an extension is written.
const EXTEN: &str = "write for example `exten => 100,1,Answer()`";
/// How a pattern is written.
const PATTERN: &str =
    "write for example `_1XX`: X is any digit, Z 1 to 9, N 2 to 9, `.` anything after";

/// Why an option or a key changes nothing.
fn why_without_effect(name: &str) -> Option<&'static str> {
    let found = WITHOUT_EFFECT.iter().find(|(known, ..)| *known == name);
    found.map(|(_, _, why)| *why)
}

impl<'a> Reader<'a> {
    fn general(&mut self, section: &Section) {
        for entry in &section.entries {
            let name = entry.name.to_ascii_lowercase();
            if name == "autofallthrough" {
                match conf::yes_no(&entry.value) {
                    Some(value) => self.plan.autofallthrough = value,
                    None => {
                        let message = "value is neither yes nor no";
                        self.warn(entry.value_at, message, "write `yes` or `no`");
                    }
                }
            } else if name == "overrideswitch" {
                self.plan.overriding = self.switch(entry);
            } else if let Some(why) = why_without_effect(&name) {
                let message =
                    format!("option `{name}` is accepted, has no effect here, because {why}");
                self.say(Severity::Info, entry.at, message, None);
            } else {
                let known = WITHOUT_EFFECT.iter().map(|(name, ..)| *name);
                let meant = closest(&name, known.chain(["autofallthrough", "overrideswitch"]));
                let message = format!("option `{name}` is not known in [general]");
                self.unknown(
                    entry.at,
                    message,
                    meant,
                    "options are autofallthrough, overrideswitch and static",
                );
            }
        }
    }

    fn globals(&mut self, section: &Section) {
        for entry in &section.entries {
            let value = self.with_globals(&entry.value);
            self.plan.globals.insert(entry.name.clone(), value);
        }
    }

    fn context(&mut self, section: &'a Section) {
        let name = section.name.as_str();
        let mut draft = self.drafts.remove(name).unwrap_or_default();
        let mut cursor = Cursor::default();
        for entry in &section.entries {
            match entry.name.to_ascii_lowercase().as_str() {
                "exten" => self.exten(&mut draft, &mut cursor, entry),
                "same" => self.same(&mut draft, &mut cursor, entry),
                "include" => self.include(&mut draft, entry),
                "switch" | "lswitch" | "eswitch" => draft.switches.extend(self.switch(entry)),
                key @ ("ignorepat" | "autohints") => {
                    let why = why_without_effect(key).unwrap_or_default();
                    let message = format!("`{key}` is accepted, has no effect here, because {why}");
                    self.say(Severity::Info, entry.at, message, None);
                }
                other => {
                    let message = format!("`{other}` is not known in a context");
                    let advice = "write `exten => …`, `same => …` or `include => …`";
                    self.unknown(entry.at, message, closest(other, KEYS), advice);
                }
            }
        }
        self.drafts.insert(name, draft);
    }

    /// `exten => name[/caller],priority,application`.
    fn exten(&mut self, draft: &mut Draft, cursor: &mut Cursor, entry: &Entry) {
        cursor.extension = Same::Refused;
        let Some((name, rest)) = entry.value.split_once(',') else {
            let message = "extension has neither priority nor application";
            self.refuse(entry.value_at, message, EXTEN);
            return;
        };
        let rest_at = name.len() + 1;
        // In a set the slash is a character of its own.
        let slash = name.rfind('/').filter(|at| !name[*at..].contains(']'));
        let (name, caller) = match slash {
            Some(at) => (&name[..at], Some(name[at + 1..].trim())),
            None => (name, None),
        };
        let name = self.with_globals(name.trim());
        let caller = caller.map(|caller| self.with_globals(caller));
        if name.is_empty() {
            self.refuse(entry.value_at, "extension has no name", EXTEN);
            return;
        }
        if name.starts_with('>') {
            let message = format!("the extension is called `{name}`: nobody dials that");
            self.warn(entry.value_at, message, "write `=>` without a space in it");
        }
        let Some(line) = self.line(entry, rest, rest_at, cursor) else {
            return;
        };
        let key = (name, caller);
        let extension = match draft.index.get(&key) {
            Some(extension) => *extension,
            None => {
                let Some(extension) = self.extension(&key.0, key.1.clone(), entry) else {
                    return;
                };
                draft.extensions.push(extension);
                draft.places.push(entry.value_at);
                draft.index.insert(key, draft.extensions.len() - 1);
                draft.extensions.len() - 1
            }
        };
        cursor.extension = Same::Extension(extension);
        self.step(&mut draft.extensions[extension], cursor, entry, &line);
    }

    /// `same => priority,application`.
    fn same(&mut self, draft: &mut Draft, cursor: &mut Cursor, entry: &Entry) {
        let extension = match cursor.extension {
            Same::Extension(extension) => extension,
            Same::Refused => return,
            Same::Nothing => {
                let message = "`same` stands before any `exten` of its section";
                self.refuse(entry.at, message, "begin with `exten => NAME,1,…`");
                return;
            }
        };
        if let Some(line) = self.line(entry, &entry.value, 0, cursor) {
            self.step(&mut draft.extensions[extension], cursor, entry, &line);
        }
    }

    fn extension(
        &mut self,
        name: &str,
        caller: Option<String>,
        entry: &Entry,
    ) -> Option<Extension> {
        let mut pattern_of = |text: &str| match text.strip_prefix('_').map(Pattern::parse) {
            None => Some(None),
            Some(Ok(pattern)) => Some(Some(pattern)),
            Some(Err(error)) => {
                let message = format!("pattern `{text}`: {error}");
                self.refuse(entry.value_at, message, PATTERN);
                None
            }
        };
        Some(Extension {
            name: name.to_owned(),
            pattern: pattern_of(name)?,
            caller_pattern: pattern_of(caller.as_deref().unwrap_or_default())?,
            caller,
            steps: BTreeMap::new(),
            hint: None,
            hint_at: None,
        })
    }

    /// `priority[(label)],application`, which begins at byte `at` of the value.
    fn line<'e>(
        &mut self,
        entry: &Entry,
        text: &'e str,
        at: usize,
        cursor: &Cursor,
    ) -> Option<Line<'e>> {
        let (priority, application) = text.split_once(',').unwrap_or((text, ""));
        let place = entry.within_value(at);
        let application_at = at + priority.len() + 1;
        let (number, label) = match priority.split_once('(') {
            None => (priority.trim(), None),
            Some((number, label)) => match label.trim_end().strip_suffix(')') {
                Some(label) => (number.trim(), Some(label.trim())),
                None => {
                    self.refuse(place, "label has no closing `)`", "write `n(label)`");
                    return None;
                }
            },
        };
        let priority = match priority_of(number, cursor.priority) {
            Ok(priority) => priority,
            Err(message) => {
                self.refuse(place, message, "write `1` first, then `n`");
                return None;
            }
        };
        let trimmed = application.trim_start();
        let application_at = application_at + application.len() - trimmed.len();
        if trimmed.is_empty() {
            self.refuse(place, "no application is named", EXTEN);
            return None;
        }
        Some(Line {
            priority,
            label: label.filter(|label| !label.is_empty()),
            application_at,
            application: trimmed.trim_end(),
        })
    }

    fn step(
        &mut self,
        extension: &mut Extension,
        cursor: &mut Cursor,
        entry: &Entry,
        line: &Line<'_>,
    ) {
        let at = entry.within_value(line.application_at);
        let number = match line.priority {
            Priority::Hint => {
                extension.hint = Some(line.application.to_owned());
                extension.hint_at = Some((self.file(at), at.line, at.column));
                return;
            }
            Priority::Number(number) => number,
        };
        cursor.priority = Some(number);
        if let Some(earlier) = extension.steps.get(&number) {
            let message = format!(
                "extension {} already has priority {number} in line {}; this one is left out",
                extension.name, earlier.line
            );
            self.refuse(at, message, "write `n` for the next priority");
            return;
        }
        let (application, arguments) = self.application(line.application, at);
        if application.is_empty() {
            self.refuse(at, "no application is named", EXTEN);
            return;
        }
        let file = self.file(at);
        let step = Step {
            application: application.to_owned(),
            arguments: arguments.to_owned(),
            label: line.label.map(str::to_owned),
            file,
            line: at.line,
            column: at.column,
        };
        extension.steps.insert(number, step);
    }

    /// `App(arguments)`: from the first parenthesis to the last.
    fn application<'e>(&mut self, text: &'e str, at: Place) -> (&'e str, &'e str) {
        let Some((application, rest)) = text.split_once('(') else {
            return (text, "");
        };
        let arguments = match rest.rsplit_once(')') {
            Some((arguments, "")) => arguments,
            Some((arguments, after)) => {
                let message = format!("`{}` after the closing `)` is left out", after.trim());
                self.warn(at, message, "put a comment behind `;`");
                arguments
            }
            None => {
                let message = "arguments have no closing `)`";
                self.warn(at, message, "write `)` at the end of the line");
                rest
            }
        };
        (application.trim(), arguments)
    }

    fn include(&mut self, draft: &mut Draft, entry: &Entry) {
        // As it was written before Asterisk 1.6.
        let barred = !entry.value.contains(',') && entry.value.contains('|');
        let sign = if barred { '|' } else { ',' };
        let (context, times) = match entry.value.split_once(sign) {
            Some((context, times)) => (context.trim(), Some(times.trim().replace('|', ","))),
            None => (entry.value.trim(), None),
        };
        let context = self.with_globals(context);
        let timing = times.as_deref().map(Timing::parse);
        if let Some(Err(fault)) = &timing {
            let message = format!("{fault}: the `include` holds always");
            self.warn(entry.value_at, message, "correct it, or take the times out");
        }
        let timing = timing.and_then(Result::ok);
        let include = Include {
            context,
            times,
            timing,
            file: self.file(entry.at),
            line: entry.at.line,
        };
        draft.includes.push((include, entry.value_at));
    }

    /// `switch => Realtime/context@family`; nothing, and a warning, for one that is not served.
    fn switch(&mut self, entry: &Entry) -> Option<AltSwitch> {
        let key = entry.name.to_ascii_lowercase();
        let evaluated = key == "eswitch";
        let written = match key.as_str() {
            // `lswitch` is taken to the letter.
            "switch" => self.with_globals(entry.value.trim()),
            _ => entry.value.trim().to_owned(),
        };
        let faults = AltSwitch::faults(&written);
        let unserved = faults.iter().any(|fault| fault.unserved);
        for fault in faults {
            self.warn(entry.value_at, fault.message, &fault.advice);
        }
        (!unserved).then(|| AltSwitch {
            written,
            evaluated,
            file: self.file(entry.value_at),
            line: entry.value_at.line,
            column: entry.value_at.column,
        })
    }

    fn finish(mut self) -> Plan {
        let drafts = std::mem::take(&mut self.drafts);
        let mut places = Vec::new();
        for (name, draft) in drafts {
            let plain = draft.extensions.iter().zip(draft.places);
            // The first priority may be in a table.
            let has_switch = !draft.switches.is_empty() || self.plan.overriding.is_some();
            places.extend(plain.filter_map(|(extension, at)| {
                let lacks_first =
                    extension.pattern.is_none() && !extension.steps.is_empty() && !has_switch;
                lacks_first.then(|| (name, extension.name.clone(), extension.caller.clone(), at))
            }));
            let (includes, include_places): (Vec<_>, Vec<_>) = draft.includes.into_iter().unzip();
            for (include, at) in includes.iter().zip(include_places) {
                let known = |section: &&Section| {
                    !section.template && !matches!(section.name.as_str(), "general" | "globals")
                };
                let mut sections = self.document.sections.iter().filter(known);
                let is_made = self.elsewhere.contains(&include.context.as_str());
                if !is_made
                    && !sections
                        .clone()
                        .any(|section| section.name == include.context)
                {
                    let names = sections.by_ref().map(|section| section.name.as_str());
                    let meant = closest(&include.context, names);
                    let message = format!("context `{}` does not exist", include.context);
                    let advice = format!("add `[{}]`", include.context);
                    self.unknown(at, message, meant, &advice);
                }
            }
            let mut extensions = arrange(draft.extensions, includes);
            extensions.switches = draft.switches;
            self.plan.contexts.insert(name.to_owned(), extensions);
        }
        for (context, exten, caller, at) in places {
            if self.plan.find(context, &exten, caller.as_deref()).is_none() {
                let message = format!("extension {exten} has no priority 1 and is never reached");
                self.warn(at, message, "write `1` as its first priority");
            }
        }
        self.plan
    }

    fn with_globals(&self, text: &str) -> String {
        substitute(text, &Globals(&self.plan.globals))
    }

    fn file(&mut self, at: Place) -> Arc<str> {
        let name = self.document.file(at);
        let entry = self.files.entry(name.to_owned());
        entry.or_insert_with(|| Arc::from(name)).clone()
    }

    fn refuse(&mut self, at: Place, message: impl Into<String>, advice: &str) {
        self.say(Severity::Error, at, message, Some(advice.to_owned()));
    }

    fn warn(&mut self, at: Place, message: impl Into<String>, advice: &str) {
        self.say(Severity::Warning, at, message, Some(advice.to_owned()));
    }

    /// A name nobody knows: what was meant, else what there is.
    fn unknown(
        &mut self,
        at: Place,
        message: impl Into<String>,
        meant: Option<&str>,
        advice: &str,
    ) {
        let question = meant.map(|meant| format!("did you mean `{meant}`?"));
        let advice = question.unwrap_or_else(|| advice.to_owned());
        self.say(Severity::Warning, at, message, Some(advice));
    }

    fn say(
        &mut self,
        severity: Severity,
        at: Place,
        message: impl Into<String>,
        advice: Option<String>,
    ) {
        let mut diagnostic = self.document.diagnostic(severity, at, message);
        diagnostic.suggestion = advice;
        self.report.push(diagnostic);
    }
}

/// `5`, `n`, `n+2`, `s`, `hint`; `last` is the priority of the line before.
fn priority_of(text: &str, last: Option<u32>) -> Result<Priority, String> {
    let (word, plus) = match text.split_once('+') {
        Some((word, plus)) => match plus.trim().parse::<u32>() {
            Ok(plus) => (word.trim(), plus),
            Err(_) => return Err(format!("`{text}` is not a priority")),
        },
        None => (text, 0),
    };
    let from_last = |by: u32| match last {
        Some(last) => Ok(last.saturating_add(by)),
        None => Err(format!("`{word}` has no line before it to go on from")),
    };
    let number = match word.to_ascii_lowercase().as_str() {
        "hint" => return Ok(Priority::Hint),
        "n" | "next" => from_last(1)?,
        "s" | "same" => from_last(0)?,
        _ => word
            .parse()
            .ok()
            .filter(|number| *number > 0)
            .ok_or_else(|| {
                format!("`{word}` is not a priority: write a number from 1, `n` or `hint`")
            })?,
    };
    number
        .checked_add(plus)
        .map(Priority::Number)
        .ok_or_else(|| format!("`{text}` is too large a priority"))
}

/// Puts extensions into the order they are searched in.
pub(crate) fn arrange(extensions: Vec<Extension>, includes: Vec<Include>) -> Extensions {
    let mut plain: BTreeMap<String, Vec<Extension>> = BTreeMap::new();
    let mut patterns = Vec::new();
    for extension in extensions {
        if extension.pattern.is_some() {
            patterns.push(extension);
        } else {
            let list = plain.entry(extension.name.clone()).or_default();
            list.push(extension);
        }
    }
    // An extension for one caller is tried before the same for all.
    for list in plain.values_mut() {
        list.sort_by_key(|extension| extension.caller.is_none());
    }
    patterns.sort_by(|a, b| {
        let order = match (&a.pattern, &b.pattern) {
            (Some(a), Some(b)) => a.particular(b),
            _ => std::cmp::Ordering::Equal,
        };
        order.then(a.caller.is_none().cmp(&b.caller.is_none()))
    });
    Extensions {
        plain,
        patterns,
        includes,
        switches: Vec::new(),
    }
}

/// Names in the file itself see `[globals]` and nothing else.
struct Globals<'a>(&'a BTreeMap<String, String>);

impl Variables for Globals<'_> {
    fn variable(&self, name: &str) -> Option<Cow<'_, str>> {
        self.0.get(name).map(|value| Cow::Borrowed(value.as_str()))
    }

    fn function(&self, _name: &str, _arguments: &str) -> Option<String> {
        None
    }
}
