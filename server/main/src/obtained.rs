//! The certificate of `acme=yes`, kept through reloads.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::task::AbortHandle;
use web::{Acme, Certificate, Challenges, Proof, Retry};

/// The handle on it and the task that renews it.
#[derive(Debug)]
pub(crate) struct Obtained {
    folder: PathBuf,
    now: Mutex<Option<Kept>>,
}

#[derive(Debug, Clone)]
struct Kept {
    acme: Acme,
    certificate: Certificate,
    task: AbortHandle,
}

impl Obtained {
    /// Nothing is asked for yet; `data` is the data folder.
    pub(crate) fn new(data: &Path) -> Self {
        Self {
            folder: data.join(Acme::FOLDER),
            now: Mutex::default(),
        }
    }

    /// The certificate for these settings: the one in force if they are the same.
    pub(crate) fn certificate(&self, settings: &config::Acme) -> Result<Certificate, String> {
        let acme = self.acme(settings);
        match &*self.lock() {
            Some(kept) if kept.acme == acme => Ok(kept.certificate.clone()),
            _ => acme.certificate(),
        }
    }

    /// Begins to get and renew `certificate`, which was made for these settings; ends what was got
    /// for others.
    pub(crate) fn follow(
        &self,
        wanted: Option<(&config::Acme, Certificate)>,
        challenges: &Challenges,
    ) {
        let mut now = self.lock();
        let wanted = wanted.map(|(settings, made)| (self.acme(settings), made));
        if let (Some(kept), Some((acme, _))) = (&*now, &wanted)
            && kept.acme == *acme
        {
            return;
        }
        if let Some(kept) = now.take() {
            kept.task.abort();
        }
        *now = wanted.map(|(acme, certificate)| {
            let keeping = acme.clone().keep(certificate.clone(), challenges.clone());
            Kept {
                acme,
                certificate,
                task: tokio::spawn(keeping).abort_handle(),
            }
        });
    }

    fn acme(&self, settings: &config::Acme) -> Acme {
        Acme {
            directory: settings.directory.clone(),
            email: settings.email.clone(),
            names: settings.names.clone(),
            authority: settings.ca_file.as_ref().map(PathBuf::from),
            proof: match settings.challenge {
                config::AcmeChallenge::Http01 => Proof::Http,
                config::AcmeChallenge::TlsAlpn01 => Proof::TlsAlpn,
            },
            folder: self.folder.clone(),
            retry: Retry::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Kept>> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
