//! Offer and answer between the two halves of a local call (RFC 3264). They carry what the parties can have
//! from one to the other, and no addresses.

use std::fmt::Write as _;

use codec::{Codec, Kind};
use rtc::policy::Policy;
use rtc::topology::{Direction, Format, Payload, Stream, Topology};
use rtc::{Outcome, Refused, Round};
use sdp::{Media, MediaKind, Sdp};

/// What one half has agreed with the other.
#[derive(Default)]
pub(super) struct Descriptions {
    limit: Option<Policy>,
    agreed: Topology,
    offered: Option<Topology>,
    version: u32,
}

impl Descriptions {
    /// Codecs beyond these are neither offered nor accepted.
    pub(super) fn limit(&mut self, policy: &Policy) {
        self.limit = Some(policy.clone());
    }

    pub(super) fn round(&mut self, round: Round) -> Result<Outcome, Refused> {
        let sdp = match round {
            Round::Answer { offer } => {
                if self.offered.is_some() {
                    return Err(Refused::OfferPending);
                }
                let agreed = self.answered(&offer);
                if agreed.is_empty() {
                    return Err(Refused::NoMedia);
                }
                self.agreed = agreed;
                Some(self.describe(&self.agreed.clone(), offer.media.len()))
            }
            Round::Offer { want } => self.offered(self.offer(&want)),
            Round::Recode { codecs } => self.offered(self.recoded(&codecs)),
            Round::Apply { answer } => {
                let offered = self.offered.take().ok_or(Refused::NoOfferPending)?;
                self.agreed = applied(&offered, &answer);
                None
            }
            Round::Confirm { answer } => {
                self.agreed = applied(&self.agreed, &answer);
                None
            }
            Round::Rollback => {
                self.offered = None;
                None
            }
        };
        Ok(Outcome {
            sdp,
            agreed: self.agreed.clone(),
            notes: Vec::new(),
        })
    }

    /// Offers these streams, unless they stand.
    fn offered(&mut self, want: Topology) -> Option<Sdp> {
        if want == self.agreed {
            return None;
        }
        let lines = want.iter().map(|stream| stream.mline + 1).max();
        let sdp = self.describe(&want, lines.unwrap_or_default());
        self.offered = Some(want);
        Some(sdp)
    }

    /// What stands, its sound with these codecs alone, as far as they are allowed.
    fn recoded(&self, codecs: &[&'static Codec]) -> Topology {
        let allowed = self.codecs(Kind::Audio);
        let mut wanted = codecs.to_vec();
        wanted.retain(|codec| allowed.contains(codec));
        let streams = self.agreed.iter().cloned().map(|mut stream| {
            if stream.kind == Kind::Audio && !wanted.is_empty() {
                stream.payloads = payloads(&wanted, Kind::Audio);
            }
            stream
        });
        Topology::new(streams.collect())
    }

    /// The streams wanted, with their lines and codecs.
    fn offer(&self, want: &Topology) -> Topology {
        let mut next = self.agreed.iter().map(|stream| stream.mline + 1).max();
        let streams = want.iter().map(|stream| {
            let known = stream
                .mid
                .as_deref()
                .and_then(|mid| self.agreed.by_mid(mid));
            if let Some(known) = known {
                return Stream {
                    direction: stream.direction,
                    ..known.clone()
                };
            }
            let mline = next.unwrap_or_default();
            next = Some(mline + 1);
            Stream {
                mid: Some(mline.to_string().into()),
                mline,
                payloads: payloads(&self.codecs(stream.kind), stream.kind),
                ..stream.clone()
            }
        });
        Topology::new(streams.collect())
    }

    /// What becomes of an offer.
    fn answered(&self, offer: &Sdp) -> Topology {
        let lines = offer.media.iter().enumerate();
        let streams = lines.filter_map(|(mline, media)| {
            let kind = kind_of(media)?;
            let offered = codecs_of(media);
            let allowed = self.codecs(kind);
            let common: Vec<_> = allowed
                .into_iter()
                .filter(|own| offered.contains(own))
                .collect();
            if media.port == 0 || common.is_empty() {
                return None;
            }
            let known = self.agreed.iter().find(|stream| stream.mline == mline);
            let most = match known {
                // What was answered first does not bind for ever: the other half asks for what its party has.
                Some(_) => Direction::SendRecv,
                None => self.ceiling(kind),
            };
            let direction = offer.direction(media).reversed().intersect(most);
            Some(Stream {
                mid: Some(mline.to_string().into()),
                mline,
                payloads: payloads(&common, kind),
                ..Stream::wanted(kind, direction)
            })
        });
        Topology::new(streams.collect())
    }

    fn ceiling(&self, kind: Kind) -> Direction {
        let limit = self.limit.as_ref().filter(|_| kind == Kind::Video);
        limit.map_or(Direction::SendRecv, |policy| policy.pictures)
    }

    fn codecs(&self, kind: Kind) -> Vec<&'static Codec> {
        match &self.limit {
            Some(policy) => policy.codecs(kind).to_vec(),
            None => codec::CODECS
                .iter()
                .filter(|codec| codec.kind == kind)
                .collect(),
        }
    }

