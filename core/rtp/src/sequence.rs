//! Sequence numbers beyond 16 bits and the account of what arrived: RFC 3550 §A.1, §A.3, §A.8.
//!
//! The source validation of §A.1 (MIN_SEQUENTIAL) is left out: packets come here authenticated.

use std::time::Instant;

/// Extends 16-bit sequence numbers to 64 bits.
#[derive(Clone, Copy, Debug, Default)]
pub struct Extender {
    highest: Option<u64>,
}

impl Extender {
    /// The extended number nearest to the highest one seen. The first number keeps its value.
    pub fn extend(&mut self, sequence: u16) -> u64 {
        let Some(highest) = self.highest else {
            self.highest = Some(u64::from(sequence));
            return u64::from(sequence);
        };
        let ahead = sequence.wrapping_sub(highest as u16).cast_signed();
        // A number from before the first one would be negative: it stays in the first cycle.
        let extended = highest
            .checked_add_signed(i64::from(ahead))
            .unwrap_or_else(|| u64::from(sequence));
        self.highest = Some(highest.max(extended));
        extended
    }
}

/// What one source sent and what arrived of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reception {
    first: Option<u64>,
    highest: u64,
    /// Packets of the sources before the present one, which `received` still counts.
    lost_before: u64,
    received_now: u64,
    received: u64,
    bytes: u64,
    transit: Option<(Instant, u32)>,
    jitter: f64,
    /// Expected and lost when the last report was made.
    reported: (u64, u64),
}

/// What a report says of a source (RFC 3550 §6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Of 256, since the tally before.
    pub fraction_lost: u8,
    /// In all.
    pub lost: u64,
    /// The highest sequence number, with its cycles.
    pub highest: u32,
}

impl Reception {
    /// Counts a packet with its extended sequence number. Copies must not be given.
    pub fn on_packet(
        &mut self,
        now: Instant,
        sequence: u64,
        timestamp: u32,
        clock_hz: u32,
        bytes: usize,
    ) {
        self.on_event_packet(sequence, bytes);
        self.on_transit(now, timestamp, clock_hz);
    }

    /// Counts a packet whose timestamp does not tell when it was sent, as that of a telephone
    /// event.
    pub fn on_event_packet(&mut self, sequence: u64, bytes: usize) {
        let first = *self.first.get_or_insert(sequence);
        if first == sequence && self.received_now == 0 {
            self.highest = sequence;
        }
        self.first = Some(first.min(sequence));
        self.highest = self.highest.max(sequence);
        self.received_now += 1;
        self.received += 1;
        self.bytes += bytes as u64;
    }

    /// The source restarted with another SSRC: gaps are counted from its next packet on.
    pub fn on_restart(&mut self) {
        self.lost_before = self.lost();
        self.first = None;
        self.received_now = 0;
        self.transit = None;
        self.reported = (0, self.lost_before);
    }

    /// What a report says now; the next one counts from here. `None` before the first packet.
    pub fn tally(&mut self) -> Option<Tally> {
        let expected = self.highest - self.first? + 1;
        let lost = self.lost();
        let before = std::mem::replace(&mut self.reported, (expected, lost));
        // RFC 3550 §A.3. Late packets may make it negative, which counts as none.
        let (expected, lost_now) = (
            expected.saturating_sub(before.0),
            lost.saturating_sub(before.1),
        );
        let fraction = (lost_now * 256).checked_div(expected).unwrap_or_default();
        Some(Tally {
            fraction_lost: fraction.min(255) as u8,
            lost,
            highest: self.highest as u32,
        })
    }

    /// Packets that arrived, in whatever order.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Payload bytes that arrived.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// RFC 3550 §A.3: expected less received. A retransmission that arrives later mends it.
    pub fn lost(&self) -> u64 {
        let expected = self.first.map_or(0, |first| self.highest - first + 1);
        self.lost_before + expected.saturating_sub(self.received_now)
    }

    /// Interarrival jitter in timestamp units.
    pub fn jitter(&self) -> u32 {
        self.jitter as u32
    }

