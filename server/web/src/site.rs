//! What is served beside the routes, and how: the part of http.conf that can change at any moment.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::limits::{INACTIVITY_TIMEOUT, KEEP_ALIVE_TIMEOUT};

/// One state of what is served.
#[derive(Debug, Clone, Default)]
pub struct Site {
    /// What every path begins with: empty, or `/something`.
    pub prefix: String,
    /// The `Server` header; without one, there is none.
    pub server_name: Option<String>,
    /// Whole paths, prefix included, and where they lead.
    pub redirects: Vec<Redirect>,
    /// Folder served at `/static`.
    pub static_folder: Option<PathBuf>,
    /// Whether there is a page at `/httpstatus`.
    pub status_page: bool,
    /// Who may open which paths.
    pub restrictions: Vec<Restriction>,
    /// How long connections may rest.
    pub pace: Pace,
}

/// One path that leads to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// The path asked for, in any case.
    pub from: String,
    /// What `Location` says.
    pub to: String,
}

/// A beginning of paths that some addresses alone may open.
#[derive(Clone)]
pub struct Restriction {
    /// What the path begins with, with the prefix or without.
    pub path: String,
    /// Whether an address may.
    pub allows: Arc<dyn Fn(IpAddr) -> bool + Send + Sync>,
}

/// How long a connection may rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Without a byte while a request comes in or its answer goes out.
    pub inactivity: Duration,
    /// Between requests; zero closes the connection after each.
    pub keep_alive: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            inactivity: INACTIVITY_TIMEOUT,
            keep_alive: KEEP_ALIVE_TIMEOUT,
        }
    }
}

impl Site {
    /// The path below the prefix, or `None` where it is not.
    pub(crate) fn within<'a>(&self, path: &'a str) -> Option<&'a str> {
        let own = path.strip_prefix(self.prefix.as_str())?;
        (own.is_empty() || own.starts_with('/')).then_some(own)
    }

    pub(crate) fn redirect(&self, path: &str) -> Option<&str> {
        let mut redirects = self.redirects.iter();
        redirects.find_map(|redirect| {
            redirect
                .from
                .eq_ignore_ascii_case(path)
                .then_some(redirect.to.as_str())
        })
    }

    /// Whether every restriction on the path allows the address.
    pub(crate) fn allows(&self, path: &str, remote: IpAddr) -> bool {
        let own = self.within(path).unwrap_or(path);
        let remote = remote.to_canonical();
        self.restrictions.iter().all(|restriction| {
            let begins = |path: &str| path.starts_with(restriction.path.as_str());
            !(begins(path) || begins(own)) || (restriction.allows)(remote)
        })
    }
}

impl fmt::Debug for Restriction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Restriction").field(&self.path).finish()
    }
}
