//! The beginning of a call that goes out: our offer, ringing, the answer.

use codec::Codec;
use config::CallerId;
use rtc::policy::Policy;
use rtc::{Refused, Round};
use sdp::Sdp;

use super::round::Turn;
use super::{Channel, State, Wake, streams};
use crate::cause::Cause;
use crate::event::{AppResult, ChannelEvent, Happened, Interrupt};
use crate::party::Redirecting;
use crate::story::{Side, StoryEvent};

/// What became known of a leg that is being called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// The far end rings.
    Ringing,
    /// The far end has something to be heard before it answers.
    Early,
    /// The far end says who it is.
    Connected,
    /// The call is sent on there.
    SentOn,
    /// The far end answered; media is agreed.
    Answered,
    /// It came to nothing, and the leg is over.
    Failed(Cause),
}

impl Channel {
    /// Fits what may be offered to the party the leg is going to be connected to: what that one has comes
    /// first, so that sound is made anew only where it must be.
    pub(crate) fn fit(&mut self, far: &Policy) -> AppResult {
        let fitted = self.policy.meeting(far, &self.endpoint().offered());
        if far.max_audio_streams > 0 && fitted.audio.is_empty() && !self.policy.audio.is_empty() {
            let text = format!(
                "no audio codec in common: the caller has {}, endpoint '{}' allows {}",
                names(&far.audio),
                self.endpoint().id,
                names(&self.policy.audio)
            );
            self.tell_refused(Side::Us, Cause::BearerNotAvailable.status(), text, true);
            return Err(self.hangup(Cause::BearerNotAvailable));
        }
        self.policy = fitted;
        Ok(())
    }

    /// Calls the far end with an offer of the streams it may have; those the party has that it is going to
    /// be connected to, if that is known. The leg has been opened.
    pub(crate) async fn call(&mut self, far: Option<&Policy>) -> AppResult {
        let want = streams::unasked(&self.policy, far);
        let outcome = self.negotiate(Round::Offer { want: want.clone() }).await;
        let outcome = outcome.and_then(|outcome| match outcome.sdp {
            Some(sdp) => Ok((sdp, outcome.notes)),
            None => Err(Refused::NoMedia),
        });
        let (sdp, notes) = match outcome {
            Ok(outcome) => outcome,
            Err(refused) => {
                self.tell_refusal(&refused);
                return Err(self.hangup(Cause::from_status(refused.status())));
            }
        };
        self.remark(&notes);
        self.tell(StoryEvent::Offered {
            by: Side::Us,
            streams: streams::in_words(&want),
        });
        self.signaling.call(&sdp);
        self.local = Some(sdp);
        self.turn = Turn::OursFirst;
        // `b` of Dial may have asked for it.
        self.record_armed().await;
        Ok(())
    }

    /// Deals with what woke a leg that is being called.
    pub(crate) async fn on_called(&mut self, wake: Wake) -> Option<News> {
        let result = match wake {
            Wake::Event(ChannelEvent::Progress { status, answer }) => {
                self.on_progress(status, answer).await
            }
            Wake::Event(ChannelEvent::Forwarded(to)) => {
                let text = format!("the far end sends its callers on to {to}");
                self.tell(StoryEvent::Remark { text });
                self.forward = Some(to);
                return None;
            }
            Wake::Event(ChannelEvent::SentOn(redirecting)) => return self.on_sent_on(*redirecting),
            Wake::Event(ChannelEvent::Accepted(answer)) => self.on_accepted(answer).await,
            wake => self.on_wake(wake).await.map(|happened| match happened {
                Some(Happened::Connected) => Some(News::Connected),
                Some(_) | None => None,
            }),
        };
        match result {
            Ok(news) => news,
            Err(Interrupt::Hangup(cause)) => Some(News::Failed(cause)),
            // There is nothing to redirect before somebody has answered.
            Err(Interrupt::Redirect(_) | Interrupt::Join(_) | Interrupt::Park(_)) => None,
        }
    }

    /// Where the far end sent its callers on to, once.
    pub(crate) fn take_forward(&mut self) -> Option<String> {
        self.forward.take()
    }

    /// The far end sends the call on: it is who did so, if nobody is named.
    fn on_sent_on(&mut self, mut redirecting: Redirecting) -> Option<News> {
        if redirecting.from.is_nobody() {
            redirecting.sent_on(self.caller.clone(), CallerId::default(), "unknown");
        }
        let text = format!("the call is sent on by {}", redirecting.from);
        self.tell(StoryEvent::Remark { text });
        self.parties.redirecting = redirecting;
        Some(News::SentOn)
    }

    async fn on_progress(&mut self, status: u16, answer: Option<Sdp>) -> AppResult<Option<News>> {
        const RINGING: u16 = 180;
        if !matches!(self.state, State::Dialling | State::Alerting) {
            return Ok(None);
        }
        // As in Asterisk, what is in progress can be picked up too: some phones say 183 where they ring.
        if status >= RINGING {
            self.condition().ring(true);
        }
        // RFC 3261 §13.2.1: the first description is the answer, those after it are ignored.
        if let Some(answer) = answer
            && matches!(self.turn, Turn::OursFirst)
        {
            self.shown = Some(answer.clone());
            self.on_answer(answer).await?;
            return Ok(Some(News::Early));
        }
        if status != RINGING || self.state == State::Alerting {
            return Ok(None);
        }
        self.state = State::Alerting;
        self.publish();
        Ok(Some(News::Ringing))
    }

    async fn on_accepted(&mut self, answer: Option<Sdp>) -> AppResult<Option<News>> {
        if !matches!(self.state, State::Dialling | State::Alerting) {
            return Ok(None);
        }
        let is_first = matches!(self.turn, Turn::OursFirst);
        if answer.is_none() && is_first {
            let text = "the far end answered without a usable description".to_owned();
            self.tell(StoryEvent::Remark { text });
            return Err(self.hangup(Cause::BearerNotAvailable));
        }
        self.state = State::Up;
        self.condition().ring(false);
        // Our ACK is on its way: either side may offer from now on.
        self.established = true;
        self.tell(StoryEvent::Up);
        match answer {
            Some(answer) if is_first => drop(self.on_answer(answer).await?),
            // What was shown before was not binding unless it was said reliably: another branch of a
            // proxy, or another machine than the one that played the announcement, may have answered.
            Some(answer) if self.shown.take().is_some_and(|shown| shown != answer) => {
                self.on_confirmation(answer).await;
            }
            Some(_) | None => {}
        }
        self.publish();
        let streams = streams::in_words(self.topology());
        tracing::info!(channel = self.name(), streams, "call answered");
        Ok(Some(News::Answered))
    }
}

fn names(codecs: &[&Codec]) -> String {
    let names: Vec<&str> = codecs.iter().map(|codec| codec.name).collect();
    match names.is_empty() {
        true => "none".to_owned(),
        false => names.join(", "),
    }
}
