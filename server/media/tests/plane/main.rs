//! The plane on loopback sockets, with str0m as the browser: packets really come back.

#![expect(clippy::unwrap_used, reason = "a test says what must be so")]

mod browser;
mod desk;

use browser::Browser;
use codec::{Kind, by_name};
use media::{DownReason, EchoMode, EventSink, Leg, LegConfig, LegEvent, Plane, PlaneConfig};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use rtc::Round;
use rtc::policy::{Marks, Policy};
use rtc::topology::Direction;
use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{self, Receiver};

const MOMENT: Duration = Duration::from_secs(5);

fn plane() -> Plane {
    let addresses = ["127.0.0.1", "::1"].map(|ip| ip.parse().unwrap());
    Plane::start(&PlaneConfig {
        addresses: addresses.to_vec(),
        ..PlaneConfig::default()
    })
    .unwrap()
}

fn allocate(plane: &Plane, inbox: usize) -> (Leg, Receiver<LegEvent>) {
    allocate_marked(plane, inbox, Marks::default())
}

fn allocate_marked(plane: &Plane, inbox: usize, marks: Marks) -> (Leg, Receiver<LegEvent>) {
    let (sender, events) = mpsc::channel(inbox);
    let policy = Policy {
        audio: vec![by_name("opus").unwrap()],
        video: vec![by_name("vp8").unwrap()],
        later: Vec::new(),
        pictures: Direction::SendRecv,
        max_audio_streams: 1,
        max_video_streams: 10,
        telephone_event: true,
        reading: Default::default(),
        marks,
        transport: rtc::policy::Transport::WebRtc,
    };
    let leg = plane.allocate(LegConfig {
        policy: Arc::new(policy),
        place: Default::default(),
        events: EventSink::new(sender),
        seed: [7; 32],
    });
    (leg.unwrap(), events)
}

/// A browser with audio and video up, and its leg.
async fn call(plane: &Plane) -> (Browser, Leg, Receiver<LegEvent>) {
    call_from(plane, Browser::new()).await
}

async fn call_from(plane: &Plane, browser: Browser) -> (Browser, Leg, Receiver<LegEvent>) {
    let leg = allocate(plane, 64);
    answer(browser, leg).await
}

async fn answer(
    mut browser: Browser,
    (leg, events): (Leg, Receiver<LegEvent>),
) -> (Browser, Leg, Receiver<LegEvent>) {
    let offer = browser.offer().parse().unwrap();
    let outcome = leg.negotiate(Round::Answer { offer }).await.unwrap();
    browser.accept_answer(&outcome.sdp.unwrap().to_string());
    assert!(browser.run_until(MOMENT, |browser| browser.is_connected));
    (browser, leg, events)
}

async fn renegotiate(browser: &mut Browser, leg: &Leg, video: usize) {
    let agreed = leg.negotiate(Round::Rollback).await.unwrap().agreed;
    let want = agreed.with_count(Kind::Video, video, Direction::SendOnly);
    let offer = leg.negotiate(Round::Offer { want }).await.unwrap().sdp;
    let answer = browser.accept_offer(&offer.unwrap().to_string());
    let answer = answer.parse().unwrap();
    leg.negotiate(Round::Apply { answer }).await.unwrap();
}

/// The type of service of the datagram that comes next.
fn tos_of_next(socket: &UdpSocket) -> Option<u8> {
    socket.set_nonblocking(false).unwrap();
    let mut bytes = [0; 2048];
    let mut parts = [std::io::IoSliceMut::new(&mut bytes)];
    let mut space = nix::cmsg_space!(u8);
    let fd = std::os::fd::AsRawFd::as_raw_fd(socket);
    let got = recvmsg::<()>(fd, &mut parts, Some(&mut space), MsgFlags::empty()).unwrap();
    got.cmsgs().unwrap().find_map(|message| match message {
        ControlMessageOwned::Ipv4Tos(tos) => Some(tos),
        _ => None,
    })
}

fn told(events: &mut Receiver<LegEvent>) -> Vec<LegEvent> {
    std::iter::from_fn(|| events.try_recv().ok()).collect()
}

