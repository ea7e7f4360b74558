//! What reaches a console that is attached, and what does not.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::time::Duration;

use cli::{Attached, Level, Log, LogOptions};
use tracing_subscriber::layer::SubscriberExt as _;

/// Everything that is logged by `say`, as an attached console sees it.
async fn seen<T>(verbose: u8, set: impl FnOnce(&Log, u32) -> T, say: impl FnOnce()) -> Vec<String> {
    let log = Log::start(LogOptions {
        filter: Some("off".to_owned()),
        sip_trace: false,
        folder: std::env::temp_dir(),
    })
    .unwrap();
    let mut attached = log.attach(verbose).unwrap();
    set(&log, attached.id());
    let subscriber = tracing_subscriber::registry().with(log.clone());
    tracing::subscriber::with_default(subscriber, say);
    let mut lines = Vec::new();
    while let Some(line) = next(&mut attached).await {
        // Without the time and the number of the process.
        let (_, line) = line.split_once("] ").unwrap();
        let (level, rest) = line.split_once('[').unwrap();
        let (_, text) = rest.split_once("]: ").unwrap();
        lines.push(format!("{level} {}", text.trim_end()));
    }
    lines
}

async fn next(attached: &mut Attached) -> Option<String> {
    let waited = tokio::time::timeout(Duration::from_millis(50), attached.next()).await;
    waited.ok().flatten()
}

fn a_call() {
    tracing::info!(target: "switch", channel = "PJSIP/alice-1", "call came in");
    tracing::debug!(target: "switch::pbx", channel = "PJSIP/alice-1", at = "c,1,1", "Executing [1@c:1] Answer()");
}

#[tokio::test]
async fn calls_are_told_as_far_as_the_verbosity_goes() {
    assert_eq!(seen(0, |_, _| {}, a_call).await, [""; 0]);
    let begins = "VERBOSE switch: call came in channel=\"PJSIP/alice-1\"";
    assert_eq!(seen(1, |_, _| {}, a_call).await, [begins]);
    let more = seen(0, |log, id| log.set_verbose(Some(id), 3), a_call).await;
    let step = "VERBOSE switch: Executing [1@c:1] Answer()";
    assert_eq!(more, [begins, step]);
    let other = seen(0, |log, _| log.set_verbose(None, 3), a_call).await;
    assert_eq!(other, [""; 0], "a console has its own");
}

#[tokio::test]
async fn programmers_are_told_by_module_and_libraries_only_warn() {
    let say = || {
        tracing::debug!(target: "signal::sip", "one");
        tracing::debug!(target: "web", "two");
        tracing::trace!(target: "signal", "three");
        tracing::info!(target: "sqlx::query", "four");
        tracing::warn!(target: "sqlx::pool", "five");
        tracing::error!(target: "store", "six");
    };
    let usual = ["WARNING sqlx: five", "ERROR store: six"];
    assert_eq!(seen(9, |_, _| {}, say).await, usual);
    let debug = seen(0, |log, _| log.set_debug(Some("signal"), 1), say).await;
    assert_eq!(debug, ["DEBUG signal: one", usual[0], usual[1]]);
    let off = |log: &Log, id| log.set_level(Some(id), Level::Warning, false);
    assert_eq!(seen(0, off, say).await, [usual[1]]);
}

#[tokio::test]
async fn a_trace_of_messages_is_narrowed_and_cannot_forge_lines() {
    let say = || {
        for (remote, method) in [("192.0.2.1:5060", "INVITE"), ("192.0.2.2:5060", "REGISTER")] {
            tracing::trace!(target: "sip_trace", remote, method, "<-- udp {remote}\n{method} sip:x");
        }
        tracing::warn!(target: "signal", "from \"a\nERROR forged\u{1b}[2J\"");
    };
    let harmless = "WARNING signal: from \"a\\nERROR forged\u{fffd}[2J\"";
    assert_eq!(seen(0, |_, _| {}, say).await, [harmless]);
    let narrowed = |log: &Log, _| {
        log.trace_sip(|traced| {
            traced.on = true;
            traced.methods.push("INVITE".to_owned());
        });
    };
    let invite = "VERBOSE sip_trace: <-- udp 192.0.2.1:5060\nINVITE sip:x";
    assert_eq!(seen(0, narrowed, say).await, [invite, harmless]);
}
