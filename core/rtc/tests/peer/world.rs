//! A peer of ours and a browser played by plain str0m, on a network that can misbehave, in virtual
//! time.

use codec::by_name;
use rtc::policy::Policy;
use rtc::topology::Topology;
use rtc::{Certificate, Event, Outcome, Packet, Peer, PeerConfig, Refused, Round, StreamId};
use sdp::Sdp;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::format::{Codec, FormatParams};
use str0m::media::{Direction, Frequency, KeyframeRequestKind, MediaKind, Mid, Pt};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{RtpPacket, RtpWrite};
use str0m::{Candidate, Input, Output, Rtc, RtcConfig};

/// A small generator of its own, so that a seed means the same for ever.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// True in so many of a thousand throws.
    pub(crate) fn permille(&mut self, share: u64) -> bool {
        self.next() >> 32 & 0x3FF < share * 1024 / 1000
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 32) % end
    }
}

/// What the network does to datagrams.
#[derive(Clone, Copy)]
pub(crate) struct Weather {
    pub(crate) delay_ms: u64,
    pub(crate) jitter_ms: u64,
    pub(crate) loss_permille: u64,
    pub(crate) copy_permille: u64,
}

pub(crate) const CALM: Weather = Weather {
    delay_ms: 5,
    jitter_ms: 0,
    loss_permille: 0,
    copy_permille: 0,
};

pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) start: Instant,
    pub(crate) peer: Peer,
    pub(crate) browser: Browser,
    pub(crate) weather: Weather,
    /// The browser's process was killed.
    pub(crate) is_browser_dead: bool,
    dice: Dice,
    wire: Vec<Datagram>,
    /// What the browser sent lately.
    pub(crate) seen: Vec<Vec<u8>>,
    /// What the peer told, packets excepted.
    pub(crate) told: Vec<(Duration, Event)>,
    /// What came from the browser.
    pub(crate) packets: Vec<Packet>,
    /// Where packets of a stream go: an echo.
    pub(crate) routes: BTreeMap<usize, Vec<usize>>,
}

struct Datagram {
    due: Instant,
    to_peer: bool,
    browser: SocketAddr,
    bytes: Vec<u8>,
}

