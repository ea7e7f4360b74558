mod wishes;

use super::{Incoming, Made, Recipe, Transcoder};
use codec::{CODECS, Codec, Encode, Settings, by_name};
use std::f64::consts::TAU;
use std::time::{Duration, Instant};

/// A phone that sends a tone in some codec, and the transcoder behind it.
struct World {
    now: Instant,
    transcoder: Transcoder,
    from: &'static Codec,
    to: &'static Codec,
    rate_hz: u32,
    packet_ms: u32,
    encoder: Box<dyn Encode>,
    sequence: u64,
    timestamp: u32,
    samples: usize,
}

impl World {
    fn new(from: &str, to: &str) -> Self {
        Self::with(
            from,
            to,
            "",
            20,
            by_name(to).unwrap().coding.unwrap().packet_ms,
        )
    }

    fn with(from: &str, to: &str, fmtp: &str, packet_ms: u32, packet_ms_out: u16) -> Self {
        Self::asked(from, to, [fmtp, ""], packet_ms, packet_ms_out)
    }

    /// The sender encodes as the first `a=fmtp` says, the receiver asks for the second.
    fn asked(
        from: &str,
        to: &str,
        [fmtp, fmtp_out]: [&str; 2],
        packet_ms: u32,
        packet_ms_out: u16,
    ) -> Self {
        let (from, to) = (by_name(from).unwrap(), by_name(to).unwrap());
        let rate_hz = from.coding.unwrap().rates_hz[0];
        let settings = Settings {
            rate_hz,
            channels: 1,
            fmtp,
        };
        let recipe = Recipe {
            from,
            to,
            fmtp: fmtp_out,
            packet_ms: packet_ms_out,
            ssrc: 1,
        };
        Self {
            now: Instant::now(),
            transcoder: Transcoder::new(&recipe).unwrap(),
            from,
            to,
            rate_hz,
            packet_ms,
            encoder: (from.coding.unwrap().encoder)(&settings).unwrap(),
            sequence: 1000,
            timestamp: u32::MAX - 5000,
            samples: 0,
        }
    }

    /// The next packet of the phone; `hz` 0 is silence.
    fn packet(&mut self, hz: f64) -> Incoming {
        let count = (self.rate_hz * self.packet_ms / 1000) as usize;
        let step = TAU * hz / f64::from(self.rate_hz);
        let sample = |index: usize| ((step * index as f64).sin() * 10_000.0) as i16;
        let sound: Vec<i16> = (self.samples..self.samples + count).map(sample).collect();
        let mut payload = Vec::new();
        self.encoder.encode(&sound, &mut payload).unwrap();
        let packet = Incoming {
            ssrc: 77,
            sequence: self.sequence,
            timestamp: self.timestamp,
            payload: payload.into(),
        };
        self.samples += count;
        self.skip();
        packet
    }

    /// The phone says nothing for as long as a packet.
    fn skip(&mut self) {
        self.sequence += 1;
        let units = self.from.clock_hz * self.packet_ms / 1000;
        self.timestamp = self.timestamp.wrapping_add(units);
    }

    /// The time of a packet passes; what is made meanwhile.
    fn pass(&mut self) -> Vec<Made> {
        let end = self.now + Duration::from_millis(self.packet_ms.into());
        let mut made = self.take();
        while let Some(due) = self.transcoder.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            made.extend(self.take());
        }
        self.now = end;
        made.extend(self.take());
        made
    }

    fn take(&mut self) -> Vec<Made> {
        std::iter::from_fn(|| self.transcoder.poll(self.now)).collect()
    }

    /// A tone for so many packets; those for which `is_lost` says so do not come.
    fn tone(&mut self, hz: f64, packets: usize, is_lost: impl Fn(usize) -> bool) -> Vec<Made> {
        let mut made = Vec::new();
        for index in 0..packets {
            let packet = self.packet(hz);
            if !is_lost(index) {
                self.transcoder.handle_sound(self.now, packet);
            }
            made.extend(self.pass());
        }
        made
    }

    /// What the other side hears, at its codec's best rate.
    fn heard(&self, made: &[Made]) -> (Vec<i16>, u32) {
        let coding = self.to.coding.unwrap();
        let settings = Settings {
            rate_hz: coding.rates_hz[0],
            ..Settings::default()
        };
        let mut decoder = (coding.decoder)(&settings).unwrap();
        let mut sound = Vec::new();
        for made in made {
            decoder.decode(&made.payload, &mut sound).unwrap();
        }
        (sound, coding.rates_hz[0])
    }
}

/// The share of a sound's power that is at a frequency.
fn share(sound: &[i16], hz: f64, rate_hz: u32) -> f64 {
    let step = TAU * hz / f64::from(rate_hz);
    let (mut s, mut c, mut power) = (0.0, 0.0, 1.0);
    for (index, sample) in sound.iter().enumerate() {
        let value = f64::from(*sample);
        s += value * (step * index as f64).sin();
        c += value * (step * index as f64).cos();
        power += value * value;
    }
    2.0 * (s * s + c * c) / sound.len() as f64 / power
}

