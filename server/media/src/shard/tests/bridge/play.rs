//! What is played to a browser arrives whole, in time, in its codec.

use super::*;
use crate::node::play::Playable;
use codec::{Settings, Sound, ToneScript, ulaw_of};

pub(super) const ULAW: [&[&str]; 2] = [&["ulaw", "vp8"], &["ulaw", "vp8"]];

/// So much sound in which every byte tells its place.
pub(super) fn file(ms: usize) -> Vec<u8> {
    // The codes of 0 and of −0 become one and the same.
    (0..ms * 8)
        .map(|at| ulaw_of((at % 4000) as i16 * 8 + 4))
        .collect()
}

fn sound(bytes: &[u8]) -> Playable {
    Playable::Sound(Sound::parse("ulaw", bytes.into()).unwrap())
}

impl World {
    pub(super) fn play(
        &mut self,
        index: usize,
        number: u64,
        playable: Playable,
    ) -> oneshot::Receiver<()> {
        let (over, ended) = oneshot::channel();
        let request = Request::Play {
            number,
            playable,
            over,
        };
        self.request(index, request);
        ended
    }

    pub(super) fn request(&mut self, index: usize, request: Request) {
        let shard = self.browsers[index].shard;
        self.command(shard, Command::Leg(leg(index, shard), request));
    }

    /// Runs until it is told that the play is over; after how long.
    fn until_over(&mut self, ended: &mut oneshot::Receiver<()>) -> u64 {
        let began = self.now;
        while ended.try_recv().is_err() {
            self.run(5);
            assert!(self.now < began + Duration::from_secs(20), "it never ends");
        }
        (self.now - began).as_millis() as u64
    }
}

pub(super) fn joined(packets: &[RtpPacket]) -> Vec<u8> {
    payloads(packets).concat()
}

#[test]
fn a_file_arrives_byte_by_byte_in_its_time() {
    let mut world = World::new(1, ULAW);
    let bytes = file(1000);
    let mut ended = world.play(0, 1, sound(&bytes));
    let lasted = world.until_over(&mut ended);
    assert!((995..=1010).contains(&lasted), "{lasted} ms");
    let packets = world.received(0, 0);
    assert_eq!(packets.len(), 50);
    assert_eq!(joined(&packets), bytes);
    assert_no_jump(&packets);
    let step = |pair: &[RtpPacket]| {
        let stamps = [&pair[0], &pair[1]].map(|packet| packet.header.timestamp);
        stamps[1].wrapping_sub(stamps[0])
    };
    assert!(packets.windows(2).all(|pair| step(pair) == 160));
    assert!(world.received(1, 0).is_empty());
    world.run(500);
    assert!(world.received(0, 0).is_empty(), "nothing comes after it");
}

#[test]
fn nothing_is_missed_by_a_browser_that_is_still_connecting() {
    let mut world = World::joining(1, ULAW);
    let bytes = file(400);
    let mut ended = world.play(0, 1, sound(&bytes));
    assert!(!world.browsers[0].is_connected);
    world.until_over(&mut ended);
    world.run(100);
    let played = joined(&world.received(0, 0));
    assert!(bytes == played, "{} of {} bytes", played.len(), bytes.len());
}

#[test]
fn hold_does_not_stop_the_time() {
    let mut world = World::new(1, ULAW);
    let bytes = file(1000);
    let mut ended = world.play(0, 1, sound(&bytes));
    world.run(300);
    world.redirect(0, Ours::RecvOnly);
    world.received(0, 0);
    world.run(300);
    assert!(world.received(0, 0).is_empty());
    world.redirect(0, Ours::SendRecv);
    let lasted = world.until_over(&mut ended);
    assert!((370..=420).contains(&lasted), "{lasted} ms");
    let rest = joined(&world.received(0, 0));
    assert!(bytes.ends_with(&rest) && (2900..3400).contains(&rest.len()));
}

#[test]
fn the_other_party_is_not_heard_while_something_is_played() {
    let mut world = World::new(1, [BOTH; 2]);
    world.connect(1);
    world.send(1, 0, 10);
    let before = world.received(0, 0);
    assert_eq!(before.len(), 10);
    let tone = ToneScript::parse("!1000/200").unwrap();
    let mut ended = world.play(0, 1, Playable::Tones(tone));
    let blocked = world.send(1, 0, 10);
    world.until_over(&mut ended);
    let played = world.received(0, 0);
    assert_eq!(played.len(), 10);
    assert!(
        payloads(&played)
            .iter()
            .all(|payload| !blocked.contains(payload))
    );
    let sent = world.send(1, 0, 10);
    let after = world.received(0, 0);
    assert_eq!(payloads(&after), sent);
    assert_no_jump(
        &before
            .into_iter()
            .chain(played)
            .chain(after)
            .collect::<Vec<_>>(),
    );
}