pub(crate) fn policy(max_video_streams: usize) -> Arc<Policy> {
    let codecs = |names: &[&str]| names.iter().filter_map(|name| by_name(name)).collect();
    Arc::new(Policy {
        audio: codecs(&["opus", "ulaw"]),
        video: codecs(&["vp8"]),
        later: Vec::new(),
        pictures: rtc::topology::Direction::SendRecv,
        max_audio_streams: 1,
        max_video_streams,
        telephone_event: true,
        reading: Default::default(),
        marks: Default::default(),
        transport: rtc::policy::Transport::WebRtc,
    })
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let now = Instant::now();
        let peer = Peer::new(
            now,
            PeerConfig {
                policy: policy(10),
                candidates: vec![server()],
                ufrag_prefix: "00000001".to_owned(),
                ports: Vec::new(),
                signaled: None,
                certificate: Certificate::generate().unwrap(),
                seed: [seed as u8; 32],
            },
        );
        Self {
            now,
            start: now,
            peer,
            browser: Browser::new(now, "10.0.0.2:5000".parse().unwrap()),
            weather: CALM,
            is_browser_dead: false,
            dice: Dice::new(seed),
            wire: Vec::new(),
            seen: Vec::new(),
            told: Vec::new(),
            packets: Vec::new(),
            routes: BTreeMap::new(),
        }
    }

    /// A world in which audio and video flow.
    pub(crate) fn connected(seed: u64) -> Self {
        let mut world = Self::new(seed);
        world.browser_offers(&[MediaKind::Audio, MediaKind::Video]);
        world.run_until(Duration::from_secs(5), Self::is_connected);
        assert!(world.is_connected(), "media must come up: {:?}", world.told);
        world
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.told(|event| matches!(event, Event::Connected { .. })) && self.browser.is_connected
    }

    pub(crate) fn told(&self, what: impl Fn(&Event) -> bool) -> bool {
        self.told.iter().any(|(_, event)| what(event))
    }

    pub(crate) fn browser_offers(&mut self, add: &[MediaKind]) {
        let offer = self.browser.offer(add);
        let outcome = self.round(Round::Answer {
            offer: offer.parse().unwrap(),
        });
        let answer = outcome.unwrap().sdp.unwrap().to_string();
        self.browser.accept_answer(&answer);
    }

    /// The browser offers another direction, as it sees it, for each line.
    pub(crate) fn browser_redirects(&mut self, direction: impl Fn(usize) -> Direction) {
        let offer = self.browser.redirects(direction);
        let outcome = self.round(Round::Answer {
            offer: offer.parse().unwrap(),
        });
        let answer = outcome.unwrap().sdp.unwrap().to_string();
        self.browser.accept_answer(&answer);
    }

    pub(crate) fn peer_offers(&mut self, want: Topology) -> Option<Sdp> {
        let outcome = self.round(Round::Offer { want }).unwrap();
        let offer = outcome.sdp?;
        let answer = self.browser.accept_offer(&offer.to_string());
        let answer = answer.parse().unwrap();
        self.round(Round::Apply { answer }).unwrap();
        Some(offer)
    }

    pub(crate) fn round(&mut self, round: Round) -> Result<Outcome, Refused> {
        let outcome = self.peer.negotiate(self.now, round);
        self.pump();
        outcome
    }

    pub(crate) fn run(&mut self, duration: Duration) {
        self.run_until(duration, |_| false);
    }

    pub(crate) fn run_until(&mut self, limit: Duration, is_done: impl Fn(&Self) -> bool) {
        let end = self.now + limit;
        self.pump();
        while self.now < end && !is_done(self) {
            let wire = self.wire.iter().map(|datagram| datagram.due).min();
            let next = [wire, self.peer.poll_timeout(), Some(self.browser.timeout)];
            let next = next.into_iter().flatten().min().unwrap().min(end);
            // A machine that is due at once is given a moment, or time would stand still.
            self.now = next.max(self.now + Duration::from_micros(100));
            self.deliver();
            if self.peer.poll_timeout().is_some_and(|due| due <= self.now) {
                self.peer.handle_timeout(self.now);
            }
            if self.browser.timeout <= self.now {
                self.browser.handle_timeout(self.now);
            }
            self.pump();
        }
    }

    /// Puts a datagram of an attacker on the peer's doorstep, as if from this address.
    pub(crate) fn inject(&mut self, from: SocketAddr, bytes: &[u8]) {
        self.peer.handle_datagram(self.now, server(), from, bytes);
        self.pump();
    }

    pub(crate) fn pump(&mut self) {
        loop {
            while let Some(transmit) = self.peer.poll_transmit() {
                assert_eq!(transmit.local, server());
                self.post(false, transmit.remote, &transmit.bytes);
            }
            let Some(event) = self.peer.poll_event() else {
                break;
            };
            self.on_event(event);
        }
        self.browser.drain(self.now);
        for (from, bytes) in std::mem::take(&mut self.browser.out) {
            self.post(true, from, &bytes);
        }
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Packet(packet) => {
                let targets = self.routes.get(&packet.stream.0);
                for target in targets.into_iter().flatten() {
                    self.peer.write(self.now, StreamId(*target), 1, &packet);
                }
                self.packets.push(packet);
            }
            Event::KeyframeRequested(stream) => {
                let source = self.routes.iter().find(|(_, to)| to.contains(&stream.0));
                if let Some((source, _)) = source {
                    self.peer.request_keyframe(self.now, StreamId(*source));
                }
                let at = self.now - self.start;
                self.told.push((at, Event::KeyframeRequested(stream)));
            }
            event => self.told.push((self.now - self.start, event)),
        }
    }

    fn post(&mut self, to_peer: bool, browser: SocketAddr, bytes: &[u8]) {
        if to_peer && self.seen.len() < 400 {
            self.seen.push(bytes.to_vec());
        }
        if self.dice.permille(self.weather.loss_permille) {
            return;
        }
        let copies = 1 + usize::from(self.dice.permille(self.weather.copy_permille));
        for _ in 0..copies {
            let jitter = self.dice.below(self.weather.jitter_ms + 1);
            self.wire.push(Datagram {
                due: self.now + Duration::from_millis(self.weather.delay_ms + jitter),
                to_peer,
                browser,
                bytes: bytes.to_vec(),
            });
        }
    }

    fn deliver(&mut self) {
        let now = self.now;
        let (mut due, rest): (Vec<_>, Vec<_>) = self
            .wire
            .drain(..)
            .partition(|datagram| datagram.due <= now);
        self.wire = rest;
        due.sort_by_key(|datagram| datagram.due);
        for datagram in due {
            if self.is_browser_dead {
                continue;
            }
            if datagram.to_peer {
                let (from, bytes) = (datagram.browser, &datagram.bytes);
                self.peer.handle_datagram(now, server(), from, bytes);
            } else if datagram.browser == self.browser.address {
                self.browser.handle_datagram(now, &datagram.bytes);
            }
            self.pump();
        }
    }
}

