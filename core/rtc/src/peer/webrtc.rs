//! One WebRTC transport around the engine (str0m): [`super::Peer`]'s machine for browsers.
//!
//! What it decides itself: which packets count as digits, the numbers of outgoing streams, how often
//! a key frame is asked for, and when the other side is gone.

mod line;
mod round;

use super::packet::{Format, Packet};
use super::stats::PeerStats;
use super::{CONNECT_MAX, Credentials, Down, Event, KEYFRAME_PAUSE, PeerConfig};
use super::{EVENTS_MAX, SILENCE_MAX, StreamId, TRANSMITS_MAX, Transmit};
use crate::dtls::Agreed;
use crate::negotiate::Negotiator;
use crate::topology::Topology;
use crate::webrtc::{Happening, WebRtc};
use line::Line;
use rand_chacha::ChaCha12Rng;
use rand_core::{Rng, SeedableRng};
use rtp::EventPacket;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use str0m::IceConnectionState;
use str0m::media::Mid;
use str0m::rtp::Ssrc;

/// One WebRTC transport and its streams.
pub(super) struct WebRtcPeer {
    negotiator: Negotiator,
    engine: WebRtc,
    config: PeerConfig,
    rng: ChaCha12Rng,
    lines: Vec<Line>,
    /// By payload type.
    formats: Vec<Option<Format>>,
    state: State,
    /// The last time something that proves the peer's presence came.
    heard: Instant,
    pair: Option<(SocketAddr, SocketAddr)>,
    engine_timeout: Instant,
    /// Written to since it was last polled.
    is_dirty: bool,
    now: Instant,
    transmits: VecDeque<Transmit>,
    events: VecDeque<Event>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// No round has been completed.
    New,
    /// Waiting for ICE since the first description of the peer.
    Checking {
        since: Instant,
    },
    /// ICE is connected, DTLS not yet.
    Handshake {
        since: Instant,
    },
    /// Media flow; `lost` is when our checks stopped being answered.
    Connected {
        lost: Option<Instant>,
    },
    /// The peer said goodbye; signalling may want to say so first.
    Closing {
        since: Instant,
    },
    Down,
}

impl WebRtcPeer {
    /// A transport that waits for its first round.
    pub(super) fn new(now: Instant, config: PeerConfig) -> Self {
        let mut rng = ChaCha12Rng::from_seed(config.seed);
        let credentials = fresh_credentials(&mut rng, &config.ufrag_prefix);
        let mut seed = [0; 32];
        rng.fill_bytes(&mut seed);
        Self {
            negotiator: Negotiator::new(Arc::clone(&config.policy), seed),
            engine: WebRtc::new(now, &config, &credentials),
            rng,
            config,
            lines: Vec::new(),
            formats: Vec::new(),
            state: State::New,
            heard: now,
            pair: None,
            engine_timeout: now,
            is_dirty: false,
            now,
            transmits: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// Whether a datagram from an unknown address belongs to this peer, proven by the message
    /// integrity of its connectivity check. Nothing else may be believed from a stranger.
    pub(super) fn accepts(
        &self,
        now: Instant,
        local: SocketAddr,
        remote: SocketAddr,
        bytes: &[u8],
    ) -> bool {
        is_stun(bytes) && self.engine.accepts(now, local, remote, bytes)
    }

    /// Takes a datagram from an address this peer has accepted a check from.
    pub(super) fn handle_datagram(
        &mut self,
        now: Instant,
        local: SocketAddr,
        remote: SocketAddr,
        bytes: &[u8],
    ) {
        if self.state == State::Down {
            return;
        }
        if is_stun(bytes) {
            self.heard = now;
        }
        self.now = now;
        self.adopt(bytes);
        // A datagram that breaks the handshake may be forged; if it was not, the deadline of the
        // handshake or the engine's own end says so.
        let _ = self.engine.handle_datagram(now, local, remote, bytes);
        self.drain(now);
    }

    /// Does what was due.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.state == State::Down {
            return;
        }
        self.now = now;
        for line in &mut self.lines {
            line.handle_timeout(now, &mut self.engine);
        }
        if self.engine.handle_timeout(now).is_err() && !self.engine.is_alive() {
            return self.fail();
        }
        self.drain(now);
        self.watch(now);
    }

