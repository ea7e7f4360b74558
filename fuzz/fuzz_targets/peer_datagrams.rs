//! Any datagrams, from strangers and from the address the browser announced: a peer neither panics
//! nor believes them, and it comes to its end in time.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rtc::policy::Policy;
use rtc::{Certificate, Event, Peer, PeerConfig, Round};
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

const OFFER: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n\
    a=group:BUNDLE 0 1\r\n\
    m=audio 9 UDP/TLS/RTP/SAVPF 111 126\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n\
    a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\n\
    a=fingerprint:sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:\
    88:99:AA:BB:CC:DD:EE:FF\r\na=setup:actpass\r\na=mid:0\r\na=sendrecv\r\na=rtcp-mux\r\n\
    a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\n\
    a=candidate:1 1 udp 2122260223 10.0.0.2 5000 typ host\r\n\
    a=rtpmap:111 opus/48000/2\r\na=rtpmap:126 telephone-event/8000\r\na=ssrc:1000 cname:x\r\n\
    m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\nc=IN IP4 0.0.0.0\r\n\
    a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\n\
    a=fingerprint:sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:\
    88:99:AA:BB:CC:DD:EE:FF\r\na=setup:actpass\r\na=mid:1\r\na=sendrecv\r\na=rtcp-mux\r\n\
    a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\n\
    a=rtpmap:96 VP8/90000\r\na=rtcp-fb:96 nack\r\na=rtcp-fb:96 nack pli\r\n\
    a=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\na=ssrc-group:FID 2000 2001\r\n\
    a=ssrc:2000 cname:x\r\na=ssrc:2001 cname:x\r\n";

fn peer(now: Instant, local: SocketAddr) -> Peer {
    static CERTIFICATE: OnceLock<Certificate> = OnceLock::new();
    let made = || Certificate::generate().expect("a certificate can be made");
    let codecs = |names: &[&str]| names.iter().filter_map(|name| codec::by_name(name)).collect();
    let policy = Policy {
        audio: codecs(&["opus"]),
        video: codecs(&["vp8"]),
        later: Vec::new(),
        pictures: rtc::topology::Direction::SendRecv,
        max_audio_streams: 1,
        max_video_streams: 1,
        telephone_event: true,
        reading: Default::default(),
        marks: Default::default(),
        transport: rtc::policy::Transport::WebRtc,
    };
    let mut peer = Peer::new(
        now,
        PeerConfig {
            policy: Arc::new(policy),
            candidates: vec![local],
            ufrag_prefix: "0000000001".to_owned(),
            ports: Vec::new(),
            signaled: None,
            certificate: CERTIFICATE.get_or_init(made).clone(),
            seed: [7; 32],
        },
    );
    let offer = OFFER.parse().expect("the offer is well-formed");
    let answer = peer.negotiate(now, Round::Answer { offer });
    answer.expect("the offer is acceptable");
    peer
}

/// Takes all events; whether the end was among them. Nobody proved to be the browser.
fn drain(peer: &mut Peer) -> bool {
    let mut is_down = false;
    while let Some(event) = peer.poll_event() {
        is_down |= matches!(event, Event::Down(_));
        assert!(!matches!(event, Event::Connected { .. } | Event::Packet(_)));
    }
    is_down
}

// Each datagram: a pause, whether from a stranger, a length of two bytes, the bytes.
fuzz_target!(|bytes: &[u8]| {
    let local: SocketAddr = ([10, 0, 0, 1], 4000).into();
    let (browser, stranger) = (([10, 0, 0, 2], 5000).into(), ([192, 0, 2, 1], 9).into());
    let mut now = Instant::now();
    let mut peer = peer(now, local);
    let mut is_down = false;
    let mut rest = bytes;
    while let Some((head, tail)) = rest.split_at_checked(4) {
        let len = usize::from(u16::from_be_bytes([head[2], head[3]])).min(tail.len());
        let (datagram, tail) = tail.split_at(len);
        rest = tail;
        now += Duration::from_millis(u64::from(head[0]));
        if head[1] & 1 == 1 {
            assert!(!peer.accepts(now, local, stranger, datagram));
        } else {
            peer.handle_datagram(now, local, browser, datagram);
        }
        while peer.poll_transmit().is_some() {}
        is_down |= drain(&mut peer);
    }
    // However long the datagrams took, the end comes within a minute of the last one.
    let last = now;
    let mut turns = 0;
    while let Some(due) = peer.poll_timeout() {
        now = due.max(now + Duration::from_millis(1));
        peer.handle_timeout(now);
        while peer.poll_transmit().is_some() {}
        is_down |= drain(&mut peer);
        turns += 1;
        assert!(turns < 10_000, "the clock must make headway");
    }
    assert!(is_down, "it ends");
    assert!(now <= last + Duration::from_secs(60));
});
