//! Asterisk's tables, column for column, in the types of each database.
//!
//! Columns that Asterisk declares as enumerations are text here: the same words fit, and so do those
//! of the next release. A database made by Asterisk's own migrations is used as it is.

use crate::backend::Dialect;
use std::sync::LazyLock;

mod notify;
mod prepare;

pub(crate) use notify::{CHANNEL, TRIGGER, WATCHED, notify_statements};
pub use prepare::{init, schema_sql};

/// One table.
#[derive(Debug)]
pub(crate) struct Table {
    /// Its name.
    pub(crate) name: &'static str,
    /// Every column.
    pub(crate) columns: Vec<Column>,
}

/// One column of a table.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    kind: Kind,
    may_be_null: bool,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Integer,
    BigInt,
    Double,
    Numeric,
    Boolean,
    Timestamp,
    Text,
    Varchar(u32),
    /// One of some words; the length of the longest.
    Word(u32),
}

/// The tables, as Asterisk 23 has them.
pub(crate) fn tables() -> &'static [Table] {
    &TABLES
}

static TABLES: LazyLock<Vec<Table>> = LazyLock::new(|| read(include_str!("schema/columns.csv")));

/// Keys of tables that have no `id`, and of those where it is counted up. `cdr` has none in Asterisk.
const KEYS: &[(&str, &[&str])] = &[
    ("cdr", &[]),
    ("musiconhold", &["name"]),
    ("musiconhold_entry", &["name", "position"]),
    ("queue_members", &["queue_name", "interface"]),
    ("queues", &["name"]),
    ("voicemail", &["uniqueid"]),
];
/// Columns that count themselves up.
const COUNTED: &[(&str, &str)] = &[
    ("extensions", "id"),
    ("queue_members", "uniqueid"),
    ("voicemail", "uniqueid"),
];

/// Lines `table,column,type,nullable`, those of one table together.
fn read(text: &'static str) -> Vec<Table> {
    let mut tables: Vec<Table> = Vec::new();
    for line in text.lines().skip(1) {
        let mut fields = line.split(',');
        let mut field = || fields.next().unwrap_or_default();
        let (name, column, kind, nullable) = (field(), field(), field(), field());
        let column = Column {
            name: column,
            kind: Kind::read(kind),
            may_be_null: nullable == "YES",
        };
        match tables.last_mut() {
            Some(table) if table.name == name => table.columns.push(column),
            _ => tables.push(Table {
                name,
                columns: vec![column],
            }),
        }
    }
    tables
}

impl Kind {
    fn read(text: &str) -> Self {
        let inner = |start: &str| text.strip_prefix(start)?.strip_suffix(')');
        if let Some(length) = inner("varchar(") {
            return Self::Varchar(length.parse().unwrap_or(255));
        }
        if let Some(words) = inner("enum(") {
            let longest = words.split('|').map(str::len).max().unwrap_or_default();
            return Self::Word(u32::try_from(longest).unwrap_or(WORD_MIN).max(WORD_MIN));
        }
        match text {
            "integer" => Self::Integer,
            "bigint" => Self::BigInt,
            "double precision" => Self::Double,
            "numeric" => Self::Numeric,
            "boolean" => Self::Boolean,
            "timestamp without time zone" => Self::Timestamp,
            _ => Self::Text,
        }
    }

    fn sql(self, dialect: Dialect) -> String {
        let word = match (dialect, self) {
            (Dialect::Sqlite, Self::Integer | Self::BigInt) => "INTEGER",
            (Dialect::Sqlite, Self::Double | Self::Numeric) => "REAL",
            (Dialect::Sqlite, _) => "TEXT",
            // A row of InnoDB is short, so the words take one byte a letter.
            (Dialect::MySql, Self::Word(length)) => {
                return format!("VARCHAR({length}) CHARACTER SET ascii");
            }
            (_, Self::Varchar(length) | Self::Word(length)) => return format!("VARCHAR({length})"),
            (_, Self::Integer) => "INTEGER",
            (_, Self::BigInt) => "BIGINT",
            (Dialect::MySql, Self::Double) => "DOUBLE",
            (Dialect::Postgres, Self::Double) => "DOUBLE PRECISION",
            (Dialect::MySql, Self::Numeric) => "DECIMAL(5,2)",
            (Dialect::Postgres, Self::Numeric) => "NUMERIC(5,2)",
            (_, Self::Boolean) => "BOOLEAN",
            (Dialect::MySql, Self::Timestamp) => "DATETIME",
            (Dialect::Postgres, Self::Timestamp) => "TIMESTAMP",
            (_, Self::Text) => "TEXT",
        };
        word.to_owned()
    }
}

