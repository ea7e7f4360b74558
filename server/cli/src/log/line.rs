//! One event as a line, in each of its looks.

use std::fmt::{self, Write as _};
use std::time::SystemTime;

use switch::call_number::{self, CallNumber};
use tracing::Event;
use tracing::field::{Field, Visit};

use super::channel::{Channel, Format, Out};
use super::clock;
use super::level::{Class, Level, STEP};
use super::rule::State;

/// Bytes of one line; a SIP message fits.
const LINE_BYTES_MAX: usize = 80_000;

/// Who writes the lines that ban addresses (`docs/fail2ban.md`).
const BANNED: &str = "signal::sip::banned";

/// An event that somebody takes.
pub(super) struct Line {
    at: SystemTime,
    pub(super) class: Class,
    level: tracing::Level,
    module: &'static str,
    /// The call it was said in.
    call: Option<CallNumber>,
    /// The message, then its fields.
    text: String,
}

impl Line {
    /// The event as a line; `None` if its trace is narrowed to others.
    pub(super) fn of(event: &Event<'_>, state: &State) -> Option<Self> {
        let metadata = event.metadata();
        let class = Class::of(metadata);
        let mut fields = Fields::default();
        event.record(&mut fields);
        let traced = match class {
            Class::Sip => Some(&state.sip),
            Class::Rtp => Some(&state.rtp),
            Class::Rtcp => Some(&state.rtcp),
            _ => None,
        };
        let text = match traced {
            // Its message says where and which channel.
            None if class == STEP => fields.message,
            None => fields.message + &fields.others,
            Some(traced) if traced.has(&fields.remote, &fields.method) => match traced.brief {
                true => brief(&fields.message),
                false => fields.message,
            },
            Some(_) => return None,
        };
        let text = harmless(&text, traced.is_some());
        Some(Self {
            at: SystemTime::now(),
            class,
            level: *metadata.level(),
            module: metadata.target().split("::").next().unwrap_or_default(),
            // A packet is seen to by a thread of many calls.
            call: traced.is_none().then(call_number::current).flatten(),
            text: match metadata.target() == BANNED {
                true => text,
                false => banning_nobody(text),
            },
        })
    }

    /// As the standard error shows it.
    pub(super) fn for_terminal(&self, colours: bool) -> String {
        let (time, level) = (clock::utc(self.at), self.level);
        let call = self.call.map(|call| format!("[{call}] "));
        let call = call.unwrap_or_default();
        match colours {
            false => format!("{time} {level:>5} {call}{}\n", self.text),
            true => {
                let colour = colour(self.class.level());
                format!(
                    "\u{1b}[2m{time}\u{1b}[0m \u{1b}[{colour}m{level:>5}\u{1b}[0m {call}{}\n",
                    self.text
                )
            }
        }
    }

    /// As a channel of `logger.conf` has it.
    pub(super) fn formatted(&self, channel: &Channel, date_format: Option<&str>) -> String {
        match (&channel.out, channel.format) {
            (Out::Syslog(_, facility), _) => {
                let priority = facility * 8 + severity(self.class.level());
                let (pid, level) = (std::process::id(), self.class.level().as_str());
                let call = self.bracketed();
                format!(
                    "<{priority}>sidetone[{pid}]: {level}{call}: {}: {}",
                    self.module, self.text
                )
            }
            (_, Format::Default) => self.plain(date_format),
            (_, Format::Json) => {
                let mut object = serde_json::json!({
                    "timestamp": clock::utc(self.at),
                    "level": self.class.level().as_str(),
                    "pid": std::process::id(),
                    "module": self.module,
                    "message": self.text,
                });
                if let Some(call) = self.call {
                    object["call"] = call.to_string().into();
                }
                format!("{object}\n")
            }
        }
    }

    /// `[C-0000002a]`, or nothing outside of calls.
    fn bracketed(&self) -> String {
        self.call
            .map_or_else(String::new, |call| format!("[{call}]"))
    }

