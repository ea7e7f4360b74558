//! `pjsip show transport`: what is written of a transport, and whether it listens.

use config::{Shown, TransportConfig};
use signal::TransportState;

use super::table;
use crate::command::{Command, Names, Outcome, Slot, Takes};
use crate::exchange::Exchange;

pub(crate) static SHOW_TRANSPORT: Command = Command {
    path: "pjsip show transport",
    takes: Takes::Form(&[Slot::Name("id", Names::Transports)]),
    synopsis: "Show PJSIP Transport",
    doc: "Shows one transport with its options in force, the address it listens on, how many are\n\
          connected, and why it does not listen if it does not.",
    run: |exchange, words| Box::pin(async { show(exchange, &words[0]) }),
};

fn show(exchange: &Exchange, id: &str) -> Outcome {
    let config = exchange.parts.switch.config();
    let Some(transport) = config.transports.iter().find(|own| own.id == id) else {
        return super::missing(id);
    };
    let states = exchange.parts.signal.transports();
    let state = states.iter().find(|state| state.config.id == id);
    Outcome::Done(text(transport, state))
}

fn text(transport: &TransportConfig, state: Option<&TransportState>) -> String {
    let table = table::transports(std::slice::from_ref(transport));
    let table = table
        .split_once("Objects found")
        .map_or(&*table, |(rows, _)| rows);
    let options = table::options(&transport.shown(), 27, 99);
    format!("{table}{options} {}\n\n", standing(transport, state))
}

/// One sentence about where it stands.
fn standing(transport: &TransportConfig, state: Option<&TransportState>) -> String {
    let protocol = transport.protocol.as_str();
    match state {
        None if transport.protocol.binds() => {
            "It was not there when the configuration was put in force.".to_owned()
        }
        None => "WebSockets listen where `http show status` says.".to_owned(),
        Some(state) => match (state.bound, &state.fault) {
            (Some(bound), _) => {
                format!("Listens on {protocol} {bound}; {} connected.", state.peers)
            }
            (None, Some(fault)) => format!("{fault}."),
            (None, None) => "Does not listen.".to_owned(),
        },
    }
}

/// What is wrong with transports, a line each, for the end of a list.
pub(super) fn faults(exchange: &Exchange) -> String {
    let faults = exchange.parts.signal.faults();
    let lines: String = faults.iter().map(|fault| format!("{fault}\n")).collect();
    match lines.is_empty() {
        true => lines,
        false => lines + "\n",
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use config::Object;

    use super::*;

    #[test]
    fn a_transport_is_shown_with_its_options_and_where_it_stands() {
        let columns = [("protocol", "tls"), ("bind", "0.0.0.0"), ("tos", "cs3")];
        let (transport, _) = TransportConfig::from_columns("transport-tls", &columns).unwrap();
        let mut state = TransportState {
            config: Arc::new(transport.clone()),
            bound: Some("0.0.0.0:5061".parse().unwrap()),
            peers: 3,
            fault: None,
        };
        let shown = text(&transport, Some(&state));
        assert!(
            shown.contains(
                "Transport:  transport-tls             tls      0     96  0.0.0.0:5061\n"
            ),
            "{shown}"
        );
        assert!(
            shown.contains("\n tcp_keepalive_idle_time     : 30\n"),
            "{shown}"
        );
        assert!(
            shown.ends_with(" Listens on tls 0.0.0.0:5061; 3 connected.\n\n"),
            "{shown}"
        );
        state.bound = None;
        state.fault = Some("pjsip.conf:5: transport `transport-tls` does not listen: why".into());
        let shown = text(&transport, Some(&state));
        assert!(
            shown.ends_with(" pjsip.conf:5: transport `transport-tls` does not listen: why.\n\n")
        );
    }
}
