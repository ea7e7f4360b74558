//! `type=identify`: endpoints known by where a request comes from or what stands in it.

use crate::acl::Network;
use crate::option::{Fault, Object, Parse, Row, row};
use regex_lite::{Regex, RegexBuilder};
use std::fmt;
use std::net::SocketAddr;

/// One `type=identify` object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identify {
    /// The section's name.
    pub id: String,
    /// The endpoint that speaks.
    pub endpoint: String,
    /// Networks its requests come from.
    pub networks: Vec<MatchSource<Network>>,
    /// Hosts its requests come from, whose addresses are looked up.
    pub hosts: Vec<MatchSource<String>>,
    /// Headers its requests have.
    pub headers: Vec<HeaderMatch>,
    /// Request-URIs it asks for.
    pub request_uris: Vec<TextMatch>,
    /// Whether SRV records of the hosts are looked up too.
    pub srv_lookups: bool,
}

/// One word of `match`: a network or the name of a host, and a port if only that one is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatchSource<Place> {
    /// The network or the host.
    pub place: Place,
    /// The port requests come from; any, if none is written.
    pub port: Option<u16>,
}

impl<Place> MatchSource<Place> {
    /// Whether requests from this port are meant.
    pub fn has_port(&self, port: u16) -> bool {
        self.port.is_none_or(|own| own == port)
    }
}

impl fmt::Display for MatchSource<Network> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(
                f,
                "{}/{}",
                SocketAddr::new(self.place.address(), port),
                self.place.bits()
            ),
            None => self.place.fmt(f),
        }
    }
}

impl fmt::Display for MatchSource<String> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.place),
            None => f.write_str(&self.place),
        }
    }
}

/// `match_header`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderMatch {
    /// The header.
    pub name: String,
    /// What stands in it.
    pub value: TextMatch,
}

/// A text, or an expression between slashes.
#[derive(Clone, Debug)]
pub enum TextMatch {
    /// The text itself.
    Exact(String),
    /// An expression found anywhere in the text; not so if `negated`.
    Expression {
        /// The expression.
        regex: Regex,
        /// Whether it must not be found.
        negated: bool,
    },
}

impl TextMatch {
    /// Whether the text is meant.
    pub fn matches(&self, text: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == text,
            Self::Expression { regex, negated } => regex.is_match(text) != *negated,
        }
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        let (inner, negated) = match text.strip_prefix("!/") {
            Some(rest) => (rest.strip_suffix('/'), true),
            None => (
                text.strip_prefix('/').and_then(|t| t.strip_suffix('/')),
                false,
            ),
        };
        let Some(expression) = inner else {
            return Ok(Self::Exact(text.to_owned()));
        };
        let regex = RegexBuilder::new(expression)
            .size_limit(REGEX_BYTES_MAX)
            .build()
            .map_err(|error| Fault::NotRegex(error.to_string()))?;
        Ok(Self::Expression { regex, negated })
    }

    /// As written.
    pub fn written(&self) -> String {
        match self {
            Self::Exact(exact) => exact.clone(),
            Self::Expression { regex, negated } => {
                format!("{}/{}/", if *negated { "!" } else { "" }, regex.as_str())
            }
        }
    }
}

impl PartialEq for TextMatch {
    fn eq(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
            && self.written() == other.written()
    }
}

impl Eq for TextMatch {}

impl Identify {
    /// What it lacks to be of use, and what to do about it.
    pub fn lack(&self) -> Option<(&'static str, &'static str)> {
        if self.endpoint.is_empty() {
            return Some(("names no endpoint", "add `endpoint=…`"));
        }
        let fits_none = self.networks.is_empty()
            && self.hosts.is_empty()
            && self.headers.is_empty()
            && self.request_uris.is_empty();
        fits_none.then_some((
            "fits no request",
            "add `match=ADDRESS` or `match_header=NAME: VALUE`",
        ))
    }

    /// Whether one of its networks holds the address, with its port.
    pub fn holds(&self, address: SocketAddr) -> bool {
        self.networks
            .iter()
            .any(|source| source.place.contains(address.ip()) && source.has_port(address.port()))
    }
}

impl Object for Identify {
    const KIND: &'static str = "identify";
    const OPTIONS: &'static [Row<Self>] = OPTIONS;

    fn named(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            srv_lookups: true,
            ..Self::default()
        }
    }
}

