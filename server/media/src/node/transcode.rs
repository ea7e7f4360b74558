//! One codec in, another out: pure, without a clock.
//!
//! Packets go through a jitter buffer that adds no delay while nothing is missing, are decoded at a
//! rate both codecs run at if there is one, resampled if there is none, cut into packets of the other
//! side's length and encoded. The outgoing numbers are its own: a timeline without gaps but those of
//! silence, a source that never changes. What is no sound takes a number and is not missing.
//!
//! A sender that pauses (discontinuous transmission) is heard as the comfort noise of its codec, or as the
//! one it describes (RFC 3389), since a phone that knows no pauses would hear a hole. A receiver that asks
//! for pauses (Opus, `usedtx=1`) is sent one packet that says so, and nothing until there is sound again.

mod noise;

use codec::{Codec, Coding, Decode, Encode, OpusWish, Resampler, Settings};
use noise::Noise;
use rtp::{Arrival, JitterBuffer, JitterConfig, JitterStats, Pacing, Play};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a transcoder is made for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recipe<'a> {
    /// The codec that comes in.
    pub(crate) from: &'static Codec,
    /// The codec that goes out.
    pub(crate) to: &'static Codec,
    /// What the receiver wishes of it: its `a=fmtp`.
    pub(crate) fmtp: &'a str,
    /// The length of packets the receiver asked for (`a=ptime`, `a=maxptime`).
    pub(crate) packet_ms: u16,
    /// The source of what goes out.
    pub(crate) ssrc: u32,
}

/// A packet with what the transcoder does not care for left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Incoming {
    pub(crate) ssrc: u32,
    pub(crate) sequence: u64,
    pub(crate) timestamp: u32,
    pub(crate) payload: Arc<[u8]>,
}

/// A packet that goes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Made {
    pub(crate) sequence: u64,
    pub(crate) timestamp: u32,
    pub(crate) marker: bool,
    pub(crate) payload: Arc<[u8]>,
}

/// What went through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Account {
    /// The jitter buffer's part.
    pub(crate) jitter: JitterStats,
    /// Payloads that could not be read.
    pub(crate) malformed: u64,
    /// Milliseconds of sound made in place of what was lost or paused.
    pub(crate) concealed_ms: u64,
}

/// Makes packets of one codec from those of another.
pub(crate) struct Transcoder {
    from: &'static Codec,
    rate_in_hz: u32,
    rate_out_hz: u32,
    clock_out_hz: u32,
    jitter: JitterBuffer<Arc<[u8]>>,
    decoder: Box<dyn Decode>,
    resampler: Option<Resampler>,
    encoder: Box<dyn Encode>,
    /// As decoded.
    heard: Vec<i16>,
    /// At the outgoing rate, less than a packet.
    waiting: Vec<i16>,
    packet_len: usize,
    payload: Vec<u8>,
    made: VecDeque<Made>,
    ssrc: u32,
    sequence: u64,
    /// Of the next packet.
    timestamp: u32,
    /// The next packet begins after a silence.
    is_onset: bool,
    made_last: Option<Instant>,
    /// Units of the incoming clock concealed since the last packet.
    concealed: u32,
    /// Units of noise made in pauses that turned out shorter: the next pause repays them.
    ahead: u32,
    pause: Option<Pause>,
    noise: Option<Noise>,
    /// The receiver knows that there is silence.
    is_quiet: bool,
    malformed: u64,
    concealed_ms: u64,
}

/// The sender said that it is silent.
#[derive(Clone, Copy, Debug)]
struct Pause {
    /// When the next noise is due.
    due: Instant,
    /// Units of the incoming clock in one packet.
    units: u32,
    /// Units made since.
    filled: u32,
    /// Whether the sender describes what is to be heard.
    is_described: bool,
}

