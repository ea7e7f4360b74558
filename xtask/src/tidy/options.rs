//! Every option that the manual says is in force is named by a test outside the tables: what is promised is
//! proven. Reading it is not enough, so the tests of `core/config` do not count, and neither does a list of all
//! options that the console shows.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::run::root;
use crate::tidy::{files, sources};

/// Where an option is named without being used.
const NO_PROOF: &[&str] = &["core/config", "core/conf", "server/cli/tests/console.rs"];

#[test]
fn every_option_in_force_is_named_by_a_test() {
    let manual = fs::read_to_string(root().join("docs/configuration.md")).unwrap();
    let words = tested_words();
    let unproven: Vec<String> = in_force(&manual)
        .filter(|(_, option)| !words.contains(*option))
        .map(|(kind, option)| format!("{kind} {option}"))
        .collect();
    assert!(
        unproven.is_empty(),
        "docs/configuration.md says that these options are in force, and no test outside core/config names \
         them: write one of what they do\n{}",
        unproven.join("\n")
    );
}

/// Kind and name of each option without "No effect here".
fn in_force(manual: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut kind = "";
    let mut is_inert = false;
    manual.lines().filter_map(move |line| {
        if let Some(heading) = line.strip_prefix("### ") {
            (kind, is_inert) = (heading, false);
        }
        is_inert |= line.starts_with("| (all)");
        let (option, meaning) = line.strip_prefix("| `")?.split_once("` |")?;
        (!is_inert && !meaning.contains("No effect here")).then_some((kind, option))
    })
}

/// Every word of every test, and of the files the interop tests run on.
fn tested_words() -> BTreeSet<String> {
    let rust = sources().into_iter().filter_map(|(path, text)| {
        let name = path.strip_prefix(root()).unwrap_or(&path);
        let is_proof = !NO_PROOF.iter().any(|place| name.starts_with(place));
        is_proof.then(|| tests_of(name, &text)).flatten()
    });
    let interop = ["tests", "lib", "chapter"].into_iter().flat_map(|folder| {
        let folder = root().join("interop").join(folder);
        let endings = ["mjs", "conf"].into_iter();
        endings.flat_map(move |ending| files(&folder, ending))
    });
    let interop = interop.map(|path| fs::read_to_string(path).unwrap());
    let mut words = BTreeSet::new();
    for text in rust.chain(interop) {
        // `\n` in a string is no part of the word after it.
        let text = text.replace("\\n", " ").replace("\\t", " ");
        let split = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        words.extend(split.filter(|word| !word.is_empty()).map(str::to_owned));
    }
    words
}

/// The part of a source that is tests.
fn tests_of(name: &Path, text: &str) -> Option<String> {
    let whole = name.components().any(|part| part.as_os_str() == "tests")
        || name.file_name().is_some_and(|file| file == "tests.rs");
    let at = if whole {
        0
    } else {
        text.find("#[cfg(test)]\nmod tests {")?
    };
    Some(text[at..].to_owned())
}
