//! Consoles that follow the log, each through a bounded queue.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc;

use super::Log;
use super::level::Levels;

/// Consoles that may follow the log at a time.
pub(crate) const CONSOLES_MAX: usize = 8;

/// Lines that wait for a console.
const LINES_MAX: usize = 1_024;

/// A console, seen from the log.
#[derive(Clone)]
pub(super) struct Console {
    pub(super) id: u32,
    pub(super) levels: Levels,
    pub(super) queue: Queue,
}

/// The log's end of a queue. A line that does not fit is counted instead.
#[derive(Clone)]
pub(super) struct Queue {
    lines: mpsc::Sender<String>,
    left_out: Arc<AtomicU64>,
}

impl Queue {
    pub(super) fn new() -> (Self, Received) {
        let (lines, received) = mpsc::channel(LINES_MAX);
        let left_out = Arc::new(AtomicU64::new(0));
        let queue = Self {
            lines,
            left_out: left_out.clone(),
        };
        let received = Received {
            lines: received,
            left_out,
        };
        (queue, received)
    }

    pub(super) fn push(&self, line: String) {
        if self.lines.try_send(line).is_err() {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The console's end of a queue.
pub(super) struct Received {
    lines: mpsc::Receiver<String>,
    left_out: Arc<AtomicU64>,
}

/// A console that follows the log until this is dropped.
pub struct Attached {
    log: Log,
    id: u32,
    received: Received,
}

impl Attached {
    pub(super) fn new(log: Log, id: u32, received: Received) -> Self {
        Self { log, id, received }
    }

    /// Its number, by which it can be set.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The next line, ended; first a note if some did not fit.
    pub async fn next(&mut self) -> Option<String> {
        let line = self.received.lines.recv().await?;
        match self.received.left_out.swap(0, Ordering::Relaxed) {
            0 => Some(line),
            left_out => Some(format!(
                "{line}[{left_out} lines of the log are left out here: the console reads too slowly]\n"
            )),
        }
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        self.log.detach(self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::{LINES_MAX, Queue};

    #[tokio::test]
    async fn a_slow_console_loses_lines_and_nobody_waits() {
        let (queue, mut received) = Queue::new();
        for index in 0..LINES_MAX + 3 {
            queue.push(index.to_string());
        }
        assert_eq!(received.lines.recv().await.as_deref(), Some("0"));
        let left_out = received.left_out.load(std::sync::atomic::Ordering::Relaxed);
        assert_eq!(left_out, 3);
    }
}
