//! The registrations of the exchange at other servers: each machine of them gets its flow here, and its
//! deadline. Names are resolved by tasks; connections are opened by `transport/dial.rs`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::sip::{
    ClientId, Flow, FlowId, Login, NextRegister, Registration, RegistrationEvent,
    RegistrationRules, Request, Response, Standing, Status, Uri,
};
use tokio::sync::oneshot;

use crate::sip::command::Command;
use crate::sip::driver::Driver;
use crate::sip::driver::dials::Waiting;
use crate::sip::outbound::{call_id, with_user};
use crate::sip::resolve::{self, Hop};
use crate::sip::shared::printable;
use crate::sip::trunk::{State, Wanted};

/// Registrations that are kept up; files have fewer.
const REGISTRATIONS_MAX: usize = 10_000;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Registrations {
    entries: BTreeMap<u64, Entry>,
    deadlines: BTreeSet<(Instant, u64)>,
    by_client: BTreeMap<ClientId, u64>,
    last_number: u64,
    /// Who waits for the end of all.
    leaving: Vec<oneshot::Sender<()>>,
}

#[derive(Debug)]
struct Entry {
    wanted: Arc<Wanted>,
    machine: Registration,
    /// The sign in its Contact.
    sign: String,
    deadline: Option<Instant>,
    /// What it goes by.
    flow: Option<Flow>,
    /// Places of the registrar that were not tried yet.
    hops: VecDeque<Hop>,
    /// The flow that is used is that of the last registration: other places were not looked for.
    reuses: bool,
    /// Where the registrar knows that it reaches us.
    contact: Option<Uri>,
    /// What it is being told of that.
    offer: Option<Offer>,
    /// Why there is no connection.
    fault: Option<String>,
    /// What takes its place when it is over.
    then: Option<Arc<Wanted>>,
}

/// The Contacts of a REGISTER under way.
#[derive(Debug)]
struct Offer {
    own: Uri,
    /// The one before is taken back with it.
    withdraws: bool,
}

impl Registrations {
    /// When the next of them wants to act.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    fn of_id(&self, id: Option<&str>) -> Vec<u64> {
        let entries = self.entries.iter();
        entries
            .filter(|(_, entry)| id.is_none_or(|id| entry.wanted.own.id == id))
            .map(|(number, _)| *number)
            .collect()
    }

    fn set_deadline(&mut self, number: u64) {
        let Some(entry) = self.entries.get_mut(&number) else {
            return;
        };
        let deadline = entry.machine.poll_timeout();
        let before = std::mem::replace(&mut entry.deadline, deadline);
        if before != deadline {
            self.deadlines.extend(deadline.map(|at| (at, number)));
            if let Some(before) = before {
                self.deadlines.remove(&(before, number));
            }
        }
    }
}

impl Driver {
    /// From now on these registrations are kept up, and no others.
    pub(crate) fn adopt_registrations(&mut self, now: Instant, all: Vec<Arc<Wanted>>) {
        let mut new: BTreeMap<String, Arc<Wanted>> = BTreeMap::new();
        for wanted in all {
            new.insert(wanted.own.id.clone(), wanted);
        }
        for number in self.registrations.of_id(None) {
            let Some(entry) = self.registrations.entries.get_mut(&number) else {
                continue;
            };
            let is_leaving = entry.machine.standing() == Standing::Stopping;
            match new.remove(&entry.wanted.own.id) {
                Some(wanted) if is_leaving => entry.then = Some(wanted),
                Some(wanted) if *wanted == *entry.wanted => {}
                Some(wanted) if wanted.is_same_binding(&entry.wanted) => match wanted.rules() {
                    Ok(rules) => {
                        entry.machine.set_rules(rules);
                        entry.wanted = wanted;
                        entry.machine.register(now);
                    }
                    Err(fault) => tracing::error!("{fault}"),
                },
                Some(wanted) => {
                    entry.then = Some(wanted);
                    entry.machine.unregister(true);
                }
                None => {
                    entry.then = None;
                    entry.machine.unregister(true);
                }
            }
            self.follow_registration(now, number);
        }
        for wanted in new.into_values() {
            let most = Duration::from_secs(wanted.own.max_random_initial_delay_s.into());
            self.begin_registration(now, wanted, spread(most));
        }
    }

