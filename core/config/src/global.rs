//! `type=global`: what holds for all of SIP.

use crate::auth::{DigestAlgorithm, algorithm_list};
use crate::option::{Fault, Object, Parse, Row, row};

/// The one `type=global` object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Global {
    /// `Server` and `User-Agent`; the product's own if unset.
    pub user_agent: Option<String>,
    /// The realm of challenges whose auth names none.
    pub default_realm: String,
    /// `Max-Forwards` of our requests.
    pub max_forwards: u32,
    /// The user of `From` where no caller is known.
    pub default_from_user: String,
    /// Challenge algorithms where the auth names none.
    pub default_auth_algorithms_uas: Vec<DigestAlgorithm>,
}

impl Default for Global {
    fn default() -> Self {
        Self {
            user_agent: None,
            default_realm: "asterisk".to_owned(),
            max_forwards: 70,
            default_from_user: "asterisk".to_owned(),
            default_auth_algorithms_uas: vec![DigestAlgorithm::Md5],
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
        "default_realm",
        "asterisk",
        Parse::Text(|g| &mut g.default_realm),
        "Realm of challenges whose auth names none.",
    ),
    row(
        "max_forwards",
        "70",
        Parse::Number(|g| &mut g.max_forwards, 1, 255),
        "Max-Forwards of our requests; not acted on yet.",
    ),
    row(
        "user_agent",
        "",
        Parse::Optional(|g| &mut g.user_agent),
        "Server and User-Agent.",
    ),
];

fn default_algorithms(global: &mut Global, value: &str) -> Result<(), Fault> {
    global.default_auth_algorithms_uas = algorithm_list(value)?;
    Ok(())
}
