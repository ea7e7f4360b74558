//! Calling one or more places at once: they all ring, the first that answers has the call.
//!
//! Whoever dials owns the legs by value, so there is nothing to lock: the originating task, or the task of
//! the call whose application dials. A leg that is dropped is cancelled.

use std::collections::VecDeque;
use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use config::{CallerId, Endpoint, Subscriber};
use dialplan::Position;
use futures_util::future::select_all;
use media::{Digit, DigitEvent};
use rtc::policy::Policy;
use tokio::time::{Instant, sleep_until};

use crate::cause::Cause;
use crate::channel::{Channel, News, Wake};
use crate::digit_string::{DigitStep, digit_steps};
use crate::directory::ChannelId;
use crate::event::{AppResult, ChannelEvent, Happened};
use crate::leg::MediaLeg;
use crate::party::Redirecting;
use crate::pbx;
use crate::switch::Switch;
use crate::technology::Target;

/// Places that are called at once by one dialling; more are left out.
pub const LEGS_MAX: usize = 64;

/// How a call goes out.
#[derive(Clone, Debug, Default)]
pub struct Ask {
    /// Who is shown to call.
    pub caller: CallerId,
    /// Who the leg itself is where its endpoint has no `callerid`, as the dial plan sees it and as whom its
    /// caller is connected to: as who is shown to call, if `None`.
    pub own: Option<CallerId>,
    /// Who sent the call on, if anybody did.
    pub redirecting: Redirecting,
    /// Variables set on every leg.
    pub variables: Vec<(String, String)>,
    /// Where the leg will stand in the dial plan; nowhere if `None`.
    pub at: Option<Position>,
    /// What is shown as its application while it rings.
    pub application: String,
    /// Whether the legs have call detail records of their own.
    pub recorded: bool,
    /// The calls they belong to; none but themselves if `None`.
    pub linkedid: Option<String>,
    /// The language of those whose endpoints have none.
    pub language: Option<String>,
    /// The group each leg is put into: `name[@category]`.
    pub group: Option<String>,
    /// Where in the dial plan it is made, for who picks it up.
    pub dialled: Option<Position>,
    /// What the party can have that the leg is going to be connected to.
    pub far: Option<Policy>,
    /// A subroutine of the dial plan that is run on each leg before it is called, and its arguments.
    pub before: Option<(Position, Vec<String>)>,
}

impl Ask {
    /// Where the leg stands in the dial plan: as Asterisk has it, at the extension that was dialled, in the
    /// context of its own endpoint.
    pub(crate) fn stands(&self, endpoint: &Endpoint) -> Position {
        let dialled = self.dialled.as_ref();
        self.at.clone().unwrap_or_else(|| Position {
            context: endpoint.context.clone(),
            exten: dialled.map(|at| at.exten.clone()).unwrap_or_default(),
            priority: 1,
        })
    }

    /// Who the leg is: who answers is from then on the caller of whatever runs.
    pub(crate) fn identity(&self, endpoint: &Endpoint) -> CallerId {
        match &self.own {
            Some(own) => match &endpoint.caller_id {
                Some(known) if !known.number.is_empty() => known.clone(),
                Some(_) | None => own.clone(),
            },
            None if self.caller == CallerId::default() => {
                endpoint.caller_id.clone().unwrap_or_default()
            }
            None => self.caller.clone(),
        }
    }
}

/// Legs that are being called.
#[derive(Default)]
pub struct Dialling {
    legs: Vec<Channel>,
    tally: Tally,
    /// The most telling cause of those that came to nothing.
    failed: Option<Cause>,
    /// What those are told that did not answer first.
    losers: Option<Cause>,
    /// The one the caller hears already.
    heard: Option<ChannelId>,
    /// What is dialled into a leg that has not answered.
    script: Option<Script>,
}

/// Digits for a leg, each in its time.
struct Script {
    leg: ChannelId,
    steps: VecDeque<DigitStep>,
    /// When the first of them is due.
    due: Instant,
    duration: Duration,
    pause: Duration,
}

/// How those ended that came to nothing, as `DIALSTATUS` counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Somebody was busy.
    pub busy: usize,
    /// There was no way through.
    pub congested: usize,
    /// There was nobody to call.
    pub unavailable: usize,
    /// Nobody took the call.
    pub unanswered: usize,
}

