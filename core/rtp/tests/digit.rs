//! Whatever happens to its packets on the way, a digit is reported once.

#![expect(
    clippy::disallowed_methods,
    reason = "a test chooses where its time begins"
)]

use rtp::{Digit, DigitEvent, DigitReceiver, EventClock, EventSender};
use std::time::{Duration, Instant};

const CLOCK_HZ: u32 = 8000;
const STEP: Duration = Duration::from_millis(20);

/// The packets a browser sends for a tone of five steps: five updates, then the end three times.
fn tone(code: u8, start: u32) -> Vec<(u32, [u8; 4])> {
    let update = |step: u16| (start, block(code, false, step * 160));
    let mut packets: Vec<_> = (1..=5).map(update).collect();
    packets.extend([(start, block(code, true, 960)); 3]);
    packets
}

fn block(code: u8, end: bool, duration: u16) -> [u8; 4] {
    let [high, low] = duration.to_be_bytes();
    [code, 10 | if end { 0x80 } else { 0 }, high, low]
}

fn receive(packets: &[(u32, [u8; 4])]) -> Vec<Digit> {
    let mut now = Instant::now();
    let mut receiver = DigitReceiver::default();
    let mut digits = Vec::new();
    for (timestamp, payload) in packets {
        receiver.handle_packet(now, CLOCK_HZ, *timestamp, payload);
        digits.extend(std::iter::from_fn(|| receiver.poll_digit()));
        now += STEP;
    }
    receiver.handle_timeout(now + Duration::from_secs(1));
    digits.extend(std::iter::from_fn(|| receiver.poll_digit()));
    assert_eq!(receiver.poll_timeout(), None, "nothing is left open");
    ended(&digits)
}

/// The digits of what became known: each begins and ends before the next.
fn ended(events: &[DigitEvent]) -> Vec<Digit> {
    let pairs = events.chunks(2).map(|pair| match pair {
        [DigitEvent::Began(began), DigitEvent::Ended(digit)] if *began == digit.digit => *digit,
        other => panic!("{other:?} of {events:?}"),
    });
    pairs.collect()
}

fn text(digits: &[Digit]) -> String {
    digits.iter().map(|digit| digit.digit).collect()
}

/// What baresip 1.0 sends beside Opus: events of 8 kHz, counted by the 48 kHz of the sound.
#[test]
fn a_digit_that_is_counted_by_the_clock_of_the_sound_has_its_length() {
    let lasts = |unit: u16, jitter_ms: u64| {
        let clock = EventClock {
            hz: 8_000,
            sound_hz: 48_000,
        };
        let mut receiver = DigitReceiver::default();
        let mut now = Instant::now();
        for index in 1..=12 {
            let payload = block(1, index > 9, unit * index.min(9));
            receiver.handle_packet(now, clock, 342_783, &payload);
            now += STEP + Duration::from_millis(u64::from(index % 3) * jitter_ms);
        }
        let events: Vec<_> = std::iter::from_fn(|| receiver.poll_digit()).collect();
        ended(&events)[0].duration
    };
    for jitter_ms in [0, 9] {
        assert_eq!(lasts(960, jitter_ms), Duration::from_millis(180));
        assert_eq!(lasts(160, jitter_ms), Duration::from_millis(180));
    }
}

#[test]
fn a_digit_is_reported_once_with_its_duration() {
    let digits = receive(&tone(11, 1000));
    let expected = Digit {
        digit: '#',
        duration: Duration::from_millis(120),
    };
    assert_eq!(digits, [expected]);
}

#[test]
fn the_same_key_twice_is_two_digits() {
    let packets = [tone(5, 1000), tone(5, 3000)].concat();
    assert_eq!(text(&receive(&packets)), "55");
}

#[test]
fn every_pattern_of_loss_leaves_each_digit_once() {
    let packets = [tone(1, 1000), tone(1, 4000)].concat();
    for lost in 0u32..1 << 16 {
        let is_kept = |index: usize| lost & (1 << index) == 0;
        let kept: Vec<_> = (0..16)
            .filter(|i| is_kept(*i))
            .map(|i| packets[i])
            .collect();
        let expected = usize::from((0..8).any(is_kept)) + usize::from((8..16).any(is_kept));
        assert_eq!(receive(&kept).len(), expected, "lost {lost:016b}");
    }
}

#[test]
fn copies_and_late_packets_are_not_new_digits() {
    let (one, two) = (tone(1, 1000), tone(2, 4000));
    let packets = [
        &one[..],
        &one[..],
        &two[..4],
        &one[2..5],
        &two[4..],
        &one[7..],
        &two[..],
    ]
    .concat();
    assert_eq!(text(&receive(&packets)), "12");
}

#[test]
fn the_end_of_a_tone_overtaken_by_the_next_keeps_the_order() {
    let (one, two) = (tone(1, 1000), tone(2, 4000));
    let packets = [&one[..3], &two[..2], &one[5..], &two[2..]].concat();
    let digits = receive(&packets);
    assert_eq!(text(&digits), "12");
    assert_eq!(digits[0].duration, Duration::from_millis(120));
}

