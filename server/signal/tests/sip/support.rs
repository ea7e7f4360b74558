//! An exchange on loopback with its configuration in memory, and phones that speak SIP to it in text.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use config::{Config, Object, TransportConfig};
use futures_util::{SinkExt, StreamExt};
use media::{AllocateError, DigitEvent, EchoMode, LegEvent, LegStats, Playable};
use rtc::topology::{Direction, Format, Payload, Stream, Topology};
use rtc::{Outcome, Refused, Round};
use signal::{Keepalive, Limits, Options, Signal};
use sip::digest::{Answer, Secret};
use sip::{HeaderName, Message, Request, Response};
use store::Store;
use switch::{
    Echo, InboxSender, Joint, LegRequest, MediaCounts, MediaLeg, MediaPlane, Parts, Playing, Reply,
    Switch,
};
use tokio::net::{TcpStream, UdpSocket};
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use web::{Listen, Routes, Server};

use crate::names::NameServer;

/// Long enough for a busy machine; nothing waits for it but a failing test.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) const PJSIP: &str = "
[phone](!)
type=endpoint
context=phones
disallow=all
allow=opus,ulaw,vp8
webrtc=yes
max_video_streams=4

[alice](phone)
aors=alice
auth=alice
[alice]
type=auth
auth_type=userpass
username=alice
password=wonderland
[alice]
type=aor
max_contacts=2

[bob](phone)
aors=bob
auth=bob-auth
callerid=Bob <1002>
[bob-auth]
type=auth
auth_type=userpass
username=bobby
password=builder
[bob]
type=aor
max_contacts=1
remove_existing=yes
support_path=yes

[carol](phone)
aors=carol
auth=carol
[carol]
type=auth
auth_type=digest
username=carol
password=lewis
supported_algorithms_uas=SHA-256
[carol]
type=aor
max_contacts=0
";

pub(crate) const EXTENSIONS: &str = "
[phones]
exten => 100,1,Answer()
 same => n,Echo()
exten => 246,1,Answer()
 same => n,StreamEcho(3)
exten => 300,1,Hangup(17)
";

/// Everything that runs.
pub(crate) struct Exchange {
    pub(crate) signal: Signal,
    pub(crate) switch: Switch,
    _server: Server,
    pub(crate) ws: SocketAddr,
    pub(crate) udp: SocketAddr,
}

impl Exchange {
    pub(crate) async fn start() -> Self {
        Self::with(PJSIP, Keepalive::default()).await
    }

    pub(crate) async fn with(pjsip: &str, keepalive: Keepalive) -> Self {
        Self::with_files(&[("pjsip.conf", pjsip)], keepalive).await
    }

    /// With these files and the usual plan.
    pub(crate) async fn with_files(files: &[(&str, &str)], keepalive: Keepalive) -> Self {
        let limits = Limits::default();
        let transports = vec![transport("udp", "127.0.0.1", &[])];
        let exchange = Self::listening(files, keepalive, transports, limits).await;
        assert_eq!(exchange.signal.faults(), Vec::<String>::new());
        exchange
    }

    /// With these transports alone.
    pub(crate) async fn on(transports: Vec<TransportConfig>) -> Self {
        let files = [("pjsip.conf", PJSIP)];
        Self::listening(&files, Keepalive::default(), transports, Limits::default()).await
    }

    pub(crate) async fn listening(
        files: &[(&str, &str)],
        keepalive: Keepalive,
        transports: Vec<TransportConfig>,
        connections: Limits,
    ) -> Self {
        let options = Options {
            keepalive,
            connections,
            ..Options::new(transports, [2; 32])
        };
        Self::begin(files, options).await
    }

    /// Whose names this server knows.
    pub(crate) async fn asking(
        files: &[(&str, &str)],
        transports: Vec<TransportConfig>,
        names: &NameServer,
    ) -> Self {
        let options = Options {
            name_server: Some(names.address),
            ..Options::new(transports, [2; 32])
        };
        Self::begin(files, options).await
    }

