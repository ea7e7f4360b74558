//! Offer/answer of desk phones (RFC 3264): RTP/AVP, RTP/AVPF, and their secure kin with keys in the
//! description (RFC 4568) or by DTLS (RFC 5764); with or without ICE (RFC 8839). One pair of ports for each
//! stream, or one for all.
//!
//! Values only, like the negotiator of browsers, but without an engine to please: each line is decided
//! by itself, but that lines may share a port where `bundle=yes` allows it (RFC 9143). Deliberately not
//! here: capability negotiation (RFC 5939).

mod bundle;
mod crypto;
mod ice;
mod render;
mod section;
mod secure;

pub(crate) use bundle::Name;
pub(crate) use crypto::Keys;
pub(crate) use ice::{Checks, Reached};
pub(crate) use section::Remote;
pub(crate) use secure::Association;

use super::decide::{self, is_closed};
use super::format::{self, Described};
use super::note::{LineFault, Note};
use super::table::av_kind;
use crate::Refused;
use crate::peer::{Credentials, PortPair};
use crate::policy::{Encryption, Policy, Role, Terms};
use crate::topology::{Payload, Stream, Topology, Wishes};
use codec::{Codec, Kind};
use crypto::Crypto;
use rand_chacha::ChaCha12Rng;
use rand_core::{Rng, SeedableRng};
use sdp::{Direction, Media, MediaKind, Sdp, Setup};
use section::{Profile, Section};
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

/// One `m=` line.
#[derive(Clone, Debug)]
struct Line {
    kind: MediaKind,
    profile: Box<str>,
    /// The formats the peer wrote, echoed where the line is refused.
    formats: Vec<Box<str>>,
    mid: Option<Box<str>>,
    state: Use,
}

#[derive(Clone, Debug)]
enum Use {
    Closed,
    Live(Box<Live>),
}

/// What a line in use is about.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    pub(crate) kind: Kind,
    /// Which of our pairs of ports.
    pub(crate) port: usize,
    /// Seen from us.
    pub(crate) direction: Direction,
    /// The most that we allow: less than `SendRecv` while we hold the peer.
    ceiling: Direction,
    /// What the peer may send to us, best first; in an answer also what we send.
    pub(crate) formats: Vec<Described>,
    /// What our numbers have meant in this call: RFC 3264 §8.3.2 lets none mean something else later.
    known: Vec<Described>,
    /// What we send to the peer, under its numbers.
    pub(crate) sends: Vec<Described>,
    pub(crate) remote: Option<Remote>,
    pub(crate) mux: bool,
    pub(crate) feedback: bool,
    pub(crate) keys: Option<Keys>,
    /// In an offer of ours, the keys among which the peer chooses.
    offered_keys: Vec<Crypto>,
    /// What the peer asks of our packets.
    wishes: Wishes,
    /// Where DTLS is offered or agreed: the role we write.
    setup: Option<Setup>,
    /// Whose handshake it is.
    pub(crate) association: Option<Association>,
    /// Where ICE is offered or agreed: what the peer's checks have to know.
    ice: Option<Credentials>,
    pub(crate) checks: Option<Checks>,
    /// Whether it is in the group of our description.
    is_grouped: bool,
    /// The line whose port, path and keys it shares.
    pub(crate) follows: Option<usize>,
    /// What its packets name it by.
    pub(crate) name: Option<Name>,
    /// The sources that the peer says it sends.
    pub(crate) ssrcs: Vec<u32>,
}

impl Live {
    /// Whether the peer takes requests for key frames by RTCP: RFC 4585 §4 asks for a profile with feedback, but
    /// many phones describe theirs under the plain one.
    pub(crate) fn takes_keyframe_requests(&self) -> bool {
        let describes = |own: &Described| own.asks_keyframes();
        self.feedback || self.sends.iter().any(describes)
    }
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

