//! The peer against plain str0m as the browser, over a simulated network, in virtual time.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test says what must be so, and where its time begins"
)]

mod world;

use codec::{Kind, by_name};
use rtc::topology::{Direction, Topology};
use rtc::{Down, Event, KEYFRAME_PAUSE, Round, StreamId};
use std::collections::BTreeSet;
use std::time::Duration;
use str0m::format::Codec;
use str0m::media::MediaKind;
use world::{CALM, Dice, Weather, World};

const STORM: Weather = Weather {
    delay_ms: 20,
    jitter_ms: 30,
    loss_permille: 50,
    copy_permille: 30,
};

/// Fan-out to as many video streams as there are lines, audio on itself.
fn echo(world: &mut World, video_lines: usize) {
    world.routes = [(0, vec![0]), (1, (1..=video_lines).collect())].into();
}

/// Audio every 20 ms and video every 30 ms; returns the payloads sent.
fn talk(world: &mut World, duration: Duration) -> [Vec<Vec<u8>>; 2] {
    let end = world.now + duration;
    let begin = world.now;
    let mut sent = [Vec::new(), Vec::new()];
    let mut video_due = world.now;
    while world.now < end {
        let since = world.now - begin;
        let audio = (since.as_millis() as u32 / 20) * 960;
        sent[0].push(world.browser.send(0, Codec::Opus, audio, 80));
        while video_due <= world.now {
            let video = (video_due - begin).as_millis() as u32 * 90;
            sent[1].push(world.browser.send(1, Codec::Vp8, video, 900));
            video_due += Duration::from_millis(30);
        }
        world.run(Duration::from_millis(20));
    }
    world.run(Duration::from_millis(500));
    sent
}

fn payloads(world: &World, line: usize) -> Vec<Vec<u8>> {
    let received = world.browser.received_on(line).into_iter();
    received.map(|packet| packet.payload.to_vec()).collect()
}

#[test]
fn comes_up_within_a_tenth_of_a_second() {
    let world = World::connected(1);
    let up = world.told.iter().find_map(|(at, event)| match event {
        Event::Connected { dtls, srtp } => Some((*at, *dtls, *srtp)),
        _ => None,
    });
    let (at, dtls, srtp) = up.unwrap();
    assert!(
        at < Duration::from_millis(100),
        "{at:?} at 10 ms round trip"
    );
    assert_eq!((dtls, srtp), ("DTLS 1.2", "SRTP_AEAD_AES_256_GCM"));
    let pair = world.told.iter().find_map(|(_, event)| match event {
        Event::IceConnected { local, remote } => Some((*local, *remote)),
        _ => None,
    });
    assert_eq!(pair, Some((world::server(), world.browser.address)));
}

#[test]
fn echoes_audio_and_video_unchanged() {
    let mut world = World::connected(2);
    echo(&mut world, 1);
    let sent = talk(&mut world, Duration::from_secs(3));
    assert_eq!(payloads(&world, 0), sent[0]);
    assert_eq!(payloads(&world, 1), sent[1]);
    for line in [0, 1] {
        let numbers = world.browser.received_on(line).into_iter();
        let numbers: Vec<u64> = numbers.map(|packet| *packet.seq_no).collect();
        let first = numbers[0];
        assert!(
            numbers
                .iter()
                .zip(first..)
                .all(|(number, due)| *number == due)
        );
    }
    let times = world.browser.received_on(0).into_iter();
    let times: Vec<u32> = times.map(|packet| packet.header.timestamp).collect();
    assert!(
        times
            .windows(2)
            .all(|pair| pair[1].wrapping_sub(pair[0]) == 960)
    );
    let stats = world.peer.stats();
    assert_eq!(stats.streams[0].packets_in, sent[0].len() as u64);
    assert_eq!(stats.streams[1].packets_out, sent[1].len() as u64);
    assert_eq!(stats.streams[1].bytes_in, 900 * sent[1].len() as u64);
    assert_eq!((stats.streams[0].lost, stats.streams[1].lost), (0, 0));
}

