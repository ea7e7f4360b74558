//! G.722 at 64 kbit/s: ITU-T G.722 (mode 1), RFC 3551 §4.5.2.
//!
//! Two quadrature mirror filters split the sound at 4 kHz; each half is coded as ADPCM, six bits for
//! the lower and two for the upper. Names of the recommendation's blocks stand where they are done.
//! The arithmetic is that of the recommendation, with saturation where it asks for it, so that two
//! implementations stay in step bit by bit.

use crate::coding::{
    Coding, Decode, Encode, Fault, PACKETS_MS, Settings, Unsupported, samples_max,
};
use crate::conceal::Concealer;

/// The row of G.722.
pub(crate) const CODING: Coding = Coding {
    rates_hz: &[RATE_HZ],
    packet_ms: 20,
    packets_ms: PACKETS_MS,
    encoder,
    decoder,
};

struct Encoder {
    filter: [i32; 24],
    lower: Band,
    upper: Band,
}

impl Encode for Encoder {
    fn encode(&mut self, samples: &[i16], payload: &mut Vec<u8>) -> Result<(), Fault> {
        let (pairs, rest) = samples.as_chunks::<2>();
        if !rest.is_empty() || samples.len() > samples_max(RATE_HZ) {
            return Err(Fault::Length);
        }
        payload.extend(pairs.iter().map(|pair| self.octet(*pair)));
        Ok(())
    }
}

impl Encoder {
    fn octet(&mut self, pair: [i16; 2]) -> u8 {
        // TXQMF.
        self.filter.copy_within(2.., 0);
        self.filter[22] = pair[0].into();
        self.filter[23] = pair[1].into();
        let (mut even, mut odd) = (0, 0);
        for index in 0..12 {
            odd += self.filter[2 * index] * QMF[index];
            even += self.filter[2 * index + 1] * QMF[11 - index];
        }
        let low = (even + odd) >> 14;
        let high = (even - odd) >> 14;

        // SUBTRA, QUANTL.
        let error = saturate(low - self.lower.estimate);
        let magnitude = if error < 0 { -(error + 1) } else { error };
        let is_above = |decision: &i32| magnitude >= (decision * self.lower.step) >> 12;
        let level = 1 + Q6[1..30].iter().take_while(|d| is_above(d)).count();
        let code = if error < 0 { ILN[level] } else { ILP[level] };
        self.lower.adapt_low(usize::from(code >> 2));

        // SUBTRA, QUANTH.
        let error = saturate(high - self.upper.estimate);
        let magnitude = if error < 0 { -(error + 1) } else { error };
        let is_outer = magnitude >= (564 * self.upper.step) >> 12;
        let level = if is_outer { 2 } else { 1 };
        let code_high = if error < 0 { IHN[level] } else { IHP[level] };
        self.upper.adapt_high(usize::from(code_high));
        code_high << 6 | code
    }
}

struct Decoder {
    filter: [i32; 24],
    lower: Band,
    upper: Band,
    concealer: Concealer,
}

impl Decode for Decoder {
    fn decode(&mut self, payload: &[u8], samples: &mut Vec<i16>) -> Result<(), Fault> {
        if payload.len() * 2 > samples_max(RATE_HZ) {
            return Err(Fault::TooLong);
        }
        let start = samples.len();
        for octet in payload {
            samples.extend(self.pair(*octet));
        }
        self.concealer.on_sound(&mut samples[start..]);
        Ok(())
    }

    fn conceal(&mut self, count: usize, _next: Option<&[u8]>, samples: &mut Vec<i16>) {
        self.concealer.conceal(count, samples);
    }

    fn samples_in(&self, payload: &[u8]) -> Option<usize> {
        Some(payload.len() * 2)
    }
}

impl Decoder {
    fn pair(&mut self, octet: u8) -> [i16; 2] {
        let (code, code_high) = (usize::from(octet & 0x3F), usize::from(octet >> 6));
        // INVQBL, RECONS, LIMIT: the lower half has six bits for the ear and four for the loop.
        let difference = (self.lower.step * QM6[code]) >> 15;
        let low = limit(self.lower.estimate + difference);
        self.lower.adapt_low(code >> 2);

        let difference = (self.upper.step * QM2[code_high]) >> 15;
        let high = limit(self.upper.estimate + difference);
        self.upper.adapt_high(code_high);

        // RXQMF.
        self.filter.copy_within(2.., 0);
        self.filter[22] = low + high;
        self.filter[23] = low - high;
        let (mut first, mut second) = (0, 0);
        for index in 0..12 {
            second += self.filter[2 * index] * QMF[index];
            first += self.filter[2 * index + 1] * QMF[11 - index];
        }
        [saturate(first >> 11) as i16, saturate(second >> 11) as i16]
    }
}

