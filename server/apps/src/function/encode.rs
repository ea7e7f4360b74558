//! Functions that write text in another form: `BASE64_ENCODE`, `URIENCODE`, `MD5` and their kin.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha1::Sha1;
use std::fmt::Write as _;
use switch::Function;

/// What need not be escaped (RFC 3986 §2.3).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Base64.
pub(crate) static BASE64_ENCODE: Function = Function {
    name: "BASE64_ENCODE",
    synopsis: "A text in Base64: BASE64_ENCODE(text)",
    read: |_, text| Some(STANDARD.encode(text)),
    write: None,
};

/// And back.
pub(crate) static BASE64_DECODE: Function = Function {
    name: "BASE64_DECODE",
    synopsis: "The text that stands in Base64: BASE64_DECODE(text)",
    read: |_, text| {
        let bytes = STANDARD.decode(text.trim()).ok()?;
        Some(String::from_utf8_lossy(&bytes).replace('\0', ""))
    },
    write: None,
};

/// For a URI.
pub(crate) static URI_ENCODE: Function = Function {
    name: "URIENCODE",
    synopsis: "A text with escapes where a URI needs them: URIENCODE(text)",
    read: |_, text| Some(utf8_percent_encode(text, ESCAPED).to_string()),
    write: None,
};

/// Out of a URI.
pub(crate) static URI_DECODE: Function = Function {
    name: "URIDECODE",
    synopsis: "A text without the escapes of a URI: URIDECODE(text)",
    read: |_, text| {
        let text = percent_decode_str(text).decode_utf8_lossy();
        Some(text.replace('\0', ""))
    },
    write: None,
};

/// MD5.
pub(crate) static MD5: Function = Function {
    name: "MD5",
    synopsis: "The MD5 digest of a text: MD5(text)",
    read: |_, text| Some(hex(&Md5::digest(text))),
    write: None,
};

/// SHA-1.
pub(crate) static SHA1: Function = Function {
    name: "SHA1",
    synopsis: "The SHA-1 digest of a text: SHA1(text)",
    read: |_, text| Some(hex(&Sha1::digest(text))),
    write: None,
};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
