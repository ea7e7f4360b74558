//! `http.conf`: the web server.

use crate::acl::AddressLists;
use crate::option::{Fault, Object, Parse, Row, names, number, row, word, yes_no};
use crate::transport::address;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// `http.conf`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// Where plain HTTP listens; `None` if it does not.
    pub bind: Option<SocketAddr>,
    /// Where HTTPS listens and with which files; `None` if it does not, or if [`Self::acme`] does.
    pub tls: Option<HttpTls>,
    /// HTTPS with a certificate from an ACME server.
    pub acme: Option<Acme>,
    /// How TLS is spoken.
    pub tls_settings: HttpTlsSettings,
    /// Whether files under `/static` are served.
    pub static_files: bool,
    /// Their folder, relative to the configuration; `static-http` if unset.
    pub static_dir: Option<String>,
    /// Whether there is a page at `/httpstatus`.
    pub status_page: bool,
    /// In the order written.
    pub redirects: Vec<Redirect>,
    /// What every path starts with: empty, or `/something`.
    pub prefix: String,
    /// Connections served at once.
    pub session_limit: usize,
    /// How long a connection may rest while it is served.
    pub session_inactivity: Duration,
    /// How long it may rest between requests; zero closes it after each.
    pub session_keep_alive: Duration,
    /// The `Server` header; the product's own if unset, none if empty.
    pub server_name: Option<String>,
    /// Host names that are the server's own, beside those it knows.
    pub hostnames: Vec<String>,
    /// Other sites whose pages may use the WebSocket.
    pub websocket_origins: Vec<String>,
    /// Who may open which paths.
    pub restrictions: Vec<HttpRestriction>,
}

/// HTTPS with files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpTls {
    /// Where it listens.
    pub bind: SocketAddr,
    /// The certificate chain.
    pub certificate: String,
    /// The private key; the file of the certificate if none is named.
    pub private_key: String,
}

/// Versions, suites and the certificates of clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpTlsSettings {
    /// An OpenSSL cipher list.
    pub ciphers: Option<String>,
    /// TLS 1.2 beside 1.3.
    pub tls12: bool,
    /// Our order of suites decides.
    pub server_order: bool,
    /// Clients must show a certificate of [`Self::ca_file`] or [`Self::ca_path`].
    pub verify_clients: bool,
    /// A file of authorities.
    pub ca_file: Option<String>,
    /// A folder of them.
    pub ca_path: Option<String>,
}

/// How a certificate is got from an ACME server (RFC 8555).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acme {
    /// Where HTTPS listens.
    pub bind: SocketAddr,
    /// The directory of the server.
    pub directory: String,
    /// Whom the server may write to.
    pub email: Option<String>,
    /// The names of the certificate.
    pub names: Vec<String>,
    /// A PEM file of the authority that signed the server's own certificate, if it is no public one.
    pub ca_file: Option<String>,
    /// How the names are proven to be ours.
    pub challenge: AcmeChallenge,
}

/// How a name is proven to be ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcmeChallenge {
    /// By an answer on port 80 (RFC 8555 §8.3).
    Http01,
    /// By a certificate on port 443 (RFC 8737).
    TlsAlpn01,
}

impl AcmeChallenge {
    /// As written in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http01 => "http-01",
            Self::TlsAlpn01 => "tls-alpn-01",
        }
    }
}

/// A section with `type=restriction`: who may open the paths that begin like its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpRestriction {
    /// What the path begins with.
    pub path: String,
    /// Who may.
    pub source: AddressLists,
}

/// `redirect=/from /to`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// The path asked for.
    pub from: String,
    /// The path answered with.
    pub to: String,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            bind: None,
            tls: None,
            acme: None,
            tls_settings: HttpTlsSettings {
                ciphers: None,
                tls12: true,
                server_order: true,
                verify_clients: false,
                ca_file: None,
                ca_path: None,
            },
            static_files: false,
            static_dir: None,
            status_page: false,
            redirects: Vec::new(),
            prefix: String::new(),
            session_limit: 100,
            session_inactivity: Duration::from_millis(30_000),
            session_keep_alive: Duration::from_millis(15_000),
            server_name: None,
            hostnames: Vec::new(),
            websocket_origins: Vec::new(),
            restrictions: Vec::new(),
        }
    }
}

impl Http {
    /// Where HTTPS listens, whoever its certificate is from.
    pub fn secure_bind(&self) -> Option<SocketAddr> {
        let files = self.tls.as_ref().map(|tls| tls.bind);
        files.or_else(|| self.acme.as_ref().map(|acme| acme.bind))
    }
}

/// `[general]` as it is written, before its options are seen together.
#[derive(Debug)]
pub(crate) struct General {
    http: Http,
    enabled: bool,
    bind_address: Option<IpAddr>,
    bind_port: u16,
    tls_enabled: bool,
    tls_bind: Option<(IpAddr, Option<u16>)>,
    certificate: Option<String>,
    private_key: Option<String>,
    acme: bool,
    acme_settings: Acme,
}

