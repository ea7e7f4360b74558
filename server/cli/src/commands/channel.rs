//! Commands about channels and calls: what there is, and what is done to one of them.

use std::fmt::Write as _;

use codec::{Codec, Kind};
use switch::{Cause, Control, Details, LegStats, Position};

use crate::command::{Command, Names, Outcome, Slot, Takes};
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
    doc: "Shows what is known of one channel; at the end whether its sound is made anew for the other party,\n\
          what its media carried and lost, and how that sounds, estimated from 0 to 100.",
    run: |exchange, words| Box::pin(show_channel(exchange, &words[0])),
};

pub(crate) static SHOW_CALLS: Command = Command {
    path: "core show calls",
    takes: Takes::Maybe(&["uptime"]),
    synopsis: "Display information on calls",
    doc: "Shows how many calls there are, and how many there have been. A call is what goes through the\n\
          dial plan, with all the channels it calls. With `uptime`, also since when.",
    run: |exchange, words| Box::pin(async { show_calls(exchange, words) }),
};

pub(crate) static REDIRECT: Command = Command {
    path: "channel redirect",
    takes: Takes::Form(&[
        Slot::Name("channel", Names::Channels),
        Slot::Any("[[context,]exten,]priority"),
    ]),
    synopsis: "Redirect a call",
    doc: "Lets a channel go on at another place of the dial plan. Who talks to it is hung up, unless its\n\
          own dial plan goes on.",
    run: |exchange, words| Box::pin(redirect(exchange, &words[0], &words[1])),
};

pub(crate) static SET_CHANVAR: Command = Command {
    path: "dialplan set chanvar",
    takes: Takes::Form(&[
        Slot::Name("channel", Names::Channels),
        Slot::Any("varname"),
        Slot::Any("value"),
    ]),
    synopsis: "Set a channel variable",
    doc: "Sets a variable of a channel, or what a function stands for.",
    run: |exchange, words| {
        Box::pin(async { set_chanvar(exchange, &words[0], &words[1], &words[2]) })
    },
};

pub(crate) static SHOW_CHANVAR: Command = Command {
    path: "dialplan show chanvar",
    takes: Takes::Channel,
    synopsis: "Show channel variables",
    doc: "Shows the variables of a channel.",
    run: |exchange, words| Box::pin(show_chanvar(exchange, &words[0])),
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
    let status = exchange.parts.switch.status();
    let totals = totals(lines.len(), status.calls, status.calls_total);
    Outcome::Done(match shape.as_deref() {
        Some("concise") => concise(&lines),
        Some("verbose") => verbose(&lines) + &totals,
        Some("count") => totals,
        _ => table(&lines) + &totals,
    })
}

fn totals(channels: usize, calls: usize, calls_total: u64) -> String {
    let channels = count(channels as u64, "active channel", "active channels");
    format!("{channels}\n{}", calls_in_words(calls, calls_total))
}

fn calls_in_words(calls: usize, calls_total: u64) -> String {
    format!(
        "{}\n{}\n",
        count(calls as u64, "active call", "active calls"),
        count(calls_total, "call processed", "calls processed"),
    )
}

fn show_calls(exchange: &Exchange, words: &[String]) -> Outcome {
    let status = exchange.parts.switch.status();
    let mut text = calls_in_words(status.calls, status.calls_total);
    if !words.is_empty() {
        let seconds = exchange.uptime().as_secs();
        text.push_str(&format!("System uptime: {seconds} seconds\n"));
    }
    Outcome::Done(text)
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
            &line.info.account,
            &line.info.peer_account,
            &line.info.ama_flags.to_string(),
            &line.age.as_secs().to_string(),
            line.info.bridge.as_deref().unwrap_or_default(),
            &line.unique_id,
        ];
        fields.join("!") + "\n"
    };
    lines.iter().map(line).collect()
}

fn verbose(lines: &[Line]) -> String {
    let row = |columns: [&str; 12]| {
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
            account,
            peer_account,
            bridge,
        ] = columns;
        format!(
            "{channel:<20.20} {context:<20.20} {exten:<16.16} {priority:<4.4} {state:<7.7} \
             {application:<12.12} {data:<25.25} {caller:<15.15} {duration:>8.8} \
             {account:<11.11} {peer_account:<11.11} {bridge:<20.20}\n"
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
        "Accountcode",
        "PeerAccount",
        "BridgeID",
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
            &line.info.account,
            &line.info.peer_account,
            line.info.bridge.as_deref().unwrap_or_default(),
        ]));
    }
    text
}

