//! Runs a channel through the dial plan: one priority after the other, until it hangs up.
//!
//! The plan is taken from the configuration at each priority, as Asterisk does, so a looping menu can be
//! repaired while calls are in it. Special extensions: `s` where nothing was dialled, `i` for an extension
//! that does not exist, `t` when the caller was to dial and did not, `T` when the call has lasted as long as
//! it may, `h` after the end.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use dialplan::{Plan, Position, Step};
use store::StoreError;

use crate::application::{Application, Args};
use crate::cause::Cause;
use crate::channel::{Channel, HANGUP_HANDLERS_MAX};
use crate::event::{AppResult, Interrupt};
use crate::park::{self, Ticket, Unparked};
use crate::pickup;
use crate::story::StoryEvent;
use crate::transfer::Seat;

/// Priorities a call may run without waiting for anything. An endless `Goto` would hold its task for ever.
pub const PRIORITIES_WITHOUT_WAITING_MAX: u32 = 50_000;

/// Priorities after which a call lets other calls run.
const PRIORITIES_PER_YIELD: u32 = 64;

/// How long a caller may take to dial the next extension, unless `TIMEOUT(response)` says otherwise.
pub const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a caller may take between two digits of an extension, unless `TIMEOUT(digit)` says otherwise.
pub const DIGIT_TIMEOUT: Duration = Duration::from_secs(5);

/// Where a call goes on when `TIMEOUT(absolute)` is over.
pub(crate) const ABSOLUTE: &str = "T";

/// Digits of an extension dialled in the call.
const EXTENSION_DIGITS_MAX: usize = 32;

