//! The path of a line, which others may share with it (RFC 9143): where packets go and come from, and the keys.

use super::{Line, Setup};
use crate::peer::PortPair;
use crate::policy::Terms;
use rtp::Latch;
use std::mem::swap;
use std::net::SocketAddr;
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

    /// The addresses media go between.
    pub(in crate::peer::desk) fn pair(&self) -> Option<(SocketAddr, SocketAddr)> {
        let checked = self.setup.path(1).flatten();
        let remote = checked
            .or_else(|| self.latch.address())
            .or_else(|| self.destination())?;
        Some((self.ports.rtp, remote))
    }

    /// Whether a packet could be sent now.
    pub(in crate::peer::desk) fn is_open(&self) -> bool {
        let is_secured = self.protection.is_some() || !self.setup.is_secret();
        self.destination().is_some() && is_secured
    }

    /// RFC 3264 §5.1 has packets go where the description says; a symmetric peer gets them where its own
    /// come from.
    pub(in crate::peer::desk) fn destination(&self) -> Option<SocketAddr> {
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
    pub(super) fn control_path(&self) -> Option<(SocketAddr, SocketAddr)> {
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
}
