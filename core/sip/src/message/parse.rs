//! From bytes to a message. One pass over the head, linear in its length.

use bytes::Bytes;
use memchr::{memchr, memchr_iter};

use super::{Message, Request, Response, response_headers};
use crate::header::scan;
use crate::{HeaderName, Headers, Method, ParseError, ParseFault, Status, Uri, limits};

pub(super) fn message(datagram: &Bytes) -> Result<Message, ParseError> {
    // RFC 3261 §7.5: "Implementations processing SIP messages over stream-oriented transports MUST
    // ignore any CRLF appearing before the start-line".
    let skipped = datagram
        .iter()
        .take_while(|byte| matches!(byte, b'\r' | b'\n'))
        .count();
    let datagram = datagram.slice(skipped..);
    if datagram.is_empty() {
        return Err(ParseError::new(ParseFault::KeepAlive, 1));
    }
    let too_large = datagram.len() > limits::MESSAGE_BYTES_MAX;
    let bytes = &datagram[..datagram.len().min(limits::MESSAGE_BYTES_MAX)];
    let (line, rest) = split_line(bytes);
    let start = start_line(line);
    let head = head(rest);
    let body_start = bytes.len() - head.rest;
    let fault = match &start {
        Err(fault) => Some((*fault, 1)),
        Ok(_) if too_large => Some((ParseFault::MessageTooLarge, 1)),
        Ok(_) => head.fault,
    };
    let length = content_length(&head.headers);
    let body = datagram.slice(body_start..);
    let body = match (fault, length) {
        (Some((fault, at)), _) => Err((fault, at)),
        (None, Err(fault)) => Err((fault, head.lines + 1)),
        // RFC 3261 §18.3: without Content-Length the body "extends to the end of the datagram"; "If
        // the transport packet ends before the end of the message body, this is considered an
        // error"; what follows the body is discarded.
        (None, Ok(None)) => Ok(body),
        (None, Ok(Some(length))) if length > body.len() => {
            Err((ParseFault::BodyTooShort, head.lines + 1))
        }
        (None, Ok(Some(length))) => Ok(body.slice(..length)),
    };
    match (body, start) {
        (Ok(body), Ok(Start::Request { method, uri })) => Ok(Message::Request(Request {
            method,
            uri,
            headers: head.headers,
            body,
        })),
        (Ok(body), Ok(Start::Response { status, reason })) => Ok(Message::Response(Response {
            status,
            reason,
            headers: head.headers,
            body,
        })),
        (Ok(_), Err(fault)) => Err(failed(fault, 1, line, &head.headers)),
        (Err((fault, at)), _) => Err(failed(fault, at, line, &head.headers)),
    }
}

/// An error with the reply it deserves. RFC 3261 §17.1.1.3: nobody answers an ACK; a response gets
/// no response; without a Via nobody waits for it.
fn failed(fault: ParseFault, line: usize, start_line: &[u8], headers: &Headers) -> ParseError {
    let mut error = ParseError::new(fault, line);
    if !looks_like_request(start_line) || !headers.has(&HeaderName::Via) {
        return error;
    }
    let status = fault.status();
    let mut reply = Response::new(status);
    reply.headers = response_headers(headers, status);
    if status == Status::BAD_REQUEST {
        // RFC 3261 §21.4.1: "The Reason-Phrase SHOULD identify the syntax problem in more detail".
        reply.reason = fault.text().into();
    }
    error.reply = Some(Box::new(reply));
    error
}

fn looks_like_request(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    let method = line.split(|&byte| byte == b' ').next().unwrap_or(b"");
    let is_token = !method.is_empty() && method.iter().all(|&byte| scan::is_token_byte(byte));
    let version = line.rsplit(|&byte| byte == b' ').next().unwrap_or(b"");
    is_token && method != b"ACK" && version.starts_with(b"SIP/")
}

enum Start {
    Request { method: Method, uri: Uri },
    Response { status: Status, reason: Box<str> },
}

fn start_line(line: &[u8]) -> Result<Start, ParseFault> {
    if line.len() > limits::URI_BYTES_MAX + 256 {
        return Err(ParseFault::UriTooLong);
    }
    let latin1;
    let text = match std::str::from_utf8(line) {
        Ok(text) => text,
        Err(_) => {
            latin1 = line
                .iter()
                .map(|&byte| char::from(byte))
                .collect::<String>();
            &latin1
        }
    };
    if let Some(rest) = text.strip_prefix("SIP/")
        && let Some((version, rest)) = rest.split_once(' ')
        && version
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.')
    {
        return status_line(version, rest);
    }
    request_line(text)
}

/// RFC 3261 §7.2: `SIP/2.0 SP Status-Code SP Reason-Phrase`.
fn status_line(version: &str, rest: &str) -> Result<Start, ParseFault> {
    if version != "2.0" {
        return Err(ParseFault::VersionNotSupported);
    }
    // Some peers leave the space before an empty reason phrase out.
    let (code, reason) = rest.split_once(' ').unwrap_or((rest, ""));
    let code = if code.len() == 3 {
        scan::number(code).ok()
    } else {
        None
    };
    let status = code.and_then(|code| Status::new(u16::try_from(code).ok()?));
    Ok(Start::Response {
        status: status.ok_or(ParseFault::BadStatus)?,
        reason: reason[..reason.floor_char_boundary(limits::REASON_BYTES_MAX)].into(),
    })
}

