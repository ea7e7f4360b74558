//! What comes before media: DTLS without a browser, ICE without DTLS, and both, with RTCP on a port of its own.

use crate::world::{Leg, OURS, THEIRS, World, audio, policy, ports, voice};
use rtc::policy::{Encryption, Hash, Policy, Role, Terms};
use rtc::topology::{Direction, Topology};
use rtc::{Down, Event, Refused, Round, StreamId};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn with(terms: Terms) -> Policy {
    policy(&["ulaw"], &[], terms)
}

fn dtls(role: Role, rtcp_mux: bool) -> Terms {
    Terms {
        encryption: Encryption::Dtls {
            role,
            hash: Hash::Sha256,
            short_tag: false,
            optimistic: false,
        },
        rtcp_mux,
        ..Terms::default()
    }
}

fn ice(rtcp_mux: bool) -> Terms {
    Terms {
        ice: true,
        rtcp_mux,
        ..Terms::default()
    }
}

fn secured(events: &[Event]) -> Vec<(&'static str, &'static str)> {
    let name = |event: &Event| match event {
        Event::Connected { dtls, srtp } => Some((*dtls, *srtp)),
        _ => None,
    };
    events.iter().filter_map(name).collect()
}

fn is_dtls(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|first| (20..64).contains(first))
}

fn assert_talk(world: &mut World, note: &str) {
    for events in &mut world.events {
        events.clear();
    }
    for _ in 0..5 {
        assert!(world.speak(0) && world.speak(1), "{note}");
    }
    assert_eq!(
        [world.heard(0).len(), world.heard(1).len()],
        [5, 5],
        "{note}"
    );
}

#[test]
fn a_handshake_without_ice_keys_both_ways_whoever_begins_it() {
    use Role::{Active, Either, Passive};
    for roles in [
        [Either, Either],
        [Active, Either],
        [Passive, Either],
        [Either, Active],
    ] {
        for mux in [true, false] {
            let note = format!("{roles:?} {mux}");
            let mut world = World::new(roles.map(|role| with(dtls(role, mux))));
            let [offer, answer] = world.round(voice());
            let text = offer.to_string();
            assert!(
                text.contains("m=audio 4000 UDP/TLS/RTP/SAVP 0 101"),
                "{text}"
            );
            assert!(text.contains("a=fingerprint:sha-256 "), "{text}");
            let written = ["actpass", "active", "passive"][roles[0] as usize];
            assert!(text.contains(&format!("a=setup:{written}\r\n")), "{text}");
            let answered = match roles {
                [Passive, _] | [Either, Active] => "active",
                _ => "passive",
            };
            assert!(
                answer
                    .to_string()
                    .contains(&format!("a=setup:{answered}\r\n")),
                "{answer}"
            );
            assert!(!world.speak(0), "{note}: nothing is sent in the clear");
            world.wait(SECOND);
            for events in &world.events {
                let names = secured(events);
                assert_eq!(names.len(), 1, "{note} {events:?}");
                assert_eq!(names[0].0, "DTLS 1.2");
            }
            let first = world.wire.len();
            assert_talk(&mut world, &note);
            let rtp = &world.wire[first..];
            assert!(
                rtp.iter().all(|(.., bytes)| bytes.len() > 172),
                "{note}: with a tag"
            );
            assert!(
                !rtp.iter()
                    .any(|(.., bytes)| bytes[12..].starts_with(&[1; 8]))
            );
            // Reports go under keys of the path they take.
            world.wait(8 * SECOND);
            assert_talk(&mut world, &note);
            world.wait(8 * SECOND);
            let stats = world.peers[0].stats().streams.remove(0);
            assert!(stats.round_trip_us.is_some(), "{note}");
        }
    }
}