    /// RFC 3550 §A.8: `J += (|D| - J) / 16`.
    fn on_transit(&mut self, now: Instant, timestamp: u32, clock_hz: u32) {
        if let Some((before, timestamp_before)) = self.transit.replace((now, timestamp)) {
            let arrived = now.saturating_duration_since(before).as_secs_f64() * f64::from(clock_hz);
            let sent = f64::from(timestamp.wrapping_sub(timestamp_before).cast_signed());
            // A jump of more than a second is a new timeline, not jitter.
            let difference = (arrived - sent).abs();
            if difference < f64::from(clock_hz) {
                self.jitter += (difference - self.jitter) / 16.0;
            }
        }
    }
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "a test chooses where its time begins"
)]
mod tests {
    use super::{Extender, Reception};
    use std::time::{Duration, Instant};

    #[test]
    fn numbers_run_on_over_the_wrap_and_back_again() {
        let mut extender = Extender::default();
        assert_eq!(extender.extend(65_534), 65_534);
        assert_eq!(extender.extend(1), 65_537);
        assert_eq!(
            extender.extend(65_535),
            65_535,
            "a late packet of the old cycle"
        );
        assert_eq!(extender.extend(2), 65_538);
    }

    #[test]
    fn a_packet_from_before_the_first_does_not_underflow() {
        let mut extender = Extender::default();
        assert_eq!(extender.extend(3), 3);
        assert_eq!(extender.extend(65_535), 65_535);
        assert_eq!(extender.extend(65_535), 65_535);
    }

    #[test]
    fn gaps_are_losses_until_they_are_filled() {
        let now = Instant::now();
        let mut reception = Reception::default();
        for sequence in [10, 11, 15, 14] {
            reception.on_packet(now, sequence, 0, 8000, 100);
        }
        assert_eq!((reception.received(), reception.lost()), (4, 2));
        reception.on_packet(now, 12, 0, 8000, 100);
        assert_eq!((reception.lost(), reception.bytes()), (1, 500));
    }

    #[test]
    fn a_restarted_source_does_not_count_the_jump_as_loss() {
        let now = Instant::now();
        let mut reception = Reception::default();
        reception.on_packet(now, 1, 0, 8000, 1);
        reception.on_packet(now, 3, 0, 8000, 1);
        reception.on_restart();
        reception.on_packet(now, 60_000, 0, 8000, 1);
        reception.on_packet(now, 60_001, 0, 8000, 1);
        assert_eq!((reception.received(), reception.lost()), (4, 1));
    }

    #[test]
    fn a_report_counts_since_the_one_before() {
        let now = Instant::now();
        let mut reception = Reception::default();
        assert_eq!(reception.tally(), None);
        for sequence in [65_530, 65_531, 65_533] {
            reception.on_packet(now, sequence, 0, 8000, 1);
        }
        let tally = reception.tally().unwrap();
        assert_eq!((tally.fraction_lost, tally.lost), (64, 1), "one of four");
        for sequence in 65_534..65_538 {
            reception.on_packet(now, sequence, 0, 8000, 1);
        }
        let tally = reception.tally().unwrap();
        assert_eq!((tally.fraction_lost, tally.lost), (0, 1));
        assert_eq!(tally.highest, 0x1_0001, "one cycle");
    }

    #[test]
    fn a_steady_source_has_no_jitter_and_an_unsteady_one_has() {
        let start = Instant::now();
        let (mut steady, mut unsteady) = (Reception::default(), Reception::default());
        for index in 0..100u32 {
            let due = start + Duration::from_millis(20) * index;
            steady.on_packet(due, index.into(), 160 * index, 8000, 1);
            let late = due + Duration::from_millis(u64::from(index % 2) * 10);
            unsteady.on_packet(late, index.into(), 160 * index, 8000, 1);
        }
        assert!(steady.jitter() <= 1);
        assert!((70..=80).contains(&unsteady.jitter()), "10 ms are 80 units");
    }
}
