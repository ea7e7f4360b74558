//! Digits in INFO: what JsSIP, SIP.js and sipML5 send instead of RTP events.

/// The digit in a body of this type: `application/dtmf-relay` (`Signal=5`) or `application/dtmf`.
pub(crate) fn digit(content_type: &str, body: &[u8]) -> Option<char> {
    let body = std::str::from_utf8(body).ok()?;
    match content_type.to_ascii_lowercase().as_str() {
        "application/dtmf-relay" => body.lines().find_map(|line| {
            let (name, value) = line.split_once('=')?;
            name.trim()
                .eq_ignore_ascii_case("signal")
                .then(|| named(value.trim()))?
        }),
        "application/dtmf" => named(body.trim()),
        _ => None,
    }
}

/// A digit as itself or by its number in RFC 4733 (10 is `*`, 11 is `#`, 12 to 15 are A to D).
fn named(value: &str) -> Option<char> {
    if let Ok(number) = value.parse::<usize>()
        && value.len() == 2
    {
        return DIGITS.chars().nth(number);
    }
    let mut chars = value.chars();
    let digit = chars.next()?.to_ascii_uppercase();
    (chars.next().is_none() && DIGITS.contains(digit)).then_some(digit)
}

const DIGITS: &str = "0123456789*#ABCD";

#[cfg(test)]
mod tests {
    use super::digit;

    #[test]
    fn browsers_and_phones_spell_digits_differently() {
        let relay = "application/dtmf-relay";
        assert_eq!(digit(relay, b"Signal=5\r\nDuration=100"), Some('5'));
        assert_eq!(digit(relay, b"Signal= #\r\nDuration= 2000\r\n"), Some('#'));
        assert_eq!(digit(relay, b"Duration=1\nsignal=10"), Some('*'));
        assert_eq!(digit(relay, b"Signal=d"), Some('D'));
        assert_eq!(digit("Application/DTMF", b"7\r\n"), Some('7'));
        for wrong in [
            &b"Signal="[..],
            b"Signal=16",
            b"Signal=12345",
            b"\xff",
            b"",
            b"Signal=x",
        ] {
            assert_eq!(digit(relay, wrong), None, "{wrong:?}");
        }
        assert_eq!(digit("text/plain", b"5"), None);
    }
}
