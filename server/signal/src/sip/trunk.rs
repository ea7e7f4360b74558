//! Registrations of the exchange at other servers: what the files want of them, and how they stand.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::sip::{FlowId, Login, RegistrationRules, Standing, Uri};
use config::{Auth, Config, DigestAlgorithm, Registration};

use crate::sip::outbound::login;
use crate::sip::resolve::By;
use crate::sip::shared::Shared;

/// A registration that is wanted, with the auths it names.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Wanted {
    pub(crate) own: Registration,
    pub(crate) auths: Vec<Arc<Auth>>,
    /// What challenges are answered with if the auths say nothing of it.
    pub(crate) algorithms: Vec<DigestAlgorithm>,
    /// The transport it names.
    pub(crate) by: Option<By>,
}

impl Wanted {
    /// All that a configuration asks for.
    pub(crate) fn all(config: &Config) -> Vec<Arc<Self>> {
        let all = config.registrations.iter().map(|own| {
            let auths = own.outbound_auth.iter();
            let auths = auths.filter_map(|name| {
                let written = config.auths.get(name);
                written.or_else(|| config.registration_auths.get(name))
            });
            Arc::new(Self {
                own: own.clone(),
                auths: auths.cloned().collect(),
                algorithms: config.global.default_auth_algorithms_uac.clone(),
                by: By::named(config, own.transport.as_deref()),
            })
        });
        all.collect()
    }

    /// Its URIs, read; the error says what is wrong with them and where.
    pub(crate) fn rules(&self) -> Result<RegistrationRules, String> {
        let own = &self.own;
        let read = |option: &str, value: &str| {
            let uri = value.parse::<Uri>().ok();
            uri.filter(|uri| uri.host().is_some())
                .ok_or_else(|| format!("{}: {option}={value} is no SIP address", own.written))
        };
        let proxy = own.outbound_proxy.as_deref();
        let proxy = proxy
            .map(|value| read("outbound_proxy", value))
            .transpose()?;
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        let supported = [
            (own.support_path, "path"),
            (own.support_outbound, "outbound"),
        ];
        let supported = supported.into_iter().filter(|(is, _)| *is);
        Ok(RegistrationRules {
            registrar: read("server_uri", &own.server_uri)?,
            address: read("client_uri", &own.client_uri)?,
            routes: proxy.iter().map(loose).collect(),
            supported: supported.map(|(_, name)| name.to_owned()).collect(),
            user_agent: own.user_agent.clone(),
            logins: self.logins(&self.auths),
            expires_s: own.expiration_s,
            retry: seconds(own.retry_interval_s),
            forbidden_retry: seconds(own.forbidden_retry_interval_s),
            fatal_retry: seconds(own.fatal_retry_interval_s),
            retries_max: own.max_retries,
            auth_rejection_permanent: own.auth_rejection_permanent,
        })
    }

    fn logins(&self, auths: &[Arc<Auth>]) -> Vec<Login> {
        let auths = auths.iter();
        auths.map(|auth| login(auth, &self.algorithms)).collect()
    }

    /// Whether the files have all its auths.
    pub(crate) fn is_complete(&self) -> bool {
        self.auths.len() == self.own.outbound_auth.len()
    }

    /// What challenges are answered with, if the files do not say all of it and the database answers.
    pub(crate) async fn logins_of(&self, shared: &Shared) -> Option<Vec<Login>> {
        if self.is_complete() {
            return None;
        }
        let (id, names) = (&self.own.id, &self.own.outbound_auth);
        match shared.switch.store().outbound_auths(id, names).await {
            Ok(auths) => Some(self.logins(&auths)),
            Err(error) => {
                tracing::warn!("registration {id}: the database cannot be asked: {error}");
                None
            }
        }
    }

    /// Whether the registrar would take both for one: the same Contact of the same address at the same place.
    pub(crate) fn is_same_binding(&self, other: &Self) -> bool {
        let key = |wanted: &Self| {
            let own = &wanted.own;
            (
                own.server_uri.clone(),
                own.client_uri.clone(),
                own.contact_user.clone(),
                own.contact_header_params.clone(),
                own.outbound_proxy.clone(),
                wanted.by.clone(),
                own.line,
            )
        };
        key(self) == key(other)
    }
}

/// A proxy as a Route. RFC 3261 §16.12.1.1: without `lr` a request would be routed strictly, as nobody has
/// done since RFC 2543.
pub(crate) fn loose(proxy: &Uri) -> String {
    match proxy.param("lr") {
        Some(_) => format!("<{proxy}>"),
        None => format!("<{}>", proxy.with_param("lr", None)),
    }
}

/// How a registration stands, for others to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) standing: Standing,
    /// When the registrar forgets us, or forgot us.
    pub(crate) expires_at: Option<Instant>,
    /// What it goes by.
    pub(crate) flow: Option<FlowId>,
    /// The sign in its Contact, and the endpoint that calls with it are known as.
    pub(crate) line: Option<(String, String)>,
}

/// All registrations, by name. The driver alone writes here.
#[derive(Debug, Default)]
pub(crate) struct Trunks {
    states: BTreeMap<String, State>,
}

impl Trunks {
    pub(crate) fn set(&mut self, id: &str, state: State) {
        match self.states.get_mut(id) {
            Some(known) => *known = state,
            None => {
                self.states.insert(id.to_owned(), state);
            }
        }
    }

    pub(crate) fn remove(&mut self, id: &str) {
        self.states.remove(id);
    }

    pub(crate) fn get(&self, id: &str) -> Option<&State> {
        self.states.get(id)
    }

    /// The endpoint of a sign in a Contact of ours.
    pub(crate) fn endpoint_of(&self, sign: &str) -> Option<String> {
        let lines = self.states.values().filter_map(|state| state.line.as_ref());
        let mut of_sign = lines.filter(|(line, _)| line == sign);
        of_sign.next().map(|(_, endpoint)| endpoint.clone())
    }

    /// Flows that must stay.
    pub(crate) fn flows(&self) -> BTreeSet<FlowId> {
        self.states
            .values()
            .filter_map(|state| state.flow)
            .collect()
    }
}
