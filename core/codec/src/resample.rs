//! Changes the sampling rate: a polyphase filter with an exact ratio, whose state goes on from frame
//! to frame.
//!
//! The filter is a sinc with a Kaiser window. It is flat up to 86 % of the lower rate's half and 70 dB
//! down at that half, so that what cannot be represented is not heard as something else. It delays by
//! half of its length: 4 ms at 8 kHz, less above. `tests/resample.rs` measures all of it.

use std::f64::consts::PI;

/// Changes the rate of one channel.
pub struct Resampler {
    /// Output samples for each `down` input samples.
    up: usize,
    down: usize,
    taps: usize,
    /// One filter for each phase of an output sample between two input samples.
    phases: Box<[f32]>,
    /// The input that is still needed, oldest first.
    input: Vec<f32>,
    /// Of the next output sample, in `up`ths of an input sample from the beginning of `input`.
    position: usize,
}

impl Resampler {
    /// From one rate to another; `None` if the ratio of the two has no small numbers.
    pub fn new(from_hz: u32, to_hz: u32) -> Option<Self> {
        if from_hz == 0 || to_hz == 0 {
            return None;
        }
        let divisor = divisor(from_hz, to_hz);
        let (up, down) = ((to_hz / divisor) as usize, (from_hz / divisor) as usize);
        if up > RATIO_MAX || down > RATIO_MAX {
            return None;
        }
        // The length is counted at the lower rate, where the filter is as steep whatever the other.
        let taps = (TAPS * down.max(up)).div_ceil(up).next_multiple_of(LANES);
        Some(Self {
            up,
            down,
            taps,
            phases: phases(up, down, taps),
            input: vec![0.0; taps - 1],
            position: 0,
        })
    }

    /// Appends what these samples become.
    pub fn resample(&mut self, samples: &[i16], out: &mut Vec<i16>) {
        self.input.extend(samples.iter().copied().map(f32::from));
        loop {
            let (index, phase) = (self.position / self.up, self.position % self.up);
            let Some(window) = self.input.get(index..index + self.taps) else {
                break;
            };
            let filter = &self.phases[phase * self.taps..][..self.taps];
            // A cast saturates, which is what overshoot at full scale needs.
            out.push(product(window, filter).round() as i16);
            self.position += self.down;
        }
        let done = (self.position / self.up).min(self.input.len());
        self.input.drain(..done);
        self.position -= done * self.up;
    }

    /// By how much the output lags behind, in output samples.
    pub fn delay(&self) -> f64 {
        self.taps as f64 / 2.0 * self.up as f64 / self.down as f64
    }
}

/// A sum of products in lanes, which the compiler turns into vector instructions.
fn product(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0; LANES];
    let (a, _) = a.as_chunks::<LANES>();
    let (b, _) = b.as_chunks::<LANES>();
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum()
}

fn phases(up: usize, down: usize, taps: usize) -> Box<[f32]> {
    // In cycles per input sample: half of the lower rate, less half of the transition.
    let nyquist = 0.5 * (up as f64 / down as f64).min(1.0);
    let cutoff = nyquist * (1.0 + PASSBAND) / 2.0;
    let half = taps as f64 / 2.0;
    let mut filters = Vec::with_capacity(up * taps);
    for phase in 0..up {
        let lag = phase as f64 / up as f64;
        let tap = |index: usize| {
            // The distance of this input sample from the place of the output sample.
            let distance = index as f64 + 1.0 - half - lag;
            let x = 2.0 * cutoff * distance;
            let sinc = if x == 0.0 {
                1.0
            } else {
                (PI * x).sin() / (PI * x)
            };
            2.0 * cutoff * sinc * kaiser(distance / half)
        };
        let filter: Vec<f64> = (0..taps).map(tap).collect();
        // Every phase lets a constant through as it is.
        let sum: f64 = filter.iter().sum();
        filters.extend(filter.iter().map(|tap| (tap / sum) as f32));
    }
    filters.into()
}

fn kaiser(x: f64) -> f64 {
    let inside = 1.0 - x * x;
    match inside > 0.0 {
        true => bessel(BETA * inside.sqrt()) / bessel(BETA),
        false => 0.0,
    }
}

/// The modified Bessel function of order zero.
fn bessel(x: f64) -> f64 {
    let (mut sum, mut term) = (1.0, 1.0);
    for n in 1..40 {
        term *= (x / 2.0 / f64::from(n)).powi(2);
        sum += term;
    }
    sum
}

fn divisor(a: u32, b: u32) -> u32 {
    match b {
        0 => a,
        _ => divisor(b, a % b),
    }
}

/// At the lower of the two rates.
const TAPS: usize = 64;
const LANES: usize = 8;
/// As a share of half the lower rate.
const PASSBAND: f64 = 0.86;
/// A Kaiser window of this shape is 70 dB down outside of the transition.
const BETA: f64 = 7.0;
/// 44.1 to 8 kHz is 80 to 441.
const RATIO_MAX: usize = 480;