    /// Sends a packet of another stream on this one, with this stream's own numbers. `origin` says
    /// whose packet it is, where several send to the same stream in turn. False if the stream is not
    /// sent, or the peer has not agreed to this codec on it.
    pub(super) fn write(
        &mut self,
        now: Instant,
        stream: StreamId,
        origin: u32,
        packet: &Packet,
    ) -> bool {
        let State::Connected { .. } = self.state else {
            return false;
        };
        let Some(line) = self.lines.iter_mut().find(|line| line.id == stream) else {
            return false;
        };
        let is_written = line.write(now, &mut self.engine, origin, packet);
        self.now = now;
        self.is_dirty |= is_written;
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
        let State::Connected { .. } = self.state else {
            return None;
        };
        let line = self.lines.iter_mut().find(|line| line.id == stream)?;
        let start = line.write_event(now, &mut self.engine, start, event);
        self.now = now;
        self.is_dirty |= start.is_some();
        start
    }

    pub(super) fn skip(&mut self, stream: StreamId, origin: u32, packet: &Packet) {
        if let Some(line) = self.lines.iter_mut().find(|line| line.id == stream) {
            line.skip(origin, packet);
        }
    }

    /// Asks the peer for a key frame of a stream it sends, at most once per [`KEYFRAME_PAUSE`]; a
    /// request that comes too early is made when the pause is over.
    pub(super) fn request_keyframe(&mut self, now: Instant, stream: StreamId) {
        if let Some(line) = self.lines.iter_mut().find(|line| line.id == stream) {
            line.request_keyframe(now, &mut self.engine);
            self.now = now;
            self.is_dirty = true;
        }
    }

    /// Says goodbye to the peer. Poll the transmits once more, then drop this.
    pub(super) fn close(&mut self, now: Instant) {
        if self.state != State::Down {
            self.now = now;
            self.engine.close();
            self.state = State::Down;
            self.drain(now);
            self.events.clear();
        }
    }

    /// The next datagram to send.
    pub(super) fn poll_transmit(&mut self) -> Option<Transmit> {
        if std::mem::take(&mut self.is_dirty) {
            // Written packets leave the engine when its clock is set.
            let _ = self.engine.handle_timeout(self.now);
            self.drain(self.now);
        }
        self.transmits.pop_front()
    }

