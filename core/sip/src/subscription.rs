//! Subscriptions of others to what we know, as their notifier: RFC 6665.
//!
//! The layer above decides who may subscribe to what, and says what there is to say; here are the dialog, the
//! expiry, and the NOTIFYs, one on the way at a time: while one waits for its answer, the newest news waits.
//! The implicit subscription of a REFER (RFC 3515 §2.4.4) shares the dialog of its call and may outlive that
//! ([`Agent::follow_refer`](crate::Agent::follow_refer)).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::agent::{Base, Body, Event, Flow, FlowId, SubscriptionId};
use crate::dialog::{Dialog, DialogId};
use crate::timer::TimerTable;
use crate::transaction::{ClientUser, ServerId};
use crate::{HeaderName, Method, Request, Response, Status};

/// How long who has left is waited for to be told so by the layer above.
const LAST_WORD: Duration = Duration::from_secs(1);

/// The extension of RFC 4662.
const EVENT_LIST: &str = "eventlist";

/// How long subscriptions last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubscriptionRules {
    /// Shorter ones are refused (423), but for 0, which ends one. In seconds.
    pub expires_s_min: u32,
    /// Longer ones are cut.
    pub expires_s_max: u32,
    /// What is given to who names none.
    pub expires_s_default: u32,
    /// It is to a list of resources (RFC 4662): what is told of it requires `eventlist`.
    pub is_list: bool,
}

impl Default for SubscriptionRules {
    fn default() -> Self {
        Self {
            expires_s_min: 0,
            expires_s_max: 86_400,
            expires_s_default: 3_600,
            is_list: false,
        }
    }
}

/// RFC 6665 §4.2.1.1: 423 with Min-Expires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct TooBrief(u32);

impl SubscriptionRules {
    fn of(self, request: &Request) -> Result<u32, TooBrief> {
        let asked = request.headers.expires().ok().flatten();
        let asked = asked.unwrap_or(self.expires_s_default);
        if asked > 0 && asked < self.expires_s_min {
            return Err(TooBrief(self.expires_s_min));
        }
        Ok(asked.min(self.expires_s_max.max(self.expires_s_min)))
    }
}

/// All subscriptions to us.
#[derive(Debug)]
pub(crate) struct Subscriptions {
    all: BTreeMap<SubscriptionId, Subscription>,
    by_dialog: BTreeMap<DialogId, SubscriptionId>,
    of_flow: BTreeMap<FlowId, usize>,
    /// Those that are told by another flow than theirs.
    detoured: BTreeMap<FlowId, BTreeSet<SubscriptionId>>,
    timers: TimerTable<SubscriptionId>,
}

#[derive(Debug)]
struct Subscription {
    /// What its SUBSCRIBEs come by.
    flow: Flow,
    /// What its NOTIFYs go by instead.
    detour: Option<Flow>,
    dialog: Dialog,
    /// The value of Event, its `id` included.
    event: Box<str>,
    rules: SubscriptionRules,
    expires_at: Instant,
    /// A NOTIFY waits for its answer.
    busy: bool,
    /// What is said next.
    news: Option<News>,
    /// Why it ends with the next NOTIFY.
    ending: Option<Box<str>>,
    /// The last NOTIFY is on the way.
    last: bool,
}

/// What is to be said.
#[derive(Debug)]
struct News(Option<Body>);

