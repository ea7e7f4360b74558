//! The journal's files: one folder, numbered files, each written once from its beginning to its end.

use crate::cdr::Cdr;
use crate::journal::record::{self, Entry, Piece};
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// A folder of journal files.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    /// Bytes after which the disk is full, in tests.
    #[cfg(test)]
    pub(crate) room: std::sync::Arc<std::sync::atomic::AtomicI64>,
}

/// One file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// The position of its first record, which is its name.
    pub(crate) first: u64,
    /// Its length, as far as it is sure to be on the disk.
    pub(crate) bytes: u64,
    /// The position of its last record of a finished call; 0 if there is none.
    pub(crate) last_close: u64,
}

/// What the files of an earlier run say.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) journal: Option<String>,
    pub(crate) position: u64,
    pub(crate) sequence: u64,
    pub(crate) delivered: u64,
    /// Calls that were answered and whose end is not written.
    pub(crate) open: BTreeMap<u64, Cdr>,
    /// Positions of finished calls that are not in the database.
    pub(crate) pending: Vec<u64>,
    /// The last time that run is known to have been alive.
    pub(crate) alive_us: i64,
    pub(crate) segments: Vec<Segment>,
    /// Damaged records in the midst of files.
    pub(crate) damaged: usize,
    /// Bytes of records cut short at the ends of files.
    pub(crate) torn: usize,
}

impl Folder {
    /// Makes the folder where it is missing.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        fs::create_dir_all(path)?;
        Ok(Self {
            path: path.to_owned(),
            #[cfg(test)]
            room: std::sync::Arc::new(std::sync::atomic::AtomicI64::new(i64::MAX)),
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Begins a file. One that is there already was begun by a run that wrote nothing into it.
    pub(crate) fn create(&self, first: u64) -> io::Result<File> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(self.file(first))?;
        // The name must be on the disk before anything is promised that stands in the file.
        File::open(&self.path)?.sync_all()?;
        Ok(file)
    }

    /// Writes all of `bytes`.
    pub(crate) fn append(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        #[cfg(test)]
        {
            use std::sync::atomic::Ordering;
            let length = i64::try_from(bytes.len()).unwrap();
            let room = self.room.load(Ordering::Relaxed);
            if room < length {
                let part = usize::try_from(room.max(0)).unwrap();
                file.write_all(&bytes[..part])?;
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.room.fetch_sub(length, Ordering::Relaxed);
        }
        file.write_all(bytes)
    }

    pub(crate) fn remove(&self, first: u64) -> io::Result<()> {
        fs::remove_file(self.file(first))
    }

    /// Whole lines of a file from `offset` on, up to `end` and to about `bytes_max` bytes.
    pub(crate) fn lines(
        &self,
        first: u64,
        offset: u64,
        end: u64,
        bytes_max: u64,
    ) -> io::Result<Vec<u8>> {
        let mut file = File::open(self.file(first))?;
        file.seek(SeekFrom::Start(offset))?;
        let mut wanted = bytes_max;
        loop {
            let length = wanted.min(end.saturating_sub(offset));
            let mut bytes = Vec::new();
            (&file).take(length).read_to_end(&mut bytes)?;
            let whole = record::whole_lines(&bytes);
            if whole > 0 || offset + length >= end {
                bytes.truncate(whole);
                return Ok(bytes);
            }
            // A record longer than that.
            wanted = wanted.saturating_mul(2);
            file.seek(SeekFrom::Start(offset))?;
        }
    }

    /// Reads all files, in order.
    pub(crate) fn read(&self) -> io::Result<Found> {
        let mut found = Found::default();
        let mut firsts = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let name = entry?.file_name();
            let number = name.to_str().and_then(|name| name.strip_suffix(SUFFIX));
            firsts.extend(number.and_then(|number| u64::from_str_radix(number, 16).ok()));
        }
        firsts.sort_unstable();
        let mut closes = Vec::new();
        for first in firsts {
            let bytes = fs::read(self.file(first))?;
            let mut segment = Segment {
                first,
                bytes: bytes.len() as u64,
                last_close: 0,
            };
            let whole = record::whole_lines(&bytes);
            for piece in record::read(&bytes[..whole]) {
                match piece {
                    Piece::Record(position, entry) => {
                        found.take(position, entry, &mut segment, &mut closes);
                    }
                    Piece::Damaged(_) => found.damaged += 1,
                }
            }
            found.torn += bytes.len() - whole;
            found.segments.push(segment);
        }
        closes.sort_unstable();
        closes.dedup();
        closes.retain(|position| *position > found.delivered);
        found.pending = closes;
        Ok(found)
    }

    fn file(&self, first: u64) -> PathBuf {
        self.path.join(format!("{first:016x}{SUFFIX}"))
    }
}

const SUFFIX: &str = ".cdr";

impl Found {
    fn take(&mut self, position: u64, entry: Entry, segment: &mut Segment, closes: &mut Vec<u64>) {
        self.position = self.position.max(position);
        match entry {
            Entry::Begin {
                journal,
                sequence,
                delivered,
            } => {
                self.journal = Some(journal);
                self.sequence = self.sequence.max(sequence);
                self.delivered = self.delivered.max(delivered);
            }
            Entry::Open(cdr) => {
                self.sequence = self.sequence.max(cdr.sequence + 1);
                self.alive_us = self.alive_us.max(cdr.answer_us.unwrap_or(cdr.start_us));
                self.open.insert(cdr.sequence, *cdr);
            }
            Entry::Close(cdr) => {
                self.sequence = self.sequence.max(cdr.sequence + 1);
                self.alive_us = self.alive_us.max(cdr.end_us.unwrap_or_default());
                self.open.remove(&cdr.sequence);
                segment.last_close = segment.last_close.max(position);
                closes.push(position);
            }
            Entry::Forget(sequence) => {
                self.open.remove(&sequence);
            }
            Entry::Alive(at_us) => self.alive_us = self.alive_us.max(at_us),
            Entry::Delivered(position) => self.delivered = self.delivered.max(position),
        }
    }
}
