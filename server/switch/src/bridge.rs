//! Two parties that talk: they hear each other, and each is told what the other does.
//!
//! Both channels belong to the task of the one that called. Media flows on the shard; this loop deals with
//! everything else: the end of either, new streams, digits that mean something, the end of the time.

use std::time::Duration;

use media::Way;
use tokio::time::Instant;

use crate::cause::Cause;
use crate::channel::{Channel, Wake};
use crate::dial::until;
use crate::event::{ChannelEvent, Happened, Interrupt};
use crate::story::{Side, StoryEvent};
use crate::transfer;

/// What a conversation is bound by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// How long it may last.
    pub limit: Option<Duration>,
    /// What digits of the caller do.
    pub caller: Keys,
    /// What digits of the called do.
    pub callee: Keys,
}

/// What digits of one party do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// The digits that end the conversation.
    pub disconnect: Option<String>,
    /// The longest time between two digits.
    pub patience: Duration,
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
    let Some(mut joint) = caller.connect(callee) else {
        let text = "the two parties have no media that can be connected".to_owned();
        caller.tell(StoryEvent::Remark { text });
        return Parted::Callee(callee.hangup(Cause::BearerNotAvailable));
    };
    meet(caller, callee);
    if let Some(text) = recoded(caller, callee) {
        caller.tell(StoryEvent::Remark { text });
    }
    let end = rules.limit.map(|limit| Instant::now() + limit);
    let mut dialled = [Dialled::default(), Dialled::default()];
    let parted = loop {
        let (side, wake) = tokio::select! {
            biased;
            wake = caller.wake() => (Party::Caller, wake),
            wake = callee.wake() => (Party::Callee, wake),
            () = until(end) => break Parted::Limit,
        };
        let (own, other, keys) = match side {
            Party::Caller => (&mut *caller, &mut *callee, &rules.caller),
            Party::Callee => (&mut *callee, &mut *caller, &rules.callee),
        };
        let wake = match wake {
            Wake::Event(ChannelEvent::Transfer(wish)) => {
                match transfer::resolve(own, other, *wish).await {
                    Some(interrupt) => break parted(side, false, interrupt),
                    None => continue,
                }
            }
            Wake::Event(ChannelEvent::Replaced(newcomer)) => {
                own.condition().connect(false);
                newcomer.swap(own).await;
                match own.connect(other) {
                    Some(new) => joint = new,
                    None => {
                        let cause = Cause::BearerNotAvailable;
                        break parted(side, true, own.hangup(cause));
                    }
                }
                meet(caller, callee);
                continue;
            }
            wake => wake,
        };
        let happened = match step(own, other, wake).await {
            Ok(happened) => happened,
            Err((own, interrupt)) => break parted(side, own, interrupt),
        };
        if let Some(digit) = happened
            && dialled[side as usize].ends(digit, keys)
        {
            break Parted::Disconnected;
        }
    };
    drop(joint);
    for channel in [caller, callee] {
        channel.condition().connect(false);
    }
    parted
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Party {
    Caller,
    Callee,
}

/// Whether it was the one who woke that was interrupted.
type Interrupted = (bool, Interrupt);

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
        Some(Happened::Established | Happened::Agreed { .. } | Happened::OfferRefused { .. })
        | None => Ok(None),
    }
}

/// What has to be said of sound that is made anew between the two; `None`: none is.
fn recoded(caller: &Channel, callee: &Channel) -> Option<String> {
    let lines = media::plan(caller.topology(), callee.topology());
    let foreign = lines
        .iter()
        .any(|line| matches!(line.way, Way::Transcode(_)));
    foreign.then(|| {
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
        channel.forget_digits();
        channel.condition().connect(true);
    }
}

/// The digits one party has dialled lately.
#[derive(Default)]
struct Dialled {
    digits: String,
    last: Option<Instant>,
}

impl Dialled {
    /// Whether this digit completes those that end the conversation.
    fn ends(&mut self, digit: char, keys: &Keys) -> bool {
        let Some(code) = keys.disconnect.as_deref().filter(|code| !code.is_empty()) else {
            return false;
        };
        let now = Instant::now();
        if self.last.is_some_and(|last| now - last > keys.patience) {
            self.digits.clear();
        }
        self.last = Some(now);
        self.digits.push(digit);
        // What cannot become the code any more is dropped from the front.
        while !code.starts_with(&self.digits) {
            self.digits.remove(0);
        }
        self.digits == code
    }
}

#[cfg(test)]
mod tests {
    use super::{Dialled, Keys};
    use std::time::Duration;
    use tokio::time::advance;

    fn keys(code: &str) -> Keys {
        Keys {
            disconnect: Some(code.to_owned()),
            patience: Duration::from_secs(1),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_code_counts_wherever_it_begins_and_while_it_is_dialled_at_once() {
        let (keys, mut dialled) = (keys("*0"), Dialled::default());
        let mut ends = |digits: &str| digits.chars().any(|digit| dialled.ends(digit, &keys));
        assert!(!ends("1**") && ends("0"));
        assert!(!ends("*"));
        advance(Duration::from_millis(1001)).await;
        assert!(!ends("0"), "too late");
        assert!(!Dialled::default().ends('*', &Keys::default()));
    }
}
