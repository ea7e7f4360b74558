//! RTP packets between peers.

use super::StreamId;
use crate::topology::Format as Carries;
use std::sync::Arc;
use str0m::format::{Codec, CodecSpec};
use str0m::rtp::{ExtensionValues, RtpPacket};

/// An RTP packet as it came, without what belongs to the transport it came on.
#[derive(Clone, Debug)]
pub struct Packet {
    /// The stream it came on.
    pub stream: StreamId,
    /// Audio or video.
    pub kind: codec::Kind,
    /// What its payload type means.
    pub format: Format,
    /// The synchronisation source.
    pub ssrc: u32,
    /// The sequence number, extended beyond 16 bits.
    pub sequence: u64,
    /// The timestamp, in units of the format's clock.
    pub timestamp: u32,
    /// The marker bit.
    pub marker: bool,
    /// Header extensions that concern the payload.
    pub extensions: Extensions,
    /// The payload, shared by all who send it on.
    pub payload: Arc<[u8]>,
}

impl Packet {
    pub(super) fn from_engine(
        stream: StreamId,
        kind: codec::Kind,
        format: Format,
        packet: RtpPacket,
    ) -> Self {
        Self {
            stream,
            kind,
            format,
            ssrc: *packet.header.ssrc,
            sequence: *packet.seq_no,
            timestamp: packet.header.timestamp,
            marker: packet.header.marker,
            extensions: Extensions::new(&packet.header.ext_vals),
            payload: packet.payload,
        }
    }
}

/// A codec with its parameters: what a payload type stands for.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    carries: Carries,
    parameters: Parameters,
}

/// What makes packets of one codec unreadable to a decoder of the same codec.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Parameters {
    /// H.264: `profile-level-id` without the level (RFC 6184 §8.1: the level need not agree).
    profile_idc: Option<u32>,
    /// H.264: `packetization-mode`.
    packetization_mode: u8,
    /// VP9: `profile-id`; AV1: `profile`.
    profile: u32,
}

impl Format {
    /// A format as a description writes it, with the value of its `a=fmtp`.
    pub fn new(carries: Carries, fmtp: Option<&str>) -> Self {
        let fmtp = sdp::Fmtp {
            payload_type: 0,
            parameters: fmtp.unwrap_or_default(),
        };
        let number = |name: &str| fmtp.parameter(name).and_then(|value| value.parse().ok());
        let profile_idc = fmtp.parameter("profile-level-id");
        let profile_idc = profile_idc.and_then(|hex| u32::from_str_radix(hex, 16).ok());
        let parameters = match carries {
            Carries::Codec(codec) => match codec.encoding {
                "H264" => Parameters {
                    profile_idc: profile_idc.map(|id| id >> 8),
                    packetization_mode: number("packetization-mode").unwrap_or(0) as u8,
                    profile: 0,
                },
                "VP9" => Parameters {
                    profile: number("profile-id").unwrap_or(0),
                    ..Parameters::default()
                },
                "AV1" => Parameters {
                    profile: number("profile").unwrap_or(0),
                    ..Parameters::default()
                },
                _ => Parameters::default(),
            },
            Carries::Digits { .. } | Carries::Noise { .. } => Parameters::default(),
        };
        Self {
            carries,
            parameters,
        }
    }

    /// What it carries, whatever its parameters.
    pub(crate) fn carries(&self) -> Carries {
        self.carries
    }

    /// What the engine has agreed on; `None` for what no row of the codec table stands for.
    pub(crate) fn from_engine(spec: CodecSpec) -> Option<Self> {
        let name = match spec.codec {
            Codec::Opus => "opus",
            Codec::PCMU => "ulaw",
            Codec::PCMA => "alaw",
            Codec::G722 => "g722",
            Codec::H264 => "h264",
            Codec::Vp8 => "vp8",
            Codec::Vp9 => "vp9",
            Codec::Av1 => "av1",
            Codec::Tele => {
                let clock_hz = spec.clock_rate.get();
                return Some(Self::new(Carries::Digits { clock_hz }, None));
            }
            _ => return None,
        };
        let parameters = match spec.codec {
            Codec::H264 => Parameters {
                profile_idc: spec.format.profile_level_id.map(|id| id >> 8),
                packetization_mode: spec.format.packetization_mode.unwrap_or(0),
                profile: 0,
            },
            Codec::Vp9 => Parameters {
                profile: spec.format.profile_id.unwrap_or(0),
                ..Parameters::default()
            },
            Codec::Av1 => Parameters {
                profile: spec.format.profile.map_or(0, u32::from),
                ..Parameters::default()
            },
            _ => Parameters::default(),
        };
        Some(Self {
            carries: Carries::Codec(codec::by_name(name)?),
            parameters,
        })
    }

