//! Times as logs write them.

use std::time::SystemTime;

use jiff::{Timestamp, ZonedDateTime, fmt::strtime, tz::TimeZone};

/// Asterisk's own.
const USUAL: &str = "%b %e %T";

/// `2026-11-25T21:05:55.123456Z`.
pub(super) fn utc(at: SystemTime) -> String {
    Timestamp::try_from(at).map_or_else(|_| String::new(), |at| format!("{at:.6}"))
}

/// The time of the machine's zone in strftime's letters, and Asterisk's `%q`: thousandths, or as many
/// digits as `%1q` to `%6q` say.
pub(crate) fn local(at: SystemTime, format: Option<&str>) -> String {
    let Ok(stamp) = Timestamp::try_from(at) else {
        return String::new();
    };
    let zoned = ZonedDateTime::new(stamp, TimeZone::system());
    let format = format.unwrap_or(USUAL);
    let format = fractions(format, stamp.subsec_nanosecond().unsigned_abs() / 1_000);
    let written = strtime::format(&*format, &zoned);
    written.unwrap_or_else(|_| utc(at))
}

/// `%3q` replaced by three digits of the microseconds.
fn fractions(format: &str, microseconds: u32) -> String {
    let digits = format!("{microseconds:06}");
    let mut text = format.replace("%q", &digits[..3]);
    for count in 1..=6 {
        text = text.replace(&format!("%{count}q"), &digits[..count]);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::{fractions, local, utc};

    #[test]
    fn times_are_written_as_asked() {
        let at = UNIX_EPOCH + Duration::from_micros(1_795_640_755_012_345);
        assert_eq!(utc(at), "2026-11-25T21:05:55.012345Z");
        assert_eq!(fractions("%F %T.%3q", 12_345), "%F %T.012");
        assert_eq!(local(at, None).len(), "Nov 25 21:05:55".len());
        assert!(local(at, Some("%F %T.%q")).ends_with(":55.012"));
        assert!(
            !local(at, Some("%!")).is_empty(),
            "a wrong format is no panic"
        );
    }
}
