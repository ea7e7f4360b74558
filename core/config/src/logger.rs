//! `logger.conf`: what is logged, where, and how it looks.

use crate::option::{Applied, Fault, Object, Parse, Row, inert, row, word};
use std::fmt;

/// `logger.conf`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logger {
    /// How times are written: strftime's letters; Asterisk's own `%b %e %T` if unset.
    pub date_format: Option<String>,
    /// Whether lines of a call carry its number.
    pub use_call_ids: bool,
    /// Whether those numbers are shown; as `use_call_ids` if unset.
    pub display_call_ids: Option<String>,
    /// Whether names of log files end with the name of the machine.
    pub append_hostname: bool,
    /// How `logger rotate` names what it puts away.
    pub rotate_strategy: RotateStrategy,
    /// The command that runs after a rotation; never run here.
    pub exec_after_rotate: Option<String>,
    /// Lines that may wait to be written.
    pub queue_limit: u32,
    /// Levels of the operator's own.
    pub custom_levels: Vec<String>,
    /// `[logfiles]`, in the order written.
    pub channels: Vec<LogChannel>,
}

/// One line of `[logfiles]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogChannel {
    /// Where the lines go.
    pub target: LogTarget,
    /// How they look.
    pub format: LogFormat,
    /// What is logged.
    pub levels: Vec<LogLevel>,
}

/// Where lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogTarget {
    /// `console`.
    Console,
    /// `syslog.FACILITY`.
    Syslog(String),
    /// A file; a name without slashes lies in the log folder.
    File(String),
}

/// `[json]` before the levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Asterisk's own.
    Default,
    /// One JSON object a line.
    Json,
    /// Asterisk's own without colours.
    Plain,
}

/// One level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// `*`: every level.
    All,
    /// `debug`.
    Debug,
    /// `trace`.
    Trace,
    /// `notice`.
    Notice,
    /// `warning`.
    Warning,
    /// `error`.
    Error,
    /// `verbose`, or `verbose(3)` up to that level.
    Verbose(Option<u32>),
    /// `dtmf`.
    Dtmf,
    /// `fax`.
    Fax,
    /// `security`.
    Security,
    /// One of `custom_levels`.
    Custom(String),
}

/// `rotatestrategy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RotateStrategy {
    /// `sequential`: the highest number is the newest.
    Sequential,
    /// `rotate`: the lowest number is the newest.
    Rotate,
    /// `timestamp`: the time stands in the name.
    Timestamp,
    /// `none`: something else rotates; files are opened again.
    None,
}

impl Default for Logger {
    fn default() -> Self {
        Self {
            date_format: None,
            use_call_ids: true,
            display_call_ids: None,
            append_hostname: false,
            rotate_strategy: RotateStrategy::Sequential,
            exec_after_rotate: None,
            queue_limit: 1000,
            custom_levels: Vec::new(),
            channels: Vec::new(),
        }
    }
}

impl Object for Logger {
    const KIND: &'static str = "logger.conf";
    const OPTIONS: &'static [Row<Self>] = OPTIONS;

    fn named(_: &str) -> Self {
        Self::default()
    }
}

const OPTIONS: &[Row<Logger>] = &[
    row(
        "appendhostname",
        "no",
        Parse::YesNo(|l| &mut l.append_hostname),
        "Names of log files end with the name of the machine.",
    ),
    inert(
        "custom_levels",
        "",
        Parse::Names(|l| &mut l.custom_levels),
        "Levels of one's own.",
        "no application logs on a level of its own",
    ),
    row(
        "dateformat",
        "",
        Parse::Optional(|l| &mut l.date_format),
        "How times are written.",
    ),
    inert(
        "display_callids",
        "",
        Parse::Optional(|l| &mut l.display_call_ids),
        "Shows the number of the call on each of its lines.",
        "each line of a call names its channel already",
    ),
    inert(
        "exec_after_rotate",
        "",
        Parse::Optional(|l| &mut l.exec_after_rotate),
        "A command to run after a rotation.",
        "no configuration runs a program here; use logrotate's `postrotate`",
    ),
    inert(
        "logger_queue_limit",
        "1000",
        Parse::Number(|l| &mut l.queue_limit, 1, 1_000_000),
        "Lines that may wait to be written.",
        "the log has its own limits, 8192 lines and 16 MB; what does not fit is counted",
    ),
    row(
        "rotatestrategy",
        "sequential",
        Parse::Own(rotate_strategy),
        "How `logger rotate` names what it puts away.",
    ),
    inert(
        "use_callids",
        "yes",
        Parse::YesNo(|l| &mut l.use_call_ids),
        "Lines of a call carry its number.",
        "each line of a call names its channel already",
    ),
];

