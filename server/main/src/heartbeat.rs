//! The watchdog: alive is who answers. Every machine that calls depend on is asked, and the service
//! manager hears of it only when all have answered.

use std::sync::Arc;
use std::time::Duration;

use signal::Signal;
use switch::Switch;
use tokio::time::timeout;

use crate::notify::{self, Notify};
use crate::planes::Planes;

/// Who must answer.
pub(crate) struct Machines {
    pub(crate) switch: Switch,
    pub(crate) signal: Arc<Signal>,
    pub(crate) planes: Arc<Planes>,
}

impl Machines {
    /// What `systemctl status` shows.
    pub(crate) fn status(&self) -> String {
        let calls = self.switch.directory().count();
        let contacts = self.signal.counts().bindings;
        match self.switch.stop_asked() {
            Some(stop) => format!("{calls} calls left before the stop by {}", stop.by),
            None => format!("{calls} calls, {contacts} registered contacts"),
        }
    }

    /// Whether signalling and every media thread answer in time.
    async fn respond(&self, limit: Duration) -> Result<(), &'static str> {
        let signal = timeout(limit, self.signal.respond());
        signal.await.map_err(|_| "the signalling driver")?;
        let media = timeout(limit, self.planes.respond());
        media.await.map_err(|_| "a media thread")
    }
}

/// Tells that all is well as often as is wanted. Ends with the runtime.
pub(crate) async fn run(machines: Machines, notify: Notify) {
    if !notify.is_wanted() {
        return;
    }
    let wanted = notify::heartbeat();
    let mut turns = tokio::time::interval(wanted.unwrap_or(STATUS_EVERY));
    turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        turns.tick().await;
        let status = machines.status();
        let Some(limit) = wanted else {
            notify.status(&status);
            continue;
        };
        match machines.respond(limit).await {
            Ok(()) => notify.alive(&status),
            Err(who) => {
                tracing::error!(
                    "{who} does not respond within {limit:?}; the service manager is not told that all is well"
                );
                notify.status(&format!("{who} does not respond"));
            }
        }
    }
}

/// Without a watchdog the status is news enough.
const STATUS_EVERY: Duration = Duration::from_secs(10);
