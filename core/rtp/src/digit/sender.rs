//! Sends a digit as telephone events: RFC 4733 §2.5.1.
//!
//! One event has updates while it lasts, all with the timestamp of its start, and three packets with the
//! E bit, some time apart, so that a burst of losses does not take all of them. A digit longer than the
//! field for its duration goes on in further segments (§2.5.1.3).

use super::code_of;
use std::time::{Duration, Instant};

/// A packet of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventPacket {
    /// The first of an event (§2.5.1.2).
    pub marker: bool,
    /// How many units of the clock after the event began its segment did.
    pub offset: u32,
    /// What the packet carries.
    pub payload: [u8; 4],
}

/// Sends one digit.
#[derive(Clone, Debug)]
pub struct EventSender {
    code: u8,
    clock_hz: u32,
    began: Instant,
    due: Instant,
    is_first: bool,
    /// Units of the segments that are complete.
    segments: u64,
    /// Units the receiver was told last.
    told: u64,
    end: Option<End>,
}

/// The digit has been let go.
#[derive(Clone, Copy, Debug)]
struct End {
    /// Its length.
    units: u64,
    /// Packets that say so and are still to be sent.
    left: u8,
}

impl EventSender {
    /// Begins a digit now. `None`: there is no such digit.
    pub fn new(now: Instant, digit: char, clock_hz: u32) -> Option<Self> {
        Some(Self {
            code: code_of(digit)?,
            clock_hz: clock_hz.max(1),
            began: now,
            due: now,
            is_first: true,
            segments: 0,
            told: 0,
            end: None,
        })
    }

    /// The digit has lasted this long and is over.
    pub fn end(&mut self, now: Instant, duration: Duration) {
        if self.end.is_none() {
            // What has been told cannot be taken back.
            let units = self.units(duration).max(self.told).max(1);
            self.end = Some(End {
                units,
                left: END_COUNT,
            });
            self.due = now;
        }
    }

    /// The next packet that is due. Whoever cannot send it asks [`Self::put_off`].
    pub fn poll(&mut self, now: Instant) -> Option<EventPacket> {
        if self.due > now {
            return None;
        }
        let (units, is_end) = match &mut self.end {
            Some(End { left: 0, .. }) => return None,
            Some(end) => (end.units, true),
            // RFC 4733 §2.3.5: zero is for states alone; an event lasts until the next packet at least.
            None => {
                let elapsed = now.saturating_duration_since(self.began);
                (self.units(elapsed.max(STEP)), false)
            }
        };
        if units - self.segments > u64::from(u16::MAX) {
            // RFC 4733 §2.5.1.3: the segment is told whole, without the E bit, and the next begins
            // where it ends.
            let packet = self.packet(u16::MAX, false);
            self.segments += u64::from(u16::MAX);
            self.told = self.told.max(self.segments);
            return Some(packet);
        }
        let duration = (units - self.segments) as u16;
        let packet = self.packet(duration, is_end);
        self.told = self.told.max(units);
        self.due = now + STEP;
        if let Some(end) = &mut self.end {
            end.left -= 1;
        }
        Some(packet)
    }

    /// Nothing could be sent yet: the digit begins again later.
    pub fn put_off(&mut self, now: Instant) {
        self.began = now + STEP;
        self.due = self.began;
        self.is_first = true;
        (self.segments, self.told, self.end) = (0, 0, None);
    }

    /// When [`Self::poll`] has something; `None`: all has been sent.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let is_over = self.end.is_some_and(|end| end.left == 0);
        (!is_over).then_some(self.due)
    }

    fn packet(&mut self, duration: u16, is_end: bool) -> EventPacket {
        let [high, low] = duration.to_be_bytes();
        let flags = VOLUME | if is_end { super::END_BIT } else { 0 };
        EventPacket {
            marker: std::mem::take(&mut self.is_first),
            offset: self.segments as u32,
            payload: [self.code, flags, high, low],
        }
    }

    fn units(&self, duration: Duration) -> u64 {
        let units = duration.as_micros() * u128::from(self.clock_hz) / 1_000_000;
        u64::try_from(units).unwrap_or(u64::MAX)
    }
}

/// −10 dBm0, in its field.
const VOLUME: u8 = 10;
/// Time between two packets. RFC 4733 §2.5.1.2 recommends 50 ms; what is told more often is lost less
/// easily.
const STEP: Duration = Duration::from_millis(20);
/// RFC 4733 §2.5.1.4: "sends the final packet … a total of three times".
const END_COUNT: u8 = 3;
