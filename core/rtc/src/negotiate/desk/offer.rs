//! Our offers to a desk phone, and what its answers make of them.

use super::bundle;
use super::crypto::{Crypto, Keys};
use super::ice::{self, Checks};
use super::line::{Line, Live, Use};
use super::section::{Profile, Section};
use super::secure::{self, Association};
use super::{DeskNegotiator, count, refusal, render};
use crate::Refused;
use crate::negotiate::decide::{self, is_closed};
use crate::negotiate::format::{self, Described};
use crate::negotiate::note::{LineFault, Note};
use crate::policy::{Encryption, Policy};
use crate::topology::{Topology, Wishes};
use codec::{Codec, Kind};
use sdp::{Direction, Media, MediaKind, Sdp, Setup};

impl DeskNegotiator {
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
    pub(super) fn answered(
        &self,
        live: &mut Live,
        answer: &Sdp,
        media: &Media,
    ) -> Result<(), LineFault> {
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

    /// A key for each suite we offer, the preferred one first.
    fn fresh_keys(&mut self) -> Vec<Crypto> {
        if !matches!(self.terms.encryption, Encryption::Sdes { .. }) {
            return Vec::new();
        }
        let keys = (1..).zip(self.terms.encryption.suites());
        keys.map(|(tag, suite)| Crypto::fresh(tag, suite, &mut self.rng))
            .collect()
    }
}
