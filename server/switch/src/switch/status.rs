//! What `/status` and the console show of the exchange as a whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dialplan::Position;
use serde::Serialize;

use super::Switch;
use crate::channel::Channel;
use crate::directory::{ChannelHandle, ChannelState};
use crate::leg::MediaCounts;
use crate::story::FinishedStory;

/// Counts and stories.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// Channels that exist.
    pub channels: usize,
    /// Calls that exist, as Asterisk counts them: what goes through the dial plan, with all it calls.
    pub calls: usize,
    /// Calls since the start.
    pub calls_total: u64,
    /// Tasks of calls.
    pub tasks: usize,
    /// Legs and ports.
    pub media: MediaCounts,
    /// The live calls.
    pub live: Vec<Live>,
    /// The latest finished calls, the oldest first.
    pub stories: Vec<Arc<FinishedStory>>,
}

/// A live call.
#[derive(Clone, Debug, Serialize)]
pub struct Live {
    /// The channel's name.
    pub channel: String,
    /// `epoch.counter`.
    pub unique_id: String,
    /// The caller's number.
    pub caller: String,
    /// `exten@context:priority`, as in `core show channels`.
    pub location: String,
    /// What runs.
    pub application: String,
    /// How far it has come.
    pub state: ChannelState,
    /// Its streams in words.
    pub streams: String,
}

impl Live {
    fn of(handle: &ChannelHandle) -> Self {
        let info = handle.info();
        let Position {
            context,
            exten,
            priority,
        } = &info.at;
        Self {
            channel: handle.name().to_owned(),
            unique_id: handle.unique_id().to_owned(),
            caller: info.caller.number.clone(),
            location: format!("{exten}@{context}:{priority}"),
            application: info.application.clone(),
            state: info.state,
            streams: info.streams.clone(),
        }
    }
}

impl Switch {
    /// Counts and stories, as `/status` shows them.
    pub fn status(&self) -> Status {
        let shared = &self.shared;
        Status {
            channels: shared.directory.count(),
            calls: shared.calls_now.load(Ordering::Relaxed),
            calls_total: shared.calls.load(Ordering::Relaxed),
            tasks: shared.tasks.len(),
            media: shared.media.counts(),
            live: shared.directory.all().iter().map(Live::of).collect(),
            stories: shared.directory.stories(),
        }
    }

    /// Counts a call as long as what is returned exists; the channel is counted once in the sum of all.
    pub(crate) fn count_call(&self, channel: &mut Channel) -> Counted {
        if channel.count() {
            self.shared.calls.fetch_add(1, Ordering::Relaxed);
        }
        let now = Arc::clone(&self.shared.calls_now);
        now.fetch_add(1, Ordering::Relaxed);
        Counted(now)
    }
}

/// A call is counted as long as this exists.
pub(crate) struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