#[test]
fn fans_video_out_to_four_streams_of_their_own() {
    let mut world = World::connected(3);
    let agreed = world.round(Round::Rollback).unwrap().agreed;
    let want = agreed.with_count(Kind::Video, 4, Direction::SendOnly);
    world
        .peer_offers(want)
        .expect("three new lines need a round");
    assert_eq!(world.peer.sending().count(), 5);
    echo(&mut world, 4);
    let sent = talk(&mut world, Duration::from_secs(2));
    let mut sources = BTreeSet::new();
    for line in 1..=4 {
        assert_eq!(payloads(&world, line), sent[1], "video line {line}");
        sources.extend(
            world
                .browser
                .received_on(line)
                .iter()
                .map(|p| *p.header.ssrc),
        );
    }
    assert_eq!(sources.len(), 4, "each stream has a source of its own");
    assert_eq!(payloads(&world, 0), sent[0]);
}

/// A hold stops the streams that were added, and the resumption gives them back: the engine would leave them stopped.
#[test]
fn streams_that_we_added_come_back_after_a_hold() {
    let mut world = World::connected(3);
    let agreed = world.round(Round::Rollback).unwrap().agreed;
    let want = agreed.with_count(Kind::Video, 4, Direction::SendOnly);
    world.peer_offers(want).unwrap();
    let before: Vec<_> = directions(&mut world);
    assert_eq!(before.len(), 5);
    echo(&mut world, 4);
    talk(&mut world, Duration::from_millis(500));
    for turn in 0..2 {
        world.browser_redirects(|line| match line {
            0 | 1 => str0m::media::Direction::SendOnly,
            _ => str0m::media::Direction::Inactive,
        });
        let held = directions(&mut world);
        assert_eq!(held[..2], [Direction::RecvOnly; 2]);
        assert_eq!(held[2..], [Direction::Inactive; 3]);
        world.run(Duration::from_millis(500));
        world.browser_redirects(|line| match line {
            0 | 1 => str0m::media::Direction::SendRecv,
            _ => str0m::media::Direction::RecvOnly,
        });
        assert_eq!(directions(&mut world), before, "turn {turn}");
        world.browser.received.clear();
        let sent = talk(&mut world, Duration::from_millis(500));
        for line in 1..=4 {
            assert_eq!(payloads(&world, line), sent[1], "video line {line}");
        }
    }
}

fn directions(world: &mut World) -> Vec<Direction> {
    let agreed = world.round(Round::Rollback).unwrap().agreed;
    agreed.iter().map(|stream| stream.direction).collect()
}

#[test]
fn a_bad_network_costs_video_nothing_and_audio_no_order() {
    for seed in 10..14 {
        let mut world = World::connected(seed);
        echo(&mut world, 1);
        world.weather = STORM;
        let sent = talk(&mut world, Duration::from_secs(5));
        world.weather = CALM;
        world.run(Duration::from_secs(2));
        let back = payloads(&world, 1);
        let arrived: BTreeSet<_> = back.iter().collect();
        assert_eq!(
            arrived.len(),
            back.len(),
            "seed {seed}: no packet comes twice"
        );
        let missing = sent[1]
            .iter()
            .filter(|sent| !arrived.contains(sent))
            .count();
        assert!(
            missing * 100 <= sent[1].len(),
            "seed {seed}: {missing} video packets lost"
        );
        let back = payloads(&world, 0);
        assert!(back.is_sorted(), "seed {seed}: audio keeps its order");
        assert!(back.len() * 100 > sent[0].len() * 80, "seed {seed}");
        let stats = world.peer.stats();
        assert!(
            stats.streams[1].retransmissions_in > 0,
            "seed {seed}: {stats:?}"
        );
        assert!(
            stats.streams[1].retransmissions_out > 0,
            "seed {seed}: {stats:?}"
        );
        assert!(stats.streams[1].nacks_in > 0 && stats.streams[1].nacks_out > 0);
    }
}

