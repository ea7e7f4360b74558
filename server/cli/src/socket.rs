//! The server's end of the console: a socket in the data folder, one request per connection.
//!
//! A request is one line: a verb, a space, and the rest.
//!
//! | verb | the rest | the answer |
//! |---|---|---|
//! | `run`, `run:ID` | what was typed, at the console ID | text, then EOT and `1` if it was done, `0` if not |
//! | `complete` | what was typed so far | one completion per line, then EOT and `1` |
//! | `follow` | a level of verbosity | `ID PID PRODUCT`, then lines of the log until the exchange ends: EOT and `stop` or `restart` |
//!
//! Whoever may open the socket may do everything, so it is its owner's alone.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use switch::Then;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::asker::asked_by;
use crate::exchange::{Answer, Exchange};

/// The socket's name in the data folder.
pub const SOCKET_NAME: &str = "console.sock";

/// Connections open at a time; more wait in the system's queue.
pub const CONNECTIONS_MAX: usize = 16;

/// Bytes of a request, its end included.
pub const LINE_BYTES_MAX: u64 = 4_096;

/// How long a request may take to arrive, and an answer to be taken.
const TRANSFER_TIMEOUT: Duration = Duration::from_secs(10);

/// How long one command may take.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(60);

/// Comes after the text of an answer, which cannot contain it.
pub(crate) const END: char = '\u{4}';

/// The listening console.
#[derive(Debug)]
pub struct Console {
    tracker: TaskTracker,
    /// No more connections.
    stopping: CancellationToken,
    /// No more answers.
    ended: CancellationToken,
}

impl Console {
    /// Listens at `path`. A socket left there by a process that died is replaced, so the caller makes
    /// sure that no other exchange uses it. Must be called inside a tokio runtime.
    ///
    /// # Errors
    ///
    /// What the system says; a path longer than it allows for sockets (108 bytes) among it.
    pub fn listen(path: &Path, exchange: Arc<Exchange>) -> io::Result<Self> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        let console = Self {
            tracker: TaskTracker::new(),
            stopping: CancellationToken::new(),
            ended: CancellationToken::new(),
        };
        let shared = Arc::new(Shared {
            exchange,
            tracker: console.tracker.clone(),
            stopping: console.stopping.clone(),
            ended: console.ended.clone(),
        });
        console.tracker.spawn(accept(shared, listener));
        Ok(console)
    }

    /// Stops listening and waits at most `grace` for the answers under way.
    pub async fn shutdown(&self, grace: Duration) {
        self.stopping.cancel();
        self.tracker.close();
        let _ = timeout(grace, self.tracker.wait()).await;
        self.ended.cancel();
    }
}

struct Shared {
    exchange: Arc<Exchange>,
    tracker: TaskTracker,
    stopping: CancellationToken,
    ended: CancellationToken,
}

async fn accept(shared: Arc<Shared>, listener: UnixListener) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let next = async {
            let permit = permits.clone().acquire_owned().await;
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            next = next => next,
            () = shared.stopping.cancelled() => return,
        };
        match (permit, accepted) {
            (Ok(permit), Ok((stream, _))) => {
                let connection = serve(shared.clone(), stream, permit);
                shared.tracker.spawn(connection);
            }
            (_, Err(error)) => {
                // Out of file descriptors; that passes.
                tracing::debug!("console: accept: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
            (Err(_), _) => return,
        }
    }
}

const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

async fn serve(shared: Arc<Shared>, mut stream: UnixStream, _permit: OwnedSemaphorePermit) {
    let whole = async {
        let mut line = String::new();
        let mut reader = BufReader::new((&mut stream).take(LINE_BYTES_MAX));
        let read = timeout(TRANSFER_TIMEOUT, reader.read_line(&mut line)).await;
        let answer = match read {
            Ok(Ok(_)) if line.ends_with('\n') => {
                let request = line.trim_end_matches('\n');
                if let Some(verbose) = request.strip_prefix("follow ") {
                    return follow(&shared, stream, verbose).await;
                }
                answer(&shared.exchange, request).await
            }
            Ok(Ok(_)) => refusal("The command is longer than the console takes.\n"),
            Ok(Err(_)) | Err(_) => return,
        };
        let bytes = encode(&answer);
        let _ = timeout(TRANSFER_TIMEOUT, stream.write_all(&bytes)).await;
        let _ = stream.shutdown().await;
    };
    tokio::select! {
        () = Box::pin(whole) => {}
        () = shared.ended.cancelled() => {}
    }
}

async fn answer(exchange: &Exchange, request: &str) -> Answer {
    let (verb, line) = request.split_once(' ').unwrap_or((request, ""));
    let console = match verb.split_once(':') {
        Some(("run", id)) => id.parse().ok(),
        _ => None,
    };
    match verb.split(':').next().unwrap_or_default() {
        "run" => {
            let running = asked_by(console, exchange.run(line));
            match timeout(COMMAND_TIMEOUT, running).await {
                Ok(answer) => answer,
                Err(_) => refusal("The command takes too long and was given up.\n"),
            }
        }
        "complete" => {
            let words = exchange.complete(line).await;
            Answer {
                text: words.into_iter().map(|word| word + "\n").collect(),
                done: true,
            }
        }
        _ => refusal("A request begins with `run`, `complete` or `follow`.\n"),
    }
}

/// Sends the log until the console leaves or the exchange ends.
async fn follow(shared: &Shared, stream: UnixStream, verbose: &str) {
    let parts = &shared.exchange.parts;
    let (mut reader, mut writer) = stream.into_split();
    let Some(mut attached) = parts.log.attach(verbose.parse().unwrap_or(0)) else {
        let refused = encode(&refusal("Too many consoles are attached.\n"));
        let _ = timeout(TRANSFER_TIMEOUT, writer.write_all(&refused)).await;
        return;
    };
    let (id, pid, product) = (attached.id(), std::process::id(), parts.product);
    let mut text = format!("{id} {pid} {product}\n");
    let mut left = [0; 1];
    loop {
        let sent = timeout(TRANSFER_TIMEOUT, writer.write_all(text.as_bytes())).await;
        if !matches!(sent, Ok(Ok(()))) {
            return;
        }
        text = tokio::select! {
            line = attached.next() => match line {
                Some(line) => line,
                None => return,
            },
            // It sends nothing more, so this is its end.
            _ = reader.read(&mut left) => return,
            () = shared.stopping.cancelled() => break,
        };
    }
    let then = parts.switch.stop_asked().map(|stop| stop.then);
    let word = match then {
        Some(Then::Restart) => "restart",
        Some(Then::Leave) | None => "stop",
    };
    let farewell = format!("{END}{word}");
    let _ = timeout(TRANSFER_TIMEOUT, writer.write_all(farewell.as_bytes())).await;
}

fn refusal(text: &str) -> Answer {
    Answer {
        text: text.to_owned(),
        done: false,
    }
}

/// An answer may quote what a stranger sent, so control characters do not reach the terminal.
fn encode(answer: &Answer) -> Vec<u8> {
    let mut text: String = answer
        .text
        .chars()
        .map(|c| {
            if c.is_control() && c != '\n' && c != '\t' {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect();
    text.push(END);
    text.push(if answer.done { '1' } else { '0' });
    text.into_bytes()
}
