//! Sections of any file to objects, and what is said about their options.

use crate::moved;
use crate::option::{Applied, Fault, Object};
use conf::{Diagnostic, Document, Entry, Place, Report, Section, Severity, closest};
use std::collections::{BTreeMap, BTreeSet};

/// Objects that one message names; the others are counted.
const OBJECTS_NAMED_MAX: usize = 3;

/// Options without effect that are there to keep somebody out.
const GUARDS: [&str; 6] = [
    "ice_acl",
    "ice_deny",
    "ice_permit",
    "stun_acl",
    "stun_deny",
    "stun_permit",
];

/// Reads sections of one document into objects.
pub(crate) struct Reader<'a> {
    document: &'a Document,
    report: &'a mut Report,
    /// Options without effect that were mentioned already.
    mentioned: BTreeSet<(&'static str, String)>,
    /// Broken options by their place: a line of a template is broken for each object that inherits it.
    broken: BTreeMap<Place, Broken>,
}

/// What a broken option takes away.
struct Broken {
    /// Where it is told.
    message: usize,
    objects: Vec<String>,
    count: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(document: &'a Document, report: &'a mut Report) -> Self {
        Self {
            document,
            report,
            mentioned: BTreeSet::new(),
            broken: BTreeMap::new(),
        }
    }

    /// The object in a section; `None`, and an error, if an option of it is broken.
    pub(crate) fn object<T: Object>(&mut self, section: &Section) -> Option<T> {
        let (object, usable) = self.object_as_it_is(section);
        usable.then_some(object)
    }

    /// The object in a section without its broken options, and whether there are none.
    pub(crate) fn object_as_it_is<T: Object>(&mut self, section: &Section) -> (T, bool) {
        let mut object = T::named(&section.name);
        let mut usable = true;
        let foreign = self.foreign_template(T::KIND, section);
        for entry in &section.entries {
            let is_foreign = foreign && entry.at < section.at && !T::is_option(&entry.name);
            if entry.name.eq_ignore_ascii_case("type") || is_foreign {
                continue;
            }
            usable &= match object.set(&entry.name, &entry.value) {
                Applied::Fault(fault) if fault.drops() => {
                    self.broken(T::KIND, &section.name, entry, &fault);
                    false
                }
                Applied::Unknown => {
                    self.unknown(T::KIND, entry, T::closest_option(&entry.name));
                    true
                }
                applied => self.applied(T::KIND, &applied, entry, ""),
            };
        }
        object.finish();
        (object, usable)
    }

    /// Says that a section inherits from a template of another type; whether it does. What it inherits is of no
    /// use to it, which is no fault of the template.
    fn foreign_template(&mut self, kind: &str, section: &Section) -> bool {
        let inherited = section.entries.iter().find(|entry| {
            entry.name.eq_ignore_ascii_case("type") && entry.at < section.at && entry.value != kind
        });
        let Some(inherited) = inherited else {
            return false;
        };
        let message = format!(
            "{kind} `{}` inherits from a template of type {}: what it inherits is not read",
            section.name, inherited.value
        );
        let advice = format!(
            "take that template out of the brackets after `[{}]`, or write `type={}`",
            section.name, inherited.value
        );
        self.say(Severity::Warning, section, message, advice);
        true
    }

    /// Says that an object is not used for an option; once for all that have the same line.
    fn broken(&mut self, kind: &str, name: &str, entry: &Entry, fault: &Fault) {
        let broken = self.broken.entry(entry.value_at).or_insert(Broken {
            message: self.report.len(),
            objects: Vec::new(),
            count: 0,
        });
        broken.count += 1;
        if broken.objects.len() < OBJECTS_NAMED_MAX {
            broken.objects.push(format!("`{name}`"));
        }
        let objects = broken.objects.join(", ");
        let (message, is_first) = (broken.message, broken.count == 1);
        let text = match broken.count - broken.objects.len() {
            0 if is_first => format!("{kind} {objects} is not used: {} {fault}", entry.name),
            0 => format!("{kind} {objects} are not used: {} {fault}", entry.name),
            more => format!(
                "{kind} {objects} and {more} more are not used: {} {fault}",
                entry.name
            ),
        };
        if is_first {
            let diagnostic = self.at_value(Severity::Error, entry, text);
            self.report.push(advised(diagnostic, fault, entry));
        } else if let Some(told) = self.report.message_mut(message) {
            told.message = text;
        }
    }

    /// The options of a section of which there is one alone: a broken option is left out, the others
    /// hold.
    pub(crate) fn fill<T: Object>(&mut self, object: &mut T, section: &Section) {
        for entry in &section.entries {
            let owner = format!("option is left out: {}", entry.name);
            self.option(object, entry, &owner);
        }
        object.finish();
    }

