//! What is kept of an ACME server: the account and the last certificate, each in a file of mode 0600.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::order::Fault;
use crate::Certificate;

/// The folder of one server: what a test server gave is not taken for what a real one gives.
pub(super) struct State {
    folder: PathBuf,
}

impl State {
    pub(super) fn of(folder: &Path, directory: &str) -> Self {
        let plain = |c: char| match c.is_ascii_alphanumeric() || matches!(c, '.' | '-') {
            true => c,
            false => '_',
        };
        let address = directory.strip_prefix("https://").unwrap_or(directory);
        let name: String = address
            .trim_matches('.')
            .chars()
            .map(plain)
            .take(100)
            .collect();
        Self {
            folder: folder.join(name),
        }
    }

    /// Where the certificate is.
    pub(super) fn file(&self) -> PathBuf {
        self.folder.join(CERTIFICATE)
    }

    /// The certificate with its key, if it is there and valid.
    pub(super) fn certificate(&self) -> Option<Certificate> {
        let pem = std::fs::read(self.file()).ok()?;
        Certificate::from_pem(&pem, &pem).ok()
    }

    pub(super) fn keep_certificate(&self, chain: &str, key: &str) -> Result<(), Fault> {
        self.write(CERTIFICATE, &format!("{key}{chain}"))
    }

    pub(super) fn account(&self) -> Option<String> {
        std::fs::read_to_string(self.folder.join(ACCOUNT)).ok()
    }

    pub(super) fn keep_account(&self, credentials: &str) -> Result<(), Fault> {
        self.write(ACCOUNT, credentials)
    }

    /// Whole or not at all, whatever happens in between.
    fn write(&self, name: &str, text: &str) -> Result<(), Fault> {
        let file = self.folder.join(name);
        let half = self.folder.join(format!("{name}.new"));
        let written = || -> io::Result<()> {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&self.folder)?;
            let mut new = OpenOptions::new()
                .create(true)
                .truncate(true)
                .write(true)
                .mode(0o600)
                .open(&half)?;
            new.write_all(text.as_bytes())?;
            new.sync_all()?;
            std::fs::rename(&half, &file)
        };
        written().map_err(|source| Fault::NotKept { file, source })
    }
}

const ACCOUNT: &str = "account.json";
const CERTIFICATE: &str = "certificate.pem";
