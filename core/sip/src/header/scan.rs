//! The small grammar pieces that all headers share: tokens, quoted strings, lists.
//! Everything here is linear in its input.

use std::borrow::Cow;

use crate::Fault;

/// RFC 3261 §25.1 `token`.
pub(crate) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte)
}

pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

fn is_lws(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

/// Without white space at both ends.
pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches(is_lws)
}

/// Calls `found` with the position of each byte in `wanted` outside quotes and angle brackets.
/// Errors on unclosed ones. `found` returns false to stop.
pub(crate) fn outside(
    text: &str,
    wanted: &[u8],
    mut found: impl FnMut(usize, u8) -> bool,
) -> Result<(), Fault> {
    let bytes = text.as_bytes();
    let (mut quoted, mut bracketed) = (false, false);
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        match byte {
            b'\\' if quoted => at += 1,
            b'"' if !bracketed => quoted = !quoted,
            b'<' if !quoted => {
                if bracketed {
                    return Err(Fault::UnclosedBracket);
                }
                bracketed = true;
            }
            b'>' if !quoted => {
                if !bracketed {
                    return Err(Fault::UnclosedBracket);
                }
                bracketed = false;
            }
            _ if !quoted && !bracketed && wanted.contains(&byte) && !found(at, byte) => {
                return Ok(());
            }
            _ => {}
        }
        at += 1;
    }
    match (quoted, bracketed) {
        (true, _) => Err(Fault::UnclosedQuote),
        (_, true) => Err(Fault::UnclosedBracket),
        _ => Ok(()),
    }
}

/// Splits at `separator` outside quotes and angle brackets; the parts are trimmed.
pub(crate) fn split(text: &str, separator: u8) -> Result<Vec<&str>, Fault> {
    let mut parts = Vec::new();
    let mut start = 0;
    outside(text, &[separator], |at, _| {
        parts.push(trim(&text[start..at]));
        start = at + 1;
        true
    })?;
    parts.push(trim(&text[start..]));
    Ok(parts)
}

/// A whole quoted string without its quotes, escapes undone; `None` if it is none.
pub(crate) fn unquote(text: &str) -> Option<Cow<'_, str>> {
    let inner = text.strip_prefix('"')?;
    let mut escaped = false;
    let end = inner.bytes().position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })?;
    if end + 1 != inner.len() {
        return None;
    }
    Some(unescape(&inner[..end]))
}

/// Undoes the `\x` escapes of a quoted string's inside.
pub(crate) fn unescape(inner: &str) -> Cow<'_, str> {
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        out.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    Cow::Owned(out)
}

/// `text` as a quoted string, escapes done.
pub(crate) fn quote(text: &str, out: &mut impl std::fmt::Write) -> std::fmt::Result {
    out.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.write_char('\\')?;
                out.write_char(c)?;
            }
            '\r' | '\n' => out.write_char(' ')?,
            // RFC 3261 §25.1: control characters stand in a quoted string only as quoted pairs.
            '\0'..=' ' | '\x7f' if c != ' ' && c != '\t' => {
                out.write_char('\\')?;
                out.write_char(c)?;
            }
            _ => out.write_char(c)?,
        }
    }
    out.write_char('"')
}

/// A decimal number; overflow is an error of its own, never a wrap.
pub(crate) fn number(text: &str) -> Result<u32, Fault> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Fault::BadNumber);
    }
    text.parse().map_err(|_| Fault::NumberTooLarge)
}
