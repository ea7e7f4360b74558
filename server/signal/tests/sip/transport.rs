//! TCP and UDP as phones and strangers use them: framing, deadlines, caps.

mod address;
mod reload;

use std::net::SocketAddr;
use std::time::Duration;

use signal::{Keepalive, Limits};
use sip::{Frame, HeaderName, Message, Request, Response, StreamFramer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use crate::support::{
    Exchange, OFFER, PATIENCE, PJSIP, Phone, ack, contact, in_dialog, invite, register, request,
    signed, transport, until,
};

/// A phone on a stream.
pub(crate) struct StreamPhone<S> {
    pub(crate) stream: S,
    framer: StreamFramer,
}

impl<S: AsyncRead + AsyncWrite + Unpin> StreamPhone<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            framer: StreamFramer::new(),
        }
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// The next frame; `None` at the end.
    async fn frame(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.framer.poll().unwrap() {
                return Some(frame);
            }
            let mut buffer = [0; 4_096];
            let read = timeout(PATIENCE, self.stream.read(&mut buffer)).await;
            match read.expect("something in time") {
                Ok(0) | Err(_) => return None,
                Ok(length) => self.framer.feed(&buffer[..length]),
            }
        }
    }

    /// Sends nothing more.
    pub(crate) async fn falls_silent(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    pub(crate) async fn response(&mut self) -> Response {
        loop {
            let frame = self.frame().await.expect("the connection lives");
            if let Frame::Message(bytes) = frame
                && let Ok(Message::Response(response)) = Message::parse(&bytes)
                && response.status.is_final()
            {
                return response;
            }
        }
    }

    /// The next request of the exchange.
    pub(crate) async fn request(&mut self) -> Request {
        loop {
            let frame = self.frame().await.expect("the connection lives");
            if let Frame::Message(bytes) = frame
                && let Ok(Message::Request(request)) = Message::parse(&bytes)
            {
                return request;
            }
        }
    }

    pub(crate) async fn ask(&mut self, text: &str) -> Response {
        self.send(text).await;
        self.response().await
    }

    pub(crate) async fn register(&mut self, user: &str, password: &str) -> u16 {
        let text = register(user, &contact("u", user));
        let challenged = self.ask(&text).await;
        assert_eq!(challenged.status.code(), 401);
        let signed = signed(&text, &challenged, user, password);
        self.ask(&signed).await.status.code()
    }

    /// Waits for the end of the connection; what came before it.
    pub(crate) async fn closed(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        let end = timeout(PATIENCE, self.stream.read_to_end(&mut rest)).await;
        let _ = end.expect("the exchange closes the connection");
        rest
    }
}

pub(crate) async fn connect(address: SocketAddr) -> StreamPhone<TcpStream> {
    StreamPhone::new(TcpStream::connect(address).await.unwrap())
}

pub(crate) fn bound(exchange: &Exchange, index: usize) -> SocketAddr {
    exchange.signal.transports()[index]
        .bound
        .expect("it listens")
}

async fn on_tcp() -> (Exchange, SocketAddr) {
    let exchange = Exchange::on(vec![transport("tcp", "127.0.0.1", &[])]).await;
    let address = bound(&exchange, 0);
    (exchange, address)
}

pub(crate) async fn with_limits(limits: Limits) -> (Exchange, SocketAddr) {
    let tcp = vec![transport("tcp", "127.0.0.1", &[])];
    let files = [("pjsip.conf", PJSIP)];
    let exchange = Exchange::listening(&files, Keepalive::default(), tcp, limits).await;
    let address = bound(&exchange, 0);
    (exchange, address)
}

/// A call to an extension that echoes, from INVITE to BYE.
async fn call<S: AsyncRead + AsyncWrite + Unpin>(phone: &mut StreamPhone<S>) -> Response {
    let first = invite("alice", "246", "u", OFFER);
    let challenged = phone.ask(&first).await;
    assert_eq!(challenged.status.code(), 401);
    phone.send(&ack(&first, &challenged)).await;
    let text = signed(&first, &challenged, "alice", "wonderland");
    let ok = phone.ask(&text).await;
    assert_eq!(ok.status.code(), 200, "{ok:?}");
    phone.send(&in_dialog("ACK", 2, &text, &ok, "")).await;
    let bye = phone.ask(&in_dialog("BYE", 3, &text, &ok, "")).await;
    assert_eq!(bye.status.code(), 200);
    ok
}

