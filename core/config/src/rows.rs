//! Objects that the snapshot holds and that may be rows of tables: what holds for all of SIP, transports,
//! domain aliases, registrations and lists of resources.
//!
//! `sorcery.conf` says which kinds are; then the rows are read with the files, at the start and at each
//! reload, by the same tables of options. A message about a row names table, row and column where one about
//! a file names file, line and column.

use crate::auth::Auth;
use crate::database::{Database, Origin};
use crate::global::Global;
use crate::option::Object;
use crate::registration::{DomainAlias, Registration};
use crate::resource_list::ResourceList;
use crate::snapshot::Config;
use crate::system::System;
use crate::transport::TransportConfig;
use conf::{Diagnostic, Document, Record};
use std::collections::{BTreeMap, BTreeSet};

/// Kinds of objects that rows may hold, with their tables.
pub(crate) const KINDS: [(&str, &str); 6] = [
    ("global", "ps_globals"),
    ("system", "ps_systems"),
    ("transport", "ps_transports"),
    ("domain_alias", "ps_domain_aliases"),
    ("registration", "ps_registrations"),
    ("resource_list", "ps_resource_list"),
];

/// Rows of one table that are read.
pub const OBJECT_ROWS_MAX: usize = 2_000;

/// What tables hold, by the kind of object.
pub type ObjectRows = BTreeMap<String, Vec<Record>>;

impl Database {
    /// The kinds of objects that are read from tables with the files, and their tables, as Asterisk calls
    /// them.
    pub fn object_tables(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let kinds = KINDS.into_iter();
        kinds.filter(|(kind, _)| self.origins(kind).contains(&Origin::Table))
    }

    /// The kinds that could be, and are not.
    pub fn object_tables_unread(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let kinds = KINDS.into_iter();
        kinds.filter(|(kind, _)| !self.origins(kind).contains(&Origin::Table))
    }
}

impl Config {
    /// Auths that registrations name, `rows` among them, and that no file defines: a table may.
    pub fn registration_auths_elsewhere(&self, rows: &[Record]) -> BTreeSet<String> {
        if !self.database.origins(Auth::KIND).contains(&Origin::Table) {
            return BTreeSet::new();
        }
        let values = rows.iter().flat_map(|row| &row.values);
        let values = values.filter(|(name, _)| name.eq_ignore_ascii_case("outbound_auth"));
        let named = values.flat_map(|(_, value)| value.split(',').map(str::trim));
        let written = self.registrations.iter();
        let written = written.flat_map(|own| own.outbound_auth.iter().map(String::as_str));
        named
            .chain(written)
            .filter(|name| !name.is_empty() && !self.auths.contains_key(*name))
            .map(str::to_owned)
            .collect()
    }

    /// Whether a database must be read before it is known what is in force.
    pub fn reads_rows(&self) -> bool {
        let mut tables = self.database.object_tables();
        tables.next().is_some() || !self.registration_auths_elsewhere(&[]).is_empty()
    }
}

/// The rows of one kind as a document: columns that nobody knows, and those without a value, left out.
pub(crate) fn document(database: &Database, kind: &str, table: &str, rows: &[Record]) -> Document {
    let is_option = match kind {
        "global" => Global::is_option,
        "system" => System::is_option,
        "transport" => TransportConfig::is_option,
        "domain_alias" => DomainAlias::is_option,
        "auth" => Auth::is_option,
        "resource_list" => ResourceList::is_option,
        _ => Registration::is_option,
    };
    let rows = rows.iter().map(|row| {
        let values = row.values.iter();
        let values = values.filter(|(name, value)| !value.is_empty() && is_option(name));
        Record {
            name: row.name.clone(),
            values: values.cloned().collect(),
        }
    });
    let rows: Vec<Record> = rows.collect();
    let table = database.table(table);
    Document::of_records(&rows, |row, column| place(table, &row.name, column))
}

fn place(table: &str, row: &str, column: Option<&str>) -> String {
    match column {
        None => format!("{table}, row {row}"),
        Some(column) => format!("{table}, row {row}, column {column}"),
    }
}

/// The table, row and column a message is about; nothing if it is about a file.
pub fn row_of(message: &Diagnostic) -> Option<(&str, &str, Option<&str>)> {
    let (table, rest) = message.file.split_once(", row ")?;
    Some(match rest.rsplit_once(", column ") {
        Some((row, column)) => (table, row, Some(column)),
        None => (table, rest, None),
    })
}
