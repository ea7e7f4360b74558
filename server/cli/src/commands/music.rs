//! `moh show classes`, `moh show files`, `moh reload`.

use std::fmt::Write as _;

use config::MusicMode;
use switch::Switch;

use super::reload;
use crate::command::{Command, Outcome, Takes};
use crate::exchange::Exchange;
use crate::reload::Part;

pub(crate) static RELOAD: Command = Command {
    path: "moh reload",
    takes: Takes::Nothing,
    synopsis: "Reload MusicOnHold",
    doc: "Reads the files again and puts musiconhold.conf in force, unless it has an error. Who hears\n\
          music of a class that is written as before goes on hearing it. New files in a folder are\n\
          found without this, once all others have been played.",
    run: |exchange, _| Box::pin(reload::reload(exchange, Part::Music, None)),
};

pub(crate) static SHOW_CLASSES: Command = Command {
    path: "moh show classes",
    takes: Takes::Nothing,
    synopsis: "List MusicOnHold classes",
    doc: "The classes of music on hold: where their pieces come from, and the digit that chooses each.",
    run: |exchange, _| Box::pin(show_classes(exchange)),
};

pub(crate) static SHOW_FILES: Command = Command {
    path: "moh show files",
    takes: Takes::Nothing,
    synopsis: "List MusicOnHold file-based classes",
    doc: "The pieces of each class, in the order of their names. A piece that is there in several\n\
          formats stands once.",
    run: |exchange, _| Box::pin(show_files(exchange)),
};

async fn show_classes(exchange: &Exchange) -> Outcome {
    let config = exchange.parts.switch.config();
    let classes = &config.music.classes;
    let mut text = String::new();
    if !classes.contains_key(DEFAULT) {
        let _ = writeln!(
            text,
            "Class: {DEFAULT}\n\tMode: generated\n\tDirectory: <none>"
        );
    }
    for class in classes.values() {
        let folder = exchange.parts.switch.music_folder(class);
        let folder = folder.map_or_else(|| "<none>".to_owned(), |it| it.display().to_string());
        let mode = class.mode.map_or("<none>", MusicMode::as_str);
        let _ = writeln!(
            text,
            "Class: {}\n\tMode: {mode}\n\tDirectory: {folder}",
            class.name
        );
        if let Some(digit) = class.digit {
            let _ = writeln!(text, "\tDigit: {digit}");
        }
    }
    Outcome::Done(text)
}

async fn show_files(exchange: &Exchange) -> Outcome {
    let switch = exchange.parts.switch.clone();
    let listed = tokio::task::spawn_blocking(move || listed(&switch)).await;
    match listed {
        Ok(text) => Outcome::Done(text),
        Err(error) => Outcome::Failed(format!("The folders cannot be read: {error}\n")),
    }
}

fn listed(switch: &Switch) -> String {
    let mut text = String::new();
    for class in switch.config().music.classes.values() {
        let pieces = switch.music_pieces(class);
        let _ = writeln!(text, "Class: {}", class.name);
        for piece in pieces {
            let _ = writeln!(text, "\tFile: {}", piece.display());
        }
    }
    text
}

/// The class that is always there.
const DEFAULT: &str = "default";
