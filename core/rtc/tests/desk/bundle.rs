//! `bundle=yes`: all lines of a phone on one port (RFC 9143).

use crate::world::{Leg, OURS, THEIRS, World, policy, ports, sections, voice};
use codec::Kind;
use rtc::policy::{Encryption, Hash, Policy, Role, Terms};
use rtc::topology::{Direction, Topology};
use rtc::{Event, Packet, Round, StreamId};
use rtp::RtpPacket;
use sdp::Sdp;
use std::sync::Arc;
use std::time::Duration;

const SDES: Encryption = Encryption::Sdes {
    short_tag: false,
    optimistic: false,
};
const DTLS: Encryption = Encryption::Dtls {
    role: Role::Either,
    hash: Hash::Sha256,
    short_tag: false,
    optimistic: false,
};

fn terms(encryption: Encryption) -> Terms {
    Terms {
        encryption,
        rtcp_mux: true,
        bundle: true,
        ..Terms::default()
    }
}

fn shared(encryption: Encryption) -> Policy {
    policy(&["ulaw"], &["vp8"], terms(encryption))
}

fn both() -> Topology {
    voice().with_count(Kind::Video, 1, Direction::SendRecv)
}

/// Sound and pictures of a phone in one group; the rest of each section.
fn offer(audio: &str, video: &str) -> String {
    format!(
        "v=0\no=- 1 1 IN IP4 {THEIRS}\ns=-\nc=IN IP4 {THEIRS}\nt=0 0\na=group:BUNDLE a v\n\
         m=audio 4000 RTP/AVP {audio}a=mid:a\na=rtcp-mux\n\
         m=video 4002 RTP/AVP {video}a=mid:v\na=rtcp-mux\n"
    )
}

fn usual() -> String {
    offer("0\n", "96\na=rtpmap:96 VP8/90000\n")
}

fn directed(standing: &Topology, direction: Direction) -> Topology {
    let turned = |stream: &rtc::topology::Stream| rtc::topology::Stream {
        direction,
        ..stream.clone()
    };
    Topology::new(standing.iter().map(turned).collect())
}

fn group(sdp: &Sdp) -> Option<String> {
    let mut groups = sdp.groups();
    groups.next().map(|group| group.mids.join(" "))
}

/// A packet of a phone; with a name if one is given.
fn rtp(ssrc: u32, sequence: u16, payload_type: u8, name: Option<&str>) -> Vec<u8> {
    let packet = RtpPacket {
        marker: false,
        payload_type,
        sequence,
        timestamp: u32::from(sequence) * 160,
        ssrc,
        payload: &[0x10; 40],
    };
    let mut bytes = packet.write();
    if let Some(name) = name {
        rtp::extend(&mut bytes, 5, name.as_bytes());
    }
    bytes
}

/// The lines that packets were heard on.
fn heard(events: &[Event]) -> Vec<usize> {
    let line = |event: &Event| match event {
        Event::Packet(packet) => Some(packet.stream.0),
        _ => None,
    };
    events.iter().filter_map(line).collect()
}

/// One packet of a line, from a leg.
fn send(world: &mut World, from: usize, line: usize, sequence: u64) -> bool {
    world.now += Duration::from_millis(20);
    let stream = StreamId(line);
    let Some(format) = world.peers[from].format(stream) else {
        return false;
    };
    let kinds = [Kind::Audio, Kind::Video];
    let packet = Packet {
        stream,
        kind: kinds[line],
        format,
        ssrc: 99,
        sequence,
        timestamp: sequence as u32 * 160,
        marker: false,
        extensions: Default::default(),
        payload: Arc::from([0x10; 60]),
    };
    let is_written = world.peers[from].write(world.now, stream, 0, &packet);
    world.pump();
    is_written
}

/// Both legs send on both lines; every packet goes by the first ports and is heard on its line.
fn assert_shares(world: &mut World, note: &str, first: u64) {
    world.wire.clear();
    world.events = Default::default();
    for sequence in first..first + 3 {
        for (from, line) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            assert!(
                send(world, from, line, sequence),
                "{note} {from} {line} {sequence}"
            );
        }
    }
    for events in &world.events {
        assert_eq!(heard(events), [0, 1, 0, 1, 0, 1], "{note}");
    }
    let at = [ports(OURS)[0].rtp, ports(THEIRS)[0].rtp];
    assert!(!world.wire.is_empty());
    for (from, to, _) in &world.wire {
        assert!(at.contains(from) && at.contains(to), "{note} {from} {to}");
    }
}

