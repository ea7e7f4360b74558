//! SIP and SIPS URIs (RFC 3261 §19.1); other schemes are kept opaque.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::header::{limits, scan};

/// A URI. Prints exactly as it was read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Uri {
    text: Box<str>,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Kind {
    Sip(Sip),
    /// Any other scheme.
    Opaque,
}

/// Where the parts stand in the text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Sip {
    secure: bool,
    user: Option<Span>,
    password: Option<Span>,
    host: Host,
    port: Option<u16>,
    /// With the `;` in front; empty if there are none.
    params: Span,
    /// Without the `?`.
    headers: Option<Span>,
}

type Span = (u32, u32);

/// A host: a name or an address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// A domain name, spelled as it came.
    Name(Box<str>),
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address, printed in brackets.
    V6(Ipv6Addr),
}

impl Host {
    /// Reads `example.com`, `192.0.2.1` or `[2001:db8::1]`.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(rest) = text.strip_prefix('[') {
            let address = rest.strip_suffix(']')?;
            // RFC 5118 §4.10: a bug in the grammar of RFC 3261 put a third colon before an embedded
            // IPv4 address; such addresses are accepted.
            let address = address
                .parse()
                .or_else(|_| address.replacen(":::", "::", 1).parse());
            return address.ok().map(Self::V6);
        }
        if let Ok(address) = text.parse() {
            return Some(Self::V4(address));
        }
        (!text.is_empty() && text.bytes().all(is_name)).then(|| Self::Name(text.into()))
    }

    /// The address, if it is one; an IPv4-mapped IPv6 address counts as IPv4.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Name(_) => None,
            Self::V4(address) => Some(IpAddr::V4(*address)),
            Self::V6(address) => Some(IpAddr::V6(*address).to_canonical()),
        }
    }

    /// The same host, names compared without case.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Name(a), Self::Name(b)) => a.eq_ignore_ascii_case(b),
            (a, b) => a == b,
        }
    }
}

impl From<IpAddr> for Host {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => Self::V6(address),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::V4(address) => address.fmt(f),
            Self::V6(address) => write!(f, "[{address}]"),
        }
    }
}

/// The text is no URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadUri;

impl fmt::Display for BadUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("malformed URI")
    }
}

impl std::error::Error for BadUri {}

impl Uri {
    /// A `sip:` URI of a user (escaped here; an empty one is left out) and a host. A name that is
    /// no host name becomes the nearest one: what is no letter, digit, hyphen or dot is a hyphen.
    pub fn sip(user: Option<&str>, host: &Host, port: Option<u16>) -> Self {
        let mut text = String::from("sip:");
        if let Some(user) = user.filter(|user| !user.is_empty()) {
            escape(user, &mut text);
            text.push('@');
        }
        match host {
            Host::Name(name) if name.is_empty() => text.push('-'),
            Host::Name(name) => text.extend(name.chars().map(|c| match u8::try_from(c) {
                Ok(byte) if is_name(byte) => c,
                _ => '-',
            })),
            Host::V4(_) | Host::V6(_) => text.push_str(&host.to_string()),
        }
        if let Some(port) = port {
            text.push_str(&format!(":{port}"));
        }
        text.parse().expect("it was built by the grammar")
    }

    /// The same URI with a parameter appended; unchanged when it is no SIP URI or has
    /// [`limits::URI_PARAMS_MAX`] parameters already.
    pub fn with_param(&self, name: &str, value: Option<&str>) -> Self {
        let Kind::Sip(sip) = &self.kind else {
            return self.clone();
        };
        let at = sip.params.1 as usize;
        let mut text = self.text[..at].to_owned();
        text.push(';');
        escape_param(name, &mut text);
        if let Some(value) = value {
            text.push('=');
            escape_param(value, &mut text);
        }
        text.push_str(&self.text[at..]);
        text.parse().unwrap_or_else(|_| self.clone())
    }

    /// The whole text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The scheme as it is spelled.
    pub fn scheme(&self) -> &str {
        self.text.split(':').next().unwrap_or("")
    }

    /// `sip:` or `sips:`?
    pub fn is_sip(&self) -> bool {
        matches!(self.kind, Kind::Sip(_))
    }

    /// `sips:`?
    pub fn is_secure(&self) -> bool {
        self.sip_parts().is_some_and(|sip| sip.secure)
    }

    fn sip_parts(&self) -> Option<&Sip> {
        match &self.kind {
            Kind::Sip(sip) => Some(sip),
            Kind::Opaque => None,
        }
    }

    fn slice(&self, (start, end): Span) -> &str {
        &self.text[start as usize..end as usize]
    }

    /// The user part as it is spelled, escapes included; telephone-subscriber parameters too.
    pub fn raw_user(&self) -> Option<&str> {
        self.sip_parts()?.user.map(|span| self.slice(span))
    }

