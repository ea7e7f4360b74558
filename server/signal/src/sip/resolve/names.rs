//! Names and what DNS knows of them: hickory's resolver, its cache bounded, with the system's own as the
//! second try.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwapOption;
use config::Protocol;
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::op::Query;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::{Hosts, Resolver, TokioResolver};

/// Answers that are kept, each as long as it says.
const ANSWERS_MAX: u64 = 1_024;
/// An answer is believed for a day at most.
const TTL_MAX: Duration = Duration::from_secs(24 * 3600);
/// That a name is not there is believed for so long at most: a provider that is being set up is found soon.
const NEGATIVE_TTL_MAX: Duration = Duration::from_secs(60);
/// One question, asked twice.
const QUESTION_PATIENCE: Duration = Duration::from_secs(2);
/// Records of one kind of one name that are looked at.
const RECORDS_MAX: usize = 32;

/// What the system says of DNS; looked at again when it changes.
const FILES: [&str; 2] = ["/etc/resolv.conf", "/etc/hosts"];

/// One SRV record; the target is empty if the service is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Srv {
    pub(crate) priority: u16,
    pub(crate) weight: u16,
    pub(crate) port: u16,
    pub(crate) target: String,
}

/// Nobody answers questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Silent;

/// See the module.
pub(crate) struct Names {
    /// The server that is asked in place of those the system names.
    server: Option<SocketAddr>,
    asker: ArcSwapOption<Asker>,
}

struct Asker {
    resolver: TokioResolver,
    hosts: Hosts,
    /// When the files had changed last.
    of: [Option<SystemTime>; 2],
}

impl std::fmt::Debug for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Names").finish_non_exhaustive()
    }
}

impl Names {
    /// Asks `server`, else those the system names.
    pub(crate) fn new(server: Option<SocketAddr>) -> Self {
        Self {
            server,
            asker: ArcSwapOption::empty(),
        }
    }

    /// The resolver by the files as they are now; `None` where they name no server.
    fn asker(&self) -> Option<Arc<Asker>> {
        let of = FILES.map(|file| {
            let about = std::fs::metadata(file);
            about.and_then(|about| about.modified()).ok()
        });
        let known = self.asker.load_full();
        if let Some(known) = known.filter(|known| known.of == of || self.server.is_some()) {
            return Some(known);
        }
        let builder = match self.server {
            Some(server) => {
                let mut connection = ConnectionConfig::udp();
                connection.port = server.port();
                let server = NameServerConfig::new(server.ip(), true, vec![connection]);
                let config = ResolverConfig::from_name_servers(vec![server]);
                Resolver::builder_with_config(config, TokioRuntimeProvider::default())
            }
            None => match TokioResolver::builder_tokio() {
                Ok(builder) => builder,
                Err(error) => {
                    tracing::debug!("no DNS: {error}");
                    return None;
                }
            },
        };
        let mut builder = builder;
        bound(builder.options_mut());
        let resolver = builder.build().ok()?;
        let hosts = Hosts::from_system().unwrap_or_default();
        let asker = Arc::new(Asker {
            resolver,
            hosts,
            of,
        });
        self.asker.store(Some(asker.clone()));
        Some(asker)
    }

    /// Whether the hosts file has this name.
    pub(crate) fn is_local(&self, host: &str) -> bool {
        let Some((asker, name)) = self.asker().zip(Name::from_utf8(absolute(host)).ok()) else {
            return false;
        };
        [RecordType::A, RecordType::AAAA].into_iter().any(|kind| {
            let query = Query::query(name.clone(), kind);
            asker.hosts.lookup_static_host(&query).is_some()
        })
    }

    /// What NAPTR says of the transports of a domain (RFC 3263 §4.1), in its order: each with the name of its
    /// SRV records.
    pub(crate) async fn naptr(&self, host: &str) -> Result<Vec<(Protocol, String)>, Silent> {
        let asker = self.asker().ok_or(Silent)?;
        let answer = asker
            .resolver
            .lookup(absolute(host), RecordType::NAPTR)
            .await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) if error.is_no_records_found() => return Ok(Vec::new()),
            Err(_) => return Err(Silent),
        };
        let mut all = Vec::new();
        for record in answer.answers().iter().take(RECORDS_MAX) {
            if let RData::NAPTR(naptr) = &record.data
                && naptr.flags.eq_ignore_ascii_case(b"s")
                && let Some(protocol) = service(&naptr.services)
            {
                let rank = (naptr.order, naptr.preference);
                all.push((rank, protocol, text(&naptr.replacement)));
            }
        }
        all.sort_by_key(|(rank, ..)| *rank);
        Ok(all
            .into_iter()
            .map(|(_, protocol, name)| (protocol, name))
            .collect())
    }

    /// The SRV records of a name.
    pub(crate) async fn srv(&self, name: &str) -> Result<Vec<Srv>, Silent> {
        let asker = self.asker().ok_or(Silent)?;
        let answer = match asker.resolver.srv_lookup(absolute(name)).await {
            Ok(answer) => answer,
            Err(error) if error.is_no_records_found() => return Ok(Vec::new()),
            Err(_) => return Err(Silent),
        };
        let records = answer.answers().iter().take(RECORDS_MAX);
        let records = records.filter_map(|record| match &record.data {
            RData::SRV(srv) => Some(Srv {
                priority: srv.priority,
                weight: srv.weight,
                port: srv.port,
                target: text(&srv.target),
            }),
            _ => None,
        });
        Ok(records.collect())
    }

    /// The addresses of a host, those of IPv4 first. The error is the end of a sentence.
    pub(crate) async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, String> {
        let mut found: Vec<IpAddr> = Vec::new();
        if let Some(asker) = self.asker()
            && let Ok(answer) = asker.resolver.lookup_ip(absolute(host)).await
        {
            found.extend(answer.iter().map(|ip| ip.to_canonical()).take(RECORDS_MAX));
        }
        // Other ways of the system: mDNS, a directory, a line that is new in the hosts file.
        if found.is_empty() && self.server.is_none() {
            let answer = tokio::net::lookup_host((host, 0)).await;
            let answer = answer.map_err(|error| error.to_string())?;
            found.extend(
                answer
                    .map(|address| address.ip().to_canonical())
                    .take(RECORDS_MAX),
            );
        }
        found.sort_by_key(IpAddr::is_ipv6);
        found.dedup();
        match found.is_empty() {
            true => Err("it has no address".to_owned()),
            false => Ok(found),
        }
    }
}

fn bound(options: &mut ResolverOpts) {
    options.cache_size = ANSWERS_MAX;
    options.positive_max_ttl = Some(TTL_MAX);
    options.negative_max_ttl = Some(NEGATIVE_TTL_MAX);
    options.timeout = QUESTION_PATIENCE;
    options.attempts = 2;
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
}

/// RFC 3263 §4.1: the services of SIP we speak.
fn service(services: &[u8]) -> Option<Protocol> {
    let is = |name: &[u8]| services.eq_ignore_ascii_case(name);
    if is(b"SIP+D2U") {
        Some(Protocol::Udp)
    } else if is(b"SIP+D2T") {
        Some(Protocol::Tcp)
    } else {
        is(b"SIPS+D2T").then_some(Protocol::Tls)
    }
}

/// A name of several parts is whole: domains the system would append are for short ones.
fn absolute(host: &str) -> String {
    match host.contains('.') && !host.ends_with('.') {
        true => format!("{host}."),
        false => host.to_owned(),
    }
}

/// A name without the final dot; the root is empty.
fn text(name: &Name) -> String {
    let text = name.to_utf8();
    text.trim_end_matches('.').to_ascii_lowercase()
}
