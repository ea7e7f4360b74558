//! ICE of one stream of a desk phone (RFC 8445): an agent for RTP, and one for RTCP where that has a port of
//! its own. A full agent: it checks the peer's candidates and answers its checks, and chooses where it
//! offered.

use crate::dtls;
use crate::negotiate::desk::Checks as Agreed;
use crate::peer::{PortPair, Transmit};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use str0m::Candidate;
use str0m::ice::{IceAgent, IceAgentEvent, StunMessage, StunPacket};
use str0m::net::Protocol;

pub(super) struct Checks {
    agreed: Agreed,
    agents: Vec<Agent>,
    since: Instant,
    is_given_up: bool,
}

struct Agent {
    component: u32,
    engine: IceAgent,
    local: SocketAddr,
    pair: Option<SocketAddr>,
    /// Where checks came from that proved the password.
    known: Vec<SocketAddr>,
    due: Option<Instant>,
}

impl Checks {
    pub(super) fn new(now: Instant, agreed: &Agreed, ports: &PortPair, mux: bool) -> Self {
        let agent = |(component, local)| Agent::new(now, agreed, component, local);
        let rtcp = (!mux).then_some((2, ports.rtcp));
        let mut checks = Self {
            agreed: agreed.clone(),
            agents: std::iter::once((1, ports.rtp))
                .chain(rtcp)
                .map(agent)
                .collect(),
            since: now,
            is_given_up: false,
        };
        checks.handle_timeout(now);
        checks
    }

    /// Whether this goes on under what is agreed now. Candidates that are new are added.
    pub(super) fn go_on(&mut self, agreed: &Agreed, mux: bool) -> bool {
        let is_same = agreed.theirs.continues(&self.agreed.theirs)
            && agreed.ours.ufrag == self.agreed.ours.ufrag
            && self.agents.len() == if mux { 1 } else { 2 };
        if is_same {
            for agent in &mut self.agents {
                agent.add(&agreed.theirs.candidates);
            }
        }
        is_same
    }

    /// Takes a STUN message.
    pub(super) fn handle_datagram(
        &mut self,
        now: Instant,
        local: SocketAddr,
        remote: SocketAddr,
        bytes: &[u8],
    ) {
        let agent = self.agents.iter_mut().find(|agent| agent.local == local);
        if let (Some(agent), Ok(message)) = (agent, StunMessage::parse(bytes)) {
            agent.engine.handle_packet(
                now,
                StunPacket {
                    proto: Protocol::Udp,
                    source: remote,
                    destination: local,
                    message,
                },
            );
            agent.engine.handle_timeout(now);
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        for agent in &mut self.agents {
            if agent.due.is_none_or(|due| due <= now) {
                agent.engine.handle_timeout(now);
            }
        }
        self.is_given_up = self.pair(1).is_none() && now >= self.since + PATIENCE;
    }

    /// What is to be sent; whether a pair was found, or another one.
    pub(super) fn poll(&mut self, out: &mut Vec<Transmit>) -> bool {
        let mut is_news = false;
        for agent in &mut self.agents {
            while let Some(event) = agent.engine.poll_event() {
                match event {
                    IceAgentEvent::NominatedSend { destination, .. } => {
                        is_news |= agent.pair != Some(destination);
                        agent.pair = Some(destination);
                    }
                    IceAgentEvent::DiscoveredRecv { source, .. } => {
                        if agent.known.len() == KNOWN_MAX {
                            agent.known.remove(0);
                        }
                        agent.known.push(source);
                    }
                    IceAgentEvent::IceRestart(_) | IceAgentEvent::IceConnectionStateChange(_) => {}
                }
            }
            while let Some(transmit) = agent.engine.poll_transmit() {
                out.push(Transmit {
                    local: transmit.source,
                    remote: transmit.destination,
                    bytes: transmit.contents.into(),
                });
            }
            agent.due = agent.engine.poll_timeout();
        }
        is_news
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let is_waiting = self.pair(1).is_none() && !self.is_given_up;
        let patience = is_waiting.then(|| self.since + PATIENCE);
        let dues = self.agents.iter().filter_map(|agent| agent.due);
        dues.chain(patience).min()
    }

    /// Where packets of a component go, once that is known.
    pub(super) fn pair(&self, component: u32) -> Option<SocketAddr> {
        let mut agents = self.agents.iter();
        agents.find(|agent| agent.component == component)?.pair
    }

    /// Whether somebody at this address has proven to be the peer.
    pub(super) fn knows(&self, local: SocketAddr, remote: SocketAddr) -> bool {
        let mut agents = self.agents.iter();
        let agent = agents.find(|agent| agent.local == local);
        agent.is_some_and(|agent| agent.pair == Some(remote) || agent.known.contains(&remote))
    }

    /// Whether packets go by the checks. Where the peer answers none there is no ICE in it that works, and
    /// they go where its description says.
    pub(super) fn counts(&self) -> bool {
        !self.is_given_up
    }
}

impl Agent {
    fn new(now: Instant, agreed: &Agreed, component: u32, local: SocketAddr) -> Self {
        let hmac = dtls::crypto().sha1_hmac_provider;
        let mut engine = IceAgent::with_hmac(agreed.ours.to_engine(), hmac);
        // RFC 8445 §6.1.1: who offered controls, unless the other side is lite.
        engine.set_controlling(agreed.is_controlling || agreed.theirs.is_lite);
        engine.set_initial_stun_rto(STUN_RTO);
        if let Ok(candidate) = Candidate::host(local, Protocol::Udp) {
            engine.add_local_candidate(candidate);
        }
        engine.set_remote_credentials(str0m::IceCreds {
            ufrag: agreed.theirs.ufrag.to_string(),
            pass: agreed.theirs.password.to_string(),
        });
        let mut agent = Self {
            component,
            engine,
            local,
            pair: None,
            known: Vec::new(),
            due: Some(now),
        };
        agent.add(&agreed.theirs.candidates);
        agent
    }

    fn add(&mut self, candidates: &[crate::negotiate::desk::Reached]) {
        let own = candidates
            .iter()
            .filter(|own| own.component == self.component);
        for candidate in own {
            // What cannot be read is no candidate.
            let Ok(candidate) = Candidate::from_sdp_string(&candidate.text) else {
                continue;
            };
            self.engine.add_remote_candidate(candidate);
        }
    }
}

/// Addresses of the peer that are remembered.
const KNOWN_MAX: usize = 16;
const PATIENCE: Duration = Duration::from_secs(5);
const STUN_RTO: Duration = Duration::from_millis(100);
