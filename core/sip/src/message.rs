//! Requests and responses: reading, printing, and the checks before anybody acts on them.
//!
//! [`Message::parse`] reads one datagram or one WebSocket message (RFC 3261 §7, §18.3; RFC 7118).
//! It frames: start line, header lines, body. What is inside the headers is read when somebody
//! asks for it, and checked as a whole by [`Request::validate`].

mod description;
mod parse;
mod validate;

use std::fmt::Write as _;

use bytes::{BufMut, Bytes, BytesMut};

use crate::{HeaderName, Headers, Method, ParseError, Status, Uri};

pub use description::description;
pub use validate::Capabilities;

/// A SIP message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// A request.
    Request(Request),
    /// A response.
    Response(Response),
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What is asked for.
    pub method: Method,
    /// Whom it is asked of: the Request-URI.
    pub uri: Uri,
    /// The headers. Content-Length is left out when printing and computed from the body.
    pub headers: Headers,
    /// The body.
    pub body: Bytes,
}

/// A response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: Status,
    /// The reason phrase.
    pub reason: Box<str>,
    /// The headers. Content-Length is left out when printing and computed from the body.
    pub headers: Headers,
    /// The body.
    pub body: Bytes,
}

impl Message {
    /// Reads one datagram or one WebSocket message.
    pub fn parse(datagram: &Bytes) -> Result<Self, ParseError> {
        parse::message(datagram)
    }

    /// The bytes on the wire.
    pub fn to_bytes(&self) -> Bytes {
        match self {
            Self::Request(request) => request.to_bytes(),
            Self::Response(response) => response.to_bytes(),
        }
    }

    /// The headers of either kind.
    pub fn headers(&self) -> &Headers {
        match self {
            Self::Request(request) => &request.headers,
            Self::Response(response) => &response.headers,
        }
    }

    /// The body of either kind.
    pub fn body(&self) -> &Bytes {
        match self {
            Self::Request(request) => &request.body,
            Self::Response(response) => &response.body,
        }
    }
}

impl Request {
    /// A request without headers and body.
    pub fn new(method: Method, uri: Uri) -> Self {
        Self {
            method,
            uri,
            headers: Headers::default(),
            body: Bytes::new(),
        }
    }

    /// A response to this request with what RFC 3261 §8.2.6 copies: Via, From, To, Call-ID, CSeq,
    /// and Timestamp into a 100. No To tag is added.
    pub fn response(&self, status: Status) -> Response {
        let mut response = Response::new(status);
        response.headers = response_headers(&self.headers, status);
        response
    }

    /// The bytes on the wire.
    pub fn to_bytes(&self) -> Bytes {
        let mut out = buffer(&self.headers, &self.body);
        let uri = &self.uri;
        write!(out, "{} {uri} SIP/2.0\r\n", self.method).expect("a buffer grows");
        finish(out, &self.headers, &self.body)
    }
}

impl Response {
    /// A response with the registered reason phrase, without headers and body.
    pub fn new(status: Status) -> Self {
        let reason = status.reason().into();
        Self {
            status,
            reason,
            headers: Headers::default(),
            body: Bytes::new(),
        }
    }

    /// The bytes on the wire.
    pub fn to_bytes(&self) -> Bytes {
        let mut out = buffer(&self.headers, &self.body);
        let reason = self
            .reason
            .chars()
            .map(|c| if c.is_control() && c != '\t' { ' ' } else { c });
        write!(out, "SIP/2.0 {} ", self.status).expect("a buffer grows");
        out.extend(reason.collect::<String>().bytes());
        out.put_slice(b"\r\n");
        finish(out, &self.headers, &self.body)
    }
}

/// RFC 3261 §8.2.6.2: "The From field of the response MUST equal the From header field of the
/// request. The Call-ID header field … the CSeq … The Via header field values in the response MUST
/// equal the Via header field values in the request and MUST maintain the same ordering."
fn response_headers(request: &Headers, status: Status) -> Headers {
    const COPIED: [HeaderName; 5] = [
        HeaderName::Via,
        HeaderName::From,
        HeaderName::To,
        HeaderName::CallId,
        HeaderName::CSeq,
    ];
    let mut headers = Headers::with_capacity(request.len().min(16), request.text_bytes() / 2);
    for name in &COPIED {
        headers.copy(request, name);
    }
    // §8.2.6.1: "any Timestamp header field present in the request MUST be copied into this 100".
    if status == Status::TRYING {
        headers.copy(request, &HeaderName::Timestamp);
    }
    headers
}

fn buffer(headers: &Headers, body: &Bytes) -> BytesMut {
    BytesMut::with_capacity(128 + headers.text_bytes() + body.len())
}

fn finish(mut out: BytesMut, headers: &Headers, body: &Bytes) -> Bytes {
    headers.print(&mut out);
    write!(out, "Content-Length: {}\r\n\r\n", body.len()).expect("a buffer grows");
    out.put_slice(body);
    out.freeze()
}
