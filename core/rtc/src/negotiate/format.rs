//! Payload types of one media section, and what each number means in the whole session.

use std::collections::BTreeMap;

use codec::{Codec, Kind, Preference};
use sdp::{Media, Sdp};

use crate::policy::Policy;
use crate::topology::{Format, Payload, Wishes};

/// One payload type that can be used, with the lines that describe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Described {
    pub(crate) payload: Payload,
    /// The value of its `a=fmtp`, without the number.
    pub(crate) fmtp: Option<Box<str>>,
    /// Its `a=rtcp-fb` values, wildcards resolved.
    pub(super) feedback: Vec<Box<str>>,
}

impl Described {
    /// Whether its feedback has requests for key frames (RFC 4585 §4.2, RFC 5104 §7.1).
    pub(crate) fn asks_keyframes(&self) -> bool {
        let is_one = |value: &str| value == "nack pli" || value == "ccm fir";
        self.feedback.iter().any(|value| is_one(value))
    }
}

/// Reads what a section describes and the policy allows: best codec first, in the order of the
/// preference, digits last. Redundancy, forward error correction, comfort noise and unknown
/// codecs are left out.
pub(super) fn read(
    media: &Media,
    kind: Kind,
    policy: &Policy,
    order: Preference,
) -> Vec<Described> {
    let tables = Tables::of(media);
    let mut described: Vec<Described> = Vec::new();
    let mut pending: Vec<&'static Codec> = Vec::new();
    let mut digits = Vec::new();
    let mut seen = [false; 128];
    for number in media.payload_types() {
        if std::mem::replace(&mut seen[usize::from(number)], true) {
            continue;
        }
        match tables.format(number) {
            Some(Format::Codec(codec)) if codec.kind == kind => {
                if policy.codecs(kind).contains(&codec) {
                    described.push(tables.describe(number, Format::Codec(codec)));
                    if !pending.contains(&codec) {
                        pending.push(codec);
                    }
                }
            }
            Some(format @ Format::Digits { .. })
                if kind == Kind::Audio && policy.telephone_event =>
            {
                digits.push(tables.describe(number, format));
            }
            Some(_) | None => {}
        }
    }
    let ranks = order.apply(&pending, policy.codecs(kind));
    let rank = |own: &Described| {
        let codec = own.payload.format.codec();
        ranks.iter().position(|ranked| codec == Some(*ranked))
    };
    described.retain(|own| rank(own).is_some());
    described.sort_by_key(rank);
    // RFC 4733 §2.1: events share SSRC and clock with the audio they stand for.
    let rank = |digit: &Described| {
        described
            .iter()
            .position(|audio| clock_hz(audio.payload.format) == clock_hz(digit.payload.format))
    };
    digits.retain(|digit| rank(digit).is_some());
    digits.sort_by_key(rank);
    described.append(&mut digits);
    described
}

/// The same for a desk phone: some describe events on 8 kHz alone beside audio on another clock, and
/// send them so.
pub(super) fn read_loosely(
    media: &Media,
    kind: Kind,
    policy: &Policy,
    order: Preference,
) -> Vec<Described> {
    let mut described = read(media, kind, policy, order);
    if kind != Kind::Audio {
        return described;
    }
    let tables = Tables::of(media);
    let formats: Vec<(u8, Format)> = media
        .payload_types()
        .filter_map(|number| Some((number, tables.format(number)?)))
        .collect();
    let is_digits = |format: Format| matches!(format, Format::Digits { .. });
    if policy.telephone_event && !described.iter().any(|own| is_digits(own.payload.format)) {
        let mut digits = formats.iter().filter(|(_, format)| is_digits(*format));
        let first = digits.next();
        described.extend(first.map(|(number, format)| tables.describe(*number, *format)));
    }
    // RFC 3389 §4: noise has the clock of the sound it stands between.
    let stands_between = |format: Format| {
        let is_its = |own: &Described| {
            let codec = own.payload.format.codec();
            codec.is_some_and(|codec| codec.clock_hz == clock_hz(format))
        };
        matches!(format, Format::Noise { .. }) && described.iter().any(is_its)
    };
    let noise = formats.iter().find(|(_, format)| stands_between(*format));
    described.extend(noise.map(|(number, format)| tables.describe(*number, *format)));
    described
}

