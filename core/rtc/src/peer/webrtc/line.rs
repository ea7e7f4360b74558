//! One m-line of a peer, both ways.

use super::super::stats::{Measured, StreamStats};
use super::{Event, Format, KEYFRAME_PAUSE, Packet, StreamId};
use crate::peer::packet::{Extensions, event_clock};
use crate::timeline::Timeline;
use crate::topology::Format as Carries;
use crate::webrtc::{Outgoing, WebRtc};
use rtp::{DigitEvent, DigitReceiver, EventClock, EventPacket, Reception};
use std::sync::Arc;
use std::time::{Duration, Instant};
use str0m::media::{Mid, Pt};
use str0m::rtp::Ssrc;
use str0m::stats::{MediaEgressStats, MediaIngressStats};

pub(super) struct Line {
    pub(super) id: StreamId,
    pub(super) mid: Mid,
    pub(super) kind: codec::Kind,
    /// The source heard last.
    pub(super) ssrc: Option<Ssrc>,
    /// Sources believed by their payload type alone: media, then retransmission.
    adopted: Vec<(Ssrc, Option<Ssrc>)>,
    /// What may be sent, and with which payload type.
    pub(super) sendable: Vec<(Format, Pt)>,
    clock_hz: u32,
    reception: Reception,
    digits: DigitReceiver,
    losses_reported: u64,
    losses_next: Option<Instant>,
    keyframe: Keyframe,
    timeline: Timeline,
    packets_out: u64,
    bytes_out: u64,
    counters: Counters,
}

/// When a key frame was asked for.
#[derive(Clone, Copy)]
enum Keyframe {
    Never,
    Asked(Instant),
    /// And is to be asked for again.
    AskedAndWanted(Instant),
}

/// What only the engine knows.
#[derive(Default)]
struct Counters {
    retransmissions_in: u64,
    retransmissions_out: u64,
    nacks_in: u64,
    nacks_out: u64,
    keyframe_requests_in: u64,
    keyframe_requests_out: u64,
    round_trip_us: Option<u64>,
    lost_out: u64,
    /// What the peer last reported: how far it had come, what it missed, its jitter.
    report: (u64, u64, u32),
    measured: Measured,
}

impl Line {
    /// A line whose outgoing numbers begin where the random `start` says.
    pub(super) fn new(id: StreamId, mid: Mid, kind: codec::Kind, start: u64) -> Self {
        Self {
            id,
            mid,
            kind,
            ssrc: None,
            adopted: Vec::new(),
            sendable: Vec::new(),
            clock_hz: 1,
            reception: Reception::default(),
            digits: DigitReceiver::default(),
            losses_reported: 0,
            losses_next: None,
            keyframe: Keyframe::Never,
            timeline: Timeline::new(start as u16, (start >> 32) as u32),
            packets_out: 0,
            bytes_out: 0,
            counters: Counters::default(),
        }
    }

    pub(super) fn has_source(&self, ssrc: Ssrc) -> bool {
        let is_adopted = |(main, rtx): &(Ssrc, Option<Ssrc>)| *main == ssrc || *rtx == Some(ssrc);
        self.ssrc == Some(ssrc) || self.adopted.iter().any(is_adopted)
    }

    /// Believes that a source nobody announced is this line's, or the retransmissions of the one
    /// before it.
    pub(super) fn adopt(&mut self, engine: &mut WebRtc, ssrc: Ssrc, is_main: bool) {
        if is_main && self.adopted.len() < ADOPTED_MAX {
            self.adopted.push((ssrc, None));
            engine.expect(self.mid, ssrc, None);
        } else if !is_main
            && let Some((main, rtx)) = self.adopted.last_mut()
            && rtx.is_none()
        {
            *rtx = Some(ssrc);
            engine.expect(self.mid, *main, *rtx);
        }
    }

