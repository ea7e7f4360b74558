//! Two browsers, played by str0m, whose legs are connected: on one shard and on two.

mod digits;
mod music;
mod play;
mod room;
mod video;

use super::*;
use codec::Kind;
use rtc::topology::Direction as Ours;
use str0m::Event;
use str0m::change::{SdpOffer, SdpPendingOffer};
use str0m::format::{Codec, FormatParams};
use str0m::media::{Frequency, KeyframeRequestKind, Mid};
use str0m::net::Receive;
use str0m::rtp::{RtpPacket, RtpWrite};

/// What a browser asks of its sound stands among its codecs.
const ASKS: &str = "a=";

/// Desk phones have their ports here and above.
const PHONE_PORT: u16 = 6000;

const TICK: Duration = Duration::from_millis(5);

struct World {
    now: Instant,
    shards: Vec<(Shard, mpsc::Sender<Relayed>, mpsc::Receiver<Relayed>)>,
    browsers: Vec<Browser>,
    /// What a desk phone was sent, and to which of its ports.
    phoned: Vec<(SocketAddr, Vec<u8>)>,
    /// The next packet of media on the way from the browsers, and to them, is lost.
    lose: [bool; 2],
}

struct Browser {
    rtc: Rtc,
    shard: usize,
    mids: Vec<Mid>,
    pending: Option<SdpPendingOffer>,
    is_connected: bool,
    received: Vec<(Mid, RtpPacket)>,
    keyframes_asked: usize,
    /// Packets sent on each line.
    sent: [u64; 2],
    /// What it has to send.
    outbox: Vec<(SocketAddr, Vec<u8>)>,
    /// Where its numbers begin.
    first: u64,
    /// What its leg's owner is told.
    told: mpsc::Receiver<LegEvent>,
}

fn address(index: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 2], 5000 + index as u16))
}

fn server_of(shard: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], 4000 + shard as u16))
}

/// The offer with what the browser asks of its sound.
fn asking(mut offer: String, allowed: &[&str]) -> String {
    for wish in allowed.iter().filter(|name| name.starts_with(ASKS)) {
        offer = offer.replacen("a=rtcp-mux\r\n", &format!("a=rtcp-mux\r\n{wish}\r\n"), 1);
    }
    offer
}

/// A browser takes telephone events.
fn take_events(config: &mut str0m::RtcConfig) {
    let digits = FormatParams {
        telephone_event_max: Some(16),
        ..FormatParams::default()
    };
    let (pt, clock) = (110.into(), Frequency::FORTY_EIGHT_KHZ);
    let codecs = config.codec_config();
    codecs.add_config(pt, None, Codec::Tele, clock, None, digits);
}

fn policy(allowed: &[&str]) -> Policy {
    let of_kind = |kind| {
        let codecs = allowed.iter().filter_map(|name| by_name(name));
        codecs.filter(|codec| codec.kind == kind).collect()
    };
    Policy {
        audio: of_kind(Kind::Audio),
        video: of_kind(Kind::Video),
        later: Vec::new(),
        pictures: Ours::SendRecv,
        max_audio_streams: 1,
        max_video_streams: 1,
        telephone_event: !allowed.contains(&"tones"),
        reading: Default::default(),
        marks: Default::default(),
        transport: Transport::WebRtc,
    }
}

impl World {
    /// Browser 0 has a leg on the first shard, browser 1 on the last; the codecs are allowed to each.
    fn new(shards: usize, allowed: [&[&str]; 2]) -> Self {
        let mut world = Self::joining(shards, allowed);
        world.run(2000);
        assert!(world.browsers.iter().all(|browser| browser.is_connected));
        world
    }

    /// The same before anybody is connected.
    fn joining(shards: usize, allowed: [&[&str]; 2]) -> Self {
        let mut world = Self::empty(shards);
        for (index, allowed) in allowed.into_iter().enumerate() {
            world.join(index, allowed);
        }
        world
    }

    fn empty(shards: usize) -> Self {
        let now = Instant::now();
        let shards = (0..shards).map(|index| {
            let shard = Shard::new(ShardConfig {
                index: index as u8,
                candidates: vec![server_of(index)],
                certificate: Certificate::generate().unwrap(),
                gauges: Arc::default(),
            });
            let (sender, receiver) = mpsc::channel(64);
            (shard, sender, receiver)
        });
        Self {
            now,
            shards: shards.collect(),
            browsers: Vec::new(),
            phoned: Vec::new(),
            lose: [false; 2],
        }
    }

