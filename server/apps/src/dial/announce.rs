//! `A`: what the called and the caller hear before they talk.

use std::time::Duration;

use codec::Sound;
use media::Playable;
use switch::{AppResult, Args, Channel, Interrupt};
use tokio::time::Instant;

use super::options::Options;
use crate::arguments::warn;

/// Who left before the end.
pub(super) enum Gone {
    Caller(Interrupt),
    Callee(Interrupt),
}

/// Plays to both at once, and returns when both have heard all.
pub(super) async fn announce(
    call: &mut Channel,
    callee: &mut Channel,
    options: &Options,
    args: &Args<'_>,
) -> Result<(), Gone> {
    let Some((to_callee, to_caller)) = &options.announce else {
        return Ok(());
    };
    let callee_sound = match call.during(callee.sound(to_callee)).await {
        Ok(Ok(sound)) => sound,
        Ok(Err(interrupt)) => return Err(Gone::Callee(interrupt)),
        Err(interrupt) => return Err(Gone::Caller(interrupt)),
    };
    let caller_sound = match to_caller.is_empty() {
        true => None,
        false => Some(hears(call, callee, to_caller).await.map_err(Gone::Caller)?),
    };
    let mut sounds = [None, None];
    for (slot, found) in sounds.iter_mut().zip([Some(callee_sound), caller_sound]) {
        match found {
            Some(Ok(sound)) => *slot = Some(sound),
            Some(Err(why)) => warn(call, "Dial", args, format!("option A: {why}")),
            None => {}
        }
    }
    let [callee_sound, caller_sound] = sounds;
    let longest = [&callee_sound, &caller_sound]
        .map(|sound| sound.as_ref().map_or(Duration::ZERO, Sound::duration));
    let end = Instant::now() + longest.into_iter().max().unwrap_or_default();
    let (one, other) = (
        hear(call, caller_sound, end),
        hear(callee, callee_sound, end),
    );
    let one = async { one.await.map_err(Gone::Caller) };
    let other = async { other.await.map_err(Gone::Callee) };
    tokio::try_join!(one, other).map(|_| ())
}

/// Makes the caller ready to hear its part before it is answered.
#[expect(
    clippy::needless_pass_by_ref_mut,
    reason = "a shared borrow held across the await would need Signaling to be Sync"
)]
async fn hears(
    call: &mut Channel,
    callee: &mut Channel,
    name: &str,
) -> AppResult<Result<Sound, switch::NoSound>> {
    if !call.is_up() {
        call.suit(callee)?;
        call.early().await?;
    }
    call.sound(name).await
}

async fn hear(channel: &mut Channel, sound: Option<Sound>, end: Instant) -> AppResult {
    if let Some(sound) = sound {
        channel.play(Playable::Sound(sound), |_| false).await?;
    }
    while channel.next_until(end).await?.is_some() {}
    Ok(())
}
