//! `type=registration`: a registration of the exchange at a provider, and `type=domain_alias`.

use crate::option::{Fault, Object, Parse, Row, row};

/// One `type=registration` object. It is read and shown; the exchange does not register yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// The section's name.
    pub id: String,
    /// Where to register.
    pub server_uri: String,
    /// The address that is registered.
    pub client_uri: String,
    /// The user of the Contact.
    pub contact_user: String,
    /// What the exchange signs with.
    pub outbound_auth: Vec<String>,
    /// The transport it goes by.
    pub transport: Option<String>,
    /// The endpoint calls from there are known as, by `line`.
    pub endpoint: Option<String>,
    /// Whether the Contact carries a sign by which calls from there are known.
    pub line: bool,
    /// Seconds asked for.
    pub expiration_s: u32,
    /// Seconds between two tries.
    pub retry_interval_s: u32,
    /// Tries before it is given up.
    pub max_retries: u32,
}

impl Object for Registration {
    const KIND: &'static str = "registration";
    const OPTIONS: &'static [Row<Self>] = OPTIONS;
    const INERT: Option<&'static str> = Some(NOT_SENT);

    fn named(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            server_uri: String::new(),
            client_uri: String::new(),
            contact_user: "s".to_owned(),
            outbound_auth: Vec::new(),
            transport: None,
            endpoint: None,
            line: false,
            expiration_s: 3600,
            retry_interval_s: 60,
            max_retries: 10,
        }
    }
}

/// Said of the options, which are read all the same.
pub(crate) const NOT_SENT: &str = "the exchange registers at no provider yet";

/// A year.
const SECONDS_MAX: u32 = 365 * 24 * 3600;

const OPTIONS: &[Row<Registration>] = &[
    row(
        "client_uri",
        "",
        Parse::Own(|r, v| uri(&mut r.client_uri, v)),
        "The address that is registered.",
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
        "line",
        "no",
        Parse::YesNo(|r| &mut r.line),
        "Calls from there are known by a sign in the Contact.",
    ),
    row(
        "max_retries",
        "10",
        Parse::Number(|r| &mut r.max_retries, 0, 1_000_000),
        "Tries before it is given up.",
    ),
    row(
        "outbound_auth",
        "",
        Parse::Names(|r| &mut r.outbound_auth),
        "What the exchange signs with.",
    ),
    row(
        "retry_interval",
        "60",
        Parse::Number(|r| &mut r.retry_interval_s, 0, SECONDS_MAX),
        "Seconds between two tries.",
    ),
    row(
        "server_uri",
        "",
        Parse::Own(|r, v| uri(&mut r.server_uri, v)),
        "Where to register.",
    ),
    row(
        "transport",
        "",
        Parse::Optional(|r| &mut r.transport),
        "The transport it goes by.",
    ),
];

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
