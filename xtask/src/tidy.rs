//! The house rules that no lint knows: crate edges, file lengths, banned names, complete tables.

mod options;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::run::root;

/// Which of our crates may see which (ARCHITECTURE.md draws the same).
const EDGES: &[(&str, &[&str])] = &[
    ("sip", &[]),
    ("sdp", &[]),
    ("rtp", &[]),
    ("codec", &[]),
    ("conf", &[]),
    ("dialplan", &["conf"]),
    ("rtc", &["rtp", "sdp", "codec"]),
    ("config", &["codec", "conf", "dialplan"]),
    ("store", &["config", "dialplan"]),
    ("media", &["rtc", "rtp", "codec", "sdp"]),
    (
        "switch",
        &[
            "media", "store", "config", "dialplan", "rtc", "sdp", "codec",
        ],
    ),
    ("apps", &["switch", "rtc", "codec", "media", "store"]),
    ("web", &[]),
    (
        "signal",
        &[
            "switch", "sip", "sdp", "rtc", "web", "config", "media", "store",
        ],
    ),
    (
        "cli",
        &[
            "switch", "signal", "web", "config", "dialplan", "store", "codec",
        ],
    ),
    (
        "doctor",
        &[
            "codec", "conf", "config", "dialplan", "rtc", "sdp", "sip", "store", "web",
        ],
    ),
    ("xtask", &[]),
];

/// Lines a source file may have.
const LINES_MAX: usize = 800;

/// Words that say nothing about what a type is.
const BANNED_TYPES: &[&str] = &["Session", "Manager", "Context", "Helper"];

/// Verbs that say nothing about what a function does.
const BANNED_PREFIXES: &[&str] = &["get_", "process_", "do_"];

/// The one exception: `Headers::get_all` is what `http::HeaderMap` calls it.
const ALLOWED_FUNCTIONS: &[&str] = &["get_all"];

#[test]
fn crates_see_only_what_they_may() {
    let allowed: BTreeMap<&str, &[&str]> = EDGES.iter().copied().collect();
    let ours: Vec<&str> = EDGES.iter().map(|(name, _)| *name).collect();
    for manifest in manifests() {
        let text = fs::read_to_string(&manifest).unwrap();
        let table: toml::Table = text.parse().unwrap();
        let name = table["package"]["name"].as_str().unwrap();
        if matches!(name, "sidetone" | "sim" | "bench") {
            continue;
        }
        let may = allowed
            .get(name)
            .unwrap_or_else(|| panic!("{name} is not in EDGES"));
        let dependencies = table.get("dependencies").and_then(toml::Value::as_table);
        for dependency in dependencies
            .into_iter()
            .flatten()
            .map(|(name, _)| name.as_str())
        {
            assert!(
                !ours.contains(&dependency) || may.contains(&dependency),
                "{name} must not depend on {dependency}: {}",
                manifest.display()
            );
        }
    }
}

#[test]
fn files_hold_one_idea() {
    for (path, text) in sources() {
        let lines = text.lines().count();
        assert!(
            lines <= LINES_MAX,
            "{} has {lines} lines (max {LINES_MAX})",
            path.display()
        );
        assert!(
            !path.ends_with("mod.rs"),
            "{}: name the file after the module",
            path.display()
        );
    }
}

#[test]
fn names_say_what_things_are() {
    for (path, text) in sources() {
        for (number, line) in text.lines().enumerate() {
            let place = format!("{}:{}", path.display(), number + 1);
            for keyword in ["struct ", "enum ", "trait "] {
                if let Some(name) = declared(line, keyword) {
                    assert!(
                        !BANNED_TYPES.contains(&name),
                        "{place}: {name} says nothing"
                    );
                }
            }
            if let Some(name) = declared(line, "fn ") {
                let banned = BANNED_PREFIXES
                    .iter()
                    .find(|prefix| name.starts_with(**prefix));
                assert!(
                    banned.is_none() || ALLOWED_FUNCTIONS.contains(&name),
                    "{place}: fn {name} begins with a verb that says nothing"
                );
            }
        }
    }
}

#[test]
fn core_tests_never_sleep() {
    for (path, text) in sources() {
        if path.starts_with(root().join("core")) {
            assert!(
                !text.contains("sleep("),
                "{}: core/ runs in virtual time",
                path.display()
            );
        }
    }
}

#[test]
fn nothing_is_left_for_later() {
    let marks = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("#[ig", "nore"),
        concat!("#[should", "_panic"),
    ];
    for (path, text) in sources() {
        for mark in marks {
            assert!(!text.contains(mark), "{} contains {mark}", path.display());
        }
    }
}

#[test]
fn every_application_is_in_the_table_and_documented() {
    let folder = root().join("server/apps/src");
    let table = fs::read_to_string(folder.join("lib.rs")).unwrap();
    for file in files(&folder, "rs") {
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&file).unwrap();
        // One file may hold several that belong together.
        for line in text.lines() {
            let declared = line.split_once(": Application = Application");
            let Some((_, constant)) = declared.and_then(|(head, _)| head.rsplit_once(' ')) else {
                continue;
            };
            let constant = format!("{name}::{constant}");
            assert!(table.contains(&constant), "APPLICATIONS lacks {constant}");
        }
        // Its page is a file of its own.
        let pages = text.matches(": Application = Application").count();
        assert_eq!(
            text.matches("doc: include_str!(").count(),
            pages,
            "{}",
            file.display()
        );
    }
}

#[test]
fn core_has_a_clippy_file_that_repeats_the_thresholds() {
    let rootfile: toml::Table = fs::read_to_string(root().join("clippy.toml"))
        .unwrap()
        .parse()
        .unwrap();
    let core: toml::Table = fs::read_to_string(root().join("core/clippy.toml"))
        .unwrap()
        .parse()
        .unwrap();
    for (key, value) in &rootfile {
        assert_eq!(
            core.get(key),
            Some(value),
            "core/clippy.toml must repeat {key}"
        );
    }
}

/// The name after `keyword` where a line declares one.
fn declared<'a>(line: &'a str, keyword: &str) -> Option<&'a str> {
    let code = line.trim_start();
    if code.starts_with("//") {
        return None;
    }
    let at = code.find(keyword)?;
    let before = &code[..at];
    let is_declaration = before.split_whitespace().all(|word| {
        word.starts_with("pub") || matches!(word, "async" | "const" | "unsafe" | "extern")
    });
    if !is_declaration {
        return None;
    }
    let rest = &code[at + keyword.len()..];
    let end = rest
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(rest.len());
    Some(&rest[..end])
}

fn manifests() -> Vec<PathBuf> {
    let mut found = vec![root().join("xtask/Cargo.toml")];
    for layer in ["core", "server"] {
        for entry in fs::read_dir(root().join(layer))
            .unwrap()
            .map(Result::unwrap)
        {
            let manifest = entry.path().join("Cargo.toml");
            if manifest.exists() {
                found.push(manifest);
            }
        }
    }
    found
}

fn sources() -> Vec<(PathBuf, String)> {
    let mut paths = Vec::new();
    for layer in ["core", "server", "xtask", "sim", "bench"] {
        let folder = root().join(layer);
        if folder.exists() {
            walk(&folder, &mut paths);
        }
    }
    paths
        .into_iter()
        .map(|path| (path.clone(), fs::read_to_string(&path).unwrap()))
        .collect()
}

fn walk(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() && !path.ends_with("target") {
            walk(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    found.sort();
    found
}
