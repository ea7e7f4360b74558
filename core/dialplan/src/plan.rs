//! The plan: contexts, extensions, steps, and how a step is found.
//!
//! Search order is Asterisk's: within a context, extensions that are not patterns come first, then
//! patterns from the most to the least particular; then come the tables its `switch` lines name, and
//! after those the contexts named by `include`, in their order. Each *priority* is looked up on its own, so steps of a pattern fill the gaps of
//! a plain extension it also matches.

use crate::alternative::{AltSwitch, Answers, Lookup};
use crate::pattern::Pattern;
use crate::substitute::Variables;
use crate::timing::Timing;
use conf::{Diagnostic, Report, Severity, Source, closest};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Where a call stands in the plan.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The context.
    pub context: String,
    /// The extension as dialled, not the pattern it matched.
    pub exten: String,
    /// From 1.
    pub priority: u32,
}

/// One numbered line of an extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The application, as written.
    pub application: String,
    /// What stands in its parentheses, variables not yet substituted.
    pub arguments: String,
    /// The label in `n(label)`.
    pub label: Option<String>,
    /// The file it was read from; the table and its row if it was none.
    pub file: Arc<str>,
    /// Its line in that file; 0 for a row.
    pub line: u32,
    /// The column its application stands in.
    pub column: u32,
}

impl Step {
    /// Where it stands: `extensions.conf:12`, or `extensions, row 7`; what other files imply is in no line of theirs.
    pub fn place(&self) -> String {
        match self.line {
            _ if &*self.file == crate::edit::EDITED => "added on the console".to_owned(),
            0 => self.file.to_string(),
            line => format!("{}:{line}", self.file),
        }
    }
}

/// One extension: a name or a pattern, maybe for one caller only, and its steps.
#[derive(Clone, Debug)]
pub struct Extension {
    /// As written, with its `_` if it is a pattern.
    pub name: String,
    /// Set if the name is a pattern.
    pub pattern: Option<Pattern>,
    /// The caller's number it is for, as in `exten => 100/5551212,1,…`; may be a pattern itself.
    pub caller: Option<String>,
    /// By priority.
    pub steps: BTreeMap<u32, Step>,
    /// The devices of its `hint` priority.
    pub hint: Option<String>,
    /// Where they stand: file, line and column.
    pub hint_at: Option<(Arc<str>, u32, u32)>,
    pub(crate) caller_pattern: Option<Pattern>,
}

/// One `include =>` of a context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Include {
    /// The context whose extensions are searched too.
    pub context: String,
    /// The times written after it.
    pub times: Option<String>,
    /// The same, read: when its extensions are there. `None`: always.
    pub timing: Option<Timing>,
    /// The file it was read from.
    pub file: Arc<str>,
    /// Its line in that file.
    pub line: u32,
}

impl Include {
    /// Whether its extensions are there now. Where nobody knows the time, they are.
    fn holds(&self, variables: &dyn Variables) -> bool {
        let timing = self.timing.as_ref();
        timing.is_none_or(|timing| {
            let moment = variables.moment(timing.zone());
            moment.is_none_or(|moment| timing.holds(&moment))
        })
    }
}

/// What one context holds.
#[derive(Clone, Debug, Default)]
pub struct Extensions {
    pub(crate) plain: BTreeMap<String, Vec<Extension>>,
    pub(crate) patterns: Vec<Extension>,
    pub(crate) includes: Vec<Include>,
    pub(crate) switches: Vec<AltSwitch>,
}

impl Extensions {
    /// All extensions in the order they are searched, which is the order of `dialplan show`.
    pub fn iter(&self) -> impl Iterator<Item = &Extension> {
        self.plain.values().flatten().chain(&self.patterns)
    }

    /// The contexts searched after this one.
    pub fn includes(&self) -> &[Include] {
        &self.includes
    }

    /// What is asked besides, before the included contexts.
    pub fn switches(&self) -> &[AltSwitch] {
        &self.switches
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.plain.is_empty() && self.patterns.is_empty()
    }

    /// Those that are for what was dialled and for who calls, in the order of search.
    pub(crate) fn matching<'a>(
        &'a self,
        exten: &str,
        caller: Option<&str>,
    ) -> impl Iterator<Item = &'a Extension> {
        let plain = self.plain.get(exten).into_iter().flatten();
        let patterns = self.patterns.iter().filter(move |extension| {
            let pattern = extension.pattern.as_ref();
            pattern.is_some_and(|pattern| pattern.matches(exten))
        });
        plain
            .chain(patterns)
            .filter(move |extension| extension.is_for(caller))
    }

    /// Whether one of them could come from more digits than `digits` alone.
    pub(crate) fn could_be_longer(&self, digits: &str, caller: Option<&str>) -> bool {
        let start = (
            std::ops::Bound::Excluded(digits),
            std::ops::Bound::Unbounded,
        );
        let plain = self.plain.range::<str, _>(start);
        plain
            .take_while(|(name, _)| name.starts_with(digits))
            .flat_map(|(_, list)| list)
            .any(|extension| extension.is_for(caller))
            || self.patterns.iter().any(|extension| {
                let pattern = extension.pattern.as_ref();
                pattern.is_some_and(|pattern| pattern.could_be_longer(digits))
                    && extension.is_for(caller)
            })
    }
}