    /// A description with so many lines; those that are no stream are refused.
    fn describe(&mut self, topology: &Topology, lines: usize) -> Sdp {
        self.version += 1;
        let mut text = format!(
            "v=0\r\no=- 1 {} IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n",
            self.version
        );
        for mline in 0..lines {
            match topology.iter().find(|stream| stream.mline == mline) {
                Some(stream) => line(&mut text, stream),
                None => text.push_str("m=audio 0 RTP/AVP 0\r\n"),
            }
        }
        text.parse()
            .expect("what was written as a description is one")
    }
}

fn line(text: &mut String, stream: &Stream) {
    let numbers: Vec<String> = stream
        .payloads
        .iter()
        .map(|own| own.number.to_string())
        .collect();
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "m={} 9 RTP/AVP {}\r\na=mid:{}\r\na={}\r\n",
        stream.kind.as_str(),
        numbers.join(" "),
        stream.mline,
        stream.direction.as_str()
    );
    for payload in &stream.payloads {
        let name = match payload.format {
            Format::Codec(codec) if codec.channels > 1 => {
                format!("{}/{}/{}", codec.encoding, codec.clock_hz, codec.channels)
            }
            Format::Codec(codec) => format!("{}/{}", codec.encoding, codec.clock_hz),
            Format::Digits { clock_hz } => format!("telephone-event/{clock_hz}"),
            Format::Noise { clock_hz } => format!("CN/{clock_hz}"),
        };
        let _ = write!(text, "a=rtpmap:{} {name}\r\n", payload.number);
    }
}

/// What an answer makes of the streams it is for.
fn applied(offered: &Topology, answer: &Sdp) -> Topology {
    let streams = offered.iter().filter_map(|stream| {
        let media = answer.media.get(stream.mline)?;
        if media.port == 0 {
            return None;
        }
        let codecs = codecs_of(media);
        let direction = answer.direction(media).reversed();
        Some(Stream {
            direction: stream.direction.intersect(direction),
            payloads: payloads(&codecs, stream.kind),
            ..stream.clone()
        })
    });
    Topology::new(streams.collect())
}

/// Numbers for codecs, and for digits on each of their clocks.
fn payloads(codecs: &[&'static Codec], kind: Kind) -> Vec<Payload> {
    const DYNAMIC: u8 = 96;
    let mut next = DYNAMIC..=127;
    let mut payloads = Vec::new();
    let mut clocks: Vec<u32> = Vec::new();
    for codec in codecs {
        let Some(number) = codec.payload_type.or_else(|| next.next()) else {
            break;
        };
        payloads.push(Payload {
            number,
            format: Format::Codec(codec),
            rtx: None,
        });
        if kind == Kind::Audio && !clocks.contains(&codec.clock_hz) {
            clocks.push(codec.clock_hz);
        }
    }
    for (clock_hz, number) in clocks.into_iter().zip(next) {
        payloads.push(Payload {
            number,
            format: Format::Digits { clock_hz },
            rtx: None,
        });
    }
    payloads
}

/// The codecs of a line, in its order.
fn codecs_of(media: &Media) -> Vec<&'static Codec> {
    let codecs = media.payload_types().filter_map(|number| {
        let mut maps = media.rtpmaps();
        match maps.find(|map| map.payload_type == number) {
            Some(map) => codec::by_encoding(map.encoding, map.clock_hz),
            None => codec::CODECS
                .iter()
                .find(|codec| codec.payload_type == Some(number)),
        }
    });
    codecs.collect()
}

