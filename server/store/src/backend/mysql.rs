//! MariaDB and MySQL.

use super::connection::{Done, Verb};
use super::{Row, Value};
use crate::StoreError;
use crate::password;
use config::{Database, Server, TlsMode};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions, MySqlRow, MySqlSslMode};
use sqlx::{AssertSqlSafe, Column as _, Decode, MySql, MySqlConnection, MySqlPool, Row as _};
use sqlx::{TypeInfo as _, ValueRef as _};
use std::time::Duration;

/// A pool that connects when it is first asked.
pub(super) fn open(server: &Server, settings: &Database) -> Result<MySqlPool, StoreError> {
    let limit = Duration::from_millis(settings.connect_timeout_ms.into());
    // The server gives up too what nobody waits for any longer. MySQL takes this for a comment; it
    // has no such limit for all statements.
    let seconds = f64::from(settings.query_timeout_ms) * 2.0 / 1000.0;
    let after = format!("SET @sidetone = 1 /*M!100108 , SESSION max_statement_time = {seconds} */");
    let pool = MySqlPoolOptions::new()
        .max_connections(settings.pool_size)
        .acquire_timeout(limit)
        .after_connect(move |connection, _| {
            let after = AssertSqlSafe(after.clone());
            Box::pin(async move { sqlx::raw_sql(after).execute(connection).await.map(drop) })
        });
    Ok(pool.connect_lazy_with(options(server)?))
}

fn options(server: &Server) -> Result<MySqlConnectOptions, StoreError> {
    password::certificates_are_there(server)?;
    let mut options = MySqlConnectOptions::new()
        .host(if server.host.is_empty() {
            "localhost"
        } else {
            &server.host
        })
        .charset("utf8mb4")
        // Times and `||` mean what they mean to everybody else who uses the database.
        .timezone(None)
        .pipes_as_concat(false)
        .no_engine_substitution(false)
        .ssl_mode(match server.tls.mode {
            TlsMode::Disable => MySqlSslMode::Disabled,
            TlsMode::Prefer => MySqlSslMode::Preferred,
            TlsMode::Require => MySqlSslMode::Required,
            TlsMode::VerifyCa => MySqlSslMode::VerifyCa,
            TlsMode::VerifyFull => MySqlSslMode::VerifyIdentity,
        });
    if !server.database.is_empty() {
        options = options.database(&server.database);
    }
    if !server.user.is_empty() {
        options = options.username(&server.user);
    }
    if let Some(password) = password::of(server)? {
        options = options.password(password.expose());
    }
    if let Some(port) = server.port {
        options = options.port(port);
    }
    if let Some(socket) = &server.socket {
        options = options.socket(socket);
    }
    if let Some(file) = &server.tls.ca_file {
        options = options.ssl_ca(file);
    }
    if let Some(file) = &server.tls.certificate {
        options = options.ssl_client_cert(file);
    }
    if let Some(file) = &server.tls.private_key {
        options = options.ssl_client_key(file);
    }
    Ok(options)
}

/// Runs one statement.
pub(super) async fn run(
    connection: &mut MySqlConnection,
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

fn row(row: &MySqlRow) -> Row {
    let columns = row.columns().iter().enumerate();
    let columns = columns.map(|(index, column)| (column.name().to_owned(), text(row, index)));
    Row::new(columns.collect())
}

/// A value of any type as MySQL's own client would print it.
fn text(row: &MySqlRow, index: usize) -> Option<String> {
    let value = row.try_get_raw(index).ok()?;
    if value.is_null() {
        return None;
    }
    let kind = value.type_info().name().to_owned();
    let bytes = <&[u8] as Decode<'_, MySql>>::decode(value).ok()?;
    match kind.as_str() {
        "DATE" | "DATETIME" | "TIMESTAMP" => time(&kind, bytes),
        "TIME" => None,
        "FLOAT" | "DOUBLE" => {
            let number: Option<f64> = row.try_get_unchecked(index).ok();
            number.map(|number| number.to_string())
        }
        kind if kind.ends_with("UNSIGNED") || kind == "BIT" || kind == "YEAR" => {
            let number: Option<u64> = row.try_get_unchecked(index).ok();
            number.map(|number| number.to_string())
        }
        kind if kind.ends_with("INT") || kind == "BOOLEAN" => {
            let number: Option<i64> = row.try_get_unchecked(index).ok();
            number.map(|number| number.to_string())
        }
        _ => String::from_utf8(bytes.to_vec()).ok(),
    }
}

/// A point in time as the binary protocol writes it: year, month, day, hour, minute, second and
/// microseconds, as far as they are not zero.
fn time(kind: &str, bytes: &[u8]) -> Option<String> {
    let part = |index: usize| bytes.get(index).copied().unwrap_or_default();
    // The first byte is the length, if the driver left it there.
    let skip = usize::from(bytes.len() > 1 && usize::from(part(0)) == bytes.len() - 1);
    let year = u16::from_le_bytes([part(skip), part(skip + 1)]);
    let date = format!("{year:04}-{:02}-{:02}", part(skip + 2), part(skip + 3));
    if kind == "DATE" {
        return Some(date);
    }
    let [hour, minute, second] = [skip + 4, skip + 5, skip + 6].map(part);
    Some(format!("{date} {hour:02}:{minute:02}:{second:02}"))
}
