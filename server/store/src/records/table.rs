//! Asterisk's table `cdr`, as it is: whatever columns it has, in whichever database.

use super::{MARK_TABLE, Sink, Undelivered};
use crate::backend::{Backend, Dialect, Transaction, Value};
use crate::cdr::{Cdr, Field, local_time, offset_time, utc_time};
use crate::error::StoreError;
use serde_json::{Map, Value as Json};
use std::collections::VecDeque;

/// The table, and our mark beside it.
pub(crate) struct CdrTable {
    backend: Backend,
    /// Read anew after each failure: the operator may have mended it.
    shape: Option<Shape>,
    /// Whether the mark of an earlier attempt may be missing: what is there already must be looked for.
    uncertain: bool,
    warned: bool,
}

struct Shape {
    columns: Vec<Column>,
    marks: bool,
}

#[derive(Debug, PartialEq, Eq)]
struct Column {
    name: String,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Text, of so many characters at most.
    Text(Option<usize>),
    Number,
    /// A time that knows its zone (PostgreSQL).
    ZonedTime,
    /// A time that is kept in UTC (MySQL's TIMESTAMP).
    UtcTime,
    /// A time as the clock on the wall shows it, or anything else.
    Other,
}

/// Rows in one statement.
const ROWS_MAX: usize = 200;

impl CdrTable {
    pub(crate) fn new(backend: Backend) -> Self {
        Self {
            backend,
            shape: None,
            uncertain: true,
            warned: false,
        }
    }

    async fn shape(&mut self) -> Result<Shape, Undelivered> {
        let columns = self.columns().await.map_err(|error| away(&error))?;
        if columns.is_empty() {
            let table = self.backend.table("cdr");
            return Err(Undelivered::Away(format!(
                "the database has no table {table}; `sidetone db init` makes it"
            )));
        }
        let marks = self.has_marks().await?;
        if !marks && !std::mem::replace(&mut self.warned, true) {
            tracing::warn!(
                "the database does not let us make the table {MARK_TABLE}: after a failure call \
                 records are looked for by uniqueid and sequence before they are inserted"
            );
        }
        Ok(Shape { columns, marks })
    }

    async fn columns(&self) -> Result<Vec<Column>, StoreError> {
        let backend = &self.backend;
        let table = backend.table("cdr");
        let (schema, name) = match table.split_once('.') {
            Some((schema, name)) => (Some(schema), name),
            None => (None, table.as_str()),
        };
        let rows = match backend.dialect() {
            Dialect::Sqlite => {
                let sql = "SELECT name, type FROM pragma_table_info(?, ?) ORDER BY cid";
                let schema = schema.unwrap_or("asterisk");
                backend.fetch(sql, &[name.into(), schema.into()]).await?
            }
            Dialect::MySql => {
                let sql = "SELECT CAST(column_name AS CHAR) AS name, \
                           CAST(column_type AS CHAR) AS type FROM information_schema.columns \
                           WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ? \
                           ORDER BY ordinal_position";
                backend.fetch(sql, &[schema.into(), name.into()]).await?
            }
            Dialect::Postgres => {
                let sql = "SELECT attname AS name, format_type(atttypid, atttypmod) AS type \
                           FROM pg_attribute \
                           WHERE attrelid = to_regclass(?) AND attnum > 0 AND NOT attisdropped \
                           ORDER BY attnum";
                backend.fetch(sql, &[table.as_str().into()]).await?
            }
        };
        let columns = rows.iter().filter_map(|row| {
            Some(Column {
                name: row.text("name")?.to_owned(),
                kind: kind_of(row.text("type").unwrap_or_default(), backend.dialect()),
            })
        });
        Ok(columns.collect())
    }

    /// Whether our table of marks is there, or can be made.
    async fn has_marks(&self) -> Result<bool, Undelivered> {
        let present = self
            .backend
            .columns(MARK_TABLE)
            .await
            .map_err(|error| away(&error))?;
        if !present.is_empty() {
            return Ok(true);
        }
        let table = self.backend.table(MARK_TABLE);
        let sql = format!(
            "CREATE TABLE {table} (journal VARCHAR(64) PRIMARY KEY NOT NULL, delivered BIGINT NOT NULL)"
        );
        match self.backend.execute(&sql, &[]).await {
            Ok(_) => Ok(true),
            Err(error) if error.database().is_some() => Ok(false),
            Err(error) => Err(away(&error)),
        }
    }