async fn show_channel(exchange: &Exchange, name: &str) -> Outcome {
    match exchange.parts.switch.directory().by_name(name) {
        Some(handle) => {
            let details = handle.details().await;
            let text = describe(&Line::of(&handle), details.as_deref());
            Outcome::Done(text + &media(&handle.stats().await))
        }
        None => unknown(name),
    }
}

async fn show_chanvar(exchange: &Exchange, name: &str) -> Outcome {
    let Some(handle) = exchange.parts.switch.directory().by_name(name) else {
        return unknown(name);
    };
    match handle.details().await {
        Some(details) => Outcome::Done(pairs(&details.variables)),
        None => unknown(name),
    }
}

fn set_chanvar(exchange: &Exchange, channel: &str, name: &str, value: &str) -> Outcome {
    let Some(handle) = exchange.parts.switch.directory().by_name(channel) else {
        return unknown(channel);
    };
    let (name, value) = (name.to_owned(), value.to_owned());
    match handle.control(Control::Set { name, value }) {
        true => Outcome::Done(String::new()),
        false => unknown(channel),
    }
}

async fn redirect(exchange: &Exchange, channel: &str, to: &str) -> Outcome {
    let Some(handle) = exchange.parts.switch.directory().by_name(channel) else {
        return unknown(channel);
    };
    let at = &handle.info().at;
    let words: Vec<&str> = to.split(',').map(str::trim).collect();
    let (context, exten, priority) = match words[..] {
        [priority] => (at.context.as_str(), at.exten.as_str(), priority),
        [exten, priority] => (at.context.as_str(), exten, priority),
        [context, exten, priority] => (context, exten, priority),
        _ => return Outcome::Usage,
    };
    let plan = &exchange.config().plan;
    let caller = Some(handle.info().caller.number.clone());
    let labelled = || plan.label(context, exten, priority, caller.as_deref());
    let Some(priority) = priority.parse().ok().or_else(labelled) else {
        return Outcome::Failed(format!(
            "'{priority}' is no priority of {exten}@{context}\n"
        ));
    };
    let switch = &exchange.parts.switch;
    let known = switch
        .has_extension(context, exten, caller.as_deref())
        .await;
    if !known.unwrap_or(false) {
        return Outcome::Failed(format!("There is no extension {exten}@{context}\n"));
    }
    let to = Position {
        context: context.to_owned(),
        exten: exten.to_owned(),
        priority,
    };
    let name = handle.name();
    match handle.redirect(to) {
        true => Outcome::Done(format!(
            "Channel '{name}' successfully redirected to {context},{exten},{priority}\n"
        )),
        false => unknown(name),
    }
}

fn unknown(name: &str) -> Outcome {
    Outcome::Missing(format!("{name} is not a known channel\n"))
}

/// `name=value`, a line each.
fn pairs(pairs: &[(String, String)]) -> String {
    let lines = pairs
        .iter()
        .map(|(name, value)| format!("{name}={value}\n"));
    lines.collect()
}

