//! The media of our own phone: `rtc::Peer` as a browser would be, on real UDP sockets.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use codec::{Kind, by_name};
use rtc::policy::Policy;
use rtc::topology::{Direction, Topology};
use rtc::{
    Certificate, Down, Event, Extensions, Packet, Peer, PeerConfig, Refused, Round, StreamId,
};
use sdp::Sdp;
use serde::Serialize;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// What was seen of the media of a call.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Seen {
    /// Our address and theirs.
    pub(crate) pair: Option<(SocketAddr, SocketAddr)>,
    pub(crate) dtls: Option<&'static str>,
    pub(crate) srtp: Option<&'static str>,
    /// Packets sent and received by kind of media.
    pub(crate) audio: Way,
    pub(crate) video: Way,
    /// From the first packet sent to the first that came back.
    pub(crate) first_ms: Option<u64>,
    #[serde(skip)]
    pub(crate) down: Option<Down>,
}

/// Packets of one kind.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Way {
    pub(crate) sent: u64,
    pub(crate) received: u64,
}

/// One transport with its sockets.
pub(crate) struct Media {
    /// Boxed, for the sake of the futures that hold it.
    peer: Box<Peer>,
    sockets: Vec<(SocketAddr, Arc<UdpSocket>)>,
    inbox: mpsc::Receiver<Datagram>,
    tasks: Vec<JoinHandle<()>>,
    next_packet: Instant,
    number: u64,
    first_sent: Option<Instant>,
    pub(crate) seen: Seen,
}

struct Datagram {
    local: SocketAddr,
    remote: SocketAddr,
    bytes: Vec<u8>,
}

/// Why there is no media to offer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoMedia {
    #[error("no UDP socket: {0}")]
    Socket(#[from] std::io::Error),
    #[error("{0}")]
    Certificate(#[from] rtc::CertificateError),
    #[error("{0}")]
    Refused(#[from] Refused),
    #[error("there is nothing to offer")]
    Nothing,
    #[error("the operating system gives no random bytes")]
    Random,
}

impl Media {
    /// A transport on the addresses of this machine, and its offer of audio and video.
    pub(crate) async fn offer() -> Result<(Self, String), NoMedia> {
        let (sender, inbox) = mpsc::channel(QUEUE_MAX);
        let (mut sockets, mut tasks) = (Vec::new(), Vec::new());
        for ip in addresses() {
            // An interface may lose its address meanwhile; the others serve.
            let Ok(socket) = UdpSocket::bind((ip, 0)).await else {
                continue;
            };
            let local = socket.local_addr()?;
            let socket = Arc::new(socket);
            tasks.push(tokio::spawn(receive(
                local,
                Arc::clone(&socket),
                sender.clone(),
            )));
            sockets.push((local, socket));
        }
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|_| NoMedia::Random)?;
        let now = Instant::now();
        let mut peer = Box::new(Peer::new(
            now,
            PeerConfig {
                policy: Arc::new(policy()),
                candidates: sockets.iter().map(|(local, _)| *local).collect(),
                ufrag_prefix: "doc".to_owned(),
                ports: Vec::new(),
                signaled: None,
                certificate: Certificate::generate()?,
                seed,
            },
        ));
        let want = Topology::default()
            .with_count(Kind::Audio, 1, Direction::SendRecv)
            .with_count(Kind::Video, 1, Direction::SendRecv);
        let offer = peer.negotiate(now, Round::Offer { want })?.sdp;
        let offer = offer.ok_or(NoMedia::Nothing)?.to_string();
        let media = Self {
            peer,
            sockets,
            inbox,
            tasks,
            next_packet: now,
            number: 0,
            first_sent: None,
            seen: Seen::default(),
        };
        Ok((media, offer))
    }

    /// Takes the answer to the offer.
    pub(crate) fn accept(&mut self, answer: Sdp) -> Result<(), Refused> {
        let round = Round::Apply { answer };
        self.peer.negotiate(Instant::now(), round).map(|_| ())
    }

    /// Answers an offer of the exchange, as StreamEcho makes one.
    pub(crate) fn answer(&mut self, offer: Sdp) -> Result<String, Refused> {
        let outcome = self
            .peer
            .negotiate(Instant::now(), Round::Answer { offer })?;
        Ok(outcome.sdp.map(|sdp| sdp.to_string()).unwrap_or_default())
    }

    /// Whether packets have gone out for long and none has come back.
    pub(crate) fn is_in_vain(&self) -> bool {
        let silent = self.seen.audio.received + self.seen.video.received == 0;
        silent
            && self
                .first_sent
                .is_some_and(|first| first.elapsed() > SILENCE_MAX)
    }

    /// Waits for the next datagram or deadline and does what is to be done. Can be dropped at any time.
    pub(crate) async fn turn(&mut self) {
        self.drain().await;
        let now = Instant::now();
        let due = self.peer.poll_timeout().unwrap_or(now + IDLE);
        let due = due.min(self.next_packet.max(now));
        tokio::select! {
            datagram = self.inbox.recv() => if let Some(datagram) = datagram {
                self.handle(&datagram);
            },
            () = tokio::time::sleep_until(due.into()) => self.on_time(),
        }
        self.drain().await;
    }

    fn handle(&mut self, datagram: &Datagram) {
        let Datagram {
            local,
            remote,
            bytes,
        } = datagram;
        self.peer
            .handle_datagram(Instant::now(), *local, *remote, bytes);
    }

    fn on_time(&mut self) {
        let now = Instant::now();
        if self.peer.poll_timeout().is_some_and(|due| due <= now) {
            self.peer.handle_timeout(now);
        }
        if now >= self.next_packet {
            self.next_packet = now + PACKET_PAUSE;
            if self.seen.dtls.is_some() {
                self.write(now);
            }
        }
    }

    /// One packet on every stream: a frame of silence, or a picture nobody decodes.
    fn write(&mut self, now: Instant) {
        self.number += 1;
        let streams: BTreeMap<StreamId, Kind> = self.peer.sending().collect();
        for (stream, kind) in streams {
            let Some(format) = self.peer.format(stream) else {
                continue;
            };
            let (payload, step): (Arc<[u8]>, u32) = match (kind, format.clock_hz()) {
                (Kind::Video, _) => (VP8_FRAME.into(), 1800),
                (Kind::Audio, 48_000) => (OPUS_SILENCE.into(), 960),
                (Kind::Audio, _) => (vec![0xff; 160].into(), 160),
            };
            let packet = Packet {
                stream,
                kind,
                format,
                ssrc: 1,
                sequence: self.number,
                timestamp: (self.number as u32).wrapping_mul(step),
                marker: kind == Kind::Video,
                extensions: Extensions::default(),
                payload,
            };
            if self.peer.write(now, stream, 0, &packet) {
                self.way(kind).sent += 1;
                self.first_sent.get_or_insert(now);
            }
        }
    }

    fn way(&mut self, kind: Kind) -> &mut Way {
        match kind {
            Kind::Audio => &mut self.seen.audio,
            Kind::Video => &mut self.seen.video,
        }
    }

    async fn drain(&mut self) {
        loop {
            let mut is_quiet = true;
            while let Some(transmit) = self.peer.poll_transmit() {
                is_quiet = false;
                let socket = self
                    .sockets
                    .iter()
                    .find(|(local, _)| *local == transmit.local);
                if let Some((_, socket)) = socket {
                    // What cannot be sent is lost, as on any network.
                    let _ = socket.send_to(&transmit.bytes, transmit.remote).await;
                }
            }
            while let Some(event) = self.peer.poll_event() {
                is_quiet = false;
                self.on_event(event);
            }
            if is_quiet {
                return;
            }
        }
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::IceConnected { local, remote } | Event::SourceLearned { local, remote, .. } => {
                self.seen.pair = Some((local, remote));
            }
            Event::Connected { dtls, srtp } => {
                (self.seen.dtls, self.seen.srtp) = (Some(dtls), Some(srtp));
            }
            Event::Packet(packet) => {
                self.way(packet.kind).received += 1;
                if let (None, Some(first)) = (self.seen.first_ms, self.first_sent) {
                    let ms = first.elapsed().as_millis();
                    self.seen.first_ms = Some(u64::try_from(ms).unwrap_or(u64::MAX));
                }
            }
            Event::Down(down) => self.seen.down = Some(down),
            Event::KeyframeRequested(_)
            | Event::KeyframeWanted
            | Event::Digit(_)
            | Event::Losses { .. }
            | Event::Missed { .. } => {}
        }
    }

    /// Says goodbye to the other side.
    pub(crate) async fn close(mut self) -> Seen {
        self.peer.close(Instant::now());
        self.drain().await;
        std::mem::take(&mut self.seen)
    }
}

