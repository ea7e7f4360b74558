//! Those who wait hear music: the same for all, made once.

use super::play::{ULAW, file, joined};
use super::*;
use crate::node::play::Playable;
use crate::{Music, Programme, Repertoire};
use codec::{MELODY_HZ, Sound, melody};
use std::sync::Mutex;

/// Plays these one after the other, again and again.
struct Pieces {
    pieces: Vec<Sound>,
    opened: Arc<Mutex<Vec<&'static str>>>,
}

struct Running(Vec<Sound>, usize);

impl Repertoire for Pieces {
    fn open(&self, codec: &'static codec::Codec) -> Box<dyn Programme> {
        self.opened.lock().unwrap().push(codec.name);
        Box::new(Running(self.pieces.clone(), 0))
    }
}

impl Programme for Running {
    fn poll_next(&mut self) -> Option<Sound> {
        self.1 += 1;
        self.0.get((self.1 - 1) % self.0.len().max(1)).cloned()
    }
}

type Opened = Arc<Mutex<Vec<&'static str>>>;

fn music(pieces: &[Sound]) -> (Music, Opened) {
    let opened = Opened::default();
    let pieces = Pieces {
        pieces: pieces.to_vec(),
        opened: Arc::clone(&opened),
    };
    (Music::new("default", pieces), opened)
}

fn ulaw(bytes: &[u8]) -> Sound {
    Sound::parse("ulaw", bytes.into()).unwrap()
}

impl World {
    fn wait_with(&mut self, index: usize, number: u64, music: &Music) {
        // The end of music is nobody's business.
        drop(self.play(index, number, Playable::Music(music.clone())));
    }

    /// Stations, and packets they made.
    fn made(&self) -> (usize, u64) {
        self.shards[0].0.stations.made()
    }
}

#[test]
fn who_waits_hears_one_piece_after_the_other_without_a_gap_and_byte_by_byte() {
    let mut world = World::new(1, ULAW);
    let (first, second) = (file(400), file(200));
    let (music, _) = music(&[ulaw(&first), ulaw(&second)]);
    world.wait_with(0, 1, &music);
    world.run(1_190);
    let packets = world.received(0, 0);
    assert_no_jump(&packets);
    let step = |pair: &[RtpPacket]| {
        let stamps = [&pair[0], &pair[1]].map(|packet| packet.header.timestamp);
        stamps[1].wrapping_sub(stamps[0])
    };
    assert!(packets.windows(2).all(|pair| step(pair) == 160));
    let expected = [&first[..], &second, &first, &second].concat();
    assert!(joined(&packets) == expected[..packets.len() * 160]);
    assert!((58..=60).contains(&packets.len()), "{}", packets.len());
    world.request(0, Request::EndPlay { number: 1 });
    world.received(0, 0);
    world.run(200);
    assert!(
        world.received(0, 0).len() <= 1,
        "it ends when it is told to"
    );
}

#[test]
fn all_who_hear_it_in_the_same_codec_hear_the_same_which_is_encoded_once() {
    let mut world = World::new(1, [BOTH; 2]);
    let (music, opened) = music(&[Sound::of_samples(&melody(), MELODY_HZ)]);
    world.wait_with(0, 1, &music);
    world.run(500);
    world.received(0, 0);
    world.wait_with(1, 2, &music);
    world.run(1000);
    let [one, two] = [0, 1].map(|index| payloads(&world.received(index, 0)));
    assert!(
        one.len() >= 50 && two.len() >= 49,
        "{} {}",
        one.len(),
        two.len()
    );
    let shared = two.iter().filter(|payload| one.contains(payload)).count();
    assert!(shared + 2 >= two.len(), "{shared} of {}", two.len());
    let (stations, made) = world.made();
    assert!(stations == 1 && (74..=77).contains(&made), "{made} packets");
    assert_eq!(*opened.lock().unwrap(), ["opus"]);
}

/// Both in the same codec, one in longer packets: two stations, and the same music.
#[test]
fn longer_packets_are_made_for_themselves() {
    let longer = ["ulaw", "vp8", "a=ptime:60"];
    let mut world = World::new(1, [ULAW[0], &longer]);
    let (music, _) = music(&[ulaw(&file(4000))]);
    world.wait_with(0, 1, &music);
    world.wait_with(1, 2, &music);
    world.run(1_190);
    let [short, long] = [0, 1].map(|index| joined(&world.received(index, 0)));
    assert_eq!(world.made(), (2, 60 + 20));
    assert_eq!(short.len(), long.len());
    assert_eq!(short, long);
}

