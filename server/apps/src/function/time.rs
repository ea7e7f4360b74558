//! `STRFTIME` and `STRPTIME`.

use jiff::civil::DateTime;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use switch::{Channel, Function};

use super::arguments::parts;

/// A moment in words.
pub(crate) static STRFTIME: Function = Function {
    name: "STRFTIME",
    synopsis: "A moment in words, now if none is given: STRFTIME([seconds since 1970][,time zone[,%Y-%m-%d %H:%M:%S]])",
    read: |call, text| {
        let [seconds, zone, format] = parts(text);
        told(call, "STRFTIME", text, written(&seconds, &zone, &format))
    },
    write: None,
};

/// A moment from words.
pub(crate) static STRPTIME: Function = Function {
    name: "STRPTIME",
    synopsis: "The seconds since 1970 of a moment in words: STRPTIME(words,time zone,%Y-%m-%d %H:%M:%S)",
    read: |call, text| {
        let [words, zone, format] = parts(text);
        told(call, "STRPTIME", text, read(&words, &zone, &format))
    },
    write: None,
};

fn told(
    call: &Channel,
    function: &str,
    text: &str,
    made: Result<String, String>,
) -> Option<String> {
    if let Err(why) = &made {
        call.warn(format_args!("{function}({text}): {why}"));
    }
    made.ok()
}

fn zone_of(name: &str) -> Result<TimeZone, String> {
    match name.trim() {
        "" => Ok(TimeZone::system()),
        name => TimeZone::get(name).map_err(|_| format!("no time zone is called '{name}'")),
    }
}

fn written(seconds: &str, zone: &str, format: &str) -> Result<String, String> {
    let moment = match seconds.trim() {
        "" => Timestamp::now(),
        text => {
            let not = || format!("'{text}' is no number of seconds");
            let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
            let whole: i64 = whole.parse().map_err(|_| not())?;
            let digits = format!("{fraction:0<9}");
            let nanoseconds = digits.get(..9).and_then(|it| it.parse().ok());
            let passed = SignedDuration::new(whole, nanoseconds.ok_or_else(not)?);
            Timestamp::from_duration(passed).map_err(|_| not())?
        }
    };
    let moment = moment.to_zoned_datetime(zone_of(zone)?);
    let format = match format {
        "" => "%c",
        format => format,
    };
    let format = with_fractions(format, moment.subsec_nanosecond());
    strtime::format(format, &moment).map_err(|why| why.to_string())
}

/// Asterisk's own: `%q` is the milliseconds, `%6q` so many digits of the fraction.
fn with_fractions(format: &str, nanoseconds: i32) -> String {
    let mut text = String::new();
    let mut rest = format;
    while let Some((before, after)) = rest.split_once('%') {
        text.push_str(before);
        let digits = after
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(after.len());
        let count = match &after[..digits] {
            "" => 3,
            digits => digits.parse().unwrap_or(9),
        };
        if let Some(after) = after[digits..].strip_prefix('q') {
            let fraction = format!("{nanoseconds:09}");
            text.push_str(&fraction[..count.clamp(1, 9)]);
            rest = after;
            continue;
        }
        // Two signs are one, not the beginning of another.
        let end = after.chars().next().map_or(0, char::len_utf8);
        text.push('%');
        text.push_str(&after[..end]);
        rest = &after[end..];
    }
    text + rest
}

fn read(words: &str, zone: &str, format: &str) -> Result<String, String> {
    let format = match format {
        "" => "%c",
        format => format,
    };
    let parsed = strtime::parse(format, words).map_err(|why| why.to_string())?;
    if let Some(moment) = parsed.offset().and_then(|_| parsed.to_timestamp().ok()) {
        return Ok(moment.as_second().to_string());
    }
    let moment: DateTime = match parsed.to_datetime() {
        Ok(moment) => moment,
        // A date alone is its midnight.
        Err(_) => {
            let date = parsed.to_date().map_err(|why| why.to_string())?;
            date.at(0, 0, 0, 0)
        }
    };
    let moment = moment
        .to_zoned_datetime(zone_of(zone)?)
        .map_err(|why| why.to_string())?;
    Ok(moment.timestamp().as_second().to_string())
}

#[cfg(test)]
mod tests {
    use super::{read, written};

    #[test]
    fn a_moment_is_written_in_its_zone() {
        let write = |format: &str| written("1700000000.123456", "Europe/Berlin", format);
        let is = |text: &str| Ok(text.to_owned());
        assert_eq!(write("%Y%m%d-%H%M%S"), is("20231114-231320"));
        assert_eq!(
            write("%A %d. %B %j %p %q %6q %%q"),
            is("Tuesday 14. November 318 PM 123 123456 %q")
        );
        assert!(write("").is_ok());
        assert!(written("x", "", "").is_err() && written("1", "Mars/North", "").is_err());
        assert!(written("99999999999999999", "", "").is_err());
        assert!(written("1", "", "%").is_err());
    }

    #[test]
    fn and_is_read_from_words() {
        let format = "%Y-%m-%d %H:%M:%S";
        let seconds = read("2023-11-14 23:13:20", "Europe/Berlin", format);
        assert_eq!(seconds, Ok("1700000000".to_owned()));
        assert_eq!(
            read("2023-11-14", "UTC", "%Y-%m-%d"),
            Ok("1699920000".to_owned())
        );
        assert!(read("yesterday", "UTC", format).is_err());
    }
}
