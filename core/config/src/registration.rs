//! `type=registration`: a registration of the exchange at a provider, and `type=domain_alias`.

use crate::option::{Fault, Object, Parse, Row, row};
use crate::transport::Written;

/// One `type=registration` object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// The section's name.
    pub id: String,
    /// Where it stands.
    pub written: Written,
    /// Where to register.
    pub server_uri: String,
    /// The address that is registered.
    pub client_uri: String,
    /// The user of the Contact.
    pub contact_user: String,
    /// Parameters of the Contact header.
    pub contact_header_params: String,
    /// What the exchange signs with.
    pub outbound_auth: Vec<String>,
    /// The proxy it goes through.
    pub outbound_proxy: Option<String>,
    /// The transport it goes by.
    pub transport: Option<String>,
    /// The endpoint calls from there are known as, by `line`.
    pub endpoint: Option<String>,
    /// Whether the Contact carries a sign by which calls from there are known.
    pub line: bool,
    /// Seconds asked for.
    pub expiration_s: u32,
    /// The first try is at a random moment within so many seconds.
    pub max_random_initial_delay_s: u32,
    /// Seconds between two tries.
    pub retry_interval_s: u32,
    /// Seconds to the next try after a 403; 0 gives up.
    pub forbidden_retry_interval_s: u32,
    /// Seconds to the next try after any other final refusal; 0 gives up.
    pub fatal_retry_interval_s: u32,
    /// Tries before it is given up.
    pub max_retries: u32,
    /// Whether a challenge the exchange cannot answer is final.
    pub auth_rejection_permanent: bool,
    /// Whether Path (RFC 3327) is said to be supported.
    pub support_path: bool,
    /// Whether RFC 5626 is said to be supported.
    pub support_outbound: bool,
    /// The User-Agent of its requests; the exchange's if none is written.
    pub user_agent: Option<String>,
}

impl Object for Registration {
    const KIND: &'static str = "registration";
    const OPTIONS: &'static [Row<Self>] = OPTIONS;

    fn named(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            written: Written::default(),
            server_uri: String::new(),
            client_uri: String::new(),
            contact_user: "s".to_owned(),
            contact_header_params: String::new(),
            outbound_auth: Vec::new(),
            outbound_proxy: None,
            transport: None,
            endpoint: None,
            line: false,
            expiration_s: 3600,
            max_random_initial_delay_s: 10,
            retry_interval_s: 60,
            forbidden_retry_interval_s: 0,
            fatal_retry_interval_s: 0,
            max_retries: 10,
            auth_rejection_permanent: true,
            support_path: false,
            support_outbound: false,
            user_agent: None,
        }
    }
}

/// A year.
const SECONDS_MAX: u32 = 365 * 24 * 3600;

