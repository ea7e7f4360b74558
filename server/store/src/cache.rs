//! Answers kept for a second: one query for many askers, and a bound on what strangers can fill.

use crate::StoreError;
use config::Subscriber;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OnceCell;
use tokio::time::Instant;

/// What the database said of a name; that there is no such endpoint is an answer too.
pub(crate) type Answer = Result<Option<Arc<Subscriber>>, StoreError>;
/// An answer, or the place where all who wait for one query find it.
pub(crate) type Slot = Arc<OnceCell<Answer>>;

/// Names remembered at once, of endpoints that exist and of those that do not.
pub const SUBSCRIBERS_CACHED_MAX: usize = 20_000;
/// How old an answer may be, counted from before it was asked for.
pub(crate) const AGE_MAX: Duration = Duration::from_secs(1);

/// Two generations: when the young one is a second old or full it becomes the old one, and the old
/// one is forgotten whole. So nothing is searched for what is stale, however many names are asked.
pub(crate) struct Cache {
    young: HashMap<Box<str>, Entry>,
    old: HashMap<Box<str>, Entry>,
    turned: Instant,
}

struct Entry {
    slot: Slot,
    since: Instant,
}

impl Cache {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            young: HashMap::new(),
            old: HashMap::new(),
            turned: now,
        }
    }

    /// The slot of a name: a fresh one, or one that is at most [`AGE_MAX`] old.
    pub(crate) fn slot(&mut self, id: &str, now: Instant) -> Slot {
        if now.duration_since(self.turned) >= AGE_MAX
            || self.young.len() >= SUBSCRIBERS_CACHED_MAX / 2
        {
            self.old = std::mem::take(&mut self.young);
            self.turned = now;
        }
        let known = self.young.get(id).or_else(|| self.old.get(id));
        if let Some(entry) = known
            && now.duration_since(entry.since) < AGE_MAX
        {
            return entry.slot.clone();
        }
        let slot = Slot::default();
        let entry = Entry {
            slot: slot.clone(),
            since: now,
        };
        self.young.insert(id.into(), entry);
        slot
    }

    pub(crate) fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

#[cfg(test)]
mod tests {
    use super::{AGE_MAX, Cache, SUBSCRIBERS_CACHED_MAX};
    use std::sync::Arc;
    use std::time::Duration;
    use tokio::time::Instant;

    #[test]
    fn askers_within_a_second_share_a_slot_and_later_ones_do_not() {
        let start = Instant::now();
        let mut cache = Cache::new(start);
        let first = cache.slot("alice", start);
        let second = cache.slot("alice", start + AGE_MAX - Duration::from_millis(1));
        let third = cache.slot("alice", start + AGE_MAX);
        assert!(Arc::ptr_eq(&first, &second));
        assert!(!Arc::ptr_eq(&first, &third));
    }

    #[test]
    fn an_entry_made_just_before_the_turn_outlives_it() {
        let start = Instant::now();
        let mut cache = Cache::new(start);
        let late = start + Duration::from_millis(900);
        let first = cache.slot("alice", late);
        let second = cache.slot("alice", late + Duration::from_millis(900));
        let third = cache.slot("alice", late + Duration::from_millis(1000));
        assert!(Arc::ptr_eq(&first, &second));
        assert!(!Arc::ptr_eq(&second, &third));
    }

    #[test]
    fn a_flood_of_names_does_not_grow_it_without_bound() {
        let start = Instant::now();
        let mut cache = Cache::new(start);
        for number in 0..3 * SUBSCRIBERS_CACHED_MAX {
            cache.slot(&number.to_string(), start);
            assert!(cache.len() <= SUBSCRIBERS_CACHED_MAX);
        }
    }
}
