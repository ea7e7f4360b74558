//! The one ICE and DTLS transport below all lines.

use std::fmt::Write;
use std::net::IpAddr;

use sdp::{Candidate, Media, Sdp, Setup};

use crate::Refused;

/// What the peer says about the transport, reduced to what the engine reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Transport {
    ufrag: Box<str>,
    pwd: Box<str>,
    /// Hash in lower case, value in upper case.
    fingerprints: Vec<(Box<str>, Box<str>)>,
    setup: Option<Setup>,
    lite: bool,
    candidates: Vec<Box<str>>,
}

impl Transport {
    /// Reads the transport of a description from the section that leads its bundle. What a later
    /// description leaves out stands as before.
    pub(super) fn read(
        sdp: &Sdp,
        tagged: &Media,
        bundled: &[&Media],
        before: Option<&Self>,
    ) -> Result<Self, Refused> {
        let fingerprints = fingerprints(sdp, tagged, bundled);
        let fingerprints = match before {
            Some(before) if fingerprints.is_empty() => before.fingerprints.clone(),
            Some(before)
                if !fingerprints
                    .iter()
                    .any(|own| before.fingerprints.contains(own)) =>
            {
                return Err(Refused::FingerprintChanged);
            }
            Some(_) | None => fingerprints,
        };
        if fingerprints.is_empty() {
            let sdes = bundled.iter().any(|media| media.has("crypto"));
            return Err(if sdes {
                Refused::SdesOnly
            } else {
                Refused::NoFingerprint
            });
        }
        let ice = sdp
            .ice(tagged)
            .or_else(|| bundled.iter().find_map(|media| sdp.ice(media)))
            .or_else(|| before.map(|before| (&*before.ufrag, &*before.pwd)));
        let (ufrag, pwd) = ice
            .filter(|(ufrag, pwd)| is_ice_text(ufrag) && is_ice_text(pwd))
            .ok_or(Refused::NoIce)?;
        if before.is_none() && !tagged.has("rtcp-mux") {
            return Err(Refused::NoRtcpMux);
        }
        let setup = sdp
            .setup(tagged)
            .or_else(|| bundled.iter().find_map(|media| sdp.setup(media)))
            .filter(|setup| *setup != Setup::HoldConn);
        Ok(Self {
            ufrag: ufrag.into(),
            pwd: pwd.into(),
            fingerprints,
            setup,
            lite: sdp.attribute("ice-lite").is_some(),
            candidates: candidates(sdp, bundled),
        })
    }

    /// The peer's DTLS role in this description.
    pub(super) fn setup(&self) -> Option<Setup> {
        self.setup
    }

    /// Whether ICE goes on under the same credentials.
    pub(super) fn continues(&self, before: &Self) -> bool {
        (&self.ufrag, &self.pwd) == (&before.ufrag, &before.pwd)
    }

    /// The session-level lines for the engine.
    pub(super) fn write(&self, text: &mut String) {
        if self.lite {
            text.push_str("a=ice-lite\r\n");
        }
        let _ = write!(
            text,
            "a=ice-ufrag:{}\r\na=ice-pwd:{}\r\n",
            self.ufrag, self.pwd
        );
        for (hash, value) in &self.fingerprints {
            let _ = write!(text, "a=fingerprint:{hash} {value}\r\n");
        }
        if let Some(setup) = self.setup {
            let _ = write!(text, "a=setup:{setup}\r\n");
        }
        for candidate in &self.candidates {
            let _ = write!(text, "a=candidate:{candidate}\r\n");
        }
    }
}

fn fingerprints(sdp: &Sdp, tagged: &Media, bundled: &[&Media]) -> Vec<(Box<str>, Box<str>)> {
    let mut found = sdp.fingerprints(tagged);
    if found.is_empty() {
        found = bundled
            .iter()
            .map(|media| sdp.fingerprints(media))
            .find(|found| !found.is_empty())
            .unwrap_or_default();
    }
    found
        .iter()
        .filter(|fingerprint| is_hex_pairs(fingerprint.value))
        .take(FINGERPRINTS_MAX)
        .map(|fingerprint| {
            (
                fingerprint.hash.to_ascii_lowercase().into(),
                fingerprint.value.to_ascii_uppercase().into(),
            )
        })
        .collect()
}

/// RTP candidates (component 1, since RTCP is multiplexed) over UDP with a numeric address: mDNS
/// names cannot be resolved here and come back as peer-reflexive ones.
fn candidates(sdp: &Sdp, bundled: &[&Media]) -> Vec<Box<str>> {
    let mut kept: Vec<Box<str>> = Vec::new();
    let own = bundled.iter().flat_map(|media| media.candidates());
    for candidate in sdp.candidates().chain(own) {
        if kept.len() == CANDIDATES_MAX {
            break;
        }
        if let Some(text) = canonical(&candidate).filter(|text| !kept.contains(text)) {
            kept.push(text);
        }
    }
    kept
}

fn canonical(candidate: &Candidate<'_>) -> Option<Box<str>> {
    let address: IpAddr = candidate.address.parse().ok()?;
    let known = matches!(candidate.kind, "host" | "srflx" | "prflx" | "relay");
    let udp = candidate.transport.eq_ignore_ascii_case("udp");
    let plain = candidate
        .foundation
        .bytes()
        .all(|byte| byte.is_ascii_graphic());
    (candidate.component == 1 && udp && known && plain && candidate.port != 0).then(|| {
        format!(
            "{} 1 udp {} {address} {} typ {}",
            candidate.foundation, candidate.priority, candidate.port, candidate.kind
        )
        .into()
    })
}

/// RFC 8839 §5.4: `ice-char` is a letter, a digit, `+` or `/`. Other graphic characters occur.
fn is_ice_text(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= ICE_TEXT_MAX
        && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_hex_pairs(value: &str) -> bool {
    value.len() <= FINGERPRINT_MAX
        && value
            .split(':')
            .all(|pair| pair.len() == 2 && pair.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Remote candidates given to the engine; each is paired with every local one.
const CANDIDATES_MAX: usize = 32;
/// Fingerprints given to the engine.
const FINGERPRINTS_MAX: usize = 8;
/// The text of a SHA-512 fingerprint is 191 characters long.
const FINGERPRINT_MAX: usize = 191;
/// RFC 8839 §5.4: user fragment and password have up to 256 characters.
const ICE_TEXT_MAX: usize = 256;