#[tokio::test]
async fn phones_register_and_call_over_tcp_in_both_families() {
    let all = ["127.0.0.1", "::1"];
    let transports = all.map(|ip| transport("tcp", ip, &[]));
    let exchange = Exchange::on(transports.to_vec()).await;
    for index in 0..all.len() {
        let mut phone = connect(bound(&exchange, index)).await;
        assert_eq!(phone.register("alice", "wonderland").await, 200);
        let options = request("OPTIONS", "sip:127.0.0.1", "alice", "");
        assert_eq!(phone.ask(&options).await.status.code(), 401);
        let ok = call(&mut phone).await;
        let contact = ok.headers.get(&HeaderName::Contact).unwrap();
        let own = bound(&exchange, index);
        assert_eq!(contact, format!("<sip:{own};transport=tcp>"));
        let refused = invite("alice", "999", "u", OFFER);
        let challenged = phone.ask(&refused).await;
        phone.send(&ack(&refused, &challenged)).await;
        let again = signed(&refused, &challenged, "alice", "wonderland");
        assert_eq!(phone.ask(&again).await.status.code(), 404);
        let states = exchange.signal.transports();
        assert_eq!(states[index].peers, 1);
    }
    until("the connections ended", || {
        exchange.signal.counts().streams == 0
    })
    .await;
    assert_eq!(
        exchange.signal.counts().bindings,
        0,
        "as their bindings did"
    );
}

#[tokio::test]
async fn messages_come_in_any_pieces() {
    let (_exchange, address) = on_tcp().await;
    let mut phone = connect(address).await;
    phone.stream.set_nodelay(true).unwrap();
    let text = request("OPTIONS", "sip:127.0.0.1", "alice", "");
    for byte in text.as_bytes() {
        phone.stream.write_all(&[*byte]).await.unwrap();
    }
    assert_eq!(phone.response().await.status.code(), 401);
    let many: String = (0..20)
        .map(|_| request("OPTIONS", "sip:127.0.0.1", "alice", ""))
        .collect();
    phone.send(&format!("\r\n\r\n{many}")).await;
    assert_eq!(
        phone.frame().await,
        Some(Frame::Pong),
        "the ping before them"
    );
    for _ in 0..20 {
        assert_eq!(phone.response().await.status.code(), 401);
    }
}

#[tokio::test]
async fn what_cannot_be_framed_ends_its_connection() {
    let (exchange, address) = on_tcp().await;
    let options = request("OPTIONS", "sip:127.0.0.1", "alice", "");
    let cases = [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), ""),
        ("\x16\x03\x01\x02\x00".to_owned(), ""),
        (options.replace("Content-Length: 0\r\n", ""), "SIP/2.0 400 "),
        (
            options.replace("Length: 0", "Length: 2147483647"),
            "SIP/2.0 513 ",
        ),
        (
            options.replace("Length: 0", "Length: 9223372036854775808"),
            "",
        ),
        (options.replace("Length: 0", "Length: -1"), "SIP/2.0 400 "),
        (
            options.replace("Length: 0\r\n", "Length: 0\r\nContent-Length: 5\r\n"),
            "SIP/2.0 400 ",
        ),
    ];
    for (text, answer) in cases {
        let mut phone = connect(address).await;
        phone.send(&text).await;
        let said = String::from_utf8(phone.closed().await).unwrap();
        assert!(said.starts_with(answer), "{text}\n{said}");
        assert!(
            !answer.is_empty() || said.is_empty() || said.starts_with("SIP/2.0 4"),
            "{said}"
        );
    }
    let mut phone = connect(address).await;
    assert_eq!(phone.register("alice", "wonderland").await, 200);
    assert!(exchange.signal.counts().garbage >= 6);
}

/// A body longer than its Content-Length is the next message: garbage there ends the connection, and
/// a request there is a request of this connection, with no rights of the one before.
#[tokio::test]
async fn what_follows_a_message_has_none_of_its_rights() {
    let (_exchange, address) = on_tcp().await;
    let mut phone = connect(address).await;
    assert_eq!(phone.register("alice", "wonderland").await, 200);
    let first = request("OPTIONS", "sip:127.0.0.1", "alice", "");
    let hidden = request("MESSAGE", "sip:100@127.0.0.1", "bob", "");
    phone.send(&format!("{first}{hidden}")).await;
    for _ in 0..2 {
        assert_eq!(phone.response().await.status.code(), 401);
    }
}