/// RFC 3261 §7.1: `Method SP Request-URI SP SIP-Version`, no other white space.
fn request_line(text: &str) -> Result<Start, ParseFault> {
    let (method, rest) = text.split_once(' ').ok_or(ParseFault::BadStartLine)?;
    if !scan::is_token(method) {
        return Err(ParseFault::BadStartLine);
    }
    let (uri, version) = rest.split_once(' ').ok_or(ParseFault::BadStartLine)?;
    let is_version = |text: &str| {
        text.get(..4)
            .is_some_and(|sip| sip.eq_ignore_ascii_case("SIP/"))
    };
    if !is_version(version) || version.contains([' ', '\t']) {
        let ends_right = version.rsplit([' ', '\t']).any(is_version);
        return Err(if ends_right {
            ParseFault::BadRequestLine
        } else {
            ParseFault::BadStartLine
        });
    }
    if !version[4..].eq("2.0") {
        return Err(ParseFault::VersionNotSupported);
    }
    if uri.len() > limits::URI_BYTES_MAX {
        return Err(ParseFault::UriTooLong);
    }
    let uri = uri.parse().map_err(|_| ParseFault::BadRequestUri)?;
    Ok(Start::Request {
        method: Method::from(method),
        uri,
    })
}

/// Everything between start line and body.
pub(super) struct Head {
    pub(super) headers: Headers,
    pub(super) fault: Option<(ParseFault, usize)>,
    /// Header lines seen, the start line included.
    lines: usize,
    /// Bytes after the empty line.
    pub(super) rest: usize,
}

pub(super) fn head(mut rest: &[u8]) -> Head {
    let headers = Headers::with_capacity(24, rest.len().min(2_048));
    let mut head = Head {
        headers,
        fault: None,
        lines: 1,
        rest: 0,
    };
    loop {
        if rest.is_empty() {
            head.fail(ParseFault::Unfinished);
            return head;
        }
        let (line, folded, next) = split_header(rest);
        head.lines += 1;
        if line.is_empty() {
            head.rest = next.len();
            return head;
        }
        let whole = &rest[..rest.len() - next.len()];
        if let Err(fault) = head.push(line, folded, whole) {
            head.fail(fault);
        }
        if head.headers.len() > limits::HEADERS_MAX {
            head.fail(ParseFault::TooManyHeaders);
            return head;
        }
        head.lines += folded;
        rest = next;
    }
}

impl Head {
    fn fail(&mut self, fault: ParseFault) {
        self.fault.get_or_insert((fault, self.lines));
    }

    fn push(&mut self, first: &[u8], folded: usize, whole: &[u8]) -> Result<(), ParseFault> {
        if whole.len() > limits::HEADER_BYTES_MAX {
            return Err(ParseFault::HeaderTooLong);
        }
        let colon = memchr(b':', first).ok_or(ParseFault::BadHeaderLine)?;
        // RFC 3261 §25.1: HCOLON = *( SP / HTAB ) ":" SWS; nothing else may hide before the colon.
        let blank = first[..colon]
            .iter()
            .rev()
            .take_while(|byte| matches!(byte, b' ' | b'\t'));
        let name = &first[..colon - blank.count()];
        if has_lone_cr(whole) {
            return Err(ParseFault::BadHeaderLine);
        }
        let name = std::str::from_utf8(name)
            .ok()
            .filter(|name| scan::is_token(name));
        let name = HeaderName::from(name.ok_or(ParseFault::BadHeaderLine)?);
        if folded == 0 {
            self.headers
                .push_wire(name, std::iter::once(&first[colon + 1..]));
        } else {
            self.headers
                .push_wire(name, whole[colon + 1..].split(|&byte| byte == b'\n'));
        }
        Ok(())
    }
}

/// A lone CR ends the line for some parsers and not for others: nobody may smuggle with it.
fn has_lone_cr(lines: &[u8]) -> bool {
    memchr_iter(b'\r', lines).any(|at| lines.get(at + 1) != Some(&b'\n'))
}

/// The first header line without its line end, the number of lines folded onto it, and what
/// follows them all.
fn split_header(bytes: &[u8]) -> (&[u8], usize, &[u8]) {
    let (line, mut rest) = split_line(bytes);
    let mut folded = 0;
    if !line.is_empty() {
        while matches!(rest.first(), Some(b' ' | b'\t')) {
            rest = split_line(rest).1;
            folded += 1;
        }
    }
    (line, folded, rest)
}

/// One line without its CRLF (or bare LF), and the rest.
fn split_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    match memchr(b'\n', bytes) {
        Some(at) => {
            let line = &bytes[..at];
            (line.strip_suffix(b"\r").unwrap_or(line), &bytes[at + 1..])
        }
        None => (bytes, &[]),
    }
}

/// RFC 3261 §20.14. Several equal values are one value; different ones are an attack.
fn content_length(headers: &Headers) -> Result<Option<usize>, ParseFault> {
    let mut length = None;
    for value in headers.get_all(&HeaderName::ContentLength) {
        let value = scan::number(value).map_err(|_| ParseFault::BadContentLength)?;
        if length.is_some_and(|length| length != value) {
            return Err(ParseFault::ConflictingContentLength);
        }
        length = Some(value);
    }
    Ok(length.map(|length| usize::try_from(length).unwrap_or(usize::MAX)))
}
