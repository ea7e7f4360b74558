//! The SQLite file: opening it, and bringing its tables up to date.

use crate::StoreError;
use crate::schema::{TABLES, Table};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{AssertSqlSafe, Row, SqliteConnection, SqlitePool};
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Counted up with every change of the tables that an older release could not live with.
const SCHEMA_VERSION: i64 = 1;
/// Connections to the file. SQLite has one writer whatever this says.
const CONNECTIONS_MAX: u32 = 4;
/// How long a statement waits for another writer, and a caller for a connection.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// Opens the file, makes it if there is none, and completes its tables.
pub(crate) async fn open(path: &Path) -> Result<SqlitePool, StoreError> {
    let opening = |cause: Arc<dyn Error + Send + Sync>| StoreError::Open {
        file: path.display().to_string(),
        cause,
    };
    make_private(path).map_err(|error| opening(Arc::new(error)))?;
    // The file is attached under the name of Asterisk's schema, beside an empty database in memory:
    // attached to itself, it would wait for its own locks.
    let options = SqliteConnectOptions::new()
        .filename(":memory:")
        .busy_timeout(WAIT_MAX);
    let attach: Arc<str> = format!(
        "ATTACH DATABASE '{}' AS asterisk; \
         PRAGMA asterisk.journal_mode = WAL; PRAGMA asterisk.synchronous = NORMAL;",
        path.display().to_string().replace('\'', "''")
    )
    .into();
    let pool = SqlitePoolOptions::new()
        .max_connections(CONNECTIONS_MAX)
        .acquire_timeout(WAIT_MAX)
        .after_connect(move |connection, _| {
            let attach = AssertSqlSafe(Arc::clone(&attach));
            Box::pin(async move { sqlx::raw_sql(attach).execute(connection).await.map(drop) })
        })
        .connect_with(options)
        .await
        .map_err(|error| opening(Arc::new(error)))?;
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    let found: i64 = sqlx::query_scalar("PRAGMA asterisk.user_version")
        .fetch_one(&mut *transaction)
        .await?;
    if found > SCHEMA_VERSION {
        return Err(StoreError::Newer {
            file: path.display().to_string(),
            found,
            known: SCHEMA_VERSION,
        });
    }
    for table in TABLES {
        complete(&mut transaction, table).await?;
    }
    if found < SCHEMA_VERSION {
        stamp(&mut transaction).await?;
    }
    transaction.commit().await?;
    Ok(pool)
}

/// Passwords are in it: the file is for its owner alone from its first byte.
fn make_private(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

/// Makes the table, or adds the columns it lacks: a file made by Asterisk's own scripts, or by
/// hand, has those of its version.
async fn complete(connection: &mut SqliteConnection, table: &Table) -> Result<(), StoreError> {
    let columns = table.columns.iter().map(|(name, kind)| match *name {
        "id" => "\"id\" TEXT PRIMARY KEY NOT NULL".to_owned(),
        name => format!("\"{name}\" {kind}"),
    });
    let columns: Vec<String> = columns.collect();
    let create = format!(
        "CREATE TABLE IF NOT EXISTS asterisk.{} ({})",
        table.name,
        columns.join(", ")
    );
    run(connection, create).await?;
    let list = format!("PRAGMA asterisk.table_info({})", table.name);
    let rows = sqlx::query(AssertSqlSafe(list))
        .fetch_all(&mut *connection)
        .await?;
    let present: Result<Vec<String>, _> = rows.iter().map(|row| row.try_get("name")).collect();
    let present = present?;
    for (name, kind) in table.columns {
        if !present.iter().any(|have| have.eq_ignore_ascii_case(name)) {
            let add = format!(
                "ALTER TABLE asterisk.{} ADD COLUMN \"{name}\" {kind}",
                table.name
            );
            run(connection, add).await?;
        }
    }
    Ok(())
}

/// Writes the version where SQLite keeps one, and in a table that also says when.
async fn stamp(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    run(
        connection,
        "CREATE TABLE IF NOT EXISTS asterisk.sidetone_schema \
         (version INTEGER PRIMARY KEY NOT NULL, applied_at TEXT NOT NULL)"
            .to_owned(),
    )
    .await?;
    sqlx::query("INSERT OR IGNORE INTO asterisk.sidetone_schema VALUES (?, datetime('now'))")
        .bind(SCHEMA_VERSION)
        .execute(&mut *connection)
        .await?;
    let version = format!("PRAGMA asterisk.user_version = {SCHEMA_VERSION}");
    run(connection, version).await
}

async fn run(connection: &mut SqliteConnection, sql: String) -> Result<(), StoreError> {
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(connection)
        .await?;
    Ok(())
}
