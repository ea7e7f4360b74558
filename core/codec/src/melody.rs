//! A piece of music for those who wait, made by rule: no file, and nobody's work but ours.
//!
//! Sixteen bars of broken chords over a bass, with a slow melody above. Every note is a few partials that
//! fade, as of a plucked string. What still sounds at the end sounds on at the beginning, so that the piece
//! can be repeated without a seam; its length is a whole number of packets of 20 ms.

use std::f64::consts::TAU;

/// The piece, at [`MELODY_HZ`].
pub fn melody() -> Vec<i16> {
    let mut sum = vec![0.0_f32; BARS.len() * STEPS * STEP];
    for (bar, (bass, chord, tune)) in BARS.iter().enumerate() {
        let begin = bar * STEPS * STEP;
        pluck(&mut sum, begin, *bass, 0.30, 2.4);
        pluck(&mut sum, begin + STEPS / 2 * STEP, *bass, 0.18, 2.0);
        for (step, place) in PATTERN.iter().enumerate() {
            // The first of each half is a little louder, as a hand plays it.
            let level = if step % 4 == 0 { 0.17 } else { 0.12 };
            pluck(&mut sum, begin + step * STEP, chord[*place], level, 1.3);
        }
        for (step, note) in *tune {
            pluck(&mut sum, begin + step * STEP, *note, 0.26, 2.2);
        }
    }
    let peak = sum
        .iter()
        .fold(0.0_f32, |peak, value| peak.max(value.abs()));
    let scale = PEAK / peak;
    sum.iter().map(|value| (value * scale) as i16).collect()
}

/// Adds one note, which wraps around at the end. `key` counts semitones as MIDI does: 69 is 440 Hz.
fn pluck(sum: &mut [f32], begin: usize, key: u8, level: f32, length_s: f64) {
    let hz = 440.0 * ((f64::from(key) - 69.0) / 12.0).exp2();
    let count = (length_s * f64::from(MELODY_HZ)) as usize;
    for (number, share) in PARTIALS {
        let angle = TAU * hz * f64::from(number) / f64::from(MELODY_HZ);
        let (turn_sin, turn_cos) = (angle.sin() as f32, angle.cos() as f32);
        let (mut sin, mut cos) = (0.0_f32, 1.0_f32);
        let mut gain = level * share;
        // Fades to a thousandth over its length; higher partials faster, as strings do.
        let fading = f64::from(number).sqrt() * -6.9 / count as f64;
        let fade = fading.exp() as f32;
        for at in 0..count {
            let rise = (at as f32 / ATTACK as f32).min(1.0);
            // The last of it falls to nothing, or the cut would be heard as a click.
            let fall = ((count - at) as f32 / RELEASE as f32).min(1.0);
            let index = (begin + at) % sum.len();
            sum[index] += sin * gain * rise * fall;
            (sin, cos) = (
                sin * turn_cos + cos * turn_sin,
                cos * turn_cos - sin * turn_sin,
            );
            gain *= fade;
        }
    }
}

/// Its rate: enough for every telephone and most of what a browser plays.
pub const MELODY_HZ: u32 = 16_000;
/// Half of full scale: as loud as speech on a telephone, and nothing is cut off.
const PEAK: f32 = 16_384.0;
/// Of an eighth note: 0.36 seconds, 18 packets.
const STEP: usize = 5760;
/// Eighth notes in a bar.
const STEPS: usize = 8;
/// A hundredth of a second.
const ATTACK: usize = 160;
const RELEASE: usize = 1600;
/// Number and loudness.
const PARTIALS: [(u8, f32); 4] = [(1, 1.0), (2, 0.35), (3, 0.12), (4, 0.05)];
/// Which note of the chord sounds at each step.
const PATTERN: [usize; STEPS] = [0, 1, 2, 3, 2, 3, 2, 1];

