//! One key, however many ways it is told: pure.
//!
//! A phone may send a digit as telephone events, as tones in its sound and as INFO, each in its own time.
//! What comes in one form is never taken for a repetition, however fast; what comes in another form is
//! the same press if it is the same digit, overlaps with it, and has not come in that form yet. So a key
//! that is pressed twice is two digits, also where both come in two forms.

use media::{Digit, DigitEvent};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

/// In which form a digit comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Telephone events.
    Event,
    /// Tones.
    Tone,
    /// By signalling.
    Signal,
}

/// The digits that one party pressed lately.
#[derive(Debug, Default)]
pub(crate) struct Presses {
    recent: VecDeque<Press>,
}

#[derive(Debug)]
struct Press {
    digit: char,
    /// The form that is believed.
    by: Form,
    began: Instant,
    /// `None` while it is pressed.
    ended: Option<Instant>,
    /// The other forms it came in, and whether they have told its end.
    others: Vec<(Form, bool)>,
}

impl Presses {
    /// Takes what became known of a digit in one form; what is news is returned.
    pub(crate) fn on(&mut self, now: Instant, form: Form, event: DigitEvent) -> Option<DigitEvent> {
        self.forget(now);
        match event {
            DigitEvent::Began(digit) => {
                if let Some(press) = self.same(form, digit, now, now) {
                    press.others.push((form, false));
                    return None;
                }
                self.add(form, digit, now, None);
                Some(event)
            }
            DigitEvent::Ended(Digit { digit, duration }) => {
                let presses = &mut self.recent;
                let own = presses
                    .iter_mut()
                    .find(|it| it.digit == digit && it.by == form && it.ended.is_none());
                if let Some(press) = own {
                    press.ended = Some(now);
                    return Some(event);
                }
                let known = presses.iter_mut().filter(|it| it.digit == digit);
                let mut others = known.flat_map(|it| &mut it.others);
                if let Some(other) = others.find(|(own, is_over)| *own == form && !is_over) {
                    other.1 = true;
                    return None;
                }
                // Told whole: some phones do so when the key goes down, some when it comes up.
                let (from, to) = (now.checked_sub(duration).unwrap_or(now), now + duration);
                if let Some(press) = self.same(form, digit, from, to) {
                    press.others.push((form, true));
                    return None;
                }
                self.add(form, digit, from, Some(to));
                Some(event)
            }
        }
    }

    /// The oldest press that this is too, in another form.
    fn same(&mut self, form: Form, digit: char, from: Instant, to: Instant) -> Option<&mut Press> {
        self.recent.iter_mut().find(|press| {
            let slack = match (press.by, form) {
                (Form::Signal, _) | (_, Form::Signal) => SLACK_SIGNAL,
                _ => SLACK_MEDIA,
            };
            press.digit == digit
                && press.by != form
                && press.others.iter().all(|(other, _)| *other != form)
                && press.ended.is_none_or(|ended| from <= ended + slack)
                && press.began <= to + slack
        })
    }

    fn add(&mut self, by: Form, digit: char, began: Instant, ended: Option<Instant>) {
        if self.recent.len() == RECENT_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back(Press {
            digit,
            by,
            began,
            ended,
            others: Vec::new(),
        });
    }

    fn forget(&mut self, now: Instant) {
        self.recent.retain(|press| {
            let last = press.ended.unwrap_or(press.began + PRESSED_MAX);
            let others = press.others.iter().any(|(_, is_over)| !is_over);
            now <= last + if others { PRESSED_MAX } else { SLACK_SIGNAL }
        });
    }
}

