//! `type=auth`: what a caller must know.

use crate::secret::Secret;

/// Credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Auth {
    /// The section's name.
    pub id: String,
    /// How the secret is written.
    pub kind: AuthKind,
    /// The user name of the digest; the id if none is written.
    pub username: String,
    /// The plain password, if there is one.
    pub password: Option<Secret>,
    /// Hashes of user, realm and password, if there are any.
    pub digests: Vec<PasswordDigest>,
    /// The realm; the global one if none is written.
    pub realm: Option<String>,
    /// The algorithms a challenge may use, in the order of preference; the global ones if empty.
    pub algorithms: Vec<DigestAlgorithm>,
}

/// `auth_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthKind {
    /// `digest`: a password, or hashes of it by algorithm.
    Digest,
    /// `userpass`: a password.
    Userpass,
    /// `md5`: the MD5 hash of user, realm and password in `md5_cred`.
    Md5,
    /// `google_oauth`: for outgoing registrations, never for a caller.
    GoogleOauth,
}

/// A digest algorithm of RFC 8760.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DigestAlgorithm {
    /// `MD5`.
    Md5,
    /// `SHA-256`.
    Sha256,
    /// `SHA-512-256`.
    Sha512_256,
}

/// One `password_digest`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasswordDigest {
    /// The algorithm of the hash.
    pub algorithm: DigestAlgorithm,
    /// HA1 of RFC 7616 §3.4.2, in lower-case hexadecimal.
    pub ha1: Secret,
}

/// What a response is checked against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential<'a> {
    /// The password itself.
    Password(&'a Secret),
    /// HA1 of RFC 7616 §3.4.2.
    Ha1(&'a Secret),
}

impl Auth {
    /// An object without options.
    pub fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            kind: AuthKind::Digest,
            username: id.to_owned(),
            password: None,
            digests: Vec::new(),
            realm: None,
            algorithms: Vec::new(),
        }
    }

    /// What a response made with `algorithm` is checked against: a hash of that algorithm if there
    /// is one, else the password.
    pub fn credential(&self, algorithm: DigestAlgorithm) -> Option<Credential<'_>> {
        let mut digests = self.digests.iter();
        match digests.find(|digest| digest.algorithm == algorithm) {
            Some(digest) => Some(Credential::Ha1(&digest.ha1)),
            None => self.password.as_ref().map(Credential::Password),
        }
    }
}
