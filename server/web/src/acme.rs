//! A certificate from an ACME server (RFC 8555), got once and renewed for ever.
//!
//! [`Acme::certificate`] is there at once: the one got before, or one made here, which browsers warn
//! about. [`Acme::keep`] gets the real one, puts it in its place, and comes back at two thirds of its
//! life. The account's key and the certificate with its key lie in a folder, readable to nobody else.

mod challenges;
mod order;
mod state;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};

pub(crate) use challenges::ACME_TLS_1;
pub use challenges::{Challenges, Offered};
use order::Fault;
use state::State;

use crate::certificate::{Certificate, now_s};

/// What to get, and from whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acme {
    /// The directory of the server.
    pub directory: String,
    /// Whom the server may write to.
    pub email: Option<String>,
    /// The names, and addresses, of the certificate.
    pub names: Vec<String>,
    /// The authority of the server's own certificate; those of the system without it.
    pub authority: Option<PathBuf>,
    /// How names are proven to be ours.
    pub proof: Proof,
    /// Where account and certificate are kept.
    pub folder: PathBuf,
    /// How soon what failed is tried again.
    pub retry: Retry,
}

/// How names are proven to be ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// An answer over plain HTTP; the server comes to port 80.
    Http,
    /// A certificate; the server comes to port 443.
    TlsAlpn,
}

/// Each failure doubles the pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// The first pause.
    pub first: Duration,
    /// The longest.
    pub longest: Duration,
}

impl Default for Retry {
    /// Let's Encrypt allows five failures an hour.
    fn default() -> Self {
        Self {
            first: Duration::from_secs(120),
            longest: Duration::from_secs(6 * 3_600),
        }
    }
}

impl Acme {
    /// Where [`Self::folder`] usually is, in the data folder of the exchange.
    pub const FOLDER: &str = "acme";

    /// The file in which `folder` keeps what the server at `directory` gave, certificate and key.
    pub fn kept_in(folder: &Path, directory: &str) -> PathBuf {
        State::of(folder, directory).file()
    }

    /// The certificate got before if it is still valid and for these names, else one made here.
    ///
    /// # Errors
    ///
    /// A sentence, when neither is possible.
    pub fn certificate(&self) -> Result<Certificate, String> {
        if let Some(kept) = self.state().certificate().filter(|kept| self.is_for(kept)) {
            return Ok(kept);
        }
        let made = self.self_made();
        made.map_err(|error| format!("cannot make a certificate for {}: {error}", self.list()))
    }

