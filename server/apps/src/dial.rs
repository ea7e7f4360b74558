//! `Dial`.

mod announce;
mod answered;
pub(crate) mod bridge;
mod limit;
mod options;
mod screen;
mod waiting;

use std::time::Duration;

use switch::story::StoryEvent;
use switch::{
    AppResult, Application, Args, Ask, CallerId, Cause, Channel, Dialled, Dialling, Forward,
    Interrupt, Moment, Position, RedirectMethod, hint_name, pbx,
};
use tokio::time::Instant;

use crate::arguments::{position, unusable, warn};
use crate::gosub::with_arguments;
use options::Options;
pub(crate) use options::argument;
pub(crate) use waiting::exit_by;
use waiting::{Waited, Waiting};

/// Calls others and connects the caller to who answers.
pub(crate) static DIAL: Application = Application {
    name: "Dial",
    synopsis: "Call one or more parties, and connect the call to the first that answers",
    doc: include_str!("dial.md"),
    run: |call, args| Box::pin(run(call, args)),
};

/// Destinations in one `Dial`, each of which may be reached at several places.
const DESTINATIONS_MAX: usize = 64;

async fn run(call: &mut Channel, args: Args<'_>) -> AppResult {
    let result = Box::pin(connect(call, args)).await;
    call.offer_place(false);
    result
}

async fn connect(call: &mut Channel, args: Args<'_>) -> AppResult {
    for name in RESULTS {
        set(call, name, "");
    }
    let destinations = destinations(&args);
    if destinations.is_empty() {
        set(call, "DIALSTATUS", "INVALIDARGS");
        let why = "name whom to call, as in Dial(PJSIP/alice,30)";
        return Err(unusable(call, "Dial", &args, why));
    }
    let options = Options::parse(args.at(2).unwrap_or_default());
    for problem in &options.problems {
        warn(call, "Dial", &args, problem);
    }
    if args.at(3).is_some() {
        warn(
            call,
            "Dial",
            &args,
            "a URL cannot be sent to a phone in its call; ignored",
        );
    }
    let timeout = timeout(call, &args);
    if options.record_anew {
        call.record_mut().restart();
    }
    let screen = match screen::begin(call, &options, &args).await? {
        Ok(screen) => screen,
        Err(status) => {
            set(call, "DIALSTATUS", status);
            return Ok(());
        }
    };
    if let Some((at, arguments)) = routine(call, &args, options.before_all.as_deref()) {
        pbx::subroutine(call, at, &arguments).await?;
    }
    let before = routine(call, &args, options.before_call.as_deref());
    let began = Instant::now();
    let all = Whom {
        destinations: &destinations,
        timeout,
        before,
        group: take_group(call),
    };
    call.offer_place(true);
    let answered = dial(call, &all, &options, &args).await;
    call.stop_tones();
    if options.music.is_some() {
        call.stop_music();
    }
    let callee = match answered {
        Ok(Some(callee)) => *callee,
        Ok(None) => {
            lasted(call, "DIALEDTIME", began.elapsed());
            record_failure(call);
            return Ok(());
        }
        Err(interrupt) => return Err(gives_up(call, began, interrupt)),
    };
    let answered = answered::Answered {
        options: &options,
        args: &args,
        began,
    };
    answered.meet(call, callee, screen).await
}

/// What `Dial` leaves behind.
const RESULTS: [&str; 9] = [
    "DIALSTATUS",
    "DIALEDPEERNAME",
    "DIALEDPEERNUMBER",
    "DIALEDTIME",
    "DIALEDTIME_MS",
    "ANSWEREDTIME",
    "ANSWEREDTIME_MS",
    "RINGTIME",
    "RINGTIME_MS",
];

/// `PJSIP/a&PJSIP/b`, each with what is dialled there.
fn destinations<'a>(args: &Args<'a>) -> Vec<&'a str> {
    let all = args.at(0).unwrap_or_default().split('&').map(str::trim);
    let all = all.filter(|destination| !destination.is_empty());
    all.take(DESTINATIONS_MAX).collect()
}

