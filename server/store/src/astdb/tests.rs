//! The file, its bounds, and what is on the disk when.

use super::{ASTDB_KEY_BYTES_MAX, ASTDB_VALUE_BYTES_MAX, AstDb, AstDbError, LAZY_AFTER, Urgency};
use std::path::PathBuf;
use std::time::Duration;

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let name = format!("sidetone-astdb-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn file(&self) -> PathBuf {
        self.0.join("astdb.sqlite3")
    }

    /// What a crash would leave: the files as they are now, elsewhere.
    fn crash(&self) -> Self {
        let copy = Self(self.0.with_extension("crashed"));
        let _ = std::fs::remove_dir_all(&copy.0);
        std::fs::create_dir_all(&copy.0).unwrap();
        for file in std::fs::read_dir(&self.0).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), copy.0.join(file.file_name())).unwrap();
        }
        copy
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn what_is_durable_survives_a_crash() {
    let scratch = Scratch::new("crash");
    let (db, _) = AstDb::open(&scratch.file()).await.unwrap();
    assert!(db.put("cidname", "1001", "Alice").unwrap().durable().await);
    assert!(db.put("cidname", "1002", "Bob").unwrap().durable().await);
    assert!(db.remove("cidname", "1002").unwrap().durable().await);
    let saved = db.change_contacts([("a;@1".to_owned(), Some("{}".to_owned()))], Urgency::Now);
    assert!(saved.durable().await);
    let crashed = scratch.crash();
    let (after, contacts) = AstDb::open(&crashed.file()).await.unwrap();
    assert_eq!(after.value("cidname", "1001").as_deref(), Some("Alice"));
    assert_eq!(after.value("cidname", "1002"), None);
    assert_eq!(contacts, [("a;@1".to_owned(), "{}".to_owned())]);
}

#[tokio::test]
async fn trees_are_whole_parts_of_paths() {
    let scratch = Scratch::new("tree");
    let (db, _) = AstDb::open(&scratch.file()).await.unwrap();
    for (family, key) in [("a", "b/c"), ("a", "b/d"), ("a", "bc"), ("ab", "c")] {
        db.put(family, key, "x").unwrap();
    }
    let keys = async |family: &str, key| -> Vec<String> {
        let tree = db.tree(family, key).await.unwrap();
        tree.into_iter().map(|(key, _)| key).collect()
    };
    assert_eq!(keys("a", Some("b")).await, ["/a/b/c", "/a/b/d"]);
    assert_eq!(keys("a/b", None).await, ["/a/b/c", "/a/b/d"]);
    assert_eq!(keys("a", None).await.len(), 3);
    assert_eq!(keys("", None).await.len(), 4);
    assert_eq!(db.remove_tree("a", Some("b")), 2);
    assert_eq!(db.remove_tree("a", Some("b")), 0);
    assert_eq!(keys("", None).await, ["/a/bc", "/ab/c"]);
}

#[tokio::test]
async fn a_dial_plan_cannot_fill_it() {
    let scratch = Scratch::new("bounds");
    let (db, _) = AstDb::open(&scratch.file()).await.unwrap();
    let refused = |family: &str, key: &str, value: &str| db.put(family, key, value).err();
    assert_eq!(refused("", "k", "v"), Some(AstDbError::Name));
    let long = "k".repeat(ASTDB_KEY_BYTES_MAX);
    assert_eq!(refused("f", &long, "v"), Some(AstDbError::KeyTooLong));
    let long = "v".repeat(ASTDB_VALUE_BYTES_MAX + 1);
    assert_eq!(refused("f", "k", &long), Some(AstDbError::ValueTooLong));
    db.shared.state().bytes = super::ASTDB_BYTES_MAX;
    assert_eq!(refused("f", "k", "v"), Some(AstDbError::Full));
}

/// Refreshes of many seconds are one write, and none of them waits for the disk.
#[tokio::test]
async fn what_is_in_no_hurry_waits_and_only_the_last_of_it_is_written() {
    let scratch = Scratch::new("lazy");
    let (db, _) = AstDb::open(&scratch.file()).await.unwrap();
    for value in ["1", "2", "3"] {
        let change = [("a;@1".to_owned(), Some(value.to_owned()))];
        assert!(
            db.change_contacts(change, Urgency::Lazy).durable().await,
            "nothing to wait for"
        );
    }
    assert_eq!(db.shared.state().lazy.len(), 1);
    let (_, contacts) = AstDb::open(&scratch.crash().file()).await.unwrap();
    assert!(contacts.is_empty());
    tokio::time::pause();
    tokio::time::advance(LAZY_AFTER).await;
    tokio::time::resume();
    db.shared.wake.notify_one();
    while !db.shared.state().lazy.is_empty() {
        tokio::task::yield_now().await;
    }
    // A change that hurries is written after it.
    assert!(db.put("f", "k", "v").unwrap().durable().await);
    let (_, contacts) = AstDb::open(&scratch.crash().file()).await.unwrap();
    assert_eq!(contacts, [("a;@1".to_owned(), "3".to_owned())]);
}