impl Extension {
    /// The priority of the step with this label.
    fn label(&self, label: &str) -> Option<u32> {
        let mut steps = self.steps.iter();
        let found = steps.find(|(_, step)| step.label.as_deref() == Some(label));
        found.map(|(priority, _)| *priority)
    }

    fn is_for(&self, number: Option<&str>) -> bool {
        match (&self.caller, &self.caller_pattern) {
            (None, _) => true,
            (Some(_), Some(pattern)) => number.is_some_and(|number| pattern.matches(number)),
            // `exten => 100/,1,…` is for callers without a number.
            (Some(caller), None) => number.unwrap_or("") == caller,
        }
    }
}

/// `extensions.conf`, read.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(crate) contexts: BTreeMap<String, Extensions>,
    pub(crate) globals: BTreeMap<String, String>,
    /// What is asked before any context itself (`overrideswitch`).
    pub(crate) overriding: Option<AltSwitch>,
    /// Whether a call that runs out of steps is hung up by how it went so far (`yes`, the
    /// default), or waits for another extension.
    pub autofallthrough: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            contexts: BTreeMap::new(),
            globals: BTreeMap::new(),
            overriding: None,
            autofallthrough: true,
        }
    }
}

/// Contexts searched for one step: includes may run in circles.
const CONTEXTS_SEARCHED_MAX: usize = 128;

impl Plan {
    /// Reads one text that includes no other files.
    pub fn parse(file: &str, text: &str) -> (Self, Vec<Diagnostic>) {
        crate::extensions::parse(file, text)
    }

    /// Reads `extensions.conf` and what it includes; an empty plan if there is no such file. The contexts
    /// `elsewhere` are made by other files.
    pub fn read(source: &dyn Source, elsewhere: &[&str], report: &mut Report) -> Self {
        crate::extensions::read(source, "extensions.conf", elsewhere, report)
    }

