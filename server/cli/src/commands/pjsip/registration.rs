//! `pjsip show registrations`, `pjsip send register`: the registrations of the exchange at other servers.

use config::Shown;
use signal::{Outbound, Standing};

use super::{missing, nothing, table};
use crate::command::{Command, Names, Outcome, Slot, Takes};
use crate::exchange::Exchange;

pub(crate) static SEND_REGISTER: Command = Command {
    path: "pjsip send register",
    takes: Takes::Form(&[Slot::Name("registration|*all", Names::RegistrationsOrAll)]),
    synopsis: "Registers an outbound registration target",
    doc: "Registers at another server now: by one registration, or by all. Afterwards it is refreshed\n\
          and tried again as the configuration says. `pjsip show registrations` shows what came of it.",
    run: |exchange, words| Box::pin(async { send(exchange, &words[0], true) }),
};

pub(crate) static SEND_UNREGISTER: Command = Command {
    path: "pjsip send unregister",
    takes: Takes::Form(&[Slot::Name("registration|*all", Names::RegistrationsOrAll)]),
    synopsis: "Unregisters outbound registration target",
    doc: "Takes a registration at another server back, or all of them, and tries none again until\n\
          `pjsip send register` asks for it, or the configuration changes.",
    run: |exchange, words| Box::pin(async { send(exchange, &words[0], false) }),
};

pub(crate) static SHOW_REGISTRATION: Command = Command {
    path: "pjsip show registration",
    takes: Takes::Form(&[Slot::Name("registration", Names::Registrations)]),
    synopsis: "Show PJSIP Registration",
    doc: "Shows one registration at another server: how it stands, and its options in force.",
    run: |exchange, words| Box::pin(async { show(exchange, &words[0]) }),
};

pub(crate) static SHOW_REGISTRATIONS: Command = Command {
    path: "pjsip show registrations",
    takes: Takes::Nothing,
    synopsis: "Show PJSIP Registrations",
    doc: "Lists the registrations at other servers that pjsip.conf asks for, and how they stand.",
    run: |exchange, _| {
        Box::pin(async { Outcome::Done(registrations(&exchange.parts.signal.registrations())) })
    },
};

fn send(exchange: &Exchange, id: &str, is_on: bool) -> Outcome {
    let signal = &exchange.parts.signal;
    if id == "*all" {
        signal.register(None, is_on);
        let word = if is_on { "Re-register" } else { "Unregister" };
        return Outcome::Done(format!("{word} all queued\n"));
    }
    match signal.register(Some(id), is_on) {
        true => Outcome::Done(String::new()),
        false => Outcome::Missing(format!("Unable to retrieve registration {id}\n")),
    }
}

fn show(exchange: &Exchange, id: &str) -> Outcome {
    let all = exchange.parts.signal.registrations();
    match all.iter().find(|one| one.config.id == id) {
        Some(one) => {
            let options = table::fitted_options(&one.config.shown());
            Outcome::Done(format!("{HEAD}{}\n\n{}\n{options}", table::RULE, row(one)))
        }
        None => missing(id),
    }
}

const HEAD: &str = "
 <Registration/ServerURI..............................>  <Auth....................>  <Status.......>
";

fn registrations(all: &[Outbound]) -> String {
    if all.is_empty() {
        return nothing();
    }
    let rows: String = all.iter().map(row).collect();
    format!(
        "{HEAD}{}\n\n{rows}\n{}",
        table::RULE,
        table::found(all.len())
    )
}

/// As Asterisk prints it: one auth alone, and the time to the end of the registration, or since.
fn row(one: &Outbound) -> String {
    let own = &one.config;
    let name = format!("{}/{}", own.id, own.server_uri);
    let auth = own.outbound_auth.first().map_or("n/a", String::as_str);
    let status = match one.standing {
        Standing::Unregistered => "Unregistered",
        Standing::Registered => "Registered",
        Standing::Rejected => "Rejected",
        Standing::Stopping => "Stopping",
        Standing::Stopped => "Stopped",
    };
    let expires = match one.left_s {
        Some(left) if left < 0 => format!(" (exp. {}s ago)", left.unsigned_abs()),
        Some(left) => format!(" (exp. {left}s)"),
        None => String::new(),
    };
    let status = format!("{status:<16} {expires}");
    format!(" {name:<54.54}  {auth:<26.26}  {}\n", status.trim_end())
}

#[cfg(test)]
mod tests {
    use config::Object as _;
    use expect_test::expect;
    use signal::{Outbound, Standing};

    use super::registrations;

    #[test]
    fn registrations_stand_in_asterisks_columns() {
        let one = |id, standing, left_s| {
            let mut config = config::Registration::named(id);
            config.set("server_uri", "sip:provider.example");
            if left_s == Some(3_570) {
                config.set("outbound_auth", "provider-auth,other-auth");
            }
            Outbound {
                config,
                standing,
                left_s,
            }
        };
        let all = [
            one("provider", Standing::Registered, Some(3_570)),
            one("second", Standing::Rejected, Some(-12)),
            one("third", Standing::Unregistered, None),
        ];
        expect![[r#"

             <Registration/ServerURI..............................>  <Auth....................>  <Status.......>
            ==========================================================================================


             provider/sip:provider.example                           provider-auth               Registered        (exp. 3570s)
             second/sip:provider.example                             n/a                         Rejected          (exp. 12s ago)
             third/sip:provider.example                              n/a                         Unregistered

            Objects found: 3

        "#]]
        .assert_eq(&registrations(&all));
        assert_eq!(registrations(&[]), "No objects found.\n\n");
    }
}