/// What a channel is for.
pub(crate) enum Work {
    /// The dial plan, from where the channel stands.
    DialPlan,
    /// One application with its arguments, then the end.
    Application(&'static Application, String),
    /// It is answered and takes the place of another channel.
    Replace(Seat),
    /// It waits where it is parked.
    Parked(Ticket),
    /// It takes a call of its group that rings (`pickupexten`).
    PickUp,
}

/// Runs the channel to its end and releases it.
pub(crate) async fn run(channel: Channel, work: Work) {
    let mut next = Some((channel, work));
    let mut counted = None;
    // A loop: a call that is parked again and again must not nest.
    while let Some((mut channel, work)) = next {
        // As in Asterisk: what is called with an application alone is no call of the dial plan.
        if counted.is_none() && !matches!(work, Work::Application(..)) {
            let switch = channel.switch().clone();
            counted = Some(switch.count_call(&mut channel));
        }
        next = Box::pin(once(channel, work)).await;
    }
}

/// Does one work; returns the channel if it has a further one.
async fn once(mut channel: Channel, work: Work) -> Option<(Channel, Work)> {
    let result = match work {
        Work::DialPlan => None,
        Work::Application(application, arguments) => {
            Some(alone(&mut channel, application, &arguments).await)
        }
        Work::Parked(ticket) => return Box::pin(parked(channel, ticket)).await,
        Work::Replace(place) => match channel.answer().await {
            Ok(()) => {
                place.take(channel);
                return None;
            }
            Err(interrupt) => Some(Err(interrupt)),
        },
        Work::PickUp => {
            channel.runs("Pickup()".to_owned());
            Some(pickup::group(&mut channel).await)
        }
    };
    if let Some(result) = result {
        let cause = match result {
            Ok(()) => Cause::NormalClearing,
            Err(Interrupt::Hangup(cause)) => cause,
            Err(Interrupt::Join(place)) => {
                place.take(channel);
                return None;
            }
            Err(Interrupt::Park(ticket)) => return Some((channel, Work::Parked(ticket))),
            Err(Interrupt::Redirect(to)) => {
                channel.at = to;
                return Some((channel, Work::DialPlan));
            }
        };
        channel.hangup(cause);
        channel.release().await;
        return None;
    }
    let cause = match start(&mut channel).await {
        Err(Interrupt::Hangup(cause)) => cause,
        Err(Interrupt::Join(place)) => {
            place.take(channel);
            return None;
        }
        Err(Interrupt::Park(ticket)) => return Some((channel, Work::Parked(ticket))),
        Err(Interrupt::Redirect(_)) | Ok(()) => Cause::NormalClearing,
    };
    channel.hangup(cause);
    channel.release_media().await;
    run_h(&mut channel).await;
    hangup_handlers(&mut channel).await;
    None
}

/// Lets the channel wait where it is parked; returns it if it goes on when its time is over.
async fn parked(channel: Channel, ticket: Ticket) -> Option<(Channel, Work)> {
    match park::wait(channel, ticket).await {
        Unparked::PickedUp => {}
        Unparked::GoesOn(mut channel, to)
        | Unparked::Left(mut channel, Interrupt::Redirect(to)) => {
            channel.at = to;
            return Some((channel, Work::DialPlan));
        }
        Unparked::Left(channel, Interrupt::Join(place)) => place.take(channel),
        Unparked::Left(mut channel, Interrupt::Hangup(_) | Interrupt::Park(_)) => {
            channel.hangup(Cause::NormalClearing);
            channel.release_media().await;
            run_h(&mut channel).await;
            hangup_handlers(&mut channel).await;
        }
        Unparked::Back(mut channel, arguments) => match channel.switch().application("Dial") {
            Some(dial) => return Some((channel, Work::Application(dial, arguments))),
            None => {
                channel.hangup(Cause::NormalClearing);
            }
        },
    }
    None
}

/// Runs one application outside of the dial plan, so without `h`.
async fn alone(channel: &mut Channel, application: &Application, arguments: &str) -> AppResult {
    channel.catch_up().await?;
    let shown = format!("{}({arguments})", application.name);
    channel.tell(StoryEvent::Application {
        application: shown.clone(),
        at: String::new(),
    });
    channel.record_runs(application.name, arguments);
    channel.runs(shown);
    (application.run)(channel, Args::new(arguments, "originate", 0)).await
}

async fn start(channel: &mut Channel) -> AppResult {
    if !exists(channel).await? {
        end_if_time_is_up(channel)?;
        let Position { context, exten, .. } = channel.at.clone();
        if !exten.is_empty() || special(channel, "s").await?.is_none() {
            tracing::warn!(
                channel = channel.name(),
                exten,
                context,
                "extension is not in the context: call refused with 404"
            );
            let text = format!("extension '{exten}' is not in context '{context}'");
            channel.tell(StoryEvent::Remark { text });
            return Err(channel.hangup(Cause::Unallocated));
        }
        channel.at.exten = "s".to_owned();
    }
    let mut budget = Budget::default();
    loop {
        match run_extension(channel, &mut budget).await {
            Ok(()) => after_the_last_priority(channel).await?,
            Err(Interrupt::Redirect(to)) => {
                channel.at = to;
                if !exists(channel).await? {
                    end_if_time_is_up(channel)?;
                    invalid(channel).await?;
                }
            }
            Err(interrupt) => return Err(interrupt),
        }
    }
}

/// Runs from the channel's position until there is no next priority.
async fn run_extension(channel: &mut Channel, budget: &mut Budget) -> AppResult {
    loop {
        budget.spend(channel).await?;
        let step = channel.step().await?;
        let Some(step) = answered(channel, step)? else {
            return Ok(());
        };
        run_step(channel, &step).await?;
        if channel.has_dialled() {
            return Ok(());
        }
        channel.at.priority += 1;
    }
}

async fn run_step(channel: &mut Channel, step: &Step) -> AppResult {
    channel.standing.at(step);
    let locks = channel.prepare(&step.arguments).await?;
    let arguments = channel.substituted(&step.arguments);
    channel.give_back(&locks);
    let Some(application) = channel.switch().application(&step.application) else {
        tracing::error!(
            channel = channel.name(),
            "{}: no application is called '{}'; call hung up",
            step.place(),
            step.application
        );
        let text = format!("no application '{}' ({})", step.application, step.place());
        channel.tell(StoryEvent::Remark { text });
        return Err(channel.hangup(Cause::FacilityNotImplemented));
    };
    let Position {
        context,
        exten,
        priority,
    } = &channel.at;
    let at = format!("{context},{exten},{priority}");
    let (name, shown) = (channel.name(), format!("{}({arguments})", application.name));
    // As Asterisk writes it: scripts read these lines.
    tracing::debug!(
        channel = name,
        at,
        "Executing [{exten}@{context}:{priority}] {}(\"{name}\", \"{arguments}\") in new stack",
        application.name
    );
    channel.tell(StoryEvent::Application {
        application: shown.clone(),
        at,
    });
    channel.record_runs(application.name, &arguments);
    channel.runs(shown);
    (application.run)(channel, Args::new(&arguments, &step.file, step.line)).await
}

/// Runs an application for another one that stands there. `None`: there is none of this name.
pub async fn execute(
    channel: &mut Channel,
    name: &str,
    arguments: &str,
    at: &Args<'_>,
) -> Option<AppResult> {
    let application = channel.switch().application(name)?;
    channel.record_runs(application.name, arguments);
    channel.runs(format!("{}({arguments})", application.name));
    let args = Args::new(arguments, at.file(), at.line());
    Some((application.run)(channel, args).await)
}

/// A call without extension `T` ends when it has lasted as long as it may.
fn end_if_time_is_up(channel: &mut Channel) -> AppResult {
    match channel.at.exten == ABSOLUTE {
        true => Err(channel.hangup(Cause::NormalClearing)),
        false => Ok(()),
    }
}

/// The caller has begun to dial, or the extension has no further priority: hang up, or with
/// `autofallthrough=no` let the caller dial.
async fn after_the_last_priority(channel: &mut Channel) -> AppResult {
    let plan = plan_of(channel);
    let begun = channel.take_dialled();
    if begun.is_none() && (plan.autofallthrough || !channel.is_up()) {
        let cause = fallthrough(channel);
        return Err(channel.hangup(cause));
    }
    let digits = dialled(channel, begun.unwrap_or_default()).await?;
    if digits.is_empty() {
        let Some(to) = special(channel, "t").await? else {
            let Position { context, exten, .. } = &channel.at;
            tracing::warn!(
                channel = channel.name(),
                "{}nothing dialled, and no extension t in context '{context}' (at extension '{exten}')",
                channel.standing.place()
            );
            return Err(channel.hangup(Cause::NoUserResponse));
        };
        channel.at = to;
        return Ok(());
    }
    channel.at.exten = digits;
    channel.at.priority = 1;
    if exists(channel).await? {
        Ok(())
    } else {
        invalid(channel).await
    }
}

/// Why a call that ran out of steps ends: as the last call it made went, so that the caller is told.
fn fallthrough(channel: &Channel) -> Cause {
    let told = channel.cause();
    match channel.vars.value("DIALSTATUS") {
        Some("BUSY") => Cause::UserBusy,
        // A caller whose media fits nobody can do something about it.
        Some("CONGESTION" | "CHANUNAVAIL") => told
            .filter(|cause| *cause == Cause::BearerNotAvailable)
            .unwrap_or(Cause::NormalCircuitCongestion),
        _ => told.unwrap_or(Cause::NormalClearing),
    }
}

/// Whether the channel's extension exists, whatever the priority.
async fn exists(channel: &mut Channel) -> AppResult<bool> {
    let step = channel.step().await?;
    if matches!(step, Ok(Some(_))) {
        return Ok(true);
    }
    let exten = channel.at.exten.clone();
    let found = channel.has_extension(&exten).await?;
    answered(channel, found)
}

/// What a search found; the end of the call if a table that was to be asked does not answer.
fn answered<T>(channel: &mut Channel, found: Result<T, StoreError>) -> AppResult<T> {
    found.map_err(|error| {
        let Position { context, exten, .. } = &channel.at;
        tracing::error!(
            channel = channel.name(),
            exten,
            context,
            "the table of extensions cannot be asked: {error}; call hung up"
        );
        let text = format!("the table with extension '{exten}' of '{context}' cannot be asked");
        channel.tell(StoryEvent::Remark { text });
        channel.hangup(Cause::TemporaryFailure)
    })
}

/// Collects an extension that may have been begun: until it can get no longer, or the caller pauses.
async fn dialled(channel: &mut Channel, mut digits: String) -> AppResult<String> {
    while digits.len() < EXTENSION_DIGITS_MAX {
        let mut patience = channel.response_timeout();
        if !digits.is_empty() {
            patience = channel.digit_timeout();
            // Where that is not known, the caller's pause tells.
            let longer = channel.could_be_longer(&digits).await?;
            if !longer.unwrap_or(true) {
                break;
            }
        }
        let Some(digit) = channel.read_digit_within(patience).await? else {
            break;
        };
        digits.push(digit);
    }
    Ok(digits)
}

/// Sends the channel to `i`, or hangs up.
async fn invalid(channel: &mut Channel) -> AppResult {
    let Position {
        context,
        exten,
        priority,
    } = channel.at.clone();
    let Some(to) = special(channel, "i").await? else {
        tracing::warn!(
            channel = channel.name(),
            "{}no priority {priority} of extension '{exten}' in context '{context}', and no extension i",
            channel.standing.place()
        );
        let text = format!("'{context},{exten},{priority}' does not exist, nor does extension i");
        channel.tell(StoryEvent::Remark { text });
        return Err(channel.hangup(Cause::Unallocated));
    };
    // An extension is short, so this cannot fail for its length; a full table is told by Set itself.
    let _ = channel.vars.set("INVALID_EXTEN", &exten);
    channel.at = to;
    Ok(())
}

/// The first priority of a special extension of the channel's context, if there is one; one in a table that
/// cannot be asked is none.
async fn special(channel: &mut Channel, exten: &str) -> AppResult<Option<Position>> {
    let found = channel.has_extension(exten).await?;
    Ok(found.unwrap_or(false).then(|| Position {
        context: channel.at.context.clone(),
        exten: exten.to_owned(),
        priority: 1,
    }))
}

/// Runs a subroutine of the dial plan on a channel, until it returns or its steps end; the channel stands
/// afterwards where it stood.
///
/// # Errors
///
/// When the call ended meanwhile, or there is no such extension.
pub async fn subroutine(channel: &mut Channel, at: Position, arguments: &[String]) -> AppResult {
    let (back, depth) = (channel.at.clone(), channel.depth());
    if let Err(why) = channel.enter(back.clone(), arguments) {
        tracing::warn!(channel = channel.name(), "subroutine not run: {why}");
        return Ok(());
    }
    channel.at = at;
    let result = nested(channel, (&back, depth), None).await.map(|_| ());
    while channel.depth() > depth {
        channel.leave();
    }
    channel.at = back;
    result
}

/// Runs a macro on a channel: extension `s` of context `macro-NAME`, until its steps end or `MacroExit`.
///
/// # Errors
///
/// When the call ended meanwhile; or where a `Goto` led out of the macro, which is over then.
pub async fn macro_call(channel: &mut Channel, name: &str, arguments: &[String]) -> AppResult {
    let (back, depth) = (channel.at.clone(), channel.depth());
    if let Err(why) = channel.enter(back.clone(), arguments) {
        tracing::warn!(channel = channel.name(), "macro not run: {why}");
        return Ok(());
    }
    // Within macros these name who called the outermost one, as in Asterisk.
    if channel
        .vars
        .value("MACRO_CONTEXT")
        .is_none_or(str::is_empty)
    {
        let priority = back.priority.to_string();
        let places = [
            ("MACRO_CONTEXT", &back.context),
            ("MACRO_EXTEN", &back.exten),
            ("MACRO_PRIORITY", &priority),
        ];
        for (name, value) in places {
            // A place is short; a full table is told by Set itself.
            let _ = channel.set_local(name, value);
        }
    }
    let context = format!("macro-{name}");
    channel.at = Position {
        context: context.clone(),
        exten: "s".to_owned(),
        priority: 1,
    };
    let result = nested(channel, (&back, depth), Some(&context)).await;
    while channel.depth() > depth {
        channel.leave();
    }
    match result? {
        Some(elsewhere) => Err(Interrupt::Redirect(elsewhere)),
        None => {
            channel.at = back;
            Ok(())
        }
    }
}

/// Runs from where the channel stands, until fewer than so many subroutines and one more are left, or the
/// steps end. Where it is told the context to stay in: the place in another one that a `Goto` led to.
async fn nested(
    channel: &mut Channel,
    (back, depth): (&Position, usize),
    context: Option<&str>,
) -> AppResult<Option<Position>> {
    let mut budget = Budget::default();
    loop {
        let ran = match exists(channel).await? {
            true => Box::pin(run_extension(channel, &mut budget)).await,
            false => {
                let Position {
                    context,
                    exten,
                    priority,
                } = channel.at.clone();
                let place = channel.standing.place();
                let text = format!("{place}no subroutine at {context},{exten},{priority}");
                tracing::warn!(channel = channel.name(), "{text}");
                channel.tell(StoryEvent::Remark { text });
                Ok(())
            }
        };
        match ran {
            Ok(()) => return Ok(None),
            Err(Interrupt::Redirect(to)) if channel.depth() <= depth => {
                // `Return` and `MacroExit` lead back; who was sent elsewhere has left for good.
                return Ok((to != *back).then_some(to));
            }
            Err(Interrupt::Redirect(to)) => {
                let own = channel.depth() == depth + 1;
                if own && context.is_some_and(|context| context != to.context) {
                    return Ok(Some(to));
                }
                channel.at = to;
            }
            Err(interrupt) => return Err(interrupt),
        }
    }
}

/// Runs extension `h` of the context a channel stands in, once it is over.
pub async fn farewell(channel: &mut Channel) {
    run_h(channel).await;
}

/// Runs `h`. The far end has been released already, so what would wait for it ends `h`.
async fn run_h(channel: &mut Channel) {
    let Ok(Some(at)) = special(channel, "h").await else {
        return;
    };
    channel.at = at;
    let mut budget = Budget::default();
    loop {
        match run_extension(channel, &mut budget).await {
            Err(Interrupt::Redirect(to)) => channel.at = to,
            Ok(()) | Err(Interrupt::Hangup(_) | Interrupt::Join(_) | Interrupt::Park(_)) => return,
        }
    }
}

/// Runs the subroutines a channel has for its end, the latest first. The channel is over, so what would wait ends them.
///
/// Boxed: what they run may let other channels go, which comes here again.
pub(crate) fn hangup_handlers(
    channel: &mut Channel,
) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
    Box::pin(async move {
        // One that has itself run again does not go on for ever.
        for _ in 0..HANGUP_HANDLERS_MAX {
            let Some((at, arguments)) = channel.take_hangup_handler() else {
                return;
            };
            // It ends where it would wait, or hangs up.
            let _ = subroutine(channel, at, &arguments).await;
        }
    })
}

