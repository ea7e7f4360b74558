//! Two parties that talk: they hear each other, and each is told what the other does.
//!
//! Both channels belong to the task of the one that called. Media flows on the shard; this loop deals with
//! everything else: the end of either, new streams, digits that mean something, the end of the time. What digits
//! ask for is found by `features.rs` and done in `bridge/`, one file per operation.

mod application;
mod aside;
mod attended;
mod blind;
mod hold;
mod limit;
mod park;
mod record;
mod three_way;

use std::sync::Arc;

use tokio::time::Instant;

use crate::cause::Cause;
use crate::channel::record as call_record;
use crate::channel::{Channel, Wake, is_recoded, light, settle};
use crate::dial::until;
use crate::event::{ChannelEvent, Happened, Interrupt};
use crate::features::{Judged, Keys, Matcher, Operation};
use crate::leg::Joint;
use crate::story::{Side, StoryEvent};
use crate::switch::Switch;
use crate::text::Text;
use crate::transfer;

use limit::Clock;
pub use limit::Limit;

/// What a conversation is bound by.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// How long it may last.
    pub limit: Option<Limit>,
    /// What digits of the caller do.
    pub caller: Keys,
    /// What digits of the called do.
    pub callee: Keys,
}

/// How a conversation ended. Nobody has been hung up but who left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parted {
    /// The caller left, or is to go on elsewhere.
    Caller(Interrupt),
    /// The called left, or is to go on elsewhere.
    Callee(Interrupt),
    /// One of them dialled the digits that end it.
    Disconnected,
    /// The time was over.
    Limit,
}

/// Lets two parties talk until something parts them.
pub async fn run(caller: &mut Channel, callee: &mut Channel, rules: &Rules) -> Parted {
    let matchers = [&rules.caller, &rules.callee].map(|keys| Matcher::new(keys.clone()));
    let mut talk = Talk {
        name: new_name(caller.switch()),
        clock: Clock::start(rules.limit.as_ref(), caller, callee),
        caller,
        callee,
        joint: None,
        matchers,
        asked: [false; 2],
    };
    let parted = match talk.meet() {
        Ok(()) => talk.run().await,
        Err(parted) => parted,
    };
    talk.part();
    for channel in [&mut *talk.caller, &mut *talk.callee] {
        // The end of a channel is the end of its record; one that goes on begins another.
        if channel.ended().is_none() {
            channel.record_mut().conclude();
        }
    }
    // Who was led aside may have been left with a tone.
    talk.caller.stop_tones();
    talk.callee.stop_tones();
    talk.caller.look_at_media().await;
    talk.callee.look_at_media().await;
    talk.caller.tell_quality_of(talk.callee);
    talk.callee.tell_quality_of(talk.caller);
    hold::end(talk.caller).await;
    hold::end(talk.callee).await;
    parted
}

/// A party of a conversation that is over goes where this leads; one that hung up is let go.
pub fn send_on(mut channel: Channel, interrupt: Interrupt) {
    let switch = channel.switch().clone();
    match interrupt {
        Interrupt::Hangup(cause) => {
            channel.hangup(cause);
        }
        Interrupt::Redirect(to) => {
            channel.at = to;
            switch.go_on(channel);
        }
        Interrupt::Join(place) => switch.join(channel, &place),
        Interrupt::Park(ticket) => switch.park(channel, ticket),
    }
}

/// A conversation.
struct Talk<'a> {
    /// Asterisk's bridge id.
    name: Arc<str>,
    caller: &'a mut Channel,
    callee: &'a mut Channel,
    /// They hear each other.
    joint: Option<Joint>,
    /// The digits of the caller and of the called.
    matchers: [Matcher; 2],
    /// Which of them has been offered what the other has.
    asked: [bool; 2],
    /// How long it may last.
    clock: Clock<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Party {
    Caller,
    Callee,
}

impl Party {
    const BOTH: [Self; 2] = [Self::Caller, Self::Callee];

    fn other(self) -> Self {
        match self {
            Self::Caller => Self::Callee,
            Self::Callee => Self::Caller,
        }
    }
}

/// What the loop has to deal with.
enum Moment {
    Woken(Party, Wake),
    /// A digit that was held back is held no longer.
    Pause(Party),
    /// The clock strikes.
    Time,
}

/// Whether it was the one who woke that was interrupted.
type Interrupted = (bool, Interrupt);

/// What goes on after something has been dealt with; the end of the conversation is an error.
type Goes<T = ()> = Result<T, Parted>;

