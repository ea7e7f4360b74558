//! What every database behind the store must do, on real files and real servers.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use config::Secret;
use std::collections::BTreeSet;
use store::{Dialect, Store, StoreError};
use support::{CHAPTER, Folder, Scratch, files, on_every_database, open};

mod durable;
mod extensions;
mod faults;
mod fresh;
mod inspect;
mod objects;
mod replace;
mod schema;
mod support;
mod values;

on_every_database!(
    the_chapter_script_makes_two_subscribers_at_once,
    files_come_before_the_database_object_by_object,
    many_askers_cost_one_query_whether_the_name_exists_or_not,
    an_answer_is_at_most_a_second_old,
    a_broken_row_is_no_subscriber_and_the_others_live,
    an_object_is_called_as_its_row_is,
    demo_accounts_keep_their_passwords_over_a_restart,
);

async fn the_chapter_script_makes_two_subscribers_at_once(scratch: Scratch) {
    // To the letter, which names the database: on MariaDB it is the one of that name.
    let scratch = match scratch.dialect {
        Dialect::MySql => Scratch::mysql_asterisk().await,
        Dialect::Sqlite | Dialect::Postgres => scratch,
    };
    let store = scratch.store("").await;
    assert_eq!(store.subscriber("WS_PHONE_A").await.unwrap(), None);

    let changed = store.run_script(CHAPTER).await;

    assert_eq!(changed.unwrap(), 6);
    for (id, password) in [
        ("WS_PHONE_A", "spiderwrench"),
        ("WS_PHONE_B", "arachnoratchet"),
    ] {
        let subscriber = store.subscriber(id).await.unwrap().unwrap();
        let endpoint = &subscriber.endpoint;
        assert_eq!(endpoint.context, "sets");
        assert!(endpoint.webrtc && endpoint.rtcp_mux);
        let codecs: Vec<&str> = endpoint.allow.iter().map(|codec| codec.name).collect();
        assert_eq!(codecs, ["vp8", "opus", "ulaw"]);
        assert_eq!(endpoint.max_video_streams, 1);
        assert_eq!(subscriber.aors[0].max_contacts, 5);
        assert_eq!(subscriber.aors[0].maximum_expiration_s, 7200);
        let auth = &subscriber.auths[0];
        assert_eq!(auth.username, id);
        assert_eq!(auth.password, Some(Secret::new(password)));
    }
}

async fn files_come_before_the_database_object_by_object(scratch: Scratch) {
    let pjsip = "[alice]\ntype=endpoint\ncontext=sets\nallow=opus\nauth=alice\naors=alice\n\
                 [alice]\ntype=aor\nmax_contacts=1\n";
    let store = scratch.store(pjsip).await;
    let script = "INSERT INTO ps_endpoints (id, context, allow) VALUES ('alice', 'other', 'ulaw');\
                  INSERT INTO ps_aors (id, max_contacts) VALUES ('alice', 9);\
                  INSERT INTO ps_auths (id, password) VALUES ('alice', 'x');";
    store.run_script(script).await.unwrap();

    let alice = store.subscriber("alice").await.unwrap().unwrap();

    assert_eq!(alice.endpoint.context, "sets");
    assert_eq!(alice.aors[0].max_contacts, 1);
    assert_eq!(alice.auths[0].password, Some(Secret::new("x")));
}

#[tokio::test]
async fn a_new_snapshot_of_the_files_counts_at_once() {
    let folder = Folder::new();
    let store = open(&folder.file(), "").await;
    assert_eq!(store.subscriber("bob").await.unwrap(), None);
    store.set_config(files("[bob]\ntype=endpoint\ncontext=sets\nallow=opus\n"));
    assert!(store.subscriber("bob").await.unwrap().is_some());
}

async fn many_askers_cost_one_query_whether_the_name_exists_or_not(scratch: Scratch) {
    let store = scratch.store("").await;
    store.run_script(&scratch.chapter()).await.unwrap();
    for id in ["WS_PHONE_A", "nobody"] {
        let before = store.counts().asked;
        let askers: Vec<_> = (0..50)
            .map(|_| {
                let store = store.clone();
                tokio::spawn(async move { store.subscriber(id).await.unwrap().is_some() })
            })
            .collect();
        for asker in askers {
            assert_eq!(asker.await.unwrap(), id == "WS_PHONE_A");
        }
        assert_eq!(store.counts().asked - before, 1);
    }
}

async fn an_answer_is_at_most_a_second_old(scratch: Scratch) {
    let store = scratch.store("").await;
    store.run_script(&scratch.chapter()).await.unwrap();
    assert!(store.subscriber("WS_PHONE_A").await.unwrap().is_some());
    // Another program changes the row.
    let other = scratch.store("").await;
    let script = "UPDATE ps_endpoints SET max_video_streams = 4;";
    other.run_script(script).await.unwrap();

    let streams = async || {
        let subscriber = store.subscriber("WS_PHONE_A").await.unwrap();
        subscriber.unwrap().endpoint.max_video_streams
    };
    // PostgreSQL may have said so already.
    if scratch.dialect != Dialect::Postgres {
        assert_eq!(streams().await, 1);
    }
    tokio::time::pause();
    tokio::time::advance(std::time::Duration::from_secs(1)).await;
    tokio::time::resume();
    assert_eq!(streams().await, 4);
}