#[tokio::test]
async fn packets_of_one_browser_are_marked_and_those_of_another_are_not() {
    let plane = plane();
    let audio = Marks { tos: 0xB8, cos: 0 };
    for marks in [audio, Marks::default()] {
        let browser = Browser::new();
        let socket = socket2::SockRef::from(&browser.socket);
        socket.set_recv_tos_v4(true).unwrap();
        let leg = allocate_marked(&plane, 64, marks);
        let (mut browser, leg, _events) = answer(browser, leg).await;
        let _echo = leg.echo(EchoMode::OneToOne);
        leg.stats().await;
        browser.send(0);
        assert_eq!(tos_of_next(&browser.socket), Some(marks.tos));
    }
}

#[tokio::test]
async fn packets_come_back() {
    let plane = plane();
    let (mut browser, leg, mut events) = call(&plane).await;
    let echo = leg.echo(EchoMode::OneToOne);
    leg.stats().await;
    let mut sent = [Vec::new(), Vec::new()];
    for _ in 0..50 {
        for (line, sent) in sent.iter_mut().enumerate() {
            sent.push(browser.send(line));
        }
        browser.run(Duration::from_millis(2));
    }
    browser.run_until(MOMENT, |browser| browser.received.len() == 100);
    assert_eq!(browser.payloads_on(0), sent[0]);
    assert_eq!(browser.payloads_on(1), sent[1]);
    let stats = leg.stats().await;
    assert_eq!(stats.streams.len(), 2);
    for stream in &stats.streams {
        assert_eq!(
            (stream.packets_in, stream.packets_out, stream.lost),
            (50, 50, 0)
        );
    }
    assert_eq!(stats.pair.unwrap().1, browser.address);
    let told = told(&mut events);
    assert!(matches!(told[0], LegEvent::IceConnected { .. }), "{told:?}");
    assert!(matches!(told[1], LegEvent::MediaUp { .. }), "{told:?}");
    for kind in [Kind::Audio, Kind::Video] {
        for received in [true, false] {
            let first = LegEvent::FirstPacket { kind, received };
            assert_eq!(told.iter().filter(|event| **event == first).count(), 1);
        }
    }
    let counts = plane.counts();
    assert_eq!((counts.legs, counts.streams, counts.shards), (1, 2, 1));
    assert!(counts.addresses >= 1 && counts.ports.len() == 1);
    drop(echo);
    drop(leg);
    plane.shutdown().await;
    assert_eq!(plane.counts().legs, 0);
    assert_eq!(plane.counts().addresses, 0);
}

#[tokio::test]
async fn packets_come_back_over_ipv6() {
    let plane = plane();
    let (mut browser, leg, _events) = call_from(&plane, Browser::at("::1")).await;
    let _echo = leg.echo(EchoMode::OneToOne);
    leg.stats().await;
    let sent = browser.send(0);
    assert!(browser.run_until(MOMENT, |browser| browser.received.len() == 1));
    assert_eq!(browser.payloads_on(0), [sent]);
    assert_eq!(leg.stats().await.pair.unwrap().1, browser.address);
}

#[tokio::test]
async fn new_streams_join_a_running_echo_with_a_key_frame() {
    let plane = plane();
    let (mut browser, leg, _events) = call(&plane).await;
    let _echo = leg.echo(EchoMode::FanOut(Kind::Video));
    leg.stats().await;
    browser.send(1);
    assert!(browser.run_until(MOMENT, |browser| browser.received.len() == 1));
    let asked = browser.keyframes_asked;
    renegotiate(&mut browser, &leg, 4).await;
    assert!(browser.run_until(MOMENT, |browser| browser.keyframes_asked > asked));
    let sent = browser.send(1);
    browser.run_until(MOMENT, |browser| browser.received.len() == 5);
    for line in 1..=4 {
        assert_eq!(browser.payloads_on(line).last(), Some(&sent), "line {line}");
    }
}

