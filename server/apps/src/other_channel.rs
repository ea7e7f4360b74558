//! `SoftHangup` and `ChannelRedirect`: what is done to another call.

use std::future::ready;

use switch::{AppResult, Application, Args, Cause, Channel};

use crate::arguments::{position, unusable, warn};
use crate::condition::split;

/// Hangs up another call.
pub(crate) static SOFT_HANGUP: Application = Application {
    name: "SoftHangup",
    synopsis: "Hang up another call",
    doc: include_str!("soft_hangup.md"),
    run: |call, args| Box::pin(ready(hang_up(call, args))),
};

/// Sends another call elsewhere.
pub(crate) static CHANNEL_REDIRECT: Application = Application {
    name: "ChannelRedirect",
    synopsis: "Let another channel go on somewhere else in the dial plan",
    doc: include_str!("channel_redirect.md"),
    run: |call, args| Box::pin(ready(redirect(call, args))),
};

fn hang_up(call: &mut Channel, args: Args<'_>) -> AppResult {
    let Some(wanted) = args.at(0) else {
        let what = "name a channel, as in SoftHangup(PJSIP/alice); nothing is hung up";
        warn(call, "SoftHangup", &args, what);
        return Ok(());
    };
    let all = args.at(1).is_some_and(|options| options.contains('a'));
    let is = |name: &str| {
        let device = name.rsplit_once('-').map_or(name, |(device, _)| device);
        name.eq_ignore_ascii_case(wanted) || device.eq_ignore_ascii_case(wanted)
    };
    let channels = call.switch().directory().all();
    let wanted = channels.iter().filter(|channel| is(channel.name()));
    let most = if all { usize::MAX } else { 1 };
    for channel in wanted.take(most) {
        channel.hangup(Cause::NormalClearing);
    }
    Ok(())
}

fn redirect(call: &mut Channel, args: Args<'_>) -> AppResult {
    let Some((name, place)) = split(args.text(), ',') else {
        let why = "write it as ChannelRedirect(channel,context,extension,priority)";
        return Err(unusable(call, "ChannelRedirect", &args, why));
    };
    let to = match position(call, place.trim(), ',') {
        Ok(to) => to,
        Err(why) => return Err(unusable(call, "ChannelRedirect", &args, why)),
    };
    let channel = call.switch().directory().by_name(name.trim());
    let status = match channel.is_some_and(|channel| channel.redirect(to)) {
        true => "SUCCESS",
        false => "NOCHANNEL",
    };
    if let Err(why) = call.vars.set("CHANNELREDIRECT_STATUS", status) {
        warn(call, "ChannelRedirect", &args, why);
    }
    Ok(())
}
