//! `Echo`.

use media::EchoMode;
use switch::{AppResult, Application, Args, Channel};

use crate::arguments::warn;

/// Sends everything back.
pub(crate) static ECHO: Application = Application {
    name: "Echo",
    synopsis: "Send sound, pictures and all back to the caller",
    doc: include_str!("echo.md"),
    run: |call, args| Box::pin(run(call, args)),
};

async fn run(call: &mut Channel, args: Args<'_>) -> AppResult {
    if !call.is_up() {
        warn(call, "Echo", &args, NOT_ANSWERED);
    }
    call.fares(200);
    call.relight().await;
    let _echo = call.echo(EchoMode::OneToOne);
    while call.read_digit().await? != '#' {}
    Ok(())
}

/// Echo applications do not answer, as in Asterisk.
pub(crate) const NOT_ANSWERED: &str =
    "the call is not answered, so there is nothing to send back; put Answer() before it";
