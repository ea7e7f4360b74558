//! SQL text of many statements, as people write it into files.

use crate::StoreError;
use crate::backend::{Backend, Dialect};
use std::fmt;
use std::ops::Range;

/// A statement of a script failed; those before it have happened.
#[derive(Clone, Debug)]
pub struct ScriptError {
    /// The line of the script it begins in, from 1.
    pub line: usize,
    /// Its beginning.
    pub statement: String,
    /// What the database says.
    pub error: StoreError,
    /// What may help.
    pub advice: Option<String>,
    /// Rows changed by the statements before it.
    pub changed: u64,
}

impl ScriptError {
    pub(crate) fn absent() -> Self {
        Self {
            line: 1,
            statement: String::new(),
            error: StoreError::Absent,
            advice: None,
            changed: 0,
        }
    }
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "line {}: {} (in `{}`)",
            self.line, self.error, self.statement
        )?;
        match &self.advice {
            Some(advice) => write!(f, "; {advice}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ScriptError {}

/// `DELIMITER` where it means nothing.
const DELIMITER_ADVICE: &str = "`DELIMITER` is a line of MySQL's client, followed by what ends \
     statements from there on; other databases have none, take the line out";

/// As much of a statement as a message shows.
const SHOWN_CHARS_MAX: usize = 60;

impl Backend {
    /// Runs SQL text as it stands, one statement after the other on one connection; the number of
    /// rows they changed. It may take as long as it takes.
    ///
    /// # Errors
    ///
    /// At the first statement that fails; those before it have happened, unless the text itself
    /// began a transaction.
    pub async fn run_script(&self, text: &str) -> Result<u64, ScriptError> {
        let mut changed = 0;
        let failed = |line: usize, statement: &str, error: StoreError, changed| {
            let mut words = statement.split_whitespace().collect::<Vec<_>>().join(" ");
            if let Some((end, _)) = words.char_indices().nth(SHOWN_CHARS_MAX) {
                words.truncate(end);
                words.push('…');
            }
            ScriptError {
                line,
                statement: words,
                advice: match is_delimiter_line(statement) {
                    true => Some(DELIMITER_ADVICE.to_owned()),
                    false => self.advice(&error),
                },
                error,
                changed,
            }
        };
        let mut connection = match self.connection().await {
            Ok(connection) => connection,
            Err(error) => return Err(failed(1, text, error, 0)),
        };
        // What a script sets and begins must not reach the next one who gets the connection.
        connection.taint();
        let unlimited = match self.dialect() {
            Dialect::Sqlite => None,
            Dialect::MySql => {
                Some("SET @sidetone = 2 /*M!100108 , SESSION max_statement_time = 0 */")
            }
            Dialect::Postgres => Some("SET statement_timeout = 0"),
        };
        if let Some(sql) = unlimited
            && let Err(error) = connection.run_raw(sql).await
        {
            return Err(failed(1, sql, error.into(), 0));
        }
        for range in statements(text, self.dialect()) {
            let statement = &text[range.clone()];
            let done = connection
                .run_raw(statement)
                .await
                .map_err(StoreError::from);
            self.note(&done);
            match done {
                Ok(rows) => changed += rows,
                Err(error) => {
                    let line = 1 + text[..range.start].matches('\n').count();
                    return Err(failed(line, statement, error, changed));
                }
            }
        }
        Ok(changed)
    }

    fn advice(&self, error: &StoreError) -> Option<String> {
        let (message, code) = error.database()?;
        let lower = message.to_ascii_lowercase();
        let init = "`sidetone db init` makes the tables";
        let advice = match code.as_str() {
            "42P01" | "42S02" | "3F000" => init.to_owned(),
            _ if lower.contains("no such table") => init.to_owned(),
            _ if lower.contains("unknown database") => {
                "the script names another database than the one connected to; give it that name"
                    .to_owned()
            }
            "42703" | "42S22" => "`sidetone db init` adds columns that are missing, \
                                  `sidetone db check` names them"
                .to_owned(),
            _ if lower.contains("no column named") || lower.contains("no such column") => {
                "`sidetone db check` names the columns there are".to_owned()
            }
            "42501" | "42000" if lower.contains("denied") => {
                "grant the user the right, `sidetone db check` names those it lacks".to_owned()
            }
            "23505" | "23000" => {
                "there is a row of this key already; `UPDATE` changes it".to_owned()
            }
            _ if lower.contains("unique constraint") => {
                "there is a row of this key already; `UPDATE` changes it".to_owned()
            }
            _ => return None,
        };
        Some(advice)
    }
}

/// Where the statements of a text are. Semicolons in quotes, comments and PostgreSQL's `$$` do not
/// end one, nor those between SQLite's `BEGIN` and `END` of a trigger.
fn statements(text: &str, dialect: Dialect) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let (mut at, mut start) = (0, None);
    let mut delimiter = ";";
    while at < bytes.len() {
        let rest = &bytes[at..];
        if start.is_none()
            && dialect == Dialect::MySql
            && let Some((length, word)) = delimiter_line(text, at)
        {
            delimiter = word;
            at += length;
            continue;
        }
        let ends = rest.starts_with(delimiter.as_bytes())
            && (delimiter != ";" || !within_trigger(text, start, at, dialect));
        if ends {
            found.extend(start.take().map(|start| start..at));
            at += delimiter.len();
            continue;
        }
        let length = match rest[0] {
            b'-' if is_line_comment(rest, dialect) => to_line_end(rest),
            b'#' if dialect == Dialect::MySql => to_line_end(rest),
            // MySQL runs `/*! … */`; it is part of a statement, as the other comments may be.
            b'/' if rest.starts_with(b"/*") => {
                let length = block_comment(rest, dialect == Dialect::Postgres);
                if rest.starts_with(b"/*!") || rest.starts_with(b"/*M!") {
                    start.get_or_insert(at);
                }
                length
            }
            quote @ (b'\'' | b'"' | b'`') => {
                start.get_or_insert(at);
                let escapes = dialect == Dialect::MySql && quote != b'`'
                    || dialect == Dialect::Postgres
                        && quote == b'\''
                        && is_escape_string(bytes, at);
                quoted(rest, quote, escapes)
            }
            b'$' if dialect == Dialect::Postgres => {
                start.get_or_insert(at);
                dollar_quoted(text, at)
            }
            byte => {
                if !byte.is_ascii_whitespace() {
                    start.get_or_insert(at);
                }
                1
            }
        };
        at += length.max(1);
    }
    if let Some(start) = start {
        found.push(start..text.len());
    }
    found
}

/// A line of MySQL's client that says what ends statements from here on: its length, and that word.
fn delimiter_line(text: &str, at: usize) -> Option<(usize, &str)> {
    let line = text.get(at..)?.lines().next()?;
    let before = text[..at].rsplit('\n').next().unwrap_or_default();
    if !is_delimiter_line(line) || !before.trim().is_empty() {
        return None;
    }
    let word = line.split_ascii_whitespace().nth(1)?;
    Some((line.len(), word))
}

fn is_delimiter_line(line: &str) -> bool {
    let first = line.split_ascii_whitespace().next();
    first.is_some_and(|word| word.eq_ignore_ascii_case("DELIMITER"))
}

/// MySQL wants a blank after the two dashes.
fn is_line_comment(rest: &[u8], dialect: Dialect) -> bool {
    rest.starts_with(b"--")
        && (dialect != Dialect::MySql || rest.get(2).is_none_or(u8::is_ascii_whitespace))
}

fn to_line_end(rest: &[u8]) -> usize {
    rest.iter()
        .position(|byte| *byte == b'\n')
        .unwrap_or(rest.len())
}

/// The length of a comment; PostgreSQL's may hold others.
fn block_comment(rest: &[u8], nested: bool) -> usize {
    let (mut at, mut depth) = (2, 1);
    while at < rest.len() {
        if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else if nested && rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else {
            at += 1;
        }
    }
    rest.len()
}

/// Whether the quote at this place opens PostgreSQL's `E'…'`.
fn is_escape_string(bytes: &[u8], at: usize) -> bool {
    let before = |back: usize| at.checked_sub(back).map(|at| bytes[at]);
    matches!(before(1), Some(b'e' | b'E'))
        && before(2).is_none_or(|byte| !byte.is_ascii_alphanumeric() && byte != b'_')
}

/// The length of what stands in quotes. A doubled quote is two quoted texts in a row.
fn quoted(rest: &[u8], quote: u8, escapes: bool) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' if escapes => at += 1,
            byte if byte == quote => return at + 1,
            _ => {}
        }
        at += 1;
    }
    rest.len()
}

