//! An attended transfer by digits: the transferer calls an extension and talks to who answers, before it leads the
//! other party there. Until then it can go to and fro, or give it up.
//!
//! A transferer that leaves while the target still rings has done a blond transfer: the other party hears it ring.
//! If nobody answers, the transferer is called back and the target again, in turn.

use std::time::Duration;

use config::{CallerId, FeatureGeneral, Features};
use dialplan::Position;
use tokio::time::{Instant, sleep, sleep_until};

use super::aside::Meanwhile;
use super::blind::number;
use super::{Goes, Interrupted, Parted, Party, Talk, introduce, parted, step};
use crate::cause::Cause;
use crate::channel::{Channel, Instead, Wake, record};
use crate::dial::{Ask, Dialled, Dialling, Woken, until};
use crate::event::{Happened, Interrupt};
use crate::features::{Judged, Keys, Matcher};
use crate::leg::Joint;
use crate::park::reach_of;
use crate::story::StoryEvent;
use crate::switch::Switch;
use crate::technology::Unreachable;
use crate::transfer::{self, Newcomer};

/// What the transferer may dial meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    /// Gives it up.
    Abort,
    /// Leaves the two to each other.
    Complete,
    /// Talks to both at once.
    ThreeWay,
    /// Talks to the one who waits.
    Swap,
}

/// How the call to the target went.
enum Called {
    Answered {
        target: Box<Channel>,
        /// The transferer wants all three to talk.
        all: bool,
    },
    /// It came to nothing, or was given up.
    Failed { aborted: bool },
    /// The transferer left while it rang: by itself, or by digits.
    Left(Option<Interrupt>),
}

/// How a talk of the transferer with one of the two ended.
enum Talked {
    Wish(Wish),
    /// The transferer left.
    Own(Interrupt),
    /// The one it talked to left.
    Gone(Interrupt),
    /// The time of the conversation is over.
    Limit,
}

/// An attended transfer that goes on.
struct Consultation {
    features: Features,
    to: Position,
    /// Until when the target may ring.
    end: Instant,
}