    pub(super) fn on_packet(&mut self, now: Instant, ssrc: Ssrc, packet: &Packet) {
        if self.ssrc.replace(ssrc).is_some_and(|before| before != ssrc) {
            self.reception.on_restart();
        }
        let clock_hz = packet.format.clock_hz();
        if packet.format.is_telephone_event() {
            // RFC 4733 §2.5.1.2: all packets of an event have the timestamp of its start, which
            // says nothing about jitter.
            self.reception
                .on_event_packet(packet.sequence, packet.payload.len());
            let clock = EventClock {
                hz: clock_hz,
                sound_hz: self.clock_hz,
            };
            self.digits
                .handle_packet(now, clock, packet.timestamp, &packet.payload);
        } else {
            self.clock_hz = clock_hz;
            let (sequence, timestamp) = (packet.sequence, packet.timestamp);
            self.reception
                .on_packet(now, sequence, timestamp, clock_hz, packet.payload.len());
        }
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
        let received = self.reception.received();
        let is_news = lost > self.losses_reported;
        self.losses_reported = self.losses_reported.max(lost);
        is_news.then_some(Event::Losses {
            stream: self.id,
            lost,
            received,
        })
    }

    pub(super) fn write(
        &mut self,
        now: Instant,
        engine: &mut WebRtc,
        origin: u32,
        packet: &Packet,
    ) -> bool {
        let key = u64::from(origin) << 32 | u64::from(packet.ssrc);
        let pt = packet.format.number_of(&self.sendable);
        // An empty packet carries nothing but padding.
        let Some(pt) = pt.filter(|_| !packet.payload.is_empty()) else {
            self.timeline.skip(key, packet.sequence);
            return false;
        };
        let clock_hz = packet.format.clock_hz();
        let place = (packet.sequence, packet.timestamp);
        let Some((sequence, timestamp)) = self.timeline.place(now, key, place.0, place.1, clock_hz)
        else {
            return false;
        };
        let is_written = engine.write(
            self.mid,
            Outgoing {
                now,
                pt,
                sequence,
                timestamp,
                marker: packet.marker,
                nackable: self.kind == codec::Kind::Video,
                extensions: packet.extensions.to_engine(),
                payload: Arc::clone(&packet.payload),
            },
        );
        if is_written {
            self.packets_out += 1;
            self.bytes_out += packet.payload.len() as u64;
        }
        is_written
    }

    /// What the peer likes best to receive, digits aside.
    pub(super) fn format(&self) -> Option<Format> {
        let mut formats = self.sendable.iter().map(|(format, _)| *format);
        formats.find(|format| format.codec().is_some())
    }

    /// The clock of telephone events that the peer takes; RFC 4733 §2.1: that of the audio, if it may be.
    pub(super) fn event_clock(&self) -> Option<u32> {
        event_clock(self.sendable.iter().map(|(format, _)| format))
    }

    /// Sends a packet of a digit; the timestamp of its start.
    pub(super) fn write_event(
        &mut self,
        now: Instant,
        engine: &mut WebRtc,
        start: Option<u32>,
        event: &EventPacket,
    ) -> Option<u32> {
        let clock_hz = self.event_clock()?;
        let carries = Carries::Digits { clock_hz };
        let suits = |(format, _): &&(Format, Pt)| format.suits(&Format::new(carries, None));
        let (_, pt) = *self.sendable.iter().find(suits)?;
        let own_hz = self.format().map_or(clock_hz, |format| format.clock_hz());
        let first = start.is_none().then(|| self.timeline.begin(now, own_hz));
        let start = start.or(first)?;
        let sequence = self.timeline.insert(now, first);
        let is_written = engine.write(
            self.mid,
            Outgoing {
                now,
                pt,
                sequence,
                timestamp: start.wrapping_add(event.offset),
                marker: event.marker,
                nackable: false,
                extensions: Extensions::default().to_engine(),
                payload: Arc::from(event.payload),
            },
        );
        if is_written {
            self.packets_out += 1;
            self.bytes_out += event.payload.len() as u64;
        }
        is_written.then_some(start)
    }

    /// A packet that would have gone out does not; it leaves no gap.
    pub(super) fn skip(&mut self, origin: u32, packet: &Packet) {
        let key = u64::from(origin) << 32 | u64::from(packet.ssrc);
        self.timeline.skip(key, packet.sequence);
    }

    pub(super) fn request_keyframe(&mut self, now: Instant, engine: &mut WebRtc) {
        let Some(ssrc) = self.ssrc.filter(|_| self.kind == codec::Kind::Video) else {
            // Nothing came yet, and what comes first is a key frame.
            return;
        };
        match self.keyframe {
            Keyframe::Asked(at) | Keyframe::AskedAndWanted(at) if now < at + KEYFRAME_PAUSE => {
                self.keyframe = Keyframe::AskedAndWanted(at);
            }
            _ => {
                if engine.request_keyframe(ssrc) {
                    self.counters.keyframe_requests_out += 1;
                    self.keyframe = Keyframe::Asked(now);
                }
            }
        }
    }

