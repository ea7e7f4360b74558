//! What an endpoint may use in a call.

use codec::{Codec, Kind};

/// The limits that an offer is answered within.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Allowed audio codecs, best first (the order of `allow=`).
    pub audio: Vec<&'static Codec>,
    /// Allowed video codecs, best first.
    pub video: Vec<&'static Codec>,
    /// How many audio streams a call may have.
    pub max_audio_streams: usize,
    /// How many video streams a call may have.
    pub max_video_streams: usize,
    /// Whether digits may come as RTP events (RFC 4733).
    pub telephone_event: bool,
}

impl Policy {
    /// The allowed codecs of a kind, best first.
    pub fn codecs(&self, kind: Kind) -> &[&'static Codec] {
        match kind {
            Kind::Audio => &self.audio,
            Kind::Video => &self.video,
        }
    }

    /// How many streams of a kind a call may have.
    pub fn max_streams(&self, kind: Kind) -> usize {
        match kind {
            Kind::Audio => self.max_audio_streams,
            Kind::Video => self.max_video_streams,
        }
    }

    /// The rank of a codec, 0 the best; `None` where it is not allowed.
    pub fn rank(&self, codec: &Codec) -> Option<usize> {
        self.codecs(codec.kind)
            .iter()
            .position(|allowed| *allowed == codec)
    }
}
