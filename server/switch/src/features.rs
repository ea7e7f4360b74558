//! The codes one party of a conversation may dial, and what has been dialled of them: pure, in the time of whoever
//! asks.
//!
//! A digit that may begin a code is held back until it is clear whether it does: so that the other party hears all
//! digits that mean nothing, and none of those that do something.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use config::{ActivatedBy, FeatureApplication, Features};
use tokio::time::Instant;

/// What a code does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Ends the conversation.
    Disconnect,
    /// Sends the other party to an extension that is dialled next.
    BlindTransfer,
    /// Calls an extension that is dialled next, before the other party is sent there.
    AttendedTransfer,
    /// Parks the other party.
    Park,
    /// Begins or ends a recording of both.
    Record(Touch),
    /// Runs an application.
    Application(Arc<FeatureApplication>),
}

impl fmt::Display for Operation {
    /// As a person says it, with its name in features.conf.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Disconnect => "hang-up (disconnect)",
            Self::BlindTransfer => "blind transfer (blindxfer)",
            Self::AttendedTransfer => "attended transfer (atxfer)",
            Self::Park => "parking (parkcall)",
            Self::Record(Touch::Monitor) => "recording (automon)",
            Self::Record(Touch::MixMonitor) => "recording (automixmon)",
            Self::Application(feature) => {
                return write!(f, "{} of [applicationmap]", feature.application);
            }
        })
    }
}

/// Which of the two recordings a party begins by a touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touch {
    /// `automon`.
    Monitor,
    /// `automixmon`.
    MixMonitor,
}

/// Which of the built-in features a party has: options of `Dial`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// `h`, `H`.
    pub disconnect: bool,
    /// `t`, `T`.
    pub transfer: bool,
    /// `k`, `K`.
    pub park: bool,
    /// `w`, `W`.
    pub monitor: bool,
    /// `x`, `X`.
    pub mix_monitor: bool,
}

impl Grants {
    /// Grants what a letter of `Dial` stands for, small or capital.
    pub fn grant(&mut self, letter: char) {
        match letter.to_ascii_lowercase() {
            'h' => self.disconnect = true,
            't' => self.transfer = true,
            'k' => self.park = true,
            'w' => self.monitor = true,
            'x' => self.mix_monitor = true,
            _ => {}
        }
    }
}

/// What digits of one party do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys<O = Operation> {
    /// Each with what it does; no two are alike.
    codes: Vec<(String, O)>,
    /// The longest time between two digits.
    patience: Duration,
}

impl Keys {
    /// The codes of the features that are granted, and of those named in `dynamic` (`DYNAMIC_FEATURES`) that this
    /// party may start. Of two with the same digits, the first one counts.
    pub fn new(features: &Features, grants: Grants, dynamic: &str, own: ActivatedBy) -> Self {
        let mut keys = Self::none(features);
        let map = &features.map;
        let built_in = [
            (grants.disconnect, &map.disconnect, Operation::Disconnect),
            (
                grants.transfer,
                &map.blind_transfer,
                Operation::BlindTransfer,
            ),
            (
                grants.transfer,
                &map.attended_transfer,
                Operation::AttendedTransfer,
            ),
            (grants.park, &map.park_call, Operation::Park),
            (
                grants.monitor,
                &map.monitor,
                Operation::Record(Touch::Monitor),
            ),
            (
                grants.mix_monitor,
                &map.record,
                Operation::Record(Touch::MixMonitor),
            ),
        ];
        for (_, digits, operation) in built_in.into_iter().filter(|(granted, ..)| *granted) {
            keys.add(digits, operation);
        }
        for name in dynamic.split('#').map(str::trim) {
            if let Some(group) = features.groups.get(name) {
                for (name, digits) in group {
                    keys.add_application(features, name, Some(digits.as_str()), own);
                }
            } else {
                keys.add_application(features, name, None, own);
            }
        }
        keys
    }

    fn add_application(
        &mut self,
        features: &Features,
        name: &str,
        digits: Option<&str>,
        own: ActivatedBy,
    ) {
        let Some(feature) = features.applications.get(name) else {
            return;
        };
        let is_its = feature.activated_by == ActivatedBy::Both || feature.activated_by == own;
        if is_its {
            let digits = digits.filter(|digits| !digits.is_empty());
            let feature = Arc::new(feature.clone());
            let digits = digits.unwrap_or(&feature.digits).to_owned();
            self.add(&digits, Operation::Application(feature));
        }
    }
}

