//! The journal of call records: what is promised before the database has it.
//!
//! A thread of its own writes to a folder of files. It takes all that waits, writes it at once, and
//! lets the disk confirm once (group commit), so a burst of calls costs one confirmation. An answered
//! call is *opened* before its 200 goes out, and *closed* at its end; what a crash leaves open is
//! closed at the next start, with the last time the exchange is known to have been alive. Only closed
//! records are delivered. Files are removed when all of theirs are in the database.

mod folder;
mod keeper;
mod record;

pub(crate) use folder::Segment;

use crate::cdr::Cdr;
use crate::journal::folder::Folder;
use crate::journal::keeper::{Command, Keeper};
use crate::journal::record::{Entry, Piece};
use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{oneshot, watch};

/// Bytes all files of the journal may have together: some 150,000 calls that wait for the database.
pub const JOURNAL_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Records that may wait for the disk; more are dropped, each with its line in the log.
pub const JOURNAL_QUEUE_MAX: usize = 65_536;
/// How often the journal notes that the exchange lives while calls are open: the greatest error of
/// the end of a call that a crash cut short.
pub const ALIVE_EVERY: Duration = Duration::from_secs(5);

/// How the journal is.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct JournalHealth {
    /// Bytes of its files.
    pub bytes: u64,
    /// Bytes they may have.
    pub bytes_max: u64,
    /// Finished calls that are not in the database yet.
    pub pending: usize,
    /// Calls that were answered and are not over.
    pub open: usize,
    /// Records given up since the start: the journal was full, or the disk for too long.
    pub lost: u64,
    /// Damaged records found at the start.
    pub damaged: u64,
    /// What is wrong with the disk, if anything.
    pub error: Option<String>,
}

/// A handle to the journal.
#[derive(Debug)]
pub(crate) struct Journal {
    sender: SyncSender<Command>,
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
    sequence: AtomicU64,
    closed: watch::Receiver<u64>,
}

/// What the thread tells the others.
#[derive(Debug)]
struct Shared {
    health: Mutex<JournalHealth>,
    segments: Mutex<Vec<Segment>>,
    lost: AtomicU64,
}

/// Where the rest of the journal begins.
#[derive(Debug)]
pub(crate) struct Reader {
    folder: Folder,
    shared: Arc<Shared>,
    segment: u64,
    offset: u64,
    /// The name the database knows this journal by.
    pub(crate) journal: String,
    /// Everything up to here has been read, or is delivered.
    pub(crate) position: u64,
}

impl Journal {
    /// Opens the folder, ends what a crash left open, and starts the thread. `now_us` is the time
    /// since 1970.
    pub(crate) fn open(path: &Path, journal: String) -> io::Result<(Self, Reader)> {
        Self::open_in(Folder::open(path)?, journal, JOURNAL_BYTES_MAX)
    }

    fn open_in(folder: Folder, journal: String, bytes_max: u64) -> io::Result<(Self, Reader)> {
        let found = folder.read()?;
        let shared = Arc::new(Shared {
            health: Mutex::default(),
            segments: Mutex::default(),
            lost: AtomicU64::new(0),
        });
        let (position, sequence) = (found.delivered, found.sequence.max(1));
        let journal = found.journal.clone().unwrap_or(journal);
        let (told, closed) = watch::channel(0);
        let keeper = Keeper::start(
            folder.clone(),
            found,
            journal.clone(),
            bytes_max,
            shared.clone(),
            told,
        );
        let (sender, commands) = sync_channel(JOURNAL_QUEUE_MAX);
        let thread = std::thread::Builder::new()
            .name("cdr-journal".to_owned())
            .spawn(move || keeper.run(&commands))?;
        let reader = Reader {
            folder,
            shared: shared.clone(),
            segment: 0,
            offset: 0,
            journal,
            position,
        };
        let journal = Self {
            sender,
            shared,
            thread: Mutex::new(Some(thread)),
            sequence: AtomicU64::new(sequence),
            closed,
        };
        Ok((journal, reader))
    }

