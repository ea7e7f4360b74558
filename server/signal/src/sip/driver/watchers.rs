//! Who has subscribed to what, and what was told last.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::sip::{Agent, RequestId, SubscriptionId};
use tokio_util::task::TaskTracker;

use crate::signal::Subscribed;
use crate::sip::command::Command;
use crate::sip::driver::calls::Calls;
use crate::sip::presence::{self, Early, Hints, Now, Package, Subscribe, Watched};
use crate::sip::shared::Shared;

/// How long changes are gathered before they are told: a call that rings, is answered and ends changes often.
const GATHER: Duration = Duration::from_millis(100);

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Watchers {
    all: BTreeMap<SubscriptionId, Watcher>,
    /// When changes are looked for.
    look_at: Option<Instant>,
    /// Lists that gather their changes for longer, until then.
    batches: BTreeSet<(Instant, SubscriptionId)>,
}

#[derive(Debug)]
struct Watcher {
    watched: Watched,
    told: Vec<Now>,
    version: u32,
    /// Of a list: what has changed and was not told yet, or is in a NOTIFY that a newer one may take the place of.
    untold: BTreeSet<usize>,
    /// Changes are gathered until then.
    batch: Option<Instant>,
}

/// What documents are made of.
#[derive(Clone, Copy)]
pub(crate) struct Sources<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) calls: &'a Calls,
}

impl Watchers {
    /// Somebody subscribes.
    pub(crate) fn begin(
        &mut self,
        agent: &mut Agent,
        sources: Sources<'_>,
        now: Instant,
        id: RequestId,
        subscribe: Subscribe,
    ) {
        let Subscribe {
            request,
            watched,
            rules,
        } = subscribe;
        let Some(id) = agent.accept_subscription(now, id, &request, rules) else {
            return;
        };
        let shared = sources.shared;
        let told = watched.now(shared, &shared.switch.directory().all());
        let (endpoint, resource) = (&watched.endpoint, &watched.resource);
        tracing::debug!(endpoint, resource, package = ?watched.package, "subscribed");
        let mut watcher = Watcher {
            untold: (0..told.len()).collect(),
            watched,
            told,
            version: 0,
            batch: None,
        };
        watcher.tell(agent, sources, now, id);
        self.all.insert(id, watcher);
    }

    /// A subscription was renewed, or its end was asked for.
    pub(crate) fn again(
        &mut self,
        agent: &mut Agent,
        sources: Sources<'_>,
        now: Instant,
        id: SubscriptionId,
    ) {
        if let Some(watcher) = self.all.get_mut(&id) {
            let calls = sources.shared.switch.directory().all();
            watcher.told = watcher.watched.now(sources.shared, &calls);
            watcher.untold = (0..watcher.told.len()).collect();
            watcher.tell(agent, sources, now, id);
        }
    }

    /// All of them, the oldest first.
    pub(crate) fn list(&self, agent: &Agent, now: Instant) -> Vec<Subscribed> {
        let all = self.all.iter().filter_map(|(id, watcher)| {
            let (call_id, event, expires_at) = agent.subscription(*id)?;
            let watched = &watcher.watched;
            Some(Subscribed {
                endpoint: watched.endpoint.clone(),
                caller: watched.caller.clone(),
                context: watched.context.clone(),
                resource: watched.resource.clone(),
                event: event.to_owned(),
                call_id: call_id.to_owned(),
                left: expires_at.saturating_duration_since(now),
            })
        });
        all.collect()
    }

    /// Whether an endpoint has subscribed to mailboxes.
    pub(crate) fn hears_of_mailboxes(&self, endpoint: &str) -> bool {
        let mut all = self.all.values().map(|watcher| &watcher.watched);
        all.any(|it| it.package == Package::MessageSummary && it.endpoint == endpoint)
    }

    pub(crate) fn end(&mut self, id: SubscriptionId) {
        if let Some(watcher) = self.all.remove(&id)
            && let Some(at) = watcher.batch
        {
            self.batches.remove(&(at, id));
        }
    }

    /// A call or a contact has changed.
    pub(crate) fn changed(&mut self, now: Instant) {
        if !self.all.is_empty() {
            self.look_at.get_or_insert(now + GATHER);
        }
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        let batch = self.batches.first().map(|(at, _)| *at);
        self.look_at.into_iter().chain(batch).min()
    }

    /// Tells those whose state is another one now.
    pub(crate) fn on_deadline(&mut self, agent: &mut Agent, sources: Sources<'_>, now: Instant) {
        if self.look_at.take_if(|at| *at <= now).is_some() {
            let calls = sources.shared.switch.directory().all();
            for (id, watcher) in &mut self.all {
                let told = watcher.watched.now(sources.shared, &calls);
                let batch = watcher.change(told, now);
                match batch {
                    Some(at) if at <= now => watcher.tell(agent, sources, now, *id),
                    Some(at) => drop(self.batches.insert((at, *id))),
                    None => {}
                }
            }
        }
        while let Some((at, id)) = self.batches.first().copied()
            && at <= now
        {
            self.batches.pop_first();
            if let Some(watcher) = self.all.get_mut(&id) {
                watcher.batch = None;
                // A renewal may have told of all meanwhile.
                if !watcher.untold.is_empty() {
                    watcher.tell(agent, sources, now, id);
                }
            }
        }
    }

