//! `confbridge.conf`: profiles of conferences and of who takes part, and menus of digits.

use crate::option::{Applied, Fault, Object, Parse, Row, number, row, text, word};
use crate::secret::Secret;
use std::collections::BTreeMap;

/// `confbridge.conf`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfBridge {
    /// `type=user`, by name.
    pub users: BTreeMap<String, UserProfile>,
    /// `type=bridge`, by name.
    pub bridges: BTreeMap<String, BridgeProfile>,
    /// `type=menu`, by name.
    pub menus: BTreeMap<String, Menu>,
}

/// `type=menu`: what digits do in a conference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Menu {
    /// The section's name.
    pub id: String,
    /// The menu it starts from.
    pub template: Option<String>,
    /// Digits, and what each does in turn.
    pub actions: Vec<(String, Vec<MenuAction>)>,
}

/// One thing digits do: `playback(tt-monkeys)`, `toggle_mute`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MenuAction {
    /// One of Asterisk's actions.
    pub name: &'static str,
    /// What stands in its parentheses.
    pub arguments: String,
}

/// `video_mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VideoMode {
    /// `none`: nobody's.
    None,
    /// `follow_talker`: that of who talks.
    FollowTalker,
    /// `last_marked`: that of the marked participant who came last.
    LastMarked,
    /// `first_marked`: that of the marked participant who came first.
    FirstMarked,
    /// `sfu`: everybody sees all others.
    Sfu,
}

/// `remb_behavior`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RembBehavior {
    /// `average` of the receivers, for each sender.
    Average,
    /// `lowest` of the receivers, for each sender.
    Lowest,
    /// `highest` of the receivers, for each sender.
    Highest,
    /// `average_all`: of all receivers, for all senders.
    AverageAll,
    /// `lowest_all`.
    LowestAll,
    /// `highest_all`.
    HighestAll,
    /// `force`: what is written.
    Force,
}

/// `type=user`: how somebody takes part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserProfile {
    /// The section's name.
    pub id: String,
    /// Has the rights of an administrator.
    pub admin: bool,
    /// Asks for a name and says who comes and goes.
    pub announce_join_leave: bool,
    /// The same, and lets the name be heard before it is used.
    pub announce_join_leave_review: bool,
    /// Says that nobody else is there.
    pub announce_only_user: bool,
    /// Tells who comes how many are there.
    pub announce_user_count: bool,
    /// Tells all how many are there; a number is the least to tell of.
    pub announce_user_count_all: Option<String>,
    /// A sound played to who comes.
    pub announcement: Option<String>,
    /// Answers the call if it is not answered yet.
    pub answer_channel: bool,
    /// Takes noise out.
    pub denoise: bool,
    /// Leaves silence out of the mix.
    pub drop_silence: bool,
    /// Milliseconds of silence before somebody counts as silent.
    pub silence_threshold_ms: u32,
    /// The average level of sound above which somebody talks.
    pub talking_threshold: u32,
    /// Passes digits on to the others.
    pub dtmf_passthrough: bool,
    /// Sends events about somebody to himself too.
    pub echo_events: bool,
    /// Leaves when the last marked participant does.
    pub end_marked: bool,
    /// Leaves when any marked participant does.
    pub end_marked_any: bool,
    /// Hears the sound of coming itself.
    pub hear_own_join_sound: bool,
    /// Smooths what comes from it.
    pub jitter_buffer: bool,
    /// Is a marked participant.
    pub marked: bool,
    /// The class of the music.
    pub music_on_hold_class: Option<String>,
    /// Hears music while alone.
    pub music_when_empty: bool,
    /// The number to be typed before joining.
    pub pin: Option<Secret>,
    /// No sounds of coming and going.
    pub quiet: bool,
    /// Gets messages about the conference.
    pub send_events: bool,
    /// Joins muted.
    pub start_muted: bool,
    /// Makes events of who talks.
    pub talk_detection_events: bool,
    /// The profile it starts from, for the function CONFBRIDGE.
    pub template: Option<String>,
    /// Gets text messages.
    pub text_messaging: bool,
    /// Seconds after which it is put out; 0 is never.
    pub timeout_s: u32,
    /// Waits until a marked participant comes.
    pub wait_marked: bool,
}

