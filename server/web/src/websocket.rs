//! The upgrade to a WebSocket (RFC 6455 §4.2) and the socket itself.
//!
//! No extensions are negotiated: browsers offer permessage-deflate and take no for an answer.

use axum::body::Body;
use axum::http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use axum::http::{HeaderMap, Request, Response, StatusCode};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};
use tokio_util::sync::CancellationToken;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::limits::{MESSAGE_BYTES_MAX, READ_BUFFER_BYTES, WRITE_BUFFER_BYTES_MAX, WRITE_TIMEOUT};
use crate::metered::{Allowance, Metered};
use crate::site::Site;
use crate::{Connection, page};

/// One WebSocket of a peer that asked for our subprotocol.
#[derive(Debug)]
pub struct WebSocket {
    stream: WebSocketStream<Metered<TokioIo<Upgraded>>>,
    allowance: Allowance,
    connection: Connection,
    stopping: CancellationToken,
    _tracked: TaskTrackerToken,
}

/// What came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// A text or binary message, whole.
    Message(Bytes),
    /// A pong, or a ping (which has been answered): the peer lives.
    Sign,
}

/// Why the socket ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Closed {
    /// The peer closed it, or its network did.
    #[error("closed by the peer")]
    ByPeer,
    /// A message beyond [`MESSAGE_BYTES_MAX`].
    #[error("the peer sent a message of more than {MESSAGE_BYTES_MAX} bytes")]
    TooBig,
    /// RFC 6455 was broken: an unmasked frame, reserved bits, text that is not UTF-8.
    #[error("the peer broke the WebSocket protocol")]
    Protocol,
    /// Nobody takes what we write.
    #[error("the peer does not read")]
    Stalled,
    /// There are too many connections like this one.
    #[error("there are too many connections")]
    Crowded,
    /// Nobody has proven who he is.
    #[error("nobody has proven who he is")]
    Unproven,
    /// The server stops.
    #[error("the server stops")]
    Stopping,
}

impl WebSocket {
    /// The next message or sign of life. May be dropped while it waits without losing anything.
    pub async fn receive(&mut self) -> Result<Frame, Closed> {
        let next = tokio::select! {
            next = self.stream.next() => next,
            () = self.stopping.cancelled() => return Err(Closed::Stopping),
        };
        match next {
            Some(Ok(Message::Text(text))) => Ok(Frame::Message(text.into())),
            Some(Ok(Message::Binary(bytes))) => Ok(Frame::Message(bytes)),
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Ok(Frame::Sign),
            Some(Ok(Message::Close(_))) | None => Err(Closed::ByPeer),
            Some(Err(error)) => Err(closed(&error)),
        }
    }

    /// Sends one message: as text where it is UTF-8, else binary. Waits while the peer is slow.
    pub async fn send(&mut self, bytes: Bytes) -> Result<(), Closed> {
        let message = match Utf8Bytes::try_from(bytes.clone()) {
            Ok(text) => Message::Text(text),
            Err(_) => Message::Binary(bytes),
        };
        self.write(message).await
    }

    /// Asks for a pong.
    pub async fn ping(&mut self) -> Result<(), Closed> {
        self.write(Message::Ping(Bytes::new())).await
    }

    /// Says why (RFC 6455 §7.4.1) and ends the connection.
    pub async fn close(mut self, reason: &Closed) {
        let code = match reason {
            Closed::ByPeer => CloseCode::Normal,
            Closed::TooBig => CloseCode::Size,
            Closed::Protocol => CloseCode::Protocol,
            Closed::Stalled | Closed::Unproven => CloseCode::Policy,
            Closed::Crowded => CloseCode::Again,
            Closed::Stopping => CloseCode::Away,
        };
        let frame = CloseFrame {
            code,
            reason: Utf8Bytes::from_static(""),
        };
        let _ = self.write(Message::Close(Some(frame))).await;
    }

    /// The bytes that may still come before the connection ends as [`Closed::TooBig`];
    /// `usize::MAX` is no limit. Without one from the start, who is unknown could have a message of
    /// [`MESSAGE_BYTES_MAX`] kept in memory on every connection he opens.
    pub fn allow(&self, bytes: usize) {
        self.allowance.set(bytes);
    }

    /// The addresses of both ends.
    pub fn connection(&self) -> Connection {
        self.connection
    }

