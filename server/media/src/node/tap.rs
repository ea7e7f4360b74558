//! Hands what one peer says and hears to a recorder, as samples with their place in time.
//!
//! Both directions are decoded as the transcoder decodes them: lost packets are concealed, pauses are noise. A
//! chunk stands where its timestamp says as long as that agrees with the clock; otherwise where the clock says, so
//! that both directions stay together however often a source changes.

use super::transcode::{Incoming, Recipe, Transcoder};
use crate::record::{Chunk, Side, Sink};
use codec::{Codec, Kind};
use rtc::Packet;
use std::time::{Duration, Instant};

/// A tap on a leg.
pub(crate) struct Tap {
    pub(crate) number: u64,
    sink: Sink,
    to: &'static Codec,
    began: Instant,
    heard: Way,
    said: Way,
}

/// One direction.
#[derive(Default)]
struct Way {
    line: Option<Line>,
    /// Where the next chunk stands, in samples.
    next: u64,
}

struct Line {
    from: &'static Codec,
    transcoder: Transcoder,
    /// The timestamp of the last chunk, and its length.
    last: Option<(u32, u32)>,
}

impl Tap {
    /// `None` if nothing can be made at the rate the recorder wants.
    pub(crate) fn new(now: Instant, number: u64, sink: Sink) -> Option<Self> {
        let to = codec::by_name(match sink.rate_hz() {
            8_000 => "slin",
            16_000 => "slin16",
            48_000 => "slin48",
            _ => return None,
        })?;
        Some(Self {
            number,
            sink,
            to,
            began: now,
            heard: Way::default(),
            said: Way::default(),
        })
    }

    /// Takes a packet that came from the peer, or went to it.
    pub(crate) fn take(&mut self, now: Instant, side: Side, origin: u32, packet: &Packet) {
        if packet.kind != Kind::Audio {
            return;
        }
        let incoming = Incoming {
            // Sources of two origins are never one.
            ssrc: packet.ssrc ^ origin.rotate_left(16),
            sequence: packet.sequence,
            timestamp: packet.timestamp,
            payload: packet.payload.clone(),
        };
        let codec = packet.format.codec();
        let Some(codec) = codec.filter(|codec| codec.coding.is_some()) else {
            // A digit is no sound that was lost, and a pause that is described sounds as described.
            if let Some(line) = &mut self.way(side).line {
                match packet.format.is_noise() {
                    true => line.transcoder.handle_noise(now, &incoming),
                    false => line.transcoder.skip(incoming.ssrc, incoming.sequence),
                }
            }
            return self.flush(now, side);
        };
        let to = self.to;
        let way = self.way(side);
        if !way.line.as_ref().is_some_and(|line| line.from == codec) {
            let transcoder = Transcoder::new(&Recipe {
                from: codec,
                to,
                fmtp: "",
                packet_ms: 20,
                ssrc: 0,
            });
            way.line = transcoder.map(|transcoder| Line {
                from: codec,
                transcoder,
                last: None,
            });
        }
        if let Some(line) = &mut way.line {
            line.transcoder.handle_sound(now, incoming);
        }
        self.flush(now, side);
    }

