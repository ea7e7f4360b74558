//! The session description in the body of a message: the body itself, or a part of it (RFC 5621; RFC 2046 §5.1).
//!
//! Trunks send it beside ISUP (RFC 3204) or where the caller is (RFC 6442). Parts that are no description are passed
//! over, also those that are said to be required: their senders want the call above all, and other exchanges take it.

use bytes::Bytes;
use memchr::memchr;

use super::parse::head;
use crate::{HeaderName, Headers, MediaType};

/// Parts of one body that are looked at.
const PARTS_MAX: usize = 16;

/// Bodies of parts inside each other.
const DEPTH_MAX: usize = 3;

/// RFC 2046 §5.1.1: a boundary is "no longer than 70 characters".
const BOUNDARY_BYTES_MAX: usize = 70;

/// The session description of a message with these headers, if it has one.
pub fn description(headers: &Headers, body: &Bytes) -> Option<Bytes> {
    if body.is_empty() {
        return None;
    }
    match headers.content_type() {
        Ok(Some(media)) => within(&media, body, 0),
        // Who does not say what it is sends what everybody sends.
        Ok(None) | Err(_) => Some(body.clone()),
    }
}

fn within(media: &MediaType, body: &Bytes, depth: usize) -> Option<Bytes> {
    let in_part = |part: &Bytes| in_part(part, depth + 1);
    match media.essence() {
        "application/sdp" => Some(body.clone()).filter(|body| !body.is_empty()),
        _ if depth >= DEPTH_MAX => None,
        "multipart/mixed" | "multipart/related" => parts(media, body).iter().find_map(in_part),
        // RFC 2046 §5.1.4: "the LAST part of a type supported by the recipient".
        "multipart/alternative" => parts(media, body).iter().rev().find_map(in_part),
        _ => None,
    }
}

/// The description that a part is or holds.
fn in_part(part: &Bytes, depth: usize) -> Option<Bytes> {
    let head = head(part);
    if head.fault.is_some() {
        return None;
    }
    let headers = &head.headers;
    let is = |name: HeaderName, known: &[&str]| {
        let value = headers.get(&name).map(|value| value.split(';').next());
        let value = value.flatten().map(str::trim);
        value.is_none_or(|value| known.iter().any(|known| value.eq_ignore_ascii_case(known)))
    };
    // RFC 5621 §5.2: a description that is not for this session is none of its.
    let is_ours = is(HeaderName::ContentDisposition, &["session"]);
    let encoding = HeaderName::from("Content-Transfer-Encoding");
    let is_plain = is(encoding, &["binary", "8bit", "7bit"]);
    // RFC 2046 §5.1: a part that does not say what it is is text.
    let media = headers.content_type().ok().flatten()?;
    let body = part.slice(part.len() - head.rest..);
    (is_ours && is_plain).then(|| within(&media, &body, depth))?
}

/// What stands between the lines of the boundary.
fn parts(media: &MediaType, body: &Bytes) -> Vec<Bytes> {
    let mut parts = Vec::new();
    let boundary = media.params.unescaped("boundary").unwrap_or_default();
    if boundary.is_empty() || boundary.len() > BOUNDARY_BYTES_MAX {
        return parts;
    }
    let (mut begun, mut at) = (None, 0);
    while at < body.len() && parts.len() < PARTS_MAX {
        let end = memchr(b'\n', &body[at..]).map_or(body.len(), |length| at + length + 1);
        if let Some(is_last) = delimits(&body[at..end], boundary.as_bytes()) {
            if let Some(begun) = begun {
                parts.push(body.slice(begun..before_break(body, begun, at)));
            }
            if is_last {
                return parts;
            }
            begun = Some(end);
        }
        at = end;
    }
    // The closing line is missing: what came is whole all the same, for Content-Length says so.
    if let Some(begun) = begun
        && parts.len() < PARTS_MAX
    {
        parts.push(body.slice(begun..));
    }
    parts
}

/// Whether a line is one of the boundary; `true`: the closing one.
fn delimits(line: &[u8], boundary: &[u8]) -> Option<bool> {
    let rest = line.strip_prefix(b"--")?.strip_prefix(boundary)?;
    match rest.trim_ascii_end() {
        b"" => Some(false),
        b"--" => Some(true),
        _ => None,
    }
}

