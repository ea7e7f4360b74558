//! The two Opus libraries against each other: how far the one in Rust is from the reference.
//!
//! Run with `cargo test -p codec --features libopus`; the reference is libopus, built by cmake.
#![cfg(feature = "libopus")]

use opus_pure::{Application, OpusDecoder, OpusEncoder};
use std::f64::consts::TAU;

/// Which sound is coded.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Sound {
    Speech,
    Music,
}

/// How it is coded.
#[derive(Clone, Copy, Debug)]
struct Case {
    rate_hz: i32,
    sound: Sound,
    bitrate_bps: i32,
    fec: bool,
    complexity: i32,
}

const CASES: &[Case] = &[
    case(8000, Sound::Speech, 16_000),
    case(16_000, Sound::Speech, 24_000),
    case(24_000, Sound::Speech, 32_000),
    case(48_000, Sound::Speech, 36_000),
    case(8000, Sound::Music, 24_000),
    case(16_000, Sound::Music, 40_000),
    case(24_000, Sound::Music, 64_000),
    case(48_000, Sound::Music, 96_000),
];

const fn case(rate_hz: i32, sound: Sound, bitrate_bps: i32) -> Case {
    Case {
        rate_hz,
        sound,
        bitrate_bps,
        fec: false,
        complexity: 5,
    }
}

impl Case {
    fn frame(&self) -> usize {
        self.rate_hz as usize / 50
    }

    fn sound(&self) -> Vec<i16> {
        match self.sound {
            Sound::Speech => speech(self.rate_hz as usize),
            Sound::Music => music(self.rate_hz as usize),
        }
    }
}

/// Something like a voice: a glottal pulse train whose pitch moves, three formants that change with
/// each syllable, hiss for consonants, pauses.
fn speech(rate: usize) -> Vec<i16> {
    let mut noise = Noise(1);
    let mut phase = 0.0;
    let mut formants = [[0.0f64; 2]; 3];
    let vowels = [
        [730.0, 1090.0, 2440.0],
        [270.0, 2290.0, 3010.0],
        [300.0, 870.0, 2240.0],
        [530.0, 1840.0, 2480.0],
    ];
    let mut sound = Vec::new();
    for index in 0..rate * SECONDS {
        let time = index as f64 / rate as f64;
        let syllable = (time / 0.2) as usize;
        let within = (time / 0.2).fract();
        let pause = syllable % 7 == 6;
        let pitch = 120.0 + 25.0 * (TAU * 0.7 * time).sin() + 10.0 * (TAU * 3.1 * time).sin();
        phase += pitch / rate as f64;
        let pulse = if phase >= 1.0 { 1.0 } else { 0.0 };
        phase = phase.fract();
        let consonant = within < 0.25;
        let source = if consonant {
            noise.next() * 0.12
        } else {
            pulse + noise.next() * 0.01
        };
        let mut value = 0.0;
        for (formant, hz) in formants.iter_mut().zip(vowels[syllable % 4]) {
            if hz > rate as f64 * 0.45 {
                continue;
            }
            // A resonator of 80 Hz width.
            let radius = (-TAU / 2.0 * 80.0 / rate as f64).exp();
            let turn = 2.0 * radius * (TAU * hz / rate as f64).cos();
            let out = source * (1.0 - radius) + turn * formant[0] - radius * radius * formant[1];
            *formant = [out, formant[0]];
            value += out;
        }
        let envelope = if pause {
            0.0
        } else {
            (TAU / 2.0 * within).sin()
        };
        let hiss = if consonant {
            noise.next() * 300.0
        } else {
            noise.next() * 8.0
        };
        sound.push(
            (value * envelope * 20_000.0 + hiss * envelope).clamp(-30_000.0, 30_000.0) as i16,
        );
    }
    sound
}

/// Something like music: chords of plucked strings with many harmonics over a drum of noise.
fn music(rate: usize) -> Vec<i16> {
    let mut noise = Noise(7);
    let chords = [
        [220.0, 277.18, 329.63],
        [246.94, 293.66, 369.99],
        [196.0, 246.94, 293.66],
    ];
    let mut sound = Vec::new();
    for index in 0..rate * SECONDS {
        let time = index as f64 / rate as f64;
        let beat = (time / 0.4) as usize;
        let since = (time / 0.4).fract() * 0.4;
        let mut value = 0.0;
        for hz in chords[beat % 3] {
            for harmonic in 1..=20 {
                let hz = hz * f64::from(harmonic);
                if hz < rate as f64 * 0.42 {
                    let decay = (-since * 3.0 * f64::from(harmonic).sqrt()).exp();
                    value += (TAU * hz * time).sin() * decay / f64::from(harmonic);
                }
            }
        }
        let drum = noise.next() * (-since * 25.0).exp();
        sound.push((value * 4000.0 + drum * 3000.0).clamp(-30_000.0, 30_000.0) as i16);
    }
    sound
}

