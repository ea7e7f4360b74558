//! What `/status` and `/client.json` say.

use config::Secret;
use serde_json::{Value, json};
use signal::Signal;
use std::time::UNIX_EPOCH;
use store::{Store, Trouble};
use switch::Switch;

use crate::demo;

/// Counts, live calls and the stories of the last calls.
pub(crate) fn status(switch: &Switch, signal: &Signal, web: Option<web::Counts>) -> Value {
    let calls = switch.status();
    let sip = signal.counts();
    let web = web.unwrap_or_default();
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "state": if is_degraded(switch.store()) { "degraded" } else { "ok" },
        "counts": {
            "channels": calls.channels,
            "calls_total": calls.calls_total,
            "legs": calls.media.legs,
            "ports": calls.media.ports,
            "port_pairs": calls.media.port_pairs,
            "sockets": web.websockets,
            "connections": web.connections,
            "tasks": calls.tasks,
            "bindings": sip.bindings,
        },
        "sip": sip,
        "database": database(switch.store()),
        "cdr": records(switch.store()),
        "contacts": {
            "trouble": switch.store().contacts().and_then(|contacts| contacts.trouble()),
        },
        "live": calls.live,
        "stories": calls.stories,
    })
}

/// The database, and since when it does not answer if it does not.
fn database(store: &Store) -> Value {
    let Some(backend) = store.backend() else {
        return Value::Null;
    };
    let status = backend.status();
    let counts = store.counts();
    let trouble = status.trouble.map(|trouble| {
        let since = trouble.since.duration_since(UNIX_EPOCH).unwrap_or_default();
        let kind = trouble.kind.name();
        json!({ "kind": kind, "since": since.as_secs(), "error": trouble.error })
    });
    json!({
        "url": status.url,
        "state": if trouble.is_some() { "degraded" } else { "ok" },
        "trouble": trouble,
        "connections": status.connections,
        "statements": status.queries,
        "errors": status.errors,
        "answered_from_memory": counts.served_from_memory,
        "listening": store.listens(),
    })
}

/// The journal of call records, and whether the database takes them.
fn records(store: &Store) -> Value {
    let Some(records) = store.records() else {
        return Value::Null;
    };
    let health = records.health();
    let trouble = health.trouble();
    json!({
        "state": if trouble.is_some() { "degraded" } else { "ok" },
        "trouble": trouble,
        "health": health,
    })
}

/// Whether an operator should look: at the database, at call records, or at what keeps contacts.
fn is_degraded(store: &Store) -> bool {
    trouble(store).is_some()
        || store
            .contacts()
            .and_then(|contacts| contacts.trouble())
            .is_some()
        || store
            .records()
            .and_then(|records| records.health().trouble())
            .is_some()
}

/// What is wrong with the database, if anything is.
fn trouble(store: &Store) -> Option<Trouble> {
    store.backend()?.trouble()
}

/// What the page needs to know before it connects. Passwords are in it only in the demo, which
/// listens on loopback alone.
pub(crate) fn client(accounts: Option<&[(String, Secret)]>, loopback_only: bool) -> Value {
    let demo = accounts.map(|accounts| {
        let accounts: Vec<Value> = accounts
            .iter()
            .map(|(id, password)| json!({ "id": id, "password": password.expose() }))
            .collect();
        let numbers: Vec<Value> = demo::NUMBERS
            .iter()
            .map(|(number, label)| json!({ "number": number, "label": label }))
            .collect();
        json!({ "accounts": accounts, "numbers": numbers })
    });
    json!({ "demo": demo, "loopback_only": loopback_only, "version": env!("CARGO_PKG_VERSION") })
}
