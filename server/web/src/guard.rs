//! Who may ask: `Host` against DNS rebinding, `Origin` against foreign pages that use our sockets.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Mutex;

use axum::http::HeaderMap;
use axum::http::header::{HOST, ORIGIN};

use crate::limits::REFUSALS_LOGGED_MAX;
use crate::{Certificate, Connection};

/// The names and origins that are ours.
#[derive(Debug, Default)]
pub struct Guard {
    names: BTreeSet<String>,
    origins: BTreeSet<String>,
    certificate: Option<Certificate>,
    logged: Mutex<BTreeSet<String>>,
}

/// Why a request is refused; Display is the sentence the client gets.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No `Host`, or one that is no host.
    #[error("The request has no usable Host header.")]
    NoHost,
    /// A name that is not ours.
    #[error(
        "This server is not called \"{0}\". Use its address, localhost, its host name, or a name from its \
         certificate; or add the name to `hostnames` in http.conf."
    )]
    ForeignHost(String),
    /// A page of another site.
    #[error(
        "Pages from \"{0}\" may not use this server. Open the page from this server, or add the site to \
         `websocket_origins` in http.conf."
    )]
    ForeignOrigin(String),
    /// The route answers this machine alone.
    #[error("This page is for the machine the server runs on.")]
    NotLoopback,
    /// A section of http.conf with `type=restriction` denies it.
    #[error("Your address may not open this page (type=restriction in http.conf).")]
    Restricted,
}

impl Refusal {
    /// The same sentence in Russian.
    pub(crate) fn russian(&self) -> String {
        match self {
            Self::NoHost => "В запросе нет пригодного заголовка Host.".to_owned(),
            Self::ForeignHost(host) => format!(
                "Этот сервер не называется «{host}». Откройте его по адресу, как localhost, по имени машины \
                 или по имени из сертификата либо добавьте имя в `hostnames` в http.conf."
            ),
            Self::ForeignOrigin(origin) => format!(
                "Страницам с «{origin}» нельзя обращаться к этому серверу. Откройте страницу с самого сервера \
                 или добавьте сайт в `websocket_origins` в http.conf."
            ),
            Self::NotLoopback => {
                "Эта страница только для машины, на которой работает сервер.".to_owned()
            }
            Self::Restricted => {
                "С вашего адреса эту страницу открыть нельзя (type=restriction в http.conf)."
                    .to_owned()
            }
        }
    }
}

impl Refusal {
    /// Whether somebody tries whether he is refused, as `sidetone doctor` does: RFC 6761 §6.4 has nobody own a
    /// name that ends with `.invalid`, so no page comes from there.
    fn is_probe(&self) -> bool {
        matches!(self, Self::ForeignOrigin(origin) if origin.ends_with(".invalid"))
    }
}

impl Guard {
    /// `names`: host names that are ours beside `localhost` and addresses; `*.example.org` is every
    /// name one label longer, as in certificates (RFC 9525 §6.3), `*` every name. `origins`: other
    /// sites whose pages may connect, as `https://example.org`; `*` admits every one.
    pub fn new(names: &[String], origins: &[String]) -> Self {
        let lower = |text: &String| text.trim_end_matches(['.', '/']).to_ascii_lowercase();
        Self {
            names: names.iter().map(lower).collect(),
            origins: origins.iter().map(lower).collect(),
            certificate: None,
            logged: Mutex::default(),
        }
    }

    /// The names of the certificate are ours too, those of its successors included.
    #[must_use]
    pub(crate) fn with_certificate(mut self, certificate: Option<Certificate>) -> Self {
        self.certificate = certificate;
        self
    }

