//! Waiting: while a verb of the channel is awaited its inbox is read, and each event is dealt with as it comes.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::cause::Cause;
use crate::dial::until;
use crate::event::{AppResult, ChannelEvent, Control, Happened, Interrupt};
use crate::presses::Form;
use crate::story::StoryEvent;
use crate::transfer;

use super::Channel;

/// How long a call whose signalling connection broke waits for the far end to come back. Media is kept
/// meanwhile: a page that is reloaded or a laptop that changes networks reconnects within seconds.
pub const FLOW_GRACE: Duration = Duration::from_secs(30);

/// The longest a verb waits: longer than any call, and short enough for every clock.
const WAIT_MAX: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// What woke a call.
pub(crate) enum Wake {
    Event(ChannelEvent),
    /// Events were lost: nobody read the inbox for too long.
    Overflowed,
    GraceOver,
    OfferAgain,
    /// The call has lasted as long as it may.
    TimeUp,
}

impl Channel {
    /// Does nothing for a time. Digits that arrive meanwhile are lost, as in Asterisk.
    pub async fn wait(&mut self, duration: Duration) -> AppResult {
        let end = after(duration);
        let result = loop {
            let wake = tokio::select! {
                biased;
                wake = self.wake() => wake,
                () = sleep_until(end) => break Ok(()),
            };
            if let Err(interrupt) = self.on_wake(wake).await {
                break Err(interrupt);
            }
        };
        self.digits.kept.clear();
        self.waited |= !duration.is_zero();
        result
    }

    /// Waits for the next thing an application may care for.
    pub async fn next(&mut self) -> AppResult<Happened> {
        if let Some(digit) = self.digits.kept.pop_front() {
            return Ok(Happened::Digit(digit));
        }
        loop {
            self.waited = true;
            let wake = self.wake().await;
            if let Some(happened) = self.on_wake(wake).await? {
                return Ok(happened);
            }
        }
    }

    /// Waits for a digit.
    pub async fn read_digit(&mut self) -> AppResult<char> {
        loop {
            if let Happened::Digit(digit) = self.next().await? {
                return Ok(digit);
            }
        }
    }

    /// Waits for a digit, but not longer than `patience`.
    pub async fn read_digit_within(&mut self, patience: Duration) -> AppResult<Option<char>> {
        let end = after(patience);
        loop {
            match self.next_until(end).await? {
                Some(Happened::Digit(digit)) => return Ok(Some(digit)),
                Some(_) => {}
                None => return Ok(None),
            }
        }
    }

    /// Waits for the next thing an application may care for, but not after `end`.
    pub async fn next_until(&mut self, end: Instant) -> AppResult<Option<Happened>> {
        if let Some(digit) = self.digits.kept.pop_front() {
            return Ok(Some(Happened::Digit(digit)));
        }
        self.waited |= end > Instant::now();
        loop {
            let wake = tokio::select! {
                biased;
                wake = self.wake() => wake,
                () = sleep_until(end) => return Ok(None),
            };
            if let Some(happened) = self.on_wake(wake).await? {
                return Ok(Some(happened));
            }
        }
    }

    /// Awaits something that is not a verb of the channel, while the channel stays alive: its inbox is
    /// read, and its end interrupts. Digits are kept for the next verb.
    pub async fn during<T>(&mut self, future: impl Future<Output = T>) -> AppResult<T> {
        let mut future = pin!(future);
        loop {
            let wake = tokio::select! {
                biased;
                wake = self.wake() => wake,
                output = &mut future => return Ok(output),
            };
            if let Some(Happened::Digit(digit)) = self.on_wake(wake).await? {
                self.keep_digit(digit);
            }
        }
    }

    /// Deals with what waits in the inbox, without waiting.
    pub(crate) async fn catch_up(&mut self) -> AppResult {
        self.check_ended()?;
        while let Some(event) = self.inbox.try_recv() {
            if let Some(Happened::Digit(digit)) = self.on_event(event).await? {
                self.keep_digit(digit);
            }
        }
        Ok(())
    }

    /// Whether a verb has waited for anything since this was last asked.
    pub(crate) fn take_waited(&mut self) -> bool {
        std::mem::take(&mut self.waited)
    }

    /// Waits for whatever comes next. Nothing is lost if this is dropped while it waits.
    pub(crate) async fn wake(&mut self) -> Wake {
        if self.ended().is_some() {
            // The far end's last event has been dealt with: what follows returns it again.
            return Wake::Event(ChannelEvent::Hangup(Cause::NormalClearing));
        }
        if self.inbox.condition().is_overflowed() {
            return Wake::Overflowed;
        }
        let (grace, again) = (self.grace_until, self.turn.again_at());
        let end = self.timeouts.absolute;
        tokio::select! {
            biased;
            event = self.inbox.recv() => {
                // The directory holds a sender for as long as the channel exists; should it not, the
                // call can no longer be steered and ends.
                Wake::Event(event.unwrap_or(ChannelEvent::Hangup(Cause::Interworking)))
            }
            () = until(grace) => Wake::GraceOver,
            () = until(again) => Wake::OfferAgain,
            () = until(end) => Wake::TimeUp,
        }
    }