#[test]
fn a_description_that_is_confirmed_keeps_the_roles_of_the_association() {
    use Role::{Active, Either, Passive};
    // The phone offers one role alone. baresip 1.0 says `active` to whatever stands.
    for (theirs, ours, said, stands) in [
        (Active, Active, "active", "passive"),
        (Passive, Passive, "passive", "active"),
        (Passive, Either, "active", "active"),
    ] {
        let note = format!("{theirs:?} {ours:?} {said}");
        let mut world = World::new([theirs, ours].map(|role| with(dtls(role, true))));
        let [offer, answer] = world.round(voice());
        let written = format!("a=setup:{stands}\r\n");
        assert!(answer.to_string().contains(&written), "{note}: {answer}");
        world.wait(SECOND);
        assert_talk(&mut world, &note);
        let offer = offer.to_string();
        let offered = ["actpass", "active", "passive"][theirs as usize];
        let said = offer.replace(&format!("a=setup:{offered}"), &format!("a=setup:{said}"));
        let round = Round::Confirm {
            answer: said.parse().unwrap(),
        };
        world.peers[1].negotiate(world.now, round).unwrap();
        world.wait(SECOND);
        assert_talk(&mut world, &note);
        // A hold of ours.
        let agreed = world.peers[1].agreed().clone();
        let want = agreed.iter().cloned().map(|mut stream| {
            stream.direction = Direction::SendOnly;
            stream
        });
        let want = Topology::new(want.collect());
        let held = world.peers[1].negotiate(world.now, Round::Offer { want });
        let held = held.unwrap().sdp.unwrap().to_string();
        let written = match ours {
            Either => "a=setup:actpass\r\n",
            Active | Passive => &written,
        };
        assert!(held.contains(written), "{note}: {held}");
    }
}

#[test]
fn a_hold_keeps_the_association_and_a_fingerprint_of_sha_1_is_checked_as_well() {
    let old = |role| {
        let mut terms = dtls(role, true);
        terms.encryption = Encryption::Dtls {
            role,
            hash: Hash::Sha1,
            short_tag: false,
            optimistic: false,
        };
        with(terms)
    };
    let mut world = World::new([old(Role::Either), old(Role::Either)]);
    let [offer, _] = world.round(voice());
    assert!(
        offer.to_string().contains("a=fingerprint:sha-1 "),
        "{offer}"
    );
    world.wait(SECOND);
    assert_talk(&mut world, "before");
    let handshake = world
        .wire
        .iter()
        .filter(|(.., bytes)| is_dtls(bytes))
        .count();
    for direction in [Direction::SendOnly, Direction::SendRecv] {
        let agreed = world.peers[0].agreed().clone();
        let streams = agreed.iter().cloned().map(|mut stream| {
            stream.direction = direction;
            stream
        });
        world.round(Topology::new(streams.collect()));
        world.wait(SECOND);
    }
    assert_talk(&mut world, "after");
    let now = world
        .wire
        .iter()
        .filter(|(.., bytes)| is_dtls(bytes))
        .count();
    assert_eq!(now, handshake, "nobody shook hands again");
}

#[test]
fn who_has_another_certificate_than_was_told_is_not_heard() {
    let either = || with(dtls(Role::Either, true));
    let mut world = World::new([either(), either()]);
    world.round_through(voice(), |answer| {
        for line in &mut answer.media[0].lines {
            let Some(("fingerprint", print)) = line.as_attribute() else {
                continue;
            };
            let digit = if print.ends_with('0') { "1" } else { "0" };
            let forged = format!("{}{digit}", &print[..print.len() - 1]);
            *line = sdp::Line::attribute("fingerprint", forged);
        }
    });
    world.wait(Duration::from_secs(16));
    assert!(secured(&world.events[0]).is_empty());
    let down = |event: &Event| matches!(event, Event::Down(Down::DtlsFailed));
    assert!(world.events[0].iter().any(down), "{:?}", world.events[0]);
    assert!(!world.speak(0));
}

#[test]
fn a_stranger_who_shakes_hands_first_does_not_end_the_call() {
    let mut world = World::new([
        with(dtls(Role::Passive, true)),
        with(dtls(Role::Active, true)),
    ]);
    // The stranger is a phone of its own, with a certificate of its own.
    let mut stranger = crate::world::peer(world.now, "10.0.0.3", 9, with(dtls(Role::Active, true)));
    let [offer, _] = world.round(voice());
    let round = Round::Answer { offer };
    stranger.negotiate(world.now, round).unwrap();
    // It is first, and goes as far as it comes.
    while world.peers[1].poll_transmit().is_some() {}
    for _ in 0..20 {
        while let Some(sent) = stranger.poll_transmit() {
            world.peers[0].handle_datagram(world.now, sent.remote, sent.local, &sent.bytes);
        }
        while let Some(sent) = world.peers[0].poll_transmit() {
            stranger.handle_datagram(world.now, sent.remote, sent.local, &sent.bytes);
        }
    }
    world.pump();
    assert!(
        secured(&world.events[0]).is_empty(),
        "its certificate is not the one"
    );
    world.wait(5 * SECOND);
    assert_eq!(secured(&world.events[0]).len(), 1);
    assert_talk(&mut world, "the real one");
}

