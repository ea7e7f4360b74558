//! PostgreSQL.

use super::connection::{Done, Verb};
use super::{Row, Value};
use crate::StoreError;
use crate::password;
use config::{Database, Server, TlsMode};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value as Json;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use sqlx::{AssertSqlSafe, PgConnection, PgPool};
use std::fmt;
use std::time::Duration;

/// A pool that connects when it is first asked.
pub(super) fn open(server: &Server, settings: &Database) -> Result<PgPool, StoreError> {
    let limit = Duration::from_millis(settings.connect_timeout_ms.into());
    // Tables are found in the schema `asterisk` and where they were found before. The server gives
    // up too what nobody waits for any longer. A pooler between us may refuse both as parameters of
    // the start, so they are set afterwards.
    let after = format!(
        "SELECT set_config('search_path', 'asterisk, ' || current_setting('search_path'), false), \
         set_config('statement_timeout', '{}', false)",
        settings.query_timeout_ms.saturating_mul(2)
    );
    let pool = PgPoolOptions::new()
        .max_connections(settings.pool_size)
        .acquire_timeout(limit)
        .after_connect(move |connection, _| {
            let after = AssertSqlSafe(after.clone());
            Box::pin(async move { sqlx::raw_sql(after).execute(connection).await.map(drop) })
        });
    Ok(pool.connect_lazy_with(options(server)?))
}

fn options(server: &Server) -> Result<PgConnectOptions, StoreError> {
    password::certificates_are_there(server)?;
    let mut options = PgConnectOptions::new_without_pgpass()
        .host(if server.host.is_empty() {
            "localhost"
        } else {
            &server.host
        })
        .database(&server.database)
        .application_name("sidetone")
        .ssl_mode(match server.tls.mode {
            TlsMode::Disable => PgSslMode::Disable,
            TlsMode::Prefer => PgSslMode::Prefer,
            TlsMode::Require => PgSslMode::Require,
            TlsMode::VerifyCa => PgSslMode::VerifyCa,
            TlsMode::VerifyFull => PgSslMode::VerifyFull,
        });
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
        options = options.ssl_root_cert(file);
    }
    if let Some(file) = &server.tls.certificate {
        options = options.ssl_client_cert(file);
    }
    if let Some(file) = &server.tls.private_key {
        options = options.ssl_client_key(file);
    }
    Ok(options)
}

/// Runs one statement. Rows come as one JSON text each, which the server makes: so every type is
/// text, and a table that changes its columns does not break the statements that are kept.
pub(super) async fn run(
    connection: &mut PgConnection,
    verb: Verb,
    sql: &str,
    binds: &[Value<'_>],
) -> Result<Done, sqlx::Error> {
    match verb {
        Verb::Fetch => {
            let sql = format!("SELECT CAST(row_to_json(found) AS text) FROM ({sql}) found");
            let mut query = sqlx::query_scalar::<_, String>(AssertSqlSafe(sql));
            for value in binds {
                query = match value {
                    Value::Null => query.bind(None::<String>),
                    Value::Text(text) => query.bind(*text),
                    Value::Int(number) => query.bind(*number),
                };
            }
            let rows = query.fetch_all(connection).await?;
            let rows: Result<Vec<Row>, _> = rows.iter().map(|text| row(text)).collect();
            Ok(Done {
                rows: rows?,
                changed: 0,
            })
        }
        Verb::Execute => {
            let mut query = sqlx::query(AssertSqlSafe(sql.to_owned()));
            for value in binds {
                query = match value {
                    Value::Null => query.bind(None::<String>),
                    Value::Text(text) => query.bind(*text),
                    Value::Int(number) => query.bind(*number),
                };
            }
            let changed = query.execute(connection).await?.rows_affected();
            Ok(Done {
                rows: Vec::new(),
                changed,
            })
        }
    }
}

/// The columns of one row, in their order, which a map of JSON would not keep.
fn row(text: &str) -> Result<Row, sqlx::Error> {
    let Columns(columns) =
        serde_json::from_str(text).map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    Ok(Row::new(columns))
}

struct Columns(Vec<(String, Option<String>)>);

impl<'de> Deserialize<'de> for Columns {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Columns;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a row")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Columns, M::Error> {
                let mut columns = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Json>()? {
                    columns.push((name, written(value)));
                }
                Ok(Columns(columns))
            }
        }

        deserializer.deserialize_map(Reader)
    }
}

/// A value as text.
fn written(value: Json) -> Option<String> {
    match value {
        Json::Null => None,
        Json::String(text) => Some(text),
        other @ (Json::Bool(_) | Json::Number(_) | Json::Array(_) | Json::Object(_)) => {
            Some(other.to_string())
        }
    }
}
