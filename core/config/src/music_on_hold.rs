//! `musiconhold.conf`: classes of music for those who wait.

use crate::option::{Fault, Object, Parse, Row, inert, row, word};
use std::collections::BTreeMap;
use std::sync::Arc;

/// `musiconhold.conf`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MusicOnHold {
    /// Whether the class set for a channel goes before the one that is suggested by who holds it.
    pub prefer_channel_class: bool,
    /// The classes that can be heard, by name.
    pub classes: BTreeMap<String, Arc<MusicClass>>,
}

impl Default for MusicOnHold {
    fn default() -> Self {
        Self {
            prefer_channel_class: true,
            classes: BTreeMap::new(),
        }
    }
}

/// One class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MusicClass {
    /// The section's name.
    pub name: String,
    /// Where its pieces come from; `None`: nothing is said.
    pub mode: Option<MusicMode>,
    /// The folder of its files.
    pub directory: Option<String>,
    /// Its files, for a playlist, without endings or with.
    pub entries: Vec<String>,
    /// In which order they are played.
    pub sort: MusicSort,
    /// Whether the last piece is repeated, instead of all of them.
    pub loop_last: bool,
    /// What each hears first, and all hear between two pieces.
    pub announcement: Option<String>,
    /// The digit by which those who hear music choose this class.
    pub digit: Option<char>,
    /// Whether only calls that are answered hear it.
    pub answered_only: bool,
}

/// `mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MusicMode {
    /// The files of a folder.
    Files,
    /// The files that are named.
    Playlist,
    /// What a program prints.
    Program,
}

impl MusicMode {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Playlist => "playlist",
            Self::Program => "custom",
        }
    }
}

/// `sort`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MusicSort {
    /// By name, from the first; a playlist as it is written.
    #[default]
    Alphabetical,
    /// Each piece by chance.
    Random,
    /// By name, from a piece chosen by chance.
    RandomStart,
}

impl MusicSort {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Alphabetical => "alpha",
            Self::Random => "random",
            Self::RandomStart => "randstart",
        }
    }
}

impl MusicClass {
    /// What keeps it from being heard: the end of a sentence, and what to do.
    pub(crate) fn lacks(&self) -> Option<(&'static str, &'static str)> {
        match self.mode {
            None => Some(("it has no `mode=`", "add `mode=files` and `directory=…`")),
            Some(MusicMode::Program) => Some((
                "no program runs on behalf of a call",
                "put files into a folder and write `mode=files` and `directory=…`",
            )),
            Some(MusicMode::Files) if self.directory.is_none() => {
                Some(("it names no folder", "add `directory=…`"))
            }
            Some(MusicMode::Playlist) if self.entries.is_empty() => Some((
                "it names no files",
                "add `entry=/path/to/a/file` for each of them",
            )),
            Some(MusicMode::Files | MusicMode::Playlist) => None,
        }
    }
}

impl Object for MusicClass {
    const KIND: &'static str = "music class";
    const OPTIONS: &'static [Row<Self>] = CLASS;

    fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            mode: None,
            directory: None,
            entries: Vec::new(),
            sort: MusicSort::default(),
            loop_last: false,
            announcement: None,
            digit: None,
            answered_only: false,
        }
    }
}

impl Object for MusicOnHold {
    const KIND: &'static str = "musiconhold.conf";
    const OPTIONS: &'static [Row<Self>] = GENERAL;

    fn named(_: &str) -> Self {
        Self::default()
    }
}

const GENERAL: &[Row<MusicOnHold>] = &[
    inert(
        "cachertclasses",
        "no",
        Parse::Own(|_, _| Ok(())),
        "Keeps classes of the database.",
        "classes are those of this file",
    ),
    row(
        "preferchannelclass",
        "yes",
        Parse::YesNo(|music| &mut music.prefer_channel_class),
        "The class set by CHANNEL(musicclass) goes before the one that `moh_suggest` of who holds names; no: \
         after it.",
    ),
];

