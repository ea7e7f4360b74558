//! Typed views of `a=` values. Each view borrows from its line; what cannot be read is `None`.

use std::fmt;

use crate::{Direction, Line};

/// `a=group:BUNDLE 0 1` (RFC 5888).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group<'a> {
    /// `BUNDLE`, `LS`…
    pub semantics: &'a str,
    /// The sections that belong together.
    pub mids: Vec<&'a str>,
}

/// `a=rtpmap:111 opus/48000/2` (RFC 8866 §6.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rtpmap<'a> {
    /// 0 to 127.
    pub payload_type: u8,
    /// Compared without case.
    pub encoding: &'a str,
    /// In hertz.
    pub clock_hz: u32,
    /// The last field, where written.
    pub channels: Option<u8>,
}

/// `a=fmtp:111 minptime=10;useinbandfec=1` (RFC 8866 §6.15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fmtp<'a> {
    /// 0 to 127.
    pub payload_type: u8,
    /// Everything behind the payload type.
    pub parameters: &'a str,
}

/// `a=rtcp-fb:96 nack pli` (RFC 4585 §4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feedback<'a> {
    /// `None` is `*`: every payload type of the section.
    pub payload_type: Option<u8>,
    /// For instance `nack pli`.
    pub value: &'a str,
}

/// `a=extmap:3/sendonly urn:…` (RFC 8285 §8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extmap<'a> {
    /// 1 to 255 in an answer; up to 4095 in an offer.
    pub id: u16,
    /// Where written.
    pub direction: Option<Direction>,
    /// What the extension is.
    pub uri: &'a str,
}

/// `a=msid:stream track` (RFC 8830).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Msid<'a> {
    /// `-` for a track without stream.
    pub stream: &'a str,
    /// Optional since RFC 8830.
    pub track: Option<&'a str>,
}

/// `a=ssrc:3656235283 cname:x` (RFC 5576 §4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ssrc<'a> {
    /// The synchronisation source.
    pub ssrc: u32,
    /// `cname`, `msid`…
    pub attribute: &'a str,
    /// Behind the colon; empty for a flag.
    pub value: &'a str,
}

/// `a=ssrc-group:FID 1 2` (RFC 5576 §4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SsrcGroup<'a> {
    /// `FID` (retransmission), `SIM`, `FEC-FR`…
    pub semantics: &'a str,
    /// In the order that the semantics want.
    pub ssrcs: Vec<u32>,
}

/// `a=fingerprint:sha-256 AB:CD…` (RFC 8122 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint<'a> {
    /// Compared without case.
    pub hash: &'a str,
    /// Hexadecimal pairs with colons.
    pub value: &'a str,
}

/// `a=setup` (RFC 4145 §4, RFC 8842).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    /// The writer opens the DTLS connection.
    Active,
    /// The writer waits for it.
    Passive,
    /// The reader chooses; only in offers.
    ActPass,
    /// Not now. Never used with DTLS.
    HoldConn,
}

/// `a=candidate` (RFC 8839 §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate<'a> {
    /// Equal for candidates of one base and type.
    pub foundation: &'a str,
    /// 1 is RTP, 2 is RTCP.
    pub component: u16,
    /// `udp` or `tcp`, in either case.
    pub transport: &'a str,
    /// RFC 8445 §5.1.2.
    pub priority: u32,
    /// An address or an mDNS name.
    pub address: &'a str,
    /// The port; 9 for active TCP.
    pub port: u16,
    /// `host`, `srflx`, `prflx` or `relay`.
    pub kind: &'a str,
    /// The rest, for instance `raddr … rport …` and `tcptype`.
    pub extensions: &'a str,
}

/// `a=rid:hi send max-width=1280` (RFC 8851).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rid<'a> {
    /// The name of the encoding.
    pub id: &'a str,
    /// `send` or `recv`.
    pub direction: &'a str,
    /// What follows; empty where nothing does.
    pub restrictions: &'a str,
}

impl<'a> Group<'a> {
    pub(crate) fn parse(value: &'a str) -> Option<Self> {
        let mut fields = value.split_ascii_whitespace();
        Some(Self {
            semantics: fields.next()?,
            mids: fields.collect(),
        })
    }
}

impl<'a> Rtpmap<'a> {
    /// Reads the value behind `a=rtpmap:`.
    pub fn parse(value: &'a str) -> Option<Self> {
        let (payload_type, mapping) = numbered(value)?;
        let mut fields = mapping.trim().split('/');
        Some(Self {
            payload_type,
            encoding: fields.next().filter(|name| !name.is_empty())?,
            clock_hz: fields.next()?.trim().parse().ok()?,
            channels: fields.next().and_then(|field| field.trim().parse().ok()),
        })
    }
}

impl<'a> Fmtp<'a> {
    /// Reads the value behind `a=fmtp:`.
    pub fn parse(value: &'a str) -> Option<Self> {
        let (payload_type, parameters) = numbered(value)?;
        Some(Self {
            payload_type,
            parameters: parameters.trim(),
        })
    }

