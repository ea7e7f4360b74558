//! The dialect of the engine: str0m's parser is strict about the order and number of lines, so
//! what it reads is written here from values, never copied from the peer.

use std::collections::BTreeSet;
use std::fmt::Write;

use codec::Kind;
use sdp::{Direction, Media};

use super::format::{Described, rtpmap};
use super::transport::Transport;
use crate::topology::Format;

/// One line for the engine.
#[derive(Clone, Debug)]
pub(super) enum Section {
    /// A line in use.
    Live(LiveSection),
    /// A line with port 0.
    Stopped(Kind),
}

/// What the engine must know of a line in use.
#[derive(Clone, Debug)]
pub(super) struct LiveSection {
    pub(super) kind: Kind,
    /// Seen from the peer.
    pub(super) direction: Direction,
    pub(super) formats: Vec<Described>,
    pub(super) extensions: Vec<(u16, Box<str>)>,
    /// Media and retransmission.
    pub(super) ssrc: Option<(u32, Option<u32>)>,
}

/// Writes a description of these slots, each with its name.
pub(super) fn write(transport: &Transport, slots: &[(&str, Section)]) -> String {
    let mut text =
        String::from("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE");
    for (mid, section) in slots {
        if matches!(section, Section::Live(_)) {
            let _ = write!(text, " {mid}");
        }
    }
    text.push_str("\r\n");
    transport.write(&mut text);
    for (mid, section) in slots {
        match section {
            Section::Live(live) => write_live(&mut text, mid, live),
            Section::Stopped(kind) => write_stopped(&mut text, mid, *kind),
        }
    }
    text
}

fn write_stopped(text: &mut String, mid: &str, kind: Kind) {
    // A name that no codec has: a static number would count as offered.
    let _ = write!(
        text,
        "m={} 0 UDP/TLS/RTP/SAVPF 127\r\na=rtpmap:127 stopped/90000\r\na=mid:{mid}\r\na=inactive\r\n",
        kind.as_str()
    );
}

fn write_live(text: &mut String, mid: &str, live: &LiveSection) {
    let _ = write!(text, "m={} 9 UDP/TLS/RTP/SAVPF", live.kind.as_str());
    for described in &live.formats {
        let _ = write!(text, " {}", described.payload.number);
        if let Some(rtx) = described.payload.rtx {
            let _ = write!(text, " {rtx}");
        }
    }
    let _ = write!(text, "\r\nc=IN IP4 0.0.0.0\r\na=mid:{mid}\r\n");
    for (id, uri) in &live.extensions {
        let _ = write!(text, "a=extmap:{id} {uri}\r\n");
    }
    let _ = write!(text, "a={}\r\na=rtcp-mux\r\n", live.direction);
    for described in &live.formats {
        write_format(text, described);
    }
    match live.ssrc {
        Some((media, Some(rtx))) => {
            let _ = write!(
                text,
                "a=ssrc-group:FID {media} {rtx}\r\na=ssrc:{media} cname:-\r\na=ssrc:{rtx} cname:-\r\n"
            );
        }
        Some((media, None)) => {
            let _ = write!(text, "a=ssrc:{media} cname:-\r\n");
        }
        None => {}
    }
}

fn write_format(text: &mut String, described: &Described) {
    let number = described.payload.number;
    let _ = write!(
        text,
        "a=rtpmap:{number} {}\r\n",
        rtpmap(described.payload.format)
    );
    for value in &described.feedback {
        let _ = write!(text, "a=rtcp-fb:{number} {value}\r\n");
    }
    match (described.payload.format, described.fmtp.as_deref()) {
        (Format::Digits { .. }, fmtp) => {
            let _ = write!(text, "a=fmtp:{number} 0-{}\r\n", events_max(fmtp));
        }
        (Format::Codec(_), Some(fmtp)) if !fmtp.is_empty() => {
            let _ = write!(text, "a=fmtp:{number} {fmtp}\r\n");
        }
        (Format::Codec(_) | Format::Noise { .. }, _) => {}
    }
    if let Some(rtx) = described.payload.rtx {
        let clock_hz = super::format::clock_hz(described.payload.format);
        let _ = write!(
            text,
            "a=rtpmap:{rtx} rtx/{clock_hz}\r\na=fmtp:{rtx} apt={number}\r\n"
        );
    }
}

/// RFC 4733 §2.4.1 lists events as `0-15,66`; the engine reads one range from 0.
fn events_max(fmtp: Option<&str>) -> u8 {
    let first = fmtp
        .and_then(|fmtp| fmtp.split(',').next())
        .unwrap_or_default();
    let last = first
        .trim()
        .strip_prefix("0-")
        .and_then(|last| last.parse().ok());
    last.unwrap_or(DIGIT_EVENTS_MAX)
}

/// The header extensions of a section that the engine knows and that something here uses. The MID
/// is left out where the engine has another name for the line.
pub(super) fn extensions(media: &Media, renamed: bool) -> Vec<(u16, Box<str>)> {
    let mut ids = BTreeSet::new();
    let mut kept: Vec<(u16, Box<str>)> = Vec::new();
    for extmap in media.extmaps() {
        let wanted = EXTENSIONS.contains(&extmap.uri) && !(renamed && extmap.uri == MID_URI);
        let known = kept.iter().any(|(_, uri)| **uri == *extmap.uri);
        if wanted && !known && (1..=EXTENSION_ID_MAX).contains(&extmap.id) && ids.insert(extmap.id)
        {
            kept.push((extmap.id, extmap.uri.into()));
        }
    }
    kept
}

/// The peer's first source in a section with its retransmission source.
pub(super) fn sources(media: &Media) -> Option<(u32, Option<u32>)> {
    let repairs: Vec<(u32, u32)> = media
        .ssrc_groups()
        .filter(|group| group.semantics == "FID")
        .take(SOURCES_MAX)
        .filter_map(|group| Some((*group.ssrcs.first()?, *group.ssrcs.get(1)?)))
        .collect();
    let main = media
        .ssrcs()
        .map(|ssrc| ssrc.ssrc)
        .find(|ssrc| *ssrc != 0 && !repairs.iter().any(|(_, repair)| repair == ssrc))?;
    let repair = repairs
        .iter()
        .find(|(media, _)| *media == main)
        .map(|(_, repair)| *repair);
    Some((
        main,
        repair.filter(|repair| *repair != 0 && *repair != main),
    ))
}

/// Whether the engine leaves a mid as it is: it keeps sixteen letters, digits and underscores.
pub(super) fn keeps_mid(mid: &str) -> bool {
    (1..=MID_MAX).contains(&mid.len())
        && mid
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

const MID_URI: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";

/// Left out: rid extensions (no simulcast), timing and colour (nobody reads them).
const EXTENSIONS: &[&str] = &[
    "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
    "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
    MID_URI,
    "urn:ietf:params:rtp-hdrext:toffset",
    "urn:3gpp:video-orientation",
    "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
    "http://www.webrtc.org/experiments/rtp-hdrext/video-content-type",
];
/// RFC 8285 §4.2: one-byte headers have ids 1 to 14.
const EXTENSION_ID_MAX: u16 = 14;
/// `0-9*#A-D` and flash are events 0 to 16 (RFC 4733 §3.2).
const DIGIT_EVENTS_MAX: u8 = 16;
/// FID groups read in one section.
const SOURCES_MAX: usize = 64;
/// The longest mid of the engine.
const MID_MAX: usize = 16;
