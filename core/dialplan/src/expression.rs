//! `$[…]`: Asterisk's expressions, over numbers and text.
//!
//! From the loosest to the tightest: `? ::`, `|`, `&`, `= == != < > <= >=`, `+ -`, `* / %`, `!` and
//! the sign, `~~`, parentheses. A comparison is numeric if both sides are numbers, else of text,
//! quotes included, as in Asterisk. `:` and `=~` hold text against a regular expression, from its beginning and anywhere.
//! Functions of C are not served.

use regex_lite::Regex;
use std::cmp::Ordering;
use std::iter::Peekable;
use std::str::CharIndices;

/// The value of an expression whose variables have been substituted; the reason if it has none.
pub fn evaluate(text: &str) -> Result<String, String> {
    let mut tokens = Tokens {
        text,
        characters: text.char_indices().peekable(),
    };
    let first = tokens.next()?;
    let mut parser = Parser {
        tokens,
        token: first,
        depth: 0,
    };
    let value = parser.conditional()?;
    match parser.token {
        Token::End => Ok(value.show()),
        Token::Value(_) => {
            Err("two values stand beside each other; put text with blanks in quotes".to_owned())
        }
        Token::Sign(sign) => Err(format!("`{sign}` is not expected")),
    }
}

/// Parentheses, signs and conditions inside each other.
const DEPTH_MAX: usize = 32;

#[derive(Clone, Debug, PartialEq)]
enum Value {
    Number(f64),
    Text(String),
}

impl Value {
    fn truth(&self) -> bool {
        match self {
            Self::Number(number) => *number != 0.0,
            Self::Text(text) => !matches!(unquoted(text), "" | "0"),
        }
    }

    fn of_truth(truth: bool) -> Self {
        Self::Number(f64::from(u8::from(truth)))
    }

    /// The number this is, or would be if it were not in quotes.
    fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => read_number(unquoted(text).trim()),
        }
    }

    /// Whether it is compared as a number: text in quotes is not.
    fn is_number(&self) -> bool {
        match self {
            Self::Number(_) => true,
            Self::Text(text) => read_number(text).is_some(),
        }
    }

    fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            // Telephone numbers may have more digits than a float can tell apart.
            (Self::Text(a), Self::Text(b)) if is_digits(a) && is_digits(b) => {
                let (a, b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
                a.len().cmp(&b.len()).then_with(|| a.cmp(b))
            }
            (a, b) => match (a.number(), b.number()) {
                (Some(x), Some(y)) if a.is_number() && b.is_number() => x.total_cmp(&y),
                _ => a.text().cmp(&b.text()),
            },
        }
    }

    /// For comparison of text: quotes stay.
    fn text(&self) -> String {
        match self {
            Self::Number(number) => show_number(*number),
            Self::Text(text) => text.clone(),
        }
    }

    fn show(&self) -> String {
        match self {
            Self::Number(number) => show_number(*number),
            Self::Text(text) => unquoted(text).to_owned(),
        }
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Digits with at most one point among them.
fn read_number(text: &str) -> Option<f64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

fn unquoted(text: &str) -> &str {
    let inside = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    inside.unwrap_or(text)
}

/// Without the noise of binary fractions: fifteen digits, zeros at the end left off.
fn show_number(number: f64) -> String {
    if number == 0.0 {
        return "0".to_owned();
    }
    if number == number.trunc() {
        return format!("{number:.0}");
    }
    let digits_before = number.abs().log10().floor().clamp(-300.0, 300.0) as i32 + 1;
    let decimals = usize::try_from((15 - digits_before).clamp(0, 17)).unwrap_or(0);
    let shown = format!("{number:.decimals$}");
    if shown.contains('.') {
        shown.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        shown
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Value(Value),
    Sign(&'static str),
    End,
}

/// Longer ones first.
const SIGNS: [&str; 21] = [
    "::", "=~", "~~", "==", "!=", "<=", ">=", "=", "<", ">", "|", "&", "+", "-", "*", "/", "%",
    "?", ":", "!", "(",
];

struct Tokens<'a> {
    text: &'a str,
    characters: Peekable<CharIndices<'a>>,
}

impl Tokens<'_> {
    fn next(&mut self) -> Result<Token, String> {
        while self
            .characters
            .next_if(|(_, c)| c.is_whitespace())
            .is_some()
        {}
        let Some(&(start, first)) = self.characters.peek() else {
            return Ok(Token::End);
        };
        if first == '"' {
            self.characters.next();
            let Some((end, _)) = self.characters.find(|(_, c)| *c == '"') else {
                return Err("a quote is never closed".to_owned());
            };
            return Ok(Token::Value(Value::Text(self.text[start..=end].to_owned())));
        }
        if first == ')' {
            self.characters.next();
            return Ok(Token::Sign(")"));
        }
        let rest = &self.text[start..];
        if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
            for _ in 0..sign.len() {
                self.characters.next();
            }
            return Ok(Token::Sign(sign));
        }
        let end = rest.find(|c: char| c.is_whitespace() || "\"|&=<>+-*/%?:!()".contains(c));
        // A lone `~` is text, two are a sign.
        let joined = rest.find("~~").unwrap_or(rest.len());
        let end = end.unwrap_or(rest.len()).min(joined);
        let end = end.max(first.len_utf8());
        while self
            .characters
            .next_if(|(at, _)| *at < start + end)
            .is_some()
        {}
        Ok(Token::Value(Value::Text(rest[..end].to_owned())))
    }
}

