//! `core show settings`, `core show codecs`, `core show functions`, `core show function`.

use std::time::{Duration, SystemTime};

use codec::{CODECS, Kind};
use switch::Function;

use crate::command::{Command, Names, Outcome, Slot, Takes};
use crate::commands::count;
use crate::exchange::Exchange;
use crate::page::Page;

pub(crate) static SHOW_SETTINGS: Command = Command {
    path: "core show settings",
    takes: Takes::Nothing,
    synopsis: "Show some core settings",
    doc: "Shows the version, limits, levels of the log, times of start and reload, and folders.",
    run: |exchange, _| Box::pin(show_settings(exchange)),
};

pub(crate) static SHOW_CODECS: Command = Command {
    path: "core show codecs",
    takes: Takes::Maybe(&["audio", "video"]),
    synopsis: "Displays a list of registered codecs",
    doc: "Lists the codecs an endpoint may be allowed; audio is transcoded where two parties share none, video is passed on.",
    run: |_, words| Box::pin(async { Outcome::Done(codecs(words.first().map(String::as_str))) }),
};

pub(crate) static SHOW_FUNCTIONS: Command = Command {
    path: "core show functions",
    takes: Takes::Form(&[Slot::Optional, Slot::Word("like"), Slot::Any("text")]),
    synopsis: "Shows registered dialplan functions",
    doc: "Lists the functions a dial plan may read or set; with `like`, those whose name has a text.",
    run: |exchange, words| Box::pin(async { functions(exchange, words) }),
};

pub(crate) static SHOW_FILE_FORMATS: Command = Command {
    path: "core show file formats",
    takes: Takes::Nothing,
    synopsis: "Displays file formats",
    doc: "Lists the formats of sound files that are played, and their endings.",
    run: |_, _| Box::pin(async { Outcome::Done(file_formats()) }),
};

pub(crate) static SHOW_FUNCTION: Command = Command {
    path: "core show function",
    takes: Takes::Form(&[Slot::Name("function", Names::Functions)]),
    synopsis: "Describe a specific dialplan function",
    doc: "Shows what one function tells, whether it can be set, how it is written and its items.",
    run: |exchange, words| Box::pin(async { function(exchange, &words[0]) }),
};

async fn show_settings(exchange: &Exchange) -> Outcome {
    let parts = &exchange.parts;
    let reloaded = exchange.reloader.last().await;
    let state = parts.log.state();
    let folder = |path: &std::path::Path| path.display().to_string();
    let general = [
        (
            "Version",
            parts
                .product
                .rsplit('/')
                .next()
                .unwrap_or_default()
                .to_owned(),
        ),
        ("Maximum calls", switch::CHANNELS_MAX.to_string()),
        ("Maximum open file handles", open_files_max()),
        ("Log verbosity", state.verbose.to_string()),
        ("Debug level", state.debug.all.to_string()),
        ("SIP messages are printed", yes_no(state.sip.on)),
        ("RTP packets are printed", yes_no(state.rtp.on)),
        ("Startup time", ago(exchange.uptime())),
        (
            "Last reload time",
            reloaded.map_or_else(|| "never".to_owned(), |at| ago(at.elapsed())),
        ),
        (
            "System",
            format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH),
        ),
        ("Process", std::process::id().to_string()),
    ];
    let config = parts.places.config.as_deref();
    let folders = [
        (
            "Configuration",
            config.map_or_else(|| "built in (the demo)".to_owned(), folder),
        ),
        ("Data", folder(&parts.places.data)),
        ("Log", folder(&parts.places.data.join("log"))),
    ];
    let mut text = String::from("\nPBX Core settings\n-----------------\n");
    list(&mut text, &general);
    text.push_str("\n* Directories\n  -------------\n");
    list(&mut text, &folders);
    Outcome::Done(text + "\n")
}

fn list(text: &mut String, lines: &[(&str, String)]) {
    for (name, value) in lines {
        text.push_str(&format!("  {:<29}{value}\n", format!("{name}:")));
    }
}

fn yes_no(yes: bool) -> String {
    if yes { "Yes" } else { "No" }.to_owned()
}

/// The soft limit of the process.
fn open_files_max() -> String {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().nth(3));
    soft.unwrap_or("unknown").to_owned()
}

/// The time of something so long ago, of the clock as it is now.
fn ago(age: Duration) -> String {
    let at = SystemTime::now()
        .checked_sub(age)
        .unwrap_or(SystemTime::UNIX_EPOCH);
    crate::log::time_of(at)
}

fn codecs(kind: Option<&str>) -> String {
    let rule = "-".repeat(80);
    let mut text = format!(
        "Disclaimer: this command is for informational purposes only.\n\
         \tIt does not indicate anything about your configuration.\n\
         {:>8} {:<5} {:<12} {:<16} DESCRIPTION\n{rule}\n",
        "ID", "TYPE", "NAME", "FORMAT"
    );
    for (index, codec) in CODECS.iter().enumerate() {
        let own = match codec.kind {
            Kind::Audio => "audio",
            Kind::Video => "video",
        };
        if kind.is_none_or(|kind| kind.eq_ignore_ascii_case(own)) {
            text.push_str(&format!(
                "{:>8} {own:<5} {:<12} {:<16} ({} at {} Hz)\n",
                index + 1,
                codec.name,
                codec.name,
                codec.encoding,
                codec.clock_hz
            ));
        }
    }
    text
}

