//! Another database put in force while phones are registered and calls end.

use crate::support::{Scratch, files, on_every_database, server};
use config::{Config, Database};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use store::{Backend, Cdr, ContactChange, Dialect, SavedContact, Store};

on_every_database!(
    what_only_one_of_them_knows_is_unknown_in_the_other_at_once,
    contacts_and_waiting_records_go_to_the_new_one,
    another_name_of_one_table_is_another_database,
    one_that_lacks_a_table_is_refused_at_its_line,
);

fn endpoint(id: &str) -> String {
    format!(
        "INSERT INTO ps_endpoints (id, context, allow) VALUES ('{id}', 'sets', 'ulaw');\
         INSERT INTO ps_endpoint_id_ips (id, endpoint, match_header) VALUES ('{id}', '{id}', 'X-Id: {id}');"
    )
}

/// The files with another database.
fn with(database: &Database) -> Arc<Config> {
    let mut config = Config::clone(&files(""));
    config.database = database.clone();
    Arc::new(config)
}

/// Puts it in force, as a reload does.
async fn reload(store: &Store, database: &Database) {
    let config = with(database);
    let prepared = store.prepare(&config).await.unwrap();
    assert!(prepared.is_some());
    store.put(config, prepared);
}

/// Where it is; a file by its name, because both are in the data folder by themselves.
fn place(scratch: &Scratch) -> Database {
    match scratch.dialect {
        Dialect::Sqlite => {
            let url = format!("sqlite:{}", scratch.folder.file().display());
            Database::default().at_url(&url).unwrap()
        }
        Dialect::MySql | Dialect::Postgres => scratch.database.clone(),
    }
}

fn contact(aor: &str) -> ContactChange {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let contact = SavedContact {
        aor: aor.to_owned(),
        uri: format!("sip:{aor}@192.0.2.7"),
        endpoint: aor.to_owned(),
        expiration_time: i64::try_from(now.as_secs()).unwrap() + 600,
        ..SavedContact::default()
    };
    ContactChange::Save {
        contact: Box::new(contact),
        refresh: false,
    }
}

async fn knows(store: &Store, id: &str) -> bool {
    store.subscriber(id).await.unwrap().is_some()
}

async fn identified(store: &Store) -> Vec<String> {
    let identifies = store.identifies().await;
    identifies
        .iter()
        .map(|identify| identify.id.clone())
        .collect()
}

async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let done = tokio::time::timeout(Duration::from_secs(20), waiting).await;
    assert!(done.is_ok(), "never: {what}");
}

async fn column(backend: &Backend, table: &str, column: &str) -> Vec<String> {
    let (order, table) = match table {
        "cdr" => ("sequence", backend.table(table)),
        table => ("id", backend.table(table)),
    };
    let sql = format!("SELECT {column} AS value FROM {table} ORDER BY {order}");
    let rows = backend.fetch(&sql, &[]).await.unwrap();
    rows.iter()
        .map(|row| row.text("value").unwrap_or_default().to_owned())
        .collect()
}

async fn what_only_one_of_them_knows_is_unknown_in_the_other_at_once(scratch: Scratch) {
    let here = Scratch::sqlite();
    let store = here.store("").await;
    store.run_script(&endpoint("alice")).await.unwrap();
    let there = scratch.backend().await;
    there.prepare().await.unwrap();
    there.run_script(&endpoint("bob")).await.unwrap();
    assert!(knows(&store, "alice").await && !knows(&store, "bob").await);
    assert_eq!(identified(&store).await, ["alice"]);
    let asked_before = store.backend().unwrap();
    let place = place(&scratch);
    assert!(store.prepare(&store.config()).await.unwrap().is_none());

    // Twice, there and back.
    for _ in 0..2 {
        reload(&store, &place).await;
        assert!(!knows(&store, "alice").await && knows(&store, "bob").await);
        assert_eq!(identified(&store).await, ["bob"]);
        assert_eq!(store.counts().known, 1);
        reload(&store, &here.database).await;
        assert!(knows(&store, "alice").await && !knows(&store, "bob").await);
        assert_eq!(identified(&store).await, ["alice"]);
    }
    // Who was still busy with the first one was not disturbed.
    assert!(asked_before.fetch("SELECT 1", &[]).await.is_ok());
    drop(asked_before);
    store.close().await;
}

