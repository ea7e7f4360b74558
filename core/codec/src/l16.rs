//! L16: samples as they are, in network byte order (RFC 3551 §4.5.11).

use crate::coding::{
    Coding, Decode, Encode, Fault, PACKETS_MS, Settings, Unsupported, samples_max,
};
use crate::conceal::Concealer;

pub(crate) const AT_8_KHZ: Coding = coding(&[8000]);
pub(crate) const AT_16_KHZ: Coding = coding(&[16_000]);
pub(crate) const AT_44_KHZ: Coding = coding(&[44_100]);
pub(crate) const AT_48_KHZ: Coding = coding(&[48_000]);

const fn coding(rates_hz: &'static [u32]) -> Coding {
    // 10 ms at 48 kHz are 960 bytes; 20 ms would not fit every path.
    let packet_ms = if rates_hz[0] > 16_000 { 10 } else { 20 };
    Coding {
        rates_hz,
        packet_ms,
        packets_ms: PACKETS_MS,
        encoder,
        decoder,
    }
}

struct Encoder {
    samples_max: usize,
}

impl Encode for Encoder {
    fn encode(&mut self, samples: &[i16], payload: &mut Vec<u8>) -> Result<(), Fault> {
        if samples.len() > self.samples_max {
            return Err(Fault::Length);
        }
        payload.extend(samples.iter().flat_map(|sample| sample.to_be_bytes()));
        Ok(())
    }
}

struct Decoder {
    samples_max: usize,
    concealer: Concealer,
}

impl Decode for Decoder {
    fn decode(&mut self, payload: &[u8], samples: &mut Vec<i16>) -> Result<(), Fault> {
        let (pairs, rest) = payload.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(Fault::Malformed);
        }
        if pairs.len() > self.samples_max {
            return Err(Fault::TooLong);
        }
        let start = samples.len();
        samples.extend(pairs.iter().map(|pair| i16::from_be_bytes(*pair)));
        self.concealer.on_sound(&mut samples[start..]);
        Ok(())
    }

    fn conceal(&mut self, count: usize, _next: Option<&[u8]>, samples: &mut Vec<i16>) {
        self.concealer.conceal(count, samples);
    }

    fn samples_in(&self, payload: &[u8]) -> Option<usize> {
        Some(payload.len() / 2)
    }
}

fn encoder(settings: &Settings<'_>) -> Result<Box<dyn Encode>, Unsupported> {
    let samples_max = check(settings)?;
    Ok(Box::new(Encoder { samples_max }))
}

fn decoder(settings: &Settings<'_>) -> Result<Box<dyn Decode>, Unsupported> {
    let samples_max = check(settings)?;
    let concealer = Concealer::new(settings.rate_hz);
    Ok(Box::new(Decoder {
        samples_max,
        concealer,
    }))
}

fn check(settings: &Settings<'_>) -> Result<usize, Unsupported> {
    let Settings {
        rate_hz, channels, ..
    } = *settings;
    match (rate_hz, channels) {
        (8000 | 16_000 | 44_100 | 48_000, 1) => Ok(samples_max(rate_hz)),
        _ => Err(Unsupported { rate_hz, channels }),
    }
}

#[cfg(test)]
mod tests {
    use super::{decoder, encoder};
    use crate::coding::{Fault, Settings};

    #[test]
    fn samples_travel_in_network_order_and_come_back_as_they_were() {
        let settings = Settings::default();
        let mut payload = Vec::new();
        let sent = [0x0102, -2, i16::MIN, i16::MAX];
        encoder(&settings)
            .unwrap()
            .encode(&sent, &mut payload)
            .unwrap();
        assert_eq!(payload, [1, 2, 0xFF, 0xFE, 0x80, 0, 0x7F, 0xFF]);
        let mut decoder = decoder(&settings).unwrap();
        let mut samples = Vec::new();
        decoder.decode(&payload, &mut samples).unwrap();
        assert_eq!(samples, sent);
        let half = decoder.decode(&payload[..3], &mut samples);
        assert_eq!(half, Err(Fault::Malformed));
        let long = decoder.decode(&[0; 4000], &mut samples);
        assert_eq!(long, Err(Fault::TooLong));
    }
}