#[test]
fn an_accepted_bundle_carries_all_lines_on_the_first_ports_in_every_encryption() {
    for encryption in [Encryption::No, SDES, DTLS] {
        for ice in [false, true] {
            let own = || {
                let terms = Terms {
                    ice,
                    ..terms(encryption)
                };
                policy(&["ulaw"], &["vp8"], terms)
            };
            let note = format!("{encryption:?} {ice}");
            let mut world = World::new([own(), own()]);
            let [offer, answer] = world.round(both());
            assert_eq!(group(&offer).as_deref(), Some("0 1"), "{note}");
            assert_eq!(
                [offer.media[0].port, offer.media[1].port],
                [4000, 4002],
                "an offer has a port for each"
            );
            assert_eq!(group(&answer).as_deref(), Some("0 1"), "{note}");
            assert_eq!([answer.media[0].port, answer.media[1].port], [4000, 4000]);
            for name in ["crypto", "fingerprint", "setup", "ice-ufrag", "candidate"] {
                assert!(!answer.media[1].has(name), "{note} {name}");
            }
            world.wait(Duration::from_secs(2));
            assert_shares(&mut world, &note, 1);
            let secret = |(.., bytes): &&(_, _, Vec<u8>)| {
                !bytes.windows(16).any(|window| window == [0x10; 16])
            };
            if encryption != Encryption::No {
                assert_eq!(world.wire.iter().filter(secret).count(), world.wire.len());
            }
            // Reports share the port too, and reach the line they are about.
            world.wait(Duration::from_secs(20));
            for peer in &mut world.peers {
                for stream in peer.stats().streams {
                    assert!(stream.round_trip_us.is_some(), "{note} {stream:?}");
                }
            }
            assert!(world.wire.iter().all(|(from, ..)| from.port() == 4000));
            // A key frame is asked of the line that has pictures.
            world.events = Default::default();
            world.peers[0].request_keyframe(world.now, StreamId(1));
            world.pump();
            let asked = |event: &Event| matches!(event, Event::KeyframeRequested(StreamId(1)));
            assert_eq!(world.events[1].iter().filter(|own| asked(own)).count(), 1);
        }
    }
}

#[test]
fn a_later_round_keeps_the_bundle_and_its_keys() {
    for encryption in [Encryption::No, SDES, DTLS] {
        let note = format!("{encryption:?}");
        let mut world = World::new([shared(encryption), shared(encryption)]);
        world.round(both());
        world.wait(Duration::from_secs(2));
        assert_shares(&mut world, &note, 1);
        let mut held = world.peers[0].agreed().clone();
        for direction in [Direction::SendOnly, Direction::SendRecv] {
            held = directed(&held, direction);
            let [offer, answer] = world.round(held.clone());
            assert_eq!(group(&offer).as_deref(), Some("0 1"), "{note}");
            assert_eq!([offer.media[0].port, offer.media[1].port], [4000, 4000]);
            assert_eq!(group(&answer).as_deref(), Some("0 1"), "{note}");
        }
        assert_shares(&mut world, &note, 10);
    }
}

#[test]
fn pictures_that_come_later_join_the_sound() {
    for encryption in [Encryption::No, SDES, DTLS] {
        let note = format!("{encryption:?}");
        let mut world = World::new([shared(encryption), shared(encryption)]);
        let [offer, _] = world.round(voice());
        assert_eq!(group(&offer).as_deref(), Some("0"), "{note}");
        world.wait(Duration::from_secs(2));
        let standing = world.peers[0].agreed().clone();
        let want = standing.with_count(Kind::Video, 1, Direction::SendRecv);
        let [offer, answer] = world.round(want);
        assert_eq!([offer.media[0].port, offer.media[1].port], [4000, 4002]);
        assert_eq!(group(&answer).as_deref(), Some("0 1"), "{note}");
        assert_shares(&mut world, &note, 1);
    }
}