#[tokio::test]
async fn slow_silent_and_unproven_connections_end() {
    let quick = Limits {
        first_message: Duration::from_millis(150),
        message: Duration::from_millis(150),
        stranger_life: Duration::from_millis(600),
        ..Limits::default()
    };
    let (exchange, address) = with_limits(quick).await;
    let mut known = connect(address).await;
    assert_eq!(known.register("alice", "wonderland").await, 200);
    let mut web = exchange.phone().await;
    let mut silent = connect(address).await;
    assert_eq!(silent.closed().await, b"");
    let mut slow = connect(address).await;
    slow.send("REGISTER sip:127.0.0.1 SIP/2.0\r\nVia: ").await;
    assert_eq!(slow.closed().await, b"");
    let mut stranger = connect(address).await;
    for _ in 0..2 {
        let options = request("OPTIONS", "sip:127.0.0.1", "alice", "");
        assert_eq!(stranger.ask(&options).await.status.code(), 401);
    }
    assert_eq!(stranger.closed().await, b"", "401 proves nothing");
    assert_eq!(web.frame().await, None, "a WebSocket that never registers");
    let options = request("OPTIONS", "sip:127.0.0.1", "alice", "");
    assert_eq!(known.ask(&options).await.status.code(), 401, "lives on");
}

#[tokio::test]
async fn strangers_may_send_little() {
    let small = Limits {
        stranger_bytes: 4_000,
        ..Limits::default()
    };
    let (exchange, address) = with_limits(small).await;
    let long = format!("X-Long: {}\r\n", "x".repeat(5_000));
    let text = request("OPTIONS", "sip:127.0.0.1", "alice", &long);
    let mut phone = connect(address).await;
    phone.send(&text).await;
    assert_eq!(phone.closed().await, b"");
    let mut web = exchange.phone().await;
    web.send(&text).await;
    assert_eq!(web.frame().await, None);
    // Who is known may send what he likes.
    let mut phone = connect(address).await;
    assert_eq!(phone.register("alice", "wonderland").await, 200);
    assert_eq!(phone.ask(&text).await.status.code(), 401);
    let mut web = exchange.phone().await;
    let registered = web.register("bob", "builder", "<sip:b@x.invalid>").await;
    assert_eq!(registered.status.code(), 401, "bob's user name is bobby");
    let registered = web
        .register("alice", "wonderland", &contact("w", "w"))
        .await;
    assert_eq!(registered.status.code(), 200);
    assert_eq!(web.ask(&text).await.status.code(), 401);
}

#[tokio::test]
async fn connections_of_strangers_are_few_and_the_known_do_not_count() {
    let few = Limits {
        strangers_per_address: 2,
        ..Limits::default()
    };
    let (exchange, address) = with_limits(few).await;
    let mut first = connect(address).await;
    assert_eq!(first.register("alice", "wonderland").await, 200);
    let mut second = connect(address).await;
    let third = exchange.phone().await;
    let options = || request("OPTIONS", "sip:127.0.0.1", "alice", "");
    assert_eq!(second.ask(&options()).await.status.code(), 401);
    let mut fourth = connect(address).await;
    assert_eq!(fourth.closed().await, b"");
    let mut fifth = Phone::connect(exchange.ws).await;
    assert_eq!(fifth.frame().await, None);
    assert_eq!(exchange.signal.counts().crowded, 2);
    // Another address has its own.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let mut other = StreamPhone::new(socket.connect(address).await.unwrap());
    assert_eq!(other.ask(&options()).await.status.code(), 401);
    drop(third);
    until("a place is free", || {
        exchange.signal.counts().websockets == 0
    })
    .await;
    let mut sixth = connect(address).await;
    assert_eq!(sixth.ask(&options()).await.status.code(), 401);
}

#[tokio::test]
async fn a_transport_has_so_many_connections() {
    let one = Limits {
        connections: 1,
        ..Limits::default()
    };
    let (_exchange, address) = with_limits(one).await;
    let mut first = connect(address).await;
    assert_eq!(first.register("alice", "wonderland").await, 200);
    let mut second = connect(address).await;
    assert_eq!(second.closed().await, b"");
}