/// The length of `$tag$ … $tag$`; of a lone dollar sign, one.
fn dollar_quoted(text: &str, at: usize) -> usize {
    let rest = &text[at..];
    let Some(end) = rest[1..].find('$') else {
        return 1;
    };
    let tag = &rest[..end + 2];
    let is_tag = tag[1..=end]
        .chars()
        .all(|c| c.is_alphanumeric() || c == '_')
        && !tag[1..].starts_with(|c: char| c.is_ascii_digit());
    match rest[tag.len()..].find(tag) {
        Some(length) if is_tag => length + 2 * tag.len(),
        None if is_tag => rest.len(),
        _ => 1,
    }
}

/// Whether a semicolon at this place ends a statement of a trigger and not the trigger.
fn within_trigger(text: &str, start: Option<usize>, at: usize, dialect: Dialect) -> bool {
    let Some(start) = start.filter(|_| dialect != Dialect::Postgres) else {
        return false;
    };
    let statement = text[start..at].to_ascii_uppercase();
    let mut words = statement.split_whitespace();
    let is_trigger = words.next() == Some("CREATE")
        && words
            .take(4)
            .any(|word| matches!(word, "TRIGGER" | "PROCEDURE" | "FUNCTION"));
    is_trigger && statement.contains("BEGIN") && !statement.trim_end().ends_with("END")
}

