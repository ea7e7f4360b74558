//! Tables of extensions: whether those that the dial plan asks can be asked, and rows with faults.

use super::{About, Finding, Right};
use crate::StoreError;
use crate::backend::{Backend, Row};
use crate::realtime::table_row;
use config::{Config, Severity, closest};
use dialplan::{BadRow, Extensions, Realtime, Variables};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// Rows looked at in each table.
const ROWS_MAX: usize = 10_000;
/// Sentences about the rows of one table.
const FINDINGS_MAX: usize = 100;
/// Columns without which a table holds no extensions.
const COLUMNS: [&str; 5] = ["context", "exten", "priority", "app", "appdata"];

/// What is wrong with the tables that switches of the plan ask; and that one is full that none asks.
pub(super) async fn inspect(
    backend: &Backend,
    config: &Config,
    applications: &[&str],
) -> Vec<Finding> {
    let mut asked: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (context, switch) in config.plan.switches() {
        let Some(Realtime {
            context: named,
            family,
            ..
        }) = switch.table(&NoCall)
        else {
            continue;
        };
        let contexts = asked.entry(family).or_default();
        contexts.extend(named.as_deref().or(context).map(str::to_owned));
    }
    let mut found = Vec::new();
    for (family, contexts) in &asked {
        match table(backend, family, contexts, applications, &mut found).await {
            Ok(()) => {}
            Err(error) => {
                let target = backend.table(family);
                let message = format!("{target}: its rows cannot be read: {error}");
                let cure = backend.grant(&target, Right::Select.name());
                let about = About::Rights(target);
                found.push(Finding::fault(about, Severity::Error, message, cure));
            }
        }
    }
    if !asked.contains_key(FAMILY) {
        found.extend(unasked(backend).await);
    }
    found
}

/// The table that is there without anybody naming it.
const FAMILY: &str = "extensions";

async fn table(
    backend: &Backend,
    family: &str,
    contexts: &BTreeSet<String>,
    applications: &[&str],
    found: &mut Vec<Finding>,
) -> Result<(), StoreError> {
    let target = backend.table(family);
    let present = backend.columns(family).await?;
    let about = About::Table(target.clone());
    if present.is_empty() {
        found.push(backend.missing_table(family, &target).await);
        return Ok(());
    }
    let has = |name: &&str| present.iter().any(|own| own.eq_ignore_ascii_case(name));
    let missing: Vec<&str> = COLUMNS.iter().copied().filter(|name| !has(name)).collect();
    if !missing.is_empty() {
        let message = format!(
            "{target} lacks {}: it holds no extensions",
            missing.join(", ")
        );
        let cure = "name the right table in extconfig.conf or database.conf";
        found.push(Finding::fault(about, Severity::Error, message, cure));
        return Ok(());
    }
    let sql = format!("SELECT * FROM {target} ORDER BY context, exten, priority LIMIT {ROWS_MAX}");
    let rows = backend.fetch(&sql, &[]).await?;
    let mut faults = Vec::new();
    let mut by_context: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for row in &rows {
        let context = row.text("context").unwrap_or_default();
        by_context.entry(context).or_default().push(row);
    }
    for rows in by_context.values() {
        let (extensions, bad) =
            Extensions::from_rows(family, None, rows.iter().map(|row| table_row(row)));
        faults.extend(bad.iter().map(|bad| unusable(&target, bad)));
        faults.extend(unknown_applications(&target, &extensions, applications));
    }
    let more = faults.len().saturating_sub(FINDINGS_MAX);
    faults.truncate(FINDINGS_MAX);
    if more > 0 {
        let message = format!("{more} more rows have faults");
        let cure = "mend those above first";
        let about = About::Table(target.clone());
        faults.push(Finding::fault(about, Severity::Warning, message, cure));
    }
    if faults.is_empty() {
        let message = format!("{target}: {} rows of extensions without fault", rows.len());
        faults.push(Finding::fine(about, message));
    }
    // One that is misspelt in the files or in the table is asked in vain.
    for context in contexts {
        let known = by_context.keys().copied();
        if !rows.is_empty()
            && rows.len() < ROWS_MAX
            && !by_context.contains_key(context.as_str())
            && let Some(meant) = closest(context, known)
        {
            let message =
                format!("{target} has no row of the context `{context}`, which a switch asks for");
            let cure = format!("did you mean `{meant}`?");
            let about = About::Table(target.clone());
            faults.push(Finding::fault(about, Severity::Warning, message, cure));
        }
    }
    found.append(&mut faults);
    Ok(())
}

fn unusable(target: &str, bad: &BadRow) -> Finding {
    let about = About::Row(target.to_owned(), bad.row.clone());
    let message = format!("the row is not used: {} {}", bad.column, bad.message);
    let cure = format!("change {} in that row", bad.column);
    Finding::fault(about, Severity::Error, message, cure)
}

/// Steps whose application nobody has; nothing if it is not known which there are.
fn unknown_applications(
    target: &str,
    extensions: &Extensions,
    applications: &[&str],
) -> Vec<Finding> {
    if applications.is_empty() {
        return Vec::new();
    }
    let is_known = |name: &str| {
        applications
            .iter()
            .any(|own| own.eq_ignore_ascii_case(name))
    };
    let steps = extensions.iter().flat_map(|one| one.steps.values());
    let unknown = steps.filter(|step| !is_known(&step.application));
    let findings = unknown.map(|step| {
        let row = step.file.rsplit(", row ").next().unwrap_or_default();
        let message = format!("application `{}` is not known", step.application);
        let cure = match closest(&step.application, applications.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "`core show applications` lists those there are".to_owned(),
        };
        let about = About::Row(target.to_owned(), row.to_owned());
        Finding::fault(about, Severity::Warning, message, cure)
    });
    findings.collect()
}

/// Rows that no switch asks for.
async fn unasked(backend: &Backend) -> Option<Finding> {
    let present = backend.columns(FAMILY).await.ok()?;
    if present.is_empty() {
        return None;
    }
    let target = backend.table(FAMILY);
    let sql = format!("SELECT context FROM {target} LIMIT 1");
    let row = backend.fetch_one(&sql, &[]).await.ok()??;
    let context = row.text("context").unwrap_or_default();
    let message = format!("{target} has extensions, which no context of extensions.conf asks for");
    let finding = Finding {
        cure: Some(format!(
            "write `switch => Realtime/@` under [{context}] of extensions.conf"
        )),
        ..Finding::fine(About::Table(target), message)
    };
    Some(finding)
}

/// What an `eswitch` sees without a call.
struct NoCall;

impl Variables for NoCall {
    fn variable(&self, _: &str) -> Option<Cow<'_, str>> {
        None
    }

    fn function(&self, _: &str, _: &str) -> Option<String> {
        None
    }
}
