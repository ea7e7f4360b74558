//! Delivery to a table in memory, with every way it can fail.

use super::{Batch, Records, Sink, Undelivered};
use crate::cdr::Cdr;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What a database would do, in memory.
#[derive(Clone, Default)]
struct Table {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    rows: Vec<String>,
    mark: u64,
    transactions: usize,
    /// It is away for so many attempts.
    away: usize,
    /// The next commit happens, and its answer is lost.
    answer_lost: bool,
    refuses: Option<String>,
}

impl Sink for Table {
    async fn deliver(
        &mut self,
        _: &str,
        records: &VecDeque<(u64, Cdr)>,
    ) -> Result<(), Undelivered> {
        let mut state = self.state.lock().unwrap();
        if state.away > 0 {
            state.away -= 1;
            return Err(Undelivered::Away("gone".to_owned()));
        }
        let refused = state.refuses.clone();
        if records
            .iter()
            .any(|(_, cdr)| Some(&cdr.src) == refused.as_ref())
        {
            return Err(Undelivered::Refused("bad value".to_owned()));
        }
        let mark = state.mark;
        for (position, cdr) in records {
            if *position > mark {
                state.rows.push(cdr.src.clone());
                state.mark = *position;
            }
        }
        state.transactions += 1;
        if std::mem::take(&mut state.answer_lost) {
            return Err(Undelivered::Away("the answer was lost".to_owned()));
        }
        Ok(())
    }

    async fn skip(&mut self, _: &str, position: u64) -> Result<(), Undelivered> {
        self.state.lock().unwrap().mark = position;
        Ok(())
    }
}

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let name = format!("sidetone-records-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn end(records: &Records, src: &str) {
    records.close_call(Cdr {
        sequence: records.next_sequence(),
        src: src.to_owned(),
        ..Cdr::default()
    });
}

async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let patience = Duration::from_secs(20);
    assert!(
        tokio::time::timeout(patience, waiting).await.is_ok(),
        "never: {what}"
    );
}

#[tokio::test]
async fn what_waited_for_the_database_comes_in_order_and_once() {
    let (scratch, table) = (Scratch::new("away"), Table::default());
    table.state.lock().unwrap().away = 2;
    let records = Records::open(&scratch.0, table.clone()).unwrap();
    for src in ["1", "2", "3"] {
        end(&records, src);
    }
    until("it is degraded", || records.health().trouble().is_some()).await;
    until("all are there", || records.health().delivered == 3).await;
    assert_eq!(table.state.lock().unwrap().rows, ["1", "2", "3"]);
    assert_eq!(records.health().trouble(), None);
    records.stop().await;
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_not_repeated() {
    let (scratch, table) = (Scratch::new("lost"), Table::default());
    table.state.lock().unwrap().answer_lost = true;
    let records = Records::open(&scratch.0, table.clone()).unwrap();
    end(&records, "1");
    until("it is there", || records.health().delivered == 1).await;
    end(&records, "2");
    until("the next is there", || records.health().delivered == 2).await;
    assert_eq!(table.state.lock().unwrap().rows, ["1", "2"]);
    records.stop().await;
}

/// As if it were killed between the database's commit and the journal's note.
#[tokio::test]
async fn a_journal_that_was_not_told_delivers_nothing_twice() {
    let (scratch, table) = (Scratch::new("told"), Table::default());
    let copy = Scratch::new("told-copy");
    table.state.lock().unwrap().away = usize::MAX;
    let records = Records::open(&scratch.0, table.clone()).unwrap();
    end(&records, "1");
    until("it is in the journal", || {
        records.health().journal.pending == 1
    })
    .await;
    std::fs::create_dir_all(&copy.0).unwrap();
    for file in std::fs::read_dir(&scratch.0).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), copy.0.join(file.file_name())).unwrap();
    }
    table.state.lock().unwrap().away = 0;
    until("it is delivered", || records.health().delivered == 1).await;
    records.stop().await;
    let records = Records::open(&copy.0, table.clone()).unwrap();
    end(&records, "2");
    until("the next is there", || {
        table.state.lock().unwrap().rows.len() >= 2
    })
    .await;
    records.stop().await;
    assert_eq!(table.state.lock().unwrap().rows, ["1", "2"]);
}

#[tokio::test]
async fn a_record_the_table_refuses_is_put_aside_and_holds_up_nobody() {
    let (scratch, table) = (Scratch::new("refused"), Table::default());
    table.state.lock().unwrap().refuses = Some("bad".to_owned());
    table.state.lock().unwrap().away = 1;
    let records = Records::open(&scratch.0, table.clone()).unwrap();
    for src in ["1", "bad", "2"] {
        end(&records, src);
    }
    until("the others are there", || records.health().delivered == 2).await;
    assert_eq!(table.state.lock().unwrap().rows, ["1", "2"]);
    assert_eq!(records.health().refused, 1);
    let kept = std::fs::read_to_string(scratch.0.join(super::REFUSED_FILE)).unwrap();
    assert!(kept.contains("\"src\":\"bad\""), "{kept}");
    records.stop().await;
}

#[tokio::test]
async fn batches_wait_for_their_size_and_are_delivered_when_asked_or_stopped() {
    let (scratch, table) = (Scratch::new("batch"), Table::default());
    let records = Records::open(&scratch.0, table.clone()).unwrap();
    records.set_batch(Some(Batch {
        size: 3,
        time: Duration::from_secs(3_600),
    }));
    let rows = || table.state.lock().unwrap().rows.len();
    for src in ["1", "2"] {
        end(&records, src);
    }
    until("two wait", || records.health().journal.pending == 2).await;
    tokio::time::sleep(Duration::from_millis(30)).await;
    assert_eq!(rows(), 0);
    end(&records, "3");
    until("three are there", || rows() == 3).await;
    assert_eq!(table.state.lock().unwrap().transactions, 1);
    end(&records, "4");
    until("one waits", || records.health().journal.pending == 1).await;
    until("it is there when asked", || {
        records.submit();
        rows() == 4
    })
    .await;
    end(&records, "5");
    records.stop().await;
    let left = 5 - rows();
    assert_eq!(
        left,
        records.health().journal.pending,
        "delivered, or in the journal"
    );
}

#[tokio::test]
async fn an_incomplete_batch_is_delivered_after_its_time() {
    let (scratch, table) = (Scratch::new("time"), Table::default());
    let records = Records::open(&scratch.0, table.clone()).unwrap();
    records.set_batch(Some(Batch {
        size: 100,
        time: Duration::from_millis(20),
    }));
    end(&records, "1");
    until("it is there", || records.health().delivered == 1).await;
    records.stop().await;
}
