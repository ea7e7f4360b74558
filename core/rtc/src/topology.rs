//! The streams of a call: how many of which kind, which way, under which names.

use codec::{Codec, Kind};
pub use sdp::Direction;

/// One accepted `m=` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Audio or video.
    pub kind: Kind,
    /// Seen from us: `SendOnly` flows to the peer.
    pub direction: Direction,
    /// The name of the line in the engine; `None` for a line that is only wanted. It differs from
    /// the peer's `a=mid` where the engine could not carry that.
    pub mid: Option<Box<str>>,
    /// The index of the line in the descriptions that the peer sees, refused lines counted.
    pub mline: usize,
    /// The `a=msid` stream we send under: one picture in a browser is one stream.
    pub stream_id: Box<str>,
    /// The `a=msid` track we send under.
    pub track_id: Box<str>,
    /// The agreed payload types, best first, RFC 4733 events last.
    pub payloads: Vec<Payload>,
    /// The peer's SSRCs for the line, as far as it named them: media, then retransmission.
    pub ssrcs: Vec<(u32, Option<u32>)>,
    /// What the peer asks of the packets it is sent.
    pub wishes: Wishes,
}

/// What a description asks of whoever sends to it: how long packets are, and the parameters of codecs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// `a=ptime` (RFC 8866 §6.4), in milliseconds.
    pub packet_ms: Option<u16>,
    /// `a=maxptime`, in milliseconds.
    pub packet_ms_max: Option<u16>,
    /// The `a=fmtp` of each codec that has one.
    pub parameters: Vec<(&'static Codec, Box<str>)>,
}

impl Wishes {
    /// The `a=fmtp` of a codec; empty where there is none.
    pub fn fmtp(&self, codec: &Codec) -> &str {
        let mut known = self.parameters.iter();
        let found = known.find(|(own, _)| *own == codec);
        found.map_or("", |(_, fmtp)| &**fmtp)
    }

    /// How long packets of sound should be, in milliseconds: as long as asked, and never longer than may be.
    pub fn packet_ms(&self, usual_ms: u16) -> u16 {
        let wanted = self.packet_ms.unwrap_or(usual_ms);
        self.packet_ms_max.map_or(wanted, |max| wanted.min(max))
    }
}

/// One agreed payload type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payload {
    /// 0 to 127.
    pub number: u8,
    /// What it carries.
    pub format: Format,
    /// The payload type of its retransmissions (RFC 4588).
    pub rtx: Option<u8>,
}

/// What a payload type carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Media of this codec.
    Codec(&'static Codec),
    /// Digits (RFC 4733) on this clock.
    Digits {
        /// In hertz.
        clock_hz: u32,
    },
    /// Comfort noise (RFC 3389) on this clock.
    Noise {
        /// In hertz.
        clock_hz: u32,
    },
}

impl Format {
    /// The codec, where it is one.
    pub fn codec(self) -> Option<&'static Codec> {
        match self {
            Self::Codec(codec) => Some(codec),
            Self::Digits { .. } | Self::Noise { .. } => None,
        }
    }
}

/// The streams of a call, in the order of their `m=` lines. Refused lines are not in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topology(Vec<Stream>);

impl Topology {
    /// A topology of these streams.
    pub fn new(streams: Vec<Stream>) -> Self {
        Self(streams)
    }

    /// The same with `count` live streams of a kind: surplus ones at the end become inactive, missing ones
    /// are appended with this direction (`SendRecv` for the first of its kind).
    #[must_use]
    pub fn with_count(mut self, kind: Kind, count: usize, direction: Direction) -> Self {
        let mut live = 0;
        for stream in self.0.iter_mut().filter(|stream| stream.kind == kind) {
            if live == count {
                stream.direction = Direction::Inactive;
            } else if stream.direction == Direction::Inactive && live > 0 {
                stream.direction = direction;
                live += 1;
            } else {
                live += 1;
            }
        }
        for index in live..count {
            let direction = if index == 0 {
                Direction::SendRecv
            } else {
                direction
            };
            self.0.push(Stream::wanted(kind, direction));
        }
        self
    }