#[tokio::test]
async fn an_echo_that_begins_late_asks_for_a_key_frame_and_ends_with_its_guard() {
    let plane = plane();
    let (mut browser, leg, _events) = call(&plane).await;
    renegotiate(&mut browser, &leg, 2).await;
    browser.send(1);
    browser.run(Duration::from_millis(50));
    assert_eq!(
        browser.received.len(),
        0,
        "nothing comes back without an echo"
    );
    let echo = leg.echo(EchoMode::FanOut(Kind::Video));
    assert!(browser.run_until(MOMENT, |browser| browser.keyframes_asked == 1));
    browser.send(1);
    assert!(browser.run_until(MOMENT, |browser| browser.received.len() == 2));
    drop(echo);
    leg.stats().await;
    browser.send(1);
    browser.run(Duration::from_millis(100));
    assert_eq!(browser.received.len(), 2);
}

#[tokio::test]
async fn a_guard_that_outlives_its_echo_does_not_end_the_next_one() {
    let plane = plane();
    let (mut browser, leg, _events) = call(&plane).await;
    let first = leg.echo(EchoMode::OneToOne);
    let second = leg.echo(EchoMode::FanOut(Kind::Video));
    drop(first);
    leg.stats().await;
    browser.send(1);
    assert!(browser.run_until(MOMENT, |browser| browser.received.len() == 1));
    drop(second);
    leg.stats().await;
    browser.send(1);
    browser.run(Duration::from_millis(100));
    assert_eq!(browser.received.len(), 1);
}

#[tokio::test]
async fn many_legs_share_a_port() {
    let plane = plane();
    let mut calls = Vec::new();
    for _ in 0..8 {
        calls.push(call(&plane).await);
    }
    let mut guards = Vec::new();
    for (_, leg, _) in &calls {
        guards.push(leg.echo(EchoMode::OneToOne));
        leg.stats().await;
    }
    for (browser, _, _) in &mut calls {
        let sent = browser.send(0);
        assert!(browser.run_until(MOMENT, |browser| browser.received.len() == 1));
        assert_eq!(browser.payloads_on(0), [sent]);
    }
    assert_eq!(plane.counts().legs, 8);
    drop(calls);
    drop(guards);
    plane.shutdown().await;
    assert_eq!((plane.counts().legs, plane.counts().streams), (0, 0));
}

#[tokio::test]
async fn a_dropped_leg_says_goodbye_and_forgets_its_addresses() {
    let plane = plane();
    let (mut browser, leg, _events) = call(&plane).await;
    drop(leg);
    assert!(browser.run_until(MOMENT, |browser| !browser.rtc.is_alive()));
    let (other, _events) = allocate(&plane, 1);
    other.stats().await;
    let counts = plane.counts();
    assert_eq!((counts.legs, counts.addresses, counts.streams), (1, 0, 0));
}

#[tokio::test]
async fn an_owner_that_takes_no_events_loses_its_leg_and_no_other_does() {
    let plane = plane();
    let (leg, mut events) = allocate(&plane, 1);
    let mut browser = Browser::new();
    let offer = browser.offer().parse().unwrap();
    let outcome = leg.negotiate(Round::Answer { offer }).await.unwrap();
    browser.accept_answer(&outcome.sdp.unwrap().to_string());
    browser.run_until(Duration::from_secs(1), |browser| !browser.rtc.is_alive());
    assert!(matches!(
        events.recv().await,
        Some(LegEvent::IceConnected { .. })
    ));
    // The end of the story comes as soon as there is room for it.
    assert_eq!(
        events.recv().await,
        Some(LegEvent::Down(DownReason::InboxFull))
    );
    assert!(leg.negotiate(Round::Rollback).await.is_err());
    let (mut other, leg, _events) = call(&plane).await;
    let _echo = leg.echo(EchoMode::OneToOne);
    leg.stats().await;
    other.send(0);
    assert!(other.run_until(MOMENT, |browser| browser.received.len() == 1));
}

