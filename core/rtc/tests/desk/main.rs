//! Legs of desk phones through `rtc::Peer`: descriptions in and out, packets, reports, silence.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests choose where their time begins, and fail where they stand"
)]

mod answers;
mod bundle;
mod media;
mod offers;
mod rsa;
mod setup;
mod world;
