//! The call detail record of a channel, with the rules of Asterisk's `cdr.conf`.

use config::{CallerId, Config};
use store::{AmaFlags, Cdr, Disposition, Records};
use tokio::time::Instant;

use super::{Channel, State};
use crate::cause::Cause;
use crate::story::Side;
use crate::variables::{SetError, VALUE_BYTES_MAX, VARIABLES_MAX};

/// The records of a channel, from its first to its last moment: one for each party it talks to, or calls, one after
/// the other.
///
/// Of two channels that talk one has the record, the other one is named in it. Who was called has none, unless it
/// goes on by itself or talks to another that was called.
pub struct CallRecord {
    /// The present one.
    cdr: Cdr,
    /// Those before it, and those of parties beside it. All are handed over when the channel goes, as in Asterisk:
    /// extension `h` may still set fields of the last one.
    before: Vec<Cdr>,
    /// Those of parties that it calls, or talks to, beside the present one.
    beside: Vec<Cdr>,
    records: Option<Records>,
    rules: Rules,
    /// `CDR_PROP(disable)` and `channeldefaultenabled`.
    enabled: bool,
    /// Its channel was called.
    called: bool,
    /// Nothing is written of it.
    silent: bool,
    /// The present record stands: what comes next has one of its own.
    concluded: bool,
    /// Whether the journal knows of the present one.
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
    pub(super) called: bool,
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
            before: Vec::new(),
            beside: Vec::new(),
            records,
            rules,
            enabled: rules.default_enabled,
            called: begun.called,
            silent: false,
            concluded: false,
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

    /// Writes nothing: it is a call of somebody who has a record.
    pub(crate) fn silence(&mut self) {
        self.silent = true;
        // What Asterisk shows for a channel that was called, once it has a record.
        self.cdr.lastapp = "AppDial".to_owned();
        self.cdr.lastdata = "(Outgoing Line)".to_owned();
    }

