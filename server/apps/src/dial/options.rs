//! The options of `Dial`: letters, some with an argument in parentheses.

use std::time::Duration;

use switch::bridge::{Limit, Rules};
use switch::{ActivatedBy, CallerId, Cause, Channel, Grants, Keys, Presentation};

/// What the options ask for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    /// `g`: the dial plan goes on when the called hangs up.
    pub(super) goes_on: bool,
    /// `r`: the caller hears ringing whatever the called sends.
    pub(super) ring: bool,
    /// `m(class)`: the caller hears music; empty: of the class it has.
    pub(super) music: Option<String>,
    /// `c`: a cancelled call was answered elsewhere.
    pub(super) elsewhere: bool,
    /// `h`, `t`, `k`, `w`, `x`: what the called may do by digits.
    pub(super) callee: Grants,
    /// `H`, `T`, `K`, `W`, `X`: what the caller may.
    pub(super) caller: Grants,
    /// `f(caller)`: who is shown to call.
    pub(super) forced: Option<CallerId>,
    /// `f`: who is sent on is called from the extension.
    pub(super) forces_forwards: bool,
    /// `u(word)`: who may see who calls.
    pub(super) presentation: Option<Presentation>,
    /// `n`: the recorded name of a caller is removed once it is put through; with 1 in any case.
    pub(super) intro: Intro,
    /// `o`: the leg has the caller's identity, instead of the extension that was dialled.
    pub(super) original: bool,
    /// `S(seconds)`: how long they may talk.
    pub(super) stop: Option<Duration>,
    /// `L(ms[:ms[:ms]])`: the same with warnings, in place of `S`.
    pub(super) limit: Option<Limited>,
    /// `A(sound[:sound])`: heard by the called and by the caller before they talk.
    pub(super) announce: Option<(String, String)>,
    /// `a`: the caller is answered as soon as the called answers.
    pub(super) answers_at_once: bool,
    /// `C`: the call's record begins anew.
    pub(super) record_anew: bool,
    /// `d`: the caller may leave with a digit while it waits.
    pub(super) leaves_by_digit: bool,
    /// `M(name^arguments)`: a macro for who answers, before the two are connected.
    pub(super) macro_call: Option<String>,
    /// `Q(cause)`: what those are told who did not answer first.
    pub(super) losers: Option<Cause>,
    /// `R`: the caller hears ringing until there is something else to hear.
    pub(super) ring_first: bool,
    /// `r(tone)`: what it hears instead of ringing.
    pub(super) ring_tone: Option<String>,
    /// `o(number)`: the number the leg has.
    pub(super) original_number: Option<String>,
    /// `z`: who is sent on rings without end.
    pub(super) forward_rings_on: bool,
    /// `p`: the called decides about each caller.
    pub(super) screens: bool,
    /// `P(name)`: the decision is kept under this name; empty: under the extension.
    pub(super) privacy: Option<String>,
    /// `N`: callers with a number need no decision.
    pub(super) screens_no_numbers: bool,
    /// `b(place(arguments))`: a subroutine for each called channel before it is called.
    pub(super) before_call: Option<String>,
    /// `B(place(arguments))`: one for the caller before anybody is called.
    pub(super) before_all: Option<String>,
    /// `U(context^arguments)`: one for who answers, before the two are connected.
    pub(super) routine: Option<String>,
    /// `G(place)`: who answers and the caller go on in the dial plan instead of being connected.
    pub(super) both_go: Option<String>,
    /// `F(place)`: the called goes on in the dial plan when the caller hangs up; empty: after this step.
    pub(super) callee_goes: Option<String>,
    /// `D([called][:caller[:progress]])`: digits sent to the called and to the caller before they talk, and to the
    /// called as soon as it can be heard.
    pub(super) digits: Dialled,
    /// `e`: extension `h` is run for the called too.
    pub(super) farewell: bool,
    /// `i`: who is called cannot send the call elsewhere.
    pub(super) stays: bool,
    /// `I`: what the called say of who they are, or of who sends the call on, is not taken.
    pub(super) deaf: bool,
    /// `s(tag)`: what `CALLERID(tag)` of who is shown to call is.
    pub(super) caller_tag: Option<String>,
    /// What cannot be done, in words.
    pub(super) problems: Vec<String>,
}

