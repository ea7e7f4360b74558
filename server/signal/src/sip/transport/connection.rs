//! SIP over a byte stream, TCP or TLS (RFC 3261 §18): messages framed by Content-Length, keep-alives
//! of RFC 5626 §3.5.1, and an end for whoever is slow, silent or speaks something else.

use std::fmt;
use std::future::pending;
use std::time::Duration;

use ::sip::{Flow, Frame, FramingError, HeaderName, Message, Status, StreamFramer};
use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use crate::sip::driver::Input;
use crate::sip::transport::admission::Place;
use crate::sip::transport::kind::may_become_message;
use crate::sip::transport::{Links, WRITE_QUEUE_MAX};

/// What is read at a time; memory of an idle connection.
const READ_BYTES: usize = 4 * 1024;

/// Time a peer has to take one message off our hands.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long answers still go to a peer that has said it sends no more.
const HALF_CLOSED: Duration = Duration::from_secs(1);

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    ByPeer,
    Framing(FramingError),
    NotSip,
    TooMuch,
    Silent,
    Slow,
    Unproven,
    Stalled,
    Stopping,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ByPeer => "closed by the peer",
            Self::Framing(error) => return error.fmt(f),
            Self::NotSip => "what came is no SIP",
            Self::TooMuch => "too many bytes from somebody who has not proven who he is",
            Self::Silent => "no message came",
            Self::Slow => "a message took too long",
            Self::Unproven => "nobody has proven who he is",
            Self::Stalled => "the peer does not read",
            Self::Stopping => "the server stops",
        })
    }
}

/// Runs one connection to its end.
pub(crate) async fn run<S>(mut stream: S, flow: Flow, place: Place, links: Links)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (writer, queue) = mpsc::channel(WRITE_QUEUE_MAX);
    let opened = Input::Opened { flow, writer };
    if links.inputs.send(opened).await.is_err() {
        return;
    }
    let mut connection = Connection {
        stream: &mut stream,
        flow,
        place,
        links: &links,
        framer: StreamFramer::new(),
        received: 0,
        opened: Instant::now(),
        heard: false,
        partial_since: None,
    };
    let end = connection.exchange(queue).await;
    tracing::debug!(flow = flow.id.0, remote = %flow.remote, "connection ended: {end}");
    let _ = links.inputs.send(Input::Closed { flow: flow.id }).await;
    let _ = timeout(WRITE_TIMEOUT, stream.shutdown()).await;
}