impl UserProfile {
    /// A profile without options.
    pub fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            admin: false,
            announce_join_leave: false,
            announce_join_leave_review: false,
            announce_only_user: true,
            announce_user_count: false,
            announce_user_count_all: None,
            announcement: None,
            answer_channel: true,
            denoise: false,
            drop_silence: false,
            silence_threshold_ms: 2500,
            talking_threshold: 160,
            dtmf_passthrough: false,
            echo_events: true,
            end_marked: false,
            end_marked_any: false,
            hear_own_join_sound: true,
            jitter_buffer: false,
            marked: false,
            music_on_hold_class: None,
            music_when_empty: false,
            pin: None,
            quiet: false,
            send_events: false,
            start_muted: false,
            talk_detection_events: false,
            template: None,
            text_messaging: true,
            timeout_s: 0,
            wait_marked: false,
        }
    }
}

/// `type=bridge`: how a conference runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BridgeProfile {
    /// The section's name.
    pub id: String,
    /// Mixes for two ears.
    pub binaural: bool,
    /// Sends messages about the conference to its participants.
    pub enable_events: bool,
    /// The rate of the mix; chosen by the participants if unset or `auto`.
    pub internal_sample_rate_hz: Option<u32>,
    /// Smooths what comes from each participant.
    pub jitter_buffer: bool,
    /// The language of its announcements.
    pub language: String,
    /// Participants, administrators not counted; 0 is any number.
    pub members_max: u32,
    /// The highest rate of the mix; any if unset or `none`.
    pub maximum_sample_rate_hz: Option<u32>,
    /// Milliseconds of sound mixed at a time: 10, 20, 40 or 80.
    pub mixing_interval_ms: u32,
    /// A command that runs when the recording is done.
    pub record_command: Option<String>,
    /// Records the conference.
    pub record: bool,
    /// The file of the recording.
    pub record_file: Option<String>,
    /// Goes on with a file that is there.
    pub record_file_append: bool,
    /// Puts the time into the name of the file.
    pub record_file_timestamp: bool,
    /// Options of the recording, as of MixMonitor.
    pub record_options: Option<String>,
    /// The context in which its number is made while it runs.
    pub regcontext: Option<String>,
    /// How the senders' rate is made of the receivers'.
    pub remb_behavior: RembBehavior,
    /// The rate of `remb_behavior=force`, in bits a second.
    pub remb_bitrate_bps: Option<u32>,
    /// Milliseconds between two reports of the rate; 0 is none.
    pub remb_send_interval_ms: u32,
    /// The profile it starts from, for the function CONFBRIDGE.
    pub template: Option<String>,
    /// Whose picture is seen.
    pub video_mode: VideoMode,
    /// Milliseconds in which no second key frame is asked for.
    pub video_update_discard_ms: u32,
    /// Sounds played instead of the usual ones, by the name of their option (`sound_join`).
    pub sounds: BTreeMap<&'static str, String>,
}

impl BridgeProfile {
    /// A profile without options.
    pub fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            binaural: false,
            enable_events: false,
            internal_sample_rate_hz: None,
            jitter_buffer: false,
            language: "en".to_owned(),
            members_max: 0,
            maximum_sample_rate_hz: None,
            mixing_interval_ms: 20,
            record_command: None,
            record: false,
            record_file: None,
            record_file_append: true,
            record_file_timestamp: true,
            record_options: None,
            regcontext: None,
            remb_behavior: RembBehavior::Average,
            remb_bitrate_bps: None,
            remb_send_interval_ms: 0,
            template: None,
            video_mode: VideoMode::None,
            video_update_discard_ms: 2000,
            sounds: BTreeMap::new(),
        }
    }
}

