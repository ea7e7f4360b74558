//! A jitter buffer: packets in as they arrive, packets out in order, with what got lost named.
//!
//! How long a missing packet is waited for follows the delays of the last packets: the fastest one
//! is the base, and the delay that nearly all of them keep is the target. That also follows two
//! clocks that drift apart, because the base moves with them. Nothing here decodes: who owns the
//! buffer conceals what is [`Play::Lost`] and pads what is a pause.
//!
//! Two paces. [`Pacing::Prompt`] is for a sender that only recodes: a packet in order leaves at
//! once, so that the buffer adds no delay, and only a gap is waited for. [`Pacing::Steady`] is for
//! whoever plays or mixes: each packet leaves when its time has come.

use std::time::{Duration, Instant};

/// How packets leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pacing {
    /// In order, as soon as possible.
    Prompt,
    /// In order, each at its time.
    Steady,
}

/// How a buffer works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JitterConfig {
    /// The clock of the timestamps.
    pub clock_hz: u32,
    /// How packets leave.
    pub pacing: Pacing,
    /// A missing packet is waited for at least so long after it was due.
    pub delay_min: Duration,
    /// And at most so long.
    pub delay_max: Duration,
}

impl JitterConfig {
    /// The usual limits at a clock.
    pub fn new(clock_hz: u32, pacing: Pacing) -> Self {
        Self {
            clock_hz: clock_hz.max(1),
            pacing,
            delay_min: DELAY_MIN,
            delay_max: DELAY_MAX,
        }
    }
}

/// A packet that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival<P> {
    /// The synchronisation source.
    pub ssrc: u32,
    /// The sequence number, extended beyond 16 bits.
    pub sequence: u64,
    /// When it was sampled, in units of the clock.
    pub timestamp: u32,
    /// How much sound it holds, in units of the clock.
    pub units: u32,
    /// What it carries.
    pub payload: P,
}

/// What leaves the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Play<P> {
    /// The next packet.
    Packet {
        /// What it carries.
        payload: P,
        /// Units of the clock in which the sender was silent before it (discontinuous transmission).
        pause: u32,
        /// It begins a stream that has nothing to do with what was before.
        is_fresh: bool,
        /// The buffer is longer than it need be: decode this one, but do not play it.
        is_surplus: bool,
    },
    /// A packet did not come in time.
    Lost {
        /// How much sound it held, in units of the clock.
        units: u32,
        /// The packet after it, if that is the last one missing before it.
        next: Option<P>,
    },
}

/// What happened to the packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JitterStats {
    /// Packets that left.
    pub played: u64,
    /// Packets that never came in time.
    pub lost: u64,
    /// Packets that came after they had been given up.
    pub late: u64,
    /// Second copies.
    pub duplicates: u64,
    /// Times that the stream began anew.
    pub restarts: u64,
    /// How long a missing packet is waited for now.
    pub delay: Duration,
}

/// Puts the packets of one stream in order.
#[derive(Debug)]
pub struct JitterBuffer<P> {
    config: JitterConfig,
    ring: Box<[Option<Slot<P>>]>,
    /// How many of the ring are taken.
    held: usize,
    stream: Option<Stream>,
    /// A lower number than this was seen once: a second in sequence is a restarted source.
    restart: Option<u64>,
    delays: Delays,
    stats: JitterStats,
}

#[derive(Debug)]
struct Slot<P> {
    sequence: u64,
    /// On the extended timeline.
    time: i64,
    units: u32,
    /// `None` for a packet that takes a number and carries no sound.
    payload: Option<P>,
}

#[derive(Clone, Copy, Debug)]
struct Stream {
    ssrc: u32,
    /// The number that leaves next.
    expected: u64,
    /// The time at which it should begin.
    time: i64,
    /// The units of the packet that left last.
    units: u32,
    is_fresh: bool,
    /// The newest timestamp and its place on the extended timeline.
    newest: (u32, i64),
    /// Units concealed in a row while nothing came.
    starved: i64,
}

impl<P: Clone> JitterBuffer<P> {
    /// An empty buffer.
    pub fn new(config: JitterConfig) -> Self {
        Self {
            config,
            ring: std::iter::repeat_with(|| None).take(RING_LEN).collect(),
            held: 0,
            stream: None,
            restart: None,
            delays: Delays::default(),
            stats: JitterStats::default(),
        }
    }

