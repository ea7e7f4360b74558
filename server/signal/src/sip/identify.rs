//! Which endpoint a request speaks for: the sign of a registration of ours; then by the ways and in the order
//! of Asterisk's `endpoint_identifier_order`: the address it came from, the user of From, a header, the user
//! name of the digest, the Request-URI, and the endpoint `anonymous` for everybody else.
//!
//! Who is found is not proven yet: an endpoint with an `auth` is challenged all the same.

mod hosts;

use std::pin::Pin;
use std::sync::Arc;

use ::sip::{Credentials, Flow, HeaderName, Request};
use config::{Config, Identify, IdentifyBy, MatchSource, Subscriber};
use store::{Identifies, StoreError};

pub(crate) use hosts::Hosts;

use crate::sip::shared::Shared;

/// Who speaks, before any proof by a password.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) subscriber: Arc<Subscriber>,
    /// Known by its address or by a sign that it alone was told, not by what anybody may say.
    pub(crate) is_known: bool,
}

/// The endpoint that speaks, if any way leads to one.
pub(crate) async fn endpoint(
    shared: &Shared,
    flow: &Flow,
    request: &Request,
    credentials: Option<&Credentials>,
) -> Result<Option<Found>, StoreError> {
    let config = shared.switch.config();
    if let Some(subscriber) = by_line(shared, request).await? {
        return Ok(Some(Found {
            subscriber,
            is_known: true,
        }));
    }
    let written = config.global.endpoint_identifier_order.as_slice();
    let order = if written.is_empty() {
        &IdentifyBy::ORDER
    } else {
        written
    };
    let asker = Asker {
        shared,
        config: &config,
        flow,
        request,
        credentials,
    };
    for by in order {
        if let Some(subscriber) = asker.endpoint_by(*by).await? {
            return Ok(Some(Found {
                subscriber,
                is_known: *by == IdentifyBy::Ip,
            }));
        }
    }
    Ok(None)
}

/// The endpoint of a registration of ours, by the sign in its Contact (`line=yes`): in the Request-URI, or in
/// To where a server in between has rewritten that. As in Asterisk it comes before every other way.
async fn by_line(
    shared: &Shared,
    request: &Request,
) -> Result<Option<Arc<Subscriber>>, StoreError> {
    let to = request.headers.to().ok();
    let uris = [Some(&request.uri), to.as_ref().map(|to| &to.uri)];
    let mut lines = uris
        .into_iter()
        .flatten()
        .filter_map(|uri| uri.param("line"));
    let endpoint = lines.find_map(|line| shared.trunks().endpoint_of(line));
    match endpoint {
        Some(endpoint) => {
            let query: Query<'_> = Box::pin(shared.switch.store().subscriber(&endpoint));
            query.await
        }
        None => Ok(None),
    }
}

/// A request that waits to be known.
struct Asker<'a> {
    shared: &'a Shared,
    config: &'a Config,
    flow: &'a Flow,
    request: &'a Request,
    credentials: Option<&'a Credentials>,
}

