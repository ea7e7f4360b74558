//! `features.conf`: what digits do in the middle of a call.

use crate::option::{Applied, Fault, Object, Parse, Row, row, word};
use std::collections::BTreeMap;

/// `features.conf`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// `[general]`.
    pub general: FeatureGeneral,
    /// `[featuremap]`.
    pub map: FeatureMap,
    /// `[applicationmap]`, by name.
    pub applications: BTreeMap<String, FeatureApplication>,
    /// Other sections: names of features, each with the digits that override its own.
    pub groups: BTreeMap<String, Vec<(String, String)>>,
}

/// `[general]` of `features.conf`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeatureGeneral {
    /// The longest time between two digits of a feature, in milliseconds.
    pub digit_timeout_ms: u32,
    /// Played to both when a feature begins.
    pub courtesy_tone: Option<String>,
    /// Played where recording fails.
    pub recording_fail_sound: Option<String>,
    /// The longest time between two digits of the number transferred to, in seconds.
    pub transfer_digit_timeout_s: u32,
    /// How long the target of an attended transfer rings, in seconds.
    pub attended_no_answer_timeout_s: u32,
    /// Whether nobody is called back where the target of a transferer that hung up early does not answer.
    pub attended_drop_call: bool,
    /// Time between two tries to call back, in seconds.
    pub attended_loop_delay_s: u32,
    /// Tries to call back.
    pub attended_callback_retries: u32,
    /// Played when a transfer is done.
    pub transfer_sound: String,
    /// Played when a transfer fails.
    pub transfer_fail_sound: String,
    /// Digits that give an attended transfer up.
    pub attended_abort: String,
    /// Digits that complete one.
    pub attended_complete: String,
    /// Digits that make it a call of three.
    pub attended_three_way: String,
    /// Digits that change between the two.
    pub attended_swap: String,
    /// The extension that picks up a ringing call of one's group.
    pub pickup_exten: String,
    /// Played to who picked up.
    pub pickup_sound: Option<String>,
    /// Played where there is nothing to pick up.
    pub pickup_fail_sound: Option<String>,
    /// Wrong numbers allowed in a transfer.
    pub transfer_dial_attempts: u32,
    /// Played after a wrong number.
    pub transfer_retry_sound: String,
    /// Played after the last wrong number.
    pub transfer_invalid_sound: String,
    /// Played before the number is dialled.
    pub transfer_announce_sound: String,
}

/// `[featuremap]`: the digits of the features that are built in; empty is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeatureMap {
    /// A blind transfer.
    pub blind_transfer: String,
    /// An attended transfer.
    pub attended_transfer: String,
    /// Ends the call.
    pub disconnect: String,
    /// Parks it.
    pub park_call: String,
    /// Records it (MixMonitor).
    pub record: String,
    /// Records it (Monitor).
    pub monitor: String,
}

/// One line of `[applicationmap]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeatureApplication {
    /// The digits.
    pub digits: String,
    /// Whether the application runs on the other party instead of the one who dialled them.
    pub on_peer: bool,
    /// Who may dial them.
    pub activated_by: ActivatedBy,
    /// The application.
    pub application: String,
    /// Its arguments.
    pub arguments: String,
    /// What the other party hears meanwhile.
    pub music_class: Option<String>,
}

/// Who may dial the digits of a feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActivatedBy {
    /// Both.
    Both,
    /// The caller.
    Caller,
    /// The called.
    Callee,
}

impl Default for FeatureGeneral {
    fn default() -> Self {
        Self {
            digit_timeout_ms: 1000,
            courtesy_tone: None,
            recording_fail_sound: None,
            transfer_digit_timeout_s: 3,
            attended_no_answer_timeout_s: 15,
            attended_drop_call: false,
            attended_loop_delay_s: 10,
            attended_callback_retries: 2,
            transfer_sound: "beep".to_owned(),
            transfer_fail_sound: "beeperr".to_owned(),
            attended_abort: "*1".to_owned(),
            attended_complete: "*2".to_owned(),
            attended_three_way: "*3".to_owned(),
            attended_swap: "*4".to_owned(),
            pickup_exten: "*8".to_owned(),
            pickup_sound: None,
            pickup_fail_sound: None,
            transfer_dial_attempts: 3,
            transfer_retry_sound: "pbx-invalid".to_owned(),
            transfer_invalid_sound: "privacy-incorrect".to_owned(),
            transfer_announce_sound: "pbx-transfer".to_owned(),
        }
    }
}

impl Object for FeatureGeneral {
    const KIND: &'static str = "features.conf";
    const OPTIONS: &'static [Row<Self>] = GENERAL;

    fn named(_: &str) -> Self {
        Self::default()
    }
}