/// `L`: how long they may talk, and when they are warned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limited {
    /// How long.
    pub(super) lasts: Duration,
    /// How much is left at the first warning; nothing: there is none.
    pub(super) warning: Duration,
    /// The time between two warnings; nothing: there is one.
    pub(super) again: Duration,
}

/// `D`: who is sent which digits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Dialled {
    /// To the called, when it has answered.
    pub(super) called: String,
    /// To the caller.
    pub(super) caller: String,
    /// To the called, when it is heard before it answers.
    pub(super) progress: String,
}

/// What becomes of the name that a caller has recorded for `p` or `P`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Intro {
    /// It is kept for the next call of the same number.
    #[default]
    Kept,
    /// `n`: it goes when the two are connected.
    GoesWhenConnected,
    /// `n(1)`: it goes whatever comes of the call.
    Goes,
}

/// Options that make no sense here, and why.
const REFUSED: &[(char, &str)] = &[
    ('E', "MF pulses belong to analog lines"),
    ('O', "operator services belong to analog lines"),
];

impl Options {
    pub(super) fn parse(text: &str) -> Self {
        let mut options = Self::default();
        let mut rest = text.trim();
        while let Some(letter) = rest.chars().next() {
            rest = &rest[letter.len_utf8()..];
            let argument = argument(&mut rest);
            options.add(letter, argument);
        }
        options
    }

    pub(super) fn add(&mut self, letter: char, argument: Option<&str>) {
        let owned = argument.map(str::to_owned);
        match letter {
            'a' => self.answers_at_once = true,
            'A' => match argument.filter(|sounds| !sounds.is_empty()) {
                Some(sounds) => {
                    let (called, caller) = sounds.split_once(':').unwrap_or((sounds, ""));
                    self.announce = Some((called.to_owned(), caller.to_owned()));
                }
                None => self.problem("option A needs a sound"),
            },
            'b' => self.before_call = Some(owned.unwrap_or_default()),
            'B' => self.before_all = Some(owned.unwrap_or_default()),
            'c' => self.elsewhere = true,
            'C' => self.record_anew = true,
            'd' => self.leaves_by_digit = true,
            'D' => self.dials(argument.unwrap_or_default()),
            'e' => self.farewell = true,
            'f' => match argument.filter(|caller| !caller.is_empty()) {
                Some(caller) => self.forced = Some(CallerId::parse(caller)),
                None => self.forces_forwards = true,
            },
            'F' => self.callee_goes = Some(owned.unwrap_or_default()),
            'g' => self.goes_on = true,
            'G' => self.both_go = owned,
            'h' | 'k' | 't' | 'w' | 'x' => self.callee.grant(letter),
            'H' | 'K' | 'T' | 'W' | 'X' => self.caller.grant(letter),
            'i' => self.stays = true,
            'I' => self.deaf = true,
            // Each leg is offered what its caller has in any case.
            'j' | 'J' => {}
            's' => self.caller_tag = owned,
            'L' => self.limited(argument.unwrap_or_default()),
            'm' => self.music = Some(owned.unwrap_or_default()),
            'M' => self.macro_call = owned,
            'n' => self.intro(argument.unwrap_or_default().trim()),
            'N' => self.screens_no_numbers = true,
            'o' => {
                self.original = true;
                self.original_number = owned.filter(|number| !number.is_empty());
            }
            'p' => self.screens = true,
            'P' => self.privacy = Some(owned.unwrap_or_default()),
            'Q' => self.told_to_losers(argument.unwrap_or_default()),
            'r' => {
                self.ring = true;
                self.ring_tone = owned.filter(|tone| !tone.is_empty());
            }
            'R' => self.ring_first = true,
            'S' => self.stops(argument.unwrap_or_default()),
            'u' => self.presented(argument.unwrap_or_default()),
            'U' => self.routine = owned,
            'z' => self.forward_rings_on = true,
            ' ' | ',' => {}
            letter => self.unknown(letter),
        }
    }

