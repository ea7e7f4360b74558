//! `core show channels`, `core show channel`, `channel request hangup`.

use switch::Cause;

use crate::command::{Command, Outcome, Takes};
use crate::commands::count;
use crate::commands::live::{self, Line};
use crate::exchange::Exchange;

pub(crate) static SHOW_CHANNELS: Command = Command {
    path: "core show channels",
    takes: Takes::Maybe(&["concise", "verbose", "count"]),
    synopsis: "Display information on channels",
    doc: "Lists the channels there are, with their place in the dial plan and what they run.\n\
          concise: one line each, its fields between `!`; made for programs.\n\
          verbose: more columns. count: the numbers alone.",
    run: |exchange, words| Box::pin(async { show_channels(exchange, words) }),
};

pub(crate) static SHOW_CHANNEL: Command = Command {
    path: "core show channel",
    takes: Takes::Channel,
    synopsis: "Display information on a specific channel",
    doc: "Shows what is known of one channel.",
    run: |exchange, words| Box::pin(async { show_channel(exchange, &words[0]) }),
};

pub(crate) static REQUEST_HANGUP: Command = Command {
    path: "channel request hangup",
    takes: Takes::ChannelOrAll,
    synopsis: "Request a hangup on a given channel",
    doc: "Asks one channel, or all of them, to hang up. The call ends as if the exchange's side\n\
          had hung up; its `h` extension runs.",
    run: |exchange, words| Box::pin(async { request_hangup(exchange, &words[0]) }),
};

fn show_channels(exchange: &Exchange, words: &[String]) -> Outcome {
    let lines = live::channels(exchange);
    let shape = words.first().map(|word| word.to_ascii_lowercase());
    let calls = exchange.parts.switch.status().calls_total;
    Outcome::Done(match shape.as_deref() {
        Some("concise") => concise(&lines),
        Some("verbose") => verbose(&lines) + &totals(lines.len(), calls),
        Some("count") => totals(lines.len(), calls),
        _ => table(&lines) + &totals(lines.len(), calls),
    })
}

fn totals(channels: usize, calls: u64) -> String {
    let channels = channels as u64;
    format!(
        "{}\n{}\n{}\n",
        count(channels, "active channel", "active channels"),
        count(channels, "active call", "active calls"),
        count(calls, "call processed", "calls processed"),
    )
}

fn table(lines: &[Line]) -> String {
    let row = |columns: [&str; 4]| {
        let [channel, location, state, application] = columns;
        format!("{channel:<64.64} {location:<32.32} {state:<7.7} {application:<30.30}\n")
    };
    let mut text = row(["Channel", "Location", "State", "Application(Data)"]);
    for line in lines {
        let at = &line.info.at;
        // What was originated runs its application outside of the dial plan.
        let location = match at.exten.as_str() {
            "" => "(None)".to_owned(),
            exten => format!("{exten}@{}:{}", at.context, at.priority),
        };
        let application = match line.info.application.as_str() {
            "" => "(None)",
            application => application,
        };
        text.push_str(&row([&line.name, &location, line.state().0, application]));
    }
    text
}

fn concise(lines: &[Line]) -> String {
    let line = |line: &Line| {
        let at = &line.info.at;
        let (application, data) = line.application();
        let fields = [
            line.name.as_str(),
            &at.context,
            &at.exten,
            &at.priority.to_string(),
            line.state().0,
            application,
            data,
            &line.info.caller.number,
            "",
            "",
            "3",
            &line.age.as_secs().to_string(),
            "",
            &line.unique_id,
        ];
        fields.join("!") + "\n"
    };
    lines.iter().map(line).collect()
}

fn verbose(lines: &[Line]) -> String {
    let row = |columns: [&str; 9]| {
        let [
            channel,
            context,
            exten,
            priority,
            state,
            application,
            data,
            caller,
            duration,
        ] = columns;
        format!(
            "{channel:<20.20} {context:<20.20} {exten:<16.16} {priority:<4.4} {state:<7.7} \
             {application:<12.12} {data:<25.25} {caller:<15.15} {duration:>8.8}\n"
        )
    };
    let mut text = row([
        "Channel",
        "Context",
        "Extension",
        "Prio",
        "State",
        "Application",
        "Data",
        "CallerID",
        "Duration",
    ]);
    for line in lines {
        let at = &line.info.at;
        let (application, data) = line.application();
        let priority = format!("{:>4}", at.priority);
        text.push_str(&row([
            &line.name,
            &at.context,
            &at.exten,
            &priority,
            line.state().0,
            application,
            data,
            &line.info.caller.number,
            &line.clock(),
        ]));
    }
    text
}

fn show_channel(exchange: &Exchange, name: &str) -> Outcome {
    match exchange.parts.switch.directory().by_name(name) {
        Some(handle) => Outcome::Done(describe(&Line::of(&handle))),
        None => unknown(name),
    }
}

fn unknown(name: &str) -> Outcome {
    Outcome::Missing(format!("{name} is not a known channel\n"))
}

