//! Which packets of a source are new: RFC 3550 §A.1, for packets that nothing has sorted out before.
//!
//! Copies and packets from long ago are dropped. A jump is believed when the packet after it comes too.

/// The sequence numbers of one source as they arrive.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sorter {
    highest: Option<i64>,
    /// Bit 0 is the highest number, bit 1 the one before it.
    seen: u64,
    /// The number that proves a restart.
    restart: Option<u16>,
}

/// What a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sorted {
    /// New, with its number extended beyond 16 bits.
    New(u64),
    /// The first one after a jump of its source that has been proven.
    Restarted(u64),
    /// A copy, or too old, or the first one after a jump.
    Dropped,
}

impl Sorter {
    /// Takes the number of a packet.
    pub fn sort(&mut self, sequence: u16) -> Sorted {
        let Some(highest) = self.highest else {
            return Sorted::New(self.begin(sequence));
        };
        let ahead = sequence.wrapping_sub(highest as u16).cast_signed();
        let extended = highest + i64::from(ahead);
        if (1..DROPOUT_MAX).contains(&ahead) {
            let shift = u32::from(ahead.unsigned_abs());
            self.seen = self.seen.checked_shl(shift).unwrap_or_default() | 1;
            self.highest = Some(extended);
            self.restart = None;
            return Sorted::New(extended.cast_unsigned());
        }
        if (-MISORDER_MAX..1).contains(&ahead) {
            let behind = u32::from(ahead.unsigned_abs());
            let bit = 1u64.checked_shl(behind).unwrap_or_default();
            let is_new = extended >= 0 && bit != 0 && self.seen & bit == 0;
            self.seen |= bit;
            return match is_new {
                true => Sorted::New(extended.cast_unsigned()),
                false => Sorted::Dropped,
            };
        }
        if self.restart == Some(sequence) {
            return Sorted::Restarted(self.begin(sequence));
        }
        self.restart = Some(sequence.wrapping_add(1));
        Sorted::Dropped
    }

    fn begin(&mut self, sequence: u16) -> u64 {
        *self = Self {
            highest: Some(sequence.into()),
            seen: 1,
            restart: None,
        };
        sequence.into()
    }
}

/// RFC 3550 §A.1.
const DROPOUT_MAX: i16 = 3000;
const MISORDER_MAX: i16 = 100;

#[cfg(test)]
mod tests {
    use super::{Sorted, Sorter};
    use Sorted::{Dropped, New, Restarted};

    fn sort<const N: usize>(numbers: [u16; N]) -> [Sorted; N] {
        let mut sorter = Sorter::default();
        numbers.map(|number| sorter.sort(number))
    }

    #[test]
    fn copies_and_old_ones_are_dropped_over_the_wrap() {
        assert_eq!(
            sort([65_534, 65_535, 1, 65_535, 0, 0, 2]),
            [
                New(65_534),
                New(65_535),
                New(65_537),
                Dropped,
                New(65_536),
                Dropped,
                New(65_538)
            ]
        );
        assert_eq!(sort([500, 420, 437]), [New(500), Dropped, New(437)]);
        assert_eq!(sort([3, 65_535]), [New(3), Dropped], "before the first");
    }

    #[test]
    fn a_jump_is_believed_when_it_goes_on() {
        assert_eq!(
            sort([10, 30_000, 11, 40_000, 40_001, 40_002]),
            [
                New(10),
                Dropped,
                New(11),
                Dropped,
                Restarted(40_001),
                New(40_002)
            ]
        );
    }
}
