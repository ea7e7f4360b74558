//! `Dial`.

mod options;

use std::time::Duration;

use switch::bridge::{self, Parted};
use switch::story::StoryEvent;
use switch::{
    AppResult, Application, Args, Ask, CallerId, Cause, Channel, ChannelId, Dialled, Dialling,
    Interrupt, Joint, Moment,
};
use tokio::time::Instant;

use crate::arguments::{unusable, warn};
use options::Options;

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
            "a URL cannot be sent to a phone; ignored",
        );
    }
    let timeout = timeout(call, &args);
    let began = Instant::now();
    let answered = dial(call, &destinations, timeout, &options).await;
    match answered {
        Ok(Some(callee)) => talk(call, *callee, &options, began).await,
        Ok(None) => {
            lasted(call, "DIALEDTIME", began.elapsed());
            Ok(())
        }
        Err(interrupt) => {
            set(call, "DIALSTATUS", "CANCEL");
            lasted(call, "DIALEDTIME", began.elapsed());
            Err(interrupt)
        }
    }
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

/// Calls everybody and waits for the first to answer. `None`: nobody did, and `DIALSTATUS` says why.
async fn dial(
    call: &mut Channel,
    destinations: &[&str],
    timeout: Option<Duration>,
    options: &Options,
) -> AppResult<Option<Box<Channel>>> {
    let mut dialling = call_all(call, destinations, options).await?;
    if let Some(leg) = dialling.first_leg() {
        let (name, account) = (leg.name().to_owned(), account(leg));
        call.record_mut().connect(&name, &account);
    }
    let mut waiting = Waiting::default();
    let began = Instant::now();
    let end = timeout.and_then(|timeout| began.checked_add(timeout));
    let pretends = options.ring || options.music.is_some();
    if pretends && dialling.failure().is_none() {
        call.ring();
        waiting.rings = true;
    }
    let cancel = |cause| match options.elsewhere {
        true => Cause::AnsweredElsewhere,
        false => cause,
    };
    loop {
        if let Some(cause) = dialling.failure() {
            set(call, "DIALSTATUS", dialling.tally().status());
            call.set_cause(cause);
            return Ok(None);
        }
        let moment = match dialling.next(call, end).await {
            Ok(moment) => moment,
            Err(interrupt) => {
                dialling.cancel(cancel(Cause::NormalClearing));
                return Err(interrupt);
            }
        };
        match moment {
            Moment::Caller(_) | Moment::Leg(Dialled::Failed(_)) => {}
            Moment::Leg(Dialled::Ringing) => {
                if !std::mem::replace(&mut waiting.rings, true) {
                    lasted(call, "RINGTIME", began.elapsed());
                    call.ring();
                }
            }
            Moment::Leg(Dialled::Early(id)) if !pretends => {
                waiting.hear(call, &mut dialling, id).await?;
            }
            Moment::Leg(Dialled::Early(_)) => {}
            Moment::Leg(Dialled::Answered(callee)) => return Ok(Some(callee)),
            Moment::Over => {
                dialling.cancel(cancel(Cause::NoAnswer));
                set(call, "DIALSTATUS", "NOANSWER");
                call.set_cause(Cause::NoAnswer);
                return Ok(None);
            }
        }
    }
}

/// What the caller is told while it waits.
#[derive(Default)]
struct Waiting {
    rings: bool,
    /// The leg that is heard before it answers.
    hears: Option<Joint>,
}

impl Waiting {
    /// Lets the caller hear a leg that has not answered; the first one keeps it.
    #[expect(
        clippy::needless_pass_by_ref_mut,
        reason = "a shared borrow held across the await would need Signaling to be Sync"
    )]
    async fn hear(
        &mut self,
        call: &mut Channel,
        dialling: &mut Dialling,
        id: ChannelId,
    ) -> AppResult {
        if self.hears.is_some() {
            return Ok(());
        }
        if let Some(leg) = dialling.leg(id) {
            call.suit(leg)?;
        }
        if !call.is_up() && !call.early().await? {
            return Ok(());
        }
        self.hears = dialling.leg(id).and_then(|leg| call.connect(leg));
        Ok(())
    }
}