impl Transcoder {
    /// `None` if one of the two is not coded here, or the two have no rates that can be converted.
    pub(crate) fn new(recipe: &Recipe<'_>) -> Option<Self> {
        let (from, to) = (recipe.from.coding?, recipe.to.coding?);
        let (rate_in_hz, rate_out_hz) = rates(&from, &to, rate_max(recipe))?;
        let settings = |rate_hz, fmtp| Settings {
            rate_hz,
            channels: 1,
            fmtp,
        };
        let resampler = match rate_in_hz == rate_out_hz {
            true => None,
            false => Some(Resampler::new(rate_in_hz, rate_out_hz)?),
        };
        let packet_ms = to.packet_ms_near(recipe.packet_ms);
        let jitter = JitterConfig::new(recipe.from.clock_hz, Pacing::Prompt);
        Some(Self {
            from: recipe.from,
            rate_in_hz,
            rate_out_hz,
            clock_out_hz: recipe.to.clock_hz,
            jitter: JitterBuffer::new(jitter),
            decoder: (from.decoder)(&settings(rate_in_hz, "")).ok()?,
            resampler,
            encoder: (to.encoder)(&settings(rate_out_hz, recipe.fmtp)).ok()?,
            heard: Vec::new(),
            waiting: Vec::new(),
            packet_len: rate_out_hz as usize * usize::from(packet_ms) / 1000,
            payload: Vec::new(),
            made: VecDeque::new(),
            ssrc: recipe.ssrc,
            sequence: 0,
            timestamp: 0,
            is_onset: true,
            made_last: None,
            concealed: 0,
            ahead: 0,
            pause: None,
            noise: None,
            is_quiet: false,
            malformed: 0,
            concealed_ms: 0,
        })
    }

