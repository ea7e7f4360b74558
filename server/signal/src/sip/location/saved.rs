//! Contacts as they are kept across restarts.

use std::net::SocketAddr;
use std::time::Duration;

use ::sip::{Contact, Flow, Host, Transport};
use store::{ContactChange, SavedContact};

use super::{Agent, BINDINGS_MAX, Binding, CONTACTS_PER_AOR_MAX, Location, is_same};
use crate::sip::destination::Destination;
use crate::sip::qualify::Watch;
use crate::sip::shared::{now, unix_s};

/// What is left at least of the time that is kept while a refresh of it may lag behind.
const REFRESH_LAG_MAX: Duration = Duration::from_secs(20);

impl Binding {
    /// What the contact is called where it is kept.
    pub(crate) fn id(&self, aor: &str) -> String {
        SavedContact::id_of(aor, self.contact.address.uri.as_str())
    }

    /// Whether `later` differs in its time alone, and is in no hurry to be kept.
    fn is_refreshed_by(&self, later: &Self) -> bool {
        self.contact.raw() == later.contact.raw()
            && self.flow.id == later.flow.id
            && self.endpoint == later.endpoint
            && self.path == later.path
            && self.expires_at.saturating_duration_since(now()) >= REFRESH_LAG_MAX
    }

    fn saved(&self, aor: &str) -> SavedContact {
        let left = self.expires_at.saturating_duration_since(now());
        let left = (left + Duration::from_millis(999)).as_secs();
        SavedContact {
            aor: aor.to_owned(),
            uri: self.contact.address.uri.as_str().to_owned(),
            contact: self.contact.raw().to_owned(),
            expiration_time: unix_s().saturating_add(left).cast_signed(),
            endpoint: self.endpoint.clone(),
            path: self.path.clone(),
            user_agent: self.agent.name.clone(),
            via_addr: self.agent.via_addr.clone(),
            via_port: self.agent.via_port,
            call_id: self.call_id.clone(),
            cseq: self.cseq,
            transport: self.flow.transport.via_token().to_ascii_lowercase(),
            local: self.flow.local.to_string(),
            remote: self.flow.remote.to_string(),
            prune_on_boot: is_websocket(self.flow.transport),
        }
    }
}

impl Location {
    /// A contact of an earlier run. One that has been registered again meanwhile is newer.
    pub(crate) fn restore(&mut self, saved: &SavedContact, flow: Flow) -> bool {
        let Ok(contact) = Contact::parse(&saved.contact) else {
            return false;
        };
        let left = saved.expiration_time.saturating_sub(unix_s().cast_signed());
        let Some(left) = u64::try_from(left).ok().filter(|left| *left > 0) else {
            return false;
        };
        let mut bindings = self.contacts(&saved.aor).to_vec();
        if bindings.len() >= CONTACTS_PER_AOR_MAX
            || self.count() >= BINDINGS_MAX
            || bindings
                .iter()
                .any(|known| is_same(&known.contact, &contact))
        {
            return false;
        }
        let known = saved.remote.parse::<SocketAddr>().ok();
        bindings.push(Binding {
            serial: self.next_serial,
            to: Destination::of_contact(&contact, &saved.path, flow.transport, known),
            contact,
            flow,
            endpoint: saved.endpoint.clone(),
            path: saved.path.clone(),
            expires_at: now() + Duration::from_secs(left.min(LEFT_MAX_S)),
            call_id: saved.call_id.clone(),
            cseq: saved.cseq,
            watch: Watch::default(),
            agent: Agent {
                name: saved.user_agent.clone(),
                via_addr: saved.via_addr.clone(),
                via_port: saved.via_port,
            },
        });
        self.next_serial += 1;
        self.replace(&saved.aor, bindings, flow.id);
        true
    }
}

/// No registration is longer than the seconds a REGISTER can name; what is kept may say anything.
const LEFT_MAX_S: u64 = u32::MAX as u64;

/// What changes for those who keep contacts. `touched` are the serials of the contacts that the
/// request named.
pub(super) fn changes(
    aor: &str,
    before: &[Binding],
    after: &[Binding],
    touched: &[u64],
) -> Vec<ContactChange> {
    let named = after
        .iter()
        .filter(|binding| touched.contains(&binding.serial));
    let saved = named.map(|binding| ContactChange::Save {
        contact: Box::new(binding.saved(aor)),
        refresh: before.iter().any(|old| old.is_refreshed_by(binding)),
    });
    let left: Vec<String> = after.iter().map(|binding| binding.id(aor)).collect();
    let gone = before.iter().map(|binding| binding.id(aor));
    let gone = gone.filter(|id| !left.contains(id));
    let gone = gone.map(|id| ContactChange::Remove { id });
    saved.chain(gone).collect()
}

/// Whether contacts that came over it end with it (RFC 7118: browsers take no connections).
pub(crate) fn is_websocket(transport: Transport) -> bool {
    matches!(transport, Transport::Ws | Transport::Wss)
}

