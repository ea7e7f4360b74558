//! Arguments that cannot be used.

use std::fmt;

use switch::story::StoryEvent;
use switch::{Args, Cause, Channel, Interrupt};

/// Hangs up over an argument that cannot be used, as Asterisk does, and says where it stands.
pub(crate) fn unusable(
    call: &mut Channel,
    application: &str,
    args: &Args<'_>,
    why: impl fmt::Display,
) -> Interrupt {
    let text = format!("{}: {application}({}): {why}", args.place(), args.text());
    tracing::error!(channel = call.name(), "{text}; call hung up");
    call.tell(StoryEvent::Remark { text });
    call.hangup(Cause::NormalUnspecified)
}

/// Warns of something that does not end the call.
pub(crate) fn warn(
    call: &mut Channel,
    application: &str,
    args: &Args<'_>,
    what: impl fmt::Display,
) {
    let text = format!("{}: {application}({}): {what}", args.place(), args.text());
    tracing::warn!(channel = call.name(), "{text}");
    call.tell(StoryEvent::Remark { text });
}