#[tokio::test]
async fn a_stranger_is_not_answered() {
    let plane = plane();
    let (leg, _events) = allocate(&plane, 8);
    let mut browser = Browser::new();
    let offer = browser.offer().parse().unwrap();
    leg.negotiate(Round::Answer { offer }).await.unwrap();
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    let wait = Duration::from_millis(200);
    stranger.set_read_timeout(Some(wait)).unwrap();
    let port = plane.counts().ports[0];
    // A binding request for the leg without its password, one for nobody, DTLS, RTP and nothing.
    let mut request = b"\x00\x01\x00\x14\x21\x12\xa4\x42aaaabbbbcccc\x00\x06\x00\x0f".to_vec();
    request.extend(b"0000000000xxx:y\x00");
    let nobody = b"\x00\x01\x00\x00\x21\x12\xa4\x42aaaabbbbcccc".to_vec();
    for bytes in [request, nobody, vec![22; 100], vec![0x80; 100], Vec::new()] {
        stranger.send_to(&bytes, ("127.0.0.1", port)).unwrap();
    }
    assert!(
        stranger.recv(&mut [0; 2048]).is_err(),
        "there must be silence"
    );
    assert_eq!(plane.counts().addresses, 0);
}

#[tokio::test]
async fn a_full_plane_refuses_legs_and_takes_them_again() {
    let plane = Plane::start(&PlaneConfig {
        legs_per_shard_max: 2,
        ..PlaneConfig::default()
    })
    .unwrap();
    let (first, _events) = allocate(&plane, 1);
    let (second, _events) = allocate(&plane, 1);
    let (sender, _receiver) = mpsc::channel::<LegEvent>(1);
    let config = |seed| LegConfig {
        policy: Arc::new(Policy {
            audio: Vec::new(),
            video: Vec::new(),
            later: Vec::new(),
            pictures: Direction::SendRecv,
            max_audio_streams: 0,
            max_video_streams: 0,
            telephone_event: false,
            reading: Default::default(),
            marks: Default::default(),
            transport: rtc::policy::Transport::WebRtc,
        }),
        place: Default::default(),
        events: EventSink::new(sender.clone()),
        seed,
    };
    assert_eq!(
        plane.allocate(config([1; 32])).err(),
        Some(media::AllocateError::Full)
    );
    drop(first);
    second.stats().await;
    assert!(plane.allocate(config([2; 32])).is_ok());
}

#[tokio::test]
async fn shards_take_ports_of_the_range_and_release_them() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let first = taken.local_addr().unwrap().port().min(65_000);
    let config = PlaneConfig {
        ports: first..=first + 20,
        shards: 3,
        ..PlaneConfig::default()
    };
    let plane = Plane::start(&config).unwrap();
    let ports = plane.counts().ports;
    assert_eq!(ports.len(), 3);
    assert!(
        ports
            .iter()
            .all(|port| config.ports.contains(port) && *port != first)
    );
    plane.shutdown().await;
    assert!(
        UdpSocket::bind(("127.0.0.1", ports[0])).is_ok(),
        "the port is free again"
    );
}

#[tokio::test]
async fn two_calls_are_connected_across_shards_and_parted_again() {
    let plane = Plane::start(&PlaneConfig {
        shards: 2,
        ..PlaneConfig::default()
    })
    .unwrap();
    let (mut one, first, _events) = call(&plane).await;
    let (mut two, second, _events_too) = call(&plane).await;
    let joint = first.connect(&second);
    for line in [0, 1] {
        let sent = loop {
            let sent = one.send(line);
            one.run(Duration::from_millis(20));
            let is_there = |browser: &Browser| browser.payloads_on(line).contains(&sent);
            if two.run_until(Duration::from_millis(20), is_there) {
                break sent;
            }
        };
        assert!(two.payloads_on(line).contains(&sent));
    }
    drop(joint);
    plane.respond().await;
    two.run(Duration::from_millis(50));
    let before = two.received.len();
    for _ in 0..5 {
        one.send(0);
        one.run(Duration::from_millis(20));
        two.run(Duration::from_millis(20));
    }
    assert_eq!(two.received.len(), before);
    plane.shutdown().await;
}