    fn begin_registration(&mut self, now: Instant, wanted: Arc<Wanted>, delay: Duration) {
        let registrations = &mut self.registrations;
        if registrations.entries.len() >= REGISTRATIONS_MAX {
            let id = &wanted.own.id;
            tracing::error!("registration {id} is left out: there are {REGISTRATIONS_MAX} others");
            return;
        }
        let rules = match wanted.rules() {
            Ok(rules) => rules,
            Err(fault) => return tracing::error!("{fault}"),
        };
        let mut machine = Registration::new(rules, call_id(), call_id());
        machine.register(now + delay);
        registrations.last_number += 1;
        let (number, sign) = (registrations.last_number, call_id());
        let entry = Entry {
            wanted,
            machine,
            sign: sign[..16].to_owned(),
            deadline: None,
            flow: None,
            hops: VecDeque::new(),
            reuses: false,
            contact: None,
            offer: None,
            fault: None,
            then: None,
        };
        registrations.entries.insert(number, entry);
        self.follow_registration(now, number);
    }

    /// By hand: `pjsip send register` and `pjsip send unregister`.
    pub(crate) fn register(&mut self, now: Instant, id: Option<&str>, is_on: bool) {
        for number in self.registrations.of_id(id) {
            if let Some(entry) = self.registrations.entries.get_mut(&number) {
                match is_on {
                    true => entry.machine.register(now),
                    false => entry.machine.unregister(false),
                }
            }
            self.follow_registration(now, number);
        }
    }

    /// The exchange stops.
    pub(crate) fn leave(&mut self, now: Instant, reply: oneshot::Sender<()>) {
        self.registrations.leaving.push(reply);
        for number in self.registrations.of_id(None) {
            if let Some(entry) = self.registrations.entries.get_mut(&number) {
                entry.then = None;
                entry.machine.unregister(true);
            }
            self.follow_registration(now, number);
        }
        self.all_left();
    }

    fn all_left(&mut self) {
        if self.registrations.entries.is_empty() {
            for reply in self.registrations.leaving.drain(..) {
                // Nobody waits any more: it took too long.
                let _ = reply.send(());
            }
        }
    }

    pub(crate) fn registrations_due(&mut self, now: Instant) {
        while let Some((at, number)) = self.registrations.deadlines.first().copied()
            && at <= now
        {
            self.registrations.deadlines.pop_first();
            if let Some(entry) = self.registrations.entries.get_mut(&number) {
                entry.deadline = None;
                entry.machine.handle_timeout(now);
            }
            self.follow_registration(now, number);
        }
    }

    /// Does what a machine wants, and tells others how it stands.
    fn follow_registration(&mut self, now: Instant, number: u64) {
        while let Some(entry) = self.registrations.entries.get_mut(&number)
            && let Some(next) = entry.machine.poll_send()
        {
            match next {
                NextRegister::Anew => self.find_registrar(now, number),
                NextRegister::Again(request) => match entry.flow {
                    Some(flow) => self.send_registering(now, number, flow, *request),
                    None => entry.machine.handle_response(now, None, ""),
                },
            }
        }
        self.registrations.set_deadline(number);
        let Some(entry) = self.registrations.entries.get_mut(&number) else {
            return;
        };
        while let Some(event) = entry.machine.poll_event() {
            let fault = entry.fault.as_deref();
            tell(&entry.wanted, entry.machine.rules(), &event, fault);
        }
        let own = &entry.wanted.own;
        if !entry.machine.is_over() {
            let endpoint = own.endpoint.clone().filter(|_| own.line);
            let state = State {
                standing: entry.machine.standing(),
                expires_at: entry.machine.expires_at(),
                flow: entry.flow.map(|flow| flow.id),
                line: endpoint.map(|endpoint| (entry.sign.clone(), endpoint)),
            };
            return self.shared.trunks().set(&own.id, state);
        }
        self.shared.trunks().remove(&own.id);
        if let Some(entry) = self.registrations.entries.remove(&number)
            && let Some(then) = entry.then
        {
            self.begin_registration(now, then, Duration::ZERO);
        }
        self.all_left();
    }

    /// A flow for the next REGISTER: the one that serves, or where the registrar is now.
    fn find_registrar(&mut self, now: Instant, number: u64) {
        let Some(entry) = self.registrations.entries.get_mut(&number) else {
            return;
        };
        entry.fault = None;
        let serves = matches!(
            entry.machine.standing(),
            Standing::Registered | Standing::Stopping
        );
        // What a database holds may be another password by now.
        let known = entry.wanted.is_complete();
        let flow = entry.flow.filter(|_| serves && known);
        match flow.and_then(|flow| self.flows.find(flow.id)) {
            Some(flow) => {
                entry.reuses = true;
                self.send_register(now, number, flow);
            }
            None => self.look_up_registrar(number),
        }
    }