    async fn write(&mut self, message: Message) -> Result<(), Closed> {
        match tokio::time::timeout(WRITE_TIMEOUT, self.stream.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(closed(&error)),
            Err(_) => Err(Closed::Stalled),
        }
    }
}

fn closed(error: &Error) -> Closed {
    match error {
        Error::Capacity(_) => Closed::TooBig,
        Error::WriteBufferFull(_) => Closed::Stalled,
        Error::Io(error) if error.kind() == std::io::ErrorKind::QuotaExceeded => Closed::TooBig,
        Error::Protocol(
            tokio_tungstenite::tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
        ) => Closed::ByPeer,
        Error::Protocol(_) | Error::Utf8(_) => Closed::Protocol,
        _ => Closed::ByPeer,
    }
}

/// A request that passed the checks of RFC 6455 §4.2.1, not answered yet.
pub(crate) struct Upgrade {
    accept: String,
    upgraded: OnUpgrade,
}

impl Upgrade {
    /// Checks the handshake, or says which page the client gets instead.
    pub(crate) fn of(
        request: &mut Request<Body>,
        subprotocol: &'static str,
        connection: Connection,
        site: &Site,
    ) -> Result<Self, Box<Response<Body>>> {
        let headers = request.headers();
        if !has_token(headers, UPGRADE.as_str(), "websocket")
            || !has_token(headers, CONNECTION.as_str(), "upgrade")
        {
            return Err(Box::new(page::upgrade_required(
                headers,
                connection.secure,
                site,
            )));
        }
        let version = headers
            .get(SEC_WEBSOCKET_VERSION)
            .map(|version| version.as_bytes());
        if version != Some(b"13") {
            let mut response = page::sentence(
                StatusCode::UPGRADE_REQUIRED,
                "This server speaks WebSocket version 13 (RFC 6455).",
            );
            response
                .headers_mut()
                .insert(SEC_WEBSOCKET_VERSION, page::value("13"));
            return Err(Box::new(response));
        }
        let Some(key) = headers.get(SEC_WEBSOCKET_KEY).filter(|key| key.len() == 24) else {
            return Err(Box::new(page::sentence(
                StatusCode::BAD_REQUEST,
                "The request has no usable Sec-WebSocket-Key.",
            )));
        };
        if !has_token(headers, SEC_WEBSOCKET_PROTOCOL.as_str(), subprotocol) {
            return Err(Box::new(page::sentence(
                StatusCode::BAD_REQUEST,
                "This WebSocket speaks the subprotocol \"sip\": ask for it, as in new WebSocket(url, \"sip\").",
            )));
        }
        let accept = derive_accept_key(key.as_bytes());
        let Some(upgraded) = request.extensions_mut().remove::<OnUpgrade>() else {
            return Err(Box::new(page::sentence(
                StatusCode::BAD_REQUEST,
                "This connection cannot become a WebSocket.",
            )));
        };
        Ok(Self { accept, upgraded })
    }

    /// The 101, with exactly the subprotocol we speak.
    pub(crate) fn response(&self, subprotocol: &'static str) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(CONNECTION, page::value("Upgrade"));
        headers.insert(UPGRADE, page::value("websocket"));
        headers.insert(SEC_WEBSOCKET_PROTOCOL, page::value(subprotocol));
        headers.insert(SEC_WEBSOCKET_ACCEPT, page::value(&self.accept));
        response
    }

    /// Waits until the 101 is out.
    pub(crate) async fn finish(
        self,
        connection: Connection,
        stopping: CancellationToken,
        tracked: TaskTrackerToken,
    ) -> Option<WebSocket> {
        let allowance = Allowance::default();
        let upgraded = Metered::new(TokioIo::new(self.upgraded.await.ok()?), allowance.clone());
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(0)
            .max_write_buffer_size(WRITE_BUFFER_BYTES_MAX)
            .max_message_size(Some(MESSAGE_BYTES_MAX))
            .max_frame_size(Some(MESSAGE_BYTES_MAX));
        let stream = WebSocketStream::from_raw_socket(upgraded, Role::Server, Some(config)).await;
        Some(WebSocket {
            stream,
            allowance,
            connection,
            stopping,
            _tracked: tracked,
        })
    }
}

/// Whether a comma-separated header, however often repeated, names the token.
fn has_token(headers: &HeaderMap, name: &str, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|item| item.trim().eq_ignore_ascii_case(token))
}
