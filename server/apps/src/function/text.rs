//! Functions of text: `LEN`, `FILTER`, `REGEX` and their kin. What is long or too much is cut by who substitutes.

use switch::{Channel, Function};

use super::arguments::{named, parts, separate, unescaped};

/// How long a text is.
pub(crate) static LEN: Function = Function {
    name: "LEN",
    synopsis: "How many characters a text has: LEN(text)",
    read: |_, text| Some(text.chars().count().to_string()),
    write: None,
};

/// Capital letters.
pub(crate) static TO_UPPER: Function = Function {
    name: "TOUPPER",
    synopsis: "A text in capital letters: TOUPPER(text)",
    read: |_, text| Some(text.to_uppercase()),
    write: None,
};

/// Small letters.
pub(crate) static TO_LOWER: Function = Function {
    name: "TOLOWER",
    synopsis: "A text in small letters: TOLOWER(text)",
    read: |_, text| Some(text.to_lowercase()),
    write: None,
};

/// The text itself.
pub(crate) static PASS_THRU: Function = Function {
    name: "PASSTHRU",
    synopsis: "The text itself, for functions that take the name of a variable: PASSTHRU(text)",
    read: |_, text| Some(text.to_owned()),
    write: None,
};

/// In quotes.
pub(crate) static QUOTE: Function = Function {
    name: "QUOTE",
    synopsis: "A text in quotes, with a backslash before those it has: QUOTE(text)",
    read: |_, text| {
        let text = text.replace('\\', "\\\\").replace('"', "\\\"");
        Some(format!("\"{text}\""))
    },
    write: None,
};

/// In quotes, as files of comma-separated values have it.
pub(crate) static CSV_QUOTE: Function = Function {
    name: "CSV_QUOTE",
    synopsis: "A text in quotes, with those it has written twice: CSV_QUOTE(text)",
    read: |_, text| Some(format!("\"{}\"", text.replace('"', "\"\""))),
    write: None,
};

/// Substitutes once more.
pub(crate) static EVAL: Function = Function {
    name: "EVAL",
    synopsis: "A text whose variables and functions are put in once more: EVAL(text)",
    read: |call, text| Some(call.substitute(text)),
    write: None,
};

/// What may stay.
pub(crate) static FILTER: Function = Function {
    name: "FILTER",
    synopsis: "A text without the characters that are not named: FILTER(0-9A-F,text)",
    read: |_, text| {
        let (allowed, text) = text.split_once(',')?;
        let allowed = ranges(&unescaped(allowed));
        let stays = |c: &char| {
            allowed
                .iter()
                .any(|(first, last)| (first..=last).contains(&c))
        };
        Some(text.chars().filter(stays).collect())
    },
    write: None,
};

/// Characters for others.
pub(crate) static REPLACE: Function = Function {
    name: "REPLACE",
    synopsis: "A variable with each of some characters replaced or, without the last argument, left out: \
               REPLACE(variable,characters[,character])",
    read: |call, text| {
        let [name, from, to] = parts(text);
        let (from, to) = (unescaped(&from), unescaped(&to).first().copied());
        let value = named(call, &name);
        let replaced = value.chars().filter_map(|c| match from.contains(&c) {
            true => to,
            false => Some(c),
        });
        Some(replaced.collect())
    },
    write: None,
};

/// Words for others.
pub(crate) static STR_REPLACE: Function = Function {
    name: "STRREPLACE",
    synopsis: "A variable with a text in it replaced, as often as is said: STRREPLACE(variable,text[,by[,times]])",
    read: |call, text| {
        let [name, from, to, times] = parts(text);
        let value = named(call, &name);
        if from.is_empty() {
            return Some(value);
        }
        let times = times.trim().parse().unwrap_or(usize::MAX);
        Some(value.replacen(&from, &to, times))
    },
    write: None,
};

/// A text between all characters.
pub(crate) static STR_BETWEEN: Function = Function {
    name: "STRBETWEEN",
    synopsis: "A variable with a text between each two of its characters: STRBETWEEN(variable,text)",
    read: |call, text| {
        let [name, between] = parts(text);
        let characters = named(call, &name)
            .chars()
            .map(String::from)
            .collect::<Vec<_>>();
        Some(characters.join(&between))
    },
    write: None,
};

