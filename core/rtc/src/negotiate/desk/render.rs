//! The descriptions we send to desk phones.

use super::bundle;
use super::crypto::Crypto;
use super::ice;
use super::line::{Line, Live, Use};
use crate::negotiate::format::{self, Described, rtpmap};
use crate::peer::PortPair;
use crate::topology::{Format, Payload};
use codec::Kind;
use sdp::{Line as Row, Media, MediaKind, Sdp};
use std::net::IpAddr;

/// A whole description.
pub(super) fn session(
    id: u64,
    version: u64,
    ip: IpAddr,
    group: Option<String>,
    media: Vec<Media>,
) -> Sdp {
    let address = address(ip);
    let mut lines = vec![
        Row::new('v', "0"),
        Row::new('o', format!("- {id} {version} {address}")),
        Row::new('s', "sidetone"),
        Row::new('c', address),
        Row::new('t', "0 0"),
    ];
    lines.extend(group.map(|mids| Row::attribute("group", format!("BUNDLE {mids}"))));
    Sdp { lines, media }
}

/// `IN IP4 192.0.2.1`.
fn address(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => format!("IN IP4 {ip}"),
        IpAddr::V6(ip) => format!("IN IP6 {ip}"),
    }
}

/// A section, in use or not.
pub(super) fn section(line: &Line, ports: impl Fn(&Live) -> PortPair, print: &str) -> Media {
    match &line.state {
        Use::Live(live) => self::live(line, live, ports(live), print),
        Use::Closed => refused(line),
    }
}

fn live(line: &Line, live: &Live, ports: PortPair, print: &str) -> Media {
    let mut media = Media::new(line.kind.clone(), ports.rtp.port(), &line.profile);
    for described in &live.formats {
        write_format(&mut media, described, live.feedback);
    }
    if live.kind == Kind::Audio {
        let ptime = live.wishes.packet_ms(PTIME_USUAL_MS);
        media.lines.push(Row::attribute("ptime", ptime));
    }
    if let Some(mid) = &line.mid {
        media.lines.push(Row::attribute("mid", mid));
    }
    media.lines.push(Row::flag(live.direction.as_str()));
    if live.mux {
        media.lines.push(Row::flag("rtcp-mux"));
    }
    if let Some(name) = &live.name {
        let value = format!("{} {}", name.number, bundle::NAMED);
        media.lines.push(Row::attribute("extmap", value));
    }
    if live.follows.is_some() {
        // RFC 9143 §7.1.3: what a transport has stands in the line whose port it is, and there alone.
        return media;
    }
    if let Some(setup) = live.setup {
        media.lines.push(Row::attribute("fingerprint", print));
        media.lines.push(Row::attribute("setup", setup));
    }
    if let Some(own) = &live.ice {
        media.lines.push(Row::attribute("ice-ufrag", &own.ufrag));
        media.lines.push(Row::attribute("ice-pwd", &own.password));
        // Where the peer may refuse to share the port, RTCP has candidates of its own.
        let is_shared = live.mux && live.remote.is_some();
        for candidate in ice::candidates(&ports, is_shared) {
            media.lines.push(Row::attribute("candidate", candidate));
        }
    }
    let chosen = live.keys.as_ref().map(|keys| &keys.ours);
    let cryptos = chosen.into_iter().chain(&live.offered_keys);
    for crypto in cryptos {
        media
            .lines
            .push(Row::attribute("crypto", Crypto::write(crypto)));
    }
    media
}

/// RFC 3264 §6: a refused section has port 0 and "at least one" format.
fn refused(line: &Line) -> Media {
    let mut media = Media::new(line.kind.clone(), 0, &line.profile);
    media.formats.clone_from(&line.formats);
    if media.formats.is_empty() {
        media.formats.push("0".into());
    }
    if let Some(mid) = &line.mid {
        media.lines.push(Row::attribute("mid", mid));
    }
    if !matches!(line.kind, MediaKind::Application | MediaKind::Message) {
        media.lines.push(Row::flag("inactive"));
    }
    media
}

fn write_format(media: &mut Media, described: &Described, feedback: bool) {
    let Payload { number, format, .. } = described.payload;
    media.formats.push(number.to_string().into());
    let mut row = |name: &str, value: &str| {
        let row = Row::attribute(name, format!("{number} {value}"));
        media.lines.push(row);
    };
    row("rtpmap", &rtpmap(format));
    match (format, described.fmtp.as_deref()) {
        (Format::Digits { .. }, _) => row("fmtp", "0-16"),
        (Format::Codec(codec), _) if codec.name == "opus" => row("fmtp", "useinbandfec=1"),
        (Format::Codec(codec), Some(fmtp)) if codec.kind == Kind::Video => row("fmtp", fmtp),
        (Format::Codec(_) | Format::Noise { .. }, _) => {}
    }
    if feedback {
        for value in &described.feedback {
            if FEEDBACK.contains(&&**value) {
                row("rtcp-fb", value);
            }
        }
    }
}

/// The formats of an offer of ours, in the order of `allow=`.
pub(super) fn formats(policy: &crate::policy::Policy, kind: Kind) -> Vec<Described> {
    let mut dynamic = 112_u8..127;
    let mut formats: Vec<Described> = Vec::new();
    for codec in policy.codecs(kind) {
        let usual = USUAL.iter().find(|(name, _)| *name == codec.name);
        let number = codec
            .payload_type
            .or_else(|| usual.map(|(_, number)| *number));
        let Some(number) = number.or_else(|| dynamic.next()) else {
            break;
        };
        let fmtp = match codec.name {
            "h264" => Some("packetization-mode=1;profile-level-id=42e01f".into()),
            _ => None,
        };
        let feedback = match kind {
            Kind::Audio => Vec::new(),
            Kind::Video => FEEDBACK.iter().map(|value| (*value).into()).collect(),
        };
        formats.push(described(number, Format::Codec(codec), fmtp, feedback));
    }
    if kind == Kind::Audio && policy.telephone_event {
        // RFC 4733 §2.1: events have the clock of the audio they stand for. baresip knows those of 8 kHz alone, beside
        // Opus too, so they are always offered.
        for (clock_hz, number) in [(8_000, 101), (48_000, 102), (16_000, 103)] {
            let is_clock = |own: &Described| format::clock_hz(own.payload.format) == clock_hz;
            if clock_hz == 8_000 || formats.iter().any(is_clock) {
                formats.push(described(
                    number,
                    Format::Digits { clock_hz },
                    None,
                    Vec::new(),
                ));
            }
        }
    }
    formats
}

fn described(
    number: u8,
    format: Format,
    fmtp: Option<Box<str>>,
    feedback: Vec<Box<str>>,
) -> Described {
    Described {
        payload: Payload {
            number,
            format,
            rtx: None,
        },
        fmtp,
        feedback,
    }
}

/// What we know to do.
const FEEDBACK: &[&str] = &["nack pli", "ccm fir"];
/// The numbers phones are used to.
const USUAL: &[(&str, u8)] = &[
    ("opus", 107),
    ("vp8", 96),
    ("vp9", 98),
    ("h264", 99),
    ("av1", 100),
];
const PTIME_USUAL_MS: u16 = 20;
