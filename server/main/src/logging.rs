//! The log of this process; see [`cli::Log`].

use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Result, anyhow};
use cli::{Log, LogOptions, Settings};
use config::Config;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::arguments::RunArguments;
use crate::data::DataFolder;

/// Starts the log; files of it lie in the data folder.
///
/// # Errors
///
/// When `--log` is not in the language of filters.
pub(crate) fn start(arguments: &RunArguments, folder: &DataFolder) -> Result<Log> {
    let options = LogOptions {
        filter: arguments.log.clone(),
        sip_trace: arguments.sip_trace,
        folder: folder.file("log"),
    };
    let log = Log::start(options).map_err(|sentence| anyhow!(sentence))?;
    tracing_subscriber::registry().with(log.clone()).init();
    let _ = LOG.set(log.clone());
    Ok(log)
}

/// Lets the log follow `logger.conf`. What cannot be written is said; the rest is.
pub(crate) fn follow(log: &Log, config: &Config) {
    let (prepared, errors) = log.prepare(settings(&config.logger));
    prepared.commit();
    for error in errors {
        tracing::error!("{error}");
    }
}

/// What `logger.conf` says, on this machine.
pub(crate) fn settings(logger: &config::Logger) -> Settings {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    Settings::of(logger, name.trim())
}

/// Waits a moment for what is not yet written. For the end of the process.
pub(crate) fn flush() {
    if let Some(log) = LOG.get() {
        log.flush(FLUSH_PATIENCE);
    }
}

static LOG: OnceLock<Log> = OnceLock::new();

const FLUSH_PATIENCE: Duration = Duration::from_secs(1);
