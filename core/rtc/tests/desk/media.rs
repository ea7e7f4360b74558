//! Packets between two legs, and strangers on their ports.

use crate::world::{Leg, OURS, THEIRS, World, audio, policy, ports, voice};
use rtc::policy::{Encryption, Terms};
use rtc::topology::{Direction, Topology};
use rtc::{Down, Event, PeerStats, Round, StreamId};
use rtp::RtpPacket;
use std::time::Duration;

fn plain() -> rtc::policy::Policy {
    policy(&["ulaw"], &[], Terms::default())
}

fn terms(terms: Terms) -> rtc::policy::Policy {
    policy(&["ulaw"], &[], terms)
}

fn rtp(sequence: u16, ssrc: u32, payload_type: u8) -> Vec<u8> {
    let packet = RtpPacket {
        marker: false,
        payload_type,
        sequence,
        timestamp: u32::from(sequence) * 160,
        ssrc,
        payload: &[7; 160],
    };
    packet.write()
}

fn packets(events: &[Event]) -> usize {
    let is_packet = |event: &&Event| matches!(event, Event::Packet(_));
    events.iter().filter(is_packet).count()
}

fn stats(leg: &mut Leg) -> PeerStats {
    leg.peer.stats()
}

#[test]
fn voice_goes_both_ways_with_numbers_of_our_own() {
    let mut world = World::call([plain(), plain()]);
    for _ in 0..10 {
        assert!(world.speak(0) && world.speak(1));
    }
    assert_eq!(world.heard(0).len(), 10);
    let heard = world.heard(1);
    assert_eq!(heard.len(), 10);
    assert_eq!((heard[0][0], heard[9][0]), (1, 10));
    let [first, second] = [0, 2].map(|index| RtpPacket::parse(&world.wire[index].2).unwrap());
    assert_eq!(second.sequence, first.sequence.wrapping_add(1));
    assert_eq!(second.timestamp, first.timestamp.wrapping_add(160));
    assert_ne!(first.ssrc, 99, "the source of the packet is not passed on");
    assert_eq!(first.payload_type, 0);
    assert_eq!(world.wire[0].0, ports(OURS)[0].rtp);
    assert_eq!(world.wire[0].1, ports(THEIRS)[0].rtp);
}

#[test]
fn every_suite_carries_voice_that_cannot_be_read_on_the_wire() {
    for suite in rtp::srtp::Suite::ALL {
        let secure = || {
            terms(Terms {
                encryption: Encryption::Sdes {
                    short_tag: true,
                    optimistic: false,
                },
                ..Terms::default()
            })
        };
        let now = std::time::Instant::now();
        let mut ours = Leg::new(secure());
        let mut theirs = crate::world::peer(now, THEIRS, 2, secure());
        let mut offer = ours.offer(voice());
        // Only this suite is left to choose; some are answered, but not offered by us.
        let is_it = |line: &sdp::Line| {
            line.as_attribute().is_none_or(|(name, value)| {
                name != "crypto" || value.split(' ').nth(1) == Some(suite.name())
            })
        };
        offer.media[0].lines.retain(is_it);
        if !offer.media[0].has("crypto") {
            continue;
        }
        let answer = theirs.negotiate(now, Round::Answer { offer });
        let answer = answer.unwrap().sdp.unwrap();
        ours.apply(&answer.to_string()).unwrap();
        let packet = rtc::Packet {
            stream: StreamId(0),
            kind: codec::Kind::Audio,
            format: ours.peer.format(StreamId(0)).unwrap(),
            ssrc: 1,
            sequence: 1,
            timestamp: 160,
            marker: true,
            extensions: Default::default(),
            payload: std::sync::Arc::from([0x55; 160]),
        };
        assert!(ours.peer.write(now, StreamId(0), 0, &packet));
        let sent = ours.transmits().remove(0);
        assert!(
            !sent.bytes.windows(8).any(|window| window == [0x55; 8]),
            "{suite:?}"
        );
        theirs.handle_datagram(now, sent.remote, sent.local, &sent.bytes);
        let events: Vec<_> = std::iter::from_fn(|| theirs.poll_event()).collect();
        let secured =
            |event: &Event| matches!(event, Event::Connected { srtp, .. } if *srtp == suite.name());
        assert!(events.iter().any(secured), "{suite:?} {events:?}");
        assert_eq!(packets(&events), 1, "{suite:?}");
    }
}