/// Keeps these codecs alone, in this order, and of events and noise those on the clock of one of them.
pub(super) fn keep(formats: &mut Vec<Described>, codecs: &[&'static Codec]) {
    let rank = |own: &Described| {
        let codec = own.payload.format.codec()?;
        codecs.iter().position(|wanted| *wanted == codec)
    };
    let had: Vec<u32> = formats
        .iter()
        .filter(|own| rank(own).is_some())
        .map(|own| clock_hz(own.payload.format))
        .collect();
    formats.retain(|own| match own.payload.format {
        Format::Codec(_) => rank(own).is_some(),
        format @ (Format::Digits { .. } | Format::Noise { .. }) => had.contains(&clock_hz(format)),
    });
    formats.sort_by_key(|own| rank(own).unwrap_or(usize::MAX));
}

/// What a section asks of whoever sends to it.
pub(super) fn wishes(sdp: &Sdp, media: &Media, described: &[Described]) -> Wishes {
    let length = |name| {
        let written = media.attribute(name).or_else(|| sdp.attribute(name))?;
        let length: u16 = written.trim().parse().ok()?;
        PACKET_MS.contains(&length).then_some(length)
    };
    let parameters = described.iter().filter_map(|own| {
        let fmtp = own.fmtp.as_deref().filter(|fmtp| fmtp.len() <= FMTP_MAX)?;
        Some((own.payload.format.codec()?, fmtp.into()))
    });
    Wishes {
        packet_ms: length("ptime"),
        packet_ms_max: length("maxptime"),
        parameters: parameters.collect(),
    }
}

/// The encoding names of a section, for a sentence.
pub(super) fn names(media: &Media) -> Box<str> {
    let tables = Tables::of(media);
    let mut names: Vec<&str> = Vec::new();
    for number in media.payload_types() {
        let name = tables.rtpmaps.get(&number).map_or_else(
            || static_codec(number).map_or_else(|| assigned(number), |codec| codec.encoding),
            |(name, _)| name,
        );
        if !names.contains(&name) && names.len() < NAMES_MAX {
            names.push(name);
        }
    }
    names.join(", ").into()
}

/// What RFC 3551 §6 calls numbers of codecs that are not here.
fn assigned(number: u8) -> &'static str {
    match number {
        3 => "GSM",
        4 => "G723",
        5..=6 | 16..=17 => "DVI4",
        7 => "LPC",
        12 => "QCELP",
        14 => "MPA",
        15 => "G728",
        18 => "G729",
        26 => "JPEG",
        31 => "H261",
        32 => "MPV",
        34 => "H263",
        _ => "unknown",
    }
}

/// The clock of a format.
pub(super) fn clock_hz(format: Format) -> u32 {
    match format {
        Format::Codec(codec) => codec.clock_hz,
        Format::Digits { clock_hz } | Format::Noise { clock_hz } => clock_hz,
    }
}

/// The value of `a=rtpmap` behind the number. Channels stand only where they are not one.
pub(super) fn rtpmap(format: Format) -> String {
    match format {
        Format::Codec(codec) if codec.channels > 1 => {
            format!("{}/{}/{}", codec.encoding, codec.clock_hz, codec.channels)
        }
        Format::Codec(codec) => format!("{}/{}", codec.encoding, codec.clock_hz),
        Format::Digits { clock_hz } => format!("telephone-event/{clock_hz}"),
        Format::Noise { clock_hz } => format!("CN/{clock_hz}"),
    }
}

/// What each payload type means in this session.
///
/// RFC 9143 §10.1.1: within one BUNDLE transport a payload type has one codec configuration. The
/// engine panics over a number with two meanings; the table keeps such numbers from it.
#[derive(Clone, Debug, Default)]
pub(super) struct PayloadTypes(BTreeMap<u8, Box<str>>);

impl PayloadTypes {
    /// Keeps the formats whose numbers mean here what they meant before, or nothing yet.
    pub(super) fn claim(&mut self, described: Vec<Described>) -> Vec<Described> {
        described
            .into_iter()
            .filter_map(|mut described| {
                let meaning = meaning(&described);
                if !self.claim_one(described.payload.number, &meaning) {
                    return None;
                }
                described.payload.rtx = described.payload.rtx.filter(|rtx| {
                    self.claim_one(*rtx, &format!("rtx {}", described.payload.number))
                });
                Some(described)
            })
            .collect()
    }

    fn claim_one(&mut self, number: u8, meaning: &str) -> bool {
        let known = self.0.entry(number).or_insert_with(|| meaning.into());
        **known == *meaning
    }
}

/// What a number stands for: the codec and the parameters that make it another codec.
fn meaning(described: &Described) -> String {
    let name = rtpmap(described.payload.format);
    let parameter = |name: &str, default: &str| {
        let fmtp = described.fmtp.as_deref().unwrap_or_default();
        let fmtp = sdp::Fmtp {
            payload_type: described.payload.number,
            parameters: fmtp,
        };
        fmtp.parameter(name).unwrap_or(default).to_ascii_lowercase()
    };
    match described.payload.format {
        // RFC 6184 §8.2.2: profile and packetization mode are the same on both sides; the level
        // (the last two digits) need not be.
        Format::Codec(codec) if codec.encoding == "H264" => {
            let profile: String = parameter("profile-level-id", "420010")
                .chars()
                .take(4)
                .collect();
            format!("{name} {profile} {}", parameter("packetization-mode", "0"))
        }
        Format::Codec(codec) if codec.encoding == "VP9" => {
            format!("{name} {}", parameter("profile-id", "0"))
        }
        Format::Codec(codec) if codec.encoding == "AV1" => {
            format!("{name} {}", parameter("profile", "0"))
        }
        Format::Codec(_) | Format::Digits { .. } | Format::Noise { .. } => name,
    }
}

