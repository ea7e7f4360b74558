//! One media section: `m=` and the lines below it.

use std::fmt;

use crate::attribute::SsrcGroup;
use crate::attribute::{self, Candidate, Extmap, Feedback, Fmtp, Msid, Rid, Rtpmap, Ssrc};
use crate::session::values;
use crate::{Bandwidth, Connection, Direction, Line};

/// The media type of an `m=` line (RFC 8866 §5.14, RFC 6466).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum MediaKind {
    /// `audio`
    Audio,
    /// `video`
    Video,
    /// `image`: T.38 fax.
    Image,
    /// `text`: RFC 4103 real-time text.
    Text,
    /// `application`: data channels, BFCP.
    Application,
    /// `message`: MSRP.
    Message,
    /// Any other token.
    Other(Box<str>),
}

impl MediaKind {
    /// The kind a token stands for.
    pub fn from_name(name: &str) -> Self {
        match name {
            "audio" => Self::Audio,
            "video" => Self::Video,
            "image" => Self::Image,
            "text" => Self::Text,
            "application" => Self::Application,
            "message" => Self::Message,
            other => Self::Other(other.into()),
        }
    }

    /// The token.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Audio => "audio",
            Self::Video => "video",
            Self::Image => "image",
            Self::Text => "text",
            Self::Application => "application",
            Self::Message => "message",
            Self::Other(name) => name,
        }
    }
}

impl fmt::Display for MediaKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A media section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// The first field of `m=`.
    pub kind: MediaKind,
    /// 0 is refused or, inside BUNDLE, bundle-only (RFC 9143 §6).
    pub port: u16,
    /// The number behind `/`, where written.
    pub port_count: Option<u16>,
    /// For instance `UDP/TLS/RTP/SAVPF`.
    pub profile: Box<str>,
    /// Payload types for RTP profiles; other tokens elsewhere.
    pub formats: Vec<Box<str>>,
    /// The lines below `m=`, in order.
    pub lines: Vec<Line>,
}

impl Media {
    /// A section without lines.
    pub fn new(kind: MediaKind, port: u16, profile: &str) -> Self {
        Self {
            kind,
            port,
            port_count: None,
            profile: profile.into(),
            formats: Vec::new(),
            lines: Vec::new(),
        }
    }

    /// The formats that are RTP payload types (0 to 127).
    pub fn payload_types(&self) -> impl Iterator<Item = u8> {
        self.formats
            .iter()
            .filter_map(|format| format.parse().ok())
            .filter(|number| *number < 128)
    }

    /// The first attribute of this name; empty for a flag.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        attribute::first(&self.lines, name)
    }

    /// Every attribute of this name.
    pub fn attributes<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        attribute::named(&self.lines, name)
    }

    /// Whether the attribute is there.
    pub fn has(&self, name: &str) -> bool {
        self.attribute(name).is_some()
    }

    /// `a=mid` (RFC 5888).
    pub fn mid(&self) -> Option<&str> {
        self.attribute("mid")
            .map(str::trim)
            .filter(|mid| !mid.is_empty())
    }

    /// The section's own direction, where written.
    pub fn direction(&self) -> Option<Direction> {
        attribute::direction(&self.lines)
    }

    /// `c=` of the section.
    pub fn connection(&self) -> Option<Connection<'_>> {
        values(&self.lines, 'c').find_map(Connection::parse)
    }

    /// Every readable `b=`.
    pub fn bandwidths(&self) -> impl Iterator<Item = Bandwidth<'_>> {
        values(&self.lines, 'b').filter_map(Bandwidth::parse)
    }

    /// Every readable `a=rtpmap`.
    pub fn rtpmaps(&self) -> impl Iterator<Item = Rtpmap<'_>> {
        self.attributes("rtpmap").filter_map(Rtpmap::parse)
    }

    /// Every readable `a=fmtp`.
    pub fn fmtps(&self) -> impl Iterator<Item = Fmtp<'_>> {
        self.attributes("fmtp").filter_map(Fmtp::parse)
    }

    /// Every readable `a=rtcp-fb` (RFC 4585 §4.2).
    pub fn feedbacks(&self) -> impl Iterator<Item = Feedback<'_>> {
        self.attributes("rtcp-fb").filter_map(Feedback::parse)
    }

    /// Every readable `a=extmap` (RFC 8285).
    pub fn extmaps(&self) -> impl Iterator<Item = Extmap<'_>> {
        self.attributes("extmap").filter_map(Extmap::parse)
    }

    /// Every `a=msid` (RFC 8830).
    pub fn msids(&self) -> impl Iterator<Item = Msid<'_>> {
        self.attributes("msid").filter_map(Msid::parse)
    }

    /// Every readable `a=ssrc` (RFC 5576).
    pub fn ssrcs(&self) -> impl Iterator<Item = Ssrc<'_>> {
        self.attributes("ssrc").filter_map(Ssrc::parse)
    }

    /// Every readable `a=ssrc-group` (RFC 5576).
    pub fn ssrc_groups(&self) -> impl Iterator<Item = SsrcGroup<'_>> {
        self.attributes("ssrc-group").filter_map(SsrcGroup::parse)
    }

    /// Every readable `a=candidate` (RFC 8839).
    pub fn candidates(&self) -> impl Iterator<Item = Candidate<'_>> {
        self.attributes("candidate").filter_map(Candidate::parse)
    }

    /// Every readable `a=rid` (RFC 8851).
    pub fn rids(&self) -> impl Iterator<Item = Rid<'_>> {
        self.attributes("rid").filter_map(Rid::parse)
    }
}
