//! Digits sent as telephone events: RFC 4733 §2.
//!
//! A receiver reports each event twice: when it begins, and when it has ended, with its duration. The
//! end is the E bit, a later event, or silence: all three packets with the E bit may be lost. Packets of
//! one event share a timestamp, which tells a copy or a late packet from a new event with the same
//! digit. A digit begins when the one before has ended, also where its packets overtook the end of that.
//! Events other than the sixteen DTMF digits (§3.2) are ignored.

mod sender;

pub use sender::{EventPacket, EventSender};

use std::time::{Duration, Instant};

/// A digit somebody pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digit {
    /// `0` to `9`, `*`, `#`, `A` to `D`.
    pub digit: char,
    /// How long the tone lasted, as far as packets told.
    pub duration: Duration,
}

impl Digit {
    /// A digit of which nobody said how long it was pressed.
    pub fn brief(digit: char) -> Self {
        let duration = DURATION;
        Self { digit, duration }
    }
}

/// What became known of a digit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigitEvent {
    /// It is pressed.
    Began(char),
    /// It is let go.
    Ended(Digit),
}

/// What durations of events are counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventClock {
    /// The clock of the payload type.
    pub hz: u32,
    /// That of the sound the events stand between. RFC 4733 §2.1 wants both to be alike; where they are not, some
    /// phones (baresip with Opus) count events of 8 kHz by the clock of the sound.
    pub sound_hz: u32,
}

impl From<u32> for EventClock {
    fn from(hz: u32) -> Self {
        Self { hz, sound_hz: hz }
    }
}

/// Turns the packets of one telephone-event source into digits.
#[derive(Debug, Default)]
pub struct DigitReceiver {
    /// Events that have begun and not been reported, oldest first.
    open: Vec<Event>,
    /// Timestamps of the events reported last.
    closed: Vec<u32>,
    reported: Vec<DigitEvent>,
}

#[derive(Clone, Copy, Debug)]
struct Event {
    code: u8,
    /// The timestamp of the packets of this event, or of its latest segment.
    timestamp: u32,
    /// Duration of the finished segments.
    duration_before: u64,
    duration: u16,
    clock: EventClock,
    /// When its first packet came, and the duration that one told.
    began: (Instant, u16),
    heard: Instant,
    /// Its beginning has been reported.
    is_told: bool,
}

impl Event {
    /// How long it lasted. Which clock it is counted by is seen from the time in which its durations grew.
    fn lasted(&self) -> Duration {
        let (began, first) = self.began;
        let units = self.duration_before + u64::from(self.duration);
        let (grown, passed) = (
            units.saturating_sub(first.into()),
            self.heard.saturating_duration_since(began),
        );
        let of = |units: u64, hz: u32| {
            Duration::from_micros(units.saturating_mul(1_000_000) / u64::from(hz.max(1)))
        };
        let EventClock { hz, sound_hz } = self.clock;
        let error = |hz| of(grown, hz).abs_diff(passed);
        match error(sound_hz) < error(hz) {
            true => of(units, sound_hz),
            false => of(units, hz),
        }
    }
}

impl DigitReceiver {
    /// Takes the timestamp and the payload of an RTP packet with a telephone-event payload type of
    /// this clock. The marker is not needed, and some senders never set it.
    pub fn handle_packet(
        &mut self,
        now: Instant,
        clock: impl Into<EventClock>,
        timestamp: u32,
        payload: &[u8],
    ) {
        let clock = clock.into();
        self.handle_timeout(now);
        let blocks = payload.chunks_exact(BLOCK_LEN).take(EVENTS_PER_PACKET_MAX);
        let last = blocks.len().saturating_sub(1);
        let mut timestamp = timestamp;
        for (index, block) in blocks.enumerate() {
            let duration = u16::from_be_bytes([block[2], block[3]]);
            // RFC 4733 §2.5.1.5: of several events in a packet all but the last have ended, and
            // each begins where the one before ended.
            let ended = block[1] & END_BIT != 0 || index < last;
            self.handle_block(now, clock, timestamp, block[0], ended, duration);
            timestamp = timestamp.wrapping_add(u32::from(duration));
        }
    }

