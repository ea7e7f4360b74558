//! `Bridge`.

use switch::bridge::{self, Parted};
use switch::{AppResult, Application, Args, Cause, Channel, Interrupt, Position};

use super::options::{Options, argument};
use super::{limit, set};
use crate::arguments::{position, warn};
use crate::prompt::sound_or_beep;

/// Connects the caller to a channel that is there already.
pub(crate) static BRIDGE: Application = Application {
    name: "Bridge",
    synopsis: "Talk to another channel that is there already, whatever it does",
    doc: include_str!("../bridge.md"),
    run: |call, args| Box::pin(run(call, args)),
};

/// What `Bridge` is asked for: options that `Dial` has, and two of its own.
#[derive(Default)]
struct Asked {
    options: Options,
    /// `p`: the other one hears a tone before.
    tells: bool,
    /// `x`: the other one is hung up afterwards.
    ends: bool,
    problems: Vec<String>,
}

impl Asked {
    fn parse(text: &str) -> Self {
        let mut asked = Self::default();
        let mut rest = text.trim();
        while let Some(letter) = rest.chars().next() {
            rest = &rest[letter.len_utf8()..];
            let argument = argument(&mut rest);
            match letter {
                'p' => asked.tells = true,
                'x' => asked.ends = true,
                'F' | 'h' | 'H' | 'k' | 'K' | 'L' | 'S' | 't' | 'T' | 'w' | 'W' => {
                    asked.options.add(letter, argument);
                }
                ' ' | ',' => {}
                letter => asked.problems.push(format!("there is no option {letter}")),
            }
        }
        asked.problems.append(&mut asked.options.problems);
        asked
    }
}

async fn run(call: &mut Channel, args: Args<'_>) -> AppResult {
    set(call, RESULT, "");
    let asked = Asked::parse(args.at(1).unwrap_or_default());
    for problem in &asked.problems {
        warn(call, "Bridge", &args, problem);
    }
    let Some(name) = args.at(0).map(str::trim).filter(|name| !name.is_empty()) else {
        let what = "name a channel, as in Bridge(PJSIP/alice-00000001)";
        return failed(call, &args, "FAILURE", what);
    };
    let Some(other) = call.switch().directory().by_name(name) else {
        return failed(call, &args, "NONEXISTENT", "there is no such channel");
    };
    if other.id() == call.id() {
        return failed(call, &args, "LOOP", "a channel does not talk to itself");
    }
    let Some(mut guest) = call.fetch(&other).await? else {
        return failed(call, &args, "FAILURE", "the channel does not come");
    };
    let began = begin(call, &mut guest, &asked, &args).await;
    let limit = match began {
        Ok(Ok(limit)) => limit,
        Ok(Err(interrupt)) => {
            match interrupt {
                Interrupt::Hangup(_) => guest.release().await,
                // It is led elsewhere.
                interrupt => bridge::send_on(guest, interrupt),
            }
            return failed(call, &args, "FAILURE", "the channel has left");
        }
        Err(interrupt) => {
            guest.hangup(interrupt.cause());
            guest.release().await;
            return Err(interrupt);
        }
    };
    set(call, RESULT, "SUCCESS");
    let rules = asked.options.rules(call, &guest, limit);
    let parted = bridge::run(call, &mut guest, &rules).await;
    part(call, guest, parted, &asked, &args).await
}

/// How it went.
const RESULT: &str = "BRIDGERESULT";

fn failed(call: &mut Channel, args: &Args<'_>, result: &str, what: &str) -> AppResult {
    set(call, RESULT, result);
    warn(call, "Bridge", args, what);
    Ok(())
}

/// What comes before the two talk; the end of the other one is the inner error.
async fn begin(
    call: &mut Channel,
    guest: &mut Channel,
    asked: &Asked,
    args: &Args<'_>,
) -> AppResult<Result<Option<bridge::Limit>, Interrupt>> {
    if let Err(interrupt) = guest.suit(call) {
        return Ok(Err(interrupt));
    }
    if let Err(interrupt) = call.during(receive(guest, asked, args)).await? {
        return Ok(Err(interrupt));
    }
    call.suit(guest)?;
    call.answer().await?;
    guest.connect_line(call.caller.clone());
    call.connect_line(guest.caller.clone());
    limit::of(call, &asked.options, args).await.map(Ok)
}

/// Who is fetched is answered, and hears the courtesy tone of features.conf, or a beep.
async fn receive(guest: &mut Channel, asked: &Asked, args: &Args<'_>) -> AppResult {
    guest.answer().await?;
    if asked.tells {
        let name = guest.features().general.courtesy_tone;
        let name = name.filter(|name| !name.is_empty());
        let name = name.as_deref().unwrap_or("beep");
        let tone = sound_or_beep(guest, "Bridge", args, name).await?;
        guest.play(tone, |_| false).await?;
    }
    Ok(())
}

/// What becomes of the two when they no longer talk.
async fn part(
    call: &mut Channel,
    mut guest: Channel,
    parted: Parted,
    asked: &Asked,
    args: &Args<'_>,
) -> AppResult {
    let result = match parted {
        Parted::Caller(interrupt) => Err(interrupt),
        Parted::Callee(Interrupt::Hangup(cause)) => {
            call.set_cause(cause);
            guest.release().await;
            return Ok(());
        }
        Parted::Callee(interrupt) => {
            bridge::send_on(guest, interrupt);
            return Ok(());
        }
        Parted::Disconnected | Parted::Limit => Ok(()),
    };
    match goes(call, &guest, asked, args) {
        Some(to) => {
            guest.at = to;
            call.switch().go_on(guest);
        }
        None => {
            guest.hangup(Cause::NormalClearing);
            guest.release().await;
        }
    }
    result
}

/// Where the other one goes on: as `F` says, else behind the step it was fetched from.
fn goes(call: &mut Channel, guest: &Channel, asked: &Asked, args: &Args<'_>) -> Option<Position> {
    let behind = |at: &Position| Position {
        priority: at.priority + 1,
        ..at.clone()
    };
    match asked.options.callee_goes.as_deref() {
        Some("") => Some(behind(&call.at)),
        Some(place) => match position(call, place, '^') {
            Ok(to) => Some(to),
            Err(why) => {
                warn(call, "Bridge", args, why);
                None
            }
        },
        None => (!asked.ends && guest.is_in_the_plan()).then(|| behind(&guest.at)),
    }
}
