//! ICE of desk phones (RFC 8445, RFC 8839): one check list for each component, so that RTCP may have a port
//! of its own.

use crate::peer::{Credentials, PortPair};
use rand_chacha::ChaCha12Rng;
use sdp::{Media, Sdp};
use std::net::{IpAddr, SocketAddr};

/// What a section says of ICE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Theirs {
    pub(crate) ufrag: Box<str>,
    pub(crate) password: Box<str>,
    pub(crate) is_lite: bool,
    /// Component, address, kind and priority of each that can be reached by UDP.
    pub(crate) candidates: Vec<Reached>,
}

/// A candidate of the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reached {
    /// 1 for RTP, 2 for RTCP.
    pub(crate) component: u32,
    /// As the agent reads it, which knows one component alone.
    pub(crate) text: Box<str>,
}

/// What was agreed.
#[derive(Clone, Debug)]
pub(crate) struct Checks {
    pub(crate) ours: Credentials,
    pub(crate) theirs: Theirs,
    /// Whether we offered, and so choose the pair.
    pub(crate) is_controlling: bool,
}

impl Theirs {
    /// `None` if the section is without ICE.
    pub(super) fn read(sdp: &Sdp, media: &Media) -> Option<Self> {
        let (ufrag, password) = sdp.ice(media)?;
        let is_text = |text: &str| {
            (4..=TEXT_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
        };
        if !is_text(ufrag) || !is_text(password) {
            return None;
        }
        let mut candidates: Vec<Reached> = Vec::new();
        for candidate in sdp.candidates().chain(media.candidates()) {
            let Ok(ip) = candidate.address.parse::<IpAddr>() else {
                // Names (mDNS) are not resolved: such a peer is seen where it sends from.
                continue;
            };
            let is_udp = candidate.transport.eq_ignore_ascii_case("udp");
            let is_known = matches!(candidate.kind, "host" | "srflx" | "prflx" | "relay");
            let is_plain = candidate
                .foundation
                .bytes()
                .all(|byte| byte.is_ascii_graphic());
            let component = u32::from(candidate.component);
            if !is_udp || !is_known || !is_plain || candidate.port == 0 || component > 2 {
                continue;
            }
            if candidates.len() == CANDIDATES_MAX {
                break;
            }
            let text = format!(
                "candidate:{} 1 udp {} {ip} {} typ {}",
                candidate.foundation, candidate.priority, candidate.port, candidate.kind
            );
            candidates.push(Reached {
                component,
                text: text.into(),
            });
        }
        Some(Self {
            ufrag: ufrag.into(),
            password: password.into(),
            is_lite: sdp.attribute("ice-lite").is_some(),
            candidates,
        })
    }

    /// Whether the peer goes on under the credentials it had.
    pub(crate) fn continues(&self, before: &Self) -> bool {
        (&self.ufrag, &self.password) == (&before.ufrag, &before.password)
    }
}

/// Credentials nobody has used.
pub(super) fn fresh(rng: &mut ChaCha12Rng) -> Credentials {
    crate::peer::fresh_credentials(rng, "")
}

/// Our candidates of one stream: the value of each `a=candidate`.
pub(super) fn candidates(ports: &PortPair, mux: bool) -> Vec<String> {
    let host = |component: u32, at: SocketAddr| {
        // RFC 8445 §5.1.2.1: a host candidate, the only address there is.
        let priority = 126 << 24 | 65_535 << 8 | (256 - component);
        format!(
            "1 {component} udp {priority} {} {} typ host",
            at.ip(),
            at.port()
        )
    };
    let rtcp = (!mux).then(|| host(2, ports.rtcp));
    std::iter::once(host(1, ports.rtp)).chain(rtcp).collect()
}

/// RFC 8839 §5.4: 256 characters at most.
const TEXT_MAX: usize = 256;
/// Candidates of a section that are paired with ours.
const CANDIDATES_MAX: usize = 16;