/// Numbers without gaps, each packet where the one before ended.
fn assert_seamless(made: &[Made], units: u32) {
    for pair in made.windows(2) {
        assert_eq!(pair[1].sequence, pair[0].sequence + 1);
        assert_eq!(pair[1].timestamp, pair[0].timestamp.wrapping_add(units));
        assert!(!pair[1].marker);
    }
}

#[test]
fn a_tone_comes_through_between_any_two_codecs() {
    let audio = || CODECS.iter().filter(|codec| codec.coding.is_some());
    for from in audio() {
        for to in audio().filter(|to| *to != from) {
            let mut world = World::new(from.name, to.name);
            let made = world.tone(440.0, 50, |_| false);
            let packet_ms = u32::from(to.coding.unwrap().packet_ms);
            assert_seamless(&made, to.clock_hz * packet_ms / 1000);
            assert!(made[0].marker, "sound begins");
            let (sound, rate_hz) = world.heard(&made);
            // All but the delay of the filters and one packet that is not whole yet.
            let second = rate_hz as usize;
            assert!(sound.len() > second * 95 / 100 && sound.len() <= second);
            let share = share(&sound[second / 5..], 440.0, rate_hz);
            assert!(share > 0.9, "{} to {}: {share}", from.name, to.name);
        }
    }
}

#[test]
fn opus_runs_at_the_rate_of_the_other_side() {
    for (a, b, rate_hz) in [
        ("opus", "ulaw", 8000),
        ("g722", "opus", 16_000),
        ("opus", "slin48", 48_000),
    ] {
        let transcoder = World::new(a, b).transcoder;
        assert!(transcoder.resampler.is_none());
        assert_eq!(transcoder.rate_in_hz, rate_hz);
    }
    assert!(World::new("g722", "alaw").transcoder.resampler.is_some());
}

#[test]
fn a_packet_in_order_is_sent_on_at_once() {
    let mut world = World::new("ulaw", "opus");
    for _ in 0..10 {
        let packet = world.packet(300.0);
        world.transcoder.handle_sound(world.now, packet);
        assert_eq!(world.take().len(), 1);
        assert_eq!(world.transcoder.poll_timeout(), None);
        world.now += Duration::from_millis(20);
    }
}

#[test]
fn packets_have_the_length_that_the_receiver_asks_for() {
    for (from, to, in_ms, out_ms, expected_ms) in [
        ("opus", "ulaw", 20, 30, 30),
        ("ulaw", "alaw", 60, 20, 20),
        ("ulaw", "g722", 20, 40, 40),
        ("alaw", "opus", 30, 60, 60),
        ("ulaw", "opus", 20, 30, 20),
        ("g722", "alaw", 10, 5, 10),
    ] {
        let mut world = World::with(from, to, "", in_ms, out_ms);
        let made = world.tone(440.0, 600 / in_ms as usize, |_| false);
        assert_seamless(&made, world.to.clock_hz * expected_ms / 1000);
        let count = 600 / expected_ms as usize;
        assert!(
            (count - 1..=count).contains(&made.len()),
            "{from} to {to}: {}",
            made.len()
        );
    }
}

#[test]
fn lost_packets_leave_no_hole() {
    for (from, to) in [("opus", "ulaw"), ("ulaw", "opus"), ("g722", "slin16")] {
        let mut world = World::with(from, to, "useinbandfec=1", 20, 20);
        let made = world.tone(440.0, 100, |index| index % 10 == 5);
        assert_seamless(&made, world.to.clock_hz / 50);
        assert!(made.len() >= 98, "{from} to {to}: {}", made.len());
        let (sound, rate_hz) = world.heard(&made);
        let share = share(&sound[sound.len() / 5..], 440.0, rate_hz);
        assert!(share > 0.8, "{from} to {to}: {share}");
        let loud = |part: &[i16]| part.iter().any(|sample| sample.unsigned_abs() > 800);
        let parts = sound[sound.len() / 5..].chunks_exact(rate_hz as usize / 50);
        assert!(parts.into_iter().all(loud), "{from} to {to} has a hole");
        let account = world.transcoder.account();
        assert_eq!((account.jitter.lost, account.concealed_ms), (10, 200));
    }
}

#[test]
fn an_endless_loss_is_not_concealed_endlessly() {
    let mut world = World::new("ulaw", "alaw");
    world.tone(440.0, 10, |_| false);
    // Fifty packets are missing at once.
    world.tone(440.0, 50, |_| true);
    let made = world.tone(440.0, 10, |_| false);
    assert!(world.transcoder.account().concealed_ms <= 260);
    let onset = made.iter().find(|made| made.marker).unwrap();
    // A second and two tenths since the beginning, whatever was concealed of it.
    assert_eq!(onset.timestamp, 8000 / 50 * 60);
}

