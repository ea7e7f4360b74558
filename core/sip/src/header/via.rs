//! Via (RFC 3261 §20.42, RFC 3581).

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::params::Params;
use super::scan;
use crate::{Fault, Host};

/// One hop of a request's way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Via {
    /// `UDP`, `TCP`, `TLS`, `WS`, `WSS`, …
    pub transport: Box<str>,
    host: Host,
    port: Option<u16>,
    /// Host and port as they are spelled: a client may compare the text with its own.
    sent_by: Box<str>,
    /// `branch`, `received`, `rport` and others.
    pub params: Params,
}

/// RFC 3261 §8.1.1.7: "The branch ID inserted by an element compliant with this specification
/// MUST always begin with the characters "z9hG4bK"."
pub(crate) const BRANCH_COOKIE: &str = "z9hG4bK";

impl Via {
    /// A Via of our own, with this branch.
    pub fn new(transport: &str, host: Host, port: Option<u16>, branch: &str) -> Self {
        let sent_by = match port {
            Some(port) => format!("{host}:{port}"),
            None => host.to_string(),
        };
        let (transport, sent_by) = (transport.into(), sent_by.into());
        let mut params = Params::default();
        params.set("branch", Some(branch));
        Self {
            transport,
            host,
            port,
            sent_by,
            params,
        }
    }

    /// Reads one value.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let text = scan::trim(text);
        let (protocol, rest) = text.split_once('/').ok_or(Fault::BadProtocol)?;
        let (version, rest) = rest.split_once('/').ok_or(Fault::BadProtocol)?;
        let rest = scan::trim(rest);
        let end = rest.find([' ', '\t']).ok_or(Fault::BadHost)?;
        let (transport, rest) = rest.split_at(end);
        let is_sip = scan::trim(protocol).eq_ignore_ascii_case("SIP");
        if !is_sip || scan::trim(version) != "2.0" || !scan::is_token(transport) {
            return Err(Fault::BadProtocol);
        }
        let end = rest.find(';').unwrap_or(rest.len());
        let sent_by = scan::trim(&rest[..end]);
        let (host, port) = host_port(sent_by)?;
        let params = Params::parse(&rest[end..])?;
        let (transport, sent_by) = (transport.into(), sent_by.into());
        Ok(Self {
            transport,
            host,
            port,
            sent_by,
            params,
        })
    }

    /// The host of sent-by.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The port of sent-by, if it names one.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// Host and port as they are spelled.
    pub fn sent_by(&self) -> &str {
        &self.sent_by
    }

    /// The `branch` parameter.
    pub fn branch(&self) -> Option<&str> {
        self.params.get("branch")
    }

    /// The branch if it is unique by construction: it starts with `z9hG4bK` and has more than that
    /// (RFC 4475 §3.2.1: the bare cookie is treated as no branch at all).
    pub fn unique_branch(&self) -> Option<&str> {
        let branch = self.branch()?;
        let cookie = branch.get(..BRANCH_COOKIE.len())?;
        let unique = cookie.eq_ignore_ascii_case(BRANCH_COOKIE) && branch.len() > cookie.len();
        unique.then_some(branch)
    }

    /// The `received` parameter: where the request really came from (RFC 3261 §18.2.1).
    pub fn received(&self) -> Option<IpAddr> {
        let value = self.params.get("received")?;
        // RFC 5118 §4.5: delimiters around an IPv6 address are wrong there and must be accepted.
        let bare = value
            .strip_prefix('[')
            .and_then(|v| v.strip_suffix(']'))
            .unwrap_or(value);
        bare.parse().ok()
    }

    /// The `rport` parameter (RFC 3581): absent, asked for, or filled in.
    pub fn rport(&self) -> Option<Option<u16>> {
        if !self.params.has("rport") {
            return None;
        }
        Some(self.params.get("rport").and_then(|port| port.parse().ok()))
    }

    /// Writes down where the request came from. RFC 3261 §18.2.1: `received` when sent-by is
    /// another host; RFC 3581 §4: both when `rport` was asked for.
    pub fn set_received(&mut self, remote: SocketAddr) {
        let wants_rport = self.params.has("rport");
        if wants_rport {
            self.params.set("rport", Some(&remote.port().to_string()));
        }
        if wants_rport || self.host.ip() != Some(remote.ip().to_canonical()) {
            self.params
                .set("received", Some(&remote.ip().to_canonical().to_string()));
        }
    }
}

fn host_port(text: &str) -> Result<(Host, Option<u16>), Fault> {
    let colon = match text.rfind(']') {
        Some(end) => text[end..].find(':').map(|at| end + at),
        None => text.find(':'),
    };
    let (host, port) = match colon {
        Some(at) => (&text[..at], Some(scan::trim(&text[at + 1..]))),
        None => (text, None),
    };
    let host = Host::parse(scan::trim(host)).ok_or(Fault::BadHost)?;
    let port =
        port.map(|port| u16::try_from(scan::number(port)?).map_err(|_| Fault::NumberTooLarge));
    Ok((host, port.transpose()?))
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "SIP/2.0/{} {}{}",
            self.transport, self.sent_by, self.params
        )
    }
}