struct Parser<'a> {
    tokens: Tokens<'a>,
    token: Token,
    depth: usize,
}

type Parsed = Result<Value, String>;

impl Parser<'_> {
    fn advance(&mut self) -> Result<(), String> {
        self.token = self.tokens.next()?;
        Ok(())
    }

    /// Passes over the sign if it is one of these.
    fn sign(&mut self, signs: &[&str]) -> Result<Option<&'static str>, String> {
        match self.token {
            Token::Sign(sign) if signs.contains(&sign) => {
                self.advance()?;
                Ok(Some(sign))
            }
            Token::Sign(_) | Token::Value(_) | Token::End => Ok(None),
        }
    }

    fn deeper(&mut self, parse: fn(&mut Self) -> Parsed) -> Parsed {
        if self.depth >= DEPTH_MAX {
            return Err("nested too deep".to_owned());
        }
        self.depth += 1;
        let value = parse(self);
        self.depth -= 1;
        value
    }

    fn conditional(&mut self) -> Parsed {
        let condition = self.either()?;
        if self.sign(&["?"])?.is_none() {
            return Ok(condition);
        }
        let yes = self.deeper(Self::conditional)?;
        if self.sign(&["::"])?.is_none() {
            return Err("`?` has no `::`".to_owned());
        }
        let no = self.deeper(Self::conditional)?;
        Ok(if condition.truth() { yes } else { no })
    }

    /// `|` is its first side unless that is empty or zero.
    fn either(&mut self) -> Parsed {
        let mut left = self.both()?;
        while self.sign(&["|"])?.is_some() {
            let right = self.both()?;
            if !left.truth() {
                left = right;
            }
        }
        Ok(left)
    }

    /// `&` is its first side, or zero if either side is empty or zero.
    fn both(&mut self) -> Parsed {
        let mut left = self.comparison()?;
        while self.sign(&["&"])?.is_some() {
            let right = self.comparison()?;
            if !(left.truth() && right.truth()) {
                left = Value::Number(0.0);
            }
        }
        Ok(left)
    }

    fn comparison(&mut self) -> Parsed {
        let mut left = self.sum()?;
        while let Some(sign) = self.sign(&["=", "==", "!=", "<", ">", "<=", ">="])? {
            let right = self.sum()?;
            let order = left.compare(&right);
            left = Value::of_truth(match sign {
                "!=" => order.is_ne(),
                "<" => order.is_lt(),
                ">" => order.is_gt(),
                "<=" => order.is_le(),
                ">=" => order.is_ge(),
                _ => order.is_eq(),
            });
        }
        Ok(left)
    }

    fn sum(&mut self) -> Parsed {
        let mut left = self.product()?;
        while let Some(sign) = self.sign(&["+", "-"])? {
            let right = self.product()?;
            left = arithmetic(&left, sign, &right)?;
        }
        Ok(left)
    }

    fn product(&mut self) -> Parsed {
        let mut left = self.signed()?;
        while let Some(sign) = self.sign(&["*", "/", "%"])? {
            let right = self.signed()?;
            left = arithmetic(&left, sign, &right)?;
        }
        Ok(left)
    }

    fn signed(&mut self) -> Parsed {
        match self.sign(&["!", "-", "+"])? {
            Some("!") => Ok(Value::of_truth(!self.deeper(Self::signed)?.truth())),
            Some("-") => {
                let number = self.deeper(Self::signed)?.number();
                Ok(Value::Number(number.map_or(0.0, |number| -number)))
            }
            Some(_) => self.deeper(Self::signed),
            None => self.joined(),
        }
    }

    /// `~~` puts text together; `:` and `=~` match.
    fn joined(&mut self) -> Parsed {
        let mut left = self.primary()?;
        while let Some(sign) = self.sign(&["~~", ":", "=~"])? {
            let right = self.primary()?;
            left = match sign {
                "~~" => Value::Text(left.show() + &right.show()),
                sign => matched(&left.show(), &right.show(), sign == ":")?,
            };
        }
        Ok(left)
    }

    fn primary(&mut self) -> Parsed {
        match std::mem::replace(&mut self.token, Token::End) {
            Token::Value(value) => {
                self.advance()?;
                Ok(value)
            }
            Token::Sign("(") => {
                self.advance()?;
                let value = self.deeper(Self::conditional)?;
                match self.sign(&[")"])? {
                    Some(_) => Ok(value),
                    None => Err("`(` is never closed".to_owned()),
                }
            }
            Token::Sign(sign) => Err(format!("`{sign}` has no value before it")),
            Token::End => Err("a value is missing at the end".to_owned()),
        }
    }
}