const GENERAL: &[Row<FeatureGeneral>] = &[
    row(
        "atxferabort",
        "*1",
        Parse::Text(|f| &mut f.attended_abort),
        "Digits that give an attended transfer up.",
    ),
    row(
        "atxfercallbackretries",
        "2",
        Parse::Number(|f| &mut f.attended_callback_retries, 0, 1000),
        "Tries to call the transferer back.",
    ),
    row(
        "atxfercomplete",
        "*2",
        Parse::Text(|f| &mut f.attended_complete),
        "Digits that complete an attended transfer.",
    ),
    row(
        "atxferdropcall",
        "no",
        Parse::YesNo(|f| &mut f.attended_drop_call),
        "Calls nobody back where the target of a transferer that hung up early does not answer.",
    ),
    row(
        "atxferloopdelay",
        "10",
        Parse::Number(|f| &mut f.attended_loop_delay_s, 0, SECONDS_MAX),
        "Seconds between two tries to call back.",
    ),
    row(
        "atxfernoanswertimeout",
        "15",
        Parse::Number(|f| &mut f.attended_no_answer_timeout_s, 1, SECONDS_MAX),
        "Seconds the target of an attended transfer rings.",
    ),
    row(
        "atxferswap",
        "*4",
        Parse::Text(|f| &mut f.attended_swap),
        "Digits that change between the two parties.",
    ),
    row(
        "atxferthreeway",
        "*3",
        Parse::Text(|f| &mut f.attended_three_way),
        "Digits that make it a call of three.",
    ),
    row(
        "courtesytone",
        "",
        Parse::Optional(|f| &mut f.courtesy_tone),
        "Played to both when a feature begins.",
    ),
    row(
        "featuredigittimeout",
        "1000",
        Parse::Number(|f| &mut f.digit_timeout_ms, 1, 60_000),
        "Milliseconds between two digits of a feature.",
    ),
    row(
        "pickupexten",
        "*8",
        Parse::Text(|f| &mut f.pickup_exten),
        "The extension that picks up a ringing call of one's group (`pickup_group`); it stands in no dial plan.",
    ),
    row(
        "pickupfailsound",
        "",
        Parse::Optional(|f| &mut f.pickup_fail_sound),
        "Played where there is nothing to pick up.",
    ),
    row(
        "pickupsound",
        "",
        Parse::Optional(|f| &mut f.pickup_sound),
        "Played to who picked up.",
    ),
    row(
        "recordingfailsound",
        "",
        Parse::Optional(|f| &mut f.recording_fail_sound),
        "Played where recording fails.",
    ),
    row(
        "transferannouncesound",
        "pbx-transfer",
        Parse::Text(|f| &mut f.transfer_announce_sound),
        "Played before the number is dialled.",
    ),
    row(
        "transferdialattempts",
        "3",
        Parse::Number(|f| &mut f.transfer_dial_attempts, 1, 1000),
        "Wrong numbers allowed in a transfer.",
    ),
    row(
        "transferdigittimeout",
        "3",
        Parse::Number(|f| &mut f.transfer_digit_timeout_s, 1, SECONDS_MAX),
        "Seconds between two digits of the number.",
    ),
    row(
        "transferinvalidsound",
        "privacy-incorrect",
        Parse::Text(|f| &mut f.transfer_invalid_sound),
        "Played after the last wrong number.",
    ),
    row(
        "transferretrysound",
        "pbx-invalid",
        Parse::Text(|f| &mut f.transfer_retry_sound),
        "Played after a wrong number.",
    ),
    row(
        "xferfailsound",
        "beeperr",
        Parse::Text(|f| &mut f.transfer_fail_sound),
        "Played when a transfer fails.",
    ),
    row(
        "xfersound",
        "beep",
        Parse::Text(|f| &mut f.transfer_sound),
        "Played when a transfer is done.",
    ),
];

/// A day.
const SECONDS_MAX: u32 = 24 * 3600;

impl Default for FeatureMap {
    fn default() -> Self {
        Self {
            blind_transfer: "#".to_owned(),
            attended_transfer: String::new(),
            disconnect: "*".to_owned(),
            park_call: String::new(),
            record: String::new(),
            monitor: String::new(),
        }
    }
}

impl Object for FeatureMap {
    const KIND: &'static str = "featuremap";
    const OPTIONS: &'static [Row<Self>] = MAP;

    fn named(_: &str) -> Self {
        Self::default()
    }
}

