//! What must happen between two legs: pure, from what both peers agreed.
//!
//! The first audio stream of one goes with the first audio stream of the other, the second with the
//! second, and so on for each kind. A stream without a counterpart goes nowhere. Each direction has its
//! own plan; both pair the same streams.

use codec::{Codec, Kind};
use rtc::StreamId;
use rtc::topology::{Stream, Topology};

/// What happens to the packets of one stream of the one on their way to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// Where they come from.
    pub source: StreamId,
    /// Where they go.
    pub target: StreamId,
    /// Audio or video.
    pub kind: Kind,
    /// How.
    pub way: Way,
}

/// How packets get from one stream to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// As they are, with the payload types and numbers of the other side: the other takes every codec
    /// they may come in.
    Forward,
    /// As they are where the other takes their codec; the rest has to become this one first.
    Transcode(&'static Codec),
    /// Not at all: one of the two holds the stream, or they have nothing in common.
    Drop,
}

/// The way of everything that comes from `a` and is for `b`.
pub fn plan(a: &Topology, b: &Topology) -> Vec<Line> {
    let mut lines = Vec::new();
    for kind in [Kind::Audio, Kind::Video] {
        for (from, to) in a.streams(kind).zip(b.streams(kind)) {
            lines.push(Line {
                source: StreamId(from.mline),
                target: StreamId(to.mline),
                kind,
                way: way(from, to),
            });
        }
    }
    lines
}

fn way(from: &Stream, to: &Stream) -> Way {
    if !from.direction.receives() || !to.direction.sends() {
        return Way::Drop;
    }
    let taken = |codec: &&'static Codec| codecs(to).any(|own| own == *codec);
    let mut strange = codecs(from).filter(|codec| !taken(codec));
    match (strange.next(), codecs(to).next()) {
        (None, Some(_)) => Way::Forward,
        // Nobody makes video anew.
        (Some(_), Some(_)) if from.kind == Kind::Video => match codecs(from).any(|own| taken(&own))
        {
            true => Way::Forward,
            false => Way::Drop,
        },
        (Some(_), Some(best)) => Way::Transcode(best),
        (_, None) => Way::Drop,
    }
}

/// The agreed codecs of a stream, best first.
fn codecs(stream: &Stream) -> impl Iterator<Item = &'static Codec> {
    stream
        .payloads
        .iter()
        .filter_map(|payload| payload.format.codec())
}

#[cfg(test)]
mod tests {
    use super::{Line, Way, plan};
    use codec::{Kind, by_name};
    use rtc::StreamId;
    use rtc::topology::{Direction, Format, Payload, Stream, Topology};

    fn stream(mline: usize, names: &[&str], direction: Direction) -> Stream {
        let codecs = names.iter().map(|name| by_name(name).unwrap());
        let kind = codecs
            .clone()
            .next()
            .map_or(Kind::Audio, |codec| codec.kind);
        let payload = |(number, codec)| Payload {
            number,
            format: Format::Codec(codec),
            rtx: None,
        };
        Stream {
            mline,
            payloads: (96..).zip(codecs).map(payload).collect(),
            ..Stream::wanted(kind, direction)
        }
    }

    fn way(from: &[&str], to: &[&str]) -> Way {
        let one = |names| Topology::new(vec![stream(0, names, Direction::SendRecv)]);
        plan(&one(from), &one(to))[0].way
    }

    #[test]
    fn what_the_other_takes_is_forwarded() {
        assert_eq!(way(&["opus"], &["opus", "ulaw"]), Way::Forward);
        assert_eq!(way(&["ulaw", "opus"], &["opus", "ulaw"]), Way::Forward);
    }

    #[test]
    fn audio_the_other_does_not_take_becomes_what_it_likes_best() {
        let alaw = by_name("alaw").unwrap();
        assert_eq!(way(&["opus"], &["alaw", "ulaw"]), Way::Transcode(alaw));
        assert_eq!(way(&["opus", "alaw"], &["alaw"]), Way::Transcode(alaw));
        assert_eq!(way(&["opus"], &[]), Way::Drop);
    }

    #[test]
    fn video_is_forwarded_or_dropped() {
        assert_eq!(way(&["vp8", "h264"], &["h264"]), Way::Forward);
        assert_eq!(way(&["vp8"], &["h264"]), Way::Drop);
    }

    #[test]
    fn streams_go_by_their_number_within_the_kind() {
        use Direction::SendRecv;
        let a = Topology::new(vec![
            stream(0, &["opus"], SendRecv),
            stream(1, &["vp8"], SendRecv),
            stream(2, &["vp8"], SendRecv),
        ]);
        let b = Topology::new(vec![
            stream(0, &["vp8"], SendRecv),
            stream(3, &["opus"], SendRecv),
        ]);
        let line = |source, target, kind| Line {
            source: StreamId(source),
            target: StreamId(target),
            kind,
            way: Way::Forward,
        };
        let expected = [line(0, 3, Kind::Audio), line(1, 0, Kind::Video)];
        assert_eq!(plan(&a, &b), expected);
        let back = [line(3, 0, Kind::Audio), line(0, 1, Kind::Video)];
        assert_eq!(plan(&b, &a), back);
    }

    #[test]
    fn a_held_stream_goes_neither_where_it_is_not_wanted_nor_whence_it_may_not_come() {
        use Direction::{RecvOnly, SendOnly, SendRecv};
        let one = |direction| Topology::new(vec![stream(0, &["opus"], direction)]);
        let way = |a, b| plan(&one(a), &one(b))[0].way;
        assert_eq!(way(SendRecv, RecvOnly), Way::Drop);
        assert_eq!(way(SendOnly, SendRecv), Way::Drop);
        assert_eq!(way(RecvOnly, SendOnly), Way::Forward);
    }
}