/// How far apart two forms of media may tell the same: packets of events may be lost, tones are known
/// later than they begin.
const SLACK_MEDIA: Duration = Duration::from_millis(150);
/// The same where one comes by signalling, which takes other ways.
const SLACK_SIGNAL: Duration = Duration::from_millis(500);
/// A key whose end is never told is forgotten after this time.
const PRESSED_MAX: Duration = Duration::from_secs(60);
/// Presses that are remembered.
const RECENT_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::{Form, Presses};
    use media::{Digit, DigitEvent};
    use std::time::Duration;
    use tokio::time::Instant;

    /// What comes: milliseconds, form, digit; `+` presses, `-` lets go after so many ms, `=` is whole.
    fn news(script: &[(u64, Form, &str, u64)]) -> String {
        let start = Instant::now() + Duration::from_secs(1000);
        let mut presses = Presses::default();
        let mut heard = String::new();
        for (at, form, what, ms) in script {
            let digit = what.chars().nth(1).unwrap();
            let duration = Duration::from_millis(*ms);
            let event = match &what[..1] {
                "+" => DigitEvent::Began(digit),
                _ => DigitEvent::Ended(Digit { digit, duration }),
            };
            let now = start + Duration::from_millis(*at);
            match presses.on(now, *form, event) {
                Some(DigitEvent::Began(digit)) => heard.push_str(&format!("+{digit}")),
                Some(DigitEvent::Ended(digit)) => {
                    let ms = digit.duration.as_millis();
                    heard.push_str(&format!("-{}/{ms} ", digit.digit));
                }
                None => {}
            }
        }
        heard
    }

    use Form::{Event, Signal, Tone};

    #[test]
    fn every_pair_of_forms_is_one_press_whichever_comes_first() {
        let pairs = [(Event, Tone), (Tone, Event)];
        for (one, two) in pairs {
            let script = [
                (0, one, "+5", 0),
                (30, two, "+5", 0),
                (100, one, "-5", 100),
                (140, two, "-5", 100),
                (200, one, "+5", 0),
                (235, two, "+5", 0),
                (300, one, "-5", 90),
                (335, two, "-5", 90),
            ];
            assert_eq!(news(&script), "+5-5/100 +5-5/90 ", "{one:?} {two:?}");
        }
        for media in [Event, Tone] {
            // INFO before, while and after the key is pressed.
            for at in [0, 50, 400] {
                let mut script = vec![
                    (10, media, "+5", 0),
                    (110, media, "-5", 100),
                    (at, Signal, "=5", 100),
                ];
                script.sort_by_key(|(at, ..)| *at);
                let heard = news(&script);
                assert_eq!(heard.matches('-').count(), 1, "{media:?} {at}: {heard}");
            }
        }
    }

    #[test]
    fn fast_repetitions_count_in_every_form_and_in_two() {
        for form in [Event, Tone, Signal] {
            let script: Vec<_> = (0..4).map(|n| (n * 60, form, "=5", 40)).collect();
            assert_eq!(news(&script).matches('5').count(), 4, "{form:?}");
        }
        let mut script = Vec::new();
        for n in 0..4 {
            script.push((n * 80, Event, "+5", 0));
            script.push((n * 80 + 40, Event, "-5", 40));
            script.push((n * 80 + 200, Signal, "=5", 100));
        }
        script.sort_by_key(|(at, ..)| *at);
        assert_eq!(news(&script).matches('-').count(), 4);
    }

    #[test]
    fn a_press_that_was_lost_in_one_form_is_heard_in_the_other() {
        let script = [
            (0, Signal, "=5", 100),
            // The events of the first are lost, those of the second come before its INFO.
            (200, Event, "+5", 0),
            (300, Event, "-5", 100),
            (320, Signal, "=5", 100),
        ];
        assert_eq!(news(&script).matches('-').count(), 2);
    }

    #[test]
    fn another_digit_and_a_later_one_are_digits_of_their_own() {
        let script = [
            (0, Event, "+5", 0),
            (50, Signal, "=6", 100),
            (100, Event, "-5", 100),
            (1200, Signal, "=5", 100),
        ];
        assert_eq!(news(&script), "+5-6/100 -5/100 -5/100 ");
    }

    #[test]
    fn a_long_press_is_one_whose_info_comes_at_its_end() {
        let script = [
            (0, Event, "+1", 0),
            (3000, Event, "-1", 3000),
            (3020, Signal, "=1", 3000),
        ];
        assert_eq!(news(&script), "+1-1/3000 ");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let script: Vec<_> = (0..1000).map(|n| (n, Event, "+5", 0)).collect();
        assert_eq!(news(&script).matches('+').count(), 1000);
    }
}