    async fn begin(files: &[(&str, &str)], options: Options) -> Self {
        let mut all = BTreeMap::from([("extensions.conf".to_owned(), EXTENSIONS.to_owned())]);
        let files = files.iter();
        all.extend(files.map(|(name, text)| ((*name).to_owned(), (*text).to_owned())));
        let files = all;
        let (config, diagnostics) = config::load(&files);
        let config: Config = config.unwrap_or_else(|| panic!("{diagnostics:?}"));
        // A server the files name needs no folder.
        let folder = files
            .contains_key("database.conf")
            .then(|| Path::new("/nowhere"));
        let store = Store::open(Arc::new(config), folder).await.unwrap();
        let switch = Switch::new(Parts {
            store,
            media: Arc::new(Media),
            applications: apps::APPLICATIONS,
            functions: apps::FUNCTIONS,
            seed: [1; 32],
        });
        let signal = Signal::start(options, switch.clone());
        switch.connect(signal.technologies());
        let listen = Listen {
            address: "127.0.0.1:0".parse().unwrap(),
            secure: false,
            optional: false,
        };
        let options = web::Options {
            listeners: vec![listen],
            ..web::Options::default()
        };
        let server = Server::start(options, signal.routes(Routes::new())).unwrap();
        let ws = server.listening()[0].address;
        let udp = signal.udp().first().copied().unwrap_or(ws);
        Self {
            signal,
            switch,
            _server: server,
            ws,
            udp,
        }
    }

    pub(crate) async fn phone(&self) -> Phone {
        Phone::connect(self.ws).await
    }
}

/// A transport on a free port.
pub(crate) fn transport(protocol: &str, ip: &str, options: &[(&str, &str)]) -> TransportConfig {
    let mut columns = vec![("protocol", protocol), ("bind", ip)];
    columns.extend(options);
    let (mut transport, _) = TransportConfig::from_columns(protocol, &columns).unwrap();
    transport.bind.set_port(0);
    transport
}

/// Waits until `condition` holds.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting)
        .await
        .unwrap_or_else(|_| panic!("never: {what}"));
}

/// A WebSocket that speaks SIP.
pub(crate) struct Phone {
    pub(crate) socket: tokio_tungstenite::WebSocketStream<TcpStream>,
}

impl Phone {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let mut request = format!("ws://{address}/ws").into_client_request().unwrap();
        let sip = "sip".parse().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", sip);
        let stream = TcpStream::connect(address).await.unwrap();
        let (socket, _) = tokio_tungstenite::client_async(request, stream)
            .await
            .unwrap();
        Self { socket }
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.socket.send(Frame::text(text)).await.unwrap();
    }

    /// The next frame that is no ping; `None` at the end.
    pub(crate) async fn frame(&mut self) -> Option<Frame> {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.socket.next()).await;
            match next.expect("a frame in time")? {
                Ok(Frame::Ping(_) | Frame::Pong(_)) => {}
                Ok(Frame::Close(_)) | Err(_) => return None,
                Ok(frame) => return Some(frame),
            }
        }
    }

    pub(crate) async fn receive(&mut self) -> Message {
        let frame = self.frame().await.expect("the connection lives");
        Message::parse(&frame.into_data()).unwrap()
    }

    /// Sends a request and returns its final response.
    pub(crate) async fn ask(&mut self, text: &str) -> Response {
        self.send(text).await;
        self.response().await
    }

    /// The next final response; requests of the exchange are no part of the question.
    pub(crate) async fn response(&mut self) -> Response {
        loop {
            if let Message::Response(response) = self.receive().await
                && response.status.is_final()
            {
                return response;
            }
        }
    }

    /// The next request of the exchange.
    pub(crate) async fn request(&mut self) -> Request {
        loop {
            if let Message::Request(request) = self.receive().await {
                return request;
            }
        }
    }

    /// Sends a request; when it is challenged, sends it again with the credentials of `user`.
    pub(crate) async fn ask_as(&mut self, user: &str, password: &str, text: &str) -> Response {
        let challenged = self.ask(text).await;
        assert_eq!(challenged.status.code(), 401, "{challenged:?}");
        if text.starts_with("INVITE") {
            self.send(&ack(text, &challenged)).await;
        }
        self.ask(&signed(text, &challenged, user, password)).await
    }

    pub(crate) async fn register(&mut self, user: &str, password: &str, contact: &str) -> Response {
        self.ask_as(user, password, &register(user, contact)).await
    }
}

/// The same over UDP.
pub(crate) struct DeskPhone {
    socket: UdpSocket,
}

