//! `cdr.conf`: which calls are recorded, and when the records are written.

use crate::option::{Object, Parse, Row, inert, row};

/// `[general]` of `cdr.conf`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cdr {
    /// Whether calls are recorded at all.
    pub enable: bool,
    /// Whether a channel is recorded unless the dial plan says otherwise.
    pub channel_default_enabled: bool,
    /// Whether calls that nobody answered and that involved one party only are recorded.
    pub unanswered: bool,
    /// Whether calls that ended in congestion have the disposition `CONGESTION` instead of `FAILED`.
    pub congestion: bool,
    /// Whether the record ends before the `h` extension runs.
    pub end_before_h_exten: bool,
    /// Whether `billsec` is rounded to the nearest second instead of down.
    pub initiated_seconds: bool,
    /// Whether a caller who gave up is recorded as `CANCEL` instead of `NO ANSWER`.
    pub cancel_disposition: bool,
    /// Whether held and parked parties make no records of their own.
    pub ignore_state_changes: bool,
    /// Whether each party that was tried makes no record of its own.
    pub ignore_dial_changes: bool,
    /// Whether every state of a record is logged.
    pub debug: bool,
    /// Whether records are written in batches.
    pub batch: bool,
    /// Records of a batch.
    pub batch_size: u32,
    /// Seconds after which an incomplete batch is written.
    pub batch_time_s: u32,
    /// Whether one thread writes all batches.
    pub batch_scheduler_only: bool,
    /// Whether a shutdown waits for the batch.
    pub batch_safe_shutdown: bool,
}

impl Default for Cdr {
    fn default() -> Self {
        Self {
            enable: true,
            channel_default_enabled: true,
            unanswered: false,
            congestion: false,
            end_before_h_exten: true,
            initiated_seconds: false,
            cancel_disposition: false,
            ignore_state_changes: false,
            ignore_dial_changes: false,
            debug: false,
            batch: false,
            batch_size: 100,
            batch_time_s: 300,
            batch_scheduler_only: false,
            batch_safe_shutdown: true,
        }
    }
}

impl Object for Cdr {
    const KIND: &'static str = "cdr.conf";
    const OPTIONS: &'static [Row<Self>] = OPTIONS;

    fn named(_: &str) -> Self {
        Self::default()
    }
}

/// The same promise is kept by other means.
const JOURNAL: &str =
    "every record is in a journal on disk before its batch, and survives a stop there";

const OPTIONS: &[Row<Cdr>] = &[
    row(
        "batch",
        "no",
        Parse::YesNo(|c| &mut c.batch),
        "Writes records to the database in batches; until then they are in the journal.",
    ),
    row(
        "canceldispositionenabled",
        "no",
        Parse::YesNo(|c| &mut c.cancel_disposition),
        "Records a caller who gave up as CANCEL instead of NO ANSWER.",
    ),
    row(
        "channeldefaultenabled",
        "yes",
        Parse::YesNo(|c| &mut c.channel_default_enabled),
        "Records every channel unless the dial plan says otherwise.",
    ),
    row(
        "congestion",
        "no",
        Parse::YesNo(|c| &mut c.congestion),
        "Records congestion as CONGESTION instead of FAILED.",
    ),
    inert(
        "debug",
        "no",
        Parse::YesNo(|c| &mut c.debug),
        "Logs every state of a record.",
        "the log shows call records at level `debug` already",
    ),
    row(
        "enable",
        "yes",
        Parse::YesNo(|c| &mut c.enable),
        "Records calls.",
    ),
    row(
        "endbeforehexten",
        "yes",
        Parse::YesNo(|c| &mut c.end_before_h_exten),
        "Ends the record before the h extension runs.",
    ),
    inert(
        "ignoredialchanges",
        "no",
        Parse::YesNo(|c| &mut c.ignore_dial_changes),
        "Makes no record for each party that was tried.",
        "a call makes one record whoever it tried",
    ),
    inert(
        "ignorestatechanges",
        "no",
        Parse::YesNo(|c| &mut c.ignore_state_changes),
        "Makes no record for holds and parking.",
        "holds and parking make no records of their own",
    ),
    row(
        "initiatedseconds",
        "no",
        Parse::YesNo(|c| &mut c.initiated_seconds),
        "Rounds billsec to the nearest second instead of down.",
    ),
    inert(
        "safeshutdown",
        "yes",
        Parse::YesNo(|c| &mut c.batch_safe_shutdown),
        "A shutdown waits for the batch.",
        JOURNAL,
    ),
    inert(
        "scheduleronly",
        "no",
        Parse::YesNo(|c| &mut c.batch_scheduler_only),
        "One thread writes all batches.",
        JOURNAL,
    ),
    row(
        "size",
        "100",
        Parse::Number(|c| &mut c.batch_size, 1, 1000),
        "Records of a batch.",
    ),
    row(
        "time",
        "300",
        Parse::Number(|c| &mut c.batch_time_s, 1, 86_400),
        "Seconds after which an incomplete batch is written.",
    ),
    row(
        "unanswered",
        "no",
        Parse::YesNo(|c| &mut c.unanswered),
        "Records calls nobody answered that involved one party only.",
    ),
];
