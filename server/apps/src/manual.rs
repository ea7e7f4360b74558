//! The text of `docs/dialplan.md`, from the two tables.

use std::fmt::Write as _;

use crate::{APPLICATIONS, FUNCTIONS};

/// What is to be said of functions besides their synopsis: a section of Markdown for each, by name.
const ABOUT_FUNCTIONS: &str = include_str!("functions.md");

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
        let name = match function_doc(function.name) {
            Some(doc) => format!("[`{}`](#{})", function.name, anchor(heading(doc))),
            None => format!("`{}`", function.name),
        };
        let _ = writeln!(text, "| {name} | {} | {set} |", function.synopsis);
    }
    for app in APPLICATIONS {
        let _ = write!(text, "\n#{}\n", app.doc.trim_end());
    }
    let _ = write!(
        text,
        "\n## Functions in detail\n\n{}\n",
        ABOUT_FUNCTIONS.trim_end()
    );
    text
}

/// The section about a function, in Markdown: how it is written, what it means, its items. `None`: its synopsis says all.
pub fn function_doc(name: &str) -> Option<&'static str> {
    function_docs().find(|doc| name_of(heading(doc)).eq_ignore_ascii_case(name))
}

/// Every section about a function.
pub fn function_docs() -> impl Iterator<Item = &'static str> {
    let sections = ABOUT_FUNCTIONS.split("\n### ");
    sections.map(|section| section.trim_start_matches("### "))
}

/// The items of a function that its section lists: the names that begin a line of the list.
pub(crate) fn items(function: &str) -> Vec<&'static str> {
    let mut items = Vec::new();
    for point in function_doc(function)
        .unwrap_or_default()
        .split("\n- ")
        .skip(1)
    {
        let names = point.split_once(": ").map_or(point, |(names, _)| names);
        items.extend(names.split('`').skip(1).step_by(2));
    }
    items
}

/// `CUT` of `CUT(variable[,character],fields)`.
fn name_of(heading: &str) -> &str {
    heading.split('(').next().unwrap_or_default()
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

#[cfg(test)]
mod tests {
    use super::{function_doc, function_docs, heading, items, name_of};
    use crate::FUNCTIONS;

    #[test]
    fn every_section_is_about_a_function_and_begins_with_how_it_is_written() {
        for doc in function_docs() {
            let heading = heading(doc);
            let is_there = FUNCTIONS.iter().any(|own| own.name == name_of(heading));
            assert!(is_there && heading.contains('('), "{heading}");
        }
        let cut = function_doc("cut").unwrap();
        assert!(
            cut.starts_with("CUT(variable[,character],fields)\n"),
            "{cut}"
        );
    }

    #[test]
    fn items_are_the_names_that_begin_a_point() {
        assert_eq!(items("TIMEOUT"), ["absolute", "digit", "response"]);
        assert!(items("CONNECTEDLINE").contains(&"subaddr-odd"));
        assert!(items("CALLERID").contains(&"ani-…") && items("LEN").is_empty());
    }
}