impl DeskPhone {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self::at(0, address).await
    }

    /// One that does not know the exchange yet.
    pub(crate) async fn unbound() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        Self { socket }
    }

    pub(crate) async fn know(&self, address: SocketAddr) {
        self.socket.connect(address).await.unwrap();
    }

    /// On this port.
    pub(crate) async fn at(port: u16, address: SocketAddr) -> Self {
        let socket = UdpSocket::bind(("127.0.0.1", port)).await.unwrap();
        socket.connect(address).await.unwrap();
        Self { socket }
    }

    /// The same socket, towards another address.
    pub(crate) async fn again(self, address: SocketAddr) -> Self {
        self.socket.connect(address).await.unwrap();
        self
    }

    /// The same from a certain address.
    pub(crate) async fn from(own: &str, address: SocketAddr) -> Self {
        let socket = UdpSocket::bind(own).await.unwrap();
        socket.connect(address).await.unwrap();
        Self { socket }
    }

    pub(crate) async fn send(&self, bytes: &[u8]) {
        self.socket.send(bytes).await.unwrap();
    }

    /// Sends a request and takes everything that comes before the answer to the next one. The bytes
    /// that were sent, and each datagram that came.
    pub(crate) async fn exchange(&self, text: &str) -> (usize, Vec<Vec<u8>>) {
        self.send(text.as_bytes()).await;
        let (mut answered, mut buffer) = (Vec::new(), vec![0; 65_535]);
        let receive = |length: usize, buffer: &[u8]| buffer[..length].to_vec();
        let length = tokio::time::timeout(PATIENCE, self.socket.recv(&mut buffer)).await;
        answered.push(receive(length.expect("an answer").unwrap(), &buffer));
        // Retransmissions begin after half a second (RFC 3261, timer G).
        let more = Duration::from_millis(700);
        while let Ok(length) = tokio::time::timeout(more, self.socket.recv(&mut buffer)).await {
            answered.push(receive(length.unwrap(), &buffer));
        }
        (text.len(), answered)
    }

    pub(crate) async fn receive(&self) -> Message {
        let mut buffer = vec![0; 65_535];
        let received = tokio::time::timeout(PATIENCE, self.socket.recv(&mut buffer)).await;
        let length = received.expect("a message in time").unwrap();
        Message::parse(&Bytes::copy_from_slice(&buffer[..length])).unwrap()
    }

    pub(crate) async fn ask(&self, text: &str) -> Response {
        self.send(text.as_bytes()).await;
        loop {
            if let Message::Response(response) = self.receive().await
                && response.status.is_final()
            {
                return response;
            }
        }
    }

    pub(crate) async fn request(&self) -> Request {
        loop {
            if let Message::Request(request) = self.receive().await {
                return request;
            }
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.socket.local_addr().unwrap().port()
    }
}

/// Branches, tags and Call-IDs that are never the same.
pub(crate) fn unique() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed).to_string()
}

/// A request as JsSIP writes it, without body.
pub(crate) fn request(method: &str, uri: &str, from: &str, more: &str) -> String {
    let id = unique();
    format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/WS s58im4vdpmpn.invalid;branch=z9hG4bK{id}\r\n\
         Max-Forwards: 69\r\nTo: <{uri}>\r\nFrom: <sip:{from}@127.0.0.1>;tag=t{id}\r\n\
         Call-ID: c{id}\r\nCSeq: 1 {method}\r\n{more}\
         Supported: path,gruu,outbound\r\nUser-Agent: JsSIP 3.13.8\r\nContent-Length: 0\r\n\r\n"
    )
}

pub(crate) fn register(user: &str, contact: &str) -> String {
    let contact = format!("Contact: {contact}\r\n");
    let contact = if contact.trim_end() == "Contact:" {
        String::new()
    } else {
        contact
    };
    request("REGISTER", "sip:127.0.0.1", user, &contact).replacen(
        "To: <sip:127.0.0.1>",
        &format!("To: <sip:{user}@127.0.0.1>"),
        1,
    )
}

/// The Contact of a JsSIP user agent.
pub(crate) fn contact(user: &str, instance: &str) -> String {
    format!(
        "<sip:{user}@s58im4vdpmpn.invalid;transport=ws>;+sip.ice;reg-id=1;\
         +sip.instance=\"<urn:uuid:{instance}>\";expires=600"
    )
}

pub(crate) fn invite(from: &str, exten: &str, contact: &str, sdp: &str) -> String {
    let head = format!(
        "Contact: <sip:{contact}@s58im4vdpmpn.invalid;transport=ws;ob>\r\n\
         Content-Type: application/sdp\r\nAllow: INVITE,ACK,CANCEL,BYE,UPDATE,INFO\r\n"
    );
    let text = request("INVITE", &format!("sip:{exten}@127.0.0.1"), from, &head);
    let length = format!("Content-Length: {}\r\n\r\n{sdp}", sdp.len());
    text.replacen("Content-Length: 0\r\n\r\n", &length, 1)
}

