//! Date (RFC 3261 §20.17): `Sat, 13 Nov 2010 23:29:00 GMT` and no other form.

use crate::Fault;

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Checks the form. "Unlike HTTP/1.1, SIP only supports the most recent RFC 1123 format for dates
/// … [and] restricts the time zone in SIP-date to "GMT"".
pub(crate) fn check(text: &str) -> Result<(), Fault> {
    well_formed(text).then_some(()).ok_or(Fault::BadDate)
}

fn well_formed(text: &str) -> bool {
    let mut words = text.split_ascii_whitespace();
    let mut word = || words.next().unwrap_or("");
    let is = |known: &[&str], text: &str| known.iter().any(|name| name.eq_ignore_ascii_case(text));
    word().strip_suffix(',').is_some_and(|day| is(&DAYS, day))
        && day(word())
        && is(&MONTHS, word())
        && in_range(word(), 4, 0, 9_999)
        && time(word())
        && word().eq_ignore_ascii_case("GMT")
        && word().is_empty()
}

/// The grammar has two digits; RFC 7355 itself prints one.
fn day(text: &str) -> bool {
    text.len() <= 2 && in_range(text, text.len(), 1, 31)
}

fn time(text: &str) -> bool {
    let parts: Vec<_> = text.splitn(4, ':').collect();
    // A leap second is written as 60.
    matches!(parts[..], [hour, minute, second]
        if in_range(hour, 2, 0, 23) && in_range(minute, 2, 0, 59) && in_range(second, 2, 0, 60))
}

fn in_range(text: &str, digits: usize, min: u32, max: u32) -> bool {
    text.len() == digits
        && super::scan::number(text).is_ok_and(|number| (min..=max).contains(&number))
}
