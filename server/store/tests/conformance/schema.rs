//! Making tables, completing them, and using those that others made.

use crate::support::{Scratch, on_every_database};
use store::{Backend, Dialect};

on_every_database!(
    every_table_is_made_once,
    a_table_with_fewer_columns_is_completed,
    columns_nobody_knows_are_passed_over,
    a_table_that_changes_while_it_is_read_breaks_nothing,
    a_table_by_another_name_is_read,
    a_script_stops_where_it_fails_and_says_so,
    what_the_schema_prints_makes_the_tables,
);

async fn every_table_is_made_once(scratch: Scratch) {
    let backend = scratch.backend().await;
    let first = backend.prepare().await.unwrap();
    if scratch.dialect != Dialect::Sqlite {
        assert!(
            first.contains(&"made the table ps_endpoints".to_owned()),
            "{first:?}"
        );
    }
    let again = backend.prepare().await.unwrap();
    let made = again
        .iter()
        .filter(|line| !line.starts_with("set the trigger"));
    assert_eq!(made.count(), 0, "{again:?}");
    let columns = backend.columns("ps_aors").await.unwrap();
    assert_eq!(columns.len(), 16, "{columns:?}");
    assert_eq!(columns[0], "id");
    assert_eq!(backend.columns("no_such_table").await.unwrap(), [""; 0]);
}

async fn a_table_with_fewer_columns_is_completed(scratch: Scratch) {
    let backend = scratch.backend().await;
    let table = backend.table("ps_aors");
    let sql = format!(
        "DROP TABLE IF EXISTS {table}; CREATE TABLE {table} (id VARCHAR(40) NOT NULL PRIMARY KEY, \
         max_contacts INTEGER); INSERT INTO {table} VALUES ('old', 3)"
    );
    backend.run_script(&sql).await.unwrap();
    let done = backend.prepare().await.unwrap();
    assert!(
        done.iter().any(|line| line.contains("qualify_2xx_only")),
        "{done:?}"
    );
    let sql = format!("SELECT * FROM {table} WHERE id = ?");
    let row = backend
        .fetch_one(&sql, &["old".into()])
        .await
        .unwrap()
        .unwrap();
    assert_eq!(row.int("max_contacts"), Some(3));
    assert_eq!(row.text("outbound_proxy"), None);
    assert_eq!(row.columns().count(), 16);
    let first: Vec<&str> = row.columns().map(|(name, _)| name).take(2).collect();
    assert_eq!(first, ["id", "max_contacts"], "in the order of the table");
}

async fn columns_nobody_knows_are_passed_over(scratch: Scratch) {
    let store = scratch.store("").await;
    let backend = store.backend().unwrap();
    let table = backend.table("ps_endpoints");
    let sql = format!(
        "DROP TABLE {table}; CREATE TABLE {table} (id VARCHAR(40) PRIMARY KEY, \
         context VARCHAR(40), favourite_colour VARCHAR(40), allow VARCHAR(200), webrtc INTEGER); \
         INSERT INTO {table} VALUES ('old', 'sets', 'green', 'ulaw', 1)"
    );
    store.run_script(&sql).await.unwrap();
    let old = store.subscriber("old").await.unwrap().unwrap();
    assert_eq!(old.endpoint.context, "sets");
    assert!(old.endpoint.webrtc);
}

/// Several connections know the table as it was before.
async fn a_table_that_changes_while_it_is_read_breaks_nothing(scratch: Scratch) {
    let backend = scratch.store("").await.backend().unwrap();
    let table = backend.table("changing");
    let sql = format!("CREATE TABLE {table} (id INTEGER); INSERT INTO {table} VALUES (1)");
    backend.run_script(&sql).await.unwrap();
    let other = scratch.backend().await;
    let select = format!("SELECT * FROM {table}");
    for columns in 1..6 {
        let ask = || backend.fetch(&select, &[]);
        let (one, two, three) = tokio::join!(ask(), ask(), ask());
        for rows in [one, two, three] {
            assert_eq!(rows.unwrap()[0].columns().count(), columns);
        }
        let add = format!("ALTER TABLE {table} ADD COLUMN c{columns} INTEGER");
        other.run_script(&add).await.unwrap();
    }
    let drop = format!("ALTER TABLE {table} DROP COLUMN c1; ALTER TABLE {table} DROP COLUMN c2");
    other.run_script(&drop).await.unwrap();
    assert_eq!(
        backend.fetch(&select, &[]).await.unwrap()[0]
            .columns()
            .count(),
        4
    );
}