/// Where a contact of an earlier run is reached: its transport, our end if that is known, its end.
/// `None` if nobody can know.
pub(crate) fn way_to(saved: &SavedContact) -> Option<(Transport, Option<SocketAddr>, SocketAddr)> {
    let contact = Contact::parse(&saved.contact).ok()?;
    let uri = &contact.address.uri;
    let named = match saved.transport.as_str() {
        // Asterisk keeps no transport: the URI names one that is not UDP.
        "" => uri
            .param("transport")
            .unwrap_or_default()
            .to_ascii_lowercase(),
        known => known.to_owned(),
    };
    let transport = match named.as_str() {
        "" | "udp" => Transport::Udp,
        "tcp" => Transport::Tcp,
        "tls" => Transport::Tls,
        _ => return None,
    };
    let port = uri.port().unwrap_or(DEFAULT_PORT);
    let remote = saved.remote.parse().ok().or_else(|| match uri.host()? {
        Host::V4(ip) => Some(SocketAddr::new((*ip).into(), port)),
        Host::V6(ip) => Some(SocketAddr::new((*ip).into(), port)),
        Host::Name(_) => None,
    })?;
    Some((transport, saved.local.parse().ok(), remote))
}

/// RFC 3261 §19.1.2.
const DEFAULT_PORT: u16 = 5060;

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use ::sip::{Flow, FlowId, Transport};

    use super::super::{Rules, Source};
    use super::*;

    fn flow(id: u64) -> Flow {
        Flow {
            id: FlowId(id),
            transport: Transport::Udp,
            local: "192.0.2.1:5060".parse().unwrap(),
            remote: "192.0.2.7:5062".parse().unwrap(),
        }
    }

    fn source(flow_id: u64, cseq: u32) -> Source {
        Source {
            flow: flow(flow_id),
            endpoint: "alice".to_owned(),
            call_id: "c".to_owned(),
            cseq,
            path: vec!["<sip:edge;lr>".to_owned()],
            agent: Agent::default(),
        }
    }

    const RULES: Rules = Rules {
        max_contacts: 1,
        remove_existing: true,
        remove_unavailable: false,
    };

    fn register(
        location: &mut Location,
        user: &str,
        source: &Source,
        s: u64,
    ) -> Vec<ContactChange> {
        let contact = Contact::parse(&format!("<sip:{user}@192.0.2.7:5062>;q=1")).unwrap();
        let until: Instant = now() + Duration::from_secs(s);
        let updated = location.update("a", &[(contact, Some(until))], RULES, source);
        updated.unwrap().kept
    }

    fn kinds(changes: &[ContactChange]) -> Vec<&'static str> {
        let kinds = changes.iter().map(|change| match change {
            ContactChange::Save { refresh: true, .. } => "refresh",
            ContactChange::Save { refresh: false, .. } => "save",
            ContactChange::Remove { .. } => "remove",
        });
        kinds.collect()
    }

    #[tokio::test(start_paused = true)]
    async fn only_a_pure_refresh_with_time_left_may_lag() {
        let mut location = Location::default();
        assert_eq!(
            kinds(&register(&mut location, "x", &source(1, 1), 60)),
            ["save"]
        );
        assert_eq!(
            kinds(&register(&mut location, "x", &source(1, 2), 60)),
            ["refresh"]
        );
        assert_eq!(
            kinds(&register(&mut location, "x", &source(2, 3), 60)),
            ["save"],
            "it moved"
        );
        tokio::time::advance(Duration::from_secs(50)).await;
        assert_eq!(
            kinds(&register(&mut location, "x", &source(2, 4), 60)),
            ["save"],
            "it was late"
        );
        let replaced = register(&mut location, "y", &source(2, 5), 60);
        assert_eq!(kinds(&replaced), ["save", "remove"]);
        let cleared = location.clear("a", &source(2, 6)).unwrap();
        assert_eq!(kinds(&cleared.kept), ["remove"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_contact_that_is_kept_comes_back_as_it_was() {
        let mut location = Location::default();
        let changes = register(&mut location, "x", &source(1, 7), 60);
        let [ContactChange::Save { contact, .. }] = &changes[..] else {
            panic!("{changes:?}")
        };
        let (transport, local, remote) = way_to(contact).unwrap();
        assert_eq!(
            (transport, local, remote),
            (Transport::Udp, Some(flow(1).local), flow(1).remote)
        );
        let mut after = Location::default();
        assert!(after.restore(contact, flow(9)));
        assert!(!after.restore(contact, flow(9)), "it is there");
        let [back] = after.contacts("a") else {
            panic!()
        };
        let [was] = location.contacts("a") else {
            panic!()
        };
        assert_eq!(back.contact.raw(), was.contact.raw());
        assert_eq!((&back.path, back.flow.id), (&was.path, FlowId(9)));
        // The retransmission of an older REGISTER does not undo it.
        let stale = after.update("a", &[(was.contact.clone(), None)], RULES, &source(9, 7));
        assert!(stale.is_err());
    }

    #[test]
    fn contacts_of_asterisk_are_reached_by_what_they_say() {
        let saved = |contact: &str| SavedContact {
            contact: contact.to_owned(),
            ..SavedContact::default()
        };
        let way = way_to(&saved("<sip:6001@10.0.0.5>"));
        assert_eq!(
            way,
            Some((Transport::Udp, None, "10.0.0.5:5060".parse().unwrap()))
        );
        let way = way_to(&saved("<sip:6001@10.0.0.5:5070;transport=TCP>"));
        assert_eq!(way.unwrap().0, Transport::Tcp);
        assert_eq!(way_to(&saved("<sip:x@y.invalid;transport=ws>")), None);
        assert_eq!(way_to(&saved("<sip:x@phone.example>")), None);
    }
}
