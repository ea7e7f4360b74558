//! A database that is away, slow, or was away: behind a relay that can be cut, held and opened again.

use crate::support::{Scratch, always_there, on_every_database, relay::Relay, server};
use config::{Database, Place};
use std::time::{Duration, Instant};
use store::{Dialect, Store, StoreError, TroubleKind};

on_every_database!(
    those_who_are_known_go_on_while_the_database_is_away,
    a_slow_database_holds_up_nobody_who_is_known,
    a_database_far_away_lets_everybody_in,
    a_connection_that_died_fails_no_question,
    one_slow_table_does_not_hold_up_another,
    a_table_that_is_missing_is_trouble,
);

/// The database reached through a relay. A file cannot be cut off.
pub(crate) async fn behind_relay(scratch: &mut Scratch) -> Option<Relay> {
    let (Place::MySql(server) | Place::Postgres(server)) = &mut scratch.database.place else {
        return None;
    };
    let relay = Relay::start(server.port.unwrap()).await;
    server.port = Some(relay.port);
    has_patience(
        &mut scratch.database,
        "query_timeout = 600\nconnect_timeout = 900",
    );
    Some(relay)
}

/// Waits as long as these lines of `database.conf` say.
fn has_patience(database: &mut Database, lines: &str) {
    let text = format!("[database]\nurl = sqlite:none\n{lines}\n");
    let files = [("database.conf", text.as_str())];
    let read = config::load(&files.as_slice()).0.unwrap().database;
    database.query_timeout_ms = read.query_timeout_ms;
    database.connect_timeout_ms = read.connect_timeout_ms;
}

async fn store_with_alice(scratch: &Scratch) -> Store {
    let store = scratch.store("").await;
    let sql = "INSERT INTO ps_endpoints (id, context, allow) VALUES ('alice', 'sets', 'ulaw')";
    store.run_script(sql).await.unwrap();
    let alice = store.subscriber("alice").await.unwrap().unwrap();
    assert_eq!(alice.endpoint.file(), "ps_endpoints, row alice");
    store
}