    fn look_up_registrar(&mut self, number: u64) {
        let Some(entry) = self.registrations.entries.get_mut(&number) else {
            return;
        };
        entry.reuses = false;
        let (shared, wanted) = (self.shared.clone(), entry.wanted.clone());
        self.links.tracker.spawn(async move {
            let own = &wanted.own;
            let next = own.outbound_proxy.as_ref().unwrap_or(&own.server_uri);
            let hops = match next.parse::<Uri>() {
                Ok(uri) => resolve::hops(&shared, &uri, wanted.by.as_ref()).await,
                Err(error) => Err(error.to_string()),
            };
            let logins = wanted.logins_of(&shared).await;
            shared.command(Command::Registrar {
                number,
                hops,
                logins,
            });
        });
    }

    /// The registrar was looked up.
    pub(crate) fn on_registrar(
        &mut self,
        now: Instant,
        number: u64,
        hops: Result<Vec<Hop>, String>,
        logins: Option<Vec<Login>>,
    ) {
        let Some(entry) = self.registrations.entries.get_mut(&number) else {
            return;
        };
        if let Some(logins) = logins {
            entry.machine.set_logins(logins);
        }
        let fault = match hops {
            Ok(hops) => {
                entry.hops = hops.into();
                None
            }
            Err(fault) => Some(fault),
        };
        self.register_elsewhere(now, number, fault.as_deref());
    }

    /// The next place of the registrar, if there is one. `fault`: why the last one was none.
    pub(crate) fn register_elsewhere(&mut self, now: Instant, number: u64, fault: Option<&str>) {
        let Some(entry) = self.registrations.entries.get_mut(&number) else {
            return;
        };
        if let Some(fault) = fault {
            entry.fault = Some(fault.to_owned());
        }
        match entry.hops.pop_front() {
            Some(Hop::Udp(remote, transport)) => {
                match self.udp_flow(remote, transport.as_deref(), now) {
                    Some(flow) => self.send_register(now, number, flow),
                    None => {
                        let fault = format!("no transport with protocol=udp reaches {remote}");
                        self.register_elsewhere(now, number, Some(&fault));
                    }
                }
            }
            Some(Hop::Connection(to)) => self.dial(now, &to, Waiting::Register(number)),
            None => {
                entry.flow = None;
                entry.machine.handle_response(now, None, "");
                self.follow_registration(now, number);
            }
        }
    }

    /// There is a flow.
    pub(crate) fn send_register(&mut self, now: Instant, number: u64, flow: Flow) {
        let address = self.agent.address(&flow);
        let Some(entry) = self.registrations.entries.get_mut(&number) else {
            return;
        };
        entry.flow = Some(flow);
        let own = contact(&entry.wanted, &entry.sign, &flow, &address);
        let mut contacts = format!("<{own}>");
        let params = &entry.wanted.own.contact_header_params;
        if !params.is_empty() {
            contacts = format!("{contacts};{params}");
        }
        let is_known = entry.machine.expires_at().is_some_and(|at| at > now);
        let before = entry.contact.as_ref().filter(|_| is_known);
        let before = before.filter(|before| !before.equivalent(&own));
        // RFC 3261 §10.2.2: what we are not reached at any more is taken back, ours comes first.
        if let Some(before) = before {
            contacts = format!("{contacts}, <{before}>;expires=0");
        }
        let withdraws = before.is_some();
        entry.offer = Some(Offer { own, withdraws });
        match entry.machine.compose(&contacts) {
            Some(request) => self.send_registering(now, number, flow, request),
            None => self.follow_registration(now, number),
        }
    }

    fn send_registering(&mut self, now: Instant, number: u64, flow: Flow, request: Request) {
        let client = self.agent.request(now, flow, request);
        self.registrations.by_client.insert(client, number);
        // The flow is one that must stay from now on.
        self.follow_registration(now, number);
    }

    /// A final response to a request of ours, if it was a REGISTER; `None` if there was none in time.
    pub(crate) fn on_registered(
        &mut self,
        now: Instant,
        client: ClientId,
        response: Option<&Arc<Response>>,
    ) {
        let Some(number) = self.registrations.by_client.remove(&client) else {
            return;
        };
        let Some(entry) = self.registrations.entries.get_mut(&number) else {
            return;
        };
        // RFC 3263 §4.3: the next place is tried after a failure of the transport, a timeout, or a 503.
        let elsewhere =
            response.is_none_or(|response| response.status == Status::SERVICE_UNAVAILABLE);
        if elsewhere && entry.reuses && entry.machine.standing() != Standing::Stopping {
            return self.look_up_registrar(number);
        }
        if elsewhere && !entry.hops.is_empty() {
            return self.register_elsewhere(now, number, None);
        }
        let response = response.map(|response| &**response);
        if response.is_some_and(|response| response.status.is_success()) {
            entry.contact = entry.offer.take().map(|offer| offer.own);
        }
        // Some registrars take but one Contact in a REGISTER: there the one before runs out.
        let takes_back = entry.offer.as_ref().is_some_and(|offer| offer.withdraws);
        if takes_back
            && response.is_some_and(|response| is_about_the_contacts(response.status))
            && let Some(flow) = entry.flow
        {
            entry.contact = None;
            return self.send_register(now, number, flow);
        }
        entry.machine.handle_response(now, response, &call_id());
        self.follow_registration(now, number);
    }

