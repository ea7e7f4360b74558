//! Offers of a desk phone, and our answers: each line is decided by itself.

use super::bundle;
use super::crypto::{Crypto, Keys};
use super::ice::{self, Checks};
use super::line::{Line, Live, Use};
use super::section::Section;
use super::secure::Association;
use super::{DeskNegotiator, count, refusal};
use crate::Refused;
use crate::negotiate::decide::is_closed;
use crate::negotiate::note::{LineFault, Note};
use crate::negotiate::table::av_kind;
use crate::policy::Policy;
use codec::Kind;
use sdp::{Direction, Media, Sdp};

impl DeskNegotiator {
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
    pub(super) fn accept(
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
}
