//! Locks by name: `LOCK()`, `TRYLOCK()`, `UNLOCK()`, so that two calls do not do the same at once.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

use crate::channel::Channel;
use crate::directory::ChannelId;
use crate::event::AppResult;

/// Locks that are held at once.
const LOCKS_MAX: usize = 10_000;

/// Bytes of a lock's name.
const NAME_BYTES_MAX: usize = 256;

/// How long a channel waits for a lock that has one already: two that wait for each other would do so for ever.
const SECOND_LOCK_PATIENCE: Duration = Duration::from_secs(3);

/// The locks that are held.
#[derive(Debug, Default)]
pub(crate) struct Locks {
    /// Held for a look, never over an await.
    held: Mutex<BTreeMap<String, Held>>,
    /// One has been given back.
    freed: Notify,
}

#[derive(Debug)]
struct Held {
    by: ChannelId,
    /// How often it was taken.
    times: usize,
}

impl Locks {
    fn held(&self) -> MutexGuard<'_, BTreeMap<String, Held>> {
        // Nothing is left half done under this lock.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn try_take(&self, name: &str, by: ChannelId) -> bool {
        let mut held = self.held();
        if let Some(known) = held.get_mut(name) {
            known.times = known.times.saturating_add(usize::from(known.by == by));
            return known.by == by;
        }
        let fits = held.len() < LOCKS_MAX && name.len() <= NAME_BYTES_MAX;
        if fits {
            held.insert(name.to_owned(), Held { by, times: 1 });
        }
        fits
    }

    fn give_back(&self, name: &str, by: ChannelId) -> bool {
        let mut held = self.held();
        let Some(known) = held.get_mut(name).filter(|known| known.by == by) else {
            return false;
        };
        known.times -= 1;
        if known.times == 0 {
            held.remove(name);
            self.freed.notify_waiters();
        }
        true
    }

    async fn take(&self, name: &str, by: ChannelId) {
        loop {
            let mut freed = pin!(self.freed.notified());
            // From here on none that is given back is missed.
            freed.as_mut().enable();
            if self.try_take(name, by) {
                return;
            }
            freed.await;
        }
    }

    /// Gives back all that a channel holds.
    pub(crate) fn forget(&self, by: ChannelId) {
        let mut held = self.held();
        let before = held.len();
        held.retain(|_, known| known.by != by);
        if held.len() < before {
            self.freed.notify_waiters();
        }
    }
}

impl Channel {
    /// Takes a lock until it is given back as often as it was taken, or the call is over. `false`: another channel has it.
    pub fn try_lock(&self, name: &str) -> bool {
        self.switch().locks().try_take(name, self.id())
    }

    /// Gives a lock back. `false`: the channel has none of this name.
    pub fn unlock(&self, name: &str) -> bool {
        self.switch().locks().give_back(name, self.id())
    }

    /// Waits for a lock; `false`: not for ever.
    pub(crate) async fn lock(&mut self, name: &str) -> AppResult<bool> {
        let (switch, id) = (self.switch().clone(), self.id());
        if name.len() > NAME_BYTES_MAX {
            return Ok(false);
        }
        let has_one = switch.locks().held().values().any(|held| held.by == id);
        let take = switch.locks().take(name, id);
        if self.ended().is_some() {
            // Nothing interrupts a call that is over, and who waits for it may hold the lock.
            return Ok(timeout(SECOND_LOCK_PATIENCE, take).await.is_ok());
        }
        match has_one || self.is_waited_for() {
            true => {
                let taken = timeout(SECOND_LOCK_PATIENCE, take);
                Ok(self.during(taken).await?.is_ok())
            }
            false => {
                self.during(take).await?;
                Ok(true)
            }
        }
    }
}
