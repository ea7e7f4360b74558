//! The log: one line per fact, on standard error.

use std::io::IsTerminal as _;

use anyhow::{Context as _, Result};
use signal::sip::TRACE_TARGET;
use tracing_subscriber::EnvFilter;

/// Sends the log to standard error.
///
/// # Errors
///
/// When `filter` is not in tracing's filter language.
pub(crate) fn start(filter: &str, sip_trace: bool) -> Result<()> {
    let trace = if sip_trace { "trace" } else { "off" };
    // Of two directives for one target the last holds, so what was asked for comes after ours.
    let whole = format!("str0m=warn,dimpl=warn,is=warn,sqlx=warn,{filter},{TRACE_TARGET}={trace}");
    let filter = EnvFilter::try_new(&whole).with_context(|| {
        format!("`--log {filter}` is not a filter, e.g. `info` or `signal=debug`")
    })?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
    Ok(())
}
