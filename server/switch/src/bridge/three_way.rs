//! A call of three: the transferer of an attended transfer stays with the two it has brought together
//! (`atxferthreeway`).
//!
//! Each hears the two others, through a room of the media plane; digits and texts of one go to both others. Nobody
//! hears music because another one holds. When one leaves, the two that are left talk on as any two.

use std::sync::Arc;

use media::{Digit, DigitEvent};
use tokio::time::Instant;

use super::{Goes, Parted, Party, Talk, introduce, pass_on, send_on};
use crate::cause::Cause;
use crate::channel::{Channel, Instead, Wake, record};
use crate::dial::until;
use crate::event::{ChannelEvent, Happened, Interrupt};
use crate::leg::{Joint, MediaLeg};
use crate::story::StoryEvent;
use crate::transfer::{self, Newcomer};

/// The places of three in a room.
pub(super) type Seats = [Arc<dyn MediaLeg>; 3];

/// How a call of three ended.
enum Left {
    /// One of them left, or is to go on elsewhere.
    One(usize, Interrupt),
    /// The time of the conversation is over.
    Limit,
}

const TRANSFERER: usize = 0;
const OTHER: usize = 1;
const TARGET: usize = 2;

impl Talk<'_> {
    /// Room for three; `None`: there is none, and it is said.
    pub(super) fn room_for_three(&mut self, side: Party) -> Option<Seats> {
        let (own, _) = self.pair(side);
        let seats = own.switch().media().seats(3, own.media_leg());
        let seats = seats.map(|seats| seats.into_iter().map(Arc::from).collect::<Vec<_>>());
        match seats.map(Seats::try_from) {
            Ok(Ok(seats)) => Some(seats),
            Ok(Err(_)) => None,
            Err(why) => {
                let text = format!("no call of three: {why}");
                tracing::warn!(channel = own.name(), "{text}");
                own.tell(StoryEvent::Remark { text });
                None
            }
        }
    }

    /// Lets all three talk, until one leaves.
    pub(super) async fn three_way(
        &mut self,
        side: Party,
        mut target: Channel,
        seats: Seats,
        sound: &str,
    ) -> Goes {
        let limit = self.clock.end();
        let (own, other) = self.pair(side);
        other.stop_music();
        target.stop_music();
        let mut three = Three {
            parties: [own, other, &mut target],
            seats,
            joints: [None, None, None],
            pressed: [None; 3],
        };
        let left = match three.announce(sound).await {
            Ok(()) => three.run(limit).await,
            Err(left) => left,
        };
        match left {
            Left::Limit => {
                target.hangup(Cause::NormalClearing);
                target.release().await;
                Err(Parted::Limit)
            }
            Left::One(TARGET, interrupt) => {
                leave(target, interrupt).await;
                introduce(self.caller, self.callee);
                self.rejoin().await
            }
            Left::One(who, interrupt) => {
                let side = match who {
                    TRANSFERER => side,
                    _ => side.other(),
                };
                let (gone, _) = self.pair(side);
                if let Interrupt::Hangup(_) = interrupt {
                    Newcomer::of(target).swap(gone).await;
                } else {
                    std::mem::swap(gone, &mut target);
                    gone.at = target.at.clone();
                    send_on(target, interrupt);
                }
                self.seat(side).await
            }
        }
    }
}

/// Whoever is no part of a conversation goes where this leads.
async fn leave(mut channel: Channel, interrupt: Interrupt) {
    if let Interrupt::Hangup(cause) = interrupt {
        channel.hangup(cause);
        channel.release().await;
    } else {
        send_on(channel, interrupt);
    }
}

/// Three that hear each other: the transferer, the one it talked to first, the target.
struct Three<'a> {
    parties: [&'a mut Channel; 3],
    seats: Seats,
    joints: [Option<Joint>; 3],
    /// The digit that each presses, of which the others know.
    pressed: [Option<char>; 3],
}

