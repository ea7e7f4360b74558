//! Tones: the pairs of DTMF (ITU-T Q.23) and call progress in the words of Asterisk's
//! `indications.conf`.
//!
//! `440+480/2000,0/4000` is two tones for two seconds, then silence for four, again and again;
//! `!` marks what is played once at the beginning; `425*25/1000` is one tone loud and soft with the
//! other. Times are in milliseconds; without one, a tone lasts.

use std::f64::consts::TAU;
use std::time::Duration;

/// The frequencies of a digit, low group first.
pub fn dtmf_pair(digit: char) -> Option<(u16, u16)> {
    let position = DTMF_DIGITS
        .iter()
        .position(|own| *own == digit.to_ascii_uppercase())?;
    Some((DTMF_LOW_HZ[position / 4], DTMF_HIGH_HZ[position % 4]))
}

/// A sequence of tones, as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToneScript {
    steps: Vec<Step>,
    /// Where it goes on after its last step.
    again: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Step {
    first_hz: u16,
    second_hz: u16,
    is_modulated: bool,
    /// `None` lasts.
    length_ms: Option<u32>,
}

/// Why a script is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScriptFault {
    /// A step that is neither a frequency, nor two, with a time.
    #[error("step {step} is no `hz`, `hz+hz` or `hz*hz`, followed by `/milliseconds`")]
    Step {
        /// Its number, from 1.
        step: usize,
    },
    /// More steps than a tone may have, or none.
    #[error("a tone has 1 to {STEPS_MAX} steps")]
    Count,
}

impl ToneScript {
    /// Reads a script.
    pub fn parse(text: &str) -> Result<Self, ScriptFault> {
        let mut steps = Vec::new();
        let mut again = None;
        let words = text.split([',', '|']).map(str::trim);
        for (index, word) in words.filter(|word| !word.is_empty()).enumerate() {
            if index == STEPS_MAX {
                return Err(ScriptFault::Count);
            }
            let (word, is_once) = match word.strip_prefix('!') {
                Some(word) => (word.trim(), true),
                None => (word, false),
            };
            if !is_once {
                again.get_or_insert(index);
            }
            let fault = ScriptFault::Step { step: index + 1 };
            steps.push(Step::parse(word).ok_or(fault)?);
        }
        if steps.is_empty() {
            return Err(ScriptFault::Count);
        }
        // A script of marked steps alone ends.
        let again = again.unwrap_or(steps.len());
        Ok(Self { steps, again })
    }

    /// The tones of a digit, for as long as it is pressed. `None`: there is no such digit.
    pub fn digit(digit: char) -> Option<Self> {
        let (first_hz, second_hz) = dtmf_pair(digit)?;
        let step = Step {
            first_hz,
            second_hz,
            is_modulated: false,
            length_ms: None,
        };
        let steps = vec![step];
        Some(Self { steps, again: 0 })
    }

    /// The tones of digits, each so long, with silence between.
    pub fn digits(digits: &str, on_ms: u32, off_ms: u32) -> Self {
        let pairs = digits.chars().filter_map(dtmf_pair).take(STEPS_MAX / 2);
        let step = |first_hz, second_hz, length_ms| Step {
            first_hz,
            second_hz,
            is_modulated: false,
            length_ms: Some(length_ms),
        };
        let steps = pairs.flat_map(|(low, high)| [step(low, high, on_ms), step(0, 0, off_ms)]);
        let steps: Vec<Step> = steps.collect();
        let again = steps.len();
        Self { steps, again }
    }

    /// How long it lasts; `None`: without end.
    pub fn length(&self) -> Option<Duration> {
        let ends = self.again >= self.steps.len();
        let lengths = self.steps.iter().map(|step| step.length_ms);
        let ms: Option<u64> = lengths.map(|ms| ms.map(u64::from)).sum();
        ms.filter(|_| ends).map(Duration::from_millis)
    }
}

impl Step {
    fn parse(word: &str) -> Option<Self> {
        let (tones, length) = match word.split_once('/') {
            Some((tones, length)) => (tones, Some(length.trim().parse().ok()?)),
            None => (word, None),
        };
        let hz = |text: &str| {
            let hz = text.trim().parse().ok()?;
            (hz <= HZ_MAX).then_some(hz)
        };
        let (first_hz, second_hz, is_modulated) = match tones.split_once(['+', '*']) {
            Some((first, second)) => (hz(first)?, hz(second)?, tones.contains('*')),
            None => (hz(tones)?, 0, false),
        };
        Some(Self {
            first_hz,
            second_hz,
            is_modulated,
            length_ms: length,
        })
    }
}

/// Plays a script.
#[derive(Clone, Debug)]
pub struct TonePlayer {
    script: ToneScript,
    rate_hz: u32,
    step: usize,
    /// Samples of the step played.
    played: u64,
    phases: [f64; 2],
}

impl TonePlayer {
    /// From the beginning, at a rate.
    pub fn new(script: ToneScript, rate_hz: u32) -> Self {
        Self {
            script,
            rate_hz: rate_hz.max(1),
            step: 0,
            played: 0,
            phases: [0.0; 2],
        }
    }

