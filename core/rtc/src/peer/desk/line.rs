//! One m-line of a desk phone, both ways.

mod path;
mod setup;

use super::control::{self, Clock, Control, Sender, Sent};
use super::{Event, Format, Packet, StreamId, Transmit};
use crate::dtls::Certificate;
use crate::negotiate::desk::{Keys, Live, Name, Remote};
use crate::negotiate::format::{COMFORT_NOISE, Described};
use crate::peer::packet::{Extensions, event_clock};
use crate::peer::stats::StreamStats;
use crate::peer::{KEYFRAME_PAUSE, PortPair};
use crate::policy::Terms;
use crate::timeline::Timeline;
use crate::topology::Format as Carries;
use codec::Kind;
use rand_chacha::ChaCha12Rng;
use rand_core::Rng;
use rtp::rtcp::{Block, Rtcp};
use rtp::srtp::{MasterKey, Opener, Sealer, Suite};
use rtp::{
    Claim, DigitEvent, DigitReceiver, EventClock, EventPacket, Latch, Reception, RtpPacket, Sorted,
    Sorter, Verdict,
};
use sdp::Direction;
use setup::Setup;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
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

/// Both directions of SRTP.
struct Protection {
    ours: MasterKey,
    theirs: MasterKey,
    /// What the peer's packets name that by.
    identifier: Box<[u8]>,
    sealer: Sealer,
    opener: Opener,
}

/// A packet that was believed.
pub(super) struct Heard {
    /// Its address was not known before.
    pub(super) is_learned: bool,
    /// What it was encrypted with.
    pub(super) suite: Option<Suite>,
    /// None if it was a copy, or nothing anybody reads.
    pub(super) packet: Option<Packet>,
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