#[tokio::test]
async fn who_sends_no_more_still_gets_his_answer() {
    let (exchange, address) = on_tcp().await;
    let mut phone = connect(address).await;
    phone
        .send(&request("OPTIONS", "sip:127.0.0.1", "alice", ""))
        .await;
    phone.stream.shutdown().await.unwrap();
    assert_eq!(phone.response().await.status.code(), 401);
    assert_eq!(phone.closed().await, b"");
    until("it is forgotten", || exchange.signal.counts().streams == 0).await;
}

#[tokio::test]
async fn calls_whose_connection_breaks_at_once_leave_nothing_behind() {
    let (exchange, address) = on_tcp().await;
    for _ in 0..100 {
        let mut phone = connect(address).await;
        phone.send(&invite("alice", "246", "u", OFFER)).await;
        let linger = Some(Duration::ZERO);
        socket2::SockRef::from(&phone.stream)
            .set_linger(linger)
            .unwrap();
    }
    until("all are gone", || {
        let counts = exchange.signal.counts();
        (
            counts.streams,
            counts.invites,
            counts.transactions,
            counts.dialogs,
        ) == (0, 0, 0, 0)
    })
    .await;
    let mut phone = connect(address).await;
    assert_eq!(phone.register("alice", "wonderland").await, 200);
}

#[tokio::test]
async fn packets_and_connections_are_marked() {
    let marked = [
        ("tos", "cs3"),
        ("cos", "3"),
        ("tcp_keepalive_enable", "yes"),
    ];
    let transports = vec![
        transport("udp", "127.0.0.1", &marked),
        transport("tcp", "127.0.0.1", &marked),
    ];
    let exchange = Exchange::on(transports).await;
    let receiver = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    nix::sys::socket::setsockopt(&receiver, nix::sys::socket::sockopt::IpRecvTos, &true).unwrap();
    receiver.connect(bound(&exchange, 0)).await.unwrap();
    let options = request("OPTIONS", "sip:127.0.0.1", "alice", "");
    receiver.send(options.as_bytes()).await.unwrap();
    timeout(PATIENCE, receiver.readable())
        .await
        .unwrap()
        .unwrap();
    let mut buffer = [0; 4_096];
    let mut parts = [std::io::IoSliceMut::new(&mut buffer)];
    let mut space = nix::cmsg_space!(u8);
    let received = nix::sys::socket::recvmsg::<nix::sys::socket::SockaddrStorage>(
        std::os::fd::AsRawFd::as_raw_fd(&receiver),
        &mut parts,
        Some(&mut space),
        nix::sys::socket::MsgFlags::empty(),
    )
    .unwrap();
    let tos = received.cmsgs().unwrap().find_map(|message| match message {
        nix::sys::socket::ControlMessageOwned::Ipv4Tos(tos) => Some(tos),
        _ => None,
    });
    assert_eq!(tos, Some(0x60));
    let mut phone = connect(bound(&exchange, 1)).await;
    assert_eq!(phone.register("alice", "wonderland").await, 200);
}

/// A peer that the network has swallowed: what is sent to it never arrives, so the kernel is the only one to
/// notice. Each of the three numbers decides when.
#[tokio::test]
async fn the_kernel_gives_up_silent_peers_when_the_transport_says() {
    let mut phones = Vec::new();
    for (idle, interval, count, ends) in [
        ("1", "1", "2", true),
        ("60", "1", "2", false),
        ("1", "60", "2", false),
        ("1", "1", "100", false),
    ] {
        let options = [
            ("tcp_keepalive_enable", "yes"),
            ("tcp_keepalive_idle_time", idle),
            ("tcp_keepalive_interval_time", interval),
            ("tcp_keepalive_probe_count", count),
        ];
        let exchange = Exchange::on(vec![transport("tcp", "127.0.0.1", &options)]).await;
        let mut phone = connect(bound(&exchange, 0)).await;
        assert_eq!(phone.register("alice", "wonderland").await, 200);
        // BPF: "return 0 bytes" of every packet.
        let nothing = socket2::SockFilter::new(0x06, 0, 0, 0);
        socket2::SockRef::from(&phone.stream)
            .attach_filter(&[nothing])
            .unwrap();
        phones.push((exchange, phone, ends));
    }
    let lives = |index: usize| phones[index].0.signal.counts().streams == 1;
    until("the first is given up", || !lives(0)).await;
    for (index, (_, _, ends)) in phones.iter().enumerate() {
        assert_eq!(lives(index), !ends, "{index}");
    }
}
