//! What comes before media on one line: checks of connectivity, and the handshake.

use super::super::checks::Checks;
use super::super::handshake::{Handshake, Keyed};
use super::{Line, Protection};
use crate::dtls::Certificate;
use crate::negotiate::desk::Live;
use crate::peer::{CONNECT_MAX, Event, Transmit};
use rtp::Verdict;
use rtp::srtp::{Opener, Sealer};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

/// How far a line has come.
#[derive(Default)]
pub(super) struct Setup {
    checks: Option<Checks>,
    /// A handshake was agreed on, whether or not it could be begun.
    is_secret: bool,
    /// Of RTP, and of RTCP where that has a port of its own.
    handshakes: Vec<Way>,
    /// Keys of RTCP that came by its own handshake.
    pub(super) control: Option<Protection>,
    /// The source that was told last.
    told: Option<SocketAddr>,
    /// When the handshake has to be done.
    deadline: Option<Instant>,
}

/// A handshake and our end of it.
struct Way {
    handshake: Handshake,
    local: SocketAddr,
}

impl Setup {
    /// Whether media is encrypted by a handshake: until it is done there is none.
    pub(super) fn is_secret(&self) -> bool {
        self.is_secret
    }

    /// What the checks say of a source; `None` if there are none that count.
    pub(super) fn judge(&mut self, local: SocketAddr, from: SocketAddr) -> Option<Verdict> {
        let checks = self.checks.as_ref().filter(|checks| checks.counts())?;
        Some(match checks.knows(local, from) {
            true if self.told.replace(from) != Some(from) => Verdict::Learned,
            true => Verdict::Heard,
            false => Verdict::Refused,
        })
    }

    /// Where a component is sent to, by the checks; `None` if there are none that count.
    pub(super) fn path(&self, component: u32) -> Option<Option<SocketAddr>> {
        let checks = self.checks.as_ref().filter(|checks| checks.counts())?;
        Some(checks.pair(component))
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let handshakes = self.handshakes.iter();
        let dues = handshakes.filter_map(|way| way.handshake.poll_timeout());
        let checks = self.checks.as_ref().and_then(Checks::poll_timeout);
        dues.chain(checks).chain(self.deadline).min()
    }
}

impl Line {
    /// Takes over what a round agreed on. What stands goes on.
    pub(super) fn agree_setup(&mut self, now: Instant, live: &Live, certificate: &Certificate) {
        let setup = &mut self.setup;
        match &live.checks {
            None => setup.checks = None,
            Some(agreed) => {
                let is_same = |checks: &mut Checks| checks.go_on(agreed, live.mux);
                if !setup.checks.as_mut().is_some_and(is_same) {
                    setup.checks = Some(Checks::new(now, agreed, &self.ports, live.mux));
                }
            }
        }
        let Some(association) = &live.association else {
            setup.is_secret = false;
            setup.handshakes.clear();
            setup.control = None;
            setup.deadline = None;
            return self.rekey(live.keys.as_ref());
        };
        let (prints, is_active) = (&association.prints, association.is_active);
        let locals = [self.ports.rtp, self.ports.rtcp];
        let locals = &locals[..if live.mux { 1 } else { 2 }];
        let stands = setup.handshakes.len() == locals.len()
            && setup
                .handshakes
                .iter()
                .all(|way| way.handshake.is_for(prints, is_active));
        if stands {
            return;
        }
        let way = |local: &SocketAddr| {
            Some(Way {
                handshake: Handshake::new(certificate, prints, &self.suites, is_active)?,
                local: *local,
            })
        };
        let ways = locals.iter().map(way).collect();
        self.begin_setup(now, ways);
    }

    /// Begins anew: until all is done, and where that cannot be, nothing is sent or heard.
    fn begin_setup(&mut self, now: Instant, ways: Option<Vec<Way>>) {
        let setup = &mut self.setup;
        let patience = ways.as_ref().map_or(Duration::ZERO, |_| CONNECT_MAX);
        setup.is_secret = true;
        setup.handshakes = ways.unwrap_or_default();
        setup.control = None;
        setup.deadline = Some(now + patience);
        self.protection = None;
    }

