//! Who is registered where: addresses of record and their contacts (RFC 3261 §10, RFC 5626).
//!
//! A contact is bound to the flow it was registered over, because a browser's Contact names no place
//! one could connect to. A contact that came over a connection dies with it, unless it names an address
//! where it takes connections itself.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use ::sip::{Contact, Flow, FlowId, Uri};
use store::ContactChange;
use tokio::sync::Notify;

mod facts;
mod saved;

pub(crate) use saved::{is_websocket, way_to};

use crate::sip::command::Party;
use crate::sip::destination::Destination;
use crate::sip::qualify::Watch;

mod watch;

pub(crate) use watch::Written;

/// Contacts of all addresses together.
pub(crate) const BINDINGS_MAX: usize = 100_000;

/// Contacts of one address, whatever its `max_contacts` says.
pub(crate) const CONTACTS_PER_AOR_MAX: usize = 32;

/// One registered contact.
#[derive(Debug, Clone)]
pub(crate) struct Binding {
    serial: u64,
    /// The contact as the client wrote it.
    pub(crate) contact: Contact,
    /// Where it is reached.
    pub(crate) flow: Flow,
    /// Where it takes connections, so that it may outlive its own.
    pub(crate) to: Option<Destination>,
    /// The endpoint that registered it.
    pub(crate) endpoint: String,
    /// RFC 3327.
    pub(crate) path: Vec<String>,
    /// The end of the registration.
    pub(crate) expires_at: Instant,
    call_id: String,
    cseq: u32,
    pub(crate) watch: Watch,
    agent: Agent,
}

/// What is told of a client, and nothing depends on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Agent {
    /// User-Agent.
    pub(crate) name: String,
    /// The host of its lowest Via.
    pub(crate) via_addr: String,
    /// The port of it; 0 if it names none.
    pub(crate) via_port: u16,
}

impl Binding {
    /// The client that registered it.
    fn party(&self) -> Party {
        Party {
            endpoint: self.endpoint.clone(),
            instance: self.contact.instance().map(str::to_owned),
            contact: Some(self.contact.address.uri.clone()),
        }
    }

    /// Whether it is worth calling.
    pub(crate) fn answers(&self) -> bool {
        self.watch.answers()
    }
}

/// What one REGISTER brings besides contacts.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) flow: Flow,
    pub(crate) endpoint: String,
    pub(crate) call_id: String,
    pub(crate) cseq: u32,
    pub(crate) path: Vec<String>,
    pub(crate) agent: Agent,
}

/// What the `aor` object says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) max_contacts: usize,
    pub(crate) remove_existing: bool,
    pub(crate) remove_unavailable: bool,
}

/// A contact with the time it is bound for; `None` unbinds it.
pub(crate) type Change = (Contact, Option<Instant>);

/// What an update did, for the log.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Updated {
    pub(crate) added: usize,
    pub(crate) refreshed: usize,
    pub(crate) removed: usize,
    /// What that means for the contacts that are kept.
    pub(crate) kept: Vec<ContactChange>,
}

/// Why an update was refused; then nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// More contacts than `max_contacts`.
    TooMany,
    /// RFC 3261 §10.3 step 7: an older request of the same Call-ID came later.
    OutOfOrder,
    /// The flow closed meanwhile.
    FlowGone,
    /// [`BINDINGS_MAX`].
    Full,
}

/// The table.
#[derive(Debug, Default)]
pub(crate) struct Location {
    aors: BTreeMap<String, Vec<Binding>>,
    expiries: BTreeMap<(Instant, u64), String>,
    /// Open connections, each with the addresses that may have a contact on it.
    connections: BTreeMap<FlowId, BTreeSet<String>>,
    next_serial: u64,
    /// When which contact is asked whether it is there, with its address.
    plans: BTreeMap<(Instant, u64), String>,
    next_watch: u64,
    /// Contacts that stand in files.
    written: BTreeMap<String, Vec<Written>>,
    /// Told when somebody is there who was not, or the other way round.
    pub(crate) changes: Arc<Notify>,
}

impl Location {
    /// A connection opened; contacts may be bound to it.
    pub(crate) fn open(&mut self, flow: FlowId) {
        self.connections.insert(flow, BTreeSet::new());
    }

