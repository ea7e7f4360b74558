//! Call records: kept in the journal, delivered to the table `cdr`.
//!
//! The call never waits for the database. Records are delivered in the order in which the calls
//! ended, and each exactly once: the table [`MARK_TABLE`] notes, in the transaction that inserts them,
//! up to which position of the journal they are there. A record that the table refuses for what it
//! holds is put aside, into the file [`REFUSED_FILE`] of the journal's folder, and said loudly; the
//! next ones go on.

mod table;

pub(crate) use table::{CdrTable, is_data_fault};

use crate::cdr::Cdr;
use crate::journal::{Journal, JournalHealth, Reader};
use std::collections::VecDeque;
use std::fs::OpenOptions;
use std::future::Future;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// Our own table beside `cdr`: up to which position each journal is delivered.
pub const MARK_TABLE: &str = "sidetone_cdr_mark";
/// Where records are put that the table refuses.
pub const REFUSED_FILE: &str = "refused.jsonl";
/// How long an answer waits for the disk to confirm its record. A disk that takes longer must not
/// hold calls up; the record is written all the same, and a crash in between may lose it.
pub const OPEN_PATIENCE: Duration = Duration::from_millis(500);
/// Records in one transaction.
const DELIVERED_AT_ONCE_MAX: usize = 500;
/// Time between attempts while the database does not take records.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// How long a stop waits for the database to take what is left. The rest is delivered after the start.
const STOP_PATIENCE: Duration = Duration::from_secs(2);

/// `batch`, `size` and `time` of `cdr.conf`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Records that are delivered at once.
    pub size: usize,
    /// How long an incomplete batch waits.
    pub time: Duration,
}

/// A handle to the call records. Cheap to clone.
#[derive(Clone)]
pub struct Records {
    shared: Arc<Shared>,
}

struct Shared {
    journal: Journal,
    batch: Mutex<Option<Batch>>,
    /// Deliver now, whatever the batch says.
    submit: Notify,
    progress: Mutex<Progress>,
    delivered: AtomicU64,
    refused: AtomicU64,
    stop: CancellationToken,
    task: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Clone, Debug, Default)]
struct Progress {
    /// Why the database does not take records now.
    error: Option<String>,
    since: Option<SystemTime>,
}

/// How the call records are.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct RecordsHealth {
    /// The journal on disk.
    pub journal: JournalHealth,
    /// Records delivered since the start.
    pub delivered: u64,
    /// Records the table refused since the start; they are in [`REFUSED_FILE`].
    pub refused: u64,
    /// Why the database does not take records now.
    pub error: Option<String>,
    /// Seconds for which it has taken none.
    pub error_s: u64,
}

impl RecordsHealth {
    /// What an operator should know, in a sentence; nothing if all is well.
    pub fn trouble(&self) -> Option<String> {
        if let Some(error) = &self.journal.error {
            return Some(format!(
                "call records cannot be written to the disk: {error}"
            ));
        }
        let error = self.error.as_ref()?;
        let JournalHealth {
            pending,
            bytes,
            bytes_max,
            ..
        } = self.journal;
        let percent = bytes * 100 / bytes_max.max(1);
        Some(format!(
            "{pending} call records wait for the database (the journal is {percent} % full): {error}"
        ))
    }
}

/// Where records go.
pub(crate) trait Sink: Send + 'static {
    /// Inserts the records that are not there yet, in one transaction with the mark; tells `false` if
    /// a record was refused for what it holds. Then nothing has happened.
    fn deliver(
        &mut self,
        journal: &str,
        records: &VecDeque<(u64, Cdr)>,
    ) -> impl Future<Output = Result<(), Undelivered>> + Send;

    /// Notes that everything up to `position` is dealt with, without a record.
    fn skip(
        &mut self,
        journal: &str,
        position: u64,
    ) -> impl Future<Output = Result<(), Undelivered>> + Send;

    /// Whether the next delivery goes to another database than the last one.
    fn is_another(&self) -> bool {
        false
    }
}

/// Why records are not in the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Undelivered {
    /// The table does not take what one of them holds; a sentence.
    Refused(String),
    /// The database is away, slow, or not as it must be; a sentence.
    Away(String),
}