/// Why a listener that is asked for is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// `enabled=yes` without `bindaddr`.
    Bind,
    /// `tlsenable=yes` without an address.
    TlsBind,
    /// `tlsenable=yes` without `tlscertfile`.
    Certificate,
    /// `acme=yes` without `acme_names`.
    AcmeNames,
    /// `acme=yes` with `tlscertfile`.
    TwoCertificates,
    /// `acme_challenge=http-01` without plain HTTP.
    AcmeHttp,
    /// `tlsverifyclient=yes` without authorities.
    Authorities,
}

impl General {
    /// The options seen together, and what is missing.
    pub(crate) fn into_http(self) -> (Http, Vec<Missing>) {
        let mut http = self.http;
        let mut missing = Vec::new();
        if self.enabled {
            let port = self.bind_port;
            http.bind = self.bind_address.map(|ip| SocketAddr::new(ip, port));
            if http.bind.is_none() {
                missing.push(Missing::Bind);
            }
        }
        let plain = self.bind_address.map(|ip| (ip, None));
        let bind = self.tls_bind.or(plain);
        let bind = bind.map(|(ip, port)| SocketAddr::new(ip, port.unwrap_or(TLS_PORT)));
        if self.acme {
            match bind {
                None => missing.push(Missing::TlsBind),
                Some(_) if self.acme_settings.names.is_empty() => missing.push(Missing::AcmeNames),
                Some(bind) => {
                    let answers = self.acme_settings.challenge;
                    if answers == AcmeChallenge::Http01 && http.bind.is_none() {
                        missing.push(Missing::AcmeHttp);
                    }
                    http.acme = Some(Acme {
                        bind,
                        ..self.acme_settings
                    });
                }
            }
            if self.certificate.is_some() {
                missing.push(Missing::TwoCertificates);
            }
        } else if self.tls_enabled {
            match (bind, self.certificate) {
                (Some(bind), Some(certificate)) => {
                    http.tls = Some(HttpTls {
                        bind,
                        private_key: self.private_key.unwrap_or_else(|| certificate.clone()),
                        certificate,
                    });
                }
                (None, _) => missing.push(Missing::TlsBind),
                (_, None) => missing.push(Missing::Certificate),
            }
        }
        let settings = &http.tls_settings;
        if settings.verify_clients && settings.ca_file.is_none() && settings.ca_path.is_none() {
            missing.push(Missing::Authorities);
        }
        (http, missing)
    }
}

/// HTTPS where `tlsbindaddr` names no port.
const TLS_PORT: u16 = 8089;

impl Object for General {
    const KIND: &'static str = "http.conf";
    const OPTIONS: &'static [Row<Self>] = OPTIONS;

    fn named(_: &str) -> Self {
        Self {
            http: Http::default(),
            enabled: false,
            bind_address: None,
            bind_port: 8088,
            tls_enabled: false,
            tls_bind: None,
            certificate: None,
            private_key: None,
            acme: false,
            acme_settings: Acme {
                bind: SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), TLS_PORT),
                directory: ACME_DIRECTORY.to_owned(),
                email: None,
                names: Vec::new(),
                ca_file: None,
                challenge: AcmeChallenge::Http01,
            },
        }
    }
}

