//! `sql show status` and `realtime load`: the database as the running exchange sees it.

use std::time::Duration;

use store::{Backend, Store, StoreError, Trouble};

use crate::command::{Command, Outcome, Slot, Takes};
use crate::exchange::Exchange;

pub(crate) static REALTIME_LOAD: Command = Command {
    path: "realtime load",
    takes: Takes::Form(&[Slot::Any("family"), Slot::Any("column"), Slot::Any("value")]),
    synopsis: "Used to print out RealTime variables",
    doc: "Prints out a list of variables using the RealTime driver.\n\
          You must supply a family name, a column to match on, and a value to match to.",
    run: |exchange, words| Box::pin(load(exchange, words)),
};

pub(crate) static SHOW_STATUS: Command = Command {
    path: "sql show status",
    takes: Takes::Nothing,
    synopsis: "Show the state of the database",
    doc: "Shows where the database is, its connections, what was asked, what is remembered, and\n\
          since when it does not answer if it does not.",
    run: |exchange, _| Box::pin(async { show_status(exchange) }),
};

async fn load(exchange: &Exchange, words: &[String]) -> Outcome {
    let [family, column, value] = words else {
        return Outcome::Usage;
    };
    let store = exchange.parts.switch.store();
    let Some(backend) = store.backend() else {
        return Outcome::Failed("There is no database.\n".to_owned());
    };
    match row(&backend, family, column, value).await {
        Ok(Some(text)) => Outcome::Done(text),
        Ok(None) => Outcome::Missing("No rows found matching search criteria.\n".to_owned()),
        Err(sentence) => Outcome::Failed(format!("{sentence}\n")),
    }
}

/// The first row that matches, as Asterisk prints it.
async fn row(
    backend: &Backend,
    family: &str,
    column: &str,
    value: &str,
) -> Result<Option<String>, String> {
    // Both stand in the statement as they are, so they must be names that are there.
    let table = backend.table(family);
    let is_name = |text: &str| {
        let mut characters = text.chars();
        !text.is_empty() && characters.all(|c| c.is_ascii_alphanumeric() || "_.$".contains(c))
    };
    let away = |error: StoreError| format!("The database gives no answer: {error}");
    let columns = match is_name(&table) {
        true => backend.columns(family).await.map_err(away)?,
        false => Vec::new(),
    };
    if columns.is_empty() {
        return Err(format!("There is no table for the family '{family}'."));
    }
    let Some(column) = columns
        .iter()
        .find(|name| name.eq_ignore_ascii_case(column))
    else {
        let known = columns.join(", ");
        return Err(format!(
            "{table} has no column '{column}'; its columns are {known}."
        ));
    };
    let dialect = backend.dialect();
    let quoted = dialect.quoted(column);
    let sql = format!(
        "SELECT * FROM {table} WHERE {} = ? LIMIT 1",
        dialect.as_text(&quoted)
    );
    let row = backend
        .fetch_one(&sql, &[value.into()])
        .await
        .map_err(away)?;
    let Some(row) = row else {
        return Ok(None);
    };
    let mut text = format!("{:>30}  {:<30}\n", "Column Name", "Column Value");
    text.push_str(&format!("{0:>30}  {0:<30}\n", "--------------------"));
    for (name, value) in row.columns() {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            text.push_str(&format!("{name:>30}  {value:<30}\n"));
        }
    }
    Ok(Some(text))
}

fn show_status(exchange: &Exchange) -> Outcome {
    Outcome::Done(status(exchange.parts.switch.store()))
}

fn status(store: &Store) -> String {
    let Some(backend) = store.backend() else {
        return "Database:    none\n".to_owned();
    };
    let status = backend.status();
    let counts = store.counts();
    let listening = match store.listens() {
        Some(true) => "yes, changes count at once",
        Some(false) => "no (`sidetone db init` sets the trigger), changes count within a second",
        None => "not with this database, changes count within a second",
    };
    format!(
        "Database:    {}\nKind:        {}\nState:       {}\n\
         Connections: {} of {}, {} idle\nStatements:  {}, {} without success\n\
         Endpoints:   {} asked for, {} answered from memory while it was away\n\
         Remembered:  {} answers for a second, {} endpoints for when it is away\nListening:   {listening}\n",
        status.url,
        status.dialect.name(),
        state(status.trouble.as_ref()),
        status.connections,
        status.connections_max,
        status.idle,
        status.queries,
        status.errors,
        counts.asked,
        counts.served_from_memory,
        counts.cached,
        counts.known,
    )
}

fn state(trouble: Option<&Trouble>) -> String {
    let Some(trouble) = trouble else {
        return "ok".to_owned();
    };
    let kind = trouble.kind.name();
    let seconds = trouble.since.elapsed().unwrap_or(Duration::ZERO).as_secs();
    format!("degraded, {kind} for {seconds} s: {}", trouble.error)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use config::{Config, Database};
    use store::Store;

    use super::{row, status};

    #[tokio::test]
    async fn a_row_is_printed_as_by_asterisk_and_slips_are_named() {
        let folder = std::env::temp_dir().join(format!("cli-sql-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let store = Store::open(Arc::default(), Some(&folder.join("a.db")))
            .await
            .unwrap();
        let sql = "INSERT INTO ps_aors (id, max_contacts, contact) VALUES ('200', 5, '')";
        store.run_script(sql).await.unwrap();
        let backend = store.backend().unwrap();
        let found = row(&backend, "ps_aors", "MAX_contacts", "5").await.unwrap();
        let found = found.unwrap();
        let lines: Vec<&str> = found.lines().map(str::trim_end).collect();
        assert_eq!(
            lines,
            [
                "                   Column Name  Column Value",
                "          --------------------  --------------------",
                "                            id  200",
                "                  max_contacts  5",
            ]
        );
        assert_eq!(row(&backend, "ps_aors", "id", "201").await, Ok(None));
        let error = row(&backend, "ps_aors", "idd", "1").await.unwrap_err();
        assert!(error.starts_with("asterisk.ps_aors has no column 'idd'; its columns are id, "));
        for family in ["nothing", "ps_aors; DROP TABLE ps_aors"] {
            let error = row(&backend, family, "id", "1").await.unwrap_err();
            assert!(error.starts_with("There is no table"), "{error}");
        }
        let text = status(&store);
        assert!(text.contains("State:       ok\n"), "{text}");
        store.close().await;
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[tokio::test]
    async fn a_database_that_is_away_is_shown_without_its_password() {
        let url = "postgres://u:secret@127.0.0.1:9/asterisk";
        let config = Config {
            database: Database::default().at_url(url).unwrap(),
            ..Config::default()
        };
        let store = Store::open(Arc::new(config), Some(std::path::Path::new("/nowhere")));
        let store = store.await.unwrap();
        assert!(store.subscriber("alice").await.is_err());
        let text = status(&store);
        assert!(
            text.contains("postgres://u@127.0.0.1:9/asterisk\n"),
            "{text}"
        );
        assert!(
            text.contains("State:       degraded, unreachable for "),
            "{text}"
        );
        assert!(
            text.contains("refused") && !text.contains("secret"),
            "{text}"
        );
    }
}
