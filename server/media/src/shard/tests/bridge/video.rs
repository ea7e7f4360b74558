//! Pictures between a browser and a desk phone, whose packets and RTCP are written here byte by byte.

use super::*;
use rtc::policy::Terms;
use rtp::RtpPacket as Plain;
use rtp::rtcp::Rtcp;
use str0m::media::Pt;

/// Our ports for the phone's pictures, and what reports on them.
const OURS: [&str; 2] = ["10.0.0.1:4102", "10.0.0.1:4103"];
/// The phone's own.
const THEIRS: [&str; 2] = ["10.0.0.2:6002", "10.0.0.2:6003"];
/// Of the phone's pictures.
const SSRC: u32 = 0x0BAD_CAFE;
/// A frame of 30 a second.
const FRAME: u32 = 3000;

/// What a desk phone is like.
#[derive(Clone, Copy, Debug)]
struct Model {
    profile: &'static str,
    number: u8,
    /// The lines of its pictures.
    lines: &'static str,
    name: &'static str,
    codec: Codec,
}

const VP8: Model = Model {
    profile: "RTP/AVP",
    number: 120,
    lines: "a=rtpmap:120 VP8/90000\n",
    name: "vp8",
    codec: Codec::Vp8,
};
/// Its profile is one that no browser writes, though all can decode it.
const H264: Model = Model {
    profile: "RTP/AVP",
    number: 99,
    lines: "a=rtpmap:99 H264/90000\na=fmtp:99 profile-level-id=428014;packetization-mode=1\n",
    name: "h264",
    codec: Codec::H264,
};

impl Model {
    fn with_feedback(self) -> Self {
        let profile = "RTP/AVPF";
        Self { profile, ..self }
    }
}

/// A browser whose leg is connected to that of a phone.
struct Mixed {
    world: World,
    model: Model,
    told: mpsc::Receiver<LegEvent>,
    sequence: u16,
}

fn at(address: &str) -> SocketAddr {
    address.parse().unwrap()
}

impl Mixed {
    fn new(model: Model) -> Self {
        let mut world = World::empty(1);
        world.join(0, &["opus", model.name]);
        world.run(2000);
        assert!(world.browsers[0].is_connected);
        let (events, told) = inbox();
        let policy = Policy {
            audio: vec![by_name("ulaw").unwrap()],
            video: vec![by_name(model.name).unwrap()],
            later: Vec::new(),
            pictures: rtc::topology::Direction::SendRecv,
            max_audio_streams: 1,
            max_video_streams: 1,
            telephone_event: true,
            reading: Default::default(),
            marks: Default::default(),
            transport: Transport::Rtp(Terms::default()),
        };
        let config = LegConfig {
            policy: Arc::new(policy),
            events,
            seed: [9; 32],
            place: Default::default(),
        };
        let pair = |port| PortPair {
            rtp: SocketAddr::from(([10, 0, 0, 1], port)),
            rtcp: SocketAddr::from(([10, 0, 0, 1], port + 1)),
        };
        let opening = Opening {
            config,
            ports: vec![pair(4100), pair(4102)],
            pairs: Vec::new(),
        };
        world.command(0, Command::Open(leg(1, 0), Box::new(opening)));
        let (profile, number) = (model.profile, model.number);
        let offer = format!(
            "v=0\no=- 1 1 IN IP4 10.0.0.2\ns=-\nc=IN IP4 10.0.0.2\nt=0 0\n\
             m=audio 6000 RTP/AVP 0\nm=video 6002 {profile} {number}\n{}",
            model.lines
        );
        let offer = offer.parse().unwrap();
        let answer = world.negotiate(1, 0, Round::Answer { offer }).sdp.unwrap();
        let answer = answer.to_string();
        assert!(answer.contains(&format!("m=video 4102 {profile} {number}\r\n")));
        for strange in ["rtx", "transport-cc", "goog-remb"] {
            assert!(!answer.contains(strange), "{answer}");
        }
        for (own, other) in [(0, 1), (1, 0)] {
            let (serial, relay) = (other, None);
            let far = Far { serial, relay };
            let request = Request::Connect { number: 1, far };
            world.command(0, Command::Leg(leg(own, 0), request));
        }
        world.run(5);
        let mut own = Self {
            world,
            model,
            told,
            sequence: 65_533,
        };
        // Each has seen the other.
        own.show(2);
        own.play(2);
        own.world.run(1000);
        own.forget();
        own
    }

