//! Codecs: the table of those the exchange knows, and what turns their payloads into sound.
//!
//! One row per codec ([`CODECS`]): its name in `allow=`, its RTP encoding name and clock (RFC 3551,
//! RFC 7587, RFC 7741, RFC 6184, RFC 9628), its static payload type where it has one, and for audio
//! how it is encoded and decoded ([`Coding`]). Video is only passed on. Beside them stands what is done with
//! sound whatever carried it: resampling, mixing, tones, digits and voice found in it, comfort noise.

mod coding;
mod comfort_noise;
mod conceal;
mod dtmf;
mod g711;
mod g722;
mod l16;
mod melody;
mod mix;
mod opus;
mod preference;
mod registry;
mod resample;
mod sound;
mod tone;
mod voice;

pub use coding::{Coding, Decode, Encode, Fault, PACKET_MAX, Settings, Unsupported};
pub use comfort_noise::{NoisePlayer, describe_noise, level_dbov};
pub use conceal::Concealer;
pub use dtmf::{DtmfDetector, DtmfEvent};
pub use g711::{alaw_of, alaw_value, ulaw_of, ulaw_value};
pub use melody::{MELODY_HZ, melody};
pub use mix::Mix;
pub use opus::{OPUS_ENGINE, OpusWish};
pub use preference::{NoPreference, Operation, Preference};
pub use registry::{CODECS, Codec, Kind, by_encoding, by_name};
pub use resample::Resampler;
pub use sound::{BadSound, SOUND_ENDINGS, Sound, SoundReader};
pub use tone::{ScriptFault, TonePlayer, ToneScript, dtmf_pair};
pub use voice::VoiceActivity;