impl Records {
    /// Opens the journal in this folder and starts the delivery. Must be called in a runtime.
    pub(crate) fn open(folder: &Path, sink: impl Sink) -> io::Result<Self> {
        let (journal, reader) = Journal::open(folder, new_name())?;
        let shared = Arc::new(Shared {
            journal,
            batch: Mutex::default(),
            submit: Notify::new(),
            progress: Mutex::default(),
            delivered: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            stop: CancellationToken::new(),
            task: Mutex::default(),
        });
        let delivery = Delivery {
            shared: shared.clone(),
            reader: Some(reader),
            sink,
            records: VecDeque::new(),
            refused: folder.join(REFUSED_FILE),
        };
        let task = tokio::spawn(delivery.run());
        *shared.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
        Ok(Self { shared })
    }

    /// The sequence number of the next call.
    pub fn next_sequence(&self) -> u64 {
        self.shared.journal.next_sequence()
    }

    /// A call is about to be answered: returns when its record is on the disk, so that a crash from
    /// here on leaves one; at the latest after [`OPEN_PATIENCE`].
    pub async fn open_call(&self, cdr: &Cdr) {
        let heard = self.shared.journal.open_call(cdr.clone());
        if tokio::time::timeout(OPEN_PATIENCE, heard).await.is_err() {
            tracing::error!(
                channel = cdr.channel,
                "the disk did not confirm a call record within {} ms; a crash now may lose it",
                OPEN_PATIENCE.as_millis()
            );
        }
    }

    /// What is known of an answered call has changed.
    pub fn change_call(&self, cdr: &Cdr) {
        drop(self.shared.journal.open_call(cdr.clone()));
    }

    /// A call is over.
    pub fn close_call(&self, cdr: Cdr) {
        self.shared.journal.close_call(cdr);
    }

    /// An answered call is over, and is not to be recorded after all.
    pub fn forget_call(&self, cdr: &Cdr) {
        self.shared.journal.forget_call(cdr.sequence);
    }

    /// Delivers in batches from now on, or each record at once.
    pub fn set_batch(&self, batch: Option<Batch>) {
        *lock(&self.shared.batch) = batch;
        self.submit();
    }

    /// Delivers what waits for its batch, now.
    pub fn submit(&self) {
        self.shared.submit.notify_waiters();
    }

    /// How they are.
    pub fn health(&self) -> RecordsHealth {
        let progress = lock(&self.shared.progress).clone();
        let since = progress.since.and_then(|since| since.elapsed().ok());
        RecordsHealth {
            journal: self.shared.journal.health(),
            delivered: self.shared.delivered.load(Ordering::Relaxed),
            refused: self.shared.refused.load(Ordering::Relaxed),
            error: progress.error,
            error_s: since.map_or(0, |since| since.as_secs()),
        }
    }

    /// Returns when the records of all calls that are over are on the disk, or cannot be.
    pub async fn flush(&self) {
        self.shared.journal.flush().await;
    }

    /// Writes what waits, delivers what the database takes in a moment, and ends.
    pub async fn stop(&self) {
        let _ = tokio::time::timeout(OPEN_PATIENCE, self.flush()).await;
        self.shared.stop.cancel();
        let task = lock(&self.shared.task).take();
        if let Some(task) = task {
            let _ = tokio::time::timeout(STOP_PATIENCE, task).await;
        }
        let shared = self.shared.clone();
        let _ = tokio::task::spawn_blocking(move || shared.journal.stop()).await;
    }
}

/// The task that delivers.
struct Delivery<S> {
    shared: Arc<Shared>,
    /// Away while a thread reads with it.
    reader: Option<Reader>,
    sink: S,
    /// Read, and not delivered yet.
    records: VecDeque<(u64, Cdr)>,
    refused: PathBuf,
}

impl<S: Sink> Delivery<S> {
    async fn run(mut self) {
        let mut closed = self.shared.journal.closed();
        let stop = self.shared.stop.clone();
        let mut batch_since = None;
        loop {
            closed.mark_unchanged();
            let read_all = match self.read().await {
                Ok(read_all) => read_all,
                Err(error) => {
                    self.note(Some(format!("the journal cannot be read: {error}")));
                    sleep(RETRY_AFTER).await;
                    continue;
                }
            };
            if self.records.is_empty() {
                if stop.is_cancelled() {
                    return;
                }
                batch_since = None;
                tokio::select! {
                    changed = closed.changed() => if changed.is_err() { return },
                    () = stop.cancelled() => {}
                }
                continue;
            }
            let batch = *lock(&self.shared.batch);
            if let Some(batch) = batch
                && read_all
                && self.records.len() < batch.size
                && !stop.is_cancelled()
            {
                let since = *batch_since.get_or_insert_with(Instant::now);
                let due = tokio::select! {
                    () = tokio::time::sleep_until(since + batch.time) => true,
                    () = self.shared.submit.notified() => true,
                    () = stop.cancelled() => true,
                    changed = closed.changed() => changed.is_err(),
                };
                if !due {
                    continue;
                }
            }
            batch_since = None;
            let done = self.deliver().await;
            if !done {
                if stop.is_cancelled() {
                    return;
                }
                tokio::select! {
                    () = sleep(RETRY_AFTER) => {}
                    () = stop.cancelled() => {}
                }
            }
        }
    }