    /// The codec that this one understands.
    pub(crate) fn from(&self) -> &'static Codec {
        self.from
    }

    /// The source of what goes out.
    pub(crate) fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Takes a packet of sound.
    pub(crate) fn handle_sound(&mut self, now: Instant, packet: Incoming) {
        let Incoming {
            ssrc,
            sequence,
            timestamp,
            payload,
        } = packet;
        let samples = self.decoder.samples_in(&payload).unwrap_or(0);
        if samples == 0 || samples > self.rate_in_hz as usize * PACKET_MS_MAX / 1000 {
            // Padding alone is no sound, and neither is what cannot be read; neither is missing.
            self.malformed += u64::from(!payload.is_empty());
            return self.jitter.skip(ssrc, sequence);
        }
        let arrival = Arrival {
            ssrc,
            sequence,
            timestamp,
            units: scale(samples as u32, self.from.clock_hz, self.rate_in_hz),
            payload,
        };
        self.jitter.push(now, arrival);
    }

    /// The receiver reports that it loses this share of the packets.
    pub(crate) fn on_loss(&mut self, percent: u8) {
        self.encoder.on_loss(percent);
    }

    /// Takes a packet that describes the noise of a pause (RFC 3389), which begins with it.
    pub(crate) fn handle_noise(&mut self, now: Instant, packet: &Incoming) {
        self.jitter.skip(packet.ssrc, packet.sequence);
        if self.noise.is_none() {
            self.noise = Noise::new(self.rate_in_hz, packet.ssrc);
        }
        let noise = self.noise.as_mut();
        if !noise.is_some_and(|noise| noise.describe(&packet.payload)) {
            self.malformed += 1;
            return;
        }
        let usual_ms = self.from.coding.map_or(20, |coding| coding.packet_ms);
        let pause = self.pause.get_or_insert_with(|| Pause {
            due: now + PAUSE_GRACE,
            units: self.from.clock_hz / 1000 * u32::from(usual_ms),
            filled: 0,
            is_described: true,
        });
        pause.is_described = true;
    }

    /// A packet of something else, a digit for instance, took this number.
    pub(crate) fn skip(&mut self, ssrc: u32, sequence: u64) {
        self.jitter.skip(ssrc, sequence);
    }

    /// The next packet to send, if one is ready.
    pub(crate) fn poll(&mut self, now: Instant) -> Option<Made> {
        loop {
            if let Some(made) = self.made.pop_front() {
                return Some(made);
            }
            if let Some(play) = self.jitter.pop(now) {
                self.play(now, play);
            } else {
                let due = self.pause.filter(|pause| pause.due <= now)?;
                self.fill(now, due);
            }
        }
    }

    /// When [`Self::poll`] has something that nothing arrives for.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let fill = self.pause.map(|pause| pause.due);
        fill.into_iter().chain(self.jitter.poll_timeout()).min()
    }

    /// What went through so far.
    pub(crate) fn account(&self) -> Account {
        Account {
            jitter: self.jitter.stats(),
            malformed: self.malformed,
            concealed_ms: self.concealed_ms,
        }
    }

    fn play(&mut self, now: Instant, play: Play<Arc<[u8]>>) {
        match play {
            Play::Packet {
                payload,
                pause,
                is_fresh,
                is_surplus: _,
            } => {
                self.ahead += self.pause.take().map_or(0, |pause| pause.filled);
                self.concealed = 0;
                if is_fresh {
                    self.ahead = 0;
                    self.resume(now);
                } else {
                    let silent = pause.saturating_sub(self.ahead);
                    self.ahead = self.ahead.saturating_sub(pause);
                    self.silence(silent);
                }
                self.on_payload(now, &payload);
            }
            Play::Lost { units, next } => {
                let ms = |units: u32| u64::from(units) * 1000 / u64::from(self.from.clock_hz);
                if ms(self.concealed) >= CONCEALED_MS_MAX {
                    // Nothing but silence comes of it any more.
                    return self.silence(units);
                }
                self.concealed_ms += ms(units);
                self.concealed = self.concealed.saturating_add(units);
                self.conceal(units, next.as_deref());
                self.emit(now);
            }
        }
    }

    fn on_payload(&mut self, now: Instant, payload: &[u8]) {
        self.heard.clear();
        let units = self.decoder.samples_in(payload).unwrap_or(0) as u32;
        let units = scale(units, self.from.clock_hz, self.rate_in_hz);
        if self.decoder.decode(payload, &mut self.heard).is_err() {
            self.malformed += 1;
            self.conceal(units, None);
        } else {
            self.convert();
        }
        self.emit(now);
        if self.decoder.is_pause(payload) && units > 0 {
            let length = Duration::from_secs(1) * units / self.from.clock_hz;
            self.pause = Some(Pause {
                // A moment later than the next packet would come, if it came.
                due: now + length + PAUSE_GRACE,
                units,
                filled: 0,
                is_described: false,
            });
        }
    }

    /// One packet of the noise that the sender's codec thinks of in a pause.
    fn fill(&mut self, now: Instant, pause: Pause) {
        let Pause {
            due,
            units,
            filled,
            is_described,
        } = pause;
        let length = Duration::from_secs(1) * units / self.from.clock_hz;
        // RFC 3389 §4: a description may be the only one for the whole pause.
        let is_over = !is_described && filled / self.from.clock_hz >= FILL_S_MAX;
        self.pause = (!is_over).then_some(Pause {
            // Alarms that come late must not let the noise lag behind.
            due: due + length,
            units,
            filled: filled.saturating_add(units),
            is_described,
        });
        if self.ahead >= units {
            self.ahead -= units;
            if let Some(pause) = &mut self.pause {
                pause.filled = filled;
            }
        } else if !is_over {
            match is_described {
                true => self.hiss(units),
                false => self.conceal(units, None),
            }
            self.emit(now);
        }
    }

    /// The noise that the sender described.
    fn hiss(&mut self, units: u32) {
        let count = scale(units, self.rate_in_hz, self.from.clock_hz) as usize;
        self.heard.clear();
        if let Some(noise) = &mut self.noise {
            noise.play(count, &mut self.heard);
        }
        self.convert();
    }

    fn conceal(&mut self, units: u32, next: Option<&[u8]>) {
        let count = scale(units, self.rate_in_hz, self.from.clock_hz) as usize;
        let count = count.min(self.rate_in_hz as usize * PACKET_MS_MAX / 1000);
        self.heard.clear();
        self.decoder.conceal(count, next, &mut self.heard);
        self.convert();
    }

    fn convert(&mut self) {
        match &mut self.resampler {
            Some(resampler) => resampler.resample(&self.heard, &mut self.waiting),
            None => self.waiting.extend_from_slice(&self.heard),
        }
    }

    /// Sends every whole packet of what waits.
    fn emit(&mut self, now: Instant) {
        let mut done = 0;
        while let Some(samples) = self.waiting.get(done..done + self.packet_len) {
            self.payload.clear();
            // The length is one of the codec's own; a packet that fails all the same is a lost one.
            if self.encoder.encode(samples, &mut self.payload).is_err() {
                self.payload.clear();
            }
            done += self.packet_len;
            let step = scale(self.packet_len as u32, self.clock_out_hz, self.rate_out_hz);
            let is_pause = self.encoder.is_pause(&self.payload);
            if is_pause && self.is_quiet {
                self.is_onset = true;
            } else if !self.payload.is_empty() {
                let made = Made {
                    sequence: self.sequence,
                    timestamp: self.timestamp,
                    marker: std::mem::take(&mut self.is_onset),
                    payload: Arc::from(&*self.payload),
                };
                self.push(made);
            }
            self.is_quiet = is_pause && !self.payload.is_empty();
            self.timestamp = self.timestamp.wrapping_add(step);
            self.made_last = Some(now);
        }
        self.waiting.drain(..done);
    }

    fn push(&mut self, made: Made) {
        self.sequence += 1;
        self.made.push_back(made);
    }

    /// The sender was silent for so many units of its clock.
    fn silence(&mut self, units: u32) {
        if units == 0 {
            return;
        }
        // What waits is padded to a whole packet, which the silence then is shorter by.
        let silent = scale(units, self.rate_out_hz, self.from.clock_hz) as usize;
        let room = match self.waiting.is_empty() {
            true => 0,
            false => self.packet_len - self.waiting.len(),
        };
        let padding = room.min(silent);
        self.waiting.resize(self.waiting.len() + padding, 0);
        let rest = (silent - padding) as u32;
        if rest > 0 {
            if let Some(now) = self.made_last {
                self.emit(now);
            }
            let step = scale(rest, self.clock_out_hz, self.rate_out_hz);
            self.timestamp = self.timestamp.wrapping_add(step);
            self.is_onset = true;
        }
    }

    /// Another stream begins: our own timeline goes on by the time that passed.
    fn resume(&mut self, now: Instant) {
        self.waiting.clear();
        self.is_onset = true;
        if let Some(last) = self.made_last {
            let passed = now.saturating_duration_since(last).as_secs_f64();
            let packet = self.packet_len as f64 / f64::from(self.rate_out_hz);
            let silent = (passed - packet).max(0.0) * f64::from(self.clock_out_hz);
            self.timestamp = self.timestamp.wrapping_add(silent as u64 as u32);
        }
    }
}