/// No conference runs.
pub(crate) const NO_CONFERENCE: &str = "the dial plan has no application ConfBridge yet";

impl Object for UserProfile {
    const KIND: &'static str = "user_profile";
    const OPTIONS: &'static [Row<Self>] = USER;
    const INERT: Option<&'static str> = Some(NO_CONFERENCE);

    fn named(id: &str) -> Self {
        Self::new(id)
    }
}

impl Object for BridgeProfile {
    const KIND: &'static str = "bridge_profile";
    const OPTIONS: &'static [Row<Self>] = BRIDGE;
    const FREE: &'static [&'static str] = SOUNDS;
    const INERT: Option<&'static str> = Some(NO_CONFERENCE);

    fn named(id: &str) -> Self {
        Self::new(id)
    }

    fn free_option(&mut self, name: &str, value: &str) -> Option<Applied> {
        let sound = SOUNDS
            .iter()
            .find(|sound| sound.eq_ignore_ascii_case(name))?;
        self.sounds.insert(sound, value.to_owned());
        Some(Applied::Inert(NO_CONFERENCE))
    }
}

impl Object for Menu {
    const KIND: &'static str = "menu";
    const OPTIONS: &'static [Row<Self>] = MENU;
    const INERT: Option<&'static str> = Some(NO_CONFERENCE);

    fn named(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            template: None,
            actions: Vec::new(),
        }
    }

    fn free_option(&mut self, name: &str, value: &str) -> Option<Applied> {
        let is_digit = |c: char| c.is_ascii_digit() || matches!(c, '*' | '#' | 'A'..='D');
        if name.is_empty() || !name.chars().all(is_digit) {
            return None;
        }
        Some(match self.add(name, value) {
            Ok(()) => Applied::Inert(NO_CONFERENCE),
            Err(fault) => Applied::Fault(fault),
        })
    }
}

const MENU: &[Row<Menu>] = &[row(
    "template",
    "",
    Parse::Optional(|m| &mut m.template),
    "The menu it starts from, for the function CONFBRIDGE.",
)];