/// One half of the spectrum: the state that encoder and decoder keep alike.
struct Band {
    /// DETL, DETH: the quantiser's step.
    step: i32,
    /// NBL, NBH: its logarithm.
    step_log: i32,
    /// SL, SH: what the predictor expects next.
    estimate: i32,
    /// SPL, SZL.
    pole_part: i32,
    zero_part: i32,
    /// RLT: reconstructed signal, newest first.
    reconstructed: [i32; 2],
    /// PLT: partial reconstruction, newest first.
    partial: [i32; 2],
    /// AL.
    poles: [i32; 2],
    /// DLT and BL.
    differences: [i32; 6],
    zeros: [i32; 6],
}

impl Band {
    fn new(step: i32) -> Self {
        Self {
            step,
            step_log: 0,
            estimate: 0,
            pole_part: 0,
            zero_part: 0,
            reconstructed: [0; 2],
            partial: [0; 2],
            poles: [0; 2],
            differences: [0; 6],
            zeros: [0; 6],
        }
    }

    /// The lower half after a code of four bits: INVQAL, LOGSCL, SCALEL, and the predictor.
    fn adapt_low(&mut self, code: usize) {
        let difference = (self.step * QM4[code]) >> 15;
        let log = ((self.step_log * 127) >> 7) + WL[RL42[code]];
        self.step_log = log.clamp(0, 18_432);
        self.step = scale(self.step_log, 8);
        self.predict(difference);
    }

    /// The upper half after a code of two bits: INVQAH, LOGSCH, SCALEH, and the predictor.
    fn adapt_high(&mut self, code: usize) {
        let difference = (self.step * QM2[code]) >> 15;
        let log = ((self.step_log * 127) >> 7) + WH[RH2[code]];
        self.step_log = log.clamp(0, 22_528);
        self.step = scale(self.step_log, 10);
        self.predict(difference);
    }

    /// Block 4 of the recommendation.
    fn predict(&mut self, difference: i32) {
        // RECONS, PARREC.
        let reconstructed = saturate(self.estimate + difference);
        let partial = saturate(self.zero_part + difference);
        let is_same = |a: i32, b: i32| (a < 0) == (b < 0);
        let same_1 = is_same(partial, self.partial[0]);
        let same_2 = is_same(partial, self.partial[1]);

        // UPPOL2.
        let leak = saturate(self.poles[0] << 2);
        let push = if same_1 { -leak } else { leak };
        let push = push.min(32_767) >> 7;
        let push = push + if same_2 { 128 } else { -128 };
        let second = (push + ((self.poles[1] * 32_512) >> 15)).clamp(-12_288, 12_288);

        // UPPOL1.
        let push = if same_1 { 192 } else { -192 };
        let bound = saturate(15_360 - second);
        let first = saturate(push + ((self.poles[0] * 32_640) >> 15)).clamp(-bound, bound);

        // UPZERO.
        let push = if difference == 0 { 0 } else { 128 };
        for (zero, old) in self.zeros.iter_mut().zip(self.differences) {
            let push = if is_same(difference, old) {
                push
            } else {
                -push
            };
            *zero = saturate(push + ((*zero * 32_640) >> 15));
        }

        // DELAYA.
        self.differences.copy_within(..5, 1);
        self.differences[0] = difference;
        self.reconstructed = [reconstructed, self.reconstructed[0]];
        self.partial = [partial, self.partial[0]];
        self.poles = [first, second];

        // FILTEP, FILTEZ, PREDIC.
        let pole = |index: usize| {
            let doubled = saturate(self.reconstructed[index] * 2);
            (self.poles[index] * doubled) >> 15
        };
        self.pole_part = saturate(pole(0) + pole(1));
        let taps = self.zeros.iter().zip(self.differences);
        let sum = taps.map(|(zero, old)| (zero * saturate(old * 2)) >> 15);
        self.zero_part = saturate(sum.sum());
        self.estimate = saturate(self.pole_part + self.zero_part);
    }
}

