//! Digits with pauses, as `SendDTMF` and option `D` of `Dial` have them.

use std::time::Duration;

/// One character of a string of digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigitStep {
    /// A digit to send.
    Digit(char),
    /// `w` is half a second, `W` a whole one.
    Pause(Duration),
    /// No digit: it is passed over.
    Unknown(char),
}

/// The steps of a string of digits, in their order; at most [`DIGIT_STEPS_MAX`].
pub fn digit_steps(text: &str) -> impl Iterator<Item = DigitStep> + '_ {
    let steps = text.chars().filter(|character| !character.is_whitespace());
    steps
        .take(DIGIT_STEPS_MAX)
        .map(|character| match character {
            'w' => DigitStep::Pause(PAUSE_SHORT),
            'W' => DigitStep::Pause(PAUSE_LONG),
            other => match other.to_ascii_uppercase() {
                digit if DIGITS.contains(digit) => DigitStep::Digit(digit),
                _ => DigitStep::Unknown(other),
            },
        })
}

/// Steps of one string that are taken.
pub const DIGIT_STEPS_MAX: usize = 256;

const DIGITS: &str = "0123456789*#ABCD";
/// As in Asterisk.
const PAUSE_SHORT: Duration = Duration::from_millis(500);
const PAUSE_LONG: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::{DigitStep, digit_steps};
    use std::time::Duration;

    #[test]
    fn digits_pauses_and_what_is_neither_are_told_apart() {
        let steps: Vec<_> = digit_steps("1aw W-").collect();
        assert_eq!(
            steps,
            [
                DigitStep::Digit('1'),
                DigitStep::Digit('A'),
                DigitStep::Pause(Duration::from_millis(500)),
                DigitStep::Pause(Duration::from_secs(1)),
                DigitStep::Unknown('-'),
            ]
        );
        assert_eq!(digit_steps(&"1".repeat(1000)).count(), 256);
    }
}