    async fn try_deliver(
        &mut self,
        journal: &str,
        records: &VecDeque<(u64, Cdr)>,
        position: u64,
    ) -> Result<(), Undelivered> {
        let shape = match self.shape.take() {
            Some(shape) => shape,
            None => self.shape().await?,
        };
        let mut transaction = self.backend.begin().await.map_err(|error| away(&error))?;
        let mark = match shape.marks {
            true => self
                .mark(&mut transaction, journal)
                .await
                .map_err(|error| away(&error))?,
            false => None,
        };
        let mut fresh = Vec::new();
        for (position, cdr) in records {
            if mark.is_some_and(|mark| *position <= mark) {
                continue;
            }
            if self.uncertain && !shape.marks && self.is_there(&mut transaction, cdr).await? {
                continue;
            }
            fresh.push(cdr);
        }
        for cdrs in fresh.chunks(ROWS_MAX) {
            let inserted = self.insert(&mut transaction, &shape, cdrs).await;
            if let Err(error) = inserted {
                // The connection is of use to the next one.
                let _ = transaction.rollback().await;
                return Err(refused_or_away(&error));
            }
        }
        if shape.marks && mark.is_none_or(|mark| mark < position) {
            let set = self.set_mark(&mut transaction, journal, position, mark.is_some());
            set.await.map_err(|error| away(&error))?;
        }
        transaction.commit().await.map_err(|error| away(&error))?;
        self.shape = Some(shape);
        Ok(())
    }

    async fn mark(
        &self,
        transaction: &mut Transaction,
        journal: &str,
    ) -> Result<Option<u64>, StoreError> {
        let table = self.backend.table(MARK_TABLE);
        let sql = format!("SELECT delivered FROM {table} WHERE journal = ?");
        let row = transaction.fetch_one(&sql, &[journal.into()]).await?;
        Ok(row
            .and_then(|row| row.int("delivered"))
            .map(i64::cast_unsigned))
    }

    async fn set_mark(
        &self,
        transaction: &mut Transaction,
        journal: &str,
        position: u64,
        known: bool,
    ) -> Result<(), StoreError> {
        let table = self.backend.table(MARK_TABLE);
        let sql = match known {
            true => format!("UPDATE {table} SET delivered = ? WHERE journal = ?"),
            false => format!("INSERT INTO {table} (delivered, journal) VALUES (?, ?)"),
        };
        let binds = [Value::Int(position.cast_signed()), journal.into()];
        transaction.execute(&sql, &binds).await.map(drop)
    }

    async fn is_there(
        &self,
        transaction: &mut Transaction,
        cdr: &Cdr,
    ) -> Result<bool, Undelivered> {
        let table = self.backend.table("cdr");
        let sql = format!("SELECT uniqueid FROM {table} WHERE uniqueid = ? AND sequence = ?");
        let Some(Field::Number(sequence)) = cdr.field("sequence") else {
            return Ok(false);
        };
        let binds = [cdr.uniqueid.as_str().into(), Value::Int(sequence)];
        let found = transaction
            .fetch_one(&sql, &binds)
            .await
            .map_err(|error| away(&error))?;
        Ok(found.is_some())
    }

    async fn insert(
        &self,
        transaction: &mut Transaction,
        shape: &Shape,
        cdrs: &[&Cdr],
    ) -> Result<(), StoreError> {
        let dialect = self.backend.dialect();
        let table = self.backend.table("cdr");
        // Columns that are no field of the first record may be variables of another.
        let used = shape.columns.iter().filter(|column| {
            let has = |cdr: &&Cdr| cdr.field(&column.name).is_some();
            cdrs.iter().any(has)
        });
        let used: Vec<&Column> = used.collect();
        let names: Vec<String> = used.iter().map(|c| dialect.quoted(&c.name)).collect();
        let names = names.join(", ");
        let values: Vec<Vec<Option<Written>>> = cdrs
            .iter()
            .map(|cdr| used.iter().map(|column| written(cdr, column)).collect())
            .collect();
        if dialect == Dialect::Postgres {
            // Its own function turns text into what the columns are.
            let json = values.iter().map(|row| {
                let columns = used.iter().map(|column| column.name.clone());
                let row = row.iter().map(|value| match value {
                    None => Json::Null,
                    Some(Written::Text(text)) => Json::from(text.as_str()),
                    Some(Written::Number(number)) => Json::from(*number),
                });
                Json::Object(columns.zip(row).collect::<Map<_, _>>())
            });
            let json = Json::Array(json.collect()).to_string();
            let sql = format!(
                "INSERT INTO {table} ({names}) SELECT {names} \
                 FROM jsonb_populate_recordset(NULL::{table}, CAST(? AS jsonb))"
            );
            return transaction
                .execute(&sql, &[Value::Text(&json)])
                .await
                .map(drop);
        }
        let place = format!("({})", vec!["?"; used.len()].join(", "));
        let places = vec![place; values.len()].join(", ");
        let sql = format!("INSERT INTO {table} ({names}) VALUES {places}");
        let binds = values.iter().flatten().map(|value| match value {
            None => Value::Null,
            Some(Written::Text(text)) => Value::Text(text),
            Some(Written::Number(number)) => Value::Int(*number),
        });
        let binds: Vec<Value<'_>> = binds.collect();
        transaction.execute(&sql, &binds).await.map(drop)
    }
}

impl Sink for CdrTable {
    async fn deliver(
        &mut self,
        journal: &str,
        records: &VecDeque<(u64, Cdr)>,
    ) -> Result<(), Undelivered> {
        let position = records.back().map_or(0, |(position, _)| *position);
        let done = self.try_deliver(journal, records, position).await;
        self.uncertain = done.is_err();
        done
    }