#[test]
fn silence_of_the_sender_is_silence_of_the_same_length() {
    let mut world = World::new("ulaw", "opus");
    let before = world.tone(440.0, 10, |_| false);
    for _ in 0..25 {
        // Silence takes no numbers.
        world.skip();
        world.sequence -= 1;
        assert_eq!(world.pass(), []);
    }
    let after = world.tone(440.0, 10, |_| false);
    assert!(after[0].marker);
    let pause = after[0]
        .timestamp
        .wrapping_sub(before.last().unwrap().timestamp);
    assert_eq!(pause, 26 * 960);
    assert_eq!(after[0].sequence, before.last().unwrap().sequence + 1);
}

#[test]
fn a_phone_hears_noise_and_no_hole_while_a_browser_pauses() {
    let mut world = World::with("opus", "ulaw", "usedtx=1", 20, 20);
    let mut made = world.tone(440.0, 50, |_| false);
    // Silence: after a while the encoder makes packets of a byte, of which a browser sends the first.
    let (mut sent, mut is_first) = (0, true);
    for _ in 0..200 {
        let packet = world.packet(0.0);
        let is_pause = packet.payload.len() <= 2;
        if !is_pause || std::mem::replace(&mut is_first, false) {
            is_first |= !is_pause;
            world.transcoder.handle_sound(world.now, packet);
            sent += 1;
        } else {
            world.sequence -= 1;
        }
        made.extend(world.pass());
    }
    assert!(sent < 100, "the encoder pauses");
    made.extend(world.tone(440.0, 50, |_| false));
    let (sound, _) = world.heard(&made);
    // Six seconds, less what the alarms of the pause wait for.
    let packets = made.len();
    assert!((296..=301).contains(&packets), "{packets}");
    let elapsed = made.last().unwrap().timestamp / 160 + 1;
    assert!(
        (298..=301).contains(&elapsed),
        "{elapsed} packets on the timeline"
    );
    assert!(share(&sound[sound.len() - 6000..], 440.0, 8000) > 0.95);
}

#[test]
fn noise_ends_when_the_sender_is_gone() {
    let mut world = World::with("opus", "ulaw", "usedtx=1", 20, 20);
    while {
        let packet = world.packet(0.0);
        let is_pause = packet.payload.len() <= 2;
        world.transcoder.handle_sound(world.now, packet);
        world.pass();
        !is_pause
    } {}
    let mut noise = 0;
    for _ in 0..300 {
        noise += world.pass().len();
    }
    assert!((95..=105).contains(&noise), "{noise} packets");
    assert_eq!(world.transcoder.poll_timeout(), None);
}

#[test]
fn digits_take_numbers_and_are_not_missing() {
    let mut world = World::new("opus", "ulaw");
    let before = world.tone(440.0, 10, |_| false);
    let last = before.last().unwrap();
    for _ in 0..5 {
        let sequence = world.sequence;
        world.skip();
        world.transcoder.skip(77, sequence);
        assert!(world.pass().is_empty());
    }
    let after = world.tone(440.0, 10, |_| false);
    assert_eq!(world.transcoder.account().jitter.lost, 0);
    assert_eq!(after[0].sequence, last.sequence + 1);
    assert_eq!(
        after[0].timestamp - last.timestamp,
        6 * 160,
        "the sound goes on where it is"
    );
}

#[test]
fn another_source_goes_on_the_same_timeline() {
    let mut world = World::new("ulaw", "opus");
    let before = world.tone(440.0, 10, |_| false);
    world.now += Duration::from_secs(2);
    let mut packet = world.packet(440.0);
    packet.ssrc = 5;
    packet.sequence = 9;
    packet.timestamp = 123;
    world.transcoder.handle_sound(world.now, packet);
    let after = world.take();
    assert!(after[0].marker);
    let pause = after[0].timestamp - before.last().unwrap().timestamp;
    assert!((95_000..=97_000).contains(&pause), "two seconds: {pause}");
    assert_eq!(after[0].sequence, before.last().unwrap().sequence + 1);
}

#[test]
fn any_payload_is_survived_and_makes_no_flood() {
    let mut seed = 3u32;
    let mut random = move || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        seed >> 8
    };
    for (from, to) in [
        ("opus", "ulaw"),
        ("ulaw", "opus"),
        ("g722", "alaw"),
        ("slin44", "g722"),
    ] {
        let mut world = World::new(from, to);
        let mut made = 0;
        for index in 0..2000u32 {
            let len = random() as usize % 1500;
            let payload: Vec<u8> = (0..len).map(|_| random() as u8).collect();
            let mut packet = Incoming {
                ssrc: 77,
                sequence: u64::from(index + random() % 4),
                timestamp: index * 960,
                payload: payload.into(),
            };
            if random() % 50 == 0 {
                packet.sequence = random().into();
                packet.timestamp = random() << 8;
            }
            world.transcoder.skip(packet.ssrc, packet.sequence / 2);
            world.transcoder.handle_sound(world.now, packet);
            made += world.pass().len();
            assert!(world.transcoder.waiting.len() < world.transcoder.packet_len);
        }
        assert!(made < 2000 * 30, "{from} to {to}: {made}");
    }
}
