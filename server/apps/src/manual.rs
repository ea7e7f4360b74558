//! The text of `docs/dialplan.md`, from the two tables.

use std::fmt::Write as _;

use crate::{APPLICATIONS, FUNCTIONS};

const HEAD: &str = "\
# The dial plan

Made from the program's own tables (`server/apps`); a test compares them. `sidetone -rx \"core show application Dial\"`
shows the same on a running exchange, and `sidetone check --asterisk /etc/asterisk` names each application and
function a dial plan uses that is not here.

Names of applications are written in any case, those of functions as they stand here. Arguments are separated by
commas; variables (`${NAME}`), functions (`${NAME(arguments)}`) and expressions (`$[...]`) are put in before an
application sees them.

## Applications
";

/// `docs/dialplan.md`.
pub fn manual() -> String {
    let mut text = HEAD.to_owned();
    text.push_str("\n| application | what it does |\n|---|---|\n");
    for app in APPLICATIONS {
        let anchor = anchor(heading(app.doc));
        let _ = writeln!(text, "| [`{}`](#{anchor}) | {} |", app.name, app.synopsis);
    }
    text.push_str("\n## Functions\n\n| function | what it tells | can be set |\n|---|---|---|\n");
    for function in FUNCTIONS {
        let set = if function.write.is_some() {
            "yes"
        } else {
            "no"
        };
        let _ = writeln!(
            text,
            "| `{}` | {} | {set} |",
            function.name, function.synopsis
        );
    }
    for app in APPLICATIONS {
        let _ = write!(text, "\n#{}\n", app.doc.trim_end());
    }
    text
}

/// The first line of a documentation, without its mark.
fn heading(doc: &str) -> &str {
    doc.lines()
        .next()
        .unwrap_or_default()
        .trim_start_matches('#')
        .trim()
}

/// What a heading is linked to by, as web sites of repositories make it: letters, digits and hyphens.
fn anchor(heading: &str) -> String {
    heading
        .chars()
        .filter_map(|character| match character {
            ' ' => Some('-'),
            '-' | '_' => Some(character),
            _ if character.is_alphanumeric() => Some(character.to_ascii_lowercase()),
            _ => None,
        })
        .collect()
}