    /// Takes a packet.
    pub fn push(&mut self, now: Instant, packet: Arrival<P>) {
        let Arrival {
            ssrc,
            sequence,
            timestamp,
            units,
            payload,
        } = packet;
        if self.is_restart(ssrc, sequence) {
            self.begin(ssrc, sequence, timestamp);
        }
        let Some(time) = self.time_of(now, timestamp) else {
            return;
        };
        self.insert(sequence, time, units, Some(payload));
    }

    /// A packet with this number came and is no sound, a digit for instance: it is not missing.
    pub fn skip(&mut self, ssrc: u32, sequence: u64) {
        if let Some(stream) = self.stream.filter(|stream| stream.ssrc == ssrc) {
            self.insert(sequence, stream.newest.1, 0, None);
        }
    }

    /// What leaves now, if anything does. Call it again until nothing does.
    pub fn pop(&mut self, now: Instant) -> Option<Play<P>> {
        loop {
            let stream = self.stream?;
            let index = self.index_of(stream.expected);
            let Some(index) = index else {
                return self.pop_missing(now, stream);
            };
            let time = self.ring[index].as_ref().map_or(stream.time, |s| s.time);
            let has_sound = self.ring[index]
                .as_ref()
                .is_some_and(|s| s.payload.is_some());
            if has_sound && self.config.pacing == Pacing::Steady && now < self.due(time)? {
                return None;
            }
            let slot = self.ring[index].take()?;
            self.held -= 1;
            if let Some(play) = self.play(stream, slot) {
                return Some(play);
            }
        }
    }

