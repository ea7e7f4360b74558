//! `core stop …`, `core restart …`, `core abort shutdown`.

use switch::{Stop, Then, When};

use crate::command::{Command, Outcome, Takes};
use crate::commands::count;
use crate::exchange::Exchange;

pub(crate) static STOP_NOW: Command = Command {
    path: "core stop now",
    takes: Takes::Nothing,
    synopsis: "Shut down the exchange immediately",
    doc: "Hangs up all calls and ends the exchange.",
    run: |exchange, _| Box::pin(async { ask(exchange, &STOP_NOW, When::Now, Then::Leave) }),
};

pub(crate) static STOP_GRACEFULLY: Command = Command {
    path: "core stop gracefully",
    takes: Takes::Nothing,
    synopsis: "Gracefully shut down the exchange",
    doc: "Takes no more calls and ends the exchange when the running ones are over.",
    run: |exchange, _| {
        Box::pin(async { ask(exchange, &STOP_GRACEFULLY, When::Gracefully, Then::Leave) })
    },
};

pub(crate) static STOP_WHEN_CONVENIENT: Command = Command {
    path: "core stop when convenient",
    takes: Takes::Nothing,
    synopsis: "Shut down the exchange at empty call volume",
    doc: "Ends the exchange as soon as there is no call. New calls are taken meanwhile.",
    run: |exchange, _| {
        Box::pin(async {
            ask(
                exchange,
                &STOP_WHEN_CONVENIENT,
                When::Convenient,
                Then::Leave,
            )
        })
    },
};

pub(crate) static RESTART_NOW: Command = Command {
    path: "core restart now",
    takes: Takes::Nothing,
    synopsis: "Restart the exchange immediately",
    doc: "Hangs up all calls and starts the program anew with the same arguments, as the same\n\
          process; a new version of the program is taken.",
    run: |exchange, _| Box::pin(async { ask(exchange, &RESTART_NOW, When::Now, Then::Restart) }),
};

pub(crate) static RESTART_GRACEFULLY: Command = Command {
    path: "core restart gracefully",
    takes: Takes::Nothing,
    synopsis: "Restart the exchange gracefully",
    doc: "Takes no more calls and starts the program anew when the running ones are over.",
    run: |exchange, _| {
        Box::pin(async {
            ask(
                exchange,
                &RESTART_GRACEFULLY,
                When::Gracefully,
                Then::Restart,
            )
        })
    },
};

pub(crate) static RESTART_WHEN_CONVENIENT: Command = Command {
    path: "core restart when convenient",
    takes: Takes::Nothing,
    synopsis: "Restart the exchange at empty call volume",
    doc: "Starts the program anew as soon as there is no call. New calls are taken meanwhile.",
    run: |exchange, _| {
        Box::pin(async {
            ask(
                exchange,
                &RESTART_WHEN_CONVENIENT,
                When::Convenient,
                Then::Restart,
            )
        })
    },
};

pub(crate) static ABORT: Command = Command {
    path: "core abort shutdown",
    takes: Takes::Nothing,
    synopsis: "Cancel a running shutdown",
    doc: "Takes back a stop or restart that waits for calls to end. New calls are taken again.",
    run: |exchange, _| Box::pin(async { abort(exchange) }),
};

fn ask(exchange: &Exchange, command: &Command, when: When, then: Then) -> Outcome {
    let switch = &exchange.parts.switch;
    let text = promise(when, then, switch.directory().count() as u64);
    let by = command.path.to_owned();
    switch.ask_stop(Stop { when, then, by });
    Outcome::Done(text)
}

/// What the exchange is going to do, with so many calls running.
fn promise(when: When, then: Then, running: u64) -> String {
    let what = match then {
        Then::Leave => "stops",
        Then::Restart => "restarts",
    };
    let calls = count(running, "call runs", "calls run");
    match (when, running) {
        (When::Now, _) | (_, 0) => format!("The exchange {what} now.\n"),
        (When::Gracefully, _) => format!(
            "The exchange {what} when all calls have ended: {calls}, new ones are refused.\n"
        ),
        (When::Convenient, _) => format!(
            "The exchange {what} as soon as there is no call: {calls}, new ones are taken.\n"
        ),
    }
}

fn abort(exchange: &Exchange) -> Outcome {
    match exchange.parts.switch.abort_stop() {
        Some(stop) => Outcome::Done(format!("'{}' is taken back.\n", stop.by)),
        None => Outcome::Failed("No shutdown is waiting.\n".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use switch::{Then, When};

    use super::promise;

    #[test]
    fn says_what_it_waits_for() {
        assert_eq!(
            promise(When::Gracefully, Then::Leave, 1),
            "The exchange stops when all calls have ended: 1 call runs, new ones are refused.\n"
        );
        assert_eq!(
            promise(When::Convenient, Then::Restart, 2),
            "The exchange restarts as soon as there is no call: 2 calls run, new ones are taken.\n"
        );
        assert_eq!(
            promise(When::Gracefully, Then::Leave, 0),
            "The exchange stops now.\n"
        );
    }
}
