//! The copy, with a table in memory that is away, slow, or refuses.

use super::{BATCH_MAX, ContactTable, Copies, Kept, LAZY_AFTER, RETRY_AFTER, Refusal, Rows};
use crate::astdb::Urgency;
use crate::contacts::{ContactChange, SavedContact};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

#[derive(Clone, Default)]
struct Table {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    rows: BTreeMap<String, SavedContact>,
    writes: usize,
    away: bool,
    takes: Duration,
    refuses: Option<String>,
}

impl Table {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn aors(&self) -> Vec<String> {
        self.state()
            .rows
            .values()
            .map(|contact| contact.aor.clone())
            .collect()
    }
}

impl ContactTable for Table {
    async fn write(&mut self, rows: &Rows) -> Result<(), Refusal> {
        let takes = self.state().takes;
        tokio::time::sleep(takes).await;
        let mut state = self.state();
        if state.away {
            return Err(Refusal::Away("gone".to_owned()));
        }
        let refuses = state.refuses.clone();
        if rows
            .values()
            .flatten()
            .any(|row| Some(&row.aor) == refuses.as_ref())
        {
            return Err(Refusal::Row("too long".to_owned()));
        }
        state.writes += 1;
        for (id, row) in rows {
            match row {
                Some(row) => state.rows.insert(id.clone(), row.clone()),
                None => state.rows.remove(id),
            };
        }
        Ok(())
    }

    async fn read(&mut self) -> Result<Vec<(String, SavedContact)>, Refusal> {
        let state = self.state();
        if state.away {
            return Err(Refusal::Away("gone".to_owned()));
        }
        Ok(state.rows.clone().into_iter().collect())
    }
}

/// What the local file has, after a while.
#[derive(Clone, Default)]
struct Disk {
    contacts: Vec<SavedContact>,
    takes: Duration,
}

impl Kept for Disk {
    async fn contacts(&self) -> Result<Vec<SavedContact>, Refusal> {
        tokio::time::sleep(self.takes).await;
        Ok(self.contacts.clone())
    }
}

fn contact(aor: &str) -> SavedContact {
    SavedContact {
        aor: aor.to_owned(),
        uri: format!("sip:{aor}@192.0.2.7"),
        ..SavedContact::default()
    }
}

fn save(aor: &str) -> ContactChange {
    ContactChange::Save {
        contact: Box::new(contact(aor)),
        refresh: false,
    }
}

async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_database_that_is_well_is_waited_for_and_one_that_is_not_is_not() {
    let table = Table::default();
    let copies = Copies::start(table.clone(), Disk::default(), Vec::new());
    settle().await;
    table.state().takes = Duration::from_millis(5);
    copies.change(&[&save("a")], Urgency::Now).done().await;
    assert_eq!(table.aors(), ["a"]);
    // The first who meets the slow database waits, with a bound of his own; the next ones do not.
    table.state().takes = Duration::from_secs(1);
    copies.change(&[&save("b")], Urgency::Now).done().await;
    let began = Instant::now();
    copies.change(&[&save("c")], Urgency::Now).done().await;
    assert_eq!(began.elapsed(), Duration::ZERO);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(table.aors(), ["a", "b", "c"], "it is written all the same");
}

#[tokio::test(start_paused = true)]
async fn what_changed_while_the_database_was_away_is_written_once_it_is_back() {
    let table = Table::default();
    let copies = Copies::start(table.clone(), Disk::default(), Vec::new());
    settle().await;
    copies.change(&[&save("old")], Urgency::Now).done().await;
    table.state().away = true;
    for number in 0..3_000 {
        drop(copies.change(&[&save(&format!("{number}"))], Urgency::Now));
    }
    let remove = ContactChange::Remove {
        id: contact("old").id(),
    };
    drop(copies.change(&[&remove], Urgency::Now));
    settle().await;
    assert!(
        copies
            .trouble()
            .is_some_and(|trouble| trouble.contains("gone"))
    );
    table.state().away = false;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(table.aors().len(), 3_000);
    assert!(!table.aors().contains(&"old".to_owned()));
    assert!(table.state().writes < 20, "many in one transaction");
    assert_eq!(copies.trouble(), None);
}

/// Whoever registers a new contact and takes it away again, all day long, fills nobody's memory.
#[tokio::test(start_paused = true)]
async fn what_comes_and_goes_while_the_database_is_away_leaves_nothing_behind() {
    let table = Table::default();
    let copies = Copies::start(table.clone(), Disk::default(), Vec::new());
    settle().await;
    for aor in ["kept", "old"] {
        copies.change(&[&save(aor)], Urgency::Now).done().await;
    }
    table.state().away = true;
    let remove = |aor: &str| ContactChange::Remove {
        id: contact(aor).id(),
    };
    for number in 0..10_000 {
        let aor = number.to_string();
        drop(copies.change(&[&save(&aor)], Urgency::Now));
        if number % 100 == 0 {
            // Time enough for an attempt, after which nobody knows what is in the table.
            tokio::time::sleep(RETRY_AFTER).await;
        }
        drop(copies.change(&[&remove(&aor)], Urgency::Now));
    }
    drop(copies.change(&[&remove("old")], Urgency::Now));
    let waiting = copies.shared.state().pending.len();
    assert!(waiting <= BATCH_MAX + 1, "{waiting} changes wait");
    table.state().away = false;
    tokio::time::sleep(2 * RETRY_AFTER).await;
    assert_eq!(table.aors(), ["kept"]);
    let state = copies.shared.state();
    assert_eq!((state.pending.len(), state.there.len()), (0, 1));
}