    /// The next thing that happened.
    pub(super) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`Self::handle_timeout`] is due.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        if self.state == State::Down {
            return None;
        }
        let own = self.deadline();
        let lines = self.lines.iter().filter_map(Line::poll_timeout).min();
        [Some(self.engine_timeout), own, lines]
            .into_iter()
            .flatten()
            .min()
    }

    /// The streams that can be written to now.
    pub(super) fn sending(&self) -> Vec<(StreamId, codec::Kind)> {
        let lines = self.lines.iter().filter(|line| !line.sendable.is_empty());
        lines.map(|line| (line.id, line.kind)).collect()
    }

    /// What the peer likes best to receive on a stream, digits aside; for whoever makes packets itself
    /// instead of sending on those of others.
    pub(super) fn format(&self, stream: StreamId) -> Option<Format> {
        self.lines.iter().find(|line| line.id == stream)?.format()
    }

    /// The agreed streams, in the order of their m-lines.
    pub(super) fn streams(&self) -> Vec<(StreamId, codec::Kind)> {
        self.lines.iter().map(|line| (line.id, line.kind)).collect()
    }

    pub(super) fn stream_count(&self) -> usize {
        self.lines.len()
    }

    pub(super) fn agreed(&self) -> &Topology {
        self.negotiator.agreed()
    }

    /// What was sent and received so far.
    pub(super) fn stats(&mut self) -> PeerStats {
        let lines = self.lines.iter();
        PeerStats {
            pair: self.pair,
            streams: lines.map(|line| line.stats(&mut self.engine)).collect(),
        }
    }

    /// Polls the engine until it has nothing more to say.
    fn drain(&mut self, now: Instant) {
        loop {
            match self.engine.poll() {
                Ok(Happening::Timeout(at)) => {
                    self.engine_timeout = at;
                    break;
                }
                Ok(happening) => self.on_happening(now, happening),
                Err(_) if self.engine.is_alive() => {
                    // Not fatal to the engine: try again later rather than spin.
                    self.engine_timeout = now + ENGINE_RETRY;
                    return;
                }
                Err(_) => return self.fail(),
            }
        }
        if !self.engine.is_alive() && !matches!(self.state, State::Closing { .. } | State::Down) {
            self.fail();
        }
    }

    fn on_happening(&mut self, now: Instant, happening: Happening) {
        match happening {
            Happening::Timeout(_) | Happening::Other => {}
            Happening::Transmit {
                local,
                remote,
                bytes,
            } => self.on_transmit(local, remote, bytes),
            Happening::Ice(state) => self.on_ice(now, state),
            Happening::Connected(agreed) => self.on_connected(now, agreed),
            Happening::Closed => {
                if self.state != State::Down {
                    self.state = State::Closing { since: now };
                }
            }
            Happening::Packet(packet) => self.on_packet(now, *packet),
            Happening::KeyframeRequested(mid) => {
                if let Some(line) = self.line_mut(mid) {
                    line.on_keyframe_requested();
                    let event = Event::KeyframeRequested(line.id);
                    self.push(event);
                }
            }
            Happening::Ingress(stats) => {
                if let Some(line) = self.line_mut(stats.mid) {
                    line.on_ingress(&stats);
                }
            }
            Happening::Egress(stats) => {
                if let Some(line) = self.line_mut(stats.mid)
                    && let Some(missed) = line.on_egress(&stats)
                {
                    self.push(missed);
                }
            }
        }
    }

    fn on_transmit(&mut self, local: SocketAddr, remote: SocketAddr, bytes: Vec<u8>) {
        // Checks go to many addresses; anything else goes to the pair that was chosen.
        if !is_stun(&bytes) && self.pair != Some((local, remote)) {
            self.pair = Some((local, remote));
            self.push(Event::IceConnected { local, remote });
        }
        if self.transmits.len() < TRANSMITS_MAX {
            self.transmits.push_back(Transmit {
                local,
                remote,
                bytes,
            });
        }
    }

    fn on_ice(&mut self, now: Instant, ice: IceConnectionState) {
        self.state = match (self.state, ice) {
            (State::New | State::Checking { .. }, ice) if ice.is_connected() => {
                self.heard = now;
                State::Handshake { since: now }
            }
            (State::Connected { lost: None }, IceConnectionState::Disconnected) => {
                State::Connected { lost: Some(now) }
            }
            (State::Connected { .. }, ice) if ice.is_connected() => {
                self.heard = now;
                State::Connected { lost: None }
            }
            (state, _) => state,
        };
    }

    fn on_connected(&mut self, now: Instant, agreed: Option<Agreed>) {
        if self.state == State::Down {
            return;
        }
        self.heard = now;
        self.state = State::Connected { lost: None };
        let (dtls, srtp) = agreed.map_or(("DTLS", "SRTP"), |agreed| agreed.names());
        self.push(Event::Connected { dtls, srtp });
    }

    fn on_packet(&mut self, now: Instant, packet: str0m::rtp::RtpPacket) {
        self.heard = now;
        let ssrc = packet.header.ssrc;
        let known = self.lines.iter().position(|line| line.ssrc == Some(ssrc));
        let index = known.or_else(|| {
            let mid = self.engine.mid_of(ssrc)?;
            self.lines.iter().position(|line| line.mid == mid)
        });
        let format = self.formats.get(usize::from(*packet.header.payload_type));
        let (Some(index), Some(Some(format))) = (index, format) else {
            return;
        };
        let line = &mut self.lines[index];
        let packet = Packet::from_engine(line.id, line.kind, *format, packet);
        line.on_packet(now, ssrc, &packet);
        let digits: Vec<_> = line.poll_digits().collect();
        let losses = line.losses(now);
        for event in digits.into_iter().map(Event::Digit).chain(losses) {
            self.push(event);
        }
        // An empty packet carries padding only; it still takes its place in the sequence.
        self.push(Event::Packet(packet));
    }

    /// Some peers neither announce their sources nor name the m-line in their packets. Then the
    /// payload type has to tell, if only one m-line has it (RFC 9143 §9.2).
    fn adopt(&mut self, bytes: &[u8]) {
        // RFC 7983 §7: RTP and RTCP begin with 128 to 191; RFC 5761 §4 tells them apart.
        let Some((&[128..=191, second, _, _, _, _, _, _, a, b, c, d], _)) =
            bytes.split_first_chunk()
        else {
            return;
        };
        let (number, ssrc) = (second & 0x7F, Ssrc::from(u32::from_be_bytes([a, b, c, d])));
        if (64..96).contains(&number) || self.lines.iter().any(|line| line.has_source(ssrc)) {
            return;
        }
        let Some(stream) = self.negotiator.agreed().by_payload_type(number) else {
            return;
        };
        let is_main = stream
            .payloads
            .iter()
            .any(|payload| payload.number == number);
        let Some(mid) = stream.mid.as_deref().map(Mid::from) else {
            return;
        };
        if self.engine.names_lines(mid) || self.engine.mid_of(ssrc).is_some() {
            return;
        }
        if let Some(line) = self.lines.iter_mut().find(|line| line.mid == mid) {
            line.adopt(&mut self.engine, ssrc, is_main);
        }
    }

    fn line_mut(&mut self, mid: Mid) -> Option<&mut Line> {
        self.lines.iter_mut().find(|line| line.mid == mid)
    }

    fn push(&mut self, event: Event) {
        let is_droppable = matches!(
            event,
            Event::Packet(_) | Event::KeyframeRequested(_) | Event::Missed { .. }
        );
        if is_droppable && self.events.len() >= EVENTS_MAX {
            return;
        }
        self.events.push_back(event);
    }

    fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::New | State::Down => None,
            State::Checking { since } | State::Handshake { since } => Some(since + CONNECT_MAX),
            State::Connected { lost } => {
                let unanswered = lost.map(|lost| lost + UNANSWERED_MAX);
                let silent = self.heard + SILENCE_MAX;
                Some(unanswered.map_or(silent, |unanswered| unanswered.min(silent)))
            }
            State::Closing { since } => Some(since + CLOSING_PAUSE),
        }
    }

    /// Gives up when a deadline has passed.
    fn watch(&mut self, now: Instant) {
        let digits: Vec<_> = self.lines.iter_mut().flat_map(Line::poll_digits).collect();
        for digit in digits {
            self.push(Event::Digit(digit));
        }
        if self.deadline().is_some_and(|deadline| now >= deadline) {
            let down = match self.state {
                State::New | State::Checking { .. } => Down::NeverConnected,
                State::Handshake { .. } => Down::DtlsFailed,
                State::Connected { .. } | State::Down => Down::ConsentLost,
                State::Closing { .. } => Down::ClosedByPeer,
            };
            self.down(down);
        }
    }

    /// The engine ended by itself.
    fn fail(&mut self) {
        match self.state {
            State::Down => {}
            State::New | State::Checking { .. } | State::Handshake { .. } => {
                self.down(Down::DtlsFailed);
            }
            State::Connected { .. } | State::Closing { .. } => self.down(Down::ClosedByPeer),
        }
    }

    fn down(&mut self, reason: Down) {
        self.state = State::Down;
        self.events.push_back(Event::Down(reason));
    }
}