    pub(super) fn on_keyframe_requested(&mut self) {
        self.counters.keyframe_requests_in += 1;
    }

    pub(super) fn handle_timeout(&mut self, now: Instant, engine: &mut WebRtc) {
        self.digits.handle_timeout(now);
        if let Keyframe::AskedAndWanted(at) = self.keyframe
            && now >= at + KEYFRAME_PAUSE
        {
            self.keyframe = Keyframe::Asked(at);
            self.request_keyframe(now, engine);
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let keyframe = match self.keyframe {
            Keyframe::Never | Keyframe::Asked(_) => None,
            Keyframe::AskedAndWanted(at) => Some(at + KEYFRAME_PAUSE),
        };
        keyframe.into_iter().chain(self.digits.poll_timeout()).min()
    }

    pub(super) fn on_ingress(&mut self, stats: &MediaIngressStats) {
        self.counters.nacks_out = stats.nacks;
        self.counters.retransmissions_in = stats.packets.saturating_sub(self.reception.received());
        let (jitter_us, lost) = (self.jitter_us(), self.reception.lost());
        self.counters.measured.on_own(jitter_us, lost);
    }

    pub(super) fn on_egress(&mut self, stats: &MediaEgressStats) -> Option<Event> {
        self.counters.nacks_in = stats.nacks;
        let round_trip = stats.rtt.map(|time| time.as_micros() as u64);
        self.counters.round_trip_us = round_trip.or(self.counters.round_trip_us);
        if let Some(remote) = &stats.remote {
            self.counters.lost_out = remote.packets_lost;
            let report = (
                *remote.maximum_sequence_number,
                remote.packets_lost,
                remote.jitter,
            );
            // The engine tells the last report again and again.
            if std::mem::replace(&mut self.counters.report, report) != report {
                let clock_hz = self.format().map_or(self.clock_hz, |own| own.clock_hz());
                let jitter_us = u64::from(remote.jitter) * 1_000_000 / u64::from(clock_hz.max(1));
                let measured = &mut self.counters.measured;
                measured.on_theirs(jitter_us, remote.packets_lost);
                if let Some(us) = round_trip {
                    measured.on_round_trip(us);
                }
            }
        }
        self.counters.retransmissions_out = stats.packets.saturating_sub(self.packets_out);
        Some(Event::Missed {
            stream: self.id,
            percent: (stats.loss? * 100.0).ceil().clamp(0.0, 100.0) as u8,
        })
    }

    fn jitter_us(&self) -> u64 {
        u64::from(self.reception.jitter()) * 1_000_000 / u64::from(self.clock_hz.max(1))
    }

    pub(super) fn stats(&self, engine: &mut WebRtc) -> StreamStats {
        StreamStats {
            stream: self.id,
            kind: self.kind,
            ssrc_in: self.ssrc.map(|ssrc| *ssrc),
            ssrc_out: engine
                .ssrc_out(self.mid)
                .filter(|_| !self.sendable.is_empty()),
            packets_in: self.reception.received(),
            bytes_in: self.reception.bytes(),
            packets_out: self.packets_out,
            bytes_out: self.bytes_out,
            lost: self.reception.lost(),
            jitter_us: self.jitter_us(),
            jitter_out_us: self.counters.measured.jitter_out_us,
            quality: self.counters.measured.quality,
            round_trip_us: self.counters.round_trip_us,
            lost_out: self.counters.lost_out,
            refused: 0,
            retransmissions_in: self.counters.retransmissions_in,
            retransmissions_out: self.counters.retransmissions_out,
            nacks_in: self.counters.nacks_in,
            nacks_out: self.counters.nacks_out,
            keyframe_requests_in: self.counters.keyframe_requests_in,
            keyframe_requests_out: self.counters.keyframe_requests_out,
        }
    }
}

/// Anyone who can send from the peer's address can name a source; few peers restart theirs.
const ADOPTED_MAX: usize = 8;
const LOSSES_PAUSE: Duration = Duration::from_secs(5);
