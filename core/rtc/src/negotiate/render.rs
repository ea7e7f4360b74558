//! From the engine's description to the one for the peer: its names, order and profile, our origin
//! and our stream ids.

use codec::{Codec, Preference};
use sdp::{Direction, Line as Row, Media, MediaKind, Sdp};

use super::canonical;
use super::format::{self, Described, rtpmap};
use super::table::Line;
use crate::policy::Policy;
use crate::topology::Payload;

/// A section for the peer and what it agrees on.
pub(super) struct Rendered {
    pub(super) media: Media,
    pub(super) direction: Direction,
    pub(super) payloads: Vec<Payload>,
}

/// What bounds the formats of a section.
#[derive(Clone, Copy)]
pub(super) enum Bounds<'a> {
    /// In an answer: what the peer offered, in the order of `allow=`.
    Offer(&'a [Described]),
    /// In an offer of ours: what the call agreed on for this kind of media. A browser takes it ill
    /// when a number that it gave to another codec comes back with a new meaning.
    Agreed(&'a [Payload]),
    /// In an offer of ours that is about codecs: these, best first.
    Codecs(&'a [&'static Codec]),
    /// In our first offer.
    Policy,
}

impl Bounds<'_> {
    fn apply(self, formats: &mut Vec<Described>) {
        match self {
            Self::Offer(offered) => {
                // The engine has one table for all lines and keeps what a line once had; this line
                // may lack a codec or its retransmissions now.
                let offer = |own: &Described| {
                    let (number, format) = (own.payload.number, own.payload.format);
                    let same = |offer: &Payload| (offer.number, offer.format) == (number, format);
                    offered.iter().position(|offer| same(&offer.payload))
                };
                formats.retain(|own| offer(own).is_some());
                // RFC 3264 §6.1: "it is RECOMMENDED that unless there is a specific reason, the
                // answerer list formats in the same relative order they were present in the
                // offer". `allow=` is such a reason.
                formats.sort_by_key(offer);
                for own in formats {
                    let rtx = offer(own).and_then(|index| offered[index].payload.rtx);
                    own.payload.rtx = own.payload.rtx.filter(|number| Some(*number) == rtx);
                }
            }
            Self::Agreed(agreed) => formats.retain(|own| {
                let same = |payload: &Payload| {
                    (payload.number, payload.format) == (own.payload.number, own.payload.format)
                };
                agreed.iter().any(same)
            }),
            Self::Codecs(codecs) => format::keep(formats, codecs),
            Self::Policy => {}
        }
    }

    /// An answer only keeps feedback that was offered (RFC 4585 §4.2).
    fn allows_feedback(self, number: u8, value: &str) -> bool {
        match self {
            Self::Offer(offered) => {
                let offer = offered.iter().find(|offer| offer.payload.number == number);
                offer.is_none_or(|offer| offer.feedback.iter().any(|own| **own == *value))
            }
            Self::Agreed(_) | Self::Codecs(_) | Self::Policy => true,
        }
    }
}

/// Renders a line in use; `None` where the engine left no codec.
pub(super) fn live(
    engine: &Media,
    line: &Line,
    bounds: Bounds<'_>,
    policy: &Policy,
) -> Option<Rendered> {
    let kind = line.av_kind()?;
    let mut formats = format::read(engine, kind, policy, Preference::LOCAL);
    bounds.apply(&mut formats);
    if engine.port == 0 || !super::decide::has_codec(&formats) {
        return None;
    }
    let direction = engine.direction().unwrap_or_default();
    let mut media = Media::new(line.kind.clone(), PORT, &line.profile);
    media.lines.push(Row::new('c', "IN IP4 0.0.0.0"));
    for name in ["ice-ufrag", "ice-pwd", "fingerprint", "setup"] {
        copy(engine, &mut media, name);
    }
    if let Some(mid) = &line.mid {
        media.lines.push(Row::attribute("mid", mid));
    }
    for (id, uri) in canonical::extensions(engine, false) {
        media
            .lines
            .push(Row::attribute("extmap", format!("{id} {uri}")));
    }
    media.lines.push(Row::flag(direction.as_str()));
    if direction.sends() {
        media.lines.push(Row::attribute(
            "msid",
            format!("{} {}", line.stream_id, line.track_id),
        ));
    }
    media.lines.push(Row::flag("rtcp-mux"));
    for described in &formats {
        write_format(&mut media, described, bounds);
    }
    if direction.sends() {
        copy(engine, &mut media, "ssrc-group");
        // RFC 8830 has the msid at the m= line; repeating it at each source is the old "plan B".
        for ssrc in engine.ssrcs().filter(|ssrc| ssrc.attribute == "cname") {
            media.lines.push(Row::attribute(
                "ssrc",
                format!("{} cname:{}", ssrc.ssrc, ssrc.value),
            ));
        }
    }
    Some(Rendered {
        media,
        direction,
        payloads: formats.iter().map(|described| described.payload).collect(),
    })
}