#[test]
fn what_was_tampered_with_or_comes_again_is_not_heard() {
    let secure = || {
        terms(Terms {
            encryption: Encryption::Sdes {
                short_tag: false,
                optimistic: false,
            },
            ..Terms::default()
        })
    };
    let mut world = World::call([secure(), secure()]);
    world.speak(0);
    let (local, remote, bytes) = world.wire.last().unwrap().clone();
    assert_eq!(world.heard(1).len(), 1);
    let now = world.now;
    world.peers[1].handle_datagram(now, remote, local, &bytes);
    let mut forged = bytes.clone();
    forged[3] = forged[3].wrapping_add(1);
    world.peers[1].handle_datagram(now, remote, local, &forged);
    for ssrc in 0..2_000_u32 {
        forged[8..12].copy_from_slice(&ssrc.to_be_bytes());
        world.peers[1].handle_datagram(now, remote, local, &forged);
    }
    world.pump();
    assert_eq!(world.heard(1).len(), 0);
    assert!(world.speak(0));
    assert_eq!(world.heard(1).len(), 1, "the call lives");
}

#[test]
fn numbers_and_keys_go_on_through_rounds() {
    let secure = terms(Terms {
        encryption: Encryption::Sdes {
            short_tag: false,
            optimistic: false,
        },
        ..Terms::default()
    });
    let mut world = World::call([secure.clone(), secure]);
    for _ in 0..5 {
        world.speak(0);
    }
    let direct = |direction| {
        Topology::new(vec![rtc::topology::Stream {
            mid: Some("0".into()),
            ..rtc::topology::Stream::wanted(codec::Kind::Audio, direction)
        }])
    };
    world.round(direct(Direction::SendOnly));
    assert!(world.speak(0) && !world.speak(1), "held");
    world.round(direct(Direction::SendRecv));
    assert!(world.speak(0) && world.speak(1));
    assert_eq!(world.heard(1).len(), 7);
}

#[test]
fn a_stranger_is_neither_heard_nor_sent_anything() {
    let mut leg = Leg::new(plain());
    leg.answer(&audio("RTP/AVP", "0", "")).unwrap();
    for sequence in 0..200 {
        leg.now += Duration::from_millis(20);
        leg.receive("10.0.0.2:4000", &rtp(sequence, 1, 0));
        leg.receive("198.51.100.66:7777", &rtp(sequence, 1, 0));
        leg.receive("10.0.0.2:4444", &rtp(sequence, 1, 0));
    }
    let events = leg.events();
    assert_eq!(packets(&events), 200);
    let stats = stats(&mut leg);
    assert_eq!(
        (stats.streams[0].packets_in, stats.streams[0].refused),
        (200, 400)
    );
    assert_eq!(
        stats.pair.unwrap().1,
        "10.0.0.2:4000".parse::<std::net::SocketAddr>().unwrap()
    );
}

#[test]
fn a_symmetric_phone_is_sent_to_where_it_sends_from_and_another_not() {
    for (symmetric, to) in [(true, "10.0.0.2:61000"), (false, "10.0.0.2:4000")] {
        let mut leg = Leg::new(terms(Terms {
            symmetric,
            ..Terms::default()
        }));
        leg.answer(&audio("RTP/AVP", "0", "")).unwrap();
        for sequence in 0..5 {
            leg.receive("10.0.0.2:61000", &rtp(sequence, 1, 0));
        }
        for event in leg.events() {
            if let Event::Packet(packet) = event {
                leg.peer.write(leg.now, packet.stream, 0, &packet);
            }
        }
        let sent = leg.transmits();
        assert!(!sent.is_empty());
        assert!(
            sent.iter()
                .all(|sent| sent.remote == to.parse::<std::net::SocketAddr>().unwrap()),
            "{sent:?}"
        );
    }
}

#[test]
fn what_was_not_agreed_on_is_no_packet() {
    let mut leg = Leg::new(plain());
    leg.answer(&audio("RTP/AVP", "0", "")).unwrap();
    let mut cut = rtp(1, 1, 0);
    cut[0] |= 0x20;
    *cut.last_mut().unwrap() = 0xFF;
    let mut huge = rtp(1, 1, 0);
    huge[0] |= 0x1F;
    huge.truncate(20);
    for bytes in [
        &rtp(1, 1, 8)[..],
        &rtp(1, 1, 99),
        &cut,
        &huge,
        b"\r\n\r\n",
        b"",
        &[0; 40],
        &[0x80; 3],
    ] {
        leg.receive("10.0.0.2:4000", bytes);
    }
    assert_eq!(leg.events().len(), 0);
    leg.receive("10.0.0.2:4000", &rtp(1, 1, 0));
    assert_eq!(packets(&leg.events()), 1);
}

