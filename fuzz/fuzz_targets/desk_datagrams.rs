//! A desk phone's leg under descriptions and datagrams of any content: no panic, bounded, and no packet out
//! of what was not agreed on.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rtc::policy::{Encryption, Hash, Policy, Role, Terms, Transport};
use rtc::{Certificate, Event, Peer, PeerConfig, PortPair, Round};
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

static CERTIFICATE: OnceLock<Certificate> = OnceLock::new();

const PLAIN: &str = "v=0\no=- 1 1 IN IP4 10.0.0.2\ns=-\nc=IN IP4 10.0.0.2\nt=0 0\n\
    m=audio 4000 RTP/AVP 0 101\na=rtpmap:101 telephone-event/8000\na=rtcp-mux\n";
const KEY: &str =
    "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\n";

/// What DTLS and ICE need; the phone begins the handshake.
const PRINT: &str = "a=fingerprint:sha-1 00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13\na=setup:active\n";
const ICE: &str = "a=ice-ufrag:abcd\na=ice-pwd:0123456789012345678901\n\
    a=candidate:1 1 udp 1 10.0.0.2 4000 typ host\n";

fn peer(now: Instant, is_secure: bool, is_dtls: bool, ice: bool) -> Peer {
    let encryption = match is_secure {
        _ if is_dtls => Encryption::Dtls {
            role: Role::Either,
            hash: Hash::Sha256,
            short_tag: false,
            optimistic: true,
        },
        true => Encryption::Sdes {
            short_tag: false,
            optimistic: true,
        },
        false => Encryption::No,
    };
    let codecs = |names: [&str; 2]| names.map(|name| codec::by_name(name).unwrap()).to_vec();
    let address = |port| SocketAddr::from(([10, 0, 0, 1], port));
    let certificate = CERTIFICATE.get_or_init(|| Certificate::generate().unwrap());
    let config = PeerConfig {
        policy: Arc::new(Policy {
            audio: codecs(["ulaw", "opus"]),
            video: codecs(["h264", "vp8"]),
            later: Vec::new(),
            pictures: rtc::topology::Direction::SendRecv,
            max_audio_streams: 1,
            max_video_streams: 1,
            telephone_event: true,
            reading: Default::default(),
            marks: Default::default(),
            transport: Transport::Rtp(Terms {
                encryption,
                rtcp_mux: true,
                symmetric: true,
                ice,
                ..Terms::default()
            }),
        }),
        candidates: Vec::new(),
        ufrag_prefix: String::new(),
        ports: vec![
            PortPair {
                rtp: address(4000),
                rtcp: address(4001),
            },
            PortPair {
                rtp: address(4002),
                rtcp: address(4003),
            },
        ],
        signaled: None,
        certificate: certificate.clone(),
        seed: [1; 32],
    };
    Peer::new(now, config)
}

// The first byte: whether SDES, DTLS, ICE. Then pieces, each with a kind and a length: a description, or a datagram.
fuzz_target!(|bytes: &[u8]| {
    let Some((first, mut rest)) = bytes.split_first() else {
        return;
    };
    let is_secure = first & 1 == 1;
    let mut now = Instant::now();
    let (is_dtls, ice) = (first & 2 != 0, first & 4 != 0);
    let mut peer = peer(now, is_secure, is_dtls, ice);
    let mut offer = match is_secure {
        _ if is_dtls => PLAIN.replace("RTP/AVP", "UDP/TLS/RTP/SAVP") + PRINT,
        true => PLAIN.replace("RTP/AVP", "RTP/SAVP") + KEY,
        false => PLAIN.to_owned(),
    };
    if ice {
        offer += ICE;
    }
    let offer = offer.parse().unwrap();
    peer.negotiate(now, Round::Answer { offer }).unwrap();
    while let Some(([kind, high, low], tail)) = rest.split_first_chunk() {
        let len = usize::from(u16::from_be_bytes([*high, *low])).min(tail.len());
        let (piece, tail) = tail.split_at(len);
        rest = tail;
        now += Duration::from_millis(u64::from(*kind) * 10);
        let local = SocketAddr::from(([10, 0, 0, 1], 4000 + u16::from(kind & 3)));
        let remote = SocketAddr::from(([10, 0, 0, 2], 4000 + u16::from(kind >> 6)));
        if kind & 0x20 != 0 {
            if let Ok(offer) = sdp::parse(piece) {
                // A refusal is as good an answer as any.
                let _ = peer.negotiate(now, Round::Answer { offer });
            }
        } else {
            peer.handle_datagram(now, local, remote, piece);
        }
        if peer.poll_timeout().is_some_and(|due| due <= now) {
            peer.handle_timeout(now);
        }
        while let Some(event) = peer.poll_event() {
            if let Event::Packet(packet) = event {
                assert!(
                    packet.payload.len() <= len,
                    "no packet is longer than what came"
                );
                peer.write(now, packet.stream, 0, &packet);
            }
        }
        let sent = std::iter::from_fn(|| peer.poll_transmit()).count();
        assert!(sent <= 16, "nothing is amplified");
    }
});
