//! One side of a joint by itself: what of a phone's packets leaves for the other.

use super::{Bridge, Cargo, Carries, Far, Relayed};
use crate::leg::LegId;
use codec::{Kind, Settings, by_name};
use rtc::topology::{Direction, Payload, Stream, Topology, Wishes};
use rtc::{Extensions, Format, Packet, StreamId};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

const OWN: LegId = LegId {
    shard: 0,
    serial: 1,
};
const NOISE: Carries = Carries::Noise { clock_hz: 8000 };

fn codec(name: &str) -> Carries {
    Carries::Codec(by_name(name).unwrap())
}

fn agreed(formats: &[Carries], wishes: Wishes) -> Topology {
    let payload = |(number, format): (u8, &Carries)| Payload {
        number,
        format: *format,
        rtx: None,
    };
    Topology::new(vec![Stream {
        payloads: (0..).zip(formats).map(payload).collect(),
        wishes,
        ..Stream::wanted(Kind::Audio, Direction::SendRecv)
    }])
}

fn asks(fmtp: &str) -> Wishes {
    let opus = by_name("opus").unwrap();
    Wishes {
        parameters: vec![(opus, fmtp.into())],
        ..Wishes::default()
    }
}

/// A phone that speaks G.711, and what leaves for the other leg.
struct World {
    now: Instant,
    bridge: Bridge,
    out: VecDeque<Relayed>,
    sequence: u64,
}

impl World {
    fn new(ours: &[Carries], theirs: &[Carries], wishes: Wishes) -> Self {
        let far = Far {
            serial: 2,
            relay: None,
        };
        let mut bridge = Bridge::new(1, far, &agreed(ours, Wishes::default()));
        bridge.on_theirs(agreed(theirs, wishes), false);
        Self {
            now: Instant::now(),
            bridge,
            out: VecDeque::new(),
            sequence: 0,
        }
    }

    fn pass(&mut self, carries: Carries, payload: &[u8]) {
        self.sequence += 1;
        let packet = Packet {
            stream: StreamId(0),
            kind: Kind::Audio,
            format: Format::new(carries, None),
            ssrc: 7,
            sequence: self.sequence,
            timestamp: self.sequence as u32 * 160,
            marker: false,
            extensions: Extensions::default(),
            payload: payload.into(),
        };
        self.bridge.pass(self.now, OWN, packet, &mut self.out);
        self.wait(20);
    }

    fn wait(&mut self, ms: u64) {
        let end = self.now + Duration::from_millis(ms);
        while let Some(due) = self.bridge.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.bridge.flush(self.now, OWN, &mut self.out);
        }
        self.now = end;
    }

    /// Sound that is never twice the same.
    fn speak(&mut self, packets: u32) {
        let coding = by_name("ulaw").unwrap().coding.unwrap();
        let mut encoder = (coding.encoder)(&Settings::default()).unwrap();
        for index in 0..packets {
            let hz = 200.0 + f64::from(index % 9) * 120.0;
            let sample = |at: i32| {
                let turn = std::f64::consts::TAU * hz * f64::from(at) / 8000.0;
                (turn.sin() * 9000.0) as i16
            };
            let mut payload = Vec::new();
            let sound: Vec<i16> = (0..160).map(sample).collect();
            encoder.encode(&sound, &mut payload).unwrap();
            self.pass(codec("ulaw"), &payload);
        }
    }

    /// The packets that left since this was last asked.
    fn left(&mut self) -> Vec<Packet> {
        let packets = self
            .out
            .drain(..)
            .filter_map(|relayed| match relayed.cargo {
                Cargo::Packet { packet, .. } => Some(packet),
                Cargo::Agreed { .. } | Cargo::Keyframe(_) | Cargo::Missed { .. } => None,
            });
        packets.collect()
    }
}

#[test]
fn noise_is_passed_on_to_who_can_make_it() {
    let both = [codec("ulaw"), NOISE];
    let mut world = World::new(&both, &both, Wishes::default());
    world.speak(2);
    world.pass(NOISE, &[50]);
    world.wait(500);
    let left = world.left();
    assert_eq!(left.len(), 3);
    assert!(left[2].format.is_noise() && *left[2].payload == [50]);
}

#[test]
fn noise_is_made_for_who_cannot_and_the_sound_goes_on_behind_it() {
    let theirs = [codec("ulaw"), codec("alaw")];
    let mut world = World::new(&[codec("ulaw"), NOISE], &theirs, Wishes::default());
    world.speak(5);
    assert_eq!(world.left().len(), 5);
    world.pass(NOISE, &[40]);
    world.wait(980);
    let noise = world.left();
    assert!((48..=50).contains(&noise.len()), "{}", noise.len());
    let is_sound = |packet: &Packet| packet.format.codec().is_some() && packet.payload.len() == 160;
    assert!(noise.iter().all(is_sound));
    // What the sender left out has its time.
    world.sequence += 49;
    world.speak(10);
    let sound = world.left();
    assert!((9..=11).contains(&sound.len()), "{}", sound.len());
    let all: Vec<_> = noise.iter().chain(&sound).collect();
    for two in all.windows(2) {
        assert_eq!(two[1].sequence, two[0].sequence + 1);
        assert_eq!(two[1].ssrc, two[0].ssrc);
        let step = two[1].timestamp.wrapping_sub(two[0].timestamp);
        assert!((1..=480).contains(&step), "{step}");
    }
}

