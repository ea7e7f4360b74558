//! A page of the manual as a terminal shows it.

/// Its title, which is how the thing is written, and the rest without the signs of Markdown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) syntax: String,
    pub(crate) text: String,
}

impl Page {
    pub(crate) fn of(markdown: &str) -> Self {
        let (title, rest) = markdown.split_once('\n').unwrap_or((markdown, ""));
        let mut lines: Vec<String> = Vec::new();
        let mut is_example = false;
        for line in rest.trim().lines() {
            match (line.starts_with("```"), is_example) {
                (true, _) => is_example = !is_example,
                // In an example a backquote stands for itself.
                (false, true) => lines.push(format!("    {line}")),
                (false, false) if line.starts_with('|') => lines.extend(row(line)),
                (false, false) => lines.push(without_marks(line.trim_start_matches("# "))),
            }
        }
        Self {
            syntax: title.trim_start_matches('#').trim().to_owned(),
            text: lines.join("\n"),
        }
    }
}

/// A row of a table: its cells behind each other. The rule below the head is none.
fn row(line: &str) -> Option<String> {
    let cells = line.trim_matches('|').split(" | ").map(str::trim);
    let cells: Vec<String> = cells.map(without_marks).collect();
    let is_rule = line.chars().all(|sign| "|-: ".contains(sign));
    (!is_rule).then(|| match cells.split_first() {
        Some((first, rest)) => format!("  {first:<20}  {}", rest.join("  ")),
        None => String::new(),
    })
}

/// Without backquotes, and with the name of a link alone.
fn without_marks(line: &str) -> String {
    let line = line.replace('`', "").replace("\\|", "|");
    let mut text = String::new();
    let mut rest = line.as_str();
    while let Some(at) = rest.find("](") {
        let (before, after) = rest.split_at(at);
        let (Some(open), Some(close)) = (before.rfind('['), after.find(')')) else {
            break;
        };
        text.push_str(&before[..open]);
        text.push_str(&before[open + 1..]);
        rest = &after[close + 1..];
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::Page;

    #[test]
    fn a_page_is_shown_without_the_signs_of_markdown() {
        let page = Page::of(
            "# Answer([ms])\n\nAnswers with `200`, see [docs](docs/a.md) and a[1].\n\n| option | means |\n|---|---|\n\
             | `a` | this |\n\n```\nexten => 1,1,NoOp(`x`)\n```\n",
        );
        assert_eq!(page.syntax, "Answer([ms])");
        let expected = [
            "Answers with 200, see docs and a[1].",
            "",
            "  option                means",
            "  a                     this",
            "",
            "    exten => 1,1,NoOp(`x`)",
        ];
        assert_eq!(page.text.lines().collect::<Vec<_>>(), expected);
    }
}
