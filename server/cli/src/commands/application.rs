//! `core show applications`, `core show application`.

use crate::command::{Command, Outcome, Takes};
use crate::exchange::Exchange;

pub(crate) static SHOW_APPLICATIONS: Command = Command {
    path: "core show applications",
    takes: Takes::Nothing,
    synopsis: "Shows registered dialplan applications",
    doc: "Lists the applications a dial plan may name.",
    run: |exchange, _| Box::pin(async { list(exchange) }),
};

pub(crate) static SHOW_APPLICATION: Command = Command {
    path: "core show application",
    takes: Takes::Application,
    synopsis: "Describe a specific dialplan application",
    doc: "Shows the documentation of one application.",
    run: |exchange, words| Box::pin(async { describe(exchange, &words[0]) }),
};

fn list(exchange: &Exchange) -> Outcome {
    let mut text = String::from("    -= Registered Applications =-\n");
    let applications = exchange.parts.switch.applications();
    for application in applications {
        text.push_str(&format!(
            "{:>20}: {}\n",
            application.name, application.synopsis
        ));
    }
    text.push_str(&format!(
        "    -= {} Applications Registered =-\n",
        applications.len()
    ));
    Outcome::Done(text)
}

fn describe(exchange: &Exchange, name: &str) -> Outcome {
    let Some(application) = exchange.parts.switch.application(name) else {
        return Outcome::Failed("Your application(s) is (are) not registered\n".to_owned());
    };
    let (syntax, doc) = plain(application.doc);
    Outcome::Done(format!(
        "\n  -= Info about application '{}' =-\n\n[Synopsis]\n{}\n\n[Description]\n{doc}\n\n[Syntax]\n{syntax}\n\n",
        application.name, application.synopsis
    ))
}

/// A page of the manual for a terminal: its title, which is how the application is written, and the rest without the
/// signs of Markdown.
fn plain(doc: &str) -> (String, String) {
    let (title, rest) = doc.split_once('\n').unwrap_or((doc, ""));
    let mut is_example = false;
    let mut lines = Vec::new();
    for line in rest.trim().lines() {
        match (line.starts_with("```"), is_example) {
            (true, _) => is_example = !is_example,
            // In an example a backquote stands for itself.
            (false, true) => lines.push(format!("    {line}")),
            (false, false) => lines.push(line.trim_start_matches('#').replace('`', "")),
        }
    }
    let title = title.trim_start_matches('#').trim();
    (title.to_owned(), lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn a_page_is_shown_without_the_signs_of_markdown() {
        let page = "# Answer([ms])\n\nAnswers with `200`.\n\n```\nexten => 1,1,Answer()\n```\n";
        let (syntax, text) = plain(page);
        assert_eq!(syntax, "Answer([ms])");
        assert_eq!(text, "Answers with 200.\n\n    exten => 1,1,Answer()");
    }
}