impl Drop for Media {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

async fn receive(local: SocketAddr, socket: Arc<UdpSocket>, sender: mpsc::Sender<Datagram>) {
    let mut buffer = vec![0; 2048];
    loop {
        // An error is about a datagram sent before (ICMP); the socket is fine.
        let Ok((length, remote)) = socket.recv_from(&mut buffer).await else {
            tokio::task::yield_now().await;
            continue;
        };
        let bytes = buffer[..length].to_vec();
        let datagram = Datagram {
            local,
            remote,
            bytes,
        };
        if sender.send(datagram).await.is_err() {
            return;
        }
    }
}

/// The addresses of this machine that a browser would offer, and loopback.
fn addresses() -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let mut addresses: Vec<IpAddr> = interfaces
        .iter()
        .map(if_addrs::Interface::ip)
        .filter(|ip| match ip {
            IpAddr::V4(v4) => !v4.is_link_local(),
            IpAddr::V6(v6) => !v6.is_unicast_link_local(),
        })
        .take(ADDRESSES_MAX)
        .collect();
    if addresses.is_empty() {
        addresses.push(IpAddr::from([127, 0, 0, 1]));
    }
    addresses
}

/// What Chromium offers, as far as the exchange knows it.
fn policy() -> Policy {
    let codecs = |names: &[&str]| names.iter().filter_map(|name| by_name(name)).collect();
    Policy {
        audio: codecs(&["opus", "g722", "ulaw", "alaw"]),
        video: codecs(&["vp8", "vp9", "h264", "av1"]),
        later: Vec::new(),
        pictures: Direction::SendRecv,
        max_audio_streams: 4,
        max_video_streams: 16,
        telephone_event: true,
        reading: Default::default(),
        marks: Default::default(),
        transport: rtc::policy::Transport::WebRtc,
    }
}

/// 20 ms of silence (RFC 6716 §3.1: CELT, fullband, one frame).
const OPUS_SILENCE: &[u8] = &[0xf8, 0xff, 0xfe];
/// A payload descriptor that begins a partition (RFC 7741 §4.2), and some bytes.
const VP8_FRAME: &[u8] = &[
    0x10, 0x11, 0x00, 0x00, 0x9d, 0x01, 0x2a, 0x10, 0x00, 0x10, 0x00,
];
const PACKET_PAUSE: Duration = Duration::from_millis(20);
/// A dial plan may wait before it echoes.
const SILENCE_MAX: Duration = Duration::from_secs(5);
const IDLE: Duration = Duration::from_secs(1);
const QUEUE_MAX: usize = 1024;
const ADDRESSES_MAX: usize = 12;
