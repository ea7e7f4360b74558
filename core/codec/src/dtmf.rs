//! Finds digits in sound: Goertzel filters at the eight frequencies of ITU-T Q.23, with the limits of
//! Q.24.
//!
//! A digit is one tone of each group, both well above the other tones of their groups and nearly all
//! of the sound there is, neither much louder than the other; it begins when it has been so for two
//! blocks and ends when it has not for three. That is what keeps voices from being digits.

use crate::tone::{DTMF_DIGITS, DTMF_HIGH_HZ, DTMF_LOW_HZ};
use std::f32::consts::TAU;
use std::time::Duration;

/// What a detector heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DtmfEvent {
    /// A digit begins.
    Began(char),
    /// It ended.
    Ended {
        /// Which.
        digit: char,
        /// For how long it was heard, to about 13 ms.
        duration: Duration,
    },
}

/// Listens for digits.
#[derive(Clone, Debug)]
pub struct DtmfDetector {
    rate_hz: u32,
    filters: [Goertzel; 8],
    energy: f32,
    count: usize,
    block: usize,
    /// What the last block was.
    last: Option<char>,
    open: Option<Open>,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    digit: char,
    blocks: u32,
    misses: u32,
}

#[derive(Clone, Copy, Debug)]
struct Goertzel {
    turn: f32,
    last: [f32; 2],
}

impl DtmfDetector {
    /// For sound at a rate.
    pub fn new(rate_hz: u32) -> Self {
        let filter = |hz: u16| Goertzel {
            turn: 2.0 * (TAU * f32::from(hz) / rate_hz as f32).cos(),
            last: [0.0; 2],
        };
        let [a, b, c, d] = DTMF_LOW_HZ.map(filter);
        let [e, f, g, h] = DTMF_HIGH_HZ.map(filter);
        Self {
            rate_hz,
            filters: [a, b, c, d, e, f, g, h],
            energy: 0.0,
            count: 0,
            block: (rate_hz as usize * BLOCK_LEN / 8000).max(1),
            last: None,
            open: None,
        }
    }

    /// Listens to a piece of sound of any length; what it holds is appended.
    pub fn listen(&mut self, sound: &[i16], events: &mut Vec<DtmfEvent>) {
        for sample in sound {
            let value = f32::from(*sample);
            self.energy += value * value;
            for filter in &mut self.filters {
                filter.push(value);
            }
            self.count += 1;
            if self.count == self.block {
                let heard = self.judge();
                self.on_block(heard, events);
            }
        }
    }

    /// Whether a digit is being heard.
    pub fn is_active(&self) -> bool {
        self.open.is_some()
    }

    /// Whether a digit may have begun, which the next block tells.
    pub fn is_suspicious(&self) -> bool {
        self.open.is_none() && self.last.is_some()
    }

    fn on_block(&mut self, heard: Option<char>, events: &mut Vec<DtmfEvent>) {
        let before = std::mem::replace(&mut self.last, heard);
        if let Some(open) = &mut self.open {
            if heard == Some(open.digit) {
                open.blocks += open.misses + 1;
                open.misses = 0;
            } else {
                open.misses += 1;
            }
            if open.misses >= MISSES_MAX {
                let Open { digit, blocks, .. } = *open;
                self.open = None;
                let micros = u64::from(blocks) * self.block as u64 * 1_000_000;
                events.push(DtmfEvent::Ended {
                    digit,
                    duration: Duration::from_micros(micros / u64::from(self.rate_hz.max(1))),
                });
            }
        }
        if let Some(digit) = heard.filter(|_| self.open.is_none() && before == heard) {
            self.open = Some(Open {
                digit,
                blocks: 2,
                misses: 0,
            });
            events.push(DtmfEvent::Began(digit));
        }
    }

    /// What the block that is complete is.
    fn judge(&mut self) -> Option<char> {
        let mut powers = [0.0; 8];
        for (power, filter) in powers.iter_mut().zip(&mut self.filters) {
            *power = filter.finish();
        }
        let energy = std::mem::take(&mut self.energy);
        let len = std::mem::take(&mut self.count) as f32;
        let (low, low_power) = loudest(&powers[..4])?;
        let (high, high_power) = loudest(&powers[4..])?;
        // A tone of amplitude a has a power of (a·n/2)².
        let least = (AMPLITUDE_MIN * len / 2.0).powi(2);
        let is_loud = low_power > least && high_power > least;
        let is_even = low_power < high_power * TWIST_REVERSE && high_power < low_power * TWIST;
        let is_clear = |group: &[f32], own: usize, power: f32| {
            let others = group.iter().enumerate().filter(|(index, _)| *index != own);
            others.into_iter().all(|(_, other)| other * PEAK < power)
        };
        // Two tones alone would have all of the energy: half of their powers times the length.
        let is_pure = (low_power + high_power) * 2.0 > energy * len * PURITY;
        let is_digit = is_loud
            && is_even
            && is_pure
            && is_clear(&powers[..4], low, low_power)
            && is_clear(&powers[4..], high, high_power);
        is_digit.then(|| DTMF_DIGITS[4 * low + high])
    }
}

impl Goertzel {
    fn push(&mut self, value: f32) {
        let [one, two] = self.last;
        self.last = [value + self.turn * one - two, one];
    }

    /// The power since the last call.
    fn finish(&mut self) -> f32 {
        let [one, two] = std::mem::take(&mut self.last);
        one * one + two * two - self.turn * one * two
    }
}

fn loudest(powers: &[f32]) -> Option<(usize, f32)> {
    let powers = powers.iter().copied().enumerate();
    powers.max_by(|a, b| a.1.total_cmp(&b.1))
}

/// 12.75 ms at 8 kHz: long enough to tell the tones apart, short enough for 40 ms of a digit.
const BLOCK_LEN: usize = 102;
/// About −41 dBm0 of each tone.
const AMPLITUDE_MIN: f32 = 200.0;
/// Q.24: the high tone may be 8 dB above the low one, which lines damp less, and 4 dB below; a block
/// sees a decibel more or less of either.
const TWIST: f32 = 8.0;
const TWIST_REVERSE: f32 = 3.6;
/// 8 dB above the others of the group.
const PEAK: f32 = 6.3;
/// So much of the energy is in the two tones, even where both are off by 1.5 %.
const PURITY: f32 = 0.77;
/// An interruption of 10 ms, which may touch two blocks, is bridged.
const MISSES_MAX: u32 = 3;