/// What became known.
pub enum Dialled {
    /// One of the places rings.
    Ringing,
    /// One of the places says who it is: [`Dialling::leg`].
    Connected(ChannelId),
    /// One of the places sends the call on: `parties` of [`Dialling::leg`].
    SentOn(ChannelId),
    /// One of the places has something to be heard before it answers: [`Dialling::leg`].
    Early(ChannelId),
    /// One of the places answered; the others are cancelled.
    Answered(Box<Channel>),
    /// One of the places sends its callers on. Nothing is counted: it is to be followed, or noted.
    Forwarded(Forward),
    /// All of them came to nothing.
    Failed(Cause),
}

/// Where a place that was called sends its callers on to.
#[derive(Clone, Debug)]
pub struct Forward {
    /// The URI.
    pub to: String,
    /// The endpoint that sends them.
    pub subscriber: Arc<Subscriber>,
    /// Who that is.
    pub from: CallerId,
}

/// A leg to which something happened; [`Dialling::on`] takes it.
pub struct Woken(usize, Wake);

/// What happened to a call that dials, or to those it dials.
pub enum Moment {
    /// To itself.
    Caller(Happened),
    /// To a leg.
    Leg(Dialled),
    /// Another channel calls in its place from now on ([`Channel::offer_place`]).
    Replaced,
    /// The time is over.
    Over,
}

impl Dialling {
    /// Calls these targets too. `near` is the call they are for: their media is best beside its own.
    pub async fn call(
        &mut self,
        switch: &Switch,
        targets: Vec<Target>,
        ask: &Ask,
        mut near: Option<&mut Channel>,
    ) {
        let linkedid = near
            .as_deref()
            .map(|it| it.record().fields().linkedid.clone());
        // Boxed: it is large, and waits along with the call.
        let ask = &*Box::new(Ask {
            linkedid: ask.linkedid.clone().or(linkedid),
            ..ask.clone()
        });
        for target in targets {
            if self.legs.len() >= LEGS_MAX {
                tracing::warn!(
                    "more than {LEGS_MAX} places at once: the rest is left out (LEGS_MAX)"
                );
                return;
            }
            let Some(mut leg) = switch.outgoing(target, ask) else {
                self.note(Cause::SwitchCongestion);
                continue;
            };
            if let Some(group) = &ask.group {
                let (name, category) = group.split_once('@').unwrap_or((group, ""));
                if let Err(why) = leg.join_group(category, name) {
                    tracing::warn!(channel = leg.name(), group, "no group of it: {why}");
                }
            }
            if let Some((at, arguments)) = &ask.before
                && pbx::subroutine(&mut leg, at.clone(), arguments)
                    .await
                    .is_err()
            {
                self.note(leg.ended().unwrap_or(Cause::NormalUnspecified));
                continue;
            }
            let beside = near.as_deref_mut().and_then(|near| near.media_leg());
            let called = match self.open(&mut leg, ask, beside) {
                Ok(()) => leg.call(ask.far.as_ref()).await,
                Err(interrupt) => Err(interrupt),
            };
            match called {
                Ok(()) => self.legs.push(leg),
                Err(_) => self.note(leg.ended().unwrap_or(Cause::NormalUnspecified)),
            }
        }
    }

    fn open(&self, leg: &mut Channel, ask: &Ask, near: Option<&dyn MediaLeg>) -> AppResult {
        if let Some(far) = &ask.far {
            leg.fit(far)?;
        }
        let near = near.or_else(|| self.legs.iter().find_map(Channel::media_leg));
        leg.open_leg(near)
    }

    /// Waits until something happens to a leg. Nothing is lost if this is dropped while it waits; with no
    /// leg left it never returns, and [`Dialling::failure`] says why.
    pub async fn wait(&mut self) -> Woken {
        if self.legs.is_empty() {
            return pending().await;
        }
        let waits = self.legs.iter_mut().map(|leg| Box::pin(leg.wake()));
        let (wake, index, _) = select_all(waits).await;
        Woken(index, wake)
    }

