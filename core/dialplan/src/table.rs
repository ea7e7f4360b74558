//! Rows of a table of extensions to extensions: `context`, `exten`, `priority`, `app`, `appdata`.
//!
//! Each row is one step. There are no labels, hints and extensions for one caller in a table, as in
//! Asterisk. A row that cannot be used is passed over; the others live.

use crate::extensions::arrange;
use crate::pattern::Pattern;
use crate::plan::{Extension, Extensions, Step};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// One row as text. A column that is NULL, or not there, is `None`.
#[derive(Clone, Copy, Debug, Default)]
pub struct TableRow<'a> {
    /// The number of the row, if the table has one.
    pub id: Option<&'a str>,
    /// The context.
    pub context: Option<&'a str>,
    /// The extension or pattern.
    pub exten: Option<&'a str>,
    /// From 1.
    pub priority: Option<&'a str>,
    /// The application.
    pub app: Option<&'a str>,
    /// Its arguments, variables not yet substituted.
    pub appdata: Option<&'a str>,
}

/// A row that is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRow {
    /// Which row: its number, or where it stands in the plan.
    pub row: String,
    /// The column that is wrong.
    pub column: &'static str,
    /// What is wrong with it, the end of a sentence that begins with the column.
    pub message: String,
}

impl fmt::Display for BadRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            row,
            column,
            message,
        } = self;
        write!(f, "row {row} is not used: {column} {message}")
    }
}

impl TableRow<'_> {
    /// What the row is called: `12`, or `100@sets priority 1` without a number.
    pub fn name(&self) -> String {
        let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
        match self.id {
            Some(id) => id.to_owned(),
            None => format!(
                "{}@{} priority {}",
                text(self.exten),
                text(self.context),
                text(self.priority)
            ),
        }
    }
}

impl Extensions {
    /// The extensions that rows of one context make, and what is wrong with rows. `table` is its name,
    /// for messages. `dialled`: the database was asked for this extension and says that it is it.
    pub fn from_rows<'a>(
        table: &str,
        dialled: Option<&str>,
        rows: impl IntoIterator<Item = TableRow<'a>>,
    ) -> (Self, Vec<BadRow>) {
        let mut rows: Vec<TableRow<'a>> = rows.into_iter().collect();
        // Of two rows for one priority the first one counts, in whichever order they come.
        rows.sort_by_key(|row| row.id.and_then(|id| id.trim().parse::<i64>().ok()));
        let mut bad = Vec::new();
        let mut all: BTreeMap<&str, Extension> = BTreeMap::new();
        for row in rows {
            // Nobody dials a pattern.
            if dialled.is_some() && row.exten.is_some_and(|exten| exten.starts_with('_')) {
                continue;
            }
            if let Err((column, message)) = add(&mut all, table, dialled, row) {
                bad.push(BadRow {
                    row: row.name(),
                    column,
                    message,
                });
            }
        }
        (arrange(all.into_values().collect(), Vec::new()), bad)
    }
}

/// Adds one row; or the column that is wrong, and why.
fn add<'a>(
    all: &mut BTreeMap<&'a str, Extension>,
    table: &str,
    dialled: Option<&str>,
    row: TableRow<'a>,
) -> Result<(), (&'static str, String)> {
    let exten = row.exten.unwrap_or_default().trim();
    if exten.is_empty() {
        return Err(("exten", "is empty".to_owned()));
    }
    let application = row.app.unwrap_or_default().trim();
    if application.is_empty() {
        return Err(("app", "names no application".to_owned()));
    }
    let text = row.priority.unwrap_or_default().trim();
    let priority: u32 = text
        .parse()
        .ok()
        .filter(|priority| *priority > 0)
        .ok_or_else(|| ("priority", format!("`{text}` is not a number from 1")))?;
    let extension = match all.get_mut(exten) {
        Some(extension) => extension,
        None => {
            let pattern = exten.strip_prefix('_').map(Pattern::parse).transpose();
            let pattern = pattern.map_err(|error| ("exten", format!("`{exten}`: {error}")))?;
            all.entry(exten).or_insert_with(|| Extension {
                name: dialled.unwrap_or(exten).to_owned(),
                pattern,
                caller: None,
                caller_pattern: None,
                steps: BTreeMap::new(),
                hint: None,
                hint_at: None,
            })
        }
    };
    let file: Arc<str> = format!("{table}, row {}", row.name()).into();
    if let Some(earlier) = extension.steps.get(&priority) {
        let message = format!(
            "{priority} of extension {exten} is there already ({})",
            earlier.file
        );
        return Err(("priority", message));
    }
    extension.steps.insert(
        priority,
        Step {
            application: application.to_owned(),
            arguments: row.appdata.unwrap_or_default().to_owned(),
            label: None,
            file,
            line: 0,
            column: 0,
        },
    );
    Ok(())
}
