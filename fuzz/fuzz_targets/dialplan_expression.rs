//! Any text can be substituted and evaluated, within the limits of both.

#![no_main]

use dialplan::{Variables, evaluate, substitute};
use libfuzzer_sys::fuzz_target;
use std::borrow::Cow;

struct Sample;

impl Variables for Sample {
    fn variable(&self, name: &str) -> Option<Cow<'_, str>> {
        match name {
            "" => None,
            "EXTEN" => Some("246".into()),
            "LONG" => Some("$[1".repeat(5000).into()),
            name => Some(name.to_owned().into()),
        }
    }

    fn function(&self, name: &str, arguments: &str) -> Option<String> {
        (name == "SAME").then(|| arguments.to_owned())
    }
}

fuzz_target!(|text: &str| {
    let _ = evaluate(text);
    assert!(substitute(text, &Sample).len() <= 64 << 10);
});
