//! How a server speaks TLS: versions, cipher suites, certificates of clients.

mod ciphers;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert, WantsServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{ConfigBuilder, RootCertStore, ServerConfig, SupportedProtocolVersion};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::Certificate;
use crate::acme::{ACME_TLS_1, Challenges};

/// What may be negotiated. TLS 1.0 and 1.1 (RFC 8996) never are: rustls has neither.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSettings {
    /// An OpenSSL cipher list, which decides about TLS 1.2 alone, as it does there.
    pub ciphers: Option<String>,
    /// TLS 1.2 (RFC 5246), beside 1.3.
    pub tls12: bool,
    /// Our order of suites decides, not the client's.
    pub server_order: bool,
    /// Whether clients show certificates.
    pub clients: Clients,
}

/// What is asked of clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Clients {
    /// No certificate.
    Anybody,
    /// One may be shown, and is checked against these authorities (PEM files, or folders of them).
    Asked(Vec<PathBuf>),
    /// Only who shows one of these authorities' is let in.
    Required(Vec<PathBuf>),
}

/// Why TLS cannot be spoken like that.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// No suite of TLS 1.2 is left, while it is allowed.
    #[error("the cipher list \"{0}\" leaves none of the suites that are served: {1}")]
    NoSuite(String, String),
    /// A client's certificate is wanted, and there is nobody to trust.
    #[error("clients are to show a certificate, but no file of authorities is named")]
    NoAuthorities,
    /// A file of authorities cannot be used.
    #[error("cannot use the authorities in {}: {reason}", file.display())]
    Authorities {
        /// The file or folder.
        file: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

impl Default for TlsSettings {
    fn default() -> Self {
        Self {
            ciphers: None,
            tls12: true,
            server_order: true,
            clients: Clients::Anybody,
        }
    }
}

impl TlsSettings {
    /// A configuration that always shows what `certificate` holds at that moment. `protocols` are
    /// those of ALPN (RFC 7301), the preferred one first.
    ///
    /// # Errors
    ///
    /// What cannot be kept of these settings.
    pub fn server_config(
        &self,
        certificate: &Certificate,
        protocols: &[&[u8]],
    ) -> Result<Arc<ServerConfig>, TlsError> {
        self.config_of(Resolver::of(certificate, None), protocols)
    }

    pub(crate) fn config_of(
        &self,
        resolver: Resolver,
        protocols: &[&[u8]],
    ) -> Result<Arc<ServerConfig>, TlsError> {
        let mut config = self.builder()?.with_cert_resolver(Arc::new(resolver));
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        config.ignore_client_order = self.server_order;
        Ok(Arc::new(config))
    }

    /// Whether TLS can be spoken like that.
    ///
    /// # Errors
    ///
    /// What cannot be kept of these settings.
    pub fn check(&self) -> Result<(), TlsError> {
        self.builder().map(drop)
    }

    /// All but the certificate.
    fn builder(&self) -> Result<Builder, TlsError> {
        let mut provider = aws_lc_rs::default_provider();
        if let Some(list) = &self.ciphers {
            let chosen = ciphers::select(list);
            if chosen.is_empty() && self.tls12 {
                let served = ciphers::names().collect::<Vec<_>>().join(":");
                return Err(TlsError::NoSuite(list.clone(), served));
            }
            provider
                .cipher_suites
                .retain(|suite| suite.tls13().is_some());
            provider.cipher_suites.extend(chosen);
        }
        let provider = Arc::new(provider);
        let versions: &[&SupportedProtocolVersion] = match self.tls12 {
            true => &[&rustls::version::TLS13, &rustls::version::TLS12],
            false => &[&rustls::version::TLS13],
        };
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(versions)
            .expect("the provider has suites for each version");
        let builder = match &self.clients {
            Clients::Anybody => builder.with_no_client_auth(),
            Clients::Asked(files) | Clients::Required(files) => {
                let roots = Arc::new(authorities(files)?);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
                let verifier = match &self.clients {
                    Clients::Asked(_) => verifier.allow_unauthenticated(),
                    Clients::Anybody | Clients::Required(_) => verifier,
                };
                let verifier = verifier.build().map_err(|error| TlsError::Authorities {
                    file: files.first().cloned().unwrap_or_default(),
                    reason: error.to_string(),
                })?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        Ok(builder)
    }
}

type Builder = ConfigBuilder<ServerConfig, WantsServerCert>;

/// Chooses the certificate of a handshake: that of the server, or the answer to a challenge.
#[derive(Debug)]
pub(crate) struct Resolver {
    certificate: Certificate,
    challenges: Option<Challenges>,
}

impl Resolver {
    pub(crate) fn of(certificate: &Certificate, challenges: Option<Challenges>) -> Self {
        Self {
            certificate: certificate.clone(),
            challenges,
        }
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // RFC 8737 §3: the validating server offers "acme-tls/1" alone.
        let challenged = hello.alpn().is_some_and(|mut offered| {
            offered.next() == Some(ACME_TLS_1) && offered.next().is_none()
        });
        if challenged {
            let name = hello.server_name()?;
            return self.challenges.as_ref()?.certificate_for(name);
        }
        Some(self.certificate.key())
    }
}

/// Every certificate in these files; in folders, those of every file (OpenSSL's hashed names too).
fn authorities(files: &[PathBuf]) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for file in files {
        let fault = |reason: String| TlsError::Authorities {
            file: file.clone(),
            reason,
        };
        let listed = match file.is_dir() {
            true => in_folder(file).map_err(|error| fault(error.to_string()))?,
            false => vec![file.clone()],
        };
        for listed in listed {
            let pem = std::fs::read(&listed).map_err(|error| fault(error.to_string()))?;
            for certificate in CertificateDer::pem_slice_iter(&pem) {
                let certificate = certificate.map_err(|error| fault(error.to_string()))?;
                roots
                    .add(certificate)
                    .map_err(|error| fault(error.to_string()))?;
            }
        }
        if roots.is_empty() {
            return Err(fault("it has no certificate in PEM form".to_owned()));
        }
    }
    match roots.is_empty() {
        true => Err(TlsError::NoAuthorities),
        false => Ok(roots),
    }
}

fn in_folder(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)?.take(AUTHORITY_FILES_MAX) {
        let path = entry?.path();
        if path.is_file() {
            files.push(path);
        }
    }
    Ok(files)
}

/// Debian's /etc/ssl/certs has 300.
const AUTHORITY_FILES_MAX: usize = 10_000;
