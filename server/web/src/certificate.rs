//! The server's certificate: read from PEM files, checked, replaceable while connections live.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::validity::validity_of;

/// A certificate chain with its key. Clones are handles on the same one: [`Certificate::replace`]
/// changes what new connections of every listener see, established ones keep running.
#[derive(Clone, Debug)]
pub struct Certificate {
    current: Arc<ArcSwap<Current>>,
}

#[derive(Debug)]
struct Current {
    key: Arc<CertifiedKey>,
    names: Vec<String>,
}

/// Why a certificate cannot be used, naming the file.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The file cannot be opened or read.
    #[error("cannot read {}: {source}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// No PEM section of the wanted kind.
    #[error("{} has no {wanted} in PEM form", file.display())]
    Missing {
        /// The file.
        file: PathBuf,
        /// What was looked for.
        wanted: &'static str,
    },
    /// A PEM section or what is in it is damaged.
    #[error("{} is not usable: {reason}", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What the parser says.
        reason: String,
    },
    /// The private key belongs to another certificate.
    #[error("the key in {} does not belong to the certificate in {}", key.display(), certificate.display())]
    Mismatch {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
    },
    /// Validity has ended, or has not begun (often a wrong clock).
    #[error("the certificate in {} is {fault} (by the clock of this machine)", file.display())]
    OutOfDate {
        /// The file.
        file: PathBuf,
        /// `expired` or `not valid yet`, with the days.
        fault: String,
    },
}

impl Certificate {
    /// Reads a chain (leaf first) and its RSA or EC key. One file may hold both.
    pub fn from_files(certificate: &Path, key: &Path) -> Result<Self, CertificateError> {
        let chain_pem = read(certificate)?;
        let key_pem = read(key)?;
        Self::from_pem_named(&chain_pem, certificate, &key_pem, key)
    }

    /// The same from memory, for a certificate just generated.
    pub fn from_pem(certificate: &[u8], key: &[u8]) -> Result<Self, CertificateError> {
        let name = Path::new("(generated certificate)");
        Self::from_pem_named(certificate, name, key, name)
    }

    fn from_pem_named(
        chain_pem: &[u8],
        certificate: &Path,
        key_pem: &[u8],
        key: &Path,
    ) -> Result<Self, CertificateError> {
        let damaged = |file: &Path, reason: String| CertificateError::Damaged {
            file: file.to_owned(),
            reason,
        };
        let chain = CertificateDer::pem_slice_iter(chain_pem)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| damaged(certificate, error.to_string()))?;
        let Some(leaf) = chain.first() else {
            return Err(CertificateError::Missing {
                file: certificate.to_owned(),
                wanted: "certificate",
            });
        };
        check_dates(leaf, certificate)?;
        let names = names_of(leaf);
        let der = PrivateKeyDer::from_pem_slice(key_pem).map_err(|error| match error {
            rustls_pki_types::pem::Error::NoItemsFound => CertificateError::Missing {
                file: key.to_owned(),
                wanted: "private key",
            },
            error => damaged(key, error.to_string()),
        })?;
        let signer = aws_lc_rs::sign::any_supported_type(&der)
            .map_err(|error| damaged(key, error.to_string()))?;
        let certified = CertifiedKey::new(chain, signer);
        match certified.keys_match() {
            Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {}
            Err(rustls::Error::InconsistentKeys(_)) => {
                return Err(CertificateError::Mismatch {
                    certificate: certificate.to_owned(),
                    key: key.to_owned(),
                });
            }
            Err(error) => return Err(damaged(certificate, error.to_string())),
        }
        let current = Current {
            key: Arc::new(certified),
            names,
        };
        Ok(Self {
            current: Arc::new(ArcSwap::from_pointee(current)),
        })
    }

    /// New connections get what `other` holds now.
    pub fn replace(&self, other: &Self) {
        self.current.store(other.current.load_full());
    }

    /// The DNS names the certificate speaks for, wildcards as they are written.
    pub fn names(&self) -> Vec<String> {
        self.current.load().names.clone()
    }

    /// A rustls configuration that always asks this handle.
    pub(crate) fn server_config(&self) -> Arc<rustls::ServerConfig> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider has suites for TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(self.clone()));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Arc::new(config)
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load().key.clone())
    }
}

fn read(file: &Path) -> Result<Vec<u8>, CertificateError> {
    std::fs::read(file).map_err(|source| CertificateError::Unreadable {
        file: file.to_owned(),
        source,
    })
}

fn check_dates(leaf: &CertificateDer<'_>, file: &Path) -> Result<(), CertificateError> {
    let Some((not_before, not_after)) = validity_of(leaf) else {
        let reason = "it is no X.509 certificate".to_owned();
        return Err(CertificateError::Damaged {
            file: file.to_owned(),
            reason,
        });
    };
    let since_1970 = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let now = i64::try_from(since_1970.as_secs()).unwrap_or(i64::MAX);
    let fault = if now > not_after {
        format!("expired since {} days", (now - not_after) / 86_400)
    } else if now < not_before {
        format!(
            "not valid for another {} days",
            (not_before - now) / 86_400 + 1
        )
    } else {
        return Ok(());
    };
    Err(CertificateError::OutOfDate {
        file: file.to_owned(),
        fault,
    })
}

fn names_of(leaf: &CertificateDer<'_>) -> Vec<String> {
    let Ok(parsed) = webpki::EndEntityCert::try_from(leaf) else {
        return Vec::new();
    };
    parsed.valid_dns_names().map(str::to_owned).collect()
}