#[tokio::test]
async fn many_who_hurry_share_a_transaction() {
    let scratch = Scratch::new("group");
    let (db, _) = AstDb::open(&scratch.file()).await.unwrap();
    let commits = db.shared.written.subscribe();
    let mut last = None;
    for number in 0..500 {
        last = Some(db.put("f", &number.to_string(), "v").unwrap());
    }
    assert!(last.unwrap().durable().await);
    assert_eq!(commits.borrow().done, 500, "one commit told all of them");
    db.stop().await;
}

#[tokio::test]
async fn a_refresh_that_comes_while_the_disk_refuses_is_not_undone() {
    let scratch = Scratch::new("refresh");
    let (db, _) = AstDb::open(&scratch.file()).await.unwrap();
    let url = format!("sqlite:{}", scratch.file().display());
    let other = sqlx::SqlitePool::connect(&url).await.unwrap();
    let held = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let change = |value: &str| [("a;@1".to_owned(), Some(value.to_owned()))];
    let refused = db.change_contacts(change("registered"), Urgency::Now);
    // It is on its way to the disk by now.
    while !db.shared.state().pending.is_empty() {
        tokio::task::yield_now().await;
    }
    drop(db.change_contacts(change("refreshed"), Urgency::Lazy));
    assert!(!refused.durable().await);
    drop(held);
    other.close().await;
    while db.trouble().is_some() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (_, contacts) = AstDb::open(&scratch.crash().file()).await.unwrap();
    assert_eq!(contacts, [("a;@1".to_owned(), "refreshed".to_owned())]);
}

#[tokio::test]
async fn a_disk_that_takes_nothing_is_said_and_tried_again() {
    let scratch = Scratch::new("readonly");
    let (db, _) = AstDb::open(&scratch.file()).await.unwrap();
    let url = format!("sqlite:{}", scratch.file().display());
    let other = sqlx::SqlitePool::connect(&url).await.unwrap();
    let held = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
    assert!(
        !db.put("f", "k", "v").unwrap().durable().await,
        "another program writes"
    );
    assert!(db.trouble().is_some());
    assert_eq!(
        db.value("f", "k").as_deref(),
        Some("v"),
        "known all the same"
    );
    drop(held);
    other.close().await;
    assert!(db.put("f", "l", "v").unwrap().durable().await);
    assert_eq!(db.trouble(), None);
    db.stop().await;
    let (db, _) = AstDb::open(&scratch.file()).await.unwrap();
    assert_eq!(db.value("f", "k").as_deref(), Some("v"));
}

/// Phones that come and go while the disk is full leave nothing in memory.
#[tokio::test]
async fn what_comes_and_goes_while_the_disk_refuses_is_forgotten() {
    let scratch = Scratch::new("come-and-go");
    let (db, _) = AstDb::open(&scratch.file()).await.unwrap();
    let change = |id: &str, value: Option<&str>| [(id.to_owned(), value.map(str::to_owned))];
    let before = db.change_contacts(change("a;@old", Some("old")), Urgency::Now);
    assert!(before.durable().await);
    let url = format!("sqlite:{}", scratch.file().display());
    let other = sqlx::SqlitePool::connect(&url).await.unwrap();
    let held = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
    drop(db.change_contacts(change("a;@old", None), Urgency::Now));
    assert!(!db.put("f", "k", "v").unwrap().durable().await);
    let mut last = None;
    for round in 0..2 {
        for number in 0..1_000 {
            let id = format!("a;@{round}-{number}");
            drop(db.change_contacts(change(&id, Some("here")), Urgency::Now));
            last = Some(db.change_contacts(change(&id, None), Urgency::Now));
            db.put("f", &id, "v").unwrap();
            assert!(db.remove("f", &id).is_some());
            tokio::task::yield_now().await;
        }
        // Another attempt has failed.
        let _ = db.put("f", "k", "v").unwrap().durable().await;
    }
    assert_eq!(
        db.shared.state().pending.len(),
        2,
        "the removal of what the file has, and the entry that lives"
    );
    drop(held);
    other.close().await;
    let _ = last.unwrap().durable().await;
    while db.trouble().is_some() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    db.stop().await;
    let (db, contacts) = AstDb::open(&scratch.file()).await.unwrap();
    assert!(contacts.is_empty(), "{contacts:?}");
    assert_eq!(db.tree("", None).await.unwrap().len(), 1);
}

/// It came and went before the disk had it: there is nothing to wait for.
#[tokio::test]
async fn a_removal_of_what_the_file_never_had_is_durable_at_once() {
    let scratch = Scratch::new("never");
    let (db, _) = AstDb::open(&scratch.file()).await.unwrap();
    let gone = db.change_contacts([("a;@1".to_owned(), None)], Urgency::Now);
    assert!(gone.durable().await);
    assert!(
        db.change_contacts([("a;@1".to_owned(), None)], Urgency::Lazy)
            .durable()
            .await
    );
    assert!(db.put("f", "k", "v").unwrap().durable().await);
    assert!(db.remove("f", "k").unwrap().durable().await);
    db.stop().await;
    let (db, _) = AstDb::open(&scratch.file()).await.unwrap();
    assert_eq!(db.value("f", "k"), None);
}
