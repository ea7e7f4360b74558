//! `pjsip set logger`: which SIP messages are printed.

use crate::command::{Command, Outcome, Slot, Takes};
use crate::commands::rtp::{address, not_an_address};
use crate::exchange::Exchange;
use crate::log::Traced;

pub(crate) static SET_LOGGER: Command = Command {
    path: "pjsip set logger",
    takes: Takes::Form(&[
        Slot::One(&["on", "off", "host", "add", "method", "methodadd", "verbose"]),
        Slot::Optional,
        Slot::Any("address[:port]|method|on|off"),
    ]),
    synopsis: "Enable/Disable PJSIP Logger Output",
    doc: "Prints SIP messages to the log, secrets as dots: `on` all of them, `host` those from and to\n\
          one address, `add` one more address, `method` those of one method and the answers to it,\n\
          `methodadd` one more method, `off` none. `verbose off` leaves their first lines.",
    run: |exchange, words| Box::pin(async { set(exchange, words) }),
};

fn set(exchange: &Exchange, words: &[String]) -> Outcome {
    let log = &exchange.parts.log;
    match (words[0].to_ascii_lowercase().as_str(), words.get(1)) {
        ("on", None) => {
            log.trace_sip(|traced| {
                *traced = Traced {
                    on: true,
                    brief: traced.brief,
                    ..Traced::default()
                };
            });
            done("PJSIP Logging enabled")
        }
        ("off", None) => {
            log.trace_sip(|traced| *traced = Traced::default());
            done("PJSIP Logging disabled")
        }
        (word @ ("host" | "add"), Some(host)) => {
            let Some(parsed) = address(host) else {
                return not_an_address(host);
            };
            log.trace_sip(|traced| {
                traced.on = true;
                name_one(&mut traced.hosts, parsed, word == "add");
            });
            done(&format!("PJSIP Logging Enabled for host: {host}"))
        }
        (word @ ("method" | "methodadd"), Some(method)) => {
            let upper = method.to_ascii_uppercase();
            log.trace_sip(|traced| {
                traced.on = true;
                name_one(&mut traced.methods, upper.clone(), word == "methodadd");
            });
            done(&format!("PJSIP Logging Enabled for method: {upper}"))
        }
        ("verbose", Some(word)) if matches!(word.as_str(), "on" | "off") => {
            log.trace_sip(|traced| traced.brief = word == "off");
            done(&format!("PJSIP Logging to verbose is {word}"))
        }
        _ => Outcome::Usage,
    }
}

fn done(text: &str) -> Outcome {
    Outcome::Done(format!("{text}\n"))
}

/// Adds to those named before, or takes their place.
fn name_one<T: PartialEq>(list: &mut Vec<T>, one: T, add: bool) {
    if !add {
        list.clear();
    }
    if !list.contains(&one) && list.len() < Traced::NAMED_MAX {
        list.push(one);
    }
}
