//! Where a connection of our own goes (RFC 3261 §18.1.1): to the address a contact names.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use ::sip::{Contact, Transport, Uri};

/// A place that takes TCP or TLS connections.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Destination {
    /// TLS is spoken there.
    pub(crate) secure: bool,
    /// A name in lower case, or an address without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Where the name was found to be; looked up when the connection is opened if `None`.
    pub(crate) address: Option<IpAddr>,
    /// The transport it goes by; any of its protocol that reaches it if `None`.
    pub(crate) transport: Option<Box<str>>,
}

impl Destination {
    /// Where a contact that was registered from `remote` takes connections itself. Nobody knows behind
    /// an address translation; a contact that names the port it came from listens to nothing; one with
    /// reg-id or Path has said how it is to be reached (RFC 5626 §5.3, RFC 3327).
    pub(crate) fn of_contact(
        contact: &Contact,
        path: &[String],
        transport: Transport,
        remote: Option<SocketAddr>,
    ) -> Option<Self> {
        let uri = &contact.address.uri;
        let named = uri.param("transport").unwrap_or_default();
        let is = |name: &str| named.is_empty() || named.eq_ignore_ascii_case(name);
        let (secure, fits) = match transport {
            Transport::Tcp => (false, is("tcp") && !uri.is_secure()),
            Transport::Tls => (true, is("tcp") || is("tls")),
            Transport::Udp | Transport::Ws | Transport::Wss => return None,
        };
        if !fits || !path.is_empty() || contact.reg_id().is_some() {
            return None;
        }
        let ip = uri.host()?.ip()?;
        let to = Self::at(uri, secure)?;
        let listens = |remote: SocketAddr| remote.ip() == ip && remote.port() != to.port;
        remote.is_none_or(listens).then_some(to)
    }

    fn at(uri: &Uri, secure: bool) -> Option<Self> {
        let host = uri.host()?;
        Some(Self {
            secure,
            host: match host.ip() {
                Some(ip) => ip.to_string(),
                None => host.to_string().to_ascii_lowercase(),
            },
            // RFC 3261 §19.1.2.
            port: uri.port().unwrap_or(if secure { 5061 } else { 5060 }),
            address: None,
            transport: None,
        })
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            secure, host, port, ..
        } = self;
        let protocol = if *secure { "tls" } else { "tcp" };
        match host.contains(':') {
            true => write!(f, "{protocol} [{host}]:{port}"),
            false => write!(f, "{protocol} {host}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contacts_say_where_they_listen_or_not() {
        let remote = Some("192.0.2.7:49152".parse().unwrap());
        let to = |contact: &str, transport| {
            let contact = Contact::parse(contact).unwrap();
            let to = Destination::of_contact(&contact, &[], transport, remote);
            to.map(|to| to.to_string())
        };
        let (tcp, tls) = (Transport::Tcp, Transport::Tls);
        for (contact, transport, place) in [
            (
                "<sip:a@192.0.2.7:5070;transport=TCP>",
                tcp,
                "tcp 192.0.2.7:5070",
            ),
            ("<sip:a@192.0.2.7>", tcp, "tcp 192.0.2.7:5060"),
            ("<sip:a@192.0.2.7;transport=tls>", tls, "tls 192.0.2.7:5061"),
            (
                "<sips:a@192.0.2.7;transport=tcp>",
                tls,
                "tls 192.0.2.7:5061",
            ),
        ] {
            assert_eq!(to(contact, transport).as_deref(), Some(place), "{contact}");
        }
        for (contact, transport) in [
            ("<sip:a@10.0.0.5:5070;transport=tcp>", tcp),
            ("<sip:a@192.0.2.7:49152;transport=tcp>", tcp),
            ("<sip:a@phone.example:5070;transport=tcp>", tcp),
            ("<sip:a@192.0.2.7:5070;transport=tls>", tcp),
            ("<sips:a@192.0.2.7:5070>", tcp),
            ("<sip:a@192.0.2.7:5070;transport=tcp>;reg-id=1", tcp),
            ("<sip:a@192.0.2.7:5070>", Transport::Udp),
            ("<sip:a@192.0.2.7:5070;transport=ws>", Transport::Ws),
        ] {
            assert_eq!(to(contact, transport), None, "{contact}");
        }
        let contact = Contact::parse("<sip:a@192.0.2.7:5070>").unwrap();
        let path = ["<sip:edge;lr>".to_owned()];
        assert_eq!(Destination::of_contact(&contact, &path, tcp, remote), None);
    }
}