impl Talk<'_> {
    async fn run(&mut self) -> Parted {
        loop {
            hold::attend(self.caller, self.callee).await;
            light(self.caller, self.callee).await;
            settle(self.caller, self.callee, &mut self.asked).await;
            let went = match self.next().await {
                Moment::Woken(side, wake) => self.on_wake(side, wake).await,
                Moment::Pause(side) => {
                    let judged = self.matchers[side as usize].on_pause();
                    self.on_judged(side, judged).await
                }
                Moment::Time => match self.clock.on(self.caller, self.callee) {
                    true => Err(Parted::Limit),
                    false => Ok(()),
                },
            };
            if let Err(parted) = went {
                return parted;
            }
        }
    }

    async fn next(&mut self) -> Moment {
        let held = Party::BOTH.into_iter().filter_map(|side| {
            let due = self.matchers[side as usize].poll_timeout();
            due.map(|due| (due, side))
        });
        let held = held.min_by_key(|(due, _)| *due);
        let end = self.clock.next();
        tokio::select! {
            biased;
            wake = self.caller.wake() => Moment::Woken(Party::Caller, wake),
            wake = self.callee.wake() => Moment::Woken(Party::Callee, wake),
            () = until(held.map(|(due, _)| due)) => {
                Moment::Pause(held.map_or(Party::Caller, |(_, side)| side))
            }
            () = until(end) => Moment::Time,
        }
    }

    /// This party, and the other one.
    fn pair(&mut self, side: Party) -> (&mut Channel, &mut Channel) {
        match side {
            Party::Caller => (self.caller, self.callee),
            Party::Callee => (self.callee, self.caller),
        }
    }

    /// Connects the two for the first time.
    fn meet(&mut self) -> Goes {
        self.connect()?;
        self.asked = [false; 2];
        meet(self.caller, self.callee);
        self.hold_codes();
        if let Some(text) = recoded(self.caller, self.callee) {
            self.caller.tell(StoryEvent::Remark { text });
        }
        Ok(())
    }

    /// What may be the beginning of a code is held back from now on.
    fn hold_codes(&mut self) {
        for side in Party::BOTH {
            let matcher = &mut self.matchers[side as usize];
            matcher.forget();
            let firsts = matcher.firsts();
            self.pair(side).0.hold_digits(&firsts);
        }
    }

    fn connect(&mut self) -> Goes {
        self.caller.stop_music();
        self.callee.stop_music();
        self.joint = self.caller.connect(self.callee);
        if self.joint.is_none() {
            let text = "the two parties have no media that can be connected".to_owned();
            self.caller.tell(StoryEvent::Remark { text });
            let interrupt = self.callee.hangup(Cause::BearerNotAvailable);
            return Err(Parted::Callee(interrupt));
        }
        call_record::talk(self.caller, self.callee);
        self.caller.fares(200);
        self.callee.fares(200);
        self.caller.joins(Some(Arc::clone(&self.name)));
        self.callee.joins(Some(Arc::clone(&self.name)));
        Ok(())
    }

    /// They hear each other no longer.
    fn part(&mut self) {
        self.joint = None;
        self.caller.stop_passing(self.callee);
        self.callee.stop_passing(self.caller);
        for channel in [&mut *self.caller, &mut *self.callee] {
            channel.condition().connect(false);
            channel.joins(None);
            channel.forget_codecs();
        }
    }

    async fn on_wake(&mut self, side: Party, wake: Wake) -> Goes {
        let (own, other) = self.pair(side);
        let wake = match wake {
            Wake::Event(ChannelEvent::Transfer(wish)) => {
                let resolved = transfer::resolve(own, other, *wish).await;
                return resolved.map_or(Ok(()), |interrupt| Err(parted(side, false, interrupt)));
            }
            Wake::Event(ChannelEvent::Replaced(newcomer)) if !newcomer.wants_to_talk() => {
                // It has been answered meanwhile.
                newcomer.turn_away();
                return Ok(());
            }
            Wake::Event(ChannelEvent::Replaced(newcomer)) => {
                self.part();
                let (own, _) = self.pair(side);
                match side {
                    Party::Caller => newcomer.swap_in_plan(own).await,
                    Party::Callee => newcomer.swap(own).await,
                }
                return self.seat(side).await;
            }
            wake => wake,
        };
        let stepped = step(own, other, wake).await;
        own.pass_digits(other);
        match stepped {
            Ok(Some(digit)) => {
                let judged = self.matchers[side as usize].on_digit(Instant::now(), digit);
                self.on_judged(side, judged).await
            }
            Ok(None) => Ok(()),
            Err((own, interrupt)) => Err(parted(side, own, interrupt)),
        }
    }

    /// Another channel has taken the place of this party: it has none of its features.
    async fn seat(&mut self, side: Party) -> Goes {
        self.matchers[side as usize] = Matcher::new(Keys::default());
        self.meet()?;
        introduce(self.caller, self.callee);
        self.caller.forget_refusals();
        self.callee.forget_refusals();
        self.match_streams().await
    }

    /// Does what was dialled.
    async fn on_judged(&mut self, side: Party, judged: Judged) -> Goes {
        let (own, other) = self.pair(side);
        own.release_digits(other, judged.passed.len());
        if let Some(operation) = &judged.operation {
            own.drop_digits();
            let (by, other) = (own.name().to_owned(), other.name());
            let text = format!("{by} dials {operation}, talking to {other}");
            tracing::info!(channel = by, other, "{text}");
            own.tell(StoryEvent::Remark { text });
        }
        match judged.operation {
            None => Ok(()),
            Some(Operation::Disconnect) => Err(Parted::Disconnected),
            Some(Operation::BlindTransfer) => Box::pin(self.blind_transfer(side)).await,
            Some(Operation::AttendedTransfer) => Box::pin(self.attended_transfer(side)).await,
            Some(Operation::Park) => Box::pin(self.park(side)).await,
            Some(Operation::Record(touch)) => Box::pin(self.record(side, touch)).await,
            Some(Operation::Application(feature)) => {
                Box::pin(self.application(side, &feature)).await
            }
        }
    }
}

