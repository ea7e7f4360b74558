//! The DTLS handshake of one port of a desk phone (RFC 5764), on its own or behind ICE. Certificates are of
//! elliptic curves, as the library has no others.
//!
//! The peer is who has the certificate whose fingerprint came by signalling. A handshake with anybody else is
//! thrown away and another is waited for, a few times: a stranger who comes first shall not end the call.

use crate::dtls::{self, Certificate, Print};
use dimpl::{Dtls, Output, SrtpProfile};
use rtp::srtp::{MasterKey, Suite};
use std::time::Instant;

pub(super) struct Handshake {
    engine: Dtls,
    certificate: Certificate,
    is_active: bool,
    prints: Vec<Print>,
    is_proven: bool,
    due: Option<Instant>,
    stage: Stage,
    strangers: u8,
    buffer: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing was sent yet.
    Waiting,
    Running,
    Done,
    /// Nobody else is tried.
    Failed,
}

/// What came of it.
pub(super) struct Keyed {
    pub(super) ours: MasterKey,
    pub(super) theirs: MasterKey,
    /// Names of the version and of the protection profile.
    pub(super) names: (&'static str, &'static str),
}

impl Handshake {
    pub(super) fn new(
        now: Instant,
        certificate: &Certificate,
        prints: &[Print],
        is_active: bool,
    ) -> Option<Self> {
        Some(Self {
            engine: dtls::unproven(certificate, now, is_active)?,
            certificate: certificate.clone(),
            is_active,
            prints: prints.to_vec(),
            is_proven: false,
            due: None,
            stage: Stage::Waiting,
            strangers: 0,
            buffer: vec![0; DATAGRAM_MAX],
        })
    }

    /// Whether it is the same association that this agrees to.
    pub(super) fn is_for(&self, prints: &[Print], is_active: bool) -> bool {
        self.prints == prints && self.is_active == is_active
    }

    /// Whether it waits for a path to begin on.
    pub(super) fn wants_path(&self) -> bool {
        self.is_active && self.stage == Stage::Waiting
    }

    pub(super) fn has_failed(&self) -> bool {
        self.stage == Stage::Failed
    }

    /// There is a path now.
    pub(super) fn begin(&mut self, now: Instant) {
        self.stage = Stage::Running;
        self.handle_timeout(now);
    }

    pub(super) fn handle_datagram(&mut self, now: Instant, bytes: &[u8]) {
        // RFC 6347 §4.1.2.7: before the keys are there nothing proves who sent an alert.
        if bytes.first() == Some(&ALERT) && self.stage != Stage::Done {
            return;
        }
        match self.stage {
            Stage::Failed => return,
            Stage::Waiting => self.stage = Stage::Running,
            Stage::Running | Stage::Done => {}
        }
        let handled = self.engine.handle_timeout(now);
        if handled
            .and_then(|()| self.engine.handle_packet(bytes))
            .is_err()
        {
            self.renew(now);
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if matches!(self.stage, Stage::Running | Stage::Done)
            && self.engine.handle_timeout(now).is_err()
        {
            self.renew(now);
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }

    /// What is to be sent, and the keys once it is done. To be called after every input.
    pub(super) fn poll(&mut self, now: Instant, out: &mut Vec<Vec<u8>>) -> Option<Keyed> {
        if matches!(self.stage, Stage::Waiting | Stage::Failed) {
            return None;
        }
        let mut keyed = None;
        loop {
            match self.engine.poll_output(&mut self.buffer) {
                Output::Packet(bytes) => out.push(bytes.to_vec()),
                Output::BufferTooSmall { needed } => {
                    self.buffer.resize(needed.min(DATAGRAM_LEN_MAX), 0);
                }
                Output::PeerCert(certificate) => {
                    self.is_proven = self.prints.iter().any(|print| print.is_of(certificate));
                    if !self.is_proven {
                        self.strangers += 1;
                        self.renew(now);
                        return None;
                    }
                }
                Output::KeyingMaterial(material, profile) => {
                    let names = dtls::names(&self.engine, profile);
                    keyed = self.keys(&material, profile, names);
                }
                Output::Timeout(due) => {
                    // A passive end, or one that is done, has nothing to repeat unasked.
                    self.due = Some(due);
                    return keyed;
                }
                Output::Connected => self.stage = Stage::Done,
                // A call ends by signalling, not by an alert.
                _ => {}
            }
        }
    }

    fn keys(
        &self,
        material: &[u8],
        profile: SrtpProfile,
        names: (&'static str, &'static str),
    ) -> Option<Keyed> {
        let suite = match profile {
            SrtpProfile::AES128_CM_SHA1_80 => Suite::AesCm128Sha1_80,
            SrtpProfile::AEAD_AES_128_GCM => Suite::Gcm128,
            SrtpProfile::AEAD_AES_256_GCM => Suite::Gcm256,
            _ => return None,
        };
        if !self.is_proven {
            return None;
        }
        // RFC 5764 §4.2: client key, server key, client salt, server salt.
        let salt_len = match suite {
            Suite::Gcm128 | Suite::Gcm256 => 12,
            _ => 14,
        };
        let key_len = suite.key_len() - salt_len;
        let (keys, salts) = material.split_at_checked(2 * key_len)?;
        let end = |index: usize| {
            let key = keys.get(index * key_len..(index + 1) * key_len)?;
            let salt = salts.get(index * salt_len..(index + 1) * salt_len)?;
            MasterKey::new(suite, &[key, salt].concat())
        };
        let (client, server) = (end(0)?, end(1)?);
        let (ours, theirs) = match self.is_active {
            true => (client, server),
            false => (server, client),
        };
        Some(Keyed {
            ours,
            theirs,
            names,
        })
    }

    /// Somebody else was there, or the handshake broke.
    fn renew(&mut self, now: Instant) {
        if self.stage == Stage::Done {
            // The keys are there; what comes late cannot undo them.
            self.due = None;
            return;
        }
        self.is_proven = false;
        let engine = dtls::unproven(&self.certificate, now, self.is_active);
        match engine.filter(|_| self.strangers < STRANGERS_MAX) {
            Some(engine) => {
                self.engine = engine;
                self.stage = Stage::Waiting;
            }
            None => self.stage = Stage::Failed,
        }
        self.due = None;
    }
}

/// RFC 5246 §6.2.1.
const ALERT: u8 = 21;
/// Handshakes with others that are endured.
const STRANGERS_MAX: u8 = 5;
const DATAGRAM_MAX: usize = 2048;
const DATAGRAM_LEN_MAX: usize = 65_535;
