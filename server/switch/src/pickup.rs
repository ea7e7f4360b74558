//! Call pickup: a party takes a call that rings somewhere else.
//!
//! The one who picks up is answered and moves into the place of the leg that rings ([`Seat::ringing`]); whoever dials
//! that leg finds it answered. Group pickup is for endpoints with a `pickup_group` that one of the ringing
//! endpoint's `call_group` is in; the call that has been there longest is taken.

use media::Playable;

use crate::cause::Cause;
use crate::channel::Channel;
use crate::directory::ChannelHandle;
use crate::event::{AppResult, Interrupt};
use crate::story::StoryEvent;
use crate::transfer::Seat;

/// The call with this extension and context that rings.
pub fn by_extension(call: &Channel, exten: &str, context: &str) -> Option<Seat> {
    let contexts = |handle: &ChannelHandle| {
        let dialled = handle.dialled().is_some_and(|at| at.context == context);
        dialled || handle.info().at.context == context
    };
    find(call, |handle| {
        let dialled = handle.dialled().is_some_and(|at| at.exten == exten);
        dialled && contexts(handle)
    })
}

/// The call whose `PICKUPMARK` is this.
pub fn by_mark(call: &Channel, mark: &str) -> Option<Seat> {
    find(call, |handle| {
        !mark.is_empty() && handle.info().mark == mark
    })
}

/// The call of a channel with this name, or whose name begins so: `PJSIP/alice`.
pub fn by_name(call: &Channel, name: &str) -> Option<Seat> {
    let name = name.to_ascii_lowercase();
    find(call, |handle| {
        let own = handle.name().to_ascii_lowercase();
        let rest = own.strip_prefix(&name);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    })
}

/// A call of a group that the endpoint picks up from.
pub fn by_group(call: &Channel) -> Option<Seat> {
    let own = &call.endpoint().pickup_groups;
    find(call, |handle| own.meet(&handle.endpoint().call_groups))
}

/// What could be picked up now, for who asked for something else: `nothing rings`, or the channels that ring and as
/// what they were dialled.
pub fn ringing(call: &Channel) -> String {
    let all = call.switch().directory().all();
    let ringing = all.iter().filter(|handle| handle.id() != call.id());
    let ringing = ringing.filter(|handle| handle.ringing_seat().is_some());
    let shown: Vec<String> = ringing
        .map(|handle| match handle.dialled() {
            Some(at) => format!("{} (dialled as {}@{})", handle.name(), at.exten, at.context),
            None => handle.name().to_owned(),
        })
        .collect();
    match shown.len() {
        0 => "nothing rings".to_owned(),
        count => {
            let more = count.saturating_sub(RINGING_SHOWN_MAX);
            let shown = shown[..count - more].join(", ");
            match more {
                0 => format!("what rings: {shown}"),
                more => format!("what rings: {shown} and {more} more"),
            }
        }
    }
}

/// Channels one message names.
const RINGING_SHOWN_MAX: usize = 8;

/// The oldest ringing call that is meant.
fn find(call: &Channel, is_meant: impl Fn(&ChannelHandle) -> bool) -> Option<Seat> {
    let all = call.switch().directory().all();
    let others = all.iter().filter(|handle| handle.id() != call.id());
    let mut seats = others.filter_map(|handle| {
        let seat = handle.ringing_seat()?;
        is_meant(handle).then_some(seat)
    });
    seats.next()
}

/// Answers the call and moves it to the place that rings: always an error, which ends whatever runs.
pub async fn take(call: &mut Channel, place: Seat) -> AppResult {
    call.answer().await?;
    let sound = call.features().general.pickup_sound;
    if let Some(name) = sound.filter(|name| !name.is_empty()) {
        match call.sound(&name).await? {
            // It goes on while the two hear each other.
            Ok(sound) => call.play_on(Playable::Sound(sound)),
            Err(why) => missing(call, "pickupsound", &why.to_string()),
        }
    }
    Err(Interrupt::Join(place))
}

/// `pickupexten`: takes a call of the group, or refuses.
pub(crate) async fn group(call: &mut Channel) -> AppResult {
    if let Some(place) = by_group(call) {
        return take(call, place).await;
    }
    let text = format!(
        "there is no ringing call of its group to pick up; {}",
        ringing(call)
    );
    tracing::info!(channel = call.name(), "{text}");
    call.tell(StoryEvent::Remark { text });
    fail(call).await?;
    Err(call.hangup(Cause::CallRejected))
}

/// Whether who picks up in vain hears anything.
pub(crate) fn has_fail_sound(call: &Channel) -> bool {
    let sound = call.features().general.pickup_fail_sound;
    sound.is_some_and(|name| !name.is_empty())
}

/// Lets who picks up in vain hear that.
pub(crate) async fn fail(call: &mut Channel) -> AppResult {
    let sound = call.features().general.pickup_fail_sound;
    if let Some(name) = sound.filter(|name| !name.is_empty()) {
        call.answer().await?;
        match call.sound(&name).await? {
            Ok(sound) => {
                call.play(Playable::Sound(sound), |_| false).await?;
            }
            Err(why) => missing(call, "pickupfailsound", &why.to_string()),
        }
    }
    Ok(())
}

fn missing(call: &mut Channel, option: &str, why: &str) {
    let text = format!("features.conf: {option}: {why}");
    tracing::warn!(channel = call.name(), "{text}");
    call.tell(StoryEvent::Remark { text });
}
