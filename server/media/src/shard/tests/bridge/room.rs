//! Three browsers in a room: each hears exactly the two others.

use super::*;
use codec::{Encode, Settings};

const THREE: [&[&str]; 3] = [&["opus", "vp8"], &["opus", "vp8"], &["ulaw", "vp8"]];
/// What each says: a tone that only wide-band carries, and two that everybody can.
const TONES_HZ: [f64; 3] = [6_000.0, 900.0, 500.0];

struct Speaker {
    encoder: Box<dyn Encode>,
    codec: Codec,
    rate_hz: usize,
    hz: f64,
    frames: usize,
}

fn codec_of(allowed: &[&str]) -> (&'static str, Codec, usize) {
    match allowed[0] {
        "opus" => ("opus", Codec::Opus, 48_000),
        _ => ("ulaw", Codec::PCMU, 8_000),
    }
}

fn settings(rate_hz: usize) -> Settings<'static> {
    Settings {
        rate_hz: rate_hz as u32,
        ..Settings::default()
    }
}

impl Speaker {
    fn new(allowed: &[&str], hz: f64) -> Self {
        let (name, codec, rate_hz) = codec_of(allowed);
        let coding = by_name(name).unwrap().coding.unwrap();
        Self {
            encoder: (coding.encoder)(&settings(rate_hz)).unwrap(),
            codec,
            rate_hz,
            hz,
            frames: 0,
        }
    }

    fn next(&mut self) -> Vec<u8> {
        let frame = self.rate_hz / 50;
        let sample = |at: usize| {
            let turn = std::f64::consts::TAU * self.hz * at as f64 / self.rate_hz as f64;
            (turn.sin() * 6000.0) as i16
        };
        let sound: Vec<i16> = (self.frames * frame..(self.frames + 1) * frame)
            .map(sample)
            .collect();
        self.frames += 1;
        let mut payload = Vec::new();
        self.encoder.encode(&sound, &mut payload).unwrap();
        payload
    }
}

/// How strong a tone is in sound, beside one of full scale 6000.
fn strength(sound: &[i16], hz: f64, rate_hz: usize) -> f64 {
    let turn = |at: usize| std::f64::consts::TAU * hz * at as f64 / rate_hz as f64;
    let sum = |wave: fn(f64) -> f64| -> f64 {
        let parts = sound.iter().enumerate();
        parts.map(|(at, s)| f64::from(*s) * wave(turn(at))).sum()
    };
    2.0 * sum(f64::sin).hypot(sum(f64::cos)) / sound.len() as f64 / 6000.0
}

impl World {
    fn three(shards: usize) -> Self {
        let mut world = Self::joining(shards, [THREE[0], THREE[1]]);
        world.join(2, THREE[2]);
        world.run(2000);
        assert!(world.browsers.iter().all(|browser| browser.is_connected));
        world
    }

    /// What `Plane::seats` and `Leg::connect` send: a seat on the first shard for each.
    fn sit(&mut self, index: usize) {
        let (seat, number) = (100 + index, 500 + index as u64);
        self.command(0, Command::Seat(leg(seat, 0), 100));
        let shard = self.browsers[index].shard;
        let relay = |world: &Self, to: usize| (shard != 0).then(|| world.shards[to].1.clone());
        let far = |serial, relay| Far { serial, relay };
        let own = far(seat as u32, relay(self, 0));
        let request = Request::Connect { number, far: own };
        self.command(shard, Command::Leg(leg(index, shard), request));
        let theirs = far(index as u32, relay(self, shard));
        let request = Request::Connect {
            number,
            far: theirs,
        };
        self.command(0, Command::Leg(leg(seat, 0), request));
    }

    fn stand_up(&mut self, index: usize) {
        self.command(0, Command::Close(leg(100 + index, 0)));
        let number = 500 + index as u64;
        let shard = self.browsers[index].shard;
        self.command(
            shard,
            Command::Leg(leg(index, shard), Request::Part { number }),
        );
    }

    /// All talk for a second; which tones each heard in its last half.
    fn talk(&mut self, speakers: &mut [Speaker]) -> Vec<[bool; 3]> {
        for index in 0..3 {
            self.received(index, 0);
        }
        for _ in 0..50 {
            for (index, speaker) in speakers.iter_mut().enumerate() {
                let (now, payload) = (self.now, speaker.next());
                let units = speaker.rate_hz as u32 / 50;
                self.browsers[index].send_payload(now, 0, speaker.codec, units, payload);
            }
            self.run(20);
        }
        let heard = |index: usize| {
            let packets = self.received(index, 0);
            if packets.is_empty() {
                return [false; 3];
            }
            assert_no_jump(&packets);
            let (name, _, rate_hz) = codec_of(THREE[index]);
            let coding = by_name(name).unwrap().coding.unwrap();
            let mut decoder = (coding.decoder)(&settings(rate_hz)).unwrap();
            let mut sound = Vec::new();
            for packet in &packets {
                decoder.decode(&packet.payload, &mut sound).unwrap();
            }
            let rest = &sound[sound.len() / 2..];
            TONES_HZ.map(|hz| strength(rest, hz, rate_hz) > 0.5)
        };
        (0..3).map(heard).collect()
    }
}

fn speakers() -> Vec<Speaker> {
    let pairs = THREE.iter().zip(TONES_HZ);
    pairs
        .map(|(allowed, hz)| Speaker::new(allowed, hz))
        .collect()
}

#[test]
fn each_of_three_hears_exactly_the_two_others_as_well_as_it_can() {
    for shards in [1, 2] {
        let mut world = World::three(shards);
        let mut speakers = speakers();
        for index in 0..3 {
            world.sit(index);
        }
        world.run(20);
        world.talk(&mut speakers);
        let heard = world.talk(&mut speakers);
        // 6 kHz is nothing that G.711 could carry.
        let expected = [
            [false, true, true],
            [true, false, true],
            [false, true, false],
        ];
        assert_eq!(heard, expected, "{shards} shards");
        // The first leaves: the two that are left hear each other, in narrow band.
        world.stand_up(0);
        world.talk(&mut speakers);
        let heard = world.talk(&mut speakers);
        let expected = [[false; 3], [false, false, true], [false, true, false]];
        assert_eq!(heard, expected, "{shards} shards");
        world.stand_up(1);
        world.stand_up(2);
        assert!(world.shards[0].0.rooms.is_empty(), "the room is closed");
    }
}

#[test]
fn silence_is_sent_to_who_hears_nobody() {
    let mut world = World::three(1);
    for index in 0..3 {
        world.sit(index);
    }
    world.run(100);
    world.received(2, 0);
    world.run(1000);
    let packets = world.received(2, 0);
    assert!((49..=51).contains(&packets.len()), "{}", packets.len());
    assert_no_jump(&packets);
}