impl Talk<'_> {
    pub(super) async fn attended_transfer(&mut self, side: Party) -> Goes {
        let dialled = self
            .aside(side, Meanwhile::Music(None), |own| Box::pin(number(own)))
            .await?;
        let Some(to) = dialled else {
            return self.rejoin().await;
        };
        Box::pin(self.attended_to(side, to)).await
    }

    /// Calls this extension for the transferer, while the other one waits.
    pub(super) async fn attended_to(&mut self, side: Party, to: Position) -> Goes {
        let limit = self.clock.end();
        let (own, other) = self.pair(side);
        let features = own.features();
        let consultation = Consultation {
            end: Instant::now() + rings(&features.general),
            features,
            to,
        };
        let mut dialling = Dialling::default();
        other.start_music(None).await;
        let called = tokio::select! {
            biased;
            called = other.during(consultation.call(own, &mut dialling)) => called,
            () = until(limit) => {
                dialling.cancel(Cause::NormalClearing);
                return Err(Parted::Limit);
            }
        };
        match called {
            Err(interrupt) => {
                dialling.cancel(Cause::NormalClearing);
                Err(parted(side, false, interrupt))
            }
            Ok(Called::Answered { target, all }) => {
                self.consult(side, *target, all, &consultation).await
            }
            Ok(Called::Failed { aborted }) => {
                dialling.cancel(Cause::NormalClearing);
                if !aborted {
                    let sound = consultation.general().transfer_fail_sound.clone();
                    self.tells(side, sound, Instead::Refusal).await?;
                }
                self.rejoin().await
            }
            Ok(Called::Left(left)) => self.blond(side, dialling, left, &consultation).await,
        }
    }

    /// The target has answered: the transferer talks to it, the other one waits.
    async fn consult(
        &mut self,
        side: Party,
        mut target: Channel,
        mut all: bool,
        consultation: &Consultation,
    ) -> Goes {
        let mut to_target = true;
        loop {
            if std::mem::take(&mut all)
                && let Some(seats) = self.room_for_three(side)
            {
                let sound = consultation.general().transfer_sound.clone();
                return self.three_way(side, target, seats, &sound).await;
            }
            let limit = self.clock.end();
            let (own, other) = self.pair(side);
            match to_target {
                true => introduce(own, &mut target),
                false => introduce(own, other),
            }
            let keys = consultation.keys();
            // Whom it talks to, and who waits.
            let (partner, waits) = match to_target {
                true => (&mut target, other),
                false => (other, &mut target),
            };
            // Their conversation is over, whatever comes of this.
            waits.record_mut().conclude();
            partner.stop_music();
            waits.start_music(None).await;
            let talked = waits.during(talk(own, partner, keys, limit)).await;
            target.stop_music();
            match (talked, to_target) {
                (Ok(Talked::Wish(Wish::Swap)), _) => to_target = !to_target,
                (Ok(Talked::Wish(Wish::ThreeWay)), _) => all = true,
                (Ok(Talked::Limit), _) => {
                    target.hangup(Cause::NormalClearing);
                    target.release().await;
                    return Err(Parted::Limit);
                }
                (Ok(Talked::Wish(Wish::Abort)), _)
                | (Ok(Talked::Gone(_)), true)
                | (Err(_), false) => {
                    let is_gone = target.ended().is_some();
                    target.hangup(Cause::NormalClearing);
                    target.release().await;
                    if is_gone {
                        let sound = consultation.general().transfer_fail_sound.clone();
                        self.tells(side, sound, Instead::Refusal).await?;
                    }
                    introduce(self.caller, self.callee);
                    return self.rejoin().await;
                }
                (Ok(Talked::Wish(Wish::Complete) | Talked::Own(Interrupt::Hangup(_))), _) => {
                    return self.complete(side, target, consultation).await;
                }
                (Ok(Talked::Own(interrupt)), _) => {
                    target.hangup(Cause::NormalClearing);
                    target.release().await;
                    return Err(parted(side, true, interrupt));
                }
                // Who was to be transferred is gone: the two that are left talk on.
                (Err(interrupt), true) | (Ok(Talked::Gone(interrupt)), false) => {
                    if !matches!(interrupt, Interrupt::Hangup(_)) {
                        target.hangup(Cause::NormalClearing);
                        target.release().await;
                        return Err(parted(side, false, interrupt));
                    }
                    let (_, other) = self.pair(side);
                    Newcomer::of(target).swap(other).await;
                    return self.seat(side.other()).await;
                }
            }
        }
    }

    /// The target takes the place of the transferer.
    async fn complete(
        &mut self,
        side: Party,
        mut target: Channel,
        consultation: &Consultation,
    ) -> Goes {
        let (own, other) = self.pair(side);
        transfer::attended(own, other, &mut target);
        Newcomer::of(target).swap(own).await;
        let sound = consultation.general().transfer_sound.clone();
        self.tells(side, sound, Instead::Beep).await?;
        self.seat(side).await
    }

    /// The transferer is gone while the target rings.
    async fn blond(
        &mut self,
        side: Party,
        mut dialling: Dialling,
        left: Option<Interrupt>,
        consultation: &Consultation,
    ) -> Goes {
        if let Some(interrupt) = left
            && !matches!(interrupt, Interrupt::Hangup(_))
        {
            dialling.cancel(Cause::NormalClearing);
            return Err(parted(side, true, interrupt));
        }
        let (own, other) = self.pair(side);
        let gone = own.hangup(Cause::NormalClearing);
        own.release().await;
        other.stop_music();
        other.play_ringing();
        let (switch, back) = (own.switch().clone(), reach_of(own.name()));
        let ask = Ask {
            far: Some(other.capabilities()),
            ..consultation.ask(own)
        };
        // The one called back is shown whom it was talking to.
        let call_back = Ask {
            caller: other.caller.clone(),
            own: Some(own.caller.clone()),
            ..ask.clone()
        };
        let found = other
            .during(consultation.chase(&switch, dialling, &ask, (&back, &call_back)))
            .await;
        other.stop_tones();
        match found {
            Ok(Some(channel)) => self.complete(side, channel, consultation).await,
            Ok(None) => Err(parted(side, true, gone)),
            Err(interrupt) => Err(parted(side, false, interrupt)),
        }
    }

    /// Lets one of the two hear a sound of the exchange's own while the other one waits.
    pub(super) async fn tells(&mut self, side: Party, sound: String, instead: Instead) -> Goes {
        self.aside(side, Meanwhile::Music(None), move |own| {
            Box::pin(async move {
                own.prompt(&sound, instead, |_| false).await?;
                Ok(())
            })
        })
        .await
    }
}

