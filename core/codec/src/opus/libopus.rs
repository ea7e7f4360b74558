//! Opus by the reference library.

use super::Profile;
use crate::coding::Fault;
use ::opus::{Application, Bandwidth, Bitrate, Channels};

pub(super) const NAME: &str = "libopus";

pub(super) struct Encoder(::opus::Encoder);

impl Encoder {
    pub(super) fn new(profile: &Profile) -> Option<Self> {
        let channels = channels(profile.channels)?;
        let mut encoder =
            ::opus::Encoder::new(profile.rate_hz, channels, Application::Voip).ok()?;
        let bitrate = i32::try_from(profile.bitrate_bps).ok()?;
        encoder.set_bitrate(Bitrate::Bits(bitrate)).ok()?;
        encoder.set_complexity(profile.complexity.into()).ok()?;
        encoder.set_inband_fec(profile.inband_fec).ok()?;
        encoder.set_dtx(profile.dtx).ok()?;
        encoder
            .set_packet_loss_perc(profile.loss_percent.into())
            .ok()?;
        encoder
            .set_max_bandwidth(bandwidth(profile.bandwidth_hz))
            .ok()?;
        encoder.set_vbr(!profile.constant_bitrate).ok()?;
        Some(Self(encoder))
    }

    pub(super) fn encode(&mut self, samples: &[i16], packet: &mut [u8]) -> Result<usize, Fault> {
        // It refuses lengths that no packet has.
        self.0.encode(samples, packet).map_err(|_| Fault::Length)
    }

    pub(super) fn expect_loss(&mut self, percent: u8) {
        // It refuses only what is above 100.
        let _ = self.0.set_packet_loss_perc(percent.into());
    }
}

pub(super) struct Decoder(::opus::Decoder);

impl Decoder {
    pub(super) fn new(rate_hz: u32, channel_count: u8) -> Option<Self> {
        let channels = channels(channel_count)?;
        ::opus::Decoder::new(rate_hz, channels).ok().map(Self)
    }

    pub(super) fn decode(&mut self, packet: &[u8], samples: &mut [i16]) -> Result<usize, Fault> {
        let decoded = self.0.decode(packet, samples, false);
        decoded.map_err(|_| Fault::Malformed)
    }

    pub(super) fn conceal(&mut self, samples: &mut [i16]) -> Result<usize, Fault> {
        self.decode(&[], samples)
    }

    pub(super) fn recover(&mut self, next: &[u8], samples: &mut [i16]) -> Result<usize, Fault> {
        let decoded = self.0.decode(next, samples, true);
        decoded.map_err(|_| Fault::Malformed)
    }
}

fn channels(count: u8) -> Option<Channels> {
    match count {
        1 => Some(Channels::Mono),
        2 => Some(Channels::Stereo),
        _ => None,
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
