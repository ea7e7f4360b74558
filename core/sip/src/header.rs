//! The headers of a message: an ordered list, repeated and unknown ones kept as they came.
//!
//! All values live in one string; typed values are read when somebody asks for them. A header line
//! that is not UTF-8 is read as Latin-1 and printed as the same bytes again.

pub(crate) mod auth;
pub(crate) mod contact;
pub(crate) mod cseq;
pub(crate) mod date;
pub(crate) mod media_type;
pub(crate) mod name;
pub(crate) mod name_addr;
pub(crate) mod params;
pub(crate) mod reason;
pub(crate) mod replaces;
pub(crate) mod scan;
pub(crate) mod session_timer;
pub(crate) mod typed;
pub(crate) mod via;

use bytes::{BufMut, BytesMut};

use name::HeaderName;

/// What a stranger may make us hold.
pub mod limits {
    /// Bytes of one message. RFC 3261 §18.1.1 asks for 65 535 over UDP; the description of a
    /// conference with 50 pictures alone has 60 kB, and connections carry more.
    pub const MESSAGE_BYTES_MAX: usize = 256 * 1024;
    /// Header lines of one message.
    pub const HEADERS_MAX: usize = 256;
    /// Bytes of one header, its folded lines included.
    pub const HEADER_BYTES_MAX: usize = 8_192;
    /// Bytes of a Request-URI.
    pub const URI_BYTES_MAX: usize = 4_096;
    /// Bytes of a reason phrase; the rest is cut off, for nobody acts on it.
    pub const REASON_BYTES_MAX: usize = 1_024;
    /// Parameters of one URI: comparing two URIs looks at each pair.
    pub const URI_PARAMS_MAX: usize = 64;
    /// Values of one list header, over all its lines.
    pub const LIST_ELEMENTS_MAX: usize = 128;
}

/// RFC 3261 §20.10, §10.2.1.1: malformed expirations are worth an hour.
pub(crate) const EXPIRES_WHEN_MALFORMED_S: u32 = 3_600;

/// The headers of a message, in order.
#[derive(Debug, Clone, Default)]
pub struct Headers {
    text: String,
    fields: Vec<Field>,
}

#[derive(Debug, Clone)]
struct Field {
    name: HeaderName,
    start: u32,
    end: u32,
    /// The value came as Latin-1: each character is one byte on the wire.
    latin1: bool,
}

impl Headers {
    /// An empty list with room for `text_bytes` of values.
    pub(crate) fn with_capacity(fields: usize, text_bytes: usize) -> Self {
        Self {
            text: String::with_capacity(text_bytes),
            fields: Vec::with_capacity(fields),
        }
    }

    /// The first value of this name.
    pub fn get(&self, name: &HeaderName) -> Option<&str> {
        let field = self.fields.iter().find(|field| field.name == *name)?;
        Some(self.value(field))
    }