    fn join(&mut self, index: usize, allowed: &[&str]) {
        let now = self.now;
        let shard = index % self.shards.len();
        let (events, told) = inbox();
        let config = LegConfig {
            policy: Arc::new(policy(allowed)),
            events,
            seed: [index as u8 + 1; 32],
            place: Default::default(),
        };
        let id = leg(index, shard);
        self.command(shard, Command::Open(id, opening(config)));
        let mut config = Rtc::builder().set_rtp_mode(true).clear_codecs();
        for name in allowed {
            config = match *name {
                "opus" => config.enable_opus(true, false),
                "ulaw" => config.enable_pcmu(true, false),
                "tones" => config,
                "h264" => config.enable_h264(true),
                name if name.starts_with(ASKS) => config,
                _ => config.enable_vp8(true),
            };
        }
        take_events(&mut config);
        let mut rtc = config.build(now);
        let candidate = Candidate::host(address(index), Protocol::Udp).unwrap();
        rtc.add_local_candidate(candidate);
        let mut api = rtc.sdp_api();
        let kinds = [MediaKind::Audio, MediaKind::Video];
        let add = |kind| api.add_media(kind, Direction::SendRecv, None, None, None);
        let mids = kinds.map(add).to_vec();
        let (offer, pending) = api.apply().unwrap();
        let mut browser = Browser {
            rtc,
            shard,
            mids,
            pending: Some(pending),
            is_connected: false,
            received: Vec::new(),
            keyframes_asked: 0,
            sent: [0; 2],
            outbox: Vec::new(),
            first: 1000 * (index as u64 + 1),
            told,
        };
        let offer = asking(offer.to_sdp_string(), allowed).parse().unwrap();
        let outcome = self.negotiate(index, shard, Round::Answer { offer });
        let answer = outcome.sdp.unwrap().to_string();
        let answer = SdpAnswer::from_sdp_string(&answer).unwrap();
        let pending = browser.pending.take().unwrap();
        browser
            .rtc
            .sdp_api()
            .accept_answer(pending, answer)
            .unwrap();
        self.browsers.push(browser);
    }

    fn command(&mut self, shard: usize, command: Command) {
        self.shards[shard].0.handle_command(self.now, command);
    }

    fn negotiate(&mut self, index: usize, shard: usize, round: Round) -> Outcome {
        let (reply, mut outcome) = oneshot::channel();
        let request = Request::Negotiate { round, reply };
        self.command(shard, Command::Leg(leg(index, shard), request));
        outcome.try_recv().unwrap().unwrap()
    }

    /// What `Leg::connect` sends.
    fn connect(&mut self, number: u64) {
        for (own, other) in [(0, 1), (1, 0)] {
            let (shard, far) = (self.browsers[own].shard, self.browsers[other].shard);
            let relay = (shard != far).then(|| self.shards[far].1.clone());
            let serial = other as u32;
            let far = Far { serial, relay };
            let request = Request::Connect { number, far };
            self.command(shard, Command::Leg(leg(own, shard), request));
        }
        self.run(5);
    }

    fn part(&mut self, number: u64) {
        for index in [0, 1] {
            let shard = self.browsers[index].shard;
            self.command(
                shard,
                Command::Leg(leg(index, shard), Request::Part { number }),
            );
        }
    }

    /// The exchange offers its side of the audio another direction, and the browser takes it.
    fn redirect(&mut self, index: usize, direction: Ours) {
        let shard = self.browsers[index].shard;
        let agreed = self.negotiate(index, shard, Round::Rollback).agreed;
        let want = agreed.iter().cloned().map(|mut stream| {
            if stream.kind == Kind::Audio {
                stream.direction = direction;
            }
            stream
        });
        let want = rtc::topology::Topology::new(want.collect());
        let offer = self
            .negotiate(index, shard, Round::Offer { want })
            .sdp
            .unwrap();
        let offer = SdpOffer::from_sdp_string(&offer.to_string()).unwrap();
        let answer = self.browsers[index].rtc.sdp_api().accept_offer(offer);
        let answer = answer.unwrap().to_sdp_string().parse().unwrap();
        self.negotiate(index, shard, Round::Apply { answer });
        self.run(5);
    }

