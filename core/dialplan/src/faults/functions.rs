//! Functions that nobody has, and applications that stand in the arguments of others.

use std::collections::BTreeSet;

use conf::{Diagnostic, Report, closest};

use super::{Place, split_outside};
use crate::plan::{Plan, Step};

impl Plan {
    fn places(&self) -> impl Iterator<Item = Place<'_>> {
        let extensions = self.contexts.values().flat_map(|context| context.iter());
        extensions.flat_map(|extension| {
            let steps = extension.steps.values();
            steps.map(move |step| Place {
                contexts: &[],
                extension,
                step,
            })
        })
    }

    /// A warning for each use of a function that is none of `known`, compared with case as calls do.
    pub fn unknown_functions(&self, known: &[&str]) -> Vec<Diagnostic> {
        let mut report = Report::default();
        for place in self.places() {
            let step = place.step;
            let written = format!("{}({})", step.application, step.arguments);
            let mut told = BTreeSet::new();
            for name in functions_used(&written) {
                if known.contains(&name) || !told.insert(name) {
                    continue;
                }
                let same = known.iter().find(|own| own.eq_ignore_ascii_case(name));
                let meant = same
                    .copied()
                    .or_else(|| closest(name, known.iter().copied()));
                let message = match same {
                    Some(_) => {
                        format!("function `{name}` is not known: functions are written in capitals")
                    }
                    None => format!("function `{name}` is not known: it would be nothing"),
                };
                let advice = "`core show functions` lists those there are";
                report.push(place.warn(&message, meant, advice));
            }
        }
        report.finish()
    }

    /// A warning for each application that `ExecIf` and the like would run and that is none of `known`.
    pub fn unknown_branches(&self, known: &[&str]) -> Vec<Diagnostic> {
        let mut report = Report::default();
        for place in self.places() {
            for name in branches(place.step) {
                if known.iter().any(|own| own.eq_ignore_ascii_case(name)) {
                    continue;
                }
                let message = format!("application `{name}` is not known");
                let meant = closest(name, known.iter().copied());
                let advice = "`core show applications` lists those there are";
                report.push(place.warn(&message, meant, advice));
            }
        }
        report.finish()
    }
}

/// The applications a step may run besides its own, where they are written out.
fn branches(step: &Step) -> Vec<&str> {
    let is = |name: &str| step.application.eq_ignore_ascii_case(name);
    let arguments = step.arguments.as_str();
    let calls = match () {
        () if is("ExecIf") || is("ExecIfTime") => {
            let Some((_, calls)) = split_outside(arguments, '?') else {
                return Vec::new();
            };
            let (yes, no) = split_outside(calls, ':').unwrap_or((calls, ""));
            vec![yes, no]
        }
        () if is("Exec") || is("TryExec") => vec![arguments],
        () => return Vec::new(),
    };
    let names = calls.into_iter().map(|call| {
        let name = call.split('(').next().unwrap_or_default();
        name.trim()
    });
    names
        .filter(|name| !name.is_empty() && !name.contains('$'))
        .collect()
}

/// The names of functions in a step as it is written: `${NAME(…)}`, and `Set(NAME(…)=…)`.
pub fn functions_used(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut name_at = |rest: &str, offset: usize| {
        let length = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
        if length > 0 && rest[length..].starts_with('(') {
            let name = &text[offset..offset + length];
            if !names.contains(&name) {
                names.push(name);
            }
        }
    };
    for (at, _) in text.match_indices("${") {
        name_at(&text[at + 2..], at + 2);
    }
    let set = ["Set(", "MSet(", "set(", "SET("];
    if let Some(prefix) = set.iter().find(|prefix| text.starts_with(**prefix)) {
        let assigned = text.split_once('=').map_or("", |(before, _)| before);
        if assigned.len() > prefix.len() {
            let skipped = assigned[prefix.len()..]
                .find(|c: char| c != '_')
                .unwrap_or(0);
            name_at(&text[prefix.len() + skipped..], prefix.len() + skipped);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::functions_used;

    #[test]
    fn functions_are_found_where_they_are_read_and_set() {
        assert_eq!(
            functions_used("NoOp(${LEN(${CALLERID(num)})} ${X} $[1+2])"),
            ["LEN", "CALLERID"]
        );
        assert_eq!(
            functions_used("Set(CHANNEL(language)=${IF($[1]?a:b)})"),
            ["IF", "CHANNEL"]
        );
        assert_eq!(functions_used("Set(__X=1)"), [""; 0]);
        assert_eq!(functions_used("Dial(PJSIP/a,20,tT)"), [""; 0]);
    }
}
