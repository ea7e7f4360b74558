//! One call detail record, with the fields of Asterisk's `cdr` table.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is remembered of one call for the bill.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cdr {
    /// Unique among the records of one data folder, across restarts.
    pub sequence: u64,
    /// The account the call is billed to.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub accountcode: String,
    /// The caller's number.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub src: String,
    /// The extension that was dialled.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub dst: String,
    /// Its context.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub dcontext: String,
    /// `"Name" <number>` of the caller.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub clid: String,
    /// The caller's channel.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub channel: String,
    /// The channel it was connected to.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub dstchannel: String,
    /// The last application that ran.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub lastapp: String,
    /// Its arguments.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub lastdata: String,
    /// When the call came in, in microseconds since 1970.
    pub start_us: i64,
    /// When it was answered.
    pub answer_us: Option<i64>,
    /// When it ended; `None` while it lasts.
    pub end_us: Option<i64>,
    /// How it ended.
    pub disposition: Disposition,
    /// What the record is for.
    pub amaflags: AmaFlags,
    /// Whatever the dial plan puts there.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub userfield: String,
    /// The channel's unique id.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub uniqueid: String,
    /// The unique id of the first channel of this call.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub linkedid: String,
    /// The account of the other party.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub peeraccount: String,
    /// `initiatedseconds` of `cdr.conf`: seconds of the bill are rounded to the nearest, not down.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub rounded: bool,
    /// Variables of the record, which go to columns of the same name where the table has them.
    pub variables: BTreeMap<String, String>,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disposition {
    /// Nobody answered, or the caller gave up.
    #[default]
    NoAnswer,
    /// The caller gave up, where `canceldispositionenabled=yes`.
    Cancel,
    /// It could not be done.
    Failed,
    /// The destination was busy.
    Busy,
    /// It was answered.
    Answered,
    /// There was no way through, where `congestion=yes`.
    Congestion,
}

impl Disposition {
    /// As the table has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoAnswer => "NO ANSWER",
            Self::Cancel => "CANCEL",
            Self::Failed => "FAILED",
            Self::Busy => "BUSY",
            Self::Answered => "ANSWERED",
            Self::Congestion => "CONGESTION",
        }
    }

    /// Asterisk's number for it, which `CDR(disposition,u)` tells.
    pub fn number(self) -> u8 {
        match self {
            Self::NoAnswer => 0,
            Self::Failed => 2,
            Self::Busy => 4,
            Self::Answered => 8,
            Self::Congestion => 16,
            Self::Cancel => 32,
        }
    }
}

/// What a record is for (automatic message accounting).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AmaFlags {
    /// Nothing.
    Omit,
    /// The bill.
    Billing,
    /// The files.
    #[default]
    Documentation,
}

impl AmaFlags {
    /// As the table has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Omit => "OMIT",
            Self::Billing => "BILLING",
            Self::Documentation => "DOCUMENTATION",
        }
    }

    /// Asterisk's number for it.
    pub fn number(self) -> u8 {
        match self {
            Self::Omit => 1,
            Self::Billing => 2,
            Self::Documentation => 3,
        }
    }

    /// Reads a name or a number.
    pub fn parse(text: &str) -> Option<Self> {
        let all = [Self::Omit, Self::Billing, Self::Documentation];
        all.into_iter().find(|flags| {
            flags.name().eq_ignore_ascii_case(text) || flags.number().to_string() == text
        })
    }
}

/// Microseconds in a second.
const SECOND_US: i64 = 1_000_000;

impl Cdr {
    /// Seconds from the start to the end, or to `now_us` while the call lasts.
    pub fn duration_s(&self, now_us: i64) -> i64 {
        (self.end_us.unwrap_or(now_us) - self.start_us).max(0) / SECOND_US
    }

    /// Seconds from the answer to the end; 0 without an answer.
    pub fn billsec(&self, now_us: i64) -> i64 {
        let Some(answer_us) = self.answer_us else {
            return 0;
        };
        let lasted = (self.end_us.unwrap_or(now_us) - answer_us).max(0);
        // Asterisk with `initiatedseconds`: half a second and more counts as one.
        let more = if self.rounded { SECOND_US / 2 } else { 0 };
        (lasted + more) / SECOND_US
    }

