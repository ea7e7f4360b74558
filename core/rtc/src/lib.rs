//! Offer/answer and the packet machine of one media transport.
//!
//! [`negotiate::Negotiator`] is the offer/answer model (RFC 3264, RFC 8829) between what peers send
//! and the strict dialect of the engine (str0m). It is text to text and knows no packets.

pub mod negotiate;
pub mod policy;
pub mod topology;

mod error;

pub use error::Refused;
