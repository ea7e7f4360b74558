//! SIP over WebSocket (RFC 7118): one message, text or binary, is one SIP message.

use ::sip::{Flow, Transport};
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until};
use web::{Closed, Frame, WebSocket};

use crate::Keepalive;
use crate::sip::driver::Input;
use crate::sip::transport::admission::Place;
use crate::sip::transport::kind::{Kind, kind_of};
use crate::sip::transport::{Links, WRITE_QUEUE_MAX, canonical, next_connection};

/// Messages that are no SIP which one connection may send before it is closed.
pub(crate) const GARBAGE_MAX: usize = 8;

/// Runs one connection to its end.
pub(crate) async fn run(mut socket: WebSocket, links: Links, keepalive: Keepalive) {
    let connection = socket.connection();
    let flow = Flow {
        id: next_connection(),
        transport: if connection.secure {
            Transport::Wss
        } else {
            Transport::Ws
        },
        local: canonical(connection.local),
        remote: canonical(connection.remote),
    };
    let Some(place) = Place::take(&links.shared, flow.id, flow.remote.ip(), &links.limits) else {
        return socket.close(&Closed::Crowded).await;
    };
    socket.allow(links.limits.stranger_bytes);
    let (writer, queue) = mpsc::channel(WRITE_QUEUE_MAX);
    let opened = Input::Opened { flow, writer };
    if links.inputs.send(opened).await.is_err() {
        return socket.close(&Closed::Stopping).await;
    }
    let closed = exchange(&mut socket, flow, &place, queue, &links, keepalive).await;
    tracing::debug!(flow = flow.id.0, remote = %flow.remote, "WebSocket {closed}");
    let _ = links.inputs.send(Input::Closed { flow: flow.id }).await;
    socket.close(&closed).await;
}

/// Carries messages both ways until something ends the connection.
async fn exchange(
    socket: &mut WebSocket,
    flow: Flow,
    place: &Place,
    mut queue: mpsc::Receiver<Bytes>,
    links: &Links,
    keepalive: Keepalive,
) -> Closed {
    let (inputs, shared) = (&links.inputs, &links.shared);
    let mut is_known = false;
    let unproven_until = Instant::now() + links.limits.stranger_life;
    let mut pings = interval_at(Instant::now() + keepalive.ping_every, keepalive.ping_every);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut heard = Instant::now();
    let mut garbage = 0;
    loop {
        if !is_known && place.is_known() {
            is_known = true;
            socket.allow(usize::MAX);
        }
        tokio::select! {
            () = sleep_until(unproven_until), if !is_known => {
                if !place.is_known() {
                    return Closed::Unproven;
                }
            }
            frame = socket.receive() => {
                heard = Instant::now();
                let bytes = match frame {
                    Ok(Frame::Message(bytes)) => bytes,
                    Ok(Frame::Sign) => continue,
                    Err(closed) => return last_words(socket, queue, closed).await,
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

/// What was said before the end is still told: a BYE, say.
async fn last_words(
    socket: &mut WebSocket,
    mut queue: mpsc::Receiver<Bytes>,
    closed: Closed,
) -> Closed {
    while closed == Closed::Stopping
        && let Ok(bytes) = queue.try_recv()
        && socket.send(bytes).await.is_ok()
    {}
    closed
}
