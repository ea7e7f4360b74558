//! Times of the day, days and months at which something holds: `9:00-17:00,mon-fri,*,*`.

use std::fmt;

/// When something holds: `times,weekdays,days,months[,zone]`, each `*` or ranges joined by `&`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timing {
    minutes: Ranges,
    weekdays: Ranges,
    days: Ranges,
    months: Ranges,
    zone: Option<String>,
}

/// A moment on the clock and the calendar of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Minutes since midnight.
    pub minute: u16,
    /// 0 is Sunday.
    pub weekday: u8,
    /// From 1.
    pub day: u8,
    /// From 1.
    pub month: u8,
}

/// What part of a timing cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadTiming {
    what: &'static str,
    text: String,
}

impl fmt::Display for BadTiming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, text } = self;
        write!(
            f,
            "'{text}' is no {what}; a timing is written like 9:00-17:00,mon-fri,1-31,jan-dec, with * for any"
        )
    }
}

impl std::error::Error for BadTiming {}

/// Ranges whose ends belong to them and which may lead over the end of the day, week, month or year; none is
/// always.
type Ranges = Vec<(u16, u16)>;

impl Timing {
    /// Reads a timing. What is left out is any.
    ///
    /// # Errors
    ///
    /// Which part cannot be read.
    pub fn parse(text: &str) -> Result<Self, BadTiming> {
        let mut parts = text.split(',').map(str::trim);
        let mut next = || parts.next().unwrap_or_default();
        let minutes = ranges(next(), "time of the day", minute)?;
        let weekdays = ranges(next(), "day of the week", |text| named(text, &WEEKDAYS))?;
        let days = ranges(next(), "day of the month", |text| {
            text.parse().ok().filter(|day| (1..=31).contains(day))
        })?;
        let months = ranges(next(), "month", |text| {
            named(text, &MONTHS).map(|index| index + 1)
        })?;
        let zone = Some(next()).filter(|zone| !zone.is_empty() && *zone != "*");
        Ok(Self {
            minutes,
            weekdays,
            days,
            months,
            zone: zone.map(str::to_owned),
        })
    }

    /// The time zone it is meant in; that of the machine if none is named.
    pub fn zone(&self) -> Option<&str> {
        self.zone.as_deref()
    }

    /// Whether it holds at a moment.
    pub fn holds(&self, moment: &Moment) -> bool {
        let Moment {
            minute,
            weekday,
            day,
            month,
        } = *moment;
        is_in(&self.minutes, minute)
            && is_in(&self.weekdays, weekday.into())
            && is_in(&self.days, day.into())
            && is_in(&self.months, month.into())
    }
}

const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];

fn ranges(
    text: &str,
    what: &'static str,
    read: impl Fn(&str) -> Option<u16>,
) -> Result<Ranges, BadTiming> {
    if matches!(text, "" | "*") {
        return Ok(Ranges::new());
    }
    let range = |text: &str| {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        Some((read(first.trim())?, read(last.trim())?))
    };
    let bad = || BadTiming {
        what,
        text: text.to_owned(),
    };
    text.split('&')
        .map(|one| range(one).ok_or_else(bad))
        .collect()
}

fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    (hour < 24 && minute < 60).then_some(hour * 60 + minute)
}

fn named(text: &str, names: &[&str]) -> Option<u16> {
    let text = text.to_ascii_lowercase();
    let index = names.iter().position(|name| *name == text).or_else(|| {
        // As in Asterisk, by their number as well: 1 is the first of the table.
        let number: usize = text.parse().ok()?;
        number.checked_sub(1).filter(|index| *index < names.len())
    })?;
    u16::try_from(index).ok()
}

fn is_in(ranges: &Ranges, value: u16) -> bool {
    ranges.is_empty()
        || ranges.iter().any(|(first, last)| match first <= last {
            true => (*first..=*last).contains(&value),
            false => value >= *first || value <= *last,
        })
}

#[cfg(test)]
mod tests {
    use super::{Moment, Timing};

    fn holds(text: &str, hour: u16, minute: u16, weekday: u8, day: u8, month: u8) -> bool {
        let moment = Moment {
            minute: hour * 60 + minute,
            weekday,
            day,
            month,
        };
        Timing::parse(text).unwrap().holds(&moment)
    }

    #[test]
    fn hours_of_business_with_their_ends() {
        let hours = "9:00-17:00,mon-fri,*,*";
        assert!(holds(hours, 9, 0, 1, 2, 3) && holds(hours, 17, 0, 5, 2, 3));
        assert!(!holds(hours, 8, 59, 1, 2, 3) && !holds(hours, 17, 1, 1, 2, 3));
        assert!(!holds(hours, 12, 0, 6, 2, 3) && !holds(hours, 12, 0, 0, 2, 3));
        // By number, Sunday is the first day.
        let numbers = "9:00-17:00,2-6,*,3";
        assert!(holds(numbers, 9, 0, 1, 2, 3) && !holds(numbers, 9, 0, 0, 2, 3));
        assert!(!holds(numbers, 9, 0, 1, 2, 4));
        assert!(Timing::parse("*,0,*,*").is_err() && Timing::parse("*,*,*,13").is_err());
    }

    #[test]
    fn ranges_lead_over_the_end_and_stand_in_lists() {
        assert!(holds("22:00-6:00", 23, 30, 1, 1, 1) && holds("22:00-6:00", 5, 0, 1, 1, 1));
        assert!(!holds("22:00-6:00", 12, 0, 1, 1, 1));
        assert!(holds("*,fri-mon", 12, 0, 0, 1, 1) && !holds("*,fri-mon", 12, 0, 3, 1, 1));
        assert!(holds("*,*,24&25-26,dec", 0, 0, 3, 26, 12));
        assert!(!holds("*,*,24&25-26,dec", 0, 0, 3, 26, 11));
        assert!(holds("8:00-9:00&13:00-14:00,*,*,*", 13, 5, 3, 26, 11));
    }

    #[test]
    fn a_zone_may_follow_and_what_cannot_be_read_is_named() {
        let timing = Timing::parse("*,*,*,*,Europe/Berlin").unwrap();
        assert_eq!(timing.zone(), Some("Europe/Berlin"));
        for (text, what) in [
            ("25:00", "time of the day"),
            ("*,funday", "day of the week"),
            ("*,*,32", "day of the month"),
            ("*,*,*,13", "month"),
        ] {
            let error = Timing::parse(text).unwrap_err().to_string();
            assert!(error.contains(what), "{error}");
        }
    }
}
