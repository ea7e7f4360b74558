//! RTP packets between peers.

use super::StreamId;
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
    pub(super) fn new(
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
pub struct Format(pub(crate) CodecSpec);

impl Format {
    /// The RTP clock in hertz.
    pub fn clock_hz(&self) -> u32 {
        // RFC 3551 §4.5.2: G.722 samples at 16 kHz and counts at 8 kHz.
        match self.0.codec {
            Codec::G722 => 8000,
            _ => self.0.clock_rate.get(),
        }
    }

    /// Whether the payload is a telephone event (RFC 4733).
    pub fn is_telephone_event(&self) -> bool {
        self.0.codec.is_tele()
    }

    /// Whether a receiver that agreed to `other` can decode this.
    pub fn suits(&self, other: &Self) -> bool {
        let (ours, theirs) = (&self.0, &other.0);
        let parameters = match ours.codec {
            // RFC 6184 §8.1: profile and packetization mode must agree, the level need not.
            Codec::H264 => {
                let profile = |spec: &CodecSpec| spec.format.profile_level_id.map(|id| id >> 8);
                let mode = |spec: &CodecSpec| spec.format.packetization_mode.unwrap_or(0);
                profile(ours) == profile(theirs) && mode(ours) == mode(theirs)
            }
            Codec::Vp9 => {
                ours.format.profile_id.unwrap_or(0) == theirs.format.profile_id.unwrap_or(0)
            }
            Codec::Av1 => ours.format.profile.unwrap_or(0) == theirs.format.profile.unwrap_or(0),
            _ => true,
        };
        ours.codec == theirs.codec && ours.clock_rate == theirs.clock_rate && parameters
    }
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
