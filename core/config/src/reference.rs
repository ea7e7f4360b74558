//! Names in one object that stand for another.

use crate::acl::AddressLists;
use crate::endpoint::{Endpoint, Subscriber};
use crate::identify::Identify;
use crate::registration::Registration;
use crate::snapshot::{Config, Elsewhere};
use conf::{Severity, closest};
use std::fmt;

/// A name no object has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dangling {
    /// The option that names it.
    pub option: &'static str,
    /// The name.
    pub name: String,
    /// A name that exists and is like it.
    pub meant: Option<String>,
}

impl fmt::Display for Dangling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.option, self.missing())?;
        if let Some(meant) = &self.meant {
            write!(f, "; did you mean `{meant}`?")?;
        }
        Ok(())
    }
}

impl Dangling {
    /// What follows the name of the option.
    pub(crate) fn missing(&self) -> String {
        match self.option {
            "acl" | "contact_acl" => format!(
                "names `{}`, which acl.conf does not define: nobody is let in",
                self.name
            ),
            _ => format!("names `{}`, which no file defines", self.name),
        }
    }

    /// The `type=` of the section of pjsip.conf that would define it.
    pub(crate) fn kind(&self) -> Option<&'static str> {
        match self.option {
            "auth" | "outbound_auth" => Some("auth"),
            "aors" => Some("aor"),
            "endpoint" => Some("endpoint"),
            "transport" => Some("transport"),
            _ => None,
        }
    }

    /// Whether a database defines it.
    pub(crate) fn is_in(&self, elsewhere: &Elsewhere) -> bool {
        match self.option {
            "auth" | "outbound_auth" => elsewhere.auths.contains(&self.name),
            "aors" => elsewhere.aors.contains(&self.name),
            "endpoint" => elsewhere.endpoints.contains(&self.name),
            _ => false,
        }
    }

    /// How much it matters: a list of addresses that is not there keeps everybody out.
    pub(crate) fn severity(&self) -> Severity {
        match self.option {
            "acl" | "contact_acl" => Severity::Error,
            _ => Severity::Warning,
        }
    }

    /// What to do where nothing like the name exists.
    pub(crate) fn advice(&self) -> String {
        let name = &self.name;
        match self.option {
            "acl" | "contact_acl" => format!("add `[{name}]` with `permit=…` to acl.conf"),
            "aors" => format!("add `[{name}]` with `type=aor`, or a row to ps_aors"),
            "auth" | "outbound_auth" => {
                format!("add `[{name}]` with `type=auth`, or a row to ps_auths")
            }
            "endpoint" => format!("add `[{name}]` with `type=endpoint`, or a row to ps_endpoints"),
            "transport" => format!("add `[{name}]` with `type=transport`"),
            _ => format!("add `[{name}]` to extensions.conf"),
        }
    }

    fn new<'a>(
        option: &'static str,
        name: &str,
        candidates: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        // A number is no misspelling of its neighbour.
        let is_number = name.bytes().all(|byte| byte.is_ascii_digit());
        let meant = closest(name, candidates).filter(|_| !is_number);
        Self {
            option,
            name: name.to_owned(),
            meant: meant.map(str::to_owned),
        }
    }
}

impl Config {
    /// The transport, the contexts and the lists of addresses an endpoint names and no file defines.
    /// But for the lists the endpoint works all the same, whether a file or a database defines it.
    pub fn dangling(&self, endpoint: &Endpoint) -> Vec<Dangling> {
        let mut found = Vec::new();
        let transports = || self.transports.iter().map(|t| t.id.as_str());
        if let Some(name) = &endpoint.transport
            && !transports().any(|id| id == name)
        {
            found.push(Dangling::new("transport", name, transports()));
        }
        let contexts = || self.plan.contexts().map(|(name, _)| name);
        let named = [
            Some(&endpoint.context),
            endpoint.message_context.as_ref(),
            endpoint.overlap_context.as_ref(),
        ];
        let options = ["context", "message_context", "overlap_context"];
        for (name, option) in named.into_iter().zip(options) {
            if let Some(name) = name
                && !self.plan.has_context(name)
            {
                found.push(Dangling::new(option, name, contexts()));
            }
        }
        let lists = [
            ("acl", &endpoint.acl),
            ("contact_acl", &endpoint.contact_acl),
        ];
        found.extend(self.dangling_lists(lists));
        found
    }