fn kind_of(media: &Media) -> Option<Kind> {
    match &media.kind {
        MediaKind::Audio => Some(Kind::Audio),
        MediaKind::Video => Some(Kind::Video),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::Descriptions;
    use codec::Kind;
    use rtc::policy::Policy;
    use rtc::topology::{Direction, Topology};
    use rtc::{Refused, Round};

    fn limit(audio: &[&str], video: &[&str]) -> Policy {
        let names = audio.iter().chain(video);
        let mut endpoint = config::Endpoint::new("limit");
        endpoint.allow = names.map(|name| codec::by_name(name).unwrap()).collect();
        crate::policy::of(&endpoint)
    }

    fn want(video: usize) -> Topology {
        Topology::default()
            .with_count(Kind::Audio, 1, Direction::SendRecv)
            .with_count(Kind::Video, video, Direction::SendRecv)
    }

    fn names(limit: &Policy, topology: &Topology) -> Vec<&'static str> {
        let agreed = limit.agreed(topology);
        agreed.audio.iter().map(|codec| codec.name).collect()
    }

    #[test]
    fn both_halves_agree_on_what_the_second_may_have() {
        let (mut first, mut second) = (Descriptions::default(), Descriptions::default());
        let all = limit(&["opus", "ulaw", "alaw"], &["vp8"]);
        first.limit(&all);
        second.limit(&limit(&["alaw", "ulaw"], &[]));
        let offer = first
            .round(Round::Offer { want: want(1) })
            .unwrap()
            .sdp
            .unwrap();
        let outcome = second.round(Round::Answer { offer }).unwrap();
        assert_eq!(names(&all, &outcome.agreed), ["alaw", "ulaw"]);
        assert_eq!(outcome.agreed.len(), 1, "no picture");
        let answer = outcome.sdp.unwrap();
        assert_eq!(answer.media.len(), 2);
        let applied = first.round(Round::Apply { answer }).unwrap().agreed;
        assert_eq!(names(&all, &applied), ["alaw", "ulaw"]);
        assert_eq!(applied.len(), 1);
    }

    #[test]
    fn a_hold_is_seen_from_the_other_side_and_a_stream_can_be_added() {
        let (mut first, mut second) = (Descriptions::default(), Descriptions::default());
        let offer = first
            .round(Round::Offer { want: want(0) })
            .unwrap()
            .sdp
            .unwrap();
        let answer = second.round(Round::Answer { offer }).unwrap().sdp.unwrap();
        let agreed = first.round(Round::Apply { answer }).unwrap().agreed;
        let mut held: Vec<_> = agreed.iter().cloned().collect();
        held[0].direction = Direction::SendOnly;
        let want = Topology::new(held).with_count(Kind::Video, 1, Direction::SendRecv);
        let offer = first.round(Round::Offer { want }).unwrap().sdp.unwrap();
        let outcome = second.round(Round::Answer { offer }).unwrap();
        let directions: Vec<_> = outcome.agreed.iter().map(|own| own.direction).collect();
        assert_eq!(directions, [Direction::RecvOnly, Direction::SendRecv]);
        let answer = outcome.sdp.unwrap();
        let agreed = first.round(Round::Apply { answer }).unwrap().agreed;
        assert_eq!(agreed.iter().next().unwrap().direction, Direction::SendOnly);
        let same = first.round(Round::Offer { want: agreed }).unwrap();
        assert!(same.sdp.is_none(), "nothing to ask");
    }

    #[test]
    fn nothing_in_common_is_refused() {
        let (mut first, mut second) = (Descriptions::default(), Descriptions::default());
        first.limit(&limit(&["opus"], &[]));
        second.limit(&limit(&["ulaw"], &[]));
        let offer = first
            .round(Round::Offer { want: want(0) })
            .unwrap()
            .sdp
            .unwrap();
        let refused = second.round(Round::Answer { offer });
        assert_eq!(refused.unwrap_err(), Refused::NoMedia);
    }
}
