//! SRTP and SRTCP with keys from the description: RFC 3711, RFC 6188, RFC 7714, by the crypto suites'
//! names of RFC 4568.
//!
//! A [`Sealer`] is one direction out, an [`Opener`] one direction in. The opener keeps one state for each
//! source that has proven itself, [`SOURCES_MAX`] at most, so that nobody without the key makes it grow.
//! A master key identifier behind what comes is checked and taken off; of ours there is none. Key derivation
//! rates are not supported.

use rtc_srtp::context::Context;
use rtc_srtp::crypto::providers::AwsLcRsCrypto;
use rtc_srtp::option::{srtcp_replay_protection, srtp_replay_protection};
use rtc_srtp::protection_profile::ProtectionProfile;
use std::borrow::Cow;
use std::fmt;

/// A crypto suite (RFC 4568 §6.2, RFC 6188 §4, RFC 7714 §14.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Suite {
    /// AES-128 in counter mode, 80 bits of HMAC-SHA1.
    AesCm128Sha1_80,
    /// The same with 32 bits.
    AesCm128Sha1_32,
    /// AES-256 in counter mode, 80 bits of HMAC-SHA1.
    AesCm256Sha1_80,
    /// The same with 32 bits.
    AesCm256Sha1_32,
    /// AES-128 in Galois counter mode.
    Gcm128,
    /// AES-256 in Galois counter mode.
    Gcm256,
}

impl Suite {
    /// Every suite.
    pub const ALL: [Self; 6] = [
        Self::AesCm128Sha1_80,
        Self::AesCm128Sha1_32,
        Self::AesCm256Sha1_80,
        Self::AesCm256Sha1_32,
        Self::Gcm128,
        Self::Gcm256,
    ];

    /// Its registered name.
    pub fn name(self) -> &'static str {
        match self {
            Self::AesCm128Sha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Self::AesCm128Sha1_32 => "AES_CM_128_HMAC_SHA1_32",
            Self::AesCm256Sha1_80 => "AES_256_CM_HMAC_SHA1_80",
            Self::AesCm256Sha1_32 => "AES_256_CM_HMAC_SHA1_32",
            Self::Gcm128 => "AEAD_AES_128_GCM",
            Self::Gcm256 => "AEAD_AES_256_GCM",
        }
    }

    /// The suite of a name. RFC 4568 §9.2: a token, compared without case.
    pub fn from_name(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|suite| suite.name().eq_ignore_ascii_case(name))
    }

    /// The bytes of a master key and its salt together.
    pub fn key_len(self) -> usize {
        let profile = self.profile();
        profile.key_len() + profile.salt_len()
    }

    fn profile(self) -> ProtectionProfile {
        match self {
            Self::AesCm128Sha1_80 => ProtectionProfile::Aes128CmHmacSha1_80,
            Self::AesCm128Sha1_32 => ProtectionProfile::Aes128CmHmacSha1_32,
            Self::AesCm256Sha1_80 => ProtectionProfile::Aes256CmHmacSha1_80,
            Self::AesCm256Sha1_32 => ProtectionProfile::Aes256CmHmacSha1_32,
            Self::Gcm128 => ProtectionProfile::AeadAes128Gcm,
            Self::Gcm256 => ProtectionProfile::AeadAes256Gcm,
        }
    }
}

/// A master key with its salt, as long as its suite asks for.
#[derive(Clone, PartialEq, Eq)]
pub struct MasterKey {
    suite: Suite,
    bytes: Box<[u8]>,
}

impl MasterKey {
    /// Key and salt, one behind the other; `None` where the length is not the suite's.
    pub fn new(suite: Suite, bytes: &[u8]) -> Option<Self> {
        (bytes.len() == suite.key_len()).then(|| Self {
            suite,
            bytes: bytes.into(),
        })
    }

    /// Key and salt.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What it is for.
    pub fn suite(&self) -> Suite {
        self.suite
    }

    fn context(&self) -> Context {
        let profile = self.suite.profile();
        let (key, salt) = self.bytes.split_at(profile.key_len());
        Context::new(
            key,
            salt,
            profile,
            Some(srtp_replay_protection(REPLAY_WINDOW)),
            Some(srtcp_replay_protection(REPLAY_WINDOW)),
            &AwsLcRsCrypto,
        )
        .expect("lengths are the suite's, and the library was built with all suites")
    }
}

/// A key is never printed.
impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MasterKey").field(&self.suite).finish()
    }
}

/// Protects what we send.
pub struct Sealer(Context);

