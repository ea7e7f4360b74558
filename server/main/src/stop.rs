//! What ends the exchange: Ctrl-C or SIGTERM.

use std::time::Duration;

use anyhow::{Context as _, Result};
use switch::Switch;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

use crate::notify::Notify;

/// Listens from its creation on, so that a signal during the start is not lost.
pub(crate) struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    /// # Errors
    ///
    /// When the system refuses signal handlers.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).context("cannot listen for Ctrl-C")?,
            terminate: signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?,
        })
    }

    /// Asks the switch to stop. SIGTERM lets calls end for `drain` and refuses new ones; a second signal, or
    /// Ctrl-C, ends them at once. Never ends.
    pub(crate) async fn watch<T>(
        &mut self,
        switch: &Switch,
        notify: &Notify,
        drain: impl Fn() -> Duration,
    ) -> T {
        let mut due = None;
        loop {
            let over = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            let stop = tokio::select! {
                Some(()) = self.interrupt.recv() => switch::Stop::now("Ctrl-C"),
                Some(()) = self.terminate.recv() => match (due, drain()) {
                    (None, drain) if !drain.is_zero() => {
                        due = Some(Instant::now() + drain);
                        let calls = switch.directory().count();
                        let sentence = format!(
                            "{calls} calls have {} s to end; new ones are refused", drain.as_secs()
                        );
                        notify.stopping(&sentence, drain);
                        if calls > 0 {
                            tracing::info!("SIGTERM: {sentence}; a second SIGTERM ends them at once");
                        }
                        switch::Stop::gracefully("SIGTERM")
                    }
                    _ => switch::Stop::now("SIGTERM"),
                },
                () = over => {
                    due = None;
                    switch::Stop::now("SIGTERM")
                }
                else => std::future::pending().await,
            };
            switch.ask_stop(stop);
        }
    }
}
