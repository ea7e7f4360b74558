//! What others see of a channel: its variables, which they may also set, and those it shares.
//!
//! The variables themselves belong to the task of the call; what is here is a copy for `IMPORT()` and
//! `MASTER_CHANNEL()`, so that nobody waits for a call that is busy, maybe with the one who asks.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::directory::ChannelHandle;
use crate::variables::{SetError, VARIABLES_MAX, Variables};

/// What others may have set before the call takes it, at its next step.
const GIVEN_MAX: usize = 100;

/// What is seen of one channel.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Held for a look, never over an await.
    known: Mutex<Known>,
    shared: Mutex<Variables>,
}

#[derive(Debug, Default)]
struct Known {
    values: BTreeMap<String, String>,
    given: Vec<(String, String)>,
}

impl Seen {
    fn known(&self) -> MutexGuard<'_, Known> {
        // Nothing is left half done under this lock.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The channel has set a variable, or is going to: what it then has no room for is not kept here either.
    pub(crate) fn show(&self, name: &str, value: &str) {
        let values = &mut self.known().values;
        let has_room = values.len() < VARIABLES_MAX || values.contains_key(name);
        match value {
            "" => drop(values.remove(name)),
            _ if !has_room => {}
            value => drop(values.insert(name.to_owned(), value.to_owned())),
        }
    }

    /// What others have set since.
    pub(crate) fn take_given(&self) -> Vec<(String, String)> {
        std::mem::take(&mut self.known().given)
    }

    /// The variables that every channel may read and set by the name of this one.
    pub(crate) fn shared(&self) -> MutexGuard<'_, Variables> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ChannelHandle {
    /// The value of a variable of the channel.
    pub fn variable(&self, name: &str) -> Option<String> {
        self.seen().known().values.get(name).cloned()
    }

    /// Sets a variable of the channel, which has it at its next step.
    ///
    /// # Errors
    ///
    /// As when it sets it itself, and when it takes none for a long time.
    pub fn give(&self, name: &str, value: &str) -> Result<(), SetError> {
        // The same rules, and how the name is read.
        Variables::default().set(name, value)?;
        let mut known = self.seen().known();
        if known.given.len() >= GIVEN_MAX {
            return Err(SetError::TooMany);
        }
        known.given.push((name.to_owned(), value.to_owned()));
        drop(known);
        self.seen().show(name.trim_start_matches('_'), value);
        Ok(())
    }

    /// A variable that all channels may read.
    pub fn shared(&self, name: &str) -> Option<String> {
        self.seen().shared().value(name).map(str::to_owned)
    }

    /// Sets one.
    ///
    /// # Errors
    ///
    /// When the name or the value cannot be, or there are too many.
    pub fn share(&self, name: &str, value: &str) -> Result<(), SetError> {
        self.seen().shared().set(name, value)
    }
}