async fn a_table_by_another_name_is_read(mut scratch: Scratch) {
    scratch
        .database
        .tables
        .insert("ps_endpoints".into(), "phones".into());
    let store = scratch.store("").await;
    let table = store.backend().unwrap().table("ps_endpoints");
    assert!(table.ends_with("phones"), "{table}");
    let sql = format!("INSERT INTO {table} (id, context, allow) VALUES ('a', 'sets', 'ulaw')");
    store.run_script(&sql).await.unwrap();
    assert!(store.subscriber("a").await.unwrap().is_some());
}

async fn a_script_stops_where_it_fails_and_says_so(scratch: Scratch) {
    let backend = scratch.backend().await;
    let table = backend.table("made_here");
    let sql = format!(
        "-- A comment; with a semicolon.\nCREATE TABLE {table} (id INTEGER);\n\n\
         INSERT INTO {table}\n  VALUES (1), (2);\n\
         INSERT INTO no_such_table (id)\n  VALUES (1);\nINSERT INTO {table} VALUES (3);\n"
    );
    let error = backend.run_script(&sql).await.unwrap_err();
    assert_eq!((error.line, error.changed), (6, 2), "{error}");
    let sentence = error.to_string();
    assert!(sentence.contains("`sidetone db init`"), "{sentence}");
    assert!(
        sentence.contains("INSERT INTO no_such_table (id) VALUES (1)"),
        "{sentence}"
    );
    assert_eq!(count(&backend, &table).await, 2);
}

async fn what_the_schema_prints_makes_the_tables(scratch: Scratch) {
    let backend = scratch.backend().await;
    let sql = store::schema_sql(scratch.dialect, &scratch.database);
    backend.run_script(&sql).await.unwrap();
    let done = backend.prepare().await.unwrap();
    let made = done
        .iter()
        .filter(|line| !line.starts_with("set the trigger"));
    assert_eq!(made.count(), 0, "{done:?}");
}

async fn count(backend: &Backend, table: &str) -> i64 {
    let sql = format!("SELECT count(*) AS n FROM {table}");
    let row = backend.fetch_one(&sql, &[]).await.unwrap().unwrap();
    row.int("n").unwrap()
}

/// Tables as Asterisk's migrations make them there: enumerations, in the schema `public`.
#[tokio::test]
async fn a_database_of_asterisk_s_migrations_on_postgresql_is_used_as_it_is() {
    let Some(scratch) = Scratch::postgres().await else {
        return;
    };
    let backend = scratch.backend().await;
    backend
        .run_script(include_str!("fixtures/migrated_postgres.sql"))
        .await
        .unwrap();
    migrated(&scratch, &backend).await;
}

#[tokio::test]
async fn a_database_of_asterisk_s_migrations_on_mariadb_is_used_as_it_is() {
    let Some(scratch) = Scratch::mysql().await else {
        return;
    };
    let backend = scratch.backend().await;
    backend
        .run_script(include_str!("fixtures/migrated_mysql.sql"))
        .await
        .unwrap();
    migrated(&scratch, &backend).await;
}

async fn migrated(scratch: &Scratch, backend: &Backend) {
    let store = scratch.store_as_it_is("").await;
    let alice = store.subscriber("alice").await.unwrap().unwrap();
    assert!(alice.endpoint.webrtc);
    assert!(!alice.aors[0].remove_existing);
    assert_eq!(alice.aors[0].max_contacts, 2);
    assert_eq!(alice.auths[0].username, "alice");
    // What is written finds its type: a number, a word of an enumeration.
    let columns = ["id", "uri", "expiration_time", "prune_on_boot"];
    let row = |time| vec!["alice;@1".into(), "sip:alice@h".into(), time, "yes".into()];
    for time in [7.into(), 8.into()] {
        backend
            .upsert("ps_contacts", "id", &columns, &[row(time)])
            .await
            .unwrap();
    }
    let rows = backend
        .fetch("SELECT * FROM ps_contacts", &[])
        .await
        .unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].int("expiration_time"), Some(8));
    assert_eq!(rows[0].text("prune_on_boot"), Some("yes"));
}
