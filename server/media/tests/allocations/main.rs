//! What the way of a packet takes from the heap: counted by an allocator that is this binary's alone.
//!
//! A browser and a desk phone with SDES are connected, both with Opus, so that packets are decrypted, rewritten and
//! encrypted again, and nothing is transcoded. The packets are made and sealed beforehand and received into one
//! buffer, so whatever is counted is done on the media thread, from socket to socket. This is the only test here:
//! the counter is that of the process.

#![expect(clippy::unwrap_used, reason = "a test says what must be so")]

#[expect(dead_code, reason = "the tests of the plane need more of it")]
#[path = "../plane/browser.rs"]
mod browser;

use browser::Browser;
use codec::by_name;
use media::{EventSink, Leg, LegConfig, LegEvent, Place, Plane, PlaneConfig};
use rtc::Round;
use rtc::policy::{Encryption, Policy, Terms, Transport};
use rtc::topology::Direction;
use rtp::RtpPacket;
use rtp::srtp::{MasterKey, Sealer, Suite};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};
use str0m::Output;
use str0m::rtp::RtpWrite;
use tokio::sync::mpsc::{self, Receiver};

#[global_allocator]
static COUNTED: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const PACKETS: u64 = 600;
/// Those before the count begins.
const WARM: u64 = 200;
/// 30 bytes of key and salt in base 64, as in the example of RFC 4568.
const KEY: &str = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";
const KEY_BYTES: &[u8; 30] = b"YS___semctl () {\t220;}\n}\nunles";
/// What is allowed for each packet (`docs/media.md`): what was measured, and less than one more. The rest is room for
/// reports and timers, which fall between packets on a slow machine.
const FROM_BROWSER_MAX: f64 = 5.8;
const TO_BROWSER_MAX: f64 = 3.8;
const PHONES_MAX: f64 = 4.8;
/// The number of Opus in the description of the phone.
const OPUS: u8 = 111;

fn allocate(plane: &Plane, transport: Transport) -> (Leg, Receiver<LegEvent>) {
    let policy = Policy {
        audio: vec![by_name("opus").unwrap()],
        video: vec![by_name("vp8").unwrap()],
        later: Vec::new(),
        pictures: Direction::SendRecv,
        max_audio_streams: 1,
        max_video_streams: 1,
        telephone_event: true,
        reading: Default::default(),
        marks: Default::default(),
        transport,
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
    (leg.unwrap(), events)
}

async fn browser(leg: &Leg) -> Browser {
    let mut browser = Browser::new();
    let offer = browser.offer().parse().unwrap();
    let outcome = leg.negotiate(Round::Answer { offer }).await.unwrap();
    browser.accept_answer(&outcome.sdp.unwrap().to_string());
    let limit = Duration::from_secs(5);
    assert!(browser.run_until(limit, |browser| browser.is_connected));
    browser
}

/// A desk phone: its socket, and where it sends to.
async fn phone(leg: &Leg) -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind((LOOPBACK, 0)).unwrap();
    let port = socket.local_addr().unwrap().port();
    let offer = format!(
        "v=0\no=- 1 1 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\n\
         m=audio {port} RTP/SAVP {OPUS} 101\na=rtpmap:{OPUS} opus/48000/2\n\
         a=rtpmap:101 telephone-event/48000\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}\n"
    );
    let offer = offer.parse().unwrap();
    let outcome = leg.negotiate(Round::Answer { offer }).await.unwrap();
    let answered = outcome.sdp.unwrap().media[0].port;
    (socket, SocketAddr::new(LOOPBACK, answered))
}

