//! Names in one object that stand for another.

use crate::endpoint::{Endpoint, Subscriber};
use crate::snapshot::Config;
use conf::closest;
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
        format!("names `{}`, which no file defines", self.name)
    }

    fn new<'a>(
        option: &'static str,
        name: &str,
        candidates: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        Self {
            option,
            name: name.to_owned(),
            meant: closest(name, candidates).map(str::to_owned),
        }
    }
}

impl Config {
    /// The transport and the context an endpoint names and no file defines. The endpoint works all
    /// the same, whether a file or a database defines it.
    pub fn dangling(&self, endpoint: &Endpoint) -> Vec<Dangling> {
        let mut found = Vec::new();
        let transports = || self.transports.iter().map(|t| t.id.as_str());
        if let Some(name) = &endpoint.transport
            && !transports().any(|id| id == name)
        {
            found.push(Dangling::new("transport", name, transports()));
        }
        let contexts = || self.plan.contexts().map(|(name, _)| name);
        let named = [Some(&endpoint.context), endpoint.message_context.as_ref()];
        for (name, option) in named.into_iter().zip(["context", "message_context"]) {
            if let Some(name) = name
                && !self.plan.has_context(name)
            {
                found.push(Dangling::new(option, name, contexts()));
            }
        }
        found
    }

    /// The auths and addresses of record an endpoint names and no file defines; a database may.
    pub(crate) fn dangling_objects(&self, endpoint: &Endpoint) -> Vec<Dangling> {
        let auths = || self.auths.keys().map(String::as_str);
        let aors = || self.aors.keys().map(String::as_str);
        let missing_auths = endpoint
            .auth
            .iter()
            .filter(|name| !self.auths.contains_key(*name));
        let missing_aors = endpoint
            .aors
            .iter()
            .filter(|name| !self.aors.contains_key(*name));
        missing_auths
            .map(|name| Dangling::new("auth", name, auths()))
            .chain(missing_aors.map(|name| Dangling::new("aors", name, aors())))
            .collect()
    }

    /// An endpoint with those objects it names that the files define.
    pub fn subscriber(&self, endpoint: Endpoint) -> Subscriber {
        let auths = endpoint.auth.iter().filter_map(|name| self.auths.get(name));
        let aors = endpoint.aors.iter().filter_map(|name| self.aors.get(name));
        Subscriber {
            auths: auths.cloned().collect(),
            aors: aors.cloned().collect(),
            endpoint,
        }
    }
}