    /// The number of the next call.
    pub(crate) fn next_sequence(&self) -> u64 {
        self.sequence.fetch_add(1, Ordering::Relaxed)
    }

    /// Notes that a call was answered. The receiver hears when the disk has it; an error means that
    /// it does not, which is in the log.
    pub(crate) fn open_call(&self, cdr: Cdr) -> oneshot::Receiver<()> {
        let (done, heard) = oneshot::channel();
        self.send(Command::Write(Entry::Open(Box::new(cdr)), Some(done)));
        heard
    }

    /// Notes that a call is over.
    pub(crate) fn close_call(&self, cdr: Cdr) {
        self.send(Command::Write(Entry::Close(Box::new(cdr)), None));
    }

    /// A call is not to be recorded after all.
    pub(crate) fn forget_call(&self, sequence: u64) {
        self.send(Command::Write(Entry::Forget(sequence), None));
    }

    /// Everything up to this position is in the database.
    pub(crate) fn delivered(&self, position: u64) {
        self.send(Command::Write(Entry::Delivered(position), None));
    }

    /// The position of the last finished call on the disk.
    pub(crate) fn closed(&self) -> watch::Receiver<u64> {
        self.closed.clone()
    }

    /// How it is.
    pub(crate) fn health(&self) -> JournalHealth {
        let mut health = lock(&self.shared.health).clone();
        health.lost = self.shared.lost.load(Ordering::Relaxed);
        health
    }

    /// Returns when everything so far is written, or cannot be.
    pub(crate) async fn flush(&self) {
        let (done, heard) = oneshot::channel();
        self.send(Command::Flush(done));
        let _ = heard.await;
    }

    /// Writes what waits and ends the thread. Blocks.
    pub(crate) fn stop(&self) {
        let Some(thread) = lock(&self.thread).take() else {
            return;
        };
        // The queue is full only where the disk does not take it; then nothing more can be done.
        let _ = self.sender.try_send(Command::Stop);
        if thread.join().is_err() {
            tracing::error!("the thread of the call records' journal panicked");
        }
    }

    fn send(&self, command: Command) {
        let (Err(TrySendError::Full(command)) | Err(TrySendError::Disconnected(command))) =
            self.sender.try_send(command)
        else {
            return;
        };
        self.shared.lose(&command, "the disk is too slow");
    }
}

impl Shared {
    /// Says that a record is gone, and what it was, so that the log has it at least.
    fn lose(&self, command: &Command, why: &str) {
        let (Command::Write(Entry::Open(cdr), _) | Command::Write(Entry::Close(cdr), _)) = command
        else {
            return;
        };
        self.lost.fetch_add(1, Ordering::Relaxed);
        let record = serde_json::to_string(cdr).unwrap_or_default();
        tracing::error!("a call record is not kept, because {why}; it was {record}");
    }
}

impl Reader {
    /// The next finished calls with their positions, some hundred at most, in order; none if all
    /// have been read. Blocks.
    pub(crate) fn next(&mut self) -> io::Result<VecDeque<(u64, Cdr)>> {
        let segments = lock(&self.shared.segments).clone();
        let mut found = VecDeque::new();
        for segment in segments {
            if segment.first < self.segment {
                continue;
            }
            if segment.first > self.segment {
                (self.segment, self.offset) = (segment.first, 0);
            }
            while found.is_empty() && self.offset < segment.bytes {
                let (first, end) = (segment.first, segment.bytes);
                let bytes = self.folder.lines(first, self.offset, end, READ_BYTES)?;
                if bytes.is_empty() {
                    break;
                }
                self.offset += bytes.len() as u64;
                for piece in record::read(&bytes) {
                    // What was written again after a failure has the same positions.
                    if let Piece::Record(position, Entry::Close(cdr)) = piece
                        && position > self.position
                    {
                        self.position = position;
                        found.push_back((position, *cdr));
                    }
                }
            }
            if !found.is_empty() {
                break;
            }
        }
        Ok(found)
    }
}

/// Bytes read at a time.
const READ_BYTES: u64 = 64 * 1024;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each lock is held for one assignment or copy.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