    /// The codec; `None` for telephone events and comfort noise.
    pub fn codec(&self) -> Option<&'static codec::Codec> {
        self.carries.codec()
    }

    /// The RTP clock in hertz. RFC 3551 §4.5.2: G.722 samples at 16 kHz and counts at 8 kHz.
    pub fn clock_hz(&self) -> u32 {
        match self.carries {
            Carries::Codec(codec) => codec.clock_hz,
            Carries::Digits { clock_hz } | Carries::Noise { clock_hz } => clock_hz,
        }
    }

    /// Whether the payload is a telephone event (RFC 4733).
    pub fn is_telephone_event(&self) -> bool {
        matches!(self.carries, Carries::Digits { .. })
    }

    /// Whether the payload describes comfort noise (RFC 3389).
    pub fn is_noise(&self) -> bool {
        matches!(self.carries, Carries::Noise { .. })
    }

    /// Whether a receiver that agreed to `other` can decode this.
    pub fn suits(&self, other: &Self) -> bool {
        self.carries == other.carries && self.parameters == other.parameters
    }

    /// Whether a receiver that agreed to `other` will most likely decode this, though the parameters are not the
    /// same. Nobody's H.264 of the Baseline profile uses what the constrained one lacks, which desk phones
    /// and browsers write differently, and whoever takes fragments (mode 1) takes whole units (mode 0) too.
    fn nearly_suits(&self, other: &Self) -> bool {
        const BASELINE: u32 = 0x42;
        let is_baseline = |own: &Self| {
            let profile_idc = own.parameters.profile_idc;
            profile_idc.is_none_or(|idc| idc >> 8 == BASELINE)
        };
        let (own, theirs) = (&self.parameters, &other.parameters);
        let is_same_profile = own.profile_idc == theirs.profile_idc;
        self.codec().is_some_and(|codec| codec.name == "h264")
            && self.carries == other.carries
            && (is_same_profile || is_baseline(self) && is_baseline(other))
            && own.packetization_mode <= theirs.packetization_mode
    }

    /// Under which number this is sent to who has agreed to these.
    pub(super) fn number_of<T: Copy>(&self, formats: &[(Self, T)]) -> Option<T> {
        let exact = formats.iter().find(|(format, _)| self.suits(format));
        let near = || formats.iter().find(|(format, _)| self.nearly_suits(format));
        exact.or_else(near).map(|(_, number)| *number)
    }
}

/// The clock of telephone events among formats: that of the first codec, if it may be (RFC 4733 §2.1).
pub(super) fn event_clock<'a>(formats: impl Iterator<Item = &'a Format> + Clone) -> Option<u32> {
    let codec = formats.clone().find(|format| format.codec().is_some());
    let clocks = formats.filter(|format| format.is_telephone_event());
    let own = codec.map(|codec| codec.clock_hz());
    let clocks = clocks.map(|format| format.clock_hz());
    clocks.min_by_key(|clock_hz| own != Some(*clock_hz))
}

/// Header extensions that describe the payload: loudness of audio, rotation of video.
#[derive(Clone, Copy, Debug, Default)]
pub struct Extensions {
    audio_level: Option<i8>,
    voice_activity: Option<bool>,
    video_orientation: Option<str0m::rtp::VideoOrientation>,
}

impl Extensions {
    fn new(values: &ExtensionValues) -> Self {
        Self {
            audio_level: values.audio_level,
            voice_activity: values.voice_activity,
            video_orientation: values.video_orientation,
        }
    }

    pub(super) fn to_engine(self) -> ExtensionValues {
        ExtensionValues {
            audio_level: self.audio_level,
            voice_activity: self.voice_activity,
            video_orientation: self.video_orientation,
            ..ExtensionValues::default()
        }
    }
}
