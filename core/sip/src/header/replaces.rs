//! Replaces (RFC 3891 §6.1): which dialog a new call is to take the place of.

use super::params::Params;
use super::scan;
use crate::Fault;

/// The value of Replaces, as the one who is asked to replace reads it: `to-tag` is its own tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaces {
    /// The Call-ID of the dialog.
    pub call_id: Box<str>,
    /// The tag of the one who is asked.
    pub to_tag: Box<str>,
    /// The tag of the other one.
    pub from_tag: Box<str>,
    /// Only if nobody has answered yet.
    pub early_only: bool,
}

impl Replaces {
    /// Reads `call-id;to-tag=…;from-tag=…`.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let text = scan::trim(text);
        let end = text.find(';').ok_or(Fault::BadParameter)?;
        let call_id = scan::trim(&text[..end]);
        let params = Params::parse(&text[end..])?;
        let tag = |name: &str| params.get(name).filter(|tag| !tag.is_empty());
        let (Some(to_tag), Some(from_tag)) = (tag("to-tag"), tag("from-tag")) else {
            return Err(Fault::BadParameter);
        };
        if call_id.is_empty() || call_id.contains([' ', '\t']) {
            return Err(Fault::BadCharacter);
        }
        Ok(Self {
            call_id: call_id.into(),
            to_tag: to_tag.into(),
            from_tag: from_tag.into(),
            early_only: params.has("early-only"),
        })
    }
}