const MAP: &[Row<FeatureMap>] = &[
    row(
        "atxfer",
        "",
        Parse::Own(|f, v| digits(&mut f.attended_transfer, v)),
        "Digits of an attended transfer.",
    ),
    row(
        "automixmon",
        "",
        Parse::Own(|f, v| digits(&mut f.record, v)),
        "Digits that record the call.",
    ),
    row(
        "automon",
        "",
        Parse::Own(|f, v| digits(&mut f.monitor, v)),
        "Digits that record the call, with the variables of Monitor.",
    ),
    row(
        "blindxfer",
        "#",
        Parse::Own(|f, v| digits(&mut f.blind_transfer, v)),
        "Digits of a blind transfer.",
    ),
    row(
        "disconnect",
        "*",
        Parse::Own(|f, v| digits(&mut f.disconnect, v)),
        "Digits that end the call, for whom `Dial` lets (options h and H).",
    ),
    row(
        "parkcall",
        "",
        Parse::Own(|f, v| digits(&mut f.park_call, v)),
        "Digits that park the call.",
    ),
];

/// Digits of one feature.
const DIGITS_MAX: usize = 11;
/// Lines of `[applicationmap]`, groups, and lines of one group.
const ENTRIES_MAX: usize = 1000;

fn digits(to: &mut String, value: &str) -> Result<(), Fault> {
    let is_digit = |c: char| c.is_ascii_digit() || matches!(c, '*' | '#' | 'A'..='D' | 'a'..='d');
    if value.chars().count() > DIGITS_MAX || !value.chars().all(is_digit) {
        return Err(Fault::NotDigits);
    }
    value.clone_into(to);
    Ok(())
}

impl Features {
    /// Reads `name => digits,on[/by],application[,arguments[,music]]`; arguments may stand in quotes,
    /// or in parentheses after the application.
    pub(crate) fn add_application(&mut self, name: &str, value: &str) -> Applied {
        if self.applications.len() >= ENTRIES_MAX {
            return Applied::Fault(Fault::TooMany(ENTRIES_MAX));
        }
        match application(value) {
            Ok(application) => {
                self.applications.insert(name.to_owned(), application);
                Applied::Set
            }
            Err(fault) => Applied::Fault(fault),
        }
    }

    /// Reads `feature => digits` of a group; the feature's own digits if none are written.
    pub(crate) fn add_to_group(&mut self, group: &str, feature: &str, value: &str) -> Applied {
        let room = self.groups.len() < ENTRIES_MAX || self.groups.contains_key(group);
        let list = if room {
            self.groups.entry(group.to_owned()).or_default()
        } else {
            return Applied::Fault(Fault::TooMany(ENTRIES_MAX));
        };
        let mut own = String::new();
        match digits(&mut own, value) {
            Ok(()) if list.len() < ENTRIES_MAX => {
                list.push((feature.to_owned(), own));
                Applied::Set
            }
            Ok(()) => Applied::Fault(Fault::TooMany(ENTRIES_MAX)),
            Err(fault) => Applied::Fault(fault),
        }
    }
}

fn application(value: &str) -> Result<FeatureApplication, Fault> {
    let mut parts = value.splitn(3, ',').map(str::trim);
    let (Some(keys), Some(activation), Some(rest)) = (parts.next(), parts.next(), parts.next())
    else {
        return Err(Fault::NotFeature);
    };
    let mut feature = FeatureApplication {
        digits: String::new(),
        on_peer: false,
        activated_by: ActivatedBy::Both,
        application: String::new(),
        arguments: String::new(),
        music_class: None,
    };
    digits(&mut feature.digits, keys)?;
    let (on, by) = activation.split_once('/').unwrap_or((activation, "both"));
    feature.on_peer = word(on.trim(), &["self", "peer"])? == 1;
    feature.activated_by = match word(by.trim(), &["both", "caller", "callee"])? {
        0 => ActivatedBy::Both,
        1 => ActivatedBy::Caller,
        _ => ActivatedBy::Callee,
    };
    if let Some((name, arguments)) = rest.split_once('(')
        && !name.contains(',')
    {
        let (arguments, music) = arguments.rsplit_once(')').ok_or(Fault::NotFeature)?;
        feature.application = name.trim().to_owned();
        feature.arguments = arguments.to_owned();
        feature.music_class = crate::option::text(music.trim_start_matches(',').trim());
    } else {
        let (name, after) = rest.split_once(',').unwrap_or((rest, ""));
        let after = after.trim();
        let (arguments, music) = match after.strip_prefix('"').and_then(|a| a.split_once('"')) {
            Some((arguments, music)) => (arguments, music.trim_start_matches(',')),
            None => after.split_once(',').unwrap_or((after, "")),
        };
        feature.application = name.trim().to_owned();
        feature.arguments = arguments.to_owned();
        feature.music_class = crate::option::text(music.trim());
    }
    if feature.application.is_empty() {
        return Err(Fault::NotFeature);
    }
    Ok(feature)
}
