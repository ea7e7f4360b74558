//! `${VAR}`, `${EXTEN:1}`, `${FUNC(args)}`, `$[…]` in the arguments of a step.

use std::borrow::Cow;
use std::fmt;

use crate::timing::Moment;

/// What names mean, at the time a step is run.
pub trait Variables {
    /// The value of a variable; `None` if it is not set.
    fn variable(&self, name: &str) -> Option<Cow<'_, str>>;

    /// The value of a function; `None` if there is no such function.
    fn function(&self, name: &str, arguments: &str) -> Option<String>;

    /// The time now in a zone, or in that of the machine; `None`: nobody knows.
    fn moment(&self, zone: Option<&str>) -> Option<Moment> {
        let _ = zone;
        None
    }

    /// Told of what could not be substituted, for the story of the call.
    fn note(&self, note: &Note) {
        let _ = note;
    }
}

/// Why a part of the text became empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// No function has this name.
    UnknownFunction(String),
    /// `${` or `$[` without its end.
    Unclosed(&'static str),
    /// Nested deeper than allowed.
    TooDeep,
    /// The text grew longer than allowed and was cut.
    TooLong,
    /// An expression that cannot be evaluated, and why.
    Expression(String, String),
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownFunction(name) => write!(f, "function {name} is not known"),
            Self::Unclosed(what) => write!(f, "`{what}` is never closed"),
            Self::TooDeep => f.write_str("variables are nested too deep"),
            Self::TooLong => f.write_str("the text became too long and was cut"),
            Self::Expression(text, why) => write!(f, "`$[{text}]`: {why}"),
        }
    }
}

/// `${` within `${`, and `$[` within either.
const DEPTH_MAX: usize = 16;
/// The text a step can have after substitution.
const TEXT_BYTES_MAX: usize = 64 << 10;

/// The text with every variable, function and expression replaced by its value. What has no value
/// becomes nothing. Values are not substituted again.
pub fn substitute(text: &str, variables: &dyn Variables) -> String {
    let mut substitution = Substitution {
        rest: text,
        variables,
    };
    let mut output = String::new();
    substitution.run(&mut output, End::Text, 0);
    output
}

/// Where a `${` or `$[` stands that never ends; of several, the innermost. Brackets count as in [`substitute`].
pub(crate) fn unclosed(text: &str) -> Option<usize> {
    let mut open: Vec<(usize, End, usize)> = Vec::new();
    let mut characters = text.char_indices();
    while let Some((at, sign)) = characters.next() {
        let begins = match &text[at..] {
            rest if rest.starts_with("${") => Some(End::Brace),
            rest if rest.starts_with("$[") => Some(End::Bracket),
            _ => None,
        };
        if let Some(end) = begins {
            characters.next();
            open.push((at, end, 0));
            continue;
        }
        let Some((_, end, nested)) = open.last_mut() else {
            continue;
        };
        let (opens, closes) = end.signs();
        if sign == opens {
            *nested += 1;
        } else if sign == closes {
            match nested.checked_sub(1) {
                Some(less) => *nested = less,
                None => drop(open.pop()),
            }
        }
    }
    open.last().map(|(at, ..)| *at)
}

struct Substitution<'a> {
    rest: &'a str,
    variables: &'a dyn Variables,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Text,
    Brace,
    Bracket,
}

impl End {
    /// What opens and what closes it.
    fn signs(self) -> (char, char) {
        match self {
            // No character is both, so neither is ever met.
            Self::Text => ('\0', '\0'),
            Self::Brace => ('{', '}'),
            Self::Bracket => ('[', ']'),
        }
    }
}