    /// Answers the peer's offer.
    pub(crate) fn answer(&mut self, offer: &Sdp) -> Result<Sdp, Refused> {
        if self.offered.is_some() {
            return Err(Refused::OfferPending);
        }
        self.check_shape(offer)?;
        let mut lines: Vec<Line> = offer.media.iter().map(Line::of).collect();
        let mut faults = Vec::new();
        let mut first = None;
        let mids: Vec<_> = offer.media.iter().map(Media::mid).collect();
        for mline in bundle::order(offer, &mids, self.terms.bundle) {
            let media = &offer.media[mline];
            let before = self.lines.get(mline).and_then(Line::live).cloned();
            // RFC 3264 §8.3.3 lets a line change its kind, as gateways do that hear a fax: it is refused as what it is now.
            let is_other = before
                .as_ref()
                .is_some_and(|before| av_kind(&media.kind) != Some(before.kind));
            if !is_closed(offer, media) {
                let accepted = match is_other {
                    true => Err(LineFault::Kind),
                    false => self.accept_grouped(offer, mline, first, before.as_ref(), &lines),
                };
                match accepted {
                    Ok(live) => {
                        first = first.or_else(|| live.is_grouped.then_some(mline));
                        lines[mline].state = Use::Live(Box::new(live));
                    }
                    Err(fault) => faults.push((mline, media.kind.clone(), fault)),
                }
            }
        }
        faults.sort_by_key(|(mline, ..)| *mline);
        let is_dead = lines.iter().all(|line| line.live().is_none());
        if is_dead && (self.lines.is_empty() || !faults.is_empty()) {
            return Err(refusal(faults));
        }
        for (mline, kind, fault) in faults {
            self.notes.push(Note::LineRefused {
                mline,
                media: kind.as_str().into(),
                fault,
            });
        }
        self.commit(lines);
        Ok(self.describe_agreed())
    }

    /// An offer that leads to `want`; `None` where that stands already.
    pub(crate) fn offer(&mut self, want: &Topology) -> Result<Option<Sdp>, Refused> {
        if self.offered.is_some() {
            return Err(Refused::OfferPending);
        }
        let mut lines = self.lines.clone();
        let mut is_new = self.lines.is_empty();
        for stream in want.iter() {
            if let Some(mid) = &stream.mid {
                let index = mid.parse::<usize>().ok();
                let line = index.and_then(|index| lines.get_mut(index));
                if let Some(live) = line.and_then(Line::live_mut)
                    && live.direction != stream.direction
                {
                    live.ceiling = stream.direction;
                    live.direction = stream.direction;
                    is_new = true;
                }
            } else if let Some(line) = self.added(stream.kind, stream.direction, &lines) {
                lines.push(self.grouped(line, &lines));
                is_new = true;
            }
        }
        if !is_new {
            return Ok(None);
        }
        if lines.iter().all(|line| line.live().is_none()) {
            return Err(Refused::NoMedia);
        }
        Ok(Some(self.offer_lines(lines)))
    }

    fn offer_lines(&mut self, mut lines: Vec<Line>) -> Sdp {
        let role = secure::offer_of(self.role());
        for live in lines.iter_mut().filter_map(Line::live_mut) {
            // RFC 8842 §5.3: as long as the association stands, so do its roles.
            let standing = live.association.as_ref().map(Association::setup);
            let standing = standing.filter(|_| role != Setup::ActPass);
            live.setup = live.setup.map(|_| standing.unwrap_or(role));
        }
        let sdp = self.describe(&lines);
        self.offered = Some(lines);
        sdp
    }

