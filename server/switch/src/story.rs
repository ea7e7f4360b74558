//! What happened to a call, in order: a bounded list of timed, typed events.
//!
//! The log, `/status` and the console show views of it; [`verdict`] turns it into one sentence that
//! names the cure, in English and Russian. Times are milliseconds since the call came in.

mod told;
mod verdict;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use tokio::time::Instant;

use crate::cause::Cause;

pub use verdict::{PlainRtp, Surroundings, Verdict, verdict};

/// Events one story keeps. The first half is the call's beginning, the second half its latest events;
/// what falls out in between is counted.
pub const STORY_EVENTS_MAX: usize = 128;

/// Characters kept of each text in a story: a message's first line, a reason.
pub const STORY_TEXT_MAX: usize = 240;

/// One of the two ends of a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The exchange.
    Us,
    /// The browser or phone.
    Them,
}

/// One thing worth telling.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum StoryEvent {
    /// A signalling message went out.
    Sent {
        /// Its first line, and CSeq if that says more.
        message: String,
        /// The flow: transport and the far address.
        flow: String,
    },
    /// A signalling message came in.
    Received {
        /// Its first line, and CSeq if that says more.
        message: String,
        /// The flow: transport and the far address.
        flow: String,
    },
    /// Streams were offered.
    Offered {
        /// Who offers.
        by: Side,
        /// The streams in words: `audio sendrecv, video sendrecv`.
        streams: String,
    },
    /// An offer was answered.
    Answered {
        /// Who answers.
        by: Side,
        /// What stands now.
        streams: String,
    },
    /// An offer was refused.
    Refused {
        /// Who refuses.
        by: Side,
        /// The SIP status.
        status: u16,
        /// Why.
        why: String,
        /// Whether for want of a codec both have.
        lacks_codec: bool,
    },
    /// A remark of the negotiation or of an application, for a person.
    Remark {
        /// The sentence.
        text: String,
    },
    /// The call was answered.
    Up,
    /// An application of the dial plan started.
    Application {
        /// Its name and arguments.
        application: String,
        /// `context,extension,priority`.
        at: String,
    },
    /// A pair of candidates answered.
    IcePair {
        /// Our address.
        local: SocketAddr,
        /// The far address.
        remote: SocketAddr,
    },
    /// A desk phone's packets come, and are believed from here.
    RtpSource {
        /// Our address.
        local: SocketAddr,
        /// The far address.
        remote: SocketAddr,
        /// Where our packets go.
        target: SocketAddr,
    },
    /// DTLS is done: media can flow.
    Secured {
        /// The DTLS version and suite.
        dtls: String,
        /// The SRTP profile.
        srtp: String,
    },
    /// The first packet of a kind of media.
    FirstPacket {
        /// `audio` or `video`.
        kind: &'static str,
        /// Whether it came in, or went out.
        received: bool,
    },
    /// What one stream carried, at the end.
    Sums {
        /// The number of its `m=` line, from 0.
        mline: usize,
        /// `audio` or `video`.
        kind: &'static str,
        /// Packets received.
        packets_in: u64,
        /// Packets lost on the way here for good.
        lost: u64,
        /// Interarrival jitter in microseconds.
        jitter_us: u64,
        /// Packets sent.
        packets_out: u64,
        /// Packets the far end reported missing.
        nacks_in: u64,
        /// Key frames the far end asked for.
        keyframe_requests_in: u64,
        /// Packets of ours that the far end missed, as it last reported (RTCP).
        lost_out: u64,
        /// How long a packet takes there and back, in microseconds, where reports told.
        round_trip_us: Option<u64>,
        /// Packets of strangers that were refused.
        refused: u64,
    },
    /// A digit.
    Digit {
        /// Which.
        digit: char,
    },
    /// The far end put us on hold.
    Held,
    /// The far end took us off hold.
    Resumed,
    /// The connection for signalling was lost.
    FlowLost,
    /// The far end came back.
    FlowRestored,
    /// Media ended before the call did.
    MediaDown {
        /// Why, in words.
        why: String,
        /// Whether media had never been up.
        never_up: bool,
        /// Whether `rtp_timeout` ended it.
        timed_out: bool,
    },
    /// The end.
    Ended {
        /// Who ended it.
        by: Side,
        /// Why.
        cause: Cause,
    },
}

