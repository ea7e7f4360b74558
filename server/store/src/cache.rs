//! Answers kept for a second: one query for many askers, and a bound on what strangers can fill. And
//! what was known last, for when the database is away.

use crate::StoreError;
use crate::identifies::Remembered;
use config::Subscriber;
use dialplan::Extensions;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::SetOnce;
use tokio::time::Instant;

/// What the database said of a name; that there is nothing of that name is an answer too.
pub(crate) type Answer<T = Subscriber> = Result<Option<Arc<T>>, StoreError>;
/// An answer, or the place where all who wait for one query find it.
pub(crate) type Slot<T = Subscriber> = Arc<SetOnce<Answer<T>>>;

/// Names remembered at once, of endpoints that exist and of those that do not.
pub const SUBSCRIBERS_CACHED_MAX: usize = 20_000;
/// How old an answer may be, counted from before it was asked for.
pub(crate) const AGE_MAX: Duration = Duration::from_secs(1);
/// Endpoints of which the last answer is kept for when the database is away; those that were asked
/// for least recently make room.
pub const SUBSCRIBERS_KNOWN_MAX: usize = 50_000;
/// How old such an answer may be.
pub const KNOWN_AGE_MAX: Duration = Duration::from_secs(24 * 3600);
/// Extensions of tables remembered at once, those that exist and those that do not.
pub const EXTENSIONS_CACHED_MAX: usize = 10_000;
/// Extensions of tables kept for when the database is away.
pub const EXTENSIONS_KNOWN_MAX: usize = 10_000;

/// What is remembered of each table.
pub(crate) struct Cache {
    subscribers: Kept<Subscriber>,
    /// By table, context and what was dialled.
    pub(crate) extensions: Kept<Extensions>,
    /// What requests are known by besides their user.
    pub(crate) identifies: Remembered,
}

/// Two generations: when the young one is a second old or full it becomes the old one, and the old
/// one is forgotten whole. So nothing is searched for what is stale, however many names are asked.
pub(crate) struct Kept<T> {
    young: HashMap<Box<str>, Entry<T>>,
    old: HashMap<Box<str>, Entry<T>>,
    turned: Instant,
    cached_max: usize,
    /// Two generations as well; the young one turns when it is full.
    known_young: HashMap<Box<str>, Known<T>>,
    known_old: HashMap<Box<str>, Known<T>>,
    known_max: usize,
}

struct Entry<T> {
    slot: Slot<T>,
    since: Instant,
}

struct Known<T> {
    object: Arc<T>,
    since: Instant,
}

impl Cache {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            subscribers: Kept::new(now, SUBSCRIBERS_CACHED_MAX, SUBSCRIBERS_KNOWN_MAX),
            extensions: Kept::new(now, EXTENSIONS_CACHED_MAX, EXTENSIONS_KNOWN_MAX),
            identifies: Remembered::default(),
        }
    }

    /// The slot of an endpoint; see [`Kept::slot`].
    pub(crate) fn slot(&mut self, id: &str, now: Instant) -> (Slot, bool) {
        self.subscribers.slot(id, now)
    }

    /// Remembers what the database said of an endpoint, for when it is away.
    pub(crate) fn learn(&mut self, id: &str, answer: Option<&Arc<Subscriber>>, now: Instant) {
        self.subscribers.learn(id, answer, now);
    }

    /// What the database said last of an endpoint, if that is not too long ago.
    pub(crate) fn known(&self, id: &str, now: Instant) -> Option<Arc<Subscriber>> {
        self.subscribers.known(id, now)
    }

    /// Every answer must be asked for again; what is known for bad times stays.
    pub(crate) fn clear(&mut self) {
        self.subscribers.clear();
        self.extensions.clear();
        self.identifies.forget();
    }

    pub(crate) fn len(&self) -> usize {
        self.subscribers.len()
    }

    pub(crate) fn known_len(&self) -> usize {
        self.subscribers.known_len()
    }
}

impl<T> Kept<T> {
    fn new(now: Instant, cached_max: usize, known_max: usize) -> Self {
        Self {
            young: HashMap::new(),
            old: HashMap::new(),
            turned: now,
            cached_max,
            known_young: HashMap::new(),
            known_old: HashMap::new(),
            known_max,
        }
    }

