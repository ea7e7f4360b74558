//! `*`, `?` and `[…]` in the name of a file to include (glob(7)).

/// A name that stands for the files it matches. A wildcard matches neither a slash nor a dot at the
/// beginning of a name, as in a shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wildcard<'a>(&'a str);

impl<'a> Wildcard<'a> {
    /// The text as a pattern; `None` if it is a plain name.
    pub fn parse(text: &'a str) -> Option<Self> {
        text.contains(['*', '?', '[']).then_some(Self(text))
    }

    /// The pattern as it is written.
    pub fn as_str(self) -> &'a str {
        self.0
    }

    /// Whether it matches a whole path, part by part.
    pub fn matches(self, path: &str) -> bool {
        let (mut patterns, mut names) = (self.0.split('/'), path.split('/'));
        loop {
            match (patterns.next(), names.next()) {
                (None, None) => return true,
                (Some(pattern), Some(name)) if Wildcard(pattern).matches_name(name) => {}
                _ => return false,
            }
        }
    }

    /// Whether it matches a name without slashes.
    ///
    /// After a mismatch only the last `*` is tried again with one character more, so the work is at
    /// most the product of the two lengths.
    pub fn matches_name(self, name: &str) -> bool {
        let (mut pattern, mut rest) = (self.0, name);
        if name.starts_with('.') && !pattern.starts_with('.') {
            return false;
        }
        let mut retry: Option<(&str, &str)> = None;
        loop {
            if let Some(after) = pattern.strip_prefix('*') {
                pattern = after;
                retry = Some((after, rest));
                continue;
            }
            let Some(character) = rest.chars().next() else {
                return pattern.is_empty();
            };
            if let Some(after) = first_matches(pattern, character) {
                pattern = after;
                rest = &rest[character.len_utf8()..];
                continue;
            }
            let Some((after, from)) = retry else {
                return false;
            };
            let Some(skipped) = from.chars().next() else {
                return false;
            };
            rest = &from[skipped.len_utf8()..];
            pattern = after;
            retry = Some((after, rest));
        }
    }
}

/// What follows the first element of `pattern`, if that matches `character`.
fn first_matches(pattern: &str, character: char) -> Option<&str> {
    let first = pattern.chars().next()?;
    let after = &pattern[first.len_utf8()..];
    match first {
        '?' => Some(after),
        // A bracket that is never closed is itself.
        '[' => match set_matches(after, character) {
            Some((true, after)) => Some(after),
            Some((false, _)) => None,
            None => (character == '[').then_some(after),
        },
        first => (first == character).then_some(after),
    }
}

/// `a-z]`, `!a-z]`: whether the set holds the character, and what follows it.
fn set_matches(set: &str, character: char) -> Option<(bool, &str)> {
    let negated = set.starts_with(['!', '^']);
    let set = if negated { &set[1..] } else { set };
    // glob(7): "The string enclosed by the brackets cannot be empty; therefore ']' can be allowed
    // between the brackets, provided that it is the first character."
    let first = set.chars().next()?;
    let end = set[first.len_utf8()..].find(']')? + first.len_utf8();
    let (members, after) = (&set[..end], &set[end + 1..]);
    let mut found = false;
    let mut members = members.chars().peekable();
    while let Some(low) = members.next() {
        let mut ahead = members.clone();
        let high = match (ahead.next(), ahead.next()) {
            (Some('-'), Some(high)) => {
                members = ahead;
                high
            }
            _ => low,
        };
        found |= (low..=high).contains(&character);
    }
    Some((found != negated, after))
}

#[cfg(test)]
mod tests {
    use super::Wildcard;

    fn matches(pattern: &str, path: &str) -> bool {
        Wildcard(pattern).matches(path)
    }

    #[test]
    fn stars_questions_and_sets_match_as_in_a_shell() {
        assert!(matches("*.conf", "a.conf") && matches("a*b*c", "aXbbYc"));
        assert!(matches("pjsip.d/*.conf", "pjsip.d/alice.conf"));
        assert!(matches("[a-c]?.conf", "b1.conf") && matches("[]x]", "]"));
        assert!(matches("[!a].conf", "b.conf") && matches("[^a]", "b") && matches("[a-]", "-"));
        assert!(!matches("*.conf", "a.conf.bak") && !matches("?", "") && !matches("?", "ab"));
        assert!(!matches("[!a]", "a") && !matches("[a-c]", "d"));
    }

    #[test]
    fn slashes_and_leading_dots_are_matched_by_themselves_alone() {
        assert!(!matches("*", "a/b") && !matches("*/*", "a") && matches("*/b", "a/b"));
        assert!(!matches("*", ".a") && !matches("?a", ".a") && matches(".*", ".a"));
    }

    #[test]
    fn a_bracket_without_its_end_is_a_bracket() {
        assert!(matches("a[b", "a[b") && !matches("a[b", "ab"));
    }

    #[test]
    fn many_stars_take_no_exponential_time() {
        let pattern = "*a".repeat(2000) + "b";
        assert!(!matches(&pattern, &"a".repeat(4000)));
    }

    #[test]
    fn a_plain_name_is_no_pattern() {
        assert_eq!(Wildcard::parse("a.conf"), None);
        let pattern = Wildcard::parse("*.conf").expect("it has a star");
        assert_eq!(pattern.as_str(), "*.conf");
    }
}
