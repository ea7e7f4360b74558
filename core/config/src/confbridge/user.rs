//! `type=user` of `confbridge.conf`: how somebody takes part.

use super::NO_CONFERENCE;
use crate::option::{Fault, Object, Parse, Row, flag, row, text};
use crate::secret::Secret;

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

impl Object for UserProfile {
    const KIND: &'static str = "user_profile";
    const OPTIONS: &'static [Row<Self>] = USER;
    const INERT: Option<&'static str> = Some(NO_CONFERENCE);

    fn named(id: &str) -> Self {
        Self::new(id)
    }
}

const USER: &[Row<UserProfile>] = &[
    flag(
        "admin",
        "no",
        |p| &mut p.admin,
        "Has the rights of an administrator.",
    ),
    flag(
        "announce_join_leave",
        "no",
        |p| &mut p.announce_join_leave,
        "Asks for a name and says who comes and goes.",
    ),
    flag(
        "announce_join_leave_review",
        "no",
        |p| &mut p.announce_join_leave_review,
        "The same, and lets the name be heard before it is used.",
    ),
    flag(
        "announce_only_user",
        "yes",
        |p| &mut p.announce_only_user,
        "Says that nobody else is there.",
    ),
    flag(
        "announce_user_count",
        "no",
        |p| &mut p.announce_user_count,
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
    flag(
        "answer_channel",
        "yes",
        |p| &mut p.answer_channel,
        "Answers the call if it is not answered yet.",
    ),
    flag("denoise", "no", |p| &mut p.denoise, "Takes noise out."),
    flag(
        "dsp_drop_silence",
        "no",
        |p| &mut p.drop_silence,
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
    flag(
        "dtmf_passthrough",
        "no",
        |p| &mut p.dtmf_passthrough,
        "Passes digits on to the others.",
    ),
    flag(
        "echo_events",
        "yes",
        |p| &mut p.echo_events,
        "Sends events about somebody to himself too.",
    ),
    flag(
        "end_marked",
        "no",
        |p| &mut p.end_marked,
        "Leaves when the last marked participant does.",
    ),
    flag(
        "end_marked_any",
        "no",
        |p| &mut p.end_marked_any,
        "Leaves when any marked participant does.",
    ),
    flag(
        "hear_own_join_sound",
        "yes",
        |p| &mut p.hear_own_join_sound,
        "Hears the sound of coming itself.",
    ),
    flag(
        "jitterbuffer",
        "no",
        |p| &mut p.jitter_buffer,
        "Smooths what comes from it.",
    ),
    flag(
        "marked",
        "no",
        |p| &mut p.marked,
        "Is a marked participant.",
    ),
    row(
        "music_on_hold_class",
        "",
        Parse::Optional(|p| &mut p.music_on_hold_class),
        "The class of the music.",
    ),
    flag(
        "music_on_hold_when_empty",
        "no",
        |p| &mut p.music_when_empty,
        "Hears music while alone.",
    ),
    row(
        "pin",
        "",
        Parse::Own(pin),
        "The number to be typed before joining.",
    ),
    flag(
        "quiet",
        "no",
        |p| &mut p.quiet,
        "No sounds of coming and going.",
    ),
    flag(
        "send_events",
        "no",
        |p| &mut p.send_events,
        "Gets messages about the conference.",
    ),
    flag("startmuted", "no", |p| &mut p.start_muted, "Joins muted."),
    flag(
        "talk_detection_events",
        "no",
        |p| &mut p.talk_detection_events,
        "Makes events of who talks.",
    ),
    row(
        "template",
        "",
        Parse::Optional(|p| &mut p.template),
        "The profile it starts from, for the function CONFBRIDGE.",
    ),
    flag(
        "text_messaging",
        "yes",
        |p| &mut p.text_messaging,
        "Gets text messages.",
    ),
    row(
        "timeout",
        "0",
        Parse::Number(|p| &mut p.timeout_s, 0, 86400),
        "Seconds after which it is put out; 0 is never.",
    ),
    flag(
        "wait_marked",
        "no",
        |p| &mut p.wait_marked,
        "Waits until a marked participant comes.",
    ),
];

fn pin(user: &mut UserProfile, value: &str) -> Result<(), Fault> {
    user.pin = text(value).map(Secret::new);
    Ok(())
}