    /// The `Host` must be a name or address we serve. `wildcard`: the listener takes any address of
    /// the machine, so any IP literal may be one.
    pub(crate) fn check_host(
        &self,
        headers: &HeaderMap,
        connection: &Connection,
        wildcard: bool,
    ) -> Result<(), Refusal> {
        let mut hosts = headers.get_all(HOST).iter();
        let host = hosts
            .next()
            .and_then(|host| host.to_str().ok())
            .ok_or(Refusal::NoHost)?;
        if hosts.next().is_some() {
            return Err(Refusal::NoHost);
        }
        let (name, _) = split_authority(host).ok_or(Refusal::NoHost)?;
        let ours = match name.parse::<IpAddr>() {
            Ok(address) => {
                wildcard
                    || address.to_canonical().is_loopback()
                    || address == connection.local.ip()
                    || self.names.contains(&name)
            }
            Err(_) => name == "localhost" || self.names.contains(&name) || self.has_wildcard(&name),
        };
        let ours = ours
            || self
                .certificate
                .as_ref()
                .is_some_and(|certificate| certificate.covers(&name));
        if ours {
            Ok(())
        } else {
            Err(Refusal::ForeignHost(printable(&name)))
        }
    }

    fn has_wildcard(&self, name: &str) -> bool {
        self.names.contains("*")
            || name
                .split_once('.')
                .is_some_and(|(_, parent)| self.names.contains(&format!("*.{parent}")))
    }

    /// For what a page may read: it must come from this host and port, whichever scheme. No Origin
    /// means a program, not a page.
    pub(crate) fn check_origin(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        self.check(headers, Ports::Same)
    }

    /// For WebSockets, RFC 6455 §10.2: servers "SHOULD verify the |Origin| field is an origin they
    /// expect". Here that is a page of the same host, on whichever port: the phone page may come
    /// from a web server of its own. Who connects must still know a password.
    pub(crate) fn check_websocket_origin(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        self.check(headers, Ports::Any)
    }

    fn check(&self, headers: &HeaderMap, ports: Ports) -> Result<(), Refusal> {
        // A page's plain GET carries no Origin; browsers say where it comes from in this header.
        let fetched_from = headers
            .get("sec-fetch-site")
            .map_or(&b"none"[..], |site| site.as_bytes());
        let Some(origin) = headers.get(ORIGIN) else {
            return match fetched_from {
                b"none" | b"same-origin" => Ok(()),
                _ if self.origins.contains("*") => Ok(()),
                _ => Err(Refusal::ForeignOrigin("another site".to_owned())),
            };
        };
        let origin = String::from_utf8_lossy(origin.as_bytes()).to_ascii_lowercase();
        if self.origins.contains("*") || self.origins.contains(&origin) {
            return Ok(());
        }
        let same = origin.split_once("://").is_some_and(|(scheme, authority)| {
            let default = if scheme == "https" { 443 } else { 80 };
            let host = headers.get(HOST).and_then(|host| host.to_str().ok());
            matches!(scheme, "http" | "https")
                && split_authority(authority)
                    .zip(host.and_then(split_authority))
                    .is_some_and(|((name, port), (own_name, own_port))| {
                        let same_port = port.unwrap_or(default) == own_port.unwrap_or(default);
                        name == own_name && (ports == Ports::Any || same_port)
                    })
        });
        if same {
            Ok(())
        } else {
            Err(Refusal::ForeignOrigin(printable(&origin)))
        }
    }

    /// Logs a refusal the first time it happens, with what was refused.
    pub(crate) fn log_once(&self, refusal: &Refusal, remote: IpAddr) {
        let sentence = refusal.to_string();
        if refusal.is_probe() {
            tracing::debug!(%remote, "refused a probe: {sentence}");
            return;
        }
        let Ok(mut logged) = self.logged.lock() else {
            return;
        };
        if logged.len() < REFUSALS_LOGGED_MAX && logged.insert(sentence.clone()) {
            tracing::warn!(%remote, "refused a request: {sentence}");
        }
    }
}

/// Which ports of our host are ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ports {
    Same,
    Any,
}

/// Host in lower case without brackets and final dot, and the port if there is one.
fn split_authority(authority: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            (
                host,
                if after.is_empty() {
                    None
                } else {
                    Some(after.strip_prefix(':')?)
                },
            )
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let port = match port {
        Some(port) => Some(port.parse().ok()?),
        None => None,
    };
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ':' | '_');
    (!host.is_empty() && host.chars().all(plain)).then_some((host, port))
}

