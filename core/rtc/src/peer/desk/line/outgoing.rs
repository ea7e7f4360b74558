//! RTP of one line that goes out: media, digits (RFC 4733), and what keeps the way open (RFC 6263).

use super::Line;
use crate::negotiate::format::COMFORT_NOISE;
use crate::peer::Transmit;
use crate::peer::packet::{Format, Packet, event_clock};
use crate::topology::Format as Carries;
use rtp::{EventPacket, RtpPacket};
use std::time::Instant;

impl Line {
    pub(in crate::peer::desk) fn write(
        &mut self,
        now: Instant,
        origin: u32,
        packet: &Packet,
    ) -> bool {
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
    pub(in crate::peer::desk) fn event_clock(&self) -> Option<u32> {
        event_clock(self.sendable.iter().map(|(format, _)| format))
    }

    /// Sends a packet of a digit; the timestamp of its start.
    pub(in crate::peer::desk) fn write_event(
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
        let first = start.is_none().then(|| self.timeline.begin(now, own_hz));
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
    pub(in crate::peer::desk) fn skip(&mut self, origin: u32, packet: &Packet) {
        let key = u64::from(origin) << 32 | u64::from(packet.ssrc);
        self.timeline.skip(key, packet.sequence);
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

    pub(super) fn keepalive_due(&self) -> Option<Instant> {
        let (_, sent, _) = self.last_out?;
        Some(sent + self.keepalive?)
    }

    /// A packet of comfort noise, as Asterisk sends (RFC 6263 §4.6 has such packets under a number of
    /// their own; 13 is the one that receivers without comfort noise know to ignore).
    pub(super) fn keep_alive(&mut self, now: Instant) {
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
}

/// RFC 3389 §3.1: 127 below the loudest.
const SILENCE_LEVEL: u8 = 127;
/// No other source has this key: origins are numbers of legs.
const KEEPALIVE_KEY: u64 = u64::MAX;
