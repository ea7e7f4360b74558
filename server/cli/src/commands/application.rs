//! `core show applications`, `core show application`.

use switch::Application;

use crate::command::{Command, Outcome, Slot, Takes};
use crate::exchange::Exchange;
use crate::page::Page;

pub(crate) static SHOW_APPLICATIONS: Command = Command {
    path: "core show applications",
    takes: Takes::Form(&[
        Slot::Optional,
        Slot::One(&["like", "describing"]),
        Slot::Rest("text"),
    ]),
    synopsis: "Shows registered dialplan applications",
    doc: "Lists the applications a dial plan may name: all of them; those whose name has a text (`like`);\n\
          or those whose description has each of some words (`describing`).",
    run: |exchange, words| Box::pin(async { list(exchange, words) }),
};

pub(crate) static SHOW_APPLICATION: Command = Command {
    path: "core show application",
    takes: Takes::Application,
    synopsis: "Describe a specific dialplan application",
    doc: "Shows the documentation of one application.",
    run: |exchange, words| Box::pin(async { describe(exchange, &words[0]) }),
};

fn list(exchange: &Exchange, words: &[String]) -> Outcome {
    let has = |text: &str, word: &String| {
        let word = word.to_ascii_lowercase();
        text.to_ascii_lowercase().contains(&word)
    };
    let (how, wanted) = match words.split_first() {
        None => (None, words),
        Some((_, [])) => return Outcome::Usage,
        Some((how, wanted)) => (Some(how.to_ascii_lowercase()), wanted),
    };
    let is_meant = |application: &&&Application| match how.as_deref() {
        None => true,
        Some("like") => has(application.name, &wanted.join(" ")),
        Some(_) => wanted
            .iter()
            .all(|word| has(application.synopsis, word) || has(application.doc, word)),
    };
    let all = exchange.parts.switch.applications().iter();
    let applications: Vec<&&Application> = all.filter(is_meant).collect();
    let (which, found) = match how {
        None => ("Registered", "Registered"),
        Some(_) => ("Matching", "Matching"),
    };
    let mut text = format!("    -= {which} Applications =-\n");
    for application in &applications {
        text.push_str(&format!(
            "{:>20}: {}\n",
            application.name, application.synopsis
        ));
    }
    text.push_str(&format!(
        "    -= {} Applications {found} =-\n",
        applications.len()
    ));
    Outcome::Done(text)
}

fn describe(exchange: &Exchange, name: &str) -> Outcome {
    let Some(application) = exchange.parts.switch.application(name) else {
        return Outcome::Failed("Your application(s) is (are) not registered\n".to_owned());
    };
    let Page { syntax, text } = Page::of(application.doc);
    let (name, synopsis) = (application.name, application.synopsis);
    Outcome::Done(format!(
        "\n  -= Info about application '{name}' =-\n\n[Synopsis]\n{synopsis}\n\n[Description]\n{text}\n\n\
         [Syntax]\n{syntax}\n\n"
    ))
}