#[test]
fn reports_tell_loss_jitter_and_round_trip() {
    let mut world = World::call([plain(), plain()]);
    for _ in 0..50 {
        world.speak(0);
        world.speak(1);
    }
    world.wait(Duration::from_secs(20));
    for _ in 0..10 {
        world.speak(0);
        world.speak(1);
    }
    world.wait(Duration::from_secs(20));
    let stats = world.peers[0].stats();
    let stream = &stats.streams[0];
    assert_eq!(stream.lost_out, 0);
    assert_eq!(
        stream.round_trip_us,
        Some(0),
        "the network of this test takes no time"
    );
    assert_eq!((stream.packets_in, stream.packets_out), (60, 60));
    let reports = world.wire.iter().filter(|(.., bytes)| rtp::is_rtcp(bytes));
    let reports: Vec<_> = reports.collect();
    assert!(
        (8..=32).contains(&reports.len()),
        "every five seconds: {}",
        reports.len()
    );
    let control = |ip| ports(ip)[0].rtcp;
    assert!(reports.iter().all(
        |(from, to, _)| (*from, *to) == (control(OURS), control(THEIRS))
            || (*from, *to) == (control(THEIRS), control(OURS))
    ));
    let is_sender =
        |bytes: &[u8]| matches!(rtp::rtcp::parse(bytes)[0], rtp::rtcp::Rtcp::Sender { .. });
    assert!(is_sender(&reports[0].2));
    assert!(
        !is_sender(&reports.last().unwrap().2),
        "who sends nothing any more reports as a receiver"
    );
}

#[test]
fn losses_are_reported_to_the_one_who_sent() {
    let mut world = World::call([plain(), plain()]);
    for round in 0..40 {
        let now = world.now;
        world.speak(0);
        if round % 4 == 1 {
            // Numbers that never arrive.
            world.speak(0);
            let (from, to, bytes) = world.wire.pop().unwrap();
            let _ = (now, from, to, bytes);
        }
    }
    // All arrived in this network; what is lost is what a jump of the numbers leaves out.
    let now = world.now;
    let (local, remote, bytes) = world.wire.last().unwrap().clone();
    let packet = RtpPacket::parse(&bytes).unwrap();
    let ahead = RtpPacket {
        sequence: packet.sequence.wrapping_add(11),
        ..packet
    };
    world.peers[1].handle_datagram(now, remote, local, &ahead.write());
    world.wait(Duration::from_secs(10));
    assert_eq!(world.peers[1].stats().streams[0].lost, 10);
    assert_eq!(world.peers[0].stats().streams[0].lost_out, 10);
}

#[test]
fn rtcp_on_the_port_of_rtp_where_that_was_agreed() {
    let mux = || {
        terms(Terms {
            rtcp_mux: true,
            ..Terms::default()
        })
    };
    let mut world = World::call([mux(), mux()]);
    world.speak(0);
    world.wait(Duration::from_secs(10));
    let mut reports = world.wire.iter().filter(|(.., bytes)| rtp::is_rtcp(bytes));
    assert!(reports.all(|(from, ..)| from.port() == 4000));
    assert!(world.wire.len() > 2);
}

#[test]
fn silence_ends_the_call_after_its_time_on_hold_and_off() {
    let mut leg = Leg::new(terms(Terms {
        timeout: Some(Duration::from_secs(30)),
        timeout_hold: Some(Duration::from_secs(300)),
        ..Terms::default()
    }));
    let down_after = |leg: &mut Leg| {
        let start = leg.now;
        while let Some(due) = leg.peer.poll_timeout() {
            leg.now = due;
            leg.peer.handle_timeout(due);
            let events = leg.events();
            if matches!(events.last(), Some(Event::Down(Down::RtpTimeout))) {
                break;
            }
        }
        (leg.now - start).as_secs()
    };
    leg.answer(&audio("RTP/AVP", "0", "")).unwrap();
    leg.now += Duration::from_secs(20);
    leg.receive("10.0.0.2:4000", &rtp(1, 1, 0));
    assert_eq!(down_after(&mut leg), 30);
    let mut held = Leg::new(terms(Terms {
        timeout: Some(Duration::from_secs(30)),
        timeout_hold: Some(Duration::from_secs(300)),
        ..Terms::default()
    }));
    held.answer(&audio("RTP/AVP", "0", "a=sendonly\n")).unwrap();
    assert_eq!(down_after(&mut held), 300);
    assert_eq!(held.peer.poll_timeout(), None);
}

