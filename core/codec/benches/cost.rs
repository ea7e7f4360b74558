//! What 20 ms of sound cost in each codec and between two: `cargo bench -p codec`.
//!
//! Each row is also the ratio to the cheapest thing there is, G.711 there and back, measured in the same
//! run, so that two machines can be compared. Nothing here passes or fails.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a benchmark looks at the clock, and ends where something fails"
)]

use codec::{CODECS, Codec, Decode, Encode, OPUS_ENGINE, Resampler, Settings};
use std::f64::consts::TAU;
use std::hint::black_box;
use std::io::Write as _;
use std::time::{Duration, Instant};

/// Something like a voice: harmonics of a moving pitch, in syllables.
fn voice(rate_hz: u32, packet: usize) -> Vec<Vec<i16>> {
    let mut phase = 0.0;
    let sound = (0..rate_hz as usize * 2).map(|index| {
        let time = index as f64 / f64::from(rate_hz);
        phase += (130.0 + 30.0 * (TAU * 0.9 * time).sin()) / f64::from(rate_hz);
        let harmonics = (1..=12).map(|n| (TAU * phase * f64::from(n)).sin() / f64::from(n));
        let syllable = (TAU * 2.5 * time).sin().max(0.0);
        (harmonics.sum::<f64>() * 6000.0 * syllable) as i16
    });
    let sound: Vec<i16> = sound.collect();
    sound.chunks_exact(packet).map(<[i16]>::to_vec).collect()
}

fn settings(rate_hz: u32) -> Settings<'static> {
    Settings {
        rate_hz,
        channels: 1,
        fmtp: "useinbandfec=1",
    }
}

/// The time of one call of what is measured, the best of several rounds.
fn time(mut act: impl FnMut(usize)) -> f64 {
    let mut best = Duration::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for index in 0..CALLS {
            act(index);
        }
        best = best.min(start.elapsed());
    }
    best.as_secs_f64() / CALLS as f64
}

/// A codec at a rate: encoder, decoder, sound, and what that is encoded.
struct Bench {
    encoder: Box<dyn Encode>,
    decoder: Box<dyn Decode>,
    frames: Vec<Vec<i16>>,
    payloads: Vec<Vec<u8>>,
    payload: Vec<u8>,
    samples: Vec<i16>,
}

impl Bench {
    fn new(codec: &Codec, rate_hz: u32) -> Self {
        let coding = codec.coding.unwrap();
        let mut encoder = (coding.encoder)(&settings(rate_hz)).unwrap();
        let frames = voice(rate_hz, rate_hz as usize / 50);
        let payloads = frames.iter().map(|frame| {
            let mut payload = Vec::new();
            encoder.encode(frame, &mut payload).unwrap();
            payload
        });
        let payloads = payloads.collect();
        Self {
            encoder,
            decoder: (coding.decoder)(&settings(rate_hz)).unwrap(),
            frames,
            payloads,
            payload: Vec::new(),
            samples: Vec::new(),
        }
    }

    fn encode(&mut self, index: usize) {
        self.payload.clear();
        let frame = &self.frames[index % self.frames.len()];
        self.encoder.encode(frame, &mut self.payload).unwrap();
        black_box(&self.payload);
    }

    fn decode(&mut self, index: usize) {
        self.samples.clear();
        let payload = &self.payloads[index % self.payloads.len()];
        self.decoder.decode(payload, &mut self.samples).unwrap();
        black_box(&self.samples);
    }
}

fn main() {
    let codec = |name: &str| CODECS.iter().find(|codec| codec.name == name).unwrap();
    let mut ulaw = Bench::new(codec("ulaw"), 8000);
    let floor = time(|index| {
        ulaw.encode(index);
        ulaw.decode(index);
    });
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "opus by {OPUS_ENGINE}; 20 ms of one voice; µs, and times the floor"
    )
    .unwrap();
    let mut row = |name: &str, seconds: f64| {
        let (micros, ratio) = (seconds * 1e6, seconds / floor);
        writeln!(out, "{name:<28} {micros:>8.2} {ratio:>8.1}").unwrap();
    };
    row("floor: G.711 there and back", floor);
    for name in ["opus", "g722", "slin48"] {
        for rate_hz in codec(name).coding.unwrap().rates_hz {
            let mut bench = Bench::new(codec(name), *rate_hz);
            row(
                &format!("{name} encode at {rate_hz} Hz"),
                time(|i| bench.encode(i)),
            );
            row(
                &format!("{name} decode at {rate_hz} Hz"),
                time(|i| bench.decode(i)),
            );
        }
    }
    for (from_hz, to_hz) in [
        (8000, 16_000),
        (16_000, 8000),
        (8000, 48_000),
        (48_000, 8000),
    ] {
        let mut resampler = Resampler::new(from_hz, to_hz).unwrap();
        let frames = voice(from_hz, from_hz as usize / 50);
        let mut samples = Vec::new();
        let cost = time(|index| {
            samples.clear();
            resampler.resample(&frames[index % frames.len()], &mut samples);
            black_box(&samples);
        });
        row(&format!("resample {from_hz} to {to_hz} Hz"), cost);
    }
    for (from, to, rate_hz) in [
        ("opus", "ulaw", 8000),
        ("ulaw", "opus", 8000),
        ("opus", "g722", 16_000),
        ("g722", "opus", 16_000),
    ] {
        let (mut from_bench, mut to_bench) = (
            Bench::new(codec(from), rate_hz),
            Bench::new(codec(to), rate_hz),
        );
        let cost = time(|index| {
            from_bench.decode(index);
            to_bench.payload.clear();
            to_bench
                .encoder
                .encode(&from_bench.samples, &mut to_bench.payload)
                .unwrap();
            black_box(&to_bench.payload);
        });
        row(&format!("{from} to {to}"), cost);
    }
}

/// Short rounds, so that some of them are not interrupted by other work of the machine.
const ROUNDS: usize = 100;
const CALLS: usize = 20;
