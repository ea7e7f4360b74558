//! Sound in place of lost packets, for codecs that have none of their own: the method of ITU-T G.711
//! Appendix I at any rate.
//!
//! The last pitch period is repeated, after 10 ms the last two and after 20 ms the last three, so
//! that it does not buzz; it fades from 10 ms on and is silent after 60 ms. Where real sound comes
//! back, both are cross-faded. Unlike the appendix this delays nothing: the joint before a gap is
//! the pitch period itself and not an overlap.

/// Replaces what got lost of one channel.
pub struct Concealer {
    rate_hz: u32,
    /// The last [`HISTORY_US`] of what was heard.
    history: Box<[i16]>,
    /// The history as it was when the gap began.
    frozen: Box<[i16]>,
    gap: Option<Gap>,
}

#[derive(Clone, Copy)]
struct Gap {
    /// Samples concealed so far.
    len: usize,
    pitch: usize,
    cycle: Cycle,
    /// What is faded out, and how many samples of the fade are done.
    before: Option<(Cycle, usize)>,
}

/// A piece of the end of the frozen history that is repeated.
#[derive(Clone, Copy)]
struct Cycle {
    len: usize,
    position: usize,
}

impl Concealer {
    /// For one channel of sound at a rate.
    pub fn new(rate_hz: u32) -> Self {
        let len = samples(rate_hz, HISTORY_US);
        Self {
            rate_hz,
            history: vec![0; len].into(),
            frozen: vec![0; len].into(),
            gap: None,
        }
    }

    /// Takes sound that came; its beginning is cross-faded if it ends a gap.
    pub fn on_sound(&mut self, sound: &mut [i16]) {
        if let Some(gap) = self.gap
            && !sound.is_empty()
        {
            let fade = self.fade_len(&gap).min(sound.len());
            for (index, sample) in sound[..fade].iter_mut().enumerate() {
                let weight = (index as f32 + 1.0) / (fade as f32 + 1.0);
                let old = f32::from(self.next());
                *sample = (old + (f32::from(*sample) - old) * weight) as i16;
            }
            self.gap = None;
        }
        self.remember(sound);
    }

    /// Appends `count` samples in place of what did not come.
    pub fn conceal(&mut self, count: usize, out: &mut Vec<i16>) {
        if self.gap.is_none() {
            self.frozen.copy_from_slice(&self.history);
            let pitch = self.pitch();
            let cycle = Cycle {
                len: pitch,
                position: 0,
            };
            self.gap = Some(Gap {
                len: 0,
                pitch,
                cycle,
                before: None,
            });
        }
        let start = out.len();
        for _ in 0..count {
            let sample = self.next();
            out.push(sample);
        }
        self.remember(&out[start..]);
    }

    /// The next sample of the gap.
    fn next(&mut self) -> i16 {
        let Some(mut gap) = self.gap else {
            return 0;
        };
        let unit = samples(self.rate_hz, 10_000);
        let periods = (gap.len / unit + 1).min(3);
        let overlap = gap.pitch / 4;
        if gap.cycle.len != periods * gap.pitch {
            gap.before = Some((gap.cycle, 0));
            gap.cycle = Cycle {
                len: periods * gap.pitch,
                // The longer cycle goes on where the shorter one stood.
                position: gap.cycle.position + (periods - 1) * gap.pitch,
            };
            gap.cycle.position %= gap.cycle.len;
        }
        let mut value = gap.cycle.next(&self.frozen, overlap);
        if let Some((cycle, done)) = &mut gap.before {
            let weight = *done as f32 / overlap.max(1) as f32;
            let old = cycle.next(&self.frozen, overlap);
            value = old + (value - old) * weight;
            *done += 1;
            if *done >= overlap {
                gap.before = None;
            }
        }
        let faded = gap.len.saturating_sub(unit) as f32 / (5 * unit) as f32;
        gap.len += 1;
        self.gap = Some(gap);
        (value * (1.0 - faded).max(0.0)) as i16
    }

    /// Appendix I: a quarter period, and 4 ms more for each 10 ms of the gap, up to 10 ms.
    fn fade_len(&self, gap: &Gap) -> usize {
        let unit = samples(self.rate_hz, 10_000);
        let more = (gap.len / unit).saturating_sub(1) * samples(self.rate_hz, 4000);
        (gap.pitch / 4 + more).min(unit)
    }

    fn remember(&mut self, sound: &[i16]) {
        let len = self.history.len();
        let new = &sound[sound.len().saturating_sub(len)..];
        self.history.copy_within(new.len().., 0);
        self.history[len - new.len()..].copy_from_slice(new);
    }

    /// The lag between 5 and 15 ms at which the end of the history resembles itself most.
    fn pitch(&self) -> usize {
        let (shortest, longest) = (samples(self.rate_hz, 5000), samples(self.rate_hz, 15_000));
        let step = (self.rate_hz as usize / 4000).max(1);
        let coarse = self.best_lag((shortest..=longest).step_by(step), step);
        let from = coarse.saturating_sub(step).max(shortest);
        let to = (coarse + step).min(longest);
        self.best_lag(from..=to, 1)
    }

