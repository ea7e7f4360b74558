//! Opus in Rust alone.

use super::Profile;
use crate::coding::Fault;
use opus_pure::{Application, Bandwidth, Error, OpusDecoder, OpusEncoder, RateControl};

pub(super) const NAME: &str = "opus-pure";

pub(super) struct Encoder(OpusEncoder);

impl Encoder {
    pub(super) fn new(profile: &Profile) -> Option<Self> {
        let rate_hz = i32::try_from(profile.rate_hz).ok()?;
        let channels = profile.channels.into();
        let mut encoder = OpusEncoder::new(rate_hz, channels, Application::Voip).ok()?;
        encoder.bitrate_bps = i32::try_from(profile.bitrate_bps).ok()?;
        encoder.complexity = profile.complexity.into();
        encoder.use_inband_fec = profile.inband_fec;
        encoder.use_dtx = profile.dtx;
        encoder.packet_loss_perc = profile.loss_percent.into();
        encoder.max_bandwidth = bandwidth(profile.bandwidth_hz);
        if profile.constant_bitrate {
            encoder.rate_control = RateControl::Cbr;
        }
        Some(Self(encoder))
    }

    pub(super) fn encode(&mut self, samples: &[i16], packet: &mut [u8]) -> Result<usize, Fault> {
        let count = samples.len() / self.0.channels();
        // It refuses lengths that no packet has.
        let encoded = self.0.encode_s16(samples, count, packet);
        encoded.map_err(|_| Fault::Length)
    }

    pub(super) fn expect_loss(&mut self, percent: u8) {
        self.0.packet_loss_perc = percent.into();
    }
}

pub(super) struct Decoder(OpusDecoder);

impl Decoder {
    pub(super) fn new(rate_hz: u32, channels: u8) -> Option<Self> {
        let rate_hz = i32::try_from(rate_hz).ok()?;
        OpusDecoder::new(rate_hz, channels.into()).ok().map(Self)
    }

    pub(super) fn decode(&mut self, packet: &[u8], samples: &mut [i16]) -> Result<usize, Fault> {
        let count = samples.len() / self.0.channels();
        self.0.decode_s16(packet, count, samples).map_err(fault)
    }

    pub(super) fn conceal(&mut self, samples: &mut [i16]) -> Result<usize, Fault> {
        self.decode(&[], samples)
    }

    pub(super) fn recover(&mut self, next: &[u8], samples: &mut [i16]) -> Result<usize, Fault> {
        let count = samples.len() / self.0.channels();
        self.0.decode_fec_s16(next, count, samples).map_err(fault)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
fn fault(error: Error) -> Fault {
    match error {
        Error::BufferTooSmall { .. } => Fault::TooLong,
        _ => Fault::Malformed,
    }
}

fn bandwidth(rate_hz: u32) -> Bandwidth {
    match rate_hz {
        0..=8000 => Bandwidth::Narrowband,
        8001..=12_000 => Bandwidth::Mediumband,
        12_001..=16_000 => Bandwidth::Wideband,
        16_001..=24_000 => Bandwidth::Superwideband,
        24_001.. => Bandwidth::Fullband,
    }
}