    /// The user part, escapes undone (`%00` stays: a name never contains NUL).
    pub fn user(&self) -> Option<Cow<'_, str>> {
        self.raw_user().map(unescape)
    }

    /// The password as it is spelled.
    pub fn password(&self) -> Option<&str> {
        self.sip_parts()?.password.map(|span| self.slice(span))
    }

    /// The host of a SIP URI.
    pub fn host(&self) -> Option<&Host> {
        self.sip_parts().map(|sip| &sip.host)
    }

    /// The port, if it is named.
    pub fn port(&self) -> Option<u16> {
        self.sip_parts()?.port
    }

    /// URI parameters in order, as they are spelled.
    pub fn params(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        let text = self.sip_parts().map_or("", |sip| self.slice(sip.params));
        text.split(';')
            .skip(1)
            .map(|part| match part.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (part, None),
            })
    }

    /// The value of a URI parameter; a parameter without value gives "".
    pub fn param(&self, name: &str) -> Option<&str> {
        let same = |known: &str| unescape(known).eq_ignore_ascii_case(name);
        self.params()
            .find(|(known, _)| same(known))
            .map(|(_, value)| value.unwrap_or(""))
    }

    /// URI headers (`?Replaces=…&…`), as they are spelled.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let text = self
            .sip_parts()
            .and_then(|sip| sip.headers)
            .map(|span| self.slice(span));
        text.into_iter()
            .flat_map(|text| text.split('&'))
            .filter_map(|part| part.split_once('='))
    }

    /// A URI header, escapes undone.
    pub fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        let mut headers = self.headers();
        headers
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| unescape(value))
    }

    /// Without URI headers and without parameters: what registrars compare as an address of
    /// record (RFC 3261 §10.3).
    pub fn address(&self) -> &str {
        match &self.kind {
            Kind::Sip(sip) => &self.text[..sip.params.0 as usize],
            Kind::Opaque => &self.text,
        }
    }

    /// RFC 3261 §19.1.4.
    pub fn equivalent(&self, other: &Self) -> bool {
        let (Some(a), Some(b)) = (self.sip_parts(), other.sip_parts()) else {
            return self.text == other.text;
        };
        a.secure == b.secure
            && same_escaped(self.raw_user(), other.raw_user())
            && same_escaped(self.password(), other.password())
            && a.host.is_same(&b.host)
            && a.port == b.port
            && params_match(self, other)
            && params_match(other, self)
            && headers_match(self, other)
    }
}

/// RFC 3261 §19.1.4: a parameter that stands in both must match; `user`, `ttl`, `method`,
/// `maddr` and `transport` never match their absence.
fn params_match(a: &Uri, b: &Uri) -> bool {
    const STRICT: [&str; 5] = ["user", "ttl", "method", "maddr", "transport"];
    a.params().all(|(name, value)| {
        let name = unescape(name);
        let value = unescape(value.unwrap_or(""));
        let mut others = b
            .params()
            .filter(|(other, _)| unescape(other).eq_ignore_ascii_case(&name));
        let Some((_, first)) = others.next() else {
            return !STRICT
                .iter()
                .any(|strict| strict.eq_ignore_ascii_case(&name));
        };
        // A name stands once in a well-made URI; where it does not, one match is enough.
        let is_same =
            |other: Option<&str>| unescape(other.unwrap_or("")).eq_ignore_ascii_case(&value);
        is_same(first) || others.any(|(_, other)| is_same(other))
    })
}

/// "URI header components are never ignored. Any present header component MUST be present in both
/// URIs and match".
fn headers_match(a: &Uri, b: &Uri) -> bool {
    let sorted = |uri: &Uri| {
        let headers = uri.headers();
        let unescaped = headers.map(|(name, value)| {
            (
                unescape(name).to_ascii_lowercase(),
                unescape(value).into_owned(),
            )
        });
        let mut all: Vec<_> = unescaped.collect();
        all.sort();
        all
    };
    sorted(a) == sorted(b)
}

fn same_escaped(a: Option<&str>, b: Option<&str>) -> bool {
    a.map(unescape) == b.map(unescape)
}

/// Undoes `%XX` escapes, except `%00` and ones that are no UTF-8.
fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = (bytes[at] == b'%')
            .then(|| bytes.get(at + 1..at + 3))
            .flatten()
            .and_then(hex);
        match escaped {
            Some(byte) if byte != 0 => {
                out.push(byte);
                at += 3;
            }
            _ => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(out).map_or(Cow::Borrowed(text), Cow::Owned)
}

fn hex(pair: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()
}