#[test]
fn alerts_of_a_stranger_do_not_end_a_handshake() {
    let mut world = World::new([
        with(dtls(Role::Passive, true)),
        with(dtls(Role::Active, true)),
    ]);
    world.round(voice());
    let hello = world.peers[1].poll_transmit().unwrap();
    // DTLS 1.2, a fatal alert in the clear: handshake_failure.
    let alert = [21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 40];
    let stranger = "10.0.0.3:9".parse().unwrap();
    for peer in 0..10 {
        world.peers[0].handle_datagram(world.now, hello.remote, stranger, &alert);
        if peer == 5 {
            world.peers[0].handle_datagram(world.now, hello.remote, hello.local, &hello.bytes);
        }
    }
    world.pump();
    world.wait(5 * SECOND);
    assert_talk(&mut world, "in spite of alerts");
}

#[test]
fn what_dtls_asks_for_is_said_where_it_is_missing() {
    let mut leg = Leg::new(with(dtls(Role::Either, false)));
    for (profile, rest) in [
        ("RTP/AVP", ""),
        (
            "RTP/SAVP",
            "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\n",
        ),
        ("UDP/TLS/RTP/SAVP", "a=fingerprint:md5 00\n"),
    ] {
        let refused = leg.answer(&audio(profile, "0", rest)).unwrap_err();
        assert!(matches!(refused, Refused::Line(_)), "{refused:?}");
        assert_eq!(refused.status(), 488);
    }
    let mut optimistic = dtls(Role::Either, false);
    optimistic.encryption = Encryption::Dtls {
        role: Role::Either,
        hash: Hash::Sha256,
        short_tag: false,
        optimistic: true,
    };
    let mut leg = Leg::new(with(optimistic));
    let offer = leg.offer(voice()).to_string();
    assert!(
        offer.contains("RTP/AVP 0") && offer.contains("a=fingerprint"),
        "{offer}"
    );
    assert!(
        leg.apply(&audio("RTP/AVP", "0", "")).is_ok(),
        "in the clear, then"
    );
    let mut short = dtls(Role::Either, false);
    short.is_profile_short = true;
    let offer = Leg::new(with(short)).offer(voice()).to_string();
    assert!(offer.contains("m=audio 4000 RTP/SAVP 0"), "{offer}");
}

#[test]
fn checks_find_the_path_of_plain_and_of_encrypted_packets() {
    let sdes = |mux| Terms {
        encryption: Encryption::Sdes {
            short_tag: false,
            optimistic: false,
        },
        ..ice(mux)
    };
    let both = |mux| Terms {
        ice: true,
        ..dtls(Role::Either, mux)
    };
    for mux in [true, false] {
        for (name, terms) in [
            ("plain", ice(mux)),
            ("sdes", sdes(mux)),
            ("dtls", both(mux)),
        ] {
            let note = format!("{name} {mux}");
            let mut world = World::new([with(terms.clone()), with(terms)]);
            let [offer, answer] = world.round(voice());
            for text in [offer.to_string(), answer.to_string()] {
                assert!(
                    text.contains("a=ice-ufrag:") && text.contains("a=ice-pwd:"),
                    "{text}"
                );
                assert!(text.contains(" 1 udp 2130706431 10.0.0."), "{text}");
            }
            let rtcp = answer.to_string().contains(" 2 udp 2130706430 ");
            assert_eq!(
                rtcp, !mux,
                "{note}: a candidate of RTCP where it has a port"
            );
            world.wait(2 * SECOND);
            for events in &world.events {
                let is_found = |event: &Event| matches!(event, Event::IceConnected { .. });
                assert!(events.iter().any(is_found), "{note} {events:?}");
            }
            world.events[1].clear();
            world.speak(0);
            let is_told = |event: &Event| matches!(event, Event::SourceLearned { .. });
            assert!(world.events[1].iter().any(is_told), "{note}: media came");
            assert_talk(&mut world, &note);
            world.wait(8 * SECOND);
            assert_talk(&mut world, &note);
            world.wait(8 * SECOND);
            let stats = world.peers[1].stats().streams.remove(0);
            assert!(stats.round_trip_us.is_some(), "{note}: reports come");
            let pair = world.peers[0].stats().pair;
            assert_eq!(pair, Some((ports(OURS)[0].rtp, ports(THEIRS)[0].rtp)));
        }
    }
}

