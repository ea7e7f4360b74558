//! Desk phones on real sockets: plain RTP on pairs of ports, and who else may send there.

use crate::{MOMENT, told};
use codec::by_name;
use media::{AllocateError, EchoMode, EventSink, Leg, LegConfig, LegEvent, Place};
use media::{Plane, PlaneConfig};
use rtc::Round;
use rtc::policy::{Marks, Policy, Sockets, Terms, Transport};
use rtp::RtpPacket;
use socket2::SockRef;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use tokio::sync::mpsc::{self, Receiver};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn plane() -> Plane {
    Plane::start(&PlaneConfig::default()).unwrap()
}

fn allocate(plane: &Plane) -> Result<(Leg, Receiver<LegEvent>), AllocateError> {
    allocate_by(plane, Sockets::default())
}

fn allocate_by(
    plane: &Plane,
    sockets: Sockets,
) -> Result<(Leg, Receiver<LegEvent>), AllocateError> {
    let policy = Policy {
        audio: vec![by_name("ulaw").unwrap()],
        video: Vec::new(),
        later: Vec::new(),
        pictures: rtc::topology::Direction::SendRecv,
        max_audio_streams: 1,
        max_video_streams: 1,
        telephone_event: true,
        reading: Default::default(),
        marks: Default::default(),
        transport: Transport::Rtp(Terms {
            sockets,
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
    })?;
    Ok((leg, events))
}

/// A phone on a port of its own.
struct Phone {
    socket: UdpSocket,
    /// Where it was told to send to.
    server: SocketAddr,
    sequence: u16,
}

impl Phone {
    async fn call(leg: &Leg) -> Self {
        let socket = UdpSocket::bind((LOOPBACK, 0)).unwrap();
        socket.set_read_timeout(Some(MOMENT)).unwrap();
        let port = socket.local_addr().unwrap().port();
        let offer = format!(
            "v=0\no=- 1 1 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\n\
             m=audio {port} RTP/AVP 0 101\na=rtpmap:101 telephone-event/8000\n"
        );
        let offer = offer.parse().unwrap();
        let outcome = leg.negotiate(Round::Answer { offer }).await.unwrap();
        let answer = outcome.sdp.unwrap();
        let ip: IpAddr = answer.connection().unwrap().address.parse().unwrap();
        Self {
            socket,
            server: SocketAddr::new(ip, answer.media[0].port),
            sequence: 0,
        }
    }

    fn send(&mut self) -> [u8; 160] {
        self.sequence += 1;
        let payload = [self.sequence as u8; 160];
        let packet = RtpPacket {
            marker: false,
            payload_type: 0,
            sequence: self.sequence,
            timestamp: u32::from(self.sequence) * 160,
            ssrc: 5,
            payload: &payload,
        };
        self.socket.send_to(&packet.write(), self.server).unwrap();
        payload
    }

    fn receive(&self) -> Vec<u8> {
        let mut buffer = [0; 2048];
        let (len, from) = self.socket.recv_from(&mut buffer).unwrap();
        assert_eq!(from, self.server, "from where it was sent to");
        RtpPacket::parse(&buffer[..len]).unwrap().payload.to_vec()
    }
}

#[tokio::test]
async fn a_plain_udp_phone_hears_itself() {
    let plane = plane();
    let (leg, mut events) = allocate(&plane).unwrap();
    let mut phone = Phone::call(&leg).await;
    assert!(phone.server.port().is_multiple_of(2));
    let _echo = leg.echo(EchoMode::OneToOne);
    leg.stats().await;
    for _ in 0..200 {
        let sent = phone.send();
        assert_eq!(phone.receive(), sent);
    }
    let stats = leg.stats().await;
    let stream = &stats.streams[0];
    assert_eq!(
        (stream.packets_in, stream.packets_out, stream.lost),
        (200, 200, 0)
    );
    assert_eq!(stats.pair.unwrap().0, phone.server);
    let remote = phone.socket.local_addr().unwrap();
    let told = told(&mut events);
    let learned = LegEvent::SourceLearned {
        local: phone.server,
        remote,
        target: remote,
    };
    assert!(told.contains(&learned), "{told:?}");
    plane.shutdown().await;
}

#[tokio::test]
async fn many_phones_on_one_thread_hear_only_themselves() {
    let plane = plane();
    let mut calls = Vec::new();
    for _ in 0..40 {
        let (leg, events) = allocate(&plane).unwrap();
        let phone = Phone::call(&leg).await;
        let echo = leg.echo(EchoMode::OneToOne);
        leg.stats().await;
        calls.push((leg, events, phone, echo));
    }
    for _ in 0..5 {
        let sent: Vec<_> = calls
            .iter_mut()
            .map(|(.., phone, _)| phone.send())
            .collect();
        for ((.., phone, _), sent) in calls.iter().zip(sent) {
            assert_eq!(phone.receive(), sent);
        }
    }
    assert_eq!(plane.counts().port_pairs, 40);
    drop(calls);
    plane.shutdown().await;
    assert_eq!(plane.counts().port_pairs, 0);
}

#[tokio::test]
async fn a_stranger_on_the_port_of_a_call_gets_nothing_and_is_not_heard() {
    let plane = plane();
    let (leg, _events) = allocate(&plane).unwrap();
    let mut phone = Phone::call(&leg).await;
    let _echo = leg.echo(EchoMode::OneToOne);
    leg.stats().await;
    phone.send();
    phone.receive();
    let stranger = UdpSocket::bind((LOOPBACK, 0)).unwrap();
    stranger.set_nonblocking(true).unwrap();
    for sequence in 0..50 {
        let packet = RtpPacket {
            marker: false,
            payload_type: 0,
            sequence,
            timestamp: 0,
            ssrc: 5,
            payload: &[0xEE; 160],
        };
        stranger.send_to(&packet.write(), phone.server).unwrap();
    }
    let sent = phone.send();
    assert_eq!(phone.receive(), sent, "its own, nothing of the stranger");
    let stream = leg.stats().await.streams.remove(0);
    assert_eq!((stream.packets_in, stream.refused), (2, 50));
    assert!(stranger.recv_from(&mut [0; 64]).is_err(), "nothing came");
}

#[tokio::test]
async fn ports_come_back_when_a_call_ends_and_their_end_is_said() {
    let plane = plane();
    let first = allocate(&plane).unwrap();
    let port = Phone::call(&first.0).await.server.port();
    // Room for one pair, which is taken by a call of a plane with that range alone.
    drop(first);
    plane.shutdown().await;
    let narrow = Plane::start(&PlaneConfig {
        ports: port - 1..=port + 1,
        ..PlaneConfig::default()
    });
    let narrow = narrow.unwrap();
    let (leg, events) = allocate(&narrow).unwrap();
    let none = allocate(&narrow).err();
    let full = AllocateError::NoPorts {
        first: port - 1,
        last: port + 1,
    };
    assert_eq!(none, Some(full));
    assert!(full.to_string().contains("rtpstart"), "{full}");
    assert_eq!(narrow.counts().legs, 1, "a refused one is not counted");
    drop((leg, events));
    // A command comes after the one that closes the leg.
    narrow.respond().await;
    assert!(allocate(&narrow).is_ok());
}

#[tokio::test]
async fn media_goes_by_the_address_and_the_ports_that_are_written() {
    let plane = plane();
    let ours: IpAddr = [127, 0, 0, 9].into();
    let first = allocate(&plane).unwrap();
    let port = Phone::call(&first.0).await.server.port();
    drop(first);
    plane.respond().await;
    let own = Sockets {
        address: Some(ours),
        is_address_bound: true,
        ports: Some(port..=port + 1),
        ..Sockets::default()
    };
    let (leg, _events) = allocate_by(&plane, own.clone()).unwrap();
    let mut phone = Phone::call(&leg).await;
    assert_eq!(phone.server, SocketAddr::new(ours, port));
    let _echo = leg.echo(EchoMode::OneToOne);
    leg.stats().await;
    let sent = phone.send();
    assert_eq!(phone.receive(), sent, "from that address");
    let none = allocate_by(&plane, own).err();
    assert!(
        matches!(none, Some(AllocateError::NoPorts { .. })),
        "{none:?}"
    );

    // The address of a router in front is told, and is nothing to bind.
    let foreign: IpAddr = [192, 0, 2, 9].into();
    let mut sockets = Sockets {
        address: Some(foreign),
        ..Sockets::default()
    };
    let (leg, _events) = allocate_by(&plane, sockets.clone()).unwrap();
    assert_eq!(Phone::call(&leg).await.server.ip(), foreign);
    sockets.is_address_bound = true;
    let refused = allocate_by(&plane, sockets).err();
    assert_eq!(refused, Some(AllocateError::ForeignAddress(foreign)));
}

#[tokio::test]
async fn packets_of_a_phone_are_marked() {
    let plane = plane();
    let audio = Marks { tos: 0xB8, cos: 6 };
    let sockets = Sockets {
        audio,
        ..Sockets::default()
    };
    let (leg, _events) = allocate_by(&plane, sockets).unwrap();
    let mut phone = Phone::call(&leg).await;
    SockRef::from(&phone.socket).set_recv_tos_v4(true).unwrap();
    let _echo = leg.echo(EchoMode::OneToOne);
    leg.stats().await;
    phone.send();
    assert_eq!(crate::tos_of_next(&phone.socket), Some(0xB8));
}

#[tokio::test]
async fn a_browser_takes_no_ports_of_its_own() {
    let plane = plane();
    let (_leg, _events) = crate::allocate(&plane, 64);
    assert_eq!(plane.counts().port_pairs, 0);
}
