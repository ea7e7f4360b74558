//! Lines that share one port (BUNDLE, RFC 9143): which they are, and what they have in common.
//!
//! Our offers have real ports for each line, so that a phone without BUNDLE is served as ever. In an answer the
//! first line in use leads: its port, path and keys are those of all.

use super::line::{Line, Live};
use super::{DeskNegotiator, LineFault};
use crate::negotiate::format::Described;
use crate::negotiate::table::bundle_of;
use codec::Kind;
use sdp::{Line as Row, Media, Sdp};

/// What packets of a line name it by: the header extension of RFC 9143 §15.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    /// The number of the extension.
    pub(crate) number: u8,
    pub(crate) mid: Box<str>,
}

impl Name {
    /// `None` where the section asks for no names, or for one that the short form has no room for.
    fn read(media: &Media, mid: &str) -> Option<Self> {
        let mut written = media.attributes("extmap");
        let number = written.find_map(|value| {
            let (number, uri) = value.split_once(' ')?;
            let number = number.split('/').next()?;
            let is_it = uri.split(' ').next() == Some(NAMED);
            is_it.then(|| number.parse::<u8>().ok())?
        });
        let number = number.filter(|number| (1..=14).contains(number))?;
        Self::new(number, mid)
    }

    fn new(number: u8, mid: &str) -> Option<Self> {
        (1..=16).contains(&mid.len()).then(|| Self {
            number,
            mid: mid.into(),
        })
    }
}

impl DeskNegotiator {
    /// Decides about a line of the peer's offer, which may share the port of the first one.
    pub(super) fn accept_grouped(
        &mut self,
        offer: &Sdp,
        mline: usize,
        first: Option<usize>,
        before: Option<&Live>,
        lines: &[Line],
    ) -> Result<Live, LineFault> {
        let media = &offer.media[mline];
        let mid = media.mid().unwrap_or_default();
        let group = bundle_of(offer, media.mid()).filter(|_| self.terms.bundle);
        let Some(group) = group else {
            return self.accept(offer, media, None, before, lines);
        };
        if let Some(first) = first
            && let Some(leader) = lines[first].live()
            && let Some(tag) = lines[first].mid.as_deref()
            && group.contains(&tag)
        {
            let like = unfolded(media, &offer.media[first]);
            let mut live = self.accept(offer, &like, Some(leader), before, lines)?;
            live.name = named_alike(media, mid, leader);
            // RFC 9143 §9.3: a number that means two things tells nobody which line it is of.
            let mut others = lines.iter().filter_map(Line::live);
            let is_clear =
                others.all(|own| !own.is_grouped || !is_ambiguous(&live.formats, &own.formats));
            if is_clear || live.name.is_some() {
                live.follow(first, leader);
                return Ok(live);
            }
        }
        if media.port == 0 {
            return Err(LineFault::NotBundled);
        }
        let mut live = self.accept(offer, media, None, before, lines)?;
        if first.is_none() && live.mux {
            live.is_grouped = true;
            live.name = Name::read(media, mid);
        }
        Ok(live)
    }

    /// What the peer's answer makes of one of our lines, which may share the port of the first one.
    pub(super) fn answered_grouped(
        &self,
        live: &mut Live,
        answer: &Sdp,
        mline: usize,
        first: Option<usize>,
        lines: &[Line],
    ) -> Result<(), LineFault> {
        let media = &answer.media[mline];
        if !live.is_grouped {
            return self.answered(live, answer, media);
        }
        // Who has one port with others already cannot leave them: whatever the answer says, it comes there.
        let mut others = lines.iter().enumerate().filter(|(own, _)| *own != mline);
        let is_shared = others.any(|(_, own)| own.live().map(|own| own.port) == Some(live.port));
        let group = bundle_of(answer, lines[mline].mid.as_deref());
        live.is_grouped = false;
        live.follows = None;
        let name = live.name.take();
        let leader = first.and_then(|first| Some((first, lines[first].live()?)));
        if let Some((first, leader)) = leader {
            let tag = lines[first].mid.as_deref();
            let is_in = |group: &Vec<&str>| tag.is_some_and(|tag| group.contains(&tag));
            if is_shared || group.as_ref().is_some_and(is_in) {
                self.answered(live, answer, &unfolded(media, &answer.media[first]))?;
                live.ssrcs = sources(media);
                live.name = name
                    .filter(|name| named_alike(media, &name.mid, leader).as_ref() == Some(name));
                live.follow(first, leader);
                return Ok(());
            }
        }
        if media.port == 0 {
            return Err(LineFault::NotBundled);
        }
        self.answered(live, answer, media)?;
        if first.is_none() && live.mux && (is_shared || group.is_some()) {
            live.is_grouped = true;
            live.name = name.filter(|name| Name::read(media, &name.mid).as_ref() == Some(name));
        }
        Ok(())
    }

    /// Takes a new line of ours into the group. Where a call began without one it goes on so.
    pub(super) fn grouped(&self, mut line: Line, lines: &[Line]) -> Line {
        let mut standing = self.live().filter(|(_, live)| live.is_grouped);
        let leader = standing.find(|(_, live)| live.follows.is_none());
        if !self.terms.bundle || !self.lines.is_empty() && leader.is_none() {
            return line;
        }
        let is_taken = |mid: &str| lines.iter().any(|own| own.mid.as_deref() == Some(mid));
        let mut names = (lines.len()..).map(|number| number.to_string());
        let mid = names.find(|mid| !is_taken(mid)).unwrap_or_default();
        let number = match leader {
            Some((_, leader)) => leader.name.as_ref().map(|name| name.number),
            None => Some(NUMBER_USUAL),
        };
        let kinds = [Kind::Audio, Kind::Video].into_iter();
        let taken: Vec<Described> = kinds.flat_map(|kind| numbers(lines, kind)).collect();
        if let Some(live) = line.live_mut() {
            live.is_grouped = true;
            live.name = number.and_then(|number| Name::new(number, &mid));
            renumber(&mut live.formats, true, &taken);
            live.sends.clone_from(&live.formats);
            live.known.clone_from(&live.formats);
        }
        line.mid = Some(mid.into());
        line
    }
}

