//! `?` to `$1`, `$2`, …: the one thing PostgreSQL writes differently in plain statements.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The statement with numbered places instead of question marks; those in quotes stay.
pub(super) fn numbered(sql: &str) -> Cow<'_, str> {
    if !sql.contains('?') {
        return Cow::Borrowed(sql);
    }
    let mut written = String::with_capacity(sql.len() + 8);
    let mut quote = None;
    let mut count = 0;
    for character in sql.chars() {
        match (character, quote) {
            ('?', None) => {
                count += 1;
                let _ = write!(written, "${count}");
                continue;
            }
            ('\'' | '"', None) => quote = Some(character),
            (character, Some(open)) if character == open => quote = None,
            _ => {}
        }
        written.push(character);
    }
    Cow::Owned(written)
}

#[cfg(test)]
mod tests {
    use super::numbered;

    #[test]
    fn question_marks_are_numbered_outside_quotes() {
        let sql = "SELECT '?' FROM \"a?\" WHERE b = ? AND c IN (?, ?)";
        let expected = "SELECT '?' FROM \"a?\" WHERE b = $1 AND c IN ($2, $3)";
        assert_eq!(numbered(sql), expected);
    }
}
