//! Digits: sent as events or as tones, found in both, and kept from who is not meant to hear them.

use super::*;
use codec::{DtmfDetector, DtmfEvent, Settings, TonePlayer, ToneScript, dtmf_pair};
use rtp::{Digit, DigitEvent, DigitReceiver};

const OPUS: &[&str] = &["opus", "vp8"];
const ULAW: &[&str] = &["ulaw", "vp8"];
/// Its endpoint allows no telephone events.
const TONES: &[&str] = &["ulaw", "vp8", "tones"];

fn ended(digit: char, ms: u64) -> DigitEvent {
    let duration = Duration::from_millis(ms);
    DigitEvent::Ended(Digit { digit, duration })
}

impl World {
    fn dial(&mut self, index: usize, event: DigitEvent) {
        let shard = self.browsers[index].shard;
        let request = Request::Digit(event);
        self.command(shard, Command::Leg(leg(index, shard), request));
    }

    fn listen(&mut self, index: usize) {
        let shard = self.browsers[index].shard;
        let request = Request::Listen(true);
        self.command(shard, Command::Leg(leg(index, shard), request));
    }

    /// What the owner of a leg was told of digits: `+5` begins, `-5` ends.
    fn told(&mut self, index: usize) -> (String, Vec<u128>) {
        let (mut text, mut lengths) = (String::new(), Vec::new());
        while let Ok(event) = self.browsers[index].told.try_recv() {
            let LegEvent::Digit { event, .. } = event else {
                continue;
            };
            match event {
                DigitEvent::Began(digit) => text.extend(['+', digit]),
                DigitEvent::Ended(digit) => {
                    text.extend(['-', digit.digit]);
                    lengths.push(digit.duration.as_millis());
                }
            }
        }
        (text, lengths)
    }

    /// Sends an event of five updates and three ends, with sound between as some phones do.
    fn send_event(&mut self, index: usize, code: u8, with_sound: bool) {
        let start = 48_000 * u32::from(code);
        for step in 1..=8u16 {
            let end = if step > 5 { 0x80 } else { 0 };
            let [high, low] = (step.min(6) * 960).to_be_bytes();
            let payload = vec![code, end | 10, high, low];
            let now = self.now;
            self.browsers[index].send_at(now, Codec::Tele, start, payload);
            if with_sound && step <= 5 {
                self.browsers[index].send(now, 0, Codec::Opus);
            }
            self.run(20);
        }
        self.run(100);
    }

    /// Sends so many packets of this sound.
    fn say(&mut self, index: usize, sound: &[i16]) {
        for frame in sound.chunks(160) {
            let now = self.now;
            let payload = frame.iter().map(|sample| codec::ulaw_of(*sample)).collect();
            self.browsers[index].send_payload(now, 0, Codec::PCMU, 160, payload);
            self.run(20);
        }
    }
}

impl Browser {
    fn send_at(&mut self, now: Instant, codec: Codec, time: u32, payload: Vec<u8>) {
        let number = self.first + self.sent[0];
        self.sent[0] += 1;
        let write = RtpWrite::new(self.pt(codec), number.into(), time, now, payload);
        let mut api = self.rtc.direct_api();
        let stream = api.stream_tx_by_mid(self.mids[0], None).unwrap();
        stream.write_rtp(write);
        self.rtc.handle_input(Input::Timeout(now)).unwrap();
    }

    fn is_event(&self, packet: &RtpPacket) -> bool {
        packet.header.payload_type == self.pt(Codec::Tele)
    }
}

/// The digits in packets of events.
fn digits_of(packets: &[RtpPacket], clock_hz: u32) -> Vec<(char, u128)> {
    let mut receiver = DigitReceiver::default();
    let mut digits = Vec::new();
    for packet in packets {
        let (at, time) = (packet.timestamp, packet.header.timestamp);
        receiver.handle_packet(at, clock_hz, time, &packet.payload);
        while let Some(event) = receiver.poll_digit() {
            if let DigitEvent::Ended(digit) = event {
                digits.push((digit.digit, digit.duration.as_millis()));
            }
        }
    }
    digits
}

fn decoded(packets: &[RtpPacket]) -> Vec<i16> {
    let coding = by_name("ulaw").unwrap().coding.unwrap();
    let settings = Settings {
        rate_hz: 8000,
        ..Settings::default()
    };
    let mut decoder = (coding.decoder)(&settings).unwrap();
    let mut sound = Vec::new();
    for packet in packets {
        decoder.decode(&packet.payload, &mut sound).unwrap();
    }
    sound
}