    /// From now on the channel has records of its own, if it had none: it goes on by itself.
    pub(crate) fn speak(&mut self) {
        if std::mem::take(&mut self.silent) {
            self.concluded = true;
        }
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

    /// The party it calls. Called by whoever makes that channel.
    pub fn connect(&mut self, channel: &str, account: &str) {
        if !self.over {
            self.cdr.dstchannel = cut(channel, FIELD_BYTES_MAX);
            self.cdr.peeraccount = cut(account, FIELD_BYTES_MAX);
        }
    }

    /// A party it calls at the same time as the one before: that has a record too.
    pub fn connect_beside(&mut self, channel: &str, account: &str) {
        if self.over || self.silent || self.beside.len() >= BESIDE_MAX {
            return;
        }
        let cdr = Cdr {
            sequence: self.records.as_ref().map_or(0, Records::next_sequence),
            dstchannel: cut(channel, FIELD_BYTES_MAX),
            peeraccount: cut(account, FIELD_BYTES_MAX),
            answer_us: None,
            disposition: Disposition::NoAnswer,
            ..self.cdr.clone()
        };
        self.beside.push(cdr);
    }

    /// Of all it called this party answered.
    pub fn answered_by(&mut self, channel: &str, account: &str) {
        let known = self.beside.iter_mut();
        if let Some(same) = known.into_iter().find(|own| own.dstchannel == channel) {
            std::mem::swap(&mut same.dstchannel, &mut self.cdr.dstchannel);
            std::mem::swap(&mut same.peeraccount, &mut self.cdr.peeraccount);
        } else {
            self.connect(channel, account);
        }
        self.end_beside(Disposition::NoAnswer);
    }

    /// Nobody it called answered, and the channel goes on: what comes next has a record of its own.
    pub fn unanswered(&mut self, status: &str) {
        if self.over || self.cdr.dstchannel.is_empty() {
            return;
        }
        let disposition = match status {
            "BUSY" => Disposition::Busy,
            "CONGESTION" if self.rules.congestion => Disposition::Congestion,
            "CONGESTION" | "CHANUNAVAIL" => Disposition::Failed,
            _ => Disposition::NoAnswer,
        };
        self.end_beside(disposition);
        if self.cdr.answer_us.is_none() {
            self.cdr.disposition = disposition;
        }
        self.conclude();
    }

    fn end_beside(&mut self, disposition: Disposition) {
        let now_us = self.now_us();
        for mut cdr in self.beside.drain(..) {
            if cdr.answer_us.is_none() {
                cdr.disposition = disposition;
            }
            cdr.end_us = Some(now_us);
            self.before.push(cdr);
        }
    }

    /// What it did so far is over, and the channel goes on: what comes next has a record of its own.
    pub(crate) fn conclude(&mut self) {
        if self.over || self.concluded || self.silent {
            return;
        }
        self.concluded = true;
        self.cdr.end_us = Some(self.now_us());
        self.end_beside(Disposition::NoAnswer);
        self.note();
    }

    /// The next record begins, if the last one is concluded.
    fn go_on(&mut self, is_up: bool, caller: &CallerId) {
        if self.over || self.silent || !std::mem::take(&mut self.concluded) {
            return;
        }
        let now_us = self.now_us();
        let before = self.cdr.clone();
        self.cdr = Cdr {
            sequence: self.records.as_ref().map_or(0, Records::next_sequence),
            start_us: now_us,
            answer_us: is_up.then_some(now_us),
            end_us: None,
            disposition: match is_up {
                true => Disposition::Answered,
                false => Disposition::NoAnswer,
            },
            dstchannel: String::new(),
            peeraccount: String::new(),
            ..before.clone()
        };
        // The one of a channel that had none is not even begun.
        if before.end_us.is_some() {
            self.before.push(before);
        }
        while self.before.len() > BEFORE_MAX {
            let oldest = self.before.remove(0);
            self.write(oldest, false);
        }
        self.since = Instant::now();
        self.opened = false;
        self.called_by(caller);
        self.note();
    }

    /// Tells the journal of a call that has been answered.
    fn note(&mut self) {
        if self.cdr.answer_us.is_some()
            && self.is_enabled()
            && let Some(records) = &self.records
        {
            self.opened = true;
            records.change_call(&self.cdr);
        }
    }

    /// It talks to this party, and has the record of it.
    fn talks_to(&mut self, other: &Talker, caller: &CallerId) {
        if self.over {
            return;
        }
        self.speak();
        let is_other = !self.cdr.dstchannel.is_empty() && self.cdr.dstchannel != other.channel;
        if is_other && self.cdr.answer_us.is_some() {
            self.conclude();
        }
        self.go_on(true, caller);
        self.connect(&other.channel, &other.account);
    }

    /// It talks to this party as well.
    fn talks_beside(&mut self, other: &Talker) {
        let now_us = self.now_us();
        self.connect_beside(&other.channel, &other.account);
        if let Some(cdr) = self.beside.last_mut() {
            cdr.start_us = now_us;
            cdr.answer_us = Some(now_us);
            cdr.disposition = Disposition::Answered;
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
        if self.opened {
            self.note();
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

    /// Whether it is that of a channel that goes by itself, not of one that another one called.
    pub(super) fn has_own(&self) -> bool {
        !self.silent
    }

    /// It does what the channel of another record did.
    pub(super) fn does_as(&mut self, other: &Self) {
        let Cdr {
            dcontext,
            dst,
            lastapp,
            lastdata,
            ..
        } = &other.cdr;
        self.runs(dcontext, dst, lastapp, lastdata);
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
        if self.concluded {
            return;
        }
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
        self.end_beside(self.cdr.disposition);
    }

    /// Hands the records over. Of calls nobody answered only those that tried somebody are kept, unless
    /// `unanswered=yes`.
    fn finish(&mut self) {
        let now_us = self.now_us();
        // `endbeforehexten=no`: the time of `h` counts.
        self.cdr.end_us.get_or_insert(now_us);
        for cdr in std::mem::take(&mut self.before) {
            self.write(cdr, false);
        }
        let cdr = std::mem::take(&mut self.cdr);
        self.write(cdr, self.opened);
        self.records = None;
    }

    /// One that the journal may know of is forgotten if it is not wanted.
    fn write(&self, cdr: Cdr, opened: bool) {
        let Some(records) = &self.records else {
            return;
        };
        let answered = cdr.answer_us.is_some();
        let tried = !cdr.dstchannel.is_empty();
        let wanted = !self.silent && self.is_enabled();
        let wanted = wanted && (answered || tried || self.rules.unanswered);
        match (wanted, opened || answered) {
            (true, _) => records.close_call(cdr),
            (false, true) => records.forget_call(&cdr),
            (false, false) => {}
        }
    }
}

/// Records kept until the channel goes; of more the oldest are handed over before.
const BEFORE_MAX: usize = 64;
/// Parties of one channel at the same time that have records.
const BESIDE_MAX: usize = 64;

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
        self.record_goes_on();
        let (context, exten) = (&self.at.context, &self.at.exten);
        self.record.runs(context, exten, application, arguments);
    }

    /// What comes next has a record of its own, if the last one stands.
    pub fn record_goes_on(&mut self) {
        let is_up = self.is_up();
        self.record.go_on(is_up, &self.caller);
    }

    /// What names it in the record of whom it talks to.
    fn talker(&self) -> Talker {
        Talker {
            channel: self.name().to_owned(),
            account: self.endpoint().accountcode.clone().unwrap_or_default(),
        }
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

/// A party as the record of another one names it.
struct Talker {
    channel: String,
    account: String,
}

/// Two channels talk from now on: one of them has the record of it, and both belong to the older call.
///
/// As in Asterisk who was called never has it with one that was not; among equals the older one has it.
pub(crate) fn talk(one: &mut Channel, other: &mut Channel) {
    let older = one.id() < other.id();
    let has_one = match (one.record.called, other.record.called) {
        (false, true) => true,
        (true, false) => false,
        (true, true) | (false, false) => older,
    };
    let (party_a, party_b) = match has_one {
        true => (&mut *one, &mut *other),
        false => (&mut *other, &mut *one),
    };
    let talker = party_b.talker();
    party_a.record.talks_to(&talker, &party_a.caller);
    let linkedid = match older {
        true => &one.record.cdr.linkedid,
        false => &other.record.cdr.linkedid,
    };
    let linkedid = linkedid.clone();
    for channel in [one, other] {
        channel.record.link(&linkedid);
    }
}

/// The same for two that talk while the one that has the record talks to a third.
pub(crate) fn talk_beside(one: &mut Channel, other: &mut Channel) {
    let is_taken = |channel: &Channel| {
        let record = &channel.record;
        !record.silent && !record.concluded && !record.cdr.dstchannel.is_empty()
    };
    let has_one = match (one.record.called, other.record.called) {
        (false, true) => true,
        (true, false) => false,
        (true, true) | (false, false) => one.id() < other.id(),
    };
    let party_a = if has_one { &mut *one } else { &mut *other };
    if !is_taken(party_a) {
        return talk(one, other);
    }
    let talker = match has_one {
        true => other.talker(),
        false => one.talker(),
    };
    let party_a = if has_one { one } else { other };
    let beside = party_a.record.beside.iter();
    let known = beside.chain([&party_a.record.cdr]);
    let is_known = known
        .into_iter()
        .any(|cdr| cdr.dstchannel == talker.channel);
    if !is_known {
        party_a.record.talks_beside(&talker);
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

#[cfg(test)]
mod tests {
    use config::{CallerId, Config};

    use super::{BEFORE_MAX, Begun, CallRecord};

    /// Whoever calls many again and again leaves no more records behind than are kept.
    #[test]
    fn a_call_that_goes_round_keeps_so_many_records() {
        let caller = CallerId::default();
        let begun = Begun {
            channel: "TEST/a-1",
            unique_id: "1.1",
            caller: &caller,
            context: "test",
            exten: "1",
            account: None,
            called: false,
        };
        let mut record = CallRecord::begin(&Config::default(), None, &begun);
        for _ in 0..20 {
            record.connect("TEST/b-1", "");
            for index in 0..8 {
                record.connect_beside(&format!("TEST/c-{index}"), "");
            }
            record.unanswered("NOANSWER");
            record.go_on(false, &caller);
            assert!(record.before.len() <= BEFORE_MAX, "{}", record.before.len());
        }
        assert_eq!(record.before.len(), BEFORE_MAX);
    }
}