/// RFC 3261 §25.1 allows letters, digits, hyphens and dots in a host name; `_` occurs in those of
/// Windows domains and containers.
fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_')
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte)
}

fn is_user(byte: u8) -> bool {
    is_unreserved(byte) || b"&=+$,;?/".contains(&byte)
}

fn escape(text: &str, out: &mut String) {
    escape_unless(text, is_user, out);
}

fn escape_param(text: &str, out: &mut String) {
    escape_unless(text, |b| is_unreserved(b) || b"[]/:&+$".contains(&b), out);
}

fn escape_unless(text: &str, plain: impl Fn(u8) -> bool, out: &mut String) {
    for byte in text.bytes() {
        if plain(byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
}

impl FromStr for Uri {
    type Err = BadUri;

    fn from_str(text: &str) -> Result<Self, BadUri> {
        let (scheme, rest) = text.split_once(':').ok_or(BadUri)?;
        let starts = scheme
            .bytes()
            .next()
            .is_some_and(|b| b.is_ascii_alphabetic());
        let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
        if !starts || !scheme.bytes().all(fits) || text.len() > u32::MAX as usize {
            return Err(BadUri);
        }
        let secure = scheme.eq_ignore_ascii_case("sips");
        let kind = if secure || scheme.eq_ignore_ascii_case("sip") {
            Kind::Sip(parse_sip(text, scheme.len() + 1, secure).ok_or(BadUri)?)
        } else {
            let visible = |b: u8| b > b' ' && b != 0x7f && !matches!(b, b'<' | b'>' | b'"');
            if rest.is_empty() || !rest.bytes().all(visible) {
                return Err(BadUri);
            }
            Kind::Opaque
        };
        Ok(Self {
            text: text.into(),
            kind,
        })
    }
}

/// `start` is one past the colon of the scheme.
fn parse_sip(text: &str, start: usize, secure: bool) -> Option<Sip> {
    let span = |from: usize, to: usize| (from as u32, to as u32);
    let (mut user, mut password) = (None, None);
    let mut at = start;
    if let Some(sign) = text[start..].find('@') {
        let end = start + sign;
        let info = &text[start..end];
        let colon = info.find(':').map_or(end, |colon| start + colon);
        if colon == start || !escapes_fit(&text[start..colon], is_user_lenient) {
            return None;
        }
        user = Some(span(start, colon));
        if colon < end {
            if !escapes_fit(&text[colon + 1..end], is_user_lenient) {
                return None;
            }
            password = Some(span(colon + 1, end));
        }
        at = end + 1;
    }
    let host_end = text[at..]
        .find([';', '?'])
        .map_or(text.len(), |end| at + end);
    let (host, port) = parse_host_port(&text[at..host_end])?;
    let question = text[host_end..].find('?').map(|q| host_end + q);
    let params_end = question.unwrap_or(text.len());
    let params = &text[host_end..params_end];
    let param_fits = |b: u8| is_unreserved(b) || b"[]/:&+$;=".contains(&b) || b >= 0x80;
    if params.split(';').count() > limits::URI_PARAMS_MAX + 1 {
        return None;
    }
    if !escapes_fit(params, param_fits) || params.split(';').skip(1).any(|p| p.starts_with('=')) {
        return None;
    }
    let headers = match question {
        Some(q) => {
            let fits = |b: u8| is_unreserved(b) || b"[]/?:+$&=;,@".contains(&b) || b >= 0x80;
            if !escapes_fit(&text[q + 1..], fits) {
                return None;
            }
            Some(span(q + 1, text.len()))
        }
        None => None,
    };
    Some(Sip {
        secure,
        user,
        password,
        host,
        port,
        params: span(host_end, params_end),
        headers,
    })
}

/// `#` and UTF-8 in user parts are sent by real phones and browsers.
fn is_user_lenient(byte: u8) -> bool {
    is_user(byte) || byte == b'#' || byte >= 0x80
}

/// Every byte fits, or starts an escape of two hexadecimal digits.
fn escapes_fit(text: &str, fits: impl Fn(u8) -> bool) -> bool {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'%' {
            if bytes.get(at + 1..at + 3).and_then(hex).is_none() {
                return false;
            }
            at += 3;
        } else if fits(bytes[at]) {
            at += 1;
        } else {
            return false;
        }
    }
    true
}

fn parse_host_port(text: &str) -> Option<(Host, Option<u16>)> {
    let colon = match text.rfind(']') {
        Some(end) => text[end..].find(':').map(|at| end + at),
        None => text.find(':'),
    };
    let Some(colon) = colon else {
        return Some((Host::parse(text)?, None));
    };
    let port = scan::number(&text[colon + 1..]).ok()?;
    Some((
        Host::parse(&text[..colon])?,
        Some(u16::try_from(port).ok()?),
    ))
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
