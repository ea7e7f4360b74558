//! What an examination found: one link of the chain after the other, each fault with its cure.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

/// How a link is, or how grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was not examined; the summary says why.
    Skipped,
    /// As it should be.
    Ok,
    /// It works, but not as well or as safely as it could.
    Warning,
    /// It does not work.
    Failed,
}

/// One fault, or one thing worth knowing.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// [`Outcome::Ok`] is a note.
    pub outcome: Outcome,
    /// `file:line`, where it is about a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// What is so.
    pub sentence: String,
    /// What to change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cure: Option<String>,
}

/// One link of the chain.
#[derive(Clone, Debug, Serialize)]
pub struct Link {
    /// Its name, which stays the same between versions.
    pub link: &'static str,
    /// The gravest of its findings.
    pub outcome: Outcome,
    /// One line: what was examined, or why not.
    pub summary: String,
    /// What was found.
    pub findings: Vec<Finding>,
    /// Lines to copy into a shell.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<String>,
    /// Figures for programs.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub details: Value,
}

impl Link {
    /// A link without findings.
    pub(crate) fn new(link: &'static str, summary: impl Into<String>) -> Self {
        Self {
            link,
            outcome: Outcome::Ok,
            summary: summary.into(),
            findings: Vec::new(),
            commands: Vec::new(),
            details: Value::Null,
        }
    }

    /// A link that was not examined.
    pub(crate) fn skipped(link: &'static str, because: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::Skipped,
            ..Self::new(link, because)
        }
    }

    /// It does not work.
    pub(crate) fn fail(
        &mut self,
        place: Option<String>,
        sentence: impl Into<String>,
        cure: impl Into<String>,
    ) {
        self.add(Outcome::Failed, place, sentence.into(), Some(cure.into()));
    }

    /// It could be better.
    pub(crate) fn warn(
        &mut self,
        place: Option<String>,
        sentence: impl Into<String>,
        cure: impl Into<String>,
    ) {
        self.add(Outcome::Warning, place, sentence.into(), Some(cure.into()));
    }

    /// Worth knowing.
    pub(crate) fn note(&mut self, sentence: impl Into<String>) {
        self.add(Outcome::Ok, None, sentence.into(), None);
    }

    /// Adds a finding as it comes; more than [`FINDINGS_MAX`] help nobody.
    pub(crate) fn add(
        &mut self,
        outcome: Outcome,
        place: Option<String>,
        sentence: String,
        cure: Option<String>,
    ) {
        if self.outcome != Outcome::Skipped {
            self.outcome = self.outcome.max(outcome);
        }
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(Finding {
                outcome,
                place,
                sentence,
                cure,
            });
        }
    }
}

/// Findings of one link.
const FINDINGS_MAX: usize = 1000;

/// All links.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Whether no link failed.
    pub ok: bool,
    /// In the order of the chain.
    pub links: Vec<Link>,
}

impl Report {
    /// A report of these links.
    pub(crate) fn new(links: Vec<Link>) -> Self {
        Self {
            ok: links.iter().all(|link| link.outcome != Outcome::Failed),
            links,
        }
    }

    /// The report for programs.
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut counts = [0_usize; 4];
        for link in &self.links {
            counts[link.outcome as usize] += 1;
            write!(f, "{:<8} {:<14}", word(link.outcome), link.link)?;
            indented(f, &link.summary, MARGIN)?;
            for finding in &link.findings {
                let mark = match finding.outcome {
                    Outcome::Ok | Outcome::Skipped => "·",
                    Outcome::Warning => "!",
                    Outcome::Failed => "x",
                };
                write!(f, "         {mark} ")?;
                let place = finding.place.as_deref();
                let place = place.map(|place| format!("{place}: ")).unwrap_or_default();
                indented(f, &format!("{place}{}", finding.sentence), 11)?;
                if let Some(cure) = &finding.cure {
                    write!(f, "           → ")?;
                    indented(f, cure, 13)?;
                }
            }
            for command in &link.commands {
                writeln!(f, "           {command}")?;
            }
        }
        let [skipped, ok, warning, failed] = counts;
        writeln!(
            f,
            "\n{ok} ok, {warning} with warnings, {failed} FAILED, {skipped} skipped"
        )
    }
}

/// Where the summary begins.
const MARGIN: usize = 23;

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Skipped => "skipped",
        Outcome::Ok => "ok",
        Outcome::Warning => "warning",
        Outcome::Failed => "FAILED",
    }
}

/// The text; lines after the first one begin at the margin.
fn indented(f: &mut fmt::Formatter<'_>, text: &str, margin: usize) -> fmt::Result {
    for (index, line) in text.lines().enumerate() {
        if index > 0 {
            write!(f, "{:margin$}", "")?;
        }
        writeln!(f, "{line}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Link, Outcome, Report};

    #[test]
    fn the_gravest_finding_is_the_links_and_one_failure_the_reports() {
        let mut link = Link::new("ports", "3 ports");
        link.note("a note");
        assert_eq!(link.outcome, Outcome::Ok);
        link.warn(None, "a slip", "mend it");
        link.note("another note");
        assert_eq!(link.outcome, Outcome::Warning);
        assert!(Report::new(vec![link.clone()]).ok);
        link.fail(Some("http.conf:3".to_owned()), "it is broken", "repair it");
        let report = Report::new(vec![link, Link::skipped("call", "because ports failed")]);
        assert!(!report.ok);
        let text = report.to_string();
        assert!(
            text.starts_with("FAILED   ports         3 ports\n"),
            "{text}"
        );
        assert!(
            text.contains("x http.conf:3: it is broken\n           → repair it\n"),
            "{text}"
        );
        assert!(text.ends_with("0 ok, 0 with warnings, 1 FAILED, 1 skipped\n"));
        assert!(report.json().contains("\"outcome\": \"failed\""));
    }
}