/// A subroutine and its arguments.
type Routine = (Position, Vec<String>);

/// The subroutine an option names: `[[context^]extension^]priority[(argument^argument)]`.
fn routine(call: &mut Channel, args: &Args<'_>, text: Option<&str>) -> Option<Routine> {
    let (place, arguments) = with_arguments(text?, '^');
    match position(call, place, '^') {
        Ok(at) => Some((at, arguments)),
        Err(why) => {
            warn(call, "Dial", args, why);
            None
        }
    }
}

/// How long it may ring; without end if nothing is said.
fn timeout(call: &mut Channel, args: &Args<'_>) -> Option<Duration> {
    let text = args.at(1)?;
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 => Duration::try_from_secs_f64(seconds).ok(),
        _ => {
            let what = format!("'{text}' is no number of seconds; it rings without end");
            warn(call, "Dial", args, what);
            None
        }
    }
}

/// Who is called, for how long, and what is run on each leg before.
struct Whom<'a> {
    destinations: &'a [&'a str],
    timeout: Option<Duration>,
    before: Option<Routine>,
    /// The group each leg is put into.
    group: Option<String>,
}

/// Calls everybody and waits for the first to answer. `None`: nobody did, and `DIALSTATUS` says why.
async fn dial(
    call: &mut Channel,
    whom: &Whom<'_>,
    options: &Options,
    args: &Args<'_>,
) -> AppResult<Option<Box<Channel>>> {
    let mut dialling = Dialling::default();
    if let Some(cause) = options.losers {
        dialling.tell_losers(cause);
    }
    for destination in whom.destinations {
        add(call, &mut dialling, (destination, false), options, whom).await?;
    }
    tell_caller(call, &dialling, options);
    record_legs(call, &dialling);
    let mut waiting = Waiting::begin(options, whom.timeout);
    if dialling.failure().is_none() {
        waiting.pretend(call, args).await?;
    }
    loop {
        if let Some(cause) = dialling.failure() {
            set(call, "DIALSTATUS", dialling.tally().status());
            call.set_cause(cause);
            return Ok(None);
        }
        let moment = match dialling.next(call, waiting.end).await {
            Ok(moment) => moment,
            Err(interrupt) => {
                dialling.cancel(left(&interrupt, options));
                return Err(interrupt);
            }
        };
        match moment {
            Moment::Leg(Dialled::Answered(callee)) => {
                call.stop_tones();
                return Ok(Some(callee));
            }
            Moment::Leg(Dialled::Connected(_)) => tell_caller(call, &dialling, options),
            Moment::Leg(Dialled::SentOn(_)) => tell_sent_on(call, &dialling, options),
            Moment::Replaced => {
                record_legs(call, &dialling);
                tell_caller(call, &dialling, options);
                waiting.resume(call, &mut dialling, args).await?;
            }
            Moment::Leg(Dialled::Forwarded(forward)) => {
                let follows = waiting.follows();
                let to = follows.then(|| destination_of(call, &forward)).flatten();
                follow(call, &mut dialling, (&forward, to), options, whom).await?;
            }
            Moment::Over => {
                dialling.cancel(options.given_up(Cause::NoAnswer));
                set(call, "DIALSTATUS", "NOANSWER");
                call.set_cause(Cause::NoAnswer);
                return Ok(None);
            }
            moment => match waiting.on(call, &mut dialling, moment).await? {
                Waited::On => {}
                Waited::GivenUp(to) => {
                    dialling.cancel(options.given_up(Cause::NormalClearing));
                    set(call, "DIALSTATUS", "CANCEL");
                    call.set_cause(Cause::NormalClearing);
                    return match to {
                        Some(to) => Err(Interrupt::Redirect(to)),
                        None => Ok(None),
                    };
                }
            },
        }
    }
}