impl Consultation {
    fn general(&self) -> &FeatureGeneral {
        &self.features.general
    }

    fn keys(&self) -> Matcher<Wish> {
        let general = self.general();
        let mut keys = Keys::none(&self.features);
        keys.add(&general.attended_abort, Wish::Abort);
        keys.add(&general.attended_complete, Wish::Complete);
        keys.add(&general.attended_three_way, Wish::ThreeWay);
        keys.add(&general.attended_swap, Wish::Swap);
        Matcher::new(keys)
    }

    /// The target is called for the transferer.
    fn ask(&self, own: &Channel) -> Ask {
        Ask {
            dialled: None,
            group: None,
            caller: own.caller.clone(),
            own: Some(CallerId::new("", self.to.exten.as_str())),
            variables: own.vars.inherited(),
            application: "AppDial((Attended Transfer))".to_owned(),
            far: Some(own.capabilities()),
            ..Ask::default()
        }
    }

    /// Where the target is.
    fn place(&self) -> String {
        format!("Local/{}@{}", self.to.exten, self.to.context)
    }

    /// Calls the target, until it answers or the transferer thinks better of it.
    async fn call(&self, own: &mut Channel, dialling: &mut Dialling) -> Called {
        let (switch, ask) = (own.switch().clone(), self.ask(own));
        match own.during(switch.find(&self.place())).await {
            Ok(Ok(targets)) => dialling.call(&switch, targets, &ask, Some(own)).await,
            Ok(Err(why)) => {
                let text = format!("{}: {why}", self.place());
                own.tell(StoryEvent::Remark { text });
                return Called::Failed { aborted: false };
            }
            Err(interrupt) => return Called::Left(Some(interrupt)),
        }
        let mut keys = self.keys();
        let (mut hears, mut all) = (None, false);
        own.forget_digits();
        own.hold_digits(&keys.firsts());
        while dialling.failure().is_none() {
            let now = tokio::select! {
                biased;
                wake = own.wake() => Now::Own(wake),
                woken = dialling.wait() => Now::Leg(woken),
                () = until(keys.poll_timeout()) => Now::Pause,
                () = sleep_until(self.end) => break,
            };
            let wish = match now {
                Now::Own(wake) => match own.on_wake(wake).await {
                    Ok(happened) => {
                        let judged = match happened {
                            Some(Happened::Digit(digit)) => keys.on_digit(Instant::now(), digit),
                            _ => Judged::default(),
                        };
                        dialling.dialled(own, &judged.passed);
                        judged.operation
                    }
                    Err(interrupt) => {
                        own.stop_tones();
                        return Called::Left(Some(interrupt));
                    }
                },
                Now::Pause => {
                    let judged = keys.on_pause();
                    dialling.dialled(own, &judged.passed);
                    judged.operation
                }
                Now::Leg(woken) => {
                    if let Some(target) = on_leg(own, dialling, woken, &mut hears).await {
                        own.stop_tones();
                        return Called::Answered { target, all };
                    }
                    None
                }
            };
            match wish {
                None => {}
                Some(Wish::Complete) => {
                    own.stop_tones();
                    return Called::Left(None);
                }
                Some(Wish::ThreeWay) => {
                    // As soon as it answers; the code itself is not for the target.
                    own.drop_digits();
                    all = true;
                }
                // To talk to the one who waits is to give up calling.
                Some(Wish::Abort | Wish::Swap) => {
                    own.stop_tones();
                    return Called::Failed { aborted: true };
                }
            }
        }
        own.stop_tones();
        Called::Failed { aborted: false }
    }

