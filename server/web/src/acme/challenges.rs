//! What we answer an ACME server that checks whether a name is ours.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::crypto::aws_lc_rs;
use rustls::sign::CertifiedKey;
use rustls_pki_types::PrivateKeyDer;

/// The answers given at the moment. Clones are handles on the same ones.
#[derive(Debug, Clone, Default)]
pub struct Challenges {
    answers: Arc<Mutex<Answers>>,
}

#[derive(Debug, Default)]
struct Answers {
    /// Key authorizations by token (http-01, RFC 8555 §8.3).
    tokens: BTreeMap<String, String>,
    /// Certificates by name (tls-alpn-01, RFC 8737).
    certificates: BTreeMap<String, Arc<CertifiedKey>>,
}

/// An answer, given until this is dropped.
#[derive(Debug)]
pub struct Offered {
    challenges: Challenges,
    key: String,
}

impl Challenges {
    /// Answers `/.well-known/acme-challenge/TOKEN` with the key authorization.
    #[must_use]
    pub fn offer_token(&self, token: &str, authorization: &str) -> Offered {
        let authorization = authorization.to_owned();
        self.lock().tokens.insert(token.to_owned(), authorization);
        self.offered(token)
    }

    /// Answers handshakes for `name` that offer "acme-tls/1" with a certificate that holds the
    /// SHA-256 `digest` of the key authorization.
    ///
    /// # Errors
    ///
    /// When no such certificate can be made.
    pub fn offer_certificate(&self, name: &str, digest: &[u8]) -> Result<Offered, rcgen::Error> {
        let mut parameters = CertificateParams::new(vec![name.to_owned()])?;
        parameters.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
        let key = KeyPair::generate()?;
        let certificate = parameters.self_signed(&key)?;
        let der = PrivateKeyDer::try_from(key.serialize_der())
            .map_err(|_| rcgen::Error::CouldNotParseKeyPair)?;
        let signer = aws_lc_rs::sign::any_supported_type(&der)
            .map_err(|_| rcgen::Error::CouldNotParseKeyPair)?;
        let certified = CertifiedKey::new(vec![certificate.der().clone()], signer);
        let name = name.to_ascii_lowercase();
        let answers = &mut self.lock().certificates;
        answers.insert(name.clone(), Arc::new(certified));
        Ok(self.offered(&name))
    }

    pub(crate) fn answer(&self, token: &str) -> Option<String> {
        self.lock().tokens.get(token).cloned()
    }

    pub(crate) fn certificate_for(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        let name = name.to_ascii_lowercase();
        self.lock().certificates.get(&name).cloned()
    }

    fn offered(&self, key: &str) -> Offered {
        Offered {
            challenges: self.clone(),
            key: key.to_owned(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Offered {
    fn drop(&mut self) {
        let mut answers = self.challenges.lock();
        answers.tokens.remove(&self.key);
        answers.certificates.remove(&self.key);
    }
}

/// The protocol of ALPN that tls-alpn-01 uses (RFC 8737 §6.2).
pub(crate) const ACME_TLS_1: &[u8] = b"acme-tls/1";