    async fn skip(&mut self, journal: &str, position: u64) -> Result<(), Undelivered> {
        self.try_deliver(journal, &VecDeque::new(), position).await
    }
}

/// What goes into a column.
enum Written {
    Text(String),
    Number(i64),
}

fn written(cdr: &Cdr, column: &Column) -> Option<Written> {
    Some(match (cdr.field(&column.name)?, column.kind) {
        (Field::Text(text), Kind::Text(Some(most))) => {
            Written::Text(clean(text).chars().take(most).collect())
        }
        (Field::Text(text), Kind::Number) => Written::Number(text.trim().parse().ok()?),
        (Field::Text(text), _) => Written::Text(clean(text)),
        (Field::Number(number), _) => Written::Number(number),
        (Field::Word(_, number), Kind::Number) => Written::Number(number.into()),
        (Field::Word(word, _), _) => Written::Text(word.to_owned()),
        (Field::Time(at_us), Kind::Number) => Written::Number(at_us? / 1_000_000),
        (Field::Time(at_us), Kind::ZonedTime) => Written::Text(offset_time(at_us?)),
        (Field::Time(at_us), Kind::UtcTime) => Written::Text(utc_time(at_us?)),
        (Field::Time(at_us), Kind::Text(_) | Kind::Other) => Written::Text(local_time(at_us?)),
    })
}

/// NUL is in no database's text.
fn clean(text: &str) -> String {
    text.replace('\0', "")
}

fn kind_of(declared: &str, dialect: Dialect) -> Kind {
    let declared = declared.to_ascii_lowercase();
    let begins = |words: &[&str]| words.iter().any(|word| declared.starts_with(word));
    if declared.contains("char") || begins(&["text", "clob"]) {
        // SQLite takes any length, whatever is declared.
        let length = match dialect {
            Dialect::Sqlite => None,
            Dialect::MySql | Dialect::Postgres => length_of(&declared),
        };
        Kind::Text(length)
    } else if begins(&[
        "int",
        "bigint",
        "smallint",
        "tinyint",
        "mediumint",
        "numeric",
        "decimal",
        "double",
        "float",
        "real",
    ]) {
        Kind::Number
    } else if declared.contains("with time zone") {
        Kind::ZonedTime
    } else if dialect == Dialect::MySql && begins(&["timestamp"]) {
        Kind::UtcTime
    } else {
        Kind::Other
    }
}

/// The number in `varchar(80)`.
fn length_of(declared: &str) -> Option<usize> {
    let (_, rest) = declared.split_once('(')?;
    rest.split(')').next()?.trim().parse().ok()
}

fn away(error: &StoreError) -> Undelivered {
    Undelivered::Away(error.to_string())
}

/// SQLSTATE classes 22 and 23 (data exceptions, constraints) are the record's own fault.
fn refused_or_away(error: &StoreError) -> Undelivered {
    match error.database() {
        Some((why, code)) if is_data_fault(&code) => Undelivered::Refused(why.to_owned()),
        _ => away(error),
    }
}

/// Whether a database's code blames what a row holds. SQLite's codes are numbers: 19 constraint, 20
/// mismatch, 18 too big, with more in the higher bytes.
pub(crate) fn is_data_fault(code: &str) -> bool {
    match code.len() {
        5 => code.starts_with("22") || code.starts_with("23"),
        _ => code
            .parse::<u32>()
            .is_ok_and(|code| matches!(code & 0xff, 18..=20)),
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, is_data_fault, kind_of};
    use crate::backend::Dialect;

    #[test]
    fn columns_are_what_they_are_declared() {
        let cases = [
            (Dialect::MySql, "varchar(80)", Kind::Text(Some(80))),
            (Dialect::Sqlite, "VARCHAR(80)", Kind::Text(None)),
            (
                Dialect::Postgres,
                "character varying(45)",
                Kind::Text(Some(45)),
            ),
            (Dialect::Postgres, "text", Kind::Text(None)),
            (Dialect::MySql, "int(11)", Kind::Number),
            (Dialect::MySql, "timestamp", Kind::UtcTime),
            (Dialect::MySql, "datetime(6)", Kind::Other),
            (
                Dialect::Postgres,
                "timestamp without time zone",
                Kind::Other,
            ),
            (
                Dialect::Postgres,
                "timestamp with time zone",
                Kind::ZonedTime,
            ),
        ];
        for (dialect, declared, kind) in cases {
            assert_eq!(kind_of(declared, dialect), kind, "{declared}");
        }
    }

    #[test]
    fn only_what_a_row_holds_is_its_own_fault() {
        for code in ["22001", "23502", "19", "1299", "20"] {
            assert!(is_data_fault(code), "{code}");
        }
        for code in ["42P01", "42501", "HY000", "1", "5", ""] {
            assert!(!is_data_fault(code), "{code}");
        }
    }
}