#[test]
fn a_phone_that_answers_without_the_group_has_ports_for_each_line_and_later_too() {
    let mut world = World::new([
        shared(SDES),
        policy(
            &["ulaw"],
            &["vp8"],
            Terms {
                bundle: false,
                ..terms(SDES)
            },
        ),
    ]);
    let [offer, answer] = world.round(both());
    assert_eq!(group(&offer).as_deref(), Some("0 1"));
    assert_eq!(group(&answer), None);
    for sequence in 1..4 {
        for (from, line) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            assert!(send(&mut world, from, line, sequence));
        }
    }
    assert_eq!(heard(&world.events[0]), [0, 1, 0, 1, 0, 1]);
    let ports: Vec<_> = world.wire.iter().map(|(from, ..)| from.port()).collect();
    assert_eq!(ports[..4], [4000, 4002, 4000, 4002]);
    let plain = |(.., bytes): &(_, _, Vec<u8>)| rtp::extension(bytes, 1).is_none();
    assert!(world.wire.iter().all(plain), "nobody asked for names");
    let standing = world.peers[0].agreed().clone();
    let [offer, _] = world.round(directed(&standing, Direction::SendOnly));
    assert_eq!(group(&offer), None, "the choice is kept");
    assert_eq!([offer.media[0].port, offer.media[1].port], [4000, 4002]);
}

#[test]
fn without_the_option_an_offered_group_is_not_answered() {
    let mut leg = Leg::new(policy(
        &["ulaw"],
        &["vp8"],
        Terms {
            rtcp_mux: true,
            ..Terms::default()
        },
    ));
    let answer = leg.answer(&usual()).unwrap().sdp.unwrap();
    assert_eq!(group(&answer), None);
    assert_eq!([answer.media[0].port, answer.media[1].port], [4000, 4002]);
}

#[test]
fn a_refused_line_leaves_the_group_and_the_next_one_leads() {
    let refused_video = offer("0\n", "98\na=rtpmap:98 H264/90000\n");
    let mut leg = Leg::new(shared(Encryption::No));
    let answer = leg.answer(&refused_video).unwrap().sdp.unwrap();
    assert_eq!(group(&answer).as_deref(), Some("a"));
    assert_eq!([answer.media[0].port, answer.media[1].port], [4000, 0]);
    let refused_audio = offer("8\n", "96\na=rtpmap:96 VP8/90000\n");
    let mut leg = Leg::new(shared(Encryption::No));
    let answer = leg.answer(&refused_audio).unwrap().sdp.unwrap();
    assert_eq!(group(&answer).as_deref(), Some("v"));
    assert_eq!([answer.media[0].port, answer.media[1].port], [0, 4002]);
    // What has no port but that of a refused line cannot be had.
    let mut leg = Leg::new(shared(Encryption::No));
    let only = refused_audio.replace("m=video 4002", "m=video 0");
    assert!(leg.answer(&only).is_err());
    let mut leg = Leg::new(shared(Encryption::No));
    let only = usual().replace("m=video 4002", "m=video 0");
    let answer = leg.answer(&only).unwrap().sdp.unwrap();
    assert_eq!(group(&answer).as_deref(), Some("a v"));
}

#[test]
fn our_offer_is_answered_with_a_part_of_the_group() {
    let mut leg = Leg::new(shared(Encryption::No));
    leg.offer(both());
    let answer = offer("0\n", "96\na=rtpmap:96 VP8/90000\n")
        .replace("BUNDLE a v", "BUNDLE 1")
        .replace("mid:a", "mid:0")
        .replace("mid:v", "mid:1")
        .replace("m=audio 4000", "m=audio 0");
    leg.apply(&answer).unwrap();
    let from = format!("{THEIRS}:4002").parse().unwrap();
    let bytes = rtp(7, 1, 96, None);
    leg.peer
        .handle_datagram(leg.now, ports(OURS)[1].rtp, from, &bytes);
    assert_eq!(heard(&leg.events()), [1], "its own ports lead");
}

