//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::cert::CertArguments;

/// The telephone exchange for browsers.
///
/// Without a command it runs the demo: two accounts, the echo test on 246, on this machine only.
#[derive(Debug, Parser)]
#[command(name = "sidetone", version, about)]
// Else `sidetone --sip-trace run` would run without the trace and say nothing.
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    /// What to do; without it, the demo runs.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    /// Open a console of the running exchange, as `asterisk -r`; with -x, run one command there.
    #[arg(short = 'r')]
    pub(crate) remote: bool,

    /// Show what happens in calls on that console; -vvv shows each step of the dial plan.
    #[arg(short = 'v', action = clap::ArgAction::Count, requires = "remote")]
    pub(crate) verbose: u8,

    /// The command to run there: `sidetone -rx "core show channels"`.
    #[arg(short = 'x', value_name = "COMMAND", requires = "remote")]
    pub(crate) execute: Option<String>,

    /// How to run the demo.
    #[command(flatten)]
    pub(crate) run: RunArguments,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a folder of Asterisk-style files (pjsip.conf, http.conf, extensions.conf, rtp.conf).
    Run(RunArguments),
    /// Open a console of the running exchange: commands with completion, and its log as it goes by.
    Console(ConsoleArguments),
    /// Run a console command on the running exchange; fails if the command does.
    Exec(ExecArguments),
    /// Check a folder of configuration files and its database; with --asterisk, say what works here.
    ///
    /// Prints every message with its place and what to write instead, and exits with 1 if there are
    /// errors. With --asterisk the folder is one of Asterisk (/etc/asterisk if none is named): the report
    /// says by file and line what works, what differs and what is not supported, and the exit code is 1 if
    /// something is not supported.
    Check(CheckArguments),
    /// Make an authority and a certificate for this machine's names and addresses, or renew it.
    Cert(CertArguments),
    /// Make, fill or inspect the database, whether the exchange runs or not.
    Db(DbArguments),
    /// Prove the whole chain, from the files to a call with sound, and say how to mend what is broken.
    ///
    /// A running exchange is examined as it runs; a stopped one is started for the examination on its own
    /// ports, with a copy of its data. Exits with 1 if a link failed.
    Doctor(Box<DoctorArguments>),
    /// Print the completions of a shell: `sidetone completions bash`.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page, in roff.
    Man,
}

/// What is checked.
#[derive(Debug, Clone, Args)]
pub(crate) struct CheckArguments {
    /// The folder [default: /etc/sidetone; with --asterisk: /etc/asterisk].
    #[arg(value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,

    /// The folder is Asterisk's: report what works here, what differs and what is not supported.
    #[arg(long)]
    pub(crate) asterisk: bool,

    /// Print JSON (docs/check.md says what is in it).
    #[arg(long)]
    pub(crate) json: bool,

    /// The data folder, whose database is checked too [default: the running one's, else
    /// /var/lib/sidetone].
    #[arg(long, value_name = "DIR", conflicts_with = "asterisk")]
    pub(crate) data: Option<PathBuf>,
}

/// What is examined.
#[derive(Debug, Clone, Args)]
pub(crate) struct DoctorArguments {
    /// Folder of configuration files [default: /etc/sidetone].
    #[arg(long, value_name = "DIR")]
    pub(crate) config: Option<PathBuf>,

    /// The data folder of the exchange [default: the running one's, else /var/lib/sidetone].
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,

    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,

    /// Call with a headless Chromium too.
    #[arg(long)]
    pub(crate) browser: bool,

    /// The WebSocket to register at, if not the one of the files: wss://host:8089/ws.
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,

    /// The site whose web phone connects, as browsers name it: `https://phones.example.org`.
    #[arg(long, value_name = "ORIGIN")]
    pub(crate) origin: Option<String>,

    /// A name that browsers use for this exchange; the certificate must speak for it. Repeatable.
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Vec<String>,

    /// The endpoint to register as [default: the first browser that has a password].
    #[arg(long, value_name = "ID")]
    pub(crate) user: Option<String>,

    /// Its password, if it is not written in the files or the database.
    #[arg(long, value_name = "PASSWORD", requires = "user")]
    pub(crate) password: Option<String>,

    /// The extension to call [default: the first that runs Echo or StreamEcho].
    #[arg(long, value_name = "NUMBER")]
    pub(crate) exten: Option<String>,

    /// A folder that stands for /: its proc, etc and sys are looked at first.
    #[arg(long, value_name = "DIR", hide = true)]
    pub(crate) root: Option<PathBuf>,
}

/// What to do with which database.
#[derive(Debug, Clone, Args)]
pub(crate) struct DbArguments {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: DbCommand,

    /// Folder of configuration files, which choose the database.
    #[arg(long, value_name = "DIR", global = true)]
    pub(crate) config: Option<PathBuf>,