#[test]
fn a_tone_is_heard_in_every_codec() {
    for (names, codec, engine) in [
        (ULAW, "ulaw", Codec::PCMU),
        ([BOTH; 2], "opus", Codec::Opus),
    ] {
        let mut world = World::new(1, names);
        let tone = ToneScript::parse("!1000/500").unwrap();
        let mut ended = world.play(0, 1, Playable::Tones(tone));
        world.until_over(&mut ended);
        let packets = world.received(0, 0);
        assert_eq!(packets.len(), 25, "{codec}");
        let pt = world.browsers[0].pt(engine);
        assert!(
            packets
                .iter()
                .all(|packet| packet.header.payload_type == pt)
        );
        let settings = Settings::default();
        let mut decoder = (by_name(codec).unwrap().coding.unwrap().decoder)(&settings).unwrap();
        let mut heard = Vec::new();
        for packet in &packets {
            decoder.decode(&packet.payload, &mut heard).unwrap();
        }
        let middle = &heard[800..3200];
        let crossings = middle
            .windows(2)
            .filter(|w| (w[0] < 0) != (w[1] < 0))
            .count();
        assert!((590..=610).contains(&crossings), "{codec}: {crossings}");
        assert!(middle.iter().any(|sample| *sample > 5000), "{codec}");
    }
}

#[test]
fn a_thread_that_was_late_sends_no_burst() {
    let mut world = World::new(1, ULAW);
    let _ended = world.play(0, 1, sound(&file(5000)));
    world.run(100);
    let mut last = 0;
    // A browser of this test shows the last of several packets that come at once: the numbers tell.
    let mut sent = |world: &mut World| {
        let before = last;
        last = *world.received(0, 0).last().unwrap().seq_no;
        last - before
    };
    sent(&mut world);
    world.now += Duration::from_secs(2);
    world.run(5);
    assert!(sent(&mut world) <= 2);
    world.now += Duration::from_millis(150);
    world.run(5);
    let made_up = sent(&mut world);
    assert!((7..=9).contains(&made_up), "{made_up} packets");
}

#[test]
fn a_later_play_takes_the_place_of_an_earlier_one() {
    let mut world = World::new(1, ULAW);
    let mut first = world.play(0, 1, sound(&file(5000)));
    world.run(100);
    let bytes = file(200);
    let mut second = world.play(0, 2, sound(&bytes));
    let ended = first.try_recv();
    assert_eq!(ended, Err(oneshot::error::TryRecvError::Closed));
    world.request(0, Request::EndPlay { number: 1 });
    world.until_over(&mut second);
    let packets = world.received(0, 0);
    assert!(joined(&packets).ends_with(&bytes));
    assert_no_jump(&packets);
    world.play(0, 3, sound(&bytes));
    world.request(0, Request::EndPlay { number: 3 });
    world.received(0, 0);
    world.run(100);
    assert!(world.received(0, 0).len() <= 1);
}

#[test]
fn packets_are_as_long_as_the_peer_asks_for() {
    for (ms, wishes) in [
        (10, ["a=ptime:10", "a=maxptime:60"]),
        (30, ["a=ptime:30", "a=maxptime:40"]),
        (40, ["a=ptime:60", "a=maxptime:40"]),
        (60, ["a=ptime:60", "a=maxptime:120"]),
    ] {
        let asks = [["ulaw", "vp8"].as_slice(), &wishes].concat();
        let mut world = World::new(1, [&asks, ULAW[1]]);
        let bytes = file(600);
        let mut ended = world.play(0, 1, sound(&bytes));
        let took_ms = world.until_over(&mut ended);
        assert!((600..=660).contains(&took_ms), "{took_ms} ms");
        let packets = world.received(0, 0);
        assert_no_jump(&packets);
        let len = ms as usize * 8;
        assert!(packets.iter().all(|packet| packet.payload.len() == len));
        let step = |pair: &[RtpPacket]| {
            let stamps = [&pair[0], &pair[1]].map(|packet| packet.header.timestamp);
            stamps[1].wrapping_sub(stamps[0])
        };
        assert!(packets.windows(2).all(|pair| step(pair) == ms * 8));
        assert_eq!(joined(&packets)[..bytes.len()], bytes);
    }
}
