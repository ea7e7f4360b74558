//! The log: one line per fact, on standard error.

use std::io::IsTerminal as _;

use anyhow::{Context as _, Result};
use signal::sip::TRACE_TARGET;
use tracing_subscriber::{EnvFilter, reload};

/// Switches the printing of SIP messages while the exchange runs; the error is a sentence.
pub(crate) type Trace = Box<dyn Fn(bool) -> Result<(), String> + Send + Sync>;

/// Sends the log to standard error.
///
/// # Errors
///
/// When `filter` is not in tracing's filter language.
pub(crate) fn start(filter: &str, sip_trace: bool) -> Result<Trace> {
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(directives(filter, sip_trace)?)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .with_filter_reloading();
    let handle: reload::Handle<EnvFilter, _> = subscriber.reload_handle();
    subscriber.init();
    let filter = filter.to_owned();
    Ok(Box::new(move |on| {
        let directives = directives(&filter, on).map_err(|error| format!("{error:#}"))?;
        handle
            .reload(directives)
            .map_err(|error| format!("the log cannot be changed: {error}"))
    }))
}

fn directives(filter: &str, sip_trace: bool) -> Result<EnvFilter> {
    let trace = if sip_trace { "trace" } else { "off" };
    // Of two directives for one target the last holds, so what was asked for comes after ours.
    let whole = format!("str0m=warn,dimpl=warn,is=warn,sqlx=warn,{filter},{TRACE_TARGET}={trace}");
    EnvFilter::try_new(&whole)
        .with_context(|| format!("`--log {filter}` is not a filter, e.g. `info` or `signal=debug`"))
}
