//! What one party of a room says, held until the room takes its next frame: an elastic buffer of samples.
//!
//! Sound comes in packets of any length at any time; the room takes 20 ms by its own clock. The buffer begins with
//! one frame in reserve. Whoever was late and comes a moment after gets a frame more, up to [`RESERVE_MAX`]; a
//! reserve that nobody needed for [`CALM`] is shortened by a frame, which also follows two clocks that drift apart.
//! It allocates nothing once it has grown.

use std::collections::VecDeque;

/// The sound of one party on its way into a room.
#[derive(Debug)]
pub(crate) struct Voice {
    samples: VecDeque<i16>,
    /// The length of a frame, in samples.
    frame: usize,
    /// Frames that are waited for before it is heard.
    reserve: usize,
    state: State,
    /// The fewest samples that a frame left behind since `takes` was nought.
    least: usize,
    takes: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing is heard until the reserve is there; so many frames have been missed since there was sound.
    Waiting(u32),
    Heard,
}

impl Voice {
    /// One whose frames have so many samples.
    pub(crate) fn new(frame: usize) -> Self {
        Self {
            samples: VecDeque::with_capacity(frame * (FRAMES_MAX + PACKET_FRAMES_MAX)),
            frame,
            reserve: 1,
            state: State::Waiting(u32::MAX),
            least: usize::MAX,
            takes: 0,
        }
    }

    /// Takes sound: 16-bit samples in network byte order (L16).
    pub(crate) fn push(&mut self, payload: &[u8]) {
        if let State::Waiting(1..LATE_FRAMES) = self.state {
            // It had only been late.
            self.reserve = (self.reserve + 1).min(RESERVE_MAX);
            self.state = State::Waiting(u32::MAX);
        }
        let (pairs, _) = payload.as_chunks::<2>();
        let samples = pairs.iter().map(|pair| i16::from_be_bytes(*pair));
        self.samples.extend(samples);
        let most = self.frame * FRAMES_MAX;
        if self.samples.len() > most {
            // A burst: what is oldest is lost, so that nobody talks to the past.
            let surplus = self.samples.len() - self.frame * (self.reserve + 1);
            self.samples.drain(..surplus);
        }
    }

    /// Appends one frame: silence where there is no sound.
    pub(crate) fn take(&mut self, out: &mut Vec<i16>) {
        let start = out.len();
        if let State::Waiting(missed) = self.state {
            // The frame that is taken now, and the reserve.
            if self.samples.len() < self.frame * self.reserve.max(1) {
                self.state = State::Waiting(missed.saturating_add(1));
                out.resize(start + self.frame, 0);
                return;
            }
            self.state = State::Heard;
            (self.least, self.takes) = (usize::MAX, 0);
            self.frame_into(out);
            fade(&mut out[start..], true);
            return;
        }
        let is_short = self.samples.len() < self.frame;
        self.frame_into(out);
        if is_short {
            fade(&mut out[start..], false);
            out.resize(start + self.frame, 0);
            self.state = State::Waiting(1);
            return;
        }
        self.least = self.least.min(self.samples.len());
        self.takes += 1;
        if self.takes >= CALM {
            // What was left over each time was never needed.
            if self.least >= self.frame {
                self.samples.drain(..self.frame);
                self.reserve = (self.reserve - 1).max(1);
            }
            (self.least, self.takes) = (usize::MAX, 0);
        }
    }

    fn frame_into(&mut self, out: &mut Vec<i16>) {
        let count = self.frame.min(self.samples.len());
        out.extend(self.samples.drain(..count));
    }
}

/// Sound that begins or ends in the middle does so without a click.
fn fade(samples: &mut [i16], begins: bool) {
    let len = samples.len();
    let ramp = (len / 8).max(1);
    for index in 0..ramp.min(len) {
        let at = match begins {
            true => index,
            false => len - 1 - index,
        };
        let faded = i32::from(samples[at]) * index as i32 / ramp as i32;
        samples[at] = faded as i16;
    }
}

/// Frames of reserve at most: 100 ms.
const RESERVE_MAX: usize = 5;
/// Frames that are kept at most: 240 ms, the reserve and the longest packet.
const FRAMES_MAX: usize = 12;
/// The longest packet, which is taken whole before a burst is cut.
const PACKET_FRAMES_MAX: usize = codec::PACKET_MAX.as_millis() as usize / 20;
/// Whoever comes back within so many frames was late; one that comes later had paused.
const LATE_FRAMES: u32 = 8;
/// Frames after which a reserve that was not needed is shortened: five seconds.
const CALM: u32 = 250;

#[cfg(test)]
mod tests {
    use super::{CALM, FRAMES_MAX, RESERVE_MAX, Voice};

    const FRAME: usize = 160;

    fn sound(frames: usize, value: i16) -> Vec<u8> {
        let samples = std::iter::repeat_n(value, frames * FRAME);
        samples.flat_map(i16::to_be_bytes).collect()
    }

    fn take(voice: &mut Voice) -> Vec<i16> {
        let mut out = Vec::new();
        voice.take(&mut out);
        assert_eq!(out.len(), FRAME, "always a whole frame");
        out
    }

    #[test]
    fn sound_leaves_as_it_came_and_silence_where_there_is_none() {
        let mut voice = Voice::new(FRAME);
        assert_eq!(take(&mut voice), [0; FRAME]);
        voice.push(&sound(1, 500));
        let first = take(&mut voice);
        assert_eq!(first[0], 0, "it begins softly");
        assert_eq!(first[FRAME - 1], 500);
        voice.push(&sound(1, 500));
        assert_eq!(take(&mut voice), [500; FRAME]);
        assert_eq!(take(&mut voice), [0; FRAME]);
    }

    #[test]
    fn who_comes_late_is_given_more_time_and_loses_nothing_more() {
        let mut voice = Voice::new(FRAME);
        // Each second packet comes 20 ms late, with the one after it.
        let mut silent = 0;
        for turn in 0..100 {
            if turn % 2 == 0 {
                voice.push(&sound(2, 500));
            }
            silent += usize::from(take(&mut voice)[FRAME / 2] == 0);
        }
        assert!(silent <= 2, "{silent} frames were silent");
    }

    #[test]
    fn a_pause_is_no_lateness() {
        let mut voice = Voice::new(FRAME);
        for _ in 0..5 {
            voice.push(&sound(1, 500));
            take(&mut voice);
            for _ in 0..50 {
                assert_eq!(take(&mut voice)[FRAME / 2], 0);
            }
        }
        assert_eq!(voice.reserve, 1);
    }

    #[test]
    fn a_burst_is_cut_and_a_reserve_that_is_not_needed_shrinks() {
        let mut voice = Voice::new(FRAME);
        voice.push(&sound(50, 500));
        assert!(voice.samples.len() <= FRAMES_MAX * FRAME);
        voice.push(&sound(4, 500));
        let before = voice.samples.len();
        for _ in 0..10 * CALM {
            voice.push(&sound(1, 500));
            assert_ne!(take(&mut voice)[FRAME / 2], 0);
        }
        assert!(
            before > FRAME && voice.samples.len() <= FRAME,
            "no delay is left"
        );
        assert!(voice.reserve <= RESERVE_MAX);
    }

    #[test]
    fn nothing_is_allocated_once_it_has_grown() {
        let mut voice = Voice::new(FRAME);
        let room = voice.samples.capacity();
        for _ in 0..1000 {
            voice.push(&sound(3, 9));
            voice.take(&mut Vec::with_capacity(FRAME));
        }
        assert_eq!(voice.samples.capacity(), room);
    }
}
