//! Opus: RFC 6716, and RFC 7587 for its payload and its `a=fmtp`.
//!
//! The codec runs at 8, 16, 24 or 48 kHz alike while its RTP clock stays at 48 kHz, so that towards
//! G.711 and G.722 nothing is resampled. By default it is written in Rust alone; the feature
//! `libopus` puts the reference library in its place. `tests/opus.rs` holds the two against each
//! other.

#[cfg(feature = "libopus")]
#[path = "opus/libopus.rs"]
mod engine;
#[cfg(not(feature = "libopus"))]
#[path = "opus/pure.rs"]
mod engine;

use crate::coding::{Coding, Decode, Encode, Fault, Settings, Unsupported, parameter};

/// The row of Opus.
pub(crate) const CODING: Coding = Coding {
    rates_hz: &[48_000, 24_000, 16_000, 8000],
    packet_ms: 20,
    // Of RFC 6716 §2.1.4, those of whole frames and no less than RTP is worth its header for.
    packets_ms: &[10, 20, 40, 60, 80, 100, 120],
    encoder,
    decoder,
};

/// Which library codes Opus in this build.
pub const OPUS_ENGINE: &str = engine::NAME;

/// What the peer wishes to receive: the parameters of RFC 7587 §6.1 that bind a sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpusWish {
    /// `maxplaybackrate`: more bandwidth than this is wasted on the peer.
    pub playback_hz_max: u32,
    /// `maxaveragebitrate`.
    pub bitrate_bps_max: Option<u32>,
    /// `stereo`.
    pub stereo: bool,
    /// `cbr`.
    pub constant_bitrate: bool,
    /// `useinbandfec`.
    pub inband_fec: bool,
    /// `usedtx`.
    pub dtx: bool,
}

impl OpusWish {
    /// Reads the value of an `a=fmtp`. What is not understood has its default (RFC 7587 §6.1).
    pub fn of(fmtp: &str) -> Self {
        let flag = |name| parameter(fmtp, name) == Some("1");
        let number = |name| parameter(fmtp, name).and_then(|value| value.parse::<u32>().ok());
        let playback_hz_max = number("maxplaybackrate").unwrap_or(48_000);
        Self {
            playback_hz_max: playback_hz_max.clamp(8000, 48_000),
            bitrate_bps_max: number("maxaveragebitrate")
                .map(|bps| bps.clamp(BITRATE_BPS_MIN, BITRATE_BPS_MAX)),
            stereo: flag("stereo"),
            constant_bitrate: flag("cbr"),
            inband_fec: flag("useinbandfec"),
            dtx: flag("usedtx"),
        }
    }
}

/// How an encoder is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Profile {
    rate_hz: u32,
    channels: u8,
    bitrate_bps: u32,
    /// Of the bandwidth classes of RFC 6716 §2.1.3, the one with this sampling rate.
    bandwidth_hz: u32,
    constant_bitrate: bool,
    inband_fec: bool,
    dtx: bool,
    complexity: u8,
    loss_percent: u8,
}

impl Profile {
    fn new(rate_hz: u32, channels: u8, wish: &OpusWish) -> Self {
        let bandwidth_hz = wish.playback_hz_max.min(rate_hz);
        // RFC 7587 §3.1.1's sweet spots: 8–12 kbit/s for narrowband, 16–20 for wideband, 28–40 for
        // full band; with room for copies against loss.
        let mono = match bandwidth_hz {
            // The library gives up copies below 14 kbit/s or so of what is left beside the losses.
            0..=8000 if wish.inband_fec => 20_000,
            0..=8000 => 16_000,
            8001..=16_000 => 24_000,
            16_001.. => 36_000,
        };
        let bitrate_bps = mono * u32::from(channels);
        Self {
            rate_hz,
            channels,
            bitrate_bps: wish
                .bitrate_bps_max
                .map_or(bitrate_bps, |max| bitrate_bps.min(max)),
            bandwidth_hz,
            constant_bitrate: wish.constant_bitrate,
            inband_fec: wish.inband_fec,
            dtx: wish.dtx,
            complexity: COMPLEXITY,
            loss_percent: if wish.inband_fec {
                LOSS_PERCENT_ASSUMED
            } else {
                0
            },
        }
    }
}

struct Encoder {
    engine: engine::Encoder,
    /// Channels of the samples that come in.
    channels: usize,
    /// Two channels become one, because the peer asked for one.
    is_mixed: bool,
    mixed: Vec<i16>,
    packet: Box<[u8]>,
    protects: bool,
}