    fn forget(&mut self) {
        self.world.phoned.clear();
        self.world.received(0, 1);
        while self.told.try_recv().is_ok() {}
    }

    /// The browser sends so many frames of three packets.
    fn show(&mut self, frames: u32) -> Vec<Vec<u8>> {
        let mut sent = Vec::new();
        for _ in 0..frames {
            for part in 0..3 {
                let now = self.world.now;
                let browser = &mut self.world.browsers[0];
                let nth = browser.sent[1];
                browser.sent[1] += 1;
                let number = browser.first + nth;
                let payload = number.to_be_bytes().to_vec();
                sent.push(payload.clone());
                let time = (nth / 3) as u32 * FRAME;
                let pt = browser.picture_pt(self.model.codec);
                let write = RtpWrite::new(pt, number.into(), time, now, payload);
                let mut api = browser.rtc.direct_api();
                let stream = api.stream_tx_by_mid(browser.mids[1], None).unwrap();
                stream.write_rtp(write.marker(part == 2).nackable(true));
                browser.rtc.handle_input(Input::Timeout(now)).unwrap();
                self.world.run(10);
            }
        }
        sent
    }

    /// The phone sends so many frames of three packets.
    fn play(&mut self, frames: u32) -> Vec<Vec<u8>> {
        let mut sent = Vec::new();
        for _ in 0..frames * 3 {
            let nth = self.sequence.wrapping_sub(65_533);
            let payload = [7, nth as u8];
            let packet = Plain {
                marker: nth % 3 == 2,
                payload_type: self.model.number,
                sequence: self.sequence,
                timestamp: u32::from(nth / 3) * FRAME,
                ssrc: SSRC,
                payload: &payload,
            };
            self.sequence = self.sequence.wrapping_add(1);
            self.phone(0, &packet.write());
            sent.push(payload.to_vec());
            self.world.run(10);
        }
        sent
    }

    /// The phone sends this: media (0) or a report (1).
    fn phone(&mut self, port: usize, bytes: &[u8]) {
        let now = self.world.now;
        let (ours, theirs) = (at(OURS[port]), at(THEIRS[port]));
        let shard = &mut self.world.shards[0].0;
        shard.handle_datagram(now, ours, theirs, bytes);
        while self.world.exchange() {}
    }

    /// What reached a port of the phone.
    fn phoned(&self, port: usize) -> Vec<&[u8]> {
        let sent = self.world.phoned.iter();
        let sent = sent.filter(|(to, _)| *to == at(THEIRS[port]));
        sent.map(|(_, bytes)| &**bytes).collect()
    }

    /// Our source, as the phone sees it.
    fn source(&mut self) -> u32 {
        self.show(1);
        let packets = self.phoned(0);
        Plain::parse(packets[0]).unwrap().ssrc
    }

    /// The kinds of RTCP that reached the phone, with their formats.
    fn reported(&self) -> Vec<(u8, u8)> {
        let mut kinds = Vec::new();
        for mut rest in self.phoned(1) {
            while let [first, kind, high, low, ..] = *rest {
                kinds.push((kind, first & 0x1F));
                let words = usize::from(u16::from_be_bytes([high, low])) + 1;
                rest = &rest[words * 4..];
            }
        }
        kinds
    }

    /// Of which sources the phone was asked for key frames.
    fn asked(&self) -> Vec<u32> {
        let packets = self.phoned(1).into_iter().flat_map(rtp::rtcp::parse);
        let asked = packets.filter_map(|packet| match packet {
            Rtcp::Keyframe { ssrc } => Some(ssrc),
            _ => None,
        });
        asked.collect()
    }

