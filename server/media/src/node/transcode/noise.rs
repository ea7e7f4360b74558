//! Comfort noise at the rate of the sound it stands between.

use codec::{NoisePlayer, Resampler};

/// The noise a sender described last.
pub(super) struct Noise {
    player: NoisePlayer,
    /// Noise is described for 8 kHz (RFC 3389 §3), whatever the codec has.
    resampler: Option<Resampler>,
    made: Vec<i16>,
    /// At the rate of the codec, more than was asked for.
    ready: Vec<i16>,
}

impl Noise {
    /// `None` if there is no way from 8 kHz to this rate.
    pub(super) fn new(rate_hz: u32, seed: u32) -> Option<Self> {
        let resampler = match rate_hz {
            NOISE_HZ => None,
            _ => Some(Resampler::new(NOISE_HZ, rate_hz)?),
        };
        Some(Self {
            player: NoisePlayer::new(seed),
            resampler,
            made: Vec::new(),
            ready: Vec::new(),
        })
    }

    /// Takes a description; false if it is none.
    pub(super) fn describe(&mut self, payload: &[u8]) -> bool {
        self.player.describe(payload)
    }

    /// Appends so many samples.
    pub(super) fn play(&mut self, count: usize, samples: &mut Vec<i16>) {
        let Some(resampler) = &mut self.resampler else {
            let start = samples.len();
            samples.resize(start + count, 0);
            return self.player.play(&mut samples[start..]);
        };
        while self.ready.len() < count {
            self.made.resize(PIECE_LEN, 0);
            self.player.play(&mut self.made);
            resampler.resample(&self.made, &mut self.ready);
        }
        samples.extend(self.ready.drain(..count));
    }
}

const NOISE_HZ: u32 = 8000;
/// 20 ms.
const PIECE_LEN: usize = 160;