    /// When [`Self::pop`] has something to do, if nothing arrives before.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let stream = self.stream?;
        match self.index_of(stream.expected) {
            Some(index) => self.due(self.ring[index].as_ref()?.time),
            None if self.held > 0 || self.starves(&stream) => self.due(stream.time),
            None => None,
        }
    }

    /// What happened so far.
    pub fn stats(&self) -> JitterStats {
        JitterStats {
            delay: Duration::from_micros(self.delays.wait_us(&self.config).unsigned_abs()),
            ..self.stats
        }
    }

    fn insert(&mut self, sequence: u64, time: i64, units: u32, payload: Option<P>) {
        let Some(stream) = self.stream else {
            return;
        };
        if sequence < stream.expected {
            self.stats.late += u64::from(payload.is_some());
            return;
        }
        if sequence - stream.expected >= RING_LEN as u64 {
            // Sound this far ahead has begun a stream of its own before it came here.
            return;
        }
        let place = &mut self.ring[sequence as usize % RING_LEN];
        match place {
            // The ring holds no two numbers that far apart: this is a copy.
            Some(_) => self.stats.duplicates += 1,
            None => {
                *place = Some(Slot {
                    sequence,
                    time,
                    units,
                    payload,
                });
                self.held += 1;
            }
        }
    }

    /// The expected packet is not there: is it to be given up?
    fn pop_missing(&mut self, now: Instant, stream: Stream) -> Option<Play<P>> {
        if self.held == 0 && !self.starves(&stream) {
            return None;
        }
        if now < self.due(stream.time)? {
            return None;
        }
        if self.held == 0 {
            // Nothing came at all; whoever plays needs something.
            let next = self.stream.as_mut()?;
            next.starved += i64::from(stream.units);
            next.time += i64::from(stream.units);
            return Some(Play::Lost {
                units: stream.units,
                next: None,
            });
        }
        let next = self.next_held(stream.expected)?;
        let (sequence, time, payload) = (next.sequence, next.time, next.payload.clone());
        let missing = sequence - stream.expected;
        let span = time - stream.time;
        // Where silence and loss are mixed, or the timeline jumped, the usual length is the guess.
        let guess = i64::from(stream.units) * missing as i64;
        let units = if span > 0 && span < 2 * guess.max(1) {
            (span / missing as i64) as u32
        } else {
            stream.units
        };
        self.stats.lost += 1;
        let stream = self.stream.as_mut()?;
        stream.expected += 1;
        // What was concealed before its number was known to be missing is not concealed again.
        let covered = stream.starved.min(i64::from(units));
        stream.starved -= covered;
        let rest = i64::from(units) - covered;
        stream.time += rest;
        if rest == 0 {
            return self.pop(now);
        }
        Some(Play::Lost {
            units: rest as u32,
            next: payload.filter(|_| missing == 1),
        })
    }

    fn play(&mut self, stream: Stream, slot: Slot<P>) -> Option<Play<P>> {
        let wait_max = self.config.clock_hz as i64 * PAUSE_S_MAX;
        let own = self.stream.as_mut()?;
        own.expected = stream.expected + 1;
        let payload = slot.payload?;
        // What a player got in place of nothing was not silence of the sender.
        let pause = slot.time - stream.time + stream.starved;
        own.starved = 0;
        own.is_fresh = false;
        own.time = slot.time + i64::from(slot.units);
        own.units = slot.units;
        self.stats.played += 1;
        // A timeline that goes back, or far ahead, is another one.
        let is_jump = pause < -i64::from(slot.units) || pause > wait_max;
        let pause = if is_jump { 0 } else { pause.max(0) as u32 };
        let surplus = self.delays.follow(&self.config, pause > 0, slot.units);
        Some(Play::Packet {
            payload,
            pause,
            is_fresh: stream.is_fresh || is_jump,
            is_surplus: surplus && self.config.pacing == Pacing::Steady,
        })
    }

    /// Whether something is owed to a player although nothing is here.
    fn starves(&self, stream: &Stream) -> bool {
        let starved_max = self.config.clock_hz as i64 * STARVED_MS_MAX / 1000;
        self.config.pacing == Pacing::Steady
            && !stream.is_fresh
            && stream.units > 0
            && stream.starved < starved_max
    }

    fn index_of(&self, sequence: u64) -> Option<usize> {
        let index = sequence as usize % RING_LEN;
        let slot = self.ring[index].as_ref()?;
        (slot.sequence == sequence).then_some(index)
    }

    /// The first packet held after this number.
    fn next_held(&self, after: u64) -> Option<&Slot<P>> {
        let mut numbers = after..after + RING_LEN as u64;
        numbers.find_map(|number| self.ring[self.index_of(number)?].as_ref())
    }

    /// RFC 3550 §A.1: a large jump is a restart; one backwards only if a second packet follows it.
    fn is_restart(&mut self, ssrc: u32, sequence: u64) -> bool {
        let Some(stream) = self.stream else {
            return true;
        };
        if stream.ssrc != ssrc || sequence >= stream.expected + RING_LEN as u64 {
            return true;
        }
        if sequence + RING_LEN as u64 >= stream.expected {
            return false;
        }
        let is_second = self.restart == Some(sequence);
        self.restart = (!is_second).then_some(sequence + 1);
        is_second
    }

    fn begin(&mut self, ssrc: u32, sequence: u64, timestamp: u32) {
        if self.stream.is_some() {
            self.stats.restarts += 1;
            self.stats.lost += self.held as u64;
        }
        self.ring.fill_with(|| None);
        self.held = 0;
        self.restart = None;
        self.delays = Delays::default();
        self.stream = Some(Stream {
            ssrc,
            expected: sequence,
            time: 0,
            units: 0,
            is_fresh: true,
            newest: (timestamp, 0),
            starved: 0,
        });
    }

    /// The place of a timestamp on the extended timeline; notes how late it is.
    fn time_of(&mut self, now: Instant, timestamp: u32) -> Option<i64> {
        let clock_hz = i64::from(self.config.clock_hz);
        let stream = self.stream.as_mut()?;
        let ahead = timestamp.wrapping_sub(stream.newest.0).cast_signed();
        let time = stream.newest.1 + i64::from(ahead);
        if time >= stream.newest.1 {
            stream.newest = (timestamp, time);
        }
        self.delays.note(now, time, clock_hz);
        Some(time)
    }

    /// When the packet of this time is to leave at the latest.
    fn due(&self, time: i64) -> Option<Instant> {
        self.delays.due(&self.config, time)
    }
}

/// The delays of the last packets, relative to the first one of the stream.
#[derive(Debug)]
struct Delays {
    /// When the packet of time zero came.
    origin: Option<Instant>,
    /// In microseconds.
    last: [i64; DELAYS_LEN],
    len: usize,
    position: usize,
    /// The least of them, and what nearly all of them keep.
    base_us: i64,
    high_us: i64,
    /// What a steady player keeps; `None` until it plays.
    offset_us: Option<i64>,
    /// Packets in a row for which the offset was too long.
    roomy: u32,
}

