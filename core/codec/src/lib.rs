//! Codecs: the table of those the exchange knows, and what turns their payloads into sound.
//!
//! One row per codec ([`CODECS`]): its name in `allow=`, its RTP encoding name and clock (RFC 3551,
//! RFC 7587, RFC 7741, RFC 6184, RFC 9628), its static payload type where it has one, and for audio
//! how it is encoded and decoded ([`Coding`]). Video is only passed on.

mod coding;
mod conceal;
mod g711;
mod g722;
mod l16;
mod opus;
mod registry;
mod resample;

pub use coding::{Coding, Decode, Encode, Fault, PACKET_MAX, Settings, Unsupported};
pub use conceal::Concealer;
pub use g711::{alaw_of, alaw_value, ulaw_of, ulaw_value};
pub use opus::{OPUS_ENGINE, OpusWish};
pub use registry::{CODECS, Codec, Kind, by_encoding, by_name};
pub use resample::Resampler;
