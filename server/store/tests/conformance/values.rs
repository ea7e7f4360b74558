//! Columns of every type as text, and what is written in one piece.

use crate::support::{Scratch, on_every_database};
use store::{Dialect, Value};

on_every_database!(
    every_type_is_text,
    text_comes_back_as_it_was_written,
    rows_are_written_whether_they_are_there_or_not,
    a_transaction_happens_whole_or_not_at_all,
);

async fn every_type_is_text(scratch: Scratch) {
    let backend = scratch.backend().await;
    let table = backend.table("types");
    let kind = match scratch.dialect {
        Dialect::MySql => "ENUM('no','yes')",
        Dialect::Sqlite | Dialect::Postgres => "VARCHAR(3)",
    };
    let time = match scratch.dialect {
        Dialect::MySql => "DATETIME",
        Dialect::Sqlite | Dialect::Postgres => "TIMESTAMP",
    };
    let sql = format!(
        "CREATE TABLE {table} (small SMALLINT, whole INTEGER, big BIGINT, exact NUMERIC(5,2), \
         fraction DOUBLE PRECISION, truth BOOLEAN, word {kind}, fixed CHAR(3), long_text TEXT, \
         at {time}, unset INTEGER); \
         INSERT INTO {table} VALUES (-1, 70000, 9000000000, 1.5, 3.25, true, 'yes', 'abc', 'x', \
         '2026-11-25 21:00:09', NULL)"
    );
    backend.run_script(&sql).await.unwrap();
    let rows = backend
        .fetch(&format!("SELECT * FROM {table}"), &[])
        .await
        .unwrap();
    let row = &rows[0];
    assert_eq!(row.int("small"), Some(-1));
    assert_eq!(row.text("whole"), Some("70000"));
    assert_eq!(row.int("big"), Some(9_000_000_000));
    assert!(row.text("exact").unwrap().starts_with("1.5"), "{row:?}");
    assert_eq!(row.text("fraction"), Some("3.25"));
    assert!(matches!(row.text("truth"), Some("true" | "1")), "{row:?}");
    assert_eq!(row.text("word"), Some("yes"));
    assert_eq!(row.text("fixed"), Some("abc"));
    assert_eq!(row.text("long_text"), Some("x"));
    let time = row.text("at").unwrap().replace('T', " ");
    assert_eq!(time, "2026-11-25 21:00:09");
    assert_eq!(row.text("unset"), None);
    assert_eq!(row.text("no_such_column"), None);
}

async fn text_comes_back_as_it_was_written(scratch: Scratch) {
    let backend = scratch.store("").await.backend().unwrap();
    let table = backend.table("ps_aors");
    let hard = [
        "it's",
        "a\\b",
        "\"q\"",
        "100%",
        "?",
        "Zoë ☎ 🦀",
        "' OR 1=1 --",
        "a\nb",
        "",
    ];
    for (number, text) in hard.iter().enumerate() {
        let id = format!("n{number}");
        let sql = format!("INSERT INTO {table} (id, contact) VALUES (?, ?)");
        backend
            .execute(&sql, &[(&id).into(), (*text).into()])
            .await
            .unwrap();
        let sql = format!("SELECT id FROM {table} WHERE contact = ?");
        let row = backend.fetch_one(&sql, &[(*text).into()]).await.unwrap();
        assert_eq!(row.unwrap().text("id"), Some(id.as_str()), "{text}");
    }
}

async fn rows_are_written_whether_they_are_there_or_not(scratch: Scratch) {
    let backend = scratch.store("").await.backend().unwrap();
    let columns = ["id", "uri", "expiration_time", "user_agent"];
    let ids: Vec<String> = (0..450).map(|number| format!("alice;@{number}")).collect();
    for round in [1_i64, 2] {
        let rows: Vec<_> = ids
            .iter()
            .map(|id| vec![id.into(), "sip:a@h".into(), round.into(), Value::Null])
            .collect();
        backend
            .upsert("ps_contacts", "id", &columns, &rows)
            .await
            .unwrap();
    }
    let table = backend.table("ps_contacts");
    let sql = format!("SELECT count(*) AS n FROM {table} WHERE expiration_time = ?");
    let row = backend.fetch_one(&sql, &[2.into()]).await.unwrap().unwrap();
    assert_eq!(row.int("n"), Some(450));
    let sql = format!("DELETE FROM {table} WHERE expiration_time < ?");
    assert_eq!(backend.execute(&sql, &[3.into()]).await.unwrap(), 450);
}

async fn a_transaction_happens_whole_or_not_at_all(scratch: Scratch) {
    let backend = scratch.store("").await.backend().unwrap();
    let table = backend.table("ps_aors");
    let insert = format!("INSERT INTO {table} (id) VALUES (?)");
    let count = format!("SELECT count(*) AS n FROM {table}");
    for end in ["drop", "rollback", "commit"] {
        let mut transaction = backend.begin().await.unwrap();
        transaction.execute(&insert, &["a".into()]).await.unwrap();
        transaction.execute(&insert, &["b".into()]).await.unwrap();
        assert!(transaction.execute(&insert, &["b".into()]).await.is_err());
        match end {
            "drop" => drop(transaction),
            "rollback" => transaction.rollback().await.unwrap(),
            _ => {
                transaction.rollback().await.unwrap();
                let mut transaction = backend.begin().await.unwrap();
                transaction.execute(&insert, &["c".into()]).await.unwrap();
                transaction.commit().await.unwrap();
            }
        }
        let row = backend.fetch_one(&count, &[]).await.unwrap().unwrap();
        assert_eq!(row.int("n"), Some(i64::from(end == "commit")), "{end}");
    }
}

/// A script for MySQL's own client, as those of triggers are.
#[tokio::test]
async fn a_script_with_delimiter_lines_makes_its_trigger() {
    let Some(scratch) = Scratch::mysql().await else {
        return;
    };
    let backend = scratch.backend().await;
    let sql = "CREATE TABLE counted (id INT);\nCREATE TABLE total (n INT);\n\
               INSERT INTO total VALUES (0);\nDELIMITER $$\n\
               CREATE TRIGGER count_them AFTER INSERT ON counted FOR EACH ROW\nBEGIN\n  \
               IF NEW.id > 0 THEN UPDATE total SET n = n + 1; END IF;\nEND$$\nDELIMITER ;\n\
               INSERT INTO counted VALUES (1), (2), (0);";
    backend.run_script(sql).await.unwrap();
    let row = backend.fetch_one("SELECT n FROM total", &[]).await.unwrap();
    assert_eq!(row.unwrap().int("n"), Some(2));
    let wrong = backend
        .run_script("SELECT 1;\nDELIMITER\n")
        .await
        .unwrap_err();
    assert_eq!(wrong.line, 2);
    assert!(
        wrong.to_string().contains("line of MySQL's client"),
        "{wrong}"
    );
}