impl Substitution<'_> {
    /// Appends the value of the text up to its end, which is passed over; false if the end is
    /// missing or a limit was reached, and nothing more is to be read.
    fn run(&mut self, output: &mut String, end: End, depth: usize) -> bool {
        if depth > DEPTH_MAX {
            self.variables.note(&Note::TooDeep);
            return false;
        }
        let (open, close) = end.signs();
        let mut opened = 0;
        loop {
            let stop = |c: char| c == '$' || (end != End::Text && (c == open || c == close));
            let plain = self.rest.find(stop).unwrap_or(self.rest.len());
            let (before, rest) = self.rest.split_at(plain);
            self.rest = rest;
            if !self.append(output, before) {
                return false;
            }
            let Some(sign) = self.rest.chars().next() else {
                break;
            };
            if let Some(rest) = self.rest.strip_prefix("${") {
                self.rest = rest;
                let mut inside = String::new();
                if !self.run(&mut inside, End::Brace, depth + 1) {
                    return false;
                }
                let value = self.value(&inside);
                if !self.append(output, &value) {
                    return false;
                }
                continue;
            }
            if let Some(rest) = self.rest.strip_prefix("$[") {
                self.rest = rest;
                let mut inside = String::new();
                if !self.run(&mut inside, End::Bracket, depth + 1) {
                    return false;
                }
                let value = self.expression(inside);
                if !self.append(output, &value) {
                    return false;
                }
                continue;
            }
            self.rest = &self.rest[sign.len_utf8()..];
            if sign != '$' && sign == close {
                if opened == 0 {
                    return true;
                }
                opened -= 1;
            } else if sign != '$' {
                opened += 1;
            }
            output.push(sign);
        }
        match end {
            End::Text => return true,
            End::Brace => self.variables.note(&Note::Unclosed("${")),
            End::Bracket => self.variables.note(&Note::Unclosed("$[")),
        }
        false
    }

    fn append(&self, output: &mut String, text: &str) -> bool {
        let room = TEXT_BYTES_MAX.saturating_sub(output.len());
        if text.len() <= room {
            output.push_str(text);
            return true;
        }
        output.push_str(&text[..text.floor_char_boundary(room)]);
        self.variables.note(&Note::TooLong);
        false
    }

    /// `NAME`, `NAME:offset`, `NAME:offset:length`, `NAME(arguments)` and either of the two after.
    fn value(&self, text: &str) -> String {
        let function = text.split_once('(').and_then(|(name, rest)| {
            let (arguments, after) = rest.rsplit_once(')')?;
            (!name.contains(':')).then_some((name, arguments, after))
        });
        let (value, range) = match function {
            Some((name, arguments, after)) => {
                let value = self.variables.function(name.trim(), arguments);
                if value.is_none() {
                    let name = name.trim().to_owned();
                    self.variables.note(&Note::UnknownFunction(name));
                }
                (
                    Cow::Owned(value.unwrap_or_default()),
                    after.strip_prefix(':'),
                )
            }
            None => {
                let (name, range) = match text.split_once(':') {
                    Some((name, range)) => (name, Some(range)),
                    None => (text, None),
                };
                let value = self.variables.variable(name.trim());
                (value.unwrap_or_default(), range)
            }
        };
        match range {
            Some(range) => part(&value, range).to_owned(),
            None => value.into_owned(),
        }
    }

    fn expression(&self, text: String) -> String {
        match crate::expression::evaluate(&text) {
            Ok(value) => value,
            Err(why) => {
                self.variables.note(&Note::Expression(text, why));
                String::new()
            }
        }
    }
}

/// `offset[:length]` of a value, in characters. A negative offset counts from the end; a negative
/// length leaves off as many at the end.
fn part<'v>(value: &'v str, range: &str) -> &'v str {
    let (offset, length) = match range.split_once(':') {
        Some((offset, length)) => (offset, length.trim().parse::<i64>().ok()),
        None => (range, None),
    };
    let count = i64::try_from(value.chars().count()).unwrap_or(i64::MAX);
    let offset: i64 = offset.trim().parse().unwrap_or(0);
    let start = match offset {
        offset if offset < 0 => count.saturating_add(offset).max(0),
        offset => offset.min(count),
    };
    let end = match length {
        None => count,
        Some(length) if length < 0 => count.saturating_add(length).max(start),
        Some(length) => start.saturating_add(length).min(count),
    };
    let byte = |at: i64| {
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        value
            .char_indices()
            .nth(at)
            .map_or(value.len(), |(byte, _)| byte)
    };
    &value[byte(start)..byte(end)]
}
