//! Finds digits in what a peer says, for peers that send them as tones, and keeps them out of what others
//! hear of it: they are sent the digit.
//!
//! A tone is known two blocks (26 ms) after it began. A packet that may be the beginning of one is kept
//! for the moment until that is known, so that what escapes is too short to be a digit for anybody
//! (ITU-T Q.24: 40 ms are one, 20 ms are none). Everything else passes at once.

use codec::{Codec, Decode, DtmfDetector, DtmfEvent, Encode, Kind, Settings};
use rtc::{Packet, StreamId};
use rtp::{Digit, DigitEvent};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Listens to one peer.
#[derive(Default)]
pub(crate) struct Ear {
    line: Option<Line>,
}

/// What came of a packet.
#[derive(Default)]
pub(crate) struct Heard {
    /// What became known of digits.
    pub(crate) events: Vec<DigitEvent>,
    /// What others may hear, in its order.
    pub(crate) packets: Vec<Packet>,
}

/// The source that is listened to.
struct Line {
    stream: StreamId,
    codec: &'static Codec,
    ssrc: u32,
    /// The packet that comes next.
    sequence: u64,
    decoder: Box<dyn Decode>,
    /// Makes silence of tones.
    encoder: Box<dyn Encode>,
    detector: DtmfDetector,
    rate_hz: u32,
    /// Samples of the last packet.
    len: usize,
    /// It may be the beginning of a tone.
    kept: Option<(Packet, usize)>,
    last: Instant,
    sound: Vec<i16>,
}

impl Ear {
    /// Listens to a packet.
    pub(crate) fn listen(&mut self, now: Instant, packet: Packet) -> Heard {
        let mut heard = Heard::default();
        let codec = packet.format.codec().filter(|_| packet.kind == Kind::Audio);
        let Some(codec) = codec.filter(|codec| codec.coding.is_some()) else {
            heard.packets.push(packet);
            return heard;
        };
        let is_its = |line: &Line| {
            let is_restart = packet.sequence.abs_diff(line.sequence) > SEQUENCE_JUMP_MAX;
            line.stream == packet.stream
                && line.codec == codec
                && line.ssrc == packet.ssrc
                && !is_restart
        };
        if !self.line.as_ref().is_some_and(is_its) {
            if let Some(line) = &mut self.line {
                line.finish(&mut heard);
            }
            self.line = Line::new(now, codec, &packet);
        }
        match &mut self.line {
            Some(line) => line.listen(now, packet, &mut heard),
            None => heard.packets.push(packet),
        }
        heard
    }

    /// A source that says nothing more has let its key go.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Heard {
        let mut heard = Heard::default();
        if let Some(line) = &mut self.line
            && line.deadline().is_some_and(|due| due <= now)
        {
            line.finish(&mut heard);
        }
        heard
    }

    /// Listens no more: a key that is down is let go.
    pub(crate) fn stop(mut self) -> Heard {
        let mut heard = Heard::default();
        if let Some(line) = &mut self.line {
            line.finish(&mut heard);
        }
        heard
    }

    /// When [`Self::handle_timeout`] has something to do.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.line.as_ref().and_then(Line::deadline)
    }
}

impl Line {
    /// `None` if the codec is not coded here.
    fn new(now: Instant, codec: &'static Codec, packet: &Packet) -> Option<Self> {
        let coding = codec.coding?;
        let rate_hz = coding.rates_hz.iter().copied().min()?;
        let settings = Settings {
            rate_hz,
            ..Settings::default()
        };
        Some(Self {
            stream: packet.stream,
            codec,
            ssrc: packet.ssrc,
            sequence: packet.sequence,
            decoder: (coding.decoder)(&settings).ok()?,
            encoder: (coding.encoder)(&settings).ok()?,
            detector: DtmfDetector::new(rate_hz),
            rate_hz,
            len: 0,
            kept: None,
            last: now,
            sound: Vec::new(),
        })
    }

