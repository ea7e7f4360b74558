//! The path of a line, which others may share with it (RFC 9143): where packets go and come from, and the keys.

use super::{Line, Setup};
use crate::peer::PortPair;
use crate::policy::Terms;
use rtp::Latch;
use std::mem::swap;
use std::time::Instant;

impl Line {
    /// Gives its path to another line, and takes that one's.
    pub(in crate::peer::desk) fn swap_path(&mut self, other: &mut Self) {
        swap(&mut self.latch, &mut other.latch);
        swap(&mut self.control_from, &mut other.control_from);
        swap(&mut self.protection, &mut other.protection);
        swap(&mut self.setup, &mut other.setup);
    }

    /// Goes by these ports from now on. Nothing is known of another path.
    pub(in crate::peer::desk) fn move_to(&mut self, now: Instant, ports: PortPair, terms: &Terms) {
        self.ports = ports;
        self.latch = Latch::new(now, terms.strictness, self.signaled);
        self.control_from = None;
        self.protection = None;
        self.setup = Setup::default();
    }

    /// Whether packets of this source are its.
    pub(in crate::peer::desk) fn has_source(&self, ssrc: u32) -> bool {
        self.ssrc_in == Some(ssrc) || self.named_ssrcs.contains(&ssrc)
    }

    /// Whether it knows what this payload type means.
    pub(in crate::peer::desk) fn has_number(&self, number: u8) -> bool {
        self.formats.iter().any(|(own, _)| *own == number)
    }

    /// A source that turned out to be another line's.
    pub(in crate::peer::desk) fn forget_source(&mut self, ssrc: u32) {
        self.ssrc_in.take_if(|own| *own == ssrc);
    }

    /// Whether two lines send as one source.
    pub(in crate::peer::desk) fn sends_as(&self, other: &Self) -> bool {
        self.ssrc_out == other.ssrc_out
    }
}
