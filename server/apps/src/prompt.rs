//! What the applications that play files have in common.

use codec::ToneScript;
use media::Playable;
use switch::{AppResult, Args, Channel};

use crate::arguments::warn;

/// What came of playing files.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Heard {
    /// One of them could not be played.
    pub(crate) is_failed: bool,
    /// The digit that ended it.
    pub(crate) digit: Option<char>,
}

/// Plays `file&file` one after the other, until a digit that `stops`. One that cannot be played is told
/// and passed over.
pub(crate) async fn play_files(
    call: &mut Channel,
    application: &str,
    args: &Args<'_>,
    names: &str,
    stops: impl Fn(char) -> bool,
) -> AppResult<Heard> {
    play_in(call, application, args, (names, None), stops).await
}

/// The same in another language than the call's, if one is named.
pub(crate) async fn play_in(
    call: &mut Channel,
    application: &str,
    args: &Args<'_>,
    (names, language): (&str, Option<&str>),
    stops: impl Fn(char) -> bool,
) -> AppResult<Heard> {
    let mut heard = Heard::default();
    let names = names.split('&').map(str::trim);
    for name in names.filter(|name| !name.is_empty()) {
        match call.sound_in(name, language).await? {
            Ok(sound) => {
                heard.digit = call.play(Playable::Sound(sound), &stops).await?;
                if heard.digit.is_some() {
                    break;
                }
            }
            Err(why) => {
                warn(call, application, args, why);
                heard.is_failed = true;
            }
        }
    }
    Ok(heard)
}

/// A sound; a beep in its place where there is none.
pub(crate) async fn sound_or_beep(
    call: &mut Channel,
    application: &str,
    args: &Args<'_>,
    name: &str,
) -> AppResult<Playable> {
    Ok(match call.sound(name).await? {
        Ok(sound) => Playable::Sound(sound),
        Err(why) => {
            // Everybody can have this one.
            if name != "beep" {
                warn(call, application, args, format!("{why}; it is a beep"));
            }
            Playable::Tones(beep())
        }
    })
}

/// As Asterisk's file of that name.
fn beep() -> ToneScript {
    ToneScript::parse("!1400/200").expect("a tone and its length")
}

/// Makes the call ready to hear something: answered, unless it is to be `skipped` or is played to
/// `unanswered`. `false`: it is to hear nothing.
pub(crate) async fn ready(call: &mut Channel, skipped: bool, unanswered: bool) -> AppResult<bool> {
    if call.is_up() {
        return Ok(true);
    }
    if skipped {
        return Ok(false);
    }
    if unanswered {
        call.early().await?;
    } else {
        call.answer().await?;
    }
    Ok(true)
}
