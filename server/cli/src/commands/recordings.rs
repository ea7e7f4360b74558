//! `mixmonitor list`: what records a channel.

use crate::command::{Command, Outcome, Takes};
use crate::exchange::Exchange;

pub(crate) static LIST: Command = Command {
    path: "mixmonitor list",
    takes: Takes::Channel,
    synopsis: "List MixMonitors on a channel",
    doc: "Lists the recordings of a channel, those that begin with its media too: the number that\n\
          `StopMixMonitor` takes, and the file.",
    run: |exchange, words| Box::pin(list(exchange, &words[0])),
};

async fn list(exchange: &Exchange, name: &str) -> Outcome {
    let found = exchange.parts.switch.directory().by_name(name);
    let details = match found {
        Some(handle) => handle.details().await,
        None => None,
    };
    match details {
        Some(details) => Outcome::Done(table(&details.recordings)),
        None => Outcome::Missing(format!("{name} is not a known channel\n")),
    }
}

fn table(recordings: &[(u64, String)]) -> String {
    let rule = "=".repeat(73);
    let mut text = format!("MixMonitor ID\tFile\tReceive File\tTransmit File\n{rule}\n");
    for (id, file) in recordings {
        text.push_str(&format!("{id}\t{file}\t\t\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_recording_is_a_line_of_four_columns() {
        let text = super::table(&[(7, "/var/rec/a.wav".to_owned())]);
        assert!(text.ends_with("\n7\t/var/rec/a.wav\t\t\n"), "{text}");
    }
}