impl Live {
    /// Takes over what the line has whose port it shares.
    fn follow(&mut self, first: usize, leader: &Self) {
        self.port = leader.port;
        self.remote = leader.remote;
        self.mux = leader.mux;
        self.keys.clone_from(&leader.keys);
        self.offered_keys.clear();
        self.setup = leader.setup;
        self.association.clone_from(&leader.association);
        self.ice.clone_from(&leader.ice);
        self.checks.clone_from(&leader.checks);
        self.is_grouped = true;
        self.follows = Some(first);
    }
}

/// The lines as they are decided on: those of a group as it ranks them, then the others.
pub(super) fn order(sdp: &Sdp, mids: &[Option<&str>], bundles: bool) -> Vec<usize> {
    let count = mids.len().min(sdp.media.len());
    let mut order = Vec::new();
    if bundles {
        let groups = sdp.groups().filter(|group| group.semantics == "BUNDLE");
        for mid in groups.flat_map(|group| group.mids) {
            let place = mids.iter().take(count).position(|own| *own == Some(mid));
            let place = place.filter(|place| !order.contains(place));
            order.extend(place);
        }
    }
    let rest: Vec<_> = (0..count).filter(|mline| !order.contains(mline)).collect();
    order.extend(rest);
    order
}

/// The mids of the group we write, the leading one first.
pub(super) fn group(lines: &[Line]) -> Option<String> {
    let of = |is_leader: bool| {
        lines.iter().filter_map(move |line| {
            let live = line.live().filter(|live| live.is_grouped)?;
            let is_wanted = live.follows.is_none() == is_leader;
            line.mid.as_deref().filter(|_| is_wanted)
        })
    };
    let mids: Vec<_> = of(true).chain(of(false)).collect();
    (!mids.is_empty()).then(|| mids.join(" "))
}

/// What the numbers of the grouped lines of a kind have meant.
pub(super) fn numbers(lines: &[Line], kind: Kind) -> Vec<Described> {
    let lives = lines.iter().filter_map(Line::live);
    let lives = lives.filter(|live| live.is_grouped && live.kind == kind);
    let known = |live: &Live| [&*live.known, &*live.formats, &*live.sends].concat();
    lives.flat_map(known).collect()
}

/// Gives other numbers to formats whose own are taken (RFC 9143 §9.3). A static one may be of several lines.
pub(super) fn renumber(formats: &mut [Described], is_grouped: bool, taken: &[Described]) {
    if !is_grouped {
        return;
    }
    for index in 0..formats.len() {
        let own = formats[index].payload;
        let is_hit = |other: &Described| {
            other.payload.number == own.number
                && (other.payload.format != own.format || own.number >= DYNAMIC_FIRST)
        };
        if !taken.iter().any(is_hit) {
            continue;
        }
        let is_free = |number: &u8| {
            let mut known = taken.iter().chain(&*formats);
            known.all(|other| other.payload.number != *number)
        };
        // RFC 5761 §4 leaves the numbers from 64 to 95 to RTCP.
        let free = (DYNAMIC_FIRST..=127).chain(35..=63).find(is_free);
        if let Some(free) = free {
            formats[index].payload.number = free;
        }
    }
}

/// The sources a section names (RFC 5576).
pub(super) fn sources(media: &Media) -> Vec<u32> {
    let written = media.attributes("ssrc");
    let number = |value: &str| value.split(' ').next()?.parse().ok();
    let mut sources: Vec<u32> = Vec::new();
    for source in written.filter_map(number) {
        if !sources.contains(&source) && sources.len() < SOURCES_MAX {
            sources.push(source);
        }
    }
    sources
}

/// RFC 8285 §5: one number means one thing on one transport.
fn named_alike(media: &Media, mid: &str, leader: &Live) -> Option<Name> {
    let number = leader.name.as_ref()?.number;
    Name::read(media, mid).filter(|name| name.number == number)
}

fn is_ambiguous(formats: &[Described], others: &[Described]) -> bool {
    let is_taken = |number: u8| others.iter().any(|other| other.payload.number == number);
    formats.iter().any(|own| is_taken(own.payload.number))
}

/// A section with the transport of the one that leads it.
fn unfolded(media: &Media, leader: &Media) -> Media {
    let is_shared = |row: &Row| {
        let name = row.as_attribute().map(|(name, _)| name);
        row.letter == 'c' || name.is_some_and(|name| SHARED.contains(&name))
    };
    let mut like = media.clone();
    like.port = leader.port;
    like.lines.retain(|row| !is_shared(row));
    let shared = leader.lines.iter().filter(|row| is_shared(row));
    like.lines.extend(shared.cloned());
    like
}

/// RFC 9143 §15.
pub(super) const NAMED: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";
/// Of the extension, in offers of ours.
const NUMBER_USUAL: u8 = 1;
const DYNAMIC_FIRST: u8 = 96;
/// Of one section.
const SOURCES_MAX: usize = 8;
/// What RFC 8859 says is of the transport.
const SHARED: &[&str] = &[
    "candidate",
    "crypto",
    "fingerprint",
    "ice-options",
    "ice-pwd",
    "ice-ufrag",
    "rtcp",
    "rtcp-mux",
    "setup",
];