    /// The files were read anew: their hints are looked up again, by a task, and lists that are others end, so that
    /// their subscribers ask again.
    pub(crate) fn reloaded(
        &self,
        agent: &mut Agent,
        (shared, tasks): (&Arc<Shared>, &TaskTracker),
        now: Instant,
    ) {
        let config = shared.switch.config();
        let mut named = BTreeSet::new();
        for (id, watcher) in &self.all {
            let watched = &watcher.watched;
            if watched.is_another(&config) {
                // RFC 6665 §4.1.3: "deactivated: … the subscriber SHOULD retry immediately with a new subscription".
                agent.end_subscription(now, *id, "deactivated", None);
            } else if watched.package != Package::MessageSummary {
                let items = watched.items.iter();
                named.extend(items.map(|item| (watched.context.clone(), item.name.clone())));
            }
        }
        if !named.is_empty() {
            let shared = Arc::clone(shared);
            tasks.spawn(async move {
                let hints = presence::hints(&shared, named).await;
                shared.command(Command::Hints(hints));
            });
        }
    }

    /// These are the hints now: who watches one that is gone hears so, the others hear of what is another state.
    pub(crate) fn adopt(&mut self, agent: &mut Agent, now: Instant, hints: &Hints) {
        for (id, watcher) in &mut self.all {
            watcher.watched.adopt(hints);
            if watcher.watched.is_gone() {
                let watched = &watcher.watched;
                let (endpoint, exten) = (&watched.endpoint, &watched.resource);
                tracing::info!(endpoint, exten, "a subscription ends: the hint is gone");
                watcher.renumber(agent, *id);
                let body = match (&watcher.watched.list, watcher.told.first()) {
                    (None, Some(_)) => Some(watcher.last_word()),
                    _ => None,
                };
                agent.end_subscription(now, *id, "noresource", body);
            }
        }
        self.look_at = Some(now);
    }
}

impl Watcher {
    /// Notes how things are now. When that is to be told, if it is news.
    fn change(&mut self, told: Vec<Now>, now: Instant) -> Option<Instant> {
        let changes = told.iter().zip(&self.told).enumerate();
        let changed = changes.filter(|(_, (new, old))| new != old);
        let changed: Vec<usize> = changed.map(|(index, _)| index).collect();
        self.told = told;
        if changed.is_empty() || self.watched.is_gone() {
            return None;
        }
        self.untold.extend(changed);
        let batch_ms = self.watched.list.as_ref().map_or(0, |list| list.batch_ms);
        match (batch_ms, self.batch) {
            (0, _) => Some(now),
            // They go with those before.
            (_, Some(_)) => None,
            (batch_ms, None) => {
                let at = now + Duration::from_millis(batch_ms.into());
                self.batch = Some(at);
                Some(at)
            }
        }
    }

    fn tell(&mut self, agent: &mut Agent, sources: Sources<'_>, now: Instant, id: SubscriptionId) {
        self.renumber(agent, id);
        let early = |told: Now| sources.early(told);
        let body = match &self.watched.list {
            None => {
                let Some(told) = self.told.first().copied() else {
                    return;
                };
                self.watched
                    .document(told, early(told).as_ref(), self.version)
            }
            Some(list) => {
                let all = self.told.iter().copied().enumerate();
                let meant = all.filter(|(index, _)| list.is_full || self.untold.contains(index));
                let meant = meant.map(|(index, told)| (index, told, early(told)));
                let meant: Vec<_> = meant.collect();
                self.watched.documents(list, self.version, &meant)
            }
        };
        self.version = self.version.wrapping_add(1);
        agent.notify(now, id, Some(body));
        // One that waits may be replaced by a newer one, which then has to say this too.
        if !agent.has_news(id) {
            self.untold.clear();
        }
    }

    /// One that waits is replaced by the next, and its number with it: subscribers who miss a number ask for all
    /// anew (RFC 4662 §5.2).
    fn renumber(&mut self, agent: &Agent, id: SubscriptionId) {
        if agent.has_news(id) {
            self.version = self.version.wrapping_sub(1);
        }
    }

    /// What is said of a lamp that is no more.
    fn last_word(&self) -> ::sip::Body {
        self.watched.document(Now::GONE, None, self.version)
    }
}

impl Sources<'_> {
    /// The call that rings, as a lamp tells of it.
    fn early(self, told: Now) -> Option<Early> {
        let call = self.shared.switch.directory().channel(told.rings()?)?;
        Some(Early {
            dialog: self.calls.lamp_of(&call),
            caller: call.info().connected.clone(),
        })
    }
}
