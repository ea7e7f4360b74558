//! Making the tables that are missing, or the SQL that would.

use super::{WATCHED, notify_statements, tables};
use crate::StoreError;
use crate::backend::{Backend, Dialect};
use config::{Database, Place};
use std::path::Path;

/// The SQL that makes all tables in an empty database.
pub fn schema_sql(dialect: Dialect, settings: &Database) -> String {
    let mut statements = Vec::new();
    if dialect == Dialect::Postgres {
        statements.extend(schema_statements());
    }
    for table in tables() {
        let target = settings.table(table.name);
        statements.push(table.create(dialect, target));
    }
    if dialect == Dialect::Postgres {
        let watched = WATCHED.map(|table| settings.table(table).to_owned());
        statements.extend(notify_statements(&watched));
    }
    let written = statements.into_iter().map(|statement| statement + ";\n");
    written.collect::<Vec<_>>().join("\n")
}

/// PostgreSQL's schema, in which `asterisk.ps_aors` and `ps_aors` are the same.
fn schema_statements() -> [String; 2] {
    [
        "CREATE SCHEMA IF NOT EXISTS asterisk".to_owned(),
        "SET search_path = asterisk, public".to_owned(),
    ]
}

/// Makes the database if the server has none of that name, and everything in it that is missing; what
/// was done, a line each.
///
/// # Errors
///
/// When the database cannot be reached or refuses.
pub async fn init(settings: &Database, folder_file: &Path) -> Result<Vec<String>, StoreError> {
    let mut done = Vec::new();
    let backend = match &settings.place {
        Place::DataFolder => Backend::open_file(settings, folder_file).await?,
        Place::Sqlite(file) => Backend::open_file(settings, Path::new(file)).await?,
        Place::MySql(_) | Place::Postgres(_) => {
            let backend = Backend::open_as_it_is(settings, folder_file).await?;
            match backend.probe().await {
                Err(error) if error.is_unknown_database() => {
                    done.push(make_database(settings, folder_file).await?);
                    Backend::open_as_it_is(settings, folder_file).await?
                }
                probed => {
                    probed?;
                    backend
                }
            }
        }
    };
    done.extend(backend.prepare().await?);
    backend.close().await;
    Ok(done)
}

/// Makes the database itself, asked of the one that is always there.
async fn make_database(settings: &Database, folder_file: &Path) -> Result<String, StoreError> {
    let mut settings = settings.clone();
    let mut name = String::new();
    if let Place::MySql(server) = &mut settings.place {
        std::mem::swap(&mut name, &mut server.database);
    } else if let Place::Postgres(server) = &mut settings.place {
        name = std::mem::replace(&mut server.database, "postgres".to_owned());
    }
    let backend = Backend::open_as_it_is(&settings, folder_file).await?;
    let sql = format!("CREATE DATABASE {}", backend.dialect().quoted(&name));
    let made = backend.run_script(&sql).await;
    backend.close().await;
    made.map_err(|error| error.error)?;
    Ok(format!("made the database {name}"))
}

impl Backend {
    /// Makes the tables, columns and triggers that are missing; what was done, a line each.
    ///
    /// # Errors
    ///
    /// When the database cannot be reached or refuses.
    pub async fn prepare(&self) -> Result<Vec<String>, StoreError> {
        let mut done = Vec::new();
        if self.dialect() == Dialect::Postgres {
            let exists = "SELECT nspname FROM pg_namespace WHERE nspname = 'asterisk'";
            if self.fetch_one(exists, &[]).await?.is_none() {
                self.execute("CREATE SCHEMA asterisk", &[]).await?;
                done.push("made the schema asterisk".to_owned());
            }
        }
        for table in tables() {
            let target = self.table(table.name);
            let present = self.columns(table.name).await?;
            for statement in table.completion(self.dialect(), &target, &present) {
                self.execute(&statement, &[]).await?;
                done.push(match statement.split_once(" ADD COLUMN ") {
                    Some((_, column)) => format!("added the column {column} to {target}"),
                    None => format!("made the table {target}"),
                });
            }
        }
        if self.dialect() == Dialect::Postgres {
            let watched = WATCHED.map(|table| self.table(table));
            for statement in notify_statements(&watched) {
                self.execute(&statement, &[]).await?;
            }
            done.push(format!(
                "set the trigger that says what changes in {}",
                watched.join(", ")
            ));
        }
        Ok(done)
    }

    /// The columns one of Asterisk's tables has here; none, there is no such table.
    ///
    /// # Errors
    ///
    /// When the database cannot be reached or refuses.
    pub async fn columns(&self, table: &str) -> Result<Vec<String>, StoreError> {
        let table = self.table(table);
        let (schema, name) = match table.split_once('.') {
            Some((schema, name)) => (Some(schema), name),
            None => (None, table.as_str()),
        };
        let rows = match self.dialect() {
            Dialect::Sqlite => {
                let sql = "SELECT name FROM pragma_table_info(?, ?) ORDER BY cid";
                let schema = schema.unwrap_or("asterisk");
                self.fetch(sql, &[name.into(), schema.into()]).await?
            }
            Dialect::MySql => {
                let sql = "SELECT CAST(column_name AS CHAR) AS name FROM information_schema.columns \
                           WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ? \
                           ORDER BY ordinal_position";
                self.fetch(sql, &[schema.into(), name.into()]).await?
            }
            // As the name is found by a statement: in the first schema of the path that has it.
            Dialect::Postgres => {
                let sql = "SELECT attname AS name FROM pg_attribute \
                           WHERE attrelid = to_regclass(?) AND attnum > 0 AND NOT attisdropped \
                           ORDER BY attnum";
                self.fetch(sql, &[table.as_str().into()]).await?
            }
        };
        let names = rows.iter().filter_map(|row| row.text("name"));
        Ok(names.map(str::to_owned).collect())
    }
}