impl<O> Default for Keys<O> {
    fn default() -> Self {
        Self {
            codes: Vec::new(),
            patience: Duration::ZERO,
        }
    }
}

impl<O> Keys<O> {
    /// No codes yet, with the pause between digits that is configured.
    pub(crate) fn none(features: &Features) -> Self {
        Self {
            codes: Vec::new(),
            patience: Duration::from_millis(features.general.digit_timeout_ms.into()),
        }
    }

    /// Whether no digit does anything.
    pub fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }

    /// An empty code is none; of two alike the first one counts.
    pub(crate) fn add(&mut self, digits: &str, operation: O) {
        let digits = digits.to_ascii_uppercase();
        let is_known = self.codes.iter().any(|(known, _)| *known == digits);
        if !digits.is_empty() && !is_known {
            self.codes.push((digits, operation));
        }
    }

    fn whole(&self, digits: &str) -> Option<&O> {
        let code = self.codes.iter().find(|(code, _)| code == digits);
        code.map(|(_, operation)| operation)
    }

    /// Whether a code begins with these digits and goes on after them.
    fn goes_on(&self, digits: &str) -> bool {
        let longer = |code: &str| code.len() > digits.len() && code.starts_with(digits);
        self.codes.iter().any(|(code, _)| longer(code))
    }
}

/// What came of a digit, or of a pause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Judged<O = Operation> {
    /// Digits that mean nothing, held back until now: they are for the other party.
    pub(crate) passed: String,
    /// What was dialled.
    pub(crate) operation: Option<O>,
}

impl<O> Default for Judged<O> {
    fn default() -> Self {
        Self {
            passed: String::new(),
            operation: None,
        }
    }
}

/// What one party has dialled lately.
#[derive(Clone, Debug)]
pub(crate) struct Matcher<O = Operation> {
    keys: Keys<O>,
    held: String,
    last: Option<Instant>,
}

impl<O: Clone> Matcher<O> {
    pub(crate) fn new(keys: Keys<O>) -> Self {
        Self {
            keys,
            held: String::new(),
            last: None,
        }
    }

    /// The digits that codes begin with.
    pub(crate) fn firsts(&self) -> String {
        let codes = self.keys.codes.iter();
        codes.filter_map(|(code, _)| code.chars().next()).collect()
    }

    /// Takes a digit.
    pub(crate) fn on_digit(&mut self, now: Instant, digit: char) -> Judged<O> {
        let mut judged = Judged {
            passed: String::new(),
            operation: None,
        };
        if self.poll_timeout().is_some_and(|due| due < now) {
            judged = self.on_pause();
            if judged.operation.is_some() {
                // What was dialled first is done first; the digit after it belongs to nothing, and what was held
                // back with it is the code.
                return judged;
            }
        }
        self.held.push(digit.to_ascii_uppercase());
        self.last = Some(now);
        loop {
            if self.held.is_empty() {
                return judged;
            }
            if self.keys.goes_on(&self.held) {
                return judged;
            }
            if let Some(operation) = self.keys.whole(&self.held) {
                judged.operation = Some(operation.clone());
                self.held.clear();
                return judged;
            }
            // A code counts wherever it begins: what cannot become one any more goes on.
            judged.passed.push(self.held.remove(0));
        }
    }

    /// Takes the pause that [`Self::poll_timeout`] told of: a code that could have gone on is meant as it is,
    /// what is no code goes on.
    pub(crate) fn on_pause(&mut self) -> Judged<O> {
        self.last = None;
        let held = std::mem::take(&mut self.held);
        match self.keys.whole(&held) {
            Some(operation) => Judged {
                passed: String::new(),
                operation: Some(operation.clone()),
            },
            None => Judged {
                passed: held,
                operation: None,
            },
        }
    }

    /// What has been dialled of a code so far is forgotten.
    pub(crate) fn forget(&mut self) {
        self.held.clear();
        self.last = None;
    }

    /// When digits that are held back are held no longer.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let last = self.last.filter(|_| !self.held.is_empty());
        last.map(|last| last + self.keys.patience)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use config::{ActivatedBy, FeatureApplication, Features};
    use tokio::time::Instant;

    use super::{Grants, Keys, Matcher, Operation};

