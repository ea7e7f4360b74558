//! One m-line of a desk phone, both ways.

mod incoming;
mod outgoing;
mod path;
mod protection;
mod rtcp;
mod setup;

pub(super) use incoming::Heard;

use super::StreamId;
use super::control::{self, Clock, Control};
use crate::dtls::Certificate;
use crate::negotiate::desk::{Live, Name, Remote};
use crate::negotiate::format::Described;
use crate::peer::packet::Format;
use crate::peer::stats::StreamStats;
use crate::peer::{PortPair, Transmit};
use crate::policy::Terms;
use crate::timeline::Timeline;
use codec::Kind;
use protection::Protection;
use rand_chacha::ChaCha12Rng;
use rand_core::Rng;
use rtp::srtp::Suite;
use rtp::{DigitReceiver, Latch, Reception, Sorter};
use sdp::Direction;
use setup::Setup;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

pub(super) struct Line {
    pub(super) id: StreamId,
    pub(super) ports: PortPair,
    pub(super) transmits: Vec<Transmit>,
    kind: Kind,
    direction: Direction,
    remote: Option<Remote>,
    mux: bool,
    is_symmetric: bool,
    /// What a handshake may agree on, the best first.
    suites: Vec<Suite>,
    signaled: Option<IpAddr>,
    keepalive: Option<Duration>,
    keepalives: u64,
    /// What each payload type that comes means: first those of the last round, then what else was of the one
    /// before.
    formats: Vec<(u8, Format)>,
    /// How many are of the last round.
    formats_agreed: usize,
    /// What may be sent, and with which payload type.
    sendable: Vec<(Format, u8)>,
    latch: Latch,
    /// Where RTCP comes from, once it did.
    control_from: Option<SocketAddr>,
    protection: Option<Protection>,
    setup: Setup,
    ssrc_in: Option<u32>,
    sorter: Sorter,
    reception: Reception,
    digits: DigitReceiver,
    clock_hz: u32,
    losses_reported: u64,
    losses_next: Option<Instant>,
    ssrc_out: u32,
    timeline: Timeline,
    packets_out: u64,
    bytes_out: u64,
    last_out: Option<(u32, Instant, u32)>,
    /// What was sent when the last report but one was made, and the last.
    reported_out: (u64, u64),
    control: Control,
    keyframe: Option<Instant>,
    is_keyframe_wanted: bool,
    /// Whether the peer has agreed to be asked for key frames by RTCP.
    takes_keyframe_requests: bool,
    /// A key frame is to be asked for by signalling.
    is_keyframe_for_signaling: bool,
    keyframe_requests_out: u64,
    /// The line whose path it takes.
    pub(super) follows: Option<StreamId>,
    /// What its packets name it by.
    pub(super) name: Option<Name>,
    /// The sources its description names.
    named_ssrcs: Vec<u32>,
}

impl Line {
    pub(super) fn new(
        now: Instant,
        id: StreamId,
        ports: PortPair,
        terms: &Terms,
        signaled: Option<IpAddr>,
        rng: &mut ChaCha12Rng,
    ) -> Self {
        let start = rng.next_u64();
        Self {
            id,
            ports,
            transmits: Vec::new(),
            kind: Kind::Audio,
            direction: Direction::Inactive,
            remote: None,
            mux: false,
            is_symmetric: terms.symmetric,
            suites: terms.encryption.suites(),
            signaled,
            keepalive: terms.keepalive,
            keepalives: 0,
            formats: Vec::new(),
            formats_agreed: 0,
            sendable: Vec::new(),
            latch: Latch::new(now, terms.strictness, signaled),
            control_from: None,
            protection: None,
            setup: Setup::default(),
            ssrc_in: None,
            sorter: Sorter::default(),
            reception: Reception::default(),
            digits: DigitReceiver::default(),
            clock_hz: 1,
            losses_reported: 0,
            losses_next: None,
            ssrc_out: rng.next_u64() as u32,
            timeline: Timeline::new(start as u16, (start >> 32) as u32),
            packets_out: 0,
            bytes_out: 0,
            last_out: None,
            reported_out: (0, 0),
            control: Control::new(now, rng),
            keyframe: None,
            is_keyframe_wanted: false,
            takes_keyframe_requests: false,
            is_keyframe_for_signaling: false,
            keyframe_requests_out: 0,
            follows: None,
            name: None,
            named_ssrcs: Vec::new(),
        }
    }