impl Default for Delays {
    fn default() -> Self {
        Self {
            origin: None,
            last: [0; DELAYS_LEN],
            len: 0,
            position: 0,
            base_us: 0,
            high_us: 0,
            offset_us: None,
            roomy: 0,
        }
    }
}

impl Delays {
    fn note(&mut self, now: Instant, time: i64, clock_hz: i64) {
        let origin = *self.origin.get_or_insert(now);
        let elapsed = now.saturating_duration_since(origin).as_micros() as i64;
        let delay = elapsed - micros(time, clock_hz);
        // The timeline jumped: what was learnt of the old one is worth nothing.
        if self.len > 0 && (delay - self.base_us).abs() > JUMP_US {
            self.len = 0;
            self.position = 0;
            self.offset_us = None;
        }
        self.last[self.position] = delay;
        self.position = (self.position + 1) % DELAYS_LEN;
        self.len = (self.len + 1).min(DELAYS_LEN);
        let mut sorted = self.last;
        let known = &mut sorted[..self.len];
        let rank = (known.len() - 1) * PERCENTILE / 100;
        self.high_us = *known.select_nth_unstable(rank).1;
        self.base_us = known.iter().copied().min().unwrap_or_default();
    }

    /// How long after the fastest packet a missing one is waited for.
    fn wait_us(&self, config: &JitterConfig) -> i64 {
        let least = config.delay_min.as_micros() as i64;
        let most = (config.delay_max.as_micros() as i64).max(least);
        (self.high_us - self.base_us).clamp(least, most)
    }

    fn due(&self, config: &JitterConfig, time: i64) -> Option<Instant> {
        let wanted = self.base_us + self.wait_us(config);
        // A steady player waits longer at once and less long only when it says so.
        let offset = self.offset_us.map_or(wanted, |offset| offset.max(wanted));
        let offset = match config.pacing {
            Pacing::Prompt => wanted,
            Pacing::Steady => offset,
        };
        let after = micros(time, i64::from(config.clock_hz)) + offset;
        let origin = self.origin?;
        let by = Duration::from_micros(after.unsigned_abs());
        match after >= 0 {
            true => origin.checked_add(by),
            false => Some(origin.checked_sub(by).unwrap_or(origin)),
        }
    }

    /// A packet plays: the offset shrinks in a pause, or by a packet that is left out when there has
    /// been room for it for a while. True for such a packet.
    fn follow(&mut self, config: &JitterConfig, is_pause: bool, units: u32) -> bool {
        let wanted = self.base_us + self.wait_us(config);
        let offset = self.offset_us.unwrap_or(wanted);
        let packet_us = micros(units.into(), i64::from(config.clock_hz));
        if offset <= wanted || is_pause {
            self.offset_us = Some(wanted);
            self.roomy = 0;
            return false;
        }
        self.offset_us = Some(offset);
        self.roomy = if offset - wanted > packet_us {
            self.roomy + 1
        } else {
            0
        };
        if self.roomy < ROOMY_MIN {
            return false;
        }
        self.roomy = 0;
        self.offset_us = Some(offset - packet_us);
        true
    }
}

fn micros(units: i64, clock_hz: i64) -> i64 {
    units.saturating_mul(1_000_000) / clock_hz
}

/// A packet that was overtaken by the next one of 20 ms is still taken.
const DELAY_MIN: Duration = Duration::from_millis(30);
/// Longer than this, a conversation suffers more from the delay than from the loss.
const DELAY_MAX: Duration = Duration::from_millis(200);
/// Packets held: 1.2 s of the usual length, or the delay above of the shortest.
const RING_LEN: usize = 64;
/// Two to three seconds of packets: long enough to know a path, short enough to follow it.
const DELAYS_LEN: usize = 128;
/// Of every hundred packets, so many come within the target.
const PERCENTILE: usize = 97;
/// A packet this far from the others' delay is on another timeline.
const JUMP_US: i64 = 2_000_000;
/// A longer silence is a new timeline.
const PAUSE_S_MAX: i64 = 60;
/// A player gets this much in place of nothing; then the stream is taken to have stopped.
const STARVED_MS_MAX: i64 = 100;
/// Packets for which the buffer must have been too long before it is shortened.
const ROOMY_MIN: u32 = 50;
