//! The sequence numbers and timestamps of one outgoing stream.
//!
//! A receiver must see one source that never jumps, whatever the packets were made from: a browser
//! that changes its SSRC, another party after a transfer, packets that cannot be passed on. So the
//! numbers of the source are shifted, never copied. RFC 3550 §5.1; a middle box of RFC 7667 §3.7.

use std::time::{Duration, Instant};

/// Shifts the numbers of the present source onto the stream's own.
#[derive(Debug)]
pub(crate) struct Timeline {
    source: Option<Source>,
    sequence_next: u64,
    timestamp_last: u32,
    sent_last: Option<Instant>,
    /// What was sent last is sound of the source.
    is_sound: bool,
    /// How long a packet of sound of the source lasts, as soon as that is seen.
    step: Option<u32>,
}

#[derive(Debug)]
struct Source {
    key: u64,
    /// Packets before this one belong to the time before this source was attached.
    first: u64,
    highest: u64,
    shift: Shift,
    /// Holds for packets before `since`, which a skipped packet divides from the later ones.
    shift_before: Shift,
    since: u64,
    timestamp_shift: u32,
}

impl Source {
    /// The packets from here on are shifted otherwise. One division is remembered: what is older still would
    /// get a number that was used, and is too late.
    fn divide(&mut self) {
        self.first = self.first.max(self.since);
        self.shift_before = self.shift;
    }
}

/// Added to the source's sequence number, modulo 2^64.
type Shift = u64;

impl Timeline {
    /// A stream that begins at this sequence number and timestamp.
    pub(crate) fn new(sequence: u16, timestamp: u32) -> Self {
        Self {
            source: None,
            // SRTP counts rollovers from zero: a first packet in the upper half could be taken for
            // one of the cycle before when the first packets are reordered (RFC 3711 §3.3.1).
            sequence_next: u64::from(sequence >> 1) + 1,
            timestamp_last: timestamp,
            sent_last: None,
            is_sound: false,
            step: None,
        }
    }

    /// Numbers for a packet of this source, or `None` for one from before it was attached.
    pub(crate) fn place(
        &mut self,
        now: Instant,
        key: u64,
        sequence: u64,
        timestamp: u32,
        clock_hz: u32,
    ) -> Option<(u64, u32)> {
        let source = self.attach(now, key, sequence, timestamp, clock_hz);
        if sequence < source.first {
            return None;
        }
        let shift = if sequence < source.since {
            source.shift_before
        } else {
            source.shift
        };
        source.highest = source.highest.max(sequence);
        let placed = sequence.wrapping_add(shift);
        let timestamp = timestamp.wrapping_add(source.timestamp_shift);
        if placed >= self.sequence_next {
            let step = timestamp.wrapping_sub(self.timestamp_last);
            let is_next = self.is_sound && placed == self.sequence_next;
            if is_next && (1..=clock_hz / PACKETS_HZ_MIN).contains(&step) {
                self.step = Some(step);
            }
            self.is_sound = true;
            self.sequence_next = placed + 1;
            self.timestamp_last = timestamp;
            self.sent_last = Some(now);
        }
        Some((placed, timestamp))
    }

    /// A packet that is not passed on leaves no gap, or the receiver would ask for it in vain.
    pub(crate) fn skip(&mut self, key: u64, sequence: u64) {
        let Some(source) = self.source.as_mut().filter(|source| source.key == key) else {
            return;
        };
        if sequence <= source.highest {
            return;
        }
        source.divide();
        source.shift = source.shift.wrapping_sub(1);
        source.since = sequence;
        source.highest = sequence;
    }

    /// The timestamp of this moment.
    pub(crate) fn stamp(&self, now: Instant, clock_hz: u32) -> u32 {
        let pause = self
            .sent_last
            .map_or(Duration::ZERO, |sent| now.saturating_duration_since(sent));
        let step = (pause.as_secs_f64() * f64::from(clock_hz)) as u64 as u32;
        self.timestamp_last.wrapping_add(step)
    }