#[test]
fn a_nat_is_kept_open_by_comfort_noise() {
    let keepalive = terms(Terms {
        keepalive: Some(Duration::from_secs(15)),
        ..Terms::default()
    });
    let mut world = World::call([keepalive, plain()]);
    world.speak(0);
    let before = RtpPacket::parse(&world.wire[0].2).unwrap().sequence;
    world.wait(Duration::from_secs(40));
    let noise: Vec<_> = world
        .wire
        .iter()
        .filter_map(|(.., bytes)| RtpPacket::parse(bytes))
        .filter(|packet| packet.payload_type == 13)
        .collect();
    assert_eq!(noise.len(), 2);
    assert_eq!(noise[1].sequence, before.wrapping_add(2));
    assert_eq!(world.heard(1).len(), 1, "noise is no voice");
}

#[test]
fn digits_are_told_once_with_their_duration_and_passed_on() {
    let mut leg = Leg::new(plain());
    leg.answer(&audio(
        "RTP/AVP",
        "0 101",
        "a=rtpmap:101 telephone-event/8000\n",
    ))
    .unwrap();
    for (sequence, (end, duration)) in [
        (false, 160_u16),
        (false, 320),
        (true, 800),
        (true, 800),
        (true, 800),
    ]
    .into_iter()
    .enumerate()
    {
        let [high, low] = duration.to_be_bytes();
        let packet = RtpPacket {
            marker: sequence == 0,
            payload_type: 101,
            sequence: sequence as u16,
            timestamp: 5000,
            ssrc: 1,
            payload: &[5, if end { 0x8A } else { 10 }, high, low],
        };
        leg.receive("10.0.0.2:4000", &packet.write());
    }
    let events = leg.events();
    let digits: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Digit(rtp::DigitEvent::Ended(digit)) => {
                Some((digit.digit, digit.duration.as_millis()))
            }
            _ => None,
        })
        .collect();
    assert_eq!(digits, [('5', 100)]);
    assert_eq!(packets(&events), 5);
}

#[test]
fn a_stream_that_is_closed_while_a_key_is_down_lets_it_go() {
    let mut leg = Leg::new(policy(&["ulaw"], &["vp8"], Terms::default()));
    let video =
        "a=rtpmap:101 telephone-event/8000\nm=video 5000 RTP/AVP 99\na=rtpmap:99 VP8/90000\n";
    let offer = audio("RTP/AVP", "0 101", video);
    leg.answer(&offer).unwrap();
    let packet = RtpPacket {
        marker: true,
        payload_type: 101,
        sequence: 1,
        timestamp: 5000,
        ssrc: 1,
        payload: &[5, 10, 0, 160],
    };
    leg.receive("10.0.0.2:4000", &packet.write());
    leg.answer(&offer.replace("m=audio 4000", "m=audio 0"))
        .unwrap();
    let digits = leg.events().into_iter().filter_map(|event| match event {
        Event::Digit(digit) => Some(digit),
        _ => None,
    });
    let ended = rtp::DigitEvent::Ended(rtp::Digit {
        digit: '5',
        duration: Duration::from_millis(20),
    });
    assert_eq!(
        digits.collect::<Vec<_>>(),
        [rtp::DigitEvent::Began('5'), ended]
    );
}

#[test]
fn goodbye_is_said() {
    let mut world = World::call([plain(), plain()]);
    world.speak(0);
    let now = world.now;
    world.peers[0].close(now);
    world.pump();
    let (.., bytes) = world.wire.last().unwrap();
    assert!(matches!(
        rtp::rtcp::parse(bytes)[..],
        [.., rtp::rtcp::Rtcp::Bye { .. }]
    ));
    assert_eq!(world.peers[0].poll_timeout(), None);
}
