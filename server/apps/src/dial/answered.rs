//! What happens once somebody has answered.

use switch::bridge::{self, Parted};
use switch::{AppResult, Args, Cause, Channel, Interrupt, Position, pbx};
use tokio::time::Instant;

use super::announce::{Gone, announce};
use super::options::Options;
use super::screen::Screen;
use super::{account, lasted, limit, set};
use crate::arguments::{position, warn};
use crate::send_dtmf::{DURATION, PAUSE};

/// A call that somebody answered.
pub(super) struct Answered<'a> {
    pub(super) options: &'a Options,
    pub(super) args: &'a Args<'a>,
    pub(super) began: Instant,
}

impl Answered<'_> {
    /// Connects the caller to who answered, until one of them leaves.
    pub(super) async fn meet(
        &self,
        call: &mut Channel,
        mut callee: Channel,
        screen: Option<Screen>,
    ) -> AppResult {
        let Self { options, args, .. } = *self;
        let name = callee.name().to_owned();
        let number = callee.vars.value("DIALEDPEERNUMBER").unwrap_or_default();
        let number = number.to_owned();
        set(call, "DIALEDPEERNAME", &name);
        set(call, "DIALEDPEERNUMBER", &number);
        set(call, "DIALSTATUS", "ANSWER");
        let account = account(&callee);
        call.record_mut().answered_by(&name, &account);
        let after = match self.before_they_talk(call, &mut callee, screen).await {
            Ok(after) => after,
            Err(interrupt) => return leave(callee, interrupt).await,
        };
        match after {
            After::Connect => self.talk(call, callee).await,
            After::BothGo(place) => both_go(call, callee, &place, args),
            after => instead(call, callee, after, options, args).await,
        }
    }

    /// What comes before the two are connected, in Asterisk's order.
    async fn before_they_talk(
        &self,
        call: &mut Channel,
        callee: &mut Channel,
        screen: Option<Screen>,
    ) -> AppResult<After> {
        let Self { options, args, .. } = *self;
        if options.answers_at_once {
            tell_of(call, callee, options);
            call.suit(callee)?;
            call.answer().await?;
        }
        if let Some(mut screen) = screen
            && !screen.admits(call, callee, args).await?
        {
            return Ok(After::Continue);
        }
        match announce(call, callee, options, args).await {
            Ok(()) => {}
            Err(Gone::Caller(interrupt)) => return Err(interrupt),
            Err(Gone::Callee(interrupt)) => return Ok(After::Gone(interrupt.cause())),
        }
        if let Some(place) = &options.both_go {
            return Ok(After::BothGo(place.clone()));
        }
        for (text, is_macro) in [(&options.macro_call, true), (&options.routine, false)] {
            if let Some(text) = text {
                match routine(call, callee, text, is_macro).await? {
                    After::Connect => {}
                    after => return Ok(after),
                }
            }
        }
        let digits = &options.digits.called;
        let sent = call.during(callee.send_digits(digits, DURATION, PAUSE));
        match sent.await? {
            Ok(()) => Ok(After::Connect),
            Err(interrupt) => Ok(After::Gone(interrupt.cause())),
        }
    }

    async fn talk(&self, call: &mut Channel, mut callee: Channel) -> AppResult {
        let Self {
            options,
            args,
            began,
        } = *self;
        tell_of(call, &callee, options);
        if call.take_replaced() && !options.deaf {
            // Whoever has answered was called by another.
            callee.connect_line(call.caller.clone());
        }
        let met = match call.suit(&callee) {
            Ok(()) => call.answer().await,
            Err(interrupt) => Err(interrupt),
        };
        let met = match met {
            Ok(()) => {
                let digits = &options.digits.caller;
                match callee
                    .during(call.send_digits(digits, DURATION, PAUSE))
                    .await
                {
                    Ok(sent) => sent,
                    // The conversation finds out that it is over.
                    Err(_) => Ok(()),
                }
            }
            Err(interrupt) => Err(interrupt),
        };
        let limit = match met {
            Ok(()) => limit::of(call, options, args).await,
            Err(interrupt) => Err(interrupt),
        };
        let limit = match limit {
            Ok(limit) => limit,
            Err(interrupt) => return leave(callee, interrupt).await,
        };
        let answered = Instant::now();
        let rules = options.rules(call, &callee, limit);
        let parted = bridge::run(call, &mut callee, &rules).await;
        lasted(call, "ANSWEREDTIME", answered.elapsed());
        lasted(call, "DIALEDTIME", began.elapsed());
        part(call, callee, parted, options, args).await
    }
}