    /// Hands on what time has made ready.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.flush(now, Side::Heard);
        self.flush(now, Side::Said);
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let lines = [&self.heard, &self.said].into_iter();
        let lines = lines.filter_map(|way| way.line.as_ref());
        lines
            .filter_map(|line| line.transcoder.poll_timeout())
            .min()
    }

    fn way(&mut self, side: Side) -> &mut Way {
        match side {
            Side::Heard => &mut self.heard,
            Side::Said => &mut self.said,
        }
    }

    fn flush(&mut self, now: Instant, side: Side) {
        let (rate_hz, passed) = (self.sink.rate_hz(), now.duration_since(self.began));
        let way = match side {
            Side::Heard => &mut self.heard,
            Side::Said => &mut self.said,
        };
        let Some(line) = &mut way.line else {
            return;
        };
        while let Some(made) = line.transcoder.poll(now) {
            let samples: Vec<i16> = made
                .payload
                .chunks_exact(2)
                // RFC 3551 §4.5.11: most significant byte first.
                .map(|pair| i16::from_be_bytes([pair[0], pair[1]]))
                .collect();
            let len = samples.len() as u32;
            let clock = samples_in(passed, rate_hz).saturating_sub(len.into());
            let gap = line
                .last
                .map(|(timestamp, len)| made.timestamp.wrapping_sub(timestamp).wrapping_sub(len));
            line.last = Some((made.timestamp, len));
            // A timestamp that goes back is another timeline.
            let gap = gap.filter(|gap| *gap < rate_hz * GAP_S_MAX);
            let told = gap.map(|gap| way.next + u64::from(gap));
            let drift_max = samples_in(DRIFT_MAX, rate_hz);
            let at = told.filter(|told| told.abs_diff(clock) <= drift_max);
            let at = at.unwrap_or(clock).max(way.next);
            way.next = at + u64::from(len);
            self.sink.write(Chunk { side, at, samples });
        }
    }
}

fn samples_in(time: Duration, rate_hz: u32) -> u64 {
    (time.as_micros() * u128::from(rate_hz) / 1_000_000) as u64
}

/// The longest pause of one timeline.
const GAP_S_MAX: u32 = 60;
/// How far a timeline and the clock may be apart.
const DRIFT_MAX: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::Tap;
    use crate::record::{Format, Recorder, Side, Spec};
    use codec::{Kind, by_name};
    use rtc::topology::Format as Carries;
    use rtc::{Extensions, Packet, StreamId};
    use std::fs;
    use std::time::{Duration, Instant};

    fn packet(name: &str, number: u64, code: u8) -> Packet {
        let codec = by_name(name).unwrap();
        Packet {
            stream: StreamId(0),
            kind: Kind::Audio,
            format: rtc::Format::new(Carries::Codec(codec), None),
            ssrc: 1,
            sequence: number,
            timestamp: number as u32 * 160,
            marker: false,
            extensions: Extensions::default(),
            payload: vec![code; 160].into(),
        }
    }

    /// Both directions are in the file, each where it was; a pause of one is a pause there.
    #[test]
    fn a_call_is_recorded_with_both_directions_in_step() {
        let folder = std::env::temp_dir().join(format!("sidetone-tap-{}", std::process::id()));
        let file = folder.join("call.sln");
        let spec = Spec {
            rate_hz: 8_000,
            files: vec![(
                file.clone(),
                Format::Linear { rate_hz: 8_000 },
                vec![Side::Heard, Side::Said],
            )],
            is_appended: false,
            volume: [0; 2],
        };
        let recorder = Recorder::default();
        let (sink, recording) = recorder.begin(&spec).unwrap();
        let began = Instant::now();
        let mut tap = Tap::new(began, 1, sink).unwrap();
        let (loud, soft) = (codec::ulaw_of(8_000), codec::alaw_of(1_000));
        for number in 0..100 {
            let now = began + Duration::from_millis(20 * (number + 1));
            tap.take(now, Side::Heard, 0, &packet("ulaw", number, loud));
            if !(40..60).contains(&number) {
                tap.take(now, Side::Said, 7, &packet("alaw", number, soft));
            }
            tap.handle_timeout(now);
        }
        assert!(recording.loud() > 90);
        drop(recording);
        let end = Instant::now() + Duration::from_secs(10);
        while fs::metadata(&file).unwrap().len() < 2 * 8_000 * 2 {
            assert!(Instant::now() < end, "the recorder did not end");
            std::thread::yield_now();
        }
        let bytes = fs::read(&file).unwrap();
        let sample = |ms: usize| i16::from_le_bytes([bytes[ms * 16], bytes[ms * 16 + 1]]);
        let near = |value: i16, wanted: i16| (value - wanted).abs() < 400;
        assert!(near(sample(500), 9_000), "{}", sample(500));
        assert!(near(sample(1_700), 9_000), "{}", sample(1_700));
        assert!(near(sample(1_190), 8_000), "{}", sample(1_190));
        fs::remove_dir_all(folder).unwrap();
    }
}
