//! Who is who in a call: whom a channel is connected to, and who sent it on.

use config::CallerId;

use crate::dial::Ask;

/// What is known of the parties of a channel, besides who it is itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parties {
    /// Whom it is connected to, or will be: `CONNECTEDLINE`.
    pub connected: CallerId,
    /// Who sent the call on, and to where: `REDIRECTING`.
    pub redirecting: Redirecting,
    /// `CALLERID(ani)`: the number it is charged by, which what it is shown as does not change.
    pub ani: CallerId,
    /// `CALLERID(ani2)`: the kind of line.
    pub ani2: u8,
    /// `CALLERID(dnid)`: the number that was dialled, as it came.
    pub dialled: String,
}

impl Parties {
    /// Those of a call that came in.
    pub(crate) fn of_call(caller: &CallerId, redirecting: Redirecting, dialled: &str) -> Self {
        Self {
            redirecting,
            ani: caller.clone(),
            dialled: dialled.to_owned(),
            ..Self::default()
        }
    }

    /// Those of a leg that goes out.
    pub(crate) fn of_leg(caller: &CallerId, ask: &Ask) -> Self {
        Self {
            connected: ask.caller.clone(),
            redirecting: ask.redirecting.clone(),
            ani: caller.clone(),
            ..Self::default()
        }
    }
}

/// How a call came to be sent on (RFC 5806).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redirecting {
    /// Whom it was for at first.
    pub orig: CallerId,
    /// Why that one sent it on.
    pub orig_reason: String,
    /// Who sent it on last.
    pub from: CallerId,
    /// Why: a word of RFC 5806, or any other.
    pub reason: String,
    /// Whom it was sent to.
    pub to: CallerId,
    /// How often it was sent on.
    pub count: u32,
}

impl Redirecting {
    /// The call is sent on once more, by `from` to `to`.
    pub fn sent_on(&mut self, from: CallerId, to: CallerId, reason: &str) {
        if self.orig.is_nobody() {
            let (first, why) = match self.from.is_nobody() {
                true => (from.clone(), reason.to_owned()),
                false => (self.from.clone(), self.reason.clone()),
            };
            self.orig = first;
            self.orig_reason = why;
        }
        self.from = from;
        self.to = to;
        reason.clone_into(&mut self.reason);
        self.count = self.count.saturating_add(1);
    }
}

/// The reason in the dial plan's words, from those of RFC 5806.
pub fn reason_of_diversion(word: &str) -> String {
    let named = DIVERSION
        .iter()
        .find(|(_, sip)| sip.eq_ignore_ascii_case(word));
    named.map_or_else(|| word.to_owned(), |(own, _)| (*own).to_owned())
}

/// The same the other way round.
pub fn diversion_of_reason(reason: &str) -> &str {
    let named = DIVERSION
        .iter()
        .find(|(own, _)| own.eq_ignore_ascii_case(reason));
    named.map_or(reason, |(_, sip)| sip)
}

/// Asterisk's words and those of RFC 5806 §4.
const DIVERSION: [(&str, &str); 12] = [
    ("unknown", "unknown"),
    ("cfb", "user-busy"),
    ("cfnr", "no-answer"),
    ("unavailable", "unavailable"),
    ("cfu", "unconditional"),
    ("time_of_day", "time-of-day"),
    ("dnd", "do-not-disturb"),
    ("deflection", "deflection"),
    ("follow_me", "follow-me"),
    ("out_of_order", "out-of-service"),
    ("away", "away"),
    ("send_to_vm", "send_to_vm"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_called_first_stays_known() {
        let mut redirecting = Redirecting::default();
        let party = |number: &str| CallerId::new("", number);
        redirecting.sent_on(party("100"), party("200"), "cfu");
        redirecting.sent_on(party("200"), party("300"), "cfb");
        assert_eq!(redirecting.orig.number, "100");
        assert_eq!(redirecting.orig_reason, "cfu");
        assert_eq!(redirecting.from.number, "200");
        assert_eq!(redirecting.to.number, "300");
        assert_eq!((redirecting.reason.as_str(), redirecting.count), ("cfb", 2));
    }

    #[test]
    fn reasons_have_words_of_two_worlds() {
        assert_eq!(reason_of_diversion("User-Busy"), "cfb");
        assert_eq!(diversion_of_reason("cfb"), "user-busy");
        assert_eq!(diversion_of_reason("\"Vacation\""), "\"Vacation\"");
        assert_eq!(reason_of_diversion("moved"), "moved");
    }
}
