//! Authorization and WWW-Authenticate (RFC 3261 §20.7, §20.44; RFC 7616 §3.3, §3.4).

use std::borrow::Cow;

use super::scan;
use crate::Fault;

/// A list of `name=value` after a scheme.
#[derive(Debug, Clone, PartialEq, Eq)]
struct AuthParams(Vec<(Box<str>, Box<str>)>);

impl AuthParams {
    fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| &**value)
    }
}

/// Most parameters a challenge or credentials may have.
const AUTH_PARAMS_MAX: usize = 32;

fn parse(text: &str) -> Result<(Box<str>, AuthParams), Fault> {
    let text = scan::trim(text);
    let (scheme, rest) = text.split_once([' ', '\t']).unwrap_or((text, ""));
    if !scan::is_token(scheme) {
        return Err(Fault::BadCharacter);
    }
    if !scheme.eq_ignore_ascii_case("Digest") {
        return Ok((scheme.into(), AuthParams(Vec::new())));
    }
    let mut params = Vec::new();
    for part in scan::split(rest, b',')? {
        if part.is_empty() {
            continue;
        }
        let (name, value) = part.split_once('=').ok_or(Fault::BadParameter)?;
        let (name, value) = (scan::trim(name), scan::trim(value));
        let value = if value.starts_with('"') {
            scan::unquote(value).ok_or(Fault::BadParameter)?
        } else {
            Cow::Borrowed(value)
        };
        if !scan::is_token(name) {
            return Err(Fault::BadParameter);
        }
        if params.len() == AUTH_PARAMS_MAX {
            return Err(Fault::TooMany);
        }
        params.push((name.into(), value.into()));
    }
    Ok((scheme.into(), AuthParams(params)))
}

/// The value of an Authorization or Proxy-Authorization header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    scheme: Box<str>,
    params: AuthParams,
    raw: Box<str>,
}

impl Credentials {
    /// Reads one value. Schemes other than Digest are kept, without parameters.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let (scheme, params) = parse(text)?;
        Ok(Self {
            scheme,
            params,
            raw: text.into(),
        })
    }

    /// `Digest`, `Bearer`, …
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// Is the scheme Digest?
    pub fn is_digest(&self) -> bool {
        self.scheme.eq_ignore_ascii_case("Digest")
    }

    /// Everything after the scheme, as it came: the token of a Bearer scheme.
    pub fn token(&self) -> &str {
        scan::trim(self.raw.get(self.scheme.len()..).unwrap_or(""))
    }

    /// A parameter of Digest credentials, without quotes.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.params.get(name)
    }

    /// The user name; empty if there is none.
    pub fn username(&self) -> &str {
        self.get("username").unwrap_or("")
    }

    /// The realm; empty if there is none.
    pub fn realm(&self) -> &str {
        self.get("realm").unwrap_or("")
    }

    /// sipML5 sends `Digest username="…", nonce="", response=""` before it was challenged: that
    /// counts as no credentials.
    pub fn is_empty(&self) -> bool {
        let none = |name| self.get(name).is_none_or(str::is_empty);
        self.is_digest() && none("nonce") && none("response")
    }
}

/// The value of a WWW-Authenticate or Proxy-Authenticate header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    scheme: Box<str>,
    params: AuthParams,
}

impl Challenge {
    /// Reads one value. Schemes other than Digest are kept, without parameters.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let (scheme, params) = parse(text)?;
        Ok(Self { scheme, params })
    }

    /// `Digest`, …
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// A parameter of a Digest challenge, without quotes.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.params.get(name)
    }
}
