//! `type=global`: what holds for all of SIP.

use crate::auth::{DigestAlgorithm, algorithm_list};
use crate::identify::IdentifyBy;
use crate::option::{Fault, Object, Parse, Row, row};

/// The one `type=global` object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Global {
    /// `Server` and `User-Agent`; the product's own if unset.
    pub user_agent: Option<String>,
    /// The realm of challenges whose auth names none.
    pub default_realm: String,
    /// `voicemail_extension` of endpoints that have none.
    pub default_voicemail_extension: Option<String>,
    /// `Max-Forwards` of our requests.
    pub max_forwards: u32,
    /// Seconds in which contacts that survived a restart are asked for the first time; their own interval if 0.
    pub max_initial_qualify_time_s: u32,
    /// The user of `From` where no caller is known.
    pub default_from_user: String,
    /// The endpoint of text messages to a URI.
    pub default_outbound_endpoint: String,
    /// Challenge algorithms where the auth names none.
    pub default_auth_algorithms_uas: Vec<DigestAlgorithm>,
    /// Algorithms of others' challenges that are answered where the auth names none; all if empty.
    pub default_auth_algorithms_uac: Vec<DigestAlgorithm>,
    /// The ways to know who speaks, in the order they are tried; the usual order if empty.
    pub endpoint_identifier_order: Vec<IdentifyBy>,
    /// Whether endpoints are never looked for by `user@domain`.
    pub disable_multi_domain: bool,
    /// Whether what follows a `;` in the user of a URI is left out.
    pub ignore_uri_user_options: bool,
    /// Requests of nobody we know, from one address, before it is warned of.
    pub unidentified_request_count: u32,
    /// The seconds in which they are counted.
    pub unidentified_request_period_s: u32,
    /// The seconds after which a silent address is forgotten.
    pub unidentified_request_prune_interval_s: u32,
}

impl Default for Global {
    fn default() -> Self {
        Self {
            user_agent: None,
            default_realm: "asterisk".to_owned(),
            default_voicemail_extension: None,
            max_forwards: 70,
            max_initial_qualify_time_s: 0,
            default_from_user: "asterisk".to_owned(),
            default_outbound_endpoint: "default_outbound_endpoint".to_owned(),
            default_auth_algorithms_uas: vec![DigestAlgorithm::Md5],
            default_auth_algorithms_uac: Vec::new(),
            endpoint_identifier_order: Vec::new(),
            disable_multi_domain: false,
            ignore_uri_user_options: false,
            unidentified_request_count: 5,
            unidentified_request_period_s: 5,
            unidentified_request_prune_interval_s: 30,
        }
    }
}

impl Object for Global {
    const KIND: &'static str = "global";
    const OPTIONS: &'static [Row<Self>] = OPTIONS;

    fn named(_: &str) -> Self {
        Self::default()
    }
}

const OPTIONS: &[Row<Global>] = &[
    row(
        "default_auth_algorithms_uac",
        "",
        Parse::Own(default_algorithms_uac),
        "Which challenges of others are answered where the auth names none; all if unset.",
    ),
    row(
        "default_auth_algorithms_uas",
        "MD5",
        Parse::Own(default_algorithms),
        "Challenge algorithms where the auth names none.",
    ),
    row(
        "default_from_user",
        "asterisk",
        Parse::Text(|g| &mut g.default_from_user),
        "User of From where no caller is known.",
    ),
    row(
        "default_outbound_endpoint",
        "default_outbound_endpoint",
        Parse::Text(|g| &mut g.default_outbound_endpoint),
        "The endpoint by which text messages go to a URI that names none.",
    ),
    row(
        "default_realm",
        "asterisk",
        Parse::Text(|g| &mut g.default_realm),
        "Realm of challenges whose auth names none.",
    ),
    row(
        "default_voicemail_extension",
        "",
        Parse::Optional(|g| &mut g.default_voicemail_extension),
        "`voicemail_extension` of endpoints that have none.",
    ),
    row(
        "disable_multi_domain",
        "no",
        Parse::YesNo(|g| &mut g.disable_multi_domain),
        "Never looks for endpoints named with their domain (`[alice@example.com]`).",
    ),
    row(
        "endpoint_identifier_order",
        "",
        Parse::Own(order),
        "ip, username, header, auth_username, request_uri, anonymous in the order tried; this one if unset.",
    ),
    row(
        "ignore_uri_user_options",
        "no",
        Parse::YesNo(|g| &mut g.ignore_uri_user_options),
        "Leaves out what follows a `;` in the user of a URI.",
    ),
    row(
        "max_forwards",
        "70",
        Parse::Number(|g| &mut g.max_forwards, 1, 255),
        "Max-Forwards of our requests.",
    ),
    row(
        "max_initial_qualify_time",
        "0",
        Parse::Number(|g| &mut g.max_initial_qualify_time_s, 0, SECONDS_MAX),
        "Seconds in which contacts that survived a restart are first asked; their own interval if 0.",
    ),
    row(
        "unidentified_request_count",
        "5",
        Parse::Number(|g| &mut g.unidentified_request_count, 0, 1_000_000),
        "Requests of nobody known, from one address, before it is warned of.",
    ),
    row(
        "unidentified_request_period",
        "5",
        Parse::Number(|g| &mut g.unidentified_request_period_s, 0, SECONDS_MAX),
        "Seconds in which they are counted.",
    ),
    row(
        "unidentified_request_prune_interval",
        "30",
        Parse::Number(
            |g| &mut g.unidentified_request_prune_interval_s,
            0,
            SECONDS_MAX,
        ),
        "Seconds after which a silent address is forgotten.",
    ),
    row(
        "user_agent",
        "",
        Parse::Optional(|g| &mut g.user_agent),
        "Server and User-Agent.",
    ),
];

/// A day.
const SECONDS_MAX: u32 = 24 * 3600;

fn order(global: &mut Global, value: &str) -> Result<(), Fault> {
    global.endpoint_identifier_order = IdentifyBy::list(value)?;
    Ok(())
}

fn default_algorithms_uac(global: &mut Global, value: &str) -> Result<(), Fault> {
    global.default_auth_algorithms_uac = algorithm_list(value)?;
    Ok(())
}

fn default_algorithms(global: &mut Global, value: &str) -> Result<(), Fault> {
    global.default_auth_algorithms_uas = algorithm_list(value)?;
    Ok(())
}