    /// Fills a frame; returns how much of it is filled before the script ends.
    pub fn play(&mut self, frame: &mut [i16]) -> usize {
        let mut filled = 0;
        let mut skipped = 0;
        while filled < frame.len() {
            let Some(step) = self.script.steps.get(self.step).copied() else {
                break;
            };
            let length = step.length_ms.map_or(u64::MAX, |ms| {
                u64::from(ms) * u64::from(self.rate_hz) / 1000
            });
            let left = length.saturating_sub(self.played);
            let count = usize::try_from(left)
                .unwrap_or(usize::MAX)
                .min(frame.len() - filled);
            for sample in &mut frame[filled..filled + count] {
                *sample = self.next(&step);
            }
            filled += count;
            self.played += count as u64;
            if self.played < length {
                break;
            }
            skipped = if count == 0 { skipped + 1 } else { 0 };
            if skipped > STEPS_MAX {
                // Every step of what repeats has no length.
                break;
            }
            self.played = 0;
            self.step += 1;
            if self.step == self.script.steps.len() {
                self.step = self.script.again;
            }
        }
        frame[filled..].fill(0);
        filled
    }

    /// Whether there is nothing more to play.
    pub fn is_over(&self) -> bool {
        self.step >= self.script.steps.len()
    }

    fn next(&mut self, step: &Step) -> i16 {
        let mut wave = |index: usize, hz: u16| {
            let value = (TAU * self.phases[index]).sin();
            self.phases[index] =
                (self.phases[index] + f64::from(hz) / f64::from(self.rate_hz)).fract();
            if hz == 0 { 0.0 } else { value }
        };
        let (first, second) = (wave(0, step.first_hz), wave(1, step.second_hz));
        let value = match step.is_modulated {
            true => first * (1.0 + 0.9 * second) / 1.9 * 2.0,
            false => first + second,
        };
        (value * AMPLITUDE) as i16
    }
}

pub(crate) const DTMF_DIGITS: [char; 16] = [
    '1', '2', '3', 'A', '4', '5', '6', 'B', '7', '8', '9', 'C', '*', '0', '#', 'D',
];
pub(crate) const DTMF_LOW_HZ: [u16; 4] = [697, 770, 852, 941];
pub(crate) const DTMF_HIGH_HZ: [u16; 4] = [1209, 1336, 1477, 1633];
/// Of one tone: −13 dB below full scale, as loud as Asterisk's.
const AMPLITUDE: f64 = 7219.0;
const HZ_MAX: u16 = 8000;
/// Steps of one script.
const STEPS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{ScriptFault, TonePlayer, ToneScript, dtmf_pair};

    fn loud(frame: &[i16]) -> bool {
        frame.iter().any(|sample| sample.unsigned_abs() > 3000)
    }

    fn player(text: &str) -> TonePlayer {
        TonePlayer::new(ToneScript::parse(text).unwrap(), 8000)
    }

    #[test]
    fn a_cadence_rings_and_rests_again_and_again() {
        let mut player = player("440+480/2000,0/4000");
        let mut seconds = Vec::new();
        for _ in 0..12 {
            let mut frame = [0; 8000];
            assert_eq!(player.play(&mut frame), 8000);
            seconds.push(loud(&frame));
        }
        let cycle = [true, true, false, false, false, false];
        assert_eq!(seconds, cycle.repeat(2));
    }

    #[test]
    fn marked_steps_are_played_once_and_a_script_of_them_ends() {
        let mut once = player("!950/330,!1400/330,!1800/330,0");
        let mut frame = [0; 8000];
        once.play(&mut frame);
        assert!(loud(&frame));
        assert_eq!(once.play(&mut frame), 8000);
        assert!(!loud(&frame), "silence lasts");
        let script = ToneScript::parse("!440/100,!0/50").unwrap();
        assert_eq!(script.length(), Some(Duration::from_millis(150)));
        for endless in ["!440/100,440/100", "440", "!440"] {
            assert_eq!(ToneScript::parse(endless).unwrap().length(), None);
        }
        let mut ends = player("!440/100");
        assert_eq!(ends.play(&mut frame), 800);
        assert!(ends.is_over());
        assert_eq!(ends.play(&mut frame), 0);
    }

    #[test]
    fn a_tone_crosses_zero_as_often_as_its_frequency_says() {
        let mut frame = [0; 8000];
        player("425").play(&mut frame);
        let crossings = frame
            .windows(2)
            .filter(|w| (w[0] < 0) != (w[1] < 0))
            .count();
        assert!((848..=851).contains(&crossings), "{crossings}");
        player("425*25").play(&mut frame);
        assert!(loud(&frame[..400]));
    }

    #[test]
    fn scripts_that_are_none_are_refused_and_empty_steps_do_not_spin() {
        assert_eq!(ToneScript::parse(""), Err(ScriptFault::Count));
        for text in ["440+", "x/100", "440/100,440/x", "99999"] {
            assert!(
                matches!(ToneScript::parse(text), Err(ScriptFault::Step { .. })),
                "{text}"
            );
        }
        assert_eq!(
            ToneScript::parse(&"1/1,".repeat(65)),
            Err(ScriptFault::Count)
        );
        assert_eq!(player("440/0,0/0").play(&mut [0; 100]), 0);
    }

    #[test]
    fn digits_have_their_pairs() {
        assert_eq!(dtmf_pair('5'), Some((770, 1336)));
        assert_eq!(dtmf_pair('d'), Some((941, 1633)));
        assert_eq!(dtmf_pair('x'), None);
        let mut player = TonePlayer::new(ToneScript::digits("12", 100, 50), 8000);
        let mut frame = [0; 8000];
        assert_eq!(player.play(&mut frame), 2400);
        assert!(loud(&frame[..800]) && !loud(&frame[800..1200]) && loud(&frame[1200..2000]));
    }
}
