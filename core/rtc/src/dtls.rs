//! DTLS (RFC 6347, RFC 5764): of browser legs, dimpl behind str0m's provider traits; of desk phones,
//! [`Association`].
//!
//! str0m's own provider validates the whole cryptographic backend for every peer, which takes
//! 0.7 ms; the configuration is made once here. Certificates are made once per process too: what
//! authenticates a call is the fingerprint in the signalling, and a key pair per call adds nothing.

mod association;

pub(crate) use association::{Association, Keying, Progress, Terms as Shake};

use rtc_dtls::crypto_provider::{SignatureScheme, default_provider};
use std::cell::Cell;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use str0m::config::{CryptoProvider, DtlsCert, DtlsVersion};
use str0m::crypto::dtls::{
    DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, ProtocolVersion, SrtpProfile,
};
use str0m::crypto::{CryptoError, from_feature_flags};

/// The certificate the exchange shows to every peer.
#[derive(Clone)]
pub struct Certificate(pub(crate) Arc<Identity>);

/// A certificate as each of the two libraries wants it.
pub(crate) struct Identity {
    pub(crate) browser: DtlsCert,
    pub(crate) desk: rtc_dtls::crypto::Certificate,
}

impl Certificate {
    /// A self-signed certificate with a fresh P-256 key from the operating system's randomness.
    pub fn generate() -> Result<Self, CertificateError> {
        let browser = CachedDtls.generate_certificate().ok_or(CertificateError)?;
        let provider = default_provider().map_err(|_| CertificateError)?;
        let key = provider
            .crypto()
            .import_signing_key(SignatureScheme::EcdsaP256Sha256, &browser.private_key)
            .map_err(|_| CertificateError)?;
        let chain = vec![browser.certificate.clone().into()];
        let desk = rtc_dtls::crypto::Certificate::from_signing_key(chain, key);
        Ok(Self(Arc::new(Identity { browser, desk })))
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Certificate")
    }
}

/// The cryptographic library could not make a key pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CertificateError;

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the DTLS certificate could not be made")
    }
}

impl std::error::Error for CertificateError {}

/// The cryptography every peer uses.
pub(crate) fn crypto() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    let provider = PROVIDER.get_or_init(|| {
        Arc::new(CryptoProvider {
            dtls_provider: &CachedDtls,
            ..from_feature_flags()
        })
    });
    Arc::clone(provider)
}

/// What the last handshake completed on this thread agreed. str0m does not tell, so its caller asks
/// here when a poll has reported the connection.
pub(crate) fn take_agreed() -> Option<Agreed> {
    AGREED.take()
}

/// The outcome of a handshake.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Agreed {
    pub(crate) version: Option<ProtocolVersion>,
    pub(crate) profile: SrtpProfile,
}

impl Agreed {
    /// The names of the version and of the protection profile (RFC 5764, RFC 7714).
    pub(crate) fn names(self) -> (&'static str, &'static str) {
        let version = match self.version {
            Some(ProtocolVersion::DTLS1_2) => "DTLS 1.2",
            Some(ProtocolVersion::DTLS1_3) => "DTLS 1.3",
            _ => "DTLS",
        };
        let profile = match self.profile {
            SrtpProfile::AES128_CM_SHA1_80 => "SRTP_AES128_CM_HMAC_SHA1_80",
            SrtpProfile::AEAD_AES_128_GCM => "SRTP_AEAD_AES_128_GCM",
            SrtpProfile::AEAD_AES_256_GCM => "SRTP_AEAD_AES_256_GCM",
            _ => "SRTP",
        };
        (version, profile)
    }
}

thread_local! {
    static AGREED: Cell<Option<Agreed>> = const { Cell::new(None) };
}

#[derive(Debug)]
struct CachedDtls;

impl DtlsProvider for CachedDtls {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        dimpl::certificate::generate_self_signed_certificate().ok()
    }

    fn new_dtls(
        &self,
        certificate: &DtlsCert,
        now: Instant,
        version: DtlsVersion,
        _mtu: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        let config = config()?;
        let certificate = certificate.clone();
        let dtls = match version {
            DtlsVersion::Dtls13 => dimpl::Dtls::new_13(config, certificate, now),
            DtlsVersion::Auto => dimpl::Dtls::new_auto(config, certificate, now),
            // The enum is not exhaustive; 1.2 is its default.
            _ => dimpl::Dtls::new_12(config, certificate, now),
        };
        Ok(Box::new(Instance(dtls)))
    }
}

