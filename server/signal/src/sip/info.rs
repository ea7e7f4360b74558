//! Digits in INFO: what JsSIP, SIP.js, sipML5 and many desk phones send instead of RTP events.

use std::time::Duration;

use ::sip::Body;
use media::Digit;

/// The digit in a body of this type: `application/dtmf-relay` (`Signal=5`, `Duration=160`) or
/// `application/dtmf`.
pub(crate) fn digit(content_type: &str, body: &[u8]) -> Option<Digit> {
    let body = std::str::from_utf8(body).ok()?;
    match content_type.to_ascii_lowercase().as_str() {
        "application/dtmf-relay" => {
            let value = |wanted: &str| {
                body.lines().find_map(|line| {
                    let (name, value) = line.split_once('=')?;
                    let is_it = name.trim().eq_ignore_ascii_case(wanted);
                    is_it.then(|| value.trim())
                })
            };
            let digit = Digit::brief(named(value("signal")?)?);
            let ms = value("duration").and_then(|value| value.parse().ok());
            let said = ms.filter(|ms| *ms > 0).map(Duration::from_millis);
            let duration = said.map_or(digit.duration, |said| said.min(DURATION_MAX));
            Some(Digit { duration, ..digit })
        }
        "application/dtmf" => named(body.trim()).map(Digit::brief),
        _ => None,
    }
}

/// A digit as `application/dtmf-relay`.
pub(crate) fn relay(digit: &Digit) -> Body {
    let ms = digit.duration.as_millis();
    let text = format!("Signal={}\r\nDuration={ms}\r\n", digit.digit);
    Body {
        content_type: "application/dtmf-relay".into(),
        bytes: text.into(),
    }
}

/// A digit as `application/dtmf`.
pub(crate) fn plain(digit: &Digit) -> Body {
    Body {
        content_type: "application/dtmf".into(),
        bytes: digit.digit.to_string().into(),
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
/// No key is pressed longer.
const DURATION_MAX: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use media::Digit;

    use super::{digit, plain, relay};

    fn told(content_type: &str, body: &[u8]) -> Option<(char, u128)> {
        let digit = digit(content_type, body)?;
        Some((digit.digit, digit.duration.as_millis()))
    }

    #[test]
    fn browsers_and_phones_spell_digits_differently() {
        let relay = "application/dtmf-relay";
        assert_eq!(told(relay, b"Signal=5\r\nDuration=160"), Some(('5', 160)));
        let spaced = b"Signal= #\r\nDuration= 2000\r\n";
        assert_eq!(told(relay, spaced), Some(('#', 2000)));
        assert_eq!(told(relay, b"Duration=70\nsignal=10"), Some(('*', 70)));
        assert_eq!(told(relay, b"Signal=d"), Some(('D', 100)));
        assert_eq!(told(relay, b"Signal=1\nDuration=0"), Some(('1', 100)));
        let long = b"Signal=1\nDuration=99999999";
        assert_eq!(told(relay, long), Some(('1', 60_000)));
        assert_eq!(told("Application/DTMF", b"7\r\n"), Some(('7', 100)));
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

    #[test]
    fn what_is_written_is_what_is_read() {
        for name in "0123456789*#ABCD".chars() {
            let duration = Duration::from_millis(240);
            let pressed = Digit {
                digit: name,
                duration,
            };
            let body = relay(&pressed);
            assert_eq!(digit(&body.content_type, &body.bytes), Some(pressed));
            let body = plain(&pressed);
            let read = digit(&body.content_type, &body.bytes);
            assert_eq!(read, Some(Digit::brief(name)));
        }
    }
}