    fn run(&mut self, ms: u64) {
        let end = self.now + Duration::from_millis(ms);
        while self.now < end {
            self.now += TICK;
            for browser in &mut self.browsers {
                browser.rtc.handle_input(Input::Timeout(self.now)).unwrap();
            }
            for (shard, ..) in &mut self.shards {
                shard.handle_timeout(self.now);
            }
            while self.exchange() {}
        }
    }

    /// Carries everything that waits to where it goes; whether there was anything.
    fn exchange(&mut self) -> bool {
        let (now, mut is_busy) = (self.now, false);
        for (index, browser) in self.browsers.iter_mut().enumerate() {
            let mut sent = std::mem::take(&mut browser.outbox);
            sent.extend(browser.drain());
            for (to, bytes) in sent {
                is_busy = true;
                if rtp::is_rtp(&bytes) && std::mem::take(&mut self.lose[0]) {
                    continue;
                }
                let shard = &mut self.shards[usize::from(to.port() - 4000)].0;
                shard.handle_datagram(now, to, address(index), &bytes);
            }
        }
        for (shard, _, relayed) in &mut self.shards {
            while let Ok(relayed) = relayed.try_recv() {
                is_busy = true;
                shard.handle_relayed(now, relayed);
            }
            while let Some(transmit) = shard.poll_transmit() {
                is_busy = true;
                if transmit.remote.port() >= PHONE_PORT {
                    self.phoned.push((transmit.remote, transmit.bytes));
                    continue;
                }
                if rtp::is_rtp(&transmit.bytes) && std::mem::take(&mut self.lose[1]) {
                    continue;
                }
                let browser = &mut self.browsers[usize::from(transmit.remote.port() - 5000)];
                let Transmit {
                    local,
                    remote,
                    bytes,
                } = transmit;
                let receive = Receive::new(Protocol::Udp, local, remote, &bytes).unwrap();
                browser
                    .rtc
                    .handle_input(Input::Receive(now, receive))
                    .unwrap();
                // Two packets of one moment are both read.
                let sent = browser.drain();
                browser.outbox.extend(sent);
            }
        }
        is_busy
    }

    /// So many packets from a browser on a line, one each 20 ms; their payloads.
    fn send(&mut self, index: usize, line: usize, count: u64) -> Vec<Vec<u8>> {
        let codec = [Codec::Opus, Codec::Vp8][line];
        let payloads = (0..count).map(|_| {
            let now = self.now;
            let payload = self.browsers[index].send(now, line, codec);
            self.run(20);
            payload
        });
        payloads.collect()
    }

    /// What reached a browser on a line since this was last asked.
    fn received(&mut self, index: usize, line: usize) -> Vec<RtpPacket> {
        let browser = &mut self.browsers[index];
        let mid = browser.mids[line];
        let received = std::mem::take(&mut browser.received).into_iter();
        let packets = received.filter(|(on, _)| *on == mid);
        packets.map(|(_, packet)| packet).collect()
    }
}