/// An event and its time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entry {
    /// Milliseconds since the call came in.
    pub at_ms: u64,
    /// What happened.
    #[serde(flatten)]
    pub event: StoryEvent,
}

/// Who and what a story is about.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Subject {
    /// The channel, `PJSIP/alice-00000001`.
    pub channel: String,
    /// The unique id, `epoch.counter`.
    pub unique_id: String,
    /// The protocol's name of the call (SIP Call-ID).
    pub call_id: String,
    /// The endpoint.
    pub endpoint: String,
    /// The caller's number.
    pub caller: String,
    /// The extension dialled.
    pub exten: String,
    /// The context it was dialled in.
    pub context: String,
    /// The address we called, where the call went out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub called: Option<String>,
}

/// The story of a call that goes on.
#[derive(Debug)]
pub struct Story {
    subject: Subject,
    began: Instant,
    began_unix_ms: u64,
    early: Vec<Entry>,
    late: VecDeque<Entry>,
    omitted: u64,
}

/// The story of a call that is over.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FinishedStory {
    /// Who and what.
    #[serde(flatten)]
    pub subject: Subject,
    /// When the call came in, in milliseconds since 1970.
    pub began_unix_ms: u64,
    /// How long it lasted.
    pub lasted_ms: u64,
    /// Why it ended.
    pub cause: Cause,
    /// What went wrong and what cures it; `None` if nothing did.
    pub verdict: Option<Verdict>,
    /// Events between the first and the second half of `events` that were not kept.
    pub omitted: u64,
    /// What happened.
    pub events: Vec<Entry>,
}

/// The story of a call that goes on, as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct StorySoFar {
    /// Who and what.
    pub subject: Subject,
    /// When the call came in, in milliseconds since 1970.
    pub began_unix_ms: u64,
    /// Events between the first and the second half of `events` that were not kept.
    pub omitted: u64,
    /// What happened.
    pub events: Vec<Entry>,
}

impl Story {
    /// A story that begins now.
    pub fn begin(subject: Subject) -> Self {
        let unix = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            subject,
            began: Instant::now(),
            began_unix_ms: millis(unix),
            early: Vec::new(),
            late: VecDeque::new(),
            omitted: 0,
        }
    }

    /// Adds an event that happened now.
    pub fn add(&mut self, mut event: StoryEvent) {
        event.shorten();
        let entry = Entry {
            at_ms: millis(self.began.elapsed()),
            event,
        };
        if self.early.len() < STORY_EVENTS_MAX / 2 {
            self.early.push(entry);
            return;
        }
        if self.late.len() == STORY_EVENTS_MAX / 2 {
            self.late.pop_front();
            self.omitted += 1;
        }
        self.late.push_back(entry);
    }

    /// Who and what it is about.
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// What has happened so far.
    pub fn so_far(&self) -> StorySoFar {
        StorySoFar {
            subject: self.subject.clone(),
            began_unix_ms: self.began_unix_ms,
            omitted: self.omitted,
            events: self.early.iter().chain(&self.late).cloned().collect(),
        }
    }

    /// How long the call has lasted.
    pub fn lasted(&self) -> Duration {
        self.began.elapsed()
    }

    /// Closes the story with the cause of the end and judges it.
    pub fn finish(mut self, by: Side, cause: Cause, surroundings: &Surroundings) -> FinishedStory {
        self.add(StoryEvent::Ended { by, cause });
        let lasted_ms = millis(self.lasted());
        let mut events = self.early;
        events.extend(self.late);
        let verdict = verdict(&events, surroundings);
        FinishedStory {
            subject: self.subject,
            began_unix_ms: self.began_unix_ms,
            lasted_ms,
            cause,
            verdict,
            omitted: self.omitted,
            events,
        }
    }
}

