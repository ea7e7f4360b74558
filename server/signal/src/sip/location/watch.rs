//! Which contact is asked when, and what is known of it.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::sip::Uri;

use super::{BINDINGS_MAX, Binding, Location};
use crate::sip::outbound::Route;
use crate::sip::qualify::{ContactStatus, Probe, Qualify, Watch};
use crate::sip::resolve::Hop;

/// Plans that are kept; those of contacts that are gone go first.
const PLANS_MAX: usize = 2 * BINDINGS_MAX;

/// A contact that stands in a file and needs no registration.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    pub(crate) uri: Uri,
    /// An endpoint that names its address.
    pub(crate) endpoint: String,
    /// Where it is reached, the best first; one at least.
    pub(crate) hops: Vec<Hop>,
    /// The Route to it.
    pub(crate) path: Vec<String>,
    pub(crate) watch: Watch,
}

impl Written {
    /// Whether it is worth calling.
    pub(crate) fn answers(&self) -> bool {
        self.watch.answers()
    }

    /// Where it is reached first.
    pub(crate) fn remote(&self) -> SocketAddr {
        let known = self.hops.first().and_then(Hop::address);
        known.unwrap_or_else(|| SocketAddr::from(([0, 0, 0, 0], 0)))
    }

    fn probe(&self, aor: &str, qualify: Arc<Qualify>) -> Probe {
        Probe {
            aor: aor.to_owned(),
            id: self.watch.id,
            uri: self.uri.clone(),
            route: Route::Hops(self.hops.clone()),
            path: self.path.clone(),
            qualify,
        }
    }
}

impl Location {
    /// The contacts a file gives to an address; what is known of those that stay is kept.
    pub(crate) fn write(&mut self, aor: &str, mut contacts: Vec<Written>) {
        let before = self.written.remove(aor).unwrap_or_default();
        for contact in &mut contacts {
            let known = before.iter().find(|known| known.uri == contact.uri);
            contact.watch = known.map(|known| known.watch.clone()).unwrap_or_default();
        }
        self.written.insert(aor.to_owned(), contacts);
    }

    /// Forgets written contacts of addresses that have none any more.
    pub(crate) fn keep_written(&mut self, aors: &BTreeSet<String>) {
        self.written.retain(|aor, _| aors.contains(aor));
    }

    /// The addresses with written contacts, each with an endpoint that names it.
    pub(crate) fn written_aors(&self) -> Vec<(String, String)> {
        let written = self.written.iter();
        let named =
            written.filter_map(|(aor, all)| Some((aor.clone(), all.first()?.endpoint.clone())));
        named.collect()
    }

    /// The written contacts of one address.
    pub(crate) fn written(&self, aor: &str) -> &[Written] {
        self.written.get(aor).map(Vec::as_slice).unwrap_or_default()
    }

    /// Every written contact with its address.
    pub(crate) fn all_written(&self) -> impl Iterator<Item = (&str, &Written)> {
        let written = self.written.iter();
        written.flat_map(|(aor, all)| all.iter().map(move |one| (aor.as_str(), one)))
    }

    /// The contacts of an address are asked like this from now on, new ones at a random moment within
    /// `first`, so that a restart does not make all phones answer at once.
    pub(crate) fn watch(
        &mut self,
        aor: &str,
        qualify: &Arc<Qualify>,
        now: Instant,
        first: Duration,
    ) {
        let bindings = self.aors.get_mut(aor).into_iter().flatten();
        let written = self.written.get_mut(aor).into_iter().flatten();
        let watches = bindings.map(|binding| &mut binding.watch);
        for watch in watches.chain(written.map(|written| &mut written.watch)) {
            if watch.id == 0 {
                self.next_watch += 1;
                watch.id = self.next_watch;
            }
            watch.qualify = Some(Arc::clone(qualify));
            if qualify.every.is_zero() {
                if let Some(at) = watch.at.take() {
                    self.plans.remove(&(at, watch.id));
                }
                watch.status = ContactStatus::NotQualified;
            } else if watch.at.is_none() {
                let at = now + spread(watch.id, first.min(qualify.every));
                watch.at = Some(at);
                watch.status = ContactStatus::Unknown;
                self.plans.insert((at, watch.id), aor.to_owned());
            }
        }
        if self.plans.len() > PLANS_MAX {
            self.prune();
        }
    }

    /// When the next contact is asked.
    pub(crate) fn next_probe(&self) -> Option<Instant> {
        self.plans.first_key_value().map(|((at, _), _)| *at)
    }

    /// The contacts to be asked by now, not more than `most`; each is planned anew.
    pub(crate) fn due(&mut self, now: Instant, most: usize) -> Vec<Probe> {
        let mut probes = Vec::new();
        while probes.len() < most
            && let Some(entry) = self.plans.first_entry()
            && entry.key().0 <= now
        {
            let ((at, id), aor) = entry.remove_entry();
            let Some(watch) = self.watch_of(&aor, id) else {
                continue;
            };
            let Some(qualify) = watch.qualify.clone() else {
                continue;
            };
            let next = (at + qualify.every).max(now + qualify.every / 2);
            watch.at = Some(next);
            let asked = self.probes_of(&aor);
            probes.extend(asked.into_iter().find(|probe| probe.id == id));
            self.plans.insert((next, id), aor);
        }
        probes
    }

