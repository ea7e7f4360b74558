//! The options of `Dial`: letters, some with an argument in parentheses.

use std::time::Duration;

use switch::bridge::Rules;
use switch::{ActivatedBy, Channel, Grants, Keys};

/// What the options ask for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    /// `g`: the dial plan goes on when the called hangs up.
    pub(super) goes_on: bool,
    /// `r`: the caller hears ringing whatever the called sends.
    pub(super) ring: bool,
    /// `m(class)`: the caller hears music.
    pub(super) music: Option<String>,
    /// `c`: a cancelled call was answered elsewhere.
    pub(super) elsewhere: bool,
    /// `h`, `t`, `k`, `w`, `x`: what the called may do by digits.
    pub(super) callee: Grants,
    /// `H`, `T`, `K`, `W`, `X`: what the caller may.
    pub(super) caller: Grants,
    /// `f(number)`: who is shown to call.
    pub(super) caller_number: Option<String>,
    /// `o`: the leg has the caller's identity, instead of the extension that was dialled.
    pub(super) original: bool,
    /// `S(seconds)`, `L(milliseconds)`: how long they may talk.
    pub(super) limit: Option<Duration>,
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
    /// `e`: extension `h` is run for the called too.
    pub(super) farewell: bool,
    /// `i`: who is called cannot send the call elsewhere.
    pub(super) stays: bool,
    /// What cannot be done, in words.
    pub(super) problems: Vec<String>,
}

/// Options of Asterisk that are not there yet.
const LACKING: &str = "AaDdEJjKkNnOpPQRsuvWwXxz";

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

    fn add(&mut self, letter: char, argument: Option<&str>) {
        match letter {
            'g' => self.goes_on = true,
            'r' => self.ring = true,
            'm' => {
                self.music = Some(argument.unwrap_or("default").to_owned());
                self.problem("option m: there is no music on hold yet, the caller hears ringing");
            }
            'c' => self.elsewhere = true,
            'h' | 't' => self.callee.grant(letter),
            'H' | 'T' => self.caller.grant(letter),
            // Nothing of the kind is passed on.
            'I' => {}
            'b' => self.before_call = Some(argument.unwrap_or_default().to_owned()),
            'B' => self.before_all = Some(argument.unwrap_or_default().to_owned()),
            'U' => self.routine = argument.map(str::to_owned),
            'G' => self.both_go = argument.map(str::to_owned),
            'F' => self.callee_goes = Some(argument.unwrap_or_default().to_owned()),
            'e' => self.farewell = true,
            'i' => self.stays = true,
            'M' => self.problem("option M: there are no macros; use a subroutine with U"),
            'o' if argument.is_none() => self.original = true,
            'f' => match argument.filter(|number| !number.is_empty()) {
                Some(number) => self.caller_number = Some(number.to_owned()),
                None => self.problem("option f needs a number"),
            },
            'S' => self.limited(letter, argument.unwrap_or_default(), 1000),
            'L' => {
                let argument = argument.unwrap_or_default();
                let (limit, warnings) = argument.split_once(':').unwrap_or((argument, ""));
                self.limited(letter, limit, 1);
                if !warnings.is_empty() {
                    self.problem("option L: nothing can be played yet, so nobody is warned");
                }
            }
            ' ' | ',' => {}
            letter if LACKING.contains(letter) || letter == 'o' => {
                self.problems
                    .push(format!("option {letter} is not there yet; ignored"));
            }
            letter => self.problems.push(format!("there is no option {letter}")),
        }
    }

    fn problem(&mut self, what: &str) {
        self.problems.push(what.to_owned());
    }

    /// The shorter of two limits holds.
    fn limited(&mut self, letter: char, count: &str, unit_ms: u64) {
        let count = count.trim().parse::<u64>().ok().filter(|count| *count > 0);
        let Some(count) = count else {
            self.problems
                .push(format!("option {letter} needs a time; ignored"));
            return;
        };
        let limit = Duration::from_millis(count.saturating_mul(unit_ms)).min(LIMIT_MAX);
        self.limit = Some(self.limit.map_or(limit, |other| other.min(limit)));
    }

    /// What the conversation is bound by.
    pub(super) fn rules(&self, caller: &Channel, callee: &Channel) -> Rules {
        let (own, theirs) = (dynamic(caller), dynamic(callee));
        // What is said for the caller holds for who answers as well, unless something else is.
        let theirs = theirs.or(own).unwrap_or_default();
        let (by_caller, by_callee) = (ActivatedBy::Caller, ActivatedBy::Callee);
        Rules {
            limit: self.limit,
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

/// Longer than any call, and short enough for every clock.
const LIMIT_MAX: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Takes `(…)` off the front, with what is nested in it.
fn argument<'a>(rest: &mut &'a str) -> Option<&'a str> {
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
    use super::Options;
    use std::time::Duration;

    #[test]
    fn letters_stand_alone_or_with_an_argument() {
        let options = Options::parse("gf(70(0))rL(60000:30000)S(5)cH");
        assert!(options.goes_on && options.ring && options.elsewhere);
        assert!(options.caller.disconnect && !options.callee.disconnect);
        assert_eq!(options.caller_number.as_deref(), Some("70(0)"));
        assert_eq!(options.limit, Some(Duration::from_secs(5)));
        assert_eq!(options.problems.len(), 1, "{:?}", options.problems);
    }

    #[test]
    fn what_cannot_be_done_is_named() {
        let options = Options::parse("AZS(x)m");
        let expected = [
            "option A is not there yet; ignored",
            "there is no option Z",
            "option S needs a time; ignored",
            "option m: there is no music on hold yet, the caller hears ringing",
        ];
        assert_eq!(options.problems, expected);
        assert_eq!(options.limit, None);
    }
}