    /// How often the owner of the phone's leg was told to ask for one.
    fn signaled(&mut self) -> usize {
        let told = std::iter::from_fn(|| self.told.try_recv().ok());
        told.filter(|event| *event == LegEvent::KeyframeWanted)
            .count()
    }
}

impl Browser {
    /// The number of this codec that is agreed on first.
    fn picture_pt(&self, codec: Codec) -> Pt {
        let mid = self.mids[1];
        let agreed = self.rtc.media(mid).unwrap().remote_pts().to_vec();
        let params = self.rtc.codec_config().iter();
        let own: Vec<Pt> = params
            .filter(|own| own.spec().codec == codec)
            .map(|own| own.pt())
            .collect();
        *agreed.iter().find(|pt| own.contains(pt)).unwrap()
    }
}

/// A request for a key frame beside an empty report.
fn wish(format: u8, body: &[u32]) -> Vec<u8> {
    let words = body.len() as u8 + 1;
    let mut bytes = vec![0x80, 201, 0, 1];
    bytes.extend(SSRC.to_be_bytes());
    bytes.extend([0x80 | format, 206, 0, words]);
    bytes.extend(SSRC.to_be_bytes());
    bytes.extend(body.iter().flat_map(|word| word.to_be_bytes()));
    bytes
}

const ALL: [Model; 2] = [VP8, H264];

#[test]
fn pictures_of_a_browser_reach_a_phone() {
    for model in ALL.into_iter().chain(ALL.map(Model::with_feedback)) {
        let mut mixed = Mixed::new(model);
        let sent = mixed.show(5);
        let packets = mixed.phoned(0).into_iter().filter_map(Plain::parse);
        let packets: Vec<_> = packets.collect();
        let seen: Vec<_> = packets.iter().map(|own| own.payload.to_vec()).collect();
        assert_eq!(seen, sent, "{model:?}");
        for (index, packet) in packets.iter().enumerate() {
            let (first, nth) = (&packets[0], index as u16);
            assert_eq!(packet.payload_type, model.number);
            assert_eq!(packet.sequence, first.sequence.wrapping_add(nth));
            let frames = u32::from(nth / 3);
            let time = packet.timestamp.wrapping_sub(first.timestamp);
            assert_eq!(time, frames * FRAME);
            assert_eq!(packet.marker, nth % 3 == 2, "{nth}");
            assert_eq!(packet.ssrc, first.ssrc);
        }
    }
}

#[test]
fn pictures_of_a_phone_reach_a_browser() {
    for model in ALL.into_iter().chain(ALL.map(Model::with_feedback)) {
        let mut mixed = Mixed::new(model);
        let sent = mixed.play(5);
        let pt = mixed.world.browsers[0].picture_pt(model.codec);
        let packets = mixed.world.received(0, 1);
        assert_eq!(payloads(&packets), sent, "{model:?}");
        for (index, packet) in packets.iter().enumerate() {
            let (first, nth) = (&packets[0], index as u64);
            assert_eq!(packet.header.payload_type, pt);
            assert_eq!(*packet.seq_no, *first.seq_no + nth);
            let time = packet.header.timestamp - first.header.timestamp;
            assert_eq!(time, nth as u32 / 3 * FRAME);
            assert_eq!(packet.header.marker, nth % 3 == 2, "{nth}");
        }
    }
}

#[test]
fn a_browser_without_the_codec_of_the_phone_is_shown_nothing() {
    let mut mixed = Mixed::new(VP8);
    let other = Plain {
        marker: true,
        payload_type: H264.number,
        sequence: 9,
        timestamp: 0,
        ssrc: SSRC,
        payload: &[1; 20],
    };
    mixed.phone(0, &other.write());
    assert!(mixed.world.received(0, 1).is_empty());
}

