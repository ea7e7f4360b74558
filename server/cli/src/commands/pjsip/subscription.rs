//! `pjsip show subscriptions`: who has subscribed to what here.

use signal::Subscribed;

use crate::command::{Command, Outcome, Takes};
use crate::exchange::Exchange;

pub(crate) static SHOW_SUBSCRIPTIONS: Command = Command {
    path: "pjsip show subscriptions",
    takes: Takes::One(&["inbound", "outbound"]),
    synopsis: "Show active inbound/outbound subscriptions",
    doc: "Lists who has subscribed to extensions and mailboxes here, with the event, the seconds that\n\
          are left and the Call-ID. The exchange itself subscribes to nothing elsewhere, so there are\n\
          never outbound ones.",
    run: |exchange, words| Box::pin(show(exchange, &words[0])),
};

async fn show(exchange: &Exchange, way: &str) -> Outcome {
    let subscribed = match way {
        "inbound" => exchange.parts.signal.subscriptions().await,
        _ => Vec::new(),
    };
    Outcome::Done(table(&subscribed))
}

fn table(subscribed: &[Subscribed]) -> String {
    let mut text = String::from(
        "Endpoint: <Endpoint/Caller-ID.............................................>\n\
         Resource: <Resource/Event.................................................>\n  \
         Expiry: <Expiry>  <Call-id..............................................>\n\
         ===========================================================================\n\n",
    );
    for own in subscribed {
        text.push_str(&format!(
            "Endpoint: {}/{}\nResource: {}/{}\n  Expiry: {:>8}  {}\n\n",
            own.endpoint,
            own.caller,
            own.resource,
            own.event,
            own.left.as_secs(),
            own.call_id
        ));
    }
    let count = subscribed.len();
    let plural = if count == 1 { "" } else { "s" };
    text + &format!("{count} active subscription{plural}\n")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use signal::Subscribed;
    use switch::CallerId;

    use super::table;

    #[test]
    fn each_has_three_lines() {
        let text = table(&[Subscribed {
            endpoint: "alice".to_owned(),
            caller: CallerId::new("Alice", "100"),
            context: "phones".to_owned(),
            resource: "200".to_owned(),
            event: "dialog".to_owned(),
            call_id: "abc@h".to_owned(),
            left: Duration::from_secs(599),
        }]);
        assert!(
            text.ends_with(
                "Endpoint: alice/\"Alice\" <100>\nResource: 200/dialog\n  Expiry:      599  abc@h\n\n\
                 1 active subscription\n"
            ),
            "{text}"
        );
    }
}
