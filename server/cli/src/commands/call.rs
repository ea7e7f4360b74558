//! `call story`: what happened to a call that is up or that ended lately, and what went wrong.

use std::fmt::Write as _;
use std::time::{Duration, UNIX_EPOCH};

use switch::story::{Entry, FinishedStory, Subject};

use crate::command::{Command, Names, Outcome, Slot, Takes};
use crate::commands::count;
use crate::exchange::Exchange;
use crate::log::clock;

pub(crate) static STORY: Command = Command {
    path: "call story",
    takes: Takes::Form(&[Slot::Optional, Slot::Name("channel", Names::Channels)]),
    synopsis: "Show what happened to a call",
    doc: "Without a name: the calls that ended lately, the latest last, with their end and, where\n\
          something went wrong, what cures it. With the name of a channel, its unique id or its Call-ID:\n\
          all that happened to that call, whether it is up or has ended, in the order of time: messages,\n\
          the steps of the dial plan, media, remarks, the sums of packets and the verdict.",
    run: |exchange, words| Box::pin(story(exchange, words.first().map(String::as_str))),
};

/// Calls that are listed.
const LISTED_MAX: usize = 30;

async fn story(exchange: &Exchange, name: Option<&str>) -> Outcome {
    let directory = exchange.parts.switch.directory();
    let Some(name) = name else {
        let stories = directory.stories();
        let first = stories.len().saturating_sub(LISTED_MAX);
        let stories: Vec<&FinishedStory> = stories[first..].iter().map(|own| &**own).collect();
        return Outcome::Done(list(&stories));
    };
    let live = directory
        .all()
        .into_iter()
        .find(|handle| handle.name().eq_ignore_ascii_case(name) || handle.unique_id() == name);
    if let Some(handle) = live
        && let Some(details) = handle.details().await
        && let Some(story) = details.story
    {
        let text = head(&story.subject, story.began_unix_ms, "goes on");
        return Outcome::Done(text + &events(&story.events, story.omitted));
    }
    let stories = directory.stories();
    let is_it = |own: &Subject| {
        own.channel.eq_ignore_ascii_case(name) || own.unique_id == name || own.call_id == name
    };
    // A name may come again after a restart: the latest is meant.
    match stories.iter().rev().find(|own| is_it(&own.subject)) {
        Some(story) => Outcome::Done(finished(story)),
        None => Outcome::Missing(format!(
            "{name} is no channel that is up, and none of the last that ended\n"
        )),
    }
}

fn list(stories: &[&FinishedStory]) -> String {
    let mut text = String::new();
    for story in stories {
        let subject = &story.subject;
        let _ = writeln!(
            text,
            "{}  {:<32} {:<24} {:>5} s  {}",
            when(story.began_unix_ms),
            subject.channel,
            format!("{}@{}", subject.exten, subject.context),
            story.lasted_ms / 1000,
            story.cause.english()
        );
        if let Some(verdict) = &story.verdict {
            let _ = writeln!(text, "    {verdict}");
        }
    }
    let calls = count(stories.len() as u64, "call", "calls");
    text + &format!("{calls}; `call story <channel>` tells all of one\n")
}

fn finished(story: &FinishedStory) -> String {
    let lasted = format!("lasted {}", seconds(story.lasted_ms));
    let mut text = head(&story.subject, story.began_unix_ms, &lasted);
    text.push_str(&events(&story.events, story.omitted));
    match &story.verdict {
        Some(verdict) => text + &format!("Verdict: {verdict}\n"),
        None => text,
    }
}

fn head(subject: &Subject, began_unix_ms: u64, how: &str) -> String {
    let mut text = format!(
        "{} ({}), {}, {how}\n",
        subject.channel,
        subject.unique_id,
        when(began_unix_ms)
    );
    let mut line = |name: &str, value: &str| {
        if !value.is_empty() {
            text.push_str(&format!("  {name:<10} {value}\n"));
        }
    };
    line("endpoint", &subject.endpoint);
    line("caller", &subject.caller);
    line("dialled", &format!("{}@{}", subject.exten, subject.context));
    line("called", subject.called.as_deref().unwrap_or_default());
    line("Call-ID", &subject.call_id);
    text
}

fn events(events: &[Entry], omitted: u64) -> String {
    let mut text = String::new();
    for (number, entry) in events.iter().enumerate() {
        if omitted > 0 && number == events.len() / 2 {
            text.push_str(&format!("            … {omitted} events were not kept …\n"));
        }
        text.push_str(&format!("{:>12}  {}\n", seconds(entry.at_ms), entry.event));
    }
    text
}

fn seconds(ms: u64) -> String {
    format!("{}.{:03} s", ms / 1000, ms % 1000)
}

fn when(unix_ms: u64) -> String {
    clock::local(UNIX_EPOCH + Duration::from_millis(unix_ms), Some("%F %T"))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use switch::Cause;
    use switch::story::{Entry, FinishedStory, Side, StoryEvent, Subject, Verdict};

    use super::{finished, list};

    fn story() -> FinishedStory {
        let entry = |at_ms, event| Entry { at_ms, event };
        FinishedStory {
            subject: Subject {
                channel: "PJSIP/101-00000003".to_owned(),
                unique_id: "1795385558.3".to_owned(),
                call_id: "abc@h".to_owned(),
                endpoint: "101".to_owned(),
                caller: "101".to_owned(),
                exten: "102".to_owned(),
                context: "phones".to_owned(),
                called: None,
            },
            began_unix_ms: 0,
            lasted_ms: 8_250,
            cause: Cause::NormalClearing,
            verdict: Some(Verdict {
                english: "Nothing was heard: open the ports.".to_owned(),
                russian: String::new(),
            }),
            omitted: 7,
            events: vec![
                entry(
                    0,
                    StoryEvent::Received {
                        message: "INVITE sip:102@h".to_owned(),
                        flow: "udp 192.0.2.1:5060".to_owned(),
                    },
                ),
                entry(
                    8_250,
                    StoryEvent::Ended {
                        by: Side::Us,
                        cause: Cause::NormalClearing,
                    },
                ),
            ],
        }
    }

    /// Without the time, which is that of the machine's zone.
    fn undated(text: &str) -> String {
        let start = text.find("19").unwrap();
        let (before, after) = text.split_at(start);
        before.to_owned() + "WHEN" + &after["1970-01-01 00:00:00".len()..]
    }

    #[test]
    fn a_call_that_ended_is_told_from_its_first_message_to_its_verdict() {
        let mut story = story();
        story.subject.unique_id = "7.3".to_owned();
        expect![[r#"
            PJSIP/101-00000003 (7.3), WHEN, lasted 8.250 s
              endpoint   101
              caller     101
              dialled    102@phones
              Call-ID    abc@h
                 0.000 s  <-- INVITE sip:102@h (udp 192.0.2.1:5060)
                        … 7 events were not kept …
                 8.250 s  ended by us: Normal call clearing (16)
            Verdict: Nothing was heard: open the ports.
        "#]]
        .assert_eq(&undated(&finished(&story)));
    }

    #[test]
    fn the_latest_calls_are_listed_with_what_cures_them() {
        expect![[r#"
            WHEN  PJSIP/101-00000003               102@phones                   8 s  Normal call clearing
                Nothing was heard: open the ports.
            1 call; `call story <channel>` tells all of one
        "#]].assert_eq(&undated(&list(&[&story()])));
    }
}
