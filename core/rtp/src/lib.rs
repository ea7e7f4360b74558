//! RTP values that are ours whatever carries the packets: extended sequence numbers and what was
//! received (RFC 3550 appendix A), and digits sent as telephone events (RFC 4733).
//!
//! Encryption, retransmission and RTCP of browser legs are the transport's (`rtc`).

mod digit;
mod sequence;

pub use digit::{Digit, DigitReceiver};
pub use sequence::{Extender, Reception};