#[cfg(test)]
mod tests {
    use super::{Dialect, statements};

    fn split(text: &str, dialect: Dialect) -> Vec<&str> {
        statements(text, dialect)
            .into_iter()
            .map(|range| &text[range])
            .collect()
    }

    #[test]
    fn semicolons_end_statements_where_they_are_not_quoted() {
        let text = "-- a; b\nSELECT ';', \"x;\" /* c; */;\n\n;; INSERT 'it''s; fine' ; -- end";
        for dialect in [Dialect::Sqlite, Dialect::MySql, Dialect::Postgres] {
            let expected = ["SELECT ';', \"x;\" /* c; */", "INSERT 'it''s; fine' "];
            assert_eq!(split(text, dialect), expected, "{dialect:?}");
        }
    }

    #[test]
    fn each_database_quotes_in_its_own_way() {
        let text = r"SELECT 'a\'; b'; SELECT 1";
        assert_eq!(split(text, Dialect::MySql).len(), 2);
        assert_eq!(split(r"SELECT 'a\'; SELECT 1", Dialect::Sqlite).len(), 2);
        assert_eq!(
            split(r"SELECT E'a\'; b'; SELECT 1", Dialect::Postgres).len(),
            2
        );
        let function = "CREATE FUNCTION f() AS $x$ BEGIN a; b; END $x$; SELECT $1; SELECT '$$;'";
        assert_eq!(split(function, Dialect::Postgres).len(), 3);
        assert_eq!(split("# a;\nSELECT `;`; SELECT 2", Dialect::MySql).len(), 2);
        let trigger = "CREATE TRIGGER t AFTER INSERT ON a BEGIN DELETE FROM b; END; SELECT 1";
        assert_eq!(split(trigger, Dialect::Sqlite).len(), 2);
    }

    #[test]
    fn a_delimiter_line_says_what_ends_statements() {
        let text = "SELECT 1;\nDELIMITER //\nCREATE PROCEDURE p()\nBEGIN\n  IF a THEN b; END IF;\n  \
                    SELECT '//';\nEND//\nCREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW SET @a = 1//\n\
                    delimiter ;\nSELECT 2; SELECT 3\n";
        let pieces = split(text, Dialect::MySql);
        assert_eq!(pieces.len(), 5, "{pieces:?}");
        assert!(pieces[1].ends_with("SELECT '//';\nEND"));
        assert!(pieces[2].ends_with("@a = 1"));
        assert_eq!(pieces[3], "SELECT 2");
        // Elsewhere it is a statement, which the database refuses.
        assert!(split("DELIMITER //\nSELECT 1;", Dialect::Sqlite)[0].starts_with("DELIMITER"));
        // A line without a word, and a word within a statement, are what they are.
        assert_eq!(split("DELIMITER\n;", Dialect::MySql), ["DELIMITER\n"]);
        assert_eq!(split("SELECT\nDELIMITER x;", Dialect::MySql).len(), 1);
    }

    /// Every short text of what has a meaning: none makes a panic, or a piece that is no text.
    #[test]
    fn no_text_breaks_it() {
        const PARTS: [&str; 10] = ["'", "\"", "$", ";", "--", "/*", "*/", "é", "\\", "\n"];
        for number in 0..PARTS.len().pow(4) {
            let digits = (0..4).map(|place| number / PARTS.len().pow(place) % PARTS.len());
            let text: String = digits.map(|digit| PARTS[digit]).collect();
            for dialect in [Dialect::Sqlite, Dialect::MySql, Dialect::Postgres] {
                let pieces = split(&text, dialect);
                let length: usize = pieces.iter().map(|piece| piece.len()).sum();
                assert!(length <= text.len(), "{text:?}");
            }
        }
    }

    #[test]
    fn text_that_breaks_off_is_one_statement() {
        for text in [
            "SELECT 'a",
            "SELECT $$ a;",
            "/* a",
            "SELECT 1 -- a",
            "é;'é",
            "$é$;$",
        ] {
            for dialect in [Dialect::Sqlite, Dialect::MySql, Dialect::Postgres] {
                assert!(split(text, dialect).len() <= 3, "{text}");
            }
        }
    }
}