    /// Takes over what a round agreed on.
    pub(super) fn agree(&mut self, now: Instant, live: &Live, certificate: &Certificate) {
        self.kind = live.kind;
        self.direction = live.direction;
        self.mux = live.mux;
        self.takes_keyframe_requests = live.takes_keyframe_requests();
        let format = |own: &Described| Format::new(own.payload.format, own.fmtp.as_deref());
        // The peer may use the numbers of either description (RFC 3264 §5.1).
        let known = live.formats.iter().chain(&live.sends);
        let known: Vec<_> = known.map(|own| (own.payload.number, format(own))).collect();
        // What the peer sent before it knew of this round is still on its way.
        let agreed = std::mem::replace(&mut self.formats_agreed, known.len());
        let before = std::mem::replace(&mut self.formats, known);
        for own in before.into_iter().take(agreed) {
            if !self.formats.iter().any(|(number, _)| *number == own.0) {
                self.formats.push(own);
            }
        }
        let sends = live.sends.iter();
        self.sendable = match live.direction.sends() {
            true => sends.map(|own| (format(own), own.payload.number)).collect(),
            false => Vec::new(),
        };
        if live.remote.is_some() && live.remote != self.remote {
            self.control_from = None;
        }
        self.remote = live.remote.or(self.remote);
        self.follows = live.follows.map(StreamId);
        self.name.clone_from(&live.name);
        self.named_ssrcs.clone_from(&live.ssrcs);
        if live.follows.is_none() {
            self.latch
                .declare(now, live.remote.map(|remote| remote.rtp));
            self.agree_setup(now, live, certificate);
        }
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    pub(super) fn is_sent(&self) -> bool {
        !self.sendable.is_empty()
    }

    pub(super) fn is_received(&self) -> bool {
        self.direction.receives()
    }

    pub(super) fn format(&self) -> Option<Format> {
        let mut formats = self.sendable.iter().map(|(format, _)| *format);
        formats.find(|format| format.codec().is_some())
    }

    pub(super) fn handle_timeout(&mut self, now: Instant, clock: &Clock, rng: &mut ChaCha12Rng) {
        self.digits.handle_timeout(now);
        if self.control.is_due(now, rng) {
            if self.ssrc_in.is_some() {
                let (jitter_us, lost) = (self.jitter_us(), self.reception.lost());
                self.control.measured.on_own(jitter_us, lost);
            }
            let block = self.block(now);
            let report = control::report(now, clock, &self.sent(), block);
            self.reported_out = (self.reported_out.1, self.packets_out);
            self.send_control(report.write());
        }
        if self.is_keyframe_wanted && self.keyframe_due().is_some_and(|due| now >= due) {
            self.request_keyframe(now, clock);
        }
        if self.keepalive_due().is_some_and(|due| now >= due) {
            self.keep_alive(now);
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let keyframe = self.keyframe_due().filter(|_| self.is_keyframe_wanted);
        let dues = [
            Some(self.control.next()),
            self.digits.poll_timeout(),
            keyframe,
            self.keepalive_due(),
            self.setup.poll_timeout(),
        ];
        dues.into_iter().flatten().min()
    }

    pub(super) fn stats(&self) -> StreamStats {
        StreamStats {
            stream: self.id,
            kind: self.kind,
            ssrc_in: self.ssrc_in,
            ssrc_out: self.is_sent().then_some(self.ssrc_out),
            packets_in: self.reception.received(),
            bytes_in: self.reception.bytes(),
            packets_out: self.packets_out,
            bytes_out: self.bytes_out,
            lost: self.reception.lost(),
            jitter_us: self.jitter_us(),
            jitter_out_us: self.control.measured.jitter_out_us,
            quality: self.control.measured.quality,
            round_trip_us: self
                .control
                .round_trip()
                .map(|time| time.as_micros() as u64),
            lost_out: self.control.lost_out(),
            refused: self.latch.refused(),
            retransmissions_in: 0,
            retransmissions_out: 0,
            nacks_in: 0,
            nacks_out: 0,
            keyframe_requests_in: self.control.keyframe_requests_in,
            keyframe_requests_out: self.keyframe_requests_out,
        }
    }
}
