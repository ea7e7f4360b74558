//! A running server on loopback, and those who ask it in plain bytes.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use web::{Audience, Certificate, Frame, Listen, Options, Routes, Server, WebSocket};

pub(crate) fn plain() -> Listen {
    Listen {
        address: "127.0.0.1:0".parse().unwrap(),
        secure: false,
        optional: false,
    }
}

pub(crate) fn secure() -> Listen {
    Listen {
        secure: true,
        ..plain()
    }
}

/// A certificate of its own for `localhost`, and the PEM that clients are to trust.
pub(crate) fn localhost() -> (Certificate, String) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (pem, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let certificate = Certificate::from_pem(pem.as_bytes(), key.as_bytes()).unwrap();
    (certificate, pem)
}

/// Sends messages back; closes with the reason it was given.
pub(crate) async fn echo(mut socket: WebSocket) {
    loop {
        match socket.receive().await {
            Ok(Frame::Message(bytes)) => {
                if socket.send(bytes).await.is_err() {
                    return;
                }
            }
            Ok(Frame::Sign) => {}
            Err(closed) => return socket.close(&closed).await,
        }
    }
}

pub(crate) fn start_with(options: Options) -> (Server, SocketAddr) {
    let routes = Routes::new()
        .websocket("/ws", "sip", echo)
        .json(
            "/status",
            Audience::Loopback,
            || serde_json::json!({ "calls": 0 }),
        )
        .json(
            "/client.json",
            Audience::SameOrigin,
            || serde_json::json!({ "demo": null }),
        );
    let server = Server::start(options, routes).unwrap();
    let address = server.listening()[0].address;
    (server, address)
}

pub(crate) fn start() -> (Server, SocketAddr) {
    start_with(Options {
        listeners: vec![plain()],
        ..Options::default()
    })
}

/// One request, the whole answer as text.
pub(crate) async fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let reading = async {
        let mut buffer = [0; 4096];
        while !is_whole(&answer) {
            match stream.read(&mut buffer).await {
                Ok(0) | Err(_) => break,
                Ok(length) => answer.extend_from_slice(&buffer[..length]),
            }
        }
    };
    let _ = tokio::time::timeout(Duration::from_secs(5), reading).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// Whether the announced body is there. A HEAD's never comes: it ends with the connection.
pub(crate) fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let body = text.split_once("\r\n\r\n").map(|(_, body)| body.len());
    let announced = header(&text, "content-length").and_then(|length| length.parse().ok());
    body.zip(announced)
        .is_some_and(|(body, announced): (usize, usize)| body >= announced)
}

pub(crate) async fn get(address: SocketAddr, path: &str, headers: &str) -> String {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost:{}\r\nConnection: close\r\n{headers}\r\n",
        address.port()
    );
    ask(address, &request).await
}

pub(crate) fn status(answer: &str) -> u16 {
    answer
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .unwrap_or(0)
}

pub(crate) fn header<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let head = answer.split("\r\n\r\n").next()?;
    head.lines().skip(1).find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then_some(value.trim())
    })
}

pub(crate) fn upgrade(more: &str) -> String {
    format!(
        "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}"
    )
}

pub(crate) type Client = tokio_tungstenite::WebSocketStream<TcpStream>;

pub(crate) async fn connect(address: SocketAddr) -> Client {
    let mut request = format!("ws://localhost:{}/ws", address.port())
        .into_client_request()
        .unwrap();
    let sip = "sip".parse().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", sip);
    let stream = TcpStream::connect(address).await.unwrap();
    let (client, response) = tokio_tungstenite::client_async(request, stream)
        .await
        .unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], "sip");
    client
}

/// The close code the server sends, whatever comes before.
pub(crate) async fn close_code(client: &mut Client) -> Option<CloseCode> {
    while let Some(Ok(message)) = client.next().await {
        if let Message::Close(frame) = message {
            return frame.map(|frame| frame.code);
        }
    }
    None
}

/// A directory that vanishes with the test.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("sidetone-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
