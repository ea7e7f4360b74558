//! What signalling and media were told, line by line.

use std::sync::{Arc, Mutex};

use tokio::time::Instant;

/// What happened at the seams, in order: verbs of signalling and media, with the time in milliseconds.
#[derive(Clone)]
pub(crate) struct Ladder {
    began: Instant,
    lines: Arc<Mutex<Vec<(u128, String)>>>,
}

impl Ladder {
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            lines: Arc::default(),
        }
    }

    pub(crate) fn write(&self, line: impl Into<String>) {
        let at = self.began.elapsed().as_millis();
        self.lines.lock().unwrap().push((at, line.into()));
    }

    /// All lines so far, with the milliseconds they were written at.
    pub(crate) fn timed(&self) -> Vec<(u128, String)> {
        self.lines.lock().unwrap().clone()
    }

    /// All lines so far, without times.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines
            .lock()
            .unwrap()
            .iter()
            .map(|(_, line)| line.clone())
            .collect()
    }

    /// When a line was written, in milliseconds since the world began.
    pub(crate) fn time_of(&self, line: &str) -> Option<u128> {
        let lines = self.lines.lock().unwrap();
        lines
            .iter()
            .find(|(_, written)| written == line)
            .map(|(at, _)| *at)
    }

    pub(crate) fn has(&self, line: &str) -> bool {
        self.time_of(line).is_some()
    }

    pub(crate) fn count(&self, line: &str) -> usize {
        self.lines()
            .iter()
            .filter(|written| *written == line)
            .count()
    }
}
