//! What bytes on a connection are, by their first line.

/// One WebSocket message, or the beginning of what a stream holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It begins like a SIP message.
    Message,
    /// RFC 5626 §4.4.1: "the client … sends a double-CRLF (the 'ping') then waits to receive a
    /// single CRLF (the 'pong')".
    Ping,
    /// A single CRLF.
    Pong,
    /// Anything else.
    Garbage,
}

/// The kind of a whole message.
pub(crate) fn kind_of(bytes: &[u8]) -> Kind {
    let start = bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n'));
    let Some(start) = start else {
        return if bytes.len() >= 4 {
            Kind::Ping
        } else {
            Kind::Pong
        };
    };
    let line = &bytes[start..];
    let end = line
        .iter()
        .position(|&byte| byte == b'\n')
        .unwrap_or(line.len());
    if is_start_line(&line[..end]) {
        Kind::Message
    } else {
        Kind::Garbage
    }
}

/// Whether what a stream holds may still become a message: a browser that takes the port for a web
/// server, or a TLS handshake on a plain port, is not waited for.
pub(crate) fn may_become_message(bytes: &[u8]) -> bool {
    let start = bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n'));
    let line = &bytes[start.unwrap_or(bytes.len())..];
    match line.iter().position(|&byte| byte == b'\n') {
        Some(end) => is_start_line(&line[..end]),
        None => line.first().is_none_or(u8::is_ascii_alphanumeric) && line.len() < LINE_BYTES_MAX,
    }
}

/// A start line without an end is waited for so long.
const LINE_BYTES_MAX: usize = 8 * 1024;

fn is_start_line(line: &[u8]) -> bool {
    let is_sip = |word: Option<&[u8]>| word.is_some_and(|word| word.eq_ignore_ascii_case(b"SIP/"));
    let line = line.trim_ascii_end();
    let last_word = line.rsplit(|&byte| byte == b' ').next().unwrap_or_default();
    is_sip(line.get(..4)) || is_sip(last_word.get(..4))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_line_tells_messages_from_garbage() {
        assert_eq!(kind_of(b"REGISTER sip:a SIP/2.0\r\n\r\n"), Kind::Message);
        assert_eq!(kind_of(b"\r\nSIP/2.0 200 OK\r\n\r\n"), Kind::Message);
        assert_eq!(kind_of(b"OPTIONS sip:a SIP/3.0\r\n\r\n"), Kind::Message);
        assert_eq!(kind_of(b"\r\n\r\n"), Kind::Ping);
        assert_eq!(kind_of(b"\r\n"), Kind::Pong);
        assert_eq!(kind_of(b""), Kind::Pong);
        for garbage in [
            &b"hello"[..],
            b"{\"jsonrpc\":\"2.0\"}",
            b"\0\xff\xfe",
            b"GET / HTTP/1.1\r\n",
            b" ",
        ] {
            assert_eq!(kind_of(garbage), Kind::Garbage, "{garbage:?}");
        }
    }

    #[test]
    fn half_a_message_is_waited_for_and_half_of_something_else_is_not() {
        for half in [
            &b""[..],
            b"\r",
            b"\r\n",
            b"R",
            b"REGISTER sip:a SIP",
            b"\r\nREGISTER sip:a SIP/2.0\r\nVia",
        ] {
            assert!(may_become_message(half), "{half:?}");
        }
        for garbage in [
            &b"GET / HTTP/1.1\r\n"[..],
            b"\x16\x03\x01\x02\x00",
            b" REGISTER",
            b"hello\n",
            &[b'a'; LINE_BYTES_MAX],
        ] {
            assert!(!may_become_message(garbage), "{garbage:?}");
        }
    }
}