fn plan_of(channel: &Channel) -> Arc<Plan> {
    Arc::clone(&channel.switch().config().plan)
}

/// Protects other calls, and the machine, from a dial plan that runs in circles.
#[derive(Default)]
struct Budget {
    spent: u32,
}

impl Budget {
    /// Called before each priority: sees to events, yields now and then, and ends an endless loop.
    async fn spend(&mut self, channel: &mut Channel) -> AppResult {
        if channel.take_waited() {
            self.spent = 0;
        }
        self.spent += 1;
        if self.spent.is_multiple_of(PRIORITIES_PER_YIELD) {
            tokio::task::yield_now().await;
        }
        if channel.ended().is_none() {
            channel.catch_up().await?;
        }
        if self.spent <= PRIORITIES_WITHOUT_WAITING_MAX {
            return Ok(());
        }
        let Position {
            context,
            exten,
            priority,
        } = &channel.at;
        tracing::error!(
            channel = channel.name(),
            "{PRIORITIES_WITHOUT_WAITING_MAX} priorities ran without waiting, now at \
             {context},{exten},{priority}: an endless Goto? Call hung up \
             (PRIORITIES_WITHOUT_WAITING_MAX)"
        );
        let text = format!(
            "{PRIORITIES_WITHOUT_WAITING_MAX} priorities ran without waiting: an endless loop in the \
             dial plan at {context},{exten}"
        );
        channel.tell(StoryEvent::Remark { text });
        Err(channel.hangup(Cause::SwitchCongestion))
    }
}
