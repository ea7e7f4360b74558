//! The table of codecs the exchange knows.
//!
//! One row per codec: its name in `allow=`, its RTP encoding name and clock (RFC 3551, RFC 7587,
//! RFC 7741, RFC 6184, RFC 9628) and its static payload type where it has one. Encoders and decoders
//! are not here; forwarding needs none.

mod registry;

pub use registry::{CODECS, Codec, Kind, by_encoding, by_name};
