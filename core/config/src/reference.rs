//! Names in one object that stand for another.

use crate::endpoint::Endpoint;
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
        write!(
            f,
            "{} names `{}`, which does not exist",
            self.option, self.name
        )?;
        if let Some(meant) = &self.meant {
            write!(f, "; did you mean `{meant}`?")?;
        }
        Ok(())
    }
}

impl Config {
    /// What an endpoint, from a file or from a database, names in the files that is not there.
    pub fn dangling(&self, endpoint: &Endpoint) -> Vec<Dangling> {
        let mut found = Vec::new();
        if let Some(name) = &endpoint.transport
            && !self
                .transports
                .iter()
                .any(|transport| transport.id == *name)
        {
            let ids = self
                .transports
                .iter()
                .map(|transport| transport.id.as_str());
            found.push(Dangling {
                option: "transport",
                name: name.clone(),
                meant: closest(name, ids).map(str::to_owned),
            });
        }
        if !self.plan.has_context(&endpoint.context) {
            let names = self.plan.contexts().map(|(name, _)| name);
            found.push(Dangling {
                option: "context",
                name: endpoint.context.clone(),
                meant: closest(&endpoint.context, names).map(str::to_owned),
            });
        }
        found
    }
}