/// Waits until the store's trouble is as expected.
async fn until_trouble(store: &Store, expected: Option<TroubleKind>) {
    let start = Instant::now();
    let trouble = || {
        store
            .backend()
            .unwrap()
            .trouble()
            .map(|trouble| trouble.kind)
    };
    while trouble() != expected {
        assert!(start.elapsed() < Duration::from_secs(12), "{:?}", trouble());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn those_who_are_known_go_on_while_the_database_is_away(mut scratch: Scratch) {
    let Some(relay) = behind_relay(&mut scratch).await else {
        return;
    };
    let store = store_with_alice(&scratch).await;
    relay.cut();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    for round in 0..3 {
        let start = Instant::now();
        assert!(
            store.subscriber("alice").await.unwrap().is_some(),
            "round {round}"
        );
        assert!(
            start.elapsed() < Duration::from_millis(500),
            "{:?}",
            start.elapsed()
        );
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
    let error = store.subscriber("bob").await.unwrap_err();
    assert!(error.is_unreachable(), "{error:?}");
    // Only the first one waits to find out.
    let start = Instant::now();
    for number in 0..20 {
        assert!(store.subscriber(&format!("b{number}")).await.is_err());
    }
    assert!(
        start.elapsed() < Duration::from_secs(2),
        "{:?}",
        start.elapsed()
    );
    let trouble = store.backend().unwrap().trouble().unwrap();
    assert_eq!(trouble.kind, TroubleKind::Unreachable);
    assert!(trouble.since.elapsed().unwrap() < Duration::from_secs(30));
    assert!(store.counts().served_from_memory > 0);

    relay.open();
    until_trouble(&store, None).await;
    let sql = "INSERT INTO ps_endpoints (id, context, allow) VALUES ('bob', 'sets', 'ulaw')";
    store.run_script(sql).await.unwrap();
    assert!(store.subscriber("bob").await.unwrap().is_some());
}

async fn a_slow_database_holds_up_nobody_who_is_known(mut scratch: Scratch) {
    let Some(relay) = behind_relay(&mut scratch).await else {
        return;
    };
    let store = store_with_alice(&scratch).await;
    relay.hold();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    for _ in 0..4 {
        let start = Instant::now();
        assert!(store.subscriber("alice").await.unwrap().is_some());
        assert!(
            start.elapsed() < Duration::from_millis(600),
            "{:?}",
            start.elapsed()
        );
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let start = Instant::now();
    let error = store.subscriber("bob").await.unwrap_err();
    assert!(
        matches!(error, StoreError::Timeout(_) | StoreError::Unreachable(_)),
        "{error:?}"
    );
    assert!(
        start.elapsed() < Duration::from_secs(4),
        "{:?}",
        start.elapsed()
    );
    assert!(store.backend().unwrap().trouble().is_some());
    relay.open();
    until_trouble(&store, None).await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(store.subscriber("bob").await.unwrap(), None);
}

/// Each statement is answered in time, all that an endpoint takes together are not: he is let in when he
/// comes again.
async fn a_database_far_away_lets_everybody_in(mut scratch: Scratch) {
    let Some(relay) = behind_relay(&mut scratch).await else {
        return;
    };
    let store = scratch.store("").await;
    let aors = ["a", "b", "c", "d", "e", "f"];
    let rows = aors.map(|aor| format!("('{aor}', 1)")).join(", ");
    let sql = format!(
        "INSERT INTO ps_aors (id, max_contacts) VALUES {rows};\
         INSERT INTO ps_endpoints (id, aors, context, allow) VALUES ('far', '{}', 'sets', 'ulaw');",
        aors.join(",")
    );
    store.run_script(&sql).await.unwrap();
    // A new connection takes several round trips, and it is the questions that are to be slow: wait until
    // the pool has the script's connection back.
    while store.backend().unwrap().status().idle == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // Far, though each answer is in time: it takes a preparation and two ways there and back.
    relay.slow(Duration::from_millis(80));
    let first = store.subscriber("far").await.unwrap_err();
    assert!(matches!(first, StoreError::Timeout(_)), "{first:?}");
    until_trouble(&store, Some(TroubleKind::Slow)).await;
    let start = Instant::now();
    let found = loop {
        match store.subscriber("far").await {
            Ok(found) => break found,
            Err(error) => assert!(matches!(error, StoreError::Timeout(_)), "{error:?}"),
        }
        assert!(start.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    assert_eq!(found.unwrap().aors.len(), aors.len());
}

async fn a_connection_that_died_fails_no_question(mut scratch: Scratch) {
    let Some(relay) = behind_relay(&mut scratch).await else {
        return;
    };
    let store = store_with_alice(&scratch).await;
    for round in 0..5 {
        // Every connection of the pool is dead, the server is not.
        relay.cut();
        relay.open();
        let answer = store.subscriber(&format!("nobody{round}")).await;
        assert_eq!(answer.unwrap(), None, "round {round}");
    }
}

/// A table that is locked is slow for those who need it, and for nobody else.
async fn one_slow_table_does_not_hold_up_another(mut scratch: Scratch) {
    let lock = match scratch.dialect {
        Dialect::MySql => "LOCK TABLES ps_endpoints WRITE; SELECT SLEEP(3); UNLOCK TABLES",
        Dialect::Postgres => {
            "BEGIN; LOCK TABLE ps_endpoints IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(3); COMMIT"
        }
        Dialect::Sqlite => return,
    };
    has_patience(&mut scratch.database, "query_timeout = 600");
    let store = store_with_alice(&scratch).await;
    let other = scratch.backend().await;
    let locked = tokio::spawn(async move { other.run_script(lock).await });
    tokio::time::sleep(Duration::from_millis(1200)).await;
    // Many who are not known wait for the table, at once.
    let strangers: Vec<_> = (0..50)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move { store.subscriber(&format!("stranger{number}")).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let start = Instant::now();
    assert!(
        store.subscriber("alice").await.unwrap().is_some(),
        "she is known"
    );
    assert!(
        start.elapsed() < Duration::from_millis(600),
        "{:?}",
        start.elapsed()
    );
    // What must be written has connections left.
    let start = Instant::now();
    let backend = store.backend().unwrap();
    let row = vec!["c".into(), "sip:c@h".into()];
    backend
        .upsert("ps_contacts", "id", &["id", "uri"], &[row])
        .await
        .unwrap();
    assert!(
        start.elapsed() < Duration::from_millis(600),
        "{:?}",
        start.elapsed()
    );
    let mut timeouts = 0;
    for stranger in strangers {
        match stranger.await.unwrap() {
            Err(StoreError::Timeout(_)) => timeouts += 1,
            // Whose turn came when the table was free again.
            Ok(None) => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(timeouts >= backend.settings().pool_size - 2, "{timeouts}");
    assert_eq!(
        backend.trouble().map(|trouble| trouble.kind),
        Some(TroubleKind::Slow)
    );
    locked.await.unwrap().unwrap();
    until_trouble(&store, None).await;
}

/// Whoever looks at the state must not read that all is well.
async fn a_table_that_is_missing_is_trouble(scratch: Scratch) {
    let store = store_with_alice(&scratch).await;
    let backend = store.backend().unwrap();
    let table = backend.table("ps_endpoints");
    store
        .run_script(&format!("ALTER TABLE {table} RENAME TO away"))
        .await
        .unwrap();
    assert!(store.subscriber("bob").await.is_err());
    assert!(
        store.subscriber("alice").await.unwrap().is_some(),
        "she is known"
    );
    let trouble = backend.trouble().unwrap();
    assert_eq!(trouble.kind, TroubleKind::Refusing);
    assert!(trouble.error.contains("ps_endpoints"), "{}", trouble.error);
}

#[tokio::test]
async fn the_exchange_starts_while_the_database_is_away() {
    for url in ["mysql://u@127.0.0.1:9/d", "postgres://u@127.0.0.1:9/d"] {
        let mut scratch = Scratch::sqlite();
        scratch.database = Database::default().at_url(url).unwrap();
        let start = Instant::now();
        let store = scratch
            .store_as_it_is("[bob]\ntype=endpoint\ncontext=sets\nallow=opus\n")
            .await;
        assert!(start.elapsed() < Duration::from_secs(1));
        assert!(
            store.subscriber("bob").await.unwrap().is_some(),
            "the files know him"
        );
        assert!(
            store
                .subscriber("alice")
                .await
                .unwrap_err()
                .is_unreachable()
        );
        store.close().await;
    }
}

#[tokio::test]
async fn a_database_nobody_made_is_trouble() {
    for variable in ["SIDETONE_TEST_MYSQL", "SIDETONE_TEST_POSTGRES"] {
        let Some(url) = server(variable) else {
            continue;
        };
        let (server, _) = url.rsplit_once('/').unwrap();
        let mut scratch = Scratch::sqlite();
        let url = format!("{server}/nobody_made_this");
        scratch.database = Database::default().at_url(&url).unwrap();
        let store = scratch.store_as_it_is("").await;
        assert!(store.subscriber("alice").await.is_err());
        until_trouble(&store, Some(TroubleKind::Unreachable)).await;
    }
}

#[tokio::test]
async fn a_password_that_cannot_be_read_is_said_at_the_start() {
    let mut scratch = Scratch::sqlite();
    let database = Database::default()
        .at_url("mysql://u@127.0.0.1:9/d")
        .unwrap();
    scratch.database = database;
    if let Place::MySql(server) = &mut scratch.database.place {
        server.password = config::Password::File("/nowhere/password".to_owned());
    }
    let opened = store::Backend::open(&scratch.database, &scratch.folder.file()).await;
    let error = opened.err().unwrap().to_string();
    assert!(error.contains("/nowhere/password"), "{error}");
}

/// Of a connection that is encrypted as well as of one that is not, by a certificate of ours.
#[tokio::test]
async fn the_connection_is_encrypted_where_that_is_asked_for() {
    for variable in ["SIDETONE_TEST_MYSQL", "SIDETONE_TEST_POSTGRES"] {
        let ca = std::env::var("SIDETONE_TEST_CA").ok();
        let (Some(url), Some(ca)) = (server(variable), ca) else {
            continue;
        };
        let url = always_there(&url);
        let scratch = Scratch::sqlite();
        let sql = match variable {
            "SIDETONE_TEST_MYSQL" => {
                "SELECT variable_value AS cipher FROM information_schema.session_status \
                 WHERE variable_name = 'Ssl_cipher'"
            }
            _ => "SELECT cipher FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
        };
        for (mode, encrypted) in [("disable", false), ("require", true), ("verify-full", true)] {
            let url = format!("{url}?sslmode={mode}&sslrootcert={ca}");
            let database = Database::default().at_url(&url).unwrap();
            let backend = store::Backend::open(&database, &scratch.folder.file())
                .await
                .unwrap();
            let row = backend.fetch_one(sql, &[]).await.unwrap().unwrap();
            let cipher = row.text("cipher").unwrap_or_default();
            assert_eq!(!cipher.is_empty(), encrypted, "{variable} {mode}: {row:?}");
        }
        // A certificate of somebody else.
        let wrong = format!("{url}?sslmode=verify-ca&sslrootcert={ca}.other");
        let database = Database::default().at_url(&wrong).unwrap();
        let backend = store::Backend::open(&database, &scratch.folder.file())
            .await
            .unwrap();
        assert!(backend.probe().await.is_err(), "{variable}");
    }
}