/// Room for every spelling of a yes, and for words to come.
const WORD_MIN: u32 = 20;

impl Table {
    /// The columns of its key.
    pub(crate) fn key(&self) -> &'static [&'static str] {
        let found = KEYS.iter().find(|(table, _)| *table == self.name);
        found.map_or(&["id"], |(_, key)| key)
    }

    /// The statements that make it as it should be, given the columns it has: none, it is missing.
    pub(crate) fn completion(
        &self,
        dialect: Dialect,
        target: &str,
        present: &[String],
    ) -> Vec<String> {
        if present.is_empty() {
            return vec![self.create(dialect, target)];
        }
        let missing = self.columns.iter().filter(|column| {
            let mut present = present.iter();
            !present.any(|name| name.eq_ignore_ascii_case(column.name))
        });
        let add = missing.map(|column| {
            let name = dialect.quoted(column.name);
            let kind = column.kind.sql(dialect);
            format!("ALTER TABLE {target} ADD COLUMN {name} {kind}")
        });
        add.collect()
    }

    /// The statement that makes it.
    pub(crate) fn create(&self, dialect: Dialect, target: &str) -> String {
        let mut lines: Vec<String> = self
            .columns
            .iter()
            .map(|c| self.column(dialect, c))
            .collect();
        let key = self.key();
        let counted = COUNTED.iter().find(|(table, _)| *table == self.name);
        // In SQLite only the key counts itself up, and says so with the column.
        let declared = dialect == Dialect::Sqlite && counted.is_some_and(|(_, c)| key == [*c]);
        if !declared && !key.is_empty() {
            let key: Vec<String> = key.iter().map(|column| dialect.quoted(column)).collect();
            lines.push(format!("PRIMARY KEY ({})", key.join(", ")));
        }
        if let Some((_, column)) = counted
            && key != [*column]
            && dialect != Dialect::Sqlite
        {
            lines.push(format!("UNIQUE ({})", dialect.quoted(column)));
        }
        let end = match dialect {
            Dialect::MySql => " ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4",
            Dialect::Sqlite | Dialect::Postgres => "",
        };
        let lines = lines.join(",\n    ");
        format!("CREATE TABLE IF NOT EXISTS {target} (\n    {lines}\n){end}")
    }

    fn column(&self, dialect: Dialect, column: &Column) -> String {
        let name = dialect.quoted(column.name);
        let kind = column.kind.sql(dialect);
        if COUNTED.contains(&(self.name, column.name)) {
            return match dialect {
                Dialect::Sqlite if self.key() == [column.name] => {
                    format!("{name} INTEGER PRIMARY KEY")
                }
                Dialect::Sqlite => format!("{name} INTEGER"),
                Dialect::MySql => format!("{name} {kind} NOT NULL AUTO_INCREMENT"),
                Dialect::Postgres => {
                    format!("{name} {kind} GENERATED BY DEFAULT AS IDENTITY")
                }
            };
        }
        match column.may_be_null {
            true => format!("{name} {kind}"),
            false => format!("{name} {kind} NOT NULL"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Dialect, Table, tables};

    fn table(name: &str) -> Option<&'static Table> {
        tables().iter().find(|table| table.name == name)
    }

    #[test]
    fn every_table_of_asterisk_is_here_with_every_column() {
        let count = |name| table(name).unwrap().columns.len();
        assert!(tables().len() >= 20, "{}", tables().len());
        assert_eq!(count("ps_aors"), 16);
        assert!(count("ps_endpoints") > 130);
        for table in tables() {
            for column in table.key() {
                let mut columns = table.columns.iter();
                assert!(columns.any(|c| c.name == *column), "{}", table.name);
            }
        }
    }

    #[test]
    fn what_is_missing_is_added_and_what_is_there_stays() {
        let aors = table("ps_aors").unwrap();
        let all: Vec<String> = aors.columns.iter().map(|c| c.name.to_owned()).collect();
        let of = |present: &[String]| aors.completion(Dialect::Postgres, "ps_aors", present);
        assert_eq!(of(&all), [""; 0]);
        let add = "ALTER TABLE ps_aors ADD COLUMN \"qualify_2xx_only\" VARCHAR(20)";
        assert_eq!(of(&all[..all.len() - 1]), [add]);
        assert!(of(&[])[0].starts_with("CREATE TABLE IF NOT EXISTS ps_aors (\n"));
    }
}