/// Whether a text fits.
pub(crate) static REGEX: Function = Function {
    name: "REGEX",
    synopsis: "1 if a text fits a regular expression, else 0: REGEX(\"expression\" text)",
    read: |call, text| {
        let matched = regex(text);
        if matched.is_none() {
            warn(
                call,
                &format!("REGEX({text}): write it as REGEX(\"expression\" text)"),
            );
        }
        matched.map(|matched| u8::from(matched).to_string())
    },
    write: None,
};

/// As `printf`.
pub(crate) static SPRINTF: Function = Function {
    name: "SPRINTF",
    synopsis: "Values put into a text as printf does: SPRINTF(%05d %s,7,x)",
    read: |call, text| {
        let arguments = separate(text, usize::MAX);
        let (format, values) = arguments.split_first()?;
        let printed = super::sprintf::sprintf(format, values);
        if let Err(why) = &printed {
            warn(call, &format!("SPRINTF({text}): {why}"));
        }
        printed.ok()
    },
    write: None,
};

/// Without blanks.
pub(crate) static TRIM: Function = Function {
    name: "TRIM",
    synopsis: "A text without the blanks at its ends: TRIM(text)",
    read: |_, text| Some(text.trim().to_owned()),
    write: None,
};

/// Without blanks before it.
pub(crate) static L_TRIM: Function = Function {
    name: "LTRIM",
    synopsis: "A text without the blanks at its beginning: LTRIM(text)",
    read: |_, text| Some(text.trim_start().to_owned()),
    write: None,
};

/// Without blanks after it.
pub(crate) static R_TRIM: Function = Function {
    name: "RTRIM",
    synopsis: "A text without the blanks at its end: RTRIM(text)",
    read: |_, text| Some(text.trim_end().to_owned()),
    write: None,
};

/// As on the keys of a telephone.
pub(crate) static KEYPAD_HASH: Function = Function {
    name: "KEYPADHASH",
    synopsis: "The digits of the keys that letters stand on: KEYPADHASH(Les) is 537",
    read: |_, text| Some(text.chars().filter_map(key).collect()),
    write: None,
};

fn warn(call: &Channel, what: &str) {
    call.warn(what);
}

/// `a-z` and single characters.
fn ranges(characters: &[char]) -> Vec<(char, char)> {
    let mut ranges = Vec::new();
    let mut rest = characters;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        let mut last = *first;
        if let ['-', end, after @ ..] = rest {
            (last, rest) = (*end, after);
        }
        ranges.push((*first, last));
    }
    ranges
}

fn regex(text: &str) -> Option<bool> {
    let (expression, text) = text.trim_start().strip_prefix('"')?.rsplit_once('"')?;
    let text = text.strip_prefix([' ', '\t']).unwrap_or(text);
    let regex = regex_lite::Regex::new(expression).ok()?;
    Some(regex.is_match(text))
}

/// The key of a letter.
fn key(character: char) -> Option<char> {
    Some(match character.to_ascii_uppercase() {
        '1' => '1',
        'A'..='C' | '2' => '2',
        'D'..='F' | '3' => '3',
        'G'..='I' | '4' => '4',
        'J'..='L' | '5' => '5',
        'M'..='O' | '6' => '6',
        'P'..='S' | '7' => '7',
        'T'..='V' | '8' => '8',
        'W'..='Z' | '9' => '9',
        '0' => '0',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::{key, ranges, regex};

    #[test]
    fn a_regular_expression_stands_in_quotes() {
        assert_eq!(regex(r#""^0[1-9]" 0123"#), Some(true));
        assert_eq!(regex(r#""^0[1-9]$" 0123"#), Some(false));
        assert_eq!(regex(r#""[[:digit:]]" x"#), Some(false));
        assert_eq!(regex("^0 0123"), None);
        assert_eq!(regex(r#""(" x"#), None);
    }

    #[test]
    fn ranges_and_single_characters() {
        let all = |text: &str| ranges(&text.chars().collect::<Vec<_>>());
        assert_eq!(all("0-9+"), [('0', '9'), ('+', '+')]);
        assert_eq!(all("a-"), [('a', 'a'), ('-', '-')]);
    }

    #[test]
    fn letters_stand_on_keys() {
        let keys: String = "Les-Zq0".chars().filter_map(key).collect();
        assert_eq!(keys, "537970");
    }
}
