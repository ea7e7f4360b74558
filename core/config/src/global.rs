//! `type=global`: what holds for all of SIP.

use crate::auth::DigestAlgorithm;

/// The one `type=global` object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Global {
    /// `Server` and `User-Agent`; the product's own if unset.
    pub user_agent: Option<String>,
    /// The realm of challenges whose auth names none.
    pub default_realm: String,
    /// `Max-Forwards` of our requests.
    pub max_forwards: u8,
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