const OPTIONS: &[Row<Registration>] = &[
    row(
        "auth_rejection_permanent",
        "yes",
        Parse::YesNo(|r| &mut r.auth_rejection_permanent),
        "A challenge that cannot be answered ends it; else it is tried again after `retry_interval`.",
    ),
    row(
        "client_uri",
        "",
        Parse::Own(|r, v| uri(&mut r.client_uri, v)),
        "The address that is registered.",
    ),
    row(
        "contact_header_params",
        "",
        Parse::Own(|r, v| params(&mut r.contact_header_params, v)),
        "Parameters of the Contact header, `name=value;name`.",
    ),
    row(
        "contact_user",
        "s",
        Parse::Text(|r| &mut r.contact_user),
        "The user of the Contact, which calls from there ask for.",
    ),
    row(
        "endpoint",
        "",
        Parse::Optional(|r| &mut r.endpoint),
        "The endpoint calls from there are known as.",
    ),
    row(
        "expiration",
        "3600",
        Parse::Number(|r| &mut r.expiration_s, 1, SECONDS_MAX),
        "Seconds asked for.",
    ),
    row(
        "fatal_retry_interval",
        "0",
        Parse::Number(|r| &mut r.fatal_retry_interval_s, 0, SECONDS_MAX),
        "Seconds to the next try after a final refusal; 0 gives up.",
    ),
    row(
        "forbidden_retry_interval",
        "0",
        Parse::Number(|r| &mut r.forbidden_retry_interval_s, 0, SECONDS_MAX),
        "Seconds to the next try after a 403; 0 takes it as any other refusal.",
    ),
    row(
        "line",
        "no",
        Parse::YesNo(|r| &mut r.line),
        "Calls from there are known by a sign in the Contact.",
    ),
    row(
        "max_random_initial_delay",
        "10",
        Parse::Number(|r| &mut r.max_random_initial_delay_s, 0, SECONDS_MAX),
        "The first try is at a random moment within so many seconds.",
    ),
    row(
        "max_retries",
        "10",
        Parse::Number(|r| &mut r.max_retries, 0, 1_000_000),
        "Tries after the first one, before it is given up.",
    ),
    row(
        "outbound_auth",
        "",
        Parse::Names(|r| &mut r.outbound_auth),
        "The auths challenges are answered with, by their realms.",
    ),
    row(
        "outbound_proxy",
        "",
        Parse::Own(|r, v| proxy(&mut r.outbound_proxy, v)),
        "The proxy it goes through, as a Route.",
    ),
    row(
        "retry_interval",
        "60",
        Parse::Number(|r| &mut r.retry_interval_s, 0, SECONDS_MAX),
        "Seconds to the next try after no answer, or one that may be better then.",
    ),
    row(
        "server_uri",
        "",
        Parse::Own(|r, v| uri(&mut r.server_uri, v)),
        "Where to register.",
    ),
    row(
        "support_outbound",
        "no",
        Parse::YesNo(|r| &mut r.support_outbound),
        "Supported names `outbound` (RFC 5626).",
    ),
    row(
        "support_path",
        "no",
        Parse::YesNo(|r| &mut r.support_path),
        "Supported names `path` (RFC 3327).",
    ),
    row(
        "transport",
        "",
        Parse::Optional(|r| &mut r.transport),
        "The transport it goes by.",
    ),
    row(
        "user_agent",
        "",
        Parse::Optional(|r| &mut r.user_agent),
        "User-Agent of its requests, in place of that of `type=global`.",
    ),
];

/// Parameters of a header, without the first semicolon.
fn params(to: &mut String, value: &str) -> Result<(), Fault> {
    let value = value.trim().trim_start_matches(';').trim();
    if value.chars().any(char::is_control) {
        return Err(Fault::NotOneOf(&["name=value", "name=value;name"]));
    }
    value.clone_into(to);
    Ok(())
}

/// A proxy: a URI, in angle brackets or not.
pub(crate) fn proxy(to: &mut Option<String>, value: &str) -> Result<(), Fault> {
    let bare = value.trim();
    let bare = bare
        .strip_prefix('<')
        .map_or(bare, |rest| rest.trim_end_matches('>'));
    *to = match bare {
        "" => None,
        bare => {
            let mut proxy = String::new();
            uri(&mut proxy, bare)?;
            Some(proxy)
        }
    };
    Ok(())
}

fn uri(to: &mut String, value: &str) -> Result<(), Fault> {
    let lower = value.to_ascii_lowercase();
    let rest = lower
        .strip_prefix("sip:")
        .or_else(|| lower.strip_prefix("sips:"));
    if rest.is_none_or(|rest| rest.is_empty() || rest.contains(char::is_whitespace)) {
        return Err(Fault::NotUri);
    }
    value.clone_into(to);
    Ok(())
}

/// `type=domain_alias`: another name of a domain, for endpoints that are named with theirs
/// (`[alice@example.com]`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DomainAlias {
    /// The section's name, which is the alias.
    pub id: String,
    /// The domain it stands for.
    pub domain: String,
}

impl Object for DomainAlias {
    const KIND: &'static str = "domain_alias";
    const OPTIONS: &'static [Row<Self>] = ALIAS;

    fn named(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            ..Self::default()
        }
    }
}

const ALIAS: &[Row<DomainAlias>] = &[row(
    "domain",
    "",
    Parse::Text(|d| &mut d.domain),
    "The domain the section's name stands for in From of endpoints named with their domain.",
)];