impl Three<'_> {
    /// The transferer and the target hear that it is done.
    async fn announce(&mut self, sound: &str) -> Result<(), Left> {
        let [own, other, target] = &mut self.parties;
        let told = other
            .during(async {
                tokio::join!(
                    own.prompt(sound, Instead::Beep, |_| false),
                    target.prompt(sound, Instead::Beep, |_| false),
                )
            })
            .await;
        match told {
            Err(interrupt) => Err(Left::One(OTHER, interrupt)),
            Ok((Err(interrupt), _)) => Err(Left::One(TRANSFERER, interrupt)),
            Ok((_, Err(interrupt))) => Err(Left::One(TARGET, interrupt)),
            Ok((Ok(_), Ok(_))) => Ok(()),
        }
    }

    async fn run(&mut self, limit: Option<Instant>) -> Left {
        self.meet();
        for who in 0..3 {
            self.sit(who);
        }
        let left = self.talk(limit).await;
        for who in 0..3 {
            if let Some(digit) = self.pressed[who].take() {
                self.pass(who, DigitEvent::Ended(Digit::brief(digit)));
            }
        }
        self.parties[TARGET].condition().connect(false);
        for channel in &mut self.parties {
            if channel.ended().is_none() {
                channel.record_mut().conclude();
            }
        }
        left
    }

    /// Each knows of the two others.
    fn meet(&mut self) {
        let names = self.names();
        for (who, channel) in self.parties.iter_mut().enumerate() {
            let others = [(who + 1) % 3, (who + 2) % 3].map(|at| names[at].as_str());
            // Names of channels are short; a full table is told by Set itself.
            let _ = channel.vars.set("BRIDGEPEER", &others.join(","));
            let text = format!("in a call of three with {}", others.join(" and "));
            channel.tell(StoryEvent::Remark { text });
            channel.forget_digits();
            channel.condition().connect(true);
        }
        let [own, other, target] = &mut self.parties;
        record::talk_beside(own, target);
        record::talk_beside(own, other);
        record::talk_beside(other, target);
        tracing::info!(
            transferer = names[TRANSFERER],
            other = names[OTHER],
            target = names[TARGET],
            "a call of three"
        );
    }

    fn names(&self) -> [String; 3] {
        std::array::from_fn(|who| self.parties[who].name().to_owned())
    }

    fn sit(&mut self, who: usize) {
        // The old one ends before the new one begins: a leg has one joint.
        self.joints[who] = None;
        self.joints[who] = self.parties[who].sit(&self.seats[who]);
        if self.joints[who].is_none() {
            let text = "no media: it neither hears the two others nor is heard".to_owned();
            tracing::warn!(channel = self.parties[who].name(), "{text}");
            self.parties[who].tell(StoryEvent::Remark { text });
        }
    }

    async fn talk(&mut self, limit: Option<Instant>) -> Left {
        loop {
            for channel in &mut self.parties {
                // The room passes no pictures.
                channel.darken().await;
            }
            let [own, other, target] = &mut self.parties;
            let (who, wake) = tokio::select! {
                biased;
                wake = own.wake() => (TRANSFERER, wake),
                wake = other.wake() => (OTHER, wake),
                wake = target.wake() => (TARGET, wake),
                () = until(limit) => return Left::Limit,
            };
            if let Err(interrupt) = self.on_wake(who, wake).await {
                return Left::One(who, interrupt);
            }
        }
    }

    async fn on_wake(&mut self, who: usize, wake: Wake) -> Result<(), Interrupt> {
        let own = &mut *self.parties[who];
        match wake {
            // Which of the two is to be sent on is not said, and to send on both would take the call of three apart.
            Wake::Event(ChannelEvent::Transfer(_)) => own.refuse_transfer(transfer::TWO_OTHERS),
            Wake::Event(ChannelEvent::Replaced(newcomer)) if !newcomer.wants_to_talk() => {
                newcomer.turn_away();
            }
            Wake::Event(ChannelEvent::Replaced(newcomer)) => {
                self.joints[who] = None;
                newcomer.swap(own).await;
                self.sit(who);
                self.meet();
            }
            wake => {
                let happened = own.on_wake(wake).await?;
                while let Some(event) = self.parties[who].next_digit_event() {
                    self.on_digit(who, event);
                }
                if let Some(Happened::Text(text)) = happened {
                    for other in [(who + 1) % 3, (who + 2) % 3] {
                        pass_on(self.parties[other], &text);
                    }
                }
            }
        }
        Ok(())
    }

    fn on_digit(&mut self, who: usize, event: DigitEvent) {
        self.pressed[who] = match event {
            DigitEvent::Began(digit) => Some(digit),
            DigitEvent::Ended(_) => None,
        };
        self.pass(who, event);
    }

    fn pass(&mut self, who: usize, event: DigitEvent) {
        for other in [(who + 1) % 3, (who + 2) % 3] {
            self.parties[other].send_digit(event);
        }
    }
}