/// Calls all destinations at once.
async fn call_all(
    call: &mut Channel,
    destinations: &[&str],
    options: &Options,
) -> AppResult<Dialling> {
    let mut dialling = Dialling::default();
    let switch = call.switch().clone();
    for destination in destinations {
        let found = call.during(switch.find(destination)).await?;
        let targets = match found {
            Ok(targets) => targets,
            Err(unreachable) => {
                tracing::warn!(channel = call.name(), destination, "{unreachable}");
                let text = format!("{destination}: {unreachable}");
                call.tell(StoryEvent::Remark { text });
                dialling.note(unreachable.cause());
                continue;
            }
        };
        let ask = ask(call, destination, options);
        dialling.call(&switch, targets, &ask, Some(call)).await;
    }
    Ok(dialling)
}

fn ask(call: &Channel, destination: &str, options: &Options) -> Ask {
    let number = destination.split_once('/').map_or("", |(_, rest)| rest);
    let mut variables = call.vars.inherited();
    variables.push(("DIALEDPEERNUMBER".to_owned(), number.to_owned()));
    let own = match options.original {
        true => call.caller.clone(),
        false => CallerId {
            name: String::new(),
            number: call.at.exten.clone(),
        },
    };
    let mut caller = call.caller.clone();
    if let Some(number) = &options.caller_number {
        caller.number.clone_from(number);
    }
    Ask {
        caller,
        own: Some(own),
        variables,
        at: None,
        application: "AppDial((Outgoing Line))".to_owned(),
        recorded: false,
        far: Some(call.capabilities()),
    }
}

/// Connects the caller to who answered, until one of them leaves.
async fn talk(
    call: &mut Channel,
    mut callee: Channel,
    options: &Options,
    began: Instant,
) -> AppResult {
    let name = callee.name().to_owned();
    let number = callee
        .vars
        .value("DIALEDPEERNUMBER")
        .unwrap_or_default()
        .to_owned();
    set(call, "DIALEDPEERNAME", &name);
    set(call, "DIALEDPEERNUMBER", &number);
    set(call, "DIALSTATUS", "ANSWER");
    let account = account(&callee);
    call.record_mut().connect(&name, &account);
    let met = match call.suit(&callee) {
        Ok(()) => call.answer().await,
        Err(interrupt) => Err(interrupt),
    };
    if let Err(interrupt) = met {
        callee.hangup(cause_of(&interrupt));
        callee.release().await;
        return Err(interrupt);
    }
    let answered = Instant::now();
    let rules = {
        let features = &call.switch().config().features;
        let patience = Duration::from_millis(features.general.digit_timeout_ms.into());
        options.rules(&features.map.disconnect, patience)
    };
    let parted = bridge::run(call, &mut callee, &rules).await;
    lasted(call, "ANSWEREDTIME", answered.elapsed());
    lasted(call, "DIALEDTIME", began.elapsed());
    part(call, callee, parted, options).await
}

/// What becomes of the two when they no longer talk.
async fn part(
    call: &mut Channel,
    mut callee: Channel,
    parted: Parted,
    options: &Options,
) -> AppResult {
    let result = match parted {
        Parted::Caller(interrupt) => {
            callee.hangup(cause_of(&interrupt));
            Err(interrupt)
        }
        Parted::Callee(Interrupt::Redirect(to)) => {
            let result = goes_on(call, Cause::NormalClearing, options);
            let switch = call.switch().clone();
            callee.at = to;
            switch.go_on(callee);
            return result;
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
    result
}

/// The dial plan goes on where it was asked for (`g`); otherwise the caller is hung up too.
fn goes_on(call: &mut Channel, cause: Cause, options: &Options) -> AppResult {
    call.set_cause(cause);
    match options.goes_on {
        true => Ok(()),
        false => Err(call.hangup(cause)),
    }
}

fn cause_of(interrupt: &Interrupt) -> Cause {
    match interrupt {
        Interrupt::Hangup(cause) => *cause,
        Interrupt::Redirect(_) | Interrupt::Join(_) => Cause::NormalClearing,
    }
}

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
