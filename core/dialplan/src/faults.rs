//! What is wrong with a plan whose every line can be read: jumps to where nothing is, `${` that never ends.
//!
//! Only what is sure is told. A target with a variable in it is known when the call gets there, and a context
//! that others include is also run in the name of those.

use std::collections::BTreeSet;

use conf::{Diagnostic, Report, Severity, closest};

mod arguments;
mod functions;

pub use functions::functions_used;

use crate::plan::{Extension, Extensions, Plan, Step};
use crate::substitute::unclosed;

/// A step and where it stands.
struct Place<'a> {
    /// Contexts a call may be in that runs it: its own, and those that include it.
    contexts: &'a [&'a str],
    extension: &'a Extension,
    step: &'a Step,
}

impl Plan {
    /// A warning for each step that would fail whoever calls.
    pub fn faults(&self) -> Vec<Diagnostic> {
        let mut report = Report::default();
        for (context, extensions) in &self.contexts {
            let contexts = self.contexts_of(context);
            let steps = extensions
                .iter()
                .flat_map(|extension| extension.steps.values().map(move |step| (extension, step)));
            for (extension, step) in steps {
                let place = Place {
                    contexts: &contexts,
                    extension,
                    step,
                };
                let fault = place.unclosed().or_else(|| place.unbalanced());
                match fault.or_else(|| self.jump(&place)) {
                    Some(fault) => report.push(fault),
                    None => report.extend(place.arguments()),
                }
            }
        }
        report.finish()
    }

    /// A context and all that include it, directly or not.
    fn contexts_of<'a>(&'a self, context: &'a str) -> Vec<&'a str> {
        let mut found = vec![context];
        let mut next = 0;
        while let Some(included) = found.get(next).copied() {
            for (name, extensions) in &self.contexts {
                let mut includes = extensions.includes.iter();
                if !found.contains(&name.as_str()) && includes.any(|one| one.context == included) {
                    found.push(name);
                }
            }
            next += 1;
        }
        found
    }

    /// What is wrong with the target of a `Goto`, a `Gosub` and their like.
    fn jump(&self, place: &Place<'_>) -> Option<Diagnostic> {
        let arguments = place.step.arguments.as_str();
        let is = |name: &str| place.step.application.eq_ignore_ascii_case(name);
        let either = || {
            let (_, targets) = split_outside(arguments, '?')?;
            let (yes, no) = split_outside(targets, ':').unwrap_or((targets, ""));
            Some([yes, no].map(without_arguments))
        };
        let targets: Vec<&str> = match () {
            () if is("Goto") => vec![arguments],
            () if is("Gosub") => vec![without_arguments(arguments)],
            () if is("GotoIf") || is("GotoIfTime") || is("GosubIf") => either()?.to_vec(),
            () if is("Macro") => return self.macro_target(place),
            () => return None,
        };
        let targets = targets.into_iter().map(str::trim);
        let known = targets.filter(|target| !target.is_empty() && !target.contains('$'));
        known
            .map(|target| self.target(place, target))
            .find_map(|fault| fault)
    }

    fn macro_target(&self, place: &Place<'_>) -> Option<Diagnostic> {
        let name = place.step.arguments.split(',').next()?.trim();
        let context = format!("macro-{name}");
        if name.is_empty() || name.contains('$') || self.contexts.contains_key(&context) {
            return None;
        }
        let message = format!("there is no macro `{name}`: the call would end here");
        let macros = self.contexts.keys();
        let macros = macros.filter_map(|context| context.strip_prefix("macro-"));
        let meant = closest(name, macros);
        Some(place.warn(&message, meant, &format!("add `[{context}]`")))
    }

