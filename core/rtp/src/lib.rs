//! RTP values that are ours whatever carries the packets: extended sequence numbers and what was
//! received (RFC 3550 appendix A), digits sent as telephone events (RFC 4733), and a jitter buffer.
//!
//! Encryption, retransmission and RTCP of browser legs are the transport's (`rtc`).

mod digit;
mod jitter;
mod sequence;

pub use digit::{Digit, DigitReceiver};
pub use jitter::{Arrival, JitterBuffer, JitterConfig, JitterStats, Pacing, Play};
pub use sequence::{Extender, Reception};
