//! Adds the sound of several parties, so that each hears all but itself.

/// One frame of everybody's sound.
#[derive(Clone, Debug, Default)]
pub struct Mix {
    sum: Vec<i32>,
}

impl Mix {
    /// Begins a frame of so many samples.
    pub fn clear(&mut self, len: usize) {
        self.sum.clear();
        self.sum.resize(len, 0);
    }

    /// Adds a party's frame; a short one is silent at its end.
    pub fn add(&mut self, frame: &[i16]) {
        for (sum, sample) in self.sum.iter_mut().zip(frame) {
            // 65,000 parties at full scale fit.
            *sum = sum.saturating_add(i32::from(*sample));
        }
    }

    /// Appends what a party hears: everything but its own frame.
    pub fn without(&self, own: &[i16], out: &mut Vec<i16>) {
        let own = own.iter().copied().chain(std::iter::repeat(0));
        let rest = self.sum.iter().zip(own);
        out.extend(rest.map(|(sum, own)| soften(sum.saturating_sub(own.into()))));
    }
}

/// Brings a sum into 16 bits: as it is up to three quarters, then ever flatter, without a corner.
fn soften(sum: i32) -> i16 {
    let magnitude = sum.unsigned_abs();
    if magnitude <= KNEE {
        return sum as i16;
    }
    let over = (magnitude - KNEE) as f32 / ROOM;
    let bent = KNEE as f32 + ROOM * over / (1.0 + over);
    (bent as i16) * sum.signum() as i16
}

const KNEE: u32 = 24_576;
const ROOM: f32 = 32_767.0 - KNEE as f32;

#[cfg(test)]
mod tests {
    use super::{Mix, soften};

    #[test]
    fn each_hears_all_but_itself() {
        let frames = [[100; 4], [20; 4], [-3; 4]];
        let mut mix = Mix::default();
        mix.clear(4);
        for frame in &frames {
            mix.add(frame);
        }
        for (own, heard) in frames.iter().zip([17, 97, 120]) {
            let mut out = Vec::new();
            mix.without(own, &mut out);
            assert_eq!(out, [heard; 4]);
        }
        let mut out = Vec::new();
        mix.without(&[], &mut out);
        assert_eq!(out, [117; 4], "a listener hears everybody");
    }

    #[test]
    fn loud_sums_bend_and_never_wrap() {
        assert_eq!(soften(24_576), 24_576);
        let steps: Vec<i16> = (0..200_000).step_by(100).map(soften).collect();
        assert!(steps.is_sorted(), "louder is louder");
        assert_eq!(soften(-40_000), -soften(40_000));
        assert!(soften(i32::MAX) > 32_000 && soften(i32::MIN) < -32_000);
    }
}
