//! In which order codecs are offered and answered, in the words of Asterisk's `codec_prefs_*`.
//!
//! *Pending* codecs are what the other party of the call has, *configured* ones what `allow` says.

use crate::registry::Codec;
use std::fmt;

/// One `codec_prefs_*`: `prefer: pending, operation: union, keep: all, transcode: allow`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preference {
    /// Whether the order is that of the configured codecs, not of the pending ones.
    pub prefers_configured: bool,
    /// Which are kept.
    pub operation: Operation,
    /// Whether all but the first are left out.
    pub keeps_first: bool,
    /// Whether codecs may be used that the other party has not, which then are made anew.
    pub transcodes: bool,
}

/// Which codecs are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Those that are both.
    Intersect,
    /// Those that are either, the preferred list first.
    Union,
    /// The preferred list alone.
    OnlyPreferred,
    /// The other list alone.
    OnlyNonpreferred,
}

/// A preference that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`prefer: pending|configured, operation: intersect|union|only_preferred|only_nonpreferred, \
     keep: all|first, transcode: allow|prevent`"
)]
pub struct NoPreference;

impl Preference {
    /// What an offer of ours has where nothing is said: all that is allowed, first what the other party
    /// has.
    pub const OFFER: Self = Self {
        prefers_configured: false,
        operation: Operation::Union,
        keeps_first: false,
        transcodes: true,
    };
    /// What an answer of ours has where nothing is said: what the other party has, in its order.
    pub const ANSWER: Self = Self {
        operation: Operation::Intersect,
        ..Self::OFFER
    };

    /// What both have, in the order of the configured ones: `incoming_call_offer_pref=local`.
    pub const LOCAL: Self = Self {
        prefers_configured: true,
        operation: Operation::Intersect,
        ..Self::OFFER
    };

    /// Reads a value of `incoming_call_offer_pref` or `outgoing_call_offer_pref`: *local* is what is
    /// configured, *remote* what is pending.
    pub fn of_call(text: &str) -> Option<Self> {
        let (list, keep) = text.split_once('_').unwrap_or((text, ""));
        let prefers_configured = match list {
            "local" => true,
            "remote" => false,
            _ => return None,
        };
        let operation = match keep {
            "merge" => Operation::Union,
            "" | "first" => Operation::Intersect,
            _ => return None,
        };
        Some(Self {
            prefers_configured,
            operation,
            keeps_first: keep == "first",
            transcodes: true,
        })
    }

    /// The word of [`Self::of_call`] for it, where there is one.
    pub fn call_word(&self) -> Option<&'static str> {
        const WORDS: &[&str] = &[
            "local",
            "local_first",
            "local_merge",
            "remote",
            "remote_first",
            "remote_merge",
        ];
        let mut words = WORDS.iter().copied();
        words.find(|word| Self::of_call(word) == Some(*self))
    }

    /// Reads a value of the option; what it does not name is as in `self`.
    pub fn parse(self, text: &str) -> Result<Self, NoPreference> {
        let mut own = self;
        for pair in text.split(',').map(str::trim) {
            let (key, value) = pair.split_once(':').ok_or(NoPreference)?;
            let (key, value) = (key.trim().to_ascii_lowercase(), value.trim());
            match (&*key, &*value.to_ascii_lowercase()) {
                ("prefer", "pending") => own.prefers_configured = false,
                ("prefer", "configured") => own.prefers_configured = true,
                ("operation", "intersect") => own.operation = Operation::Intersect,
                ("operation", "union") => own.operation = Operation::Union,
                ("operation", "only_preferred") => own.operation = Operation::OnlyPreferred,
                ("operation", "only_nonpreferred") => own.operation = Operation::OnlyNonpreferred,
                ("keep", "all") => own.keeps_first = false,
                ("keep", "first") => own.keeps_first = true,
                ("transcode", "allow") => own.transcodes = true,
                ("transcode", "prevent") => own.transcodes = false,
                _ => return Err(NoPreference),
            }
        }
        Ok(own)
    }

    /// The codecs to use, best first. Nothing that is not configured is ever among them: `allow` is a
    /// limit here. Where nothing is left and sound can be made anew, it is what is configured.
    pub fn apply(
        &self,
        pending: &[&'static Codec],
        configured: &[&'static Codec],
    ) -> Vec<&'static Codec> {
        let (first, second) = match self.prefers_configured {
            true => (configured, pending),
            false => (pending, configured),
        };
        let both = |codec: &&'static Codec| first.contains(codec) && second.contains(codec);
        let mut kept: Vec<&'static Codec> = match self.operation {
            Operation::Intersect => first.iter().copied().filter(both).collect(),
            Operation::Union => first.to_vec(),
            Operation::OnlyPreferred => first.to_vec(),
            Operation::OnlyNonpreferred => second.to_vec(),
        };
        if self.operation == Operation::Union {
            kept.extend(second.iter().filter(|codec| !first.contains(codec)));
        }
        kept.retain(|codec| configured.contains(codec));
        if !self.transcodes {
            kept.retain(|codec| pending.contains(codec));
        } else if kept.is_empty() {
            kept.extend(configured.iter().filter(|codec| codec.coding.is_some()));
        }
        if self.keeps_first {
            kept.truncate(1);
        }
        kept
    }
}

impl fmt::Display for Preference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let either = |which: bool, yes, no| if which { yes } else { no };
        let operation = match self.operation {
            Operation::Intersect => "intersect",
            Operation::Union => "union",
            Operation::OnlyPreferred => "only_preferred",
            Operation::OnlyNonpreferred => "only_nonpreferred",
        };
        write!(
            f,
            "prefer: {}, operation: {operation}, keep: {}, transcode: {}",
            either(self.prefers_configured, "configured", "pending"),
            either(self.keeps_first, "first", "all"),
            either(self.transcodes, "allow", "prevent")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{NoPreference, Preference};
    use crate::{Codec, by_name};

    fn codecs(names: &str) -> Vec<&'static Codec> {
        names
            .split_whitespace()
            .map(|name| by_name(name).unwrap())
            .collect()
    }

    fn applied(text: &str, pending: &str, configured: &str) -> String {
        let preference = Preference::OFFER.parse(text).unwrap();
        let kept = preference.apply(&codecs(pending), &codecs(configured));
        let names: Vec<_> = kept.iter().map(|codec| codec.name).collect();
        names.join(" ")
    }

    #[test]
    fn each_operation_keeps_what_asterisk_says() {
        let (pending, configured) = ("opus ulaw g722", "alaw ulaw opus");
        for (text, kept) in [
            ("prefer: pending, operation: intersect", "opus ulaw"),
            ("prefer: configured, operation: intersect", "ulaw opus"),
            ("prefer: pending, operation: union", "opus ulaw alaw"),
            ("prefer: configured, operation: union", "alaw ulaw opus"),
            ("prefer: pending, operation: only_preferred", "opus ulaw"),
            (
                "prefer: pending, operation: only_nonpreferred",
                "alaw ulaw opus",
            ),
            (
                "prefer: configured, operation: intersect, keep: first",
                "ulaw",
            ),
            (
                "prefer: configured, operation: union, transcode: prevent",
                "ulaw opus",
            ),
        ] {
            assert_eq!(applied(text, pending, configured), kept, "{text}");
        }
    }

    #[test]
    fn nothing_in_common_is_made_anew_or_refused() {
        assert_eq!(
            applied("operation: intersect", "opus", "alaw ulaw"),
            "alaw ulaw"
        );
        assert_eq!(
            applied(
                "operation: intersect, transcode: prevent",
                "opus",
                "alaw ulaw"
            ),
            ""
        );
    }

    #[test]
    fn the_words_of_calls_are_preferences_too() {
        let kept = |word: &str| {
            let preference = Preference::of_call(word).unwrap();
            assert_eq!(preference.call_word(), Some(word));
            let kept = preference.apply(&codecs("opus ulaw g722"), &codecs("alaw ulaw opus"));
            let names: Vec<_> = kept.iter().map(|codec| codec.name).collect();
            names.join(" ")
        };
        assert_eq!(kept("local"), "ulaw opus");
        assert_eq!(kept("local_first"), "ulaw");
        assert_eq!(kept("local_merge"), "alaw ulaw opus");
        assert_eq!(kept("remote"), "opus ulaw");
        assert_eq!(kept("remote_first"), "opus");
        assert_eq!(kept("remote_merge"), "opus ulaw alaw");
        assert_eq!(Preference::of_call("remote_last"), None);
        assert_eq!(Preference::of_call("merge"), None);
    }

    #[test]
    fn words_nobody_knows_are_refused() {
        for text in [
            "",
            "prefer",
            "prefer: local",
            "keep: 1",
            "prefer: pending; keep: all",
        ] {
            assert_eq!(Preference::OFFER.parse(text), Err(NoPreference), "{text}");
        }
        assert_eq!(
            Preference::ANSWER.parse("KEEP : All"),
            Ok(Preference::ANSWER)
        );
        let text = "prefer: configured, operation: only_preferred, keep: first, transcode: prevent";
        assert_eq!(Preference::OFFER.parse(text).unwrap().to_string(), text);
    }
}
