//! Who is told of mailboxes without a subscription, what was told last, and who is told next.
//!
//! Everything is paced: few endpoints are looked at in one turn, fewer are told, and few tasks look for contacts at a
//! time. What comes meanwhile is told with what waits, once.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::sip::Uri;
use switch::Messages;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use crate::sip::driver::watchers::Watchers;
use crate::sip::mwi::{self, Mwi, Telling, Whom};
use crate::sip::shared::Shared;

/// How long changes are gathered, and the answer to a REGISTER goes before the first NOTIFY.
const GATHER: Duration = Duration::from_millis(100);

/// The time between two turns.
const PACE: Duration = Duration::from_millis(50);

/// Endpoints whose mailboxes are read in one turn.
const READ_PER_TURN_MAX: usize = 1_000;

/// Endpoints that are told in one turn.
const TOLD_PER_TURN_MAX: usize = 16;

/// Endpoints whose contacts are looked up at a time.
const LOOKUPS_MAX: usize = 32;

/// Endpoints that are known; files and databases have fewer with contacts.
const KNOWN_MAX: usize = 100_000;

/// Contacts of one endpoint that are remembered as not wanting to hear.
const REFUSED_MAX: usize = 64;

/// See the module.
#[derive(Debug)]
pub(crate) struct Notices {
    known: BTreeMap<String, Known>,
    queue: BTreeMap<String, Whom>,
    /// The next turn.
    at: Option<Instant>,
    /// Mailboxes are being read: those of the endpoints after this one are next.
    reading: Option<Bound<String>>,
    /// Something has changed meanwhile: they are read once more.
    is_stale: bool,
    lookups: Arc<Semaphore>,
}

#[derive(Debug)]
struct Known {
    mwi: Mwi,
    told: Vec<Messages>,
    refused: Vec<String>,
}

impl Default for Notices {
    fn default() -> Self {
        Self {
            known: BTreeMap::new(),
            queue: BTreeMap::new(),
            at: None,
            reading: None,
            is_stale: false,
            lookups: Arc::new(Semaphore::new(LOOKUPS_MAX)),
        }
    }
}