#[test]
fn packets_are_told_apart_by_number_and_then_by_source() {
    let mut leg = Leg::new(shared(Encryption::No));
    leg.answer(&usual()).unwrap();
    let from = format!("{THEIRS}:4000");
    leg.receive(&from, &rtp(1, 1, 0, None));
    leg.receive(&from, &rtp(2, 1, 96, None));
    leg.receive(&from, &rtp(3, 1, 55, None));
    assert_eq!(heard(&leg.events()), [0, 1]);
    // A source does not change its line by another number.
    leg.receive(&from, &rtp(1, 2, 96, None));
    leg.receive(&from, &rtp(1, 3, 0, None));
    assert_eq!(heard(&leg.events()), [0]);
}

#[test]
fn packets_are_told_apart_by_the_name_in_them() {
    let named = "a=extmap:5 urn:ietf:params:rtp-hdrext:sdes:mid\n";
    // One number for both, which only a name can tell apart.
    let described = offer(
        &format!("0 96\na=rtpmap:96 telephone-event/8000\n{named}"),
        &format!("96\na=rtpmap:96 VP8/90000\n{named}"),
    );
    let mut leg = Leg::new(shared(Encryption::No));
    let answer = leg.answer(&described).unwrap().sdp.unwrap();
    assert_eq!(group(&answer).as_deref(), Some("a v"));
    let written = answer.to_string();
    assert_eq!(written.matches(named.trim()).count(), 2, "{written}");
    let from = format!("{THEIRS}:4000");
    leg.receive(&from, &rtp(1, 1, 96, None));
    assert_eq!(heard(&leg.events()), [], "of either line");
    leg.receive(&from, &rtp(1, 2, 96, Some("v")));
    leg.receive(&from, &rtp(1, 3, 96, None));
    leg.receive(&from, &rtp(2, 1, 0, Some("a")));
    leg.receive(&from, &rtp(2, 2, 0, Some("x")));
    assert_eq!(heard(&leg.events()), [1, 1, 0]);
    // Ours have names as well.
    let stream = StreamId(1);
    let packet = Packet {
        stream,
        kind: Kind::Video,
        format: leg.peer.format(stream).unwrap(),
        ssrc: 99,
        sequence: 1,
        timestamp: 1,
        marker: false,
        extensions: Default::default(),
        payload: Arc::from([0x10; 60]),
    };
    assert!(leg.peer.write(leg.now, stream, 0, &packet));
    let sent = leg.transmits().remove(0);
    assert_eq!(rtp::extension(&sent.bytes, 5), Some(&b"v"[..]));
    assert_eq!(RtpPacket::parse(&sent.bytes).unwrap().payload, [0x10; 60]);
    // Without names such a line keeps ports of its own.
    let mut leg = Leg::new(shared(Encryption::No));
    let unnamed = described.replace(named, "");
    let answer = leg.answer(&unnamed).unwrap().sdp.unwrap();
    assert_eq!(group(&answer).as_deref(), Some("a"));
    assert_eq!([answer.media[0].port, answer.media[1].port], [4000, 4002]);
}

#[test]
fn numbers_of_a_line_that_is_added_are_not_those_of_another() {
    let mut leg = Leg::new(policy(&["opus"], &["vp8"], terms(Encryption::No)));
    let described = format!(
        "v=0\no=- 1 1 IN IP4 {THEIRS}\ns=-\nc=IN IP4 {THEIRS}\nt=0 0\na=group:BUNDLE a\n\
         m=audio 4000 RTP/AVP 96\na=rtpmap:96 opus/48000/2\na=mid:a\na=rtcp-mux\n"
    );
    leg.answer(&described).unwrap();
    let standing = leg.peer.agreed().clone();
    let offer = leg.offer(standing.with_count(Kind::Video, 1, Direction::SendRecv));
    assert_eq!(
        sections(&offer),
        ["audio 4000 RTP/AVP 96", "video 4002 RTP/AVP 97"]
    );
    assert_eq!(group(&offer).as_deref(), Some("a 1"));
}

