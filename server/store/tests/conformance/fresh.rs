//! What is changed in the database counts on the next request.

use crate::support::{Scratch, on_every_database};
use config::Subscriber;
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::Store;

on_every_database!(
    rows_inserted_changed_and_deleted_count_within_a_second,
    one_name_is_asked_for_once_a_second_however_many_ask,
    rows_of_identifies_count_within_a_second,
    a_flood_asks_for_identifies_once_a_second,
    without_a_table_of_identifies_all_is_well,
);

async fn of(store: &Store, id: &str) -> Option<Arc<Subscriber>> {
    store.subscriber(id).await.unwrap()
}

/// Asks until the answer is as expected; how long that took.
async fn until(what: impl AsyncFn() -> bool) -> Duration {
    let start = Instant::now();
    while !what().await {
        assert!(start.elapsed() < Duration::from_secs(5), "it never came");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    start.elapsed()
}

async fn rows_inserted_changed_and_deleted_count_within_a_second(scratch: Scratch) {
    let store = scratch.store("").await;
    // Another program, which tells nobody.
    let other = scratch.backend().await;
    let table = other.table("ps_endpoints");
    assert!(of(&store, "new").await.is_none());
    let insert = format!("INSERT INTO {table} (id, context, allow) VALUES ('new', 'sets', 'ulaw')");
    let update = format!("UPDATE {table} SET max_video_streams = 3 WHERE id = 'new'");
    let delete = format!("DELETE FROM {table} WHERE id = 'new'");
    let limit = Duration::from_millis(1300);
    other.run_script(&insert).await.unwrap();
    assert!(until(async || of(&store, "new").await.is_some()).await < limit);
    other.run_script(&update).await.unwrap();
    let streams = async || {
        of(&store, "new")
            .await
            .is_some_and(|s| s.endpoint.max_video_streams == 3)
    };
    assert!(until(streams).await < limit);
    other.run_script(&delete).await.unwrap();
    assert!(until(async || of(&store, "new").await.is_none()).await < limit);
}

async fn one_name_is_asked_for_once_a_second_however_many_ask(scratch: Scratch) {
    let store = scratch.store("").await;
    assert!(of(&store, "nobody").await.is_none());
    let before = store.counts().asked;
    let start = Instant::now();
    let askers: Vec<_> = (0..20)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                while start.elapsed() < Duration::from_millis(2500) {
                    assert!(of(&store, "nobody").await.is_none());
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            })
        })
        .collect();
    for asker in askers {
        asker.await.unwrap();
    }
    let asked = store.counts().asked - before;
    assert!((2..=3).contains(&asked), "{asked}");
}

async fn identified(store: &Store) -> Vec<String> {
    let identifies = store.identifies().await;
    let ids = identifies.iter().map(|identify| identify.id.clone());
    ids.collect()
}

async fn rows_of_identifies_count_within_a_second(scratch: Scratch) {
    let written = "[office]\ntype=identify\nendpoint=trunk\nmatch=192.0.2.7\n\
                   [trunk]\ntype=endpoint\ncontext=sets\nallow=ulaw\n";
    let store = scratch.store(written).await;
    let other = scratch.backend().await;
    let table = other.table("ps_endpoint_id_ips");
    assert_eq!(identified(&store).await, ["office"]);
    // `match` is a word of MySQL's.
    let column = other.dialect().quoted("match");
    let insert = format!(
        "INSERT INTO {table} (id, endpoint, {column}, srv_lookups, match_header) VALUES \
         ('a', 'trunk', '192.0.2.0/24,2001:db8::1', 'no', NULL), \
         ('b', 'trunk', NULL, NULL, 'X-Trunk: /acme/'), \
         ('broken', 'trunk', '192.0.2.300', NULL, NULL), ('vain', 'trunk', NULL, NULL, NULL)"
    );
    let limit = Duration::from_millis(1300);
    other.run_script(&insert).await.unwrap();
    let took = until(async || identified(&store).await == ["office", "a", "b"]).await;
    assert!(took < limit, "{took:?}");
    let identifies = store.identifies().await;
    let row = identifies
        .iter()
        .find(|identify| identify.id == "a")
        .unwrap();
    assert_eq!(row.endpoint, "trunk");
    for (address, held) in [
        ("192.0.2.9:5060", true),
        ("[2001:db8::1]:5060", true),
        ("192.0.3.9:5060", false),
    ] {
        assert_eq!(row.holds(address.parse().unwrap()), held, "{address}");
    }
    let delete = format!("DELETE FROM {table} WHERE id = 'a'");
    other.run_script(&delete).await.unwrap();
    let took = until(async || identified(&store).await == ["office", "b"]).await;
    assert!(took < limit, "{took:?}");
}

