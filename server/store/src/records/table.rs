//! Asterisk's table `cdr`, as it is: whatever columns it has, in whichever database.

use super::{MARK_TABLE, Sink, Undelivered};
use crate::backend::{Backend, Dialect, Transaction, Value};
use crate::cdr::{Cdr, Field, local_time, offset_time, utc_time};
use crate::current::Current;
use crate::error::StoreError;
use serde_json::{Map, Value as Json};
use std::collections::{BTreeSet, VecDeque};

/// The table, and our mark beside it.
pub(crate) struct CdrTable {
    current: Current,
    /// Where the end of a transaction was not heard of: what it brought may be there or not.
    unheard: Option<Backend>,
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
    pub(crate) fn new(current: Current) -> Self {
        Self {
            current,
            unheard: None,
            shape: None,
            uncertain: true,
            warned: false,
        }
    }

    /// The database in force. What is known of another one's table is forgotten.
    fn backend(&mut self) -> Backend {
        let (backend, another) = self.current.backend();
        if another {
            self.shape = None;
            self.uncertain = true;
            self.warned = false;
        }
        backend
    }

    async fn shape(&mut self, backend: &Backend) -> Result<Shape, Undelivered> {
        let columns = columns(backend).await.map_err(|error| away(&error))?;
        if columns.is_empty() {
            let table = backend.table("cdr");
            return Err(Undelivered::Away(format!(
                "the database has no table {table}; `sidetone db init` makes it"
            )));
        }
        let marks = has_marks(backend).await?;
        if !marks && !std::mem::replace(&mut self.warned, true) {
            tracing::warn!(
                "the database does not let us make the table {MARK_TABLE}: after a failure call \
                 records are looked for by uniqueid and sequence before they are inserted"
            );
        }
        Ok(Shape { columns, marks })
    }

    async fn try_deliver(
        &mut self,
        journal: &str,
        records: &VecDeque<(u64, Cdr)>,
        position: u64,
    ) -> Result<(), Undelivered> {
        let backend = self.backend();
        let elsewhere = self.found_elsewhere(&backend, journal, records).await;
        let shape = match self.shape.take() {
            Some(shape) => shape,
            None => self.shape(&backend).await?,
        };
        let mut transaction = backend.begin().await.map_err(|error| away(&error))?;
        let mark = match shape.marks {
            true => mark(&mut transaction, &backend, journal)
                .await
                .map_err(|error| away(&error))?,
            false => None,
        };
        let mut fresh = Vec::new();
        for (position, cdr) in records {
            if mark.is_some_and(|mark| *position <= mark) || elsewhere.contains(position) {
                continue;
            }
            if self.uncertain && !shape.marks {
                let found = is_there(&mut transaction, &backend, cdr).await;
                if found.map_err(|error| away(&error))? {
                    continue;
                }
            }
            fresh.push(cdr);
        }
        for cdrs in fresh.chunks(ROWS_MAX) {
            let inserted = insert(&mut transaction, &backend, &shape, cdrs).await;
            if let Err(error) = inserted {
                // The connection is of use to the next one.
                let _ = transaction.rollback().await;
                return Err(refused_or_away(&error));
            }
        }
        if shape.marks && mark.is_none_or(|mark| mark < position) {
            let set = set_mark(&mut transaction, &backend, journal, position, mark);
            set.await.map_err(|error| away(&error))?;
        }
        if let Err(error) = transaction.commit().await {
            self.unheard = Some(backend);
            return Err(away(&error));
        }
        self.unheard = None;
        self.shape = Some(shape);
        Ok(())
    }

