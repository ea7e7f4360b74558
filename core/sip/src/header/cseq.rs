//! CSeq (RFC 3261 §20.16) and RAck (RFC 3262 §7.2).

use std::fmt;

use super::scan;
use crate::{Fault, Method};

/// The sequence number and method of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CSeq {
    /// Below 2^31.
    pub number: u32,
    /// The method of the request.
    pub method: Method,
}

impl CSeq {
    /// Reads `number method`.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let mut parts = text.split_ascii_whitespace();
        let (Some(digits), Some(method), None) = (parts.next(), parts.next(), parts.next()) else {
            return Err(Fault::BadCharacter);
        };
        Ok(Self {
            number: sequence(digits)?,
            method: token_method(method)?,
        })
    }
}

impl fmt::Display for CSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number, self.method)
    }
}

/// Which reliable provisional response a PRACK confirms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RAck {
    /// The RSeq of the response.
    pub rseq: u32,
    /// The CSeq of the response.
    pub cseq: CSeq,
}

impl RAck {
    /// Reads `rseq cseq method`.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let text = scan::trim(text);
        let (rseq, cseq) = text.split_once([' ', '\t']).ok_or(Fault::BadNumber)?;
        Ok(Self {
            rseq: scan::number(rseq)?,
            cseq: CSeq::parse(cseq)?,
        })
    }
}

impl fmt::Display for RAck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.rseq, self.cseq)
    }
}

fn token_method(text: &str) -> Result<Method, Fault> {
    if scan::is_token(text) {
        Ok(Method::from(text))
    } else {
        Err(Fault::BadCharacter)
    }
}

/// RFC 3261 §8.1.1.5: "The sequence number value MUST be expressible as a 32-bit unsigned integer
/// and MUST be less than 2**31."
fn sequence(digits: &str) -> Result<u32, Fault> {
    let number = scan::number(digits)?;
    if number < 1 << 31 {
        Ok(number)
    } else {
        Err(Fault::NumberTooLarge)
    }
}
