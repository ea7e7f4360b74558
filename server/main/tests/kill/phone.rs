//! A desk phone over UDP and a browser over a WebSocket, in blocking text. Each verb ends with `None` when
//! the exchange is gone.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use sip::digest::{Answer, Secret};
use sip::{HeaderName, Message, Response};

/// The exchange answers in milliseconds, or is dead.
const PATIENCE: Duration = Duration::from_secs(5);

fn unique() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!(
        "{}x{}",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    )
}

/// A request without Content-Length, which its body brings.
struct Draft {
    method: &'static str,
    uri: String,
    transport: &'static str,
    user: String,
    to: String,
    call_id: String,
    tag: String,
    cseq: u32,
    headers: String,
    body: String,
}

impl Draft {
    fn text(&self) -> String {
        let Self {
            method,
            uri,
            transport,
            user,
            to,
            call_id,
            tag,
            cseq,
            headers,
            body,
        } = self;
        format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/{transport} phone.invalid;rport;branch=z9hG4bK{}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:{user}@127.0.0.1>;tag={tag}\r\nTo: {to}\r\n\
             Call-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            unique(),
            body.len()
        )
    }

    /// With the answer to the challenge.
    fn signed(&mut self, challenged: &Response) {
        let challenges = challenged.headers.challenges().unwrap();
        let Ok(Message::Request(request)) = Message::parse(&Bytes::from(self.text())) else {
            panic!("no request: {}", self.text());
        };
        let value = Answer {
            username: &self.user,
            secret: Secret::Password("secret"),
            method: &request.method,
            uri: &self.uri,
            cnonce: "c0ffee",
            nc: 1,
        }
        .authorization(&challenges[0])
        .unwrap();
        self.headers += &format!("Authorization: {value}\r\n");
        self.cseq += 1;
    }
}

/// See the module.
pub(crate) struct DeskPhone {
    socket: UdpSocket,
    pub(crate) address: SocketAddr,
    call_id: String,
    cseq: std::cell::Cell<u32>,
}

