//! `L` and `S`: how long the two may talk, and the warnings of its end.

use switch::bridge::Limit;
use switch::{AppResult, Args, Channel};

use super::options::Options;
use crate::arguments::{is_true, warn};
use crate::prompt::sound_or_beep;

/// The limit of the conversation, with its sounds.
pub(super) async fn of(
    call: &mut Channel,
    options: &Options,
    args: &Args<'_>,
) -> AppResult<Option<Limit>> {
    let Some(limited) = &options.limit else {
        return Ok(options.stop.map(Limit::silent));
    };
    let is_on = |call: &Channel, name: &str, default: bool| match call.vars.value(name) {
        None | Some("") => default,
        Some(value) => is_true(value),
    };
    let to_callee = is_on(call, "LIMIT_PLAYAUDIO_CALLEE", false);
    // As in Asterisk: somebody hears it.
    let to_caller = is_on(call, "LIMIT_PLAYAUDIO_CALLER", true) || !to_callee;
    let mut limit = Limit {
        warning: limited.warning,
        again: limited.again,
        to_caller,
        to_callee,
        ..Limit::silent(limited.lasts)
    };
    if !limit.warning.is_zero() {
        let name = call.vars.value("LIMIT_WARNING_FILE").unwrap_or_default();
        let name = match name {
            "" => "beep".to_owned(),
            name => name.to_owned(),
        };
        limit.warns = Some(sound_or_beep(call, "Dial", args, &name).await?);
    }
    let rest = [
        ("LIMIT_CONNECT_FILE", &mut limit.begins),
        ("LIMIT_TIMEOUT_FILE", &mut limit.ends),
    ];
    for (variable, slot) in rest {
        let name = call.vars.value(variable).unwrap_or_default().to_owned();
        if name.is_empty() {
            continue;
        }
        match call.sound(&name).await? {
            Ok(sound) => *slot = Some(media::Playable::Sound(sound)),
            Err(why) => warn(call, "Dial", args, format!("{variable}: {why}")),
        }
    }
    Ok(Some(limit))
}
