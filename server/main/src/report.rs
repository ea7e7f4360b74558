//! What `/status` and `/client.json` say.

use config::Secret;
use serde_json::{Value, json};
use signal::Signal;
use switch::Switch;

use crate::demo;

/// Counts, live calls and the stories of the last calls.
pub(crate) fn status(switch: &Switch, signal: &Signal, web: Option<web::Counts>) -> Value {
    let calls = switch.status();
    let sip = signal.counts();
    let web = web.unwrap_or_default();
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "counts": {
            "channels": calls.channels,
            "calls_total": calls.calls_total,
            "legs": calls.media.legs,
            "ports": calls.media.ports,
            "sockets": web.websockets,
            "connections": web.connections,
            "tasks": calls.tasks,
            "bindings": sip.bindings,
        },
        "sip": sip,
        "live": calls.live,
        "stories": calls.stories,
    })
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
