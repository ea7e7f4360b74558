//! What ends the exchange: Ctrl-C or SIGTERM.

use anyhow::{Context as _, Result};
use switch::Switch;
use tokio::signal::unix::{Signal, SignalKind, signal};

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

    /// Asks the switch to stop for each of them. Never ends.
    pub(crate) async fn watch<T>(&mut self, switch: &Switch) -> T {
        loop {
            let by = tokio::select! {
                Some(()) = self.interrupt.recv() => "Ctrl-C",
                Some(()) = self.terminate.recv() => "SIGTERM",
                else => std::future::pending().await,
            };
            switch.ask_stop(switch::Stop::now(by));
        }
    }
}
