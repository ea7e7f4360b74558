//! The demo's own certificate: self-signed, for this machine's names, kept in the data folder.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};

use crate::data::DataFolder;

/// PEM files of a certificate and its key.
#[derive(Debug)]
pub(crate) struct CertificateFiles {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// The certificate in the data folder; made on the first start, kept afterwards so that a browser's
/// exception for it lasts.
///
/// # Errors
///
/// When it cannot be made or written.
pub(crate) fn of(folder: &DataFolder) -> Result<CertificateFiles> {
    let files = CertificateFiles {
        certificate: folder.file("certificate.pem"),
        key: folder.file("key.pem"),
    };
    if !(files.certificate.exists() && files.key.exists()) {
        make(&files)?;
    }
    Ok(files)
}

fn make(files: &CertificateFiles) -> Result<()> {
    let key = KeyPair::generate().context("cannot make a key (ECDSA P-256)")?;
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let mut parameters = CertificateParams::new(names).context("cannot name the certificate")?;
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, "Sidetone on this machine");
    parameters.distinguished_name = name;
    let certificate = parameters
        .self_signed(&key)
        .context("cannot sign the certificate")?;
    write_private(&files.key, &key.serialize_pem())?;
    write_private(&files.certificate, &certificate.pem())
}

/// Writes a file that only its owner can read.
fn write_private(path: &Path, text: &str) -> Result<()> {
    OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("cannot write {}", path.display()))
}
