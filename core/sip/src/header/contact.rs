//! Contact (RFC 3261 §20.10, RFC 5626 §4.1).

use std::fmt;

use super::name_addr::NameAddr;
use crate::Fault;

/// All values of the Contact headers of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contacts {
    /// `Contact: *`, which stands alone (RFC 3261 §10.2.2: remove all bindings).
    Star,
    /// The contacts in order; empty when there is no Contact header.
    List(Vec<Contact>),
}

/// One contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// Display name, URI and parameters.
    pub address: NameAddr,
    raw: Box<str>,
}

impl Contact {
    /// Reads one value.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        Ok(Self {
            address: NameAddr::parse(text)?,
            raw: text.into(),
        })
    }

    /// The text as it came, to be echoed unmodified.
    pub fn raw(&self) -> &str {
        &self.raw
    }

    /// The `expires` parameter in seconds. RFC 3261 §20.10: "Malformed values SHOULD be treated as
    /// equivalent to 3600."
    pub fn expires(&self) -> Option<u32> {
        let value = self.address.params.get("expires")?;
        Some(super::scan::number(value).unwrap_or(super::EXPIRES_WHEN_MALFORMED_S))
    }

    /// The `q` parameter in thousandths, 0 to 1000; malformed values count as absent.
    pub fn q(&self) -> Option<u16> {
        super::qvalue(self.address.params.get("q")?)
    }

    /// RFC 5626 `+sip.instance`, with its angle brackets off.
    pub fn instance(&self) -> Option<&str> {
        let value = self.address.params.get("+sip.instance")?;
        Some(
            value
                .strip_prefix('<')
                .and_then(|v| v.strip_suffix('>'))
                .unwrap_or(value),
        )
    }

    /// RFC 5626 `reg-id`: 1 to 2^31 - 1; malformed values count as absent.
    pub fn reg_id(&self) -> Option<u32> {
        let id = super::scan::number(self.address.params.get("reg-id")?).ok()?;
        (1..1 << 31).contains(&id).then_some(id)
    }
}

impl fmt::Display for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.raw)
    }
}