    /// Reports events whose end got lost.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(index) = self
            .open
            .iter()
            .position(|event| now.saturating_duration_since(event.heard) >= SILENCE)
        {
            self.close(index);
        }
    }

    /// Nothing more comes from this source: what is pressed is let go.
    pub fn finish(&mut self) {
        while !self.open.is_empty() {
            self.close(0);
        }
    }

    /// What became known next: a digit begins, then it ends, then the next one begins.
    pub fn poll_digit(&mut self) -> Option<DigitEvent> {
        (!self.reported.is_empty()).then(|| self.reported.remove(0))
    }

    /// When [`Self::handle_timeout`] has something to do.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.open.iter().map(|event| event.heard + SILENCE).min()
    }

    fn handle_block(
        &mut self,
        now: Instant,
        clock: EventClock,
        timestamp: u32,
        code: u8,
        ended: bool,
        duration: u16,
    ) {
        if digit_of(code).is_none() || self.closed.contains(&timestamp) {
            return;
        }
        let known = self
            .open
            .iter()
            .position(|event| event.timestamp == timestamp);
        let event = Event {
            code,
            timestamp,
            duration_before: 0,
            duration: 0,
            clock,
            began: (now, duration),
            heard: now,
            is_told: false,
        };
        let mut index = known.unwrap_or_else(|| self.open_event(event));
        let event = &mut self.open[index];
        event.duration = event.duration.max(duration);
        event.heard = now;
        // What began before has ended too; its last packet may still be on its way for a moment.
        let is_over = |before: &Event| now.saturating_duration_since(before.heard) >= OVERTAKEN;
        while index > 0 && (ended || is_over(&self.open[0])) {
            self.close(0);
            index -= 1;
        }
        if index == 0 {
            self.announce();
        }
        if ended {
            self.close(0);
        }
    }

    /// Reports the beginning of the oldest event, if that is news.
    fn announce(&mut self) {
        if let Some(event) = self.open.first_mut()
            && !event.is_told
            && let Some(digit) = digit_of(event.code)
        {
            event.is_told = true;
            self.report(DigitEvent::Began(digit));
        }
    }

    /// Room is left for the ends of what has begun.
    fn report(&mut self, event: DigitEvent) {
        let is_begin = matches!(event, DigitEvent::Began(_));
        let room = REPORTED_MAX - usize::from(is_begin);
        if self.reported.len() < room {
            self.reported.push(event);
        }
    }

    /// The index of the new event among the open ones, which are in the order of their timestamps.
    fn open_event(&mut self, new: Event) -> usize {
        let (code, timestamp) = (new.code, new.timestamp);
        // RFC 4733 §2.5.1.3: a tone longer than the duration field goes on in a segment that begins
        // where the field of the one before ran out.
        if let Some(index) = self.open.iter().position(|event| {
            event.code == code && event.timestamp.wrapping_add(SEGMENT_LEN) == timestamp
        }) {
            let event = &mut self.open[index];
            self.closed.push(event.timestamp);
            event.timestamp = timestamp;
            event.duration_before += u64::from(SEGMENT_LEN);
            event.duration = 0;
            self.forget();
            return index;
        }
        if self.open.len() == EVENTS_OPEN_MAX {
            self.close(0);
        }
        let index = self
            .open
            .iter()
            .position(|event| is_before(timestamp, event.timestamp))
            .unwrap_or(self.open.len());
        self.open.insert(index, new);
        index
    }

    fn close(&mut self, index: usize) {
        if index == 0 {
            self.announce();
        }
        let event = self.open.remove(index);
        self.closed.push(event.timestamp);
        self.forget();
        if let Some(digit) = digit_of(event.code).filter(|_| event.is_told) {
            self.report(DigitEvent::Ended(Digit {
                digit,
                duration: event.lasted(),
            }));
        }
        if index == 0 {
            self.announce();
        }
    }

    fn forget(&mut self) {
        if self.closed.len() > CLOSED_MAX {
            self.closed.remove(0);
        }
    }
}

/// RFC 4733 §3.2, table 3.
fn digit_of(code: u8) -> Option<char> {
    DIGITS.get(usize::from(code)).copied()
}

/// The same the other way.
fn code_of(digit: char) -> Option<u8> {
    let digit = digit.to_ascii_uppercase();
    let position = DIGITS.iter().position(|own| *own == digit);
    position.map(|position| position as u8)
}

fn is_before(timestamp: u32, other: u32) -> bool {
    timestamp.wrapping_sub(other).cast_signed() < 0
}

const DIGITS: [char; 16] = [
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', 'A', 'B', 'C', 'D',
];
const BLOCK_LEN: usize = 4;
const END_BIT: u8 = 0x80;
const SEGMENT_LEN: u32 = 0xFFFF;
/// Browsers and phones repeat the event every 20 to 50 ms while the tone lasts.
const SILENCE: Duration = Duration::from_millis(300);
/// A packet that was overtaken comes within this time.
const OVERTAKEN: Duration = Duration::from_millis(60);
/// How long a digit is where nobody said it: as long as Asterisk's.
const DURATION: Duration = Duration::from_millis(100);
const EVENTS_PER_PACKET_MAX: usize = 8;
/// One, unless packets of the next event overtook the end of this one.
const EVENTS_OPEN_MAX: usize = 2;
/// How many timestamps are remembered, so that a late copy is not a new event.
const CLOSED_MAX: usize = 32;
/// Whoever sends faster than digits are taken loses the excess.
const REPORTED_MAX: usize = 64;
