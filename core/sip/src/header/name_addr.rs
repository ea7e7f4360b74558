//! `name-addr` and `addr-spec` with parameters: From, To, Contact, Route and their like
//! (RFC 3261 §20.10, §25.1).

use std::fmt;

use super::params::Params;
use super::scan;
use crate::{Fault, Uri};

/// A display name, a URI and parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameAddr {
    /// The display name, without quotes and escapes.
    pub display_name: Option<Box<str>>,
    /// The address.
    pub uri: Uri,
    /// The parameters of the header, not of the URI.
    pub params: Params,
}

impl NameAddr {
    /// An address without display name and parameters.
    pub fn new(uri: Uri) -> Self {
        Self {
            display_name: None,
            uri,
            params: Params::default(),
        }
    }

    /// Reads one value of From, To, Contact, Route, …
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let text = scan::trim(text);
        // Folds are undone before a value comes here; a line end now would start a new header when
        // the value is printed.
        if text.contains(['\r', '\n']) {
            return Err(Fault::BadCharacter);
        }
        let mut bracket = None;
        let mut rest_of_quote = None;
        if text.starts_with('"') {
            let end = closing_quote(text).ok_or(Fault::UnclosedQuote)?;
            rest_of_quote = Some(end);
        }
        let from = rest_of_quote.unwrap_or(0);
        if let Some(at) = text[from..].find('<') {
            bracket = Some(from + at);
        }
        match bracket {
            Some(open) => Self::parse_bracketed(text, open, rest_of_quote),
            None if rest_of_quote.is_some() => Err(Fault::UnclosedBracket),
            None => Self::parse_bare(text),
        }
    }

    fn parse_bracketed(text: &str, open: usize, quote_end: Option<usize>) -> Result<Self, Fault> {
        let display_name = match quote_end {
            Some(end) => {
                // RFC 4475 lwsdisp: no space is needed between the quote and `<`.
                if !scan::trim(&text[end..open]).is_empty() {
                    return Err(Fault::BadCharacter);
                }
                Some(scan::unescape(&text[1..end - 1]).into())
            }
            None => tokens(&text[..open])?,
        };
        let rest = &text[open + 1..];
        let close = rest.find('>').ok_or(Fault::UnclosedBracket)?;
        let uri = rest[..close].parse().map_err(|_| Fault::BadUri)?;
        let params = Params::parse(&rest[close + 1..])?;
        Ok(Self {
            display_name,
            uri,
            params,
        })
    }

    /// RFC 3261 §20.10: "Even if the display-name is empty, the name-addr form MUST be used if the
    /// addr-spec contains a comma, semicolon, or question mark"; so `;` starts header parameters.
    fn parse_bare(text: &str) -> Result<Self, Fault> {
        let end = text.find(';').unwrap_or(text.len());
        let addr = scan::trim(&text[..end]);
        if addr.is_empty() {
            return Err(Fault::Empty);
        }
        if addr.contains(['?', ',']) {
            return Err(Fault::BareUri);
        }
        let uri = addr.parse().map_err(|_| Fault::BadUri)?;
        Ok(Self {
            display_name: None,
            uri,
            params: Params::parse(&text[end..])?,
        })
    }

    /// The `tag` parameter.
    pub fn tag(&self) -> Option<&str> {
        self.params.get("tag")
    }

    /// Sets the `tag` parameter.
    pub fn set_tag(&mut self, tag: &str) {
        self.params.set("tag", Some(tag));
    }
}

/// One past the quote that closes the quoted string at the start of `text`.
fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().enumerate().skip(1).find_map(|(at, byte)| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes.then_some(at + 1)
    })
}

/// A display name of tokens. RFC 3261 §25.1 allows `*(token LWS)`; real phones send UTF-8 without
/// quotes, dots and brackets too, so only what would end the name or start a string is refused.
fn tokens(text: &str) -> Result<Option<Box<str>>, Fault> {
    let text = scan::trim(text);
    if text.is_empty() {
        return Ok(None);
    }
    let refused =
        |b: u8| (b < b' ' && b != b'\t') || matches!(b, b'"' | b',' | b';' | b'>' | b'@' | b':');
    if text.bytes().any(refused) {
        return Err(Fault::BadCharacter);
    }
    Ok(Some(text.into()))
}

impl fmt::Display for NameAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.display_name {
            scan::quote(name, f)?;
            f.write_str(" ")?;
        }
        write!(f, "<{}>{}", self.uri, self.params)
    }
}
