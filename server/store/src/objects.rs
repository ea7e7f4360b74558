//! Rows of the tables whose objects are read with the files: at the start and at each reload.

use crate::StoreError;
use crate::backend::{Backend, Row};
use config::{Config, Database, OBJECT_ROWS_MAX, ObjectRows, Record};
use std::path::Path;

/// Auths that registrations may name in a table.
const AUTHS_MAX: usize = 500;

/// A table that cannot be read, by the name Asterisk gives it, and why.
pub type Unread = (&'static str, StoreError);

/// The rows that the configuration says are objects of it. `folder_file` is the database in the data folder.
/// A file that is not there yet has none.
///
/// # Errors
///
/// The first table that cannot be read, and why.
pub async fn objects(config: &Config, folder_file: &Path) -> Result<ObjectRows, Unread> {
    let database = &config.database;
    if !config.reads_rows() || is_unmade(database, folder_file) {
        return Ok(ObjectRows::new());
    }
    let mut tables = database.object_tables().map(|(_, table)| table);
    let first = tables.next().unwrap_or(AUTHS);
    let opened = Backend::open_as_it_is(database, folder_file).await;
    let backend = opened.map_err(|error| (first, error))?;
    let rows = read(&backend, config).await;
    backend.close().await;
    rows
}

const AUTHS: &str = "ps_auths";

/// Whether the database is a file that the start makes.
fn is_unmade(database: &Database, folder_file: &Path) -> bool {
    match &database.place {
        config::Place::DataFolder => !folder_file.exists(),
        config::Place::Sqlite(file) => !Path::new(file).exists(),
        config::Place::MySql(_) | config::Place::Postgres(_) => false,
    }
}

async fn read(backend: &Backend, config: &Config) -> Result<ObjectRows, Unread> {
    let mut all = ObjectRows::new();
    for (kind, table) in config.database.object_tables() {
        let target = backend.table(table);
        // One more than is used tells that there are more.
        let limit = OBJECT_ROWS_MAX + 1;
        let sql = format!("SELECT * FROM {target} ORDER BY id LIMIT {limit}");
        let rows = backend.fetch(&sql, &[]).await;
        let mut rows = rows.map_err(|error| (table, error))?;
        if rows.len() > OBJECT_ROWS_MAX {
            tracing::warn!(
                "{target} has more than {OBJECT_ROWS_MAX} rows; those after them are not used"
            );
            rows.truncate(OBJECT_ROWS_MAX);
        }
        all.insert(kind.to_owned(), rows.iter().filter_map(record).collect());
    }
    let registrations = all.get("registration").map(Vec::as_slice);
    let named = config.registration_auths_elsewhere(registrations.unwrap_or_default());
    if !named.is_empty() {
        let sql = format!("SELECT * FROM {} WHERE id = ?", backend.table(AUTHS));
        let mut auths = Vec::new();
        for name in named.iter().take(AUTHS_MAX) {
            let row = backend.fetch_one(&sql, &[name.into()]).await;
            auths.extend(
                row.map_err(|error| (AUTHS, error))?
                    .as_ref()
                    .and_then(record),
            );
        }
        all.insert("auth".to_owned(), auths);
    }
    Ok(all)
}

/// A row by its id; columns that are NULL say nothing.
fn record(row: &Row) -> Option<Record> {
    let values = row
        .columns()
        .filter(|(name, _)| !name.eq_ignore_ascii_case("id"));
    let values = values.filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
    Some(Record {
        name: row.text("id")?.to_owned(),
        values: values.collect(),
    })
}