    /// The data folder, where the database is if nothing else is chosen [default: the running one's].
    #[arg(long, value_name = "DIR", global = true)]
    pub(crate) data: Option<PathBuf>,

    /// The database itself: `mysql://user:password@host/asterisk`, `postgres://…`, `sqlite:FILE`.
    #[arg(long, value_name = "URL", global = true)]
    pub(crate) database: Option<String>,
}

/// What can be done with a database.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum DbCommand {
    /// Make the database, the tables and the columns that are missing.
    Init,
    /// Print the SQL that makes the tables.
    Schema {
        /// For this database, instead of the one that is chosen.
        #[arg(long, value_name = "KIND")]
        dialect: Option<DialectName>,
    },
    /// Run a file of SQL.
    Exec {
        /// The file; `-` is the standard input.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Inspect the database: reachable, tables, columns, rights, rows; fails if there are errors.
    Check {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

/// A kind of database.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum DialectName {
    /// SQLite.
    Sqlite,
    /// MariaDB and MySQL.
    #[value(alias = "mariadb")]
    Mysql,
    /// PostgreSQL.
    #[value(alias = "postgresql")]
    Postgres,
}

impl From<DialectName> for store::Dialect {
    fn from(name: DialectName) -> Self {
        match name {
            DialectName::Sqlite => Self::Sqlite,
            DialectName::Mysql => Self::MySql,
            DialectName::Postgres => Self::Postgres,
        }
    }
}

/// Where the exchange is whose console is opened.
#[derive(Debug, Clone, Args)]
pub(crate) struct ConsoleArguments {
    /// The data folder of the exchange [default: the running one's].
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,

    /// Show what happens in calls; -vvv shows each step of the dial plan.
    #[arg(short = 'v', action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

/// A console command, and where the exchange is that it is for.
#[derive(Debug, Clone, Args)]
pub(crate) struct ExecArguments {
    /// The data folder of the exchange [default: the running one's].
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,

    /// The command, e.g. `core show channels`; `core show help` lists them.
    #[arg(required = true, trailing_var_arg = true)]
    pub(crate) command: Vec<String>,
}

/// Where things lie and what is shown.
#[derive(Debug, Clone, Args)]
pub(crate) struct RunArguments {
    /// Folder of configuration files; without it, the built-in demo.
    #[arg(long, value_name = "DIR")]
    pub(crate) config: Option<PathBuf>,

    /// Folder of what must survive a restart [default: $XDG_DATA_HOME/sidetone].
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,

    /// Port of the demo's page and WebSocket.
    #[arg(
        long,
        value_name = "PORT",
        default_value_t = 8088,
        conflicts_with = "config"
    )]
    pub(crate) http_port: u16,

    /// Port of the demo's page and WebSocket over TLS.
    #[arg(
        long,
        value_name = "PORT",
        default_value_t = 8089,
        conflicts_with = "config"
    )]
    pub(crate) https_port: u16,

    /// UDP port of the demo's SIP transport.
    #[arg(
        long,
        value_name = "PORT",
        default_value_t = 5060,
        conflicts_with = "config"
    )]
    pub(crate) sip_port: u16,

    /// Read the files again when one of them changes (also `autoreload=yes` in sidetone.conf).
    #[arg(long, requires = "config")]
    pub(crate) autoreload: bool,

    /// Run for an examination: ask no ACME server, whose limits are those of the real exchange.
    #[arg(long, hide = true)]
    pub(crate) examined: bool,

    /// Print every SIP message with its flow and time.
    #[arg(long)]
    pub(crate) sip_trace: bool,

    /// What to log, in tracing's filter language (`info`, `debug`, `signal=trace`).
    /// [default: what logger.conf says of `console`, or else `info`]
    #[arg(long, value_name = "FILTER")]
    pub(crate) log: Option<String>,
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use super::Arguments;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_command_is_typed_as_for_asterisk() {
        let parsed = |words: &[&str]| Arguments::try_parse_from(words);
        let typed = parsed(&["sidetone", "-rx", "http show status", "--data", "d"]).unwrap();
        assert_eq!(typed.execute.as_deref(), Some("http show status"));
        assert!(typed.run.data.is_some());
        let console = parsed(&["sidetone", "-rvvv"]).unwrap();
        assert!(console.remote && console.verbose == 3);
        assert!(parsed(&["sidetone", "console", "-v", "--data", "d"]).is_ok());
        assert!(parsed(&["sidetone", "exec", "core", "show", "channels"]).is_ok());
    }

    #[test]
    fn switches_before_the_command_are_refused_rather_than_lost() {
        assert!(Arguments::try_parse_from(["sidetone", "--sip-trace", "run"]).is_err());
        assert!(Arguments::try_parse_from(["sidetone", "run", "--sip-trace"]).is_ok());
        assert!(Arguments::try_parse_from(["sidetone", "--sip-trace"]).is_ok());
    }
}
