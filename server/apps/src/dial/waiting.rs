//! What the caller is told and may do while it waits for an answer.

use std::time::Duration;

use media::Playable;
use switch::{
    AppResult, Args, Channel, ChannelId, DIGITS_MAX, Dialled, Dialling, Happened, Joint, Moment,
    Position,
};
use tokio::time::Instant;

use super::lasted;
use super::options::Options;
use crate::arguments::warn;
use crate::send_dtmf::{DURATION, PAUSE};

/// How often one call is sent on.
const FORWARDS_MAX: usize = 16;

/// A caller that waits.
pub(super) struct Waiting<'a> {
    options: &'a Options,
    began: Instant,
    /// When nobody has answered.
    pub(super) end: Option<Instant>,
    /// It has been told that it rings there.
    rings: bool,
    /// How often somebody sent the call on.
    forwards: usize,
    /// The leg that is heard before it answers.
    hears: Option<Joint>,
    /// The digits it has dialled.
    digits: String,
    /// Who is heard has been dialled into.
    has_dialled: bool,
}

/// Whether it goes on waiting.
pub(super) enum Waited {
    On,
    /// It has had enough, and goes on there, or after this step.
    GivenUp(Option<Position>),
}

impl<'a> Waiting<'a> {
    pub(super) fn begin(options: &'a Options, timeout: Option<Duration>) -> Self {
        let began = Instant::now();
        Self {
            options,
            began,
            end: timeout.and_then(|timeout| began.checked_add(timeout)),
            rings: false,
            forwards: 0,
            hears: None,
            digits: String::new(),
            has_dialled: false,
        }
    }

    /// Whether it hears something of ours whatever the called send.
    fn pretends(&self) -> bool {
        self.options.ring || self.options.music.is_some()
    }

    /// Lets it hear at once what it is to hear whoever rings.
    pub(super) async fn pretend(&mut self, call: &mut Channel, args: &Args<'_>) -> AppResult {
        if !self.pretends() && !self.options.ring_first {
            return Ok(());
        }
        self.rings = true;
        if let Some(class) = &self.options.music {
            // Without an offer of its own it can hear nothing before the answer, and is alerted instead.
            if call.is_up() || call.early().await? {
                match class.as_str() {
                    "" => call.start_music(None).await,
                    class => call.start_music_of(class).await,
                }
            }
            return Ok(());
        }
        if let Some(name) = &self.options.ring_tone {
            match call.tone(name) {
                Some(tones) => {
                    if call.is_up() || call.early().await? {
                        call.play_on(Playable::Tones(tones));
                        return Ok(());
                    }
                }
                None => {
                    let what = format!("option r: no tone is called '{name}'; it is ringing");
                    warn(call, "Dial", args, what);
                }
            }
        }
        alert(call);
        Ok(())
    }

    /// Another caller waits instead, which has been answered: it hears what the one before it did.
    pub(super) async fn resume(
        &mut self,
        call: &mut Channel,
        dialling: &mut Dialling,
        args: &Args<'_>,
    ) -> AppResult {
        if !self.options.deaf {
            dialling.connect_line(&call.caller);
        }
        // A leg is heard by one at a time.
        let hears = self.hears.take().is_some();
        if self.pretends() {
            return self.pretend(call, args).await;
        }
        if hears {
            self.hears = dialling.heard().and_then(|leg| call.connect(leg));
        } else if self.rings {
            alert(call);
        }
        Ok(())
    }

    /// Whether one more place that sends its callers on is followed; then it may ring without end (`z`).
    pub(super) fn follows(&mut self) -> bool {
        self.forwards += 1;
        let follows = !self.options.stays && self.forwards <= FORWARDS_MAX;
        if follows && self.options.forward_rings_on {
            self.end = None;
        }
        follows
    }

    /// Something happened that is no end.
    pub(super) async fn on(
        &mut self,
        call: &mut Channel,
        dialling: &mut Dialling,
        moment: Moment,
    ) -> AppResult<Waited> {
        match moment {
            Moment::Caller(Happened::Digit(digit)) => return self.dialled(call, digit).await,
            Moment::Leg(Dialled::Ringing) => {
                if !std::mem::replace(&mut self.rings, true) {
                    lasted(call, "RINGTIME", self.began.elapsed());
                    alert(call);
                }
            }
            Moment::Leg(Dialled::Early(id))
                if !std::mem::replace(&mut self.has_dialled, true)
                    && !self.options.digits.progress.is_empty() =>
            {
                dialling.dial_into(id, &self.options.digits.progress, DURATION, PAUSE);
                if !self.pretends() {
                    self.hear(call, dialling, id).await?;
                }
            }
            Moment::Leg(Dialled::Early(id)) if !self.pretends() => {
                self.hear(call, dialling, id).await?;
            }
            Moment::Caller(_) | Moment::Leg(_) | Moment::Replaced | Moment::Over => {}
        }
        Ok(Waited::On)
    }

    /// `H`: the digits that end a call end the waiting. `d`: one digit may be an extension to go to.
    async fn dialled(&mut self, call: &mut Channel, digit: char) -> AppResult<Waited> {
        if self.options.caller.disconnect {
            if self.digits.len() == DIGITS_MAX {
                self.digits.remove(0);
            }
            self.digits.push(digit);
            let code = call.features().map.disconnect;
            if !code.is_empty() && self.digits.ends_with(&code) {
                return Ok(Waited::GivenUp(None));
            }
        }
        if !self.options.leaves_by_digit {
            return Ok(Waited::On);
        }
        Ok(match exit_by(call, digit).await? {
            Some(to) => Waited::GivenUp(Some(to)),
            None => Waited::On,
        })
    }

    /// Lets the caller hear a leg that has not answered; the first one keeps it.
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
        call.fares(183);
        call.stop_tones();
        self.hears = dialling.leg(id).and_then(|leg| call.connect(leg));
        dialling.hear(id);
        Ok(())
    }
}

/// Lets the caller know that it rings: one that was answered hears it as a tone.
pub(super) fn alert(call: &mut Channel) {
    // Who sent it here may want to know.
    call.fares(180);
    match call.tone("ring").filter(|_| call.is_up()) {
        Some(tones) => call.play_on(Playable::Tones(tones)),
        None => call.ring(),
    }
}

/// Where a digit leads to: the extension it is, of `EXITCONTEXT` or of the caller's context.
pub(crate) async fn exit_by(call: &mut Channel, digit: char) -> AppResult<Option<Position>> {
    let context = call.vars.value("EXITCONTEXT").unwrap_or(&call.at.context);
    let to = Position {
        context: context.to_owned(),
        exten: digit.to_string(),
        priority: 1,
    };
    let (switch, caller) = (call.switch().clone(), call.caller.number.clone());
    let known = switch.has_extension(&to.context, &to.exten, Some(&caller));
    let known = call.during(known).await?;
    Ok(matches!(known, Ok(true)).then_some(to))
}