/// Somebody sends its callers on to another destination, which is called too; none: that is noted.
async fn follow(
    call: &mut Channel,
    dialling: &mut Dialling,
    (forward, to): (&Forward, Option<String>),
    options: &Options,
    whom: &Whom<'_>,
) -> AppResult {
    let Some(to) = to else {
        dialling.note(Cause::RedirectedToNewDestination);
        return Ok(());
    };
    send_on(call, forward, options);
    add(call, dialling, (&to, true), options, whom).await
}

/// What those who ring are told when the caller has left. One that was answered elsewhere is a leg of another
/// `Dial`: so were those it calls.
fn left(interrupt: &Interrupt, options: &Options) -> Cause {
    match interrupt.cause() {
        Cause::AnsweredElsewhere => Cause::AnsweredElsewhere,
        _ => options.given_up(Cause::NormalClearing),
    }
}

/// The caller leaves while it rings.
fn gives_up(call: &mut Channel, began: Instant, interrupt: Interrupt) -> Interrupt {
    set(call, "DIALSTATUS", "CANCEL");
    lasted(call, "DIALEDTIME", began.elapsed());
    if matches!(interrupt, Interrupt::Redirect(_)) {
        // It goes on elsewhere, and whom it calls there is not whom it called here.
        record_failure(call);
    }
    interrupt
}

/// Nobody answered: what the caller does next has a record of its own.
fn record_failure(call: &mut Channel) {
    let status = call.vars.value("DIALSTATUS").unwrap_or_default();
    let status = status.to_owned();
    call.record_mut().unanswered(&status);
}

/// Each leg has a record of its own, of the caller's.
fn record_legs(call: &mut Channel, dialling: &Dialling) {
    call.record_goes_on();
    for (index, leg) in dialling.legs().enumerate() {
        let (name, account, record) = (leg.name(), account(leg), call.record_mut());
        match index {
            0 => record.connect(name, &account),
            _ => record.connect_beside(name, &account),
        }
    }
}

/// Who is called is told to the caller, if there is but one: of several nobody knows who will answer.
fn tell_caller(call: &mut Channel, dialling: &Dialling, options: &Options) {
    if options.deaf {
        return;
    }
    let called = dialling.only_leg().map(|leg| leg.caller.clone());
    if let Some(called) = called.filter(|called| !called.is_nobody()) {
        call.connect_line(called);
    }
}

/// Who is called sends the call on by itself (181), and says so; of several nobody knows who will answer.
fn tell_sent_on(call: &mut Channel, dialling: &Dialling, options: &Options) {
    let leg = dialling.only_leg().filter(|_| !options.deaf);
    if let Some(redirecting) = leg.map(|leg| leg.parties.redirecting.clone()) {
        call.redirect_line(redirecting);
    }
}

/// The call is sent on by somebody it was for.
fn send_on(call: &mut Channel, forward: &Forward, options: &Options) {
    let (_, address) = forward.to.split_once(':').unwrap_or_default();
    let user = address.split(['@', ':', ';']).next().unwrap_or_default();
    let mut redirecting = call.parties.redirecting.clone();
    redirecting.sent_on(forward.from.clone(), CallerId::new("", user), "cfu");
    match options.deaf {
        true => call.parties.redirecting = redirecting,
        false => call.redirect_line(redirecting),
    }
}

/// Calls one destination more.
async fn add(
    call: &mut Channel,
    dialling: &mut Dialling,
    (destination, is_forward): (&str, bool),
    options: &Options,
    whom: &Whom<'_>,
) -> AppResult {
    let switch = call.switch().clone();
    let found = call.during(switch.find(destination)).await?;
    match found {
        Ok(targets) => {
            let mut ask = ask(call, destination, options);
            if is_forward && options.forces_forwards {
                let mut caller = of_extension(call);
                if let Some(presentation) = options.presentation {
                    caller = caller.presented(presentation);
                }
                ask.caller = caller;
            }
            ask.before.clone_from(&whom.before);
            ask.group.clone_from(&whom.group);
            dialling.call(&switch, targets, &ask, Some(call)).await;
        }
        Err(unreachable) => {
            tracing::warn!(channel = call.name(), destination, "{unreachable}");
            let text = format!("{destination}: {unreachable}");
            call.tell(StoryEvent::Remark { text });
            dialling.note(unreachable.cause());
        }
    }
    Ok(())
}