const OPTIONS: &[Row<Identify>] = &[
    row(
        "endpoint",
        "",
        Parse::Text(|i| &mut i.endpoint),
        "The endpoint that speaks.",
    ),
    row(
        "match",
        "",
        Parse::Own(matching),
        "Addresses, networks and hosts its requests come from, between commas; repeatable. With a port \
         (`192.0.2.1:5062`, `[2001:db8::1]:5062`, `sip.example.com:5062`) only that one counts, and no SRV \
         records.",
    ),
    row(
        "match_header",
        "",
        Parse::Own(header),
        "`Header: value` or `Header: /expression/` its requests have; repeatable.",
    ),
    row(
        "match_request_uri",
        "",
        Parse::Own(request_uri),
        "A Request-URI, or `/expression/`, it asks for; repeatable.",
    ),
    row(
        "srv_lookups",
        "yes",
        Parse::YesNo(|i| &mut i.srv_lookups),
        "The hosts that SRV records of `match` name count as well.",
    ),
];

/// A compiled expression.
const REGEX_BYTES_MAX: usize = 64 << 10;
/// Lines of one kind in one object.
const MATCHES_MAX: usize = 1000;

fn matching(identify: &mut Identify, value: &str) -> Result<(), Fault> {
    for word in value
        .split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty())
    {
        if identify.networks.len() + identify.hosts.len() >= MATCHES_MAX {
            return Err(Fault::TooMany(MATCHES_MAX));
        }
        if let Some(place) = Network::parse(word) {
            identify.networks.push(MatchSource { place, port: None });
            continue;
        }
        let (place, port) = without_port(word);
        match Network::parse(&place) {
            Some(place) => identify.networks.push(MatchSource { place, port }),
            None if is_host(&place) => {
                let place = place.to_ascii_lowercase();
                identify.hosts.push(MatchSource { place, port });
            }
            None => return Err(Fault::NotNetwork(word.to_owned())),
        }
    }
    Ok(())
}

/// The port is written before the mask: `192.0.2.0:5062/24`.
fn without_port(word: &str) -> (String, Option<u16>) {
    let (place, mask) = match word.split_once('/') {
        Some((place, mask)) => (place, format!("/{mask}")),
        None => (word, String::new()),
    };
    let parts = place.rsplit_once(':');
    let parts = parts.filter(|(host, _)| !host.contains(':') || host.ends_with(']'));
    match parts.and_then(|(host, port)| Some((host, port.parse().ok().filter(|port| *port != 0)?)))
    {
        Some((host, port)) => (format!("{host}{mask}"), Some(port)),
        None => (word.to_owned(), None),
    }
}

/// RFC 1123 §2.1; a last part of digits alone is a mistyped address.
fn is_host(text: &str) -> bool {
    let text = text.strip_suffix('.').unwrap_or(text);
    let is_part = |part: &str| {
        !part.is_empty()
            && part.len() <= 63
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    let last = text.rsplit('.').next().unwrap_or_default();
    text.len() <= 253
        && text.split('.').all(is_part)
        && !last.bytes().all(|byte| byte.is_ascii_digit())
}

fn header(identify: &mut Identify, value: &str) -> Result<(), Fault> {
    let (name, text) = value.split_once(':').ok_or(Fault::NotHeader)?;
    let name = name.trim();
    if name.is_empty() || identify.headers.len() >= MATCHES_MAX {
        return Err(Fault::NotHeader);
    }
    identify.headers.push(HeaderMatch {
        name: name.to_owned(),
        value: TextMatch::parse(text.trim())?,
    });
    Ok(())
}

fn request_uri(identify: &mut Identify, value: &str) -> Result<(), Fault> {
    if identify.request_uris.len() >= MATCHES_MAX {
        return Err(Fault::TooMany(MATCHES_MAX));
    }
    identify.request_uris.push(TextMatch::parse(value)?);
    Ok(())
}

/// `identify_by` and `endpoint_identifier_order`: ways to know who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentifyBy {
    /// By the address the request came from.
    Ip,
    /// By the user of From.
    Username,
    /// Everybody else is the endpoint `anonymous`.
    Anonymous,
    /// By a header.
    Header,
    /// By the user name of the digest.
    AuthUsername,
    /// By the Request-URI.
    RequestUri,
}

impl IdentifyBy {
    /// The order where none is written. Asterisk has `anonymous` third, where it hides the ways after it.
    pub const ORDER: [Self; 6] = [
        Self::Ip,
        Self::Username,
        Self::Header,
        Self::AuthUsername,
        Self::RequestUri,
        Self::Anonymous,
    ];

    const WORDS: &'static [&'static str] = &[
        "ip",
        "username",
        "header",
        "auth_username",
        "request_uri",
        "anonymous",
    ];

    /// As written in files.
    pub fn as_str(self) -> &'static str {
        let index = Self::ORDER.iter().position(|by| *by == self);
        Self::WORDS[index.unwrap_or_default()]
    }

    /// Ways between commas.
    pub(crate) fn list(value: &str) -> Result<Vec<Self>, Fault> {
        let mut list = Vec::new();
        for name in value
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
        {
            let by = Self::ORDER[crate::option::word(name, Self::WORDS)?];
            if !list.contains(&by) {
                list.push(by);
            }
        }
        Ok(list)
    }
}