    /// On these flows we are reached at another address.
    pub(super) fn register_moved(&mut self, now: Instant, flows: &BTreeSet<FlowId>) {
        for number in self.registrations.of_id(None) {
            if let Some(entry) = self.registrations.entries.get_mut(&number)
                && entry.flow.is_some_and(|own| flows.contains(&own.id))
            {
                entry.machine.renew(now);
                self.follow_registration(now, number);
            }
        }
    }

    /// A connection is gone.
    pub(crate) fn registrar_lost(&mut self, now: Instant, flow: FlowId) {
        for number in self.registrations.of_id(None) {
            if let Some(entry) = self.registrations.entries.get_mut(&number)
                && entry.flow.is_some_and(|own| own.id == flow)
            {
                entry.flow = None;
                entry.machine.handle_flow_closed(now);
                self.follow_registration(now, number);
            }
        }
    }
}

/// Whether a refusal may be one of two Contacts, and not of us, of the time, or of anything for now.
fn is_about_the_contacts(status: Status) -> bool {
    !status.is_success() && !matches!(status.code(), 401 | 407 | 408 | 423 | 503)
}

/// Our address on a flow.
fn contact(wanted: &Wanted, sign: &str, flow: &Flow, address: &str) -> Uri {
    let own = &wanted.own;
    let uri = format!("sip:{address}").parse::<Uri>();
    let mut uri = match uri {
        Ok(uri) => with_user(&uri, &own.contact_user),
        // A name that stands for our address and is none.
        Err(_) => Uri::sip(
            Some(&own.contact_user),
            &flow.local.ip().into(),
            Some(flow.local.port()),
        ),
    };
    if flow.transport.is_reliable() {
        uri = uri.with_param("transport", Some(flow.transport.uri_token()));
    }
    match own.line {
        true => uri.with_param("line", Some(sign)),
        false => uri,
    }
}

/// A random time up to `most`.
fn spread(most: Duration) -> Duration {
    let drawn = u64::from_str_radix(&call_id()[..8], 16).unwrap_or_default();
    most.mul_f64(drawn as f64 / f64::from(u32::MAX))
}

fn tell(
    wanted: &Wanted,
    rules: &RegistrationRules,
    event: &RegistrationEvent,
    fault: Option<&str>,
) {
    let (server, client) = (rules.registrar.as_str(), rules.address.as_str());
    let (server, client) = (printable(server), printable(client));
    let place = &wanted.own.written;
    let why = |status: &Option<Status>| match (status, fault) {
        (Some(status), _) => {
            let refused = matches!(status.code(), 401 | 403 | 407);
            let logins = &rules.logins;
            let hint = match logins.first().filter(|_| refused) {
                Some(login) => format!(
                    ": it refuses the password of user `{}`, or names a realm that outbound_auth does not",
                    printable(&login.username)
                ),
                None if refused => ": it wants a password, and no outbound_auth is set".to_owned(),
                None => String::new(),
            };
            format!("answered {} {}{hint}", status.code(), status.reason())
        }
        (None, Some(fault)) => format!("is not reached ({fault})"),
        (None, None) => "does not answer".to_owned(),
    };
    match event {
        RegistrationEvent::Registered { expires_s, again } if *again => {
            tracing::debug!("registration of {client} at {server} refreshed for {expires_s} s");
        }
        RegistrationEvent::Registered { expires_s, .. } => {
            tracing::info!("registered {client} at {server} for {expires_s} s");
        }
        RegistrationEvent::Unregistered => {
            tracing::info!("{client} is not registered at {server} any more");
        }
        RegistrationEvent::Retrying { status, after } => tracing::warn!(
            "{place}: {client} is not registered: {server} {}; tried again in {} s",
            why(status),
            after.as_secs()
        ),
        RegistrationEvent::GaveUp { status, exhausted } => {
            let tries = if *exhausted { " too often" } else { "" };
            tracing::error!(
                "{place}: {client} is not registered and not tried again: {server} {}{tries}; \
                 `pjsip send register {}` tries once more",
                why(status),
                wanted.own.id
            );
        }
        RegistrationEvent::FlowLost => {
            tracing::info!("the connection to {server} is gone; {client} is registered anew");
        }
    }
}