/// RFC 8445 §5.3: at least 24 bits of randomness in the fragment and 128 in the password.
pub(crate) fn fresh_credentials(rng: &mut ChaCha12Rng, prefix: &str) -> Credentials {
    let mut characters = |count: usize| -> String {
        let characters = (0..count).map(|_| ICE_CHARS[rng.next_u32() as usize % ICE_CHARS.len()]);
        characters.map(char::from).collect()
    };
    Credentials {
        ufrag: format!("{prefix}{}", characters(UFRAG_RANDOM_LEN)),
        password: characters(PASSWORD_LEN),
    }
}

/// RFC 7983 §7: the first byte of STUN is 0 to 3.
fn is_stun(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|first| *first <= 3)
}

/// Packets come, but our checks are not answered: we may not go on sending.
const UNANSWERED_MAX: Duration = Duration::from_secs(10);
/// A browser that hangs up closes its transport a moment before its BYE arrives.
const CLOSING_PAUSE: Duration = Duration::from_secs(2);
const ENGINE_RETRY: Duration = Duration::from_millis(100);

/// 64 characters (RFC 8839 §5.4: ice-char), so that six bits choose one without bias.
const ICE_CHARS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const UFRAG_RANDOM_LEN: usize = 8;
const PASSWORD_LEN: usize = 24;
