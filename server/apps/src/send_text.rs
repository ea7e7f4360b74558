//! `SendText`: a text to the far end within the call.

use std::future::ready;

use switch::{AppResult, Application, Args, Channel, Text};

use crate::arguments::warn;

/// Sends the far end a text.
pub(crate) static SEND_TEXT: Application = Application {
    name: "SendText",
    synopsis: "Send a text to the far end within the call",
    doc: include_str!("send_text.md"),
    run: |call, args| Box::pin(ready(run(call, args))),
};

fn run(call: &mut Channel, args: Args<'_>) -> AppResult {
    let variable = |name: &str| {
        let value = call.vars.value(name).unwrap_or_default();
        Some(value.to_owned()).filter(|value| !value.is_empty())
    };
    let body = variable("SENDTEXT_BODY").unwrap_or_else(|| args.text().to_owned());
    let content_type = variable("SENDTEXT_CONTENT_TYPE");
    if let Some(other) = content_type
        .as_deref()
        .filter(|kind| !kind.starts_with("text/"))
    {
        let why = format!("'{other}' is no text; SENDTEXT_CONTENT_TYPE begins with text/");
        warn(call, "SendText", &args, why);
        return tell(call, "FAILURE");
    }
    if !call.is_up() {
        warn(call, "SendText", &args, "the call is not answered");
        return tell(call, "FAILURE");
    }
    let text = Text {
        body,
        outbound: content_type
            .map(|kind| ("Content-Type".to_owned(), kind))
            .into_iter()
            .collect(),
        ..Text::default()
    };
    match call.send_text(&text) {
        true => tell(call, "SUCCESS"),
        false => tell(call, "UNSUPPORTED"),
    }
}

fn tell(call: &mut Channel, status: &str) -> AppResult {
    // A short value; a full table is told by Set itself.
    let _ = call.vars.set("SENDTEXTSTATUS", status);
    Ok(())
}
