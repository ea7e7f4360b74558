//! Content-Type and the ranges of Accept (RFC 3261 §20.1, §20.15).

use std::fmt;

use super::params::Params;
use super::scan;
use crate::Fault;

/// A media type such as `application/sdp`, with parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaType {
    essence: Box<str>,
    /// `charset`, `boundary` and others.
    pub params: Params,
}

impl MediaType {
    /// Reads `type/subtype;parameters`.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let end = text.find(';').unwrap_or(text.len());
        let (kind, subtype) = text[..end].split_once('/').ok_or(Fault::BadCharacter)?;
        let (kind, subtype) = (scan::trim(kind), scan::trim(subtype));
        if !scan::is_token(kind) || !scan::is_token(subtype) {
            return Err(Fault::BadCharacter);
        }
        let essence = format!("{kind}/{subtype}").to_ascii_lowercase().into();
        Ok(Self {
            essence,
            params: Params::parse(&text[end..])?,
        })
    }

    /// `type/subtype` in lower case, without parameters.
    pub fn essence(&self) -> &str {
        &self.essence
    }

    /// Does this range of an Accept header (`text/*`, `*/*`) include the type?
    pub fn includes(&self, essence: &str) -> bool {
        let Some((kind, subtype)) = self.essence.split_once('/') else {
            return false;
        };
        let Some((wanted, wanted_subtype)) = essence.split_once('/') else {
            return false;
        };
        (kind == "*" || kind.eq_ignore_ascii_case(wanted))
            && (subtype == "*" || subtype.eq_ignore_ascii_case(wanted_subtype))
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.essence, self.params)
    }
}