    fn listen(&mut self, now: Instant, packet: Packet, heard: &mut Heard) {
        let missing = packet.sequence.saturating_sub(self.sequence);
        let samples = self.decoder.samples_in(&packet.payload).unwrap_or(0);
        let is_late = packet.sequence < self.sequence;
        if is_late || samples == 0 || samples > self.rate_hz as usize * PACKET_MS_MAX / 1000 {
            if !is_late {
                self.sequence = packet.sequence + 1;
            }
            return heard.packets.push(self.muted(packet, samples));
        }
        self.sequence = packet.sequence + 1;
        self.last = now;
        self.sound.clear();
        for _ in 0..missing.min(CONCEALED_MAX) {
            self.decoder.conceal(self.len, None, &mut self.sound);
        }
        self.len = samples;
        if self
            .decoder
            .decode(&packet.payload, &mut self.sound)
            .is_err()
        {
            heard.packets.extend(self.kept.take().map(|(kept, _)| kept));
            return heard.packets.push(packet);
        }
        let before = heard.events.len();
        self.detect(heard);
        let has_begun = |event: &DigitEvent| matches!(event, DigitEvent::Began(_));
        if self.detector.is_active() || heard.events[before..].iter().any(has_begun) {
            if let Some((kept, samples)) = self.kept.take() {
                heard.packets.push(self.silent(&kept, samples));
            }
            heard.packets.push(self.silent(&packet, samples));
            return;
        }
        heard.packets.extend(self.kept.take().map(|(kept, _)| kept));
        match self.detector.is_suspicious() {
            true => self.kept = Some((packet, samples)),
            false => heard.packets.push(packet),
        }
    }

    fn detect(&mut self, heard: &mut Heard) {
        let mut events = Vec::new();
        self.detector.listen(&self.sound, &mut events);
        heard
            .events
            .extend(events.into_iter().map(|event| match event {
                DtmfEvent::Began(digit) => DigitEvent::Began(digit),
                DtmfEvent::Ended { digit, duration } => {
                    DigitEvent::Ended(Digit { digit, duration })
                }
            }));
    }

    /// Silence comes after what was heard.
    fn finish(&mut self, heard: &mut Heard) {
        heard.packets.extend(self.kept.take().map(|(kept, _)| kept));
        self.sound.clear();
        self.sound
            .resize(self.rate_hz as usize * SILENCE_MS / 1000, 0);
        self.detect(heard);
    }

    fn deadline(&self) -> Option<Instant> {
        let waits = self.kept.is_some() || self.detector.is_active();
        waits.then_some(self.last + PATIENCE)
    }

    fn muted(&mut self, packet: Packet, samples: usize) -> Packet {
        match self.detector.is_active() {
            true => self.silent(&packet, samples),
            false => packet,
        }
    }

    /// As long as the packet, and nothing to be heard.
    fn silent(&mut self, packet: &Packet, samples: usize) -> Packet {
        self.sound.clear();
        self.sound.resize(samples, 0);
        let mut payload = Vec::new();
        // A packet of nothing is one that nobody misses.
        if self.encoder.encode(&self.sound, &mut payload).is_err() {
            payload.clear();
        }
        let payload = Arc::from(payload);
        Packet {
            payload,
            ..packet.clone()
        }
    }
}

/// No packet holds more.
const PACKET_MS_MAX: usize = codec::PACKET_MAX.as_millis() as usize;
/// Lost packets that are made up for, so that a tone with a hole is one tone.
const CONCEALED_MAX: u64 = 3;
/// A larger jump is a restarted source (RFC 3550 §A.1: MAX_DROPOUT).
const SEQUENCE_JUMP_MAX: u64 = 3000;
/// Ends every tone.
const SILENCE_MS: usize = 60;
/// A source that sends nothing for so long is silent.
const PATIENCE: Duration = Duration::from_millis(150);