    fn target(&self, place: &Place<'_>, target: &str) -> Option<Diagnostic> {
        let words: Vec<&str> = target.split(',').map(str::trim).collect();
        let (context, exten, priority) = match words[..] {
            [priority] => (None, None, priority),
            [exten, priority] => (None, Some(exten), priority),
            [context, exten, priority] => (Some(context), Some(exten), priority),
            _ => return None,
        };
        if let Some(context) = context.filter(|context| !self.contexts.contains_key(*context)) {
            let message = format!("context `{context}` does not exist: the call would end here");
            let meant = closest(context, self.contexts.keys().map(String::as_str));
            return Some(place.warn(&message, meant, &format!("add `[{context}]`")));
        }
        let own: Vec<&str> = context.map_or_else(|| place.contexts.to_vec(), |one| vec![one]);
        let of = |context: &str| self.reachable(context);
        let extensions: Vec<&Extension> = own.iter().flat_map(|context| of(context)).collect();
        // Which number is dialled by a pattern is known when the call is there.
        let own_name = (place.extension.pattern.is_none()).then_some(place.extension.name.as_str());
        let fits = |one: &&Extension| exten.or(own_name).is_none_or(|exten| one.is_named(exten));
        let fitting: Vec<&Extension> = extensions.iter().copied().filter(fits).collect();
        let of_context = own.first().copied().unwrap_or_default();
        // What a table has is known when the call is there; labels it has none.
        let is_number = priority.bytes().all(|byte| byte.is_ascii_digit());
        if (is_number || fitting.is_empty()) && own.iter().any(|context| self.asks_tables(context))
        {
            return None;
        }
        if let Some(exten) = exten
            && fitting.is_empty()
        {
            let message = format!(
                "context `{of_context}` has no extension `{exten}`: the call would end here"
            );
            let plain = extensions.iter().filter(|one| one.pattern.is_none());
            // A number is no misspelling of its neighbour.
            let is_number = exten.bytes().all(|byte| byte.is_ascii_digit());
            let meant = closest(exten, plain.map(|one| one.name.as_str()));
            let meant = meant.filter(|_| !is_number);
            let advice = format!("add `exten => {exten},1,…` to `[{of_context}]`");
            return Some(place.warn(&message, meant, &advice));
        }
        if is_reached(&fitting, priority) {
            return None;
        }
        let whose = exten.map_or_else(
            || "here".to_owned(),
            |exten| format!("in extension `{exten}` of context `{of_context}`"),
        );
        let message = match is_number {
            true => format!("there is no priority {priority} {whose}: the call would end here"),
            false => format!("there is no label `{priority}` {whose}: the call would end here"),
        };
        let steps = fitting.iter().flat_map(|one| one.steps.values());
        let labels: BTreeSet<&str> = steps.filter_map(|step| step.label.as_deref()).collect();
        let meant = closest(priority, labels);
        let advice = "write a priority, or the label of one: `n(again),…`";
        Some(place.warn(&message, meant, advice))
    }

    /// Whether a table is asked for extensions of a context or of those it includes.
    fn asks_tables(&self, context: &str) -> bool {
        let mut asks = self.overriding.is_some();
        self.visit(context, &mut |_, extensions: &Extensions| {
            asks |= !extensions.switches.is_empty();
            asks
        });
        asks
    }

    /// The extensions of a context and of those it includes.
    fn reachable(&self, context: &str) -> Vec<&Extension> {
        let mut found = Vec::new();
        self.visit(context, &mut |_, extensions: &Extensions| {
            found.extend(extensions.iter());
            false
        });
        found
    }
}

/// Whether any of them has the priority, written as a number, a distance or a label.
fn is_reached(extensions: &[&Extension], priority: &str) -> bool {
    // A distance counts from a step that is known when the call gets there.
    if priority.starts_with(['+', '-']) {
        return true;
    }
    let number: Option<u32> = priority.parse().ok();
    extensions.iter().any(|extension| match number {
        Some(number) => extension.steps.contains_key(&number),
        None => {
            let mut labels = extension.steps.values().map(|step| step.label.as_deref());
            labels.any(|label| label == Some(priority))
        }
    })
}

impl Extension {
    fn is_named(&self, exten: &str) -> bool {
        match &self.pattern {
            Some(pattern) => pattern.matches(exten),
            None => self.name == exten,
        }
    }
}

impl Place<'_> {
    /// `${` or `$[` without its end: all that follows would be lost.
    fn unclosed(&self) -> Option<Diagnostic> {
        let step = self.step;
        let (before, text) = match unclosed(&step.application) {
            Some(_) => (0, &step.application),
            None => (step.application.chars().count() + 1, &step.arguments),
        };
        let at = unclosed(text)?;
        let (open, close) = match text[at..].starts_with("${") {
            true => ("${", '}'),
            false => ("$[", ']'),
        };
        let message = format!("`{open}` is never closed: what follows it would be lost");
        let mut fault = self.warn(&message, None, &format!("write the `{close}`"));
        let column = before + text[..at].chars().count();
        fault.column += u32::try_from(column).unwrap_or_default();
        Some(fault)
    }

    fn warn(&self, message: &str, meant: Option<&str>, advice: &str) -> Diagnostic {
        let fault = Diagnostic {
            severity: Severity::Warning,
            file: self.step.file.to_string(),
            line: self.step.line,
            column: self.step.column,
            message: message.to_owned(),
            suggestion: None,
            excerpt: None,
        };
        match meant {
            Some(_) => fault.did_you_mean(meant),
            None => fault.advise(advice),
        }
    }
}

/// Splits at the first `sign` that is in no `${…}`, no `$[…]` and no parentheses.
pub(crate) fn split_outside(text: &str, sign: char) -> Option<(&str, &str)> {
    let mut at = text.match_indices(sign).map(|(at, _)| at);
    let is_outside = |at: &usize| {
        let before = &text[..*at];
        unclosed(before).is_none() && before.matches('(').count() <= before.matches(')').count()
    };
    let at = at.find(is_outside)?;
    Some((&text[..at], &text[at + sign.len_utf8()..]))
}

/// A target of `Gosub` without what the subroutine is given.
fn without_arguments(target: &str) -> &str {
    split_at_sign(target, '(').0
}

/// What stands before a sign that is in no `${…}`; and what stands after it, if it is there.
fn split_at_sign(text: &str, sign: char) -> (&str, &str) {
    split_outside(text, sign).unwrap_or((text, ""))
}
