//! What functions are given: arguments separated by commas, and characters written as escapes.

use switch::{ACTING, Channel};

/// At most `count_max` arguments; the last has all that is left, commas and all. As in Asterisk, commas within
/// parentheses, brackets and quotes separate nothing, quotes are left out, and a backslash keeps the next character.
pub(crate) fn separate(text: &str, count_max: usize) -> Vec<String> {
    let mut arguments = vec![String::new()];
    let (mut depth, mut quoted, mut kept) = (0_u32, false, false);
    for character in text.chars() {
        let last = arguments.len() - 1;
        let argument = &mut arguments[last];
        if std::mem::take(&mut kept) {
            argument.push(character);
            continue;
        }
        match character {
            '\\' => kept = true,
            '"' => quoted = !quoted,
            ',' if depth == 0 && !quoted && last + 1 < count_max => arguments.push(String::new()),
            _ => {
                match character {
                    '(' | '[' => depth += 1,
                    ')' | ']' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                argument.push(character);
            }
        }
    }
    arguments
}

/// The same as an array, with nothing where an argument is missing.
pub(crate) fn parts<const COUNT: usize>(text: &str) -> [String; COUNT] {
    let mut given = separate(text, COUNT).into_iter();
    std::array::from_fn(|_| given.next().unwrap_or_default())
}

/// Characters of which some may be written as `\n`, `\t`, `\r`, `\xHH` or `\0NN`.
pub(crate) fn unescaped(text: &str) -> Vec<char> {
    let mut characters = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        rest = &rest[first.len_utf8()..];
        let Some(escape) = rest.chars().next().filter(|_| first == '\\') else {
            characters.push(first);
            continue;
        };
        rest = &rest[escape.len_utf8()..];
        let mut number = |digits_max: usize, radix: u32| {
            let is_digit = |c: &char| c.is_digit(radix);
            let len = rest.chars().take(digits_max).take_while(is_digit).count();
            let (digits, after) = rest.split_at(len);
            rest = after;
            let code = u32::from_str_radix(digits, radix).ok();
            code.and_then(char::from_u32)
        };
        characters.push(match escape {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'x' => number(2, 16).unwrap_or('x'),
            '0' => number(3, 8).unwrap_or('\0'),
            other => other,
        });
    }
    characters
}

/// The character that separates a list, if one is named.
pub(crate) fn separator(text: &str) -> Option<char> {
    unescaped(text).first().copied()
}

/// The value of a variable, or of a function with its arguments, that an argument names. The argument has been
/// substituted: what is in it may be a caller's, and is no dial plan.
pub(crate) fn named(call: &Channel, name: &str) -> String {
    let function = name.split_once('(').map(|(function, _)| function.trim());
    let acts = function.is_some_and(|function| ACTING.contains(&function));
    if acts || name.contains(['$', '{', '}']) {
        call.warn(format_args!("'{name}' is not the name of a variable"));
        return String::new();
    }
    call.substitute(&format!("${{{name}}}"))
}

/// A number at the beginning of a text, as C reads it; 0 if there is none.
pub(crate) fn number(text: &str) -> f64 {
    let text = text.trim();
    let mut end = 0;
    for (at, character) in text.char_indices() {
        let fits = match character {
            '+' | '-' => at == 0,
            '.' => !text[..at].contains('.'),
            _ => character.is_ascii_digit(),
        };
        if !fits {
            break;
        }
        end = at + 1;
    }
    text[..end].parse().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::{number, parts, separate, unescaped};

    #[test]
    fn the_last_argument_has_the_rest() {
        assert_eq!(separate("a,(b,c),\"d,e\",f", 9), ["a", "(b,c)", "d,e", "f"]);
        assert_eq!(separate(r"a,b\,c,d", 2), ["a", "b,c,d"]);
        assert_eq!(parts::<3>("a"), ["a", "", ""]);
        assert_eq!(separate("", 2), [""]);
    }

    #[test]
    fn characters_may_be_written_as_numbers() {
        assert_eq!(
            unescaped(r"a\n\x41\x4é\101"),
            ['a', '\n', 'A', '\u{4}', 'é', '1', '0', '1']
        );
        assert_eq!(unescaped(r"\054\"), [',', '\\']);
    }

    #[test]
    fn numbers_end_where_they_are_none() {
        assert_eq!(number(" -12.5x"), -12.5);
        assert_eq!(number("x"), 0.0);
        assert_eq!(number("1.2.3"), 1.2);
    }
}
