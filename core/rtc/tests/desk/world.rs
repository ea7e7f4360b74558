//! Two legs of desk phones in virtual time, joined by a network that can lose and forge.

use codec::{Kind, by_name};
use rtc::policy::{Policy, Terms, Transport};
use rtc::topology::{Direction, Topology};
use rtc::{Certificate, Event, Outcome, Packet, Peer, PeerConfig, PortPair, Refused, Round};
use rtc::{StreamId, Transmit};
use sdp::Sdp;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) const OURS: &str = "10.0.0.1";
pub(crate) const THEIRS: &str = "10.0.0.2";

pub(crate) fn policy(audio: &[&str], video: &[&str], terms: Terms) -> Policy {
    let codecs = |names: &[&str]| names.iter().map(|name| by_name(name).unwrap()).collect();
    Policy {
        audio: codecs(audio),
        video: codecs(video),
        later: Vec::new(),
        pictures: Direction::SendRecv,
        max_audio_streams: 1,
        max_video_streams: 1,
        telephone_event: true,
        reading: Default::default(),
        marks: Default::default(),
        transport: Transport::Rtp(terms),
    }
}

pub(crate) fn ports(ip: &str) -> Vec<PortPair> {
    let ip: IpAddr = ip.parse().unwrap();
    let pair = |port| PortPair {
        rtp: SocketAddr::new(ip, port),
        rtcp: SocketAddr::new(ip, port + 1),
    };
    vec![pair(4000), pair(4002)]
}

pub(crate) fn peer(now: Instant, ip: &str, seed: u8, policy: Policy) -> Peer {
    let config = PeerConfig {
        policy: Arc::new(policy),
        candidates: Vec::new(),
        ufrag_prefix: String::new(),
        ports: ports(ip),
        signaled: None,
        certificate: Certificate::generate().unwrap(),
        seed: [seed; 32],
    };
    Peer::new(now, config)
}

/// One leg that has not negotiated.
pub(crate) struct Leg {
    pub(crate) now: Instant,
    pub(crate) peer: Peer,
}

impl Leg {
    pub(crate) fn new(policy: Policy) -> Self {
        let now = Instant::now();
        let peer = peer(now, OURS, 1, policy);
        Self { now, peer }
    }

    pub(crate) fn answer(&mut self, offer: &str) -> Result<Outcome, Refused> {
        let offer = sdp(offer);
        self.peer.negotiate(self.now, Round::Answer { offer })
    }

    pub(crate) fn offer(&mut self, want: Topology) -> Sdp {
        let outcome = self.peer.negotiate(self.now, Round::Offer { want });
        outcome.unwrap().sdp.unwrap()
    }

    pub(crate) fn apply(&mut self, answer: &str) -> Result<Outcome, Refused> {
        let answer = sdp(answer);
        self.peer.negotiate(self.now, Round::Apply { answer })
    }

    pub(crate) fn receive(&mut self, from: &str, bytes: &[u8]) {
        let local = ports(OURS)[0].rtp;
        let from = from.parse().unwrap();
        self.peer.handle_datagram(self.now, local, from, bytes);
    }

    pub(crate) fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.peer.poll_event()).collect()
    }

    pub(crate) fn transmits(&mut self) -> Vec<Transmit> {
        std::iter::from_fn(|| self.peer.poll_transmit()).collect()
    }
}

/// Lines joined by line ends.
pub(crate) fn sdp(text: &str) -> Sdp {
    text.parse().unwrap()
}

/// A description with one audio section below the usual session part.
pub(crate) fn audio(profile: &str, formats: &str, rest: &str) -> String {
    format!(
        "v=0\no=- 1 1 IN IP4 {THEIRS}\ns=-\nc=IN IP4 {THEIRS}\nt=0 0\n\
         m=audio 4000 {profile} {formats}\n{rest}"
    )
}

/// The payload types of the sections of a description, with their ports.
pub(crate) fn sections(sdp: &Sdp) -> Vec<String> {
    let section = |media: &sdp::Media| {
        let formats = media.formats.join(" ");
        format!("{} {} {} {formats}", media.kind, media.port, media.profile)
    };
    sdp.media.iter().map(section).collect()
}

