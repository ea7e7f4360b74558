//! `type=bridge` of `confbridge.conf`: how a conference runs.

use super::NO_CONFERENCE;
use crate::option::{Applied, Fault, Object, Parse, Row, flag, number, row, word};
use std::collections::BTreeMap;

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

const BRIDGE: &[Row<BridgeProfile>] = &[
    flag(
        "binaural_active",
        "no",
        |p| &mut p.binaural,
        "Mixes for two ears.",
    ),
    flag(
        "enable_events",
        "no",
        |p| &mut p.enable_events,
        "Sends messages about the conference to its participants.",
    ),
    row(
        "internal_sample_rate",
        "",
        Parse::Own(internal_rate),
        "The rate of the mix; chosen by the participants if unset or `auto`.",
    ),
    flag(
        "jitterbuffer",
        "no",
        |p| &mut p.jitter_buffer,
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
    flag(
        "record_conference",
        "no",
        |p| &mut p.record,
        "Records the conference.",
    ),
    row(
        "record_file",
        "confbridge-${name of conference bridge}-${start time}.wav",
        Parse::Optional(|p| &mut p.record_file),
        "The file of the recording.",
    ),
    flag(
        "record_file_append",
        "yes",
        |p| &mut p.record_file_append,
        "Goes on with a file that is there.",
    ),
    flag(
        "record_file_timestamp",
        "yes",
        |p| &mut p.record_file_timestamp,
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
const SOUNDS: &[&str] = &[
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