    /// A connection closed: the contacts that are gone with it, with their addresses. Those that take
    /// connections stay.
    pub(crate) fn close(&mut self, flow: FlowId) -> Vec<(String, Binding)> {
        let mut removed = Vec::new();
        for aor in self.connections.remove(&flow).unwrap_or_default() {
            let bindings = self.aors.remove(&aor).unwrap_or_default();
            let (gone, left) = bindings
                .into_iter()
                .partition(|binding| binding.flow.id == flow && binding.to.is_none());
            self.store(&aor, left);
            for binding in gone {
                self.expiries.remove(&(binding.expires_at, binding.serial));
                removed.push((aor.clone(), binding));
            }
        }
        removed
    }

    /// Applies a REGISTER, whole or not at all.
    pub(crate) fn update(
        &mut self,
        aor: &str,
        changes: &[Change],
        rules: Rules,
        source: &Source,
    ) -> Result<Updated, Refused> {
        if source.flow.transport.is_reliable() && !self.connections.contains_key(&source.flow.id) {
            return Err(Refused::FlowGone);
        }
        let before = self.aors.get(aor).map(Vec::as_slice).unwrap_or_default();
        let mut after = before.to_vec();
        let mut updated = Updated::default();
        let mut touched = Vec::new();
        for (contact, until) in changes {
            let same = |binding: &Binding| is_same(&binding.contact, contact);
            if let Some(old) = before.iter().find(|binding| same(binding))
                && old.call_id == source.call_id
                && old.cseq >= source.cseq
            {
                return Err(Refused::OutOfOrder);
            }
            let known = after.iter().position(same);
            let Some(expires_at) = *until else {
                if let Some(index) = known {
                    after.remove(index);
                    updated.removed += 1;
                }
                continue;
            };
            let binding = Binding {
                serial: self.next_serial + touched.len() as u64,
                contact: contact.clone(),
                flow: source.flow,
                to: Destination::of_contact(
                    contact,
                    &source.path,
                    source.flow.transport,
                    Some(source.flow.remote),
                ),
                endpoint: source.endpoint.clone(),
                path: source.path.clone(),
                expires_at,
                call_id: source.call_id.clone(),
                cseq: source.cseq,
                watch: known.map_or_else(Watch::default, |index| after[index].watch.clone()),
                agent: source.agent.clone(),
            };
            touched.push(binding.serial);
            match known {
                Some(index) => {
                    after[index] = binding;
                    updated.refreshed += 1;
                }
                None => {
                    after.push(binding);
                    updated.added += 1;
                }
            }
        }
        make_room(&mut after, &touched, rules)?;
        if updated.added > 0 && self.expiries.len() + after.len() > BINDINGS_MAX + before.len() {
            return Err(Refused::Full);
        }
        updated.kept = saved::changes(aor, before, &after, &touched);
        self.next_serial += touched.len() as u64;
        self.replace(aor, after, source.flow.id);
        Ok(updated)
    }

    /// Unbinds everything (`Contact: *`).
    pub(crate) fn clear(&mut self, aor: &str, source: &Source) -> Result<Updated, Refused> {
        let bindings = self.aors.get(aor).map(Vec::as_slice).unwrap_or_default();
        let stale = |b: &Binding| b.call_id == source.call_id && b.cseq >= source.cseq;
        if bindings.iter().any(stale) {
            return Err(Refused::OutOfOrder);
        }
        let updated = Updated {
            removed: bindings.len(),
            kept: saved::changes(aor, bindings, &[], &[]),
            ..Updated::default()
        };
        self.replace(aor, Vec::new(), source.flow.id);
        Ok(updated)
    }

    /// The contacts of an address.
    pub(crate) fn contacts(&self, aor: &str) -> &[Binding] {
        self.aors.get(aor).map(Vec::as_slice).unwrap_or_default()
    }