/// What is dialled for a call that was sent on, as the endpoint's `redirect_method` says.
fn destination_of(call: &Channel, forward: &Forward) -> Option<String> {
    let endpoint = &forward.subscriber.endpoint;
    match endpoint.redirect_method {
        RedirectMethod::User => {
            let (_, rest) = forward.to.split_once(':')?;
            let (user, _) = rest.split_once('@')?;
            let user = user.split([':', ';']).next().unwrap_or_default();
            let is_plain = !user.is_empty() && !user.contains(['&', '/', ',']);
            let context = call
                .vars
                .value("FORWARD_CONTEXT")
                .unwrap_or(&endpoint.context);
            is_plain.then(|| format!("Local/{user}@{context}"))
        }
        RedirectMethod::UriCore | RedirectMethod::UriPjsip => {
            let is_plain = !forward.to.contains('&');
            is_plain.then(|| format!("PJSIP/{}/{}", endpoint.id, forward.to))
        }
    }
}

fn ask(call: &Channel, destination: &str, options: &Options) -> Ask {
    let number = destination.split_once('/').map_or("", |(_, rest)| rest);
    let mut variables = call.vars.inherited();
    variables.push(("DIALEDPEERNUMBER".to_owned(), number.to_owned()));
    let mut own = CallerId::new("", call.at.exten.as_str());
    if options.original {
        own = call.caller.clone();
        if let Some(number) = &options.original_number {
            own.number.clone_from(number);
        }
    }
    let mut caller = call.caller.clone();
    if let Some(forced) = &options.forced {
        caller = forced.clone();
        caller.tag.clone_from(&call.caller.tag);
        if let Some(presentation) = options.presentation {
            caller = caller.presented(presentation);
        }
    }
    if let Some(presentation) = options.presentation {
        own = own.presented(presentation);
    }
    if let Some(tag) = &options.caller_tag {
        caller.tag.clone_from(tag);
    }
    Ask {
        caller,
        own: Some(own),
        redirecting: call.parties.redirecting.clone(),
        variables,
        at: None,
        application: "AppDial((Outgoing Line))".to_owned(),
        recorded: false,
        dialled: Some(call.at.clone()),
        group: None,
        linkedid: None,
        language: Some(call.language().to_owned()),
        far: Some(call.capabilities()),
        before: None,
    }
}

/// The extension that is called, with the name its hint has.
fn of_extension(call: &Channel) -> CallerId {
    let config = call.switch().config();
    let hint = config.plan.hint(&call.at.context, &call.at.exten);
    let name = hint.and_then(hint_name).unwrap_or_default();
    CallerId::new(name, call.at.exten.as_str())
}

/// The group of the legs, as the dial plan says: `OUTBOUND_GROUP_ONCE`, for one call alone, else `OUTBOUND_GROUP`.
fn take_group(call: &mut Channel) -> Option<String> {
    let value = |name: &str| {
        let value = call.vars.value(name);
        value.filter(|value| !value.is_empty()).map(str::to_owned)
    };
    let group = value(ONCE).or_else(|| value("OUTBOUND_GROUP"));
    set(call, ONCE, "");
    group
}

/// The variable with the group of the legs of the next `Dial`.
const ONCE: &str = "OUTBOUND_GROUP_ONCE";

fn account(leg: &Channel) -> String {
    leg.endpoint().accountcode.clone().unwrap_or_default()
}

/// Sets `NAME` in seconds and `NAME_MS` in milliseconds.
fn lasted(call: &mut Channel, name: &str, duration: Duration) {
    set(call, name, &duration.as_secs().to_string());
    set(
        call,
        &format!("{name}_MS"),
        &duration.as_millis().to_string(),
    );
}

fn set(call: &mut Channel, name: &str, value: &str) {
    // The names are good and the values short; a full table is told by Set itself.
    let _ = call.vars.set(name, value);
}
