//! Session-Expires and Min-SE (RFC 4028 §4, §5).

use std::fmt;

use super::params::Params;
use super::scan;
use crate::Fault;

/// Who refreshes the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refresher {
    /// The side that sent the request.
    Uac,
    /// The side that answers it.
    Uas,
}

/// The value of Session-Expires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionExpires {
    /// Seconds until the session counts as gone.
    pub delta_s: u32,
    /// Who refreshes, if it is settled.
    pub refresher: Option<Refresher>,
}

impl SessionExpires {
    /// Reads `delta;refresher=uac`.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let (delta_s, params) = delta(text)?;
        let refresher = match params.get("refresher") {
            Some(role) if role.eq_ignore_ascii_case("uac") => Some(Refresher::Uac),
            Some(role) if role.eq_ignore_ascii_case("uas") => Some(Refresher::Uas),
            Some(_) => return Err(Fault::BadParameter),
            None => None,
        };
        Ok(Self { delta_s, refresher })
    }
}

/// Seconds with parameters behind.
pub(crate) fn delta(text: &str) -> Result<(u32, Params), Fault> {
    let text = scan::trim(text);
    let end = text.find(';').unwrap_or(text.len());
    Ok((
        scan::number(scan::trim(&text[..end]))?,
        Params::parse(&text[end..])?,
    ))
}

impl fmt::Display for SessionExpires {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = match self.refresher {
            Some(Refresher::Uac) => ";refresher=uac",
            Some(Refresher::Uas) => ";refresher=uas",
            None => "",
        };
        write!(f, "{}{role}", self.delta_s)
    }
}
