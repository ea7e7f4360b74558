//! The time of day, for what depends on it.

use dialplan::Moment;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The time now in a zone; that of the machine if none is named.
///
/// # Errors
///
/// In words, when nobody knows the zone.
pub fn time_of_day(zone: Option<&str>) -> Result<Moment, String> {
    let zone = match zone {
        None => TimeZone::system(),
        Some(name) => {
            TimeZone::get(name).map_err(|_| format!("no time zone is called '{name}'"))?
        }
    };
    let now = Timestamp::now().to_zoned_datetime(zone);
    let part = |number: i8| u8::try_from(number).unwrap_or_default();
    Ok(Moment {
        minute: u16::from(part(now.hour())) * 60 + u16::from(part(now.minute())),
        weekday: part(now.weekday().to_sunday_zero_offset()),
        day: part(now.day()),
        month: part(now.month()),
    })
}