impl Subscriptions {
    pub(crate) const fn new() -> Self {
        Self {
            all: BTreeMap::new(),
            by_dialog: BTreeMap::new(),
            of_flow: BTreeMap::new(),
            detoured: BTreeMap::new(),
            timers: TimerTable::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    pub(crate) fn find(&self, dialog: &DialogId) -> Option<SubscriptionId> {
        self.by_dialog.get(dialog).copied()
    }

    pub(crate) fn has_news(&self, id: SubscriptionId) -> bool {
        self.all.get(&id).is_some_and(|own| own.news.is_some())
    }

    pub(crate) fn facts(&self, id: SubscriptionId) -> Option<(&str, &str, Instant)> {
        let own = self.all.get(&id)?;
        Some((own.dialog.id.call_id(), &own.event, own.expires_at))
    }

    /// Answers the SUBSCRIBE that begins one. `None`: it is refused.
    pub(crate) fn accept(
        &mut self,
        now: Instant,
        base: &mut Base,
        server: ServerId,
        request: &Request,
        rules: SubscriptionRules,
    ) -> Option<SubscriptionId> {
        let expires_s = match rules.of(request) {
            Ok(expires_s) => expires_s,
            Err(brief) => {
                base.respond(now, server, brief.response(request));
                return None;
            }
        };
        let entry = base.servers.get(server)?;
        let (flow, tag) = (entry.flow, entry.tag.clone().unwrap_or_default());
        let full = self.is_full(base, flow.id);
        let event = request.headers.get(&HeaderName::Event).map(Into::into);
        let dialog = Dialog::of_request(request, &tag).ok();
        let (Some(dialog), Some(event), false) = (dialog, event, full) else {
            let mut response = request.response(Status::SERVICE_UNAVAILABLE);
            let seconds = crate::agent::RETRY_AFTER_S.to_string();
            response.headers.push(HeaderName::RetryAfter, &seconds);
            base.respond(now, server, response);
            return None;
        };
        respond(now, base, server, request, (expires_s, rules));
        let id = base.next_subscription_id();
        let mut subscription = Subscription {
            flow,
            detour: None,
            dialog,
            event,
            rules,
            expires_at: now,
            busy: false,
            news: None,
            ending: None,
            last: false,
        };
        subscription.extend(now, expires_s);
        self.add(id, subscription);
        Some(id)
    }

    /// Begins one that nobody asked for by SUBSCRIBE, in a dialog there is. `None`: there are too many.
    pub(crate) fn follow(
        &mut self,
        now: Instant,
        base: &mut Base,
        flow: Flow,
        dialog: Dialog,
        (event, lasts_s): (&str, u32),
    ) -> Option<SubscriptionId> {
        if self.is_full(base, flow.id) {
            return None;
        }
        base.sequences.join(&dialog);
        let id = base.next_subscription_id();
        let mut subscription = Subscription {
            flow,
            detour: None,
            dialog,
            event: event.into(),
            rules: SubscriptionRules {
                expires_s_min: 0,
                expires_s_max: lasts_s,
                expires_s_default: lasts_s,
                ..SubscriptionRules::default()
            },
            expires_at: now,
            busy: false,
            news: None,
            ending: None,
            last: false,
        };
        subscription.extend(now, lasts_s);
        self.add(id, subscription);
        Some(id)
    }

    fn is_full(&self, base: &Base, flow: FlowId) -> bool {
        let of_flow = self.of_flow.get(&flow).copied().unwrap_or(0);
        self.all.len() >= base.limits.subscriptions || of_flow >= base.limits.subscriptions_per_flow
    }

    fn add(&mut self, id: SubscriptionId, subscription: Subscription) {
        self.by_dialog.insert(subscription.dialog.id.clone(), id);
        *self.of_flow.entry(subscription.flow.id).or_default() += 1;
        self.timers.set(id, Some(subscription.expires_at));
        self.all.insert(id, subscription);
    }

    /// From now on its NOTIFYs go by this flow.
    pub(crate) fn tell_by(&mut self, id: SubscriptionId, flow: Flow) {
        if let Some(subscription) = self.all.get_mut(&id) {
            let before = subscription.detour.replace(flow);
            self.straighten(before, id);
            self.detoured.entry(flow.id).or_default().insert(id);
        }
    }

    /// What its NOTIFYs go by.
    pub(crate) fn way_to(&self, id: SubscriptionId) -> Option<Flow> {
        self.all.get(&id).map(Subscription::way)
    }

    /// It is told by this flow no more.
    fn straighten(&mut self, detour: Option<Flow>, id: SubscriptionId) {
        if let Some(flow) = detour
            && let Some(own) = self.detoured.get_mut(&flow.id)
        {
            own.remove(&id);
            if own.is_empty() {
                self.detoured.remove(&flow.id);
            }
        }
    }

    /// Tells the subscriber; with `ending`, for the last time.
    pub(crate) fn notify(
        &mut self,
        now: Instant,
        base: &mut Base,
        id: SubscriptionId,
        body: Option<Body>,
        ending: Option<&str>,
    ) {
        let Some(subscription) = self.all.get_mut(&id).filter(|it| !it.last) else {
            return;
        };
        if let Some(reason) = ending {
            subscription.ending.get_or_insert_with(|| reason.into());
        }
        subscription.news = Some(News(body));
        self.pump(now, base, id);
    }

    fn pump(&mut self, now: Instant, base: &mut Base, id: SubscriptionId) {
        let Some(subscription) = self.all.get_mut(&id).filter(|it| !it.busy) else {
            return;
        };
        let Some(News(body)) = subscription.news.take() else {
            return;
        };
        let notify = subscription.notify(now, base, body);
        let flow = subscription.way();
        if subscription.last {
            self.timers.set(id, None);
        }
        base.start(now, flow, notify, ClientUser::Subscription(id));
    }

    /// A request of the subscriber in its dialog.
    pub(crate) fn on_request(
        &mut self,
        now: Instant,
        base: &mut Base,
        (flow, server): (Flow, ServerId),
        id: SubscriptionId,
        request: &Arc<Request>,
    ) {
        let Some(subscription) = self.all.get_mut(&id) else {
            return;
        };
        let number = request.headers.cseq().map_or(0, |cseq| cseq.number);
        let event = request.headers.get(&HeaderName::Event);
        let refused = if subscription.dialog.take_sequence(number).is_err() {
            Some(Status::SERVER_INTERNAL_ERROR)
        } else if request.method != Method::Subscribe || subscription.ending.is_some() {
            Some(Status::CALL_DOES_NOT_EXIST)
        } else if event != Some(&*subscription.event) {
            Some(Status::BAD_EVENT)
        } else {
            None
        };
        if let Some(status) = refused {
            base.respond(now, server, request.response(status));
            return;
        }
        let expires_s = match subscription.rules.of(request) {
            Ok(expires_s) => expires_s,
            Err(brief) => {
                base.respond(now, server, brief.response(request));
                return;
            }
        };
        subscription.dialog.refresh_target(request);
        subscription.extend(now, expires_s);
        let rules = subscription.rules;
        self.timers.set(id, Some(subscription.expires_at));
        if subscription.flow.id != flow.id {
            let old = std::mem::replace(&mut subscription.flow, flow);
            leave(&mut self.of_flow, old.id);
            *self.of_flow.entry(flow.id).or_default() += 1;
        }
        respond(now, base, server, request, (expires_s, rules));
        // RFC 6665 §4.2.1.2: "Upon successfully accepting or refreshing a subscription, notifiers MUST send a
        // NOTIFY request immediately to communicate the current resource state to the subscriber."
        base.emit(Event::Resubscribed { id });
    }

    /// RFC 6665 §4.2.2, RFC 5057 §5: a NOTIFY that is not answered, or that the subscriber knows nothing of, ends it.
    pub(crate) fn on_response(
        &mut self,
        now: Instant,
        base: &mut Base,
        id: SubscriptionId,
        response: Option<&Response>,
    ) {
        let Some(subscription) = self.all.get_mut(&id) else {
            return;
        };
        // The connection that its NOTIFY went by is gone, and with it nothing but that.
        if !std::mem::take(&mut subscription.busy) {
            return;
        }
        let gone = match response.map(|response| response.status) {
            Some(status) if status.is_success() => false,
            Some(status) => matches!(
                status,
                Status::NOT_FOUND
                    | Status::METHOD_NOT_ALLOWED
                    | Status::REQUEST_TIMEOUT
                    | Status::GONE
                    | Status::TEMPORARILY_UNAVAILABLE
                    | Status::CALL_DOES_NOT_EXIST
                    | Status::BAD_EVENT
                    | Status::NOT_IMPLEMENTED
            ),
            None => true,
        };
        if gone || subscription.last {
            return self.end(base, id);
        }
        self.pump(now, base, id);
    }

    pub(crate) fn on_flow_closed(&mut self, base: &mut Base, flow: FlowId) {
        for id in self.detoured.remove(&flow).unwrap_or_default() {
            let Some(subscription) = self.all.get_mut(&id) else {
                continue;
            };
            subscription.detour = None;
            subscription.busy = false;
            match subscription.last {
                true => self.end(base, id),
                // What was not answered is told once more, by what its SUBSCRIBEs come by.
                false => base.emit(Event::Resubscribed { id }),
            }
        }
        // Only a flow that has some is looked for among all.
        if !self.of_flow.contains_key(&flow) {
            return;
        }
        let own = self.all.iter().filter(|(_, it)| it.flow.id == flow);
        let own: Vec<SubscriptionId> = own.map(|(id, _)| *id).collect();
        for id in own {
            self.end(base, id);
        }
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// RFC 6665 §4.2.2: "If a subscription is allowed to expire …, the notifier … SHOULD send a NOTIFY with …
    /// 'terminated;reason=timeout'".
    pub(crate) fn handle_timeout(&mut self, now: Instant, base: &mut Base) {
        if let Some(id) = self.timers.pop(now) {
            self.notify(now, base, id, None, Some("timeout"));
        }
    }

    fn end(&mut self, base: &mut Base, id: SubscriptionId) {
        let Some(subscription) = self.all.remove(&id) else {
            return;
        };
        self.timers.set(id, None);
        self.straighten(subscription.detour, id);
        // A later one in the same dialog has taken its name.
        if self.by_dialog.get(&subscription.dialog.id) == Some(&id) {
            self.by_dialog.remove(&subscription.dialog.id);
        }
        base.sequences.leave(&subscription.dialog.id);
        leave(&mut self.of_flow, subscription.flow.id);
        base.emit(Event::SubscriptionEnded { id });
    }
}

impl Subscription {
    /// What its NOTIFYs go by.
    fn way(&self) -> Flow {
        self.detour.unwrap_or(self.flow)
    }

    /// From now on it lasts so long; 0: it ends with the next NOTIFY, and soon.
    fn extend(&mut self, now: Instant, expires_s: u32) {
        self.expires_at = now
            + match expires_s {
                0 => LAST_WORD,
                seconds => Duration::from_secs(seconds.into()),
            };
        if expires_s == 0 {
            self.ending = Some("timeout".into());
        }
    }

    fn notify(&mut self, now: Instant, base: &mut Base, body: Option<Body>) -> Request {
        let mut request = self.dialog.request(&mut base.sequences, &Method::Notify);
        let left = self.expires_at.saturating_duration_since(now).as_secs();
        let state = match &self.ending {
            Some(reason) => format!("terminated;reason={reason}"),
            None => format!("active;expires={left}"),
        };
        let headers = &mut request.headers;
        headers.push(HeaderName::Contact, &base.contact(&self.way()));
        headers.push(HeaderName::Event, &self.event);
        headers.push(HeaderName::SubscriptionState, &state);
        // RFC 4662 §4.3: "The NOTIFY … MUST contain a "Require: eventlist" header field".
        if self.rules.is_list {
            headers.push(HeaderName::Require, EVENT_LIST);
        }
        if let Some(body) = body {
            headers.push(HeaderName::ContentType, &body.content_type);
            request.body = body.bytes;
        }
        self.busy = true;
        self.last = self.ending.is_some();
        request
    }
}

impl TooBrief {
    fn response(self, request: &Request) -> Response {
        let mut response = request.response(Status::INTERVAL_TOO_BRIEF);
        let least = self.0.to_string();
        response.headers.push(HeaderName::MinExpires, &least);
        response
    }
}

fn respond(
    now: Instant,
    base: &mut Base,
    server: ServerId,
    request: &Request,
    (expires_s, rules): (u32, SubscriptionRules),
) {
    let mut response = request.response(Status::OK);
    let headers = &mut response.headers;
    headers.copy(&request.headers, &HeaderName::RecordRoute);
    headers.push(HeaderName::Expires, &expires_s.to_string());
    if rules.is_list {
        headers.push(HeaderName::Require, EVENT_LIST);
    }
    if let Some(entry) = base.servers.get(server) {
        headers.push(HeaderName::Contact, &base.contact(&entry.flow));
    }
    base.respond(now, server, response);
}

fn leave(of_flow: &mut BTreeMap<FlowId, usize>, flow: FlowId) {
    if let Some(count) = of_flow.get_mut(&flow) {
        *count -= 1;
        if *count == 0 {
            of_flow.remove(&flow);
        }
    }
}
