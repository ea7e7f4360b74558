//! `sidetone check --asterisk`: the report about a folder of Asterisk, as text and as JSON.

use std::fmt::Write as _;
use std::path::Path;

use config::migration::{Abilities, Item, Lacking, Migration, Verdict, migration};
use serde_json::{Value, json};

use crate::check::{beside, print};
use crate::files;

/// Prints the report; whether everything is supported.
pub(super) fn run(folder: &Path, as_json: bool) -> bool {
    let applications: Vec<&str> = apps::APPLICATIONS.iter().map(|app| app.name).collect();
    let functions: Vec<&str> = apps::FUNCTIONS.iter().map(|found| found.name).collect();
    let abilities = Abilities {
        applications: &applications,
        functions: &functions,
    };
    let source = files::Folder(folder.to_owned());
    let found = migration(&source, abilities, &beside(&source));
    match as_json {
        true => print(&format!("{:#}\n", json_of(&found, folder))),
        false => print(&text(&found, folder)),
    }
    found.count(Verdict::Unsupported) == 0
}

fn text(found: &Migration, folder: &Path) -> String {
    let mut text = format!("What works here of {}\n", folder.display());
    for file in &found.files {
        let _ = write!(text, "\n{} ({})\n", file.file, file.about);
        for item in &file.items {
            let message = &item.message;
            let _ = writeln!(text, "  {:<11} {}{message}", item.verdict, place(item));
            if let Some(suggestion) = &item.suggestion {
                let _ = writeln!(text, "              = {suggestion}");
            }
        }
    }
    lacking(&mut text, "Applications", &found.applications);
    lacking(&mut text, "Functions", &found.functions);
    let _ = write!(
        text,
        "\n{} files: {} things work, {} differ, {} are not supported\n",
        found.files.len(),
        found.count(Verdict::Works),
        found.count(Verdict::Differs),
        found.count(Verdict::Unsupported),
    );
    text
}

/// `pjsip.conf:12:1: `; nothing for a file as a whole.
fn place(item: &Item) -> String {
    match item.line {
        0 => String::new(),
        line => format!("{}:{line}:{}: ", item.file, item.column),
    }
}

fn lacking(text: &mut String, what: &str, list: &[Lacking]) {
    if list.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{what} that are not there");
    for lacking in list {
        let shown: Vec<String> = lacking.places.iter().take(PLACES_SHOWN).cloned().collect();
        let more = match lacking.places.len() - shown.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let (name, why, places) = (&lacking.name, lacking.why, shown.join(", "));
        let _ = writeln!(text, "  {name:<20} {why} ({places}{more})");
    }
}

/// Places of one application that are named in the text; JSON has all.
const PLACES_SHOWN: usize = 5;

fn json_of(found: &Migration, folder: &Path) -> Value {
    let files = found.files.iter().map(|file| {
        let items = file.items.iter().map(|item| {
            let placed = item.line > 0;
            json!({
                "verdict": item.verdict.as_str(),
                "file": item.file,
                "line": placed.then_some(item.line),
                "column": placed.then_some(item.column),
                "message": item.message,
                "suggestion": item.suggestion,
            })
        });
        json!({
            "file": file.file,
            "about": file.about,
            "items": items.collect::<Vec<_>>(),
        })
    });
    let lacking = |list: &[Lacking]| {
        let list = list.iter().map(
            |lacking| json!({ "name": lacking.name, "why": lacking.why, "places": lacking.places }),
        );
        list.collect::<Vec<_>>()
    };
    json!({
        "directory": folder,
        "ok": found.count(Verdict::Unsupported) == 0,
        "files": files.collect::<Vec<_>>(),
        "applications": lacking(&found.applications),
        "functions": lacking(&found.functions),
        "counts": {
            "works": found.count(Verdict::Works),
            "differs": found.count(Verdict::Differs),
            "unsupported": found.count(Verdict::Unsupported),
        },
    })
}