/// The lines of a section by payload type, so that reading it stays linear.
struct Tables<'a> {
    rtpmaps: BTreeMap<u8, (&'a str, u32)>,
    fmtps: BTreeMap<u8, &'a str>,
    /// By the number whose packets are retransmitted: the other number and its clock.
    rtx: BTreeMap<u8, (u8, u32)>,
    feedback: BTreeMap<u8, Vec<Box<str>>>,
    feedback_all: Vec<Box<str>>,
}

impl<'a> Tables<'a> {
    fn of(media: &'a Media) -> Self {
        let mut rtpmaps = BTreeMap::new();
        for map in media.rtpmaps() {
            rtpmaps
                .entry(map.payload_type)
                .or_insert((map.encoding, map.clock_hz));
        }
        let mut listed = [false; 128];
        for number in media.payload_types() {
            listed[usize::from(number)] = true;
        }
        let mut fmtps = BTreeMap::new();
        let mut rtx = BTreeMap::new();
        for fmtp in media.fmtps() {
            let number = fmtp.payload_type;
            if is_plain(fmtp.parameters) {
                fmtps.entry(number).or_insert(fmtp.parameters);
            }
            let is_rtx = |(name, clock_hz): &(&str, u32)| {
                (name.eq_ignore_ascii_case("rtx") && listed[usize::from(number)])
                    .then_some(*clock_hz)
            };
            let clock_hz = rtpmaps.get(&number).and_then(is_rtx);
            if let (Some(apt), Some(clock_hz)) = (fmtp.apt(), clock_hz) {
                rtx.entry(apt).or_insert((number, clock_hz));
            }
        }
        let mut feedback: BTreeMap<u8, Vec<Box<str>>> = BTreeMap::new();
        let mut feedback_all = Vec::new();
        for line in media.feedbacks() {
            let values = match line.payload_type {
                Some(number) => feedback.entry(number).or_default(),
                None => &mut feedback_all,
            };
            if values.len() < FEEDBACK_MAX && is_plain(line.value) {
                values.push(line.value.into());
            }
        }
        Self {
            rtpmaps,
            fmtps,
            rtx,
            feedback,
            feedback_all,
        }
    }

    fn format(&self, number: u8) -> Option<Format> {
        let Some((name, clock_hz)) = self.rtpmaps.get(&number) else {
            // RFC 3551 §6, table 4.
            let noise = (number == COMFORT_NOISE).then_some(Format::Noise { clock_hz: 8000 });
            return noise.or_else(|| static_codec(number).map(Format::Codec));
        };
        if name.eq_ignore_ascii_case("CN") {
            return Some(Format::Noise {
                clock_hz: *clock_hz,
            });
        }
        if name.eq_ignore_ascii_case("telephone-event") {
            return Some(Format::Digits {
                clock_hz: *clock_hz,
            });
        }
        codec::by_encoding(name, *clock_hz).map(Format::Codec)
    }

    fn describe(&self, number: u8, format: Format) -> Described {
        let mut feedback = self.feedback.get(&number).cloned().unwrap_or_default();
        for value in &self.feedback_all {
            if !feedback.contains(value) {
                feedback.push(value.clone());
            }
        }
        // RFC 4588 §8.1: retransmissions have the clock of what they retransmit.
        let rtx = self
            .rtx
            .get(&number)
            .filter(|(rtx, rtx_clock_hz)| *rtx != number && *rtx_clock_hz == clock_hz(format));
        Described {
            payload: Payload {
                number,
                format,
                rtx: rtx.map(|(rtx, _)| *rtx),
            },
            fmtp: self.fmtps.get(&number).map(|text| (*text).into()),
            feedback,
        }
    }
}

/// Whether a value can be written into another description as it is.
fn is_plain(value: &str) -> bool {
    !value.chars().any(char::is_control)
}

/// RFC 3551 §6: these numbers need no `a=rtpmap`.
fn static_codec(number: u8) -> Option<&'static Codec> {
    codec::CODECS
        .iter()
        .find(|codec| codec.payload_type == Some(number))
}

/// RFC 3551 §6, table 4.
pub(crate) const COMFORT_NOISE: u8 = 13;
/// Lengths of packets, in milliseconds, that are taken at their word.
const PACKET_MS: std::ops::RangeInclusive<u16> = 10..=200;
/// What is longer is no list of parameters of a codec.
const FMTP_MAX: usize = 500;
/// Feedback lines kept for one payload type.
const FEEDBACK_MAX: usize = 16;
/// Encoding names in one sentence.
const NAMES_MAX: usize = 8;
