//! Lines that share a port (RFC 9143 §9): whose a packet is, and the path they have in common.
//!
//! The path, with what was learned of the peer and the keys, is kept by the line that leads. Who follows is lent
//! it for as long as it acts.

use super::control::Clock;
use super::line::Line;
use super::{DeskPeer, StreamId};
use rand_chacha::ChaCha12Rng;
use rtp::rtcp::Rtcp;
use std::net::SocketAddr;
use std::time::Instant;

impl DeskPeer {
    pub(super) fn index(&self, stream: StreamId) -> Option<usize> {
        self.lines.iter().position(|line| line.id == stream)
    }

    /// Has a line act on the path it goes by.
    pub(super) fn on_path<T>(
        &mut self,
        index: usize,
        act: impl FnOnce(&mut Line, &Clock, &mut ChaCha12Rng) -> T,
    ) -> T {
        let leader = self.lines[index].follows.and_then(|id| self.index(id));
        self.swap_paths(leader, index);
        let result = act(&mut self.lines[index], &self.clock, &mut self.rng);
        self.swap_paths(leader, index);
        result
    }

    /// RFC 9143 §9.2: the line a packet is of, by the name in it, by its source or by its payload type.
    pub(super) fn line_of(&self, local: SocketAddr, bytes: &[u8]) -> Option<usize> {
        let at_port = || {
            let lines = self.lines.iter().enumerate();
            lines.filter(|(_, line)| line.ports.rtp == local)
        };
        if at_port().count() < 2 {
            return at_port().next().map(|(index, _)| index);
        }
        let number = at_port().find_map(|(_, line)| Some(line.name.as_ref()?.number));
        if let Some(written) = number.and_then(|number| rtp::extension(bytes, number)) {
            let is_named = |line: &Line| {
                let name = line.name.as_ref();
                name.is_some_and(|name| name.mid.as_bytes() == written)
            };
            let mut named = at_port().filter(|(_, line)| is_named(line));
            return named.next().map(|(index, _)| index);
        }
        let ssrc = source(bytes)?;
        if let Some((index, _)) = at_port().find(|(_, line)| line.has_source(ssrc)) {
            return Some(index);
        }
        let number = bytes.get(1)? & 0x7F;
        let mut known = at_port().filter(|(_, line)| line.has_number(number));
        let (index, _) = known.next()?;
        known.next().is_none().then_some(index)
    }

    /// The source of a packet that was believed is of no other line of its port.
    pub(super) fn own_source(&mut self, index: usize, bytes: &[u8]) {
        let local = self.lines[index].ports.rtp;
        let Some(ssrc) = source(bytes) else { return };
        for (other, line) in self.lines.iter_mut().enumerate() {
            if other != index && line.ports.rtp == local {
                line.forget_source(ssrc);
            }
        }
    }

    /// Gives reports to every line of the path they came by; each knows its own.
    pub(super) fn on_control(&mut self, now: Instant, leader: StreamId, packets: &[Rtcp]) {
        let is_of = |line: &&mut Line| line.id == leader || line.follows == Some(leader);
        let lines = self.lines.iter_mut().filter(is_of);
        let told = lines.map(|line| line.on_control(now, &self.clock, packets));
        let told: Vec<_> = told.flatten().collect();
        for event in told {
            self.push(event);
        }
    }

    /// A line that leads from now on, at the port it shared, goes on where its leader was.
    pub(super) fn hand_over(&mut self) {
        let leading = self.negotiator.live();
        let leading = leading.filter(|(_, live)| live.follows.is_none());
        let leading: Vec<_> = leading
            .map(|(mline, live)| (StreamId(mline), self.ports[live.port]))
            .collect();
        for (id, ports) in leading {
            let Some(index) = self.index(id) else {
                continue;
            };
            let line = &self.lines[index];
            let leader = line.follows.filter(|_| line.ports == ports);
            let leader = leader.and_then(|leader| self.index(leader));
            self.swap_paths(leader, index);
        }
    }

    fn swap_paths(&mut self, leader: Option<usize>, index: usize) {
        let pair = leader.map(|leader| self.lines.get_disjoint_mut([leader, index]));
        if let Some(Ok([leader, line])) = pair {
            leader.swap_path(line);
        }
    }
}

/// The SSRC of an RTP packet.
fn source(bytes: &[u8]) -> Option<u32> {
    let (_, rest) = bytes.split_at_checked(8)?;
    rest.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}