impl Encode for Encoder {
    fn encode(&mut self, samples: &[i16], payload: &mut Vec<u8>) -> Result<(), Fault> {
        if !samples.len().is_multiple_of(self.channels) {
            return Err(Fault::Length);
        }
        let samples = if self.is_mixed {
            self.mixed.clear();
            let (pairs, _) = samples.as_chunks::<2>();
            let mean = |pair: &[i16; 2]| i16::midpoint(pair[0], pair[1]);
            self.mixed.extend(pairs.iter().map(mean));
            &self.mixed
        } else {
            samples
        };
        let len = self.engine.encode(samples, &mut self.packet)?;
        payload.extend_from_slice(&self.packet[..len]);
        Ok(())
    }

    fn on_loss(&mut self, percent: u8) {
        if self.protects {
            self.engine.expect_loss(percent.min(LOSS_PERCENT_MAX));
        }
    }

    fn is_pause(&self, payload: &[u8]) -> bool {
        is_pause(payload)
    }
}

struct Decoder {
    engine: engine::Decoder,
    rate_hz: u32,
    channels: usize,
}

impl Decode for Decoder {
    fn decode(&mut self, payload: &[u8], samples: &mut Vec<i16>) -> Result<(), Fault> {
        let count = self.samples_in(payload).ok_or(Fault::Malformed)?;
        let start = samples.len();
        samples.resize(start + count * self.channels, 0);
        let decoded = self.engine.decode(payload, &mut samples[start..]);
        match decoded {
            Ok(count) => samples.truncate(start + count * self.channels),
            Err(_) => samples.truncate(start),
        }
        decoded.map(|_| ())
    }

    fn conceal(&mut self, count: usize, next: Option<&[u8]>, samples: &mut Vec<i16>) {
        let start = samples.len();
        let end = start + count * self.channels;
        // Concealment comes in units of 2.5 ms, up to the longest packet.
        let unit = self.rate_hz as usize / 400;
        while samples.len() < end {
            let missing = (end - samples.len()) / self.channels;
            let part = missing.next_multiple_of(unit).min(48 * unit);
            let from = samples.len();
            samples.resize(from + part * self.channels, 0);
            let is_last = part >= missing;
            let made = match next.filter(|_| is_last) {
                Some(next) => self.engine.recover(next, &mut samples[from..]),
                None => self.engine.conceal(&mut samples[from..]),
            };
            if made.is_err() {
                // Silence stays where even concealment failed.
                samples[from..].fill(0);
            }
        }
        samples.truncate(end);
    }

    fn samples_in(&self, payload: &[u8]) -> Option<usize> {
        samples_in(payload, self.rate_hz)
    }

    fn is_pause(&self, payload: &[u8]) -> bool {
        is_pause(payload)
    }
}

/// A packet of discontinuous transmission is its first byte, with padding at most.
fn is_pause(payload: &[u8]) -> bool {
    payload.len() <= 2
}

/// How many samples per channel a packet holds at a rate: RFC 6716 §3.1 and §3.2.
fn samples_in(packet: &[u8], rate_hz: u32) -> Option<usize> {
    let first = *packet.first()?;
    let configuration = first >> 3;
    let rate = rate_hz as usize;
    let frame = match (configuration, configuration & 3) {
        // SILK: 10, 20, 40, 60 ms.
        (0..=11, 3) => rate * 60 / 1000,
        (0..=11, size) => (rate / 100) << size,
        // Hybrid: 10, 20 ms.
        (12..=15, size) => (rate / 100) << (size & 1),
        // CELT: 2.5, 5, 10, 20 ms.
        (_, size) => (rate / 400) << size,
    };
    let frames = match first & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => usize::from(packet.get(1)? & 0x3F),
    };
    // §3.2.5 R5: at least one frame, at most 120 ms.
    let samples = frame * frames;
    (samples > 0 && samples <= rate * 120 / 1000).then_some(samples)
}

fn encoder(settings: &Settings<'_>) -> Result<Box<dyn Encode>, Unsupported> {
    let unsupported = check(settings)?;
    let wish = OpusWish::of(settings.fmtp);
    let is_mixed = settings.channels == 2 && !wish.stereo;
    let channels = if is_mixed { 1 } else { settings.channels };
    let profile = Profile::new(settings.rate_hz, channels, &wish);
    Ok(Box::new(Encoder {
        engine: engine::Encoder::new(&profile).ok_or(unsupported)?,
        channels: settings.channels.into(),
        is_mixed,
        mixed: Vec::new(),
        packet: vec![0; PACKET_LEN_MAX].into(),
        protects: profile.inband_fec,
    }))
}

