//! How long a caller may take: between digits, before the first, and altogether.

use std::time::Duration;

use dialplan::Position;
use tokio::time::Instant;

use super::Channel;
use super::waiting::after;
use crate::event::Interrupt;
use crate::pbx::{ABSOLUTE, DIGIT_TIMEOUT, RESPONSE_TIMEOUT};
use crate::story::StoryEvent;

/// `TIMEOUT(…)` of a channel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    digit: Duration,
    response: Duration,
    pub(super) absolute: Option<Instant>,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            digit: DIGIT_TIMEOUT,
            response: RESPONSE_TIMEOUT,
            absolute: None,
        }
    }
}

impl Channel {
    /// How long the caller may take between two digits.
    pub fn digit_timeout(&self) -> Duration {
        self.timeouts.digit
    }

    /// How long the caller may take before the first digit.
    pub fn response_timeout(&self) -> Duration {
        self.timeouts.response
    }

    /// How long the call may still last; `None`: for ever.
    pub fn absolute_timeout(&self) -> Option<Duration> {
        let end = self.timeouts.absolute?;
        Some(end.saturating_duration_since(Instant::now()))
    }

    /// Sets how long the caller may take between two digits.
    pub fn set_digit_timeout(&mut self, timeout: Duration) {
        self.timeouts.digit = timeout;
    }

    /// Sets how long the caller may take before the first digit.
    pub fn set_response_timeout(&mut self, timeout: Duration) {
        self.timeouts.response = timeout;
    }

    /// Sets how long the call may last from now on; `None`: for ever. Then it goes on at extension `T` of
    /// its context, or ends where there is none.
    pub fn set_absolute_timeout(&mut self, timeout: Option<Duration>) {
        self.timeouts.absolute = timeout.map(after);
    }

    /// The caller has begun to dial another extension of the context. Its further digits are waited for
    /// as soon as the application returns.
    pub fn dials(&mut self, digits: &str) {
        self.dialled = Some(digits.to_owned());
    }

    /// What the caller has begun to dial.
    pub(crate) fn take_dialled(&mut self) -> Option<String> {
        self.dialled.take()
    }

    /// Whether the caller has begun to dial.
    pub(crate) fn has_dialled(&self) -> bool {
        self.dialled.is_some()
    }

    /// The call has lasted as long as it may.
    pub(super) fn on_time_up(&mut self) -> Interrupt {
        self.timeouts.absolute = None;
        let text = "TIMEOUT(absolute) is over".to_owned();
        self.tell(StoryEvent::Remark { text });
        Interrupt::Redirect(Position {
            context: self.at.context.clone(),
            exten: ABSOLUTE.to_owned(),
            priority: 1,
        })
    }
}
