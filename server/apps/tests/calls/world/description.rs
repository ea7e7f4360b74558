//! Session descriptions of the double: written from a few words, and told in as few.

use std::str::FromStr;

use codec::Kind;
use rtc::topology::{Direction, Format, Payload, Stream, Topology};
use sdp::Sdp;

/// The streams of an offer, seen from the one who answers.
pub(super) fn seen_from_us(offer: &Sdp) -> Topology {
    let streams = offer.media.iter().enumerate().map(|(index, media)| {
        let kind = if media.kind.as_str() == "video" {
            Kind::Video
        } else {
            Kind::Audio
        };
        let theirs = media.direction().unwrap_or_default();
        let ours = Direction::new(theirs.receives(), theirs.sends());
        Stream {
            mid: Some(index.to_string().into()),
            payloads: codecs(media).into_iter().map(payload).collect(),
            ..Stream::wanted(kind, ours)
        }
    });
    Topology::new(streams.collect())
}

pub(super) fn payload(codec: &'static codec::Codec) -> Payload {
    Payload {
        number: codec.payload_type.unwrap_or(100),
        format: Format::Codec(codec),
        rtx: None,
    }
}

/// The codecs of a section.
fn codecs(media: &sdp::Media) -> Vec<&'static codec::Codec> {
    let maps = media.rtpmaps();
    maps.filter_map(|map| codec::by_encoding(map.encoding, map.clock_hz))
        .collect()
}

pub(super) fn words(topology: &Topology) -> String {
    let words = topology.iter().map(|stream| match stream.direction {
        Direction::SendRecv => stream.kind.as_str().to_owned(),
        other => format!("{} {}", stream.kind.as_str(), other.as_str()),
    });
    words.collect::<Vec<_>>().join(", ")
}

pub(super) fn description(topology: &Topology) -> Sdp {
    let streams: Vec<String> = topology
        .iter()
        .map(|stream| {
            let codecs: Vec<&str> = stream.codecs().map(|codec| codec.name).collect();
            let (kind, direction) = (stream.kind.as_str(), stream.direction.as_str());
            format!("{kind} {direction} {}", codecs.join(" "))
        })
        .collect();
    sdp(&streams.iter().map(String::as_str).collect::<Vec<_>>())
}

/// A description with these streams: `audio`, `video sendonly`, `audio sendrecv opus ulaw`.
pub(crate) fn sdp(streams: &[&str]) -> Sdp {
    let mut text = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n".to_owned();
    for (index, stream) in streams.iter().enumerate() {
        let mut words = stream.split_whitespace();
        let kind = words.next().unwrap();
        let direction = words.next().unwrap_or("sendrecv");
        let mut codecs: Vec<_> = words.map(|name| codec::by_name(name).unwrap()).collect();
        if codecs.is_empty() {
            let usual = if kind == "audio" { "opus" } else { "vp8" };
            codecs.push(codec::by_name(usual).unwrap());
        }
        let number = |codec: &codec::Codec| codec.payload_type.unwrap_or(96 + codec.channels);
        let numbers: Vec<_> = codecs
            .iter()
            .map(|codec| number(codec).to_string())
            .collect();
        let numbers = numbers.join(" ");
        text += &format!("m={kind} 9 UDP/TLS/RTP/SAVPF {numbers}\r\na=mid:{index}\r\n");
        text += &format!("a={direction}\r\n");
        for codec in codecs {
            let (number, encoding) = (number(codec), codec.encoding);
            let channels = if codec.channels > 1 { "/2" } else { "" };
            text += &format!(
                "a=rtpmap:{number} {encoding}/{}{channels}\r\n",
                codec.clock_hz
            );
        }
    }
    Sdp::from_str(&text).unwrap()
}

/// The streams of a description in words; the codecs of sound where that is not Opus alone.
pub(crate) fn told(sdp: &Sdp) -> String {
    let streams = sdp.media.iter().map(|media| {
        let mut words = vec![media.kind.to_string()];
        let direction = media.direction().unwrap_or_default();
        if direction != Direction::SendRecv {
            words.push(direction.as_str().to_owned());
        }
        let names: Vec<&str> = codecs(media).iter().map(|codec| codec.name).collect();
        if media.kind.to_string() == "audio" && names != ["opus"] {
            words.extend(names.into_iter().map(str::to_owned));
        }
        words.join(" ")
    });
    streams.collect::<Vec<_>>().join(", ")
}