/// MariaDB compares without case; whoever is found so has one name all the same.
async fn an_object_is_called_as_its_row_is(scratch: Scratch) {
    let store = scratch.store("").await;
    let sql = "INSERT INTO ps_endpoints (id, context, allow) VALUES ('alice', 'sets', 'ulaw')";
    store.run_script(sql).await.unwrap();
    let found = store.subscriber("ALICE").await.unwrap();
    let id = found.map(|subscriber| subscriber.endpoint.id.clone());
    let expected = (scratch.dialect == Dialect::MySql).then(|| "alice".to_owned());
    assert_eq!(id, expected);
    for strange in ["", "a\0b", "' OR 1=1 --", "%", "alice\n"] {
        assert_eq!(
            store.subscriber(strange).await.unwrap(),
            None,
            "{strange:?}"
        );
    }
}

async fn a_broken_row_is_no_subscriber_and_the_others_live(scratch: Scratch) {
    let store = scratch.store("").await;
    let script = "INSERT INTO ps_endpoints (id, context, allow) VALUES \
                  ('bad', 'sets', 'nosuchcodec'), ('good', 'sets', 'g729,ulaw');";
    store.run_script(script).await.unwrap();
    assert_eq!(store.subscriber("bad").await.unwrap(), None);
    let good = store.subscriber("good").await.unwrap().unwrap();
    assert_eq!(good.endpoint.allow.len(), 1);
}

#[tokio::test]
async fn a_table_with_fewer_columns_is_completed_and_unknown_columns_are_passed_over() {
    let folder = Folder::new();
    {
        let store = open(&folder.file(), "").await;
        let script = "DROP TABLE ps_endpoints; PRAGMA asterisk.user_version = 0; \
                      CREATE TABLE asterisk.ps_endpoints (id TEXT, context TEXT, favourite_colour TEXT, \
                      allow TEXT, webrtc INTEGER); \
                      INSERT INTO ps_endpoints VALUES ('old', 'sets', 'green', 'ulaw', 1);";
        store.run_script(script).await.unwrap();
        store.close().await;
    }
    let store = open(&folder.file(), "").await;
    let old = store.subscriber("old").await.unwrap().unwrap();
    assert_eq!(old.endpoint.context, "sets");
    assert!(old.endpoint.webrtc);
    let script = "UPDATE ps_endpoints SET max_video_streams = 7 WHERE id = 'old'";
    assert_eq!(store.run_script(script).await.unwrap(), 1);
}

#[tokio::test]
async fn a_newer_schema_is_refused_in_one_sentence() {
    let folder = Folder::new();
    let store = open(&folder.file(), "").await;
    store
        .run_script("PRAGMA asterisk.user_version = 99")
        .await
        .unwrap();
    store.close().await;
    let error = Store::open(files(""), Some(&folder.file()))
        .await
        .err()
        .unwrap();
    assert!(matches!(error, StoreError::Newer { found: 99, .. }));
    let sentence = error.to_string();
    assert!(sentence.contains("has schema version 99"), "{sentence}");
}

#[tokio::test]
async fn a_path_that_cannot_be_opened_is_named() {
    let folder = Folder::new();
    let path = folder.0.join("missing").join("file.db");
    let error = Store::open(files(""), Some(&path)).await.err().unwrap();
    assert!(
        error.to_string().contains("file.db cannot be opened"),
        "{error}"
    );
}

#[cfg(unix)]
#[tokio::test]
async fn the_file_and_its_journal_are_for_the_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let store = open(&folder.file(), "").await;
    store.run_script(CHAPTER).await.unwrap();
    for entry in std::fs::read_dir(&folder.0).unwrap() {
        let mode = entry.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0);
    }
}

async fn demo_accounts_keep_their_passwords_over_a_restart(scratch: Scratch) {
    let mut number = 0;
    let mut random = || {
        number += 1;
        Secret::new(format!("secret-{number}"))
    };
    let store = scratch.store("").await;
    let first = store
        .demo_accounts(&["alice", "bob"], &mut random)
        .await
        .unwrap();
    store.close().await;
    let store = scratch.store("").await;
    let second = store
        .demo_accounts(&["alice", "bob", "carol"], &mut random)
        .await
        .unwrap();

    assert_eq!(first[..], second[..2]);
    assert_ne!(second[0].1, second[1].1);
    assert_ne!(second[1].1, second[2].1);
    let alice = store.subscriber("alice").await.unwrap().unwrap();
    assert_eq!(alice.auths[0].password.as_ref(), Some(&first[0].1));
    let allowed = alice.endpoint.allow.iter().map(|codec| codec.name);
    assert_eq!(allowed.collect::<BTreeSet<_>>(), codecs_of_browsers());
    assert_eq!(alice.endpoint.max_video_streams, 4);
    assert!(alice.endpoint.webrtc);
    let aor = &alice.aors[0];
    assert_eq!((aor.max_contacts, aor.remove_existing), (5, false));
}

/// `allow=` of a demo account names every codec there is, but for L16, which no browser has.
fn codecs_of_browsers() -> BTreeSet<&'static str> {
    let config = files("[all]\ntype=endpoint\ncontext=sets\nallow=all\n");
    let all = config.endpoints["all"].endpoint.allow.iter();
    all.map(|codec| codec.name)
        .filter(|name| !name.starts_with("slin"))
        .collect()
}

#[tokio::test]
async fn without_a_database_files_are_still_answered() {
    let pjsip = "[bob]\ntype=endpoint\ncontext=sets\nallow=opus\nauth=elsewhere\n";
    let store = Store::open(files(pjsip), None).await.unwrap();
    assert!(store.subscriber("bob").await.unwrap().is_some());
    assert_eq!(store.subscriber("alice").await.unwrap(), None);
    let refused = store.demo_accounts(&["alice"], Secret::default).await;
    assert!(matches!(refused, Err(StoreError::Absent)));
}
