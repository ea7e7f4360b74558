//! `core show hints`, `core show hint`: the hints of the dial plan and how their devices are.

use dialplan::Plan;
use signal::Subscribed;

use crate::command::{Command, Outcome, Slot, Takes};
use crate::exchange::Exchange;

pub(crate) static SHOW_HINTS: Command = Command {
    path: "core show hints",
    takes: Takes::Nothing,
    synopsis: "Show dialplan hints",
    doc: "Lists the hints of the dial plan: the devices of each, how they are together, and how many\n\
          have subscribed to it. Presence is not set by anybody, so it is `not_set` always.",
    run: |exchange, _| Box::pin(show(exchange, None)),
};

pub(crate) static SHOW_HINT: Command = Command {
    path: "core show hint",
    takes: Takes::Form(&[Slot::Any("exten")]),
    synopsis: "Show dialplan hint",
    doc: "Lists the hints of the extensions that begin so, or of extension@context.",
    run: |exchange, words| Box::pin(show(exchange, Some(words[0].as_str()))),
};

/// A hint as it is listed.
struct Row<'a> {
    exten: &'a str,
    context: &'a str,
    hint: &'a str,
    state: &'static str,
    watchers: usize,
}

async fn show(exchange: &Exchange, wanted: Option<&str>) -> Outcome {
    let subscribed = exchange.parts.signal.subscriptions().await;
    let switch = &exchange.parts.switch;
    let config = switch.config();
    let mut rows = Vec::new();
    for (context, extensions) in config.plan.contexts() {
        for extension in extensions.iter() {
            if let Some(hint) = extension.hint.as_deref()
                && wanted.is_none_or(|wanted| fits(wanted, &extension.name, context))
            {
                rows.push(Row {
                    exten: &extension.name,
                    context,
                    hint,
                    state: switch.hint_state(hint).in_words(),
                    watchers: watchers(&config.plan, &subscribed, &extension.name, context),
                });
            }
        }
    }
    match (rows.is_empty(), wanted) {
        (true, None) => Outcome::Done("There are no registered dialplan hints\n".to_owned()),
        (true, Some(wanted)) => Outcome::Missing(format!("No hints matching extension {wanted}\n")),
        (false, wanted) => Outcome::Done(table(&rows, wanted)),
    }
}

/// Asterisk compares as many characters as are typed.
fn fits(wanted: &str, exten: &str, context: &str) -> bool {
    match wanted.split_once('@') {
        Some((name, place)) => exten == name && context == place,
        None => exten.starts_with(wanted),
    }
}

/// How many have subscribed to this hint, from its own context or from one that includes it.
fn watchers(plan: &Plan, subscribed: &[Subscribed], exten: &str, context: &str) -> usize {
    let watches = |own: &&Subscribed| {
        let place = plan.hint_place(&own.context, &own.resource);
        place.is_some_and(|(name, extension)| name == context && extension.name == exten)
    };
    subscribed.iter().filter(watches).count()
}

fn table(rows: &[Row<'_>], wanted: Option<&str>) -> String {
    let mut text = String::new();
    if wanted.is_none() {
        text.push_str("\n    -= Registered Asterisk Dial Plan Hints =-\n");
    }
    for row in rows {
        let place = format!("{}@{}", row.exten, row.context);
        text.push_str(&format!(
            "{place:<20.20}: {:<20.20}  State:{:<15.15} Presence:{:<15.15} Watchers {:2}\n",
            row.hint, row.state, "not_set", row.watchers
        ));
    }
    text.push_str("----------------\n");
    let count = rows.len();
    match wanted {
        None => text.push_str(&format!("- {count} hints registered\n")),
        Some(wanted) => {
            let plural = if count == 1 { "" } else { "s" };
            text.push_str(&format!(
                "- {count} hint{plural} matching extension {wanted}\n"
            ));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use dialplan::Plan;
    use signal::Subscribed;
    use switch::CallerId;

    use super::{Row, fits, table, watchers};

    #[test]
    fn who_watches_from_a_context_that_includes_the_hint_is_counted() {
        let text = "[ext]\nexten => 101,hint,PJSIP/101\nexten => _2XX,hint,PJSIP/${EXTEN}\n\
                    [phones]\ninclude => ext\n[other]\nexten => 101,hint,PJSIP/x\n";
        let (plan, faults) = Plan::parse("extensions.conf", text);
        assert_eq!(faults, []);
        let subscribed = |context: &str, resource: &str| Subscribed {
            endpoint: "102".to_owned(),
            caller: CallerId::default(),
            context: context.to_owned(),
            resource: resource.to_owned(),
            event: "dialog".to_owned(),
            call_id: String::new(),
            left: Duration::ZERO,
        };
        let all = [
            subscribed("phones", "101"),
            subscribed("ext", "101"),
            subscribed("other", "101"),
            subscribed("phones", "234"),
        ];
        let count = |exten, context| watchers(&plan, &all, exten, context);
        assert_eq!(count("101", "ext"), 2);
        assert_eq!(count("101", "other"), 1);
        assert_eq!(count("_2XX", "ext"), 1);
        assert_eq!(count("101", "phones"), 0);
    }

    #[test]
    fn hints_stand_in_asterisks_columns() {
        let rows = [Row {
            exten: "100",
            context: "phones",
            hint: "PJSIP/alice",
            state: "InUse",
            watchers: 2,
        }];
        let row = "100@phones          : PJSIP/alice           State:InUse           Presence:not_set         Watchers  2\n";
        assert_eq!(
            table(&rows, None),
            format!(
                "\n    -= Registered Asterisk Dial Plan Hints =-\n{row}----------------\n- 1 hints registered\n"
            )
        );
        assert!(table(&rows, Some("1")).ends_with("- 1 hint matching extension 1\n"));
    }

    #[test]
    fn an_extension_is_found_by_its_beginning_or_its_place() {
        assert!(fits("10", "100", "phones") && fits("100@phones", "100", "phones"));
        assert!(!fits("10@phones", "100", "phones") && !fits("2", "100", "phones"));
    }
}
