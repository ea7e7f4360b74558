//! A server's certificate: read from PEM files, checked, replaceable while connections live.
//!
//! [`Certificate`] is a handle: its clones, and every TLS configuration made with it, show what it
//! holds at the moment of a handshake. [`Certificate::watch`] follows the files.

mod files;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use files::Files;
pub use files::Refreshed;

use crate::x509::Facts;

/// A certificate chain with its key. Clones are handles on the same one: [`Certificate::replace`]
/// changes what new connections of every listener see, established ones keep running.
#[derive(Clone, Debug)]
pub struct Certificate {
    current: Arc<ArcSwap<Current>>,
    files: Option<Arc<Files>>,
}

#[derive(Debug)]
struct Current {
    key: Arc<CertifiedKey>,
    facts: Facts,
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
    /// The key is in the file, but behind a password, which nobody could type at a start.
    #[error("the private key in {} is encrypted; store it without a password (openssl pkey -in OLD -out NEW)", file.display())]
    Encrypted {
        /// The file.
        file: PathBuf,
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
        let files = Files::new(certificate, key);
        Ok(Self {
            current: Arc::new(ArcSwap::from_pointee(files.load()?)),
            files: Some(Arc::new(files)),
        })
    }

    /// The same from memory, for a certificate just generated.
    pub fn from_pem(certificate: &[u8], key: &[u8]) -> Result<Self, CertificateError> {
        let name = Path::new("(generated certificate)");
        let current = Current::from_pem(certificate, name, key, name)?;
        Ok(Self {
            current: Arc::new(ArcSwap::from_pointee(current)),
            files: None,
        })
    }

    /// New connections get what `other` holds now.
    pub fn replace(&self, other: &Self) {
        self.current.store(other.current.load_full());
    }

    /// What the leaf says about itself.
    pub fn facts(&self) -> Facts {
        self.current.load().facts.clone()
    }

    /// The DNS names the certificate speaks for, wildcards as they are written.
    pub fn names(&self) -> Vec<String> {
        self.current.load().facts.names.clone()
    }

    /// Whether a client that asked for `host` (a name or an address) accepts the names.
    pub fn covers(&self, host: &str) -> bool {
        self.current.load().facts.cover(host)
    }

    /// What to say about a certificate that works, though not for everybody; sentences for the log.
    pub fn remarks(&self) -> Vec<String> {
        let current = self.current.load();
        let place = match &self.files {
            Some(files) => format!("the certificate in {}", files.certificate().display()),
            None => "the certificate".to_owned(),
        };
        let mut remarks = Vec::new();
        if current.facts.names.is_empty() && current.facts.addresses.is_empty() {
            remarks.push(format!(
                "{place} has no subjectAltName: browsers refuse it whatever its common name says; \
                 `sidetone cert` makes one that they accept"
            ));
        }
        let left_s = current.facts.not_after - now_s();
        if left_s < 0 {
            remarks.push(format!("{place} has expired: browsers refuse it"));
        } else if left_s / DAY_S < EXPIRY_WARNING_DAYS {
            remarks.push(format!("{place} expires in {} days", left_s / DAY_S));
        }
        remarks
    }

    pub(crate) fn key(&self) -> Arc<CertifiedKey> {
        self.current.load().key.clone()
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.key())
    }
}

impl Current {
    fn from_pem(
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
        let Some(facts) = Facts::of(leaf) else {
            return Err(damaged(
                certificate,
                "it is no X.509 certificate".to_owned(),
            ));
        };
        check_dates(&facts, certificate)?;
        let signer = aws_lc_rs::sign::any_supported_type(&read_key(key_pem, key)?)
            .map_err(|error| damaged(key, error.to_string()))?;
        let matches = signer
            .public_key()
            .is_none_or(|own| own.as_ref() == facts.public_key);
        let certified = CertifiedKey::new(chain, signer);
        // The encoding of one public key may differ by an absent parameter, which rustls forgives.
        if !matches && certified.keys_match().is_err() {
            return Err(CertificateError::Mismatch {
                certificate: certificate.to_owned(),
                key: key.to_owned(),
            });
        }
        Ok(Self {
            key: Arc::new(certified),
            facts,
        })
    }
}

fn read_key(pem: &[u8], file: &Path) -> Result<PrivateKeyDer<'static>, CertificateError> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| match error {
        rustls_pki_types::pem::Error::NoItemsFound if is_encrypted(pem) => {
            CertificateError::Encrypted {
                file: file.to_owned(),
            }
        }
        rustls_pki_types::pem::Error::NoItemsFound => CertificateError::Missing {
            file: file.to_owned(),
            wanted: "private key",
        },
        error => CertificateError::Damaged {
            file: file.to_owned(),
            reason: error.to_string(),
        },
    })
}

fn is_encrypted(pem: &[u8]) -> bool {
    let text = String::from_utf8_lossy(pem);
    text.contains("BEGIN ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED")
}

fn check_dates(facts: &Facts, file: &Path) -> Result<(), CertificateError> {
    let now = now_s();
    let fault = if now > facts.not_after {
        format!("expired since {} days", (now - facts.not_after) / DAY_S)
    } else if now < facts.not_before {
        format!(
            "not valid for another {} days",
            (facts.not_before - now) / DAY_S + 1
        )
    } else {
        return Ok(());
    };
    Err(CertificateError::OutOfDate {
        file: file.to_owned(),
        fault,
    })
}

/// Unix seconds.
pub(crate) fn now_s() -> i64 {
    let since_1970 = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since_1970.as_secs()).unwrap_or(i64::MAX)
}

const DAY_S: i64 = 86_400;

/// Longer than the renewal interval of every issuer's own tool leaves.
const EXPIRY_WARNING_DAYS: i64 = 14;
