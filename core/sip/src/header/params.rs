//! Header parameters: `;tag=abc;q=0.5;lr`. Kept as text in their order; looked up without case.

use std::borrow::Cow;
use std::fmt;

use super::scan;
use crate::Fault;

/// The parameters that follow a header value, in their order and spelling.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Params {
    /// Empty, or each parameter with its semicolon in front.
    text: String,
}

impl Params {
    /// Reads `;name=value;name…`; white space around `;` and `=` is dropped.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let text = scan::trim(text);
        if text.is_empty() {
            return Ok(Self::default());
        }
        let Some(rest) = text.strip_prefix(';') else {
            return Err(Fault::BadParameter);
        };
        let mut params = Self {
            text: String::with_capacity(text.len()),
        };
        for part in scan::split(rest, b';')? {
            // A stray `;` (at the end, or doubled) is sent by real devices and means nothing.
            if part.is_empty() {
                continue;
            }
            let (name, value) = match part.split_once('=') {
                Some((name, value)) => (scan::trim(name), Some(scan::trim(value))),
                None => (part, None),
            };
            if !scan::is_token(name) || !value.is_none_or(is_value) {
                return Err(Fault::BadParameter);
            }
            params.push_raw(name, value);
        }
        Ok(params)
    }

    fn push_raw(&mut self, name: &str, value: Option<&str>) {
        self.text.push(';');
        self.text.push_str(name);
        if let Some(value) = value {
            self.text.push('=');
            self.text.push_str(value);
        }
    }

    /// Names and raw values (quotes and escapes still on), in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        Iter { rest: &self.text }
    }

    fn raw(&self, name: &str) -> Option<Option<&str>> {
        self.iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// Is there a parameter of this name, with or without a value?
    pub fn has(&self, name: &str) -> bool {
        self.raw(name).is_some()
    }

    /// The value of the first parameter of this name, without quotes; escapes are left in place.
    pub fn get(&self, name: &str) -> Option<&str> {
        let value = self.raw(name)??;
        Some(
            value
                .strip_prefix('"')
                .and_then(|v| v.strip_suffix('"'))
                .unwrap_or(value),
        )
    }

    /// The value of the first parameter of this name, without quotes and escapes.
    pub fn unescaped(&self, name: &str) -> Option<Cow<'_, str>> {
        let value = self.raw(name)??;
        Some(scan::unquote(value).unwrap_or(Cow::Borrowed(value)))
    }

    /// Sets a parameter: replaces one of this name in its place, else appends. The value is quoted
    /// when it is no token.
    pub fn set(&mut self, name: &str, value: Option<&str>) {
        let mut quoted = String::new();
        let value = value.map(|value| {
            if is_plain(value) {
                value
            } else {
                scan::quote(value, &mut quoted).expect("a String takes any text");
                quoted.as_str()
            }
        });
        let old = std::mem::take(self);
        let mut placed = false;
        for (known, known_value) in old.iter() {
            if !known.eq_ignore_ascii_case(name) {
                self.push_raw(known, known_value);
            } else if !placed {
                self.push_raw(known, value);
                placed = true;
            }
        }
        if !placed {
            self.push_raw(name, value);
        }
    }

    /// Removes every parameter of this name.
    pub fn remove(&mut self, name: &str) {
        let old = std::mem::take(self);
        for (known, value) in old
            .iter()
            .filter(|(known, _)| !known.eq_ignore_ascii_case(name))
        {
            self.push_raw(known, value);
        }
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
}

struct Iter<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a str, Option<&'a str>);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest.strip_prefix(';')?;
        let mut end = rest.len();
        // The text was split by the same scanner when it came in, so it cannot fail here.
        let _closed = scan::outside(rest, b";", |at, _| {
            end = at;
            false
        });
        let (part, rest) = rest.split_at(end);
        self.rest = rest;
        Some(match part.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (part, None),
        })
    }
}

/// A token, a host (IPv6 references and bare IPv6 included) or a quoted string. Lenient: any
/// visible character that does not end a parameter.
fn is_value(value: &str) -> bool {
    if value.starts_with('"') {
        return scan::unquote(value).is_some() && !value.contains(['\r', '\n']);
    }
    !value.is_empty()
        && value
            .bytes()
            .all(|b| b > b' ' && b != 0x7f && !matches!(b, b'"' | b',' | b'<' | b'>'))
}

/// Does the value need no quotes?
fn is_plain(value: &str) -> bool {
    !value.is_empty()
        && value
            .bytes()
            .all(|b| scan::is_token_byte(b) || matches!(b, b'[' | b']' | b':'))
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
