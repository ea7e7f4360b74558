//! PCMU and PCMA: ITU-T G.711, RFC 3551 §4.5.14.
//!
//! The numbers are those of the recommendation's tables 1 and 2: 13-bit A-law and 14-bit µ-law
//! values, here in the upper bits of 16. Lost packets are replaced by [`Concealer`].

use crate::coding::{
    Coding, Decode, Encode, Fault, PACKETS_MS, Settings, Unsupported, samples_max,
};
use crate::conceal::Concealer;

/// The row of PCMU.
pub(crate) const ULAW: Coding = Coding {
    rates_hz: &[RATE_HZ],
    packet_ms: 20,
    packets_ms: PACKETS_MS,
    encoder: |settings| encoder(settings, ulaw_of),
    decoder: |settings| decoder(settings, &ULAW_VALUES),
};

/// The row of PCMA.
pub(crate) const ALAW: Coding = Coding {
    rates_hz: &[RATE_HZ],
    packet_ms: 20,
    packets_ms: PACKETS_MS,
    encoder: |settings| encoder(settings, alaw_of),
    decoder: |settings| decoder(settings, &ALAW_VALUES),
};

/// The µ-law code of a sample.
pub fn ulaw_of(sample: i16) -> u8 {
    let is_negative = sample < 0;
    // One's complement mirrors the negative half, so that both zeros are 4 wide as in table 2.
    let magnitude = (if is_negative { !sample } else { sample }) >> 2;
    let biased = (magnitude.cast_unsigned() + ULAW_BIAS).min(ULAW_MAX);
    let segment = 10 - biased.leading_zeros() as u16;
    let step = (biased >> (segment + 1)) & 0x0F;
    // The characters of table 2 are sent inverted; the sign bit is 1 for positive values.
    let code = !(segment << 4 | step) as u8 & 0x7F;
    if is_negative { code } else { code | 0x80 }
}

/// The sample of a µ-law code.
pub fn ulaw_value(code: u8) -> i16 {
    ULAW_VALUES[usize::from(code)]
}

/// The A-law code of a sample.
pub fn alaw_of(sample: i16) -> u8 {
    let is_negative = sample < 0;
    let magnitude = (if is_negative { !sample } else { sample }).cast_unsigned() >> 4;
    let code = if magnitude < 32 {
        magnitude
    } else {
        let segment = 12 - magnitude.leading_zeros() as u16;
        segment << 4 | (magnitude >> (segment - 1)) & 0x0F
    };
    let code = if is_negative { code } else { code | 0x80 };
    // Even bits are inverted on the line (G.711 table 1, note 2).
    code as u8 ^ 0x55
}

/// The sample of an A-law code.
pub fn alaw_value(code: u8) -> i16 {
    ALAW_VALUES[usize::from(code)]
}

struct Encoder {
    code_of: fn(i16) -> u8,
}

impl Encode for Encoder {
    fn encode(&mut self, samples: &[i16], payload: &mut Vec<u8>) -> Result<(), Fault> {
        if samples.len() > samples_max(RATE_HZ) {
            return Err(Fault::Length);
        }
        payload.extend(samples.iter().map(|sample| (self.code_of)(*sample)));
        Ok(())
    }
}

struct Decoder {
    values: &'static [i16; 256],
    concealer: Concealer,
}

impl Decode for Decoder {
    fn decode(&mut self, payload: &[u8], samples: &mut Vec<i16>) -> Result<(), Fault> {
        if payload.len() > samples_max(RATE_HZ) {
            return Err(Fault::TooLong);
        }
        let start = samples.len();
        samples.extend(payload.iter().map(|code| self.values[usize::from(*code)]));
        self.concealer.on_sound(&mut samples[start..]);
        Ok(())
    }

    fn conceal(&mut self, count: usize, _next: Option<&[u8]>, samples: &mut Vec<i16>) {
        self.concealer.conceal(count, samples);
    }

    fn samples_in(&self, payload: &[u8]) -> Option<usize> {
        Some(payload.len())
    }
}

fn encoder(
    settings: &Settings<'_>,
    code_of: fn(i16) -> u8,
) -> Result<Box<dyn Encode>, Unsupported> {
    check(settings)?;
    Ok(Box::new(Encoder { code_of }))
}

