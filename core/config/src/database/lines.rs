//! The lines that name a database and its tables, for what is found out about them later.

use super::Database;
use conf::{Diagnostic, Severity};
use std::collections::BTreeMap;

/// Where the files name the database and its tables. Any two are equal: a line that moves changes
/// nothing.
#[derive(Clone, Debug, Default)]
pub struct DatabaseLines {
    /// Messages without words, at the lines.
    pub(super) place: Option<Diagnostic>,
    /// By the names Asterisk gives the tables.
    pub(super) tables: BTreeMap<String, Diagnostic>,
}

impl PartialEq for DatabaseLines {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for DatabaseLines {}

impl Database {
    /// An error about this database, or about one of its tables by Asterisk's name, at the line of the
    /// files that names it.
    pub fn fault(&self, table: Option<&str>, message: impl Into<String>) -> Diagnostic {
        let of_table = table.and_then(|table| self.written.tables.get(table));
        match of_table.or(self.written.place.as_ref()) {
            Some(at) => Diagnostic {
                message: message.into(),
                ..at.clone()
            },
            None => Diagnostic::about_file(Severity::Error, "database.conf", message),
        }
    }
}