    /// Deals with what [`Dialling::wait`] returned.
    pub async fn on(&mut self, Woken(index, wake): Woken) -> Option<Dialled> {
        let leg = self.legs.get_mut(index)?;
        let wake = match wake {
            Wake::Event(ChannelEvent::Replaced(newcomer)) => {
                return match newcomer.picks_up(leg).await {
                    true => Some(self.answered(index)),
                    false => None,
                };
            }
            wake => wake,
        };
        match leg.on_called(wake).await? {
            News::Ringing => Some(Dialled::Ringing),
            News::Early => Some(Dialled::Early(leg.id())),
            News::Connected => Some(Dialled::Connected(leg.id())),
            News::SentOn => Some(Dialled::SentOn(leg.id())),
            News::Answered => Some(self.answered(index)),
            News::Failed(cause) => {
                let mut leg = self.legs.swap_remove(index);
                let forward = leg.take_forward();
                let (subscriber, from) = (leg.subscriber(), leg.caller.clone());
                leg.let_go();
                if let Some(to) = forward {
                    return Some(Dialled::Forwarded(Forward {
                        to,
                        subscriber,
                        from,
                    }));
                }
                self.note(cause);
                self.failure().map(Dialled::Failed)
            }
        }
    }

    fn answered(&mut self, index: usize) -> Dialled {
        let answered = self.legs.swap_remove(index);
        self.cancel(self.losers.unwrap_or(Cause::AnsweredElsewhere));
        Dialled::Answered(Box::new(answered))
    }

    /// The next thing that happens to the call that dials or to a leg, but not after `end`.
    pub async fn next(&mut self, caller: &mut Channel, end: Option<Instant>) -> AppResult<Moment> {
        enum Now {
            Caller(Wake),
            Leg(Woken),
            Over,
            Dial,
        }
        loop {
            if caller.take_replaced() {
                return Ok(Moment::Replaced);
            }
            let dial = self.script.as_ref().map(|script| script.due);
            let now = tokio::select! {
                biased;
                wake = caller.wake() => Now::Caller(wake),
                woken = self.wait() => Now::Leg(woken),
                () = until(end) => Now::Over,
                () = until(dial) => Now::Dial,
            };
            let moment = match now {
                Now::Caller(wake) => caller.on_wake(wake).await?.map(Moment::Caller),
                Now::Leg(woken) => self.on(woken).await.map(Moment::Leg),
                Now::Over => Some(Moment::Over),
                Now::Dial => {
                    self.dial_next();
                    None
                }
            };
            self.pass_digits(caller);
            if let Some(moment) = moment {
                return Ok(moment);
            }
        }
    }

    /// What those are told that did not answer first, instead of that somebody else did.
    pub fn tell_losers(&mut self, cause: Cause) {
        self.losers = Some(cause);
    }

    /// Dials into a leg that has not answered: each digit so long, with a pause between.
    pub fn dial_into(&mut self, leg: ChannelId, digits: &str, duration: Duration, pause: Duration) {
        self.script = Some(Script {
            leg,
            steps: digit_steps(digits).collect(),
            due: Instant::now(),
            duration,
            pause,
        });
    }

    fn dial_next(&mut self) {
        let Some(script) = &mut self.script else {
            return;
        };
        let leg = self.legs.iter_mut().find(|leg| leg.id() == script.leg);
        let (Some(leg), Some(step)) = (leg, script.steps.pop_front()) else {
            self.script = None;
            return;
        };
        script.due += match step {
            DigitStep::Digit(digit) => {
                let duration = script.duration;
                leg.send_digit(DigitEvent::Ended(Digit { digit, duration }));
                duration + script.pause
            }
            DigitStep::Pause(length) => length,
            DigitStep::Unknown(_) => Duration::ZERO,
        };
    }

    /// The caller hears this leg before it answers, and dials into it.
    pub fn hear(&mut self, id: ChannelId) {
        self.heard = Some(id);
    }

    /// What the caller and the leg it hears have pressed goes to the other.
    fn pass_digits(&mut self, caller: &mut Channel) {
        let heard = self.heard;
        let Some(leg) = self.legs.iter_mut().find(|leg| heard == Some(leg.id())) else {
            // What was dialled before anybody is heard, in a menu perhaps, is for nobody.
            return caller.forget_news();
        };
        caller.pass_digits(leg);
        leg.pass_digits(caller);
    }

