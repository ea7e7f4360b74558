//! The shard in virtual time: who is believed, what stays bounded, what a panic costs.

mod bridge;

use super::*;
use crate::EventSink;
use codec::by_name;
use rtc::policy::Policy;
use std::cell::Cell;
use std::rc::Rc;
use str0m::change::SdpAnswer;
use str0m::media::{Direction, MediaKind};
use str0m::net::Protocol;
use str0m::{Candidate, Input, Output, Rtc};
use tokio::sync::mpsc;

fn server() -> SocketAddr {
    "10.0.0.1:4000".parse().unwrap()
}

fn browser_at(port: u16) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 2], port))
}

fn id(serial: u32) -> LegId {
    LegId { shard: 3, serial }
}

fn shard() -> Shard {
    Shard::new(ShardConfig {
        index: 3,
        candidates: vec![server()],
        certificate: Certificate::generate().unwrap(),
        gauges: Arc::default(),
    })
}

fn open(shard: &mut Shard, now: Instant, serial: u32, events: EventSink) {
    let policy = Policy {
        audio: vec![by_name("opus").unwrap()],
        video: Vec::new(),
        later: Vec::new(),
        pictures: rtc::topology::Direction::SendRecv,
        max_audio_streams: 1,
        max_video_streams: 0,
        telephone_event: false,
        reading: Default::default(),
        marks: Default::default(),
        transport: Transport::WebRtc,
    };
    shard.config.gauges.legs.fetch_add(1, Ordering::Relaxed);
    let config = LegConfig {
        policy: Arc::new(policy),
        place: Default::default(),
        events,
        seed: [serial as u8; 32],
    };
    shard.handle_command(now, Command::Open(id(serial), opening(config)));
}

/// A leg without ports of its own.
fn opening(config: LegConfig) -> Box<Opening> {
    Box::new(Opening {
        config,
        ports: Vec::new(),
        pairs: Vec::new(),
    })
}

fn inbox() -> (EventSink, mpsc::Receiver<LegEvent>) {
    let (sender, events) = mpsc::channel(64);
    (EventSink::new(sender), events)
}

fn negotiate(shard: &mut Shard, now: Instant, serial: u32, round: Round) -> Outcome {
    let (reply, mut outcome) = oneshot::channel();
    let request = Request::Negotiate { round, reply };
    shard.handle_command(now, Command::Leg(id(serial), request));
    outcome.try_recv().unwrap().unwrap()
}

/// A browser that has negotiated with a leg, and its first check.
fn browser(shard: &mut Shard, now: Instant, serial: u32) -> (Rtc, Vec<u8>) {
    let mut rtc = Rtc::builder().set_rtp_mode(true).build(now);
    let address = Candidate::host(browser_at(5000), Protocol::Udp).unwrap();
    rtc.add_local_candidate(address);
    let mut api = rtc.sdp_api();
    api.add_media(MediaKind::Audio, Direction::SendRecv, None, None, None);
    let (offer, pending) = api.apply().unwrap();
    let offer = offer.to_sdp_string().parse().unwrap();
    let outcome = negotiate(shard, now, serial, Round::Answer { offer });
    let answer = outcome.sdp.unwrap().to_string();
    let answer = SdpAnswer::from_sdp_string(&answer).unwrap();
    rtc.sdp_api().accept_answer(pending, answer).unwrap();
    let mut check = None;
    for step in 0..20 {
        let now = now + Duration::from_millis(50 * step);
        rtc.handle_input(Input::Timeout(now)).unwrap();
        while let Output::Transmit(transmit) = rtc.poll_output().unwrap() {
            check.get_or_insert_with(|| transmit.contents.to_vec());
        }
        if check.is_some() {
            break;
        }
        while !matches!(rtc.poll_output().unwrap(), Output::Timeout(_)) {}
    }
    (rtc, check.unwrap())
}

fn answered(shard: &mut Shard) -> Vec<SocketAddr> {
    let transmits = std::iter::from_fn(|| shard.poll_transmit());
    transmits.map(|transmit| transmit.remote).collect()
}

#[test]
fn the_user_name_leads_to_the_leg() {
    let name = user_prefix(id(0xBEEF)) + "random";
    assert_eq!(serial_of(3, name.as_bytes()), Some(0xBEEF));
    assert_eq!(serial_of(4, name.as_bytes()), None, "another shard's");
    for name in ["", "03", "zz00000001", "03zz000001", "0300é00001"] {
        assert_eq!(serial_of(3, name.as_bytes()), None, "{name}");
    }
}

#[test]
fn malformed_stun_names_nobody() {
    let mut bytes = [&BINDING_REQUEST[..], &[0, 8], &MAGIC_COOKIE, &[9; 12]].concat();
    bytes.extend([0, 6, 0, 3, b'a', b':', b'b', 0]);
    assert_eq!(stun_user(&bytes), Some(&b"a:b"[..]));
    for len in 0..bytes.len() - 1 {
        assert_eq!(stun_user(&bytes[..len]), None, "cut off at {len}");
    }
    bytes[22] = 0xFF;
    assert_eq!(
        stun_user(&bytes),
        None,
        "an attribute longer than the message"
    );
}