const USER: &[Row<UserProfile>] = &[
    row(
        "admin",
        "no",
        Parse::YesNo(|p| &mut p.admin),
        "Has the rights of an administrator.",
    ),
    row(
        "announce_join_leave",
        "no",
        Parse::YesNo(|p| &mut p.announce_join_leave),
        "Asks for a name and says who comes and goes.",
    ),
    row(
        "announce_join_leave_review",
        "no",
        Parse::YesNo(|p| &mut p.announce_join_leave_review),
        "The same, and lets the name be heard before it is used.",
    ),
    row(
        "announce_only_user",
        "yes",
        Parse::YesNo(|p| &mut p.announce_only_user),
        "Says that nobody else is there.",
    ),
    row(
        "announce_user_count",
        "no",
        Parse::YesNo(|p| &mut p.announce_user_count),
        "Tells who comes how many are there.",
    ),
    row(
        "announce_user_count_all",
        "",
        Parse::Optional(|p| &mut p.announce_user_count_all),
        "Tells all how many are there; a number is the least to tell of.",
    ),
    row(
        "announcement",
        "",
        Parse::Optional(|p| &mut p.announcement),
        "A sound played to who comes.",
    ),
    row(
        "answer_channel",
        "yes",
        Parse::YesNo(|p| &mut p.answer_channel),
        "Answers the call if it is not answered yet.",
    ),
    row(
        "denoise",
        "no",
        Parse::YesNo(|p| &mut p.denoise),
        "Takes noise out.",
    ),
    row(
        "dsp_drop_silence",
        "no",
        Parse::YesNo(|p| &mut p.drop_silence),
        "Leaves silence out of the mix.",
    ),
    row(
        "dsp_silence_threshold",
        "2500",
        Parse::Number(|p| &mut p.silence_threshold_ms, 0, 3600000),
        "Milliseconds of silence before somebody counts as silent.",
    ),
    row(
        "dsp_talking_threshold",
        "160",
        Parse::Number(|p| &mut p.talking_threshold, 0, 32767),
        "The average level of sound above which somebody talks.",
    ),
    row(
        "dtmf_passthrough",
        "no",
        Parse::YesNo(|p| &mut p.dtmf_passthrough),
        "Passes digits on to the others.",
    ),
    row(
        "echo_events",
        "yes",
        Parse::YesNo(|p| &mut p.echo_events),
        "Sends events about somebody to himself too.",
    ),
    row(
        "end_marked",
        "no",
        Parse::YesNo(|p| &mut p.end_marked),
        "Leaves when the last marked participant does.",
    ),
    row(
        "end_marked_any",
        "no",
        Parse::YesNo(|p| &mut p.end_marked_any),
        "Leaves when any marked participant does.",
    ),
    row(
        "hear_own_join_sound",
        "yes",
        Parse::YesNo(|p| &mut p.hear_own_join_sound),
        "Hears the sound of coming itself.",
    ),
    row(
        "jitterbuffer",
        "no",
        Parse::YesNo(|p| &mut p.jitter_buffer),
        "Smooths what comes from it.",
    ),
    row(
        "marked",
        "no",
        Parse::YesNo(|p| &mut p.marked),
        "Is a marked participant.",
    ),
    row(
        "music_on_hold_class",
        "",
        Parse::Optional(|p| &mut p.music_on_hold_class),
        "The class of the music.",
    ),
    row(
        "music_on_hold_when_empty",
        "no",
        Parse::YesNo(|p| &mut p.music_when_empty),
        "Hears music while alone.",
    ),
    row(
        "pin",
        "",
        Parse::Own(pin),
        "The number to be typed before joining.",
    ),
    row(
        "quiet",
        "no",
        Parse::YesNo(|p| &mut p.quiet),
        "No sounds of coming and going.",
    ),
    row(
        "send_events",
        "no",
        Parse::YesNo(|p| &mut p.send_events),
        "Gets messages about the conference.",
    ),
    row(
        "startmuted",
        "no",
        Parse::YesNo(|p| &mut p.start_muted),
        "Joins muted.",
    ),
    row(
        "talk_detection_events",
        "no",
        Parse::YesNo(|p| &mut p.talk_detection_events),
        "Makes events of who talks.",
    ),
    row(
        "template",
        "",
        Parse::Optional(|p| &mut p.template),
        "The profile it starts from, for the function CONFBRIDGE.",
    ),
    row(
        "text_messaging",
        "yes",
        Parse::YesNo(|p| &mut p.text_messaging),
        "Gets text messages.",
    ),
    row(
        "timeout",
        "0",
        Parse::Number(|p| &mut p.timeout_s, 0, 86400),
        "Seconds after which it is put out; 0 is never.",
    ),
    row(
        "wait_marked",
        "no",
        Parse::YesNo(|p| &mut p.wait_marked),
        "Waits until a marked participant comes.",
    ),
];

