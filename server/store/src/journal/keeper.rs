//! The thread that writes the journal.

use crate::cdr::Cdr;
use crate::journal::folder::{Folder, Found, Segment};
use crate::journal::record::{self, Entry};
use crate::journal::{ALIVE_EVERY, JOURNAL_QUEUE_MAX, JournalHealth, Shared, lock};
use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::{oneshot, watch};

/// What the thread is asked.
#[derive(Debug)]
pub(super) enum Command {
    /// Writes this, and tells when the disk has it.
    Write(Entry, Option<oneshot::Sender<()>>),
    /// Tells when everything before is written.
    Flush(#[expect(dead_code, reason = "it is dropped, and that is heard")] oneshot::Sender<()>),
    /// Writes what waits and ends.
    Stop,
}

/// See the module.
pub(super) struct Keeper {
    folder: Folder,
    journal: String,
    bytes_max: u64,
    shared: Arc<Shared>,
    told: watch::Sender<u64>,
    position: u64,
    sequence: u64,
    delivered: u64,
    open: BTreeMap<u64, Cdr>,
    pending: VecDeque<u64>,
    /// All files; the last one is written to, if `file` is there.
    segments: VecDeque<Segment>,
    file: Option<File>,
    /// Bytes written to the file since its open calls were copied into it.
    since_begin: u64,
    /// What the disk has not taken.
    waiting: VecDeque<Command>,
    alive: Instant,
    level: usize,
    damaged: u64,
    error: Option<String>,
}

/// Bytes after which a new file is begun.
const SEGMENT_BYTES: u64 = 1024 * 1024;
/// Records written at once.
const BATCH_MAX: usize = 4_096;
/// Time between attempts while the disk takes nothing.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Percentages of the journal that are worth a warning.
const LEVELS: [u64; 3] = [50, 80, 95];
/// What calls that have begun may use beyond the bound, so that a full journal still ends them.
const RESERVE: u64 = 8;

impl Keeper {
    pub(super) fn start(
        folder: Folder,
        found: Found,
        journal: String,
        bytes_max: u64,
        shared: Arc<Shared>,
        told: watch::Sender<u64>,
    ) -> Self {
        let damaged = found.damaged as u64;
        if found.damaged > 0 {
            tracing::warn!(
                "{} damaged records in the journal of call records ({}) are passed over",
                found.damaged,
                folder.path().display()
            );
        }
        if found.torn > 0 {
            let torn = found.torn;
            tracing::info!(
                "the journal of call records ended in {torn} bytes of a record cut short"
            );
        }
        let mut keeper = Self {
            folder,
            journal,
            bytes_max,
            shared,
            told,
            position: found.position,
            sequence: found.sequence.max(1),
            delivered: found.delivered,
            open: BTreeMap::new(),
            pending: found.pending.into(),
            segments: found.segments.into(),
            file: None,
            since_begin: 0,
            waiting: VecDeque::new(),
            alive: Instant::now(),
            level: 0,
            damaged,
            error: None,
        };
        let left = found.open.len();
        if left > 0 {
            tracing::warn!(
                "{left} calls were not ended when the exchange stopped; their records end when it \
                 was last known to run"
            );
        }
        for (_, mut cdr) in found.open {
            cdr.end_at(found.alive_us);
            keeper.open.insert(cdr.sequence, cdr.clone());
            keeper
                .waiting
                .push_back(Command::Write(Entry::Close(Box::new(cdr)), None));
        }
        keeper.commit();
        keeper
    }

    /// Runs until it is told to stop, or nobody is left to tell.
    pub(super) fn run(mut self, commands: &Receiver<Command>) {
        loop {
            let patience = if self.waiting.is_empty() {
                ALIVE_EVERY
            } else {
                RETRY_AFTER
            };
            match commands.recv_timeout(patience) {
                Ok(command) => self.take(command),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => self.take(Command::Stop),
            }
            while self.waiting.len() < BATCH_MAX
                && let Ok(command) = commands.try_recv()
            {
                self.take(command);
            }
            let stop = self.waiting.iter().any(|c| matches!(c, Command::Stop));
            self.commit();
            if stop {
                return;
            }
        }
    }

    fn take(&mut self, command: Command) {
        if self.waiting.len() >= JOURNAL_QUEUE_MAX {
            self.shared.lose(&command, "the disk takes nothing");
            return;
        }
        self.waiting.push_back(command);
    }

    /// Writes what waits, and lets the disk confirm. What it does not take goes on waiting; those
    /// who wait for it are told that they need not.
    fn commit(&mut self) {
        self.drop_what_has_no_room();
        match self.write() {
            Ok(()) => {
                if self.error.take().is_some() {
                    tracing::info!("the disk takes call records again");
                }
            }
            Err(error) => {
                // The rest of this file cannot be trusted; the next attempt begins another.
                self.file = None;
                let sentence = format!("{}: {error}", self.folder.path().display());
                if self.error.as_ref() != Some(&sentence) {
                    tracing::error!(
                        "call records cannot be written, they wait in memory: {sentence}; make room \
                         on the disk"
                    );
                }
                self.error = Some(sentence);
                self.publish();
                for command in &mut self.waiting {
                    if let Command::Write(_, done) = command {
                        *done = None;
                    }
                }
                self.waiting.retain(|c| !matches!(c, Command::Flush(_)));
            }
        }
        self.tidy();
        self.publish();
    }