#[test]
fn another_codec_and_another_music_are_made_for_themselves() {
    let mut world = World::new(1, [&["ulaw", "vp8"], BOTH]);
    let sound = [Sound::of_samples(&melody(), MELODY_HZ)];
    let (a, opened) = music(&sound);
    world.wait_with(0, 1, &a);
    world.wait_with(1, 2, &a);
    world.run(100);
    assert_eq!(*opened.lock().unwrap(), ["ulaw", "opus"]);
    assert_eq!(world.made().0, 2);
    let (b, _) = music(&sound);
    world.wait_with(1, 3, &b);
    world.run(100);
    assert_eq!(world.made().0, 3);
}

#[test]
fn music_that_nobody_hears_stands_still_and_goes_on_from_there() {
    let mut world = World::new(1, ULAW);
    let bytes = file(400);
    let (music, opened) = music(&[ulaw(&bytes)]);
    world.wait_with(0, 1, &music);
    world.run(190);
    world.request(0, Request::EndPlay { number: 1 });
    let first = joined(&world.received(0, 0));
    world.run(20_000);
    world.received(0, 0);
    world.wait_with(0, 2, &music);
    world.run(100);
    let second = joined(&world.received(0, 0));
    let at = first.len() % bytes.len();
    assert!(second[..160] == bytes[at..at + 160]);
    assert_eq!(opened.lock().unwrap().len(), 1);
    // After more than a minute it is forgotten, once another one comes.
    world.request(0, Request::EndPlay { number: 2 });
    world.run(70_000);
    let (other, _) = self::music(&[ulaw(&bytes)]);
    world.wait_with(0, 3, &other);
    world.run(20);
    assert_eq!(world.made().0, 1);
}

#[test]
fn a_welcome_is_heard_first_by_each() {
    let mut world = World::new(1, ULAW);
    let (welcome, bytes) = (vec![0x12; 1600], file(400));
    let (music, _) = music(&[ulaw(&bytes)]);
    let music = music.with_welcome(ulaw(&welcome));
    for index in [0, 1] {
        world.wait_with(index, 1 + index as u64, &music);
        world.run(300);
        let heard = joined(&world.received(index, 0));
        assert!(heard[..1600] == welcome, "browser {index}");
        assert!(bytes.windows(160).any(|part| part == &heard[1600..1760]));
    }
}

#[test]
fn music_whose_first_piece_is_still_read_begins_with_it_and_a_gap_later_is_silence() {
    struct Late(Arc<Mutex<Vec<Sound>>>);
    impl Repertoire for Late {
        fn open(&self, _: &'static codec::Codec) -> Box<dyn Programme> {
            Box::new(Self(Arc::clone(&self.0)))
        }
    }
    impl Programme for Late {
        fn poll_next(&mut self) -> Option<Sound> {
            self.0.lock().unwrap().pop()
        }
    }
    let mut world = World::new(1, ULAW);
    let pieces = Arc::<Mutex<Vec<Sound>>>::default();
    let music = Music::new("late", Late(Arc::clone(&pieces)));
    world.wait_with(0, 1, &music);
    world.run(300);
    assert!(world.received(0, 0).is_empty(), "nothing there yet");
    let bytes = file(100);
    pieces.lock().unwrap().push(ulaw(&bytes));
    world.run(200);
    let heard = joined(&world.received(0, 0));
    assert!(
        heard[..bytes.len()] == bytes,
        "it begins with the first byte"
    );
    assert!(heard.len() >= 1440 && heard[bytes.len()..].iter().all(|byte| *byte == 0xFF));
}

#[test]
fn the_other_party_is_not_heard_under_the_music_but_after_it() {
    let mut world = World::new(1, [BOTH; 2]);
    world.connect(1);
    let (music, _) = music(&[Sound::of_samples(&melody(), MELODY_HZ)]);
    world.wait_with(0, 1, &music);
    let blocked = world.send(1, 0, 10);
    let heard = payloads(&world.received(0, 0));
    assert!(heard.len() >= 10 && heard.iter().all(|payload| !blocked.contains(payload)));
    world.request(0, Request::EndPlay { number: 1 });
    world.run(20);
    world.received(0, 0);
    let sent = world.send(1, 0, 10);
    let after = world.received(0, 0);
    assert_eq!(payloads(&after), sent);
}
