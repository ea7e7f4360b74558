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
    let doc = application.doc.trim_end();
    Outcome::Done(format!(
        "\n  -= Info about application '{}' =-\n\n[Synopsis]\n{}\n\n[Description]\n{doc}\n\n",
        application.name, application.synopsis
    ))
}
