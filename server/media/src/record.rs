//! Recordings: one thread that mixes what taps hand it and writes it to files.
//!
//! A media thread never waits for the disk: chunks go into a bounded queue, and what has no room in it is lost to
//! the recording, not to the call. A disk that is full or broken ends the recording, which the log says once.

mod file;
mod track;

pub use file::{Format, Spec};

use file::Open;
use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Chunks of 20 ms that may wait for the disk: a few seconds of a hundred recordings.
const QUEUE_MAX: usize = 32_768;

/// Recordings of the whole exchange at once.
const OPEN_MAX: usize = 4_096;

/// How often recordings whose end found the queue full are looked for.
const LOOK: Duration = Duration::from_millis(500);

/// A sample that is louder is no silence.
const LOUD: u16 = 256;

/// One of the two directions of a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// What the peer says: it comes in.
    Heard,
    /// What the peer is told: it goes out.
    Said,
}

/// Samples and their place in a recording.
pub(crate) struct Chunk {
    pub(crate) side: Side,
    /// In samples since the beginning.
    pub(crate) at: u64,
    pub(crate) samples: Vec<i16>,
}

enum Message {
    Begin {
        number: u64,
        open: Box<Open>,
    },
    Chunk {
        number: u64,
        chunk: Chunk,
    },
    End {
        number: u64,
    },
    Finish {
        number: u64,
        kept: Duration,
        told: oneshot::Sender<()>,
    },
}

/// The thread that writes all recordings; it starts with the first one.
#[derive(Default)]
pub struct Recorder {
    queue: OnceLock<SyncSender<Message>>,
    numbers: AtomicU64,
    open: Arc<AtomicUsize>,
}

/// Where a tap puts what it hears.
#[derive(Clone)]
pub struct Sink {
    number: u64,
    rate_hz: u32,
    queue: SyncSender<Message>,
    state: Arc<State>,
}

impl std::fmt::Debug for Sink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sink({})", self.number)
    }
}

#[derive(Default)]
struct State {
    /// It is over.
    is_over: AtomicBool,
    /// Chunks of the peer that were no silence.
    loud: AtomicU64,
    /// Chunks the queue had no room for.
    lost: AtomicU64,
    /// Counted as one of those there may be.
    _place: Option<Place>,
}

/// One of the recordings there may be.
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A recording; it ends when this is dropped.
#[must_use = "the recording ends when this is dropped"]
pub struct Recording {
    number: u64,
    queue: SyncSender<Message>,
    state: Arc<State>,
    /// The thread has been told already that it ends.
    is_finished: bool,
}

impl std::fmt::Debug for Recording {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Recording({})", self.number)
    }
}

impl Recorder {
    /// Opens the files and begins. It waits for the disk: not for a task.
    ///
    /// # Errors
    ///
    /// When a file cannot be made.
    pub fn begin(&self, spec: &Spec) -> io::Result<(Sink, Recording)> {
        let place = Place(Arc::clone(&self.open));
        if self.open.fetch_add(1, Ordering::Relaxed) >= OPEN_MAX {
            let text = format!("there are {OPEN_MAX} recordings already (OPEN_MAX)");
            return Err(io::Error::other(text));
        }
        let state = Arc::new(State {
            _place: Some(place),
            ..State::default()
        });
        let mut open = Box::new(Open::new(spec)?);
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let queue = self.queue()?.clone();
        open.state = Arc::clone(&state);
        let begin = Message::Begin { number, open };
        queue
            .send(begin)
            .map_err(|_| io::Error::other("the recorder is gone"))?;
        let sink = Sink {
            number,
            rate_hz: spec.rate_hz,
            queue: queue.clone(),
            state: Arc::clone(&state),
        };
        let recording = Recording {
            number,
            queue,
            state,
            is_finished: false,
        };
        Ok((sink, recording))
    }

    fn queue(&self) -> io::Result<&SyncSender<Message>> {
        if let Some(queue) = self.queue.get() {
            return Ok(queue);
        }
        let (sender, receiver) = sync_channel(QUEUE_MAX);
        std::thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(move || run(&receiver))?;
        // Two that begin at once start two threads; that of the one that loses ends with its queue.
        Ok(self.queue.get_or_init(|| sender))
    }
}

impl Sink {
    pub(crate) fn rate_hz(&self) -> u32 {
        self.rate_hz
    }

