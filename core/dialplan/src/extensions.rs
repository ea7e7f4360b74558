//! Sections and entries of `extensions.conf` to a [`Plan`].

use crate::plan::Plan;
use conf::{Diagnostic, Report, Source};

pub(crate) fn parse(file: &str, text: &str) -> (Plan, Vec<Diagnostic>) {
    let mut report = Report::default();
    let plan = read(&[(file, text)].as_slice(), file, &mut report);
    (plan, report.finish())
}

pub(crate) fn read(source: &dyn Source, file: &str, report: &mut Report) -> Plan {
    let _ = conf::Document::read(source, file, report);
    Plan::default()
}
