//! Comfort noise: RFC 3389.
//!
//! A payload says how loud the noise is and, by reflection coefficients, what colour it has. The
//! maker turns sound into such a payload; the player turns it into noise again.

/// The payload of a piece of background noise: its level and the reflection coefficients of so many
/// orders.
pub fn describe_noise(sound: &[i16], order: usize, payload: &mut Vec<u8>) {
    let order = order.min(ORDER_MAX);
    let level = level_dbov(sound);
    // RFC 3389 §3.1: 0 to 127 dB below overload.
    payload.push((-level).round().clamp(0.0, 127.0) as u8);
    let mut correlation = [0.0f64; ORDER_MAX + 1];
    for (lag, value) in correlation.iter_mut().enumerate().take(order + 1) {
        let pairs = sound.iter().zip(sound.iter().skip(lag));
        *value = pairs.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
    }
    // A little white noise keeps pure tones from making the filter unstable.
    correlation[0] = correlation[0] * 1.000_1 + 1.0;
    for reflection in reflections(&correlation, order) {
        // §3.2: k = 258 · (N − 127) / 32768.
        let index = (reflection * 32_768.0 / 258.0).round() + 127.0;
        payload.push(index.clamp(0.0, 254.0) as u8);
    }
}

/// How loud sound is, in decibels below overload (RFC 3389 §3.1, RFC 6464): 0 to −127.
pub fn level_dbov(sound: &[i16]) -> f64 {
    if sound.is_empty() {
        return -127.0;
    }
    let energy: f64 = sound.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    let mean = energy / sound.len() as f64 / (32_768.0 * 32_768.0);
    // A square wave at full scale is 0 dBov.
    (10.0 * mean.max(1e-13).log10()).clamp(-127.0, 0.0)
}

/// Makes noise of the last description.
#[derive(Clone, Debug)]
pub struct NoisePlayer {
    seed: u32,
    gain: f64,
    target: f64,
    reflections: [f64; ORDER_MAX],
    order: usize,
    backward: [f64; ORDER_MAX + 1],
}

impl NoisePlayer {
    /// Silent until it is told of noise. Two players with one seed make the same.
    pub fn new(seed: u32) -> Self {
        Self {
            seed,
            gain: 0.0,
            target: 0.0,
            reflections: [0.0; ORDER_MAX],
            order: 0,
            backward: [0.0; ORDER_MAX + 1],
        }
    }

    /// Takes a payload; false if it is none. Orders above those known are ignored, as §3.2 allows.
    pub fn describe(&mut self, payload: &[u8]) -> bool {
        let Some((level, coefficients)) = payload.split_first() else {
            return false;
        };
        let rms = 32_768.0 * 10f64.powf(-f64::from(level & 0x7F) / 20.0);
        self.order = coefficients.len().min(ORDER_MAX);
        self.reflections = [0.0; ORDER_MAX];
        let mut power = 1.0;
        for (reflection, index) in self.reflections.iter_mut().zip(coefficients) {
            *reflection = 258.0 * (f64::from(*index) - 127.0) / 32_768.0;
            *reflection = reflection.clamp(-REFLECTION_MAX, REFLECTION_MAX);
            power *= 1.0 - *reflection * *reflection;
        }
        // The filter makes white noise louder by the inverse of what it predicts.
        self.target = rms * power.sqrt();
        true
    }

    /// Fills a frame with noise.
    pub fn play(&mut self, frame: &mut [i16]) {
        for sample in frame {
            // The level moves over some ten milliseconds, so that it does not click.
            self.gain += (self.target - self.gain) * GAIN_STEP;
            let white = self.white() * self.gain;
            *sample = self.shape(white) as i16;
        }
    }

    /// Of variance one.
    fn white(&mut self) -> f64 {
        self.seed = self
            .seed
            .wrapping_mul(1_664_525)
            .wrapping_add(1_013_904_223);
        f64::from(self.seed.cast_signed()) / 2_147_483_648.0 * 3f64.sqrt()
    }

    /// The lattice of an all-pole filter.
    fn shape(&mut self, white: f64) -> f64 {
        let mut forward = white;
        for index in (0..self.order).rev() {
            forward -= self.reflections[index] * self.backward[index];
            self.backward[index + 1] = self.backward[index] + self.reflections[index] * forward;
        }
        self.backward[0] = forward;
        forward
    }
}

/// Levinson and Durbin.
fn reflections(correlation: &[f64; ORDER_MAX + 1], order: usize) -> impl Iterator<Item = f64> {
    let mut predictor = [0.0f64; ORDER_MAX + 1];
    let mut found = [0.0; ORDER_MAX];
    let mut error = correlation[0];
    predictor[0] = 1.0;
    for index in 1..=order {
        let sum: f64 = (0..index)
            .map(|lag| predictor[lag] * correlation[index - lag])
            .sum();
        let reflection = (-sum / error).clamp(-REFLECTION_MAX, REFLECTION_MAX);
        found[index - 1] = reflection;
        let before = predictor;
        for lag in 1..=index {
            predictor[lag] = before[lag] + reflection * before[index - lag];
        }
        error *= 1.0 - reflection * reflection;
    }
    found.into_iter().take(order)
}

/// RFC 3389 §3.2 allows any; ten colour 8 kHz well.
const ORDER_MAX: usize = 12;
/// At one a filter rings for ever.
const REFLECTION_MAX: f64 = 0.998;
const GAIN_STEP: f64 = 1.0 / 128.0;

#[cfg(test)]
mod tests {
    use super::{NoisePlayer, describe_noise, level_dbov};

    fn played(payload: &[u8], seed: u32) -> Vec<i16> {
        let mut player = NoisePlayer::new(seed);
        assert!(player.describe(payload));
        let mut sound = vec![0; 16_000];
        player.play(&mut sound);
        sound[8000..].to_vec()
    }

    #[test]
    fn noise_is_as_loud_as_its_payload_says() {
        for level in [20, 40, 60, 70] {
            for coefficients in [&[][..], &[200, 100, 150]] {
                let payload = [&[level][..], coefficients].concat();
                let heard = level_dbov(&played(&payload, 3));
                assert!(
                    (heard + f64::from(level)).abs() < 1.5,
                    "{heard} for -{level}"
                );
            }
        }
    }

    #[test]
    fn described_and_played_noise_keeps_its_level_and_its_colour() {
        let brown = played(&[35, 20, 90, 140], 1);
        let mut payload = Vec::new();
        describe_noise(&brown, 10, &mut payload);
        assert_eq!(payload.len(), 11);
        let again = played(&payload, 99);
        // The correlation of neighbours is the colour in one number.
        let colour = |sound: &[i16]| {
            let product = |lag: usize| {
                let pairs = sound.iter().zip(&sound[lag..]);
                pairs
                    .map(|(a, b)| f64::from(*a) * f64::from(*b))
                    .sum::<f64>()
            };
            product(1) / product(0)
        };
        assert!(colour(&brown) > 0.5, "it has one");
        assert!((colour(&brown) - colour(&again)).abs() < 0.05);
        assert!((level_dbov(&brown) - level_dbov(&again)).abs() < 1.5);
    }

    #[test]
    fn any_payload_makes_bounded_noise() {
        let mut player = NoisePlayer::new(1);
        assert!(!player.describe(&[]));
        for byte in 0..=u8::MAX {
            assert!(player.describe(&[byte; 40]));
            player.play(&mut [0; 160]);
        }
        let mut silence = Vec::new();
        describe_noise(&[], 99, &mut silence);
        assert_eq!(silence[0], 127);
        assert!(level_dbov(&[i16::MIN; 10]) > -0.1);
    }
}
