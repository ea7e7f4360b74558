//! Who has subscribed to what, and what was told last.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ::sip::{Agent, RequestId, SubscriptionId};

use crate::signal::Subscribed;
use crate::sip::presence::{Now, Package, Subscribe, Watched};
use crate::sip::shared::Shared;

/// How long changes are gathered before they are told: a call that rings, is answered and ends changes often.
const GATHER: Duration = Duration::from_millis(100);

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Watchers {
    all: BTreeMap<SubscriptionId, Watcher>,
    /// When changes are looked for.
    look_at: Option<Instant>,
}

#[derive(Debug)]
struct Watcher {
    watched: Watched,
    told: Now,
    version: u32,
}

impl Watchers {
    /// Somebody subscribes.
    pub(crate) fn begin(
        &mut self,
        agent: &mut Agent,
        shared: &Shared,
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
        let state = watched.now(shared, &shared.switch.directory().all());
        agent.notify(now, id, Some(watched.document(state, 0)));
        let (endpoint, resource) = (&watched.endpoint, &watched.resource);
        tracing::debug!(endpoint, resource, package = ?watched.package, "subscribed");
        self.all.insert(
            id,
            Watcher {
                watched,
                told: state,
                version: 1,
            },
        );
    }

    /// A subscription was renewed, or its end was asked for.
    pub(crate) fn again(
        &mut self,
        agent: &mut Agent,
        shared: &Shared,
        now: Instant,
        id: SubscriptionId,
    ) {
        if let Some(watcher) = self.all.get_mut(&id) {
            let calls = shared.switch.directory().all();
            watcher.told = watcher.watched.now(shared, &calls);
            watcher.tell(agent, now, id);
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
        self.all.remove(&id);
    }

    /// A call or a contact has changed.
    pub(crate) fn changed(&mut self, now: Instant) {
        if !self.all.is_empty() {
            self.look_at.get_or_insert(now + GATHER);
        }
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.look_at
    }

    /// Tells those whose state is another one now.
    pub(crate) fn on_deadline(&mut self, agent: &mut Agent, shared: &Shared, now: Instant) {
        if self.look_at.take_if(|at| *at <= now).is_none() {
            return;
        }
        let calls = shared.switch.directory().all();
        for (id, watcher) in &mut self.all {
            let state = watcher.watched.now(shared, &calls);
            if state != watcher.told {
                watcher.told = state;
                watcher.tell(agent, now, *id);
            }
        }
    }
}

impl Watcher {
    fn tell(&mut self, agent: &mut Agent, now: Instant, id: SubscriptionId) {
        let body = self.watched.document(self.told, self.version);
        self.version = self.version.wrapping_add(1);
        agent.notify(now, id, Some(body));
    }
}