#[test]
fn a_tone_whose_end_is_lost_ends_in_silence() {
    let now = Instant::now();
    let mut receiver = DigitReceiver::default();
    receiver.handle_packet(now, CLOCK_HZ, 1000, &block(9, false, 800));
    assert_eq!(receiver.poll_digit(), Some(DigitEvent::Began('9')));
    assert_eq!(receiver.poll_digit(), None);
    let due = receiver.poll_timeout().unwrap();
    receiver.handle_timeout(due);
    let expected = Digit {
        digit: '9',
        duration: Duration::from_millis(100),
    };
    assert_eq!(receiver.poll_digit(), Some(DigitEvent::Ended(expected)));
}

#[test]
fn a_tone_longer_than_the_field_is_one_digit() {
    // RFC 4733 §2.5.1.3: the second segment begins 0xFFFF later.
    let packets = [
        (1000, block(3, false, 65_000)),
        (1000, block(3, false, 65_535)),
        (1000 + 65_535, block(3, false, 400)),
        (1000, block(3, false, 65_535)),
        (1000 + 65_535, block(3, true, 465)),
        (1000 + 65_535, block(3, true, 465)),
    ];
    let digits = receive(&packets);
    assert_eq!(text(&digits), "3");
    assert_eq!(digits[0].duration, Duration::from_millis(8250));
}

#[test]
fn several_events_in_one_packet_are_several_digits() {
    let mut payload = block(1, false, 400).to_vec();
    payload.extend(block(2, true, 400));
    let now = Instant::now();
    let mut receiver = DigitReceiver::default();
    receiver.handle_packet(now, CLOCK_HZ, 1000, &payload);
    receiver.handle_packet(now, CLOCK_HZ, 1000, &payload);
    let digits: Vec<_> = std::iter::from_fn(|| receiver.poll_digit()).collect();
    assert_eq!(text(&ended(&digits)), "12");
}

#[test]
fn other_events_and_short_payloads_are_ignored() {
    assert_eq!(receive(&[(1000, block(16, true, 100))]), []);
    let mut receiver = DigitReceiver::default();
    receiver.handle_packet(Instant::now(), CLOCK_HZ, 1, &[1, 0x80, 0]);
    assert_eq!(receiver.poll_timeout(), None);
}

#[test]
fn a_flood_of_events_is_bounded() {
    let now = Instant::now();
    let mut receiver = DigitReceiver::default();
    for timestamp in 0..10_000 {
        receiver.handle_packet(now, CLOCK_HZ, timestamp * 7, &block(1, false, 1));
    }
    let digits: Vec<_> = std::iter::from_fn(|| receiver.poll_digit()).collect();
    assert!(digits.len() <= 64, "{} kept", digits.len());
    let begun = |event: &DigitEvent| matches!(event, DigitEvent::Began(_));
    assert!(digits.chunks(2).all(|pair| begun(&pair[0])));
}

/// Sends a digit and returns its packets with the milliseconds they are sent at.
fn sent(digit: char, clock_hz: u32, lasts: Duration) -> Vec<(u128, rtp::EventPacket)> {
    let start = Instant::now();
    let mut sender = EventSender::new(start, digit, clock_hz).expect("it is a digit");
    let (mut now, mut packets, mut is_over) = (start, Vec::new(), false);
    while let Some(due) = sender.poll_timeout() {
        now = due.max(now);
        if !is_over && now >= start + lasts {
            is_over = true;
            now = start + lasts;
            sender.end(now, lasts);
        }
        while let Some(packet) = sender.poll(now) {
            packets.push(((now - start).as_millis(), packet));
        }
    }
    packets
}

#[test]
fn a_digit_is_sent_with_its_duration_and_ends_three_times() {
    let packets = sent('#', 8000, Duration::from_millis(110));
    let first = packets[0].1;
    assert!(first.marker && first.payload[0] == 11);
    assert!(packets[1..].iter().all(|(_, packet)| !packet.marker));
    // RFC 4733 §2.3.5: zero would be an event without end.
    assert!(packets.iter().all(|(_, p)| p.payload[2..] != [0, 0]));
    let is_end = |packet: &rtp::EventPacket| packet.payload[1] & 0x80 != 0;
    let ends: Vec<_> = packets.iter().filter(|(_, p)| is_end(p)).collect();
    let times: Vec<u128> = ends.iter().map(|(at, _)| *at).collect();
    assert_eq!(times, [110, 130, 150]);
    for (_, packet) in ends {
        assert_eq!(packet.payload[2..], 880u16.to_be_bytes());
    }
}

#[test]
fn what_is_sent_is_what_is_received_whatever_its_length() {
    for (clock_hz, ms) in [(8000, 40), (8000, 9000), (48_000, 70), (48_000, 5000)] {
        let lasts = Duration::from_millis(ms);
        let mut receiver = DigitReceiver::default();
        let start = Instant::now();
        let mut events = Vec::new();
        for (at, packet) in sent('7', clock_hz, lasts) {
            let now = start + Duration::from_millis(at as u64);
            let timestamp = 77u32.wrapping_add(packet.offset);
            receiver.handle_packet(now, clock_hz, timestamp, &packet.payload);
            events.extend(std::iter::from_fn(|| receiver.poll_digit()));
        }
        let digits = ended(&events);
        assert_eq!(text(&digits), "7", "{clock_hz} {ms}");
        assert_eq!(digits[0].duration, lasts);
    }
}