    /// Reads on, up to what one transaction takes; tells whether the end was reached.
    async fn read(&mut self) -> io::Result<bool> {
        while self.records.len() < DELIVERED_AT_ONCE_MAX {
            let Some(mut reader) = self.reader.take() else {
                return Err(io::Error::other("a reader panicked"));
            };
            let read = tokio::task::spawn_blocking(move || {
                let next = reader.next();
                (reader, next)
            });
            let (reader, next) = read.await.map_err(io::Error::other)?;
            self.reader = Some(reader);
            let next = next?;
            if next.is_empty() {
                return Ok(true);
            }
            self.records.extend(next);
        }
        Ok(false)
    }

    /// Delivers what is there; `false`: the database does not take it now.
    async fn deliver(&mut self) -> bool {
        let journal = self.reader.as_ref().map(|reader| reader.journal.clone());
        let journal = journal.unwrap_or_default();
        if self.sink.is_another() {
            // How far the last one took them is in the journal before another takes the next: that one
            // has no mark of it.
            let _ = tokio::time::timeout(OPEN_PATIENCE, self.shared.journal.flush()).await;
        }
        // In a transaction of its own each, if one among them is refused.
        let mut single = false;
        while !self.records.is_empty() {
            let count = if single { 1 } else { DELIVERED_AT_ONCE_MAX };
            let rest = self.records.split_off(count.min(self.records.len()));
            let records = std::mem::replace(&mut self.records, rest);
            let last = records.back().map_or(0, |(position, _)| *position);
            let mut done = self.sink.deliver(&journal, &records).await;
            if let Err(Undelivered::Refused(why)) = &done {
                if records.len() > 1 {
                    single = true;
                    self.put_back(records);
                    continue;
                }
                let why = why.clone();
                done = match self.put_aside(&records[0].1, &why) {
                    Ok(()) => self.sink.skip(&journal, last).await,
                    Err(error) => Err(Undelivered::Away(error.to_string())),
                };
            } else if done.is_ok() {
                let count = records.len() as u64;
                self.shared.delivered.fetch_add(count, Ordering::Relaxed);
            }
            match done {
                Ok(()) => {
                    self.shared.journal.delivered(last);
                    self.note(None);
                }
                Err(Undelivered::Away(why) | Undelivered::Refused(why)) => {
                    self.put_back(records);
                    self.note(Some(why));
                    return false;
                }
            }
        }
        true
    }

    fn put_back(&mut self, mut records: VecDeque<(u64, Cdr)>) {
        records.append(&mut self.records);
        self.records = records;
    }

    /// Keeps a record that the table refuses.
    fn put_aside(&self, cdr: &Cdr, why: &str) -> io::Result<()> {
        let mut line = serde_json::to_string(cdr).map_err(io::Error::other)?;
        line.push('\n');
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.refused)?;
        file.write_all(line.as_bytes())?;
        file.sync_data()?;
        self.shared.refused.fetch_add(1, Ordering::Relaxed);
        tracing::error!(
            channel = cdr.channel,
            "the table of call records refuses a record: {why}; it is kept in {}",
            self.refused.display()
        );
        Ok(())
    }

    /// Remembers how it went; says it when it changes.
    fn note(&self, error: Option<String>) {
        let mut progress = lock(&self.shared.progress);
        match (&progress.error, &error) {
            (None, Some(error)) => {
                tracing::error!("call records wait in the journal: {error}");
                progress.since = Some(SystemTime::now());
            }
            (Some(_), None) => {
                tracing::info!("call records are delivered again");
                progress.since = None;
            }
            (None, None) | (Some(_), Some(_)) => {}
        }
        progress.error = error;
    }
}

/// A name no other journal has: the time of its birth and the process that made it.
fn new_name() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let nanos = now.unwrap_or_default().as_nanos();
    format!("{nanos:x}-{:x}", std::process::id())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each lock is held for one assignment or copy.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