    fn best_lag(&self, lags: impl Iterator<Item = usize>, step: usize) -> usize {
        let end = self.frozen.len();
        let template = samples(self.rate_hz, 20_000);
        let mut best = (f32::MIN, samples(self.rate_hz, 5000));
        for lag in lags {
            let (mut product, mut energy) = (0.0f32, 1.0f32);
            for index in (end - template..end).step_by(step) {
                let old = f32::from(self.frozen[index - lag]);
                product += old * f32::from(self.frozen[index]);
                energy += old * old;
            }
            let likeness = product / energy.sqrt();
            if likeness > best.0 {
                best = (likeness, lag);
            }
        }
        best.1
    }
}

impl Cycle {
    fn next(&mut self, history: &[i16], overlap: usize) -> f32 {
        let begin = history.len() - self.len;
        let value = f32::from(history[begin + self.position]);
        let until_end = self.len - self.position;
        self.position = (self.position + 1) % self.len;
        if until_end > overlap {
            return value;
        }
        // The end of the cycle becomes what came before its beginning, so that the wrap is smooth.
        let weight = (overlap - until_end + 1) as f32 / (overlap + 1) as f32;
        let lead = f32::from(history[begin - until_end]);
        value + (lead - value) * weight
    }
}

const fn samples(rate_hz: u32, micros: usize) -> usize {
    rate_hz as usize * micros / 1_000_000
}

/// Three of the longest periods and a quarter of one.
const HISTORY_US: usize = 48_750;

#[cfg(test)]
mod tests {
    use super::Concealer;
    use std::f64::consts::TAU;

    /// A voiced sound: harmonics of 140 Hz.
    fn voice(rate_hz: u32, from: usize, count: usize) -> Vec<i16> {
        let sample = |index: usize| {
            let phase = TAU * 140.0 * index as f64 / f64::from(rate_hz);
            let harmonics = (1..=8).map(|n| (phase * f64::from(n)).sin() / f64::from(n));
            (harmonics.sum::<f64>() * 6000.0) as i16
        };
        (from..from + count).map(sample).collect()
    }

    fn error_db(real: &[i16], made: &[i16]) -> f64 {
        let power = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>();
        let signal = power(&mut real.iter().map(|v| f64::from(*v)));
        let pairs = real.iter().zip(made);
        let error = power(&mut pairs.map(|(a, b)| f64::from(*a) - f64::from(*b)));
        10.0 * (error.max(1.0) / signal).log10()
    }

    #[test]
    fn ten_lost_milliseconds_of_a_voice_are_hardly_missed_at_any_rate() {
        for rate_hz in [8000, 16_000, 44_100, 48_000] {
            let unit = rate_hz as usize / 100;
            let mut concealer = Concealer::new(rate_hz);
            concealer.on_sound(&mut voice(rate_hz, 0, 10 * unit));
            let mut made = Vec::new();
            concealer.conceal(unit, &mut made);
            let error = error_db(&voice(rate_hz, 10 * unit, unit), &made);
            assert!(error < -15.0, "{error} dB at {rate_hz} Hz");
            // And the joint to what follows has no step larger than the voice's own.
            let mut after = voice(rate_hz, 11 * unit, unit);
            concealer.on_sound(&mut after);
            let step = |a: i16, b: i16| i32::from(a).abs_diff(i32::from(b));
            let own = after.windows(2).map(|w| step(w[0], w[1])).max().unwrap();
            assert!(step(made[unit - 1], after[0]) <= own + 200);
        }
    }

    #[test]
    fn a_long_gap_fades_to_silence_and_real_sound_comes_back_whole() {
        let mut concealer = Concealer::new(8000);
        concealer.on_sound(&mut voice(8000, 0, 800));
        let mut made = Vec::new();
        for _ in 0..10 {
            concealer.conceal(160, &mut made);
        }
        assert_eq!(made.len(), 1600);
        let peak = |part: &[i16]| part.iter().map(|v| v.unsigned_abs()).max().unwrap();
        assert!(peak(&made[240..400]) < peak(&made[..80]), "it fades");
        assert!(made[480..].iter().all(|sample| *sample == 0));
        let mut after = voice(8000, 2400, 160);
        concealer.on_sound(&mut after);
        assert_eq!(after[80..], voice(8000, 2400, 160)[80..]);
    }

    #[test]
    fn silence_and_extremes_are_concealed_without_a_fault() {
        for sample in [0, i16::MIN, i16::MAX] {
            let mut concealer = Concealer::new(8000);
            let mut made = Vec::new();
            concealer.conceal(7, &mut made);
            concealer.on_sound(&mut [sample; 3000]);
            concealer.conceal(1000, &mut made);
            concealer.on_sound(&mut []);
            concealer.on_sound(&mut [sample; 5]);
            concealer.conceal(1, &mut made);
            assert_eq!(made.len(), 1008);
        }
    }
}