    fn unknown(&mut self, letter: char) {
        let refused = REFUSED.iter().find(|(known, _)| *known == letter);
        self.problems.push(match refused {
            Some((_, why)) => format!("option {letter} is ignored: {why}"),
            None => format!("there is no option {letter}"),
        });
    }

    fn problem(&mut self, what: &str) {
        self.problems.push(what.to_owned());
    }

    fn told_to_losers(&mut self, cause: &str) {
        self.losers = match cause.trim() {
            "0" => Some(Cause::NormalClearing),
            none if none.eq_ignore_ascii_case("none") => Some(Cause::NormalClearing),
            cause => cause.parse().ok(),
        };
        if self.losers.is_none() {
            let what = format!("option Q: '{cause}' is no cause; ignored");
            self.problems.push(what);
        }
    }

    fn intro(&mut self, argument: &str) {
        self.intro = match argument {
            "" | "0" => Intro::GoesWhenConnected,
            "1" => Intro::Goes,
            _ => {
                self.problem("option n takes 0 or 1");
                Intro::GoesWhenConnected
            }
        };
    }

    fn presented(&mut self, word: &str) {
        self.presentation = Presentation::parse(word);
        if self.presentation.is_none() {
            let words = Presentation::WORDS.join(", ");
            let what = format!("option u needs one of {words}; ignored");
            self.problems.push(what);
        }
    }

    fn dials(&mut self, argument: &str) {
        let mut words = argument.split(':').map(str::to_owned);
        let mut next = || words.next().unwrap_or_default();
        self.digits = Dialled {
            called: next(),
            caller: next(),
            progress: next(),
        };
        if words.any(|word| !word.is_empty()) {
            self.problem(
                "option D sends no MF and SF tones; what comes after the third colon is ignored",
            );
        }
    }

    fn stops(&mut self, seconds: &str) {
        self.stop = time(seconds, 1000);
        if self.stop.is_none() {
            self.problem("option S needs a time; ignored");
        }
    }

    /// `ms[:ms[:ms]]`. As in Asterisk, a first warning that would come before the beginning comes as much
    /// later as its repetitions need to be in time, and never where there are none.
    fn limited(&mut self, argument: &str) {
        let mut times = argument.split(':');
        let Some(lasts) = times.next().and_then(|text| time(text, 1)) else {
            return self.problem("option L needs a time; ignored");
        };
        let mut next = || {
            times
                .next()
                .and_then(|text| time(text, 1))
                .unwrap_or_default()
        };
        let (mut warning, again) = (next(), next());
        if warning > lasts {
            let surplus = (warning - lasts).as_millis();
            let steps = surplus
                .checked_div(again.as_millis())
                .map(|steps| steps + u128::from(!surplus.is_multiple_of(again.as_millis())));
            let steps = steps.and_then(|steps| u32::try_from(steps).ok());
            let back = steps.and_then(|steps| again.checked_mul(steps));
            warning = back.map_or(Duration::ZERO, |back| warning.saturating_sub(back));
        }
        self.limit = Some(Limited {
            lasts,
            warning,
            again,
        });
    }

    /// What those who ring are told when nobody waits for them any more.
    pub(super) fn given_up(&self, cause: Cause) -> Cause {
        match self.elsewhere {
            true => Cause::AnsweredElsewhere,
            false => cause,
        }
    }

    /// What the conversation is bound by.
    pub(super) fn rules(&self, caller: &Channel, callee: &Channel, limit: Option<Limit>) -> Rules {
        let (own, theirs) = (dynamic(caller), dynamic(callee));
        // What is said for the caller holds for who answers as well, unless something else is.
        let theirs = theirs.or(own).unwrap_or_default();
        let (by_caller, by_callee) = (ActivatedBy::Caller, ActivatedBy::Callee);
        Rules {
            limit,
            caller: Keys::new(
                &caller.features(),
                self.caller,
                own.unwrap_or_default(),
                by_caller,
            ),
            callee: Keys::new(&callee.features(), self.callee, theirs, by_callee),
        }
    }
}