/// RFC 3264 §6: "To reject an offered stream, the port number in the corresponding stream in the
/// answer MUST be set to zero. Any media formats listed are ignored. At least one MUST be present".
pub(super) fn refused(line: &Line) -> Media {
    let mut media = Media::new(line.kind.clone(), 0, &line.profile);
    media.formats.clone_from(&line.formats);
    if media.formats.is_empty() {
        media.formats.push("0".into());
    }
    media.lines.push(Row::new('c', "IN IP4 0.0.0.0"));
    if let Some(mid) = &line.mid {
        media.lines.push(Row::attribute("mid", mid));
    }
    if !matches!(line.kind, MediaKind::Application | MediaKind::Message) {
        media.lines.push(Row::flag("inactive"));
    }
    media
}

/// Puts the engine's candidates, wherever it wrote them, into the first section in use: that one
/// carries the transport of the bundle (RFC 9143 §7.1.2).
pub(super) fn add_candidates(engine: &Sdp, sections: &mut [Media]) {
    let Some(media) = sections.iter_mut().find(|media| media.port != 0) else {
        return;
    };
    let mut rows: Vec<Row> = Vec::new();
    for candidate in engine
        .media
        .iter()
        .flat_map(|media| media.attributes("candidate"))
    {
        rows.push(Row::attribute("candidate", candidate));
    }
    if !rows.is_empty() {
        // There is no trickling over SIP here: these are all (RFC 8840 §4.1.3).
        rows.push(Row::flag("end-of-candidates"));
    }
    media.lines.splice(1..1, rows);
}

/// The session-level part below `o=`.
pub(super) fn session(engine: &Sdp, sections: &[Media], bundle: bool, mixed: bool) -> Vec<Row> {
    let mut rows = vec![Row::new('s', "sidetone"), Row::new('t', "0 0")];
    if bundle {
        let mut group = String::from("BUNDLE");
        for mid in sections
            .iter()
            .filter(|media| media.port != 0)
            .filter_map(Media::mid)
        {
            group.push(' ');
            group.push_str(mid);
        }
        rows.push(Row::attribute("group", group));
    }
    if engine.attribute("ice-lite").is_some() {
        rows.push(Row::flag("ice-lite"));
    }
    if mixed && engine.attribute("extmap-allow-mixed").is_some() {
        rows.push(Row::flag("extmap-allow-mixed"));
    }
    rows.push(Row::attribute("msid-semantic", "WMS *"));
    rows
}

fn write_format(media: &mut Media, described: &Described, bounds: Bounds<'_>) {
    let number = described.payload.number;
    let map = rtpmap(described.payload.format);
    media.formats.push(number.to_string().into());
    media
        .lines
        .push(Row::attribute("rtpmap", format!("{number} {map}")));
    for value in &described.feedback {
        if bounds.allows_feedback(number, value) {
            media
                .lines
                .push(Row::attribute("rtcp-fb", format!("{number} {value}")));
        }
    }
    if let Some(fmtp) = &described.fmtp {
        media
            .lines
            .push(Row::attribute("fmtp", format!("{number} {fmtp}")));
    }
    if let Some(rtx) = described.payload.rtx {
        let clock_hz = format::clock_hz(described.payload.format);
        media.formats.push(rtx.to_string().into());
        media
            .lines
            .push(Row::attribute("rtpmap", format!("{rtx} rtx/{clock_hz}")));
        media
            .lines
            .push(Row::attribute("fmtp", format!("{rtx} apt={number}")));
    }
}

fn copy(from: &Media, to: &mut Media, name: &str) {
    for value in from.attributes(name) {
        to.lines.push(Row::attribute(name, value));
    }
}

/// The discard port: the real one is in the candidates (RFC 8840 §4.1.1 writes 9 with 0.0.0.0).
const PORT: u16 = 9;
