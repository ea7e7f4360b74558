//! One desk phone's RTP: [`super::Peer`]'s machine without a browser's engine. Plain RTP, or SRTP with keys
//! from the description (RFC 3550, RFC 3551, RFC 3711, RFC 4568) or by a handshake (RFC 5764), with or without
//! ICE (RFC 8445).
//!
//! Each stream has a pair of ports of its own, or shares one with others ([`bundle`]). Whose packets are believed is learned and locked
//! ([`rtp::Latch`]); where ours go is what the description says, or, for a symmetric phone, where its
//! packets come from. What is not an agreed format is no packet.

mod bundle;
mod checks;
mod control;
mod handshake;
mod line;

use super::packet::{Format, Packet};
use super::round::{Outcome, Round};
use super::stats::PeerStats;
use super::{Down, EVENTS_MAX, Event, PeerConfig, StreamId, TRANSMITS_MAX, Transmit};
use crate::Refused;
use crate::dtls::{Certificate, Print};
use crate::negotiate::desk::DeskNegotiator;
use crate::policy::{Encryption, Terms};
use crate::topology::Topology;
use control::Clock;
use line::{Heard, Line};
use rand_chacha::ChaCha12Rng;
use rand_core::{Rng, SeedableRng};
use rtp::EventPacket;
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

pub(super) struct DeskPeer {
    negotiator: DeskNegotiator,
    terms: Terms,
    ports: Vec<super::PortPair>,
    signaled: Option<IpAddr>,
    certificate: Certificate,
    clock: Clock,
    rng: ChaCha12Rng,
    lines: Vec<Line>,
    state: State,
    /// When RTP last came, or streams were last agreed on.
    heard: Instant,
    /// Whether the owner knows that encrypted media flow.
    is_secured: bool,
    transmits: VecDeque<Transmit>,
    events: VecDeque<Event>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// No round has been completed.
    New,
    Up,
    Down,
}

