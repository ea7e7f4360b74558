//! Recordings of what a channel says and hears.

use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use media::{RecordFormat, RecordSpec, Recorder, Recording, format_of};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use super::Channel;
use crate::event::AppResult;
use crate::leg::MediaLeg;
use crate::story::StoryEvent;

/// How long a call waits for the files of a recording to be whole.
const FINISH_MAX: Duration = Duration::from_secs(5);

/// How long a call that is being answered waits for a file to be opened.
const BEGIN_MAX: Duration = Duration::from_secs(2);

/// Recordings of one channel at once.
const RECORDINGS_MAX: usize = 8;

/// A recording that goes on, or that begins with the media of the call.
pub(super) struct Running {
    id: u64,
    began: Instant,
    file: PathBuf,
    stage: Stage,
}

enum Stage {
    /// There is no media yet, and no file.
    Armed(RecordSpec),
    /// What is heard is written.
    Writes(Writing),
}

/// Its parts are dropped in this order: nothing more is heard, then the file is closed.
struct Writing {
    _tap: Box<dyn Send + Sync>,
    recording: Recording,
}

/// Why a channel is not recorded.
#[derive(Debug, thiserror::Error)]
pub enum NotRecorded {
    /// The name leads out of the folder of recordings.
    #[error("'{0}' is no name of a recording: it has `..` in it")]
    Name(String),
    /// The ending stands for nothing that can be written.
    #[error(
        "'{0}' has no ending that can be written: wav, wav16, sln, sln16, sln48, ulaw, alaw or g722"
    )]
    Ending(String),
    /// Too many at once.
    #[error("the channel has {RECORDINGS_MAX} recordings already (RECORDINGS_MAX)")]
    TooMany,
    /// There is no sound of its own.
    #[error("the channel has no media of its own: record the one it talks to")]
    NoMedia,
    /// The disk does not take it.
    #[error("the file cannot be written: {0}")]
    Disk(#[from] io::Error),
}

impl Channel {
    /// The number and the file of each recording that goes on, or waits for the media of the call.
    pub(super) fn recordings_now(&self) -> Vec<(u64, String)> {
        // `Record` and the like listen without a file.
        let with_file = |own: &&Running| !own.file.as_os_str().is_empty();
        let running = self.recordings.iter().filter(with_file);
        let shown = running.map(|own| (own.id, own.file.display().to_string()));
        shown.collect()
    }

    /// Where a recording of this name is, and how it is written: in the folder of recordings, unless the name is a
    /// whole path.
    ///
    /// # Errors
    ///
    /// When the name or its ending cannot be used.
    pub fn recording_file(&self, name: &str) -> Result<(PathBuf, RecordFormat), NotRecorded> {
        file_in(&self.switch.config().own.recordings, name)
    }

    /// The same for what is to be played later: in the folder of sounds, unless the name is a whole path.
    ///
    /// # Errors
    ///
    /// When the name or its ending cannot be used.
    pub fn sound_file(&self, name: &str) -> Result<(PathBuf, RecordFormat), NotRecorded> {
        file_in(&self.switch.config().own.sounds, name)
    }

    /// Begins to listen to the far end without keeping anything of it; a number for [`Self::loud`].
    pub async fn listen_in(&mut self) -> AppResult<Result<u64, NotRecorded>> {
        let spec = RecordSpec {
            rate_hz: 8_000,
            files: Vec::new(),
            is_appended: false,
            volume: [0; 2],
        };
        self.record_sound(spec).await
    }

    /// Begins to record, or will as soon as the call has media; the number of the recording.
    pub async fn record_sound(&mut self, spec: RecordSpec) -> AppResult<Result<u64, NotRecorded>> {
        if self.recordings.len() >= RECORDINGS_MAX {
            return Ok(Err(NotRecorded::TooMany));
        }
        let file = spec.files.first().map(|(file, ..)| file.clone());
        let file = file.unwrap_or_default();
        let stage = match &self.leg {
            None => {
                self.tell_of(&file, |file| {
                    format!("recorded to {file} once there is media")
                });
                Stage::Armed(spec)
            }
            Some(leg) => {
                let begin = write(self.switch.recorder(), Arc::clone(leg), spec);
                match self.during(begin).await? {
                    Ok(writing) => Stage::Writes(writing),
                    Err(why) => return Ok(Err(why)),
                }
            }
        };
        let id = self.switch.lucky().into();
        if matches!(stage, Stage::Writes(_)) {
            self.tell_of(&file, |file| format!("recorded to {file}"));
        }
        self.recordings.push(Running {
            id,
            began: Instant::now(),
            file,
            stage,
        });
        Ok(Ok(id))
    }