fn decoder(
    settings: &Settings<'_>,
    values: &'static [i16; 256],
) -> Result<Box<dyn Decode>, Unsupported> {
    check(settings)?;
    let concealer = Concealer::new(RATE_HZ);
    Ok(Box::new(Decoder { values, concealer }))
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

const fn ulaw_values() -> [i16; 256] {
    let mut values = [0; 256];
    let mut code = 0;
    while code < 256 {
        let character = !(code as u16) & 0x7F;
        let (segment, step) = (character >> 4, character & 0x0F);
        let magnitude = (((step << 1) + ULAW_BIAS) << segment) - ULAW_BIAS;
        let value = (magnitude << 2) as i16;
        values[code] = if code & 0x80 == 0 { -value } else { value };
        code += 1;
    }
    values
}

const fn alaw_values() -> [i16; 256] {
    let mut values = [0; 256];
    let mut code = 0;
    while code < 256 {
        let character = (code as u16) ^ 0x55;
        let (segment, step) = ((character >> 4) & 0x07, character & 0x0F);
        let magnitude = match segment {
            0 => step << 1 | 1,
            _ => (step << 1 | 0x21) << (segment - 1),
        };
        let value = (magnitude << 3) as i16;
        values[code] = if character & 0x80 == 0 { -value } else { value };
        code += 1;
    }
    values
}

static ULAW_VALUES: [i16; 256] = ulaw_values();
static ALAW_VALUES: [i16; 256] = alaw_values();
const RATE_HZ: u32 = 8000;
const ULAW_BIAS: u16 = 33;
/// The virtual decision value 8159 with the bias (table 2).
const ULAW_MAX: u16 = 0x1FFF;

#[cfg(test)]
mod tests {
    use super::{alaw_of, alaw_value, ulaw_of, ulaw_value};

    /// Decision values of G.711 tables 1 and 2, made as the tables are: sixteen intervals per
    /// segment, each segment twice as wide as the one before.
    fn decisions(first: &[i32], width: i32, segments: usize) -> Vec<i32> {
        let mut values = first.to_vec();
        let mut width = width;
        for _ in 0..segments {
            for _ in 0..16 {
                values.push(values.last().unwrap() + width);
            }
            width *= 2;
        }
        values
    }

    /// The number of the interval that holds a magnitude.
    fn interval(decisions: &[i32], magnitude: i32) -> usize {
        let above = decisions.iter().position(|decision| *decision > magnitude);
        above.unwrap_or(decisions.len()).min(128) - 1
    }

    #[test]
    fn every_sample_has_the_ulaw_code_of_table_2() {
        // x0 = 0, x1 = 1, then 15 intervals of 2 complete the first segment.
        let mut first = vec![0, 1];
        for _ in 0..15 {
            first.push(first.last().unwrap() + 2);
        }
        let table = decisions(&first, 4, 7);
        assert_eq!(table[128], 8159, "the virtual decision value");
        for sample in i16::MIN..=i16::MAX {
            let is_negative = sample < 0;
            let magnitude = i32::from(if is_negative { !sample } else { sample }) >> 2;
            let character = 0x7F - interval(&table, magnitude) as u8;
            let expected = character | if is_negative { 0 } else { 0x80 };
            assert_eq!(ulaw_of(sample), expected, "{sample}");
        }
    }

    #[test]
    fn every_sample_has_the_alaw_code_of_table_1() {
        // In the table's units of 2: 32 intervals of 2, then segments that double.
        let first: Vec<i32> = (0..=32).map(|step| 2 * step).collect();
        let table = decisions(&first, 4, 6);
        assert_eq!(table[128], 4096, "the virtual decision value");
        for sample in i16::MIN..=i16::MAX {
            let is_negative = sample < 0;
            let magnitude = i32::from(if is_negative { !sample } else { sample }) >> 3;
            let character = interval(&table, magnitude) as u8;
            let expected = (character | if is_negative { 0 } else { 0x80 }) ^ 0x55;
            assert_eq!(alaw_of(sample), expected, "{sample}");
        }
    }

    #[test]
    fn every_code_survives_the_way_there_and_back() {
        for code in 0..=u8::MAX {
            assert_eq!(alaw_of(alaw_value(code)), code);
            // Negative zero is the one value that 16 bits cannot tell from its positive.
            if code != 0x7F {
                assert_eq!(ulaw_of(ulaw_value(code)), code);
            }
        }
        assert_eq!(ulaw_value(0x7F), 0);
    }

    #[test]
    fn the_ends_of_both_scales_are_those_of_the_tables() {
        assert_eq!(ulaw_value(0x00), -8031 * 4);
        assert_eq!(ulaw_value(0x80), 8031 * 4);
        assert_eq!(alaw_value(0xAA), 4032 * 8);
        assert_eq!(alaw_value(0x2A), -4032 * 8);
        assert_eq!(alaw_value(0xD5), 8);
    }
}