#[test]
fn only_a_proven_check_makes_an_address_known() {
    let (now, mut shard) = (Instant::now(), shard());
    open(&mut shard, now, 1, inbox().0);
    let (_rtc, check) = browser(&mut shard, now, 1);
    answered(&mut shard);
    let mut forged = check.clone();
    let last = forged.len() - 20;
    forged[last] ^= 1;
    for bytes in [&forged[..], &check[..30], &[22; 50], &[0x80; 50], &[]] {
        shard.handle_datagram(now, server(), browser_at(6000), bytes);
    }
    assert!(shard.known.is_empty() && answered(&mut shard).is_empty());
    shard.handle_datagram(now, server(), browser_at(6000), &check);
    assert_eq!(shard.known.get(&(server(), browser_at(6000))), Some(&1));
    assert!(answered(&mut shard).contains(&browser_at(6000)));
}

#[test]
fn known_addresses_of_a_leg_are_bounded() {
    let (now, mut shard) = (Instant::now(), shard());
    open(&mut shard, now, 1, inbox().0);
    let (_rtc, check) = browser(&mut shard, now, 1);
    for port in 10_000..10_200 {
        shard.handle_datagram(now, server(), browser_at(port), &check);
    }
    assert_eq!(shard.known.len(), ADDRESSES_PER_LEG_MAX);
    assert!(shard.known.contains_key(&(server(), browser_at(10_199))));
    assert!(shard.probed.len() <= PROBES_PER_LEG_MAX);
    shard.handle_command(now, Command::Close(id(1)));
    assert!(shard.known.is_empty() && shard.probed.is_empty() && shard.legs.is_empty());
    assert!(shard.deadlines.is_empty());
}

#[test]
fn a_check_for_another_leg_takes_its_address_along() {
    let (now, mut shard) = (Instant::now(), shard());
    for serial in [1, 2] {
        open(&mut shard, now, serial, inbox().0);
        let (_rtc, check) = browser(&mut shard, now, serial);
        shard.handle_datagram(now, server(), browser_at(5000), &check);
        assert_eq!(
            shard.known.get(&(server(), browser_at(5000))),
            Some(&serial)
        );
    }
    shard.handle_command(now, Command::Close(id(1)));
    assert_eq!(shard.known.get(&(server(), browser_at(5000))), Some(&2));
}

#[test]
fn a_leg_nobody_comes_to_is_down_after_its_time() {
    let (now, mut shard) = (Instant::now(), shard());
    let (sink, mut events) = inbox();
    open(&mut shard, now, 1, sink);
    let _browser = browser(&mut shard, now, 1);
    let end = now + rtc::CONNECT_MAX;
    while let Some(due) = shard.poll_timeout().filter(|due| *due <= end) {
        shard.handle_timeout(due);
        answered(&mut shard);
    }
    let down = DownReason::Transport(rtc::Down::NeverConnected);
    assert_eq!(events.try_recv(), Ok(LegEvent::Down(down)));
    assert_eq!(shard.poll_timeout(), None);
    assert_eq!(shard.config.gauges.streams.load(Ordering::Relaxed), 0);
}

#[test]
fn an_owner_with_a_full_inbox_is_told_the_end_when_there_is_room() {
    let (now, mut shard) = (Instant::now(), shard());
    let (sender, mut events) = mpsc::channel(1);
    sender.try_send(LegEvent::Down(DownReason::Defect)).unwrap();
    open(&mut shard, now, 1, EventSink::new(sender));
    shard.step(now, 1, |slot, _| slot.end(now, DownReason::InboxFull));
    let retry = shard.poll_timeout().unwrap();
    shard.handle_timeout(retry);
    assert!(events.try_recv().is_ok(), "what filled the inbox");
    assert!(events.try_recv().is_err(), "not told yet");
    let retry = shard.poll_timeout().unwrap();
    shard.handle_timeout(retry);
    assert_eq!(events.try_recv(), Ok(LegEvent::Down(DownReason::InboxFull)));
    assert_eq!(shard.poll_timeout(), None);
}

#[test]
fn a_panic_ends_its_own_leg_only() {
    let (now, mut shard) = (Instant::now(), shard());
    let (broken, mut told) = inbox();
    let (sound, mut other) = inbox();
    open(&mut shard, now, 1, broken);
    open(&mut shard, now, 2, sound);
    let is_reached = Rc::new(Cell::new(false));
    let reached = Rc::clone(&is_reached);
    shard.step(now, 1, |_, _| {
        reached.set(true);
        panic!("a peer's machine breaks");
    });
    assert!(is_reached.get());
    assert_eq!(told.try_recv(), Ok(LegEvent::Down(DownReason::Defect)));
    assert!(other.try_recv().is_err());
    let (_rtc, check) = browser(&mut shard, now, 2);
    shard.handle_datagram(now, server(), browser_at(5000), &check);
    assert_eq!(shard.known.len(), 1);
}

#[test]
fn shutting_down_tells_every_owner() {
    let (now, mut shard) = (Instant::now(), shard());
    let (sink, mut events) = inbox();
    open(&mut shard, now, 1, sink);
    shard.handle_command(now, Command::Shutdown);
    assert!(shard.is_over());
    assert_eq!(events.try_recv(), Ok(LegEvent::Down(DownReason::Shutdown)));
}
