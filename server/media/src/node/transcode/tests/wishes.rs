//! What a receiver asks for in its description, and pauses that a sender describes.

use super::{World, share};
use crate::node::transcode::{Incoming, Made};
use codec::{Settings, by_name, level_dbov};
use std::f64::consts::TAU;
use std::time::Duration;

fn asked(to: &str, fmtp: &str) -> World {
    World::asked("ulaw", to, ["", fmtp], 20, 20)
}

fn bits_per_second(made: &[Made]) -> usize {
    let bytes: usize = made.iter().map(|made| made.payload.len()).sum();
    bytes * 8 * 50 / made.len()
}

#[test]
fn a_receiver_that_asks_for_fewer_bits_is_sent_fewer() {
    let noisy = |world: &mut World| {
        let mut made = Vec::new();
        for index in 0..150 {
            made.extend(world.tone(200.0 + f64::from(index * 7919 % 1500), 1, |_| false));
        }
        bits_per_second(&made)
    };
    let usual = noisy(&mut asked("opus", ""));
    let few = noisy(&mut asked("opus", "maxaveragebitrate=8000"));
    assert!(few < 9_000 && few * 3 / 2 < usual, "{few} of {usual}");
    let mut constant = asked("opus", "cbr=1;maxaveragebitrate=12000");
    let made = constant.tone(500.0, 50, |_| false);
    let lens: Vec<_> = made.iter().map(|made| made.payload.len()).collect();
    assert!(lens.iter().all(|len| *len == 30), "{lens:?}");
}

#[test]
fn a_receiver_of_little_bandwidth_is_not_sent_more() {
    let with = |fmtp| World::asked("slin48", "opus", ["", fmtp], 20, 20).transcoder;
    assert_eq!(with("").rate_out_hz, 48_000);
    let narrow = with("maxplaybackrate=8000");
    assert_eq!((narrow.rate_in_hz, narrow.rate_out_hz), (48_000, 8000));
    let wide = World::asked("g722", "opus", ["", "maxplaybackrate=16000"], 20, 20);
    assert!(wide.transcoder.resampler.is_none());
}

#[test]
fn silence_is_sent_as_pauses_where_they_are_asked_for_and_only_there() {
    let mut plain = asked("opus", "useinbandfec=1");
    plain.tone(440.0, 10, |_| false);
    assert_eq!(plain.tone(0.0, 100, |_| false).len(), 100);

    let mut world = asked("opus", "usedtx=1");
    let before = world.tone(440.0, 20, |_| false);
    let silent = world.tone(0.0, 150, |_| false);
    assert!(silent.len() < 50, "{} packets of silence", silent.len());
    let said = silent.iter().filter(|made| made.payload.len() <= 2);
    assert!(said.count() >= 1, "the first pause is told");
    let after = world.tone(440.0, 20, |_| false);
    let (first, last) = (&before[0], &after[19]);
    let passed = last.timestamp.wrapping_sub(first.timestamp);
    assert_eq!(passed, (20 + 150 + 19) * 960, "time goes on in a pause");
    let all: Vec<_> = [&before[..], &silent, &after].concat();
    let numbers = all
        .windows(2)
        .all(|two| two[1].sequence == two[0].sequence + 1);
    assert!(numbers, "packets that are not sent have no number");
    assert!(after.iter().any(|made| made.marker) || silent.iter().any(|made| made.marker));
}

#[test]
fn both_channels_of_stereo_are_heard_by_a_phone() {
    let mut world = World::new("opus", "ulaw");
    let settings = Settings {
        rate_hz: 48_000,
        channels: 2,
        fmtp: "stereo=1",
    };
    let mut encoder = (by_name("opus").unwrap().coding.unwrap().encoder)(&settings).unwrap();
    let mut made = Vec::new();
    for packet in 0..50 {
        let sample =
            |index: usize, hz: f64| ((TAU * hz * index as f64 / 48_000.0).sin() * 8000.0) as i16;
        let sound: Vec<i16> = (packet * 960..packet * 960 + 960)
            .flat_map(|index| [sample(index, 440.0), sample(index, 1000.0)])
            .collect();
        let mut payload = Vec::new();
        encoder.encode(&sound, &mut payload).unwrap();
        world.transcoder.handle_sound(
            world.now,
            Incoming {
                ssrc: 77,
                sequence: packet as u64 + 1,
                timestamp: packet as u32 * 960,
                payload: payload.into(),
            },
        );
        made.extend(world.pass());
    }
    let (sound, rate_hz) = world.heard(&made);
    for hz in [440.0, 1000.0] {
        let share = share(&sound[2000..], hz, rate_hz);
        assert!((0.4..0.6).contains(&share), "{hz} Hz: {share}");
    }
    // A phone that takes two channels hears one voice in both.
    let mut back = asked("opus", "stereo=1;sprop-stereo=1");
    let made = back.tone(440.0, 50, |_| false);
    let stereo = Settings {
        fmtp: "",
        ..settings
    };
    let mut decoder = (by_name("opus").unwrap().coding.unwrap().decoder)(&stereo).unwrap();
    let mut sound = Vec::new();
    for made in &made {
        decoder.decode(&made.payload, &mut sound).unwrap();
    }
    for channel in [0, 1] {
        let one: Vec<i16> = sound.iter().skip(channel).step_by(2).copied().collect();
        assert!(share(&one[9600..], 440.0, 48_000) > 0.9);
    }
}

