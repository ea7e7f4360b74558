//! Puts the two directions of a recording together: pure.

use super::Side;
use std::collections::VecDeque;

/// Samples that are not written yet: what comes late still finds its place.
pub(super) struct Track {
    /// The place of the first frame.
    start: u64,
    /// Of what is heard and what is said.
    frames: VecDeque<[i16; 2]>,
    /// How many frames are kept back.
    kept: usize,
}

impl Track {
    pub(super) fn new(kept: usize) -> Self {
        Self {
            start: 0,
            frames: VecDeque::new(),
            kept,
        }
    }

    /// Adds samples; hands what has waited long enough to `out`, silence in between.
    pub(super) fn add(
        &mut self,
        side: Side,
        at: u64,
        samples: &[i16],
        mut out: impl FnMut([i16; 2]),
    ) {
        let end = at + samples.len() as u64;
        // What lies far ahead of all there is follows a silence, which need not be kept.
        while self.start + (self.frames.len().max(self.kept) as u64) < at {
            out(self.frames.pop_front().unwrap_or_default());
            self.start += 1;
        }
        while self.start + (self.frames.len() as u64) < end {
            self.frames.push_back([0; 2]);
        }
        for (place, sample) in (at..).zip(samples) {
            // What comes too late is lost.
            let Some(index) = place.checked_sub(self.start) else {
                continue;
            };
            if let Some(frame) = self.frames.get_mut(index as usize) {
                frame[side as usize] = *sample;
            }
        }
        while self.frames.len() > self.kept {
            if let Some(frame) = self.frames.pop_front() {
                out(frame);
                self.start += 1;
            }
        }
    }

    /// Hands out the rest.
    pub(super) fn finish(&mut self, out: impl FnMut([i16; 2])) {
        self.start += self.frames.len() as u64;
        self.frames.drain(..).for_each(out);
    }
}

#[cfg(test)]
mod tests {
    use super::{Side, Track};

    #[test]
    fn both_directions_stand_where_they_belong_and_silence_is_between() {
        let (mut track, mut out) = (Track::new(4), Vec::new());
        let mut add = |side, at, samples: &[i16]| {
            track.add(side, at, samples, |frame| out.push(frame));
        };
        add(Side::Heard, 1, &[1, 2]);
        // Later in coming, earlier in time.
        add(Side::Said, 0, &[9, 8]);
        add(Side::Heard, 12, &[5]);
        // Too late.
        add(Side::Said, 0, &[7]);
        track.finish(|frame| out.push(frame));
        let mut expected = vec![[0; 2]; 13];
        expected[0] = [0, 9];
        expected[1] = [1, 8];
        expected[2] = [2, 0];
        expected[12] = [5, 0];
        assert_eq!(out, expected);
    }

    #[test]
    fn a_long_silence_is_written_without_being_kept() {
        let (mut track, mut count) = (Track::new(10), 0_u64);
        track.add(Side::Heard, 1_000_000, &[1], |_| count += 1);
        assert!(track.frames.len() <= 11, "{}", track.frames.len());
        track.finish(|_| count += 1);
        assert_eq!(count, 1_000_001);
    }
}
