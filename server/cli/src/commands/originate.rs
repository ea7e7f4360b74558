//! `channel originate`.

use switch::{CallerId, ORIGINATE_TIMEOUT, Originate, Position, Purpose};

use crate::command::{Command, Outcome, Slot, Takes};
use crate::exchange::Exchange;

pub(crate) static CHANNEL_ORIGINATE: Command = Command {
    path: "channel originate",
    takes: Takes::Form(&[
        Slot::Any("tech/data"),
        Slot::One(&["application", "extension"]),
        Slot::Optional,
        Slot::Rest("what"),
    ]),
    synopsis: "Originate a call",
    doc: "There are two ways to use this command. A call can be originated between a channel and a\n\
          specific application, or between a channel and an extension in the dial plan. Calls are\n\
          given a timeout of 30 seconds. All contacts of an endpoint ring; the first that answers\n\
          has the call.\n\
          \n\
          channel originate <tech/data> application <appname> [appdata]\n\
          \x20 calls, and runs the application when somebody answers. Arguments with spaces stand in\n\
          \x20 quotation marks.\n\
          channel originate <tech/data> extension [exten@][context]\n\
          \x20 calls, and goes through the dial plan when somebody answers. Without a context it is\n\
          \x20 'default', without an extension 's'.\n\
          \n\
          Examples: channel originate PJSIP/alice application Echo\n\
          \x20         channel originate PJSIP/alice extension 246@sets",
    run: |exchange, words| Box::pin(run(exchange, words)),
};

async fn run(exchange: &Exchange, words: &[String]) -> Outcome {
    let [destination, kind, rest @ ..] = words else {
        return Outcome::Usage;
    };
    let Some(purpose) = purpose(kind, rest) else {
        return Outcome::Usage;
    };
    let originate = Originate {
        destination: destination.clone(),
        purpose,
        timeout: ORIGINATE_TIMEOUT,
        caller: CallerId::default(),
        variables: Vec::new(),
        before: None,
    };
    match exchange.parts.switch.originate(originate).await {
        // As in Asterisk nothing is printed, and nobody waits for the answer; the log tells it.
        Ok(_) => Outcome::Done(String::new()),
        Err(error) => Outcome::Failed(format!("Cannot call {destination}: {error}\n")),
    }
}

fn purpose(kind: &str, rest: &[String]) -> Option<Purpose> {
    if kind.eq_ignore_ascii_case("application") {
        let (name, arguments) = rest.split_first()?;
        return Some(Purpose::Application {
            name: name.clone(),
            arguments: arguments.join(" "),
        });
    }
    let at = match rest {
        [] => "",
        [at] => at,
        _ => return None,
    };
    let (exten, context) = at.split_once('@').unwrap_or((at, ""));
    let or = |text: &str, default: &str| if text.is_empty() { default } else { text }.to_owned();
    Some(Purpose::Extension(Position {
        context: or(context, "default"),
        exten: or(exten, "s"),
        priority: 1,
    }))
}

#[cfg(test)]
mod tests {
    use switch::{Position, Purpose};

    use super::purpose;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn extensions_have_asterisks_defaults() {
        for (text, exten, context) in [
            ("246@sets", "246", "sets"),
            ("246", "246", "default"),
            ("@sets", "s", "sets"),
            ("", "s", "default"),
        ] {
            let expected = Position {
                context: context.to_owned(),
                exten: exten.to_owned(),
                priority: 1,
            };
            let found = purpose("extension", &words(text));
            assert_eq!(found, Some(Purpose::Extension(expected)), "{text}");
        }
        assert_eq!(purpose("extension", &words("1 2")), None);
    }

    #[test]
    fn an_application_needs_its_name() {
        assert_eq!(purpose("application", &[]), None);
        let found = purpose("Application", &words("StreamEcho 4"));
        let expected = Purpose::Application {
            name: "StreamEcho".to_owned(),
            arguments: "4".to_owned(),
        };
        assert_eq!(found, Some(expected));
    }
}
