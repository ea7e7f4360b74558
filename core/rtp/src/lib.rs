//! RTP values that are ours whatever carries the packets: extended sequence numbers and what was
//! received (RFC 3550 appendix A), digits sent as telephone events (RFC 4733), and a jitter buffer.
//!
//! For desk phones also what carries them: packets, RTCP, SRTP with keys from the description, and
//! whose packets are believed. Encryption, retransmission and RTCP of browser legs are the transport's
//! (`rtc`).

pub mod rtcp;
pub mod srtp;

mod digit;
mod jitter;
mod latch;
mod packet;
mod sequence;
mod sorter;

pub use digit::{Digit, DigitEvent, DigitReceiver, EventClock, EventPacket, EventSender};
pub use jitter::{Arrival, JitterBuffer, JitterConfig, JitterStats, Pacing, Play};
pub use latch::{Claim, Latch, Strictness, Verdict};
pub use packet::{RtpPacket, extend, extension, is_rtcp, is_rtp};
pub use sequence::{Extender, Reception, Tally};
pub use sorter::{Sorted, Sorter};
