//! Phones that speak SIP in text: over a WebSocket as a browser does, or over UDP.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use sip::{Message, Request, Response};
use tokio::net::{TcpStream, UdpSocket};
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use super::{OFFER, PATIENCE, ack, in_dialog, invite, register, signed};

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