    /// What a party has pressed is for the leg it hears, but for what is held back; of that so many were not meant for the
    /// exchange.
    pub(crate) fn dialled(&mut self, own: &mut Channel, passed: &str) {
        let heard = self.heard;
        let Some(leg) = self.legs.iter_mut().find(|leg| heard == Some(leg.id())) else {
            return own.forget_news();
        };
        own.pass_digits(leg);
        own.release_digits(leg, passed.len());
    }

    /// The leg the caller hears before it answers.
    pub fn heard(&self) -> Option<&Channel> {
        self.leg(self.heard?)
    }

    /// Those that are called are told who calls now.
    pub fn connect_line(&mut self, caller: &CallerId) {
        for leg in &mut self.legs {
            leg.connect_line(caller.clone());
        }
    }

    /// A leg that is being called.
    pub fn leg(&self, id: ChannelId) -> Option<&Channel> {
        self.legs.iter().find(|leg| leg.id() == id)
    }

    /// All legs that are being called.
    pub fn legs(&self) -> impl Iterator<Item = &Channel> {
        self.legs.iter()
    }

    /// The leg that is being called, if it is the only one.
    pub fn only_leg(&self) -> Option<&Channel> {
        match self.legs.as_slice() {
            [leg] => Some(leg),
            _ => None,
        }
    }

    /// Why there is no leg left; `None` while there is one.
    pub fn failure(&self) -> Option<Cause> {
        let over = self.legs.is_empty();
        over.then(|| self.failed.unwrap_or(Cause::NoRouteDestination))
    }

    /// How those ended that came to nothing.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// Gives up the legs that have not answered.
    pub fn cancel(&mut self, cause: Cause) {
        for mut leg in self.legs.drain(..) {
            leg.hangup(cause);
            leg.let_go();
        }
    }

    /// The channel that answers first, or why none did by `end`.
    pub async fn first(mut self, end: Instant) -> Result<Channel, Cause> {
        let mut patience = pin!(sleep_until(end));
        loop {
            if let Some(cause) = self.failure() {
                return Err(cause);
            }
            let woken = tokio::select! {
                biased;
                woken = self.wait() => woken,
                () = &mut patience => {
                    self.cancel(Cause::NoAnswer);
                    return Err(Cause::NoAnswer);
                }
            };
            match self.on(woken).await {
                Some(Dialled::Answered(channel)) => return Ok(*channel),
                Some(Dialled::Failed(cause)) => return Err(cause),
                Some(Dialled::Forwarded(_)) => self.note(Cause::RedirectedToNewDestination),
                Some(
                    Dialled::Ringing
                    | Dialled::Early(_)
                    | Dialled::Connected(_)
                    | Dialled::SentOn(_),
                )
                | None => {}
            }
        }
    }

    /// Counts a place that came to nothing.
    pub fn note(&mut self, cause: Cause) {
        self.tally.add(cause);
        let before = self.failed.map_or(0, telling);
        if telling(cause) > before {
            self.failed = Some(cause);
        }
    }
}

impl Tally {
    /// As Asterisk sorts causes.
    fn add(&mut self, cause: Cause) {
        let count = match cause {
            Cause::UserBusy => &mut self.busy,
            Cause::NormalCircuitCongestion | Cause::SwitchCongestion => &mut self.congested,
            Cause::NoAnswer | Cause::NormalClearing => &mut self.unanswered,
            _ => &mut self.unavailable,
        };
        *count += 1;
    }

    /// `DIALSTATUS` where all places came to nothing by themselves.
    pub fn status(&self) -> &'static str {
        match self {
            Self {
                unanswered: 1.., ..
            } => "NOANSWER",
            Self { busy: 1.., .. } => "BUSY",
            Self { congested: 1.., .. } => "CONGESTION",
            _ => "CHANUNAVAIL",
        }
    }
}

/// What says more of a person than of a device is what the caller is told. RFC 3261 §16.7 step 6 prefers
/// 6xx for the same reason.
fn telling(cause: Cause) -> u8 {
    match cause {
        Cause::CallRejected => 4,
        Cause::UserBusy => 3,
        Cause::NoAnswer | Cause::NoUserResponse => 2,
        _ => 1,
    }
}

pub(crate) async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => pending().await,
    }
}
