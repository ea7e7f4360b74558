//! Who somebody is to those they call: name, number, and who may see them.

use std::fmt;

/// One party, as others may know it: `callerid=Name <number>` and what goes with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallerId {
    /// The name; empty if there is none.
    pub name: String,
    /// The number; empty if there is none.
    pub number: String,
    /// Who may see the name.
    pub name_presentation: Presentation,
    /// Who may see the number.
    pub number_presentation: Presentation,
    /// `callerid_tag`: a word for the dial plan, which nobody outside sees.
    pub tag: String,
}

/// Who may see a name or a number, and who has checked it: `callerid_privacy`, as Q.931 and Asterisk have it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Presentation {
    /// Everybody; nobody has checked it.
    #[default]
    AllowedNotScreened,
    /// Everybody; checked.
    AllowedPassedScreen,
    /// Everybody; checked and found wrong.
    AllowedFailedScreen,
    /// Everybody; the network says so.
    Allowed,
    /// Nobody but who is trusted; nobody has checked it.
    ProhibNotScreened,
    /// Nobody but who is trusted; checked.
    ProhibPassedScreen,
    /// Nobody but who is trusted; checked and found wrong.
    ProhibFailedScreen,
    /// Nobody but who is trusted; the network says so.
    Prohib,
    /// There is nothing to see.
    Unavailable,
}

/// The words of the configuration and the dial plan.
const PRESENTATIONS: [(&str, Presentation); 9] = [
    ("allowed_not_screened", Presentation::AllowedNotScreened),
    ("allowed_passed_screen", Presentation::AllowedPassedScreen),
    ("allowed_failed_screen", Presentation::AllowedFailedScreen),
    ("allowed", Presentation::Allowed),
    ("prohib_not_screened", Presentation::ProhibNotScreened),
    ("prohib_passed_screen", Presentation::ProhibPassedScreen),
    ("prohib_failed_screen", Presentation::ProhibFailedScreen),
    ("prohib", Presentation::Prohib),
    ("unavailable", Presentation::Unavailable),
];

impl Presentation {
    /// All words.
    pub const WORDS: [&'static str; 9] = {
        let mut words = [""; 9];
        let mut index = 0;
        while index < words.len() {
            words[index] = PRESENTATIONS[index].0;
            index += 1;
        }
        words
    };

    /// What a word means, compared without case; also by Asterisk's number.
    pub fn parse(word: &str) -> Option<Self> {
        let word = word.trim();
        let mut rows = PRESENTATIONS.iter();
        let named = rows.find(|(name, _)| name.eq_ignore_ascii_case(word));
        named.map(|(_, presentation)| *presentation).or_else(|| {
            let number = word.parse().ok()?;
            let mut rows = PRESENTATIONS.iter();
            rows.find(|(_, presentation)| presentation.number() == number)
                .map(|(_, presentation)| *presentation)
        })
    }

    /// Its word.
    pub fn as_str(self) -> &'static str {
        let mut rows = PRESENTATIONS.iter();
        rows.find(|(_, presentation)| *presentation == self)
            .map_or("", |(name, _)| name)
    }

    /// Octet 3a of Q.931: bits 6 and 7 who may see it, bits 1 and 2 who has checked it.
    pub fn number(self) -> u8 {
        match self {
            Self::AllowedNotScreened => 0x00,
            Self::AllowedPassedScreen => 0x01,
            Self::AllowedFailedScreen => 0x02,
            Self::Allowed => 0x03,
            Self::ProhibNotScreened => 0x20,
            Self::ProhibPassedScreen => 0x21,
            Self::ProhibFailedScreen => 0x22,
            Self::Prohib => 0x23,
            Self::Unavailable => 0x43,
        }
    }

    /// Whether everybody may see it.
    pub fn is_allowed(self) -> bool {
        self.number() & 0x60 == 0
    }

    /// Whether it was checked and found right.
    pub fn is_screened(self) -> bool {
        matches!(self, Self::AllowedPassedScreen | Self::ProhibPassedScreen)
    }

    /// The same, checked as before, for nobody but who is trusted.
    #[must_use]
    pub fn prohibited(self) -> Self {
        match self {
            Self::AllowedNotScreened => Self::ProhibNotScreened,
            Self::AllowedPassedScreen => Self::ProhibPassedScreen,
            Self::AllowedFailedScreen => Self::ProhibFailedScreen,
            Self::Allowed => Self::Prohib,
            other => other,
        }
    }
}

