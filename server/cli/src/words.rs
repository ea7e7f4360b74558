//! A typed line as words: between spaces, or between double quotes.

/// The words of a line. A quote that is not closed ends with the line.
pub(crate) fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let (mut quoted, mut escaped) = (false, false);
    for character in line.chars() {
        match character {
            _ if std::mem::take(&mut escaped) => word.get_or_insert_default().push(character),
            '\\' => escaped = true,
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            _ if character.is_whitespace() && !quoted => words.extend(word.take()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn words_stand_between_spaces_or_quotes() {
        assert_eq!(
            split("  core   show\tversion "),
            ["core", "show", "version"]
        );
        assert_eq!(split(r#"a "b c" d\ e """#), ["a", "b c", "d e", ""]);
        assert_eq!(split(r#"a "b c"#), ["a", "b c"]);
        assert!(split("   ").is_empty());
    }
}
