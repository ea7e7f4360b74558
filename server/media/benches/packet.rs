//! What a packet costs on its way from one desk phone to another, through real sockets: `cargo bench -p media`.
//!
//! The floor, measured in the same run, is a thread that receives a packet on one socket and sends it on by
//! another: what the system takes for itself. Each row is a packet of 20 ms sent and waited for, one at a time, so
//! it is the delay that the exchange adds as well. Nothing here passes or fails.

#![expect(clippy::unwrap_used, reason = "a benchmark ends where something fails")]

use codec::{Settings, by_name};
use media::{EventSink, Leg, LegConfig, LegEvent, Place, Plane, PlaneConfig, RTP_TARGET};
use rtc::Round;
use rtc::policy::{Encryption, Policy, Terms, Transport};
use rtp::RtpPacket;
use rtp::srtp::{MasterKey, Sealer, Suite};
use std::hint::black_box;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{self, Receiver};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const PACKETS: u16 = 1000;
const ROUNDS: usize = 5;
/// 30 bytes of key and salt in base 64, as in the example of RFC 4568.
const KEY: &str = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";
const KEY_BYTES: &[u8; 30] = b"YS___semctl () {\t220;}\n}\nunles";

struct Phone {
    socket: UdpSocket,
    leg: Leg,
    to: SocketAddr,
    _events: Receiver<LegEvent>,
}

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind((LOOPBACK, 0)).unwrap();
    let patience = Some(Duration::from_secs(2));
    socket.set_read_timeout(patience).unwrap();
    socket
}

impl Phone {
    async fn call(plane: &Plane, name: &str, is_secure: bool) -> Self {
        let codec = by_name(name).unwrap();
        let encryption = match is_secure {
            true => Encryption::Sdes {
                short_tag: false,
                optimistic: false,
            },
            false => Encryption::No,
        };
        let policy = Policy {
            audio: vec![codec],
            video: Vec::new(),
            later: Vec::new(),
            pictures: rtc::topology::Direction::SendRecv,
            max_audio_streams: 1,
            max_video_streams: 0,
            telephone_event: false,
            reading: Default::default(),
            marks: Default::default(),
            transport: Transport::Rtp(Terms {
                encryption,
                ..Terms::default()
            }),
        };
        let (sender, events) = mpsc::channel(64);
        let leg = plane.allocate(LegConfig {
            policy: Arc::new(policy),
            place: Place {
                remote: Some(LOOPBACK),
                ..Place::default()
            },
            events: EventSink::new(sender),
            seed: [7; 32],
        });
        let (leg, socket) = (leg.unwrap(), socket());
        let port = socket.local_addr().unwrap().port();
        let number = codec.payload_type.unwrap_or(96);
        let profile = if is_secure { "RTP/SAVP" } else { "RTP/AVP" };
        let channels = if codec.channels > 1 { "/2" } else { "" };
        let mut offer = format!(
            "v=0\no=- 1 1 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\n\
             m=audio {port} {profile} {number}\na=rtpmap:{number} {}/{}{channels}\n\
             a=fmtp:{number} useinbandfec=1\n",
            codec.encoding, codec.clock_hz
        );
        if is_secure {
            offer += &format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}\n");
        }
        let offer = offer.parse().unwrap();
        let outcome = leg.negotiate(Round::Answer { offer }).await.unwrap();
        let answered = outcome.sdp.unwrap().media[0].port;
        Self {
            socket,
            leg,
            to: SocketAddr::new(LOOPBACK, answered),
            _events: events,
        }
    }
}