    /// There is media now: begins what was to be recorded from here on.
    pub(super) async fn record_armed(&mut self) {
        let Some(leg) = self.leg.clone() else {
            return;
        };
        // Each stands in the list while its file is opened: whoever drops this in between ends none of the others.
        let mut at = 0;
        while let Some(running) = self.recordings.get(at) {
            let (id, file) = (running.id, running.file.clone());
            let Stage::Armed(spec) = &running.stage else {
                at += 1;
                continue;
            };
            let begin = write(self.switch.recorder(), Arc::clone(&leg), spec.clone());
            let begun = timeout(BEGIN_MAX, begin).await;
            let why = match begun {
                Ok(Ok(writing)) => {
                    self.tell_of(&file, |file| format!("recorded to {file}"));
                    if let Some(running) = self.recordings.iter_mut().find(|own| own.id == id) {
                        running.stage = Stage::Writes(writing);
                        running.began = Instant::now();
                    }
                    continue;
                }
                Ok(Err(why)) => why.to_string(),
                Err(_) => format!("the disk has not opened it within {BEGIN_MAX:?}"),
            };
            let text = format!("{} is not recorded: {why}", file.display());
            tracing::warn!(channel = self.name(), "{text}");
            self.tell(StoryEvent::Remark { text });
            self.recordings.retain(|running| running.id != id);
        }
    }

    /// A remark about a file; none where only somebody listens.
    fn tell_of(&mut self, file: &Path, text: impl FnOnce(std::path::Display<'_>) -> String) {
        if !file.as_os_str().is_empty() {
            let text = text(file.display());
            self.tell(StoryEvent::Remark { text });
        }
    }

    /// Ends a recording, or all of them. `false`: there was none.
    pub fn stop_recording(&mut self, id: Option<u64>) -> bool {
        let before = self.recordings.len();
        let mut ended = Vec::new();
        self.recordings.retain(|running| {
            let ends = id.is_none_or(|id| running.id == id);
            if ends {
                ended.push(running.file.display().to_string());
            }
            !ends
        });
        for file in ended.into_iter().filter(|file| !file.is_empty()) {
            let text = format!("{file} is recorded to its end");
            self.tell(StoryEvent::Remark { text });
        }
        self.recordings.len() < before
    }

    /// Ends a recording and leaves off what came last, for so long. Returns when its files are whole.
    pub async fn finish_recording(&mut self, id: u64, without: Duration) {
        let mut ended = self.recordings.extract_if(.., |running| running.id == id);
        let Some(running) = ended.next() else {
            return;
        };
        drop(ended);
        let kept = running.began.elapsed().saturating_sub(without);
        let Stage::Writes(Writing {
            _tap: tap,
            recording,
        }) = running.stage
        else {
            return;
        };
        let file = running.file;
        drop(tap);
        let text = format!("{} is recorded to its end", file.display());
        self.tell(StoryEvent::Remark { text });
        // Also by who has hung up: it may have left a message.
        if !is_whole(recording.finish(kept)).await {
            let file = file.display();
            let text = format!("{file} is not whole after {FINISH_MAX:?}: the disk is too slow");
            tracing::warn!(channel = self.name(), "{text}");
            self.tell(StoryEvent::Remark { text });
        }
    }

    /// Whether this recording goes on.
    pub fn is_recording(&self, id: u64) -> bool {
        self.recordings.iter().any(|running| running.id == id)
    }

    /// How many pieces of 20 ms the far end was not silent in, so far.
    pub fn loud(&self, id: u64) -> u64 {
        let running = self.recordings.iter().find(|running| running.id == id);
        running.map_or(0, |running| match &running.stage {
            Stage::Armed(_) => 0,
            Stage::Writes(writing) => writing.recording.loud(),
        })
    }
}

/// Waits until the files are whole, which they are in a moment. `false`: not for ever, for the call waits meanwhile.
async fn is_whole(finished: oneshot::Receiver<()>) -> bool {
    timeout(FINISH_MAX, finished).await.is_ok()
}

/// A file of this folder, unless the name is a whole path.
fn file_in(folder: &str, name: &str) -> Result<(PathBuf, RecordFormat), NotRecorded> {
    let leads_out = Path::new(name)
        .components()
        .any(|it| it == Component::ParentDir);
    if leads_out || name.is_empty() {
        return Err(NotRecorded::Name(name.to_owned()));
    }
    let file = Path::new(folder).join(name);
    let format = format_of(&file).ok_or_else(|| NotRecorded::Ending(name.to_owned()))?;
    Ok((file, format))
}

/// Opens the files and lets the recorder hear the leg.
async fn write(
    recorder: Arc<Recorder>,
    leg: Arc<dyn MediaLeg>,
    spec: RecordSpec,
) -> Result<Writing, NotRecorded> {
    let begin = tokio::task::spawn_blocking(move || recorder.begin(&spec));
    let begun = begin.await.expect("opening a file does not panic");
    let (sink, recording) = begun?;
    let tap = leg.tap(sink).ok_or(NotRecorded::NoMedia)?;
    Ok(Writing {
        _tap: tap,
        recording,
    })
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;
    use tokio::time::Instant;

    use super::{FINISH_MAX, is_whole};

    #[tokio::test(start_paused = true)]
    async fn a_disk_that_hangs_is_waited_for_only_so_long() {
        let (hanging, finished) = oneshot::channel();
        let began = Instant::now();
        assert!(!is_whole(finished).await);
        assert_eq!(began.elapsed(), FINISH_MAX);
        drop(hanging);
        let (told, finished) = oneshot::channel();
        told.send(()).unwrap();
        assert!(is_whole(finished).await);
    }
}
