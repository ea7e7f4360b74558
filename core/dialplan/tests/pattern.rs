//! Which patterns match what, and which comes first.

use dialplan::{Pattern, PatternError};
use proptest::prelude::*;
use std::cmp::Ordering;

fn pattern(text: &str) -> Pattern {
    Pattern::parse(text).expect("a good pattern")
}

#[test]
fn every_sign_matches_its_characters() {
    let table: &[(&str, &[&str], &[&str])] = &[
        ("X", &["0", "9"], &["", "a", "12", "*"]),
        ("Z", &["1", "9"], &["0"]),
        ("N", &["2", "9"], &["0", "1"]),
        ("nxz", &["201"], &["200", "101"]),
        ("[13-5a]", &["1", "3", "4", "5", "a"], &["2", "6", "-", "b"]),
        ("[+*]X", &["+1", "*1"], &["11"]),
        ("[1-]", &["1"], &["-", "2"]),
        ("9.", &["91", "9abc"], &["9", "8", ""]),
        ("9!", &["9", "91"], &["8", ""]),
        (".", &["1", "+49"], &[""]),
        ("!", &["", "1"], &[]),
        ("1-800-NXX", &["1800234", "1-800-234"], &["1800123"]),
        ("*98", &["*98"], &["98"]),
        ("bob", &["bob"], &["Bob", "b"]),
        ("", &[""], &["1"]),
    ];
    for (text, yes, no) in table {
        let pattern = pattern(text);
        for dialled in *yes {
            assert!(pattern.matches(dialled), "_{text} should match {dialled:?}");
        }
        for dialled in *no {
            assert!(
                !pattern.matches(dialled),
                "_{text} should not match {dialled:?}"
            );
        }
    }
}

#[test]
fn the_more_particular_pattern_comes_first() {
    let order = [
        "1234", "123X", "12X4", "1NXX", "1ZXX", "1XXX", "1X.", "1.", "1!", "[12]XX", "N", "X", ".",
        "!", "",
    ];
    for pair in order.windows(2) {
        let (first, second) = (pattern(pair[0]), pattern(pair[1]));
        assert_eq!(first.particular(&second), Ordering::Less, "{pair:?}");
        assert_eq!(second.particular(&first), Ordering::Greater, "{pair:?}");
    }
    assert_eq!(pattern("X-X").particular(&pattern("xx")), Ordering::Equal);
    assert_eq!(pattern("[23]").particular(&pattern("[24]")), Ordering::Less);
}

#[test]
fn faults_are_named() {
    let fault = |text: &str| Pattern::parse(text).expect_err("a bad pattern");
    assert_eq!(fault("[12"), PatternError::OpenSet);
    assert_eq!(fault("[]"), PatternError::EmptySet);
    assert_eq!(fault("[9-2]"), PatternError::BackwardRange);
    assert_eq!(fault("1.2"), PatternError::AfterWildcard);
    assert_eq!(fault("X!X"), PatternError::AfterWildcard);
    assert_eq!(fault(&"X".repeat(1000)), PatternError::TooLong);
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in r"([\[\]XNZ.!0-9-]|.){0,40}", dialled in ".{0,20}") {
        if let Ok(pattern) = Pattern::parse(&text) {
            pattern.matches(&dialled);
            pattern.could_be_longer(&dialled);
        }
    }

    /// Whatever matches could have been announced by its beginning.
    #[test]
    fn a_beginning_of_what_matches_could_be_longer(dialled in "[0-9]{1,8}", cut in 0usize..8) {
        let patterns = ["XXXX", "X.", "!", "[1-5]NX", "12345"].map(pattern);
        let beginning = &dialled[..cut.min(dialled.len() - 1)];
        for pattern in patterns.iter().filter(|pattern| pattern.matches(&dialled)) {
            prop_assert!(pattern.could_be_longer(beginning));
        }
    }
}
