//! Why a text is not a session description.

use std::fmt;

/// A fault and the line it stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong there.
    pub fault: Fault,
}

/// What is wrong with a description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing but blank lines.
    Empty,
    /// More than [`crate::BYTES_MAX`] bytes.
    TooLong,
    /// More than [`crate::LINES_MAX`] lines.
    TooManyLines,
    /// More than [`crate::MEDIA_MAX`] `m=` lines.
    TooManyMedia,
    /// More than [`crate::FORMATS_MAX`] formats in one `m=` line.
    TooManyFormats,
    /// Not `x=value` (RFC 8866 §5: "`<type>=<value>` where `<type>` is exactly one case-significant
    /// character").
    NotALine,
    /// The first line is not `v=`.
    NoVersion,
    /// `v=` is not 0 (RFC 8866 §5.1).
    Version,
    /// A NUL or a CR inside a line; RFC 8866 §9 allows neither in any field.
    Control,
    /// `o=` has not six fields.
    Origin,
    /// `m=` has not four fields.
    MediaFields,
    /// The port in `m=` is not a number up to 65535.
    MediaPort,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SDP line {}: {}", self.line, self.fault)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the description is empty",
            Self::TooLong => "the description is longer than 256 KiB",
            Self::TooManyLines => "too many lines",
            Self::TooManyMedia => "too many m= lines",
            Self::TooManyFormats => "too many formats in one m= line",
            Self::NotALine => "not of the form x=value",
            Self::NoVersion => "a description begins with v=0",
            Self::Version => "the version is not 0",
            Self::Control => "a NUL or CR inside the line",
            Self::Origin => "o= needs user, id, version, network, address type and address",
            Self::MediaFields => "m= needs media, port, profile and formats",
            Self::MediaPort => "the port in m= is not a number up to 65535",
        })
    }
}

impl std::error::Error for ParseError {}