#[test]
fn packets_follow_what_the_receiver_asks_for_and_asks_for_later() {
    let opus = [codec("opus")];
    let wishes = Wishes {
        packet_ms: Some(60),
        ..Wishes::default()
    };
    let mut world = World::new(&[codec("ulaw")], &opus, wishes);
    world.speak(30);
    let long = world.left();
    assert_eq!(long.len(), 10);
    assert_eq!(long[1].timestamp - long[0].timestamp, 60 * 48);
    world
        .bridge
        .on_theirs(agreed(&opus, asks("maxaveragebitrate=6000")), false);
    world.speak(50);
    let few = world.left();
    assert_eq!(few.len(), 50);
    let bytes: usize = few.iter().map(|packet| packet.payload.len()).sum();
    assert!(bytes * 8 < 9000, "{} bits in a second", bytes * 8);
}

/// RFC 6716 §4.2.3: behind the flag of activity of a SILK frame stands whether copies of the frame before
/// follow.
fn has_copies(packet: &Packet) -> bool {
    let is_silk = packet.payload[0] >> 3 < 16;
    is_silk && packet.payload[1] & 0x40 != 0
}

#[test]
fn the_receiver_is_sent_copies_as_long_as_it_reports_losses() {
    let mut world = World::new(&[codec("ulaw")], &[codec("opus")], asks("useinbandfec=1"));
    let copies = |world: &mut World| {
        world.speak(50);
        let left = world.left();
        left.iter()
            .skip(10)
            .filter(|packet| has_copies(packet))
            .count()
    };
    assert!(copies(&mut world) > 20, "losses are assumed at first");
    world.bridge.on_missed(StreamId(0), 0);
    assert_eq!(copies(&mut world), 0, "and none are reported");
    world.bridge.on_missed(StreamId(1), 20);
    assert_eq!(copies(&mut world), 0, "another stream's");
    world.bridge.on_missed(StreamId(0), 20);
    assert!(copies(&mut world) > 20);
}

#[test]
fn what_our_peer_misses_is_told_to_who_makes_it() {
    let mut world = World::new(&[codec("ulaw")], &[codec("opus")], Wishes::default());
    world
        .bridge
        .tell_missed(OWN, StreamId(3), 5, &mut world.out);
    assert!(world.out.is_empty(), "nobody sends to that stream");
    world
        .bridge
        .tell_missed(OWN, StreamId(0), 5, &mut world.out);
    let told = world.out.pop_front().map(|relayed| relayed.cargo);
    let is_told = |cargo: &Cargo| {
        matches!(
            cargo,
            Cargo::Missed {
                stream: StreamId(0),
                percent: 5
            }
        )
    };
    assert!(told.as_ref().is_some_and(is_told), "{told:?}");
}

#[test]
fn what_is_made_for_a_phone_follows_the_codec_that_it_sends() {
    let ours = [codec("alaw"), codec("ulaw"), NOISE];
    let mut world = World::new(&ours, &[codec("opus")], Wishes::default());
    let told = |world: &mut World| {
        world.bridge.say(OWN, &mut world.out);
        let agreed = world
            .out
            .drain(..)
            .filter_map(|relayed| match relayed.cargo {
                Cargo::Agreed { topology, .. } => {
                    topology.iter().next()?.payloads[0].format.codec()
                }
                _ => None,
            });
        agreed.map(|codec| codec.name).collect::<Vec<_>>()
    };
    assert_eq!(told(&mut world), ["alaw"]);
    world.speak(1);
    assert_eq!(
        told(&mut world),
        ["ulaw"],
        "it speaks another than was thought"
    );
    world.speak(3);
    world.pass(NOISE, &[40]);
    assert_eq!(told(&mut world), [""; 0], "nothing new");
    // What was agreed on stands, and so does what is heard, until there is another agreement.
    world.bridge.on_agreed(&agreed(&ours, Wishes::default()));
    assert_eq!(told(&mut world), [""; 0]);
    world
        .bridge
        .on_agreed(&agreed(&ours[..1], Wishes::default()));
    assert_eq!(told(&mut world), ["alaw"]);
    world.pass(codec("ulaw"), &[0xFF; 160]);
    assert_eq!(told(&mut world), [""; 0], "not agreed on any more");
}

/// A browser is offered the codec of the other side, and what it sends before it answers is still in its own.
#[test]
fn what_comes_in_the_codec_that_stood_before_is_made_anew_until_the_new_one_comes() {
    let both = [codec("ulaw")];
    let mut world = World::new(&both, &both, Wishes::default());
    for _ in 0..3 {
        world.pass(codec("alaw"), &[0xD5; 160]);
    }
    let left = world.left();
    assert_eq!(left.len(), 3);
    let is_ulaw = |packet: &Packet| packet.format.codec() == by_name("ulaw");
    assert!(left.iter().all(is_ulaw));
    world.speak(5);
    world.wait(500);
    let left = world.left();
    assert_eq!(
        left.len(),
        5,
        "nothing is made in place of what comes no more"
    );
    assert!(
        left.iter().all(|packet| packet.ssrc == 7),
        "they pass as they are"
    );
}