    /// Waits for the target without the transferer; then calls that back and the target again, in turn.
    async fn chase(
        &self,
        switch: &Switch,
        dialling: Dialling,
        ask: &Ask,
        (back, call_back): (&str, &Ask),
    ) -> Option<Channel> {
        if let Ok(target) = dialling.first(self.end).await {
            return Some(target);
        }
        let general = self.general();
        let pause = Duration::from_secs(general.attended_loop_delay_s.into());
        let retries = match general.attended_drop_call {
            true => 0,
            false => general.attended_callback_retries,
        };
        for attempt in 0..retries {
            if attempt > 0 {
                sleep(pause).await;
                if let Some(target) = self.again(switch, &self.place(), ask).await {
                    return Some(target);
                }
                sleep(pause).await;
            }
            if let Some(transferer) = self.again(switch, back, call_back).await {
                return Some(transferer);
            }
        }
        None
    }

    async fn again(&self, switch: &Switch, place: &str, ask: &Ask) -> Option<Channel> {
        let targets = match switch.find(place).await {
            Ok(targets) => targets,
            Err(why) => {
                let why: Unreachable = why;
                tracing::info!(place, "not called for a transfer: {why}");
                return None;
            }
        };
        let end = Instant::now() + rings(self.general());
        let mut dialling = Dialling::default();
        dialling.call(switch, targets, ask, None).await;
        dialling.first(end).await.ok()
    }
}

/// Something happened to what is called; the channel that answered. The transferer hears what comes before that.
async fn on_leg(
    own: &mut Channel,
    dialling: &mut Dialling,
    woken: Woken,
    hears: &mut Option<Joint>,
) -> Option<Box<Channel>> {
    match dialling.on(woken).await? {
        Dialled::Ringing if hears.is_none() => own.play_ringing(),
        Dialled::Early(id) => {
            own.stop_tones();
            *hears = dialling.leg(id).and_then(|leg| own.connect(leg));
            dialling.hear(id);
        }
        Dialled::Answered(target) => return Some(target),
        Dialled::Forwarded(_) => dialling.note(Cause::RedirectedToNewDestination),
        Dialled::Ringing | Dialled::Connected(_) | Dialled::SentOn(_) | Dialled::Failed(_) => {}
    }
    None
}

enum Now {
    Own(Wake),
    Leg(Woken),
    Pause,
}

/// The transferer talks to one of the two, until it dials what it wants, or either leaves.
async fn talk(
    own: &mut Channel,
    partner: &mut Channel,
    keys: Matcher<Wish>,
    limit: Option<Instant>,
) -> Talked {
    let Some(_joint) = own.connect(partner) else {
        return Talked::Gone(partner.hangup(Cause::BearerNotAvailable));
    };
    for channel in [&mut *own, &mut *partner] {
        channel.forget_digits();
    }
    record::talk(own, partner);
    own.hold_digits(&keys.firsts());
    let talked = talk_on(own, partner, keys, limit).await;
    own.stop_passing(partner);
    partner.stop_passing(own);
    talked
}

async fn talk_on(
    own: &mut Channel,
    partner: &mut Channel,
    mut keys: Matcher<Wish>,
    limit: Option<Instant>,
) -> Talked {
    loop {
        let (is_own, wake) = tokio::select! {
            biased;
            wake = own.wake() => (true, wake),
            wake = partner.wake() => (false, wake),
            () = until(keys.poll_timeout()) => {
                let Judged { passed, operation } = keys.on_pause();
                own.release_digits(partner, passed.len());
                match operation {
                    Some(wish) => return Talked::Wish(wish),
                    None => continue,
                }
            }
            () = until(limit) => return Talked::Limit,
        };
        let stepped: Result<Option<char>, Interrupted> = match is_own {
            true => step(own, partner, wake).await,
            false => step(partner, own, wake)
                .await
                .map_err(|(own, it)| (!own, it)),
        };
        match is_own {
            true => own.pass_digits(partner),
            false => partner.pass_digits(own),
        }
        match stepped {
            Ok(Some(digit)) if is_own => {
                let Judged { passed, operation } = keys.on_digit(Instant::now(), digit);
                own.release_digits(partner, passed.len());
                if let Some(wish) = operation {
                    return Talked::Wish(wish);
                }
            }
            Ok(_) => {}
            Err((true, interrupt)) => return Talked::Own(interrupt),
            Err((false, interrupt)) => return Talked::Gone(interrupt),
        }
    }
}

fn rings(general: &FeatureGeneral) -> Duration {
    Duration::from_secs(general.attended_no_answer_timeout_s.into())
}