/// The digits that can be heard, with their lengths.
fn heard_in(sound: &[i16]) -> Vec<(char, u128)> {
    let mut events = Vec::new();
    let mut detector = DtmfDetector::new(8000);
    detector.listen(sound, &mut events);
    detector.listen(&[0; 800], &mut events);
    let ended = events.into_iter().filter_map(|event| match event {
        DtmfEvent::Ended { digit, duration } => Some((digit, duration.as_millis())),
        DtmfEvent::Began(_) => None,
    });
    ended.collect()
}

fn tone(digit: char, ms: usize) -> Vec<i16> {
    assert!(dtmf_pair(digit).is_some());
    let mut player = TonePlayer::new(ToneScript::digit(digit).unwrap(), 8000);
    let mut sound = vec![0; ms * 8];
    player.play(&mut sound);
    sound
}

#[test]
fn a_digit_that_is_pressed_is_sent_while_it_is_and_ends_with_it() {
    let mut world = World::new(1, [OPUS, OPUS]);
    world.dial(0, DigitEvent::Began('5'));
    world.run(300);
    let so_far = world.received(0, 0);
    assert!((14..=16).contains(&so_far.len()), "{}", so_far.len());
    assert!(digits_of(&so_far, 48_000).is_empty(), "it lasts");
    world.dial(0, ended('5', 300));
    world.run(200);
    let mut packets = so_far;
    packets.extend(world.received(0, 0));
    let digits = digits_of(&packets, 48_000);
    assert_eq!(digits.len(), 1);
    assert!((300..=320).contains(&digits[0].1), "{digits:?}");
    assert!(packets[0].header.marker);
    assert!(packets[1..].iter().all(|packet| !packet.header.marker));
    let times: Vec<u32> = packets.iter().map(|it| it.header.timestamp).collect();
    assert!(times.iter().all(|time| *time == times[0]));
    let ends = packets.iter().filter(|it| it.payload[1] & 0x80 != 0);
    assert_eq!(ends.count(), 3);
}

#[test]
fn digits_go_one_after_the_other_with_a_pause_however_fast_they_come() {
    let mut world = World::new(1, [OPUS, OPUS]);
    for digit in "55#".chars() {
        world.dial(0, ended(digit, 80));
    }
    world.run(1000);
    let packets = world.received(0, 0);
    assert_eq!(
        digits_of(&packets, 48_000),
        [('5', 80), ('5', 80), ('#', 80)]
    );
    let starts: Vec<u32> = packets
        .iter()
        .filter(|it| it.header.marker)
        .map(|it| it.header.timestamp)
        .collect();
    for pair in starts.windows(2) {
        let ms = pair[1].wrapping_sub(pair[0]) / 48;
        assert!((130..=150).contains(&ms), "{ms}");
    }
}

#[test]
fn a_digit_takes_the_place_of_the_sound_and_the_numbers_go_on() {
    for shards in [1, 2] {
        let mut world = World::new(shards, [OPUS, OPUS]);
        world.connect(1);
        let before = world.send(0, 0, 5);
        world.dial(1, ended('7', 100));
        world.send(0, 0, 6);
        let after = world.send(0, 0, 5);
        let packets = world.received(1, 0);
        let numbers: Vec<u64> = packets.iter().map(|it| *it.seq_no).collect();
        let (events, sound): (Vec<_>, Vec<_>) = packets
            .into_iter()
            .partition(|it| world.browsers[1].is_event(it));
        assert_eq!(digits_of(&events, 48_000), [('7', 100)]);
        let sound = payloads(&sound);
        assert!(sound.starts_with(&before));
        assert!(sound.ends_with(&after));
        assert!(
            sound.len() <= 12,
            "no sound while it is pressed: {}",
            sound.len()
        );
        assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1));
    }
}

#[test]
fn a_peer_that_takes_no_events_is_sent_tones_as_long_as_the_digit() {
    let mut world = World::new(1, [TONES, TONES]);
    world.connect(1);
    world.dial(1, ended('9', 120));
    world.dial(1, DigitEvent::Began('9'));
    world.say(0, &vec![3000; 160 * 15]);
    world.dial(1, ended('9', 130));
    world.say(0, &vec![3000; 160 * 10]);
    let packets = world.received(1, 0);
    assert_no_jump(&packets);
    let heard = heard_in(&decoded(&packets));
    assert_eq!(heard.iter().map(|it| it.0).collect::<String>(), "99");
    assert!((100..=140).contains(&heard[0].1), "{heard:?}");
    assert!((120..=180).contains(&heard[1].1), "{heard:?}");
}

#[test]
fn events_of_a_peer_are_told_once_and_neither_they_nor_their_sound_go_on_by_themselves() {
    for shards in [1, 2] {
        for to in [OPUS, ULAW] {
            let mut world = World::new(shards, [OPUS, to]);
            world.connect(1);
            world.send(0, 0, 5);
            world.received(1, 0);
            world.told(0);
            world.send_event(0, 3, true);
            assert_eq!(world.told(0), ("+3-3".to_owned(), vec![120]));
            let packets = world.received(1, 0);
            assert!(packets.len() <= 1, "{} packets went on", packets.len());
        }
    }
}