/// Names that begin with `ssl` are the old spellings of those with `tls`.
const OPTIONS: &[Row<General>] = &[
    row(
        "acme",
        "no",
        Parse::YesNo(|g| &mut g.acme),
        "Serves HTTPS with a certificate from an ACME server, which is renewed by itself (not Asterisk's).",
    ),
    row(
        "acme_ca_file",
        "",
        Parse::Optional(|g| &mut g.acme_settings.ca_file),
        "The authority of the ACME server's own certificate; those of the system if unset (not Asterisk's).",
    ),
    row(
        "acme_challenge",
        "http-01",
        Parse::Own(acme_challenge),
        "How names are proven: http-01 needs port 80 to lead here, tls-alpn-01 port 443 (not Asterisk's).",
    ),
    row(
        "acme_directory",
        ACME_DIRECTORY,
        Parse::Text(|g| &mut g.acme_settings.directory),
        "Address of the ACME server's directory (not Asterisk's).",
    ),
    row(
        "acme_email",
        "",
        Parse::Optional(|g| &mut g.acme_settings.email),
        "Whom the ACME server may write to (not Asterisk's).",
    ),
    row(
        "acme_names",
        "",
        Parse::Names(|g| &mut g.acme_settings.names),
        "Names of the certificate, between commas (not Asterisk's).",
    ),
    row(
        "bindaddr",
        "",
        Parse::Own(bind_address),
        "Address of HTTP, and of HTTPS without another; `::` takes IPv4 too.",
    ),
    row("bindport", "8088", Parse::Own(bind_port), "Port of HTTP."),
    row(
        "enable_static",
        "no",
        Parse::YesNo(|g| &mut g.http.static_files),
        "Serves the files of `static_dir` at `/static`.",
    ),
    row(
        "enable_status",
        "no",
        Parse::YesNo(|g| &mut g.http.status_page),
        "Serves `/httpstatus`: listeners, paths and redirects, to everybody who may ask this server.",
    ),
    row(
        "enabled",
        "no",
        Parse::YesNo(|g| &mut g.enabled),
        "Serves HTTP.",
    ),
    row(
        "enablestatic",
        "no",
        Parse::YesNo(|g| &mut g.http.static_files),
        "See enable_static.",
    ),
    row(
        "hostnames",
        "",
        Parse::Names(|g| &mut g.http.hostnames),
        "Names under which this server is opened, beside addresses, `localhost`, the machine's name and those of the certificate; `*.example.org`, or `*` for any (not Asterisk's).",
    ),
    row(
        "prefix",
        "",
        Parse::Own(prefix),
        "What every path starts with.",
    ),
    row(
        "redirect",
        "",
        Parse::Own(redirect),
        "`/from /to`; repeatable. `/from` is the whole path, prefix included.",
    ),
    row(
        "servername",
        "",
        Parse::Own(server_name),
        "The Server header; this product's name if unset, none if empty.",
    ),
    row(
        "session_inactivity",
        "30000",
        Parse::Own(session_inactivity),
        "Milliseconds a connection may rest while a request comes in or its answer goes out.",
    ),
    row(
        "session_keep_alive",
        "15000",
        Parse::Own(session_keep_alive),
        "Milliseconds a connection may rest between requests; 0 closes it after each.",
    ),
    row(
        "sessionlimit",
        "100",
        Parse::Own(session_limit),
        "Connections served at once, WebSockets included; one address has three quarters of them at most.",
    ),
    row("sslbindaddr", "", Parse::Own(tls_bind), "See tlsbindaddr."),
    row(
        "sslcert",
        "",
        Parse::Optional(|g| &mut g.certificate),
        "See tlscertfile.",
    ),
    row(
        "sslcipher",
        "",
        Parse::Optional(|g| &mut g.http.tls_settings.ciphers),
        "See tlscipher.",
    ),
    row(
        "sslenable",
        "no",
        Parse::YesNo(|g| &mut g.tls_enabled),
        "See tlsenable.",
    ),
    row(
        "sslprivatekey",
        "",
        Parse::Optional(|g| &mut g.private_key),
        "See tlsprivatekey.",
    ),
    row(
        "static_dir",
        "",
        Parse::Optional(|g| &mut g.http.static_dir),
        "Folder of `/static`, relative to this file; without it `static-http` there, else in the data folder (not Asterisk's).",
    ),
    row(
        "tlsbindaddr",
        "",
        Parse::Own(tls_bind),
        "Address and port of HTTPS; 8089 without one.",
    ),
    row(
        "tlscafile",
        "",
        Parse::Optional(|g| &mut g.http.tls_settings.ca_file),
        "Authorities that certificates of clients are checked against, with tlsverifyclient.",
    ),
    row(
        "tlscapath",
        "",
        Parse::Optional(|g| &mut g.http.tls_settings.ca_path),
        "A folder of them.",
    ),
    row(
        "tlscertfile",
        "",
        Parse::Optional(|g| &mut g.certificate),
        "The certificate chain, the server's own first; watched, and taken when it changes.",
    ),
    row(
        "tlscipher",
        "",
        Parse::Optional(|g| &mut g.http.tls_settings.ciphers),
        "OpenSSL cipher list for TLS 1.2; those with forward secrecy and AEAD are served.",
    ),
    row(
        "tlsdisablev12",
        "no",
        Parse::Own(tls_disable_12),
        "Leaves TLS 1.3 alone.",
    ),
    row(
        "tlsenable",
        "no",
        Parse::YesNo(|g| &mut g.tls_enabled),
        "Serves HTTPS.",
    ),
    row(
        "tlsprivatekey",
        "",
        Parse::Optional(|g| &mut g.private_key),
        "The private key; in the file of the certificate if unset.",
    ),
    row(
        "tlsservercipherorder",
        "yes",
        Parse::YesNo(|g| &mut g.http.tls_settings.server_order),
        "The server's order of suites decides, not the client's.",
    ),
    row(
        "tlsverifyclient",
        "no",
        Parse::YesNo(|g| &mut g.http.tls_settings.verify_clients),
        "Lets in only who shows a certificate of tlscafile or tlscapath.",
    ),
    row(
        "websocket_origins",
        "",
        Parse::Own(origins),
        "Other sites whose pages may use the WebSocket, as `https://example.org`, between commas; `*` for all. Pages of this host may from any port (not Asterisk's).",
    ),
];