    /// Every contact with its address.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &Binding)> {
        self.aors
            .iter()
            .flat_map(|(aor, bindings)| bindings.iter().map(move |binding| (aor.as_str(), binding)))
    }

    /// What has run out by now.
    pub(crate) fn expire(&mut self, now: Instant) -> Vec<(String, Binding)> {
        let mut removed = Vec::new();
        while let Some(entry) = self.expiries.first_entry()
            && entry.key().0 <= now
        {
            let ((_, serial), aor) = entry.remove_entry();
            let mut bindings = self.aors.remove(&aor).unwrap_or_default();
            if let Some(index) = bindings.iter().position(|binding| binding.serial == serial) {
                removed.push((aor.clone(), bindings.remove(index)));
            }
            self.store(&aor, bindings);
        }
        removed
    }

    /// When the next contact runs out.
    pub(crate) fn next_expiry(&self) -> Option<Instant> {
        self.expiries.first_key_value().map(|((at, _), _)| *at)
    }

    /// Contacts of all addresses.
    pub(crate) fn count(&self) -> usize {
        self.expiries.len()
    }

    /// Flows that contacts are bound to.
    pub(crate) fn flows(&self) -> BTreeSet<FlowId> {
        self.aors
            .values()
            .flatten()
            .map(|binding| binding.flow.id)
            .collect()
    }

    /// The connection by which this client, who writes from there, has registered a contact of the address.
    pub(crate) fn connection_of(&self, aor: &str, party: &Party, from: IpAddr) -> Option<Flow> {
        let mut connections = self.contacts(aor).iter().filter(|binding| {
            binding.flow.transport.is_reliable() && self.connections.contains_key(&binding.flow.id)
        });
        let own = connections.find(|binding| {
            let other = binding.party();
            // Private networks are alike, and so are the Contacts of phones in them that have no instance.
            let has_instances = party.instance.is_some() && other.instance.is_some();
            let is_near = binding.flow.remote.ip().to_canonical() == from.to_canonical();
            (has_instances || is_near) && party.is_same(&other)
        });
        own.map(|binding| binding.flow)
    }

    /// Whether one of these clients has registered over this connection.
    pub(crate) fn is_registered_over(&self, flow: FlowId, parties: &[Party]) -> bool {
        let aors = self.connections.get(&flow).into_iter().flatten();
        let mut bindings = aors.flat_map(|aor| self.contacts(aor));
        bindings.any(|binding| {
            binding.flow.id == flow && parties.iter().any(|party| party.is_same(&binding.party()))
        })
    }

    /// The instance that registered a contact with this user part over this flow. JsSIP's INVITE
    /// names its Contact's user and nothing else.
    pub(crate) fn instance_on(&self, flow: FlowId, contact: &Uri) -> Option<String> {
        let aors = self.connections.get(&flow)?;
        let bindings = aors.iter().filter_map(|aor| self.aors.get(aor)).flatten();
        let mut on_flow = bindings
            .filter(|binding| binding.flow.id == flow)
            .filter(|binding| binding.contact.address.uri.user() == contact.user());
        on_flow.find_map(|binding| binding.contact.instance().map(str::to_owned))
    }

    fn replace(&mut self, aor: &str, after: Vec<Binding>, flow: FlowId) {
        for binding in self.aors.remove(aor).unwrap_or_default() {
            self.expiries.remove(&(binding.expires_at, binding.serial));
        }
        for binding in &after {
            self.expiries
                .insert((binding.expires_at, binding.serial), aor.to_owned());
        }
        if let Some(aors) = self.connections.get_mut(&flow) {
            aors.insert(aor.to_owned());
        }
        self.store(aor, after);
    }

    fn store(&mut self, aor: &str, bindings: Vec<Binding>) {
        self.changes.notify_one();
        if !bindings.is_empty() {
            self.aors.insert(aor.to_owned(), bindings);
        }
    }
}

/// RFC 5626 §6: one instance with one reg-id has one contact, whatever its URI. Without an instance
/// the URI decides (RFC 3261 §19.1.4).
fn is_same(one: &Contact, other: &Contact) -> bool {
    match (one.instance(), other.instance()) {
        (Some(a), Some(b)) => a == b && one.reg_id() == other.reg_id(),
        (None, None) => one.address.uri.equivalent(&other.address.uri),
        _ => false,
    }
}