/// RFC 2046 §5.1.1: the line break before a boundary belongs to the boundary.
fn before_break(body: &[u8], begun: usize, end: usize) -> usize {
    let part = &body[begun..end];
    let part = part.strip_suffix(b"\n").unwrap_or(part);
    let part = part.strip_suffix(b"\r").unwrap_or(part);
    begun + part.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SDP: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\n";

    fn of(content_type: &str, body: &str) -> Option<String> {
        let mut headers = Headers::default();
        headers.push(HeaderName::ContentType, content_type);
        let found = description(&headers, &Bytes::copy_from_slice(body.as_bytes()));
        found.map(|found| String::from_utf8(found.to_vec()).unwrap())
    }

    fn part(head: &str, body: &str) -> String {
        format!("--b d\r\n{head}\r\n{body}\r\n")
    }

    #[test]
    fn a_description_is_found_beside_what_else_trunks_send() {
        let isup = part(
            "Content-Type: application/isup;version=itu-t92+\r\n\
             Content-Disposition: signal;handling=required\r\n",
            "\u{1}\0I\0--b d\n--b dx\r\n",
        );
        let own = part("Content-Type: application/sdp\r\n", SDP);
        let mixed = "multipart/mixed;boundary=\"b d\"";
        for body in [
            format!("{own}{isup}--b d--\r\n"),
            format!("a preamble\r\n{isup}{own}--b d--  \r\nan epilogue"),
            // With folded lines and the compact name, in another case.
            format!(
                "{isup}{}--b d--",
                part(
                    "C :\r\n Application/SDP\r\ncontent-disposition: SESSION\r\n",
                    SDP
                )
            ),
        ] {
            assert_eq!(of(mixed, &body).as_deref(), Some(SDP), "{body}");
        }
        // Line breaks of the boundary are no part of it, and the end may be missing.
        assert_eq!(of(mixed, &own), Some(format!("{SDP}\r\n")));
        assert_eq!(of("application/SDP", SDP).as_deref(), Some(SDP));
    }

    #[test]
    fn the_last_alternative_counts_and_parts_may_lie_in_parts() {
        let other = SDP.replace("o=- 1", "o=- 2");
        let sdp = "Content-Type: application/sdp\r\n";
        let body = format!("{}{}--b d--", part(sdp, SDP), part(sdp, &other));
        let alternative = "multipart/alternative;boundary=\"b d\"";
        assert_eq!(of(alternative, &body).as_deref(), Some(&*other));
        assert_eq!(
            of("multipart/mixed;boundary=\"b d\"", &body).as_deref(),
            Some(SDP)
        );
        let nested = |depth: usize| {
            let mut body = SDP.to_owned();
            let mut kind = "application/sdp".to_owned();
            for level in 0..depth {
                body = format!("--n{level}\r\nContent-Type: {kind}\r\n\r\n{body}\r\n--n{level}--");
                kind = format!("multipart/mixed;boundary=n{level}");
            }
            of(&kind, &body)
        };
        assert_eq!(nested(DEPTH_MAX).as_deref(), Some(SDP));
        assert_eq!(nested(DEPTH_MAX + 1), None);
    }

    #[test]
    fn what_is_no_description_of_the_session_is_none() {
        let mixed = "multipart/mixed;boundary=\"b d\"";
        for head in [
            "Content-Type: application/pidf+xml\r\n",
            "Content-Type: application/sdp\r\nContent-Disposition: early-session\r\n",
            "Content-Type: application/sdp\r\nContent-Transfer-Encoding: base64\r\n",
            "no header\r\n",
            "",
        ] {
            let body = format!("{}--b d--", part(head, SDP));
            assert_eq!(of(mixed, &body), None, "{head}");
        }
        let own = part("Content-Type: application/sdp\r\n", SDP);
        for kind in [
            "multipart/mixed",
            "multipart/mixed;boundary=\"\"",
            "multipart/mixed;boundary=other",
            "multipart/signed;boundary=\"b d\"",
            "text/plain",
        ] {
            assert_eq!(of(kind, &format!("{own}--b d--")), None, "{kind}");
        }
        let long = "x".repeat(BOUNDARY_BYTES_MAX + 1);
        let body = own.replace("b d", &long);
        assert_eq!(of(&format!("multipart/mixed;boundary={long}"), &body), None);
        let many = part("Content-Type: text/plain\r\n", "x").repeat(PARTS_MAX);
        assert_eq!(of(mixed, &format!("{many}{own}--b d--")), None);
        for text in ["", "--b d", "--b d\r\n", "--b d--", "\r\n--b d\r\n\r\n"] {
            assert_eq!(of(mixed, text), None, "{text}");
        }
    }
}
