//! Digits found in sound: their durations, levels, twist, noise; and voices, which are none.

use codec::{DtmfDetector, DtmfEvent, dtmf_pair};
use std::f64::consts::TAU;
use std::time::Duration;

const DIGITS: &str = "1234567890*#ABCD";

struct Line {
    sound: Vec<f64>,
    rate_hz: f64,
}

impl Line {
    fn new(rate_hz: u32) -> Self {
        Self {
            sound: Vec::new(),
            rate_hz: f64::from(rate_hz),
        }
    }

    /// Two tones with these amplitudes; the frequencies are off by a factor.
    fn tones(&mut self, digit: char, ms: usize, amplitudes: (f64, f64), factor: f64) {
        let (low, high) = dtmf_pair(digit).expect("a digit");
        for index in 0..self.rate_hz as usize * ms / 1000 {
            let time = index as f64 / self.rate_hz;
            let wave = |hz: u16| (TAU * f64::from(hz) * factor * time).sin();
            self.sound
                .push(wave(low) * amplitudes.0 + wave(high) * amplitudes.1);
        }
    }

    fn rest(&mut self, ms: usize) {
        let count = self.rate_hz as usize * ms / 1000;
        self.sound.extend(std::iter::repeat_n(0.0, count));
    }

    fn noise(&mut self, amplitude: f64, seed: u32) {
        let mut seed = seed;
        for sample in &mut self.sound {
            let mut sum = 0.0;
            for _ in 0..4 {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                sum += f64::from(seed.cast_signed()) / 2_147_483_648.0;
            }
            *sample += sum * amplitude;
        }
    }

    fn heard(&self) -> Vec<DtmfEvent> {
        let mut detector = DtmfDetector::new(self.rate_hz as u32);
        let mut events = Vec::new();
        let sound: Vec<i16> = self.sound.iter().map(|sample| *sample as i16).collect();
        for frame in sound.chunks(self.rate_hz as usize / 50) {
            detector.listen(frame, &mut events);
        }
        events
    }

    fn digits(&self) -> String {
        let began = |event: DtmfEvent| match event {
            DtmfEvent::Began(digit) => Some(digit),
            DtmfEvent::Ended { .. } => None,
        };
        self.heard().into_iter().filter_map(began).collect()
    }
}

/// All digits, each so long with as much silence after it.
fn dialled(rate_hz: u32, ms: usize, amplitudes: (f64, f64), factor: f64) -> Line {
    let mut line = Line::new(rate_hz);
    line.rest(37);
    for digit in DIGITS.chars() {
        line.tones(digit, ms, amplitudes, factor);
        line.rest(ms.max(40));
    }
    line
}

#[test]
fn every_digit_is_found_once_at_every_rate_and_level() {
    for rate_hz in [8000, 16_000, 48_000] {
        for amplitude in [300.0, 3000.0, 16_000.0] {
            let line = dialled(rate_hz, 60, (amplitude, amplitude), 1.0);
            assert_eq!(line.digits(), DIGITS, "{rate_hz} Hz, {amplitude}");
        }
    }
    assert_eq!(
        dialled(8000, 60, (60.0, 60.0), 1.0).digits(),
        "",
        "too soft"
    );
}

#[test]
fn forty_milliseconds_are_a_digit_and_twenty_are_not() {
    assert_eq!(dialled(8000, 42, (6000.0, 6000.0), 1.0).digits(), DIGITS);
    assert_eq!(dialled(8000, 20, (6000.0, 6000.0), 1.0).digits(), "");
}

#[test]
fn a_digit_that_is_held_is_one_and_tells_how_long() {
    let mut line = Line::new(8000);
    line.tones('7', 1000, (6000.0, 6000.0), 1.0);
    // Ten milliseconds of nothing do not end it.
    line.rest(10);
    line.tones('7', 500, (6000.0, 6000.0), 1.0);
    line.rest(100);
    let events = line.heard();
    let [
        DtmfEvent::Began('7'),
        DtmfEvent::Ended {
            digit: '7',
            duration,
        },
    ] = events[..]
    else {
        panic!("{events:?}");
    };
    assert!(
        duration.abs_diff(Duration::from_millis(1510)) < Duration::from_millis(30),
        "{duration:?}"
    );
}