#[test]
fn comes_up_on_a_bad_network() {
    for seed in 20..30 {
        let mut world = World::new(seed);
        world.weather = Weather {
            loss_permille: 100,
            ..STORM
        };
        world.browser_offers(&[MediaKind::Audio, MediaKind::Video]);
        world.run_until(Duration::from_secs(14), World::is_connected);
        assert!(world.is_connected(), "seed {seed}: {:?}", world.told);
    }
}

#[test]
fn key_frame_requests_pass_on_at_most_once_per_pause() {
    let mut world = World::connected(4);
    echo(&mut world, 1);
    talk(&mut world, Duration::from_secs(1));
    let before = world.browser.keyframes_asked.len();
    // Forty requests in two seconds, and none lost at the end.
    for _ in 0..40 {
        world.browser.request_keyframe(1);
        world.run(Duration::from_millis(50));
    }
    world.run(Duration::from_secs(1));
    let asked: Vec<_> = world.browser.keyframes_asked[before..]
        .iter()
        .map(|(_, at)| *at)
        .collect();
    assert!((4..=6).contains(&asked.len()), "{} requests", asked.len());
    let apart = |pair: &[std::time::Instant]| pair[1] - pair[0] >= KEYFRAME_PAUSE;
    assert!(
        asked.windows(2).all(apart),
        "no two within {KEYFRAME_PAUSE:?}"
    );
    let requests = world.peer.stats().streams[1].keyframe_requests_in;
    assert!(requests > asked.len() as u64, "{requests} came in");
}

#[test]
fn digits_come_once_each_over_a_bad_network() {
    let mut world = World::connected(5);
    world.weather = STORM;
    for (index, code) in [1u8, 2, 2, 11].into_iter().enumerate() {
        let start = 16_000 * (index as u32 + 1);
        for step in 1..=8u16 {
            let end = if step > 5 { 0x80 } else { 0 };
            let [high, low] = (step.min(6) * 160).to_be_bytes();
            let payload = vec![code, end | 10, high, low];
            world.browser.send_payload(0, Codec::Tele, start, payload);
            world.run(Duration::from_millis(20));
        }
        world.run(Duration::from_millis(100));
    }
    world.run(Duration::from_secs(1));
    let digits = world.told.iter().filter_map(|(_, event)| match event {
        Event::Digit(rtp::DigitEvent::Ended(digit)) => Some(digit.digit),
        _ => None,
    });
    assert_eq!(digits.collect::<String>(), "122#");
}

#[test]
fn an_ice_restart_of_the_browser_keeps_media_and_our_user_name() {
    let mut world = World::connected(6);
    echo(&mut world, 1);
    talk(&mut world, Duration::from_secs(1));
    let offer = world.browser.restart_ice();
    let offer = offer.parse().unwrap();
    let answer = world.round(Round::Answer { offer }).unwrap().sdp.unwrap();
    let answer = answer.to_string();
    let users: BTreeSet<_> = answer
        .lines()
        .filter_map(|line| line.strip_prefix("a=ice-ufrag:"))
        .collect();
    assert!(users.len() == 1 && users.iter().all(|user| user.starts_with("00000001")));
    world.browser.accept_answer(&answer);
    world.browser.received.clear();
    let sent = talk(&mut world, Duration::from_secs(30));
    assert_eq!(payloads(&world, 1).len(), sent[1].len());
    assert!(!world.told(|event| matches!(event, Event::Down(_))));
}

#[test]
fn a_browser_that_dies_is_noticed() {
    let mut world = World::connected(7);
    talk(&mut world, Duration::from_secs(2));
    world.is_browser_dead = true;
    let died = world.now;
    world.run(Duration::from_secs(40));
    let down: Vec<_> = world
        .told
        .iter()
        .filter(|(_, event)| matches!(event, Event::Down(_)))
        .collect();
    assert!(
        matches!(down[..], [(_, Event::Down(Down::ConsentLost))]),
        "{down:?}"
    );
    let after = down[0].0 - (died - world.start);
    assert!(after <= Duration::from_secs(21), "{after:?}");
    assert_eq!(world.peer.poll_timeout(), None);
}