async fn contacts_and_waiting_records_go_to_the_new_one(scratch: Scratch) {
    let here = Scratch::sqlite();
    let store = here.store("").await;
    store.keep(&here.folder.0, "here").await;
    let (contacts, records) = (store.contacts().unwrap(), store.records().unwrap());
    contacts.change(&[contact("a")]).settled().await;
    let close = |number: usize| {
        records.close_call(Cdr {
            sequence: records.next_sequence(),
            src: number.to_string(),
            start_us: 1_764_105_000_000_000,
            uniqueid: number.to_string(),
            ..Cdr::default()
        });
    };
    for number in 0..10 {
        close(number);
    }
    until("the first are delivered", async || {
        records.health().delivered == 10
    })
    .await;
    let old = store.backend().unwrap();
    // From here on it takes none.
    old.execute("ALTER TABLE asterisk.cdr RENAME TO away", &[])
        .await
        .unwrap();
    for number in 10..600 {
        close(number);
    }
    until("it is said", async || records.health().trouble().is_some()).await;
    let there = scratch.backend().await;
    there.prepare().await.unwrap();
    // What an earlier run has left.
    let left = "INSERT INTO ps_contacts (id, uri, reg_server) VALUES ('x', 'sip:x', 'here');\
                INSERT INTO ps_contacts (id, uri, reg_server) VALUES ('y', 'sip:y', 'else')";
    there.run_script(left).await.unwrap();

    reload(&store, &place(&scratch)).await;
    contacts.change(&[contact("b")]).settled().await;
    for number in 600..700 {
        close(number);
    }

    until("all are delivered", async || {
        records.health().delivered == 700
    })
    .await;
    let expected: Vec<String> = (10..700).map(|number| number.to_string()).collect();
    assert_eq!(column(&there, "cdr", "src").await, expected);
    let sql = "SELECT COUNT(*) AS number FROM asterisk.away";
    let rows = old.fetch_one(sql, &[]).await.unwrap().unwrap();
    assert_eq!(rows.int("number"), Some(10));
    assert_eq!(records.health().trouble(), None);
    until("the contacts are there", async || {
        let all = column(&there, "ps_contacts", "uri").await;
        all == ["sip:a@192.0.2.7", "sip:b@192.0.2.7", "sip:y"]
    })
    .await;
    assert_eq!(contacts.trouble(), None);
    drop(old);
    store.close().await;
}

async fn another_name_of_one_table_is_another_database(scratch: Scratch) {
    let store = scratch.store("").await;
    store.run_script(&endpoint("alice")).await.unwrap();
    let mut other = scratch.database.clone();
    other.tables = [("ps_endpoints".to_owned(), "phones".to_owned())].into();
    let refused = store.prepare(&with(&other)).await;
    match scratch.dialect {
        // It is made there, as at the start.
        Dialect::Sqlite => assert!(refused.is_ok()),
        Dialect::MySql | Dialect::Postgres => {
            let said = refused.err().unwrap();
            assert!(
                said[0].to_string().contains("there is no table phones"),
                "{said:?}"
            );
        }
    }
    assert!(knows(&store, "alice").await);
    let backend = Backend::open(&other, &scratch.folder.file()).await.unwrap();
    backend.prepare().await.unwrap();
    let phones = backend.table("ps_endpoints");
    let sql = format!("INSERT INTO {phones} (id, context, allow) VALUES ('carol', 'c', 'ulaw')");
    backend.execute(&sql, &[]).await.unwrap();

    reload(&store, &other).await;

    assert!(knows(&store, "carol").await && !knows(&store, "alice").await);
    // So is another number of connections, and nobody notices.
    other.pool_size += 1;
    reload(&store, &other).await;
    assert!(knows(&store, "carol").await);
    store.close().await;
}

async fn one_that_lacks_a_table_is_refused_at_its_line(scratch: Scratch) {
    let here = Scratch::sqlite();
    let store = here.store("").await;
    store.run_script(&endpoint("alice")).await.unwrap();
    let url = match scratch.dialect {
        Dialect::Sqlite => "sqlite:/nowhere/at/all.db".to_owned(),
        Dialect::MySql => server("SIDETONE_TEST_MYSQL").unwrap(),
        Dialect::Postgres => server("SIDETONE_TEST_POSTGRES").unwrap(),
    };
    let server = url.rsplit_once('/').unwrap().0;
    let url = match &scratch.database.place {
        config::Place::MySql(place) | config::Place::Postgres(place) => {
            format!("{server}/{}", place.database)
        }
        config::Place::DataFolder | config::Place::Sqlite(_) => url,
    };
    let text = format!("[database]\nurl = {url}\n[tables]\nps_aors = my_aors\n");
    let read = [("database.conf", text.as_str())];
    let config = config::load(&read.as_slice()).0.unwrap();

    let said = store.prepare(&config).await.err().unwrap();

    let said: Vec<String> = said.iter().map(ToString::to_string).collect();
    assert!(said[0].starts_with("database.conf:2:7: "), "{said:#?}");
    match scratch.dialect {
        Dialect::Sqlite => assert!(said[0].contains("/nowhere/at/all.db"), "{said:#?}"),
        Dialect::MySql | Dialect::Postgres => {
            assert!(
                said[0].contains("there is no table ps_endpoints"),
                "{said:#?}"
            );
            let aors = said.iter().find(|line| line.contains("my_aors")).unwrap();
            assert!(aors.starts_with("database.conf:4:11: "), "{aors}");
            assert!(aors.contains("db init"), "{aors}");
        }
    }
    assert!(
        !said.concat().contains("conformance"),
        "the password is shown"
    );
    assert!(knows(&store, "alice").await);
    store.close().await;
}

