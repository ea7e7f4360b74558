//! Packets with any numbers at any time through the jitter buffer: it ends, it never sets an alarm for
//! nothing, and it plays no more than it got.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rtp::{Arrival, JitterBuffer, JitterConfig, Pacing, Play};
use std::time::{Duration, Instant};

// A byte chooses the pace. Each packet: a pause, a source, steps of number and timestamp, a length.
fuzz_target!(|bytes: &[u8]| {
    let Some((&choice, rest)) = bytes.split_first() else {
        return;
    };
    let pacing = if choice & 1 == 0 {
        Pacing::Prompt
    } else {
        Pacing::Steady
    };
    let mut buffer = JitterBuffer::new(JitterConfig::new(48_000, pacing));
    let mut now = Instant::now();
    let (mut sequence, mut timestamp) = (1u64 << 20, 0u32);
    let (mut pushed, mut played) = (0, 0);
    for packet in rest.as_chunks::<6>().0 {
        let [pause, kind, step, high, low, units] = *packet;
        let target = now + Duration::from_millis(u64::from(pause));
        while let Some(due) = buffer.poll_timeout().filter(|due| *due <= target) {
            now = now.max(due);
            let mut plays = 0;
            while let Some(play) = buffer.pop(now) {
                plays += 1;
                played += usize::from(matches!(play, Play::Packet { .. }));
                assert!(plays <= 1000, "it ends");
            }
            assert!(
                buffer.poll_timeout().is_none_or(|due| due > now),
                "an alarm that stays"
            );
        }
        now = target;
        let jump = u64::from(step) << (kind >> 3);
        sequence = match kind & 4 {
            0 => sequence.wrapping_add(jump) & (u64::MAX >> 8),
            _ => sequence.saturating_sub(jump),
        };
        timestamp =
            timestamp.wrapping_add(u32::from(u16::from_be_bytes([high, low])) << (kind >> 5));
        if kind & 3 == 3 {
            buffer.skip(0, sequence);
        } else {
            pushed += 1;
            let ssrc = u32::from(kind & 1);
            buffer.push(
                now,
                Arrival {
                    ssrc,
                    sequence,
                    timestamp,
                    units: u32::from(units) * 16,
                    payload: (),
                },
            );
        }
        let mut plays = 0;
        while let Some(play) = buffer.pop(now) {
            plays += 1;
            played += usize::from(matches!(play, Play::Packet { .. }));
            assert!(plays <= 1000, "it ends");
        }
    }
    assert!(played <= pushed);
});
