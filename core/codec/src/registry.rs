//! Codec names, encoding names, clocks and static payload types.

use crate::coding::Coding;
use crate::{g711, g722, l16, opus};
use std::hash::{Hash, Hasher};

/// What a stream carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// `m=audio`.
    Audio,
    /// `m=video`.
    Video,
}

impl Kind {
    /// The media type of an `m=` line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Audio => "audio",
            Self::Video => "video",
        }
    }
}

/// One codec that can be negotiated. Two are equal if they have the same name.
#[derive(Debug)]
pub struct Codec {
    /// The name Asterisk's `allow=` uses.
    pub name: &'static str,
    /// Other spellings accepted in `allow=`.
    pub aliases: &'static [&'static str],
    /// The encoding name of `a=rtpmap` (compared without case, RFC 4855 §3).
    pub encoding: &'static str,
    /// Audio or video.
    pub kind: Kind,
    /// The RTP clock in hertz. G.722's is 8000 for historical reasons (RFC 3551 §4.5.2).
    pub clock_hz: u32,
    /// Audio channels in `a=rtpmap`; 1 where the parameter is absent.
    pub channels: u8,
    /// The payload type of RFC 3551 tables 4 and 5, where the codec has a static one.
    pub payload_type: Option<u8>,
    /// What `a=fmtp` says of what we can receive.
    pub fmtp: Option<&'static str>,
    /// How it becomes sound and sound becomes it; `None` for a codec that is only passed on.
    pub coding: Option<Coding>,
}

impl PartialEq for Codec {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Codec {}

impl Hash for Codec {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

/// Every codec the exchange can forward. The order is the order `allow=all` means.
pub static CODECS: &[Codec] = &[
    Codec {
        channels: 2,
        fmtp: Some("minptime=10;useinbandfec=1"),
        ..audio("opus", "opus", 48_000, None, opus::CODING)
    },
    audio("g722", "G722", 8_000, Some(9), g722::CODING),
    Codec {
        aliases: &["pcmu", "mulaw"],
        ..audio("ulaw", "PCMU", 8_000, Some(0), g711::ULAW)
    },
    Codec {
        aliases: &["pcma"],
        ..audio("alaw", "PCMA", 8_000, Some(8), g711::ALAW)
    },
    Codec {
        aliases: &["slin8", "l16"],
        ..audio("slin", "L16", 8_000, None, l16::AT_8_KHZ)
    },
    audio("slin16", "L16", 16_000, None, l16::AT_16_KHZ),
    // RFC 3551 table 4: one channel at 44.1 kHz has a number of its own.
    audio("slin44", "L16", 44_100, Some(11), l16::AT_44_KHZ),
    audio("slin48", "L16", 48_000, None, l16::AT_48_KHZ),
    video("vp8", "VP8"),
    video("vp9", "VP9"),
    video("h264", "H264"),
    video("av1", "AV1"),
];

/// The codec that `allow=` calls `name`, compared without case.
pub fn by_name(name: &str) -> Option<&'static Codec> {
    CODECS.iter().find(|codec| {
        codec.name.eq_ignore_ascii_case(name)
            || codec
                .aliases
                .iter()
                .any(|alias| alias.eq_ignore_ascii_case(name))
    })
}

/// The codec of an `a=rtpmap` line: encoding name and clock.
pub fn by_encoding(encoding: &str, clock_hz: u32) -> Option<&'static Codec> {
    CODECS
        .iter()
        .find(|codec| codec.encoding.eq_ignore_ascii_case(encoding) && codec.clock_hz == clock_hz)
}

const fn audio(
    name: &'static str,
    encoding: &'static str,
    clock_hz: u32,
    payload_type: Option<u8>,
    coding: Coding,
) -> Codec {
    Codec {
        name,
        aliases: &[],
        encoding,
        kind: Kind::Audio,
        clock_hz,
        channels: 1,
        payload_type,
        fmtp: None,
        coding: Some(coding),
    }
}

/// RTP carries video on a 90 kHz clock (RFC 3551 §5).
const fn video(name: &'static str, encoding: &'static str) -> Codec {
    Codec {
        name,
        aliases: &[],
        encoding,
        kind: Kind::Video,
        clock_hz: 90_000,
        channels: 1,
        payload_type: None,
        fmtp: None,
        coding: None,
    }
}

#[cfg(test)]
mod tests {
    use super::{CODECS, Kind, by_encoding, by_name};
    use crate::coding::Settings;

    #[test]
    fn names_and_aliases_find_their_row_without_case() {
        assert_eq!(by_name("PCMU").map(|codec| codec.name), Some("ulaw"));
        assert_eq!(by_name("Opus").map(|codec| codec.kind), Some(Kind::Audio));
        assert_eq!(by_name("nosuchcodec"), None);
    }

    #[test]
    fn every_row_is_found_by_its_own_rtpmap() {
        for codec in CODECS {
            assert_eq!(by_encoding(codec.encoding, codec.clock_hz), Some(codec));
        }
    }

    #[test]
    fn every_audio_row_codes_a_packet_at_each_of_its_rates() {
        for codec in CODECS.iter().filter(|codec| codec.kind == Kind::Audio) {
            let coding = codec.coding.expect("audio is coded here");
            for rate_hz in coding.rates_hz {
                let settings = Settings {
                    rate_hz: *rate_hz,
                    ..Settings::default()
                };
                let mut encoder = (coding.encoder)(&settings).unwrap();
                let mut decoder = (coding.decoder)(&settings).unwrap();
                let count = *rate_hz as usize / 1000 * usize::from(coding.packet_ms);
                let (mut payload, mut samples) = (Vec::new(), Vec::new());
                encoder.encode(&vec![0; count], &mut payload).unwrap();
                decoder.decode(&payload, &mut samples).unwrap();
                assert_eq!(samples.len(), count, "{} at {rate_hz} Hz", codec.name);
                assert_eq!(decoder.samples_in(&payload), Some(count));
                decoder.conceal(count, None, &mut samples);
                assert_eq!(samples.len(), 2 * count, "{} conceals", codec.name);
            }
        }
    }

    #[test]
    fn rates_that_a_codec_has_not_are_refused() {
        for codec in CODECS.iter().filter_map(|codec| codec.coding) {
            let settings = Settings {
                rate_hz: 11_025,
                ..Settings::default()
            };
            assert!((codec.encoder)(&settings).is_err());
            assert!((codec.decoder)(&settings).is_err());
        }
    }
}