/// Sealed packets of the browser, and where they go.
fn of_browser(browser: &mut Browser) -> (Vec<Vec<u8>>, SocketAddr) {
    let mut params = browser.rtc.codec_config().iter();
    let is_opus =
        |params: &&str0m::format::PayloadParams| params.spec().codec == str0m::format::Codec::Opus;
    let pt = params.find(is_opus).unwrap().pt();
    let mid = browser.mids[0];
    let mut packets = Vec::new();
    let mut to = None;
    for number in 0..PACKETS {
        let now = Instant::now();
        let payload = vec![number as u8; 80];
        let write = RtpWrite::new(pt, number.into(), number as u32 * 960, now, payload);
        let mut api = browser.rtc.direct_api();
        let stream = api.stream_tx_by_mid(mid, None).unwrap();
        stream.write_rtp(write.nackable(true));
        browser
            .rtc
            .handle_input(str0m::Input::Timeout(now))
            .unwrap();
        loop {
            match browser.rtc.poll_output().unwrap() {
                Output::Timeout(_) => break,
                Output::Transmit(transmit) if is_rtp(&transmit.contents) => {
                    to = Some(transmit.destination);
                    packets.push(transmit.contents.to_vec());
                }
                Output::Transmit(_) | Output::Event(_) => {}
            }
        }
    }
    assert_eq!(packets.len() as u64, PACKETS);
    (packets, to.unwrap())
}

/// Sealed packets of the phone.
fn of_phone() -> Vec<Vec<u8>> {
    let key = MasterKey::new(Suite::AesCm128Sha1_80, KEY_BYTES).unwrap();
    let mut sealer = Sealer::new(&key);
    let packet = |number: u64| {
        let packet = RtpPacket {
            marker: false,
            payload_type: OPUS,
            sequence: number as u16,
            timestamp: number as u32 * 960,
            ssrc: 5,
            payload: &[number as u8; 80],
        };
        sealer.seal_rtp(&packet.write()).unwrap()
    };
    (0..PACKETS).map(packet).collect()
}

fn is_rtp(bytes: &[u8]) -> bool {
    // RFC 7983 §7 and RFC 5761 §4.
    (128..=191).contains(&bytes[0]) && !(192..=223).contains(&bytes[1])
}

/// How often memory was taken for each packet on its way, once it was warm.
fn taken(packets: &[Vec<u8>], from: &UdpSocket, to: SocketAddr, arrives: &UdpSocket) -> f64 {
    let patience = Some(Duration::from_secs(2));
    arrives.set_read_timeout(patience).unwrap();
    let mut buffer = [0; 2048];
    let mut forward = |packets: &[Vec<u8>]| {
        for packet in packets {
            from.send_to(packet, to).unwrap();
            // Reports and checks come in between.
            while {
                let len = arrives.recv(&mut buffer).unwrap();
                !is_rtp(&buffer[..len])
            } {}
        }
    };
    let (warm, rest) = packets.split_at(WARM as usize);
    forward(warm);
    let region = Region::new(COUNTED);
    forward(rest);
    let change = region.change();
    (change.allocations + change.reallocations) as f64 / rest.len() as f64
}

fn sdes() -> Transport {
    Transport::Rtp(Terms {
        encryption: Encryption::Sdes {
            short_tag: false,
            optimistic: false,
        },
        ..Terms::default()
    })
}

#[tokio::test]
async fn a_packet_that_is_passed_on_takes_no_more_memory_than_it_did() {
    let plane = Plane::start(&PlaneConfig::default()).unwrap();
    let (browser_leg, _events) = allocate(&plane, Transport::WebRtc);
    let (desk_leg, _more) = allocate(&plane, sdes());
    let (other_leg, _others) = allocate(&plane, sdes());
    let mut browser = browser(&browser_leg).await;
    let (phone, to_phone_port) = phone(&desk_leg).await;
    let (other, to_other_port) = self::phone(&other_leg).await;
    let joint = browser_leg.connect(&desk_leg);
    browser_leg.stats().await;
    let (packets, to) = of_browser(&mut browser);
    let packets_of_phone = of_phone();
    let out = taken(&packets, &browser.socket, to, &phone);
    let back = taken(&packets_of_phone, &phone, to_phone_port, &browser.socket);
    drop(joint);
    let _joint = other_leg.connect(&desk_leg);
    other_leg.stats().await;
    let across = taken(&packets_of_phone, &other, to_other_port, &phone);
    let measured = format!("from a browser {out}, to a browser {back}, between phones {across}");
    let _ = writeln!(std::io::stdout(), "{measured}");
    let is_within = out <= FROM_BROWSER_MAX && back <= TO_BROWSER_MAX && across <= PHONES_MAX;
    assert!(is_within, "{measured}");
}