    /// An offer of what stands, with these codecs of sound alone; `None` where they stand already.
    pub(crate) fn recode(&mut self, codecs: &[&'static Codec]) -> Result<Option<Sdp>, Refused> {
        if self.offered.is_some() {
            return Err(Refused::OfferPending);
        }
        let mut lines = self.lines.clone();
        let mut is_new = false;
        let usual = render::formats(&self.policy, Kind::Audio);
        let pictures = bundle::numbers(&lines, Kind::Video);
        let lives = lines.iter_mut().filter_map(Line::live_mut);
        for live in lives.filter(|live| live.kind == Kind::Audio) {
            let mut formats = live.known.clone();
            for own in &usual {
                let is_taken = |known: &Described| {
                    known.payload.number == own.payload.number
                        || known.payload.format == own.payload.format
                };
                if !formats.iter().any(is_taken) {
                    formats.push(own.clone());
                    bundle::renumber(&mut formats, live.is_grouped, &pictures);
                }
            }
            format::keep(&mut formats, codecs);
            if !decide::has_codec(&formats) {
                continue;
            }
            let agreed = live.agreed();
            let stands = agreed.iter().filter_map(|own| own.format.codec());
            let wanted = formats.iter().filter_map(|own| own.payload.format.codec());
            is_new |= wanted.ne(stands);
            live.formats = formats;
            live.remember();
        }
        if !is_new {
            return Ok(None);
        }
        Ok(Some(self.offer_lines(lines)))
    }

    /// Takes the peer's answer to our offer. On an error the offer is gone and what was agreed stands.
    pub(crate) fn apply(&mut self, answer: &Sdp) -> Result<(), Refused> {
        let offered = self.offered.take().ok_or(Refused::NoOfferPending)?;
        self.take_answer(offered, answer)
    }

    /// Takes the peer's answer to the description that stands, which was sent once more.
    pub(crate) fn confirm(&mut self, answer: &Sdp) -> Result<(), Refused> {
        if self.offered.is_some() {
            return Err(Refused::OfferPending);
        }
        let standing = self.lines.clone();
        self.take_answer(standing, answer)
    }

    /// Forgets our offer.
    pub(crate) fn rollback(&mut self) {
        self.offered = None;
    }

    /// RFC 3264 §8: what a later offer may not change.
    fn check_shape(&self, offer: &Sdp) -> Result<(), Refused> {
        if offer.media.len() < self.lines.len() {
            return Err(Refused::LinesRemoved {
                before: self.lines.len(),
                now: offer.media.len(),
            });
        }
        Ok(())
    }

    /// Decides about one line of the peer's offer.
    fn accept(
        &mut self,
        offer: &Sdp,
        media: &Media,
        leader: Option<&Live>,
        before: Option<&Live>,
        lines: &[Line],
    ) -> Result<Live, LineFault> {
        let order = self.policy.reading.to_answer();
        let read =
            |policy: &Policy| Section::read(offer, media, policy, &self.terms, order, self.ip());
        let wider = before.and_then(|_| self.policy.at_last());
        let section = match (read(&self.policy), wider) {
            // The phone changes to a codec that the other party has not.
            (Err(fault @ LineFault::NoCommonCodec { .. }), Some(wider)) => {
                read(&wider).map_err(|_| fault)?
            }
            (section, _) => section?,
        };
        let max = self.policy.max_streams(section.kind);
        if count(lines, section.kind) >= max {
            return Err(LineFault::TooMany { max });
        }
        let port = self.port_of(leader, before, section.kind, lines);
        let port = port.ok_or(LineFault::NoPort)?;
        let ceiling = before.map_or_else(|| self.ceiling(section.kind), |before| before.ceiling);
        let keys = section.cryptos.first().map(|theirs| Keys {
            ours: self.own_key(before, theirs),
            theirs: theirs.clone(),
        });
        let formats = section.formats;
        let association = section.dtls.map(|theirs| {
            let standing = before.and_then(|before| before.association.as_ref());
            theirs.offered(standing, self.role())
        });
        let checks = section.ice.map(|theirs| {
            let known = before.and_then(|before| before.checks.as_ref());
            let known = known.filter(|known| theirs.continues(&known.theirs));
            Checks {
                // RFC 8445 §9: who changes its own credentials restarts, and gets new ones of ours.
                ours: known.map_or_else(|| ice::fresh(&mut self.rng), |known| known.ours.clone()),
                is_controlling: known.is_some_and(|known| known.is_controlling),
                theirs,
            }
        });
        let mut live = Live {
            kind: section.kind,
            port,
            direction: section.direction.reversed().intersect(ceiling),
            ceiling,
            sends: formats.clone(),
            known: before
                .map(|before| before.known.clone())
                .unwrap_or_default(),
            formats,
            remote: section.remote,
            mux: section.mux,
            feedback: section.feedback,
            keys,
            offered_keys: Vec::new(),
            wishes: section.wishes,
            setup: association.as_ref().map(Association::setup),
            association,
            ice: checks.as_ref().map(|checks| checks.ours.clone()),
            checks,
            is_grouped: false,
            follows: None,
            name: None,
            ssrcs: bundle::sources(media),
        };
        live.remember();
        Ok(live)
    }

    /// The most that a line of this kind has when the peer adds it: that of those in use, else what the policy says.
    fn ceiling(&self, kind: Kind) -> Direction {
        let mut known = self.lines.iter().filter_map(Line::live);
        let known = known.find(|live| live.kind == kind);
        let known = known.filter(|_| kind == Kind::Video);
        known.map_or_else(|| self.policy.ceiling(kind), |live| live.ceiling)
    }

    /// Our key stays while the suite does: its count of packets goes on.
    fn own_key(&mut self, before: Option<&Live>, theirs: &Crypto) -> Crypto {
        let suite = theirs.key.suite();
        let before = before.and_then(|before| before.keys.as_ref());
        match before {
            Some(keys) if keys.ours.key.suite() == suite => Crypto {
                tag: theirs.tag,
                ..keys.ours.clone()
            },
            Some(_) | None => Crypto::fresh(theirs.tag, suite, &mut self.rng),
        }
    }

    fn take_answer(&mut self, mut lines: Vec<Line>, answer: &Sdp) -> Result<(), Refused> {
        if answer.media.len() != lines.len() {
            return Err(Refused::LineCount {
                offered: lines.len(),
                answered: answer.media.len(),
            });
        }
        let mut faults = Vec::new();
        let mut notes = Vec::new();
        let mut first = None;
        let mids: Vec<_> = lines.iter().map(|line| line.mid.clone()).collect();
        let mids: Vec<_> = mids.iter().map(Option::as_deref).collect();
        for mline in bundle::order(answer, &mids, self.terms.bundle) {
            let media = &answer.media[mline];
            let Some(mut live) = lines[mline].live().cloned() else {
                continue;
            };
            if lines[mline].kind != media.kind {
                return Err(Refused::LineChanged { mline });
            }
            let answered = match is_closed(answer, media) {
                true => Err(None),
                false => self
                    .answered_grouped(&mut live, answer, mline, first, &lines)
                    .map_err(Some),
            };
            if answered.is_ok() {
                first = first.or_else(|| live.is_grouped.then_some(mline));
                lines[mline].state = Use::Live(Box::new(live));
            }
            if let Err(fault) = answered {
                lines[mline].state = Use::Closed;
                notes.push(Note::PeerRefused { mline });
                faults.extend(fault.map(|fault| (mline, media.kind.clone(), fault)));
            }
        }
        faults.sort_by_key(|(mline, ..)| *mline);
        if lines.iter().all(|line| line.live().is_none()) {
            return Err(refusal(faults));
        }
        self.notes.append(&mut notes);
        self.commit(lines);
        Ok(())
    }

    /// What the peer's answer makes of one of our lines.
    fn answered(&self, live: &mut Live, answer: &Sdp, media: &Media) -> Result<(), LineFault> {
        let order = self.policy.reading.answers;
        let read =
            |policy: &Policy| Section::read(answer, media, policy, &self.terms, order, self.ip());
        let is_later = |own: &Described| {
            let codec = own.payload.format.codec();
            codec.is_some_and(|codec| self.policy.later.contains(&codec))
        };
        // What we offered may be what the phone changed to.
        let wider = self.policy.at_last();
        let wider = wider.filter(|_| live.formats.iter().any(is_later));
        let section = match (read(&self.policy), wider) {
            (Err(LineFault::NoCommonCodec { .. }), Some(wider)) => read(&wider)?,
            (section, _) => section?,
        };
        live.keys = match (&live.keys, section.cryptos.first()) {
            (_, None) => None,
            (Some(keys), Some(theirs)) if live.offered_keys.is_empty() => Some(Keys {
                ours: keys.ours.clone(),
                theirs: theirs.clone(),
            }),
            (_, Some(theirs)) => {
                // RFC 4568 §5.1.3: the answer has the tag of the line that was chosen.
                let ours = live
                    .offered_keys
                    .iter()
                    .find(|ours| ours.tag == theirs.tag && ours.key.suite() == theirs.key.suite());
                let ours = ours.ok_or(LineFault::Encryption {
                    offered: "a key that was not offered",
                })?;
                Some(Keys {
                    ours: ours.clone(),
                    theirs: theirs.clone(),
                })
            }
        };
        live.offered_keys.clear();
        live.association = match (live.setup, section.dtls) {
            (Some(said), Some(theirs)) => Some(theirs.answered(live.association.as_ref(), said)),
            (None, _) | (_, None) => None,
        };
        live.setup = live.association.as_ref().map(Association::setup);
        live.checks = match (&live.ice, section.ice) {
            (Some(ours), Some(theirs)) => Some(Checks {
                ours: ours.clone(),
                is_controlling: live
                    .checks
                    .as_ref()
                    .is_none_or(|known| known.is_controlling),
                theirs,
            }),
            (None, _) | (_, None) => None,
        };
        if live.checks.is_none() {
            live.ice = None;
        }
        // RFC 3264 §6.1 binds the answer to the offer.
        live.direction = section.direction.reversed().intersect(live.direction);
        live.sends = section.formats;
        live.remote = section.remote;
        live.mux &= section.mux;
        live.wishes = section.wishes;
        live.ssrcs = bundle::sources(media);
        Ok(())
    }

    /// A new line of ours, where the endpoint may have one more of its kind.
    fn added(&mut self, kind: Kind, direction: Direction, lines: &[Line]) -> Option<Line> {
        let max = self.policy.max_streams(kind);
        let formats = render::formats(&self.policy, kind);
        let port = self.free_port(kind, lines);
        let (Some(port), true) = (
            port.filter(|_| count(lines, kind) < max),
            decide::has_codec(&formats),
        ) else {
            self.notes.push(Note::StreamsDropped {
                kind,
                dropped: 1,
                max,
            });
            return None;
        };
        let offered_keys = self.fresh_keys();
        let is_dtls = matches!(self.terms.encryption, Encryption::Dtls { .. });
        let ice = self.terms.ice.then(|| ice::fresh(&mut self.rng));
        Some(Line {
            kind: MediaKind::from_name(kind.as_str()),
            profile: Profile::offered(&self.terms).into(),
            formats: Vec::new(),
            mid: None,
            state: Use::Live(Box::new(Live {
                kind,
                port,
                direction,
                ceiling: Direction::SendRecv,
                sends: formats.clone(),
                known: formats.clone(),
                formats,
                remote: None,
                mux: self.terms.rtcp_mux,
                feedback: self.terms.feedback,
                keys: None,
                offered_keys,
                wishes: Wishes::default(),
                setup: is_dtls.then(|| secure::offer_of(self.role())),
                association: None,
                ice,
                checks: None,
                is_grouped: false,
                follows: None,
                name: None,
                ssrcs: Vec::new(),
            })),
        })
    }

    fn role(&self) -> Role {
        match self.terms.encryption {
            Encryption::Dtls { role, .. } => role,
            Encryption::No | Encryption::Sdes { .. } => Role::default(),
        }
    }

    /// A key for each suite we offer, the preferred one first.
    fn fresh_keys(&mut self) -> Vec<Crypto> {
        if !matches!(self.terms.encryption, Encryption::Sdes { .. }) {
            return Vec::new();
        }
        let keys = (1..).zip(self.terms.encryption.suites());
        keys.map(|(tag, suite)| Crypto::fresh(tag, suite, &mut self.rng))
            .collect()
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

impl Live {
    /// Notes what the numbers of our description mean.
    fn remember(&mut self) {
        for own in &self.formats {
            let number = own.payload.number;
            match self
                .known
                .iter_mut()
                .find(|known| known.payload.number == number)
            {
                // The peer may change its mind; ours follow it.
                Some(known) => known.clone_from(own),
                None => self.known.push(own.clone()),
            }
        }
    }

    /// What both sides have, in the order the peer likes it: what it answered to our offer is less than
    /// what we offered, and nothing else may be sent to it.
    fn agreed(&self) -> Vec<Payload> {
        let own = |theirs: &Described| {
            let formats = &self.formats;
            let same = formats.iter().find(|own| own.payload == theirs.payload);
            let is_alike = |own: &&Described| own.payload.format == theirs.payload.format;
            same.or_else(|| formats.iter().find(is_alike))
        };
        let both = self.sends.iter().filter_map(own);
        both.map(|own| own.payload).collect()
    }
}

impl Line {
    /// As the peer writes it, not in use yet.
    fn of(media: &Media) -> Self {
        Self {
            kind: media.kind.clone(),
            profile: media.profile.clone(),
            formats: media.formats.clone(),
            mid: media.mid().map(Into::into),
            state: Use::Closed,
        }
    }

    fn live(&self) -> Option<&Live> {
        match &self.state {
            Use::Live(live) => Some(live),
            Use::Closed => None,
        }
    }

    fn live_mut(&mut self) -> Option<&mut Live> {
        match &mut self.state {
            Use::Live(live) => Some(live),
            Use::Closed => None,
        }
    }
}

fn count(lines: &[Line], kind: Kind) -> usize {
    let live = lines.iter().filter_map(Line::live);
    live.filter(|live| live.kind == kind).count()
}

/// Why a description as a whole is refused: for the fault of its first line that is about media.
fn refusal(faults: Vec<(usize, MediaKind, LineFault)>) -> Refused {
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
        Some((_, LineFault::Kind | LineFault::TooMany { .. } | LineFault::NotBundled)) | None => {
            Refused::NoMedia
        }
    }
}

/// Of a leg without ports, which negotiates nothing.
const UNSPECIFIED: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
