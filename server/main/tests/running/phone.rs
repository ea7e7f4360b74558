//! A browser's signalling without a browser: INVITE with a WebRTC offer, ACK, BYE, over a WebSocket.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use crate::world::PATIENCE;

pub(crate) struct Phone {
    socket: WebSocketStream<TcpStream>,
}

impl Phone {
    pub(crate) async fn connect(port: u16) -> Self {
        let mut request = format!("ws://127.0.0.1:{port}/ws")
            .into_client_request()
            .unwrap();
        let sip = "sip".parse().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", sip);
        let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let (socket, _) = tokio_tungstenite::client_async(request, stream)
            .await
            .unwrap();
        Self { socket }
    }

    async fn send(&mut self, text: String) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    /// The next SIP message.
    async fn receive(&mut self) -> String {
        loop {
            match self
                .socket
                .next()
                .await
                .expect("the connection lives")
                .unwrap()
            {
                Message::Text(text) => return text.to_string(),
                Message::Binary(bytes) => return String::from_utf8(bytes.to_vec()).unwrap(),
                _ => {}
            }
        }
    }

    /// The next final response.
    async fn response(&mut self) -> String {
        loop {
            let message = timeout(PATIENCE, self.receive())
                .await
                .expect("an answer in time");
            if message.starts_with("SIP/2.0") && !message.starts_with("SIP/2.0 1") {
                return message;
            }
        }
    }

    /// The final response to a request; another one is what went wrong.
    async fn answer(&mut self, dialog: &Dialog, method: &str) -> Result<String, String> {
        let response = self.response().await;
        match dialog.is_answered_by(&response, method) {
            true => Ok(response),
            false => Err(format!("not an answer to {method}: {response}")),
        }
    }

    /// Registers `alice`, whose endpoint asks for no password.
    pub(crate) async fn register(&mut self) {
        let dialog = Dialog {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            target: "sip:127.0.0.1".to_owned(),
            to: "<sip:alice@127.0.0.1>".to_owned(),
        };
        self.send(dialog.request("REGISTER", 1, "")).await;
        let ok = self.answer(&dialog, "REGISTER").await.unwrap();
        assert!(ok.starts_with("SIP/2.0 200"), "{ok}");
    }

    /// Calls, expects an answer, lets the call last and hangs up. What went wrong, if something did.
    pub(crate) async fn call(&mut self, exten: &str, lasts: Duration) -> Result<(), String> {
        let call = self.dial(exten).await?;
        if let Ok(message) = timeout(lasts, self.receive()).await {
            return Err(format!("the call was disturbed: {message}"));
        }
        self.hang_up(&call).await
    }

    /// Calls and expects an answer.
    pub(crate) async fn dial(&mut self, exten: &str) -> Result<Dialog, String> {
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut dialog = Dialog {
            id,
            target: format!("sip:{exten}@127.0.0.1"),
            to: format!("<sip:{exten}@127.0.0.1>"),
        };
        let invite = dialog.request("INVITE", 1, OFFER);
        self.send(invite).await;
        let ok = self.answer(&dialog, "INVITE").await?;
        if !ok.starts_with("SIP/2.0 200") {
            return Err(format!("not answered: {ok}"));
        }
        let header = |name: &str| {
            let mut lines = ok.lines();
            let found = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            found
                .unwrap_or_else(|| panic!("no {name}: {ok}"))
                .to_owned()
        };
        dialog.to = header("To");
        let contact = header("Contact");
        let uri = contact.split(['<', '>']).nth(1).unwrap();
        dialog.target = uri.to_owned();
        self.send(dialog.request("ACK", 1, "")).await;
        self.settle(&dialog).await?;
        Ok(dialog)
    }