fn decoder(settings: &Settings<'_>) -> Result<Box<dyn Decode>, Unsupported> {
    let unsupported = check(settings)?;
    let engine = engine::Decoder::new(settings.rate_hz, settings.channels).ok_or(unsupported)?;
    Ok(Box::new(Decoder {
        engine,
        rate_hz: settings.rate_hz,
        channels: settings.channels.into(),
    }))
}

/// What to say if the engine refuses what stands in the table.
fn check(settings: &Settings<'_>) -> Result<Unsupported, Unsupported> {
    let Settings {
        rate_hz, channels, ..
    } = *settings;
    let unsupported = Unsupported { rate_hz, channels };
    let is_known = CODING.rates_hz.contains(&rate_hz) && (1..=2).contains(&channels);
    is_known.then_some(unsupported).ok_or(unsupported)
}

/// RFC 7587 §6.1, `maxaveragebitrate`.
const BITRATE_BPS_MIN: u32 = 6000;
const BITRATE_BPS_MAX: u32 = 510_000;
/// Half of what is possible costs a third less time and is hard to hear at these rates.
const COMPLEXITY: u8 = 5;
/// Until the peer reports what it loses.
const LOSS_PERCENT_ASSUMED: u8 = 10;
const LOSS_PERCENT_MAX: u8 = 30;
/// RFC 6716 §3.4: three frames of 20 ms at most need more; none of ours do.
const PACKET_LEN_MAX: usize = 1275;

#[cfg(test)]
mod tests {
    use super::{CODING, OpusWish, Profile, samples_in};
    use crate::coding::Settings;
    use std::f64::consts::TAU;

    #[test]
    fn wishes_are_read_from_fmtp_and_bound_to_what_is_possible() {
        let wish = OpusWish::of(
            "minptime=10; useinbandfec=1;usedtx=1;stereo=0;maxplaybackrate=16000;maxaveragebitrate=2000000;cbr=1",
        );
        let expected = OpusWish {
            playback_hz_max: 16_000,
            bitrate_bps_max: Some(510_000),
            stereo: false,
            constant_bitrate: true,
            inband_fec: true,
            dtx: true,
        };
        assert_eq!(wish, expected);
        assert_eq!(
            OpusWish::of("stereo=1;maxplaybackrate=1").playback_hz_max,
            8000
        );
        assert_eq!(OpusWish::of("=;;=1;usedtx").bitrate_bps_max, None);
        let profile = Profile::new(48_000, 1, &OpusWish::of("maxaveragebitrate=12000"));
        assert_eq!(profile.bitrate_bps, 12_000);
        assert_eq!(profile.loss_percent, 0, "no copies for who did not ask");
    }

    #[test]
    fn the_length_of_a_packet_is_read_from_its_head() {
        // Configuration, code and what RFC 6716 tables 2 and §3.2 make of them at 48 kHz.
        for (packet, samples) in [
            (&[0x08][..], Some(960)),
            (&[0x18], Some(2880)),
            (&[0x60], Some(480)),
            (&[0x80], Some(120)),
            (&[0xF8], Some(960)),
            (&[0xF9], Some(1920)),
            (&[0xFB, 6], Some(5760)),
            (&[0xFB, 7], None),
            (&[0xFB, 0], None),
            (&[0xFB], None),
            (&[], None),
        ] {
            assert_eq!(samples_in(packet, 48_000), samples, "{packet:?}");
        }
    }

    fn tone(rate_hz: u32, count: usize) -> Vec<i16> {
        let step = TAU * 440.0 / f64::from(rate_hz);
        let sample = |index: usize| ((step * index as f64).sin() * 8000.0) as i16;
        (0..count).map(sample).collect()
    }

    fn encoded(settings: &Settings<'_>, frames: usize, sound: &[i16]) -> Vec<Vec<u8>> {
        let mut encoder = (CODING.encoder)(settings).unwrap();
        let frame = settings.rate_hz as usize / 50 * usize::from(settings.channels);
        let mut packets = Vec::new();
        for index in 0..frames {
            let mut payload = Vec::new();
            encoder
                .encode(&sound[index * frame..][..frame], &mut payload)
                .unwrap();
            packets.push(payload);
        }
        packets
    }

