//! What every codec does: sound to payloads and back, and something in place of what got lost.
//!
//! Sound is 16-bit samples, interleaved where there are two channels. Encoders and decoders append
//! to buffers of their caller, so that a stream costs no allocation once its buffers have grown.

use std::time::Duration;

/// How one codec is run.
#[derive(Clone, Copy, Debug)]
pub struct Coding {
    /// The sampling rates it runs at without resampling, the one that keeps most sound first.
    pub rates_hz: &'static [u32],
    /// The usual length of a packet.
    pub packet_ms: u16,
    /// The lengths a packet may have, shortest first.
    pub packets_ms: &'static [u16],
    /// Makes an encoder.
    pub encoder: fn(&Settings<'_>) -> Result<Box<dyn Encode>, Unsupported>,
    /// Makes a decoder.
    pub decoder: fn(&Settings<'_>) -> Result<Box<dyn Decode>, Unsupported>,
}

impl Coding {
    /// The rate both sides of a transcoding run at, so that nothing is resampled; `None` if there
    /// is no such rate.
    pub fn common_rate(&self, other: &Self) -> Option<u32> {
        let mut rates = self.rates_hz.iter().copied();
        rates.find(|rate_hz| other.rates_hz.contains(rate_hz))
    }

    /// The longest packet that is not longer than what a receiver asks for (`a=ptime`).
    pub fn packet_ms_near(&self, wanted_ms: u16) -> u16 {
        let mut lengths = self.packets_ms.iter().copied().rev();
        let fits = lengths.find(|length| *length <= wanted_ms);
        fits.or_else(|| self.packets_ms.first().copied())
            .unwrap_or(self.packet_ms)
    }
}

/// What an encoder or a decoder is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings<'a> {
    /// Samples per second and channel.
    pub rate_hz: u32,
    /// Channels of the samples.
    pub channels: u8,
    /// The value of the peer's `a=fmtp`: what it wishes to receive.
    pub fmtp: &'a str,
}

impl Default for Settings<'_> {
    fn default() -> Self {
        Self {
            rate_hz: 8000,
            channels: 1,
            fmtp: "",
        }
    }
}

/// A codec cannot be run like this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the codec does not run at {rate_hz} Hz with {channels} channels")]
pub struct Unsupported {
    /// The rate asked for.
    pub rate_hz: u32,
    /// The channels asked for.
    pub channels: u8,
}

/// Why a packet is not decoded, or sound not encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Fault {
    /// The payload is no payload of this codec.
    #[error("a payload that the codec cannot read")]
    Malformed,
    /// The payload holds more sound than any packet may ([`PACKET_MAX`]).
    #[error("a payload longer than a packet may be")]
    TooLong,
    /// There is no packet of this many samples.
    #[error("a number of samples that no packet can hold")]
    Length,
}

/// Turns sound into payloads.
pub trait Encode: Send {
    /// Appends the payload of one packet with these samples.
    fn encode(&mut self, samples: &[i16], payload: &mut Vec<u8>) -> Result<(), Fault>;

    /// The peer reports that it loses this share of the packets. Codecs that can protect against
    /// loss do so.
    fn on_loss(&mut self, percent: u8) {
        let _ = percent;
    }

    /// Whether this payload, which it made, only says that there is silence. The first of several is sent
    /// on, so that the peer knows.
    fn is_pause(&self, payload: &[u8]) -> bool {
        let _ = payload;
        false
    }
}

/// Turns payloads into sound.
pub trait Decode: Send {
    /// Appends the sound of one payload.
    fn decode(&mut self, payload: &[u8], samples: &mut Vec<i16>) -> Result<(), Fault>;

    /// Appends `count` samples per channel in place of a packet that did not come. `next` is the
    /// payload of the packet after it, where that one is here already: it may carry a copy.
    fn conceal(&mut self, count: usize, next: Option<&[u8]>, samples: &mut Vec<i16>);

    /// How many samples per channel a payload holds, as far as that can be told without decoding.
    fn samples_in(&self, payload: &[u8]) -> Option<usize>;

    /// Whether the sender is silent after this payload and sends the next one only when it speaks.
    fn is_pause(&self, payload: &[u8]) -> bool {
        let _ = payload;
        false
    }
}

/// The lengths of packets of codecs that cut sound anywhere.
pub(crate) const PACKETS_MS: &[u16] = &[10, 20, 30, 40, 50, 60, 80, 100, 120, 150, 200];

/// The most sound in one packet. Opus has 120 ms (RFC 6716 §2.1.4); a datagram of G.711 could hold
/// seconds.
pub const PACKET_MAX: Duration = Duration::from_millis(200);

/// As many samples as [`PACKET_MAX`] has at a rate.
pub(crate) const fn samples_max(rate_hz: u32) -> usize {
    rate_hz as usize / 1000 * PACKET_MAX.as_millis() as usize
}

/// The value of `name` in an `a=fmtp` of the form `name=value;name=value`.
pub(crate) fn parameter<'a>(fmtp: &'a str, name: &str) -> Option<&'a str> {
    fmtp.split(';').find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
    })
}
