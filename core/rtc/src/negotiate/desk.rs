//! Offer/answer of desk phones (RFC 3264): RTP/AVP, RTP/AVPF, and their secure kin with keys in the
//! description (RFC 4568) or by DTLS (RFC 5764); with or without ICE (RFC 8839). One pair of ports for each
//! stream, or one for all.
//!
//! Values only, like the negotiator of browsers, but without an engine to please: each line is decided
//! by itself, but that lines may share a port where `bundle=yes` allows it (RFC 9143). Deliberately not
//! here: capability negotiation (RFC 5939).

mod answer;
mod bundle;
mod crypto;
mod ice;
mod line;
mod offer;
mod render;
mod section;
mod secure;

pub(crate) use bundle::Name;
pub(crate) use crypto::Keys;
pub(crate) use ice::{Checks, Reached};
pub(crate) use line::Live;
pub(crate) use section::Remote;

use super::note::{LineFault, Note};
use super::table::av_kind;
use crate::Refused;
use crate::peer::PortPair;
use crate::policy::{Encryption, Policy, Role, Terms};
use crate::topology::{Stream, Topology};
use codec::Kind;
use line::Line;
use rand_chacha::ChaCha12Rng;
use rand_core::{Rng, SeedableRng};
use sdp::{MediaKind, Sdp};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// One offer/answer state machine; it lives as long as the leg.
pub(crate) struct DeskNegotiator {
    policy: Arc<Policy>,
    terms: Terms,
    ports: Vec<PortPair>,
    /// Our `a=fingerprint`.
    print: Box<str>,
    rng: ChaCha12Rng,
    session_id: u64,
    version: u64,
    /// What is agreed.
    lines: Vec<Line>,
    /// Our offer that is with the peer.
    offered: Option<Vec<Line>>,
    agreed: Topology,
    notes: Vec<Note>,
}

impl DeskNegotiator {
    pub(crate) fn new(
        policy: Arc<Policy>,
        terms: Terms,
        ports: Vec<PortPair>,
        print: Box<str>,
        seed: [u8; 32],
    ) -> Self {
        let mut rng = ChaCha12Rng::from_seed(seed);
        // RFC 8866 §5.2: numbers; some phones read them into 31 bits.
        let session_id = rng.next_u64() >> 33;
        Self {
            policy,
            terms,
            ports,
            print,
            rng,
            session_id,
            version: session_id,
            lines: Vec::new(),
            offered: None,
            agreed: Topology::default(),
            notes: Vec::new(),
        }
    }

    /// The lines in use, with the index of each.
    pub(crate) fn live(&self) -> impl Iterator<Item = (usize, &Live)> {
        let lines = self.lines.iter().enumerate();
        lines.filter_map(|(mline, line)| Some((mline, line.live()?)))
    }

    pub(crate) fn agreed(&self) -> &Topology {
        &self.agreed
    }

    pub(crate) fn notes(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.notes)
    }

    fn role(&self) -> Role {
        match self.terms.encryption {
            Encryption::Dtls { role, .. } => role,
            Encryption::No | Encryption::Sdes { .. } => Role::default(),
        }
    }

    /// The pair of ports of a line that the peer offers: that of its leader, or the one it had.
    fn port_of(
        &self,
        leader: Option<&Live>,
        before: Option<&Live>,
        kind: Kind,
        lines: &[Line],
    ) -> Option<usize> {
        let is_free = |port: &usize| {
            let mut others = lines.iter().filter_map(Line::live);
            others.all(|other| other.port != *port)
        };
        let before = before.map(|before| before.port).filter(is_free);
        let known = leader.map(|leader| leader.port).or(before);
        known.or_else(|| self.free_port(kind, lines))
    }

    /// The first pair of ports that no line uses, neither now nor in what is agreed. Those for sound come
    /// first, and are marked otherwise than those for pictures.
    fn free_port(&self, kind: Kind, lines: &[Line]) -> Option<usize> {
        let in_use = |port: usize| {
            let mut live = lines.iter().chain(&self.lines).filter_map(Line::live);
            live.any(|live| live.port == port)
        };
        let voices = match self.policy.audio.is_empty() {
            true => 0,
            false => self.policy.max_audio_streams.min(self.ports.len()),
        };
        let own = match kind {
            Kind::Audio => 0..voices,
            Kind::Video => voices..self.ports.len(),
        };
        own.chain(0..self.ports.len()).find(|port| !in_use(*port))
    }

    fn ip(&self) -> IpAddr {
        let bound = self.ports.first().map(|ports| ports.rtp.ip());
        let written = self.terms.sockets.address;
        written.or(bound).unwrap_or(UNSPECIFIED)
    }

    fn commit(&mut self, lines: Vec<Line>) {
        let streams = lines.iter().enumerate().filter_map(|(mline, line)| {
            let live = line.live()?;
            Some(Stream {
                kind: live.kind,
                direction: live.direction,
                mid: Some(mline.to_string().into()),
                mline,
                stream_id: Box::default(),
                track_id: Box::default(),
                payloads: live.agreed(),
                ssrcs: Vec::new(),
                wishes: live.wishes.clone(),
            })
        });
        self.agreed = Topology::new(streams.collect());
        self.lines = lines;
    }

    fn describe_agreed(&mut self) -> Sdp {
        let lines = std::mem::take(&mut self.lines);
        let sdp = self.describe(&lines);
        self.lines = lines;
        sdp
    }

    fn describe(&mut self, lines: &[Line]) -> Sdp {
        // RFC 3264 §8: the version "MUST increment by one" for a description that differs.
        self.version += 1;
        let ports = |live: &Live| self.ports[live.port];
        let print = &*self.print;
        let sections = lines.iter().map(|line| render::section(line, ports, print));
        let sections = sections.collect();
        let group = bundle::group(lines);
        render::session(self.session_id, self.version, self.ip(), group, sections)
    }
}

fn count(lines: &[Line], kind: Kind) -> usize {
    let live = lines.iter().filter_map(Line::live);
    live.filter(|live| live.kind == kind).count()
}

/// Why a description as a whole is refused: for the fault of its first line that is about media.
fn refusal(faults: Vec<(usize, MediaKind, LineFault)>) -> Refused {
    let is_fax = faults.iter().any(|(_, kind, _)| *kind == MediaKind::Image);
    let mut faults = faults.into_iter();
    let fault = faults.find_map(|(_, kind, fault)| Some((av_kind(&kind)?, fault)));
    match fault {
        Some((kind, LineFault::NoCommonCodec { offered, allowed })) => Refused::NoCommonCodec {
            kind,
            offered,
            allowed,
        },
        Some((_, fault @ (LineFault::Encryption { .. } | LineFault::Family { .. }))) => {
            Refused::Line(fault)
        }
        Some((_, fault @ (LineFault::NoFeedback(_) | LineFault::Address))) => Refused::Line(fault),
        Some((_, fault @ (LineFault::NoPort | LineFault::Profile(_)))) => Refused::Line(fault),
        None if is_fax => Refused::Fax,
        Some((_, LineFault::Kind | LineFault::TooMany { .. } | LineFault::NotBundled)) | None => {
            Refused::NoMedia
        }
    }
}

/// Of a leg without ports, which negotiates nothing.
const UNSPECIFIED: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
