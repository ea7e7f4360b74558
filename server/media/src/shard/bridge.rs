//! One side of two connected legs: what of ours goes to the other, and what it is told.
//!
//! Each leg plans its own direction, from what both agreed. So each tells the other its topology when
//! they are connected and whenever it changes. On one shard that and the packets go from hand to hand;
//! between two, through a bounded queue of the other shard, which drops what it has no room for.

use crate::leg::LegId;
use crate::plan::{Line, Way, plan};
use codec::Kind;
use rtc::topology::Topology;
use rtc::{Packet, StreamId};
use std::collections::VecDeque;
use tokio::sync::mpsc;

/// The leg at the other end.
#[derive(Debug)]
pub(crate) struct Far {
    /// Its number on its shard.
    pub(crate) serial: u32,
    /// The queue of its shard, if that is another one.
    pub(crate) relay: Option<mpsc::Sender<Relayed>>,
}

/// What a leg has for the one it is connected to.
#[derive(Debug)]
pub(crate) struct Relayed {
    /// The number of the leg it is for.
    pub(crate) to: u32,
    /// The joint; a leg that has another one by now does not take it.
    pub(super) number: u64,
    /// Whose packets these are.
    pub(super) from: u32,
    pub(super) cargo: Cargo,
}

/// Something from one leg for the other.
#[derive(Debug)]
pub(super) enum Cargo {
    /// What the sender agreed with its peer.
    Agreed {
        topology: Topology,
        /// Whether it needs to be told the same.
        asks: bool,
    },
    Packet {
        target: StreamId,
        packet: Packet,
    },
    /// The peer of the sender needs a key frame of this stream of the receiver.
    Keyframe(StreamId),
}

/// A leg's side of a joint.
pub(super) struct Bridge {
    pub(super) number: u64,
    far: Far,
    ours: Topology,
    theirs: Option<Topology>,
    /// What happens to our packets.
    lines: Vec<Line>,
    /// What the other is still to be told: our topology, and whether we ask for its own.
    news: Option<bool>,
    /// Whether key frames are to be asked for of all streams the other has for us.
    wants_keyframes: bool,
}

impl Bridge {
    pub(super) fn new(number: u64, far: Far, agreed: &Topology) -> Self {
        Self {
            number,
            far,
            ours: agreed.clone(),
            theirs: None,
            lines: Vec::new(),
            news: Some(true),
            wants_keyframes: true,
        }
    }

    /// Our peer may have agreed to something else.
    pub(super) fn on_agreed(&mut self, agreed: &Topology) {
        if *agreed == self.ours {
            return;
        }
        self.ours = agreed.clone();
        self.news.get_or_insert(false);
        self.replan();
        // A stream that goes on begins with a key frame.
        self.wants_keyframes = true;
    }

    /// The other told what it agreed with its peer.
    pub(super) fn on_theirs(&mut self, theirs: Topology, asks: bool) {
        if asks {
            self.news = Some(false);
        }
        if self.theirs.as_ref() == Some(&theirs) {
            return;
        }
        self.theirs = Some(theirs);
        self.replan();
        self.wants_keyframes = true;
    }

    /// Our peer is ready to see something.
    pub(super) fn ask_keyframes(&mut self) {
        self.wants_keyframes = true;
    }

    /// Tells the other what it does not know yet.
    pub(super) fn say(&mut self, own: LegId, out: &mut VecDeque<Relayed>) {
        if let Some(asks) = self.news.take() {
            let asks = asks && self.theirs.is_none();
            let topology = self.ours.clone();
            if !self.send(own, Cargo::Agreed { topology, asks }, out) {
                self.news = Some(asks);
            }
        }
        if self.theirs.is_some() && std::mem::take(&mut self.wants_keyframes) {
            for line in self.lines.iter().filter(|line| line.kind == Kind::Video) {
                self.send(own, Cargo::Keyframe(line.target), out);
            }
        }
    }

    /// Passes a packet of our peer on, where it goes anywhere.
    pub(super) fn pass(&self, own: LegId, packet: Packet, out: &mut VecDeque<Relayed>) {
        let is_its = |line: &&Line| line.source == packet.stream && line.way != Way::Drop;
        if let Some(line) = self.lines.iter().find(is_its) {
            let target = line.target;
            self.send(own, Cargo::Packet { target, packet }, out);
        }
    }

    /// Our peer asks for a key frame of what the other sends it on this stream.
    pub(super) fn ask_keyframe(&self, own: LegId, stream: StreamId, out: &mut VecDeque<Relayed>) {
        if let Some(line) = self.lines.iter().find(|line| line.source == stream) {
            self.send(own, Cargo::Keyframe(line.target), out);
        }
    }

    fn replan(&mut self) {
        let theirs = self.theirs.as_ref();
        self.lines = theirs.map_or_else(Vec::new, |theirs| plan(&self.ours, theirs));
    }

    /// False if it could not be sent: a full queue loses packets, as a network does.
    fn send(&self, own: LegId, cargo: Cargo, out: &mut VecDeque<Relayed>) -> bool {
        let relayed = Relayed {
            to: self.far.serial,
            number: self.number,
            from: own.origin(),
            cargo,
        };
        match &self.far.relay {
            None => {
                out.push_back(relayed);
                true
            }
            Some(relay) => relay.try_send(relayed).is_ok(),
        }
    }
}
