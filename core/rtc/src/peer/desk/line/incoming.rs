//! RTP of one line that comes in: whose it is, what it means, and what is missing of it.

use super::Line;
use crate::negotiate::format::COMFORT_NOISE;
use crate::peer::Event;
use crate::peer::packet::{Extensions, Format, Packet};
use rtp::srtp::Suite;
use rtp::{Claim, DigitEvent, EventClock, RtpPacket, Sorted, Sorter, Verdict};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A packet that was believed.
pub(in crate::peer::desk) struct Heard {
    /// Its address was not known before.
    pub(in crate::peer::desk) is_learned: bool,
    /// What it was encrypted with.
    pub(in crate::peer::desk) suite: Option<Suite>,
    /// None if it was a copy, or nothing anybody reads.
    pub(in crate::peer::desk) packet: Option<Packet>,
}

impl Line {
    /// Takes an RTP packet; `None` if it is a stranger's or makes no sense.
    pub(in crate::peer::desk) fn on_packet(
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
    pub(in crate::peer::desk) fn let_go(&mut self) -> impl Iterator<Item = DigitEvent> {
        self.digits.finish();
        self.poll_digits()
    }

    pub(in crate::peer::desk) fn poll_digits(&mut self) -> impl Iterator<Item = DigitEvent> {
        std::iter::from_fn(|| self.digits.poll_digit())
    }

    /// The news about losses, not too often.
    pub(in crate::peer::desk) fn losses(&mut self, now: Instant) -> Option<Event> {
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
}

const LOSSES_PAUSE: Duration = Duration::from_secs(5);