/// The rates of decoding and encoding: the same if both codecs have one in common, and none that the
/// receiver has no use for.
fn rates(from: &Coding, to: &Coding, max_hz: u32) -> Option<(u32, u32)> {
    let useful = |rate_hz: &&u32| **rate_hz <= max_hz;
    let mut common = from.rates_hz.iter().filter(useful);
    if let Some(rate_hz) = common.find(|rate_hz| to.rates_hz.contains(rate_hz)) {
        return Some((*rate_hz, *rate_hz));
    }
    let out_hz = to
        .rates_hz
        .iter()
        .find(useful)
        .or_else(|| to.rates_hz.first())?;
    Some((*from.rates_hz.first()?, *out_hz))
}

/// What the receiver can make heard (`maxplaybackrate`, RFC 7587 §6.1).
fn rate_max(recipe: &Recipe<'_>) -> u32 {
    match recipe.to.name {
        "opus" => OpusWish::of(recipe.fmtp).playback_hz_max,
        _ => u32::MAX,
    }
}

/// `units` of one clock in those of another.
fn scale(units: u32, to_hz: u32, from_hz: u32) -> u32 {
    (u64::from(units) * u64::from(to_hz) / u64::from(from_hz.max(1))).min(u32::MAX.into()) as u32
}

/// No packet holds more.
const PACKET_MS_MAX: usize = codec::PACKET_MAX.as_millis() as usize;
/// Concealment has faded out long before.
const CONCEALED_MS_MAX: u64 = 250;
/// A packet that is due is given this long before noise takes its place.
const PAUSE_GRACE: Duration = Duration::from_millis(10);
/// A sender that pauses still sends several times a second; one that does not is gone.
const FILL_S_MAX: u32 = 2;

#[cfg(test)]
mod tests;