    /// All values of this name, one per header line.
    pub fn get_all<'a>(&'a self, name: &HeaderName) -> impl Iterator<Item = &'a str> {
        let name = name.clone();
        self.iter()
            .filter(move |(known, _)| **known == name)
            .map(|(_, value)| value)
    }

    /// Is there a header of this name?
    pub fn has(&self, name: &HeaderName) -> bool {
        self.get(name).is_some()
    }

    /// All headers in order.
    pub fn iter(&self) -> impl Iterator<Item = (&HeaderName, &str)> {
        self.fields
            .iter()
            .map(|field| (&field.name, self.value(field)))
    }

    /// The number of header lines.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Appends a header. Characters that would end the line become spaces, so that no value can
    /// smuggle a second header in.
    pub fn push(&mut self, name: HeaderName, value: &str) {
        let field = self.store(name, value);
        self.fields.push(field);
    }

    /// Puts a header in front of all others.
    pub fn push_front(&mut self, name: HeaderName, value: &str) {
        let field = self.store(name, value);
        self.fields.insert(0, field);
    }

    /// Replaces the first header of this name in its place and removes its repetitions; appends
    /// when there is none.
    pub fn set(&mut self, name: HeaderName, value: &str) {
        match self.fields.iter().position(|field| field.name == name) {
            Some(at) => {
                let field = self.store(name.clone(), value);
                self.fields[at] = field;
                let mut index = 0;
                self.fields.retain(|field| {
                    index += 1;
                    index - 1 <= at || field.name != name
                });
            }
            None => self.push(name, value),
        }
    }

    /// Removes all headers of this name.
    pub fn remove(&mut self, name: &HeaderName) {
        self.fields.retain(|field| field.name != *name);
    }

    /// Copies all headers of this name from `other`, byte for byte.
    pub fn copy(&mut self, other: &Self, name: &HeaderName) {
        for field in other.fields.iter().filter(|field| field.name == *name) {
            let start = self.text.len();
            self.text.push_str(other.value(field));
            self.fields
                .push(self.field(field.name.clone(), start, field.latin1));
        }
    }

    fn value(&self, field: &Field) -> &str {
        &self.text[field.start as usize..field.end as usize]
    }

    fn store(&mut self, name: HeaderName, value: &str) -> Field {
        let start = self.text.len();
        let value = scan::trim(value);
        // A line end would begin a header of its own. NUL is allowed in quoted strings (RFC 3261 §25.1
        // quoted-pair) and goes back to its sender as it came.
        if value.contains(['\r', '\n']) {
            self.text.extend(
                value
                    .chars()
                    .map(|c| if matches!(c, '\r' | '\n') { ' ' } else { c }),
            );
        } else {
            self.text.push_str(value);
        }
        let name = match name {
            HeaderName::Other(text) if scan::is_token(&text) => HeaderName::from(&*text),
            HeaderName::Other(text) => HeaderName::Other(
                text.chars()
                    .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
                    .collect(),
            ),
            known => known,
        };
        self.field(name, start, false)
    }

    fn field(&self, name: HeaderName, start: usize, latin1: bool) -> Field {
        let to_u32 = |at: usize| u32::try_from(at).expect("headers are shorter than 4 GB");
        Field {
            name,
            start: to_u32(start),
            end: to_u32(self.text.len()),
            latin1,
        }
    }

    /// Appends a header as it stands on the wire: the pieces of a folded line are joined by a
    /// space (RFC 3261 §7.3.1).
    pub(crate) fn push_wire<'a>(
        &mut self,
        name: HeaderName,
        lines: impl Iterator<Item = &'a [u8]> + Clone,
    ) {
        let start = self.text.len();
        let latin1 = lines.clone().any(|line| std::str::from_utf8(line).is_err());
        for (index, line) in lines
            .map(<[u8]>::trim_ascii)
            .filter(|line| !line.is_empty())
            .enumerate()
        {
            if index > 0 {
                self.text.push(' ');
            }
            match std::str::from_utf8(line) {
                Ok(line) if !latin1 => self.text.push_str(line),
                _ => self.text.extend(line.iter().map(|&byte| char::from(byte))),
            }
        }
        let field = self.field(name, start, latin1);
        self.fields.push(field);
    }

    /// Writes all header lines but Content-Length.
    pub(crate) fn print(&self, out: &mut BytesMut) {
        for field in self
            .fields
            .iter()
            .filter(|field| field.name != HeaderName::ContentLength)
        {
            out.put_slice(field.name.as_str().as_bytes());
            out.put_slice(b": ");
            let value = self.value(field);
            if field.latin1 {
                out.extend(
                    value
                        .chars()
                        .map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')),
                );
            } else {
                out.put_slice(value.as_bytes());
            }
            out.put_slice(b"\r\n");
        }
    }

    /// Bytes the values take, for sizing buffers.
    pub(crate) fn text_bytes(&self) -> usize {
        self.text.len() + 24 * self.fields.len()
    }
}

/// Two lists are equal when they have the same names and values in the same order.
impl PartialEq for Headers {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Headers {}

/// `q=0.7` in thousandths (RFC 3261 §25.1 `qvalue`).
pub(crate) fn qvalue(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if whole.len() > 1 || fraction.len() > 3 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let whole: u16 = if whole.is_empty() {
        0
    } else {
        whole.parse().ok()?
    };
    let fraction: u16 = format!("{fraction:0<3}").parse().ok()?;
    let q = whole * 1000 + fraction;
    (q <= 1000).then_some(q)
}
