//! The call detail record of a channel, with the rules of Asterisk's `cdr.conf`.

use config::{CallerId, Config};
use store::{AmaFlags, Cdr, Disposition, Records};
use tokio::time::Instant;

use super::{Channel, State};
use crate::cause::Cause;
use crate::story::Side;
use crate::variables::{SetError, VALUE_BYTES_MAX, VARIABLES_MAX};

/// The record of a call, from its first to its last moment.
pub struct CallRecord {
    cdr: Cdr,
    records: Option<Records>,
    rules: Rules,
    /// `CDR_PROP(disable)` and `channeldefaultenabled`.
    enabled: bool,
    /// Whether the journal knows of it.
    opened: bool,
    /// Whether the call is over; `h` may still run.
    over: bool,
    since: Instant,
}

/// What `cdr.conf` said when the call came in.
#[derive(Clone, Copy, Debug)]
struct Rules {
    enable: bool,
    default_enabled: bool,
    unanswered: bool,
    congestion: bool,
    cancel: bool,
    end_before_h: bool,
    initiated_seconds: bool,
}

impl Rules {
    fn of(config: &Config) -> Self {
        let cdr = &config.cdr;
        Self {
            enable: cdr.enable,
            default_enabled: cdr.channel_default_enabled,
            unanswered: cdr.unanswered,
            congestion: cdr.congestion,
            cancel: cdr.cancel_disposition,
            end_before_h: cdr.end_before_h_exten,
            initiated_seconds: cdr.initiated_seconds,
        }
    }
}

/// Bytes of Asterisk's fields; longer values are cut as Asterisk cuts them.
const FIELD_BYTES_MAX: usize = 79;
/// The same for `userfield`.
const USERFIELD_BYTES_MAX: usize = 255;

/// What a new record says of its channel.
pub(super) struct Begun<'a> {
    pub(super) channel: &'a str,
    pub(super) unique_id: &'a str,
    pub(super) caller: &'a CallerId,
    pub(super) context: &'a str,
    pub(super) exten: &'a str,
    pub(super) account: Option<&'a str>,
}

impl CallRecord {
    pub(super) fn begin(config: &Config, records: Option<Records>, begun: &Begun<'_>) -> Self {
        let rules = Rules::of(config);
        let cdr = Cdr {
            sequence: records.as_ref().map_or(0, Records::next_sequence),
            accountcode: cut(begun.account.unwrap_or_default(), FIELD_BYTES_MAX),
            src: cut(&begun.caller.number, FIELD_BYTES_MAX),
            dst: cut(begun.exten, FIELD_BYTES_MAX),
            dcontext: cut(begun.context, FIELD_BYTES_MAX),
            clid: cut(&caller_text(begun.caller), FIELD_BYTES_MAX),
            channel: cut(begun.channel, FIELD_BYTES_MAX),
            uniqueid: begun.unique_id.to_owned(),
            linkedid: begun.unique_id.to_owned(),
            start_us: wall_us(),
            rounded: rules.initiated_seconds,
            ..Cdr::default()
        };
        Self {
            cdr,
            records,
            rules,
            enabled: rules.default_enabled,
            opened: false,
            over: false,
            since: Instant::now(),
        }
    }

    /// The fields as they are now.
    pub fn fields(&self) -> &Cdr {
        &self.cdr
    }

    /// The time now, on the clock of the record: it never runs backwards.
    pub fn now_us(&self) -> i64 {
        let lasted = i64::try_from(self.since.elapsed().as_micros()).unwrap_or(i64::MAX);
        self.cdr.start_us.saturating_add(lasted)
    }

    /// Whether it will be written.
    pub fn is_enabled(&self) -> bool {
        self.rules.enable && self.enabled
    }

    /// `CDR_PROP(disable)`.
    pub fn set_enabled(&mut self, enabled: bool) {
        self.enabled = enabled;
    }

    /// Makes it one of the calls that belong to another: its `linkedid` is theirs.
    pub(crate) fn link(&mut self, linkedid: &str) {
        linkedid.clone_into(&mut self.cdr.linkedid);
    }

    /// Begins anew, as if the call had come in now; whom it was connected to is forgotten.
    pub fn restart(&mut self) {
        if self.over {
            return;
        }
        let now_us = self.now_us();
        self.cdr.start_us = now_us;
        self.since = Instant::now();
        if self.cdr.answer_us.is_some() {
            self.cdr.answer_us = Some(now_us);
        }
        self.cdr.dstchannel.clear();
        self.cdr.peeraccount.clear();
    }

    /// Variables set by the dial plan are forgotten.
    pub fn forget_variables(&mut self) {
        self.cdr.variables.clear();
    }

    /// The party it was connected to. Called by whoever makes that channel.
    pub fn connect(&mut self, channel: &str, account: &str) {
        if !self.over {
            self.cdr.dstchannel = cut(channel, FIELD_BYTES_MAX);
            self.cdr.peeraccount = cut(account, FIELD_BYTES_MAX);
        }
    }

