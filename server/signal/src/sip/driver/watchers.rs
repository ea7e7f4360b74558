//! Who has subscribed to what, and what was told last.

mod quota;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::sip::{Agent, Body, Flow, RequestId, Status, SubscriptionId};
use config::Config;
use tokio_util::task::TaskTracker;

use crate::signal::Subscribed;
use crate::sip::authenticate::Denied;
use crate::sip::command::Command;
use crate::sip::driver::calls::Calls;
use crate::sip::driver::watchers::quota::Quota;
use crate::sip::presence::{self, Early, Hints, Moment, Now, Package, Subscribe, Watched};
use crate::sip::shared::Shared;

/// How long changes are gathered before they are told: a call that rings, is answered and ends changes often.
const GATHER: Duration = Duration::from_millis(100);

/// What a NOTIFY may say over UDP: with its header lines it has to fit into one datagram (RFC 768: 65,507 bytes).
pub(crate) const DATAGRAM_BODY_MAX: usize = 60_000;

/// RFC 3261 §18.1.1: "If a request is … larger than 1300 bytes and the path MTU is unknown, the request MUST be sent
/// using … [a] congestion controlled transport protocol". This much is left by its header lines.
const SHORT_BODY_MAX: usize = 700;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Watchers {
    quota: Quota,
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
    /// Somebody subscribes. The subscription, if the files were read anew since it was looked up.
    pub(crate) fn begin(
        &mut self,
        agent: &mut Agent,
        sources: Sources<'_>,
        now: Instant,
        id: RequestId,
        subscribe: Subscribe,
    ) -> Option<SubscriptionId> {
        let Subscribe {
            request,
            flow,
            connection,
            config,
            watched,
            rules,
        } = subscribe;
        let shared = sources.shared;
        let told = watched.now(shared, &mut sources.moment());
        let count = told.len();
        let mut watcher = Watcher {
            untold: (0..count).collect(),
            watched,
            told,
            version: 0,
            batch: None,
        };
        let length = watcher.body(sources).map_or(0, |body| body.bytes.len());
        let detour = connection.filter(|_| length > SHORT_BODY_MAX);
        let room = watcher.check(detour.unwrap_or(flow), length);
        if let Err(denied) = room.and_then(|()| self.quota.take(&watcher.watched.endpoint, count)) {
            agent.respond(now, id, denied.response(&request));
            return None;
        }
        let endpoint = &watcher.watched.endpoint;
        let Some(id) = agent.accept_subscription(now, id, &request, rules) else {
            self.quota.give_back(endpoint, count);
            return None;
        };
        if let Some(detour) = detour {
            agent.tell_by(id, detour);
        }
        let (resource, package) = (&watcher.watched.resource, watcher.watched.package);
        tracing::debug!(endpoint, resource, ?package, "subscribed");
        watcher.tell(agent, sources, now, id);
        self.all.insert(id, watcher);
        let is_current = Arc::ptr_eq(&config, &shared.switch.config());
        (!is_current).then_some(id)
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
            let mut moment = sources.moment();
            watcher.told = watcher.watched.now(sources.shared, &mut moment);
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
        let Some(watcher) = self.all.remove(&id) else {
            return;
        };
        let watched = &watcher.watched;
        self.quota.give_back(&watched.endpoint, watched.items.len());
        if let Some(at) = watcher.batch {
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
            let mut moment = sources.moment();
            for (id, watcher) in &mut self.all {
                let told = watcher.watched.now(sources.shared, &mut moment);
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

    /// The files were read anew: what is watched is looked up again.
    pub(crate) fn reloaded(
        &self,
        agent: &mut Agent,
        to: (&Arc<Shared>, &TaskTracker),
        now: Instant,
    ) {
        self.look_up(agent, to, now, self.all.iter());
    }

    /// The files were read anew while this one was looked up in the old ones.
    pub(crate) fn catch_up(
        &self,
        agent: &mut Agent,
        to: (&Arc<Shared>, &TaskTracker),
        now: Instant,
        id: SubscriptionId,
    ) {
        self.look_up(agent, to, now, self.all.get_key_value(&id).into_iter());
    }

    /// Looks hints up, by a task; lists that are others end, so that their subscribers ask again.
    fn look_up<'a>(
        &self,
        agent: &mut Agent,
        (shared, tasks): (&Arc<Shared>, &TaskTracker),
        now: Instant,
        these: impl Iterator<Item = (&'a SubscriptionId, &'a Watcher)>,
    ) {
        let config = shared.switch.config();
        let mut named = BTreeSet::new();
        for (id, watcher) in these {
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
                let hints = presence::hints(&shared, config, named).await;
                shared.command(Command::Hints(hints));
            });
        }
    }

    /// These are the hints now: who watches one that is gone hears so, the others hear of what is another state. Those
    /// of a configuration that is in force no more change nothing: the ones of the next are on their way, or were first.
    pub(crate) fn adopt(
        &mut self,
        agent: &mut Agent,
        config: &Arc<Config>,
        now: Instant,
        hints: &Hints,
    ) {
        if !hints.are_of(config) {
            return;
        }
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
        let Some(body) = self.body(sources) else {
            return;
        };
        // It has grown since it was admitted: asked for anew, it is refused with the reason.
        let way = agent.way_to(id);
        if way.is_some_and(|way| self.check(way, body.bytes.len()).is_err()) {
            return agent.end_subscription(now, id, "deactivated", None);
        }
        self.version = self.version.wrapping_add(1);
        agent.notify(now, id, Some(body));
        // One that waits may be replaced by a newer one, which then has to say this too.
        if !agent.has_news(id) {
            self.untold.clear();
        }
    }

    /// What there is to tell.
    fn body(&self, sources: Sources<'_>) -> Option<Body> {
        let early = |told: Now| sources.early(told);
        let (watched, version) = (&self.watched, self.version);
        let Some(list) = &watched.list else {
            let told = self.told.first().copied()?;
            return Some(watched.document(told, early(told).as_ref(), version));
        };
        let all = self.told.iter().copied().enumerate();
        let meant = all.filter(|(index, _)| list.is_full || self.untold.contains(index));
        let meant = meant.map(|(index, told)| (index, told, early(told)));
        let meant: Vec<_> = meant.collect();
        Some(watched.documents(list, version, &meant))
    }

    /// Whether so much can be told by this flow.
    fn check(&self, way: Flow, length: usize) -> Result<(), Denied> {
        if way.transport.is_reliable() || length <= DATAGRAM_BODY_MAX {
            return Ok(());
        }
        let (endpoint, list) = (&self.watched.endpoint, &self.watched.resource);
        let count = self.watched.items.len();
        tracing::warn!(
            endpoint,
            "subscription refused: the {count} resources of the list {list} take {length} bytes, more than a datagram \
             holds. Let the phone use TCP or TLS, or make [{list}] (type=resource_list, pjsip.conf) shorter"
        );
        let sentence = format!("{count} resources are too many for UDP: subscribe over TCP or TLS");
        Err(Denied::with_warning(Status::MESSAGE_TOO_LARGE, &sentence))
    }

    /// One that waits is replaced by the next, and its number with it: subscribers who miss a number ask for all
    /// anew (RFC 4662 §5.2).
    fn renumber(&mut self, agent: &Agent, id: SubscriptionId) {
        if agent.has_news(id) {
            self.version = self.version.wrapping_sub(1);
        }
    }

    /// What is said of a lamp that is no more.
    fn last_word(&self) -> Body {
        self.watched.document(Now::GONE, None, self.version)
    }
}

