//! What the resampler does to tones, measured: `cargo test -p codec --test resample -- --nocapture`
//! prints the numbers that docs/media.md states.

use codec::Resampler;
use std::f64::consts::TAU;

const PAIRS: &[(u32, u32)] = &[
    (8000, 16_000),
    (16_000, 8000),
    (8000, 48_000),
    (48_000, 8000),
    (16_000, 48_000),
    (48_000, 16_000),
    (44_100, 8000),
    (44_100, 48_000),
    (8000, 44_100),
];

fn tone(hz: f64, rate_hz: u32, count: usize) -> Vec<i16> {
    let step = TAU * hz / f64::from(rate_hz);
    let sample = |index: usize| ((step * index as f64).sin() * 16_000.0).round() as i16;
    (0..count).map(sample).collect()
}

/// A second of a tone at another rate, in frames of 20 ms.
fn resampled(hz: f64, from_hz: u32, to_hz: u32) -> (Vec<i16>, f64) {
    let mut resampler = Resampler::new(from_hz, to_hz).expect("a ratio of small numbers");
    let mut out = Vec::new();
    for frame in tone(hz, from_hz, from_hz as usize).chunks(from_hz as usize / 50) {
        resampler.resample(frame, &mut out);
    }
    (out, resampler.delay())
}

/// The amplitude of a frequency, and the power of everything else, both from a fit.
fn fit(sound: &[i16], hz: f64, rate_hz: u32) -> (f64, f64) {
    let sound = &sound[sound.len() / 4..];
    let step = TAU * hz / f64::from(rate_hz);
    let (mut s, mut c) = (0.0, 0.0);
    for (index, sample) in sound.iter().enumerate() {
        let phase = step * index as f64;
        s += f64::from(*sample) * phase.sin();
        c += f64::from(*sample) * phase.cos();
    }
    let scale = 2.0 / sound.len() as f64;
    let (s, c) = (s * scale, c * scale);
    let rest = sound.iter().enumerate().map(|(index, sample)| {
        let phase = step * index as f64;
        (f64::from(*sample) - s * phase.sin() - c * phase.cos()).powi(2)
    });
    let noise = rest.sum::<f64>() / sound.len() as f64;
    (s.hypot(c), noise)
}

#[test]
fn tones_in_the_passband_keep_their_level_and_gain_no_noise() {
    for (from_hz, to_hz) in PAIRS {
        let half = f64::from(*from_hz.min(to_hz)) / 2.0;
        let (mut worst_snr, mut worst_level) = (f64::INFINITY, 0.0f64);
        for share in [0.05, 0.25, 0.5, 0.75, 0.85] {
            // A whole number of periods in what is measured.
            let hz = (half * share / 20.0).round() * 20.0;
            let (sound, _) = resampled(hz, *from_hz, *to_hz);
            let (level, noise) = fit(&sound, hz, *to_hz);
            worst_snr = worst_snr.min(10.0 * (level * level / 2.0 / noise).log10());
            worst_level = worst_level.max((20.0 * (level / 16_000.0).log10()).abs());
        }
        println!(
            "{from_hz} to {to_hz} Hz: SNR {worst_snr:.1} dB, level within {worst_level:.3} dB"
        );
        assert!(worst_snr > 65.0, "{from_hz} to {to_hz}: {worst_snr:.1} dB");
        assert!(
            worst_level < 0.1,
            "{from_hz} to {to_hz}: {worst_level:.3} dB"
        );
    }
}

#[test]
fn what_cannot_be_represented_is_not_heard_as_something_else() {
    for (from_hz, to_hz) in PAIRS.iter().filter(|(from_hz, to_hz)| from_hz > to_hz) {
        let mut worst = f64::NEG_INFINITY;
        for share in [1.01, 1.2, 1.6, 1.9] {
            let hz = f64::from(*to_hz) / 2.0 * share;
            if hz < f64::from(*from_hz) / 2.0 {
                let (sound, _) = resampled(hz, *from_hz, *to_hz);
                let sound = &sound[sound.len() / 4..];
                let power = sound.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>();
                let level = (2.0 * power / sound.len() as f64).sqrt();
                worst = worst.max(20.0 * (level.max(0.1) / 16_000.0).log10());
            }
        }
        println!("{from_hz} to {to_hz} Hz: aliases {worst:.1} dB");
        assert!(worst < -65.0, "{from_hz} to {to_hz}: {worst:.1} dB");
    }
}

#[test]
fn the_number_of_samples_is_exact_and_frames_leave_no_seam() {
    for (from_hz, to_hz) in PAIRS {
        let sound = tone(440.0, *from_hz, *from_hz as usize);
        let mut whole = Vec::new();
        Resampler::new(*from_hz, *to_hz)
            .unwrap()
            .resample(&sound, &mut whole);
        assert!(
            whole.len().abs_diff(*to_hz as usize) <= 1,
            "{} of {to_hz}",
            whole.len()
        );
        let mut parts = Vec::new();
        let mut resampler = Resampler::new(*from_hz, *to_hz).unwrap();
        for piece in sound.chunks(77) {
            resampler.resample(piece, &mut parts);
        }
        assert_eq!(whole, parts, "{from_hz} to {to_hz}");
    }
}

#[test]
fn the_delay_is_what_it_says() {
    for (from_hz, to_hz) in PAIRS {
        let (sound, delay) = resampled(300.0, *from_hz, *to_hz);
        let expected = |index: usize| {
            let time = (index as f64 - delay) / f64::from(*to_hz);
            (TAU * 300.0 * time).sin() * 16_000.0
        };
        let middle = sound.len() / 2;
        for (index, sample) in sound.iter().enumerate().skip(middle).take(100) {
            let difference = f64::from(*sample) - expected(index);
            // One input sample more or less is the rounding of the filter's middle.
            let step = TAU * 300.0 / f64::from(*from_hz.min(to_hz)) * 16_000.0;
            assert!(
                difference.abs() < 1.1 * step,
                "{from_hz} to {to_hz}: {difference}"
            );
        }
    }
}

#[test]
fn full_scale_saturates_and_strange_ratios_are_refused() {
    let mut out = Vec::new();
    let square: Vec<i16> = (0..800)
        .map(|i| if i / 20 % 2 == 0 { i16::MAX } else { i16::MIN })
        .collect();
    Resampler::new(8000, 48_000)
        .unwrap()
        .resample(&square, &mut out);
    assert!(out.contains(&i16::MAX) && out.contains(&i16::MIN));
    for (from_hz, to_hz) in [(8000, 47_999), (0, 0), (0, 8000), (8000, 0)] {
        assert!(
            Resampler::new(from_hz, to_hz).is_none(),
            "{from_hz} {to_hz}"
        );
    }
}