/// Who answered is told to the caller, with the answer.
fn tell_of(call: &mut Channel, callee: &Channel, options: &Options) {
    if !options.deaf && !callee.caller.is_nobody() {
        call.connect_line(callee.caller.clone());
    }
}

/// The caller is gone, or cannot be connected.
async fn leave(mut callee: Channel, interrupt: Interrupt) -> AppResult {
    callee.hangup(interrupt.cause());
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

/// What is to happen: as the subroutine of `U` says (`GOSUB_RESULT`), the macro of `M` (`MACRO_RESULT`), and
/// others that come before the two are connected.
enum After {
    Connect,
    /// The two go on in the dial plan.
    BothGo(String),
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

/// `U(context^argument…)`: runs extension `s` of the context on who answered; `M(name^argument…)`: the same of
/// context `macro-name`.
async fn routine(
    call: &mut Channel,
    callee: &mut Channel,
    text: &str,
    is_macro: bool,
) -> AppResult<After> {
    let mut words = text.split('^').map(str::to_owned);
    let name = words.next().unwrap_or_default();
    let arguments: Vec<String> = words.collect();
    let ran = match is_macro {
        true => {
            call.during(pbx::macro_call(callee, &name, &arguments))
                .await?
        }
        false => {
            let at = Position {
                context: name,
                exten: "s".to_owned(),
                priority: 1,
            };
            call.during(pbx::subroutine(callee, at, &arguments)).await?
        }
    };
    match ran {
        // A macro that went elsewhere is over.
        Ok(()) | Err(Interrupt::Redirect(_)) => {}
        Err(interrupt) => {
            return Ok(After::Gone(interrupt.cause()));
        }
    }
    let result = match is_macro {
        true => callee.vars.value("MACRO_RESULT").unwrap_or_default(),
        false => callee.vars.value("GOSUB_RESULT").unwrap_or_default(),
    };
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
    options: &Options,
    args: &Args<'_>,
) -> AppResult {
    callee.hangup(Cause::NormalClearing);
    callee.release().await;
    match after {
        After::Connect | After::BothGo(_) | After::Continue => Ok(()),
        After::Abort => Err(call.hangup(Cause::NormalClearing)),
        After::Unanswered(status, cause) => {
            set(call, "DIALSTATUS", status);
            call.set_cause(cause);
            Ok(())
        }
        // Once the caller has been answered for it, it goes the way of a conversation.
        After::Gone(cause) if options.answers_at_once => goes_on(call, cause, options),
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
            callee.hangup(interrupt.cause());
            Err(interrupt)
        }
        Parted::Callee(Interrupt::Hangup(cause)) => goes_on(call, cause, options),
        Parted::Callee(interrupt) => {
            let result = goes_on(call, Cause::NormalClearing, options);
            bridge::send_on(callee, interrupt);
            return result;
        }
        Parted::Disconnected | Parted::Limit => {
            callee.hangup(Cause::NormalClearing);
            goes_on(call, Cause::NormalClearing, options)
        }
    };
    callee.release_media().await;
    if options.farewell {
        callee.at.context.clone_from(&call.at.context);
        pbx::farewell(&mut callee).await;
    }
    callee.release().await;
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
