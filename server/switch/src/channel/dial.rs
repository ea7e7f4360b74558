//! The beginning of a call that goes out: our offer, ringing, the answer.

use rtc::{Refused, Round};
use sdp::Sdp;

use super::round::Turn;
use super::{Channel, State, Wake, streams};
use crate::cause::Cause;
use crate::event::{AppResult, ChannelEvent, Interrupt};
use crate::story::{Side, StoryEvent};

/// What became known of a leg that is being called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// The far end rings.
    Ringing,
    /// The far end answered; media is agreed.
    Answered,
    /// It came to nothing, and the leg is over.
    Failed(Cause),
}

impl Channel {
    /// Calls the far end with an offer of the streams its endpoint may have.
    pub(crate) async fn call(&mut self) -> AppResult {
        self.open_leg()?;
        let want = streams::unasked(&self.subscriber.endpoint);
        let outcome = self.negotiate(Round::Offer { want: want.clone() }).await;
        let outcome = outcome.and_then(|outcome| match outcome.sdp {
            Some(sdp) => Ok((sdp, outcome.notes)),
            None => Err(Refused::NoMedia),
        });
        let (sdp, notes) = match outcome {
            Ok(outcome) => outcome,
            Err(refused) => {
                self.tell_refused(Side::Us, refused.status(), refused.to_string());
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
        Ok(())
    }

    /// Deals with what woke a leg that is being called.
    pub(crate) async fn on_called(&mut self, wake: Wake) -> Option<News> {
        let result = match wake {
            Wake::Event(ChannelEvent::Progress { status, answer }) => {
                self.on_progress(status, answer).await
            }
            Wake::Event(ChannelEvent::Accepted(answer)) => self.on_accepted(answer).await,
            wake => self.on_wake(wake).await.map(|_| None),
        };
        match result {
            Ok(news) => news,
            Err(Interrupt::Hangup(cause)) => Some(News::Failed(cause)),
            // There is nothing to redirect before somebody has answered.
            Err(Interrupt::Redirect(_)) => None,
        }
    }

    async fn on_progress(&mut self, status: u16, answer: Option<Sdp>) -> AppResult<Option<News>> {
        const RINGING: u16 = 180;
        if let Some(answer) = answer
            && matches!(self.turn, Turn::OursFirst)
        {
            self.on_answer(answer).await?;
        }
        if self.state != State::Dialling || status != RINGING {
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
        // Nothing more is said of a session that was settled before.
        let answer = match (answer, &self.turn) {
            (Some(answer), Turn::OursFirst) => Some(answer),
            (None, Turn::OursFirst) => {
                let text = "the far end answered without a usable description".to_owned();
                self.tell(StoryEvent::Remark { text });
                return Err(self.hangup(Cause::BearerNotAvailable));
            }
            (Some(_) | None, _) => None,
        };
        self.state = State::Up;
        // Our ACK is on its way: either side may offer from now on.
        self.established = true;
        self.tell(StoryEvent::Up);
        if let Some(answer) = answer {
            self.on_answer(answer).await?;
        }
        let streams = streams::in_words(self.topology());
        tracing::info!(channel = self.name(), streams, "call answered");
        Ok(Some(News::Answered))
    }
}
