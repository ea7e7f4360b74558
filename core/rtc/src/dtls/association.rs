//! DTLS with a desk phone: rtc-dtls, which knows certificates of RSA, behind a guard.
//!
//! Before the keys are there nothing proves who sent a datagram, so the guard hands on only what a handshake
//! is made of, and no more of it than one needs: an alert ends nothing (RFC 6347 §4.1.2.7), and neither
//! fragments that never become a message nor records of an epoch to come are kept without end.
//!
//! The library lets a client's Finished pass unread. What that would prove is proven by its CertificateVerify,
//! which every phone has to send here, and which signs all messages before it (RFC 5246 §7.4.8).

use super::{Certificate, Print};
use rtc_dtls::cipher_suite::CipherSuiteId;
use rtc_dtls::config::{ClientAuthType, ConfigBuilder, HandshakeConfig};
use rtc_dtls::crypto_provider::default_provider;
use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtp::srtp::Suite;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What all attempts of one end of a leg have in common.
#[derive(Clone)]
pub(crate) struct Terms {
    config: Arc<HandshakeConfig>,
    prints: Arc<[Print]>,
    is_active: bool,
}

impl Terms {
    /// `None` if the library refuses the certificate.
    pub(crate) fn new(
        certificate: &Certificate,
        prints: &[Print],
        suites: &[Suite],
        is_active: bool,
    ) -> Option<Self> {
        let prints: Arc<[Print]> = prints.into();
        let expected = Arc::clone(&prints);
        let check = move |shown: &[Vec<u8>]| {
            let is_theirs = shown.first().is_some_and(|shown| is_one(&expected, shown));
            is_theirs.then_some(()).ok_or_else(|| stranger().into())
        };
        let config = ConfigBuilder::default()
            .with_crypto_provider(default_provider().ok()?)
            .with_certificates(vec![certificate.0.desk.clone()])
            .with_cipher_suites(CIPHERS.to_vec())
            .with_srtp_protection_profiles(suites.iter().filter_map(profile).collect())
            // The fingerprint in the description says whose certificate it is.
            .with_insecure_skip_verify(true)
            .with_client_auth(ClientAuthType::RequireAnyClientCert)
            .with_verify_peer_certificate(Some(Arc::new(move |shown, _| check(shown))))
            .with_server_name(NOBODY.to_owned())
            .with_flight_interval(FLIGHT_RTO)
            .build(is_active, None)
            .ok()?;
        Some(Self {
            config: Arc::new(config),
            prints,
            is_active,
        })
    }

    pub(crate) fn prints(&self) -> &[Print] {
        &self.prints
    }

    pub(crate) fn is_active(&self) -> bool {
        self.is_active
    }
}

/// One attempt with one address.
pub(crate) struct Association {
    engine: Endpoint,
    terms: Terms,
    guard: Guard,
    /// Waited beyond what the library does, which repeats a flight at a steady pace.
    patience: Duration,
    is_done: bool,
}

/// How an attempt stands.
#[derive(Debug)]
pub(crate) enum Progress {
    Open,
    /// Here are the keys.
    Done(Keying),
    /// It broke.
    Failed,
}

/// What a handshake agreed on.
#[derive(Debug)]
pub(crate) struct Keying {
    pub(crate) suite: Suite,
    pub(crate) material: Vec<u8>,
}

impl Association {
    /// The end that begins, or the one that waits.
    pub(crate) fn new(now: Instant, terms: &Terms) -> Option<Self> {
        let passive = (!terms.is_active).then(|| Arc::clone(&terms.config));
        let mut engine = Endpoint::new(PEER, Default::default(), passive);
        if terms.is_active {
            let config = Arc::clone(&terms.config);
            engine.connect(now, PEER, config, None).ok()?;
        }
        Some(Self {
            engine,
            terms: terms.clone(),
            guard: Guard::before(terms.is_active),
            patience: Duration::ZERO,
            is_done: false,
        })
    }