pub(crate) fn voice() -> Topology {
    Topology::default().with_count(Kind::Audio, 1, Direction::SendRecv)
}

/// Two legs that talk to each other.
pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) peers: [Peer; 2],
    pub(crate) events: [Vec<Event>; 2],
    /// Every datagram that went.
    pub(crate) wire: Vec<(SocketAddr, SocketAddr, Vec<u8>)>,
    sent: [u64; 2],
}

impl World {
    /// The first leg offers, the second answers.
    pub(crate) fn call(policies: [Policy; 2]) -> Self {
        let mut world = Self::new(policies);
        world.round(voice());
        world
    }

    /// Two legs that have not negotiated.
    pub(crate) fn new(policies: [Policy; 2]) -> Self {
        let now = Instant::now();
        let [ours, theirs] = policies;
        Self {
            now,
            peers: [peer(now, OURS, 1, ours), peer(now, THEIRS, 2, theirs)],
            events: Default::default(),
            wire: Vec::new(),
            sent: [0; 2],
        }
    }

    pub(crate) fn round(&mut self, want: Topology) -> [Sdp; 2] {
        self.round_through(want, |_| {})
    }

    /// The same where something happens to the answer on its way. Both descriptions.
    pub(crate) fn round_through(&mut self, want: Topology, change: impl Fn(&mut Sdp)) -> [Sdp; 2] {
        let now = self.now;
        let offer = self.peers[0].negotiate(now, Round::Offer { want });
        let offer = offer.unwrap().sdp.unwrap();
        let round = Round::Answer {
            offer: offer.clone(),
        };
        let answer = self.peers[1].negotiate(now, round);
        let mut answer = answer.unwrap().sdp.unwrap();
        change(&mut answer);
        let round = Round::Apply {
            answer: answer.clone(),
        };
        self.peers[0].negotiate(now, round).unwrap();
        [offer, answer]
    }

    /// Sends one packet of 20 ms of G.711 from a leg to the other; false if it is not sent.
    pub(crate) fn speak(&mut self, from: usize) -> bool {
        self.now += Duration::from_millis(20);
        self.sent[from] += 1;
        let sent = self.sent[from];
        let stream = StreamId(0);
        let Some(format) = self.peers[from].format(stream) else {
            return false;
        };
        let packet = Packet {
            stream,
            kind: Kind::Audio,
            format,
            ssrc: 99,
            sequence: sent,
            timestamp: sent as u32 * 160,
            marker: false,
            extensions: Default::default(),
            payload: Arc::from([sent as u8; 160]),
        };
        let is_written = self.peers[from].write(self.now, stream, 0, &packet);
        self.pump();
        is_written
    }

    /// Lets time pass.
    pub(crate) fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let dues = self.peers.iter().filter_map(Peer::poll_timeout);
            let Some(due) = dues.min().filter(|due| *due <= end) else {
                break;
            };
            self.now = self.now.max(due);
            for peer in &mut self.peers {
                if peer.poll_timeout().is_some_and(|due| due <= self.now) {
                    peer.handle_timeout(self.now);
                }
            }
            self.pump();
        }
        self.now = end;
    }

    pub(crate) fn pump(&mut self) {
        let mut is_busy = true;
        while std::mem::take(&mut is_busy) {
            for from in [0, 1] {
                while let Some(transmit) = self.peers[from].poll_transmit() {
                    let Transmit {
                        local,
                        remote,
                        bytes,
                    } = transmit;
                    self.peers[1 - from].handle_datagram(self.now, remote, local, &bytes);
                    self.wire.push((local, remote, bytes));
                    is_busy = true;
                }
            }
        }
        for (peer, events) in self.peers.iter_mut().zip(&mut self.events) {
            events.extend(std::iter::from_fn(|| peer.poll_event()));
        }
    }

    /// The payloads of the packets a leg was given.
    pub(crate) fn heard(&mut self, by: usize) -> Vec<Arc<[u8]>> {
        let events = std::mem::take(&mut self.events[by]);
        let payload = |event: &Event| match event {
            Event::Packet(packet) => Some(Arc::clone(&packet.payload)),
            _ => None,
        };
        events.iter().filter_map(payload).collect()
    }
}