impl DeskPeer {
    pub(super) fn new(now: Instant, terms: Terms, config: PeerConfig) -> Self {
        let mut rng = ChaCha12Rng::from_seed(config.seed);
        let mut seed = [0; 32];
        rng.fill_bytes(&mut seed);
        let ports = config.ports;
        let hash = match terms.encryption {
            Encryption::Dtls { hash, .. } => hash,
            Encryption::No | Encryption::Sdes { .. } => Default::default(),
        };
        let print = Print::of(&config.certificate, hash);
        let negotiator = DeskNegotiator::new(
            Arc::clone(&config.policy),
            terms.clone(),
            ports.clone(),
            print.to_string().into(),
            seed,
        );
        // RFC 7022 §4.2: a name that says nothing of the host, new for each call.
        let cname = format!("{:016x}", rng.next_u64());
        Self {
            negotiator,
            terms,
            ports,
            signaled: config.signaled,
            certificate: config.certificate,
            clock: Clock::new(now, cname),
            rng,
            lines: Vec::new(),
            state: State::New,
            heard: now,
            is_secured: false,
            transmits: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    pub(super) fn negotiate(&mut self, now: Instant, round: Round) -> Result<Outcome, Refused> {
        if self.ports.is_empty() {
            return Err(Refused::NoMedia);
        }
        let mut is_agreed = true;
        let sdp = match round {
            Round::Answer { offer } => Some(self.negotiator.answer(&offer)?),
            Round::Offer { want } => {
                is_agreed = false;
                self.negotiator.offer(&want)?
            }
            Round::Recode { codecs } => {
                is_agreed = false;
                self.negotiator.recode(&codecs)?
            }
            Round::Apply { answer } => {
                self.negotiator.apply(&answer)?;
                None
            }
            Round::Confirm { answer } => {
                self.negotiator.confirm(&answer)?;
                None
            }
            Round::Rollback => {
                is_agreed = false;
                self.negotiator.rollback();
                None
            }
        };
        if is_agreed {
            self.on_agreed(now);
        }
        Ok(Outcome {
            sdp,
            agreed: self.negotiator.agreed().clone(),
            notes: self.negotiator.notes(),
        })
    }

    pub(super) fn handle_datagram(
        &mut self,
        now: Instant,
        local: SocketAddr,
        remote: SocketAddr,
        bytes: &[u8],
    ) {
        if self.state != State::Up {
            return;
        }
        let is_ours = |line: &&mut Line| line.ports.rtp == local || line.ports.rtcp == local;
        let mut leaders = self.lines.iter_mut().filter(|line| line.follows.is_none());
        let Some(line) = leaders.find(is_ours) else {
            return;
        };
        // RFC 7983 §7: the first byte tells what it is.
        if matches!(bytes.first(), Some(0..=3 | 20..=63)) {
            line.on_setup(now, local, remote, bytes);
            return self.settle(now);
        }
        if rtp::is_rtcp(bytes) {
            let (leader, packets) = (line.id, line.open_control(local, remote, bytes));
            return self.on_control(now, leader, &packets);
        }
        if !rtp::is_rtp(bytes) || line.ports.rtp != local {
            return;
        }
        let Some(index) = self.line_of(local, bytes) else {
            return;
        };
        let heard = self.on_path(index, |line, _, _| line.on_packet(now, remote, bytes));
        let Some(Heard {
            is_learned,
            suite,
            packet,
        }) = heard
        else {
            return;
        };
        self.own_source(index, bytes);
        let line = &mut self.lines[index];
        let digits: Vec<_> = line.poll_digits().collect();
        let losses = line.losses(now);
        self.heard = now;
        let learned = is_learned.then(|| line.destination().unwrap_or(remote));
        if let Some(target) = learned {
            self.push(Event::SourceLearned {
                local,
                remote,
                target,
            });
        }
        if let Some(suite) = suite.filter(|_| !self.is_secured) {
            self.is_secured = true;
            let (dtls, srtp) = ("SDES", suite.name());
            self.push(Event::Connected { dtls, srtp });
        }
        for event in digits.into_iter().map(Event::Digit).chain(losses) {
            self.push(event);
        }
        if let Some(packet) = packet {
            self.push(Event::Packet(packet));
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.state != State::Up {
            return;
        }
        if self.deadline().is_some_and(|deadline| now >= deadline) {
            self.state = State::Down;
            self.events.push_back(Event::Down(Down::RtpTimeout));
            return;
        }
        for index in 0..self.lines.len() {
            self.on_path(index, |line, clock, rng| {
                line.handle_timeout(now, clock, rng);
            });
        }
        self.settle(now);
        if self.state == State::Down {
            return;
        }
        let lines = self.lines.iter_mut();
        let digits: Vec<_> = lines.flat_map(Line::poll_digits).collect();
        for digit in digits {
            self.push(Event::Digit(digit));
        }
        self.collect();
    }

    pub(super) fn write(
        &mut self,
        now: Instant,
        stream: StreamId,
        origin: u32,
        packet: &Packet,
    ) -> bool {
        let index = self.index(stream).filter(|_| self.state == State::Up);
        let Some(index) = index else {
            return false;
        };
        let is_written = self.on_path(index, |line, _, _| line.write(now, origin, packet));
        self.collect();
        is_written
    }

    pub(super) fn event_clock(&self, stream: StreamId) -> Option<u32> {
        let line = self.lines.iter().find(|line| line.id == stream)?;
        line.event_clock()
    }

    pub(super) fn write_event(
        &mut self,
        now: Instant,
        stream: StreamId,
        start: Option<u32>,
        event: &EventPacket,
    ) -> Option<u32> {
        let index = self.index(stream).filter(|_| self.state == State::Up)?;
        let start = self.on_path(index, |line, _, _| {
            line.is_open().then(|| line.write_event(now, start, event))
        })?;
        self.collect();
        start
    }

    pub(super) fn skip(&mut self, stream: StreamId, origin: u32, packet: &Packet) {
        if let Some(line) = self.lines.iter_mut().find(|line| line.id == stream) {
            line.skip(origin, packet);
        }
    }

    pub(super) fn request_keyframe(&mut self, now: Instant, stream: StreamId) {
        if let Some(index) = self.index(stream) {
            self.on_path(index, |line, clock, _| line.request_keyframe(now, clock));
            self.collect();
        }
    }

    pub(super) fn close(&mut self, now: Instant) {
        if self.state == State::Up {
            for index in 0..self.lines.len() {
                self.on_path(index, |line, clock, _| line.say_goodbye(now, clock));
            }
            self.collect();
        }
        self.state = State::Down;
        self.events.clear();
    }

    pub(super) fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    pub(super) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        if self.state != State::Up {
            return None;
        }
        let lines = self.lines.iter().filter_map(Line::poll_timeout);
        lines.chain(self.deadline()).min()
    }

    pub(super) fn sending(&self) -> Vec<(StreamId, codec::Kind)> {
        let lines = self.lines.iter().filter(|line| line.is_sent());
        lines.map(|line| (line.id, line.kind())).collect()
    }

    pub(super) fn format(&self, stream: StreamId) -> Option<Format> {
        self.lines.iter().find(|line| line.id == stream)?.format()
    }

    pub(super) fn streams(&self) -> Vec<(StreamId, codec::Kind)> {
        let lines = self.lines.iter();
        lines.map(|line| (line.id, line.kind())).collect()
    }

    pub(super) fn stream_count(&self) -> usize {
        self.lines.len()
    }

    pub(super) fn agreed(&self) -> &Topology {
        self.negotiator.agreed()
    }

    pub(super) fn stats(&self) -> PeerStats {
        let mut leaders = self.lines.iter().filter(|line| line.follows.is_none());
        let pair = leaders.find_map(Line::pair);
        PeerStats {
            pair,
            streams: self.lines.iter().map(Line::stats).collect(),
        }
    }

    fn on_agreed(&mut self, now: Instant) {
        self.state = State::Up;
        self.heard = now;
        self.hand_over();
        let mut before = std::mem::take(&mut self.lines);
        for (mline, live) in self.negotiator.live() {
            let (id, ports) = (StreamId(mline), self.ports[live.port]);
            // A line keeps its numbers and its account through every round.
            let known = before.iter().position(|line| line.id == id);
            let mut line = match known {
                Some(index) => before.swap_remove(index),
                None => loop {
                    let line = Line::new(now, id, ports, &self.terms, self.signaled, &mut self.rng);
                    // Under one key two lines may never be one source.
                    let mut others = self.lines.iter().chain(&before);
                    if !others.any(|own| own.sends_as(&line)) {
                        break line;
                    }
                },
            };
            if line.ports != ports || live.follows.is_some() {
                line.move_to(now, ports, &self.terms);
            }
            line.agree(now, live, &self.certificate);
            self.lines.push(line);
        }
        for digit in before.iter_mut().flat_map(Line::let_go) {
            self.push(Event::Digit(digit));
        }
        self.settle(now);
    }

    /// Goes on with what comes before media: checks of connectivity and handshakes.
    fn settle(&mut self, now: Instant) {
        let mut news = Vec::new();
        for line in &mut self.lines {
            news.extend(line.settle(now));
        }
        let is_keyed = |event: &Event| matches!(event, Event::Connected { .. });
        let was_secured = self.is_secured;
        self.is_secured |= news.iter().any(is_keyed);
        for event in news {
            // One is enough for all streams.
            if !(was_secured && is_keyed(&event)) {
                self.push(event);
            }
        }
        self.collect();
        if self.lines.iter().any(|line| line.is_refused(now)) {
            self.state = State::Down;
            self.events.push_back(Event::Down(Down::DtlsFailed));
        }
    }

    /// When silence has lasted too long.
    fn deadline(&self) -> Option<Instant> {
        // What we do not want to receive is not missed.
        let receives = self.lines.iter().any(Line::is_received);
        let sends = self.lines.iter().any(Line::is_sent);
        let timeout = match receives && sends {
            true => self.terms.timeout,
            false => self.terms.timeout_hold,
        };
        Some(self.heard + timeout?)
    }

    /// Takes what the lines have to send.
    fn collect(&mut self) {
        let mut is_keyframe_wanted = false;
        for line in &mut self.lines {
            is_keyframe_wanted |= line.take_keyframe_for_signaling();
            for transmit in line.transmits.drain(..) {
                if self.transmits.len() < TRANSMITS_MAX {
                    self.transmits.push_back(transmit);
                }
            }
        }
        if is_keyframe_wanted {
            self.push(Event::KeyframeWanted);
        }
    }

    fn push(&mut self, event: Event) {
        let is_droppable = matches!(
            event,
            Event::Packet(_)
                | Event::KeyframeRequested(_)
                | Event::KeyframeWanted
                | Event::Missed { .. }
        );
        if is_droppable && self.events.len() >= EVENTS_MAX {
            return;
        }
        self.events.push_back(event);
    }
}
