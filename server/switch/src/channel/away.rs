//! Sending the far end on: it is to call somebody else instead of us (302 or REFER).

use tokio::time::{Duration, Instant, sleep_until};

use super::{Channel, State};
use crate::cause::Cause;
use crate::event::{AppResult, Happened};
use crate::story::{Side, StoryEvent};

/// How long the far end may take to say what came of it. A phone that was sent on rings as long as others do.
const AWAY_PATIENCE: Duration = Duration::from_secs(60);

impl Channel {
    /// Tells the far end to call somebody else. Before the answer that ends the call (302); after it, the far
    /// end says what came of it (REFER): a SIP status, or nothing in time.
    pub async fn send_away(&mut self, to: &str) -> AppResult<Option<u16>> {
        self.catch_up().await?;
        let text = format!("is asked to call {to} instead");
        match self.state {
            State::Ringing => {
                self.tell(StoryEvent::Remark { text });
                self.signaling.send_away(to);
                return Err(self.end(Side::Us, Cause::RedirectedToNewDestination));
            }
            State::Up => {}
            State::Dialling | State::Alerting | State::Ended { .. } => return Ok(None),
        }
        self.tell(StoryEvent::Remark { text });
        self.went_away = None;
        self.signaling.send_away(to);
        let end = Instant::now() + AWAY_PATIENCE;
        while self.went_away.is_none() {
            let wake = tokio::select! {
                biased;
                wake = self.wake() => wake,
                () = sleep_until(end) => break,
            };
            if let Some(Happened::Digit(digit)) = self.on_wake(wake).await? {
                self.keep_digit(digit);
            }
        }
        Ok(self.went_away.take())
    }
}