pub(crate) fn server() -> SocketAddr {
    "10.0.0.1:4000".parse().unwrap()
}

/// str0m as a browser would be: it offers, answers, sends and receives.
pub(crate) struct Browser {
    pub(crate) rtc: Rtc,
    pub(crate) address: SocketAddr,
    pub(crate) received: Vec<(Mid, RtpPacket)>,
    pub(crate) keyframes_asked: Vec<(Mid, Instant)>,
    pub(crate) mids: Vec<Mid>,
    pub(crate) is_connected: bool,
    pending: Option<SdpPendingOffer>,
    timeout: Instant,
    now: Instant,
    sequence: BTreeMap<Mid, u64>,
    out: Vec<(SocketAddr, Vec<u8>)>,
}

impl Browser {
    pub(crate) fn new(now: Instant, address: SocketAddr) -> Self {
        let mut config = RtcConfig::new()
            .set_rtp_mode(true)
            .clear_codecs()
            .enable_opus(true, false)
            .enable_pcmu(true, false)
            .enable_vp8(true);
        let format = FormatParams {
            telephone_event_max: Some(16),
            ..FormatParams::default()
        };
        let clock = Frequency::EIGHT_KHZ;
        let codecs = config.codec_config();
        codecs.add_config(101.into(), None, Codec::Tele, clock, None, format);
        let mut rtc = config.build(now);
        rtc.add_local_candidate(Candidate::host(address, Protocol::Udp).unwrap());
        Self {
            rtc,
            address,
            received: Vec::new(),
            keyframes_asked: Vec::new(),
            mids: Vec::new(),
            is_connected: false,
            pending: None,
            timeout: now,
            now,
            sequence: BTreeMap::new(),
            out: Vec::new(),
        }
    }

    pub(crate) fn offer(&mut self, add: &[MediaKind]) -> String {
        let mut api = self.rtc.sdp_api();
        for kind in add {
            let mid = api.add_media(*kind, Direction::SendRecv, None, None, None);
            self.mids.push(mid);
        }
        let (offer, pending) = api.apply().unwrap();
        self.pending = Some(pending);
        offer.to_sdp_string()
    }

    pub(crate) fn redirects(&mut self, direction: impl Fn(usize) -> Direction) -> String {
        let mids = self.mids.clone();
        let mut api = self.rtc.sdp_api();
        for (line, mid) in mids.into_iter().enumerate() {
            api.set_direction(mid, direction(line));
        }
        let (offer, pending) = api.apply().unwrap();
        self.pending = Some(pending);
        offer.to_sdp_string()
    }

    pub(crate) fn restart_ice(&mut self) -> String {
        let mut api = self.rtc.sdp_api();
        api.ice_restart(true);
        let (offer, pending) = api.apply().unwrap();
        self.pending = Some(pending);
        offer.to_sdp_string()
    }

    pub(crate) fn accept_answer(&mut self, answer: &str) {
        let answer = SdpAnswer::from_sdp_string(answer).unwrap();
        let pending = self.pending.take().unwrap();
        self.rtc.sdp_api().accept_answer(pending, answer).unwrap();
    }

