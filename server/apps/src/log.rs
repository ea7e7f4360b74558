//! `Log` and `DumpChan`.

use std::fmt::Write as _;
use std::future::ready;

use switch::{AppResult, Application, Args, Channel};

use crate::arguments::warn;
use crate::verbose::DEBUG_LEVEL_MIN;

/// Writes into the log.
pub(crate) static LOG: Application = Application {
    name: "Log",
    synopsis: "Write a line into the log, at a level",
    doc: include_str!("log.md"),
    run: |call, args| Box::pin(ready(log(call, args))),
};

/// Writes what is known of the channel.
pub(crate) static DUMP_CHAN: Application = Application {
    name: "DumpChan",
    synopsis: "Write what is known of the channel into the log",
    doc: include_str!("dump_chan.md"),
    run: |call, args| Box::pin(ready(dump(call, args))),
};

fn log(call: &mut Channel, args: Args<'_>) -> AppResult {
    let (level, text) = args
        .text()
        .split_once(',')
        .unwrap_or_else(|| (args.text(), ""));
    let channel = call.name();
    match level.trim().to_ascii_uppercase().as_str() {
        "ERROR" => tracing::error!(channel, "{text}"),
        "WARNING" => tracing::warn!(channel, "{text}"),
        "NOTICE" | "VERBOSE" => tracing::info!(channel, "{text}"),
        "DEBUG" | "DTMF" => tracing::debug!(channel, "{text}"),
        other => {
            let what = format!(
                "'{other}' is no level; there are ERROR, WARNING, NOTICE, VERBOSE and DEBUG"
            );
            warn(call, "Log", &args, what);
        }
    }
    Ok(())
}

fn dump(call: &Channel, args: Args<'_>) -> AppResult {
    let text = shown(call);
    let level = args.at(0).and_then(|level| level.parse().ok()).unwrap_or(0);
    match level < DEBUG_LEVEL_MIN {
        true => tracing::info!(channel = call.name(), "{text}"),
        false => tracing::debug!(channel = call.name(), "{text}"),
    }
    Ok(())
}

fn shown(call: &Channel) -> String {
    let at = &call.at;
    let place = format!("{},{},{}", at.context, at.exten, at.priority);
    let connected = call.parties.connected.to_string();
    let caller = call.caller.to_string();
    let linkedid = &call.record().fields().linkedid;
    let facts: [(&str, &str); 9] = [
        ("Name", call.name()),
        ("UniqueID", call.unique_id()),
        ("LinkedID", linkedid),
        ("Endpoint", &call.endpoint().id),
        ("State", call.state()),
        ("Place", &place),
        ("Caller", &caller),
        ("Connected", &connected),
        ("Account", &call.record().fields().accountcode),
    ];
    let mut text = format!("what is known of {}:", call.name());
    for (name, value) in facts {
        let _ = write!(text, "\n  {name:<10} {value}");
    }
    for (name, value) in call.vars.iter() {
        let _ = write!(text, "\n  {name}={value}");
    }
    text
}