impl Asker<'_> {
    async fn endpoint_by(&self, by: IdentifyBy) -> Result<Option<Arc<Subscriber>>, StoreError> {
        match by {
            IdentifyBy::Ip => {
                let identifies = self.identifies().await;
                for identify in identifies.iter() {
                    if self.came_from(identify).await
                        && let Some(found) = self.named(&identify.endpoint).await?
                    {
                        return Ok(Some(found));
                    }
                }
                Ok(None)
            }
            IdentifyBy::Header => self.fitting(|identify| self.has_header(identify)).await,
            IdentifyBy::RequestUri => {
                let uri = self.request.uri.as_str();
                let asks = |identify: &Identify| {
                    identify
                        .request_uris
                        .iter()
                        .any(|wanted| wanted.matches(uri))
                };
                self.fitting(asks).await
            }
            IdentifyBy::Username => {
                let from = self.request.headers.from().ok();
                let user = from.as_ref().and_then(|from| from.uri.user());
                let Some(user) = user else { return Ok(None) };
                let user = self.without_options(&user).to_owned();
                let host = from.as_ref().and_then(|from| from.uri.host());
                let host = host.map(|host| host.to_string().to_ascii_lowercase());
                self.user(&user, host.as_deref(), by).await
            }
            IdentifyBy::AuthUsername => match self.credentials {
                Some(credentials) => self.user(credentials.username(), None, by).await,
                None => Ok(None),
            },
            IdentifyBy::Anonymous => self.named("anonymous").await,
        }
    }

    /// The first endpoint whose `identify` fits.
    async fn fitting(
        &self,
        fits: impl Fn(&Identify) -> bool,
    ) -> Result<Option<Arc<Subscriber>>, StoreError> {
        let identifies = self.identifies().await;
        for identify in identifies.iter().filter(|identify| fits(identify)) {
            if let Some(found) = self.named(&identify.endpoint).await? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// What the files and the database say; asked anew for each way, which costs nothing within a second.
    async fn identifies(&self) -> Identifies {
        let question: Pin<Box<dyn Future<Output = Identifies> + Send + '_>> =
            Box::pin(self.shared.switch.store().identifies());
        question.await
    }

    async fn came_from(&self, identify: &Identify) -> bool {
        let source = self.flow.remote;
        if identify.holds(source) {
            return true;
        }
        for host in &identify.hosts {
            if !host.has_port(source.port()) {
                continue;
            }
            let (hosts, names) = (&self.shared.hosts, &self.shared.names);
            let srv = looks_for_srv(identify, host);
            let found = hosts.addresses(names, &host.place, srv).await;
            if found.contains(&source.ip().to_canonical()) {
                return true;
            }
        }
        false
    }

    fn has_header(&self, identify: &Identify) -> bool {
        identify.headers.iter().any(|wanted| {
            let name = HeaderName::from(wanted.name.as_str());
            let mut values = self.request.headers.get_all(&name);
            values.any(|value| wanted.value.matches(value))
        })
    }

    /// The endpoint named by a user, if it may be known that way. Endpoints may be named with their
    /// domain, `alice@example.com`; those are looked for where a file speaks of domains.
    async fn user(
        &self,
        user: &str,
        host: Option<&str>,
        by: IdentifyBy,
    ) -> Result<Option<Arc<Subscriber>>, StoreError> {
        if let Some(host) = host.filter(|_| self.has_domains()) {
            let domain = self.config.domain_aliases.get(host);
            for domain in domain.map(String::as_str).into_iter().chain([host]) {
                let found = self.named(&format!("{user}@{domain}")).await?;
                let found = found.filter(|found| found.endpoint.is_identified_by(by));
                if found.is_some() {
                    return Ok(found);
                }
            }
        }
        let found = self.named(user).await?;
        Ok(found.filter(|found| found.endpoint.is_identified_by(by)))
    }

    /// Whether endpoints are named with their domain: each name looked for may cost a query.
    fn has_domains(&self) -> bool {
        let config = self.config;
        !config.global.disable_multi_domain
            && (!config.domain_aliases.is_empty()
                || config.endpoints.keys().any(|id| id.contains('@')))
    }

    fn without_options<'b>(&self, user: &'b str) -> &'b str {
        without_options(self.config, user)
    }

    async fn named(&self, name: &str) -> Result<Option<Arc<Subscriber>>, StoreError> {
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            return Ok(None);
        }
        // In a box of its own: the state of a query is large, and most requests wait for none.
        let query: Query<'_> = Box::pin(self.shared.switch.store().subscriber(name));
        query.await
    }
}

/// Looks the hosts up that the files name in `match`, so that a name nobody knows is told when it is written, not when the
/// first call of a trunk is refused.
pub(crate) async fn find_hosts(shared: Arc<Shared>) {
    let config = shared.switch.config();
    for identify in &config.identifies {
        for host in &identify.hosts {
            let srv = looks_for_srv(identify, host);
            let (hosts, names) = (&shared.hosts, &shared.names);
            hosts.addresses(names, &host.place, srv).await;
        }
    }
}

/// A port is part of what SRV records say: who writes one wants no other.
fn looks_for_srv(identify: &Identify, host: &MatchSource<String>) -> bool {
    identify.srv_lookups && host.port.is_none()
}

/// The user of a URI, without what follows a `;` if `ignore_uri_user_options` says so.
pub(crate) fn without_options<'a>(config: &Config, user: &'a str) -> &'a str {
    match user.split_once(';') {
        Some((before, _)) if config.global.ignore_uri_user_options => before,
        _ => user,
    }
}

type Query<'a> =
    Pin<Box<dyn Future<Output = Result<Option<Arc<Subscriber>>, StoreError>> + Send + 'a>>;

/// Names of endpoints are short; the database is not asked for more.
const NAME_BYTES_MAX: usize = 255;
