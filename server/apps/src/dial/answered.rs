//! What happens once somebody has answered.

use switch::bridge::{self, Parted};
use switch::{AppResult, Args, Cause, Channel, Interrupt, Position, pbx};
use tokio::time::Instant;

use super::options::Options;
use super::{account, cause_of, lasted, set};
use crate::arguments::{position, warn};

/// Connects the caller to who answered, until one of them leaves.
pub(super) async fn talk(
    call: &mut Channel,
    mut callee: Channel,
    options: &Options,
    args: &Args<'_>,
    began: Instant,
) -> AppResult {
    let name = callee.name().to_owned();
    let number = callee.vars.value("DIALEDPEERNUMBER").unwrap_or_default();
    let number = number.to_owned();
    set(call, "DIALEDPEERNAME", &name);
    set(call, "DIALEDPEERNUMBER", &number);
    set(call, "DIALSTATUS", "ANSWER");
    let account = account(&callee);
    call.record_mut().connect(&name, &account);
    if let Some(place) = &options.both_go {
        return both_go(call, callee, place, args);
    }
    if let Some(text) = &options.routine {
        match routine(call, &mut callee, text).await {
            Ok(After::Connect) => {}
            Ok(after) => return instead(call, callee, after, args).await,
            Err(interrupt) => return leave(callee, interrupt).await,
        }
    }
    let met = match call.suit(&callee) {
        Ok(()) => call.answer().await,
        Err(interrupt) => Err(interrupt),
    };
    if let Err(interrupt) = met {
        return leave(callee, interrupt).await;
    }
    let answered = Instant::now();
    let rules = options.rules(call, &callee);
    let parted = bridge::run(call, &mut callee, &rules).await;
    lasted(call, "ANSWEREDTIME", answered.elapsed());
    lasted(call, "DIALEDTIME", began.elapsed());
    part(call, callee, parted, options, args).await
}

/// The caller is gone, or cannot be connected.
async fn leave(mut callee: Channel, interrupt: Interrupt) -> AppResult {
    callee.hangup(cause_of(&interrupt));
    callee.release().await;
    Err(interrupt)
}

/// `G`: the caller goes on at the place, who answered one priority behind it.
fn both_go(call: &mut Channel, mut callee: Channel, place: &str, args: &Args<'_>) -> AppResult {
    let to = match position(call, place, '^') {
        Ok(to) => to,
        Err(why) => {
            warn(call, "Dial", args, why);
            callee.hangup(Cause::NormalClearing);
            return Ok(());
        }
    };
    callee.at = Position {
        priority: to.priority + 1,
        ..to.clone()
    };
    call.switch().go_on(callee);
    Err(Interrupt::Redirect(to))
}

/// What the subroutine of `U` says is to happen: `GOSUB_RESULT`.
enum After {
    Connect,
    /// Both are hung up.
    Abort,
    /// As if nobody had answered, for this reason.
    Unanswered(&'static str, Cause),
    /// The called is hung up, the caller goes on after this step.
    Continue,
    /// The called is hung up, the caller goes on there.
    Goto(String),
    /// The called hung up meanwhile.
    Gone(Cause),
}

/// `U(context^argument…)`: runs extension `s` of the context on who answered.
async fn routine(call: &mut Channel, callee: &mut Channel, text: &str) -> AppResult<After> {
    let mut words = text.split('^').map(str::to_owned);
    let at = Position {
        context: words.next().unwrap_or_default(),
        exten: "s".to_owned(),
        priority: 1,
    };
    let arguments: Vec<String> = words.collect();
    let ran = call.during(pbx::subroutine(callee, at, &arguments)).await?;
    if let Err(interrupt) = ran {
        return Ok(After::Gone(cause_of(&interrupt)));
    }
    let result = callee.vars.value("GOSUB_RESULT").unwrap_or_default();
    Ok(match result {
        "ABORT" => After::Abort,
        "BUSY" => After::Unanswered("BUSY", Cause::UserBusy),
        "CONGESTION" => After::Unanswered("CONGESTION", Cause::NormalCircuitCongestion),
        "CONTINUE" => After::Continue,
        other => match other.strip_prefix("GOTO:") {
            Some(place) => After::Goto(place.to_owned()),
            None => After::Connect,
        },
    })
}

/// The two are not connected.
async fn instead(
    call: &mut Channel,
    mut callee: Channel,
    after: After,
    args: &Args<'_>,
) -> AppResult {
    callee.hangup(Cause::NormalClearing);
    callee.release().await;
    match after {
        After::Connect | After::Continue => Ok(()),
        After::Abort => Err(call.hangup(Cause::NormalClearing)),
        After::Unanswered(status, cause) => {
            set(call, "DIALSTATUS", status);
            call.set_cause(cause);
            Ok(())
        }
        After::Gone(cause) => {
            call.set_cause(cause);
            Ok(())
        }
        After::Goto(place) => match position(call, &place, '^') {
            Ok(to) => Err(Interrupt::Redirect(to)),
            Err(why) => {
                warn(call, "Dial", args, why);
                Ok(())
            }
        },
    }
}

/// What becomes of the two when they no longer talk.
async fn part(
    call: &mut Channel,
    mut callee: Channel,
    parted: Parted,
    options: &Options,
    args: &Args<'_>,
) -> AppResult {
    let result = match parted {
        Parted::Caller(interrupt) => {
            let is_over = matches!(interrupt, Interrupt::Hangup(_));
            if is_over && let Some(to) = callee_goes(call, options, args) {
                callee.at = to;
                call.switch().go_on(callee);
                return Err(interrupt);
            }
            callee.hangup(cause_of(&interrupt));
            Err(interrupt)
        }
        Parted::Callee(Interrupt::Redirect(to)) => {
            callee.at = to;
            call.switch().go_on(callee);
            return goes_on(call, Cause::NormalClearing, options);
        }
        Parted::Callee(Interrupt::Join(place)) => {
            let result = goes_on(call, Cause::NormalClearing, options);
            call.switch().join(callee, &place);
            return result;
        }
        Parted::Callee(Interrupt::Hangup(cause)) => goes_on(call, cause, options),
        Parted::Disconnected | Parted::Limit => {
            callee.hangup(Cause::NormalClearing);
            goes_on(call, Cause::NormalClearing, options)
        }
    };
    callee.release().await;
    if options.farewell {
        callee.at.context.clone_from(&call.at.context);
        pbx::farewell(&mut callee).await;
    }
    result
}

/// `F`: where the called goes on.
fn callee_goes(call: &mut Channel, options: &Options, args: &Args<'_>) -> Option<Position> {
    let place = options.callee_goes.as_deref()?;
    if place.is_empty() {
        return Some(Position {
            priority: call.at.priority + 1,
            ..call.at.clone()
        });
    }
    match position(call, place, '^') {
        Ok(to) => Some(to),
        Err(why) => {
            warn(call, "Dial", args, why);
            None
        }
    }
}

/// The dial plan goes on where it was asked for (`g`); otherwise the caller is hung up too.
fn goes_on(call: &mut Channel, cause: Cause, options: &Options) -> AppResult {
    call.set_cause(cause);
    match options.goes_on {
        true => Ok(()),
        false => Err(call.hangup(cause)),
    }
}