/// What a stranger sent, fit for a log line.
fn printable(text: &str) -> String {
    const PRINTED_MAX: usize = 100;
    text.chars()
        .filter(|c| c.is_ascii_graphic() && *c != '"')
        .take(PRINTED_MAX)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(host: &str, origin: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().unwrap());
        }
        headers
    }

    fn connection() -> Connection {
        let local = "192.0.2.7:8089".parse().unwrap();
        Connection {
            local,
            remote: "192.0.2.9:1".parse().unwrap(),
            secure: true,
        }
    }

    #[test]
    fn only_our_own_hosts_are_served() {
        let guard = Guard::new(&["PBX.example.org".into(), "*.example.net".into()], &[]);
        let cases = [
            ("localhost:8088", false, true),
            ("LOCALHOST", false, true),
            ("127.0.0.1:8089", false, true),
            ("[::1]:8089", false, true),
            ("192.0.2.7:8089", false, true),
            ("192.0.2.8:8089", false, false),
            ("192.0.2.8:8089", true, true),
            ("pbx.example.org", false, true),
            ("pbx.example.org.:443", false, true),
            ("pbx.example.net", false, true),
            ("example.net", false, false),
            ("deep.pbx.example.net", false, false),
            ("*.example.net", false, false),
            ("evil.example", false, false),
            ("evil.example", true, false),
            ("localhost.evil.example", true, false),
            ("pbx.example.org@evil.example", true, false),
            ("[::1", true, false),
            ("localhost:99999", true, false),
            ("", true, false),
        ];
        for (host, wildcard, ours) in cases {
            let found = guard
                .check_host(&request(host, None), &connection(), wildcard)
                .is_ok();
            assert_eq!(found, ours, "Host: {host}, wildcard {wildcard}");
        }
        assert_eq!(
            guard.check_host(&HeaderMap::new(), &connection(), true),
            Err(Refusal::NoHost)
        );
    }

    #[test]
    fn only_our_own_pages_and_listed_ones_connect() {
        let guard = Guard::new(&[], &["https://phones.example.org/".into()]);
        let cases = [
            ("localhost:8088", None, true),
            ("localhost:8088", Some("http://localhost:8088"), true),
            ("localhost:8089", Some("https://LOCALHOST:8089"), true),
            ("localhost", Some("https://localhost:443"), true),
            ("localhost:8088", Some("http://localhost:8089"), false),
            ("localhost:8088", Some("http://localhost"), false),
            ("localhost:8088", Some("null"), false),
            ("localhost:8088", Some("file://"), false),
            ("localhost:8088", Some("http://evil.example"), false),
            ("localhost:8088", Some("https://phones.example.org"), true),
            (
                "localhost:8088",
                Some("https://phones.example.org.evil.example"),
                false,
            ),
        ];
        for (host, origin, ours) in cases {
            let found = guard.check_origin(&request(host, origin)).is_ok();
            assert_eq!(found, ours, "Host: {host}, Origin: {origin:?}");
        }
    }

    #[test]
    fn a_foreign_page_cannot_fetch_without_an_origin() {
        let guard = Guard::default();
        let mut headers = request("localhost", None);
        headers.insert("sec-fetch-site", "cross-site".parse().unwrap());
        assert!(guard.check_origin(&headers).is_err());
        headers.insert("sec-fetch-site", "same-origin".parse().unwrap());
        assert!(guard.check_origin(&headers).is_ok());
    }

    #[test]
    fn the_log_of_refusals_is_bounded() {
        let guard = Guard::default();
        for number in 0..10 * REFUSALS_LOGGED_MAX {
            let refusal = Refusal::ForeignOrigin(number.to_string());
            guard.log_once(&refusal, IpAddr::from([127, 0, 0, 1]));
        }
        assert_eq!(guard.logged.lock().unwrap().len(), REFUSALS_LOGGED_MAX);
    }
}