/// An offer the media double likes.
pub(crate) const OFFER: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n\
a=group:BUNDLE 0 1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\n\
a=fingerprint:sha-256 00\r\na=rtpmap:111 opus/48000/2\r\na=sendrecv\r\n\
m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na=rtpmap:96 VP8/90000\r\na=sendrecv\r\n";

/// The request with the answer to the challenge, as a new transaction.
pub(crate) fn signed(text: &str, challenged: &Response, user: &str, password: &str) -> String {
    let uri = text.split(' ').nth(1).unwrap();
    signed_about(uri, text, challenged, (user, password))
}

/// The same with a digest-uri of its own.
pub(crate) fn signed_about(
    uri: &str,
    text: &str,
    challenged: &Response,
    (user, password): (&str, &str),
) -> String {
    let Ok(Message::Request(request)) = Message::parse(&Bytes::copy_from_slice(text.as_bytes()))
    else {
        panic!("no request: {text}");
    };
    let challenges = challenged.headers.challenges().unwrap();
    let [challenge] = &challenges[..] else {
        panic!("exactly one challenge: {challenges:?}")
    };
    let value = Answer {
        username: user,
        secret: Secret::Password(password),
        method: &request.method,
        uri,
        cnonce: "ljrcp8sia1v6",
        nc: 1,
    }
    .authorization(challenge)
    .unwrap();
    again(text, &format!("Authorization: {value}\r\n"))
}

/// The request as a new transaction: the next CSeq, another branch, one more header.
pub(crate) fn again(text: &str, header: &str) -> String {
    let method = text.split(' ').next().unwrap();
    let line = text.lines().find(|line| line.starts_with("CSeq:")).unwrap();
    let number: u32 = line.split(' ').nth(1).unwrap().parse().unwrap();
    text.replacen(line, &format!("CSeq: {} {method}", number + 1), 1)
        .replacen(
            ";branch=z9hG4bK",
            &format!(";branch=z9hG4bK{}x", unique()),
            1,
        )
        .replacen("Supported:", &format!("{header}Supported:"), 1)
}

/// The ACK of a refused INVITE: same branch, To tag of the response (RFC 3261 §17.1.1.3).
pub(crate) fn ack(invite: &str, response: &Response) -> String {
    let head = invite.split("Contact:").next().unwrap();
    let to = invite.lines().find(|line| line.starts_with("To:")).unwrap();
    let answered = response.headers.get(&HeaderName::To).unwrap();
    head.replacen("INVITE", "ACK", 1)
        .replacen(" INVITE\r\n", " ACK\r\n", 1)
        .replacen(to, &format!("To: {answered}"), 1)
        + "Content-Length: 0\r\n\r\n"
}

/// A request inside the dialog that `invite` and its 200 made.
pub(crate) fn in_dialog(
    method: &str,
    cseq: u32,
    invite: &str,
    ok: &Response,
    more: &str,
) -> String {
    let line = |name: &str| invite.lines().find(|line| line.starts_with(name)).unwrap();
    let target = match ok.headers.contacts().unwrap() {
        sip::Contacts::List(list) => list[0].address.uri.clone(),
        sip::Contacts::Star => panic!("a star"),
    };
    let to = ok.headers.get(&HeaderName::To).unwrap();
    let more = if more.is_empty() {
        "Content-Length: 0\r\n\r\n"
    } else {
        more
    };
    format!(
        "{method} {target} SIP/2.0\r\nVia: SIP/2.0/WS s58im4vdpmpn.invalid;branch=z9hG4bKd{}\r\n\
         Max-Forwards: 69\r\nTo: {to}\r\n{}\r\n{}\r\nCSeq: {cseq} {method}\r\n{more}",
        unique(),
        line("From:"),
        line("Call-ID:"),
    )
}

/// Answers a request of the exchange.
pub(crate) fn reply(request: &Request, status: u16, more: &str) -> String {
    let mut text = format!("SIP/2.0 {status} X\r\n");
    for name in [
        HeaderName::Via,
        HeaderName::From,
        HeaderName::To,
        HeaderName::CallId,
        HeaderName::CSeq,
    ] {
        for value in request.headers.get_all(&name) {
            text += &format!("{name}: {value}\r\n");
        }
    }
    text + if more.is_empty() {
        "Content-Length: 0\r\n\r\n"
    } else {
        more
    }
}