#[test]
fn who_has_not_proven_its_password_is_not_heard_behind_checks() {
    let mut world = World::call([with(ice(true)), with(ice(true))]);
    world.wait(2 * SECOND);
    assert_talk(&mut world, "itself");
    let (local, remote, bytes) = world.wire.last().unwrap().clone();
    let (from, to) = match remote == ports(OURS)[0].rtp {
        true => (local, 0),
        false => (local, 1),
    };
    let mut stranger = from;
    stranger.set_port(6000);
    let now = world.now;
    for sequence in 0..50_u16 {
        let mut forged = bytes.clone();
        forged[2..4].copy_from_slice(&(30_000 + sequence).to_be_bytes());
        world.peers[to].handle_datagram(now, remote, stranger, &forged);
    }
    world.pump();
    assert_eq!(world.heard(to).len(), 0);
    assert_talk(&mut world, "the call lives");
}

#[test]
fn a_phone_without_checks_or_with_broken_ones_is_sent_to_where_it_says() {
    // It answers without ICE.
    let mut world = World::call([with(ice(false)), with(Terms::default())]);
    world.wait(SECOND);
    assert_talk(&mut world, "without");
    // It writes candidates and answers no check.
    let mut leg = Leg::new(with(ice(true)));
    let rest = "a=ice-ufrag:abcd\na=ice-pwd:0123456789012345678901\na=rtcp-mux\n\
                a=candidate:1 1 UDP 2130706431 10.0.0.2 4000 typ host\n";
    let answer = leg
        .answer(&audio("RTP/AVP", "0", rest))
        .unwrap()
        .sdp
        .unwrap();
    assert!(
        answer.to_string().contains("a=candidate:1 1 udp "),
        "{answer}"
    );
    let sent = |leg: &mut Leg| {
        let packet = rtc::Packet {
            stream: StreamId(0),
            kind: codec::Kind::Audio,
            format: leg.peer.format(StreamId(0)).unwrap(),
            ssrc: 1,
            sequence: 1,
            timestamp: 160,
            marker: true,
            extensions: Default::default(),
            payload: std::sync::Arc::from([0x55; 160]),
        };
        leg.peer.write(leg.now, StreamId(0), 0, &packet)
    };
    assert!(!sent(&mut leg), "no path yet");
    for _ in 0..70 {
        leg.now += Duration::from_millis(100);
        leg.peer.handle_timeout(leg.now);
        leg.transmits();
    }
    assert!(sent(&mut leg), "there is no ICE in it that works");
    let to = leg.transmits().pop().unwrap().remote;
    assert_eq!(to, ports(THEIRS)[0].rtp);
}

#[test]
fn new_credentials_of_the_peer_restart_the_checks() {
    let mut leg = Leg::new(with(ice(true)));
    let offer = |ufrag: &str| {
        let rest = format!(
            "a=ice-ufrag:{ufrag}\na=ice-pwd:0123456789012345678901\na=rtcp-mux\n\
             a=candidate:1 1 UDP 2130706431 10.0.0.2 4000 typ host\n"
        );
        audio("RTP/AVP", "0", &rest)
    };
    let mut ours = |ufrag: &str| {
        let answer = leg.answer(&offer(ufrag)).unwrap().sdp.unwrap();
        answer.media[0].attribute("ice-ufrag").unwrap().to_owned()
    };
    let first = ours("abcd");
    assert_eq!(ours("abcd"), first, "they go on");
    assert_ne!(ours("efgh"), first);
}