const BRIDGE: &[Row<BridgeProfile>] = &[
    row(
        "binaural_active",
        "no",
        Parse::YesNo(|p| &mut p.binaural),
        "Mixes for two ears.",
    ),
    row(
        "enable_events",
        "no",
        Parse::YesNo(|p| &mut p.enable_events),
        "Sends messages about the conference to its participants.",
    ),
    row(
        "internal_sample_rate",
        "",
        Parse::Own(internal_rate),
        "The rate of the mix; chosen by the participants if unset or `auto`.",
    ),
    row(
        "jitterbuffer",
        "no",
        Parse::YesNo(|p| &mut p.jitter_buffer),
        "Smooths what comes from each participant.",
    ),
    row(
        "language",
        "en",
        Parse::Text(|p| &mut p.language),
        "The language of its announcements.",
    ),
    row(
        "max_members",
        "0",
        Parse::Number(|p| &mut p.members_max, 0, 100000),
        "Participants, administrators not counted; 0 is any number.",
    ),
    row(
        "maximum_sample_rate",
        "",
        Parse::Own(maximum_rate),
        "The highest rate of the mix; any if unset or `none`.",
    ),
    row(
        "mixing_interval",
        "20",
        Parse::Own(mixing_interval),
        "Milliseconds of sound mixed at a time: 10, 20, 40 or 80.",
    ),
    row(
        "record_command",
        "",
        Parse::Optional(|p| &mut p.record_command),
        "A command that runs when the recording is done.",
    ),
    row(
        "record_conference",
        "no",
        Parse::YesNo(|p| &mut p.record),
        "Records the conference.",
    ),
    row(
        "record_file",
        "confbridge-${name of conference bridge}-${start time}.wav",
        Parse::Optional(|p| &mut p.record_file),
        "The file of the recording.",
    ),
    row(
        "record_file_append",
        "yes",
        Parse::YesNo(|p| &mut p.record_file_append),
        "Goes on with a file that is there.",
    ),
    row(
        "record_file_timestamp",
        "yes",
        Parse::YesNo(|p| &mut p.record_file_timestamp),
        "Puts the time into the name of the file.",
    ),
    row(
        "record_options",
        "",
        Parse::Optional(|p| &mut p.record_options),
        "Options of the recording, as of MixMonitor.",
    ),
    row(
        "regcontext",
        "",
        Parse::Optional(|p| &mut p.regcontext),
        "The context in which its number is made while it runs.",
    ),
    row(
        "remb_behavior",
        "average",
        Parse::Own(remb_behavior),
        "How the senders' rate is made of the receivers'.",
    ),
    row(
        "remb_estimated_bitrate",
        "",
        Parse::Own(remb_bitrate),
        "The rate of `remb_behavior=force`, in bits a second.",
    ),
    row(
        "remb_send_interval",
        "0",
        Parse::Number(|p| &mut p.remb_send_interval_ms, 0, 60000),
        "Milliseconds between two reports of the rate; 0 is none.",
    ),
    row(
        "template",
        "",
        Parse::Optional(|p| &mut p.template),
        "The profile it starts from, for the function CONFBRIDGE.",
    ),
    row(
        "video_mode",
        "none",
        Parse::Own(video_mode),
        "Whose picture is seen.",
    ),
    row(
        "video_update_discard",
        "2000",
        Parse::Number(|p| &mut p.video_update_discard_ms, 0, 60000),
        "Milliseconds in which no second key frame is asked for.",
    ),
];

/// Options of a bridge that name a sound.
pub(crate) const SOUNDS: &[&str] = &[
    "sound_begin",
    "sound_binaural_off",
    "sound_binaural_on",
    "sound_error_menu",
    "sound_get_pin",
    "sound_has_joined",
    "sound_has_left",
    "sound_invalid_pin",
    "sound_join",
    "sound_kicked",
    "sound_leader_has_left",
    "sound_leave",
    "sound_locked",
    "sound_locked_now",
    "sound_muted",
    "sound_only_one",
    "sound_only_person",
    "sound_other_in_party",
    "sound_participants_muted",
    "sound_participants_unmuted",
    "sound_place_into_conference",
    "sound_there_are",
    "sound_unlocked_now",
    "sound_unmuted",
    "sound_wait_for_leader",
];

/// Actions of a menu.
pub(crate) const ACTIONS: &[&str] = &[
    "admin_kick_last",
    "admin_toggle_conference_lock",
    "admin_toggle_mute_participants",
    "decrease_listening_volume",
    "decrease_talking_volume",
    "dialplan_exec",
    "increase_listening_volume",
    "increase_talking_volume",
    "leave_conference",
    "no_op",
    "participant_count",
    "playback",
    "playback_and_continue",
    "release_as_single_video_src",
    "reset_listening_volume",
    "reset_talking_volume",
    "set_as_single_video_src",
    "toggle_binaural",
    "toggle_mute",
];