    /// The slot of a name, and whether it is a fresh one, which the caller must see filled. Another
    /// is at most [`AGE_MAX`] old, or its answer is still on its way.
    pub(crate) fn slot(&mut self, id: &str, now: Instant) -> (Slot<T>, bool) {
        if now.duration_since(self.turned) >= AGE_MAX || self.young.len() >= self.cached_max / 2 {
            self.old = std::mem::take(&mut self.young);
            self.turned = now;
        }
        let known = self.young.get(id).or_else(|| self.old.get(id));
        if let Some(entry) = known
            && (now.duration_since(entry.since) < AGE_MAX || !entry.slot.initialized())
        {
            return (entry.slot.clone(), false);
        }
        let slot = Slot::default();
        let entry = Entry {
            slot: slot.clone(),
            since: now,
        };
        self.young.insert(id.into(), entry);
        (slot, true)
    }

    /// Remembers what the database said, for when it is away.
    pub(crate) fn learn(&mut self, id: &str, answer: Option<&Arc<T>>, now: Instant) {
        let Some(object) = answer else {
            self.known_young.remove(id);
            self.known_old.remove(id);
            return;
        };
        if self.known_young.len() >= self.known_max / 2 {
            self.known_old = std::mem::take(&mut self.known_young);
        }
        let known = Known {
            object: Arc::clone(object),
            since: now,
        };
        self.known_young.insert(id.into(), known);
    }

    /// What the database said last, if that is not too long ago.
    pub(crate) fn known(&self, id: &str, now: Instant) -> Option<Arc<T>> {
        let known = self
            .known_young
            .get(id)
            .or_else(|| self.known_old.get(id))?;
        let young = now.duration_since(known.since) < KNOWN_AGE_MAX;
        young.then(|| Arc::clone(&known.object))
    }

    fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    fn known_len(&self) -> usize {
        self.known_young.len() + self.known_old.len()
    }
}

#[cfg(test)]
mod tests {
    use super::{AGE_MAX, Cache, KNOWN_AGE_MAX, SUBSCRIBERS_CACHED_MAX, SUBSCRIBERS_KNOWN_MAX};
    use config::{Endpoint, Object as _, Subscriber};
    use std::sync::Arc;
    use std::time::Duration;
    use tokio::time::Instant;

    #[test]
    fn askers_within_a_second_share_a_slot_and_later_ones_do_not() {
        let start = Instant::now();
        let mut cache = Cache::new(start);
        let (first, fresh) = cache.slot("alice", start);
        assert!(fresh);
        first.set(Ok(None)).unwrap();
        let (second, fresh) = cache.slot("alice", start + AGE_MAX - Duration::from_millis(1));
        assert!(Arc::ptr_eq(&first, &second) && !fresh);
        let (third, fresh) = cache.slot("alice", start + AGE_MAX);
        assert!(!Arc::ptr_eq(&first, &third) && fresh);
    }

    #[test]
    fn an_entry_made_just_before_the_turn_outlives_it() {
        let start = Instant::now();
        let mut cache = Cache::new(start);
        let late = start + Duration::from_millis(900);
        let (first, _) = cache.slot("alice", late);
        first.set(Ok(None)).unwrap();
        let (second, _) = cache.slot("alice", late + Duration::from_millis(900));
        let (third, _) = cache.slot("alice", late + Duration::from_millis(1000));
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

    #[test]
    fn a_question_on_its_way_is_not_asked_twice() {
        let start = Instant::now();
        let mut cache = Cache::new(start);
        let (first, _) = cache.slot("alice", start);
        let (second, fresh) = cache.slot("alice", start + AGE_MAX);
        assert!(Arc::ptr_eq(&first, &second) && !fresh);
    }

    #[test]
    fn what_was_known_is_kept_in_bounds_and_not_for_ever() {
        let start = Instant::now();
        let mut cache = Cache::new(start);
        let subscriber = Arc::new(Subscriber {
            endpoint: Endpoint::named("any"),
            auths: Vec::new(),
            aors: Vec::new(),
            outbound_auths: Vec::new(),
        });
        for number in 0..2 * SUBSCRIBERS_KNOWN_MAX {
            cache.learn(&number.to_string(), Some(&subscriber), start);
            // One who comes again and again is not forgotten.
            cache.learn("alice", Some(&subscriber), start);
            assert!(cache.known_len() <= SUBSCRIBERS_KNOWN_MAX + 1);
        }
        assert!(cache.known("alice", start).is_some());
        assert!(cache.known("0", start).is_none());
        assert!(cache.known("alice", start + KNOWN_AGE_MAX).is_none());
        cache.learn("alice", None, start);
        assert!(cache.known("alice", start).is_none());
    }
}