fn config() -> Result<Arc<dimpl::Config>, CryptoError> {
    static CONFIG: OnceLock<Result<Arc<dimpl::Config>, String>> = OnceLock::new();
    let config = CONFIG.get_or_init(|| {
        dimpl::Config::builder()
            // ICE has shown that the address is the peer's: a cookie would only cost a round trip.
            .use_server_cookie(false)
            .flight_start_rto(FLIGHT_RTO)
            .flight_retries(FLIGHT_RETRIES)
            .build()
            .map(Arc::new)
            .map_err(|error| error.to_string())
    });
    config.clone().map_err(CryptoError::Other)
}

/// RFC 6347 §4.2.4.1 starts at one second; media are waiting, and a handshake is ten datagrams.
const FLIGHT_RTO: Duration = Duration::from_millis(250);
const FLIGHT_RETRIES: usize = 6;

struct Instance(dimpl::Dtls);

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Instance")
    }
}

impl DtlsInstance for Instance {
    fn set_active(&mut self, active: bool) {
        self.0.set_active(active);
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        self.0.handle_packet(packet)
    }

    fn poll_output<'a>(&mut self, buffer: &'a mut [u8]) -> DtlsOutput<'a> {
        let output = self.0.poll_output(buffer);
        if let DtlsOutput::KeyingMaterial(_, profile) = &output {
            let version = self.0.protocol_version();
            let profile = *profile;
            AGREED.set(Some(Agreed { version, profile }));
        }
        output
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsImplError> {
        self.0.handle_timeout(now)
    }

    fn send_application_data(&mut self, data: &[u8]) -> Result<usize, DtlsImplError> {
        self.0.send_application_data(data)
    }

    fn is_active(&self) -> bool {
        self.0.is_active()
    }

    fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.0.protocol_version()
    }

    fn is_closing(&self) -> bool {
        self.0.is_closing()
    }

    fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    fn close(&mut self) -> Result<(), DtlsImplError> {
        self.0.close()
    }
}

/// A function that makes fingerprints (RFC 8122 §5), of those that peers still use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hash {
    /// `sha-256`.
    #[default]
    Sha256,
    /// `sha-1`, for old phones.
    Sha1,
}

impl Hash {
    /// Its name in `a=fingerprint`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha-256",
            Self::Sha1 => "sha-1",
        }
    }

    fn of(self, certificate: &[u8]) -> Vec<u8> {
        let crypto = crypto();
        match self {
            Self::Sha256 => crypto.sha256_provider.sha256(certificate).to_vec(),
            Self::Sha1 => crypto.sha1_provider.sha1(certificate).to_vec(),
        }
    }
}

/// The fingerprint of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Print {
    hash: Hash,
    value: Vec<u8>,
}

impl Print {
    /// Of our own certificate.
    pub(crate) fn of(certificate: &Certificate, hash: Hash) -> Self {
        let value = hash.of(&certificate.0.browser.certificate);
        Self { hash, value }
    }

    /// `None` if the function is unknown here, or the value is none of its.
    pub(crate) fn parse(hash: &str, value: &str) -> Option<Self> {
        let known = [Hash::Sha256, Hash::Sha1];
        let mut known = known.into_iter();
        let hash = known.find(|own| own.name().eq_ignore_ascii_case(hash))?;
        let pairs = value.split(':').map(|pair| {
            let is_pair = pair.len() == 2;
            is_pair.then(|| u8::from_str_radix(pair, 16).ok()).flatten()
        });
        let value = pairs.take(PRINT_LEN_MAX + 1).collect::<Option<Vec<u8>>>()?;
        let len = match hash {
            Hash::Sha256 => 32,
            Hash::Sha1 => 20,
        };
        (value.len() == len).then_some(Self { hash, value })
    }

    /// Whether a certificate has it.
    pub(crate) fn is_of(&self, certificate: &[u8]) -> bool {
        self.hash.of(certificate) == self.value
    }
}

impl fmt::Display for Print {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.hash.name())?;
        for (index, byte) in self.value.iter().enumerate() {
            let before = if index == 0 { ' ' } else { ':' };
            write!(f, "{before}{byte:02X}")?;
        }
        Ok(())
    }
}

/// The longest of [`Hash`].
const PRINT_LEN_MAX: usize = 32;
