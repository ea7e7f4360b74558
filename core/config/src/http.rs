//! `http.conf`: the web server.

use crate::option::{Fault, Object, Parse, Row, number, row};
use crate::transport::address;
use std::net::{IpAddr, SocketAddr};

/// `[general]` of `http.conf`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// Where plain HTTP listens; `None` if it does not.
    pub bind: Option<SocketAddr>,
    /// Where HTTPS listens and with what; `None` if it does not.
    pub tls: Option<HttpTls>,
    /// Whether files under `/static` are served.
    pub static_files: bool,
    /// In the order written.
    pub redirects: Vec<Redirect>,
    /// What every path starts with: empty, or `/something`.
    pub prefix: String,
    /// Connections served at once.
    pub session_limit: usize,
    /// The `Server` header; the product's own if unset.
    pub server_name: Option<String>,
}

/// HTTPS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpTls {
    /// Where it listens.
    pub bind: SocketAddr,
    /// The certificate chain.
    pub certificate: String,
    /// The private key; the file of the certificate if none is named.
    pub private_key: String,
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
            static_files: false,
            redirects: Vec::new(),
            prefix: String::new(),
            session_limit: 100,
            server_name: None,
        }
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
        if self.tls_enabled {
            let plain = self.bind_address.map(|ip| (ip, None));
            let bind = self.tls_bind.or(plain);
            match (bind, self.certificate) {
                (Some((ip, port)), Some(certificate)) => {
                    http.tls = Some(HttpTls {
                        bind: SocketAddr::new(ip, port.unwrap_or(TLS_PORT)),
                        private_key: self.private_key.unwrap_or_else(|| certificate.clone()),
                        certificate,
                    });
                }
                (None, _) => missing.push(Missing::TlsBind),
                (_, None) => missing.push(Missing::Certificate),
            }
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
        }
    }
}

/// Names that begin with `ssl` are the old spellings of those with `tls`.
const OPTIONS: &[Row<General>] = &[
    row(
        "bindaddr",
        "",
        Parse::Own(bind_address),
        "Address of HTTP, and of HTTPS without another.",
    ),
    row("bindport", "8088", Parse::Own(bind_port), "Port of HTTP."),
    row(
        "enable_static",
        "no",
        Parse::YesNo(|g| &mut g.http.static_files),
        "Serves `/static`; not acted on yet.",
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
        "Serves `/static`; not acted on yet.",
    ),
    row(
        "prefix",
        "",
        Parse::Own(prefix),
        "What every path starts with; not acted on yet.",
    ),
    row(
        "redirect",
        "",
        Parse::Own(redirect),
        "`/from /to`; repeatable; not acted on yet.",
    ),
    row(
        "servername",
        "",
        Parse::Optional(|g| &mut g.http.server_name),
        "The Server header; not acted on yet.",
    ),
    row(
        "sessionlimit",
        "100",
        Parse::Own(session_limit),
        "Connections served at once.",
    ),
    row("sslbindaddr", "", Parse::Own(tls_bind), "See tlsbindaddr."),
    row(
        "sslcert",
        "",
        Parse::Optional(|g| &mut g.certificate),
        "See tlscertfile.",
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
        "tlsbindaddr",
        "",
        Parse::Own(tls_bind),
        "Address and port of HTTPS; 8089 without one.",
    ),
    row(
        "tlscertfile",
        "",
        Parse::Optional(|g| &mut g.certificate),
        "The certificate chain.",
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
];

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
