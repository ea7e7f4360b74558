//! OPTIONS that wait for their answer. One table and one deadline for all, no task for any.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use ::sip::{Agent, ClientId, Flow, Request, Response, Status, sign};

use crate::sip::outbound::call_id;
use crate::sip::qualify::{ContactStatus, Probe};
use crate::sip::shared::{Shared, printable};

/// Contacts asked between two other things the driver does.
pub(crate) const PROBES_PER_TURN_MAX: usize = 32;

/// Contacts that are asked and have not answered, at a time; the rest waits for its next turn.
const PENDING_MAX: usize = 10_000;

/// How often the challenges of one OPTIONS are answered: the first one, and stale nonces after it. Who
/// goes on like that would have us as busy as his line allows.
const LOGIN_TRIES_MAX: u8 = 3;

/// What a response was.
pub(crate) enum Asked {
    /// It is nobody's here.
    Nobodys,
    Done,
    /// The contact is to be asked at its next place (RFC 3263 §4.3).
    Elsewhere(Box<Probe>),
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Probes {
    pending: BTreeMap<ClientId, Pending>,
    deadlines: BTreeSet<(Instant, ClientId)>,
    /// Contacts that are being asked.
    busy: BTreeSet<u64>,
}

#[derive(Debug)]
struct Pending {
    probe: Probe,
    flow: Flow,
    request: Request,
    sent: Instant,
    deadline: Instant,
    login_tries: u8,
}

impl Probes {
    /// When the patience with the first of them ends.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Asks a contact, unless it is being asked.
    pub(crate) fn ask(
        &mut self,
        agent: &mut Agent,
        shared: &Shared,
        probe: Probe,
        flow: Option<Flow>,
        now: Instant,
    ) {
        let Some(flow) = flow else {
            return tell(shared, &probe, ContactStatus::Unavailable);
        };
        if self.pending.len() >= PENDING_MAX || !self.busy.insert(probe.id) {
            return;
        }
        let user = &shared.switch.config().global.default_from_user;
        let request = probe.request(user, &flow);
        let deadline = now + probe.qualify.patience;
        self.send(
            agent,
            Pending {
                probe,
                flow,
                request,
                sent: now,
                deadline,
                login_tries: 0,
            },
        );
    }

    fn send(&mut self, agent: &mut Agent, pending: Pending) {
        let id = agent.request(pending.sent, pending.flow, pending.request.clone());
        self.deadlines.insert((pending.deadline, id));
        self.pending.insert(id, pending);
    }

    /// A response came, or none in the time of the transaction.
    pub(crate) fn on_response(
        &mut self,
        agent: &mut Agent,
        shared: &Shared,
        id: ClientId,
        response: Option<&Arc<Response>>,
        now: Instant,
    ) -> Asked {
        let Some(mut pending) = self.take(id) else {
            return Asked::Nobodys;
        };
        let challenged = |status| {
            matches!(
                status,
                Status::UNAUTHORIZED | Status::PROXY_AUTHENTICATION_REQUIRED
            )
        };
        if let Some(response) = response
            && challenged(response.status)
            && pending.login_tries < LOGIN_TRIES_MAX
            && sign(
                &mut pending.request,
                response,
                &pending.probe.qualify.logins,
                &call_id(),
            )
        {
            pending.login_tries += 1;
            self.send(agent, pending);
            return Asked::Done;
        }
        self.busy.remove(&pending.probe.id);
        let failed = response.is_none_or(|it| it.status == Status::SERVICE_UNAVAILABLE);
        if failed && pending.probe.route.next() {
            return Asked::Elsewhere(Box::new(pending.probe));
        }
        let counts = |response: &Response| {
            response.status.is_success() || !pending.probe.qualify.success_only
        };
        let status = match response {
            Some(response) if counts(response) => {
                ContactStatus::Available(now.saturating_duration_since(pending.sent))
            }
            Some(_) | None => ContactStatus::Unavailable,
        };
        tell(shared, &pending.probe, status);
        Asked::Done
    }

    /// The patience with some of them has ended: those that are to be asked at their next place. A call would go on to
    /// it too.
    pub(crate) fn on_deadline(&mut self, shared: &Shared, now: Instant) -> Vec<Probe> {
        let mut elsewhere = Vec::new();
        while let Some((at, id)) = self.deadlines.first().copied()
            && at <= now
        {
            self.deadlines.pop_first();
            if let Some(mut pending) = self.pending.remove(&id) {
                self.busy.remove(&pending.probe.id);
                match pending.probe.route.next() {
                    true => elsewhere.push(pending.probe),
                    false => tell(shared, &pending.probe, ContactStatus::Unavailable),
                }
            }
        }
        elsewhere
    }

    fn take(&mut self, id: ClientId) -> Option<Pending> {
        let pending = self.pending.remove(&id)?;
        self.deadlines.remove(&(pending.deadline, id));
        Some(pending)
    }
}

fn tell(shared: &Shared, probe: &Probe, status: ContactStatus) {
    let Some(before) = shared.location().probed(&probe.aor, probe.id, status) else {
        return;
    };
    let (aor, uri) = (&probe.aor, printable(probe.uri.as_str()));
    match (before, status) {
        (ContactStatus::Available(_), ContactStatus::Available(_))
        | (ContactStatus::Unavailable, ContactStatus::Unavailable)
        | (_, ContactStatus::NotQualified | ContactStatus::Unknown) => {}
        (_, ContactStatus::Available(rtt)) => tracing::info!(
            "Contact {aor}/{uri} is now Reachable.  RTT: {:.3} msec",
            rtt.as_secs_f64() * 1_000.0
        ),
        (_, ContactStatus::Unavailable) => {
            tracing::warn!("Contact {aor}/{uri} is now Unreachable.  RTT: 0.000 msec");
        }
    }
}
