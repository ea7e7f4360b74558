//! Telephone events in any order with any content: bounded, in time, each digit in its alphabet.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rtp::{DigitEvent, DigitReceiver};
use std::time::{Duration, Instant};

// Each packet: a pause, a timestamp, a length, a payload.
fuzz_target!(|bytes: &[u8]| {
    let mut now = Instant::now();
    let mut receiver = DigitReceiver::default();
    let mut rest = bytes;
    let mut packets = 0;
    let mut digits = 0;
    while let Some((head, tail)) = rest.split_at_checked(6) {
        let timestamp = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
        let len = usize::from(head[5]).min(tail.len());
        let (payload, tail) = tail.split_at(len);
        rest = tail;
        packets += len / 4;
        now += Duration::from_millis(u64::from(head[0]));
        receiver.handle_packet(now, 8000, timestamp, payload);
        while let Some(event) = receiver.poll_digit() {
            digits += count(event);
        }
    }
    while let Some(due) = receiver.poll_timeout() {
        receiver.handle_timeout(due);
        while let Some(event) = receiver.poll_digit() {
            digits += count(event);
        }
    }
    assert!(digits <= packets, "no digit out of nothing");
});

/// Digits are counted by their ends.
fn count(event: DigitEvent) -> usize {
    let (digit, ends) = match event {
        DigitEvent::Began(digit) => (digit, 0),
        DigitEvent::Ended(digit) => (digit.digit, 1),
    };
    assert!("0123456789*#ABCD".contains(digit));
    ends
}
