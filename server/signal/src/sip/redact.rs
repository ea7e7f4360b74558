//! Takes secrets out of a message before anybody prints it.

/// The message as text: credentials dotted out, control characters made visible.
pub(crate) fn message(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut out = String::with_capacity(text.len() + 16);
    let mut secret = false;
    // As the parser does: empty lines before the first are passed over, a bare LF ends a line.
    let mut lines = text.trim_start_matches(['\r', '\n']).lines();
    for line in lines.by_ref().take_while(|line| !line.is_empty()) {
        // A line that starts with white space continues the one before (RFC 3261 §7.3.1).
        let continues = line.starts_with([' ', '\t']);
        if continues && secret {
            out.push_str(" \u{2022}\u{2022}\u{2022}\u{2022}\n");
            continue;
        }
        let name = line.split(':').next().unwrap_or_default().trim();
        secret = !continues
            && SECRET_HEADERS
                .iter()
                .any(|header| header.eq_ignore_ascii_case(name));
        if secret {
            visible(name, &mut out);
            out.push_str(": \u{2022}\u{2022}\u{2022}\u{2022}");
        } else {
            visible(&without_ha1(line), &mut out);
        }
        out.push('\n');
    }
    out.push('\n');
    for line in lines {
        visible(line, &mut out);
        out.push('\n');
    }
    out
}

/// sipML5 puts `;ha1=HASH` into its Contact when its `rtcweb-breaker` is on: the hash is the
/// password for this realm.
pub(crate) fn without_ha1(line: &str) -> String {
    const KEY: &[u8] = b"ha1=";
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest
        .as_bytes()
        .windows(KEY.len())
        .position(|w| w.eq_ignore_ascii_case(KEY))
    {
        let (before, after) = rest.split_at(at + KEY.len());
        out.push_str(before);
        out.push_str("\u{2022}\u{2022}\u{2022}\u{2022}");
        rest = after.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '"');
    }
    out.push_str(rest);
    out
}

/// Escape sequences of a terminal stay text.
fn visible(text: &str, out: &mut String) {
    for c in text.chars() {
        if c.is_control() && c != '\t' {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
}

const SECRET_HEADERS: [&str; 2] = ["Authorization", "Proxy-Authorization"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_never_reach_the_trace() {
        let text = message(
            b"INVITE sip:246@a SIP/2.0\r\nauthorization : Digest username=\"alice\",\r\n response=\"0123abcd\"\r\n\
              Proxy-Authorization: Digest response=\"4567\"\r\n\
              m: <sip:alice@df7jal23ls0d.invalid;rtcweb-breaker=yes;HA1=89abcdef;transport=ws>;x=1\r\n\
              To: <sip:246@a>\r\n\r\nv=0\r\n",
        );
        for secret in ["0123abcd", "4567", "89abcdef"] {
            assert!(!text.contains(secret), "{text}");
        }
        for kept in [
            "INVITE sip:246@a SIP/2.0\n",
            ";transport=ws>;x=1\n",
            "To: <sip:246@a>\n",
            "\nv=0\n",
        ] {
            assert!(text.contains(kept), "{kept} in {text}");
        }
    }

    #[test]
    fn credentials_are_found_however_lines_end() {
        let text = message(
            b"\r\n\r\nREGISTER sip:a SIP/2.0\nAuthorization: Digest\n response=\"0123abcd\"\nTo: <sip:b>\n\nbody\n",
        );
        assert!(!text.contains("0123abcd"), "{text}");
        assert!(text.contains("To: <sip:b>\n\nbody\n"), "{text}");
    }

    #[test]
    fn escape_sequences_are_printed_as_text() {
        let text = message(b"SIP/2.0 200 OK\r\nSubject: \x1b[2J\x07\r\n\r\n\x1b]0;x\x07");
        assert!(!text.contains(['\x1b', '\x07']), "{text:?}");
    }
}