    /// The timestamp of what begins now. Where sound was sent just before, it begins where that ends and not, as by the
    /// clock, a little later: Chromium, whose buffer is full on a busy machine, goes on from sound to the next sound
    /// when it finds nothing at the very moment in which one ends, and drops the digit between the two.
    pub(crate) fn begin(&self, now: Instant, clock_hz: u32) -> u32 {
        let is_close = |sent| now.saturating_duration_since(sent) <= CLOSE;
        let goes_on = self.is_sound && self.sent_last.is_some_and(is_close);
        match self.step.filter(|_| goes_on) {
            Some(step) => self.timestamp_last.wrapping_add(step),
            None => self.stamp(now, clock_hz),
        }
    }

    /// The number of a packet that is made here and goes between those of the source. Where it is the
    /// first of what it tells, its timestamp is that of this moment.
    pub(crate) fn insert(&mut self, now: Instant, first: Option<u32>) -> u64 {
        let sequence = self.sequence_next;
        self.sequence_next += 1;
        if let Some(timestamp) = first {
            self.timestamp_last = timestamp;
            self.sent_last = Some(now);
            self.is_sound = false;
        }
        if let Some(source) = &mut self.source {
            let since = source.highest.wrapping_add(1);
            if source.since != since {
                source.divide();
                source.since = since;
            }
            source.shift = source.shift.wrapping_add(1);
        }
        sequence
    }

    fn attach(
        &mut self,
        now: Instant,
        key: u64,
        sequence: u64,
        timestamp: u32,
        clock_hz: u32,
    ) -> &mut Source {
        let stale = self.source.as_ref().is_none_or(|source| {
            source.key != key || sequence.abs_diff(source.highest) > SEQUENCE_JUMP_MAX
        });
        if stale {
            // The receiver's clock ran on during the pause: at least one packet's worth of it.
            let step = self.stamp(now, clock_hz).wrapping_sub(self.timestamp_last);
            let begin = self.timestamp_last.wrapping_add(step.max(clock_hz / 50));
            let shift = self.sequence_next.wrapping_sub(sequence);
            (self.is_sound, self.step) = (false, None);
            self.source = Some(Source {
                key,
                first: sequence,
                highest: sequence,
                shift,
                shift_before: shift,
                since: sequence,
                timestamp_shift: begin.wrapping_sub(timestamp),
            });
        }
        self.source.as_mut().expect("attached above")
    }
}

/// A larger jump is a restarted source (RFC 3550 §A.1: MAX_DROPOUT).
const SEQUENCE_JUMP_MAX: u64 = 3000;
/// What is longer than a packet of sound, of 125 ms, is a pause.
const PACKETS_HZ_MIN: u32 = 8;
/// Sound that ended within this time has not stopped: its next packet is late, or is the one the digit replaces.
const CLOSE: Duration = Duration::from_millis(150);

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "a test chooses where its time begins"
)]
mod tests {
    use super::Timeline;
    use std::time::{Duration, Instant};

    const CLOCK_HZ: u32 = 48_000;

    fn timeline() -> (Timeline, Instant) {
        (Timeline::new(0, 1000), Instant::now())
    }

    #[test]
    fn gaps_and_order_of_the_source_are_kept() {
        let (mut timeline, now) = timeline();
        let mut place = |sequence| timeline.place(now, 7, sequence, 0, CLOCK_HZ).unwrap().0;
        let first = place(70_000);
        assert!(first < 65_536, "the rollover counter starts at zero");
        assert_eq!(place(70_003), first + 3);
        assert_eq!(place(70_001), first + 1);
    }

    #[test]
    fn another_source_continues_without_a_gap_and_with_the_time_that_passed() {
        let (mut timeline, now) = timeline();
        let (sequence, timestamp) = timeline.place(now, 1, 500, 9_000_000, CLOCK_HZ).unwrap();
        let later = now + Duration::from_secs(2);
        let placed = timeline.place(later, 2, 42, 17, CLOCK_HZ).unwrap();
        assert_eq!(placed, (sequence + 1, timestamp + 2 * CLOCK_HZ));
        let next = timeline.place(later, 2, 43, 17 + 960, CLOCK_HZ).unwrap();
        assert_eq!(next, (sequence + 2, timestamp + 2 * CLOCK_HZ + 960));
    }

    #[test]
    fn a_packet_older_than_its_source_s_first_is_not_placed() {
        let (mut timeline, now) = timeline();
        timeline.place(now, 1, 500, 0, CLOCK_HZ);
        timeline.place(now, 2, 42, 0, CLOCK_HZ);
        assert_eq!(timeline.place(now, 2, 41, 0, CLOCK_HZ), None);
    }