    /// Takes a datagram; what cannot be part of the handshake is passed over.
    pub(crate) fn handle_datagram(&mut self, now: Instant, bytes: &[u8]) -> Progress {
        let Some(admitted) = self.guard.admit(bytes) else {
            return match self.is_done {
                true => Progress::Open,
                false => Progress::Failed,
            };
        };
        if admitted.is_empty() {
            return Progress::Open;
        }
        let timer = self.engine.poll_timeout(&PEER);
        let read = self
            .engine
            .read(now, PEER, None, admitted.as_slice().into());
        if self.engine.poll_timeout(&PEER) != timer {
            // The next flight is out.
            self.patience = Duration::ZERO;
        }
        match read {
            // The keys are there; what comes late cannot undo them.
            _ if self.is_done => Progress::Open,
            Err(_) => Progress::Failed,
            Ok(events) => {
                let is_end =
                    |event: &EndpointEvent| matches!(event, EndpointEvent::HandshakeComplete);
                match events.iter().any(is_end) {
                    true => self.finish(),
                    false => Progress::Open,
                }
            }
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Progress {
        if self.poll_timeout().is_none_or(|due| now < due) {
            return Progress::Open;
        }
        // RFC 6347 §4.2.4.1: "the timer value is doubled at each retransmission".
        self.patience = (self.patience * 2 + FLIGHT_RTO).min(PATIENCE_MAX);
        match self.engine.handle_timeout(PEER, now) {
            Ok(()) => Progress::Open,
            Err(_) => Progress::Failed,
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let due = self.engine.poll_timeout(&PEER).filter(|_| !self.is_done)?;
        Some(due + self.patience)
    }

    pub(crate) fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        Some(self.engine.poll_transmit()?.message.to_vec())
    }

    fn finish(&mut self) -> Progress {
        self.is_done = true;
        self.guard = Guard::after();
        self.keying().map_or(Progress::Failed, Progress::Done)
    }

    fn keying(&self) -> Option<Keying> {
        let state = self.engine.get_connection_state(PEER)?;
        let shown = state.peer_certificates.first()?;
        if !is_one(&self.terms.prints, shown) {
            return None;
        }
        let suite = match state.srtp_protection_profile() {
            SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80 => Suite::AesCm128Sha1_80,
            SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_32 => Suite::AesCm128Sha1_32,
            SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm => Suite::Gcm128,
            SrtpProtectionProfile::Srtp_Aead_Aes_256_Gcm => Suite::Gcm256,
            _ => return None,
        };
        // RFC 5764 §4.2.
        let made = state.export_keying_material("EXTRACTOR-dtls_srtp", &[], 2 * suite.key_len());
        let material = made.ok()?.into_bytes();
        Some(Keying { suite, material })
    }
}

fn is_one(prints: &[Print], certificate: &[u8]) -> bool {
    prints.iter().any(|print| print.is_of(certificate))
}

/// What ends a handshake with anybody else.
fn stranger() -> io::Error {
    io::ErrorKind::PermissionDenied.into()
}

fn profile(suite: &Suite) -> Option<SrtpProtectionProfile> {
    Some(match suite {
        Suite::AesCm128Sha1_80 => SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80,
        Suite::AesCm128Sha1_32 => SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_32,
        Suite::Gcm128 => SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm,
        Suite::Gcm256 => SrtpProtectionProfile::Srtp_Aead_Aes_256_Gcm,
        _ => return None,
    })
}

/// What of a datagram is handed on.
struct Guard {
    fragments: usize,
    bytes: usize,
    sealed: usize,
    repeats: Repeats,
}

/// What becomes of fragments that were handed on before. The library forgets to repeat its flight at whatever
/// comes, so that one repetition and one loss would end the handshake.
enum Repeats {
    /// They are passed over.
    Known {
        heads: Vec<[u8; FRAGMENT_HEADER_LEN]>,
        is_active: bool,
    },
    /// They ask for our last flight, whose loss nobody else would notice.
    Asking,
}

impl Guard {
    fn before(is_active: bool) -> Self {
        let heads = Vec::new();
        Self {
            fragments: FRAGMENTS_MAX,
            bytes: BYTES_MAX,
            sealed: SEALED_MAX,
            repeats: Repeats::Known { heads, is_active },
        }
    }

    /// Once the keys are there, the peer repeats its last flight at most.
    fn after() -> Self {
        Self {
            fragments: FRAGMENTS_MAX / 4,
            bytes: BYTES_MAX,
            sealed: SEALED_MAX,
            repeats: Repeats::Asking,
        }
    }

    /// The records that may be part of a handshake; `None` if there were too many of them.
    fn admit(&mut self, mut datagram: &[u8]) -> Option<Vec<u8>> {
        let mut admitted = Vec::with_capacity(datagram.len());
        while let Some((header, rest)) = datagram.split_first_chunk::<RECORD_HEADER_LEN>() {
            let [kind, major, _, epoch_high, epoch, .., len_high, len] = *header;
            let len = usize::from(u16::from_be_bytes([len_high, len]));
            let Some((body, rest)) = rest.split_at_checked(len) else {
                break;
            };
            datagram = rest;
            let is_handshake = match (kind, epoch_high, epoch) {
                (CHANGE_CIPHER_SPEC, 0, 0) => body == [1],
                (HANDSHAKE, 0, 0) => self.admit_fragments(body)?,
                (HANDSHAKE, 0, 1) if len >= SEALED_LEN_MIN => {
                    self.sealed = self.sealed.checked_sub(1)?;
                    true
                }
                _ => false,
            };
            if is_handshake && major == VERSION_MAJOR {
                self.bytes = self.bytes.checked_sub(RECORD_HEADER_LEN + len)?;
                admitted.extend_from_slice(header);
                admitted.extend_from_slice(body);
            }
        }
        Some(admitted)
    }

    /// Whether all fragments of a record make sense (RFC 6347 §4.2.2) and one of them is new; `None` if there
    /// were too many.
    fn admit_fragments(&mut self, mut body: &[u8]) -> Option<bool> {
        let mut heads = Vec::new();
        while !body.is_empty() {
            let Some((header, rest)) = body.split_first_chunk::<FRAGMENT_HEADER_LEN>() else {
                return Some(false);
            };
            let [_, a, b, c, sequence_high, sequence, d, e, f, g, h, i] = *header;
            let number = |bytes: [u8; 3]| {
                let [high, middle, low] = bytes.map(usize::from);
                high << 16 | middle << 8 | low
            };
            let (whole, offset, len) = (number([a, b, c]), number([d, e, f]), number([g, h, i]));
            let is_fit = whole <= MESSAGE_LEN_MAX
                && offset + len <= whole
                && (len > 0 || whole == 0)
                && sequence_high == 0
                && sequence <= SEQUENCE_MAX;
            let Some(rest) = rest.get(len..).filter(|_| is_fit) else {
                return Some(false);
            };
            // The library takes for the fragment what the message needs, and not what the fragment has.
            if len < whole && !rest.is_empty() {
                return Some(false);
            }
            body = rest;
            heads.push(*header);
        }
        let is_new = self.repeats.is_passed(&heads);
        if is_new {
            self.fragments = self.fragments.checked_sub(heads.len())?;
            self.repeats.remember(heads);
        }
        Some(is_new)
    }
}

impl Repeats {
    fn is_passed(&self, new: &[[u8; FRAGMENT_HEADER_LEN]]) -> bool {
        match self {
            Self::Asking => !new.is_empty(),
            Self::Known { heads, is_active } => {
                let is_known = |head| heads.contains(head);
                // Each first hello is answered with a cookie, of which nothing is kept that could be repeated.
                let is_first = |head: &[u8; FRAGMENT_HEADER_LEN]| head[4..6] == [0, 0];
                let is_hello = !is_active && new.iter().chain(heads).all(is_first);
                !new.is_empty() && (is_hello || !new.iter().all(is_known))
            }
        }
    }

    /// As many as a guard has fragments at most.
    fn remember(&mut self, new: Vec<[u8; FRAGMENT_HEADER_LEN]>) {
        if let Self::Known { heads, .. } = self {
            heads.extend(new);
        }
    }
}

/// Whoever it is: each attempt knows one address alone.
const PEER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5061);
/// Phones have no names.
const NOBODY: &str = "sidetone.invalid";
/// Ours is of an elliptic curve mostly; the suites for RSA are for phones that are servers, or for a certificate of
/// the administrator's.
const CIPHERS: [CipherSuiteId; 6] = [
    CipherSuiteId::Tls_Ecdhe_Ecdsa_With_Aes_128_Gcm_Sha256,
    CipherSuiteId::Tls_Ecdhe_Rsa_With_Aes_128_Gcm_Sha256,
    CipherSuiteId::Tls_Ecdhe_Ecdsa_With_ChaCha20_Poly1305_Sha256,
    CipherSuiteId::Tls_Ecdhe_Rsa_With_ChaCha20_Poly1305_Sha256,
    CipherSuiteId::Tls_Ecdhe_Ecdsa_With_Aes_256_Cbc_Sha,
    CipherSuiteId::Tls_Ecdhe_Rsa_With_Aes_256_Cbc_Sha,
];
/// RFC 6347 §4.2.4.1 starts at one second; media are waiting.
const FLIGHT_RTO: Duration = Duration::from_millis(250);
const PATIENCE_MAX: Duration = Duration::from_secs(4);
/// RFC 6347 §4.1.
const RECORD_HEADER_LEN: usize = 13;
const VERSION_MAJOR: u8 = 0xFE;
const CHANGE_CIPHER_SPEC: u8 = 20;
const HANDSHAKE: u8 = 22;
/// RFC 6347 §4.2.2.
const FRAGMENT_HEADER_LEN: usize = 12;
/// A chain of certificates of 4096 bits has some 6 KB.
const MESSAGE_LEN_MAX: usize = 16 * 1024;
/// A handshake has a dozen messages.
const SEQUENCE_MAX: u8 = 31;
/// A handshake and its repetitions have a few dozen. The library joins fragments by recursion.
const FRAGMENTS_MAX: usize = 256;
const BYTES_MAX: usize = 128 * 1024;
/// A message without a body under the shortest of seals; the library fails at less.
const SEALED_LEN_MIN: usize = FRAGMENT_HEADER_LEN + 16;
/// Records under the keys of the handshake itself: Finished, and its repetitions.
const SEALED_MAX: usize = 32;