/// A name nobody has, in the form of Asterisk's: a random UUID.
fn new_name(switch: &Switch) -> Arc<str> {
    let [a, b, c, d] = [(); 4].map(|()| switch.lucky());
    let (b, c) = (b & 0xffff_0fff | 0x4000, c & 0x3fff_ffff | 0x8000_0000);
    let text = format!(
        "{a:08x}-{:04x}-{:04x}-{:04x}-{:04x}{d:08x}",
        b >> 16,
        b & 0xffff,
        c >> 16,
        c & 0xffff
    );
    text.into()
}

fn parted(side: Party, own: bool, interrupt: Interrupt) -> Parted {
    match (side, own) {
        (Party::Caller, true) | (Party::Callee, false) => Parted::Caller(interrupt),
        (Party::Callee, true) | (Party::Caller, false) => Parted::Callee(interrupt),
    }
}

/// Deals with what happened to one of the two; returns the digit it dialled.
async fn step(
    own: &mut Channel,
    other: &mut Channel,
    wake: Wake,
) -> Result<Option<char>, Interrupted> {
    let happened = own.on_wake(wake).await.map_err(|it| (true, it))?;
    match happened {
        Some(Happened::Digit(digit)) => Ok(Some(digit)),
        Some(Happened::Agreed {
            by: Side::Them,
            topology,
        }) => {
            let matched = other.match_streams(&topology).await;
            matched.map_err(|it| (false, it)).map(|()| None)
        }
        Some(Happened::Connected) => {
            other.connect_line(own.caller.clone());
            Ok(None)
        }
        Some(Happened::Text(text)) => {
            pass_on(other, &text);
            Ok(None)
        }
        Some(Happened::Established | Happened::Agreed { .. } | Happened::OfferRefused { .. })
        | None => Ok(None),
    }
}

/// Two parties who had not been told of each other.
fn introduce(one: &mut Channel, other: &mut Channel) {
    let (first, second) = (one.caller.clone(), other.caller.clone());
    one.connect_line(second);
    other.connect_line(first);
}

/// A text of one party is for the other.
fn pass_on(other: &mut Channel, text: &Text) {
    if !other.send_text(text) {
        let text = "a text of the other party cannot be sent here".to_owned();
        other.tell(StoryEvent::Remark { text });
    }
}

/// What has to be said of sound that is made anew between the two; `None`: none is.
fn recoded(caller: &Channel, callee: &Channel) -> Option<String> {
    is_recoded(caller, callee).then(|| {
        let has = |channel: &Channel| in_words(&channel.capabilities().audio);
        format!(
            "audio is transcoded: {} has {}, {} has {}",
            caller.name(),
            has(caller),
            callee.name(),
            has(callee)
        )
    })
}

fn in_words(codecs: &[&'static codec::Codec]) -> String {
    let names: Vec<&str> = codecs.iter().map(|codec| codec.name).collect();
    names.join(", ")
}

fn meet(caller: &mut Channel, callee: &mut Channel) {
    let names = [caller.name().to_owned(), callee.name().to_owned()];
    // A channel's name is short; a full table is told by Set itself.
    let _ = caller.vars.set("BRIDGEPEER", &names[1]);
    let _ = callee.vars.set("BRIDGEPEER", &names[0]);
    tracing::info!(caller = names[0], callee = names[1], "connected");
    for (channel, other) in [(caller, &names[1]), (callee, &names[0])] {
        let text = format!("connected to {other}");
        channel.tell(StoryEvent::Remark { text });
        channel.stop_music();
        channel.forget_digits();
        channel.condition().connect(true);
        channel.offer_place(false);
    }
}