/// SCALEL, SCALEH: from the logarithm to the step.
fn scale(log: i32, shift: i32) -> i32 {
    let entry = ILB[(log >> 6) as usize & 31];
    let shift = shift - (log >> 11);
    let step = if shift < 0 {
        entry << -shift
    } else {
        entry >> shift
    };
    step << 2
}

fn saturate(value: i32) -> i32 {
    value.clamp(-32_768, 32_767)
}

/// LIMIT: a half has fifteen bits.
fn limit(value: i32) -> i32 {
    value.clamp(-16_384, 16_383)
}

fn encoder(settings: &Settings<'_>) -> Result<Box<dyn Encode>, Unsupported> {
    check(settings)?;
    Ok(Box::new(Encoder {
        filter: [0; 24],
        lower: Band::new(STEP_LOW),
        upper: Band::new(STEP_HIGH),
    }))
}

fn decoder(settings: &Settings<'_>) -> Result<Box<dyn Decode>, Unsupported> {
    check(settings)?;
    Ok(Box::new(Decoder {
        filter: [0; 24],
        lower: Band::new(STEP_LOW),
        upper: Band::new(STEP_HIGH),
        concealer: Concealer::new(RATE_HZ),
    }))
}

fn check(settings: &Settings<'_>) -> Result<(), Unsupported> {
    let Settings {
        rate_hz, channels, ..
    } = *settings;
    match (rate_hz, channels) {
        (RATE_HZ, 1) => Ok(()),
        _ => Err(Unsupported { rate_hz, channels }),
    }
}

const RATE_HZ: u32 = 16_000;
const STEP_LOW: i32 = 32;
const STEP_HIGH: i32 = 8;

/// Every second coefficient of the mirror filter; the others are these in reverse.
const QMF: [i32; 12] = [3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11];
/// Decision levels of the lower half.
const Q6: [i32; 32] = [
    0, 35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940,
    1023, 1121, 1219, 1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919, 0, 0,
];
const ILN: [u8; 32] = [
    0, 63, 62, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11,
    10, 9, 8, 7, 6, 5, 4, 0,
];
const ILP: [u8; 32] = [
    0, 61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47, 46, 45, 44, 43, 42, 41, 40, 39,
    38, 37, 36, 35, 34, 33, 32, 0,
];
const WL: [i32; 8] = [-60, -30, 58, 172, 334, 538, 1198, 3042];
const RL42: [usize; 16] = [0, 7, 6, 5, 4, 3, 2, 1, 7, 6, 5, 4, 3, 2, 1, 0];
const ILB: [i32; 32] = [
    2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834,
    2896, 2960, 3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
];
const QM2: [i32; 4] = [-7408, -1616, 7408, 1616];
const QM4: [i32; 16] = [
    0, -20_456, -12_896, -8968, -6288, -4240, -2584, -1200, 20_456, 12_896, 8968, 6288, 4240, 2584,
    1200, 0,
];
const QM6: [i32; 64] = [
    -136, -136, -136, -136, -24_808, -21_904, -19_008, -16_704, -14_984, -13_512, -12_280, -11_192,
    -10_232, -9360, -8576, -7856, -7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576, -3168,
    -2776, -2400, -2032, -1688, -1360, -1040, -728, 24_808, 21_904, 19_008, 16_704, 14_984, 13_512,
    12_280, 11_192, 10_232, 9360, 8576, 7856, 7192, 6576, 6000, 5456, 4944, 4464, 4008, 3576, 3168,
    2776, 2400, 2032, 1688, 1360, 1040, 728, 432, 136, -432, -136,
];
const IHN: [u8; 3] = [0, 1, 0];
const IHP: [u8; 3] = [0, 3, 2];
const WH: [i32; 3] = [0, -214, 798];
const RH2: [usize; 4] = [2, 1, 2, 1];

#[cfg(test)]
mod tests {
    use super::{Decoder, decoder, encoder};
    use crate::coding::{Decode, Fault, Settings};
    use std::f64::consts::TAU;

