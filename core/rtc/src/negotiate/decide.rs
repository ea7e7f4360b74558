//! What becomes of each line of the peer's offer.

use std::collections::BTreeSet;

use codec::Kind;
use sdp::{Direction, Media, Sdp};

use super::canonical::{self, LiveSection};
use super::format::{self, Described};
use super::note::{LineFault, Note};
use super::table::{LineState, Table, av_kind, bundle_of};
use crate::Refused;
use crate::policy::Policy;
use crate::topology::Format;

/// The fate of one line.
#[derive(Debug)]
pub(super) enum Verdict {
    /// Accepted. The direction is the peer's, narrowed to what we allow.
    Live(LiveSection),
    /// The peer itself does not use it.
    Closed,
    /// Answered with port 0.
    Refused(LineFault),
}

/// Decides line by line; payload types are claimed in `table` on the way.
pub(super) fn decide(offer: &Sdp, table: &mut Table, policy: &Policy) -> (Vec<Verdict>, Vec<Note>) {
    let mut decider = Decider {
        offer,
        policy,
        leader: None,
        audio: 0,
        video: 0,
        notes: Vec::new(),
    };
    let verdicts = (0..offer.media.len())
        .map(|mline| decider.verdict(mline, table))
        .collect();
    (verdicts, decider.notes)
}

/// RFC 3264 §8 and RFC 8829 §5.8: what a later offer may not change.
pub(super) fn check_shape(table: &Table, offer: &Sdp) -> Result<(), Refused> {
    // "If an SDP is offered, which is different from the previous SDP, the new SDP MUST have a
    // matching media stream for each media stream in the previous SDP."
    if offer.media.len() < table.lines.len() {
        return Err(Refused::LinesRemoved {
            before: table.lines.len(),
            now: offer.media.len(),
        });
    }
    let mut mids = BTreeSet::new();
    for (mline, media) in offer.media.iter().enumerate() {
        if media.mid().is_some_and(|mid| !mids.insert(mid)) {
            return Err(Refused::DuplicateMid { mline });
        }
    }
    for (mline, (line, media)) in table.lines.iter().zip(&offer.media).enumerate() {
        if line.slot().is_none() || is_closed(offer, media) {
            continue;
        }
        let renamed =
            matches!((line.mid.as_deref(), media.mid()), (Some(old), Some(new)) if old != new);
        if line.kind != media.kind || renamed {
            return Err(Refused::LineChanged { mline });
        }
    }
    Ok(())
}

/// Port 0 means not in use, except inside BUNDLE (RFC 9143 §7.1.3, max-bundle).
pub(super) fn is_closed(sdp: &Sdp, media: &Media) -> bool {
    media.port == 0 && bundle_of(sdp, media.mid()).is_none()
}

/// Any RTP profile will do as long as fingerprint and ICE are there: RFC 8829 §5.1.3 lists five
/// names, and Asterisk and old clients write still others for the same thing.
fn is_rtp(profile: &str) -> bool {
    let last = profile.rsplit("RTP/").next().unwrap_or_default();
    profile.contains("RTP/") && matches!(last, "SAVPF" | "SAVP" | "AVPF" | "AVP")
}

/// Whether there is media among the formats, not digits alone.
pub(super) fn has_codec(formats: &[Described]) -> bool {
    formats
        .iter()
        .any(|described| matches!(described.payload.format, Format::Codec(_)))
}

/// The names in `allow=` for a sentence.
pub(super) fn allowed_names(policy: &Policy, kind: Kind) -> Box<str> {
    let names: Vec<&str> = policy
        .codecs(kind)
        .iter()
        .map(|codec| codec.encoding)
        .collect();
    if names.is_empty() {
        "none".into()
    } else {
        names.join(", ").into()
    }
}

struct Decider<'a> {
    offer: &'a Sdp,
    policy: &'a Policy,
    /// The first accepted line, and the bundle it is in.
    leader: Option<Option<Vec<&'a str>>>,
    audio: usize,
    video: usize,
    notes: Vec<Note>,
}

impl Decider<'_> {
    fn verdict(&mut self, mline: usize, table: &mut Table) -> Verdict {
        let offer = self.offer;
        let media = &offer.media[mline];
        if is_closed(offer, media) {
            return Verdict::Closed;
        }
        match self.accept(mline, media, table) {
            Ok(live) => {
                *self.count(live.kind) += 1;
                if self.leader.is_none() {
                    self.leader = Some(bundle_of(offer, media.mid()));
                }
                Verdict::Live(live)
            }
            Err(fault) => {
                self.notes.push(Note::LineRefused {
                    mline,
                    media: media.kind.as_str().into(),
                    fault: fault.clone(),
                });
                Verdict::Refused(fault)
            }
        }
    }

    fn accept(
        &mut self,
        mline: usize,
        media: &Media,
        table: &mut Table,
    ) -> Result<LiveSection, LineFault> {
        let kind = av_kind(&media.kind).ok_or(LineFault::Kind)?;
        if !is_rtp(&media.profile) {
            return Err(LineFault::Profile(media.profile.clone()));
        }
        let max = self.policy.max_streams(kind);
        if *self.count(kind) >= max {
            return Err(LineFault::TooMany { max });
        }
        match &self.leader {
            None => {}
            Some(Some(bundle)) if media.mid().is_some_and(|mid| bundle.contains(&mid)) => {}
            Some(_) => return Err(LineFault::NotBundled),
        }
        let formats = table.payload_types.claim(format::read(
            media,
            kind,
            self.policy,
            self.policy.reading.to_answer(),
        ));
        if !has_codec(&formats) {
            return Err(LineFault::NoCommonCodec {
                offered: format::names(media),
                allowed: allowed_names(self.policy, kind),
            });
        }
        Ok(LiveSection {
            kind,
            direction: self.direction(mline, media, kind, table),
            formats,
            extensions: Vec::new(),
            ssrc: canonical::sources(media),
        })
    }

    /// The offered direction within what we allow.
    fn direction(&mut self, mline: usize, media: &Media, kind: Kind, table: &Table) -> Direction {
        let offered = self.offer.direction(media);
        // sipML5 holds by taking its track out, then writes `sendonly` over the browser's
        // `recvonly`. The browser then rejects the `recvonly` that RFC 3264 §6.1 asks for.
        let sipml5 = self.offer.session_name().starts_with("Doubango Telecom");
        if sipml5 && offered == Direction::SendOnly {
            self.notes.push(Note::HeldInactive { mline });
            return Direction::Inactive;
        }
        let ceiling = match table.lines.get(mline) {
            Some(line) if matches!(line.state, LineState::Live { .. }) => line.ceiling,
            Some(_) | None => table.ceiling(kind, self.policy),
        };
        offered.intersect(ceiling.reversed())
    }

    fn count(&mut self, kind: Kind) -> &mut usize {
        match kind {
            Kind::Audio => &mut self.audio,
            Kind::Video => &mut self.video,
        }
    }
}