/// Entries of one menu, and actions of one entry.
const ACTIONS_MAX: usize = 200;

impl Menu {
    /// Reads `digits = action, action(arguments)`.
    fn add(&mut self, digits: &str, value: &str) -> Result<(), Fault> {
        if self.actions.len() >= ACTIONS_MAX {
            return Err(Fault::TooMany(ACTIONS_MAX));
        }
        let mut actions = Vec::new();
        let mut rest = value.trim();
        while !rest.is_empty() {
            let end = rest.find([',', '(']).unwrap_or(rest.len());
            let written = rest[..end].trim();
            let known = ACTIONS
                .iter()
                .find(|name| name.eq_ignore_ascii_case(written));
            let name = *known.ok_or_else(|| Fault::NotAction(written.to_owned()))?;
            let mut arguments = "";
            rest = &rest[end..];
            if let Some(inner) = rest.strip_prefix('(') {
                let close = inner.find(')');
                let close = close.ok_or_else(|| Fault::NotAction(written.to_owned()))?;
                arguments = &inner[..close];
                rest = inner[close + 1..].trim_start();
            }
            if actions.len() >= ACTIONS_MAX {
                return Err(Fault::TooMany(ACTIONS_MAX));
            }
            actions.push(MenuAction {
                name,
                arguments: arguments.to_owned(),
            });
            rest = rest.trim_start_matches(',').trim_start();
        }
        self.actions.push((digits.to_owned(), actions));
        Ok(())
    }
}

fn pin(user: &mut UserProfile, value: &str) -> Result<(), Fault> {
    user.pin = text(value).map(Secret::new);
    Ok(())
}

fn internal_rate(bridge: &mut BridgeProfile, value: &str) -> Result<(), Fault> {
    bridge.internal_sample_rate_hz = rate(value, "auto")?;
    Ok(())
}

fn maximum_rate(bridge: &mut BridgeProfile, value: &str) -> Result<(), Fault> {
    bridge.maximum_sample_rate_hz = rate(value, "none")?;
    Ok(())
}

fn rate(value: &str, none: &str) -> Result<Option<u32>, Fault> {
    if value.eq_ignore_ascii_case(none) {
        return Ok(None);
    }
    number(value, 8_000, 192_000).map(Some)
}

fn mixing_interval(bridge: &mut BridgeProfile, value: &str) -> Result<(), Fault> {
    const WORDS: &[&str] = &["10", "20", "40", "80"];
    bridge.mixing_interval_ms = [10, 20, 40, 80][word(value, WORDS)?];
    Ok(())
}

fn remb_behavior(bridge: &mut BridgeProfile, value: &str) -> Result<(), Fault> {
    const WORDS: &[&str] = &[
        "average",
        "lowest",
        "highest",
        "average_all",
        "lowest_all",
        "highest_all",
        "force",
    ];
    const ALL: [RembBehavior; 7] = [
        RembBehavior::Average,
        RembBehavior::Lowest,
        RembBehavior::Highest,
        RembBehavior::AverageAll,
        RembBehavior::LowestAll,
        RembBehavior::HighestAll,
        RembBehavior::Force,
    ];
    bridge.remb_behavior = ALL[word(value, WORDS)?];
    Ok(())
}

fn remb_bitrate(bridge: &mut BridgeProfile, value: &str) -> Result<(), Fault> {
    bridge.remb_bitrate_bps = Some(number(value, 1, u32::MAX.into())?);
    Ok(())
}

fn video_mode(bridge: &mut BridgeProfile, value: &str) -> Result<(), Fault> {
    const WORDS: &[&str] = &[
        "none",
        "follow_talker",
        "last_marked",
        "first_marked",
        "sfu",
    ];
    bridge.video_mode = match word(value, WORDS)? {
        0 => VideoMode::None,
        1 => VideoMode::FollowTalker,
        2 => VideoMode::LastMarked,
        3 => VideoMode::FirstMarked,
        _ => VideoMode::Sfu,
    };
    Ok(())
}