#[test]
fn a_muted_browser_stays_connected() {
    let mut world = World::connected(8);
    world.run(Duration::from_secs(120));
    assert!(
        !world.told(|event| matches!(event, Event::Down(_))),
        "{:?}",
        world.told
    );
}

#[test]
fn a_browser_that_never_comes_is_given_up() {
    let mut world = World::new(9);
    world.is_browser_dead = true;
    world.browser_offers(&[MediaKind::Audio]);
    world.run(Duration::from_secs(16));
    let down = |event: &Event| matches!(event, Event::Down(Down::NeverConnected));
    assert!(world.told(down), "{:?}", world.told);
}

#[test]
fn a_browser_that_closes_its_transport_is_down_after_a_pause() {
    let mut world = World::connected(10);
    world.browser.rtc.close().unwrap();
    world.run(Duration::from_secs(1));
    assert!(
        !world.told(|event| matches!(event, Event::Down(_))),
        "its BYE may come"
    );
    world.run(Duration::from_secs(2));
    let down = |event: &Event| matches!(event, Event::Down(Down::ClosedByPeer));
    assert!(world.told(down), "{:?}", world.told);
}

/// Everything the browser sent, handshake included, comes again with bytes changed.
#[test]
fn forged_copies_of_real_datagrams_do_no_harm() {
    for seed in 30..33 {
        let mut world = World::connected(seed);
        echo(&mut world, 1);
        talk(&mut world, Duration::from_secs(1));
        let mut dice = Dice::new(seed);
        let from = world.browser.address;
        for mut bytes in std::mem::take(&mut world.seen) {
            for _ in 0..4 {
                let at = dice.below(bytes.len() as u64) as usize;
                bytes[at] = dice.below(256) as u8;
                world.inject(from, &bytes);
                let cut = dice.below(bytes.len() as u64 + 1) as usize;
                world.inject(from, &bytes[..cut]);
            }
        }
        // A forged fatal alert outside of the encryption.
        world.inject(from, &[21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40]);
        world.browser.received.clear();
        let sent = talk(&mut world, Duration::from_secs(1));
        assert_eq!(payloads(&world, 1), sent[1], "seed {seed}");
        world.run(Duration::from_secs(30));
        assert!(
            !world.told(|event| matches!(event, Event::Down(_))),
            "seed {seed}"
        );
    }
}

/// Peers that announce no sources and have no MID extension: the payload type tells.
#[test]
fn packets_find_their_line_without_names() {
    let mut world = World::new(14);
    let offer = world.browser.offer(&[MediaKind::Audio, MediaKind::Video]);
    let is_name = |line: &&str| line.starts_with("a=ssrc") || line.ends_with("sdes:mid");
    let offer: String = offer
        .split_inclusive("\r\n")
        .filter(|line| !is_name(&line.trim_end()))
        .collect();
    let offer = offer.parse().unwrap();
    let answer = world.round(Round::Answer { offer }).unwrap().sdp.unwrap();
    world.browser.accept_answer(&answer.to_string());
    world.run_until(Duration::from_secs(5), World::is_connected);
    echo(&mut world, 1);
    world.weather.loss_permille = 50;
    let sent = talk(&mut world, Duration::from_secs(2));
    world.weather = CALM;
    world.run(Duration::from_secs(2));
    assert!(payloads(&world, 0).len() * 10 > sent[0].len() * 8);
    assert_eq!(
        payloads(&world, 1).len(),
        sent[1].len(),
        "retransmissions found it too"
    );
}