    /// The streams of a kind.
    pub fn streams(&self, kind: Kind) -> impl Iterator<Item = &Stream> {
        self.0.iter().filter(move |stream| stream.kind == kind)
    }

    /// Every stream.
    pub fn iter(&self) -> std::slice::Iter<'_, Stream> {
        self.0.iter()
    }

    /// The stream that the engine calls `mid`.
    pub fn by_mid(&self, mid: &str) -> Option<&Stream> {
        self.0
            .iter()
            .find(|stream| stream.mid.as_deref() == Some(mid))
    }

    /// The stream that a payload type belongs to, if it belongs to exactly one. For peers that name
    /// neither SSRCs nor mids.
    pub fn by_payload_type(&self, number: u8) -> Option<&Stream> {
        let carries = |stream: &&Stream| {
            stream
                .payloads
                .iter()
                .any(|payload| payload.number == number || payload.rtx == Some(number))
        };
        let mut streams = self.0.iter().filter(carries);
        streams.next().filter(|_| streams.next().is_none())
    }

    /// How many streams there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no stream.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Stream {
    /// The agreed codecs, best first.
    pub fn codecs(&self) -> impl Iterator<Item = &'static Codec> {
        let formats = self.payloads.iter().map(|payload| payload.format);
        formats.filter_map(Format::codec)
    }

    /// A stream that is not negotiated yet.
    pub fn wanted(kind: Kind, direction: Direction) -> Self {
        Self {
            kind,
            direction,
            mid: None,
            mline: 0,
            stream_id: Box::default(),
            track_id: Box::default(),
            payloads: Vec::new(),
            ssrcs: Vec::new(),
            wishes: Wishes::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Direction, Format, Payload, Stream, Topology};
    use codec::Kind;

    fn directions(topology: &Topology, kind: Kind) -> Vec<Direction> {
        topology
            .streams(kind)
            .map(|stream| stream.direction)
            .collect()
    }

    #[test]
    fn the_first_of_a_kind_goes_both_ways_and_further_ones_as_asked() {
        let topology = Topology::default().with_count(Kind::Video, 3, Direction::SendOnly);
        assert_eq!(
            directions(&topology, Kind::Video),
            [
                Direction::SendRecv,
                Direction::SendOnly,
                Direction::SendOnly
            ]
        );
        let less = topology.with_count(Kind::Video, 1, Direction::SendOnly);
        assert_eq!(
            directions(&less, Kind::Video),
            [
                Direction::SendRecv,
                Direction::Inactive,
                Direction::Inactive
            ]
        );
        let more = less.with_count(Kind::Video, 2, Direction::RecvOnly);
        assert_eq!(more.len(), 3, "an idle stream is used before a new one");
        assert_eq!(
            directions(&more, Kind::Video)[1..],
            [Direction::RecvOnly, Direction::Inactive]
        );
    }

    #[test]
    fn a_payload_type_finds_its_stream_only_if_no_other_has_it() {
        let stream = |kind, number, rtx| Stream {
            payloads: vec![Payload {
                number,
                format: Format::Digits { clock_hz: 8000 },
                rtx,
            }],
            ..Stream::wanted(kind, Direction::SendRecv)
        };
        let audio = stream(Kind::Audio, 0, None);
        let video = stream(Kind::Video, 96, Some(97));
        let topology = Topology::new(vec![audio, video.clone()]);
        let found = |topology: &Topology, number| {
            topology.by_payload_type(number).map(|stream| stream.kind)
        };
        assert_eq!(found(&topology, 97), Some(Kind::Video));
        assert_eq!(found(&topology, 98), None);
        let twice = Topology::new(vec![video.clone(), video]);
        assert_eq!(found(&twice, 96), None);
    }
}
