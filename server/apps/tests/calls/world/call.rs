//! The far end of a call, in the test's hands.

use std::time::Duration;

use media::{Digit, DigitEvent, DigitForm, LegEvent};
use switch::{Cause, ChannelEvent, ChannelHandle, InboxSender};

use super::{Ladder, pass, seconds, settle};

/// The far end of a call.
pub(crate) struct Call {
    pub(crate) handle: ChannelHandle,
    pub(crate) inbox: InboxSender,
    pub(super) ladder: Ladder,
}

impl Call {
    /// Something happens, and the call deals with it.
    pub(crate) async fn send(&self, event: impl Into<ChannelEvent>) {
        self.inbox.send(event);
        settle().await;
    }

    pub(crate) async fn press(&self, digit: char) {
        self.send(ChannelEvent::digit(digit)).await;
    }

    /// A digit as telephone events: it is let go after a time.
    pub(crate) async fn events(&self, digit: char, duration: Duration) {
        self.in_media(DigitForm::Event, digit, duration).await;
    }

    /// A digit as tones.
    pub(crate) async fn tones(&self, digit: char, duration: Duration) {
        self.in_media(DigitForm::Tone, digit, duration).await;
    }

    async fn in_media(&self, form: DigitForm, digit: char, duration: Duration) {
        let event = DigitEvent::Began(digit);
        self.send(LegEvent::Digit { form, event }).await;
        pass(duration).await;
        let event = DigitEvent::Ended(Digit { digit, duration });
        self.send(LegEvent::Digit { form, event }).await;
    }

    pub(crate) async fn leave(&self) {
        self.send(ChannelEvent::Hangup(Cause::NormalClearing)).await;
    }

    pub(crate) fn is_over(&self) -> bool {
        self.handle.is_gone()
    }

    /// The application that runs, with its arguments.
    pub(crate) fn runs(&self) -> String {
        self.handle.info().application.clone()
    }

    /// Waits until the ladder has this line so many times: a file is read outside of the paused clock.
    pub(crate) async fn sees(&self, line: &str, count: usize) {
        let end = std::time::Instant::now() + seconds(10);
        while self.ladder.count(line) < count {
            assert!(std::time::Instant::now() < end, "{:?}", self.ladder.lines());
            std::thread::yield_now();
            settle().await;
        }
    }

    /// Waits until the call is over, likewise.
    pub(crate) async fn ends(&self) {
        self.sees("leg closed", 1).await;
        settle().await;
        assert!(self.is_over());
    }

    /// Whether signalling was told this.
    pub(crate) fn saw(&self, line: &str) -> bool {
        self.ladder.has(line)
    }
}