    fn features() -> Features {
        let mut features = Features::default();
        features.map.disconnect = "*0".to_owned();
        features.map.blind_transfer = "#".to_owned();
        features.map.attended_transfer = "#2".to_owned();
        let application = |digits: &str, activated_by| FeatureApplication {
            digits: digits.to_owned(),
            on_peer: false,
            activated_by,
            application: "NoOp".to_owned(),
            arguments: String::new(),
            music_class: None,
        };
        let mut add = |name: &str, digits, by| {
            let feature = application(digits, by);
            features.applications.insert(name.to_owned(), feature);
        };
        add("both", "*7", ActivatedBy::Both);
        add("caller", "*8", ActivatedBy::Caller);
        let group = vec![
            ("both".to_owned(), "*9".to_owned()),
            ("caller".to_owned(), String::new()),
        ];
        features.groups.insert("group".to_owned(), group);
        features
    }

    const ALL: Grants = Grants {
        disconnect: true,
        transfer: true,
        park: true,
        monitor: true,
        mix_monitor: true,
    };

    fn matcher(dynamic: &str, own: ActivatedBy) -> Matcher {
        Matcher::new(Keys::new(&features(), ALL, dynamic, own))
    }

    /// What is passed and what is done, digit after digit.
    fn dial(matcher: &mut Matcher, now: Instant, digits: &str) -> (String, Option<Operation>) {
        let mut passed = String::new();
        for digit in digits.chars() {
            let judged = matcher.on_digit(now, digit);
            passed += &judged.passed;
            if judged.operation.is_some() {
                return (passed, judged.operation);
            }
        }
        (passed, None)
    }

    #[test]
    fn a_code_counts_wherever_it_begins_and_what_is_none_goes_on() {
        let (mut matcher, now) = (matcher("", ActivatedBy::Caller), Instant::now());
        let (passed, operation) = dial(&mut matcher, now, "1**0");
        assert_eq!(
            (passed.as_str(), operation),
            ("1*", Some(Operation::Disconnect))
        );
        assert_eq!(matcher.poll_timeout(), None, "nothing is held");
        let (passed, operation) = dial(&mut matcher, now, "*5");
        assert_eq!((passed.as_str(), operation), ("*5", None));
    }

    #[test]
    fn digits_are_held_no_longer_than_the_pause_between_two() {
        let (mut matcher, now) = (matcher("", ActivatedBy::Caller), Instant::now());
        assert_eq!(dial(&mut matcher, now, "*").0, "");
        assert_eq!(matcher.poll_timeout(), Some(now + Duration::from_secs(1)));
        assert_eq!(matcher.on_pause().passed, "*");
        // An alarm that is late must not make a code of what was dialled too slowly.
        assert_eq!(dial(&mut matcher, now, "*").0, "");
        let late = now + Duration::from_millis(1001);
        let (passed, operation) = dial(&mut matcher, late, "0");
        assert_eq!((passed.as_str(), operation), ("*0", None));
    }

    #[test]
    fn the_shorter_of_two_codes_is_meant_by_a_pause() {
        let (mut matcher, now) = (matcher("", ActivatedBy::Caller), Instant::now());
        assert_eq!(dial(&mut matcher, now, "#").1, None);
        assert_eq!(matcher.on_pause().operation, Some(Operation::BlindTransfer));
        let (_, operation) = dial(&mut matcher, now, "#2");
        assert_eq!(operation, Some(Operation::AttendedTransfer));
    }

    #[test]
    fn a_feature_of_the_caller_is_not_for_the_called() {
        let now = Instant::now();
        let does = |dynamic, own, digits| {
            let mut matcher = matcher(dynamic, own);
            dial(&mut matcher, now, digits).1.is_some()
        };
        assert!(does("both#caller", ActivatedBy::Caller, "*8"));
        assert!(!does("both#caller", ActivatedBy::Callee, "*8"));
        assert!(does("both#caller", ActivatedBy::Callee, "*7"));
        // A group has digits of its own, and the feature's where it has none.
        assert!(does("group", ActivatedBy::Caller, "*9"));
        assert!(!does("group", ActivatedBy::Caller, "*7"));
        assert!(does("group", ActivatedBy::Caller, "*8"));
        assert!(!does("", ActivatedBy::Caller, "*7"));
    }

    #[test]
    fn what_is_not_granted_does_nothing() {
        let none = Keys::new(&features(), Grants::default(), "", ActivatedBy::Caller);
        assert!(none.is_empty());
        let mut matcher = Matcher::new(none);
        let judged = matcher.on_digit(Instant::now(), '#');
        assert_eq!((judged.passed.as_str(), judged.operation), ("#", None));
    }
}