impl Object for HttpRestriction {
    const KIND: &'static str = "restriction";
    const OPTIONS: &'static [Row<Self>] = RESTRICTION;

    fn named(id: &str) -> Self {
        Self {
            path: format!("/{}", id.trim_start_matches('/')),
            source: AddressLists::default(),
        }
    }
}

const RESTRICTION: &[Row<HttpRestriction>] = &[
    row(
        "acl",
        "",
        Parse::Own(|r, v| r.source.name(v)),
        "Sections of acl.conf that say who may open these paths; repeatable.",
    ),
    row(
        "deny",
        "",
        Parse::Own(|r, v| r.source.own.add(false, v)),
        "Networks that may not; repeatable, the last one that fits decides.",
    ),
    row(
        "permit",
        "",
        Parse::Own(|r, v| r.source.own.add(true, v)),
        "Networks that may; repeatable, the last one that fits decides.",
    ),
];

/// Let's Encrypt.
const ACME_DIRECTORY: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// Redirects in one file.
const REDIRECTS_MAX: usize = 1000;

/// Asterisk wants the port in `bindport`; one written here is plain enough.
fn bind_address(general: &mut General, value: &str) -> Result<(), Fault> {
    let (address, port) = address(value)?;
    general.bind_address = Some(address);
    if let Some(port) = port {
        general.bind_port = port;
    }
    Ok(())
}

fn bind_port(general: &mut General, value: &str) -> Result<(), Fault> {
    general.bind_port = number(value, 1, 65_535)?;
    Ok(())
}

fn tls_bind(general: &mut General, value: &str) -> Result<(), Fault> {
    general.tls_bind = Some(address(value)?);
    Ok(())
}

fn session_limit(general: &mut General, value: &str) -> Result<(), Fault> {
    general.http.session_limit = number(value, 1, 1_000_000)?;
    Ok(())
}

fn session_inactivity(general: &mut General, value: &str) -> Result<(), Fault> {
    let rest_ms = number(value, 1, REST_MS_MAX)?;
    general.http.session_inactivity = Duration::from_millis(rest_ms);
    Ok(())
}

fn session_keep_alive(general: &mut General, value: &str) -> Result<(), Fault> {
    let rest_ms = number(value, 0, REST_MS_MAX)?;
    general.http.session_keep_alive = Duration::from_millis(rest_ms);
    Ok(())
}

/// A day.
const REST_MS_MAX: u64 = 86_400_000;

fn server_name(general: &mut General, value: &str) -> Result<(), Fault> {
    general.http.server_name = Some(value.to_owned());
    Ok(())
}

fn tls_disable_12(general: &mut General, value: &str) -> Result<(), Fault> {
    general.http.tls_settings.tls12 = !yes_no(value)?;
    Ok(())
}

fn acme_challenge(general: &mut General, value: &str) -> Result<(), Fault> {
    let all = [AcmeChallenge::Http01, AcmeChallenge::TlsAlpn01];
    let index = word(value, &["http-01", "tls-alpn-01"])?;
    general.acme_settings.challenge = all[index];
    Ok(())
}

/// `https://example.org`, with a port where it is not the usual one.
fn origins(general: &mut General, value: &str) -> Result<(), Fault> {
    let origins = names(value)?;
    let is_origin = |origin: &String| {
        let host = origin
            .strip_prefix("https://")
            .or_else(|| origin.strip_prefix("http://"));
        let plain = |host: &str| !host.is_empty() && !host.contains(['/', '*', ' ', '@']);
        origin == "*"
            || host
                .map(|host| host.trim_end_matches('/'))
                .is_some_and(plain)
    };
    if !origins.iter().all(is_origin) {
        return Err(Fault::NotOrigin);
    }
    general.http.websocket_origins.extend(origins);
    Ok(())
}

fn prefix(general: &mut General, value: &str) -> Result<(), Fault> {
    let path = value.trim_matches('/');
    general.http.prefix = match path {
        "" => String::new(),
        path => format!("/{path}"),
    };
    Ok(())
}

fn redirect(general: &mut General, value: &str) -> Result<(), Fault> {
    let (from, to) = value
        .split_once(char::is_whitespace)
        .ok_or(Fault::NotRedirect)?;
    let to = to.trim_start();
    if !from.starts_with('/') || to.contains(char::is_whitespace) {
        return Err(Fault::NotRedirect);
    }
    let redirects = &mut general.http.redirects;
    if redirects.len() >= REDIRECTS_MAX {
        return Err(Fault::TooMany(REDIRECTS_MAX));
    }
    redirects.push(Redirect {
        from: from.to_owned(),
        to: to.to_owned(),
    });
    Ok(())
}
