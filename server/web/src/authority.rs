//! A certificate authority of one's own, and the certificates it makes for this machine.
//!
//! ECDSA on P-256 throughout. What it issues keeps to the rules of browsers for private authorities:
//! subjectAltName, serverAuth, and a life of at most 397 days (Apple lets 825 pass). Keys are files of
//! mode 0600; the authority stays when the certificate is renewed, so that what trusts it goes on
//! trusting.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use time::OffsetDateTime;

use crate::{Certificate, CertificateError, Facts};

/// An authority in a folder: `ca.pem` and `ca.key`.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    name: String,
    /// The certificate that browsers must trust.
    pub file: PathBuf,
    /// Whether it was made just now.
    pub is_new: bool,
    /// What it says about itself.
    pub facts: Facts,
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// The disk.
    #[error("cannot write {}: {source}", file.display())]
    NotWritten {
        /// The file.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The authority that is there is of no use.
    #[error(
        "the authority is not usable: {0}; name another folder with --dir, or make it anew with --force"
    )]
    Unusable(#[from] CertificateError),
    /// Half of it is there.
    #[error("there is {} and no {}; put it back, or make both anew with --force", there.display(), missing.display())]
    Half {
        /// The file that is there.
        there: PathBuf,
        /// The one that is not.
        missing: PathBuf,
    },
    /// A certificate that somebody else made.
    #[error("{} was not made by this authority and is left as it is; name another file, or overwrite it with --force", .0.display())]
    Foreign(PathBuf),
    /// A name that cannot be in a certificate, or the like.
    #[error("the certificate cannot be made: {0}")]
    NotMade(#[from] rcgen::Error),
}

impl Authority {
    /// The one in `folder`, made where there is none. `host` is in its name, which people see in the
    /// settings of their browsers. `force`: what is there is replaced, whatever it is.
    ///
    /// # Errors
    ///
    /// When it is there and broken, or cannot be made.
    pub fn open(folder: &Path, host: &str, force: bool) -> Result<Self, AuthorityError> {
        let (file, key) = (folder.join("ca.pem"), folder.join("ca.key"));
        match (file.exists(), key.exists()) {
            _ if force => Self::make(file, &key, host),
            (false, false) => Self::make(file, &key, host),
            (true, true) => Self::read(file, &key),
            (true, false) => Err(AuthorityError::Half {
                there: file,
                missing: key,
            }),
            (false, true) => Err(AuthorityError::Half {
                there: key,
                missing: file,
            }),
        }
    }

    fn make(file: PathBuf, key_file: &Path, host: &str) -> Result<Self, AuthorityError> {
        let today = OffsetDateTime::now_utc();
        let name = format!("Sidetone CA of {host}, {}", today.date());
        let key = KeyPair::generate()?;
        let mut parameters = parameters(&name);
        (parameters.not_before, parameters.not_after) = life(CA_LIFE);
        let certificate = parameters.self_signed(&key)?;
        write(key_file, &key.serialize_pem(), 0o600)?;
        write(&file, &certificate.pem(), 0o644)?;
        let facts = Certificate::from_files(&file, key_file)?.facts();
        Ok(Self {
            issuer: Issuer::new(parameters, key),
            name,
            file,
            is_new: true,
            facts,
        })
    }

    fn read(file: PathBuf, key_file: &Path) -> Result<Self, AuthorityError> {
        let facts = Certificate::from_files(&file, key_file)?.facts();
        let unreadable = |source| CertificateError::Unreadable {
            file: key_file.to_owned(),
            source,
        };
        let pem = std::fs::read_to_string(key_file).map_err(unreadable)?;
        let key = KeyPair::from_pem(&pem)?;
        let name = facts.common_name.clone().unwrap_or_default();
        // What it issues must name it as it names itself.
        if !facts.authority || !facts.self_issued || name.is_empty() {
            return Err(AuthorityError::Unusable(CertificateError::Damaged {
                file,
                reason: "it is no authority that `sidetone cert` made".to_owned(),
            }));
        }
        Ok(Self {
            issuer: Issuer::new(parameters(&name), key),
            name,
            file,
            is_new: false,
            facts,
        })
    }

    /// Makes a certificate for these names and addresses. What is in the files is replaced if this
    /// authority made it, or with `force`.
    ///
    /// # Errors
    ///
    /// When the files are somebody else's, or cannot be written.
    pub fn issue(
        &self,
        names: &[String],
        certificate: &Path,
        key_file: &Path,
        force: bool,
    ) -> Result<Facts, AuthorityError> {
        if !force {
            self.check_ours(certificate, key_file)?;
        }
        let key = KeyPair::generate()?;
        let mut parameters = CertificateParams::new(names.to_vec())?;
        parameters.distinguished_name = DistinguishedName::new();
        if let Some(name) = names.first().filter(|name| name.len() <= COMMON_NAME_MAX) {
            parameters
                .distinguished_name
                .push(DnType::CommonName, name.as_str());
        }
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        parameters.use_authority_key_identifier_extension = true;
        parameters.is_ca = IsCa::ExplicitNoCa;
        (parameters.not_before, parameters.not_after) = life(LIFE);
        let made = parameters.signed_by(&key, &self.issuer)?;
        write(key_file, &key.serialize_pem(), 0o600)?;
        write(certificate, &made.pem(), 0o644)?;
        Ok(Certificate::from_files(certificate, key_file)?.facts())
    }

    /// A key without a certificate is foreign too: it may belong to one that is still asked for.
    fn check_ours(&self, certificate: &Path, key: &Path) -> Result<(), AuthorityError> {
        let foreign = |file: &Path| Err(AuthorityError::Foreign(file.to_owned()));
        let pem = match std::fs::read(certificate) {
            Ok(pem) => pem,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return match key.exists() {
                    true => foreign(key),
                    false => Ok(()),
                };
            }
            Err(_) => return foreign(certificate),
        };
        let der = CertificateDer::from_pem_slice(&pem).ok();
        let facts = der.and_then(|der| Facts::of(&der));
        match facts.and_then(|facts| facts.issuer_name) {
            Some(issuer) if issuer == self.name => Ok(()),
            _ => foreign(certificate),
        }
    }
}

/// What an authority is, apart from its key.
fn parameters(name: &str) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    parameters
}

/// From an hour ago, for clocks that are behind.
fn life(life: Duration) -> (OffsetDateTime, OffsetDateTime) {
    let from = OffsetDateTime::now_utc() - Duration::from_secs(3_600);
    (from, from + life)
}

/// Whole, with its mode from the first byte on, and never through a link that was there before.
fn write(file: &Path, text: &str, mode: u32) -> Result<(), AuthorityError> {
    let written = || -> io::Result<()> {
        if let Some(folder) = file
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
        {
            DirBuilder::new()
                .recursive(true)
                .mode(0o755)
                .create(folder)?;
        }
        let mut half = file.as_os_str().to_owned();
        half.push(".new");
        let half = PathBuf::from(half);
        let _ = std::fs::remove_file(&half);
        let mut new = OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(mode)
            .open(&half)?;
        new.write_all(text.as_bytes())?;
        new.sync_all()?;
        std::fs::rename(&half, file)
    };
    written().map_err(|source| AuthorityError::NotWritten {
        file: file.to_owned(),
        source,
    })
}

const CA_LIFE: Duration = Duration::from_secs(10 * 365 * 86_400);

/// The day that begins an hour ago counts too.
const LIFE: Duration = Duration::from_secs(396 * 86_400);

/// ub-common-name of RFC 5280, appendix A.1.
const COMMON_NAME_MAX: usize = 64;
