//! RTCP of one stream: when reports go out and what comes back of them (RFC 3550 §6).

use crate::peer::stats::Measured;
use rand_chacha::ChaCha12Rng;
use rand_core::Rng;
use rtp::rtcp::{Block, Report, SenderInfo};
use std::time::{Duration, Instant};

/// What all streams of a peer share: the clock of their reports, and their name.
pub(super) struct Clock {
    epoch: Instant,
    cname: String,
}

impl Clock {
    pub(super) fn new(epoch: Instant, cname: String) -> Self {
        Self { epoch, cname }
    }

    /// Seconds and fractions. RFC 3550 §4 lets a sender without the time of day use its uptime.
    fn ntp(&self, now: Instant) -> u64 {
        let elapsed = now.saturating_duration_since(self.epoch);
        let fraction = (u64::from(elapsed.subsec_nanos()) << 32) / 1_000_000_000;
        ((EPOCH_S + elapsed.as_secs()) << 32) | fraction
    }

    /// The middle 32 bits, in 1/65536 seconds.
    fn middle(&self, now: Instant) -> u32 {
        (self.ntp(now) >> 16) as u32
    }
}

/// What is sent.
pub(super) struct Sent {
    pub(super) ssrc: u32,
    /// None if nothing was sent since the last report but one.
    pub(super) sender: Option<Sender>,
}

/// The stream as we send it.
#[derive(Clone, Copy)]
pub(super) struct Sender {
    /// The timestamp of the last packet, when it went, and its clock.
    pub(super) timestamp: (u32, Instant, u32),
    pub(super) packets: u64,
    pub(super) bytes: u64,
}

/// The reports of one stream.
pub(super) struct Control {
    next: Instant,
    /// From the peer's last SR: its time, and when it came.
    last_sr: Option<(u32, Instant)>,
    round_trip: Option<Duration>,
    /// Packets of ours the peer has missed.
    lost_out: u64,
    pub(super) measured: Measured,
    pub(super) keyframe_requests_in: u64,
}

impl Control {
    pub(super) fn new(now: Instant, rng: &mut ChaCha12Rng) -> Self {
        Self {
            next: now + interval(rng) / 2,
            last_sr: None,
            round_trip: None,
            lost_out: 0,
            measured: Measured::default(),
            keyframe_requests_in: 0,
        }
    }

    pub(super) fn next(&self) -> Instant {
        self.next
    }

    /// Whether a report is due; the next one is planned.
    pub(super) fn is_due(&mut self, now: Instant, rng: &mut ChaCha12Rng) -> bool {
        let is_due = now >= self.next;
        if is_due {
            self.next = now + interval(rng);
        }
        is_due
    }

    pub(super) fn on_sender_report(&mut self, now: Instant, ntp_middle: u32) {
        self.last_sr = Some((ntp_middle, now));
    }

    /// A report of the peer about the stream we send, which has this clock.
    pub(super) fn on_block(&mut self, now: Instant, clock: &Clock, block: &Block, clock_hz: u32) {
        self.lost_out = u64::try_from(block.lost).unwrap_or_default();
        let jitter_us = u64::from(block.jitter) * 1_000_000 / u64::from(clock_hz.max(1));
        self.measured.on_theirs(jitter_us, self.lost_out);
        if block.last_sr == 0 {
            return;
        }
        // RFC 3550 §6.4.1: the round trip is A - LSR - DLSR. A clock that runs fast makes it negative.
        let since = clock.middle(now).wrapping_sub(block.last_sr);
        let units = since.wrapping_sub(block.since_last_sr).cast_signed();
        if let Ok(units) = u64::try_from(units)
            && units < ROUND_TRIP_MAX
        {
            let us = units * 1_000_000 / 65_536;
            self.round_trip = Some(Duration::from_micros(us));
            self.measured.on_round_trip(us);
        }
    }

    pub(super) fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    pub(super) fn lost_out(&self) -> u64 {
        self.lost_out
    }

    /// The report block with what only this knows.
    pub(super) fn block(&self, now: Instant, block: Block) -> Block {
        let Some((last_sr, came)) = self.last_sr else {
            return block;
        };
        let since = now.saturating_duration_since(came);
        Block {
            last_sr,
            since_last_sr: (since.as_micros() * 65_536 / 1_000_000) as u32,
            ..block
        }
    }
}

/// Our report at this moment.
pub(super) fn report<'a>(
    now: Instant,
    clock: &'a Clock,
    sent: &Sent,
    block: Option<Block>,
) -> Report<'a> {
    let sender = sent.sender.map(|sender| {
        let (timestamp, at, clock_hz) = sender.timestamp;
        let since = now.saturating_duration_since(at).as_secs_f64() * f64::from(clock_hz);
        SenderInfo {
            ntp: clock.ntp(now),
            timestamp: timestamp.wrapping_add(since as u64 as u32),
            packets: sender.packets as u32,
            bytes: sender.bytes as u32,
        }
    });
    Report {
        ssrc: sent.ssrc,
        sender,
        block,
        cname: &clock.cname,
    }
}

/// RFC 3550 §6.2: five seconds, one half to one and a half of them, so that reports do not fall into step.
fn interval(rng: &mut ChaCha12Rng) -> Duration {
    Duration::from_millis(2_500 + rng.next_u64() % 5_000)
}

/// Any moment will do; this one is not zero in its middle bits, which would mean none.
const EPOCH_S: u64 = 0x8000_0001;
/// A minute; more is no round trip.
const ROUND_TRIP_MAX: u64 = 60 << 16;
