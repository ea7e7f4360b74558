//! Conditions and what they choose between: `condition?this:that`.

/// Whether a condition holds: it is neither empty nor the number 0, as in Asterisk.
pub(crate) fn holds(condition: &str) -> bool {
    let condition = condition.trim();
    let number = condition.split(|character: char| !character.is_ascii_digit());
    match condition {
        "" => false,
        _ if condition.starts_with(|first: char| first.is_ascii_digit()) => {
            let number = number.into_iter().next().unwrap_or_default();
            number.bytes().any(|digit| digit != b'0')
        }
        _ => true,
    }
}

/// What is chosen where the condition holds, and where it does not; both may be empty.
pub(crate) fn branches(text: &str) -> (&str, &str) {
    let (yes, no) = split(text, ':').unwrap_or((text, ""));
    (yes.trim(), no.trim())
}

/// Splits at the first separator outside of parentheses and quotes.
pub(crate) fn split(text: &str, separator: char) -> Option<(&str, &str)> {
    let (mut depth, mut quoted) = (0_u32, false);
    for (at, character) in text.char_indices() {
        match character {
            '"' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth = depth.saturating_sub(1),
            _ if character == separator && depth == 0 && !quoted => {
                return Some((&text[..at], &text[at + separator.len_utf8()..]));
            }
            _ => {}
        }
    }
    None
}

/// `application(arguments)`.
pub(crate) fn call_of(text: &str) -> (&str, &str) {
    let text = text.trim();
    match text.split_once('(') {
        Some((name, rest)) => (name.trim(), rest.strip_suffix(')').unwrap_or(rest)),
        None => (text, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::{branches, call_of, holds, split};

    #[test]
    fn nothing_and_zero_do_not_hold() {
        for text in ["", " ", "0", "00", " 0 "] {
            assert!(!holds(text), "{text:?}");
        }
        for text in ["1", "-1", "10", "x", "0x1 is text"] {
            assert_eq!(holds(text), text != "0x1 is text", "{text:?}");
        }
    }

    #[test]
    fn a_colon_within_arguments_divides_nothing() {
        assert_eq!(split("a,1(x:y):b,1", ':'), Some(("a,1(x:y)", "b,1")));
        assert_eq!(split("a,1(x:y)", ':'), None);
        assert_eq!(branches("Set(a=b:c):Noop()"), ("Set(a=b:c)", "Noop()"));
        assert_eq!(branches("one"), ("one", ""));
        assert_eq!(call_of("Set(a=(b))"), ("Set", "a=(b)"));
        assert_eq!(call_of("Answer"), ("Answer", ""));
    }
}