const CLASS: &[Row<MusicClass>] = &[
    row(
        "announcement",
        "",
        Parse::Optional(|class| &mut class.announcement),
        "A sound that each hears first, and all hear between two pieces.",
    ),
    row(
        "answeredonly",
        "no",
        Parse::YesNo(|class| &mut class.answered_only),
        "Calls that are not answered do not hear it.",
    ),
    inert(
        "application",
        "",
        Parse::Own(|_, _| Ok(())),
        "The program of mode=custom.",
        NO_PROGRAM,
    ),
    row(
        "digit",
        "",
        Parse::Own(digit),
        "The digit by which those who hear music choose this class.",
    ),
    row(
        "directory",
        "",
        Parse::Optional(|class| &mut class.directory),
        "The folder of mode=files; a relative one is beside the folder `sounds` of sidetone.conf.",
    ),
    row(
        "entry",
        "",
        Parse::Own(entry),
        "A file of mode=playlist, by its whole path, with its ending or without; repeatable.",
    ),
    inert(
        "format",
        "",
        Parse::Own(|_, _| Ok(())),
        "What the program prints.",
        NO_PROGRAM,
    ),
    inert(
        "kill_escalation_delay",
        "500",
        Parse::Own(|_, _| Ok(())),
        "How the program is ended.",
        NO_PROGRAM,
    ),
    inert(
        "kill_method",
        "process_group",
        Parse::Own(|_, _| Ok(())),
        "How the program is ended.",
        NO_PROGRAM,
    ),
    row(
        "loop_last",
        "no",
        Parse::YesNo(|class| &mut class.loop_last),
        "At the end of a playlist the last file is repeated, instead of all of them.",
    ),
    row(
        "mode",
        "",
        Parse::Own(mode),
        "files: those of `directory`; playlist: those of `entry`; custom, mp3, mp3nb, quietmp3 and quietmp3nb \
         are not heard, because no program runs on behalf of a call.",
    ),
    row(
        "random",
        "no",
        Parse::Own(random),
        "yes is sort=random, as it was written before Asterisk 1.6.",
    ),
    row(
        "sort",
        "",
        Parse::Own(sort),
        "alpha: by name, as without it; random: each by chance; randstart: by name, from one chosen by chance.",
    ),
];

const NO_PROGRAM: &str = "no program runs on behalf of a call";

fn mode(class: &mut MusicClass, value: &str) -> Result<(), Fault> {
    const WORDS: &[&str] = &[
        "files",
        "playlist",
        "custom",
        "mp3",
        "mp3nb",
        "quietmp3",
        "quietmp3nb",
    ];
    class.mode = Some(match word(value, WORDS)? {
        0 => MusicMode::Files,
        1 => MusicMode::Playlist,
        _ => MusicMode::Program,
    });
    Ok(())
}

fn sort(class: &mut MusicClass, value: &str) -> Result<(), Fault> {
    const WORDS: &[&str] = &["alpha", "random", "randstart"];
    class.sort = match word(value, WORDS)? {
        0 => MusicSort::Alphabetical,
        1 => MusicSort::Random,
        _ => MusicSort::RandomStart,
    };
    Ok(())
}

fn random(class: &mut MusicClass, value: &str) -> Result<(), Fault> {
    if crate::option::yes_no(value)? {
        class.sort = MusicSort::Random;
    }
    Ok(())
}

fn digit(class: &mut MusicClass, value: &str) -> Result<(), Fault> {
    let mut digits = value.chars();
    let is_digit = |c: &char| c.is_ascii_digit() || "*#ABCD".contains(*c);
    class.digit = match (digits.next(), digits.next()) {
        (None, _) => None,
        (Some(one), None) if is_digit(&one) => Some(one),
        (Some(_), _) => return Err(Fault::NotDigit),
    };
    Ok(())
}

fn entry(class: &mut MusicClass, value: &str) -> Result<(), Fault> {
    if !value.starts_with('/') {
        return Err(Fault::NotWholePath);
    }
    if class.entries.len() == ENTRIES_MAX {
        return Err(Fault::TooMany(ENTRIES_MAX));
    }
    class.entries.push(value.to_owned());
    Ok(())
}

/// Files of one playlist.
const ENTRIES_MAX: usize = 10_000;
