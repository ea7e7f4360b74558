//! Call records and contacts in the tables of each database.

use crate::support::{Scratch, on_every_database};
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use store::{Backend, Cdr, ContactChange, Dialect, Disposition, SavedContact, Store};

on_every_database!(
    records_are_in_the_table_as_asterisk_writes_them,
    a_table_of_another_making_is_filled_as_far_as_it_goes,
    a_database_that_was_away_gets_all_records_in_order_and_once,
    contacts_are_copied_and_survive,
);

fn answered(store: &Store, src: &str) -> Cdr {
    Cdr {
        sequence: store.records().unwrap().next_sequence(),
        src: src.to_owned(),
        dst: "246".to_owned(),
        clid: "\"O'Neill \u{e9}\" <1001>".to_owned(),
        channel: format!("PJSIP/{src}-00000001"),
        start_us: 1_764_105_000_000_000,
        answer_us: Some(1_764_105_001_000_000),
        end_us: Some(1_764_105_004_600_000),
        disposition: Disposition::Answered,
        uniqueid: "1764105000.1".to_owned(),
        userfield: "x".repeat(255),
        variables: [("mood".to_owned(), "good".to_owned())].into(),
        ..Cdr::default()
    }
}

async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let patience = Duration::from_secs(20);
    let done = tokio::time::timeout(patience, waiting).await;
    assert!(done.is_ok(), "never: {what}");
}

async fn delivered(store: &Store, count: u64) {
    let records = store.records().unwrap();
    until("records are delivered", async || {
        records.health().delivered >= count
    })
    .await;
}

/// The values of one column, in the order of the sequence.
async fn column(backend: &Backend, name: &str) -> Vec<String> {
    let (table, quoted) = (backend.table("cdr"), backend.dialect().quoted(name));
    let sql = format!("SELECT {quoted} AS value FROM {table} ORDER BY sequence");
    let rows = backend.fetch(&sql, &[]).await.unwrap();
    let values = rows.iter().map(|row| row.text("value"));
    values
        .map(|value| {
            value
                .unwrap_or("NULL")
                .replacen('T', " ", usize::from(name == "start"))
        })
        .collect()
}

fn folder(scratch: &Scratch) -> PathBuf {
    scratch.folder.0.clone()
}

async fn records_are_in_the_table_as_asterisk_writes_them(scratch: Scratch) {
    let store = scratch.store("").await;
    store.keep(&folder(&scratch), "here").await;
    let cdr = answered(&store, "alice");
    store.records().unwrap().open_call(&cdr).await;
    store.records().unwrap().close_call(cdr);
    delivered(&store, 1).await;
    let backend = store.backend().unwrap();
    let start = store::local_time(1_764_105_000_000_000);
    for (name, expected) in [
        ("src", "alice"),
        ("clid", "\"O'Neill \u{e9}\" <1001>"),
        ("duration", "4"),
        ("billsec", "3"),
        ("disposition", "ANSWERED"),
        ("amaflags", "DOCUMENTATION"),
        ("accountcode", ""),
        ("start", start.as_str()),
    ] {
        assert_eq!(column(&backend, name).await, [expected], "{name}");
    }
    store.close().await;
}

/// Numbers for words, a narrow column, one of our variables, and most columns missing.
async fn a_table_of_another_making_is_filled_as_far_as_it_goes(scratch: Scratch) {
    let store = scratch.store("").await;
    let backend = store.backend().unwrap();
    let table = backend.table("cdr");
    backend
        .execute(&format!("DROP TABLE {table}"), &[])
        .await
        .unwrap();
    let sql = format!(
        "CREATE TABLE {table} (calldate TIMESTAMP NULL, src VARCHAR(3), disposition INTEGER, \
         mood VARCHAR(20), uniqueid VARCHAR(150), sequence INTEGER)"
    );
    backend.execute(&sql, &[]).await.unwrap();
    store.keep(&folder(&scratch), "here").await;
    let cdr = answered(&store, "alice");
    store.records().unwrap().close_call(cdr);
    delivered(&store, 1).await;
    let src = if scratch.dialect == Dialect::Sqlite {
        "alice"
    } else {
        "ali"
    };
    assert_eq!(column(&backend, "src").await, [src]);
    assert_eq!(column(&backend, "disposition").await, ["8"]);
    assert_eq!(column(&backend, "mood").await, ["good"]);
    assert_ne!(column(&backend, "calldate").await, ["NULL"]);
    store.close().await;
}

