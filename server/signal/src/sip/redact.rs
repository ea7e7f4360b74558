//! Takes secrets out of a message before anybody prints it.

/// The message as text: secrets dotted out, control characters made visible.
pub(crate) fn message(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut out = String::with_capacity(text.len() + 16);
    // As the parser does: empty lines before the first are passed over, a bare LF ends a line.
    let mut lines = text.trim_start_matches(['\r', '\n']).lines().peekable();
    while let Some(line) = lines.next_if(|line| !line.is_empty()) {
        // A line that starts with white space continues the one before (RFC 3261 §7.3.1).
        let is_more = |line: &&str| line.starts_with([' ', '\t']);
        match line.split_once(':').filter(|(name, _)| is_secret(name)) {
            Some((name, value)) if !is_more(&line) => {
                let mut value = value.trim().to_owned();
                while let Some(more) = lines.next_if(is_more) {
                    value.push(' ');
                    value.push_str(more.trim());
                }
                visible(&format!("{name}: {}", without_response(&value)), &mut out);
            }
            _ => visible(&without_ha1(line), &mut out),
        }
        out.push('\n');
    }
    for line in lines {
        visible(line, &mut out);
        out.push('\n');
    }
    out
}

fn is_secret(name: &str) -> bool {
    let mut secret = SECRET_HEADERS.iter();
    secret.any(|header| header.eq_ignore_ascii_case(name.trim()))
}

/// Credentials without what a password could be guessed from. Who looks for a wrong user, realm or URI needs the rest
/// of a digest; of every other scheme, and of what is no list of parameters, nothing is shown.
fn without_response(value: &str) -> String {
    let Some((scheme, mut rest)) = value.split_once([' ', '\t']) else {
        return DOTS.to_owned();
    };
    if !scheme.eq_ignore_ascii_case("Digest") {
        let is_known = OTHER_SCHEMES
            .iter()
            .any(|it| it.eq_ignore_ascii_case(scheme));
        return match is_known {
            true => format!("{scheme} {DOTS}"),
            false => DOTS.to_owned(),
        };
    }
    let mut shown = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return format!("{scheme} {}", shown.join(", "));
        }
        let Some((name, after)) = rest.split_once('=') else {
            shown.push(DOTS.to_owned());
            rest = "";
            continue;
        };
        let (name, after) = (name.trim(), after.trim_start());
        let length = value_length(after);
        let is_shown = SHOWN.iter().any(|known| known.eq_ignore_ascii_case(name));
        shown.push(match length {
            Some(length) if is_shown && is_value(&after[..length]) => {
                format!("{name}={}", &after[..length])
            }
            Some(_) | None if is_shown || is_token(name) => format!("{name}={DOTS}"),
            Some(_) | None => DOTS.to_owned(),
        });
        rest = length.map_or("", |length| &after[length..]);
    }
}

/// The length of a token or a quoted string; `None`: its end is missing.
fn value_length(text: &str) -> Option<usize> {
    let Some(quoted) = text.strip_prefix('"') else {
        return Some(text.find([',', ' ', '\t']).unwrap_or(text.len()));
    };
    let mut escaped = false;
    let end = quoted.find(|c| match (escaped, c) {
        (false, '"') => true,
        (before, _) => {
            escaped = !before && c == '\\';
            false
        }
    });
    end.map(|end| end + 2)
}

/// Quoted, or a token: one that goes on behind another separator may have a response in it.
fn is_value(text: &str) -> bool {
    text.starts_with('"') || !text.contains('=')
}

fn is_token(name: &str) -> bool {
    let is_mark = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '*');
    !name.is_empty() && name.chars().all(is_mark)
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
        out.push_str(DOTS);
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

/// Schemes whose name is shown; of others the first word may be the secret.
const OTHER_SCHEMES: [&str; 4] = ["Basic", "Bearer", "Negotiate", "NTLM"];

/// Parameters of a digest that tell nothing of the password (RFC 7616 §3.4).
const SHOWN: [&str; 11] = [
    "username",
    "username*",
    "userhash",
    "realm",
    "nonce",
    "uri",
    "algorithm",
    "cnonce",
    "opaque",
    "qop",
    "nc",
];

/// What stands for a secret.
const DOTS: &str = "\u{2022}\u{2022}\u{2022}\u{2022}";

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
    fn all_of_a_digest_is_shown_but_its_response() {
        let shown = |line: &str| {
            let text = message(format!("REGISTER sip:a SIP/2.0\r\n{line}\r\n\r\n").as_bytes());
            text.lines().nth(1).unwrap().to_owned()
        };
        assert_eq!(
            shown(
                "Authorization: Digest username=\"1\\\"0,1\", realm=\"pbx\",nonce=\"n,1\" , uri=\"sip:a\",\r\n\
                 \tresponse = \"0123abcd\", algorithm=MD5, qop=auth,nc=00000001"
            ),
            format!(
                "Authorization: Digest username=\"1\\\"0,1\", realm=\"pbx\", nonce=\"n,1\", uri=\"sip:a\", \
                 response={DOTS}, algorithm=MD5, qop=auth, nc=00000001"
            )
        );
        // What is no digest, or none that can be read, is not shown.
        for (line, expected) in [
            ("Authorization: Basic c2VjcmV0", "Authorization: Basic ••••"),
            ("authorization:secret", "authorization: ••••"),
            ("Authorization: secret x", "Authorization: ••••"),
            (
                "Authorization: Digest username=a;response=0123abcd, nc=1",
                "Authorization: Digest username=••••, nc=1",
            ),
            ("Authorization: Digest secret", "Authorization: Digest ••••"),
            (
                "Authorization: Digest realm=\"a, response=\"0123abcd\"",
                "Authorization: Digest realm=\"a, response=\", ••••",
            ),
            (
                "Authorization: Digest uri=\"sip:a, response=0123abcd",
                "Authorization: Digest uri=••••",
            ),
            (
                "Proxy-Authorization: digest RESPONSE=0123abcd,passwd=x",
                "Proxy-Authorization: digest RESPONSE=••••, passwd=••••",
            ),
        ] {
            assert_eq!(shown(line), expected);
        }
    }

    /// Each line that continues a header is copied once: this one would otherwise be copied for minutes.
    #[test]
    fn many_lines_of_one_header_are_read_in_one_go() {
        let folds = "\n a".repeat(2_000_000);
        let text =
            message(format!("REGISTER sip:a SIP/2.0\nAuthorization: Digest{folds}\n\n").as_bytes());
        assert_eq!(text.lines().nth(1), Some("Authorization: Digest ••••"));
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