/// How far what is recovered of every fifth packet is from what was sent, after the receiver reported its
/// losses.
fn recovery_error(loss_percent: u8) -> f64 {
    let mut world = asked("opus", "useinbandfec=1");
    world.transcoder.on_loss(loss_percent);
    let mut made = Vec::new();
    for index in 0..100 {
        made.extend(world.tone(300.0 + f64::from(index % 10) * 130.0, 1, |_| false));
    }
    let decoder = || {
        let coding = by_name("opus").unwrap().coding.unwrap();
        (coding.decoder)(&Settings::default()).unwrap()
    };
    let (mut whole, mut lossy) = (decoder(), decoder());
    let mut error = 0.0;
    for index in 20..made.len() - 1 {
        let (mut sent, mut got) = (Vec::new(), Vec::new());
        whole.decode(&made[index].payload, &mut sent).unwrap();
        if index % 5 == 0 {
            lossy.conceal(160, Some(&made[index + 1].payload), &mut got);
            let pairs = sent.iter().zip(&got);
            error += pairs
                .map(|(a, b)| f64::from(i32::from(*a) - i32::from(*b)).powi(2))
                .sum::<f64>();
        } else {
            lossy.decode(&made[index].payload, &mut got).unwrap();
        }
    }
    error
}

#[test]
fn a_receiver_that_reports_losses_is_protected_against_them() {
    let (without, with) = (recovery_error(0), recovery_error(25));
    assert!(with < without / 2.0, "{with} against {without}");
}

#[test]
fn noise_that_a_sender_describes_is_heard_until_it_speaks_again() {
    for (from, to) in [("ulaw", "ulaw"), ("alaw", "opus"), ("g722", "alaw")] {
        let mut world = World::new(from, to);
        let mut made = world.tone(440.0, 20, |_| false);
        // RFC 3389 §3: 40 dB below overload, of no colour.
        let packet = Incoming {
            payload: [40].as_slice().into(),
            ..world.packet(0.0)
        };
        world.transcoder.handle_noise(world.now, &packet);
        made.extend(world.pass());
        for _ in 0..149 {
            // Nothing else comes for three seconds.
            world.timestamp = world.timestamp.wrapping_add(world.from.clock_hz / 50);
            made.extend(world.pass());
        }
        let count = made.len();
        assert!((166..=170).contains(&count), "{from} to {to}: {count}");
        made.extend(world.tone(440.0, 20, |_| false));
        for two in made.windows(2) {
            let step = two[1].timestamp.wrapping_sub(two[0].timestamp);
            assert!(
                (1..=world.to.clock_hz / 20).contains(&step),
                "{from} to {to}: {step}"
            );
        }
        let (sound, rate_hz) = world.heard(&made);
        let second = rate_hz as usize;
        let noise = &sound[second..second * 3];
        let level = level_dbov(noise);
        assert!(
            (-46.0..-37.0).contains(&level),
            "{from} to {to}: {level} dB"
        );
        assert!(share(noise, 440.0, rate_hz) < 0.05);
        let voice = &sound[sound.len() - second / 5..];
        assert!(share(voice, 440.0, rate_hz) > 0.8, "{from} to {to}");
    }
}

#[test]
fn a_description_that_is_none_is_counted_and_nothing_else() {
    let mut world = World::new("ulaw", "alaw");
    world.tone(440.0, 5, |_| false);
    let packet = Incoming {
        payload: [].as_slice().into(),
        ..world.packet(0.0)
    };
    world.transcoder.handle_noise(world.now, &packet);
    assert!(world.take().is_empty() && world.transcoder.poll_timeout().is_none());
    assert_eq!(world.transcoder.account().malformed, 1);
    world.now += Duration::from_secs(1);
    assert!(world.take().is_empty());
}