    pub(crate) async fn on_wake(&mut self, wake: Wake) -> AppResult<Option<Happened>> {
        let happened = self.happened(wake).await?;
        if let Some(Happened::Digit(digit)) = happened
            && let Some(class) = self.music_by_digit(digit)
        {
            self.hear(&class).await;
        }
        Ok(happened)
    }

    async fn happened(&mut self, wake: Wake) -> AppResult<Option<Happened>> {
        match wake {
            Wake::Event(event) => self.on_event(event).await,
            Wake::Overflowed => Err(self.hangup(Cause::SwitchCongestion)),
            Wake::GraceOver => {
                let text = format!(
                    "the connection for signalling did not come back within {} seconds",
                    FLOW_GRACE.as_secs()
                );
                self.tell(StoryEvent::Remark { text });
                Err(self.hangup(Cause::NetworkOutOfOrder))
            }
            Wake::OfferAgain => Ok(self.offer_again().await),
            Wake::TimeUp => Err(self.on_time_up()),
        }
    }

    async fn on_event(&mut self, event: ChannelEvent) -> AppResult<Option<Happened>> {
        self.check_ended()?;
        match event {
            ChannelEvent::Established => {
                self.established = true;
                Ok(Some(Happened::Established))
            }
            ChannelEvent::Offer(offer) => Ok(self.on_offer(offer).await),
            ChannelEvent::Answer(answer) => self.on_answer(answer).await,
            ChannelEvent::Restated(answer) => Ok(self.on_restated(answer).await),
            ChannelEvent::OfferRejected { status } => Ok(self.on_offer_rejected(status).await),
            ChannelEvent::OfferWithdrawn => {
                self.on_offer_withdrawn().await;
                Ok(None)
            }
            ChannelEvent::Connected(party) => Ok(self.on_connected(party)),
            ChannelEvent::Text(text) => Ok(Some(Happened::Text(text))),
            ChannelEvent::Digit(event) => Ok(self.on_digit(Form::Signal, event)),
            ChannelEvent::DigitsRefused(digits) => {
                self.sound_digits(&digits);
                Ok(None)
            }
            ChannelEvent::KeyframeRequested => {
                if let Some(leg) = &self.leg {
                    leg.refresh();
                }
                Ok(None)
            }
            ChannelEvent::Hangup(cause) => self.on_left(cause),
            ChannelEvent::Unclaimed => self.on_unclaimed(),
            // Somebody to talk to is what a conversation sees to.
            ChannelEvent::Transfer(_) => {
                self.refuse_transfer(transfer::NOBODY);
                Ok(None)
            }
            ChannelEvent::WentAway { status } => {
                self.went_away = Some(status);
                Ok(None)
            }
            ChannelEvent::Replaced(newcomer) => self.on_replaced(newcomer).await,
            ChannelEvent::FlowLost => {
                self.tell(StoryEvent::FlowLost);
                self.grace_until
                    .get_or_insert_with(|| Instant::now() + FLOW_GRACE);
                Ok(None)
            }
            ChannelEvent::FlowRestored => {
                self.tell(StoryEvent::FlowRestored);
                self.grace_until = None;
                Ok(None)
            }
            ChannelEvent::Media(event) => self.on_media(&event),
            ChannelEvent::Control(control) => self.on_control(control).map(|()| None),
            ChannelEvent::Describe(asked) => {
                // Who asked may have lost patience.
                let _ = asked.send(Box::new(self.details()));
                Ok(None)
            }
            // Late news of a call that has been answered; `on_called` deals with it before that.
            ChannelEvent::Progress { .. }
            | ChannelEvent::Forwarded(_)
            | ChannelEvent::SentOn(_)
            | ChannelEvent::Accepted(_) => Ok(None),
            ChannelEvent::Note(event) => {
                self.tell(event);
                Ok(None)
            }
        }
    }

    fn on_control(&mut self, control: Control) -> AppResult {
        match control {
            Control::Hangup(cause) => return Err(self.hangup(cause)),
            Control::Redirect(to) => {
                self.leave_all();
                return Err(Interrupt::Redirect(to));
            }
            // Who asked has given up meanwhile; or each of two asks for the other, and both would be nowhere.
            Control::Visit(place)
                if !place.expects(self.id()) || self.condition().expects_any() => {}
            Control::Visit(place) => return Err(Interrupt::Join(place)),
            Control::Digit(event) => {
                self.send_digit(event);
            }
            Control::Set { name, value } => {
                if let Err(why) = self.set(&name, &value) {
                    tracing::warn!(channel = self.name(), "{name} is not set: {why}");
                }
            }
        }
        Ok(())
    }
}

/// The end of a wait that begins now. A dial plan may ask for any number of seconds; a clock cannot.
pub(super) fn after(duration: Duration) -> Instant {
    Instant::now() + duration.min(WAIT_MAX)
}