/// What stands in the first parentheses of the expression; without any how many characters it matched.
fn matched(text: &str, expression: &str, at_beginning: bool) -> Parsed {
    let regex = Regex::new(expression)
        .map_err(|why| format!("`{expression}` is no regular expression: {why}"))?;
    let captures = regex.captures(text);
    let captures =
        captures.filter(|found| !at_beginning || found.get(0).is_some_and(|it| it.start() == 0));
    let has_part = regex.captures_len() > 1;
    let part = captures
        .as_ref()
        .map(|found| found.get(usize::from(has_part)));
    Ok(match part {
        Some(part) if has_part => Value::Text(part.map_or("", |it| it.as_str()).to_owned()),
        Some(part) => Value::Number(part.map_or(0, |it| it.as_str().chars().count()) as f64),
        None if has_part => Value::Text(String::new()),
        None => Value::Number(0.0),
    })
}

fn arithmetic(left: &Value, sign: &str, right: &Value) -> Parsed {
    let (Some(a), Some(b)) = (left.number(), right.number()) else {
        return Ok(Value::Number(0.0));
    };
    if b == 0.0 && matches!(sign, "/" | "%") {
        return Err("division by zero".to_owned());
    }
    let number = match sign {
        "+" => a + b,
        "-" => a - b,
        "*" => a * b,
        "/" => a / b,
        _ => a % b,
    };
    if !number.is_finite() {
        return Err("the number is too large".to_owned());
    }
    Ok(Value::Number(number))
}