    /// A search that goes on to the tables of `switch` lines.
    pub fn lookup<'a>(
        &'a self,
        answers: &'a Answers,
        caller: Option<&'a str>,
        variables: &'a dyn Variables,
    ) -> Lookup<'a> {
        Lookup {
            plan: self,
            answers,
            caller,
            variables,
        }
    }

    /// Every switch with the context it belongs to; none for the one that comes before all contexts.
    pub fn switches(&self) -> impl Iterator<Item = (Option<&str>, &AltSwitch)> {
        let contexts = self.contexts.iter().flat_map(|(name, extensions)| {
            let switches = extensions.switches.iter();
            switches.map(move |switch| (Some(name.as_str()), switch))
        });
        let overriding = self.overriding.iter().map(|switch| (None, switch));
        overriding.chain(contexts)
    }

    /// The best extension of the files for what was dialled, if it has a first priority.
    pub fn find(&self, context: &str, exten: &str, caller: Option<&str>) -> Option<&Extension> {
        self.search(context, exten, caller, |extension| {
            extension.steps.contains_key(&1).then_some(extension)
        })
    }

    /// The step of the files at a position; `caller` is the calling party's number.
    pub fn step(&self, at: &Position, caller: Option<&str>) -> Option<&Step> {
        self.search(&at.context, &at.exten, caller, |extension| {
            extension.steps.get(&at.priority)
        })
    }

    /// The same with what is included now: the step a call comes to.
    pub fn step_now(
        &self,
        at: &Position,
        caller: Option<&str>,
        now: &dyn Variables,
    ) -> Option<&Step> {
        self.search_now(&at.context, &at.exten, caller, now, |extension| {
            extension.steps.get(&at.priority)
        })
    }

    /// The priority of a label, as `Goto(context,exten,label)` needs it, at whatever time.
    pub fn label(
        &self,
        context: &str,
        exten: &str,
        label: &str,
        caller: Option<&str>,
    ) -> Option<u32> {
        self.search(context, exten, caller, |extension| extension.label(label))
    }

    /// The same with what is included now: that of the step a call comes to.
    pub fn label_now(
        &self,
        context: &str,
        exten: &str,
        label: &str,
        caller: Option<&str>,
        now: &dyn Variables,
    ) -> Option<u32> {
        let found = |extension: &Extension| extension.label(label);
        self.search_now(context, exten, caller, now, found)
    }

    /// The devices of an extension's hint.
    pub fn hint(&self, context: &str, exten: &str) -> Option<&str> {
        self.search(context, exten, None, |extension| extension.hint.as_deref())
    }

    /// The extension whose hint an extension has, and its context: that may be one that is included.
    pub fn hint_place(&self, context: &str, exten: &str) -> Option<(&str, &Extension)> {
        let mut found = None;
        self.visit(context, &mut |name, extensions| {
            let mut matching = extensions.matching(exten, None);
            found = matching
                .find(|extension| extension.hint.is_some())
                .map(|extension| (name, extension));
            found.is_some()
        });
        found
    }

    /// Whether more digits could make another extension of the files than `digits` alone.
    pub fn could_be_longer(&self, context: &str, digits: &str, caller: Option<&str>) -> bool {
        let mut found = false;
        self.visit(context, &mut |_, extensions| {
            found = extensions.could_be_longer(digits, caller);
            found
        });
        found
    }

    /// A warning for each step whose application is none of `known`, compared without case.
    pub fn unknown_applications(&self, known: &[&str]) -> Vec<Diagnostic> {
        let is_known = |name: &str| known.iter().any(|known| known.eq_ignore_ascii_case(name));
        let extensions = self.contexts.values().flat_map(Extensions::iter);
        let steps = extensions.flat_map(|extension| extension.steps.values());
        // A name with a variable in it is known only when the call gets there.
        let unknown =
            steps.filter(|step| !step.application.contains("${") && !is_known(&step.application));
        let mut report = Report::default();
        for step in unknown {
            let diagnostic = Diagnostic {
                severity: Severity::Warning,
                file: step.file.to_string(),
                line: step.line,
                column: step.column,
                message: format!("application `{}` is not known", step.application),
                suggestion: None,
                excerpt: None,
            };
            let meant = closest(&step.application, known.iter().copied());
            report.push(match meant {
                Some(_) => diagnostic.did_you_mean(meant),
                None => diagnostic.advise("`core show applications` lists those there are"),
            });
        }
        report.finish()
    }

    /// Whether there is such a context.
    pub fn has_context(&self, context: &str) -> bool {
        self.contexts.contains_key(context)
    }

    /// All contexts by name.
    pub fn contexts(&self) -> impl Iterator<Item = (&str, &Extensions)> {
        let contexts = self.contexts.iter();
        contexts.map(|(name, extensions)| (name.as_str(), extensions))
    }

    /// The variables of `[globals]`.
    pub fn globals(&self) -> &BTreeMap<String, String> {
        &self.globals
    }

    fn search<'a, T>(
        &'a self,
        context: &str,
        exten: &str,
        caller: Option<&str>,
        mut found: impl FnMut(&'a Extension) -> Option<T>,
    ) -> Option<T> {
        let mut result = None;
        self.visit(context, &mut |_, extensions| {
            result = extensions.matching(exten, caller).find_map(&mut found);
            result.is_some()
        });
        result
    }

    /// The same with what is included now.
    fn search_now<'a, T>(
        &'a self,
        context: &str,
        exten: &str,
        caller: Option<&str>,
        now: &dyn Variables,
        mut found: impl FnMut(&'a Extension) -> Option<T>,
    ) -> Option<T> {
        let mut result = None;
        self.visit_now(context, now, &mut |_, extensions| {
            result = extensions.matching(exten, caller).find_map(&mut found);
            result.is_some()
        });
        result
    }

    /// Shows `context` and what it includes, at whatever time, to `look`, each once, until it returns true.
    pub(crate) fn visit<'a>(
        &'a self,
        context: &str,
        look: &mut dyn FnMut(&'a str, &'a Extensions) -> bool,
    ) {
        self.visit_those(context, &|_| true, look);
    }

    /// The same with what it includes now.
    pub(crate) fn visit_now<'a>(
        &'a self,
        context: &str,
        variables: &dyn Variables,
        look: &mut dyn FnMut(&'a str, &'a Extensions) -> bool,
    ) {
        self.visit_those(context, &|include| include.holds(variables), look);
    }

    fn visit_those<'a>(
        &'a self,
        context: &str,
        holds: &dyn Fn(&Include) -> bool,
        look: &mut dyn FnMut(&'a str, &'a Extensions) -> bool,
    ) {
        let mut seen: Vec<&str> = Vec::new();
        let Some((name, extensions)) = self.contexts.get_key_value(context) else {
            return;
        };
        // Depth first, in the order of the `include` lines: a stack of those still to be seen.
        let mut waiting = vec![(name.as_str(), extensions)];
        while let Some((name, extensions)) = waiting.pop() {
            if seen.contains(&name) || seen.len() >= CONTEXTS_SEARCHED_MAX {
                continue;
            }
            seen.push(name);
            if look(name, extensions) {
                return;
            }
            for include in extensions.includes.iter().rev() {
                if let Some(next) = self.contexts.get_key_value(include.context.as_str())
                    && holds(include)
                {
                    waiting.push((next.0.as_str(), next.1));
                }
            }
        }
    }
}
