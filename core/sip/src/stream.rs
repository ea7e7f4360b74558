//! Framing of SIP on byte streams by Content-Length (RFC 3261 §18.3), with keep-alives
//! (RFC 5626 §3.5.1). WebSocket frames need none of this.

use std::fmt;

use bytes::{Buf, Bytes, BytesMut};
use memchr::memmem;

use crate::header::scan;
use crate::{HeaderName, limits};

/// What came out of the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// One whole message, for [`crate::Message::parse`].
    Message(Bytes),
    /// A double CRLF: answer with a single one.
    Ping,
    /// A single CRLF: the answer to a ping of ours.
    Pong,
}

/// The stream cannot be framed any more: close it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FramingError {
    /// The headers do not end within the limit.
    HeadTooLong,
    /// Content-Length promises more than the limit.
    MessageTooLarge,
    /// RFC 3261 §20.14: on streams Content-Length "MUST be used"; it is missing.
    NoContentLength,
    /// Content-Length is malformed, or two of them disagree.
    BadContentLength,
}

impl fmt::Display for FramingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HeadTooLong => "headers do not end within the limit",
            Self::MessageTooLarge => "message larger than the limit",
            Self::NoContentLength => "no Content-Length on a stream",
            Self::BadContentLength => "malformed or conflicting Content-Length",
        })
    }
}

impl std::error::Error for FramingError {}

/// Cuts a byte stream into messages. Holds at most one message and what was fed after it.
#[derive(Debug, Default)]
pub struct StreamFramer {
    buffer: BytesMut,
    /// Bytes of the buffer known to hold no end of headers.
    searched: usize,
    /// The size of the message at the front, once its head is there.
    expected: Option<usize>,
}

impl StreamFramer {
    /// A framer at the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes in. Call [`Self::poll`] until it gives nothing before feeding more.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// What was fed and is not a whole frame yet.
    pub fn pending(&self) -> &[u8] {
        &self.buffer
    }

    /// The head of the message at the front, as far as it is there. After a [`FramingError`] it tells
    /// whom to answer.
    pub fn head(&self) -> &[u8] {
        let end = memmem::find(&self.buffer, b"\r\n\r\n").map(|at| at + 4);
        &self.buffer[..end.unwrap_or(self.buffer.len())]
    }

    /// The next frame, if a whole one is there.
    pub fn poll(&mut self) -> Result<Option<Frame>, FramingError> {
        if let Some(frame) = self.keep_alive() {
            return Ok(Some(frame));
        }
        let Some(expected) = self.expected()? else {
            return Ok(None);
        };
        if self.buffer.len() < expected {
            return Ok(None);
        }
        self.expected = None;
        self.searched = 0;
        Ok(Some(Frame::Message(
            self.buffer.split_to(expected).freeze(),
        )))
    }

    fn keep_alive(&mut self) -> Option<Frame> {
        if self.buffer.starts_with(b"\r\n\r\n") {
            self.buffer.advance(4);
            return Some(Frame::Ping);
        }
        // A lone CRLF may be half a ping: it is one only when something else follows.
        let lone = self.buffer.starts_with(b"\r\n") && !b"\r\n\r\n".starts_with(&self.buffer);
        if lone {
            self.buffer.advance(2);
            return Some(Frame::Pong);
        }
        None
    }

    fn expected(&mut self) -> Result<Option<usize>, FramingError> {
        if self.expected.is_some() {
            return Ok(self.expected);
        }
        let Some(found) = memmem::find(&self.buffer[self.searched..], b"\r\n\r\n") else {
            if self.buffer.len() > limits::MESSAGE_BYTES_MAX {
                return Err(FramingError::HeadTooLong);
            }
            self.searched = self.buffer.len().saturating_sub(3);
            return Ok(None);
        };
        let head = self.searched + found + 4;
        let length = content_length(&self.buffer[..head - 4])?;
        let whole = head.saturating_add(length);
        if whole > limits::MESSAGE_BYTES_MAX {
            return Err(FramingError::MessageTooLarge);
        }
        self.expected = Some(whole);
        Ok(self.expected)
    }
}

fn content_length(head: &[u8]) -> Result<usize, FramingError> {
    let mut length = None;
    for line in head.split(|&byte| byte == b'\n').skip(1) {
        // A folded line belongs to the header above, whatever it looks like.
        if line.starts_with(b" ") || line.starts_with(b"\t") {
            continue;
        }
        let Some((name, value)) = split_colon(line) else {
            continue;
        };
        if HeaderName::from(name) != HeaderName::ContentLength {
            continue;
        }
        let value = scan::number(value).map_err(|_| FramingError::BadContentLength)?;
        if length.is_some_and(|length| length != value) {
            return Err(FramingError::BadContentLength);
        }
        length = Some(value);
    }
    let length = length.ok_or(FramingError::NoContentLength)?;
    usize::try_from(length).map_err(|_| FramingError::MessageTooLarge)
}

fn split_colon(line: &[u8]) -> Option<(&str, &str)> {
    let colon = memchr::memchr(b':', line)?;
    let name = std::str::from_utf8(line[..colon].trim_ascii()).ok()?;
    let value = std::str::from_utf8(line[colon + 1..].trim_ascii()).unwrap_or("?");
    Some((name, value))
}
