//! Arguments that are taken as they are written and cannot be meant so: a parenthesis too few, a time of day that is
//! none, options and numbers that are neither.

use conf::Diagnostic;

use super::{Place, split_outside};
use crate::timing::Timing;

/// Applications whose arguments are a form in which parentheses belong in pairs; those of others may be text.
const BALANCED: [&str; 9] = [
    "Dial",
    "ExecIf",
    "ExecIfTime",
    "Gosub",
    "GosubIf",
    "Goto",
    "GotoIf",
    "GotoIfTime",
    "Macro",
];

/// The letters of `Dial`'s options in Asterisk.
pub(crate) const DIAL_OPTIONS: &str = "aAbBcCdDeEfFgGhHiIjJkKLmMnNoOpPQrRsStTuUwWxXz";

impl Place<'_> {
    /// Parentheses that do not belong in pairs.
    pub(super) fn unbalanced(&self) -> Option<Diagnostic> {
        let name = self.step.application.as_str();
        if !BALANCED.iter().any(|own| own.eq_ignore_ascii_case(name)) {
            return None;
        }
        let arguments = &self.step.arguments;
        let (opened, closed) = (
            arguments.matches('(').count(),
            arguments.matches(')').count(),
        );
        let message = match opened.cmp(&closed) {
            std::cmp::Ordering::Equal => return None,
            std::cmp::Ordering::Greater => "a `(` is never closed",
            std::cmp::Ordering::Less => "a `)` closes nothing",
        };
        let message = format!("{message}: {name} takes `{arguments}`");
        Some(self.warn(&message, None, "write parentheses in pairs"))
    }

    /// What else cannot be meant as it is written.
    pub(super) fn arguments(&self) -> Vec<Diagnostic> {
        let arguments = self.step.arguments.as_str();
        let name = self.step.application.as_str();
        let is = |own: &str| name.eq_ignore_ascii_case(own);
        let found = match () {
            () if is("GotoIfTime") || is("ExecIfTime") => self.timing(arguments),
            () if is("Wait") || is("WaitExten") => self.number(first(arguments), "the time"),
            () if is("Dial") => return self.dial(arguments),
            () => None,
        };
        found.into_iter().collect()
    }

    fn timing(&self, arguments: &str) -> Option<Diagnostic> {
        let (timing, _) = split_outside(arguments, '?').unwrap_or((arguments, ""));
        if timing.contains('$') {
            return None;
        }
        let fault = Timing::parse(timing).err()?;
        let message = format!("{fault}: it never holds");
        Some(self.warn(&message, None, "correct it"))
    }

    fn number(&self, text: &str, what: &str) -> Option<Diagnostic> {
        let is_number = text.trim().parse::<f64>().is_ok_and(f64::is_finite);
        if text.trim().is_empty() || text.contains('$') || is_number {
            return None;
        }
        let message = format!("{what} is `{}`, which is no number of seconds", text.trim());
        Some(self.warn(&message, None, "write seconds, as in 20 or 0.5"))
    }

    fn dial(&self, arguments: &str) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        let mut words = Vec::new();
        let mut rest = Some(arguments);
        while let Some(text) = rest {
            let (word, after) = match split_outside(text, ',') {
                Some((word, after)) => (word, Some(after)),
                None => (text, None),
            };
            words.push(word);
            rest = after;
        }
        let timeout = words.get(1).copied().unwrap_or_default();
        found.extend(self.number(timeout, "the second argument of Dial"));
        let unknown = unknown_options(words.get(2).copied().unwrap_or_default());
        if !unknown.is_empty() {
            let message = format!("Dial has no option `{unknown}`: it is ignored");
            let advice = "`core show application Dial` lists the options";
            found.push(self.warn(&message, None, advice));
        }
        found
    }
}

/// Letters that are no options, outside of what stands in parentheses.
fn unknown_options(options: &str) -> String {
    let mut unknown = String::new();
    let mut depth = 0_u32;
    // What follows a variable may be anything.
    for letter in options.split('$').next().unwrap_or_default().chars() {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ if depth > 0 || letter.is_whitespace() || DIAL_OPTIONS.contains(letter) => {}
            letter => unknown.push(letter),
        }
    }
    unknown
}

fn first(arguments: &str) -> &str {
    split_outside(arguments, ',').map_or(arguments, |(first, _)| first)
}
