//! `logger.conf` as the log follows it.

use config::{LogChannel, LogFormat, LogLevel, LogTarget, Logger, RotateStrategy};

use super::channel::{Channel, Format, Out};
use super::level::{Level, Levels};
use super::{Rotation, Settings};

impl Settings {
    /// What the file says; `host` is the machine's name.
    pub fn of(logger: &Logger, host: &str) -> Self {
        let end = match logger.append_hostname {
            true => format!(".{host}"),
            false => String::new(),
        };
        let channels = logger.channels.iter();
        Self {
            channels: channels.map(|channel| channel_of(channel, &end)).collect(),
            date_format: logger.date_format.clone(),
            rotation: match logger.rotate_strategy {
                RotateStrategy::Sequential => Rotation::Sequential,
                RotateStrategy::Rotate => Rotation::Rotate,
                RotateStrategy::Timestamp => Rotation::Timestamp,
                RotateStrategy::None => Rotation::None,
            },
        }
    }
}

fn channel_of(channel: &LogChannel, end: &str) -> Channel {
    Channel {
        out: match &channel.target {
            LogTarget::Console => Out::Console,
            LogTarget::Syslog(name) => Out::Syslog(name.clone(), facility(name)),
            LogTarget::File(name) => Out::File(format!("{name}{end}")),
        },
        format: match channel.format {
            LogFormat::Default | LogFormat::Plain => Format::Default,
            LogFormat::Json => Format::Json,
        },
        levels: levels(&channel.levels),
    }
}

/// Levels of one's own, of faxes and of security have no lines here.
fn levels(named: &[LogLevel]) -> Levels {
    let mut levels = Levels::default();
    for level in named {
        match level {
            LogLevel::All => Level::ALL
                .into_iter()
                .for_each(|level| levels.set(level, true)),
            LogLevel::Debug => levels.set(Level::Debug, true),
            LogLevel::Trace => levels.set(Level::Trace, true),
            LogLevel::Notice => levels.set(Level::Notice, true),
            LogLevel::Warning => levels.set(Level::Warning, true),
            LogLevel::Error => levels.set(Level::Error, true),
            LogLevel::Verbose(number) => {
                levels.set(Level::Verbose, true);
                levels.verbose = number.map(|number| u8::try_from(number).unwrap_or(u8::MAX));
            }
            LogLevel::Dtmf => levels.set(Level::Dtmf, true),
            LogLevel::Fax | LogLevel::Security | LogLevel::Custom(_) => {}
        }
    }
    levels
}

/// Syslog's number of a facility (RFC 5424 §6.2.1); Asterisk's default is `daemon`.
fn facility(name: &str) -> u8 {
    const NAMES: [(&str, u8); 12] = [
        ("kern", 0),
        ("user", 1),
        ("daemon", 3),
        ("authpriv", 10),
        ("local0", 16),
        ("local1", 17),
        ("local2", 18),
        ("local3", 19),
        ("local4", 20),
        ("local5", 21),
        ("local6", 22),
        ("local7", 23),
    ];
    let found = NAMES.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
    found.map_or(3, |(_, number)| *number)
}

#[cfg(test)]
mod tests {
    use super::{Level, Out, Settings};

    #[test]
    fn the_lines_of_the_file_become_channels() {
        let file = "[general]\nappendhostname=yes\ndateformat=%F\n[logfiles]\n\
                    console => notice,warning,error\nfull => *\nsyslog.local0 => error,verbose(3)\n";
        let files = [("logger.conf", file)];
        let config = config::load(&files.as_slice()).0.unwrap();
        let settings = Settings::of(&config.logger, "vm");
        let [console, full, syslog] = &settings.channels[..] else {
            panic!("{settings:?}");
        };
        assert_eq!(console.out, Out::Console);
        assert_eq!(full.out, Out::File("full.vm".to_owned()));
        assert!(full.levels.has(Level::Debug) && !console.levels.has(Level::Verbose));
        assert_eq!(syslog.out, Out::Syslog("local0".to_owned(), 16));
        assert_eq!(syslog.levels.verbose, Some(3));
    }
}
