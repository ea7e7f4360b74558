//! Codec names, encoding names, clocks and static payload types.

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

/// One codec that can be negotiated.
#[derive(Debug, PartialEq, Eq, Hash)]
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
}

/// Every codec the exchange can forward. The order is the order `allow=all` means.
pub static CODECS: &[Codec] = &[
    audio("opus", "opus", 48_000, 2, None),
    audio("g722", "G722", 8_000, 1, Some(9)),
    Codec {
        aliases: &["pcmu", "mulaw"],
        ..audio("ulaw", "PCMU", 8_000, 1, Some(0))
    },
    Codec {
        aliases: &["pcma"],
        ..audio("alaw", "PCMA", 8_000, 1, Some(8))
    },
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
    channels: u8,
    payload_type: Option<u8>,
) -> Codec {
    Codec {
        name,
        aliases: &[],
        encoding,
        kind: Kind::Audio,
        clock_hz,
        channels,
        payload_type,
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
    }
}

#[cfg(test)]
mod tests {
    use super::{CODECS, Kind, by_encoding, by_name};

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
}