    fn write(&mut self) -> io::Result<()> {
        // After a kill only what was written counts, after a power cut what the disk confirmed. A mark
        // of life may be lost with the power; the end of a call is that much less exact then.
        let alive = !self.open.is_empty() && self.alive.elapsed() >= ALIVE_EVERY;
        if !alive && !self.waiting.iter().any(|c| matches!(c, Command::Write(..))) {
            // Only those who ask whether all is written.
            self.waiting.clear();
            return Ok(());
        }
        let (mut file, begun) = match self.file.take() {
            Some(file) if self.since_begin < SEGMENT_BYTES => (file, false),
            _ => (self.begin()?, true),
        };
        let mut must_sync = begun;
        let mut bytes = Vec::new();
        let mut position = self.position;
        if alive {
            position += 1;
            record::write(&mut bytes, position, &Entry::Alive(now_us()));
            self.alive = Instant::now();
        }
        for command in &self.waiting {
            if let Command::Write(entry, _) = command {
                position += 1;
                record::write(&mut bytes, position, entry);
                must_sync |= !matches!(entry, Entry::Delivered(_));
            }
        }
        self.folder.append(&mut file, &bytes)?;
        if must_sync {
            file.sync_data()?;
        }
        self.file = Some(file);
        self.written(position, bytes.len() as u64);
        Ok(())
    }

    /// Begins a file with what is needed of the earlier ones: the state, and the open calls.
    fn begin(&mut self) -> io::Result<File> {
        let mut bytes = Vec::new();
        let first = self.position + 1;
        let mut position = first;
        let begin = Entry::Begin {
            journal: self.journal.clone(),
            sequence: self.sequence,
            delivered: self.delivered,
        };
        record::write(&mut bytes, position, &begin);
        for cdr in self.open.values() {
            position += 1;
            record::write(&mut bytes, position, &Entry::Open(Box::new(cdr.clone())));
        }
        let mut file = self.folder.create(first)?;
        self.folder.append(&mut file, &bytes)?;
        self.position = position;
        self.segments.push_back(Segment {
            first,
            bytes: bytes.len() as u64,
            last_close: 0,
        });
        self.since_begin = 0;
        Ok(file)
    }

    /// All that waited is on the disk.
    fn written(&mut self, position: u64, bytes: u64) {
        let mut at = position;
        let count = self
            .waiting
            .iter()
            .filter(|c| matches!(c, Command::Write(..)));
        at -= count.count() as u64;
        let mut last_close = 0;
        for command in std::mem::take(&mut self.waiting) {
            // Those who asked whether all is written hear it by being forgotten.
            let Command::Write(entry, done) = command else {
                continue;
            };
            at += 1;
            match entry {
                Entry::Open(cdr) => {
                    self.sequence = self.sequence.max(cdr.sequence + 1);
                    self.open.insert(cdr.sequence, *cdr);
                }
                Entry::Close(cdr) => {
                    self.sequence = self.sequence.max(cdr.sequence + 1);
                    self.open.remove(&cdr.sequence);
                    self.pending.push_back(at);
                    last_close = at;
                }
                Entry::Forget(sequence) => {
                    self.open.remove(&sequence);
                }
                Entry::Delivered(position) => self.delivered = self.delivered.max(position),
                Entry::Begin { .. } | Entry::Alive(_) => {}
            }
            if let Some(done) = done {
                let _ = done.send(());
            }
        }
        self.position = position;
        self.since_begin += bytes;
        if let Some(segment) = self.segments.back_mut() {
            segment.bytes += bytes;
            segment.last_close = segment.last_close.max(last_close);
        }
        let delivered = self.delivered;
        while self
            .pending
            .front()
            .is_some_and(|first| *first <= delivered)
        {
            self.pending.pop_front();
        }
        *lock(&self.shared.segments) = self.segments.iter().copied().collect();
        if last_close > 0 {
            self.told.send_replace(last_close);
        }
    }

    /// A full journal keeps what it has: new calls are not recorded, those that are in it are ended.
    fn drop_what_has_no_room(&mut self) {
        let bytes = self.bytes();
        let (soft, hard) = (self.bytes_max, self.bytes_max + self.bytes_max / RESERVE);
        if bytes < soft {
            return;
        }
        let (open, shared) = (&self.open, &self.shared);
        self.waiting.retain(|command| {
            let keep = match command {
                Command::Write(Entry::Open(_), _) => false,
                Command::Write(Entry::Close(cdr), _) => {
                    bytes < hard && open.contains_key(&cdr.sequence)
                }
                Command::Write(..) | Command::Flush(_) | Command::Stop => true,
            };
            if !keep {
                shared.lose(command, "the journal is full; bring the database back");
            }
            keep
        });
    }

    /// Removes the files whose records are all in the database. What they say of open calls stands in
    /// the last one too.
    fn tidy(&mut self) {
        while self.segments.len() > 1
            && let Some(first) = self.segments.front()
            && first.last_close <= self.delivered
        {
            if let Err(error) = self.folder.remove(first.first)
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!("a finished file of the journal cannot be removed: {error}");
                return;
            }
            self.segments.pop_front();
        }
        *lock(&self.shared.segments) = self.segments.iter().copied().collect();
    }

    fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    fn publish(&mut self) {
        let bytes = self.bytes();
        let percent = bytes * 100 / self.bytes_max;
        let level = LEVELS.iter().filter(|level| percent >= **level).count();
        if level > self.level {
            tracing::warn!(
                "the journal of call records is {percent} % full: {} records wait for the database; at \
                 100 % new calls are no longer recorded. Bring the database back",
                self.pending.len()
            );
        }
        self.level = level;
        *lock(&self.shared.health) = JournalHealth {
            bytes,
            bytes_max: self.bytes_max,
            pending: self.pending.len(),
            open: self.open.len(),
            lost: 0,
            damaged: self.damaged,
            error: self.error.clone(),
        };
    }
}

/// Microseconds since 1970.
fn now_us() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(now.unwrap_or_default().as_micros()).unwrap_or(i64::MAX)
}
