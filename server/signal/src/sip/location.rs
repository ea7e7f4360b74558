//! Who is registered where: addresses of record and their contacts (RFC 3261 §10, RFC 5626).
//!
//! A contact is bound to the flow it was registered over, because a browser's Contact names no place
//! one could connect to. A contact that came over a WebSocket dies with it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use ::sip::{Contact, Flow, FlowId, Uri};

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
    /// The endpoint that registered it.
    pub(crate) endpoint: String,
    /// RFC 3327.
    pub(crate) path: Vec<String>,
    /// The end of the registration.
    pub(crate) expires_at: Instant,
    call_id: String,
    cseq: u32,
}

/// What one REGISTER brings besides contacts.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) flow: Flow,
    pub(crate) endpoint: String,
    pub(crate) call_id: String,
    pub(crate) cseq: u32,
    pub(crate) path: Vec<String>,
}

/// What the `aor` object says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) max_contacts: usize,
    pub(crate) remove_existing: bool,
}

/// A contact with the time it is bound for; `None` unbinds it.
pub(crate) type Change = (Contact, Option<Instant>);

/// What an update did, for the log.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Updated {
    pub(crate) added: usize,
    pub(crate) refreshed: usize,
    pub(crate) removed: usize,
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
}

impl Location {
    /// A connection opened; contacts may be bound to it.
    pub(crate) fn open(&mut self, flow: FlowId) {
        self.connections.insert(flow, BTreeSet::new());
    }

    /// A connection closed: the contacts that were bound to it, with their addresses.
    pub(crate) fn close(&mut self, flow: FlowId) -> Vec<(String, Binding)> {
        let mut removed = Vec::new();
        for aor in self.connections.remove(&flow).unwrap_or_default() {
            let bindings = self.aors.remove(&aor).unwrap_or_default();
            let (gone, left) = bindings
                .into_iter()
                .partition(|binding| binding.flow.id == flow);
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
                endpoint: source.endpoint.clone(),
                path: source.path.clone(),
                expires_at,
                call_id: source.call_id.clone(),
                cseq: source.cseq,
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
        self.next_serial += touched.len() as u64;
        self.replace(aor, after, source.flow.id);
        Ok(updated)
    }

    /// Unbinds everything (`Contact: *`); the number of contacts there were.
    pub(crate) fn clear(&mut self, aor: &str, source: &Source) -> Result<usize, Refused> {
        let bindings = self.aors.get(aor).map(Vec::as_slice).unwrap_or_default();
        let stale = |b: &Binding| b.call_id == source.call_id && b.cseq >= source.cseq;
        if bindings.iter().any(stale) {
            return Err(Refused::OutOfOrder);
        }
        let count = bindings.len();
        self.replace(aor, Vec::new(), source.flow.id);
        Ok(count)
    }

    /// The contacts of an address.
    pub(crate) fn contacts(&self, aor: &str) -> &[Binding] {
        self.aors.get(aor).map(Vec::as_slice).unwrap_or_default()
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
/// request itself.
fn make_room(after: &mut Vec<Binding>, touched: &[u64], rules: Rules) -> Result<(), Refused> {
    let max = rules.max_contacts.min(CONTACTS_PER_AOR_MAX);
    while after.len() > max {
        let others = after
            .iter()
            .filter(|binding| !touched.contains(&binding.serial));
        let oldest = others
            .min_by_key(|binding| binding.expires_at)
            .map(|binding| binding.serial);
        match oldest {
            Some(serial) if rules.remove_existing && !touched.is_empty() => {
                after.retain(|binding| binding.serial != serial);
            }
            // A reload may have lowered the limit: what is there may stay, unbind and refresh.
            _ if touched.is_empty() => return Ok(()),
            _ => return Err(Refused::TooMany),
        }
    }
    Ok(())
}