    /// Takes a check or a piece of a handshake. [`Self::settle`] comes next.
    pub(in crate::peer::desk) fn on_setup(
        &mut self,
        now: Instant,
        local: SocketAddr,
        remote: SocketAddr,
        bytes: &[u8],
    ) {
        let expected = self.declared(local).map(|declared| declared.ip());
        let is_expected = expected == Some(remote.ip()) || self.signaled == Some(remote.ip());
        let setup = &mut self.setup;
        if bytes.first().is_some_and(|first| *first <= 3) {
            if let Some(checks) = &mut setup.checks {
                checks.handle_datagram(now, local, remote, bytes);
            }
            return;
        }
        let checks = setup.checks.as_ref().filter(|checks| checks.counts());
        if checks.is_some_and(|checks| !checks.knows(local, remote)) {
            return;
        }
        // Behind checks the peer is one, whatever path it takes.
        let remote = checks.map_or(remote, |_| CHECKED);
        let way = setup.handshakes.iter_mut().find(|way| way.local == local);
        if let Some(way) = way {
            way.handshake
                .handle_datagram(now, remote, is_expected, bytes);
        }
    }

    /// Sends what checks and handshakes have to say; what became of them.
    pub(in crate::peer::desk) fn settle(&mut self, now: Instant) -> Vec<Event> {
        let mut events = Vec::new();
        if let Some(checks) = &mut self.setup.checks {
            checks.handle_timeout(now);
            if checks.poll(&mut self.transmits)
                && let Some(remote) = checks.pair(1)
            {
                let local = self.ports.rtp;
                events.push(Event::IceConnected { local, remote });
            }
        }
        for index in 0..self.setup.handshakes.len() {
            if let Some(Keyed { names, .. }) = self.shake(now, index)
                && index == 0
            {
                let (dtls, srtp) = names;
                events.push(Event::Connected { dtls, srtp });
            }
        }
        let handshakes = &self.setup.handshakes;
        if !handshakes.is_empty() && handshakes.iter().all(|way| way.handshake.is_done()) {
            self.setup.deadline = None;
        }
        events
    }

    /// Whether the handshake came to nothing.
    pub(in crate::peer::desk) fn is_refused(&self, now: Instant) -> bool {
        self.setup.deadline.is_some_and(|deadline| now >= deadline)
    }

    fn shake(&mut self, now: Instant, index: usize) -> Option<Keyed> {
        let local = self.setup.handshakes[index].local;
        // Where the checks lead, or where the description says.
        let checked = self.setup.path(index as u32 + 1);
        let path = checked.unwrap_or_else(|| self.declared(local));
        let way = &mut self.setup.handshakes[index];
        if way.handshake.poll_timeout().is_some_and(|due| due <= now) {
            way.handshake.handle_timeout(now);
        }
        if let Some(path) = path {
            way.handshake.begin(now, checked.map_or(path, |_| CHECKED));
        }
        while let Some((remote, bytes)) = way.handshake.poll_transmit() {
            let remote = match checked {
                None => Some(remote),
                Some(path) => path,
            };
            self.transmits.extend(remote.map(|remote| Transmit {
                local,
                remote,
                bytes,
            }));
        }
        let keyed = way.handshake.poll_keyed();
        let keyed = keyed?;
        let protection = Protection {
            sealer: Sealer::new(&keyed.ours),
            opener: Opener::new(keyed.theirs.clone()),
            ours: keyed.ours.clone(),
            theirs: keyed.theirs.clone(),
            identifier: Box::default(),
        };
        match index {
            0 => self.protection = Some(protection),
            _ => self.setup.control = Some(protection),
        }
        Some(keyed)
    }

    /// Where the peer's description says that one of our ports is sent from.
    fn declared(&self, local: SocketAddr) -> Option<SocketAddr> {
        let remote = self.remote?;
        Some(match local == self.ports.rtp {
            true => remote.rtp,
            false => remote.rtcp,
        })
    }
}

/// Whoever has proven its password; the checks say where it is.
const CHECKED: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "a test chooses where its time begins"
)]
mod tests {
    use super::*;
    use crate::StreamId;
    use crate::peer::PortPair;
    use crate::policy::Terms;
    use rand_chacha::ChaCha12Rng;
    use rand_core::SeedableRng;

    #[test]
    fn a_handshake_that_cannot_be_made_ends_the_call_and_nothing_goes_in_the_clear() {
        let now = Instant::now();
        let ports = PortPair {
            rtp: "127.0.0.1:4000".parse().unwrap(),
            rtcp: "127.0.0.1:4001".parse().unwrap(),
        };
        let mut rng = ChaCha12Rng::from_seed([7; 32]);
        let terms = Terms::default();
        let mut line = Line::new(now, StreamId(0), ports, &terms, None, &mut rng);
        assert!(!line.setup.is_secret());
        line.begin_setup(now, None);
        assert!(line.settle(now).is_empty());
        assert!(line.setup.is_secret());
        assert!(line.is_refused(now));
    }
}