/// Bass, four notes of a chord, and the melody with its steps.
type Bar = (u8, [u8; 4], &'static [(usize, u8)]);

const C: [u8; 4] = [60, 64, 67, 72];
const A_MINOR: [u8; 4] = [57, 60, 64, 69];
const F: [u8; 4] = [57, 60, 65, 69];
const G: [u8; 4] = [59, 62, 67, 71];
const E_MINOR: [u8; 4] = [59, 64, 67, 71];
const D_MINOR: [u8; 4] = [57, 62, 65, 69];

const BARS: [Bar; 16] = [
    (48, C, &[(0, 76), (4, 79)]),
    (45, A_MINOR, &[(0, 81), (6, 79)]),
    (41, F, &[(0, 77), (4, 81)]),
    (43, G, &[(0, 79)]),
    (48, C, &[(0, 76), (4, 74), (6, 72)]),
    (45, A_MINOR, &[(0, 76)]),
    (50, D_MINOR, &[(0, 77), (4, 76), (6, 74)]),
    (43, G, &[(0, 74)]),
    (52, E_MINOR, &[(0, 79), (4, 83)]),
    (45, A_MINOR, &[(0, 84), (6, 81)]),
    (41, F, &[(0, 81), (4, 77)]),
    (48, C, &[(0, 79), (4, 76)]),
    (41, F, &[(0, 72), (4, 74), (6, 77)]),
    (52, E_MINOR, &[(0, 76), (4, 79)]),
    (50, D_MINOR, &[(0, 77), (4, 74)]),
    (43, G, &[(0, 71), (4, 74)]),
];

#[cfg(test)]
mod tests {
    use super::{MELODY_HZ, PEAK, STEP, melody};

    fn level_db(samples: &[i16]) -> f64 {
        let sum: f64 = samples.iter().map(|s| f64::from(*s).powi(2)).sum();
        20.0 * ((sum / samples.len() as f64).sqrt() / 32_768.0).log10()
    }

    #[test]
    fn it_is_loud_enough_everywhere_and_nowhere_cut_off() {
        let piece = melody();
        let peak = piece.iter().map(|s| s.unsigned_abs()).max().unwrap();
        assert!((PEAK as u16 - 2..=PEAK as u16).contains(&peak), "{peak}");
        let level = level_db(&piece);
        assert!((-24.0..=-14.0).contains(&level), "{level} dB");
        for (at, second) in piece.chunks_exact(MELODY_HZ as usize).enumerate() {
            let level = level_db(second);
            assert!((-32.0..=-12.0).contains(&level), "{level} dB at {at} s");
        }
    }

    #[test]
    fn it_is_the_same_each_time_and_repeats_without_a_seam() {
        let piece = melody();
        assert_eq!(piece.len() % (MELODY_HZ as usize / 50), 0, "whole packets");
        assert!(piece.len() == 16 * 8 * STEP && piece == melody());
        let twice = [&piece[..], &piece[..]].concat();
        let step = |pair: &[i16]| (i32::from(pair[1]) - i32::from(pair[0])).abs();
        let most = piece.windows(2).map(step).max().unwrap();
        let seam = step(&twice[piece.len() - 1..=piece.len()]);
        assert!(seam <= most / 2, "{seam} of {most}");
    }

    #[test]
    fn it_is_music_and_no_beep() {
        // In each eighth note the strongest tone of the scale is another one than in most others.
        let piece = melody();
        let strongest = |samples: &[i16]| {
            let power = |key: i32| {
                let hz = 440.0 * (f64::from(key - 69) / 12.0).exp2();
                let turn = std::f64::consts::TAU * hz / f64::from(MELODY_HZ);
                let (mut re, mut im) = (0.0, 0.0);
                for (at, sample) in samples.iter().enumerate() {
                    re += f64::from(*sample) * (turn * at as f64).cos();
                    im += f64::from(*sample) * (turn * at as f64).sin();
                }
                re.hypot(im)
            };
            (55..90)
                .max_by(|a, b| power(*a).total_cmp(&power(*b)))
                .unwrap()
        };
        let mut tones: Vec<i32> = piece.chunks(STEP).step_by(3).map(strongest).collect();
        tones.sort_unstable();
        tones.dedup();
        assert!(tones.len() >= 7, "{tones:?}");
    }
}
