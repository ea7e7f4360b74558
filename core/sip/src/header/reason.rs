//! Reason (RFC 3326): why a request was sent, as `Q.850;cause=16` or `SIP;cause=200`.

use std::fmt;

use super::params::Params;
use super::scan;
use crate::Fault;

/// One reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// `SIP`, `Q.850`, …
    pub protocol: Box<str>,
    /// `cause`, `text` and others.
    pub params: Params,
}

impl Reason {
    /// Reads one value.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let end = text.find(';').unwrap_or(text.len());
        let protocol = scan::trim(&text[..end]);
        if !scan::is_token(protocol) {
            return Err(Fault::BadProtocol);
        }
        Ok(Self {
            protocol: protocol.into(),
            params: Params::parse(&text[end..])?,
        })
    }

    /// The cause number.
    pub fn cause(&self) -> Option<u16> {
        self.params.get("cause")?.parse().ok()
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.protocol, self.params)
    }
}
