//! How the exchange ends: at once, when its calls are over, or when nobody calls.
//!
//! Asked for by an operator or by a signal, carried out by whoever waits in [`Switch::until_stop`].
//! Until it is due it can be taken back.

use tokio::sync::watch;

use crate::switch::Switch;

/// A stop that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// When it is due.
    pub when: When,
    /// What comes after it.
    pub then: Then,
    /// Who asked, for the log: `SIGTERM`, `core stop now`.
    pub by: String,
}

/// When a stop is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// At once; calls are hung up.
    Now,
    /// When the running calls are over. New ones are refused meanwhile.
    Gracefully,
    /// As soon as there is no call. New ones are taken meanwhile.
    Convenient,
}

/// What comes after a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// The process ends.
    Leave,
    /// The program starts anew, as the same process.
    Restart,
}

impl Stop {
    /// A stop at once, with nothing after it.
    pub fn now(by: impl Into<String>) -> Self {
        Self {
            when: When::Now,
            then: Then::Leave,
            by: by.into(),
        }
    }

    /// The same once the running calls are over.
    pub fn gracefully(by: impl Into<String>) -> Self {
        Self {
            when: When::Gracefully,
            ..Self::now(by)
        }
    }
}

/// The stop that is asked for, if any, and those who wait for it.
#[derive(Debug)]
pub(crate) struct Asked(watch::Sender<Option<Stop>>);

impl Default for Asked {
    fn default() -> Self {
        Self(watch::channel(None).0)
    }
}

impl Asked {
    /// Whether new calls are refused.
    pub(crate) fn refuses_calls(&self) -> bool {
        let asked = self.0.borrow();
        asked.as_ref().is_some_and(|stop| match stop.when {
            When::Now | When::Gracefully => true,
            When::Convenient => false,
        })
    }
}

impl Switch {
    /// Asks for a stop; one asked for before is replaced, unless that one is due at once.
    pub fn ask_stop(&self, stop: Stop) {
        self.asked().0.send_if_modified(|asked| {
            let is_due = asked.as_ref().is_some_and(|stop| stop.when == When::Now);
            if !is_due {
                *asked = Some(stop);
            }
            !is_due
        });
    }

    /// Takes a stop back, if it is not under way, and returns it.
    pub fn abort_stop(&self) -> Option<Stop> {
        let mut aborted = None;
        self.asked().0.send_if_modified(|asked| {
            if asked.as_ref().is_some_and(|stop| stop.when != When::Now) {
                aborted = asked.take();
            }
            aborted.is_some()
        });
        aborted
    }

    /// The stop that is asked for.
    pub fn stop_asked(&self) -> Option<Stop> {
        self.asked().0.borrow().clone()
    }

    /// Waits until a stop is due and returns it. It is under way from then on.
    pub async fn until_stop(&self) -> Stop {
        let mut seen = self.asked().0.subscribe();
        loop {
            let asked = seen.borrow_and_update().clone();
            let changed = async {
                // The other end lives as long as the switch.
                let _ = seen.changed().await;
            };
            match asked {
                None => changed.await,
                Some(stop) if stop.when == When::Now => return stop,
                Some(_) => tokio::select! {
                    () = changed => {}
                    () = self.directory().until_empty() => {
                        // Taken back, or made a restart, at the last moment: `changed` tells.
                        let stop = self.stop_asked();
                        if let Some(stop) = stop {
                            let due = Stop { when: When::Now, ..stop };
                            self.ask_stop(due.clone());
                            return due;
                        }
                    }
                },
            }
        }
    }
}