    /// Microseconds of silence the record would have after its end; ends it at the latest then.
    pub(crate) fn end_at(&mut self, end_us: i64) {
        let begun = self.answer_us.unwrap_or(self.start_us);
        self.end_us.get_or_insert_with(|| end_us.max(begun));
    }
}

/// A time as Asterisk writes it: the machine's own, `2026-11-25 21:05:51`.
pub fn local_time(at_us: i64) -> String {
    formatted(at_us, jiff::tz::TimeZone::system(), "%Y-%m-%d %H:%M:%S")
}

/// The same with its distance from UTC.
pub(crate) fn offset_time(at_us: i64) -> String {
    formatted(at_us, jiff::tz::TimeZone::system(), "%Y-%m-%d %H:%M:%S%:z")
}

/// The same in UTC.
pub(crate) fn utc_time(at_us: i64) -> String {
    formatted(at_us, jiff::tz::TimeZone::UTC, "%Y-%m-%d %H:%M:%S")
}

fn formatted(at_us: i64, zone: jiff::tz::TimeZone, format: &str) -> String {
    let at = jiff::Timestamp::from_microsecond(at_us).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    at.to_zoned_datetime(zone).strftime(format).to_string()
}

/// The fields of the table by name: what goes into it.
pub(crate) enum Field<'a> {
    Text(&'a str),
    Number(i64),
    Time(Option<i64>),
    /// A word with Asterisk's number for it, for columns that hold numbers.
    Word(&'static str, u8),
}

impl Cdr {
    /// The field or variable a column of this name takes.
    pub(crate) fn field(&self, column: &str) -> Option<Field<'_>> {
        let end = self.end_us.unwrap_or(self.start_us);
        Some(match column.to_ascii_lowercase().as_str() {
            "accountcode" => Field::Text(&self.accountcode),
            "src" => Field::Text(&self.src),
            "dst" => Field::Text(&self.dst),
            "dcontext" => Field::Text(&self.dcontext),
            "clid" => Field::Text(&self.clid),
            "channel" => Field::Text(&self.channel),
            "dstchannel" => Field::Text(&self.dstchannel),
            "lastapp" => Field::Text(&self.lastapp),
            "lastdata" => Field::Text(&self.lastdata),
            // The column of older tables, which `alias start => calldate` names.
            "start" | "calldate" => Field::Time(Some(self.start_us)),
            "answer" => Field::Time(self.answer_us),
            "end" => Field::Time(self.end_us),
            "duration" => Field::Number(self.duration_s(end)),
            "billsec" => Field::Number(self.billsec(end)),
            "disposition" => Field::Word(self.disposition.name(), self.disposition.number()),
            "amaflags" => Field::Word(self.amaflags.name(), self.amaflags.number()),
            "userfield" => Field::Text(&self.userfield),
            "uniqueid" => Field::Text(&self.uniqueid),
            "linkedid" => Field::Text(&self.linkedid),
            "peeraccount" => Field::Text(&self.peeraccount),
            // The column is a signed number of 32 bits.
            "sequence" => Field::Number((self.sequence & 0x7fff_ffff).cast_signed()),
            name => Field::Text(self.variables.get(name)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{AmaFlags, Cdr};

    #[test]
    fn seconds_are_cut_or_rounded_and_never_negative() {
        let mut cdr = Cdr {
            start_us: 1_000_000,
            answer_us: Some(2_000_000),
            end_us: Some(4_600_000),
            ..Cdr::default()
        };
        assert_eq!((cdr.duration_s(0), cdr.billsec(0)), (3, 2));
        cdr.rounded = true;
        assert_eq!((cdr.duration_s(0), cdr.billsec(0)), (3, 3));
        cdr.end_us = Some(0);
        assert_eq!((cdr.duration_s(0), cdr.billsec(0)), (0, 0));
    }

    #[test]
    fn ama_flags_are_names_or_numbers() {
        assert_eq!(AmaFlags::parse("billing"), Some(AmaFlags::Billing));
        assert_eq!(AmaFlags::parse("1"), Some(AmaFlags::Omit));
        assert_eq!(AmaFlags::parse("0"), None);
    }
}