impl StoryEvent {
    /// The account of one stream.
    pub fn sums(stream: &rtc::StreamStats) -> Self {
        Self::Sums {
            mline: stream.stream.0,
            kind: stream.kind.as_str(),
            packets_in: stream.packets_in,
            lost: stream.lost,
            jitter_us: stream.jitter_us,
            packets_out: stream.packets_out,
            nacks_in: stream.nacks_in,
            keyframe_requests_in: stream.keyframe_requests_in,
            lost_out: stream.lost_out,
            round_trip_us: stream.round_trip_us,
            refused: stream.refused,
        }
    }

    /// Cuts texts that a stranger chose to [`STORY_TEXT_MAX`] characters.
    fn shorten(&mut self) {
        match self {
            Self::Sent { message, flow } | Self::Received { message, flow } => {
                cut(message);
                cut(flow);
            }
            Self::Offered { streams: text, .. }
            | Self::Answered { streams: text, .. }
            | Self::Refused { why: text, .. }
            | Self::Remark { text }
            | Self::MediaDown { why: text, .. } => cut(text),
            Self::Application { application, at } => {
                cut(application);
                cut(at);
            }
            Self::Secured { dtls, srtp } => {
                cut(dtls);
                cut(srtp);
            }
            Self::Up
            | Self::IcePair { .. }
            | Self::RtpSource { .. }
            | Self::FirstPacket { .. }
            | Self::Sums { .. }
            | Self::Digit { .. }
            | Self::Held
            | Self::Resumed
            | Self::FlowLost
            | Self::FlowRestored
            | Self::Ended { .. } => {}
        }
    }
}

fn cut(text: &mut String) {
    if let Some((end, _)) = text.char_indices().nth(STORY_TEXT_MAX) {
        text.truncate(end);
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
pub(crate) fn subject() -> Subject {
    Subject {
        channel: "PJSIP/alice-00000001".to_owned(),
        unique_id: "1795385558.1".to_owned(),
        call_id: "mthivalqlqc3l9gfsuas0f".to_owned(),
        endpoint: "alice".to_owned(),
        caller: "alice".to_owned(),
        exten: "246".to_owned(),
        context: "sets".to_owned(),
        called: None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{STORY_EVENTS_MAX, STORY_TEXT_MAX, Side, Story, StoryEvent, Surroundings, subject};
    use crate::cause::Cause;

    #[tokio::test(start_paused = true)]
    async fn keeps_the_beginning_and_the_latest_and_counts_the_rest() {
        let mut story = Story::begin(subject());
        for step in 0..1000_u32 {
            tokio::time::advance(Duration::from_millis(1)).await;
            story.add(StoryEvent::Remark {
                text: step.to_string(),
            });
        }
        let story = story.finish(Side::Us, Cause::NormalClearing, &Surroundings::default());
        assert_eq!(story.events.len(), STORY_EVENTS_MAX);
        assert_eq!(story.omitted, 1001 - STORY_EVENTS_MAX as u64);
        assert_eq!(story.events[0].at_ms, 1);
        assert_eq!(story.lasted_ms, 1000);
        let last = &story.events[STORY_EVENTS_MAX - 1].event;
        assert_eq!(
            *last,
            StoryEvent::Ended {
                by: Side::Us,
                cause: Cause::NormalClearing
            }
        );
    }

    #[tokio::test(start_paused = true)]
    async fn texts_of_strangers_are_cut_at_a_character() {
        let mut story = Story::begin(subject());
        story.add(StoryEvent::Received {
            message: "é".repeat(10_000),
            flow: "wss".to_owned(),
        });
        let story = story.finish(Side::Them, Cause::NormalClearing, &Surroundings::default());
        let StoryEvent::Received { message, .. } = &story.events[0].event else {
            panic!("not the event that was added")
        };
        assert_eq!(message.chars().count(), STORY_TEXT_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn is_flat_json() {
        let mut story = Story::begin(subject());
        story.add(StoryEvent::Digit { digit: '#' });
        let story = story.finish(Side::Them, Cause::UserBusy, &Surroundings::default());
        let json = serde_json::to_value(&story).unwrap();
        assert_eq!(json["channel"], "PJSIP/alice-00000001");
        assert_eq!(json["events"][0]["event"], "digit");
        assert_eq!(json["events"][0]["digit"], "#");
        assert_eq!(json["events"][1]["cause"]["q850"], 17);
    }
}
