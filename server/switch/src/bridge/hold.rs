//! Hold within a conversation: who is held hears music until it is resumed.
//!
//! The music is of the class that the endpoint of the one who holds suggests (`moh_suggest`), unless another
//! was set for the channel that hears it. An endpoint with `moh_passthrough` gets no music but is told that
//! it is held, and hears what the one who holds may send.

use crate::channel::Channel;

/// Lets each hear music if the other holds it, and only then. To be called after all that happens.
pub(super) async fn attend(caller: &mut Channel, callee: &mut Channel) {
    let (by_caller, by_callee) = (held_by(caller), held_by(callee));
    follow(callee, by_caller).await;
    follow(caller, by_callee).await;
}

/// The two begin or end their conversation: nobody holds anybody.
pub(super) async fn end(channel: &mut Channel) {
    channel.stop_music();
    channel.pass_hold(false).await;
}

/// The music that is suggested to those who are held, if this channel holds.
fn held_by(holder: &Channel) -> Option<String> {
    let suggests = || holder.endpoint().moh_suggest.clone();
    holder.holds().then(suggests)
}

async fn follow(held: &mut Channel, music: Option<String>) {
    let music = music.filter(|_| held.ended().is_none());
    if held.endpoint().moh_passthrough {
        held.pass_hold(music.is_some()).await;
        return;
    }
    match music {
        Some(class) if !held.hears_music() => held.start_music(Some(&class)).await,
        None if held.hears_music() => held.stop_music(),
        Some(_) | None => {}
    }
}