    #[test]
    fn silence_pauses_for_a_peer_that_allows_it_and_not_for_others() {
        let silence = vec![0; 16_000 * 2];
        for (fmtp, pauses) in [("usedtx=1", true), ("", false)] {
            let settings = Settings {
                rate_hz: 16_000,
                channels: 1,
                fmtp,
            };
            let packets = encoded(&settings, 100, &silence);
            let decoder = (CODING.decoder)(&settings).unwrap();
            let pauses_found = packets.iter().filter(|packet| decoder.is_pause(packet));
            assert_eq!(pauses_found.count() > 50, pauses, "fmtp {fmtp:?}");
        }
    }

    #[test]
    fn a_peer_gets_two_channels_only_if_it_asked_for_them() {
        let sound: Vec<i16> = tone(48_000, 48_000)
            .iter()
            .flat_map(|s| [*s, -*s / 3])
            .collect();
        for (fmtp, flag) in [("stereo=1;maxaveragebitrate=128000", 4), ("", 0)] {
            let settings = Settings {
                rate_hz: 48_000,
                channels: 2,
                fmtp,
            };
            let packets = encoded(&settings, 50, &sound);
            // RFC 6716 §3.1: the s bit.
            assert_eq!(packets[40][0] & 4, flag, "fmtp {fmtp:?}");
        }
    }

    #[test]
    fn maxplaybackrate_narrows_what_is_sent() {
        for (rate_hz, fmtp, bandwidth_max) in [
            (48_000, "maxplaybackrate=16000", 2),
            // The library in Rust does not go below wideband from here, the reference does.
            (48_000, "maxplaybackrate=8000", 2),
            (16_000, "maxplaybackrate=8000", 0),
        ] {
            let settings = Settings {
                rate_hz,
                channels: 1,
                fmtp,
            };
            let packets = encoded(&settings, 20, &tone(rate_hz, 48_000));
            // RFC 6716 table 2: narrow, medium, wide, superwide and full band.
            let bandwidth = |packet: &Vec<u8>| match packet[0] >> 3 {
                silk @ 0..=11 => silk / 4,
                hybrid @ 12..=15 => 3 + (hybrid - 12) / 2,
                16..=19 => 0,
                celt => 2 + (celt - 20) / 4,
            };
            let widest = packets.iter().map(bandwidth).max();
            assert!(widest <= Some(bandwidth_max), "{fmtp} at {rate_hz} Hz");
        }
    }

    #[test]
    fn a_lost_packet_is_recovered_from_the_next_one() {
        let settings = Settings {
            rate_hz: 16_000,
            channels: 1,
            fmtp: "useinbandfec=1",
        };
        // Sweeps, so that concealment by repetition is wrong.
        let sweep: Vec<i16> = (0..32_000)
            .map(|i| {
                let t = f64::from(i) / 16_000.0;
                ((TAU * (200.0 * t + 400.0 * t * t)).sin() * 8000.0) as i16
            })
            .collect();
        let packets = encoded(&settings, 100, &sweep);
        let error = |with_copy: bool| {
            let mut decoder = (CODING.decoder)(&settings).unwrap();
            let mut whole = (CODING.decoder)(&settings).unwrap();
            let mut sum = 0.0;
            for index in 20..90 {
                let (mut real, mut made) = (Vec::new(), Vec::new());
                whole.decode(&packets[index], &mut real).unwrap();
                if index % 10 == 0 {
                    let next = with_copy.then_some(&packets[index + 1][..]);
                    decoder.conceal(320, next, &mut made);
                    let pairs = real.iter().zip(&made);
                    sum += pairs
                        .map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2))
                        .sum::<f64>();
                } else {
                    decoder.decode(&packets[index], &mut made).unwrap();
                }
            }
            sum
        };
        let (with, without) = (error(true), error(false));
        assert!(with < without / 2.0, "{with} against {without}");
    }

    #[test]
    fn any_number_of_samples_is_concealed() {
        let mut decoder = (CODING.decoder)(&Settings::default()).unwrap();
        let mut samples = Vec::new();
        for count in [1, 20, 160, 333, 5000] {
            samples.clear();
            decoder.conceal(count, None, &mut samples);
            assert_eq!(samples.len(), count);
            decoder.conceal(count, Some(&[0xFF, 0, 1]), &mut samples);
            assert_eq!(samples.len(), 2 * count);
        }
    }
}
