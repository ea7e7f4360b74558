//! What the dial plan may ask about a contact: `PJSIP_CONTACT()`.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use store::SavedContact;

use super::{Binding, Location, Written, is_websocket};
use crate::sip::qualify::{ContactStatus, Watch};

/// A contact of one of the two kinds.
pub(crate) enum Known<'a> {
    Registered(&'a Binding),
    Written(&'a Written),
}

impl Location {
    /// What the contacts of an address are called, registered ones first.
    pub(crate) fn names(&self, aor: &str) -> Vec<String> {
        let registered = self.contacts(aor).iter().map(Known::Registered);
        let written = self.written.get(aor).into_iter().flatten();
        let all = registered.chain(written.map(Known::Written));
        all.map(|contact| contact.name(aor)).collect()
    }

    /// The contact with a name, `aor@@hash` or `aor;@hash`, and its address.
    pub(crate) fn named<'a>(&'a self, name: &'a str) -> Option<(&'a str, Known<'a>)> {
        let (aor, hash) = name.rsplit_once("@@").or_else(|| name.rsplit_once(";@"))?;
        let is = |known: &Known<'_>| known.name(aor).rsplit('@').next() == Some(hash);
        let mut registered = self.contacts(aor).iter().map(Known::Registered);
        let written = self.written.get(aor).into_iter().flatten();
        let found = registered.find(is);
        let found = found.or_else(|| written.map(Known::Written).find(is))?;
        Some((aor, found))
    }
}

impl Known<'_> {
    /// As Asterisk names it: those that stand in files otherwise than those that came by registration.
    fn name(&self, aor: &str) -> String {
        match self {
            Self::Registered(binding) => binding.id(aor),
            Self::Written(written) => {
                let name = SavedContact::id_of(aor, &written.uri.to_string());
                match name.rsplit_once(";@") {
                    Some((aor, hash)) => format!("{aor}@@{hash}"),
                    None => name,
                }
            }
        }
    }

    fn watch(&self) -> &Watch {
        match self {
            Self::Registered(binding) => &binding.watch,
            Self::Written(written) => &written.watch,
        }
    }

    /// One thing of it; `None`: it has no such thing.
    pub(crate) fn fact(&self, now: Instant, field: &str) -> Option<String> {
        let watch = self.watch();
        let qualify = watch.qualify.as_deref();
        Some(match field {
            "type" => "contact".to_owned(),
            "status" => match watch.status {
                ContactStatus::Available(_) => "Reachable",
                ContactStatus::Unavailable => "Unreachable",
                ContactStatus::NotQualified => "NonQualified",
                ContactStatus::Unknown => "Unknown",
            }
            .to_owned(),
            "rtt" => match watch.status {
                ContactStatus::Available(rtt) => rtt.as_micros().to_string(),
                ContactStatus::Unavailable
                | ContactStatus::NotQualified
                | ContactStatus::Unknown => "N/A".to_owned(),
            },
            "qualify_frequency" => {
                let every = qualify.map_or(0, |qualify| qualify.every.as_secs());
                every.to_string()
            }
            "qualify_timeout" => {
                let patience = qualify.map_or(Duration::from_secs(3), |own| own.patience);
                format!("{:.6}", patience.as_secs_f64())
            }
            "qualify_2xx_only" => yes_no(qualify.is_some_and(|qualify| qualify.success_only)),
            "authenticate_qualify" => yes_no(qualify.is_some_and(|own| !own.logins.is_empty())),
            field => return self.own_fact(now, field),
        })
    }

    fn own_fact(&self, now: Instant, field: &str) -> Option<String> {
        Some(match (self, field) {
            (Self::Registered(binding), "uri") => binding.contact.address.uri.to_string(),
            (Self::Registered(binding), "endpoint") => binding.endpoint.clone(),
            (Self::Registered(binding), "expiration_time") => {
                let left = binding.expires_at.saturating_duration_since(now);
                let end = SystemTime::now() + left;
                let end = end.duration_since(UNIX_EPOCH).unwrap_or_default();
                end.as_secs().to_string()
            }
            (Self::Registered(binding), "path") => binding.path.join(","),
            (Self::Registered(binding), "user_agent") => binding.agent.name.clone(),
            (Self::Registered(binding), "via_addr") => binding.agent.via_addr.clone(),
            (Self::Registered(binding), "via_port") => binding.agent.via_port.to_string(),
            (Self::Registered(binding), "call_id") => binding.call_id.clone(),
            (Self::Registered(binding), "prune_on_boot") => {
                yes_no(is_websocket(binding.flow.transport))
            }
            (Self::Written(written), "uri") => written.uri.to_string(),
            (Self::Written(written), "endpoint") => written.endpoint.clone(),
            (Self::Written(written), "path") => written.path.join(","),
            (Self::Written(_), "expiration_time" | "via_port") => "0".to_owned(),
            (Self::Written(_), "prune_on_boot") => yes_no(false),
            (_, "user_agent" | "via_addr" | "call_id" | "outbound_proxy" | "reg_server") => {
                String::new()
            }
            _ => return None,
        })
    }
}

fn yes_no(yes: bool) -> String {
    if yes { "yes" } else { "no" }.to_owned()
}
