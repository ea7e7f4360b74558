//! Rows that are written whether they are there already or not.
//!
//! Values are text; the database turns them into what its columns are. PostgreSQL does not do so by
//! itself, so the rows go there as one JSON text that its own function takes apart by the types of
//! the table: enums, numbers, booleans and times alike.

use super::{Backend, Dialect, Transaction, Value};
use crate::StoreError;
use serde_json::{Map, Value as Json};

/// One row to write: the same columns in each row of a call.
type Written<'a> = Vec<Value<'a>>;

/// Rows in one statement; MySQL and SQLite limit what can be bound.
const ROWS_MAX: usize = 200;

impl Transaction {
    /// Writes rows of `columns` into one of Asterisk's tables; a row whose `key` is there already is
    /// changed. `columns` must be there; [`Backend::columns`] tells. Returns nothing, since the
    /// databases count differently.
    ///
    /// # Errors
    ///
    /// As [`Self::fetch`].
    pub async fn upsert(
        &mut self,
        table: &str,
        key: &str,
        columns: &[&str],
        rows: &[Written<'_>],
    ) -> Result<(), StoreError> {
        for rows in rows.chunks(ROWS_MAX) {
            let (sql, json) = self.backend().upsert_statement(table, key, columns, rows);
            match &json {
                Some(json) => self.execute(&sql, &[Value::Text(json)]).await?,
                None => self.execute(&sql, &rows.concat()).await?,
            };
        }
        Ok(())
    }
}

impl Backend {
    /// As [`Transaction::upsert`], without a transaction around it.
    ///
    /// # Errors
    ///
    /// As [`Self::execute`].
    pub async fn upsert(
        &self,
        table: &str,
        key: &str,
        columns: &[&str],
        rows: &[Written<'_>],
    ) -> Result<(), StoreError> {
        for rows in rows.chunks(ROWS_MAX) {
            let (sql, json) = self.upsert_statement(table, key, columns, rows);
            match &json {
                Some(json) => self.execute(&sql, &[Value::Text(json)]).await?,
                None => self.execute(&sql, &rows.concat()).await?,
            };
        }
        Ok(())
    }

    fn upsert_statement(
        &self,
        table: &str,
        key: &str,
        columns: &[&str],
        rows: &[Written<'_>],
    ) -> (String, Option<String>) {
        let dialect = self.dialect();
        let table = self.table(table);
        let quoted: Vec<String> = columns
            .iter()
            .map(|column| dialect.quoted(column))
            .collect();
        let names = quoted.join(", ");
        let others = quoted
            .iter()
            .zip(columns)
            .filter(|(_, column)| **column != key);
        let set = |new: fn(&str) -> String| -> String {
            let set: Vec<String> = others
                .map(|(column, _)| format!("{column} = {}", new(column)))
                .collect();
            set.join(", ")
        };
        let place = format!("({})", vec!["?"; columns.len()].join(", "));
        let places = vec![place; rows.len()].join(", ");
        let key = dialect.quoted(key);
        match dialect {
            Dialect::Sqlite => {
                let set = set(|column| format!("excluded.{column}"));
                let sql = format!(
                    "INSERT INTO {table} ({names}) VALUES {places} ON CONFLICT ({key}) DO UPDATE SET {set}"
                );
                (sql, None)
            }
            Dialect::MySql => {
                let set = set(|column| format!("VALUES({column})"));
                let sql = format!(
                    "INSERT INTO {table} ({names}) VALUES {places} ON DUPLICATE KEY UPDATE {set}"
                );
                (sql, None)
            }
            Dialect::Postgres => {
                let set = set(|column| format!("excluded.{column}"));
                let sql = format!(
                    "INSERT INTO {table} ({names}) SELECT {names} \
                     FROM jsonb_populate_recordset(NULL::{table}, CAST(? AS jsonb)) \
                     ON CONFLICT ({key}) DO UPDATE SET {set}"
                );
                (sql, Some(json(columns, rows)))
            }
        }
    }
}

/// The rows as PostgreSQL takes them apart.
fn json(columns: &[&str], rows: &[Written<'_>]) -> String {
    let rows = rows.iter().map(|row| {
        let values = row.iter().map(|value| match value {
            Value::Null => Json::Null,
            Value::Text(text) => Json::from(*text),
            Value::Int(number) => Json::from(*number),
        });
        let columns = columns.iter().map(|column| (*column).to_owned());
        Json::Object(columns.zip(values).collect::<Map<_, _>>())
    });
    Json::Array(rows.collect()).to_string()
}