impl Sources<'_> {
    fn moment(self) -> Moment {
        Moment::of_calls(&self.shared.switch.directory().all())
    }

    /// The call that rings, as a lamp tells of it.
    fn early(self, told: Now) -> Option<Early> {
        let call = self.shared.switch.directory().channel(told.rings()?)?;
        Some(Early {
            dialog: self.calls.lamp_of(&call),
            caller: call.info().connected.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use ::sip::{Event, FlowId, Identity, Limits, Message, SubscriptionRules, Transport};

    use super::*;
    use crate::sip::presence::example;

    const SUBSCRIBE: &str = "SUBSCRIBE sip:200@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.2;branch=z9hG4bK1\r\n\
        From: <sip:alice@192.0.2.1>;tag=a\r\nTo: <sip:200@192.0.2.1>\r\nCall-ID: 1\r\nCSeq: 1 SUBSCRIBE\r\n\
        Contact: <sip:alice@192.0.2.2>\r\nEvent: dialog\r\n\r\n";

    fn sent(agent: &mut Agent) -> Vec<String> {
        let sent = std::iter::from_fn(|| agent.poll_transmit());
        sent.map(|transmit| String::from_utf8(transmit.bytes.to_vec()).unwrap())
            .collect()
    }

    /// Each reload looks hints up by a task of its own: those of the first may come last.
    #[test]
    fn hints_of_files_that_are_in_force_no_more_end_nothing() {
        let mut agent = Agent::new(Identity::default(), Limits::default(), [7; 32]);
        let (now, address) = (Instant::now(), "192.0.2.2:5060".parse().unwrap());
        let flow = Flow {
            id: FlowId(1),
            transport: Transport::Tcp,
            local: address,
            remote: address,
        };
        agent.handle_message(now, flow, &SUBSCRIBE.into());
        let Some(Event::Request { id, request, .. }) = agent.poll_event() else {
            panic!("no request")
        };
        let rules = SubscriptionRules::default();
        let id = agent.accept_subscription(now, id, &request, rules).unwrap();
        let mut watchers = Watchers::default();
        let watcher = Watcher {
            watched: example::lamp("phones", "200"),
            told: vec![Now::GONE],
            version: 0,
            untold: BTreeSet::new(),
            batch: None,
        };
        watchers.all.insert(id, watcher);
        assert!(sent(&mut agent)[0].starts_with("SIP/2.0 200"));
        let (old, new) = (Arc::new(Config::default()), Arc::new(Config::default()));
        let late = example::without(&old, "phones", "200");
        watchers.adopt(&mut agent, &new, now, &late);
        assert_eq!(sent(&mut agent), Vec::<String>::new());
        assert!(!watchers.all[&id].watched.is_gone());
        let own = example::without(&new, "phones", "200");
        watchers.adopt(&mut agent, &new, now, &own);
        let [notify] = &sent(&mut agent)[..] else {
            panic!("one NOTIFY")
        };
        assert!(notify.contains("terminated;reason=noresource"), "{notify}");
        assert!(matches!(
            Message::parse(&notify.clone().into()),
            Ok(Message::Request(_))
        ));
    }
}