/// The features of `[applicationmap]` a party has.
fn dynamic(channel: &Channel) -> Option<&str> {
    channel.vars.value("DYNAMIC_FEATURES")
}

/// So many units, if it is a number and not 0.
fn time(text: &str, unit_ms: u64) -> Option<Duration> {
    let count = text.trim().parse::<u64>().ok().filter(|count| *count > 0)?;
    Some(Duration::from_millis(count.saturating_mul(unit_ms)).min(LIMIT_MAX))
}

/// Longer than any call, and short enough for every clock.
const LIMIT_MAX: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Takes `(…)` off the front, with what is nested in it.
pub(crate) fn argument<'a>(rest: &mut &'a str) -> Option<&'a str> {
    let inside = rest.strip_prefix('(')?;
    let mut depth = 1;
    for (at, character) in inside.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            *rest = &inside[at + 1..];
            return Some(&inside[..at]);
        }
    }
    *rest = "";
    Some(inside)
}

#[cfg(test)]
mod tests {
    use super::{Limited, Options};
    use std::time::Duration;
    use switch::Cause;

    #[test]
    fn letters_stand_alone_or_with_an_argument() {
        let options =
            Options::parse("gf(70(0))r(busy)L(60000:30000)S(5)cHQ(NO_ANSWER)A(beep:hi)o(12)");
        assert!(options.goes_on && options.ring && options.elsewhere);
        assert!(options.caller.disconnect && !options.callee.disconnect);
        let forced = options.forced.map(|caller| caller.number);
        assert_eq!(forced.as_deref(), Some("70(0)"));
        assert_eq!(options.stop, Some(Duration::from_secs(5)));
        assert_eq!(options.losers, Some(Cause::NoAnswer));
        assert_eq!(options.announce, Some(("beep".to_owned(), "hi".to_owned())));
        assert_eq!(options.ring_tone.as_deref(), Some("busy"));
        assert_eq!(options.original_number.as_deref(), Some("12"));
        assert!(options.problems.is_empty(), "{:?}", options.problems);
    }

    #[test]
    fn music_has_a_class_or_none() {
        let music = |text| Options::parse(text).music;
        assert_eq!(music("m(jazz)").as_deref(), Some("jazz"));
        assert_eq!(music("gm").as_deref(), Some(""));
        assert_eq!(music("g"), None);
    }

    #[test]
    fn what_cannot_be_done_is_named() {
        let options = Options::parse("u(x)ZS(x)n(2)Q(x)L()");
        let expected = [
            "option u needs one of allowed_not_screened, allowed_passed_screen, allowed_failed_screen, allowed, \
             prohib_not_screened, prohib_passed_screen, prohib_failed_screen, prohib, unavailable; ignored",
            "there is no option Z",
            "option S needs a time; ignored",
            "option n takes 0 or 1",
            "option Q: 'x' is no cause; ignored",
            "option L needs a time; ignored",
        ];
        assert_eq!(options.problems, expected);
        assert_eq!((options.stop, options.limit), (None, None));
    }

    #[test]
    fn warnings_that_would_come_too_early_come_later() {
        let limit = |text: &str| {
            let Limited {
                lasts,
                warning,
                again,
            } = Options::parse(&format!("L({text})")).limit.unwrap();
            [lasts, warning, again].map(|time| time.as_millis())
        };
        assert_eq!(limit("60000:30000:10000"), [60_000, 30_000, 10_000]);
        assert_eq!(limit("60000"), [60_000, 0, 0]);
        assert_eq!(limit("10000:30000"), [10_000, 0, 0], "never");
        assert_eq!(limit("10000:30000:7000"), [10_000, 9_000, 7_000]);
        assert_eq!(limit("10000:30000:10000"), [10_000, 10_000, 10_000]);
        assert_eq!(limit("10000:30000:90000"), [10_000, 0, 90_000]);
    }
}
