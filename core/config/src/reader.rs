//! Sections of any file to objects, and what is said about their options.

use crate::option::{Applied, Object};
use conf::{Diagnostic, Document, Entry, Report, Section, Severity, closest};
use std::collections::BTreeSet;

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
}

impl<'a> Reader<'a> {
    pub(crate) fn new(document: &'a Document, report: &'a mut Report) -> Self {
        Self {
            document,
            report,
            mentioned: BTreeSet::new(),
        }
    }

    /// The object in a section; `None`, and an error, if an option of it is broken.
    pub(crate) fn object<T: Object>(&mut self, section: &Section) -> Option<T> {
        let mut object = T::named(&section.name);
        let mut usable = true;
        for entry in &section.entries {
            if entry.name.eq_ignore_ascii_case("type") {
                continue;
            }
            let owner = format!("{} `{}` is not used: {}", T::KIND, section.name, entry.name);
            usable &= self.option(&mut object, entry, &owner);
        }
        object.finish();
        usable.then_some(object)
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
                let meant = fault.meant(&entry.value);
                let diagnostic = if fault.drops() {
                    self.at_value(Severity::Error, entry, format!("{owner} {fault}"))
                } else {
                    let message = format!("{} {fault}", entry.name);
                    self.at_value(Severity::Warning, entry, message)
                };
                let diagnostic = match (meant, fault.advice()) {
                    (Some(meant), _) => diagnostic.did_you_mean(Some(meant)),
                    (None, Some(advice)) => diagnostic.advise(advice),
                    (None, None) => diagnostic,
                };
                self.report.push(diagnostic);
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
        let mut diagnostic = match meant {
            Some(_) => diagnostic.did_you_mean(meant),
            None => {
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
