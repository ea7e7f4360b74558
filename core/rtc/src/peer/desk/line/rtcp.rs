//! RTCP of one line, both ways: reports, requests for key frames, and its end (RFC 3550 §6, RFC 4585 §6.3).

use super::Line;
use crate::peer::desk::control::{self, Clock, Sender, Sent};
use crate::peer::{Event, KEYFRAME_PAUSE, Transmit};
use codec::Kind;
use rtp::rtcp::{Block, Rtcp};
use std::net::SocketAddr;
use std::time::Instant;

impl Line {
    /// Reads a compound RTCP packet; nothing where it is a stranger's.
    pub(in crate::peer::desk) fn open_control(
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
    pub(in crate::peer::desk) fn on_control(
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

    pub(super) fn send_control(&mut self, bytes: Vec<u8>) {
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
    pub(super) fn sent(&self) -> Sent {
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
    pub(super) fn block(&mut self, now: Instant) -> Option<Block> {
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
    pub(in crate::peer::desk) fn request_keyframe(&mut self, now: Instant, clock: &Clock) {
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
    pub(in crate::peer::desk) fn take_keyframe_for_signaling(&mut self) -> bool {
        std::mem::take(&mut self.is_keyframe_for_signaling)
    }

    pub(in crate::peer::desk) fn say_goodbye(&mut self, now: Instant, clock: &Clock) {
        let block = self.block(now);
        let report = control::report(now, clock, &self.sent(), block);
        self.send_control(report.write_bye());
    }

    pub(super) fn keyframe_due(&self) -> Option<Instant> {
        self.keyframe.map(|asked| asked + KEYFRAME_PAUSE)
    }

    pub(super) fn jitter_us(&self) -> u64 {
        u64::from(self.reception.jitter()) * 1_000_000 / u64::from(self.clock_hz.max(1))
    }
}
