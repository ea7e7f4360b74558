//! SIP over WebSocket (RFC 7118): one message, text or binary, is one SIP message.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ::sip::{Flow, FlowId, Transport};
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use web::{Closed, Frame, WebSocket};

use crate::Keepalive;
use crate::sip::driver::Input;
use crate::sip::shared::Shared;

/// Messages that may wait for a slow reader; one more and the connection ends.
pub(crate) const WRITE_QUEUE_MAX: usize = 64;

/// Messages that are no SIP which one connection may send before it is closed.
pub(crate) const GARBAGE_MAX: usize = 8;

/// WebSocket flows count up from here, UDP flows below; neither is ever used again.
pub(crate) const FIRST_FLOW: u64 = 1 << 62;

static NEXT_FLOW: AtomicU64 = AtomicU64::new(FIRST_FLOW);

/// Runs one connection to its end.
pub(crate) async fn run(
    mut socket: WebSocket,
    inputs: mpsc::Sender<Input>,
    shared: Arc<Shared>,
    keepalive: Keepalive,
) {
    let connection = socket.connection();
    let flow = Flow {
        id: FlowId(NEXT_FLOW.fetch_add(1, Ordering::Relaxed)),
        transport: if connection.secure {
            Transport::Wss
        } else {
            Transport::Ws
        },
        local: connection.local,
        remote: connection.remote,
    };
    let (writer, queue) = mpsc::channel(WRITE_QUEUE_MAX);
    if inputs.send(Input::Opened { flow, writer }).await.is_err() {
        return socket.close(&Closed::Stopping).await;
    }
    let closed = exchange(&mut socket, flow, queue, &inputs, &shared, keepalive).await;
    tracing::debug!(flow = flow.id.0, remote = %flow.remote, "WebSocket {closed}");
    let _ = inputs.send(Input::Closed { flow: flow.id }).await;
    socket.close(&closed).await;
}

/// Carries messages both ways until something ends the connection.
async fn exchange(
    socket: &mut WebSocket,
    flow: Flow,
    mut queue: mpsc::Receiver<Bytes>,
    inputs: &mpsc::Sender<Input>,
    shared: &Shared,
    keepalive: Keepalive,
) -> Closed {
    let mut pings = interval_at(Instant::now() + keepalive.ping_every, keepalive.ping_every);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut heard = Instant::now();
    let mut garbage = 0;
    loop {
        tokio::select! {
            frame = socket.receive() => {
                heard = Instant::now();
                let bytes = match frame {
                    Ok(Frame::Message(bytes)) => bytes,
                    Ok(Frame::Sign) => continue,
                    Err(closed) => {
                        // What was said before the end is still told: a BYE, say.
                        while let Ok(bytes) = queue.try_recv() {
                            if closed != Closed::Stopping || socket.send(bytes).await.is_err() {
                                break;
                            }
                        }
                        return closed;
                    }
                };
                match kind_of(&bytes) {
                    Kind::Message => {
                        if inputs.send(Input::Message { flow, bytes }).await.is_err() {
                            return Closed::Stopping;
                        }
                    }
                    Kind::Ping => {
                        if let Err(closed) = socket.send(Bytes::from_static(b"\r\n")).await {
                            return closed;
                        }
                    }
                    Kind::Pong => {}
                    Kind::Garbage => {
                        shared.garbage();
                        garbage += 1;
                        if garbage > GARBAGE_MAX {
                            return Closed::Protocol;
                        }
                    }
                }
            }
            bytes = queue.recv() => match bytes {
                Some(bytes) => if let Err(closed) = socket.send(bytes).await {
                    return closed;
                },
                // The driver dropped its end: it stops, or we do not read fast enough.
                None => return Closed::Stalled,
            },
            _ = pings.tick() => {
                if heard.elapsed() >= keepalive.silence_max {
                    return Closed::Stalled;
                }
                if let Err(closed) = socket.ping().await {
                    return closed;
                }
            }
        }
    }
}

/// What a WebSocket message is, by its first line.
#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Message,
    /// RFC 5626 §4.4.1: "the client … sends a double-CRLF (the 'ping') then waits to receive a
    /// single CRLF (the 'pong')".
    Ping,
    Pong,
    Garbage,
}

fn kind_of(bytes: &[u8]) -> Kind {
    let start = bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n'));
    let Some(start) = start else {
        return if bytes.len() >= 4 {
            Kind::Ping
        } else {
            Kind::Pong
        };
    };
    let line = &bytes[start..];
    let end = line
        .iter()
        .position(|&byte| byte == b'\n')
        .unwrap_or(line.len());
    let line = line[..end].trim_ascii_end();
    let is_status_line = line
        .get(..4)
        .is_some_and(|word| word.eq_ignore_ascii_case(b"SIP/"));
    let last_word = line.rsplit(|&byte| byte == b' ').next().unwrap_or_default();
    let is_request_line = last_word
        .get(..4)
        .is_some_and(|word| word.eq_ignore_ascii_case(b"SIP/"));
    if is_status_line || is_request_line {
        Kind::Message
    } else {
        Kind::Garbage
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_line_tells_messages_from_garbage() {
        assert_eq!(kind_of(b"REGISTER sip:a SIP/2.0\r\n\r\n"), Kind::Message);
        assert_eq!(kind_of(b"\r\nSIP/2.0 200 OK\r\n\r\n"), Kind::Message);
        assert_eq!(kind_of(b"OPTIONS sip:a SIP/3.0\r\n\r\n"), Kind::Message);
        assert_eq!(kind_of(b"\r\n\r\n"), Kind::Ping);
        assert_eq!(kind_of(b"\r\n"), Kind::Pong);
        assert_eq!(kind_of(b""), Kind::Pong);
        for garbage in [
            &b"hello"[..],
            b"{\"jsonrpc\":\"2.0\"}",
            b"\0\xff\xfe",
            b"GET / HTTP/1.1\r\n",
            b" ",
        ] {
            assert_eq!(kind_of(garbage), Kind::Garbage, "{garbage:?}");
        }
    }
}