    /// The value of `name=value`, names compared without case.
    pub fn parameter(&self, name: &str) -> Option<&'a str> {
        self.parameters.split(';').find_map(|field| {
            let (key, value) = field.split_once('=')?;
            key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// The payload type whose packets this one retransmits (RFC 4588 §8.6).
    pub fn apt(&self) -> Option<u8> {
        self.parameter("apt")?.parse().ok()
    }
}

impl<'a> Feedback<'a> {
    pub(crate) fn parse(value: &'a str) -> Option<Self> {
        if let Some(value) = value.strip_prefix('*') {
            return Some(Self {
                payload_type: None,
                value: value.trim(),
            });
        }
        let (payload_type, value) = numbered(value)?;
        Some(Self {
            payload_type: Some(payload_type),
            value: value.trim(),
        })
    }
}

impl<'a> Extmap<'a> {
    pub(crate) fn parse(value: &'a str) -> Option<Self> {
        let mut fields = value.split_ascii_whitespace();
        let id = fields.next()?;
        let uri = fields.next()?;
        let (id, direction) = match id.split_once('/') {
            Some((id, direction)) => (id, Direction::from_name(direction)),
            None => (id, None),
        };
        Some(Self {
            id: id.parse().ok()?,
            direction,
            uri,
        })
    }
}

impl<'a> Msid<'a> {
    pub(crate) fn parse(value: &'a str) -> Option<Self> {
        let mut fields = value.split_ascii_whitespace();
        Some(Self {
            stream: fields.next()?,
            track: fields.next(),
        })
    }
}

impl<'a> Ssrc<'a> {
    pub(crate) fn parse(value: &'a str) -> Option<Self> {
        let (ssrc, attribute) = value.split_once(' ')?;
        let (attribute, value) = attribute.split_once(':').unwrap_or((attribute, ""));
        Some(Self {
            ssrc: ssrc.parse().ok()?,
            attribute: attribute.trim(),
            value,
        })
    }
}

impl<'a> SsrcGroup<'a> {
    pub(crate) fn parse(value: &'a str) -> Option<Self> {
        let mut fields = value.split_ascii_whitespace();
        Some(Self {
            semantics: fields.next()?,
            ssrcs: fields
                .map(|field| field.parse().ok())
                .collect::<Option<_>>()?,
        })
    }
}

impl Setup {
    /// The role a token stands for.
    pub fn from_name(name: &str) -> Option<Self> {
        match name.trim() {
            "active" => Some(Self::Active),
            "passive" => Some(Self::Passive),
            "actpass" => Some(Self::ActPass),
            "holdconn" => Some(Self::HoldConn),
            _ => None,
        }
    }

    /// The token.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Passive => "passive",
            Self::ActPass => "actpass",
            Self::HoldConn => "holdconn",
        }
    }
}

impl fmt::Display for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<'a> Candidate<'a> {
    /// Reads the value behind `a=candidate:`.
    pub fn parse(value: &'a str) -> Option<Self> {
        let (foundation, rest) = field(value)?;
        let (component, rest) = field(rest)?;
        let (transport, rest) = field(rest)?;
        let (priority, rest) = field(rest)?;
        let (address, rest) = field(rest)?;
        let (port, rest) = field(rest)?;
        let (typ, rest) = field(rest)?;
        let (kind, extensions) = field(rest)?;
        (typ == "typ").then_some(())?;
        Some(Self {
            foundation,
            component: component.parse().ok()?,
            transport,
            priority: priority.parse().ok()?,
            address,
            port: port.parse().ok()?,
            kind,
            extensions: extensions.trim(),
        })
    }
}

impl<'a> Rid<'a> {
    pub(crate) fn parse(value: &'a str) -> Option<Self> {
        let (id, rest) = field(value)?;
        let (direction, rest) = field(rest)?;
        Some(Self {
            id,
            direction,
            restrictions: rest.trim(),
        })
    }
}

/// The values of every attribute with this name.
pub(crate) fn named<'a>(lines: &'a [Line], name: &'a str) -> impl Iterator<Item = &'a str> {
    lines
        .iter()
        .filter_map(Line::as_attribute)
        .filter(move |(own, _)| *own == name)
        .map(|(_, value)| value)
}

/// The value of the first attribute with this name.
pub(crate) fn first<'a>(lines: &'a [Line], name: &str) -> Option<&'a str> {
    lines
        .iter()
        .filter_map(Line::as_attribute)
        .find(|(own, _)| *own == name)
        .map(|(_, value)| value)
}

/// The first direction attribute among these lines.
pub(crate) fn direction(lines: &[Line]) -> Option<Direction> {
    lines
        .iter()
        .filter_map(Line::as_attribute)
        .find_map(|(name, _)| Direction::from_name(name.trim_end()))
}

/// The ICE user fragment and password among these lines.
pub(crate) fn ice(lines: &[Line]) -> Option<(&str, &str)> {
    let ufrag = first(lines, "ice-ufrag")?.trim();
    let pwd = first(lines, "ice-pwd")?.trim();
    Some((ufrag, pwd))
}

/// The fingerprints among these lines.
pub(crate) fn fingerprints(lines: &[Line]) -> Vec<Fingerprint<'_>> {
    named(lines, "fingerprint")
        .filter_map(|value| {
            let (hash, value) = value.trim().split_once(' ')?;
            Some(Fingerprint {
                hash,
                value: value.trim(),
            })
        })
        .collect()
}

/// Splits `96 rest`; the rest may be empty.
fn numbered(value: &str) -> Option<(u8, &str)> {
    let (number, rest) = field(value)?;
    let number: u8 = number.parse().ok()?;
    (number < 128).then_some((number, rest))
}

/// Splits the first field off.
fn field(value: &str) -> Option<(&str, &str)> {
    let value = value.trim_start_matches([' ', '\t']);
    if value.is_empty() {
        return None;
    }
    Some(value.split_once([' ', '\t']).unwrap_or((value, "")))
}
