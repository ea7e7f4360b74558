//! Another channel is fetched out of whatever it does, to talk to this one (`Bridge`).
//!
//! It comes as one does that takes a place ([`Seat`](crate::transfer::Seat)): it leaves its task, and arrives in the inbox of
//! the one that fetched it.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::Channel;
use crate::directory::ChannelHandle;
use crate::event::{AppResult, Control, Happened};
use crate::transfer::Newcomer;

/// How long a channel may take to come. One that reads its inbox comes at once.
const COMES_WITHIN: Duration = Duration::from_secs(2);

/// A channel that has been fetched.
#[derive(Default)]
pub(super) enum Guest {
    #[default]
    Nobody,
    Expected,
    Here(Box<Channel>),
}

impl Channel {
    /// Fetches another channel out of whatever it does. `None`: it does not come.
    pub async fn fetch(&mut self, other: &ChannelHandle) -> AppResult<Option<Self>> {
        // Who is over fetches nobody.
        self.catch_up().await?;
        let end = Instant::now() + COMES_WITHIN;
        self.guest = Guest::Expected;
        self.condition().expect(Some(other.id()));
        let asked = other.control(Control::Visit(self.handle().seat().visited()));
        let came = match asked {
            true => self.receive(end).await,
            false => Ok(()),
        };
        self.condition().expect(None);
        let guest = std::mem::take(&mut self.guest);
        came.map(|()| match guest {
            Guest::Here(guest) => Some(*guest),
            Guest::Nobody | Guest::Expected => None,
        })
    }

    async fn receive(&mut self, end: Instant) -> AppResult {
        while !matches!(self.guest, Guest::Here(_)) {
            let wake = tokio::select! {
                biased;
                wake = self.wake() => wake,
                () = sleep_until(end) => return Ok(()),
            };
            if let Some(Happened::Digit(digit)) = self.on_wake(wake).await? {
                self.keep_digit(digit);
            }
        }
        Ok(())
    }

    /// A channel comes that may have been fetched.
    pub(super) fn on_guest(&mut self, newcomer: Newcomer) {
        match (&self.guest, newcomer) {
            (Guest::Expected, newcomer) => {
                if let Some(guest) = newcomer.into_channel() {
                    self.guest = Guest::Here(guest);
                }
            }
            (Guest::Nobody | Guest::Here(_), newcomer) => newcomer.turn_away(),
        }
    }

    /// Whether it goes through the dial plan by itself, so that it can go on there.
    pub fn is_in_the_plan(&self) -> bool {
        !self.at.context.is_empty() && self.record.has_own()
    }
}
