//! A whole description and its session-level part.

use std::str::FromStr;

use crate::attribute::{self, Candidate, Fingerprint, Group, Setup};
use crate::{Direction, Media, ParseError, parse};

/// One line `x=value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The type letter, usually `a`.
    pub letter: char,
    /// Everything after `=`.
    pub value: Box<str>,
}

impl Line {
    /// A line of any letter.
    pub fn new(letter: char, value: impl Into<Box<str>>) -> Self {
        Self {
            letter,
            value: value.into(),
        }
    }

    /// `a=name`.
    pub fn flag(name: &str) -> Self {
        Self::new('a', name)
    }

    /// `a=name:value`.
    pub fn attribute(name: &str, value: impl std::fmt::Display) -> Self {
        Self::new('a', format!("{name}:{value}"))
    }

    /// Name and value of an attribute line; the value is empty for a flag.
    pub fn as_attribute(&self) -> Option<(&str, &str)> {
        (self.letter == 'a').then(|| self.value.split_once(':').unwrap_or((&self.value, "")))
    }
}

/// A session description: the lines before the first `m=`, then the media sections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sdp {
    /// Session-level lines, `v=` first.
    pub lines: Vec<Line>,
    /// The media sections in order; the index is what RFC 3264 matches offers and answers by.
    pub media: Vec<Media>,
}

/// `o=` (RFC 8866 §5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin<'a> {
    /// `-` where the host has no user ids.
    pub username: &'a str,
    /// Kept as text: real ones exceed 64 bits.
    pub session_id: &'a str,
    /// Raised by one each time the description changes.
    pub version: &'a str,
    /// `IN`.
    pub network: &'a str,
    /// `IP4` or `IP6`.
    pub address_type: &'a str,
    /// Name or number of the host.
    pub address: &'a str,
}

/// `c=` (RFC 8866 §5.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection<'a> {
    /// `IN`.
    pub network: &'a str,
    /// `IP4` or `IP6`.
    pub address_type: &'a str,
    /// With `/ttl` where written.
    pub address: &'a str,
}

/// `t=` (RFC 8866 §5.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// NTP seconds; 0 is unbounded.
    pub start: u64,
    /// NTP seconds; 0 is unbounded.
    pub stop: u64,
}

/// `b=` (RFC 8866 §5.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bandwidth<'a> {
    /// `AS`, `CT`, `TIAS`…
    pub modifier: &'a str,
    /// In the unit of the modifier.
    pub value: u64,
}

impl Sdp {
    /// `o=`, checked by the parser where it is present.
    pub fn origin(&self) -> Option<Origin<'_>> {
        Origin::parse(self.first('o')?)
    }

    /// `s=`, empty where missing.
    pub fn session_name(&self) -> &str {
        self.first('s').unwrap_or_default()
    }

    /// Session-level `c=`.
    pub fn connection(&self) -> Option<Connection<'_>> {
        Connection::parse(self.first('c')?)
    }

    /// Every readable `t=`.
    pub fn times(&self) -> impl Iterator<Item = Times> {
        values(&self.lines, 't').filter_map(Times::parse)
    }

    /// Every readable session-level `b=`.
    pub fn bandwidths(&self) -> impl Iterator<Item = Bandwidth<'_>> {
        values(&self.lines, 'b').filter_map(Bandwidth::parse)
    }

    /// `a=group` lines (RFC 5888).
    pub fn groups(&self) -> impl Iterator<Item = Group<'_>> {
        self.attributes("group").filter_map(Group::parse)
    }

    /// The first session-level attribute of this name; empty for a flag.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        attribute::first(&self.lines, name)
    }

    /// Every session-level attribute of this name.
    pub fn attributes<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        attribute::named(&self.lines, name)
    }

    /// The direction of a section: its own, else the session's, else `sendrecv`.
    pub fn direction(&self, media: &Media) -> Direction {
        media
            .direction()
            .or_else(|| attribute::direction(&self.lines))
            .unwrap_or_default()
    }

    /// `a=ice-ufrag` and `a=ice-pwd` of a section, else of the session.
    pub fn ice<'a>(&'a self, media: &'a Media) -> Option<(&'a str, &'a str)> {
        attribute::ice(&media.lines).or_else(|| attribute::ice(&self.lines))
    }

    /// `a=fingerprint` lines of a section, else of the session.
    pub fn fingerprints<'a>(&'a self, media: &'a Media) -> Vec<Fingerprint<'a>> {
        let own = attribute::fingerprints(&media.lines);
        if own.is_empty() {
            attribute::fingerprints(&self.lines)
        } else {
            own
        }
    }

    /// `a=setup` of a section, else of the session.
    pub fn setup(&self, media: &Media) -> Option<Setup> {
        media
            .attribute("setup")
            .or_else(|| self.attribute("setup"))
            .and_then(Setup::from_name)
    }

    /// Candidates written at session level, as some servers do.
    pub fn candidates(&self) -> impl Iterator<Item = Candidate<'_>> {
        self.attributes("candidate").filter_map(Candidate::parse)
    }

    fn first(&self, letter: char) -> Option<&str> {
        values(&self.lines, letter).next()
    }
}

impl FromStr for Sdp {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        parse(text.as_bytes())
    }
}

impl<'a> Origin<'a> {
    /// The user name may have spaces (phones write their model there), so fields count from the
    /// end.
    pub(crate) fn parse(value: &'a str) -> Option<Self> {
        let mut fields = value.trim_end().rsplitn(6, ' ');
        let address = fields.next()?;
        let address_type = fields.next()?;
        let network = fields.next()?;
        let version = fields.next()?;
        let session_id = fields.next()?;
        let username = fields.next()?;
        let origin = Self {
            username,
            session_id,
            version,
            network,
            address_type,
            address,
        };
        let fields = [
            username,
            session_id,
            version,
            network,
            address_type,
            address,
        ];
        let all = fields.iter().all(|field| !field.trim().is_empty());
        all.then_some(origin)
    }
}

impl<'a> Connection<'a> {
    pub(crate) fn parse(value: &'a str) -> Option<Self> {
        let mut fields = value.split_ascii_whitespace();
        Some(Self {
            network: fields.next()?,
            address_type: fields.next()?,
            address: fields.next()?,
        })
    }
}

impl Times {
    fn parse(value: &str) -> Option<Self> {
        let (start, stop) = value.trim().split_once(' ')?;
        Some(Self {
            start: start.parse().ok()?,
            stop: stop.trim().parse().ok()?,
        })
    }
}

impl<'a> Bandwidth<'a> {
    pub(crate) fn parse(value: &'a str) -> Option<Self> {
        let (modifier, value) = value.split_once(':')?;
        Some(Self {
            modifier,
            value: value.trim().parse().ok()?,
        })
    }
}

/// The values of every line with this letter.
pub(crate) fn values(lines: &[Line], letter: char) -> impl Iterator<Item = &str> {
    lines
        .iter()
        .filter(move |line| line.letter == letter)
        .map(|line| &*line.value)
}