async fn a_database_that_was_away_gets_all_records_in_order_and_once(scratch: Scratch) {
    let store = scratch.store("").await;
    let backend = store.backend().unwrap();
    // Away, as far as records go.
    let table = backend.table("cdr");
    let drop = format!("DROP TABLE {table}");
    backend.execute(&drop, &[]).await.unwrap();
    store.keep(&folder(&scratch), "here").await;
    let records = store.records().unwrap();
    for number in 0..700 {
        records.close_call(answered(&store, &number.to_string()));
    }
    until("it is said", async || records.health().trouble().is_some()).await;
    store.close().await;
    // The next run finds them, and the table.
    let store = scratch.store_as_it_is("").await;
    let backend = store.backend().unwrap();
    backend.prepare().await.unwrap();
    store.keep(&folder(&scratch), "here").await;
    delivered(&store, 700).await;
    let expected: Vec<String> = (0..700).map(|number| number.to_string()).collect();
    assert_eq!(column(&backend, "src").await, expected);
    store.close().await;
}

async fn contacts_are_copied_and_survive(scratch: Scratch) {
    let store = scratch.store("").await;
    assert!(store.keep(&folder(&scratch), "here").await.is_empty());
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let contact = |aor: &str, prune_on_boot, seconds: i64| SavedContact {
        aor: aor.to_owned(),
        uri: format!("sip:{aor}@192.0.2.7:5060;ob"),
        contact: format!("<sip:{aor}@192.0.2.7:5060;ob>"),
        expiration_time: i64::try_from(now).unwrap() + seconds,
        endpoint: aor.to_owned(),
        user_agent: "Phone \u{1f600}/1".to_owned(),
        via_addr: "192.0.2.7".to_owned(),
        via_port: 5060,
        call_id: "call".to_owned(),
        prune_on_boot,
        ..SavedContact::default()
    };
    let save = |contact: &SavedContact| ContactChange::Save {
        contact: Box::new(contact.clone()),
        refresh: false,
    };
    let contacts = store.contacts().unwrap();
    let all = [
        contact("udp", false, 600),
        contact("ws", true, 600),
        contact("late", false, -1),
    ];
    let changes: Vec<ContactChange> = all.iter().map(save).collect();
    contacts.change(&changes).settled().await;
    let gone = contact("gone", false, 600);
    contacts.change(&[save(&gone)]).settled().await;
    contacts
        .change(&[ContactChange::Remove { id: gone.id() }])
        .settled()
        .await;
    let backend = store.backend().unwrap();
    let ids = async |backend: &Backend| -> Vec<String> {
        let table = backend.table("ps_contacts");
        let sql = format!("SELECT endpoint, uri, prune_on_boot FROM {table} ORDER BY id");
        let rows = backend.fetch(&sql, &[]).await.unwrap();
        let text = |row: &store::Row, name| row.text(name).unwrap_or_default().to_owned();
        let rows = rows.iter();
        rows.map(|row| {
            assert!(text(row, "uri").ends_with(":5060^3Bob"));
            format!("{} {}", text(row, "endpoint"), text(row, "prune_on_boot"))
        })
        .collect()
    };
    until("they are in the table", async || {
        ids(&backend).await == ["late no", "udp no", "ws yes"]
    })
    .await;
    store.close().await;
    let store = scratch.store_as_it_is("").await;
    let survivors = store.keep(&folder(&scratch), "here").await;
    assert_eq!(survivors, [contact("udp", false, 600)]);
    let backend = store.backend().unwrap();
    until("the others are gone", async || {
        ids(&backend).await == ["udp no"]
    })
    .await;
    store.close().await;
}
