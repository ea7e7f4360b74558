//! One side of two connected legs: what of ours goes to the other, and what it is told.
//!
//! Each leg plans its own direction, from what both agreed. So each tells the other its topology when
//! they are connected and whenever it changes. On one shard that and the packets go from hand to hand;
//! between two, through a bounded queue of the other shard, which drops what it has no room for.

use crate::leg::{LegId, Recoded};
use crate::node::transcode::{Incoming, Made, Recipe, Transcoder};
use crate::plan::{Line, Way, plan};
use codec::{Codec, Kind};
use rtc::topology::{Format as Carries, Stream, Topology, Wishes};
use rtc::{Extensions, Format, Packet, StreamId};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;
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
        /// The codec it was made from, where it was made anew.
        made_of: Option<&'static Codec>,
    },
    /// The peer of the sender needs a key frame of this stream of the receiver.
    Keyframe(StreamId),
    /// The peer of the sender misses this share of what it is sent on a stream of the sender.
    Missed { stream: StreamId, percent: u8 },
}

/// A leg's side of a joint.
pub(super) struct Bridge {
    pub(super) number: u64,
    far: Far,
    /// What our peer agreed to.
    agreed: Topology,
    /// The same, each stream with the codec first that it comes in.
    ours: Topology,
    theirs: Option<Topology>,
    /// What happens to our packets.
    lines: Vec<Line>,
    /// Of the lines that the other side does not take as they are, those that something came on.
    coders: Vec<Coder>,
    /// How many transcoders there have been.
    coders_made: u32,
    /// How the last packet of sound went: the codecs before and after, where it was made anew.
    pub(super) anew: Option<Recoded>,
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
            agreed: agreed.clone(),
            ours: agreed.clone(),
            theirs: None,
            lines: Vec::new(),
            coders: Vec::new(),
            coders_made: 0,
            anew: None,
            news: Some(true),
            wants_keyframes: true,
        }
    }

    /// Our peer may have agreed to something else.
    pub(super) fn on_agreed(&mut self, agreed: &Topology) {
        if *agreed == self.agreed {
            return;
        }
        self.agreed = agreed.clone();
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

    /// What the other agreed with its peer, once it has said so.
    pub(super) fn theirs(&self) -> Option<&Topology> {
        self.theirs.as_ref()
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
    pub(super) fn pass(
        &mut self,
        now: Instant,
        own: LegId,
        packet: Packet,
        out: &mut VecDeque<Relayed>,
    ) {
        self.follow(&packet);
        let is_its = |line: &&Line| line.source == packet.stream && line.way != Way::Drop;
        let Some(line) = self.lines.iter().find(is_its).copied() else {
            return;
        };
        let target = line.target;
        let codec = packet.format.codec().filter(|_| line.kind == Kind::Audio);
        match self.way(&line, &packet) {
            Way::Transcode(to) if !self.passes(&line, &packet) => {
                self.anew = codec.map(|from| (from, to)).or(self.anew);
                self.recode(now, &line, to, packet);
                self.flush(now, own, out);
            }
            Way::Forward if self.needs_noise(&line, &packet) => {
                let from = self.heard(&line);
                if let Some(to) = packet.format.codec().or(from) {
                    self.recode(now, &line, to, packet);
                    self.flush(now, own, out);
                }
            }
            Way::Forward | Way::Transcode(_) | Way::Drop => {
                self.anew = self.anew.filter(|_| codec.is_none());
                let made_of = None;
                let cargo = Cargo::Packet {
                    target,
                    packet,
                    made_of,
                };
                self.send(own, cargo, out);
            }
        }
    }

    /// How this packet goes. Our peer may not know yet that its codec is not agreed on any more, or not care:
    /// what the other does not take is made anew.
    fn way(&mut self, line: &Line, packet: &Packet) -> Way {
        let Some(codec) = packet.format.codec() else {
            return line.way;
        };
        if line.way != Way::Forward || line.kind != Kind::Audio {
            return line.way;
        }
        let theirs = || self.target(line).into_iter().flat_map(Stream::codecs);
        let best = theirs().next();
        let is_theirs = theirs().any(|own| own == codec);
        if is_theirs {
            let is_other = |coder: &Coder| coder.transcoder.from() != codec;
            self.coders
                .retain(|coder| coder.line != *line || !is_other(coder));
            return Way::Forward;
        }
        best.map_or(Way::Forward, Way::Transcode)
    }

    /// Our peer may send another codec than the best that was agreed on. What is made for it follows, since
    /// many phones have one codec at a time.
    fn follow(&mut self, packet: &Packet) {
        let Some(codec) = packet.format.codec() else {
            return;
        };
        let is_first = |stream: &Stream| {
            stream.mline != packet.stream.0
                || stream.kind == Kind::Video
                || formats(stream).next() == Some(Carries::Codec(codec))
        };
        if self.ours.iter().all(is_first) {
            return;
        }
        let mut streams: Vec<Stream> = self.ours.iter().cloned().collect();
        for stream in &mut streams {
            if !is_first(stream) {
                let is_it = |own: &rtc::topology::Payload| own.format == Carries::Codec(codec);
                let Some(at) = stream.payloads.iter().position(is_it) else {
                    return;
                };
                stream.payloads[..=at].rotate_right(1);
            }
        }
        self.ours = Topology::new(streams);
        self.news.get_or_insert(false);
        self.replan();
    }

    /// The peer of the other reports what it misses of what it is sent.
    pub(super) fn on_missed(&mut self, stream: StreamId, percent: u8) {
        for coder in &mut self.coders {
            if coder.line.target == stream {
                coder.transcoder.on_loss(percent);
            }
        }
    }

    /// Our peer reports what it misses of what the other sends it on this stream.
    pub(super) fn tell_missed(
        &self,
        own: LegId,
        stream: StreamId,
        percent: u8,
        out: &mut VecDeque<Relayed>,
    ) {
        if self.lines.iter().any(|line| line.source == stream) {
            self.send(own, Cargo::Missed { stream, percent }, out);
        }
    }

    /// A packet of our peer that is not for the other: nothing is missing for it.
    pub(super) fn skip(&mut self, own: LegId, packet: &Packet, out: &mut VecDeque<Relayed>) {
        let is_its = |line: &&Line| line.source == packet.stream && line.way != Way::Drop;
        let Some(line) = self.lines.iter().find(is_its).copied() else {
            return;
        };
        if let Some(coder) = self.coders.iter_mut().find(|coder| coder.line == line) {
            coder.transcoder.skip(packet.ssrc, packet.sequence);
        } else {
            let target = line.target;
            let payload = Arc::from([]);
            let packet = Packet {
                payload,
                ..packet.clone()
            };
            let cargo = Cargo::Packet {
                target,
                packet,
                made_of: None,
            };
            self.send(own, cargo, out);
        }
    }

    /// Sends what the transcoders have ready.
    pub(super) fn flush(&mut self, now: Instant, own: LegId, out: &mut VecDeque<Relayed>) {
        let mut coders = std::mem::take(&mut self.coders);
        for coder in &mut coders {
            while let Some(made) = coder.transcoder.poll(now) {
                let cargo = Cargo::Packet {
                    target: coder.line.target,
                    packet: coder.packet(made),
                    made_of: Some(coder.transcoder.from()),
                };
                self.send(own, cargo, out);
            }
        }
        self.coders = coders;
    }

    /// When [`Self::flush`] has something to do though nothing came.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let coders = self.coders.iter();
        coders
            .filter_map(|coder| coder.transcoder.poll_timeout())
            .min()
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
        let mut coders = std::mem::take(&mut self.coders);
        coders.retain(|coder| {
            let target = self.target(&coder.line);
            self.lines.contains(&coder.line)
                && target.is_some_and(|target| target.wishes == coder.wishes)
        });
        self.coders = coders;
    }

    /// Whether a packet of a line that is transcoded goes on as it is: its codec is one the other takes.
    fn passes(&self, line: &Line, packet: &Packet) -> bool {
        let Some(stream) = self.target(line) else {
            return false;
        };
        let has_coder = self.coders.iter().any(|coder| coder.line == *line);
        match packet.format.codec() {
            Some(codec) => formats(stream).any(|format| format == Carries::Codec(codec)),
            None => packet.format.is_noise() && !has_coder && takes_noise(stream),
        }
    }

    /// Whether a packet of a line that is passed on as it is has to be made anew: noise is described to
    /// somebody who cannot make it, or was, and all that comes after it stands on the same timeline.
    fn needs_noise(&self, line: &Line, packet: &Packet) -> bool {
        let has_coder = self.coders.iter().any(|coder| coder.line == *line);
        let takes = self.target(line).is_some_and(takes_noise);
        has_coder || packet.format.is_noise() && !takes
    }

    /// The codec that the pauses of a line are in: what its transcoder reads, or else the best that has
    /// been agreed on.
    fn heard(&self, line: &Line) -> Option<&'static Codec> {
        let coder = self.coders.iter().find(|coder| coder.line == *line);
        let agreed = || {
            let stream = self.ours.iter().find(|own| own.mline == line.source.0)?;
            formats(stream).find_map(Carries::codec)
        };
        coder.map(|coder| coder.transcoder.from()).or_else(agreed)
    }

    fn recode(&mut self, now: Instant, line: &Line, to: &'static Codec, packet: Packet) {
        let incoming = Incoming {
            ssrc: packet.ssrc,
            sequence: packet.sequence,
            timestamp: packet.timestamp,
            payload: packet.payload,
        };
        if packet.format.is_noise() {
            let from = self.heard(line);
            let has_coder = |own: &Self| own.coders.iter().position(|coder| coder.line == *line);
            let index = has_coder(self).or_else(|| self.add_coder(line, from?, to));
            if let Some(index) = index {
                self.coders[index].transcoder.handle_noise(now, &incoming);
            }
            return;
        }
        let Some(from) = packet.format.codec() else {
            return;
        };
        let is_its = |coder: &Coder| coder.line == *line && coder.transcoder.from() == from;
        let known = self.coders.iter().position(is_its);
        if let Some(index) = known.or_else(|| self.add_coder(line, from, to)) {
            self.coders[index].transcoder.handle_sound(now, incoming);
        }
    }

    /// A peer that changes its codec within a call gets another transcoder in place of the old one.
    fn add_coder(
        &mut self,
        line: &Line,
        from: &'static Codec,
        to: &'static Codec,
    ) -> Option<usize> {
        self.coders.retain(|coder| coder.line != *line);
        let target = self.target(line)?;
        let wishes = target.wishes.clone();
        let usual_ms = to.coding.map_or(20, |coding| coding.packet_ms);
        let transcoder = Transcoder::new(&Recipe {
            from,
            to,
            fmtp: wishes.fmtp(to),
            packet_ms: wishes.packet_ms(usual_ms),
            // No two of our sources are alike, nor like those of a joint before, or one would go on with the
            // numbers of another.
            ssrc: (self.number as u32)
                .wrapping_shl(8)
                .wrapping_add(self.coders_made),
        })?;
        self.coders_made = self.coders_made.wrapping_add(1);
        tracing::debug!(from = from.name, to = to.name, "audio is transcoded");
        self.coders.push(Coder {
            line: *line,
            to,
            wishes,
            transcoder,
        });
        Some(self.coders.len() - 1)
    }

    /// The other's stream that a line leads to.
    fn target(&self, line: &Line) -> Option<&Stream> {
        let theirs = self.theirs.as_ref()?;
        theirs.iter().find(|stream| stream.mline == line.target.0)
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

/// What makes the packets of a line into ones the other takes.
struct Coder {
    line: Line,
    to: &'static Codec,
    /// What the receiver asked for when it was made.
    wishes: Wishes,
    transcoder: Transcoder,
}

impl Coder {
    fn packet(&self, made: Made) -> Packet {
        Packet {
            stream: self.line.source,
            kind: Kind::Audio,
            format: Format::new(Carries::Codec(self.to), None),
            ssrc: self.transcoder.ssrc(),
            sequence: made.sequence,
            timestamp: made.timestamp,
            marker: made.marker,
            extensions: Extensions::default(),
            payload: made.payload,
        }
    }
}

impl Drop for Coder {
    fn drop(&mut self) {
        let account = self.transcoder.account();
        tracing::debug!(
            from = self.transcoder.from().name,
            to = self.to.name,
            ?account,
            "audio is transcoded no more"
        );
    }
}

/// Whether comfort noise may be described to the peer of a stream.
fn takes_noise(stream: &Stream) -> bool {
    formats(stream).any(|format| matches!(format, Carries::Noise { .. }))
}

/// What the payload types of a stream carry.
fn formats(stream: &Stream) -> impl Iterator<Item = Carries> {
    stream.payloads.iter().map(|payload| payload.format)
}

#[cfg(test)]
mod tests;