#[test]
fn tones_are_told_and_kept_from_the_other_who_hears_everything_else() {
    for (shards, to) in [(1, ULAW), (2, ULAW), (1, OPUS)] {
        let mut world = World::new(shards, [TONES, to]);
        world.connect(1);
        world.listen(0);
        world.told(0);
        let voice: Vec<i16> = (0..160 * 10)
            .map(|at| ((f64::from(at) * 0.31).sin() * 6000.0) as i16)
            .collect();
        let pause = vec![0; 160 * 5];
        // It begins and ends anywhere in a packet.
        let sound = [
            voice.clone(),
            vec![0; 52],
            tone('4', 95),
            pause.clone(),
            tone('4', 400),
            pause.clone(),
            tone('#', 60),
            pause,
            voice.clone(),
        ]
        .concat();
        world.say(0, &sound);
        world.run(300);
        let (text, lengths) = world.told(0);
        assert_eq!(text, "+4-4+4-4+#-#");
        for (told, ms) in lengths.iter().zip([95, 400, 60]) {
            assert!(told.abs_diff(ms) <= 26, "{lengths:?}");
        }
        let packets = world.received(1, 0);
        assert_no_jump(&packets);
        if to == ULAW {
            assert_eq!(packets.len(), sound.len().div_ceil(160), "no hole");
            let heard = decoded(&packets);
            assert_eq!(heard_in(&heard), [], "no digit in it");
            assert_eq!(payloads(&packets[..10]).concat().len(), 1600);
            let loud = |sound: &[i16]| sound.iter().filter(|it| it.abs() > 3000).count();
            assert!(loud(&heard[..1600]) > 800);
            let tail = heard.len() - 800;
            assert!(loud(&heard[tail..]) > 300, "the voice after it");
        }
    }
}

#[test]
fn a_tone_that_stops_with_the_stream_ends() {
    let mut world = World::new(1, [TONES, ULAW]);
    world.listen(0);
    world.say(0, &tone('8', 100));
    assert_eq!(world.told(0).0, "+8");
    world.run(300);
    assert_eq!(world.told(0).0, "-8");
}

#[test]
fn a_tone_with_a_hole_is_one() {
    let mut world = World::new(1, [TONES, ULAW]);
    world.listen(0);
    world.say(0, &tone('8', 100));
    // Two packets are lost.
    world.browsers[0].sent[0] += 2;
    world.run(40);
    world.say(0, &tone('8', 100));
    world.run(300);
    assert_eq!(world.told(0).0, "+8-8");
}

#[test]
fn a_digit_waits_for_a_peer_that_cannot_be_sent_anything() {
    let mut world = World::new(1, [OPUS, OPUS]);
    world.redirect(0, Ours::RecvOnly);
    world.dial(0, ended('2', 100));
    world.run(2000);
    assert!(world.received(0, 0).is_empty());
    world.redirect(0, Ours::SendRecv);
    world.run(500);
    assert_eq!(digits_of(&world.received(0, 0), 48_000), [('2', 100)]);
    // But not for ever.
    world.redirect(0, Ours::RecvOnly);
    world.dial(0, ended('2', 100));
    world.run(10_100);
    world.redirect(0, Ours::SendRecv);
    world.run(500);
    assert!(world.received(0, 0).is_empty());
}

#[test]
fn a_digit_pressed_across_a_new_agreement_is_one_digit() {
    let mut world = World::new(1, [OPUS, OPUS]);
    world.dial(0, DigitEvent::Began('6'));
    world.run(100);
    world.redirect(0, Ours::SendOnly);
    world.run(100);
    world.dial(0, ended('6', 200));
    world.run(300);
    let digits = digits_of(&world.received(0, 0), 48_000);
    assert_eq!(digits.len(), 1);
    assert!((200..=230).contains(&digits[0].1), "{digits:?}");
}

#[test]
fn digits_that_wait_are_bounded_and_a_key_nobody_lets_go_is_let_go() {
    let mut world = World::new(1, [OPUS, OPUS]);
    for _ in 0..1000 {
        world.dial(0, ended('1', 40));
    }
    world.run(64 * 100 + 500);
    let digits = digits_of(&world.received(0, 0), 48_000);
    assert!((64..=65).contains(&digits.len()), "{}", digits.len());
    world.dial(0, DigitEvent::Began('1'));
    world.run(61_000);
    let digits = digits_of(&world.received(0, 0), 48_000);
    assert_eq!(digits.len(), 1);
    world.dial(0, ended('1', 61_000));
    world.run(1_000);
    let packets = world.received(0, 0);
    assert!(digits_of(&packets, 48_000).is_empty(), "it was let go");
}