fn describe(line: &Line) -> String {
    let seconds = line.age.as_secs();
    let elapsed = format!("{}h{}m{}s", seconds / 3600, seconds / 60 % 60, seconds % 60);
    let (state, number) = line.state();
    let (application, data) = line.application();
    let at = &line.info.at;
    let (caller, connected) = (&line.info.caller, &line.info.connected);
    let or = |text: &str, none: &str| if text.is_empty() { none } else { text }.to_owned();
    let mut text = String::from(" -- General --\n");
    let mut field = |name: &str, value: &str| text.push_str(&format!("{name:>15}: {value}\n"));
    field("Name", &line.name);
    field(
        "Type",
        line.name.split_once('/').map_or("", |(kind, _)| kind),
    );
    field("UniqueID", &line.unique_id);
    field("LinkedID", &line.unique_id);
    field("Caller ID", &or(&caller.number, "(N/A)"));
    field("Caller ID Name", &or(&caller.name, "(N/A)"));
    for prefix in ["", "Eff. "] {
        let title = format!("{prefix}Connected Line ID");
        field(&title, &or(&connected.number, "(N/A)"));
        field(&format!("{title} Name"), &or(&connected.name, "(N/A)"));
    }
    field("State", &format!("{state} ({number})"));
    field("Elapsed Time", &elapsed);
    field("Bridge ID", "(Not bridged)");
    text.push_str(" --   PBX   --\n");
    let mut field = |name: &str, value: &str| text.push_str(&format!("{name:>15}: {value}\n"));
    field("Context", &at.context);
    field("Extension", &at.exten);
    field("Priority", &at.priority.to_string());
    field("Application", &or(application, "(N/A)"));
    field("Data", &or(data, "(None)"));
    text.push_str(" -- Streams --\n");
    text.push_str(&or(&line.info.streams, "(None)"));
    text.push('\n');
    text
}

fn request_hangup(exchange: &Exchange, name: &str) -> Outcome {
    let directory = exchange.parts.switch.directory();
    let handles = match name.eq_ignore_ascii_case("all") {
        true => directory.all(),
        false => match directory.by_name(name) {
            Some(handle) => vec![handle],
            None => return unknown(name),
        },
    };
    let mut text = String::new();
    for handle in handles {
        if handle.hangup(Cause::NormalClearing) {
            text.push_str(&format!(
                "Requested Hangup on channel '{}'\n",
                handle.name()
            ));
        }
    }
    Outcome::Done(text)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use expect_test::expect;
    use switch::{CallerId, ChannelInfo, ChannelState, Position};

    use super::{concise, describe, table, totals, verbose};
    use crate::commands::live::Line;

    pub(crate) fn line() -> Line {
        Line {
            name: "PJSIP/WS_PHONE_A-00000004".to_owned(),
            unique_id: "1795385615.4".to_owned(),
            info: Arc::new(ChannelInfo {
                caller: CallerId::new("", "WS_PHONE_A"),
                connected: CallerId::default(),
                at: Position {
                    context: "sets".to_owned(),
                    exten: "246".to_owned(),
                    priority: 4,
                },
                application: "StreamEcho(4)".to_owned(),
                state: ChannelState::Up,
                streams: "audio opus, video VP8".to_owned(),
                mark: String::new(),
            }),
            age: Duration::from_secs(7),
        }
    }

    #[test]
    fn the_list_has_asterisks_columns() {
        let reference = "\
Channel                                                          Location                         State   Application(Data)             
PJSIP/WS_PHONE_A-00000004                                        246@sets:4                       Up      StreamEcho(4)                 
1 active channel
1 active call
5 calls processed
";
        assert_eq!(table(&[line()]) + &totals(1, 5), reference);
    }

    #[test]
    fn the_concise_list_has_asterisks_fields() {
        let reference =
            "PJSIP/WS_PHONE_A-00000004!sets!246!4!Up!StreamEcho!4!WS_PHONE_A!!!3!7!!1795385615.4\n";
        assert_eq!(concise(&[line()]), reference);
    }

    #[test]
    fn the_verbose_list_and_one_channel() {
        expect![[r#"
            Channel              Context              Extension        Prio State   Application  Data                      CallerID        Duration
            PJSIP/WS_PHONE_A-000 sets                 246                 4 Up      StreamEcho   4                         WS_PHONE_A      00:00:07
        "#]].assert_eq(&verbose(&[line()]));
        expect![[r#"
             -- General --
                       Name: PJSIP/WS_PHONE_A-00000004
                       Type: PJSIP
                   UniqueID: 1795385615.4
                   LinkedID: 1795385615.4
                  Caller ID: WS_PHONE_A
             Caller ID Name: (N/A)
            Connected Line ID: (N/A)
            Connected Line ID Name: (N/A)
            Eff. Connected Line ID: (N/A)
            Eff. Connected Line ID Name: (N/A)
                      State: Up (6)
               Elapsed Time: 0h0m7s
                  Bridge ID: (Not bridged)
             --   PBX   --
                    Context: sets
                  Extension: 246
                   Priority: 4
                Application: StreamEcho
                       Data: 4
             -- Streams --
            audio opus, video VP8
        "#]]
        .assert_eq(&describe(&line()));
    }

    #[test]
    fn one_channel_says_whom_it_is_connected_to() {
        let mut line = line();
        let info = Arc::make_mut(&mut line.info);
        info.connected = CallerId::new("Bob", "1002");
        let text = describe(&line);
        assert!(text.contains("\nConnected Line ID: 1002\n"), "{text}");
        assert!(
            text.contains("\nEff. Connected Line ID Name: Bob\n"),
            "{text}"
        );
    }
}