/// In Asterisk's words; without `details` where the call did not give them.
fn describe(line: &Line, details: Option<&Details>) -> String {
    let seconds = line.age.as_secs();
    let elapsed = format!("{}h{}m{}s", seconds / 3600, seconds / 60 % 60, seconds % 60);
    let (state, number) = line.state();
    let (application, data) = line.application();
    let at = &line.info.at;
    let (caller, connected) = (&line.info.caller, &line.info.connected);
    let or = |text: &str, none: &str| if text.is_empty() { none } else { text }.to_owned();
    let linked = details.map_or(line.unique_id.as_str(), |it| it.linked_id.as_str());
    let mut text = String::from(" -- General --\n");
    let mut field = |name: &str, value: &str| text.push_str(&format!("{name:>15}: {value}\n"));
    field("Name", &line.name);
    field(
        "Type",
        line.name.split_once('/').map_or("", |(kind, _)| kind),
    );
    field("UniqueID", &line.unique_id);
    field("LinkedID", linked);
    field("Caller ID", &or(&caller.number, "(N/A)"));
    field("Caller ID Name", &or(&caller.name, "(N/A)"));
    for prefix in ["", "Eff. "] {
        let title = format!("{prefix}Connected Line ID");
        field(&title, &or(&connected.number, "(N/A)"));
        field(&format!("{title} Name"), &or(&connected.name, "(N/A)"));
    }
    if let Some(details) = details {
        field("DNID Digits", &or(&details.dnid, "(N/A)"));
        field("Language", &details.language);
    }
    field("State", &format!("{state} ({number})"));
    if let Some(details) = details {
        field("NativeFormats", &details.formats);
        field("WriteFormat", &or(&details.format, "(nothing)"));
        field("ReadFormat", &or(&details.format, "(nothing)"));
    }
    field("Elapsed Time", &elapsed);
    let bridge = line.info.bridge.as_deref();
    field("Bridge ID", bridge.unwrap_or("(Not bridged)"));
    text.push_str(" --   PBX   --\n");
    let mut field = |name: &str, value: &str| text.push_str(&format!("{name:>15}: {value}\n"));
    field("Context", &at.context);
    field("Extension", &at.exten);
    field("Priority", &at.priority.to_string());
    if let Some(details) = details {
        field("Call Group", &or(&details.call_group, "0"));
        field("Pickup Group", &or(&details.pickup_group, "0"));
    }
    field("Application", &or(application, "(N/A)"));
    field("Data", &or(data, "(None)"));
    if let Some(details) = details {
        text.push_str(&format!("      Variables:\n{}", pairs(&details.variables)));
        text.push_str(&format!("  CDR Variables:\n{}", pairs(&details.record)));
    }
    text.push_str(" -- Streams --\n");
    match details {
        Some(details) => {
            for (index, stream) in details.streams.iter().enumerate() {
                text.push_str(&format!(
                    "Name: {kind}-{index}\n    Type: {kind}\n    State: {}\n    Formats: {}\n",
                    stream.state,
                    stream.formats,
                    kind = stream.kind,
                ));
            }
        }
        None => text.push_str(&(or(&line.info.streams, "(None)") + "\n")),
    }
    text
}

/// What its media carried, and what is made anew on the way.
fn media(stats: &LegStats) -> String {
    let mut text = String::from(" -- Media --\n");
    for (name, recoded) in [
        ("WriteTranscode", stats.said_anew),
        ("ReadTranscode", stats.heard_anew),
    ] {
        text.push_str(&format!("{name:>15}: {}\n", anew(recoded)));
    }
    for stream in &stats.streams {
        let ms = |us: u64| us as f64 / 1000.0;
        let reported = stream.jitter_out_us.map_or_else(String::new, |us| {
            format!(", {} lost, jitter {:.1} ms", stream.lost_out, ms(us))
        });
        let round_trip = stream
            .round_trip_us
            .map_or_else(String::new, |us| format!(", round trip {:.1} ms", ms(us)));
        let sounds = match stream.kind == Kind::Audio && stream.packets_in > 0 {
            true => {
                let (heard, said) = (stream.score_in(), stream.score_out());
                format!("; sounds {heard:.0} in, {said:.0} out")
            }
            false => String::new(),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{}: {} packets in, {} lost, jitter {:.1} ms; {} out{reported}{round_trip}{sounds}",
            stream.kind.as_str(),
            stream.packets_in,
            stream.lost,
            ms(stream.jitter_us),
            stream.packets_out,
        );
    }
    text
}