    /// The counts of packets under a key go on while the key does.
    fn rekey(&mut self, keys: Option<&Keys>) {
        let Some(keys) = keys else {
            self.protection = None;
            return;
        };
        let (ours, theirs) = (&keys.ours.key, &keys.theirs.key);
        let identifier = &keys.theirs.identifier;
        let before = self.protection.take();
        let (mut sealer, mut opener) = (None, None);
        if let Some(before) = before {
            sealer = (before.ours == *ours).then_some(before.sealer);
            let is_same = before.theirs == *theirs && before.identifier == *identifier;
            opener = is_same.then_some(before.opener);
        }
        self.protection = Some(Protection {
            ours: ours.clone(),
            theirs: theirs.clone(),
            identifier: identifier.clone(),
            sealer: sealer.unwrap_or_else(|| Sealer::new(ours)),
            opener: opener.unwrap_or_else(|| Opener::identified(theirs.clone(), identifier)),
        });
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

    /// The addresses media go between.
    pub(super) fn pair(&self) -> Option<(SocketAddr, SocketAddr)> {
        let checked = self.setup.path(1).flatten();
        let remote = checked
            .or_else(|| self.latch.address())
            .or_else(|| self.destination())?;
        Some((self.ports.rtp, remote))
    }

    /// Takes an RTP packet; `None` if it is a stranger's or makes no sense.
    pub(super) fn on_packet(
        &mut self,
        now: Instant,
        from: SocketAddr,
        bytes: &[u8],
    ) -> Option<Heard> {
        let number = bytes.get(1)? & 0x7F;
        let known = self.formats.iter().find(|(own, _)| *own == number);
        let format = known.map(|(_, format)| *format);
        // RFC 3389: comfort noise has its number even where nobody describes it. It is a sign of life.
        if format.is_none() && number != COMFORT_NOISE {
            return None;
        }
        let opened;
        let (bytes, suite) = match &mut self.protection {
            Some(protection) => {
                opened = protection.opener.open_rtp(bytes)?;
                (&*opened, Some(protection.theirs.suite()))
            }
            // Before the handshake is done nothing is believed.
            None if self.setup.is_secret() => return None,
            None => (bytes, None),
        };
        let packet = RtpPacket::parse(bytes)?;
        let claim = Claim {
            from,
            ssrc: packet.ssrc,
            sequence: packet.sequence,
            is_proven: suite.is_some(),
        };
        let checked = self.setup.judge(self.ports.rtp, from);
        let verdict = checked.unwrap_or_else(|| self.latch.judge(now, claim));
        if verdict == Verdict::Refused {
            return None;
        }
        Some(Heard {
            is_learned: verdict == Verdict::Learned,
            suite,
            packet: self.arrive(now, format, &packet),
        })
    }

    /// Counts a believed packet.
    fn arrive(
        &mut self,
        now: Instant,
        format: Option<Format>,
        packet: &RtpPacket<'_>,
    ) -> Option<Packet> {
        if self.ssrc_in.replace(packet.ssrc) != Some(packet.ssrc) {
            self.sorter = Sorter::default();
            self.reception.on_restart();
        }
        let sequence = match self.sorter.sort(packet.sequence) {
            Sorted::New(sequence) => sequence,
            Sorted::Restarted(sequence) => {
                self.reception.on_restart();
                sequence
            }
            Sorted::Dropped => return None,
        };
        let len = packet.payload.len();
        let Some(format) = format else {
            self.reception.on_event_packet(sequence, len);
            return None;
        };
        let clock_hz = format.clock_hz();
        if format.is_noise() {
            self.reception.on_event_packet(sequence, len);
        } else if format.is_telephone_event() {
            self.reception.on_event_packet(sequence, len);
            let clock = EventClock {
                hz: clock_hz,
                sound_hz: self.clock_hz,
            };
            self.digits
                .handle_packet(now, clock, packet.timestamp, packet.payload);
        } else {
            self.clock_hz = clock_hz;
            self.reception
                .on_packet(now, sequence, packet.timestamp, clock_hz, len);
        }
        self.direction.receives().then(|| Packet {
            stream: self.id,
            kind: self.kind,
            format,
            ssrc: packet.ssrc,
            sequence,
            timestamp: packet.timestamp,
            marker: packet.marker,
            extensions: Extensions::default(),
            payload: Arc::from(packet.payload),
        })
    }

    /// The stream is gone: the digit that is pressed on it ends.
    pub(super) fn let_go(&mut self) -> impl Iterator<Item = DigitEvent> {
        self.digits.finish();
        self.poll_digits()
    }

    pub(super) fn poll_digits(&mut self) -> impl Iterator<Item = DigitEvent> {
        std::iter::from_fn(|| self.digits.poll_digit())
    }

    /// The news about losses, not too often.
    pub(super) fn losses(&mut self, now: Instant) -> Option<Event> {
        let due = *self.losses_next.get_or_insert(now + LOSSES_PAUSE);
        if now < due {
            return None;
        }
        self.losses_next = Some(now + LOSSES_PAUSE);
        let lost = self.reception.lost();
        let is_news = lost > self.losses_reported;
        self.losses_reported = self.losses_reported.max(lost);
        is_news.then_some(Event::Losses {
            stream: self.id,
            lost,
            received: self.reception.received(),
        })
    }

    /// Reads a compound RTCP packet; nothing where it is a stranger's.
    pub(super) fn open_control(
        &mut self,
        local: SocketAddr,
        from: SocketAddr,
        bytes: &[u8],
    ) -> Vec<Rtcp> {
        if local != self.ports.rtcp && !self.mux {
            return Vec::new();
        }
        let opened;
        let is_secret = self.setup.is_secret();
        let protection = match is_secret && !self.mux {
            true => self.setup.control.as_mut(),
            false => self.protection.as_mut(),
        };
        let bytes = match protection {
            Some(protection) => {
                let Some(bytes) = protection.opener.open_rtcp(bytes) else {
                    return Vec::new();
                };
                opened = bytes;
                &*opened
            }
            None if is_secret => return Vec::new(),
            None => {
                // Nothing in the clear is believed that does not come from where RTP comes from.
                let source = self.latch.address();
                let known = source.or_else(|| self.remote.map(|remote| remote.rtcp));
                if known.is_none_or(|known| known.ip() != from.ip()) {
                    return Vec::new();
                }
                bytes
            }
        };
        let packets = rtp::rtcp::parse(bytes);
        if !packets.is_empty() && local == self.ports.rtcp {
            self.control_from = Some(from);
        }
        packets
    }

    /// Takes reports and requests. What the peer asks for, and what it misses, is told.
    pub(super) fn on_control(
        &mut self,
        now: Instant,
        clock: &Clock,
        packets: &[Rtcp],
    ) -> Vec<Event> {
        let mut told = Vec::new();
        for packet in packets {
            match packet {
                Rtcp::Sender {
                    ssrc,
                    ntp_middle,
                    blocks,
                } => {
                    if self.ssrc_in == Some(*ssrc) {
                        self.control.on_sender_report(now, *ntp_middle);
                    }
                    told.extend(self.on_blocks(now, clock, blocks));
                }
                Rtcp::Receiver { blocks, .. } => told.extend(self.on_blocks(now, clock, blocks)),
                Rtcp::Keyframe { ssrc }
                    if *ssrc == self.ssrc_out || *ssrc == 0 && self.kind == Kind::Video =>
                {
                    self.control.keyframe_requests_in += 1;
                    told.push(Event::KeyframeRequested(self.id));
                }
                // Signalling says when a call is over.
                Rtcp::Keyframe { .. } | Rtcp::Bye { .. } => {}
            }
        }
        told
    }

    fn on_blocks(&mut self, now: Instant, clock: &Clock, blocks: &[Block]) -> Option<Event> {
        let ours = blocks.iter().find(|block| block.ssrc == self.ssrc_out);
        let block = ours?;
        let clock_hz = self
            .last_out
            .map_or(self.clock_hz, |(.., clock_hz)| clock_hz);
        self.control.on_block(now, clock, block, clock_hz);
        // RFC 3550 §6.4.1: of 256, rounded up here, so that a single loss is one.
        let percent = (u32::from(block.fraction_lost) * 100).div_ceil(256) as u8;
        Some(Event::Missed {
            stream: self.id,
            percent,
        })
    }

    pub(super) fn write(&mut self, now: Instant, origin: u32, packet: &Packet) -> bool {
        let key = u64::from(origin) << 32 | u64::from(packet.ssrc);
        let number = packet.format.number_of(&self.sendable);
        // An empty packet carries nothing but padding.
        let Some(number) = number.filter(|_| !packet.payload.is_empty()) else {
            self.timeline.skip(key, packet.sequence);
            return false;
        };
        let clock_hz = packet.format.clock_hz();
        let place = (packet.sequence, packet.timestamp);
        let Some((sequence, timestamp)) = self.timeline.place(now, key, place.0, place.1, clock_hz)
        else {
            return false;
        };
        let is_sent = self.send_packet(&RtpPacket {
            marker: packet.marker,
            payload_type: number,
            sequence: sequence as u16,
            timestamp,
            ssrc: self.ssrc_out,
            payload: &packet.payload,
        });
        if is_sent {
            self.packets_out += 1;
            self.bytes_out += packet.payload.len() as u64;
            self.last_out = Some((timestamp, now, clock_hz));
        }
        is_sent
    }

    /// The clock of telephone events that the peer takes; RFC 4733 §2.1: that of the audio, if it may be.
    pub(super) fn event_clock(&self) -> Option<u32> {
        event_clock(self.sendable.iter().map(|(format, _)| format))
    }

    /// Sends a packet of a digit; the timestamp of its start.
    pub(super) fn write_event(
        &mut self,
        now: Instant,
        start: Option<u32>,
        event: &EventPacket,
    ) -> Option<u32> {
        let clock_hz = self.event_clock()?;
        let carries = Carries::Digits { clock_hz };
        let suits = |(format, _): &&(Format, u8)| format.suits(&Format::new(carries, None));
        let (_, number) = *self.sendable.iter().find(suits)?;
        let own_hz = self.format().map_or(clock_hz, |format| format.clock_hz());
        let first = start.is_none().then(|| self.timeline.stamp(now, own_hz));
        let start = start.or(first)?;
        let sequence = self.timeline.insert(now, first);
        let is_sent = self.send_packet(&RtpPacket {
            marker: event.marker,
            payload_type: number,
            sequence: sequence as u16,
            timestamp: start.wrapping_add(event.offset),
            ssrc: self.ssrc_out,
            payload: &event.payload,
        });
        if is_sent {
            self.packets_out += 1;
            self.bytes_out += event.payload.len() as u64;
        }
        is_sent.then_some(start)
    }

    /// A packet that would have gone out does not; it leaves no gap.
    pub(super) fn skip(&mut self, origin: u32, packet: &Packet) {
        let key = u64::from(origin) << 32 | u64::from(packet.ssrc);
        self.timeline.skip(key, packet.sequence);
    }

    /// RFC 3264 §5.1 has packets go where the description says; a symmetric peer gets them where its own
    /// come from.
    /// Whether a packet could be sent now.
    pub(super) fn is_open(&self) -> bool {
        let is_secured = self.protection.is_some() || !self.setup.is_secret();
        self.destination().is_some() && is_secured
    }

    fn destination(&self) -> Option<SocketAddr> {
        if let Some(checked) = self.setup.path(1) {
            return checked;
        }
        let declared = self.remote.map(|remote| remote.rtp);
        let learned = self.latch.address();
        match self.is_symmetric {
            true => learned.or(declared),
            false => declared.or(learned),
        }
    }

    /// Where RTCP goes, and from where.
    fn control_path(&self) -> Option<(SocketAddr, SocketAddr)> {
        if self.mux {
            return Some((self.ports.rtp, self.destination()?));
        }
        if let Some(checked) = self.setup.path(2) {
            return Some((self.ports.rtcp, checked?));
        }
        let declared = self.remote.map(|remote| remote.rtcp);
        let beside = self
            .latch
            .address()
            .map(|learned| SocketAddr::new(learned.ip(), learned.port().saturating_add(1)));
        let to = match self.is_symmetric {
            true => self.control_from.or_else(|| {
                let is_near =
                    |own: &SocketAddr| beside.is_none_or(|learned| learned.ip() == own.ip());
                declared.filter(is_near).or(beside)
            }),
            false => declared.or(beside),
        };
        Some((self.ports.rtcp, to?))
    }

    fn send_packet(&mut self, packet: &RtpPacket<'_>) -> bool {
        let Some(remote) = self.destination() else {
            return false;
        };
        let mut bytes = packet.write();
        if let Some(name) = &self.name {
            rtp::extend(&mut bytes, name.number, name.mid.as_bytes());
        }
        if let Some(protection) = &mut self.protection {
            let Some(sealed) = protection.sealer.seal_rtp(&bytes) else {
                return false;
            };
            bytes = sealed;
        } else if self.setup.is_secret() {
            return false;
        }
        self.transmits.push(Transmit {
            local: self.ports.rtp,
            remote,
            bytes,
        });
        true
    }

    fn send_control(&mut self, bytes: Vec<u8>) {
        let Some((local, remote)) = self.control_path() else {
            return;
        };
        let is_secret = self.setup.is_secret();
        let protection = match is_secret && !self.mux {
            true => self.setup.control.as_mut(),
            false => self.protection.as_mut(),
        };
        let bytes = match protection {
            Some(protection) => protection.sealer.seal_rtcp(&bytes),
            None if is_secret => None,
            None => Some(bytes),
        };
        self.transmits.extend(bytes.map(|bytes| Transmit {
            local,
            remote,
            bytes,
        }));
    }

    /// What we sent, as a report says it.
    fn sent(&self) -> Sent {
        // RFC 3550 §6.4: who has sent since the last report but one is a sender.
        let is_sender = self.packets_out > self.reported_out.0;
        Sent {
            ssrc: self.ssrc_out,
            sender: self.last_out.filter(|_| is_sender).map(|timestamp| Sender {
                timestamp,
                packets: self.packets_out,
                bytes: self.bytes_out,
            }),
        }
    }

    /// What we received, as a report says it.
    fn block(&mut self, now: Instant) -> Option<Block> {
        let ssrc = self.ssrc_in?;
        let tally = self.reception.tally()?;
        let block = Block {
            ssrc,
            fraction_lost: tally.fraction_lost,
            lost: i32::try_from(tally.lost).unwrap_or(i32::MAX),
            highest: tally.highest,
            jitter: self.reception.jitter(),
            ..Block::default()
        };
        Some(self.control.block(now, block))
    }

    /// Asks for a key frame, at most once in [`KEYFRAME_PAUSE`]. Under a plain profile signalling asks; beside
    /// that RTCP does, except for H.264, as in Asterisk: whoever has VP8 usually knows PLI.
    pub(super) fn request_keyframe(&mut self, now: Instant, clock: &Clock) {
        let Some(media) = self.ssrc_in.filter(|_| self.kind == Kind::Video) else {
            return;
        };
        if self
            .keyframe
            .is_some_and(|asked| now < asked + KEYFRAME_PAUSE)
        {
            self.is_keyframe_wanted = true;
            return;
        }
        self.keyframe = Some(now);
        self.is_keyframe_wanted = false;
        self.keyframe_requests_out += 1;
        self.is_keyframe_for_signaling |= !self.takes_keyframe_requests;
        let codec = self.format().and_then(|format| format.codec());
        if self.takes_keyframe_requests || codec.is_some_and(|codec| codec.name != "h264") {
            let report = control::report(now, clock, &self.sent(), None);
            self.send_control(report.write_keyframe_request(media));
        }
    }

    /// Whether signalling has to ask for a key frame; told once.
    pub(super) fn take_keyframe_for_signaling(&mut self) -> bool {
        std::mem::take(&mut self.is_keyframe_for_signaling)
    }

    pub(super) fn say_goodbye(&mut self, now: Instant, clock: &Clock) {
        let block = self.block(now);
        let report = control::report(now, clock, &self.sent(), block);
        self.send_control(report.write_bye());
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

    fn keyframe_due(&self) -> Option<Instant> {
        self.keyframe.map(|asked| asked + KEYFRAME_PAUSE)
    }

    fn keepalive_due(&self) -> Option<Instant> {
        let (_, sent, _) = self.last_out?;
        Some(sent + self.keepalive?)
    }

    /// A packet of comfort noise, as Asterisk sends (RFC 6263 §4.6 has such packets under a number of
    /// their own; 13 is the one that receivers without comfort noise know to ignore).
    fn keep_alive(&mut self, now: Instant) {
        let Some((last, sent, clock_hz)) = self.last_out else {
            return;
        };
        self.last_out = Some((last, now, clock_hz));
        self.keepalives += 1;
        let since = now.saturating_duration_since(sent).as_secs_f64() * f64::from(clock_hz);
        let timestamp = last.wrapping_add(since as u64 as u32);
        let place = self
            .timeline
            .place(now, KEEPALIVE_KEY, self.keepalives, timestamp, clock_hz);
        let Some((sequence, timestamp)) = place else {
            return;
        };
        self.last_out = Some((timestamp, now, clock_hz));
        self.send_packet(&RtpPacket {
            marker: false,
            payload_type: COMFORT_NOISE,
            sequence: sequence as u16,
            timestamp,
            ssrc: self.ssrc_out,
            payload: &[SILENCE_LEVEL],
        });
    }

    fn jitter_us(&self) -> u64 {
        u64::from(self.reception.jitter()) * 1_000_000 / u64::from(self.clock_hz.max(1))
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

const LOSSES_PAUSE: Duration = Duration::from_secs(5);
/// RFC 3389 §3.1: 127 below the loudest.
const SILENCE_LEVEL: u8 = 127;
/// No other source has this key: origins are numbers of legs.
const KEEPALIVE_KEY: u64 = u64::MAX;