    #[test]
    fn skipped_packets_close_up_and_late_ones_keep_their_place() {
        let (mut timeline, now) = timeline();
        let mut numbers = Vec::new();
        for sequence in [10, 12] {
            numbers.push(timeline.place(now, 1, sequence, 0, CLOCK_HZ).unwrap().0);
        }
        timeline.skip(1, 13);
        for sequence in [14, 11] {
            numbers.push(timeline.place(now, 1, sequence, 0, CLOCK_HZ).unwrap().0);
        }
        let first = numbers[0];
        assert_eq!(numbers, [first, first + 2, first + 3, first + 1]);
    }

    #[test]
    fn packets_made_here_push_the_source_on_and_late_ones_keep_their_place() {
        let (mut timeline, now) = timeline();
        let place = |timeline: &mut Timeline, sequence| {
            timeline.place(now, 1, sequence, 0, CLOCK_HZ).unwrap().0
        };
        let first = place(&mut timeline, 10);
        assert_eq!(place(&mut timeline, 12), first + 2);
        let later = now + Duration::from_millis(20);
        let stamp = timeline.stamp(later, CLOCK_HZ);
        let begun = timeline.place(now, 1, 12, 0, CLOCK_HZ).unwrap().1;
        assert_eq!(stamp, begun + 960);
        assert_eq!(timeline.insert(later, Some(stamp)), first + 3);
        assert_eq!(timeline.insert(later, None), first + 4);
        assert_eq!(place(&mut timeline, 13), first + 5);
        assert_eq!(place(&mut timeline, 11), first + 1);
        assert_eq!(place(&mut timeline, 14), first + 6);
    }

    #[test]
    fn two_digits_in_silence_have_their_own_times() {
        let (mut timeline, now) = timeline();
        let one = timeline.stamp(now, 8000);
        timeline.insert(now, Some(one));
        let later = now + Duration::from_millis(150);
        assert_eq!(timeline.stamp(later, 8000), one + 1200);
    }

    /// Plays a source of packets of 20 ms until just after its packet 12.
    fn speaking() -> (Timeline, Instant, u32) {
        let (mut timeline, now) = timeline();
        let mut end = 0;
        for index in 0..3u32 {
            let at = now + Duration::from_millis(20 * u64::from(index));
            let (sequence, timestamp) = (u64::from(10 + index), 960 * index);
            let placed = timeline.place(at, 1, sequence, timestamp, CLOCK_HZ);
            end = placed.unwrap().1 + 960;
        }
        (timeline, now + Duration::from_millis(40), end)
    }

    #[test]
    fn a_digit_within_sound_begins_where_the_sound_ends() {
        for late_ms in [0, 7, 21, 100] {
            let (timeline, now, end) = speaking();
            let at = now + Duration::from_millis(late_ms);
            assert_eq!(timeline.begin(at, CLOCK_HZ), end, "{late_ms} ms");
        }
    }

    #[test]
    fn a_digit_in_a_pause_begins_when_it_is_pressed() {
        let (timeline, now, end) = speaking();
        let at = now + Duration::from_millis(1_000);
        assert_eq!(timeline.begin(at, CLOCK_HZ), end - 960 + CLOCK_HZ);
    }

    #[test]
    fn sound_after_a_digit_does_not_last_as_long_as_the_digit() {
        let (mut timeline, now, end) = speaking();
        timeline.insert(now, Some(end));
        let after = now + Duration::from_millis(100);
        let resumed = timeline.place(after, 1, 13, 7 * 960, CLOCK_HZ).unwrap().1;
        assert_eq!(resumed, end + 4 * 960);
        let at = after + Duration::from_millis(8);
        assert_eq!(timeline.begin(at, CLOCK_HZ), resumed + 960);
    }

    #[test]
    fn a_jump_of_the_same_source_is_a_restart() {
        let (mut timeline, now) = timeline();
        let first = timeline.place(now, 1, 100, 0, CLOCK_HZ).unwrap().0;
        assert_eq!(
            timeline.place(now, 1, 40_000, 0, CLOCK_HZ).unwrap().0,
            first + 1
        );
        assert_eq!(
            timeline.place(now, 1, 40_001, 0, CLOCK_HZ).unwrap().0,
            first + 2
        );
    }
}