/// `Yes (opus)->(ulaw)`.
fn anew(recoded: Option<(&Codec, &Codec)>) -> String {
    recoded.map_or_else(
        || "No".to_owned(),
        |(from, to)| format!("Yes ({})->({})", from.name, to.name),
    )
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
    use switch::{CallerId, ChannelInfo, ChannelState, Details, Position, StreamDetails};

    use super::{LegStats, concise, describe, media, table, totals, verbose};
    use crate::commands::live::Line;
    use crate::commands::pjsip::channel_stats::tests::stats;

    pub(crate) fn line() -> Line {
        Line {
            name: "PJSIP/WS_PHONE_A-00000004".to_owned(),
            unique_id: "1795385615.4".to_owned(),
            info: Arc::new(ChannelInfo {
                application: "StreamEcho(4)".to_owned(),
                streams: "audio opus, video VP8".to_owned(),
                ..ChannelInfo::new(
                    &CallerId::new("", "WS_PHONE_A"),
                    &Position {
                        context: "sets".to_owned(),
                        exten: "246".to_owned(),
                        priority: 4,
                    },
                    ChannelState::Up,
                )
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
        assert_eq!(table(&[line()]) + &totals(1, 1, 5), reference);
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
            Channel              Context              Extension        Prio State   Application  Data                      CallerID        Duration Accountcode PeerAccount BridgeID            
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
        .assert_eq(&describe(&line(), None));
    }

    #[test]
    fn two_that_talk_have_one_bridge() {
        let mut line = line();
        let info = Arc::make_mut(&mut line.info);
        info.bridge = Some("c0ffee00-0000-4000-8000-000000000001".into());
        info.account = "sales".to_owned();
        info.peer_account = "boss".to_owned();
        info.ama_flags = 2;
        let text = concise(std::slice::from_ref(&line));
        let fields: Vec<&str> = text.trim_end().split('!').collect();
        assert_eq!(fields[8..11], ["sales", "boss", "2"]);
        assert_eq!(fields[12], "c0ffee00-0000-4000-8000-000000000001");
        assert!(
            verbose(std::slice::from_ref(&line))
                .contains("sales       boss        c0ffee00-0000-4000-8")
        );
        let text = describe(&line, None);
        assert!(text.contains("      Bridge ID: c0ffee00-0000"), "{text}");
    }

    #[test]
    fn a_call_that_answers_tells_its_variables_and_codecs() {
        let details = Details {
            linked_id: "1795385615.1".to_owned(),
            dnid: "246".to_owned(),
            language: "en".to_owned(),
            formats: "(opus|vp8)".to_owned(),
            format: "opus".to_owned(),
            call_group: "1,3".to_owned(),
            variables: vec![("COLOUR".to_owned(), "blue".to_owned())],
            record: vec![("level 1: dst".to_owned(), "246".to_owned())],
            streams: vec![StreamDetails {
                kind: "audio",
                state: "sendrecv",
                formats: "(opus|ulaw)".to_owned(),
            }],
            ..Details::default()
        };
        let text = describe(&line(), Some(&details));
        for part in [
            "       LinkedID: 1795385615.1\n",
            "    DNID Digits: 246\n       Language: en\n          State: Up (6)\n  NativeFormats: (opus|vp8)\n",
            "    WriteFormat: opus\n",
            "     Call Group: 1,3\n   Pickup Group: 0\n",
            "      Variables:\nCOLOUR=blue\n  CDR Variables:\nlevel 1: dst=246\n",
            "Name: audio-0\n    Type: audio\n    State: sendrecv\n    Formats: (opus|ulaw)\n",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }

    #[test]
    fn one_channel_says_whom_it_is_connected_to() {
        let mut line = line();
        let info = Arc::make_mut(&mut line.info);
        info.connected = CallerId::new("Bob", "1002");
        let text = describe(&line, None);
        assert!(text.contains("\nConnected Line ID: 1002\n"), "{text}");
        assert!(
            text.contains("\nEff. Connected Line ID Name: Bob\n"),
            "{text}"
        );
    }
    #[test]
    fn one_channel_says_how_its_sound_goes() {
        let [ulaw, opus] = ["ulaw", "opus"].map(|name| codec::by_name(name).unwrap());
        let stats = LegStats {
            said_anew: Some((opus, ulaw)),
            heard_anew: Some((ulaw, opus)),
            ..stats()
        };
        let expected = " -- Media --\n WriteTranscode: Yes (opus)->(ulaw)\n  ReadTranscode: Yes (ulaw)->(opus)\n\
                        audio: 1470 packets in, 30 lost, jitter 12.0 ms; 1518 out, 18 lost, jitter 4.0 ms, \
                        round trip 81.0 ms; sounds 86 in, 87 out\n";
        assert_eq!(media(&stats), expected);
    }
}