    /// All contacts of an address, asked outside of the plan.
    pub(crate) fn probes_of(&self, aor: &str) -> Vec<Probe> {
        let bindings = self.aors.get(aor).into_iter().flatten();
        let watched = bindings.filter_map(|binding| {
            let qualify = binding.watch.qualify.clone()?;
            Some(probe(aor, binding, qualify))
        });
        let written = self.written.get(aor).into_iter().flatten();
        let written = written.filter_map(|written| {
            let qualify = written.watch.qualify.clone()?;
            Some(written.probe(aor, qualify))
        });
        watched.chain(written).collect()
    }

    /// What was found out; the status before, if that was another one, and the contact's URI.
    pub(crate) fn probed(
        &mut self,
        aor: &str,
        id: u64,
        status: ContactStatus,
    ) -> Option<ContactStatus> {
        let changes = self.changes.clone();
        let watch = self.watch_of(aor, id)?;
        let before = std::mem::replace(&mut watch.status, status);
        let silent = ContactStatus::Unavailable;
        if (before == silent) != (status == silent) {
            changes.notify_one();
        }
        Some(before)
    }

    /// Every address with contacts, and the endpoint that registered one of them.
    pub(crate) fn aors(&self) -> Vec<(String, String)> {
        let aors = self.aors.iter();
        let aors = aors
            .filter_map(|(aor, bindings)| Some((aor.clone(), bindings.first()?.endpoint.clone())));
        let written = self.written.iter();
        let written =
            written.filter_map(|(aor, all)| Some((aor.clone(), all.first()?.endpoint.clone())));
        aors.chain(written).collect()
    }

    fn prune(&mut self) {
        let (aors, written) = (&self.aors, &self.written);
        self.plans.retain(|(_, id), aor| {
            let bindings = aors.get(aor).into_iter().flatten();
            let written = written.get(aor).into_iter().flatten();
            let mut ids = bindings.map(|one| one.watch.id);
            ids.any(|known| known == *id) || written.map(|one| one.watch.id).any(|it| it == *id)
        });
    }

    fn watch_of(&mut self, aor: &str, id: u64) -> Option<&mut Watch> {
        let bindings = self.aors.get_mut(aor).into_iter().flatten();
        let written = self.written.get_mut(aor).into_iter().flatten();
        let mut watches = bindings
            .map(|binding| &mut binding.watch)
            .chain(written.map(|written| &mut written.watch));
        watches.find(|watch| watch.id == id)
    }
}

fn probe(aor: &str, binding: &Binding, qualify: Arc<Qualify>) -> Probe {
    Probe {
        aor: aor.to_owned(),
        id: binding.watch.id,
        uri: binding.contact.address.uri.clone(),
        route: Route::Contact(binding.flow, binding.to.clone()),
        path: binding.path.clone(),
        qualify,
    }
}

/// A moment within `window` that differs from contact to contact (SplitMix64).
fn spread(id: u64, window: Duration) -> Duration {
    let mut mixed = id.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^= mixed >> 27;
    let millis = u64::try_from(window.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(mixed % millis.max(1))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::sip::location::tests::{ROOMY, contact, source};

    fn qualify(every_s: u64) -> Arc<Qualify> {
        Arc::new(Qualify {
            every: Duration::from_secs(every_s),
            patience: Duration::from_secs(3),
            success_only: false,
            logins: Vec::new(),
        })
    }

    fn bind(location: &mut Location, users: &[&str], now: Instant) {
        location.open(::sip::FlowId(1));
        for user in users {
            let changes = [(contact(user), Some(now + Duration::from_secs(3_600)))];
            let source = source(1, user, 1);
            location.update("a", &changes, ROOMY, &source).unwrap();
        }
    }

    #[test]
    fn contacts_are_asked_one_by_one_and_again_and_again() {
        let (mut location, now) = (Location::default(), Instant::now());
        bind(&mut location, &["x", "y", "z"], now);
        let minute = Duration::from_secs(60);
        location.watch("a", &qualify(60), now, minute);
        let mut moments = BTreeSet::new();
        let mut asked = 0;
        while let Some(at) = location.next_probe().filter(|at| *at < now + 3 * minute) {
            moments.insert(at);
            asked += location.due(at, 10).len();
        }
        assert_eq!(
            (asked, moments.len()),
            (9, 9),
            "each three times, never together"
        );
    }

    #[test]
    fn a_refresh_keeps_what_is_known() {
        let (mut location, now) = (Location::default(), Instant::now());
        bind(&mut location, &["x"], now);
        location.watch("a", &qualify(60), now, Duration::ZERO);
        let probe = location.due(now, 1).remove(0);
        location.probed("a", probe.id, ContactStatus::Unavailable);
        assert!(!location.contacts("a")[0].answers());
        let later = now + Duration::from_secs(600);
        let changes = [(contact("x"), Some(later))];
        location
            .update("a", &changes, ROOMY, &source(1, "x", 2))
            .unwrap();
        location.watch("a", &qualify(60), now, Duration::ZERO);
        assert_eq!(
            location.contacts("a")[0].watch.status,
            ContactStatus::Unavailable
        );
        assert_eq!(location.next_probe(), Some(now + Duration::from_secs(60)));
        location.watch("a", &qualify(0), now, Duration::ZERO);
        assert_eq!(location.next_probe(), None);
        assert_eq!(
            location.contacts("a")[0].watch.status,
            ContactStatus::NotQualified
        );
    }

    #[test]
    fn plans_of_contacts_that_are_gone_are_dropped() {
        let (mut location, now) = (Location::default(), Instant::now());
        bind(&mut location, &["x"], now);
        location.watch("a", &qualify(60), now, Duration::ZERO);
        location.close(::sip::FlowId(1));
        assert!(location.due(now, 1).is_empty());
        assert_eq!(location.next_probe(), None);
    }
}
