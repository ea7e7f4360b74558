//! `GotoIf` and `GotoIfTime`.

use switch::{AppResult, Application, Args, Channel, Interrupt, Timing};

use crate::arguments::{position, unusable, warn};
use crate::clock::now;
use crate::condition::{branches, holds};

/// Goes on at one of two places.
pub(crate) static GOTO_IF: Application = Application {
    name: "GotoIf",
    synopsis: "Go on at one of two places, as a condition says",
    doc: include_str!("goto_if.md"),
    run: |call, args| Box::pin(goto_if(call, args)),
};

/// Goes on at one of two places, as the time says.
pub(crate) static GOTO_IF_TIME: Application = Application {
    name: "GotoIfTime",
    synopsis: "Go on at one of two places, as the time and the date say",
    doc: include_str!("goto_if_time.md"),
    run: |call, args| Box::pin(goto_if_time(call, args)),
};

async fn goto_if(call: &mut Channel, args: Args<'_>) -> AppResult {
    let Some((condition, rest)) = args.text().split_once('?') else {
        let why = "write it as GotoIf(condition?place:place)";
        return Err(unusable(call, "GotoIf", &args, why));
    };
    go(call, "GotoIf", &args, holds(condition), rest)
}

async fn goto_if_time(call: &mut Channel, args: Args<'_>) -> AppResult {
    let parts = args.text().split_once('?');
    let Some((times, rest)) = parts else {
        let why = "write it as GotoIfTime(times,weekdays,days,months?place:place)";
        return Err(unusable(call, "GotoIfTime", &args, why));
    };
    let held = Timing::parse(times)
        .map_err(|why| why.to_string())
        .and_then(|timing| Ok(timing.holds(&now(timing.zone())?)));
    // As in Asterisk: a slip in the hours must not make the line dead.
    let holds = held.unwrap_or_else(|why| {
        let what = format!("{why}; taken as a time that does not hold");
        warn(call, "GotoIfTime", &args, what);
        false
    });
    go(call, "GotoIfTime", &args, holds, rest)
}

/// To the first place or the second; the call goes on where the chosen one is empty.
fn go(
    call: &mut Channel,
    application: &str,
    args: &Args<'_>,
    holds: bool,
    places: &str,
) -> AppResult {
    let (yes, no) = branches(places);
    match if holds { yes } else { no } {
        "" => Ok(()),
        place => match position(call, place, ',') {
            Ok(to) => Err(Interrupt::Redirect(to)),
            Err(why) => Err(unusable(call, application, args, why)),
        },
    }
}
