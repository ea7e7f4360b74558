//! The SQLite file: opening it, and bringing its tables up to date.

use super::connection::{Done, Verb};
use super::{Row, Value};
use crate::StoreError;
use crate::schema::{self, Table};
use config::Database;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteRow};
use sqlx::{AssertSqlSafe, Column as _, Row as _, SqliteConnection, SqlitePool};
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Counted up with every change of the tables that an older release could not live with.
const SCHEMA_VERSION: i64 = 1;
/// Connections to the file. SQLite has one writer whatever this says.
pub(super) const CONNECTIONS_MAX: u32 = 4;

/// Opens the file, which must be there.
pub(super) async fn open(path: &Path, settings: &Database) -> Result<SqlitePool, StoreError> {
    let wait_max = Duration::from_millis(settings.connect_timeout_ms.into());
    std::fs::metadata(path).map_err(|error| opening(path, Arc::new(error)))?;
    // The file is attached under the name of Asterisk's schema, beside an empty database in memory:
    // attached to itself, it would wait for its own locks.
    let options = SqliteConnectOptions::new()
        .filename(":memory:")
        .busy_timeout(wait_max);
    let attach: Arc<str> = format!(
        "ATTACH DATABASE '{}' AS asterisk; \
         PRAGMA asterisk.journal_mode = WAL; PRAGMA asterisk.synchronous = NORMAL;",
        path.display().to_string().replace('\'', "''")
    )
    .into();
    SqlitePoolOptions::new()
        .max_connections(CONNECTIONS_MAX)
        .acquire_timeout(wait_max)
        .after_connect(move |connection, _| {
            let attach = AssertSqlSafe(Arc::clone(&attach));
            Box::pin(async move { sqlx::raw_sql(attach).execute(connection).await.map(drop) })
        })
        .connect_with(options)
        .await
        .map_err(|error| opening(path, Arc::new(error)))
}

fn opening(path: &Path, cause: Arc<dyn Error + Send + Sync>) -> StoreError {
    StoreError::Open {
        file: path.display().to_string(),
        cause,
    }
}

/// Brings the tables of the file up to date.
pub(super) async fn complete(
    pool: &SqlitePool,
    settings: &Database,
    shown: &str,
) -> Result<(), StoreError> {
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    let found: i64 = sqlx::query_scalar("PRAGMA asterisk.user_version")
        .fetch_one(&mut *transaction)
        .await?;
    if found > SCHEMA_VERSION {
        return Err(StoreError::Newer {
            file: shown.trim_start_matches("sqlite:").to_owned(),
            found,
            known: SCHEMA_VERSION,
        });
    }
    for table in schema::tables() {
        complete_table(&mut transaction, table, settings).await?;
    }
    if found < SCHEMA_VERSION {
        stamp(&mut transaction).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// Runs one statement; `alone` if no transaction is open.
pub(super) async fn run(
    connection: &mut SqliteConnection,
    alone: bool,
    verb: Verb,
    sql: &str,
    binds: &[Value<'_>],
) -> Result<Done, sqlx::Error> {
    if verb == Verb::Execute {
        return run_in(connection, verb, sql, binds).await;
    }
    // Another connection, or another program, may have changed the tables since this one looked.
    // SQLite notices when a statement runs, which is too late for the driver: it counted the columns
    // when the statement was made. So something is read first, and nothing can change until the end.
    let look = match alone {
        true => "BEGIN; SELECT 1 FROM asterisk.sqlite_schema LIMIT 1",
        false => "SELECT 1 FROM asterisk.sqlite_schema LIMIT 1",
    };
    sqlx::raw_sql(look).execute(&mut *connection).await?;
    let done = run_in(connection, verb, sql, binds).await;
    if alone {
        sqlx::raw_sql("ROLLBACK").execute(connection).await?;
    }
    done
}

async fn run_in(
    connection: &mut SqliteConnection,
    verb: Verb,
    sql: &str,
    binds: &[Value<'_>],
) -> Result<Done, sqlx::Error> {
    // Not kept: a statement that is kept knows the columns of the day it was made.
    let mut query = sqlx::query(AssertSqlSafe(sql.to_owned())).persistent(false);
    for value in binds {
        query = match value {
            Value::Null => query.bind(None::<String>),
            Value::Text(text) => query.bind(*text),
            Value::Int(number) => query.bind(*number),
        };
    }
    match verb {
        Verb::Fetch => {
            let rows = query.fetch_all(connection).await?;
            Ok(Done {
                rows: rows.iter().map(row).collect(),
                changed: 0,
            })
        }
        Verb::Execute => {
            let changed = query.execute(connection).await?.rows_affected();
            Ok(Done {
                rows: Vec::new(),
                changed,
            })
        }
    }
}

/// SQLite turns numbers into text by itself. What it cannot turn is as good as unset.
fn row(row: &SqliteRow) -> Row {
    let columns = row.columns().iter().enumerate();
    let columns = columns.map(|(index, column)| {
        let value: Option<String> = row.try_get_unchecked(index).unwrap_or_default();
        (column.name().to_owned(), value)
    });
    Row::new(columns.collect())
}

/// Passwords are in it: the file is for its owner alone from its first byte.
pub(super) fn make_private(path: &Path) -> Result<(), StoreError> {
    let mut options = std::fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let made = options.open(path).map(drop);
    made.map_err(|error| opening(path, Arc::new(error)))
}

/// Makes the table, or adds the columns it lacks: a file made by Asterisk's own scripts, or by
/// hand, has those of its version.
async fn complete_table(
    connection: &mut SqliteConnection,
    table: &Table,
    settings: &Database,
) -> Result<(), StoreError> {
    let name = settings.table(table.name);
    let list = format!("PRAGMA asterisk.table_info({name})");
    let rows = sqlx::query(AssertSqlSafe(list))
        .fetch_all(&mut *connection)
        .await?;
    let present: Result<Vec<String>, _> = rows.iter().map(|row| row.try_get("name")).collect();
    let target = format!("asterisk.{name}");
    let present = present?;
    for statement in table.completion(super::Dialect::Sqlite, &target, &present) {
        run_raw(connection, statement).await?;
    }
    Ok(())
}

/// Writes the version where SQLite keeps one, and in a table that also says when.
async fn stamp(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    run_raw(
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
    run_raw(connection, version).await
}

async fn run_raw(connection: &mut SqliteConnection, sql: String) -> Result<(), StoreError> {
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(connection)
        .await?;
    Ok(())
}