fn rotate_strategy(logger: &mut Logger, value: &str) -> Result<(), Fault> {
    const WORDS: &[&str] = &["sequential", "rotate", "timestamp", "none"];
    logger.rotate_strategy = match word(value, WORDS)? {
        0 => RotateStrategy::Sequential,
        1 => RotateStrategy::Rotate,
        2 => RotateStrategy::Timestamp,
        _ => RotateStrategy::None,
    };
    Ok(())
}

/// Lines of `[logfiles]`.
const CHANNELS_MAX: usize = 100;

/// Words of a level, in the order of [`level`].
const LEVELS: &[&str] = &[
    "debug", "trace", "notice", "warning", "error", "verbose", "dtmf", "fax", "security", "*",
];

impl Logger {
    /// Reads one line of `[logfiles]`: `name => [formatter]levels`.
    pub(crate) fn add_channel(&mut self, name: &str, value: &str) -> Applied {
        if self.channels.len() >= CHANNELS_MAX {
            return Applied::Fault(Fault::TooMany(CHANNELS_MAX));
        }
        match self.channel(name, value) {
            Ok((channel, unknown)) => {
                self.channels.push(channel);
                match unknown.is_empty() {
                    true => Applied::Set,
                    false => Applied::Fault(Fault::UnknownLevels(unknown, LEVELS)),
                }
            }
            Err(fault) => Applied::Fault(fault),
        }
    }

    /// The channel, and the words that are no level.
    fn channel(&self, name: &str, value: &str) -> Result<(LogChannel, Vec<String>), Fault> {
        let lower = name.to_ascii_lowercase();
        let target = match lower.strip_prefix("syslog") {
            _ if lower == "console" => LogTarget::Console,
            Some(rest) if rest.is_empty() || rest.starts_with('.') => {
                LogTarget::Syslog(rest.trim_start_matches('.').to_owned())
            }
            _ => LogTarget::File(name.to_owned()),
        };
        let (format, levels) = match value.strip_prefix('[').and_then(|v| v.split_once(']')) {
            Some((format, levels)) => {
                let format = match word(format.trim(), &["default", "json", "plain"])? {
                    0 => LogFormat::Default,
                    1 => LogFormat::Json,
                    _ => LogFormat::Plain,
                };
                (format, levels)
            }
            None => (LogFormat::Default, value),
        };
        let words = levels.split(',').map(str::trim);
        let (mut levels, mut unknown) = (Vec::new(), Vec::new());
        for text in words.filter(|word| !word.is_empty()) {
            match self.level(text) {
                Ok(level) => levels.push(level),
                Err(Fault::NotOneOf(_)) => unknown.push(text.to_owned()),
                Err(fault) => return Err(fault),
            }
        }
        let channel = LogChannel {
            target,
            format,
            levels,
        };
        Ok((channel, unknown))
    }

    fn level(&self, text: &str) -> Result<LogLevel, Fault> {
        let (name, verbosity) = match text.split_once('(') {
            Some((name, number)) => {
                let number = number.trim_end_matches(')').trim();
                (
                    name.trim(),
                    Some(number.parse().map_err(|_| Fault::NotNumber(0, 100))?),
                )
            }
            None => (text, None),
        };
        if self
            .custom_levels
            .iter()
            .any(|own| own.eq_ignore_ascii_case(name))
        {
            return Ok(LogLevel::Custom(name.to_owned()));
        }
        Ok(match word(name, LEVELS)? {
            0 => LogLevel::Debug,
            1 => LogLevel::Trace,
            2 => LogLevel::Notice,
            3 => LogLevel::Warning,
            4 => LogLevel::Error,
            5 => LogLevel::Verbose(verbosity),
            6 => LogLevel::Dtmf,
            7 => LogLevel::Fax,
            8 => LogLevel::Security,
            _ => LogLevel::All,
        })
    }
}

impl fmt::Display for LogLevel {
    /// As written in the file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self {
            Self::All => "*",
            Self::Debug => "debug",
            Self::Trace => "trace",
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Verbose(Some(number)) => return write!(f, "verbose({number})"),
            Self::Verbose(None) => "verbose",
            Self::Dtmf => "dtmf",
            Self::Fax => "fax",
            Self::Security => "security",
            Self::Custom(name) => name,
        };
        f.write_str(word)
    }
}

impl fmt::Display for LogTarget {
    /// As written in the file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Console => f.write_str("console"),
            Self::Syslog(facility) if facility.is_empty() => f.write_str("syslog"),
            Self::Syslog(facility) => write!(f, "syslog.{facility}"),
            Self::File(name) => f.write_str(name),
        }
    }
}