    /// Waits until the exchange has the ACK: a request after it is answered after whatever was sent before it came.
    /// Until then a slow phone may get its 200 again, and RFC 3261 §13.2.2.4 has it acknowledge each. What comes
    /// later disturbs the call.
    async fn settle(&mut self, dialog: &Dialog) -> Result<(), String> {
        let probe = Dialog {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            target: "sip:127.0.0.1".to_owned(),
            to: "<sip:127.0.0.1>".to_owned(),
        };
        self.send(probe.request("OPTIONS", 1, "")).await;
        loop {
            let response = self.response().await;
            if probe.is_answered_by(&response, "OPTIONS") {
                return Ok(());
            }
            if !dialog.is_answered_by(&response, "INVITE") {
                return Err(format!("the call was disturbed: {response}"));
            }
            self.send(dialog.request("ACK", 1, "")).await;
        }
    }

    pub(crate) async fn hang_up(&mut self, dialog: &Dialog) -> Result<(), String> {
        self.send(dialog.request("BYE", 2, "")).await;
        let ok = self.answer(dialog, "BYE").await?;
        match ok.starts_with("SIP/2.0 200") {
            true => Ok(()),
            false => Err(format!("BYE was not taken: {ok}")),
        }
    }

    /// Waits for the exchange's BYE and takes it.
    pub(crate) async fn is_hung_up(&mut self) -> bool {
        loop {
            let Ok(message) = timeout(PATIENCE, self.receive()).await else {
                return false;
            };
            if message.starts_with("BYE ") {
                let kept = message.lines().filter(|line| {
                    ["Via:", "From:", "To:", "Call-ID:", "CSeq:"]
                        .iter()
                        .any(|name| line.starts_with(name))
                });
                let kept: String = kept.map(|line| format!("{line}\r\n")).collect();
                self.send(format!("SIP/2.0 200 OK\r\n{kept}Content-Length: 0\r\n\r\n"))
                    .await;
                return true;
            }
        }
    }
}

static NEXT: AtomicU64 = AtomicU64::new(1);

/// What the requests of one call have in common.
pub(crate) struct Dialog {
    id: u64,
    target: String,
    to: String,
}

impl Dialog {
    fn is_answered_by(&self, response: &str, method: &str) -> bool {
        let (id, method) = (format!("Call-ID: c{}", self.id), format!(" {method}"));
        let is_id = |line: &str| line == id;
        let is_method = |line: &str| line.starts_with("CSeq:") && line.ends_with(&method);
        response.lines().any(is_id) && response.lines().any(is_method)
    }

    fn request(&self, method: &str, cseq: u32, body: &str) -> String {
        let (id, target, to) = (self.id, &self.target, &self.to);
        let branch = NEXT.fetch_add(1, Ordering::Relaxed);
        let content = match body {
            "" => "",
            _ => "Content-Type: application/sdp\r\n",
        };
        format!(
            "{method} {target} SIP/2.0\r\n\
             Via: SIP/2.0/WS client.invalid;branch=z9hG4bK{branch}\r\n\
             Max-Forwards: 70\r\nTo: {to}\r\nFrom: <sip:alice@127.0.0.1>;tag=t{id}\r\n\
             Call-ID: c{id}\r\nCSeq: {cseq} {method}\r\n\
             Contact: <sip:alice@client.invalid;transport=ws>\r\n\
             {content}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }
}

/// What a browser offers that has a microphone and gathers no candidates.
const OFFER: &str = "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n\
a=group:BUNDLE 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n\
a=ice-ufrag:F5DR\r\na=ice-pwd:6rZDlEZeYQVOCzUXQNaR7W7W\r\na=ice-options:trickle\r\n\
a=fingerprint:sha-256 7D:3C:71:56:64:58:A4:F9:E5:B1:5E:75:E0:E7:1B:43:7F:78:5D:37:0C:10:70:81:42:\
EA:CB:D2:4B:74:26:59\r\na=setup:actpass\r\na=mid:0\r\na=sendrecv\r\na=msid:s t\r\na=rtcp-mux\r\n\
a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\na=ssrc:3656235283 cname:x\r\n";