#[test]
fn what_a_browser_loses_is_repaired_without_the_phone() {
    let mut mixed = Mixed::new(VP8.with_feedback());
    mixed.world.lose[1] = true;
    let mut sent = mixed.play(4);
    mixed.world.run(500);
    let mut packets = mixed.world.received(0, 1);
    packets.sort_by_key(|packet| *packet.seq_no);
    assert_eq!(payloads(&packets), sent, "it was sent again");
    // The same the other way: what the exchange misses it asks the browser for.
    mixed.forget();
    mixed.world.lose[0] = true;
    sent = mixed.show(4);
    mixed.world.run(500);
    assert!(!mixed.world.lose[0]);
    let packets = mixed.phoned(0).into_iter().filter_map(Plain::parse);
    let mut packets: Vec<_> = packets.collect();
    assert!(packets.iter().all(|own| own.payload_type == VP8.number));
    packets.sort_by_key(|own| own.timestamp);
    let seen = packets.iter().map(|own| own.payload.to_vec());
    let mut seen: Vec<_> = seen.collect();
    seen.sort();
    assert_eq!(seen, sent, "each once, none of them as RTX");
}

#[test]
fn a_phone_is_sent_no_feedback_but_requests_for_key_frames() {
    let mut mixed = Mixed::new(VP8.with_feedback());
    for _ in 0..10 {
        mixed.world.lose[1] = true;
        mixed.play(10);
        mixed.show(10);
        mixed.world.browsers[0].ask_keyframe();
        mixed.world.run(600);
    }
    let kinds = mixed.reported();
    assert!(kinds.contains(&(206, 1)), "{kinds:?}");
    let known = |kind: &(u8, u8)| (200..=202).contains(&kind.0) || *kind == (206, 1);
    assert!(kinds.iter().all(known), "{kinds:?}");
}

#[test]
fn a_browser_asks_a_phone_for_a_key_frame_in_the_way_the_phone_has() {
    let described = Model {
        lines: "a=rtpmap:99 H264/90000\na=fmtp:99 packetization-mode=1\na=rtcp-fb:* nack pli\n",
        ..H264
    };
    for (model, by_rtcp, by_signaling) in [
        (VP8.with_feedback(), 1, 0),
        (H264.with_feedback(), 1, 0),
        (described, 1, 0),
        (H264, 0, 1),
        (VP8, 1, 1),
    ] {
        let mut mixed = Mixed::new(model);
        mixed.world.browsers[0].ask_keyframe();
        mixed.world.run(100);
        assert_eq!(mixed.asked(), vec![SSRC; by_rtcp], "{model:?}");
        assert_eq!(mixed.signaled(), by_signaling, "{model:?}");
        // Who asks again and again is passed on twice a second.
        mixed.world.phoned.clear();
        for _ in 0..10 {
            mixed.world.browsers[0].ask_keyframe();
            mixed.world.run(95);
        }
        let asked = mixed.asked().len().max(mixed.signaled());
        assert!((1..=3).contains(&asked), "{model:?}: {asked}");
    }
}

#[test]
fn a_phone_asks_a_browser_for_a_key_frame_by_rtcp_and_by_signaling() {
    for model in ALL.into_iter().chain(ALL.map(Model::with_feedback)) {
        let mut mixed = Mixed::new(model);
        let source = mixed.source();
        let loss = wish(1, &[source]);
        let full = wish(4, &[0, source, 1 << 24]);
        for request in [Some(loss), Some(full), None] {
            mixed.world.run(1000);
            let before = mixed.world.browsers[0].keyframes_asked;
            match request {
                Some(bytes) => mixed.phone(1, &bytes),
                None => mixed
                    .world
                    .command(0, Command::Leg(leg(1, 0), Request::Refresh)),
            }
            mixed.world.run(100);
            let asked = mixed.world.browsers[0].keyframes_asked - before;
            assert_eq!(asked, 1, "{model:?}");
        }
        let before = mixed.world.browsers[0].keyframes_asked;
        mixed.world.run(1000);
        mixed.phone(1, &wish(1, &[source ^ 1]));
        mixed.world.run(100);
        let asked = mixed.world.browsers[0].keyframes_asked;
        assert_eq!(asked, before, "of another source");
    }
}
