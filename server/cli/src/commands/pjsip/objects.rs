//! `pjsip show` of single objects, and of those kinds that endpoints do not name.

use config::{Identify, Shown};

use super::table;
use super::{every_auth, missing, nothing, unreadable};
use crate::command::{Command, Names, Outcome, Slot, Takes};
use crate::exchange::Exchange;

pub(crate) static SHOW_AUTH: Command = Command {
    path: "pjsip show auth",
    takes: Takes::Form(&[Slot::Name("auth", Names::Auths)]),
    synopsis: "Show PJSIP Auth",
    doc: "Shows one auth with its options in force. Secrets are dots.",
    run: |exchange, words| Box::pin(show_auth(exchange, &words[0])),
};

pub(crate) static SHOW_CONTACT: Command = Command {
    path: "pjsip show contact",
    takes: Takes::Form(&[Slot::Name("aor/uri", Names::Contacts)]),
    synopsis: "Show PJSIP Contact",
    doc: "Shows one registered contact: whose it is, where it comes from, how long it lives.",
    run: |exchange, words| Box::pin(async { show_contact(exchange, &words[0]) }),
};

pub(crate) static SHOW_IDENTIFIES: Command = Command {
    path: "pjsip show identifies",
    takes: Takes::Nothing,
    synopsis: "Show PJSIP Identifies",
    doc: "Lists what requests are known by besides their user: addresses, headers, what they ask for.",
    run: |exchange, _| Box::pin(show_identifies(exchange)),
};

pub(crate) static SHOW_IDENTIFY: Command = Command {
    path: "pjsip show identify",
    takes: Takes::Form(&[Slot::Name("identify", Names::Identifies)]),
    synopsis: "Show PJSIP Identify",
    doc: "Shows one identify with its options in force.",
    run: |exchange, words| Box::pin(show_identify(exchange, &words[0])),
};

pub(crate) static SHOW_SETTINGS: Command = Command {
    path: "pjsip show settings",
    takes: Takes::Nothing,
    synopsis: "Show global and system configuration options",
    doc: "Shows the options of type=global and type=system in force.",
    run: |exchange, _| {
        Box::pin(async {
            let config = exchange.config();
            let global = table::fitted_options(&config.global.shown());
            let system = table::fitted_options(&config.system.shown());
            Outcome::Done(format!(
                "\nGlobal Settings:\n\n{global}System Settings:\n\n{system}"
            ))
        })
    },
};

pub(crate) static SHOW_VERSION: Command = Command {
    path: "pjsip show version",
    takes: Takes::Nothing,
    synopsis: "Show the version of the SIP stack in use",
    doc: "The SIP stack is part of the exchange; its version is the exchange's.",
    run: |exchange, _| {
        Box::pin(async {
            let product = exchange.parts.product;
            Outcome::Done(format!(
                "SIP stack currently running: {product}, its own (no PJPROJECT)\n"
            ))
        })
    },
};

async fn show_auth(exchange: &Exchange, id: &str) -> Outcome {
    match every_auth(exchange).await {
        Ok(auths) => match auths.get(id) {
            Some(auth) => {
                let options = table::fitted_options(&auth.shown());
                Outcome::Done(table::auth(auth) + &options)
            }
            None => missing(id),
        },
        Err(error) => unreadable(&error),
    }
}

fn show_contact(exchange: &Exchange, named: &str) -> Outcome {
    let contacts = exchange.parts.signal.contacts();
    let name = |aor: &str, uri: &str| format!("{aor}/{uri}");
    let found = contacts
        .iter()
        .find(|contact| name(&contact.aor, &contact.uri) == named);
    let Some(contact) = found else {
        return missing(named);
    };
    let options = [
        ("aor", contact.aor.clone()),
        ("endpoint", contact.endpoint.clone()),
        ("expires_in", contact.left.as_secs().to_string()),
        ("uri", contact.uri.clone()),
        ("via_addr", contact.remote.ip().to_string()),
        ("via_port", contact.remote.port().to_string()),
    ];
    Outcome::Done(table::contact(contact) + &table::fitted_options(&options))
}

async fn show_identify(exchange: &Exchange, id: &str) -> Outcome {
    let all = exchange.parts.switch.store().identifies().await;
    match all.iter().find(|identify| identify.id == id) {
        Some(identify) => Outcome::Done(format!(
            "{IDENTIFY_HEAD}{}\n{}\n\n{}",
            table::RULE,
            identify_rows(identify),
            table::fitted_options(&identify.shown())
        )),
        None => missing(id),
    }
}

const IDENTIFY_HEAD: &str =
    " Identify:  <Identify/Endpoint.........................................................>
        Match:  <criteria.........................>
";

async fn show_identifies(exchange: &Exchange) -> Outcome {
    let all = exchange.parts.switch.store().identifies().await;
    Outcome::Done(identifies(&all.iter().collect::<Vec<_>>()))
}

fn identifies(all: &[&Identify]) -> String {
    if all.is_empty() {
        return nothing();
    }
    let rows: String = all.iter().map(|one| identify_rows(one) + "\n").collect();
    let found = table::found(all.len());
    format!("{IDENTIFY_HEAD}{}\n{rows}\n{found}", table::RULE)
}

/// What one identify looks at, as `pjsip show identifies` and, further in, `pjsip show endpoint` have it.
pub(super) fn identify_rows(identify: &Identify) -> String {
    let mut text = format!(" Identify:  {}/{}\n", identify.id, identify.endpoint);
    for (name, value) in identify.shown() {
        if name.starts_with("match") && !value.is_empty() {
            for one in value.split(',') {
                text.push_str(&format!("        Match: {one}\n"));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::identifies;

    const FILE: &str = "[trunk]\ntype=endpoint\ncontext=c\nallow=ulaw\n\
        [trunk]\ntype=identify\nendpoint=trunk\nmatch=192.0.2.0/24\nmatch=198.51.100.7\n";

    #[test]
    fn identifies_stand_in_asterisks_columns() {
        let files = [
            ("pjsip.conf", FILE),
            ("extensions.conf", "[c]\nexten => 1,1,Answer()\n"),
        ];
        let config = config::load(&files.as_slice()).0.unwrap();
        expect![[r#"
             Identify:  <Identify/Endpoint.........................................................>
                    Match:  <criteria.........................>
            ==========================================================================================

             Identify:  trunk/trunk
                    Match: 192.0.2.0/24
                    Match: 198.51.100.7/32


            Objects found: 1

        "#]]
        .assert_eq(&identifies(&config.identifies.iter().collect::<Vec<_>>()));
        assert_eq!(identifies(&[]), "No objects found.\n\n");
    }
}
