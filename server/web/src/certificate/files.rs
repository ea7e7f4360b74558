//! The files behind a certificate, and what happens when they change.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::{Certificate, CertificateError, Current};

/// Where a certificate comes from, and how its files looked when they were last read.
#[derive(Debug)]
pub(super) struct Files {
    certificate: PathBuf,
    key: PathBuf,
    looks: Mutex<Looks>,
}

/// Identity, length and time of change of both files; `None` for one that cannot be seen.
type Stamp = [Option<(u64, u64, u64, i64, i64)>; 2];

#[derive(Debug)]
struct Looks {
    read: Stamp,
    /// A stamp seen once; files are read when they look the same twice, so that a tool which writes
    /// the one and then the other is not caught in between.
    pending: Option<Stamp>,
}

/// What a look at the files brought.
#[derive(Debug)]
pub enum Refreshed {
    /// They are as they were, or still being written.
    Unchanged,
    /// New connections get the new certificate.
    Replaced,
    /// They changed and cannot be used; the old certificate stays. Said once per change.
    Kept(CertificateError),
}

impl Files {
    pub(super) fn new(certificate: &Path, key: &Path) -> Self {
        let mut files = Self {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            looks: Mutex::new(Looks {
                read: [None; 2],
                pending: None,
            }),
        };
        let now = files.stamp();
        files.looks = Mutex::new(Looks {
            read: now,
            pending: None,
        });
        files
    }

    pub(super) fn certificate(&self) -> &Path {
        &self.certificate
    }

    pub(super) fn load(&self) -> Result<Current, CertificateError> {
        let read = |file: &Path| {
            std::fs::read(file).map_err(|source| CertificateError::Unreadable {
                file: file.to_owned(),
                source,
            })
        };
        let chain = read(&self.certificate)?;
        let key = read(&self.key)?;
        Current::from_pem(&chain, &self.certificate, &key, &self.key)
    }

    /// Symbolic links are followed: that is how certbot puts a new certificate in place.
    fn stamp(&self) -> Stamp {
        [&self.certificate, &self.key].map(|file| {
            let seen = |file: Metadata| {
                let (seconds, nanos) = (file.mtime(), file.mtime_nsec());
                (file.dev(), file.ino(), file.len(), seconds, nanos)
            };
            std::fs::metadata(file).ok().map(seen)
        })
    }

    /// Whether the files have changed and rest again.
    fn are_new(&self) -> bool {
        let now = self.stamp();
        let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        if now == looks.read {
            looks.pending = None;
            return false;
        }
        if looks.pending != Some(now) {
            looks.pending = Some(now);
            return false;
        }
        looks.read = now;
        looks.pending = None;
        true
    }
}

impl Certificate {
    /// Looks at the files once and takes them if they changed since they were last read and since
    /// the last look. It reads the disk.
    pub fn refresh(&self) -> Refreshed {
        let Some(files) = self.files.as_ref().filter(|files| files.are_new()) else {
            return Refreshed::Unchanged;
        };
        match files.load() {
            Ok(current) => {
                self.current.store(current.into());
                Refreshed::Replaced
            }
            Err(error) => Refreshed::Kept(error),
        }
    }

    /// Follows the files for ever: what changes there is shown to new connections, with a line in
    /// the log. `what` is served with it: `HTTPS`, `transport-tls`. Drop the future to end it.
    pub async fn watch(self, what: String) {
        let Some(files) = self.files.clone() else {
            return std::future::pending().await;
        };
        let file = files.certificate().display();
        let mut remarked = self.remarks();
        loop {
            tokio::time::sleep(WATCH_INTERVAL).await;
            let watched = self.clone();
            let looked = tokio::task::spawn_blocking(move || watched.refresh()).await;
            match looked {
                Ok(Refreshed::Replaced) => {
                    tracing::info!("{what}: new connections get the new certificate in {file}");
                }
                Ok(Refreshed::Kept(error)) => tracing::error!(
                    "{what}: the certificate changed, but {error}; the one in force stays"
                ),
                Ok(Refreshed::Unchanged) | Err(_) => {}
            }
            let remarks = self.remarks();
            for remark in remarks.iter().filter(|remark| !remarked.contains(remark)) {
                tracing::warn!("{what}: {remark}");
            }
            remarked = remarks;
        }
    }
}

/// Two calls of stat(2) each time.
const WATCH_INTERVAL: Duration = Duration::from_secs(2);
