//! Certificates from an ACME server (RFC 8555).

mod challenges;

pub(crate) use challenges::ACME_TLS_1;
pub use challenges::{Challenges, Offered};
