//! `http.conf`: the web server.

use std::net::SocketAddr;

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