    const SETTINGS: Settings<'_> = Settings {
        rate_hz: 16_000,
        channels: 1,
        fmtp: "",
    };

    fn there_and_back(sound: &[i16]) -> (Vec<u8>, Vec<i16>) {
        let (mut payload, mut heard) = (Vec::new(), Vec::new());
        let mut encoder = encoder(&SETTINGS).unwrap();
        let mut decoder = decoder(&SETTINGS).unwrap();
        for frame in sound.chunks(320) {
            payload.clear();
            encoder.encode(frame, &mut payload).unwrap();
            decoder.decode(&payload, &mut heard).unwrap();
        }
        payload.clear();
        let mut encoder = super::encoder(&SETTINGS).unwrap();
        for frame in sound.chunks(320) {
            encoder.encode(frame, &mut payload).unwrap();
        }
        (payload, heard)
    }

    /// Noise whose loudness steps, over a triangle: integers only, so that any tool can make it.
    fn steps() -> Vec<i16> {
        let mut seed = 1u32;
        let mut sample = |index: i32| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = (seed >> 16).cast_signed() - 32_768;
            let triangle = index * 37 % 2000 - 1000;
            let loudness = index / 400 % 16;
            (((noise * loudness) >> 5) + triangle * 8).clamp(-32_768, 32_767) as i16
        };
        (0..32_000).map(&mut sample).collect()
    }

    fn fnv(bytes: impl IntoIterator<Item = u8>) -> u64 {
        bytes.into_iter().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
        })
    }

    /// FFmpeg 5.1 made these sums of its own payload and sound, from the same samples in `in.raw`:
    /// `ffmpeg -f s16le -ar 16000 -ac 1 -i in.raw -c:a g722 -f g722 out.g722` and back to s16le.
    #[test]
    fn payload_and_sound_are_those_of_another_implementation_bit_by_bit() {
        let (payload, heard) = there_and_back(&steps());
        assert_eq!(fnv(payload), 0x5854_27C3_C016_B9BF, "payload");
        let bytes = heard.iter().flat_map(|sample| sample.to_le_bytes());
        assert_eq!(fnv(bytes), 0x6349_38E8_284E_F7EF, "sound");
    }

    #[test]
    fn tones_of_both_halves_come_back_with_little_noise() {
        for (hz, snr_db_min) in [
            (300.0, 30.0),
            (1000.0, 30.0),
            (2800.0, 25.0),
            (6000.0, 12.0),
        ] {
            let sample =
                |index: usize| ((TAU * hz * index as f64 / 16_000.0).sin() * 10_000.0) as i16;
            let sound: Vec<i16> = (0..16_000).map(sample).collect();
            let (_, heard) = there_and_back(&sound);
            // The two filters delay by 22 samples.
            let pairs = sound[1000..15_000].iter().zip(&heard[1022..]);
            let noise: f64 = pairs
                .map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2))
                .sum();
            let signal: f64 = sound[1000..15_000]
                .iter()
                .map(|a| f64::from(*a).powi(2))
                .sum();
            let snr_db = 10.0 * (signal / noise).log10();
            assert!(snr_db > snr_db_min, "{snr_db:.1} dB at {hz} Hz");
        }
    }

    #[test]
    fn any_octets_decode_and_any_sound_encodes() {
        let octets: Vec<u8> = (0..3000u32)
            .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
            .collect();
        let mut decoder = decoder(&SETTINGS).unwrap();
        let mut heard = Vec::new();
        for chunk in octets.chunks(100) {
            decoder.decode(chunk, &mut heard).unwrap();
        }
        assert_eq!(decoder.decode(&octets, &mut heard), Err(Fault::TooLong));
        let extremes: Vec<i16> = (0..6400)
            .map(|i| if i / 7 % 2 == 0 { i16::MIN } else { i16::MAX })
            .collect();
        assert_eq!(there_and_back(&extremes).1.len(), 6400);
        let odd = encoder(&SETTINGS).unwrap().encode(&[0; 3], &mut Vec::new());
        assert_eq!(odd, Err(Fault::Length));
    }

    #[test]
    fn the_clock_of_rtp_counts_half_of_the_samples() {
        let codec = crate::by_name("g722").unwrap();
        let decoder: Box<dyn Decode> = decoder(&SETTINGS).unwrap();
        assert_eq!(
            (codec.clock_hz, decoder.samples_in(&[0; 160])),
            (8000, Some(320))
        );
        assert!(size_of::<Decoder>() < 1024);
    }
}