    /// Those of the records that are in the database that was in force before, where the end of a
    /// transaction with them was not heard of. If it does not answer now, it does not count: a record
    /// that is in both is better than one in none.
    async fn found_elsewhere(
        &mut self,
        backend: &Backend,
        journal: &str,
        records: &VecDeque<(u64, Cdr)>,
    ) -> BTreeSet<u64> {
        let Some(old) = self.unheard.take_if(|unheard| !unheard.is(backend)) else {
            return BTreeSet::new();
        };
        let found = found_in(&old, journal, records).await;
        found.unwrap_or_else(|error| {
            tracing::warn!(
                "{} call records may be in {} too, which was in use before and does not tell: {error}",
                records.len(),
                old.status().url
            );
            BTreeSet::new()
        })
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

    fn is_another(&self) -> bool {
        self.current.is_another()
    }

    async fn skip(&mut self, journal: &str, position: u64) -> Result<(), Undelivered> {
        self.try_deliver(journal, &VecDeque::new(), position).await
    }
}

async fn columns(backend: &Backend) -> Result<Vec<Column>, StoreError> {
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
async fn has_marks(backend: &Backend) -> Result<bool, Undelivered> {
    let present = backend
        .columns(MARK_TABLE)
        .await
        .map_err(|error| away(&error))?;
    if !present.is_empty() {
        return Ok(true);
    }
    let table = backend.table(MARK_TABLE);
    let sql = format!(
        "CREATE TABLE {table} (journal VARCHAR(64) PRIMARY KEY NOT NULL, delivered BIGINT NOT NULL)"
    );
    match backend.execute(&sql, &[]).await {
        Ok(_) => Ok(true),
        Err(error) if error.database().is_some() => Ok(false),
        Err(error) => Err(away(&error)),
    }
}

async fn mark(
    transaction: &mut Transaction,
    backend: &Backend,
    journal: &str,
) -> Result<Option<u64>, StoreError> {
    let table = backend.table(MARK_TABLE);
    let sql = format!("SELECT delivered FROM {table} WHERE journal = ?");
    let row = transaction.fetch_one(&sql, &[journal.into()]).await?;
    Ok(row
        .and_then(|row| row.int("delivered"))
        .map(i64::cast_unsigned))
}

async fn set_mark(
    transaction: &mut Transaction,
    backend: &Backend,
    journal: &str,
    position: u64,
    before: Option<u64>,
) -> Result<(), StoreError> {
    let table = backend.table(MARK_TABLE);
    let sql = match before {
        Some(_) => format!("UPDATE {table} SET delivered = ? WHERE journal = ?"),
        None => format!("INSERT INTO {table} (delivered, journal) VALUES (?, ?)"),
    };
    let binds = [Value::Int(position.cast_signed()), journal.into()];
    transaction.execute(&sql, &binds).await.map(drop)
}

async fn is_there(
    transaction: &mut Transaction,
    backend: &Backend,
    cdr: &Cdr,
) -> Result<bool, StoreError> {
    let table = backend.table("cdr");
    let sql = format!("SELECT uniqueid FROM {table} WHERE uniqueid = ? AND sequence = ?");
    let Some(Field::Number(sequence)) = cdr.field("sequence") else {
        return Ok(false);
    };
    let binds = [cdr.uniqueid.as_str().into(), Value::Int(sequence)];
    let found = transaction.fetch_one(&sql, &binds).await?;
    Ok(found.is_some())
}

/// The positions of those records that are in this database.
async fn found_in(
    backend: &Backend,
    journal: &str,
    records: &VecDeque<(u64, Cdr)>,
) -> Result<BTreeSet<u64>, StoreError> {
    let marks = !backend.columns(MARK_TABLE).await?.is_empty();
    let mut transaction = backend.begin().await?;
    let mut found = BTreeSet::new();
    let mark = match marks {
        true => mark(&mut transaction, backend, journal).await?.unwrap_or(0),
        false => 0,
    };
    for (position, cdr) in records {
        if *position <= mark || !marks && is_there(&mut transaction, backend, cdr).await? {
            found.insert(*position);
        }
    }
    transaction.rollback().await?;
    Ok(found)
}

async fn insert(
    transaction: &mut Transaction,
    backend: &Backend,
    shape: &Shape,
    cdrs: &[&Cdr],
) -> Result<(), StoreError> {
    let dialect = backend.dialect();
    let table = backend.table("cdr");
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
    use super::{CdrTable, Kind, Sink as _, is_data_fault, kind_of};
    use crate::backend::{Backend, Dialect};
    use crate::cdr::Cdr;
    use crate::current::Current;
    use config::Database;
    use std::collections::VecDeque;
    use std::path::PathBuf;
    use tokio::sync::watch;

    async fn opened(name: &str) -> (Backend, PathBuf) {
        let name = format!("sidetone-records-{name}-{}.db", std::process::id());
        let file = std::env::temp_dir().join(name);
        let _ = std::fs::remove_file(&file);
        let backend = Backend::open(&Database::default(), &file).await.unwrap();
        (backend, file)
    }

    fn records(positions: std::ops::RangeInclusive<u64>) -> VecDeque<(u64, Cdr)> {
        let records = positions.map(|position| {
            let cdr = Cdr {
                sequence: position,
                uniqueid: position.to_string(),
                ..Cdr::default()
            };
            (position, cdr)
        });
        records.collect()
    }

    async fn there(backend: &Backend) -> Vec<i64> {
        let sql = "SELECT sequence FROM asterisk.cdr ORDER BY sequence";
        let rows = backend.fetch(sql, &[]).await.unwrap();
        rows.iter().filter_map(|row| row.int("sequence")).collect()
    }

    /// The end of a transaction was not heard of when another database came: what had happened is not
    /// brought there again, with marks and without.
    #[tokio::test]
    async fn a_record_is_in_one_of_two_databases() {
        for marks in [true, false] {
            let (old, old_file) = opened("old").await;
            let (new, new_file) = opened("new").await;
            let (current, seen) = watch::channel(old.clone());
            let mut table = CdrTable::new(Current::new(seen));
            if marks {
                table.deliver("j", &records(1..=2)).await.unwrap();
            } else {
                for sequence in 1..=2 {
                    let sql = format!(
                        "INSERT INTO asterisk.cdr (uniqueid, sequence) VALUES ('{sequence}', {sequence})"
                    );
                    old.execute(&sql, &[]).await.unwrap();
                }
            }
            table.unheard = Some(old.clone());
            current.send_replace(new.clone());
            assert!(table.is_another());
            table.deliver("j", &records(1..=4)).await.unwrap();
            assert_eq!(there(&old).await, [1, 2], "{marks}");
            assert_eq!(there(&new).await, [3, 4], "{marks}");
            for file in [old_file, new_file] {
                std::fs::remove_file(file).unwrap();
            }
        }
    }

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