impl Sealer {
    /// With our key.
    pub fn new(key: &MasterKey) -> Self {
        Self(key.context())
    }

    /// Protects an RTP packet. `None`: it is none, or the key is worn out (RFC 3711 §9.2).
    pub fn seal_rtp(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        self.0.encrypt_rtp(bytes).ok().map(Into::into)
    }

    /// Protects a compound RTCP packet.
    pub fn seal_rtcp(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        self.0.encrypt_rtcp(bytes).ok().map(Into::into)
    }
}

/// Opens what we receive.
pub struct Opener {
    key: MasterKey,
    /// The master key identifier that each packet has.
    identifier: Box<[u8]>,
    /// Each by its source.
    proven: Vec<(u32, Context)>,
    /// For sources that have not proven themselves.
    trial: Option<(Context, usize)>,
}

impl Opener {
    /// With the peer's key.
    pub fn new(key: MasterKey) -> Self {
        Self::identified(key, &[])
    }

    /// With the peer's key, whose packets say that they are of this one (RFC 3711 §3.1, MKI).
    pub fn identified(key: MasterKey, identifier: &[u8]) -> Self {
        Self {
            key,
            identifier: identifier.into(),
            proven: Vec::new(),
            trial: None,
        }
    }

    /// The RTP packet in the clear; `None` if it is forged, a copy or none.
    pub fn open_rtp(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let ssrc = u32::from_be_bytes(*bytes.get(8..)?.first_chunk()?);
        let bytes = &*self.stripped(bytes, self.key.suite().profile().rtp_auth_tag_len())?;
        self.open(ssrc, |context| {
            context.decrypt_rtp(bytes).ok().map(Into::into)
        })
    }

    /// The compound RTCP packet in the clear.
    pub fn open_rtcp(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let ssrc = u32::from_be_bytes(*bytes.get(4..)?.first_chunk()?);
        // The library takes a packet whose E bit says that it is not encrypted without asking for its
        // tag. We agree to encryption always (RFC 4568 §6.3.2), so such a packet is forged.
        let tag_len = self.key.suite().profile().rtcp_auth_tag_len();
        let bytes = &*self.stripped(bytes, tag_len)?;
        let index = bytes.len().checked_sub(tag_len + 4)?;
        if bytes[index] & ENCRYPTED_BIT == 0 {
            return None;
        }
        self.open(ssrc, |context| {
            context.decrypt_rtcp(bytes).ok().map(Into::into)
        })
    }

    /// Without the identifier, which stands before the tag (RFC 3711 §3.1), or at the end where the tag is
    /// part of the cipher (RFC 7714 §8.2).
    fn stripped<'a>(&self, bytes: &'a [u8], tag_len: usize) -> Option<Cow<'a, [u8]>> {
        let len = self.identifier.len();
        if len == 0 {
            return Some(Cow::Borrowed(bytes));
        }
        let at = bytes.len().checked_sub(tag_len + len)?;
        let (before, rest) = bytes.split_at(at);
        let (identifier, tag) = rest.split_at(len);
        (*identifier == *self.identifier).then(|| Cow::Owned([before, tag].concat()))
    }

    fn open(
        &mut self,
        ssrc: u32,
        decrypt: impl FnOnce(&mut Context) -> Option<Vec<u8>>,
    ) -> Option<Vec<u8>> {
        let known = self.proven.iter_mut().find(|(source, _)| *source == ssrc);
        if let Some((_, context)) = known {
            return decrypt(context);
        }
        if self.proven.len() == SOURCES_MAX {
            return None;
        }
        // The library remembers every source it is asked about; a trial that has failed for too many
        // is thrown away with what it remembers.
        let (mut context, failures) = self
            .trial
            .take()
            .filter(|(_, failures)| *failures < FAILURES_MAX)
            .unwrap_or_else(|| (self.key.context(), 0));
        let opened = decrypt(&mut context);
        match opened {
            Some(_) => self.proven.push((ssrc, context)),
            None => self.trial = Some((context, failures + 1)),
        }
        opened
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer")
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sources: Vec<u32> = self.proven.iter().map(|(ssrc, _)| *ssrc).collect();
        f.debug_tuple("Opener").field(&sources).finish()
    }
}

/// Sources one key may have in the life of a call; those that come later are not heard.
pub const SOURCES_MAX: usize = 16;
const FAILURES_MAX: usize = 64;
/// The first bit of the word with the index (RFC 3711 §3.4).
const ENCRYPTED_BIT: u8 = 0x80;
const REPLAY_WINDOW: usize = 128;