#[test]
fn a_refused_offer_of_ours_changes_nothing() {
    let mut world = World::connected(11);
    echo(&mut world, 1);
    let agreed: Topology = world.round(Round::Rollback).unwrap().agreed;
    let want = agreed
        .clone()
        .with_count(Kind::Video, 3, Direction::SendOnly);
    assert!(world.round(Round::Offer { want }).unwrap().sdp.is_some());
    assert_eq!(world.round(Round::Rollback).unwrap().agreed, agreed);
    let sent = talk(&mut world, Duration::from_secs(1));
    assert_eq!(payloads(&world, 1), sent[1]);
    let streams: Vec<_> = world.peer.sending().collect();
    assert_eq!(
        streams,
        [(StreamId(0), Kind::Audio), (StreamId(1), Kind::Video)]
    );
}

/// What a round of ours about codecs led to, and the payload types that the browser was offered.
fn recode(world: &mut World, names: &[&str]) -> Option<(String, Vec<&'static str>)> {
    let codecs = names.iter().map(|name| by_name(name).unwrap()).collect();
    let offer = world.round(Round::Recode { codecs }).unwrap().sdp?;
    let formats = offer.media[0].formats.join(" ");
    let answer = world.browser.accept_offer(&offer.to_string());
    let answer = answer.parse().unwrap();
    let agreed = world.round(Round::Apply { answer }).unwrap().agreed;
    let sound = agreed.streams(Kind::Audio).next().unwrap();
    Some((formats, sound.codecs().map(|codec| codec.name).collect()))
}

/// The answer of the engine that plays the browser has Opus as well: what was not offered is not agreed.
#[test]
fn a_browser_is_offered_other_codecs_and_back() {
    let mut world = World::connected(13);
    echo(&mut world, 1);
    talk(&mut world, Duration::from_millis(200));
    assert!(
        recode(&mut world, &["opus", "ulaw"]).is_none(),
        "that stands"
    );
    assert_eq!(
        recode(&mut world, &["ulaw"]),
        Some(("0 101".into(), vec!["ulaw"]))
    );
    let format = |world: &World| {
        world
            .peer
            .format(StreamId(0))
            .unwrap()
            .codec()
            .unwrap()
            .name
    };
    assert_eq!(format(&world), "ulaw");
    // Pictures go on, and sound in the new codec comes back; what still comes in the old one is heard.
    world.packets.clear();
    let sent = talk(&mut world, Duration::from_millis(200));
    assert!(payloads(&world, 1).ends_with(&sent[1]));
    let heard = |packet: &rtc::Packet| packet.stream == StreamId(0);
    assert!(world.packets.iter().any(heard), "Opus that was on its way");
    let ulaw = world.browser.send(0, Codec::PCMU, 500_000, 160);
    world.run(Duration::from_millis(100));
    assert_eq!(payloads(&world, 0).last(), Some(&ulaw));
    // A refused one changes nothing.
    let codecs = vec![by_name("opus").unwrap()];
    assert!(world.round(Round::Recode { codecs }).unwrap().sdp.is_some());
    world.round(Round::Rollback).unwrap();
    assert_eq!(format(&world), "ulaw");
    let (_, agreed) = recode(&mut world, &["opus", "ulaw"]).unwrap();
    assert_eq!((agreed, format(&world)), (vec!["opus", "ulaw"], "opus"));
}

#[test]
fn an_offer_that_changes_nothing_needs_no_round() {
    let mut world = World::connected(12);
    let want = world.round(Round::Rollback).unwrap().agreed;
    assert!(world.peer_offers(want).is_none());
}

#[test]
fn datagrams_of_strangers_and_garbage_do_no_harm() {
    let mut world = World::connected(13);
    let (known, stranger) = (world.browser.address, "192.0.2.9:9".parse().unwrap());
    for first in 0..=255u8 {
        let mut bytes = vec![first; 64];
        bytes[1] = first.wrapping_mul(31);
        assert!(
            !world
                .peer
                .accepts(world.now, world::server(), stranger, &bytes)
        );
        for len in [1, 2, 12, 20, 64] {
            world.inject(known, &bytes[..len]);
        }
    }
    echo(&mut world, 1);
    let sent = talk(&mut world, Duration::from_secs(1));
    assert_eq!(payloads(&world, 0), sent[0]);
}