    pub(crate) fn write(&self, chunk: Chunk) {
        let is_loud = chunk.samples.iter().any(|it| it.unsigned_abs() > LOUD);
        if chunk.side == Side::Heard && is_loud {
            self.state.loud.fetch_add(1, Ordering::Relaxed);
        }
        let number = self.number;
        // A queue without room loses the chunk, which is told at the end.
        if self
            .queue
            .try_send(Message::Chunk { number, chunk })
            .is_err()
        {
            self.state.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Recording {
    /// How many chunks of the peer were no silence so far.
    pub fn loud(&self) -> u64 {
        self.state.loud.load(Ordering::Relaxed)
    }

    /// Ends it, and keeps so much of it. The receiver is told when the files are whole; one that learns nothing found
    /// the queue full.
    pub fn finish(mut self, kept: Duration) -> oneshot::Receiver<()> {
        let (told, finished) = oneshot::channel();
        let number = self.number;
        let sent = self.queue.try_send(Message::Finish { number, kept, told });
        self.is_finished = sent.is_ok();
        finished
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        let number = self.number;
        if self.is_finished {
            return;
        }
        if self.queue.try_send(Message::End { number }).is_err() {
            self.state.is_over.store(true, Ordering::Relaxed);
        }
    }
}

/// Writes until nobody is left who could record.
fn run(queue: &Receiver<Message>) {
    let mut open: HashMap<u64, Box<Open>> = HashMap::new();
    let mut looked = Instant::now();
    loop {
        match queue.recv_timeout(LOOK) {
            Ok(Message::Begin { number, open: new }) => {
                open.insert(number, new);
            }
            Ok(Message::Chunk { number, chunk }) => {
                if let Some(own) = open.get_mut(&number) {
                    own.add(&chunk);
                }
            }
            Ok(Message::End { number }) => end(open.remove(&number), None),
            Ok(Message::Finish { number, kept, told }) => {
                end(open.remove(&number), Some(kept));
                // Who does not wait is not told.
                let _ = told.send(());
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if looked.elapsed() >= LOOK {
            looked = Instant::now();
            let over = open.extract_if(|_, own| own.state.is_over.load(Ordering::Relaxed));
            over.for_each(|(_, own)| end(Some(own), None));
        }
    }
}

fn end(open: Option<Box<Open>>, kept: Option<Duration>) {
    let Some(mut open) = open else {
        return;
    };
    let lost = open.state.lost.load(Ordering::Relaxed);
    if lost > 0 {
        let files = open.names();
        tracing::warn!(
            lost,
            "{files}: pieces of 20 ms were lost, the disk is too slow"
        );
    }
    if let Some(kept) = kept {
        open.keep(kept);
    }
}

/// The format a file's name asks for, by its ending.
pub fn format_of(file: &Path) -> Option<Format> {
    Format::of_ending(file.extension()?.to_str()?)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::Ordering;
    use std::sync::mpsc::sync_channel;
    use std::time::Duration;

    use super::{Message, Recording, State};

    /// What is queued of a recording that is finished is still written: nothing sweeps it away before.
    #[test]
    fn the_end_of_a_recording_waits_its_turn_in_a_full_queue() {
        let (queue, waiting) = sync_channel(1);
        let state = Arc::new(State::default());
        let recording = Recording {
            number: 7,
            queue,
            state: Arc::clone(&state),
            is_finished: false,
        };
        let finished = recording.finish(Duration::from_secs(1));
        assert!(!state.is_over.load(Ordering::Relaxed));
        assert!(matches!(
            waiting.try_recv(),
            Ok(Message::Finish { number: 7, .. })
        ));
        assert!(waiting.try_recv().is_err());
        drop(finished);
    }

    /// One that finds no room at all is swept.
    #[test]
    fn a_recording_whose_end_finds_no_room_is_over() {
        let (queue, _waiting) = sync_channel(1);
        queue.try_send(Message::End { number: 1 }).unwrap();
        let state = Arc::new(State::default());
        let recording = Recording {
            number: 7,
            queue,
            state: Arc::clone(&state),
            is_finished: false,
        };
        let mut finished = recording.finish(Duration::from_secs(1));
        assert!(state.is_over.load(Ordering::Relaxed) && finished.try_recv().is_err());
    }
}