    /// Sets a field that may be set, or a variable of the record.
    ///
    /// # Errors
    ///
    /// When the field is read only, or there is too much.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), SetError> {
        const READ_ONLY: [&str; 17] = [
            "clid",
            "lastdata",
            "disposition",
            "src",
            "start",
            "dst",
            "answer",
            "dcontext",
            "end",
            "uniqueid",
            "linkedid",
            "dstchannel",
            "duration",
            "lastapp",
            "billsec",
            "channel",
            "sequence",
        ];
        if value.len() > VALUE_BYTES_MAX {
            return Err(SetError::TooLong);
        }
        match name.to_ascii_lowercase().as_str() {
            "accountcode" => self.cdr.accountcode = cut(value, FIELD_BYTES_MAX),
            "userfield" => self.cdr.userfield = cut(value, USERFIELD_BYTES_MAX),
            "amaflags" => {
                self.cdr.amaflags = AmaFlags::parse(value).ok_or(SetError::Function)?;
            }
            // Asterisk has it set on the other channel.
            "peeraccount" => return Err(SetError::Function),
            "" => return Err(SetError::Name),
            name if READ_ONLY.contains(&name) => return Err(SetError::Function),
            name => {
                let variables = &mut self.cdr.variables;
                if variables.len() >= RECORD_VARIABLES_MAX && !variables.contains_key(name) {
                    return Err(SetError::TooMany);
                }
                variables.insert(name.to_owned(), value.to_owned());
            }
        }
        if self.opened
            && let Some(records) = &self.records
        {
            records.change_call(&self.cdr);
        }
        Ok(())
    }

    fn runs(&mut self, context: &str, exten: &str, application: &str, arguments: &str) {
        if self.over {
            return;
        }
        self.cdr.dcontext = cut(context, FIELD_BYTES_MAX);
        self.cdr.dst = cut(exten, FIELD_BYTES_MAX);
        self.cdr.lastapp = cut(application, FIELD_BYTES_MAX);
        self.cdr.lastdata = cut(arguments, FIELD_BYTES_MAX);
    }

    fn called_by(&mut self, caller: &CallerId) {
        if !self.over {
            self.cdr.src = cut(&caller.number, FIELD_BYTES_MAX);
            self.cdr.clid = cut(&caller_text(caller), FIELD_BYTES_MAX);
        }
    }

    fn end(&mut self, cause: Cause, by: Side) {
        if self.over {
            return;
        }
        self.over = true;
        if self.rules.end_before_h {
            self.cdr.end_us = Some(self.now_us());
        }
        if self.cdr.answer_us.is_none() {
            self.cdr.disposition = match cause {
                Cause::UserBusy => Disposition::Busy,
                Cause::NormalCircuitCongestion | Cause::SwitchCongestion
                    if self.rules.congestion =>
                {
                    Disposition::Congestion
                }
                Cause::NormalCircuitCongestion
                | Cause::SwitchCongestion
                | Cause::Unallocated
                | Cause::NoRouteDestination => Disposition::Failed,
                _ if self.rules.cancel && by == Side::Them => Disposition::Cancel,
                _ => Disposition::NoAnswer,
            };
        }
    }

    /// Hands the record over. Of calls nobody answered only those that tried somebody are kept, unless
    /// `unanswered=yes`.
    fn finish(&mut self) {
        let Some(records) = self.records.take() else {
            return;
        };
        let now_us = self.now_us();
        // `endbeforehexten=no`: the time of `h` counts.
        self.cdr.end_us.get_or_insert(now_us);
        let answered = self.cdr.answer_us.is_some();
        let tried = !self.cdr.dstchannel.is_empty();
        let wanted = self.is_enabled() && (answered || tried || self.rules.unanswered);
        let cdr = std::mem::take(&mut self.cdr);
        match (wanted, self.opened) {
            (true, _) => records.close_call(cdr),
            (false, true) => records.forget_call(&cdr),
            (false, false) => {}
        }
    }
}

/// Variables one record may have.
const RECORD_VARIABLES_MAX: usize = if VARIABLES_MAX < 64 {
    VARIABLES_MAX
} else {
    64
};

impl Channel {
    /// The call detail record.
    pub fn record(&self) -> &CallRecord {
        &self.record
    }

    /// The call detail record, to be changed.
    pub fn record_mut(&mut self) -> &mut CallRecord {
        &mut self.record
    }

    /// An application is about to run.
    pub(crate) fn record_runs(&mut self, application: &str, arguments: &str) {
        let (context, exten) = (&self.at.context, &self.at.exten);
        self.record.runs(context, exten, application, arguments);
    }

    /// The call is about to be answered: whatever happens from here on, there will be a record.
    pub(crate) async fn record_answer(&mut self) {
        // One that picked a call up was answered before.
        if self.record.cdr.answer_us.is_some() {
            return;
        }
        let now_us = self.record.now_us();
        let record = &mut self.record;
        record.called_by(&self.caller);
        record.cdr.answer_us = Some(now_us);
        record.cdr.disposition = Disposition::Answered;
        if record.is_enabled()
            && let Some(records) = &record.records
        {
            record.opened = true;
            records.open_call(&record.cdr).await;
        }
    }

    /// The call is over.
    pub(super) fn record_end(&mut self, by: Side, cause: Cause) {
        debug_assert!(matches!(self.state, State::Ended { .. }));
        self.record.called_by(&self.caller);
        self.record.end(cause, by);
    }

    /// The channel goes.
    pub(super) fn record_finish(&mut self) {
        self.record.finish();
    }
}

/// As Asterisk writes a caller.
fn caller_text(caller: &CallerId) -> String {
    match (caller.name.as_str(), caller.number.as_str()) {
        ("", number) => number.to_owned(),
        (name, "") => name.to_owned(),
        (name, number) => format!("\"{name}\" <{number}>"),
    }
}

/// The beginning of `text`, in whole characters. NUL, which no database takes, is left out.
fn cut(text: &str, bytes_max: usize) -> String {
    let mut kept = String::new();
    for character in text.chars().filter(|character| *character != '\0') {
        if kept.len() + character.len_utf8() > bytes_max {
            break;
        }
        kept.push(character);
    }
    kept
}

/// Microseconds since 1970.
fn wall_us() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(now.unwrap_or_default().as_micros()).unwrap_or(i64::MAX)
}