struct Connection<'a, S> {
    stream: &'a mut S,
    flow: Flow,
    place: Place,
    links: &'a Links,
    framer: StreamFramer,
    received: usize,
    opened: Instant,
    /// A whole message has come.
    heard: bool,
    /// A message has begun and is not whole yet.
    partial_since: Option<Instant>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<'_, S> {
    /// Carries messages both ways until something ends the connection.
    async fn exchange(&mut self, mut queue: mpsc::Receiver<Bytes>) -> End {
        let mut buffer = BytesMut::with_capacity(READ_BYTES);
        loop {
            let (deadline, late) = self.deadline();
            let wait = async {
                match deadline {
                    Some(at) => sleep_until(at).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                () = self.links.stopping.cancelled() => return self.last_words(queue).await,
                read = self.stream.read_buf(&mut buffer) => {
                    match read {
                        Ok(0) => return self.half_closed(queue).await,
                        Ok(_) => {}
                        Err(_) => return End::ByPeer,
                    }
                    if let Err(end) = self.take(&buffer).await {
                        return end;
                    }
                    buffer.clear();
                }
                bytes = queue.recv() => match bytes {
                    Some(bytes) => if let Err(end) = self.write(&bytes).await {
                        return end;
                    },
                    // The driver dropped its end: it stops, or gave the connection up.
                    None => return End::Stalled,
                },
                () = wait => return late,
            }
        }
    }

    /// When patience ends, and what it was spent on.
    fn deadline(&self) -> (Option<Instant>, End) {
        let limits = &self.links.limits;
        let known = self.place.is_known();
        let unproven = (!known).then(|| (self.opened + limits.stranger_life, End::Unproven));
        let silent = (!self.heard).then(|| (self.opened + limits.first_message, End::Silent));
        let slow = self
            .partial_since
            .map(|since| (since + limits.message, End::Slow));
        let earliest = [unproven, silent, slow]
            .into_iter()
            .flatten()
            .min_by_key(|(at, _)| *at);
        match earliest {
            Some((at, end)) => (Some(at), end),
            None => (None, End::ByPeer),
        }
    }

    /// Bytes from the wire to messages.
    async fn take(&mut self, bytes: &[u8]) -> Result<(), End> {
        self.received = self.received.saturating_add(bytes.len());
        if !self.place.is_known() && self.received > self.links.limits.stranger_bytes {
            return Err(End::TooMuch);
        }
        self.framer.feed(bytes);
        let mut whole = false;
        loop {
            match self.framer.poll() {
                Ok(Some(Frame::Message(bytes))) => {
                    (whole, self.heard) = (true, true);
                    let input = Input::Message {
                        flow: self.flow,
                        bytes,
                    };
                    // A full queue makes the peer wait: its bytes stay in its kernel.
                    let sent = self.links.inputs.send(input).await;
                    sent.map_err(|_| End::Stopping)?;
                }
                Ok(Some(Frame::Ping)) => self.write(b"\r\n").await?,
                Ok(Some(Frame::Pong)) => {}
                Ok(None) => break,
                Err(error) => {
                    self.refuse(error).await;
                    return Err(End::Framing(error));
                }
            }
        }
        if !may_become_message(self.framer.pending()) {
            self.links.shared.garbage();
            return Err(End::NotSip);
        }
        // Half a ping is no slow message.
        let partial = self
            .framer
            .pending()
            .iter()
            .any(|byte| !b"\r\n".contains(byte));
        self.partial_since = match (partial, self.partial_since) {
            (false, _) => None,
            (true, Some(since)) if !whole => Some(since),
            (true, _) => Some(Instant::now()),
        };
        Ok(())
    }

    /// RFC 3261 §18.3: a request over a stream that has no Content-Length gets a 400. Where the next
    /// message begins is not known then, so the connection ends.
    async fn refuse(&mut self, error: FramingError) {
        self.links.shared.garbage();
        let Ok(Message::Request(request)) = Message::parse(&without_length(self.framer.head()))
        else {
            return;
        };
        if request.method == ::sip::Method::Ack {
            return;
        }
        let status = match error {
            FramingError::HeadTooLong | FramingError::MessageTooLarge => Status::MESSAGE_TOO_LARGE,
            FramingError::NoContentLength | FramingError::BadContentLength => Status::BAD_REQUEST,
        };
        let mut response = request.response(status);
        let warning = format!("399 sidetone \"{error}\"");
        response.headers.push(HeaderName::Warning, &warning);
        let _ = self.write(&response.to_bytes()).await;
    }

    /// The peer has closed its direction; what it asked before is still answered.
    async fn half_closed(&mut self, mut queue: mpsc::Receiver<Bytes>) -> End {
        // A request that went out now would not be answered any more.
        let flow = self.flow.id;
        let _ = self.links.inputs.send(Input::Closing { flow }).await;
        while self.heard
            && let Ok(Some(bytes)) = timeout(HALF_CLOSED, queue.recv()).await
        {
            if let Err(end) = self.write(&bytes).await {
                return end;
            }
        }
        End::ByPeer
    }

    /// What was said before the end is still told: a BYE, say.
    async fn last_words(&mut self, mut queue: mpsc::Receiver<Bytes>) -> End {
        while let Ok(bytes) = queue.try_recv() {
            if self.write(&bytes).await.is_err() {
                break;
            }
        }
        End::Stopping
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), End> {
        let writing = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        match timeout(WRITE_TIMEOUT, writing).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(End::ByPeer),
            Err(_) => Err(End::Stalled),
        }
    }
}

/// The head of a message without its Content-Length, which is what is wrong with it.
fn without_length(head: &[u8]) -> Bytes {
    let is_length = |line: &[u8]| {
        let name = line.split(|&byte| byte == b':').next().unwrap_or_default();
        let name = std::str::from_utf8(name.trim_ascii()).unwrap_or_default();
        HeaderName::from(name) == HeaderName::ContentLength
    };
    let lines = head.split_inclusive(|&byte| byte == b'\n');
    let kept: Vec<&[u8]> = lines.filter(|line| !is_length(line)).collect();
    Bytes::from(kept.concat())
}
