//! The `m=` lines of the session, as the peer numbers them and as the engine does.
//!
//! The engine knows only lines that were accepted once, so its numbering is denser: a [`Line`] is
//! the peer's, a slot is the engine's. RFC 3264 §8: neither ever shrinks.

use codec::Kind;
use sdp::{Direction, MediaKind, Sdp};

use super::format::PayloadTypes;
use super::transport::Transport;
use crate::policy::Policy;
use crate::topology::{Payload, Stream, Topology, Wishes};

/// All lines and what belongs to the one transport below them.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    pub(super) lines: Vec<Line>,
    /// The engine's lines.
    pub(super) slots: Vec<Slot>,
    pub(super) payload_types: PayloadTypes,
    pub(super) transport: Option<Transport>,
}

/// One line of the engine.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    /// The engine's name for it.
    pub(super) mid: Box<str>,
    pub(super) kind: Kind,
}

/// One `m=` line.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) kind: MediaKind,
    pub(super) profile: Box<str>,
    /// The formats the peer last wrote, echoed where the line is refused.
    pub(super) formats: Vec<Box<str>>,
    /// The peer's name; `None` where it gave none.
    pub(super) mid: Option<Box<str>>,
    pub(super) state: LineState,
    /// Seen from us.
    pub(super) direction: Direction,
    /// The most that we allow, seen from us: less than `SendRecv` while we hold the peer.
    pub(super) ceiling: Direction,
    pub(super) stream_id: Box<str>,
    pub(super) track_id: Box<str>,
    pub(super) payloads: Vec<Payload>,
    pub(super) ssrcs: Vec<(u32, Option<u32>)>,
    pub(super) wishes: Wishes,
}

/// Whether a line is in use, and where in the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineState {
    /// Never accepted: the engine does not know it.
    Refused,
    /// Was live; the engine's line is stopped and waits to be used again.
    Stopped {
        /// Index into [`Table::slots`].
        slot: usize,
    },
    /// In use.
    Live {
        /// Index into [`Table::slots`].
        slot: usize,
    },
}

impl Table {
    /// How many live lines of a kind there are.
    pub(super) fn live(&self, kind: Kind) -> usize {
        let of_kind = |line: &&Line| line.av_kind() == Some(kind) && line.slot().is_some();
        self.lines.iter().filter(of_kind).count()
    }

    /// The most that a line of this kind has when the peer adds it: that of those in use, else what the policy says.
    pub(super) fn ceiling(&self, kind: Kind, policy: &Policy) -> Direction {
        let of_kind = |line: &&Line| line.av_kind() == Some(kind) && line.slot().is_some();
        let known = self.lines.iter().find(of_kind);
        let known = known.filter(|_| kind == Kind::Video);
        known.map_or_else(|| policy.ceiling(kind), |line| line.ceiling)
    }

    /// The index of the line that lives in a slot.
    pub(super) fn line_of(&self, slot: usize) -> Option<usize> {
        self.lines.iter().position(|line| line.slot() == Some(slot))
    }

    /// Gives a line a slot in the engine under `mid`: the one it had, else a new one.
    pub(super) fn open(&mut self, mline: usize, kind: Kind, mid: &str) {
        let opened = Slot {
            mid: mid.into(),
            kind,
        };
        let slot = match self.lines[mline].state {
            LineState::Live { slot } | LineState::Stopped { slot } => {
                self.slots[slot] = opened;
                slot
            }
            LineState::Refused => {
                self.slots.push(opened);
                self.slots.len() - 1
            }
        };
        self.lines[mline].state = LineState::Live { slot };
    }

    /// The topology of the live lines.
    pub(super) fn topology(&self) -> Topology {
        let streams = self.lines.iter().enumerate().filter_map(|(mline, line)| {
            Some(Stream {
                kind: line.av_kind()?,
                direction: line.direction,
                mid: Some(self.slots[line.slot()?].mid.clone()),
                mline,
                stream_id: line.stream_id.clone(),
                track_id: line.track_id.clone(),
                payloads: line.payloads.clone(),
                ssrcs: line.ssrcs.clone(),
                wishes: line.wishes.clone(),
            })
        });
        Topology::new(streams.collect())
    }
}

impl Line {
    /// The slot of a live line.
    pub(super) fn slot(&self) -> Option<usize> {
        match self.state {
            LineState::Live { slot } => Some(slot),
            LineState::Refused | LineState::Stopped { .. } => None,
        }
    }

    /// Audio or video, or neither.
    pub(super) fn av_kind(&self) -> Option<Kind> {
        av_kind(&self.kind)
    }

    /// Ends the use of a line; its slot stays in the engine.
    pub(super) fn close(&mut self) {
        if let LineState::Live { slot } = self.state {
            self.state = LineState::Stopped { slot };
        }
        self.direction = Direction::Inactive;
        self.ceiling = Direction::SendRecv;
        self.payloads.clear();
        self.ssrcs.clear();
        self.wishes = Wishes::default();
    }
}

/// Audio or video, or neither.
pub(super) fn av_kind(kind: &MediaKind) -> Option<Kind> {
    match kind {
        MediaKind::Audio => Some(Kind::Audio),
        MediaKind::Video => Some(Kind::Video),
        MediaKind::Image
        | MediaKind::Text
        | MediaKind::Application
        | MediaKind::Message
        | MediaKind::Other(_) => None,
    }
}

/// The mids of the BUNDLE group that `mid` is in. `None`: the description bundles nothing.
pub(super) fn bundle_of<'a>(sdp: &'a Sdp, mid: Option<&str>) -> Option<Vec<&'a str>> {
    let mut groups = sdp.groups().filter(|group| group.semantics == "BUNDLE");
    groups
        .find(|group| mid.is_some_and(|mid| group.mids.contains(&mid)))
        .map(|group| group.mids)
}