impl Notices {
    /// The next turn.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.at
    }

    /// Contacts have been registered: they are told how things are, whatever they answered before.
    pub(crate) fn registered(&mut self, shared: &Shared, now: Instant, mwi: Mwi, all: Vec<Uri>) {
        let endpoint = mwi.endpoint.clone();
        let is_another = self.knows(shared, mwi);
        if let Some(known) = self.known.get_mut(&endpoint) {
            let is_here = |refused: &String| all.iter().any(|uri| uri.as_str() == refused);
            known.refused.retain(|refused| !is_here(refused));
            self.tell(now, endpoint, is_another, all);
        }
    }

    fn tell(&mut self, now: Instant, endpoint: String, is_another: bool, these: Vec<Uri>) {
        let queued = self.queue.entry(endpoint);
        let queued = queued.or_insert_with(|| Whom::These(Vec::new()));
        match queued {
            _ if is_another => *queued = Whom::All,
            Whom::All => {}
            Whom::These(all) => {
                let new = these.into_iter().filter(|uri| !all.contains(uri));
                let new: Vec<_> = new.collect();
                all.extend(new);
                if all.len() > REFUSED_MAX {
                    *queued = Whom::All;
                }
            }
        }
        self.at.get_or_insert(now + GATHER);
    }

    /// Endpoints with contacts, as the configuration has them now. Who is told of other mailboxes than before hears
    /// of it.
    pub(crate) fn adopt(&mut self, shared: &Shared, now: Instant, all: Vec<Mwi>) {
        for mwi in all {
            if mwi.mailboxes.is_empty() {
                self.known.remove(&mwi.endpoint);
                continue;
            }
            let endpoint = mwi.endpoint.clone();
            if self.knows(shared, mwi) {
                self.tell(now, endpoint, true, Vec::new());
            }
        }
    }

    /// Whether it is told of other mailboxes now, or in another way.
    fn knows(&mut self, shared: &Shared, mwi: Mwi) -> bool {
        let is_full = self.known.len() >= KNOWN_MAX;
        let before = self.known.get_mut(&mwi.endpoint);
        match before {
            Some(known) if known.mwi == mwi => false,
            None if is_full => false,
            before => {
                let refused = before.map(|known| std::mem::take(&mut known.refused));
                let known = Known {
                    told: read(shared, &mwi),
                    refused: refused.unwrap_or_default(),
                    mwi,
                };
                self.known.insert(known.mwi.endpoint.clone(), known);
                true
            }
        }
    }

    /// A contact wants to hear nothing until it is registered anew.
    pub(crate) fn refused(&mut self, endpoint: &str, contact: &Uri) {
        let Some(known) = self.known.get_mut(endpoint) else {
            return;
        };
        tracing::info!(endpoint, "a phone takes no NOTIFY about mailboxes");
        if known.refused.len() >= REFUSED_MAX {
            known.refused.remove(0);
        }
        if !known.refused.iter().any(|one| one == contact.as_str()) {
            known.refused.push(contact.as_str().to_owned());
        }
    }

    /// Something has changed, maybe a mailbox.
    pub(crate) fn changed(&mut self, now: Instant) {
        if !self.known.is_empty() {
            match self.reading {
                Some(_) => self.is_stale = true,
                None => self.reading = Some(Bound::Unbounded),
            }
            self.at.get_or_insert(now + GATHER);
        }
    }

    /// Reads some mailboxes, and tells some endpoints.
    pub(crate) fn on_deadline(
        &mut self,
        shared: &Arc<Shared>,
        watchers: &Watchers,
        tasks: &TaskTracker,
        now: Instant,
    ) {
        if self.at.take_if(|at| *at <= now).is_none() {
            return;
        }
        self.read_some(shared);
        for _ in 0..TOLD_PER_TURN_MAX {
            if self.queue.is_empty() {
                break;
            }
            // Those that are looked up come first.
            let Ok(permit) = Arc::clone(&self.lookups).try_acquire_owned() else {
                break;
            };
            let Some((endpoint, whom)) = self.queue.pop_first() else {
                break;
            };
            let Some(known) = self.known.get(&endpoint) else {
                continue;
            };
            if known.mwi.is_replaced && watchers.hears_of_mailboxes(&endpoint) {
                continue;
            }
            let refused = known.refused.clone();
            let telling = Telling {
                endpoint,
                whom,
                refused,
            };
            let shared = Arc::clone(shared);
            tasks.spawn(async move {
                mwi::tell(&shared, telling).await;
                drop(permit);
            });
        }
        if !self.queue.is_empty() || self.reading.is_some() {
            self.at = Some(now + PACE);
        }
    }

    fn read_some(&mut self, shared: &Shared) {
        let Some(begin) = self.reading.take() else {
            return;
        };
        let mut all = self.known.range_mut((begin, Bound::Unbounded));
        for (endpoint, known) in all.by_ref().take(READ_PER_TURN_MAX) {
            let messages = read(shared, &known.mwi);
            if messages != known.told {
                known.told = messages;
                self.queue.insert(endpoint.clone(), Whom::All);
            }
            self.reading = Some(Bound::Excluded(endpoint.clone()));
        }
        if all.next().is_none() {
            let is_again = std::mem::take(&mut self.is_stale);
            self.reading = is_again.then_some(Bound::Unbounded);
        }
    }

    /// Forgets endpoints without a contact.
    pub(crate) fn sweep(&mut self, shared: &Shared) {
        let location = shared.location();
        let written: BTreeSet<&str> = location.all_written().map(|(aor, _)| aor).collect();
        self.known.retain(|_, known| {
            let mut aors = known.mwi.aors.iter();
            aors.any(|aor| !location.contacts(aor).is_empty() || written.contains(aor.as_str()))
        });
    }
}

fn read(shared: &Shared, mwi: &Mwi) -> Vec<Messages> {
    let mailboxes = mwi.mailboxes.iter();
    mailboxes.map(|name| shared.switch.mailbox(name)).collect()
}
