//! Tells voice from background by its level: a floor that follows the softest sound, and a hangover
//! so that the ends of words stay.

use crate::comfort_noise::level_dbov;

/// Listens to one talker, frame by frame.
#[derive(Clone, Debug)]
pub struct VoiceActivity {
    floor_dbov: f64,
    hangover: u32,
}

impl Default for VoiceActivity {
    fn default() -> Self {
        Self {
            floor_dbov: FLOOR_START_DBOV,
            hangover: 0,
        }
    }
}

impl VoiceActivity {
    /// Whether a frame of 10 to 30 ms holds voice.
    pub fn is_voice(&mut self, frame: &[i16]) -> bool {
        let level = level_dbov(frame);
        // Down at once, up slowly: a talker who does not pause is not background.
        if level < self.floor_dbov {
            self.floor_dbov += (level - self.floor_dbov) * FLOOR_DOWN;
        } else {
            self.floor_dbov = (self.floor_dbov + FLOOR_UP_DB).min(FLOOR_MAX_DBOV);
        }
        self.floor_dbov = self.floor_dbov.max(FLOOR_MIN_DBOV);
        if level > self.floor_dbov + ABOVE_DB {
            self.hangover = HANGOVER_FRAMES;
            return true;
        }
        let is_voice = self.hangover > 0;
        self.hangover = self.hangover.saturating_sub(1);
        is_voice
    }
}

const FLOOR_START_DBOV: f64 = -60.0;
const FLOOR_MIN_DBOV: f64 = -75.0;
const FLOOR_MAX_DBOV: f64 = -35.0;
const FLOOR_DOWN: f64 = 0.3;
/// A decibel a second at 20 ms.
const FLOOR_UP_DB: f64 = 0.02;
const ABOVE_DB: f64 = 9.0;
/// 200 ms at 20 ms.
const HANGOVER_FRAMES: u32 = 10;

#[cfg(test)]
mod tests {
    use super::VoiceActivity;

    fn frame(amplitude: i16, seed: &mut u32) -> Vec<i16> {
        let mut sample = || {
            *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((*seed >> 16).cast_signed() - 32_768) * i32::from(amplitude) / 32_768
        };
        (0..160).map(|_| sample() as i16).collect()
    }

    #[test]
    fn words_are_voice_with_their_ends_and_background_is_not() {
        for background in [3, 60, 300] {
            let (mut voice, mut seed) = (VoiceActivity::default(), 5);
            let mut run = |amplitude, count| {
                let found = (0..count).filter(|_| voice.is_voice(&frame(amplitude, &mut seed)));
                found.count()
            };
            run(background, 2000);
            assert_eq!(run(background, 200), 0, "background {background}");
            assert_eq!(run(6000, 50), 50);
            assert_eq!(run(background, 100), 10, "the hangover");
        }
    }
}