impl DeskPhone {
    pub(crate) fn new(port: u16) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(("127.0.0.1", port)).unwrap();
        let address = socket.local_addr().unwrap();
        Self {
            socket,
            address,
            call_id: unique(),
            cseq: std::cell::Cell::new(1),
        }
    }

    /// The final status.
    pub(crate) fn register(&self, user: &str, uri: &str, expires: u32) -> Option<u16> {
        let mut draft = Draft {
            method: "REGISTER",
            uri: "sip:127.0.0.1".to_owned(),
            transport: "UDP",
            user: user.to_owned(),
            to: format!("<sip:{user}@127.0.0.1>"),
            call_id: self.call_id.clone(),
            tag: unique(),
            cseq: self.cseq.get(),
            headers: format!("Contact: <{uri}>;expires={expires}\r\n"),
            body: String::new(),
        };
        let challenged = self.ask(&draft.text())?;
        assert_eq!(challenged.status.code(), 401);
        draft.signed(&challenged);
        let answer = self.ask(&draft.text())?;
        self.cseq.set(draft.cseq + 1);
        Some(answer.status.code())
    }

    /// Sent again until it is answered, as RFC 3261 §17.1.2 has it; a dead port refuses at once.
    fn ask(&self, text: &str) -> Option<Response> {
        let end = Instant::now() + PATIENCE;
        let mut buffer = [0; 4_096];
        self.socket
            .set_read_timeout(Some(Duration::from_millis(500)))
            .unwrap();
        while Instant::now() < end {
            self.socket.send(text.as_bytes()).ok()?;
            match self.socket.recv(&mut buffer) {
                Ok(length) => {
                    let bytes = Bytes::copy_from_slice(&buffer[..length]);
                    if let Ok(Message::Response(response)) = Message::parse(&bytes)
                        && response.status.is_final()
                    {
                        let line = format!("CSeq: {}", response.headers.get(&HeaderName::CSeq)?);
                        if text.contains(&line) {
                            return Some(response);
                        }
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(_) => return None,
            }
        }
        None
    }
}

/// See the module.
pub(crate) struct Browser {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answered call.
pub(crate) struct Call {
    draft: Draft,
}

impl Browser {
    pub(crate) fn connect(port: u16) -> Option<Self> {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let request = format!(
            "GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Protocol: sip\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).ok()?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).ok()?;
            head.push(byte[0]);
        }
        assert!(
            head.starts_with(b"HTTP/1.1 101"),
            "{}",
            String::from_utf8_lossy(&head)
        );
        Some(Self {
            stream,
            buffer: Vec::new(),
        })
    }

    /// Calls and waits for the answer.
    pub(crate) fn call(&mut self, user: &str, exten: &str) -> Option<Call> {
        let uri = format!("sip:{exten}@127.0.0.1");
        let mut draft = Draft {
            method: "INVITE",
            uri: uri.clone(),
            transport: "WS",
            user: user.to_owned(),
            to: format!("<{uri}>"),
            call_id: unique(),
            tag: unique(),
            cseq: 1,
            headers: format!(
                "Contact: <sip:{user}@browser.invalid;transport=ws>\r\nContent-Type: application/sdp\r\n"
            ),
            body: OFFER.to_owned(),
        };
        self.send(&draft.text())?;
        let challenged = self.response()?;
        assert_eq!(challenged.status.code(), 401, "{challenged:?}");
        draft.signed(&challenged);
        self.send(&draft.text())?;
        let answer = self.response()?;
        assert_eq!(answer.status.code(), 200, "{answer:?}");
        draft.to = answer.headers.get(&HeaderName::To)?.to_owned();
        (draft.headers, draft.body) = (String::new(), String::new());
        draft.method = "ACK";
        self.send(&draft.text())?;
        Some(Call { draft })
    }

    pub(crate) fn hang_up(&mut self, call: &Call) -> Option<()> {
        let text = Draft {
            method: "BYE",
            cseq: call.draft.cseq + 1,
            uri: call.draft.uri.clone(),
            to: call.draft.to.clone(),
            user: call.draft.user.clone(),
            call_id: call.draft.call_id.clone(),
            tag: call.draft.tag.clone(),
            transport: "WS",
            headers: String::new(),
            body: String::new(),
        };
        self.send(&text.text())?;
        self.response().map(drop)
    }

    fn send(&mut self, text: &str) -> Option<()> {
        let length = u16::try_from(text.len()).unwrap();
        // RFC 6455 §5.2: one text frame, masked by zeros.
        let mut frame = vec![0x81];
        match length {
            0..=125 => frame.push(0x80 | length.to_be_bytes()[1]),
            _ => {
                frame.push(0xfe);
                frame.extend(length.to_be_bytes());
            }
        }
        frame.extend([0; 4]);
        frame.extend(text.as_bytes());
        self.stream.write_all(&frame).ok()
    }

    /// The next final response.
    fn response(&mut self) -> Option<Response> {
        loop {
            let frame = self.frame()?;
            if let Ok(Message::Response(response)) = Message::parse(&Bytes::from(frame))
                && response.status.is_final()
            {
                return Some(response);
            }
        }
    }

    fn frame(&mut self) -> Option<Vec<u8>> {
        let head = self.take(2)?;
        let length = match head[1] & 0x7f {
            126 => self
                .take(2)?
                .iter()
                .fold(0, |sum, byte| sum << 8 | usize::from(*byte)),
            127 => self
                .take(8)?
                .iter()
                .fold(0, |sum, byte| sum << 8 | usize::from(*byte)),
            short => usize::from(short),
        };
        self.take(length)
    }

    fn take(&mut self, length: usize) -> Option<Vec<u8>> {
        while self.buffer.len() < length {
            let mut bytes = [0; 4_096];
            let count = self
                .stream
                .read(&mut bytes)
                .ok()
                .filter(|count| *count > 0)?;
            self.buffer.extend(&bytes[..count]);
        }
        let rest = self.buffer.split_off(length);
        Some(std::mem::replace(&mut self.buffer, rest))
    }
}

/// As a browser offers sound.
const OFFER: &str = "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n\
a=group:BUNDLE 0\r\na=msid-semantic: WMS\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\n\
a=rtcp:9 IN IP4 0.0.0.0\r\na=ice-ufrag:9DZi\r\na=ice-pwd:4ZrZJVzQ3nKB7hXXVQyfXfLc\r\n\
a=ice-options:trickle\r\na=fingerprint:sha-256 7B:8B:F0:65:5F:78:E2:51:3B:AC:6F:F3:3F:46:1B:35:DC:B8:5F:64:1A:24:C2:43:F0:A1:58:D0:A1:2C:19:08\r\n\
a=setup:actpass\r\na=mid:0\r\na=sendrecv\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\n\
a=fmtp:111 minptime=10;useinbandfec=1\r\n";