/// A call that is up: the INVITE with credentials, and its 200.
pub(crate) async fn call(phone: &mut Phone, exten: &str, contact: &str) -> (String, Response) {
    let first = invite("alice", exten, contact, OFFER);
    let challenged = phone.ask(&first).await;
    phone.send(&ack(&first, &challenged)).await;
    let text = signed(&first, &challenged, "alice", "wonderland");
    let ok = phone.ask(&text).await;
    assert_eq!(ok.status.code(), 200, "{ok:?}");
    phone.send(&in_dialog("ACK", 2, &text, &ok, "")).await;
    (text, ok)
}

/// Media that agrees to everything with a fingerprint.
struct Media;

impl MediaPlane for Media {
    fn allocate(&self, request: LegRequest<'_>) -> Result<Box<dyn MediaLeg>, AllocateError> {
        let events = request.events;
        Ok(Box::new(Leg { events }))
    }

    fn seats(
        &self,
        _: usize,
        _: Option<&dyn MediaLeg>,
    ) -> Result<Vec<Box<dyn MediaLeg>>, AllocateError> {
        Err(AllocateError::Full)
    }

    fn counts(&self) -> MediaCounts {
        MediaCounts::default()
    }
}

struct Leg {
    events: InboxSender,
}

impl MediaLeg for Leg {
    fn negotiate(&self, round: Round) -> Reply<'_, Result<Outcome, Refused>> {
        Box::pin(async move {
            let (sdp, agreed) = match round {
                Round::Answer { offer } => {
                    if !offer.to_string().contains("a=fingerprint:") {
                        return Err(Refused::NoFingerprint);
                    }
                    let agreed = answering(&offer.to_string());
                    (Some(offer), agreed)
                }
                Round::Offer { want } => (sdp::parse(offering(&want).as_bytes()).ok(), want),
                Round::Recode { .. }
                | Round::Apply { .. }
                | Round::Confirm { .. }
                | Round::Rollback => (None, two_streams()),
            };
            Ok(Outcome {
                sdp,
                agreed,
                notes: Vec::new(),
            })
        })
    }

    fn echo(&self, _: EchoMode) -> Echo {
        Echo::new(())
    }

    fn connect(&self, _: &dyn MediaLeg) -> Option<Joint> {
        Some(Joint::new(()))
    }

    fn play(&self, _: Playable) -> Playing {
        Playing::new((), tokio::sync::oneshot::channel().1)
    }

    fn dial(&self, _: DigitEvent) -> bool {
        true
    }

    /// As if the peer were connected to itself.
    fn refresh(&self) {
        self.events.send(LegEvent::KeyframeWanted);
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }

    fn stats(&self) -> Reply<'_, LegStats> {
        Box::pin(async { LegStats::default() })
    }
}

/// An offer of what is wanted.
fn offering(want: &Topology) -> String {
    let holds = |stream: &Stream| stream.direction == Direction::SendOnly;
    match want.iter().any(holds) {
        true => OFFER.replace("a=sendrecv", "a=sendonly"),
        false => OFFER.to_owned(),
    }
}

/// What is agreed by the answer to an offer: as it says, seen from here.
fn answering(offer: &str) -> Topology {
    let direction = match offer {
        held if held.contains("a=sendonly") => Direction::RecvOnly,
        held if held.contains("a=inactive") => Direction::Inactive,
        _ => Direction::SendRecv,
    };
    let agreed = two_streams();
    let streams = agreed.iter().map(|stream| Stream {
        direction,
        ..stream.clone()
    });
    Topology::new(streams.collect())
}

fn two_streams() -> Topology {
    let stream = |(index, (kind, codec)): (usize, (codec::Kind, &str))| Stream {
        mid: Some(index.to_string().into()),
        payloads: vec![Payload {
            number: if index == 0 { 111 } else { 96 },
            format: Format::Codec(codec::by_name(codec).unwrap()),
            rtx: None,
        }],
        ..Stream::wanted(kind, Direction::SendRecv)
    };
    let kinds = [(codec::Kind::Audio, "opus"), (codec::Kind::Video, "vp8")];
    Topology::new(kinds.into_iter().enumerate().map(stream).collect())
}