/// Files that are played, and by their endings: as which format, under which of Asterisk's names.
const FILE_FORMATS: [(&str, &str, &str); 13] = [
    ("slin96", "sln96", "sln96"),
    ("slin48", "sln48", "sln48"),
    ("slin44", "sln44", "sln44"),
    ("slin32", "sln32", "sln32"),
    ("slin24", "sln24", "sln24"),
    ("slin16", "sln16", "sln16"),
    ("slin16", "wav16", "wav16"),
    ("slin12", "sln12", "sln12"),
    ("slin", "sln", "sln|raw"),
    ("slin", "wav", "wav"),
    ("g722", "g722", "g722"),
    ("alaw", "alaw", "alaw|al|alw"),
    ("ulaw", "pcm", "pcm|ulaw|ul|mu"),
];

fn file_formats() -> String {
    let line = |format: &str, name: &str, endings: &str| {
        format!("{format:<10} {name:<10} {endings:<20}\n")
    };
    let mut text = line("Format", "Name", "Extensions") + &line("------", "----", "----------");
    for (format, name, endings) in FILE_FORMATS {
        text.push_str(&line(format, name, endings));
    }
    text + &format!("{} file formats registered.\n", FILE_FORMATS.len())
}

fn functions(exchange: &Exchange, words: &[String]) -> Outcome {
    let like = match words {
        [] => None,
        [_, like] => Some(like.to_ascii_uppercase()),
        _ => return Outcome::Usage,
    };
    let all = exchange.parts.switch.functions().iter();
    let is_meant = |function: &&&Function| {
        let like = like.as_deref();
        like.is_none_or(|like| function.name.contains(like))
    };
    let functions: Vec<&&Function> = all.filter(is_meant).collect();
    let rule = "-".repeat(80);
    let (which, matching) = match like {
        None => ("Installed", ""),
        Some(_) => ("Matching", "matching "),
    };
    let mut text = format!("{which} Custom Functions:\n{rule}\n");
    for function in &functions {
        let usage = (exchange.parts.function_doc)(function.name).map(|doc| Page::of(doc).syntax);
        let usage = usage.unwrap_or_else(|| syntax_of(function.name, function.synopsis));
        text.push_str(&format!(
            "{:<20.20}  {usage:<35.35}  {}\n",
            function.name, function.synopsis
        ));
    }
    let number = count(
        functions.len() as u64,
        &format!("{matching}custom function"),
        &format!("{matching}custom functions"),
    );
    Outcome::Done(format!("{text}{number} installed.\n"))
}

fn function(exchange: &Exchange, name: &str) -> Outcome {
    let mut all = exchange.parts.switch.functions().iter();
    let found = all.find(|function| function.name.eq_ignore_ascii_case(name));
    let Some(function) = found else {
        return Outcome::Failed(format!("No function by that name registered: '{name}'\n"));
    };
    let set = if function.write.is_some() {
        "It can be set."
    } else {
        "It can be read alone."
    };
    let (name, synopsis) = (function.name, function.synopsis);
    let page = (exchange.parts.function_doc)(name).map(Page::of);
    let (syntax, text) = match page {
        Some(page) => (page.syntax, format!("{set}\n\n{}", page.text)),
        None => (syntax_of(name, synopsis), set.to_owned()),
    };
    Outcome::Done(format!(
        "\n  -= Info about Function '{name}' =-\n\n[Synopsis]\n{synopsis}\n\n[Description]\n{}\n\n[Syntax]\n{syntax}\n\n",
        text.trim_end()
    ))
}

/// How a function is written, as the end of its synopsis says: `LEN(text)` of `…: LEN(text)`.
fn syntax_of(name: &str, synopsis: &str) -> String {
    let begin = format!("{name}(");
    match synopsis.find(&begin) {
        None => format!("{name}()"),
        Some(at) => {
            let mut depth = 0_u32;
            let end = synopsis[at..].find(|sign| {
                depth = match sign {
                    '(' => depth + 1,
                    ')' => depth.saturating_sub(1),
                    _ => depth,
                };
                sign == ')' && depth == 0
            });
            let end = end.map_or(synopsis.len(), |end| at + end + 1);
            synopsis[at..end].to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::{FILE_FORMATS, codecs, file_formats, syntax_of};

    #[test]
    fn every_ending_that_is_played_is_listed_once() {
        let endings = FILE_FORMATS
            .iter()
            .flat_map(|(.., endings)| endings.split('|'));
        let mut endings: Vec<&str> = endings.collect();
        let mut played = codec::SOUND_ENDINGS.to_vec();
        endings.sort_unstable();
        played.sort_unstable();
        assert_eq!(endings, played);
        let text = file_formats();
        assert!(
            text.contains("\nslin       sln        sln|raw             \n"),
            "{text}"
        );
    }

    #[test]
    fn how_a_function_is_written_stands_in_its_synopsis() {
        let synopsis = "How long a text is: LEN(text(x)), or so";
        assert_eq!(syntax_of("LEN", synopsis), "LEN(text(x))");
        assert_eq!(syntax_of("VERSION", "The version"), "VERSION()");
    }

    #[test]
    fn codecs_stand_in_asterisks_columns() {
        expect![[r#"
            Disclaimer: this command is for informational purposes only.
            	It does not indicate anything about your configuration.
                  ID TYPE  NAME         FORMAT           DESCRIPTION
            --------------------------------------------------------------------------------
                   9 video vp8          vp8              (VP8 at 90000 Hz)
                  10 video vp9          vp9              (VP9 at 90000 Hz)
                  11 video h264         h264             (H264 at 90000 Hz)
                  12 video av1          av1              (AV1 at 90000 Hz)
        "#]]
        .assert_eq(&codecs(Some("video")));
    }
}
