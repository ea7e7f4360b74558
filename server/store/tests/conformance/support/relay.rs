//! A relay before a server, which can be cut, held and opened again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What the relay does to those who come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Passes on.
    Open,
    /// Takes connections and passes nothing on.
    Held,
    /// Refuses, and has closed what was open.
    Cut,
}

/// A port before another one.
pub(crate) struct Relay {
    pub(crate) port: u16,
    state: watch::Sender<(u64, State)>,
    /// Milliseconds that each answer takes longer.
    delay: Arc<AtomicU64>,
}

impl Relay {
    pub(crate) async fn start(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (state, seen) = watch::channel((0, State::Open));
        let delay = Arc::<AtomicU64>::default();
        let delayed = Arc::clone(&delay);
        tokio::spawn(async move {
            loop {
                let Ok((client, _)) = listener.accept().await else {
                    return;
                };
                tokio::spawn(pass(client, target, seen.clone(), delayed.clone()));
            }
        });
        Self { port, state, delay }
    }

    pub(crate) fn open(&self) {
        self.turn(State::Open);
    }

    /// Each answer takes so much longer.
    pub(crate) fn slow(&self, delay: Duration) {
        let milliseconds = u64::try_from(delay.as_millis()).unwrap();
        self.delay.store(milliseconds, Ordering::Relaxed);
    }

    pub(crate) fn hold(&self) {
        self.turn(State::Held);
    }

    pub(crate) fn cut(&self) {
        self.turn(State::Cut);
    }

    fn turn(&self, state: State) {
        self.state.send_modify(|now| *now = (now.0 + 1, state));
    }
}

/// Passes bytes both ways until the relay is cut.
async fn pass(
    mut client: TcpStream,
    target: u16,
    mut state: watch::Receiver<(u64, State)>,
    delay: Arc<AtomicU64>,
) {
    if state.borrow_and_update().1 == State::Cut {
        return;
    }
    let Ok(mut server) = TcpStream::connect(("127.0.0.1", target)).await else {
        return;
    };
    let (mut up, mut down) = ([0; 16 * 1024], [0; 16 * 1024]);
    loop {
        while state.borrow_and_update().1 == State::Held {
            if state.changed().await.is_err() {
                return;
            }
        }
        if state.borrow_and_update().1 == State::Cut {
            return;
        }
        tokio::select! {
            changed = state.changed() => {
                // Cut and opened again in one go is cut all the same.
                if changed.is_err() || state.borrow().1 != State::Held {
                    return;
                }
            }
            read = client.read(&mut up) => match read {
                Ok(count) if count > 0 => {
                    if server.write_all(&up[..count]).await.is_err() {
                        return;
                    }
                }
                _ => return,
            },
            read = server.read(&mut down) => match read {
                Ok(count) if count > 0 => {
                    let delay = Duration::from_millis(delay.load(Ordering::Relaxed));
                    tokio::time::sleep(delay).await;
                    if client.write_all(&down[..count]).await.is_err() {
                        return;
                    }
                }
                _ => return,
            },
        }
    }
}
