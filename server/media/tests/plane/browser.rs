//! str0m on a real loopback socket, as a browser would be.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::format::Codec;
use str0m::media::{Direction, MediaKind, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{RtpPacket, RtpWrite};
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};

pub(crate) struct Browser {
    pub(crate) rtc: Box<Rtc>,
    pub(crate) socket: UdpSocket,
    pub(crate) address: SocketAddr,
    pub(crate) mids: Vec<Mid>,
    pub(crate) is_connected: bool,
    pub(crate) received: Vec<(Mid, RtpPacket)>,
    pub(crate) keyframes_asked: usize,
    pending: Option<SdpPendingOffer>,
    /// Packets sent on each line.
    numbers: [u64; 2],
}

impl Browser {
    pub(crate) fn new() -> Self {
        Self::at("127.0.0.1")
    }

    pub(crate) fn at(ip: &str) -> Self {
        let socket = UdpSocket::bind((ip, 0)).unwrap();
        let address = socket.local_addr().unwrap();
        let config = RtcConfig::new().set_rtp_mode(true).clear_codecs();
        let config = config.enable_opus(true, false).enable_vp8(true);
        let mut rtc = config.build(Instant::now());
        rtc.add_local_candidate(Candidate::host(address, Protocol::Udp).unwrap());
        Self {
            rtc: Box::new(rtc),
            socket,
            address,
            mids: Vec::new(),
            is_connected: false,
            received: Vec::new(),
            keyframes_asked: 0,
            pending: None,
            numbers: [0; 2],
        }
    }

    pub(crate) fn offer(&mut self) -> String {
        let mut api = self.rtc.sdp_api();
        for kind in [MediaKind::Audio, MediaKind::Video] {
            let mid = api.add_media(kind, Direction::SendRecv, None, None, None);
            self.mids.push(mid);
        }
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
        let mids = answer
            .lines()
            .filter_map(|line| line.strip_prefix("a=mid:"));
        self.mids = mids.map(Mid::from).collect();
        answer
    }

    /// Sends a packet whose payload nothing else has.
    pub(crate) fn send(&mut self, line: usize) -> Vec<u8> {
        let codec = [Codec::Opus, Codec::Vp8][line.min(1)];
        let mut params = self.rtc.codec_config().iter();
        let pt = params.find(|p| p.spec().codec == codec).unwrap().pt();
        let mut payload = vec![line as u8; 200];
        let number = self.numbers[line];
        self.numbers[line] += 1;
        payload[1..9].copy_from_slice(&number.to_be_bytes());
        let time = number as u32 * 960;
        let now = Instant::now();
        let write = RtpWrite::new(pt, number.into(), time, now, payload.clone());
        let mut api = self.rtc.direct_api();
        let stream = api.stream_tx_by_mid(self.mids[line], None).unwrap();
        stream.write_rtp(write.nackable(true));
        self.rtc.handle_input(Input::Timeout(now)).unwrap();
        payload
    }

    /// Runs until it is so, or for this long.
    pub(crate) fn run_until(&mut self, limit: Duration, is_so: impl Fn(&Self) -> bool) -> bool {
        let end = Instant::now() + limit;
        loop {
            let due = self.drain();
            let now = Instant::now();
            if is_so(self) {
                return true;
            }
            if now >= end {
                return false;
            }
            let wait = due.min(end).saturating_duration_since(now);
            self.receive(wait.max(Duration::from_millis(1)));
        }
    }

    pub(crate) fn run(&mut self, duration: Duration) {
        self.run_until(duration, |_| false);
    }

    pub(crate) fn payloads_on(&self, line: usize) -> Vec<Vec<u8>> {
        let on_line = |(mid, _): &&(Mid, RtpPacket)| *mid == self.mids[line];
        let packets = self.received.iter().filter(on_line);
        packets.map(|(_, packet)| packet.payload.to_vec()).collect()
    }

    fn receive(&mut self, wait: Duration) {
        let mut buffer = [0; 2048];
        self.socket.set_read_timeout(Some(wait)).unwrap();
        let received = self.socket.recv_from(&mut buffer);
        let now = Instant::now();
        if let Ok((len, source)) = received
            && let Ok(receive) = Receive::new(Protocol::Udp, source, self.address, &buffer[..len])
        {
            self.rtc.handle_input(Input::Receive(now, receive)).unwrap();
        } else {
            self.rtc.handle_input(Input::Timeout(now)).unwrap();
        }
    }

    fn drain(&mut self) -> Instant {
        loop {
            match self.rtc.poll_output().unwrap() {
                Output::Timeout(at) => return at,
                Output::Transmit(transmit) => {
                    // Candidates of other families cannot be reached from this socket.
                    let _ = self
                        .socket
                        .send_to(&transmit.contents, transmit.destination);
                }
                Output::Event(Event::Connected) => self.is_connected = true,
                Output::Event(Event::KeyframeRequest(_)) => self.keyframes_asked += 1,
                Output::Event(Event::RtpPacket(packet)) => {
                    let ssrc = packet.header.ssrc;
                    let mid = self.rtc.direct_api().stream_rx(&ssrc).unwrap().mid();
                    self.received.push((mid, packet));
                }
                Output::Event(_) => {}
            }
        }
    }
}