    pub(crate) fn accept_offer(&mut self, offer: &str) -> String {
        let offer = SdpOffer::from_sdp_string(offer).unwrap();
        let answer = self.rtc.sdp_api().accept_offer(offer).unwrap();
        let answer = answer.to_sdp_string();
        self.mids = answer
            .lines()
            .filter_map(|line| line.strip_prefix("a=mid:"))
            .map(Mid::from)
            .collect();
        answer
    }

    pub(crate) fn pt(&self, codec: Codec) -> Pt {
        let mut params = self.rtc.codec_config().iter();
        params.find(|p| p.spec().codec == codec).unwrap().pt()
    }

    /// Sends a packet on the m-line; returns its payload.
    pub(crate) fn send(
        &mut self,
        line: usize,
        codec: Codec,
        timestamp: u32,
        len: usize,
    ) -> Vec<u8> {
        let number = self.sequence.get(&self.mids[line]).copied().unwrap_or(0);
        let mut payload = vec![line as u8; len.max(9)];
        payload[1..9].copy_from_slice(&number.to_be_bytes());
        self.send_payload(line, codec, timestamp, payload.clone());
        payload
    }

    pub(crate) fn send_payload(
        &mut self,
        line: usize,
        codec: Codec,
        timestamp: u32,
        payload: Vec<u8>,
    ) {
        let (mid, pt, now) = (self.mids[line], self.pt(codec), self.now);
        let number = self.sequence.entry(mid).or_default();
        let write = RtpWrite::new(pt, (1000 + *number).into(), timestamp, now, payload);
        *number += 1;
        let mut api = self.rtc.direct_api();
        let stream = api.stream_tx_by_mid(mid, None).unwrap();
        stream.write_rtp(write.nackable(codec.is_video()).marker(codec.is_video()));
        self.handle_timeout(now);
    }

    pub(crate) fn request_keyframe(&mut self, line: usize) {
        let mut api = self.rtc.direct_api();
        if let Some(stream) = api.stream_rx_by_mid(self.mids[line], None) {
            stream.request_keyframe(KeyframeRequestKind::Pli);
        }
        self.handle_timeout(self.now);
    }

    /// The packets received on an m-line, by sequence number.
    pub(crate) fn received_on(&self, line: usize) -> Vec<&RtpPacket> {
        let on_line = |(mid, _): &&(Mid, RtpPacket)| *mid == self.mids[line];
        let packets = self.received.iter().filter(on_line);
        let mut packets: Vec<_> = packets.map(|(_, packet)| packet).collect();
        packets.sort_by_key(|packet| packet.seq_no);
        packets
    }

    pub(crate) fn handle_datagram(&mut self, now: Instant, bytes: &[u8]) {
        let Ok(receive) = Receive::new(Protocol::Udp, server(), self.address, bytes) else {
            return;
        };
        self.now = now;
        let _ = self.rtc.handle_input(Input::Receive(now, receive));
        self.drain(now);
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        self.rtc.handle_input(Input::Timeout(now)).unwrap();
        self.drain(now);
    }

    fn drain(&mut self, now: Instant) {
        use str0m::Event;
        self.now = now;
        loop {
            match self.rtc.poll_output().unwrap() {
                Output::Timeout(at) => {
                    self.timeout = at;
                    break;
                }
                Output::Transmit(transmit) => {
                    if transmit.destination == server() {
                        self.out.push((transmit.source, transmit.contents.to_vec()));
                    }
                }
                Output::Event(Event::Connected) => self.is_connected = true,
                Output::Event(Event::RtpPacket(packet)) => {
                    let ssrc = packet.header.ssrc;
                    let mid = self.rtc.direct_api().stream_rx(&ssrc).unwrap().mid();
                    self.received.push((mid, packet));
                }
                Output::Event(Event::KeyframeRequest(request)) => {
                    self.keyframes_asked.push((request.mid, now));
                }
                Output::Event(_) => {}
            }
        }
    }
}