/// Packets of a voice: loud enough to be coded in earnest.
fn packets(name: &str, is_secure: bool) -> Vec<Vec<u8>> {
    let codec = by_name(name).unwrap();
    let coding = codec.coding.unwrap();
    let rate_hz = coding.rates_hz[0];
    let settings = Settings {
        rate_hz,
        ..Settings::default()
    };
    let mut encoder = (coding.encoder)(&settings).unwrap();
    let key = MasterKey::new(Suite::AesCm128Sha1_80, KEY_BYTES).unwrap();
    let mut sealer = Sealer::new(&key);
    let len = rate_hz as usize / 50;
    let total = PACKETS * (ROUNDS as u16 + 1);
    let made = (0..total).map(|index| {
        let sample = |at: usize| {
            let time = (usize::from(index) * len + at) as f64 / f64::from(rate_hz);
            let voice = (time * 1100.0).sin() + (time * 3700.0).sin() * (time * 9.0).sin();
            (voice * 6000.0) as i16
        };
        let sound: Vec<i16> = (0..len).map(sample).collect();
        let mut payload = Vec::new();
        encoder.encode(&sound, &mut payload).unwrap();
        let packet = RtpPacket {
            marker: false,
            payload_type: codec.payload_type.unwrap_or(96),
            sequence: index,
            timestamp: u32::from(index) * codec.clock_hz / 50,
            ssrc: 5,
            payload: &payload,
        };
        match is_secure {
            true => sealer.seal_rtp(&packet.write()).unwrap(),
            false => packet.write(),
        }
    });
    made.collect()
}

/// Seconds from the sending of a packet to its arrival, the best of several rounds after one to warm up.
fn time(packets: &[Vec<u8>], from: &UdpSocket, to: SocketAddr, arrives: &UdpSocket) -> f64 {
    let mut best = Duration::MAX;
    let mut buffer = [0; 2048];
    for (round, packets) in packets.chunks(PACKETS.into()).enumerate() {
        let start = Instant::now();
        for packet in packets {
            from.send_to(packet, to).unwrap();
            black_box(arrives.recv(&mut buffer).unwrap());
        }
        if round > 0 {
            best = best.min(start.elapsed());
        }
    }
    best.as_secs_f64() / f64::from(PACKETS)
}

/// A thread that hands on what comes.
fn floor() -> f64 {
    let (ours, theirs, middle, out) = (socket(), socket(), socket(), socket());
    let (to, target) = (middle.local_addr().unwrap(), theirs.local_addr().unwrap());
    middle.set_read_timeout(None).unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 2048];
        while let Ok(len) = middle.recv(&mut buffer) {
            if out.send_to(&buffer[..len], target).is_err() {
                return;
            }
        }
    });
    time(&packets("ulaw", false), &ours, to, &theirs)
}

async fn passed(from: (&str, bool), to: (&str, bool)) -> f64 {
    let plane = Plane::start(&PlaneConfig::default()).unwrap();
    let caller = Phone::call(&plane, from.0, from.1).await;
    let callee = Phone::call(&plane, to.0, to.1).await;
    let _joint = caller.leg.connect(&callee.leg);
    caller.leg.stats().await;
    let packets = packets(from.0, from.1);
    time(&packets, &caller.socket, caller.to, &callee.socket)
}

fn main() {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().build().unwrap();
    let floor = floor();
    let mut out = std::io::stdout().lock();
    let mut row = |what: &str, seconds: f64| {
        let us = seconds * 1e6;
        let _ = writeln!(out, "| {what} | {us:.2} | {:.2} |", seconds / floor);
    };
    row("floor: received and sent on", floor);
    for (what, from, to) in [
        ("ulaw to ulaw, passed on", ("ulaw", false), ("ulaw", false)),
        ("the same from SDES to SDES", ("ulaw", true), ("ulaw", true)),
        ("ulaw to alaw", ("ulaw", false), ("alaw", false)),
        ("ulaw to g722", ("ulaw", false), ("g722", false)),
        ("ulaw to opus", ("ulaw", false), ("opus", false)),
        ("opus to ulaw", ("opus", false), ("ulaw", false)),
    ] {
        row(what, runtime.block_on(passed(from, to)));
    }
    const ASKED: u32 = 1_000_000;
    let start = Instant::now();
    for _ in 0..ASKED {
        black_box(tracing::enabled!(target: RTP_TARGET, tracing::Level::TRACE));
    }
    row(
        "whether `rtp set debug` is on, asked once",
        start.elapsed().as_secs_f64() / f64::from(ASKED),
    );
}
