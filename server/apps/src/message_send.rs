//! `MessageSend`.

use switch::{AppResult, Application, Args, Channel, NotSent, Text};

/// Sends a text message.
pub(crate) static MESSAGE_SEND: Application = Application {
    name: "MessageSend",
    synopsis: "Send a text message",
    doc: include_str!("message_send.md"),
    run: |call, args| Box::pin(run(call, args)),
};

async fn run(call: &mut Channel, args: Args<'_>) -> AppResult {
    let Some(destination) = args.at(0) else {
        tracing::warn!(
            channel = call.name(),
            "{}: MessageSend needs a destination, like MessageSend(pjsip:alice)",
            args.place()
        );
        set(call, "INVALID_URI");
        return Ok(());
    };
    let known = call.text().cloned().unwrap_or_default();
    let from = args.at(1).map_or(known.from, str::to_owned);
    let text = Text {
        to: destination.to_owned(),
        from,
        ..known
    };
    let switch = call.switch().clone();
    let sent = call.during(async move { switch.send_text(&text).await });
    let status = match sent.await? {
        Ok(()) => "SUCCESS",
        Err(why) => {
            tracing::warn!(channel = call.name(), "message not sent: {why}");
            match why {
                NotSent::Protocol(_) => "INVALID_PROTOCOL",
                NotSent::From(_) => "INVALID_URI",
                NotSent::Unreachable(_) => "FAILURE",
            }
        }
    };
    set(call, status);
    Ok(())
}

fn set(call: &mut Channel, status: &str) {
    // A short value; a full table is told by Set itself.
    let _ = call.vars.set("MESSAGE_SEND_STATUS", status);
}