    /// Gets and renews for ever what `certificate` holds. Drop the future to end it.
    pub async fn keep(self, certificate: Certificate, challenges: Challenges) {
        let mut failures = 0;
        loop {
            let due_s = self.due_s(&certificate);
            if due_s > 0 {
                // In short steps, since the clock may be set and the machine may sleep.
                let step_s = u64::try_from(due_s).unwrap_or(0).min(STEP_S_MAX);
                tokio::time::sleep(Duration::from_secs(step_s)).await;
                continue;
            }
            match self.obtain(&challenges).await {
                Ok(new) => {
                    failures = 0;
                    let days = (new.facts().not_after - now_s()) / 86_400;
                    certificate.replace(&new);
                    let names = self.list();
                    tracing::info!(
                        "ACME: {} gave a certificate for {names}, valid for {days} days; new \
                         connections get it",
                        self.directory
                    );
                }
                Err(fault) => {
                    let pause = self.pause(failures);
                    failures += 1;
                    let meanwhile = match self.is_own(&certificate) {
                        true => "browsers warn about the self-made one meanwhile".to_owned(),
                        false => {
                            let left_s = (certificate.facts().not_after - now_s()).max(0);
                            format!("the one in force is valid for {} days", left_s / 86_400)
                        }
                    };
                    tracing::error!(
                        "ACME: no certificate for {}: {fault}; {meanwhile}. Next attempt in {} s",
                        self.list(),
                        pause.as_secs()
                    );
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }

    /// Asks for one certificate and keeps it.
    ///
    /// # Errors
    ///
    /// Why there is none, as a sentence about whose fault it is.
    async fn obtain(&self, challenges: &Challenges) -> Result<Certificate, Fault> {
        let state = self.state();
        let account = order::account(self, &state).await?;
        let (chain, key) = order::certificate(self, &account, challenges).await?;
        let new = Certificate::from_pem(chain.as_bytes(), key.as_bytes());
        let new = new.map_err(|error| Fault::Unusable(error.to_string()))?;
        if !self.is_for(&new) {
            return Err(Fault::Unusable("it is for other names".to_owned()));
        }
        state.keep_certificate(&chain, &key)?;
        Ok(new)
    }

    /// Seconds until it is time: two thirds of the life, or now where it is self-made or for others.
    fn due_s(&self, certificate: &Certificate) -> i64 {
        let facts = certificate.facts();
        if self.is_own(certificate) || !self.is_for(certificate) {
            return 0;
        }
        let life_s = facts.not_after - facts.not_before;
        facts.not_after - life_s / 3 - now_s()
    }

    fn pause(&self, failures: u32) -> Duration {
        let doubled = self.retry.first.saturating_mul(1 << failures.min(16));
        doubled.min(self.retry.longest)
    }

    fn is_for(&self, certificate: &Certificate) -> bool {
        self.names.iter().all(|name| certificate.covers(name))
    }

    fn is_own(&self, certificate: &Certificate) -> bool {
        let facts = certificate.facts();
        facts.self_issued && facts.common_name.as_deref() == Some(OWN_NAME)
    }

    fn self_made(&self) -> Result<Certificate, Box<dyn std::error::Error>> {
        let key = KeyPair::generate()?;
        let mut parameters = CertificateParams::new(self.names.clone())?;
        let mut name = rcgen::DistinguishedName::new();
        name.push(rcgen::DnType::CommonName, OWN_NAME);
        parameters.distinguished_name = name;
        let made = parameters.self_signed(&key)?;
        let certificate =
            Certificate::from_pem(made.pem().as_bytes(), key.serialize_pem().as_bytes())?;
        Ok(certificate)
    }

    fn state(&self) -> State {
        State::of(&self.folder, &self.directory)
    }

    fn list(&self) -> String {
        self.names.join(", ")
    }
}

/// What our own makeshift certificates are called.
const OWN_NAME: &str = "Sidetone, until the ACME server answers";

const STEP_S_MAX: u64 = 3_600;

#[cfg(test)]
mod tests {
    use super::*;

    fn acme() -> Acme {
        Acme {
            directory: "https://acme.example/directory".to_owned(),
            email: None,
            names: vec!["pbx.example.org".to_owned(), "192.0.2.1".to_owned()],
            authority: None,
            proof: Proof::Http,
            folder: std::env::temp_dir().join("sidetone-no-such-folder"),
            retry: Retry::default(),
        }
    }

    #[test]
    fn there_is_a_certificate_before_the_first_answer_and_it_is_due_at_once() {
        let acme = acme();
        let certificate = acme.certificate().unwrap();
        assert!(certificate.covers("pbx.example.org") && certificate.covers("192.0.2.1"));
        assert!(acme.is_own(&certificate));
        assert_eq!(acme.due_s(&certificate), 0);
    }

    #[test]
    fn a_certificate_is_renewed_at_two_thirds_of_its_life() {
        let acme = acme();
        let mut parameters = CertificateParams::new(acme.names.clone()).unwrap();
        parameters.not_before = rcgen::date_time_ymd(2020, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(2080, 1, 1);
        let key = KeyPair::generate().unwrap();
        let pem = parameters.self_signed(&key).unwrap().pem();
        let certificate =
            Certificate::from_pem(pem.as_bytes(), key.serialize_pem().as_bytes()).unwrap();
        let due = now_s() + acme.due_s(&certificate);
        let year_s = 31_557_600;
        let due_year = 1970 + due / year_s;
        assert!((2059..=2060).contains(&due_year), "{due_year}");
        let others = Acme {
            names: vec!["other.example.org".to_owned()],
            ..acme
        };
        assert_eq!(others.due_s(&certificate), 0, "the names have changed");
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        let acme = acme();
        let pauses: Vec<u64> = (0..9)
            .map(|failures| acme.pause(failures).as_secs())
            .collect();
        assert_eq!(pauses, [120, 240, 480, 960, 1920, 3840, 7680, 15360, 21600]);
        assert_eq!(acme.pause(u32::MAX).as_secs(), 21_600);
    }
}
