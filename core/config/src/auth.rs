//! `type=auth`: what a caller must know.

use crate::option::{Fault, Object, Parse, Row, row, word};
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
    /// The algorithms of others' challenges that are answered; the global ones if empty.
    pub algorithms_uac: Vec<DigestAlgorithm>,
    /// How long a challenge may be answered, in seconds.
    pub nonce_lifetime_s: u32,
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
            algorithms_uac: Vec::new(),
            nonce_lifetime_s: 32,
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

impl Object for Auth {
    const KIND: &'static str = "auth";
    const OPTIONS: &'static [Row<Self>] = OPTIONS;

    fn named(id: &str) -> Self {
        Self::new(id)
    }

    /// Each kind looks at its own secret only, as in Asterisk.
    fn finish(&mut self) {
        match self.kind {
            AuthKind::Digest | AuthKind::GoogleOauth => {}
            AuthKind::Userpass => self.digests.clear(),
            AuthKind::Md5 => {
                self.password = None;
                self.digests
                    .retain(|digest| digest.algorithm == DigestAlgorithm::Md5);
            }
        }
    }
}

impl DigestAlgorithm {
    /// All, the weakest first.
    pub const ALL: [Self; 3] = [Self::Md5, Self::Sha256, Self::Sha512_256];

    /// As written in files and in SIP.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
            Self::Sha512_256 => "SHA-512-256",
        }
    }

    /// The name Asterisk writes, compared without case.
    fn by_name(name: &str) -> Result<Self, Fault> {
        const WORDS: &[&str] = &["MD5", "SHA-256", "SHA-512-256"];
        word(name, WORDS).map(|index| Self::ALL[index])
    }

    /// Hexadecimal digits of a hash.
    fn digits(self) -> usize {
        match self {
            Self::Md5 => 32,
            Self::Sha256 | Self::Sha512_256 => 64,
        }
    }
}

const OPTIONS: &[Row<Auth>] = &[
    row(
        "auth_type",
        "digest",
        Parse::Own(kind),
        "digest, userpass or md5.",
    ),
    row(
        "md5_cred",
        "",
        Parse::Own(md5_cred),
        "MD5 of user, realm and password (auth_type=md5).",
    ),
    row(
        "nonce_lifetime",
        "32",
        Parse::Number(|a| &mut a.nonce_lifetime_s, 1, 86_400),
        "Seconds a challenge may be answered.",
    ),
    row("password", "", Parse::Own(password), "The plain password."),
    row(
        "password_digest",
        "",
        Parse::Own(password_digest),
        "`ALGORITHM:hash`; repeatable.",
    ),
    row(
        "realm",
        "",
        Parse::Optional(|a| &mut a.realm),
        "The realm; the global one if unset.",
    ),
    row(
        "supported_algorithms_uac",
        "",
        Parse::Own(algorithms_uac),
        "Which challenges of others are answered.",
    ),
    row(
        "supported_algorithms_uas",
        "",
        Parse::Own(algorithms),
        "What challenges may use.",
    ),
    row(
        "username",
        "",
        Parse::Text(|a| &mut a.username),
        "The user name of the digest.",
    ),
];

fn kind(auth: &mut Auth, value: &str) -> Result<(), Fault> {
    auth.kind = match word(value, &["digest", "userpass", "md5", "google_oauth"])? {
        0 => AuthKind::Digest,
        1 => AuthKind::Userpass,
        2 => AuthKind::Md5,
        _ => AuthKind::GoogleOauth,
    };
    Ok(())
}

fn password(auth: &mut Auth, value: &str) -> Result<(), Fault> {
    auth.password = (!value.is_empty()).then(|| Secret::new(value));
    Ok(())
}

fn md5_cred(auth: &mut Auth, value: &str) -> Result<(), Fault> {
    add_digest(auth, DigestAlgorithm::Md5, value).map_err(|_| Fault::NotMd5)
}

fn password_digest(auth: &mut Auth, value: &str) -> Result<(), Fault> {
    // A database column holds them all, between commas.
    for value in value
        .split(',')
        .map(str::trim)
        .filter(|value| !value.is_empty())
    {
        let (algorithm, hash) = value.split_once(':').ok_or(Fault::NotDigest)?;
        add_digest(auth, DigestAlgorithm::by_name(algorithm)?, hash)?;
    }
    Ok(())
}

fn add_digest(auth: &mut Auth, algorithm: DigestAlgorithm, hash: &str) -> Result<(), Fault> {
    let hash = hash.trim();
    if hash.len() != algorithm.digits() || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Fault::NotDigest);
    }
    auth.digests.retain(|digest| digest.algorithm != algorithm);
    auth.digests.push(PasswordDigest {
        algorithm,
        ha1: Secret::new(hash.to_ascii_lowercase()),
    });
    Ok(())
}

fn algorithms_uac(auth: &mut Auth, value: &str) -> Result<(), Fault> {
    auth.algorithms_uac = algorithm_list(value)?;
    Ok(())
}

fn algorithms(auth: &mut Auth, value: &str) -> Result<(), Fault> {
    auth.algorithms = algorithm_list(value)?;
    Ok(())
}

/// Algorithms between commas.
pub(crate) fn algorithm_list(value: &str) -> Result<Vec<DigestAlgorithm>, Fault> {
    let mut list = Vec::new();
    for name in value
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
    {
        let algorithm = DigestAlgorithm::by_name(name)?;
        if !list.contains(&algorithm) {
            list.push(algorithm);
        }
    }
    Ok(list)
}