#[test]
fn the_same_digit_twice_is_two_digits() {
    let mut line = Line::new(8000);
    for _ in 0..5 {
        line.tones('5', 50, (6000.0, 6000.0), 1.0);
        line.rest(45);
    }
    assert_eq!(line.digits(), "55555");
}

#[test]
fn twist_and_deviation_are_taken_as_q_24_says() {
    let ratio = |db: f64| 10f64.powf(db / 20.0);
    assert_eq!(
        dialled(8000, 60, (4000.0, 4000.0 * ratio(7.0)), 1.0).digits(),
        DIGITS
    );
    assert_eq!(
        dialled(8000, 60, (4000.0 * ratio(3.0), 4000.0), 1.0).digits(),
        DIGITS
    );
    assert_eq!(
        dialled(8000, 60, (1000.0, 1000.0 * ratio(12.0)), 1.0).digits(),
        ""
    );
    assert_eq!(
        dialled(8000, 60, (1000.0 * ratio(8.0), 1000.0), 1.0).digits(),
        ""
    );
    for factor in [0.985, 1.015] {
        assert_eq!(
            dialled(8000, 60, (6000.0, 6000.0), factor).digits(),
            DIGITS,
            "{factor}"
        );
    }
}

#[test]
fn digits_are_found_in_noise_and_noise_is_none() {
    // 18 dB below the tones.
    let mut line = dialled(8000, 60, (6000.0, 6000.0), 1.0);
    line.noise(650.0, 1);
    assert_eq!(line.digits(), DIGITS);
    let mut line = Line::new(8000);
    line.rest(60_000);
    line.noise(6000.0, 2);
    assert_eq!(line.digits(), "");
}

#[test]
fn neither_voices_nor_the_tones_of_the_network_are_digits() {
    // Vowels of changing pitch and formants: ten minutes, since what talks off does so rarely.
    let mut line = Line::new(8000);
    let vowels = [
        [730.0, 1090.0, 2440.0],
        [270.0, 2290.0, 3010.0],
        [300.0, 870.0, 2240.0],
        [530.0, 1840.0, 2480.0],
        [690.0, 1200.0, 2500.0],
        [850.0, 1340.0, 2600.0],
    ];
    let mut phase = 0.0;
    for index in 0..8000 * 600 {
        let time = f64::from(index) / 8000.0;
        let pitch = 140.0 + 60.0 * (TAU * 0.31 * time).sin() + 8.0 * (TAU * 5.0 * time).sin();
        phase += pitch / 8000.0;
        let formants = vowels[(time / 0.17) as usize % vowels.len()];
        let mut value = 0.0;
        for harmonic in 1..=20 {
            let hz = pitch * f64::from(harmonic);
            let near = |formant: &f64| 1.0 / (1.0 + ((hz - formant) / 90.0).powi(2));
            let level: f64 = formants.iter().map(near).sum();
            if hz < 3800.0 {
                value += level * (TAU * phase * f64::from(harmonic)).sin();
            }
        }
        line.sound.push(value * 4000.0);
    }
    assert_eq!(line.digits(), "", "talk-off");
    for pair in [
        (350.0, 440.0),
        (440.0, 480.0),
        (480.0, 620.0),
        (425.0, 0.0),
        (1100.0, 0.0),
        (2100.0, 0.0),
        (697.0, 0.0),
    ] {
        let mut line = Line::new(8000);
        for index in 0..16_000 {
            let wave = |hz: f64| (TAU * hz * f64::from(index) / 8000.0).sin();
            line.sound.push((wave(pair.0) + wave(pair.1)) * 7000.0);
        }
        assert_eq!(line.digits(), "", "{pair:?}");
    }
}