/// `remove_existing=yes`: the contacts that would run out first make room, but never those of the
/// request itself. `remove_unavailable=yes`: those that do not answer go first, and make room also where
/// the others may not be removed.
fn make_room(after: &mut Vec<Binding>, touched: &[u64], rules: Rules) -> Result<(), Refused> {
    let max = rules.max_contacts.min(CONTACTS_PER_AOR_MAX);
    while after.len() > max {
        let others = after
            .iter()
            .filter(|binding| !touched.contains(&binding.serial));
        let first_out = others
            .filter(|binding| {
                rules.remove_existing || (rules.remove_unavailable && !binding.answers())
            })
            .min_by_key(|binding| {
                let stays = rules.remove_unavailable && binding.answers();
                (stays, binding.expires_at)
            })
            .map(|binding| binding.serial);
        match first_out {
            Some(serial) if !touched.is_empty() => {
                after.retain(|binding| binding.serial != serial);
            }
            // A reload may have lowered the limit: what is there may stay, unbind and refresh.
            _ if touched.is_empty() => return Ok(()),
            _ => return Err(Refused::TooMany),
        }
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::Duration;

    use ::sip::Transport;

    use crate::sip::qualify::ContactStatus;

    use super::*;

    fn flow(id: u64) -> Flow {
        let address = "127.0.0.1:5060".parse().unwrap();
        Flow {
            id: FlowId(id),
            transport: Transport::Ws,
            local: address,
            remote: address,
        }
    }

    pub(crate) fn source(id: u64, call_id: &str, cseq: u32) -> Source {
        Source {
            flow: flow(id),
            endpoint: "alice".to_owned(),
            call_id: call_id.to_owned(),
            cseq,
            path: Vec::new(),
            agent: Agent::default(),
        }
    }

    pub(crate) fn contact(user: &str) -> Contact {
        Contact::parse(&format!("<sip:{user}@x.invalid;transport=ws>")).unwrap()
    }

    pub(crate) const ROOMY: Rules = Rules {
        max_contacts: usize::MAX,
        remove_existing: false,
        remove_unavailable: false,
    };

    fn users(location: &Location, aor: &str) -> Vec<String> {
        let bindings = location.contacts(aor).iter();
        bindings
            .map(|binding| binding.contact.address.uri.user().unwrap().into_owned())
            .collect()
    }

    #[test]
    fn the_connection_of_a_phone_without_instance_comes_from_its_address() {
        let (mut location, until) = (Location::default(), Some(Instant::now()));
        location.open(FlowId(1));
        let changes = [(contact("101"), until)];
        location
            .update("a", &changes, ROOMY, &source(1, "c", 1))
            .unwrap();
        let party = Party {
            endpoint: "alice".to_owned(),
            instance: None,
            contact: Some(contact("101").address.uri),
        };
        for (from, expected) in [
            ("127.0.0.1", Some(FlowId(1))),
            ("::ffff:127.0.0.1", Some(FlowId(1))),
            ("192.0.2.7", None),
        ] {
            let found = location.connection_of("a", &party, from.parse().unwrap());
            assert_eq!(found.map(|flow| flow.id), expected, "{from}");
        }
    }

    #[test]
    fn contacts_of_one_address_are_bounded_whatever_the_configuration_says() {
        let (mut location, until) = (Location::default(), Some(Instant::now()));
        location.open(FlowId(1));
        for number in 0..CONTACTS_PER_AOR_MAX {
            let changes = [(contact(&number.to_string()), until)];
            let updated = location.update("a", &changes, ROOMY, &source(1, &number.to_string(), 1));
            assert_eq!(updated.unwrap().added, 1);
        }
        let changes = [(contact("more"), until)];
        let refused = location.update("a", &changes, ROOMY, &source(1, "more", 1));
        assert_eq!(refused, Err(Refused::TooMany));
        assert_eq!(location.count(), CONTACTS_PER_AOR_MAX);
    }

    #[test]
    fn contacts_of_all_addresses_are_bounded() {
        let (mut location, now) = (Location::default(), Instant::now());
        location.open(FlowId(1));
        for serial in 0..BINDINGS_MAX as u64 {
            location.expiries.insert((now, serial), "other".to_owned());
        }
        let changes = [(contact("more"), Some(now))];
        let refused = location.update("a", &changes, ROOMY, &source(1, "more", 1));
        assert_eq!(refused, Err(Refused::Full));
    }

    #[test]
    fn remove_existing_takes_what_would_run_out_first() {
        let (mut location, now) = (Location::default(), Instant::now());
        location.open(FlowId(1));
        let rules = Rules {
            max_contacts: 2,
            remove_existing: true,
            remove_unavailable: false,
        };
        for (user, seconds) in [("long", 600), ("short", 60), ("new", 300)] {
            let changes = [(contact(user), Some(now + Duration::from_secs(seconds)))];
            location
                .update("a", &changes, rules, &source(1, user, 1))
                .unwrap();
        }
        assert_eq!(users(&location, "a"), ["long", "new"]);
        assert_eq!(location.count(), 2);
    }

    #[test]
    fn remove_unavailable_takes_what_does_not_answer_first() {
        let (now, until) = (Instant::now(), |s| {
            Some(Instant::now() + Duration::from_secs(s))
        });
        for remove_existing in [false, true] {
            let mut location = Location::default();
            location.open(FlowId(1));
            let rules = Rules {
                max_contacts: 2,
                remove_existing,
                remove_unavailable: true,
            };
            for (user, seconds) in [("there", 60), ("gone", 600)] {
                let changes = [(contact(user), until(seconds))];
                let source = source(1, user, 1);
                location.update("a", &changes, rules, &source).unwrap();
            }
            let gone = &mut location.aors.get_mut("a").unwrap()[1].watch;
            (gone.at, gone.status) = (Some(now), ContactStatus::Unavailable);
            let changes = [(contact("new"), until(300))];
            location
                .update("a", &changes, rules, &source(1, "new", 1))
                .unwrap();
            assert_eq!(users(&location, "a"), ["there", "new"]);
            let changes = [(contact("more"), until(300))];
            let more = location.update("a", &changes, rules, &source(1, "more", 1));
            assert_eq!(more.is_ok(), remove_existing, "all that are left answer");
            assert!(location.expire(now).is_empty());
        }
    }

    #[test]
    fn contacts_run_out_one_by_one() {
        let (mut location, now) = (Location::default(), Instant::now());
        location.open(FlowId(1));
        let later = now + Duration::from_secs(60);
        let changes = [(contact("a"), Some(now)), (contact("b"), Some(later))];
        location
            .update("a", &changes, ROOMY, &source(1, "c", 1))
            .unwrap();
        assert_eq!(location.next_expiry(), Some(now));
        assert_eq!(location.expire(now).len(), 1);
        assert_eq!(users(&location, "a"), ["b"]);
        assert_eq!(location.expire(now).len(), 0);
        assert_eq!(location.next_expiry(), Some(later));
        assert_eq!(location.expire(later).len(), 1);
        assert_eq!((location.count(), location.aors.len()), (0, 0));
    }

    #[test]
    fn nothing_is_bound_to_a_connection_that_is_gone() {
        let (mut location, now) = (Location::default(), Instant::now());
        location.open(FlowId(1));
        let changes = [(contact("a"), Some(now))];
        location
            .update("a", &changes, ROOMY, &source(1, "c", 1))
            .unwrap();
        assert_eq!(location.close(FlowId(1)).len(), 1);
        let refused = location.update("a", &changes, ROOMY, &source(1, "c", 2));
        assert_eq!(refused, Err(Refused::FlowGone));
        assert_eq!((location.count(), location.aors.len()), (0, 0));
    }

    #[test]
    fn contact_that_moved_to_another_connection_survives_the_old_one() {
        let (mut location, now) = (Location::default(), Instant::now());
        for (id, cseq) in [(1, 1), (2, 2)] {
            location.open(FlowId(id));
            let changes = [(contact("a"), Some(now))];
            location
                .update("a", &changes, ROOMY, &source(id, "c", cseq))
                .unwrap();
        }
        assert_eq!(location.close(FlowId(1)).len(), 0);
        assert_eq!(users(&location, "a"), ["a"]);
        assert_eq!(location.close(FlowId(2)).len(), 1);
    }

    #[test]
    fn refused_update_changes_nothing() {
        let (mut location, now) = (Location::default(), Instant::now());
        location.open(FlowId(1));
        let changes = [(contact("a"), Some(now))];
        location
            .update("a", &changes, ROOMY, &source(1, "c", 5))
            .unwrap();
        let mixed = [(contact("b"), Some(now)), (contact("a"), None)];
        let refused = location.update("a", &mixed, ROOMY, &source(1, "c", 5));
        assert_eq!(refused, Err(Refused::OutOfOrder));
        assert_eq!(users(&location, "a"), ["a"]);
    }
}
