//! Offer/answer and the packet machine of one media transport.
//!
//! [`negotiate::Negotiator`] is the offer/answer model (RFC 3264, RFC 8829) between what peers send
//! and the strict dialect of the engine (str0m). It is text to text and knows no packets.
//! [`Peer`] is one transport: the engine, a negotiator, and what neither of them does.

pub mod negotiate;
pub mod policy;
pub mod topology;

mod dtls;
mod error;
mod peer;
mod timeline;
mod webrtc;

pub use dtls::{Certificate, CertificateError, Hash};
pub use error::Refused;
pub use peer::{CONNECT_MAX, KEYFRAME_PAUSE, SILENCE_MAX};
pub use peer::{
    Copied, Down, Event, Extensions, Format, Outcome, Packet, Peer, PeerConfig, PeerStats,
};
pub use peer::{PortPair, Quality, Round, Series, StreamId, StreamStats, Transmit};