impl fmt::Display for Presentation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl CallerId {
    /// A party everybody may see.
    pub fn new(name: impl Into<String>, number: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            number: number.into(),
            ..Self::default()
        }
    }

    /// Sets who may see both.
    #[must_use]
    pub fn presented(mut self, presentation: Presentation) -> Self {
        self.name_presentation = presentation;
        self.number_presentation = presentation;
        self
    }

    /// Who may see the party as a whole: the stricter of both, as Asterisk decides it. What is not there
    /// counts for nothing.
    pub fn presentation(&self) -> Presentation {
        let rank = |presentation: Presentation| match presentation.number() & 0x60 {
            0x20 => 0,
            0x00 => 1,
            _ => 2,
        };
        let name = (!self.name.is_empty()).then_some(self.name_presentation);
        let number = (!self.number.is_empty()).then_some(self.number_presentation);
        match (name, number) {
            (None, None) => Presentation::Unavailable,
            (Some(name), None) => name,
            (None, Some(number)) => number,
            (Some(name), Some(number)) if rank(name) < rank(number) => name,
            (Some(_), Some(number)) => number,
        }
    }

    /// Whether nobody in particular is meant.
    pub fn is_nobody(&self) -> bool {
        self.name.is_empty() && self.number.is_empty()
    }

    /// `"Name" <number>`, `Name <number>`, `<number>`, or a number or name alone; nobody for anything else.
    pub fn parse(text: &str) -> Self {
        let text = text.trim();
        let (name, number) = match text.split_once('<') {
            Some((name, number)) => (name.trim(), number.trim_end().trim_end_matches('>').trim()),
            None if is_number(text) => ("", text),
            None => (text, ""),
        };
        Self::new(name.trim_matches('"'), number)
    }
}

fn is_number(text: &str) -> bool {
    let digit = |byte: u8| byte.is_ascii_digit() || b"*#+-.()".contains(&byte);
    !text.is_empty() && text.bytes().all(digit)
}

impl fmt::Display for CallerId {
    /// `"Name" <number>`, as `CALLERID(all)` has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\" <{}>", self.name, self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::{CallerId, Presentation};

    #[test]
    fn words_and_numbers_mean_the_same() {
        for word in Presentation::WORDS {
            let presentation = Presentation::parse(word).unwrap();
            assert_eq!(presentation.as_str(), word);
            let number = presentation.number().to_string();
            assert_eq!(Presentation::parse(&number), Some(presentation));
        }
        assert_eq!(Presentation::parse("secret"), None);
        assert_eq!(
            Presentation::parse("32"),
            Some(Presentation::ProhibNotScreened)
        );
    }

    #[test]
    fn a_party_is_as_private_as_its_most_private_part() {
        let mut party = CallerId::new("Alice", "100");
        assert_eq!(party.presentation(), Presentation::AllowedNotScreened);
        party.name_presentation = Presentation::ProhibNotScreened;
        assert_eq!(party.presentation(), Presentation::ProhibNotScreened);
        party.name.clear();
        assert_eq!(party.presentation(), Presentation::AllowedNotScreened);
        assert_eq!(
            CallerId::default().presentation(),
            Presentation::Unavailable
        );
    }

    #[test]
    fn prohibited_keeps_what_was_checked() {
        let checked = Presentation::AllowedPassedScreen.prohibited();
        assert_eq!(checked, Presentation::ProhibPassedScreen);
        assert!(checked.is_screened() && !checked.is_allowed());
        assert!(!Presentation::Unavailable.is_allowed());
    }
}