struct Noise(u32);

impl Noise {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(self.0.cast_signed()) / 2_147_483_648.0
    }
}

fn pure_encoder(case: &Case) -> OpusEncoder {
    let mut encoder = OpusEncoder::new(case.rate_hz, 1, Application::Voip).unwrap();
    encoder.bitrate_bps = case.bitrate_bps;
    encoder.complexity = case.complexity;
    encoder.use_inband_fec = case.fec;
    encoder.packet_loss_perc = if case.fec { 10 } else { 0 };
    encoder
}

fn reference_encoder(case: &Case) -> opus::Encoder {
    let rate_hz = case.rate_hz as u32;
    let mut encoder =
        opus::Encoder::new(rate_hz, opus::Channels::Mono, opus::Application::Voip).unwrap();
    encoder
        .set_bitrate(opus::Bitrate::Bits(case.bitrate_bps))
        .unwrap();
    encoder.set_complexity(case.complexity).unwrap();
    encoder.set_inband_fec(case.fec).unwrap();
    encoder
        .set_packet_loss_perc(if case.fec { 10 } else { 0 })
        .unwrap();
    encoder
}

fn by_pure(case: &Case, sound: &[i16]) -> Vec<Vec<u8>> {
    let mut encoder = pure_encoder(case);
    let mut packet = [0; 1500];
    let frames = sound.chunks_exact(case.frame());
    frames
        .map(|frame| {
            let len = encoder
                .encode_s16(frame, case.frame(), &mut packet)
                .unwrap();
            packet[..len].to_vec()
        })
        .collect()
}

fn by_reference(case: &Case, sound: &[i16]) -> Vec<Vec<u8>> {
    let mut encoder = reference_encoder(case);
    let frames = sound.chunks_exact(case.frame());
    frames
        .map(|frame| encoder.encode_vec(frame, 1500).unwrap())
        .collect()
}

/// What happened to a packet on its way.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Came,
    Lost,
    /// Lost, and the copy in the next packet is used.
    Recovered,
}

fn heard_by_pure(case: &Case, packets: &[Vec<u8>], fate: impl Fn(usize) -> Fate) -> Vec<i16> {
    let mut decoder = OpusDecoder::new(case.rate_hz, 1).unwrap();
    let mut sound = Vec::new();
    let mut frame = vec![0; case.frame()];
    for (index, packet) in packets.iter().enumerate() {
        let count = match fate(index) {
            Fate::Came => decoder.decode_s16(packet, case.frame(), &mut frame),
            Fate::Lost => decoder.decode_s16(&[], case.frame(), &mut frame),
            Fate::Recovered => {
                decoder.decode_fec_s16(&packets[index + 1], case.frame(), &mut frame)
            }
        };
        assert_eq!(count.unwrap(), case.frame());
        sound.extend_from_slice(&frame);
    }
    sound
}

fn heard_by_reference(case: &Case, packets: &[Vec<u8>], fate: impl Fn(usize) -> Fate) -> Vec<i16> {
    let mut decoder = opus::Decoder::new(case.rate_hz as u32, opus::Channels::Mono).unwrap();
    let mut sound = Vec::new();
    let mut frame = vec![0; case.frame()];
    for (index, packet) in packets.iter().enumerate() {
        let count = match fate(index) {
            Fate::Came => decoder.decode(packet, &mut frame, false),
            Fate::Lost => decoder.decode(&[], &mut frame, false),
            Fate::Recovered => decoder.decode(&packets[index + 1], &mut frame, true),
        };
        assert_eq!(count.unwrap(), case.frame());
        sound.extend_from_slice(&frame);
    }
    sound
}

fn energy(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|value| value * value).sum::<f64>()
}

fn difference(a: &[i16], b: &[i16]) -> f64 {
    energy(a.iter().zip(b).map(|(a, b)| f64::from(*a) - f64::from(*b)))
}