#[test]
fn a_source_learned_on_one_line_is_that_of_all_and_a_stranger_of_none() {
    let mut leg = Leg::new(policy(
        &["ulaw"],
        &["vp8"],
        Terms {
            symmetric: true,
            ..terms(Encryption::No)
        },
    ));
    leg.answer(&usual()).unwrap();
    // The phone is behind a NAT: same address, another port.
    let nat = format!("{THEIRS}:9999");
    for sequence in 1..8 {
        leg.receive(&nat, &rtp(1, sequence, 0, None));
    }
    assert!(!heard(&leg.events()).is_empty());
    leg.receive(&nat, &rtp(2, 1, 96, None));
    assert_eq!(
        heard(&leg.events()),
        [1],
        "pictures need no proof of their own"
    );
    let stranger = "10.9.9.9:4000";
    for sequence in 1..200 {
        leg.now += Duration::from_millis(20);
        leg.receive(stranger, &rtp(3, sequence, 96, None));
        leg.receive(&nat, &rtp(1, sequence + 8, 0, None));
    }
    let events = leg.events();
    assert!(heard(&events).iter().all(|line| *line == 0));
    let stream = StreamId(1);
    let packet = Packet {
        stream,
        kind: Kind::Video,
        format: leg.peer.format(stream).unwrap(),
        ssrc: 99,
        sequence: 1,
        timestamp: 1,
        marker: false,
        extensions: Default::default(),
        payload: Arc::from([0x10; 60]),
    };
    assert!(leg.peer.write(leg.now, stream, 0, &packet));
    let sent = leg.transmits().pop().unwrap();
    assert_eq!(
        (sent.local, sent.remote),
        (ports(OURS)[0].rtp, nat.parse().unwrap())
    );
}

#[test]
fn pictures_go_on_where_sound_was_when_it_ends() {
    for encryption in [Encryption::No, SDES, DTLS] {
        let note = format!("{encryption:?}");
        let mut world = World::new([shared(encryption), shared(encryption)]);
        world.round(both());
        world.wait(Duration::from_secs(2));
        assert_shares(&mut world, &note, 1);
        // The second leg takes its sound away.
        let want = directed(world.peers[1].agreed(), Direction::SendOnly);
        let offer = world.peers[1].negotiate(world.now, Round::Offer { want });
        let mut offer = offer.unwrap().sdp.unwrap();
        world.peers[1]
            .negotiate(world.now, Round::Rollback)
            .unwrap();
        let transport = offer.media[0].clone();
        offer.media[0].port = 0;
        offer.media[1]
            .lines
            .extend(transport.lines.into_iter().filter(|row| {
                let name = row.as_attribute().map(|(name, _)| name.to_owned());
                ["crypto", "fingerprint", "setup"].contains(&name.unwrap_or_default().as_str())
            }));
        for line in &mut offer.lines {
            if line.value.starts_with("group:") {
                line.value = "group:BUNDLE 1".into();
            }
        }
        let answer = world.peers[0].negotiate(world.now, Round::Answer { offer });
        let answer = answer.unwrap().sdp.unwrap();
        assert_eq!(group(&answer).as_deref(), Some("1"), "{note}");
        assert_eq!([answer.media[0].port, answer.media[1].port], [0, 4000]);
        world.events = Default::default();
        assert!(send(&mut world, 1, 1, 50), "{note}");
        assert_eq!(heard(&world.events[0]), [1], "{note}: no other handshake");
    }
}

#[test]
fn a_phone_that_takes_the_group_back_has_ports_for_each_line_again() {
    for encryption in [Encryption::No, SDES] {
        let mut world = World::new([shared(encryption), shared(encryption)]);
        let [mut offer, _] = world.round(both());
        world.wait(Duration::from_secs(2));
        assert_shares(&mut world, "before", 1);
        // The same once more, from an exchange with the ports it had, and without the group.
        offer.lines.retain(|line| !line.value.starts_with("group:"));
        let answer = world.peers[1].negotiate(world.now, Round::Answer { offer });
        let answer = answer.unwrap().sdp.unwrap();
        assert_eq!(group(&answer), None);
        assert_eq!([answer.media[0].port, answer.media[1].port], [4000, 4002]);
        world.wire.clear();
        for line in [0, 1] {
            assert!(send(&mut world, 1, line, 50));
        }
        let paths = world
            .wire
            .iter()
            .map(|(from, to, _)| (from.port(), to.port()));
        assert_eq!(paths.collect::<Vec<_>>(), [(4000, 4000), (4002, 4002)]);
    }
}