#[tokio::test]
async fn a_password_that_is_another_in_its_file_is_a_change() {
    let Some(url) = server("SIDETONE_TEST_POSTGRES") else {
        return;
    };
    let scratch = Scratch::postgres().await.unwrap();
    scratch.backend().await.prepare().await.unwrap();
    let file = scratch.folder.0.join("password");
    let (before, after) = url.split_once('@').unwrap();
    let (user, password) = before.rsplit_once(':').unwrap();
    std::fs::write(&file, password).unwrap();
    let server = after.rsplit_once('/').unwrap().0;
    let config::Place::Postgres(place) = &scratch.database.place else {
        panic!("it is PostgreSQL");
    };
    let url = format!("{user}@{server}/{}", place.database);
    let mut database = Database::default().at_url(&url).unwrap();
    let config::Place::Postgres(place) = &mut database.place else {
        panic!("it is PostgreSQL");
    };
    place.password = config::Password::File(file.display().to_string());
    let config = with(&database);
    let store = Store::open(config.clone(), Some(&scratch.folder.file()))
        .await
        .unwrap();
    assert!(store.prepare(&config).await.unwrap().is_none());
    std::fs::write(&file, "not the one").unwrap();
    let said = store.prepare(&config).await.err().unwrap();
    assert!(
        said[0].message.contains("password authentication failed"),
        "{said:?}"
    );
    // A line end more is the same password; no file at all is a fault.
    std::fs::write(&file, format!("{password}\n")).unwrap();
    assert!(store.prepare(&config).await.unwrap().is_none());
    std::fs::remove_file(&file).unwrap();
    let said = store.prepare(&config).await.err().unwrap();
    assert!(said[0].message.contains("cannot be read"), "{said:?}");
    store.close().await;
}

/// Each closes its connections: a hundred reloads leave what one does.
#[tokio::test]
async fn reload_after_reload_leaves_no_connection_behind() {
    let Some(scratch) = Scratch::mysql().await else {
        return;
    };
    let store = scratch.store("").await;
    let watching = scratch.backend().await;
    let config::Place::MySql(place) = &scratch.database.place else {
        panic!("it is MariaDB");
    };
    let sql = "SELECT COUNT(*) AS number FROM information_schema.processlist WHERE db = ?";
    let connections = async || {
        let row = watching
            .fetch_one(sql, &[place.database.as_str().into()])
            .await;
        row.unwrap().unwrap().int("number").unwrap()
    };
    let mut database = scratch.database.clone();
    for round in 0..30 {
        database.pool_size = 5 + round % 2;
        reload(&store, &database).await;
        assert!(!knows(&store, "nobody").await);
    }
    // Those of the last pool are left, and the one that watches.
    let left = i64::from(database.pool_size) + 1;
    until("they are closed", async || connections().await <= left).await;
    store.close().await;
}

/// A server that takes connections and says nothing holds a reload up for a bounded time, and nobody else.
#[tokio::test]
async fn one_that_does_not_answer_is_given_up() {
    let here = Scratch::sqlite();
    let store = here.store("").await;
    store.run_script(&endpoint("alice")).await.unwrap();
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    for scheme in ["mysql", "postgres"] {
        let url = format!("{scheme}://pbx@127.0.0.1:{port}/asterisk");
        let mut database = Database::default().at_url(&url).unwrap();
        (database.connect_timeout_ms, database.query_timeout_ms) = (100, 100);
        let config = with(&database);
        let preparing = store.prepare(&config);
        let (said, known) = tokio::join!(preparing, knows(&store, "alice"));
        assert!(known);
        let said = said.err().unwrap()[0].to_string();
        assert!(said.contains("no answer within 200 ms"), "{said}");
    }
    store.close().await;
}
