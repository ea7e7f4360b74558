//! A call of offers and answers with the engine below. The input is descriptions, each begun by a
//! line `###`: the peer's offers, or, begun by `###!`, its answers to offers of ours.

#![no_main]

use std::sync::{Arc, LazyLock};
use std::time::Instant;

use libfuzzer_sys::fuzz_target;
use rtc::policy::Policy;
use rtc::topology::Direction;
use rtc::{Certificate, Peer, PeerConfig, Round};
use sdp::Sdp;

static CONFIG: LazyLock<PeerConfig> = LazyLock::new(|| {
    let codecs = |kind| {
        codec::CODECS
            .iter()
            .filter(move |codec| codec.kind == kind)
            .collect()
    };
    PeerConfig {
        policy: Arc::new(Policy {
            audio: codecs(codec::Kind::Audio),
            video: codecs(codec::Kind::Video),
            later: Vec::new(),
            pictures: Direction::SendRecv,
            max_audio_streams: 2,
            max_video_streams: 4,
            telephone_event: true,
            reading: Default::default(),
            marks: Default::default(),
            transport: rtc::policy::Transport::WebRtc,
        }),
        candidates: vec!["127.0.0.1:10000".parse().expect("an address")],
        ufrag_prefix: "fuzz".to_owned(),
        ports: Vec::new(),
        signaled: None,
        certificate: Certificate::generate().expect("a certificate"),
        seed: [1; 32],
    }
});

fuzz_target!(|text: &str| {
    let now = Instant::now();
    let mut peer = Peer::new(now, CONFIG.clone());
    let mut agreed = rtc::topology::Topology::default();
    for (step, chunk) in text.split("###").skip(1).take(6).enumerate() {
        let (is_answer, chunk) = match chunk.strip_prefix('!') {
            Some(chunk) => (true, chunk),
            None => (false, chunk),
        };
        let Ok(description) = chunk.parse::<Sdp>() else {
            continue;
        };
        if is_answer {
            let want = agreed
                .clone()
                .with_count(codec::Kind::Audio, 1, Direction::SendRecv);
            let want = want.with_count(codec::Kind::Video, step + 1, Direction::SendOnly);
            let _ = peer.negotiate(now, Round::Offer { want });
            let _ = peer.negotiate(
                now,
                Round::Apply {
                    answer: description,
                },
            );
            if let Ok(outcome) = peer.negotiate(now, Round::Rollback) {
                agreed = outcome.agreed;
            }
            continue;
        }
        let lines = description.media.len();
        if let Ok(outcome) = peer.negotiate(now, Round::Answer { offer: description }) {
            let answer = outcome.sdp.expect("an offer has an answer");
            assert_eq!(answer.media.len(), lines);
            assert_eq!(answer.to_string().parse::<Sdp>().as_ref(), Ok(&answer));
            agreed = outcome.agreed;
        }
    }
});