    /// Lists of addresses that `acl.conf` does not define.
    pub(crate) fn dangling_lists<'a>(
        &self,
        lists: impl IntoIterator<Item = (&'static str, &'a AddressLists)>,
    ) -> Vec<Dangling> {
        let defined = || self.named_acls.keys().map(String::as_str);
        let lists = lists.into_iter();
        lists
            .flat_map(|(option, lists)| lists.named.iter().map(move |name| (option, name)))
            .filter(|(_, name)| !self.named_acls.contains_key(*name))
            .map(|(option, name)| Dangling::new(option, name, defined()))
            .collect()
    }

    /// The endpoint an identify names, if no file defines it; a database may.
    pub(crate) fn dangling_identify(&self, identify: &Identify) -> Vec<Dangling> {
        self.dangling_endpoint(&identify.endpoint)
            .into_iter()
            .collect()
    }

    /// What a registration names and no file defines.
    pub(crate) fn dangling_registration(&self, registration: &Registration) -> Vec<Dangling> {
        let transports = || self.transports.iter().map(|t| t.id.as_str());
        let transport = registration.transport.as_ref();
        let transport = transport
            .filter(|name| !transports().any(|id| id == name.as_str()))
            .map(|name| Dangling::new("transport", name, transports()));
        let endpoint = registration.endpoint.as_ref();
        let endpoint = endpoint.and_then(|name| self.dangling_endpoint(name));
        let mut auths = self.dangling_auths("outbound_auth", &registration.outbound_auth);
        auths.retain(|dangling| !self.registration_auths.contains_key(&dangling.name));
        transport.into_iter().chain(endpoint).chain(auths).collect()
    }

    fn dangling_endpoint(&self, name: &str) -> Option<Dangling> {
        let endpoints = || self.endpoints.keys().map(String::as_str);
        (!self.endpoints.contains_key(name)).then(|| Dangling::new("endpoint", name, endpoints()))
    }

    fn dangling_auths(&self, option: &'static str, names: &[String]) -> Vec<Dangling> {
        let auths = || self.auths.keys().map(String::as_str);
        let missing = names.iter().filter(|name| !self.auths.contains_key(*name));
        missing
            .map(|name| Dangling::new(option, name, auths()))
            .collect()
    }

    /// The auths (outgoing ones too) and addresses of record an endpoint names and no file defines; a database may.
    pub(crate) fn dangling_objects(&self, endpoint: &Endpoint) -> Vec<Dangling> {
        let aors = || self.aors.keys().map(String::as_str);
        let missing_aors = endpoint.aors.iter();
        let missing_aors = missing_aors.filter(|name| !self.aors.contains_key(*name));
        let mut found = self.dangling_auths("auth", &endpoint.auth);
        found.extend(missing_aors.map(|name| Dangling::new("aors", name, aors())));
        found.extend(self.dangling_auths("outbound_auth", &endpoint.outbound_auth));
        found
    }

    /// An endpoint with those objects it names that the files define.
    pub fn subscriber(&self, endpoint: Endpoint) -> Subscriber {
        let auths = |names: &[String]| {
            let found = names.iter().filter_map(|name| self.auths.get(name));
            found.cloned().collect()
        };
        let aors = endpoint.aors.iter().filter_map(|name| self.aors.get(name));
        Subscriber {
            auths: auths(&endpoint.auth),
            aors: aors.cloned().collect(),
            outbound_auths: auths(&endpoint.outbound_auth),
            endpoint,
        }
    }
}