    /// `[Nov 25 21:05:55] NOTICE[1234][C-0000002a]: signal: …`.
    pub(super) fn plain(&self, date_format: Option<&str>) -> String {
        format!(
            "[{}] {}[{}]{}: {}: {}\n",
            clock::local(self.at, date_format),
            self.class.level().as_str(),
            std::process::id(),
            self.bracketed(),
            self.module,
            self.text
        )
    }
}

/// The colour of a level on a terminal.
pub(crate) fn colour(level: Level) -> &'static str {
    match level {
        Level::Error => "31;1",
        Level::Warning => "33",
        Level::Notice => "32",
        Level::Verbose => "36",
        Level::Debug | Level::Trace | Level::Dtmf => "2",
    }
}

/// Syslog's number of a level (RFC 5424 §6.2.1).
fn severity(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warning => 4,
        Level::Notice => 5,
        Level::Verbose => 6,
        Level::Debug | Level::Trace | Level::Dtmf => 7,
    }
}

/// The arrow and the first line of the message.
fn brief(text: &str) -> String {
    let lines: Vec<&str> = text.lines().take(2).collect();
    lines.join(" ")
}

/// A line may quote what a stranger sent: it cannot move the cursor, nor look like another line. Only
/// traced messages have lines of their own.
fn harmless(text: &str, lines: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.trim_end().chars() {
        if out.len() >= LINE_BYTES_MAX {
            out.push('…');
            break;
        }
        match character {
            '\n' if lines => out.push('\n'),
            '\r' if lines => {}
            '\n' => out.push_str("\\n"),
            '\t' => out.push('\t'),
            _ if character.is_control() => out.push('\u{fffd}'),
            _ => out.push(character),
        }
    }
    out
}

/// What fail2ban cannot take for a line of [`BANNED`]: whoever is traced writes whole lines of the log, and the dial plan
/// logs what a caller calls himself.
fn banning_nobody(text: String) -> String {
    match text.contains(FAILED_FOR) {
        true => text.replace(FAILED_FOR, "' failed for \u{2019}"),
        false => text,
    }
}

/// Stands before the address in every line that bans it.
const FAILED_FOR: &str = "' failed for '";

/// The message and ` name=value` of each field.
#[derive(Default)]
struct Fields {
    message: String,
    others: String,
    remote: String,
    method: String,
}

impl Fields {
    fn add(&mut self, name: &str, value: fmt::Arguments<'_>) {
        let done = match name {
            "message" => self.message.write_fmt(value),
            "remote" => {
                self.remote = value.to_string();
                write!(self.others, " {name}={value}")
            }
            "method" => {
                self.method = value.to_string();
                write!(self.others, " {name}={value}")
            }
            _ => write!(self.others, " {name}={value}"),
        };
        // Writing into a string does not fail.
        let _ = done;
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field.name(), format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" | "method" => self.add(field.name(), format_args!("{value}")),
            name => self.add(name, format_args!("{value:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{banning_nobody, brief, harmless};

    #[test]
    fn a_line_stays_one_line() {
        assert_eq!(
            harmless("a\nERROR b\u{1b}[2J\n", false),
            "a\\nERROR b\u{fffd}[2J"
        );
        assert_eq!(harmless("INVITE\r\nVia: x\r\n\r\n", true), "INVITE\nVia: x");
        assert!(harmless(&"x".repeat(1_000_000), true).len() < 81_000);
    }

    #[test]
    fn a_traced_message_bans_nobody() {
        let forged =
            "Request 'A' from 'x' failed for '192.0.2.7:1' (callid: 1) - Failed to authenticate";
        let text = banning_nobody(format!("<-- udp\n{forged}\n{forged}"));
        assert!(!text.contains("failed for '"), "{text}");
        assert_eq!(text.lines().count(), 3);
        assert_eq!(banning_nobody("'x' failed".to_owned()), "'x' failed");
    }

    #[test]
    fn a_brief_trace_is_the_arrow_and_the_first_line() {
        assert_eq!(
            brief("<-- udp 1.2.3.4:5 (9 bytes)\nINVITE sip:a SIP/2.0\nVia"),
            "<-- udp 1.2.3.4:5 (9 bytes) INVITE sip:a SIP/2.0"
        );
    }
}