impl Browser {
    fn drain(&mut self) -> Vec<(SocketAddr, Vec<u8>)> {
        let mut sent = Vec::new();
        loop {
            match self.rtc.poll_output().unwrap() {
                Output::Timeout(_) => return sent,
                Output::Transmit(transmit) => {
                    sent.push((transmit.destination, transmit.contents.to_vec()));
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

    fn send(&mut self, now: Instant, line: usize, codec: Codec) -> Vec<u8> {
        let number = self.first + self.sent[line];
        let payload = [&[line as u8][..], &number.to_be_bytes()].concat();
        self.send_payload(now, line, codec, 960, payload.clone());
        payload
    }

    fn send_payload(
        &mut self,
        now: Instant,
        line: usize,
        codec: Codec,
        units: u32,
        payload: Vec<u8>,
    ) {
        let number = self.first + self.sent[line];
        self.sent[line] += 1;
        let pt = self.pt(codec);
        let time = number as u32 * units;
        let write = RtpWrite::new(pt, number.into(), time, now, payload);
        let mut api = self.rtc.direct_api();
        let stream = api.stream_tx_by_mid(self.mids[line], None).unwrap();
        stream.write_rtp(write);
        self.rtc.handle_input(Input::Timeout(now)).unwrap();
    }

    fn pt(&self, codec: Codec) -> str0m::media::Pt {
        let mut params = self.rtc.codec_config().iter();
        params.find(|p| p.spec().codec == codec).unwrap().pt()
    }

    fn ask_keyframe(&mut self) {
        let mid = self.mids[1];
        let mut api = self.rtc.direct_api();
        let stream = api.stream_rx_by_mid(mid, None).unwrap();
        stream.request_keyframe(KeyframeRequestKind::Pli);
    }
}

fn leg(index: usize, shard: usize) -> LegId {
    LegId {
        shard: shard as u8,
        serial: index as u32,
    }
}

fn payloads(packets: &[RtpPacket]) -> Vec<Vec<u8>> {
    packets
        .iter()
        .map(|packet| packet.payload.to_vec())
        .collect()
}

fn assert_no_jump(packets: &[RtpPacket]) {
    assert!(
        packets
            .iter()
            .all(|packet| packet.header.ssrc == packets[0].header.ssrc)
    );
    let steps = packets
        .windows(2)
        .map(|two| *two[1].seq_no - *two[0].seq_no);
    assert!(
        steps.into_iter().all(|step| step == 1),
        "no gap, no repetition"
    );
    let time = packets.windows(2).map(|two| {
        let (one, two) = (two[0].header.timestamp, two[1].header.timestamp);
        two.wrapping_sub(one)
    });
    assert!(
        time.into_iter().all(|step| (1..48_000).contains(&step)),
        "time goes on"
    );
}

const BOTH: &[&str] = &["opus", "vp8"];

#[test]
fn connected_legs_hear_and_see_each_other() {
    for shards in [1, 2] {
        let mut world = World::new(shards, [BOTH, BOTH]);
        world.send(0, 0, 2);
        assert!(world.received(1, 0).is_empty(), "not connected yet");
        world.connect(1);
        for (from, to) in [(0, 1), (1, 0)] {
            for line in [0, 1] {
                let sent = world.send(from, line, 5);
                assert_eq!(payloads(&world.received(to, line)), sent, "line {line}");
            }
        }
        world.part(1);
        world.send(0, 0, 2);
        assert!(world.received(1, 0).is_empty(), "parted");
    }
}

#[test]
fn key_frames_are_asked_for_at_the_beginning_and_whenever_the_other_asks() {
    for shards in [1, 2] {
        let mut world = World::new(shards, [BOTH, BOTH]);
        world.send(0, 1, 1);
        assert_eq!(world.browsers[0].keyframes_asked, 0);
        world.connect(1);
        world.run(100);
        assert_eq!(world.browsers[0].keyframes_asked, 1, "one at the beginning");
        world.send(0, 1, 2);
        world.run(1000);
        world.browsers[1].ask_keyframe();
        world.run(100);
        assert_eq!(world.browsers[0].keyframes_asked, 2, "one for the request");
        assert_eq!(
            world.browsers[1].keyframes_asked, 0,
            "nothing was sent to 0"
        );
    }
}

#[test]
fn a_stream_goes_on_without_a_jump_when_the_other_end_changes() {
    let mut world = World::new(1, [BOTH, BOTH]);
    world.connect(1);
    world.send(0, 0, 3);
    // The other end leaves, the same browser echoes itself for a while, and another end comes.
    world.part(1);
    let echo = Request::Echo {
        serial: 0,
        mode: EchoMode::OneToOne,
    };
    world.command(0, Command::Leg(leg(1, 0), echo));
    world.send(1, 0, 3);
    let end = Request::EndEcho { serial: 0 };
    world.command(0, Command::Leg(leg(1, 0), end));
    world.connect(2);
    world.send(0, 0, 3);
    let packets = world.received(1, 0);
    assert_eq!(packets.len(), 9);
    assert_no_jump(&packets);
}

#[test]
fn a_later_joint_is_not_ended_with_an_earlier_one() {
    let mut world = World::new(1, [BOTH, BOTH]);
    world.connect(1);
    world.connect(2);
    world.part(1);
    let sent = world.send(0, 0, 2);
    assert_eq!(payloads(&world.received(1, 0)), sent);
}

#[test]
fn a_held_stream_carries_nothing_and_goes_on_when_it_is_resumed() {
    for shards in [1, 2] {
        let mut world = World::new(shards, [BOTH, BOTH]);
        world.connect(1);
        world.send(0, 0, 2);
        world.redirect(1, Ours::Inactive);
        world.received(1, 0);
        world.send(0, 0, 3);
        assert!(world.received(1, 0).is_empty(), "held");
        world.redirect(1, Ours::SendRecv);
        let sent = world.send(0, 0, 3);
        assert_eq!(payloads(&world.received(1, 0)), sent);
        let sent = world.send(1, 0, 3);
        assert_eq!(payloads(&world.received(0, 0)), sent);
    }
}

#[test]
fn payload_types_are_those_of_the_receiver() {
    let mut world = World::new(1, [BOTH, BOTH]);
    world.connect(1);
    world.send(0, 1, 2);
    let pt = world.browsers[1].pt(Codec::Vp8);
    let packets = world.received(1, 1);
    assert_eq!(packets.len(), 2);
    assert!(
        packets
            .iter()
            .all(|packet| packet.header.payload_type == pt)
    );
}

/// Browser 0 has G.711 and browser 1 has Opus: a second of a tone from one arrives at the other.
fn assert_heard(world: &mut World, from: usize, to: usize) {
    use codec::Settings;
    let codecs = [(Codec::PCMU, "ulaw", 8000), (Codec::Opus, "opus", 48_000)];
    let (engine_codec, name, rate_hz) = codecs[from];
    let coding = |name| by_name(name).unwrap().coding.unwrap();
    let settings = |rate_hz| Settings {
        rate_hz,
        ..Settings::default()
    };
    let mut encoder = (coding(name).encoder)(&settings(rate_hz)).unwrap();
    let frame = rate_hz as usize / 50;
    for index in 0..50 {
        let sample = |at: usize| {
            let turn = std::f64::consts::TAU * 500.0 * at as f64 / f64::from(rate_hz);
            (turn.sin() * 9000.0) as i16
        };
        let sound: Vec<i16> = (index * frame..(index + 1) * frame).map(sample).collect();
        let mut payload = Vec::new();
        encoder.encode(&sound, &mut payload).unwrap();
        let (now, clock) = (world.now, [160, 960][from]);
        world.browsers[from].send_payload(now, 0, engine_codec, clock, payload);
        world.run(20);
    }
    let packets = world.received(to, 0);
    assert!(packets.len() >= 48, "{} packets", packets.len());
    assert_no_jump(&packets);
    let (engine_codec, name, rate_hz) = codecs[to];
    let pt = world.browsers[to].pt(engine_codec);
    assert!(packets.iter().all(|p| p.header.payload_type == pt));
    let mut decoder = (coding(name).decoder)(&settings(rate_hz)).unwrap();
    let mut heard = Vec::new();
    for packet in &packets {
        decoder.decode(&packet.payload, &mut heard).unwrap();
    }
    // A tone of 500 Hz crosses zero a thousand times a second.
    let second = &heard[heard.len() / 4..];
    let crossings = second.windows(2).filter(|w| (w[0] < 0) != (w[1] < 0));
    let per_s = crossings.count() as f64 * f64::from(rate_hz) / second.len() as f64;
    assert!((980.0..1020.0).contains(&per_s), "{name} hears {per_s}");
}

#[test]
fn sound_without_a_codec_in_common_is_made_anew_both_ways() {
    for shards in [1, 2] {
        let mut world = World::new(shards, [&["ulaw", "vp8"], BOTH]);
        world.connect(1);
        assert_heard(&mut world, 0, 1);
        assert_heard(&mut world, 1, 0);
    }
}

#[test]
fn sound_that_is_made_anew_goes_on_after_a_hold_of_either() {
    for holder in [0, 1] {
        for hold in [Ours::RecvOnly, Ours::Inactive] {
            let mut world = World::new(1, [&["ulaw", "vp8"], BOTH]);
            world.connect(1);
            assert_heard(&mut world, 0, 1);
            assert_heard(&mut world, 1, 0);
            world.redirect(holder, hold);
            world.run(1500);
            world.redirect(holder, Ours::SendRecv);
            world.received(0, 0);
            world.received(1, 0);
            assert_heard(&mut world, 0, 1);
            assert_heard(&mut world, 1, 0);
        }
    }
}

#[test]
fn sound_that_is_made_anew_goes_on_when_the_two_are_connected_again() {
    let mut world = World::new(1, [&["ulaw", "vp8"], BOTH]);
    for number in 1..4 {
        world.connect(number);
        // What has been sent before would be taken for a replay.
        assert_heard(&mut world, 0, 1);
        assert_heard(&mut world, 1, 0);
    }
}

#[test]
fn video_is_not_made_anew() {
    let mut world = World::new(1, [&["ulaw", "vp8"], BOTH]);
    world.connect(1);
    let sent = world.send(0, 1, 2);
    assert_eq!(payloads(&world.received(1, 1)), sent);
}