    /// Reads one option; false if its value is broken. `owner` begins the message that says so.
    pub(crate) fn option<T: Object>(&mut self, object: &mut T, entry: &Entry, owner: &str) -> bool {
        let applied = object.set(&entry.name, &entry.value);
        if applied == Applied::Unknown {
            let meant = T::closest_option(&entry.name);
            self.unknown(T::KIND, entry, meant);
            return true;
        }
        self.applied(T::KIND, &applied, entry, owner)
    }

    /// Says what became of an option; false if its value is broken.
    pub(crate) fn applied(
        &mut self,
        kind: &'static str,
        applied: &Applied,
        entry: &Entry,
        owner: &str,
    ) -> bool {
        match applied {
            Applied::Set => true,
            Applied::Inert(why) => {
                self.mention(kind, entry, why);
                true
            }
            Applied::Unknown => {
                self.unknown(kind, entry, None);
                true
            }
            Applied::Fault(fault) => {
                let diagnostic = if fault.drops() {
                    self.at_value(Severity::Error, entry, format!("{owner} {fault}"))
                } else {
                    let message = format!("{} {fault}", entry.name);
                    self.at_value(Severity::Warning, entry, message)
                };
                self.report.push(advised(diagnostic, fault, entry));
                !fault.drops()
            }
        }
    }

    /// Says that nobody knows an option. Its value is not shown: it may be a secret whose name was
    /// misspelt.
    pub(crate) fn unknown(&mut self, kind: &str, entry: &Entry, meant: Option<&str>) {
        let message = format!("option `{}` is not known in {kind}", entry.name);
        let diagnostic = self
            .document
            .diagnostic(Severity::Warning, entry.at, message);
        let mut diagnostic = match (moved::advice(kind, &entry.name), meant) {
            (Some(advice), _) => diagnostic.advise(advice),
            (None, Some(_)) => diagnostic.did_you_mean(meant),
            (None, None) => {
                diagnostic.advise("take the line out: neither Asterisk nor this exchange reads it")
            }
        };
        diagnostic.excerpt = Some(format!("{}=…", entry.name));
        self.report.push(diagnostic);
    }

    /// Says once that an option has no effect, and why.
    fn mention(&mut self, kind: &'static str, entry: &Entry, why: &str) {
        let name = entry.name.to_ascii_lowercase();
        // Whoever relies on a list of addresses must not be left to believe that it holds.
        let (severity, message) = if GUARDS.contains(&name.as_str()) {
            let message =
                format!("option `{name}` keeps nobody out: it has no effect here, because {why}");
            (Severity::Warning, message)
        } else {
            let message = format!("option `{name}` is accepted, has no effect here, because {why}");
            (Severity::Info, message)
        };
        if self.mentioned.insert((kind, name)) {
            let diagnostic = self.document.diagnostic(severity, entry.at, message);
            self.report.push(diagnostic);
        }
    }

    /// Says that a section has no effect, and why; or what was meant by its name.
    pub(crate) fn unserved(&mut self, section: &Section, why: Option<&str>, names: &[&str]) {
        match why {
            Some(why) => {
                let message = format!(
                    "section `{}` is accepted, has no effect here, because {why}",
                    section.name
                );
                let diagnostic = self.at_section(Severity::Info, section, message);
                self.report.push(diagnostic);
            }
            None => {
                let message = format!("section `{}` is not known in this file", section.name);
                let diagnostic = self.at_section(Severity::Warning, section, message);
                let meant = closest(&section.name, names.iter().copied());
                let diagnostic = match meant {
                    Some(_) => diagnostic.did_you_mean(meant),
                    None => diagnostic.advise(format!("its sections are {}", names.join(", "))),
                };
                self.report.push(diagnostic);
            }
        }
    }

    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        self.report.push(diagnostic);
    }

    pub(crate) fn at_value(
        &self,
        severity: Severity,
        entry: &Entry,
        message: impl Into<String>,
    ) -> Diagnostic {
        self.document.diagnostic(severity, entry.value_at, message)
    }

    pub(crate) fn at_section(
        &self,
        severity: Severity,
        section: &Section,
        message: impl Into<String>,
    ) -> Diagnostic {
        self.document.diagnostic(severity, section.at, message)
    }

    /// A message about a section, and what to do.
    pub(crate) fn say(
        &mut self,
        severity: Severity,
        section: &Section,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) {
        let diagnostic = self.at_section(severity, section, message);
        self.report.push(diagnostic.advise(advice));
    }
}

/// A message about a value, with what was meant or what to do.
fn advised(diagnostic: Diagnostic, fault: &Fault, entry: &Entry) -> Diagnostic {
    match (fault.meant(&entry.value), fault.advice()) {
        (Some(meant), _) => diagnostic.did_you_mean(Some(meant)),
        (None, Some(advice)) => diagnostic.advise(advice),
        (None, None) => diagnostic,
    }
}