async fn a_flood_asks_for_identifies_once_a_second(scratch: Scratch) {
    let store = scratch.store("").await;
    let queries = || store.backend().unwrap().status().queries;
    // Who listens to PostgreSQL asks for its triggers first.
    until(async || store.listens() != Some(false)).await;
    assert!(identified(&store).await.is_empty());
    let (before, start) = (queries(), Instant::now());
    let askers: Vec<_> = (0..20)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                while start.elapsed() < Duration::from_millis(2500) {
                    assert!(identified(&store).await.is_empty());
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            })
        })
        .collect();
    for asker in askers {
        asker.await.unwrap();
    }
    // The watch asks now and then as well.
    let asked = queries() - before;
    assert!((2..=4).contains(&asked), "{asked}");
}

async fn without_a_table_of_identifies_all_is_well(scratch: Scratch) {
    let store = scratch.store("").await;
    let other = scratch.backend().await;
    let table = other.table("ps_endpoint_id_ips");
    other
        .run_script(&format!("DROP TABLE {table}"))
        .await
        .unwrap();
    assert!(identified(&store).await.is_empty());
    assert_eq!(store.backend().unwrap().trouble(), None);
    let findings = other.inspect(&store.config()).await;
    let spoken = findings
        .iter()
        .find(|finding| finding.message.contains("ps_endpoint_id_ips"));
    assert_eq!(spoken, None);
}

/// Without the trigger it would take a second.
#[tokio::test]
async fn postgresql_says_at_once_what_changed() {
    let Some(scratch) = Scratch::postgres().await else {
        return;
    };
    let store = scratch.store("").await;
    until(async || store.listens() == Some(true)).await;
    let other = scratch.backend().await;
    let mut quickest = Duration::MAX;
    for number in 0..5 {
        let id = format!("new{number}");
        assert!(of(&store, &id).await.is_none());
        let sql =
            format!("INSERT INTO ps_endpoints (id, context, allow) VALUES ('{id}', 'c', 'ulaw')");
        other.run_script(&sql).await.unwrap();
        let took = until(async || of(&store, &id).await.is_some()).await;
        quickest = quickest.min(took);
    }
    assert!(quickest < Duration::from_millis(300), "{quickest:?}");
}

/// A database that Asterisk made has no trigger; to listen there helps nothing, and nobody claims so.
#[tokio::test]
async fn without_the_trigger_nothing_is_promised_and_db_init_is_heard() {
    let Some(scratch) = Scratch::postgres().await else {
        return;
    };
    let other = scratch.backend().await;
    other.prepare().await.unwrap();
    let sql = "DROP TRIGGER sidetone_changed ON ps_auths";
    other.run_script(sql).await.unwrap();
    let store = scratch.store_as_it_is("").await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(store.listens(), Some(false));
    other.prepare().await.unwrap();
    until(async || store.listens() == Some(true)).await;
}

/// A listener whose connection is cut listens again, and misses nothing meanwhile.
#[tokio::test]
async fn a_listener_that_was_cut_off_listens_again() {
    let Some(scratch) = Scratch::postgres().await else {
        return;
    };
    let store = scratch.store("").await;
    until(async || store.listens() == Some(true)).await;
    let other = scratch.backend().await;
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    other.run_script(sql).await.unwrap();
    until(async || store.listens() == Some(false)).await;
    until(async || store.listens() == Some(true)).await;
    assert!(of(&store, "nobody").await.is_none());
}