fn snr_db(signal: &[i16], other: &[i16]) -> f64 {
    let noise = difference(signal, other);
    if noise == 0.0 {
        return f64::INFINITY;
    }
    10.0 * (energy(signal.iter().map(|value| f64::from(*value))) / noise).log10()
}

/// Every tenth packet is lost, and sometimes two in a row.
fn is_lost(index: usize) -> bool {
    index > 10 && (index % 10 == 3 || index % 40 == 4)
}

#[test]
fn decoded_sound_is_within_60_db_of_the_reference() {
    for case in CASES {
        let sound = case.sound();
        for (who, packets) in [
            ("rust", by_pure(case, &sound)),
            ("reference", by_reference(case, &sound)),
        ] {
            let all = |_| Fate::Came;
            let reference = heard_by_reference(case, &packets, all);
            let snr = snr_db(&reference, &heard_by_pure(case, &packets, all));
            println!("{case:?} encoded by {who}: {snr:.1} dB");
            assert!(snr > 60.0, "{case:?} encoded by {who}: {snr:.1} dB");
        }
    }
}

#[test]
fn the_rate_is_within_5_percent_of_the_target_or_of_the_reference() {
    for case in CASES {
        let sound = case.sound();
        let rate = |packets: Vec<Vec<u8>>| {
            let bytes: usize = packets.iter().map(Vec::len).sum();
            8.0 * bytes as f64 / SECONDS as f64
        };
        let target = f64::from(case.bitrate_bps);
        let (ours, reference) = (
            rate(by_pure(case, &sound)),
            rate(by_reference(case, &sound)),
        );
        println!("{case:?}: {ours:.0} bit/s, the reference {reference:.0}");
        // The reference itself stays below the target in the pauses of speech.
        let is_near = |other: f64| (ours / other - 1.0).abs() < 0.05;
        assert!(
            is_near(target) || is_near(reference),
            "{case:?}: {ours:.0}, the reference {reference:.0}"
        );
    }
}

#[test]
fn encoded_sound_is_as_near_to_the_original_as_the_reference_s() {
    for case in CASES {
        let sound = case.sound();
        let delay = reference_encoder(case).get_lookahead().unwrap() as usize;
        let quality = |packets: Vec<Vec<u8>>| {
            let heard = heard_by_reference(case, &packets, |_| Fate::Came);
            snr_db(&sound[..sound.len() - delay], &heard[delay..])
        };
        let (ours, reference) = (
            quality(by_pure(case, &sound)),
            quality(by_reference(case, &sound)),
        );
        println!("{case:?}: {ours:.2} dB, the reference {reference:.2} dB");
        assert!(
            ours > reference - 1.0,
            "{case:?}: {ours:.2} dB, the reference {reference:.2} dB"
        );
    }
}

#[test]
fn concealment_errs_as_the_reference_does_within_1_db() {
    for case in CASES {
        let sound = case.sound();
        for (who, packets) in [
            ("rust", by_pure(case, &sound)),
            ("reference", by_reference(case, &sound)),
        ] {
            errors_are_alike(case, who, &packets, Fate::Lost);
        }
    }
}

#[test]
fn copies_of_lost_packets_help_as_they_do_in_the_reference_within_1_db() {
    for case in CASES {
        let case = Case { fec: true, ..*case };
        let sound = case.sound();
        for (who, packets) in [
            ("rust", by_pure(&case, &sound)),
            ("reference", by_reference(&case, &sound)),
        ] {
            errors_are_alike(&case, who, &packets, Fate::Recovered);
        }
    }
}

fn errors_are_alike(case: &Case, who: &str, packets: &[Vec<u8>], remedy: Fate) {
    let fate = |index: usize| match is_lost(index) {
        true if remedy == Fate::Recovered && index + 1 < packets.len() && !is_lost(index + 1) => {
            Fate::Recovered
        }
        true => Fate::Lost,
        false => Fate::Came,
    };
    let whole = heard_by_reference(case, packets, |_| Fate::Came);
    let error = |heard: Vec<i16>| 10.0 * difference(&whole, &heard).log10();
    let reference = error(heard_by_reference(case, packets, fate));
    let ours = error(heard_by_pure(case, packets, fate));
    println!("{case:?} encoded by {who}: error {ours:.2} dB, the reference {reference:.2} dB");
    assert!(
        (ours - reference).abs() < 1.0,
        "{case:?} encoded by {who}: {ours:.2} dB against {reference:.2} dB"
    );
}

const SECONDS: usize = 6;