/// A transaction may have happened although its answer was lost.
#[tokio::test(start_paused = true)]
async fn a_contact_that_may_be_in_the_table_is_removed_from_it() {
    let table = Table::default();
    let copies = Copies::start(table.clone(), Disk::default(), Vec::new());
    settle().await;
    table.state().away = true;
    drop(copies.change(&[&save("a")], Urgency::Now));
    settle().await;
    table.state().rows.insert(contact("a").id(), contact("a"));
    let remove = ContactChange::Remove {
        id: contact("a").id(),
    };
    drop(copies.change(&[&remove], Urgency::Now));
    table.state().away = false;
    tokio::time::sleep(2 * RETRY_AFTER).await;
    assert_eq!(table.aors(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn refreshes_are_written_together_within_ten_seconds() {
    let table = Table::default();
    let copies = Copies::start(table.clone(), Disk::default(), Vec::new());
    settle().await;
    copies.change(&[&save("a")], Urgency::Now).done().await;
    let writes = table.state().writes;
    for seconds in 0..5 {
        let mut contact = contact("a");
        contact.expiration_time = seconds;
        let refresh = ContactChange::Save {
            contact: Box::new(contact),
            refresh: true,
        };
        copies.change(&[&refresh], Urgency::Lazy).done().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(table.state().writes, writes);
    tokio::time::sleep(LAZY_AFTER).await;
    assert_eq!(table.state().writes, writes + 1);
    assert_eq!(
        table.state().rows.values().next().unwrap().expiration_time,
        4
    );
}

#[tokio::test(start_paused = true)]
async fn the_table_is_brought_up_to_date_at_the_start() {
    let table = Table::default();
    for aor in ["gone", "kept"] {
        table.state().rows.insert(contact(aor).id(), contact(aor));
    }
    let copies = Copies::start(
        table.clone(),
        Disk::default(),
        vec![contact("kept"), contact("new")],
    );
    settle().await;
    assert_eq!(table.aors(), ["kept", "new"]);
    copies.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_row_the_table_refuses_holds_up_nobody() {
    let table = Table::default();
    table.state().refuses = Some("bad".to_owned());
    let copies = Copies::start(table.clone(), Disk::default(), Vec::new());
    let changes = [save("a"), save("bad"), save("c")];
    let changes: Vec<&ContactChange> = changes.iter().collect();
    drop(copies.change(&changes, Urgency::Now));
    settle().await;
    assert_eq!(table.aors(), ["a", "c"]);
    assert_eq!(copies.trouble(), None);
}

#[tokio::test(start_paused = true)]
async fn another_table_gets_all_contacts_and_loses_those_nobody_has() {
    let table = Table::default();
    let disk = Disk {
        contacts: ["a", "b", "c"].map(contact).into(),
        takes: Duration::from_secs(1),
    };
    let copies = Copies::start(table.clone(), disk.clone(), disk.contacts);
    settle().await;
    assert_eq!(table.aors(), ["a", "b", "c"]);
    // The other one has what an earlier run left there.
    let left = ["b", "x"].map(|aor| (contact(aor).id(), contact(aor)));
    table.state().rows = left.into();
    copies.moved();
    settle().await;
    // Meanwhile the phones go on.
    let gone = |aor| ContactChange::Remove {
        id: contact(aor).id(),
    };
    copies.change(&[&gone("a"), &save("d"), &save("e")], Urgency::Now);
    copies.change(&[&gone("e")], Urgency::Now);
    let refreshed = SavedContact {
        expiration_time: 7,
        ..contact("c")
    };
    let refresh = ContactChange::Save {
        contact: Box::new(refreshed.clone()),
        refresh: true,
    };
    copies.change(&[&refresh], Urgency::Lazy);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(table.aors(), ["b", "c", "d"]);
    let id = refreshed.id();
    assert_eq!(table.state().rows.get(&id), Some(&refreshed));
    copies.change(&[&gone("b")], Urgency::Now).done().await;
    assert_eq!(table.aors(), ["c", "d"]);
}

#[tokio::test(start_paused = true)]
async fn a_table_that_is_away_is_given_up_for_another() {
    let table = Table::default();
    table.state().away = true;
    let disk = Disk {
        contacts: vec![contact("a")],
        takes: Duration::ZERO,
    };
    let copies = Copies::start(table.clone(), disk.clone(), disk.contacts);
    tokio::time::sleep(RETRY_AFTER * 3).await;
    copies.change(&[&save("b")], Urgency::Now);
    assert!(copies.trouble().is_some());
    copies.moved();
    table.state().away = false;
    tokio::time::sleep(RETRY_AFTER * 2).await;
    assert_eq!(table.aors(), ["a", "b"]);
    assert_eq!(copies.trouble(), None);
}
