//! Lines of files as messages show them: short, and without secrets.

use crate::{Diagnostic, Source, closest};
use std::collections::BTreeMap;

/// Shows the line to each message that has a place and shows none, as far as the source still has it.
pub fn show_lines(source: &dyn Source, diagnostics: &mut [Diagnostic]) {
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    for diagnostic in diagnostics {
        if diagnostic.line == 0 || diagnostic.excerpt.is_some() {
            continue;
        }
        let text = texts.entry(diagnostic.file.clone()).or_insert_with(|| {
            let read = source.read(&diagnostic.file);
            read.ok().flatten().unwrap_or_default()
        });
        let line = text.lines().nth(diagnostic.line as usize - 1);
        diagnostic.excerpt = line.map(without_secret);
    }
}

/// The line as it may be shown to whoever reads the log.
pub(super) fn without_secret(line: &str) -> String {
    let shown: String = line.chars().take(EXCERPT_CHARS_MAX).collect();
    match shown.split_once('=') {
        Some((name, _)) if is_secret(name.trim()) => format!("{name}=…"),
        _ => shown,
    }
}

/// Whether the value of an option of this name, perhaps misspelt, must not be shown.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    // The URL of a database may hold a password.
    if name == "url" {
        return true;
    }
    ["pass", "pwd", "secret", "cred", "token", "digest"]
        .iter()
        .any(|part| name.contains(part))
        || closest(&name, ["password", "password_digest", "md5_cred", "secret"]).is_some()
}

/// Whether a `;` in the value is likelier a part of it than the start of a comment: passwords and URIs.
pub(super) fn may_hold_semicolons(name: &str, value: &str) -> bool {
    is_secret(name)
        || ["sip:", "sips:"]
            .iter()
            .any(|scheme| value.contains(scheme))
}

/// Longer lines are cut in excerpts.
const EXCERPT_CHARS_MAX: usize = 200;
