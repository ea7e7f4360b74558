//! Sockets: bind, accept, TLS, HTTP/1.1. One task per listener and one per connection, all tracked.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::counted::Counted;
use crate::limits::{
    CONNECTIONS_MAX, HANDSHAKE_TIMEOUT, HEAD_BYTES_MAX, HEADER_TIMEOUT, HEADERS_MAX, HTTP_LIFE_MAX,
};
use crate::routes::Shared;
use crate::{Certificate, Guard, Routes};

/// One address to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen {
    /// Where; port 0 takes a free one.
    pub address: SocketAddr,
    /// TLS with the server's certificate.
    pub secure: bool,
    /// A machine without this address (often `::1`) is no error.
    pub optional: bool,
}

/// How to start a [`Server`].
#[derive(Debug)]
pub struct Options {
    /// Addresses, plain and TLS.
    pub listeners: Vec<Listen>,
    /// Needed when one of them is `secure`.
    pub certificate: Option<Certificate>,
    /// Host names that are ours beside `localhost`, addresses and the certificate's names.
    pub names: Vec<String>,
    /// Other sites whose pages may use the WebSocket; `*` for all.
    pub origins: Vec<String>,
    /// Open connections at most; [`CONNECTIONS_MAX`] unless the machine is small.
    pub connections_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listeners: Vec::new(),
            certificate: None,
            names: Vec::new(),
            origins: Vec::new(),
            connections_max: CONNECTIONS_MAX,
        }
    }
}

/// The two ends of a TCP connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connection {
    /// Our address, never a wildcard.
    pub local: SocketAddr,
    /// The peer's address.
    pub remote: SocketAddr,
    /// TLS.
    pub secure: bool,
}

/// What is open now, and what was refused since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// TCP connections, WebSockets included.
    pub connections: usize,
    /// WebSockets.
    pub websockets: usize,
    /// Connections closed at once because [`Options::connections_max`] were open.
    pub refused: usize,
}

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be bound.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// TLS without a certificate.
    #[error("{0} is to speak TLS, but there is no certificate")]
    NoCertificate(SocketAddr),
}

/// The running listeners.
#[derive(Debug)]
pub struct Server {
    listening: Vec<Listen>,
    core: Arc<Core>,
}

struct Core {
    shared: Arc<Shared>,
    permits: Arc<Semaphore>,
    connections_max: usize,
    refused: AtomicUsize,
}

impl Server {
    /// Binds every address, then serves. Must be called inside a tokio runtime.
    pub fn start(options: Options, routes: Routes) -> Result<Self, StartError> {
        let mut names = options.names;
        names.extend(options.certificate.iter().flat_map(Certificate::names));
        let shared = Shared {
            routes,
            guard: Guard::new(&names, &options.origins),
            tracker: TaskTracker::new(),
            stopping: CancellationToken::new(),
            websockets: AtomicUsize::new(0),
        };
        let core = Arc::new(Core {
            shared: Arc::new(shared),
            permits: Arc::new(Semaphore::new(options.connections_max)),
            connections_max: options.connections_max,
            refused: AtomicUsize::new(0),
        });
        let mut bound = Vec::new();
        for listen in options.listeners {
            let tls = match (&options.certificate, listen.secure) {
                (Some(certificate), true) => Some(TlsAcceptor::from(certificate.server_config())),
                (None, true) => return Err(StartError::NoCertificate(listen.address)),
                (_, false) => None,
            };
            match bind(listen.address) {
                Ok((listener, address)) => {
                    bound.push((listener, tls, Listen { address, ..listen }))
                }
                Err(source) if listen.optional && is_absent(&source) => {
                    tracing::debug!(address = %listen.address, "not listening: {source}");
                }
                Err(source) => {
                    return Err(StartError::Bind {
                        address: listen.address,
                        source,
                    });
                }
            }
        }
        let listening = bound.iter().map(|(_, _, listen)| *listen).collect();
        for (listener, tls, listen) in bound {
            core.shared
                .tracker
                .spawn(core.clone().accept(listener, tls, listen));
        }
        Ok(Self { listening, core })
    }

    /// The addresses really bound.
    pub fn listening(&self) -> &[Listen] {
        &self.listening
    }

    /// The paths served beside the page, in the order they were added.
    pub fn paths(&self) -> Vec<&'static str> {
        self.core.shared.routes.paths().collect()
    }

    /// For `/status`.
    pub fn counts(&self) -> Counts {
        let core = &self.core;
        Counts {
            connections: core.connections_max - core.permits.available_permits(),
            websockets: core.shared.websockets.load(Ordering::Relaxed),
            refused: core.refused.load(Ordering::Relaxed),
        }
    }

    /// Stops listening, tells every WebSocket that the server goes away, and waits at most `grace`.
    pub async fn shutdown(&self, grace: Duration) {
        self.core.shared.stopping.cancel();
        self.core.shared.tracker.close();
        let _ = timeout(grace, self.core.shared.tracker.wait()).await;
    }
}

impl Core {
    async fn accept(
        self: Arc<Self>,
        listener: TcpListener,
        tls: Option<TlsAcceptor>,
        listen: Listen,
    ) {
        let wildcard = listen.address.ip().is_unspecified();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = self.shared.stopping.cancelled() => return,
            };
            let (stream, remote) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors, or a peer that gave up: neither ends the listener.
                    tracing::debug!(address = %listen.address, "accept: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let Ok(permit) = self.permits.clone().try_acquire_owned() else {
                if self.refused.fetch_add(1, Ordering::Relaxed) == 0 {
                    tracing::warn!(%remote, "closed a connection: {} are open", self.connections_max);
                }
                continue;
            };
            let Ok(local) = stream.local_addr() else {
                continue;
            };
            let connection = Connection {
                local,
                remote,
                secure: listen.secure,
            };
            let core = self.clone();
            let tls = tls.clone();
            self.shared.tracker.spawn(async move {
                core.connect(stream, tls, connection, wildcard, permit)
                    .await;
            });
        }
    }

    async fn connect(
        self: Arc<Self>,
        stream: TcpStream,
        tls: Option<TlsAcceptor>,
        connection: Connection,
        wildcard: bool,
        permit: OwnedSemaphorePermit,
    ) {
        let _ = stream.set_nodelay(true);
        let Some(tls) = tls else {
            return self
                .serve(Counted::new(stream, permit), connection, wildcard)
                .await;
        };
        let stopping = self.shared.stopping.clone();
        let handshake = timeout(HANDSHAKE_TIMEOUT, handshake(stream, tls));
        let secured = tokio::select! {
            secured = handshake => secured,
            () = stopping.cancelled() => return,
        };
        match secured {
            Ok(Ok(stream)) => {
                self.serve(Counted::new(stream, permit), connection, wildcard)
                    .await
            }
            Ok(Err(error)) => {
                tracing::debug!(remote = %connection.remote, "TLS handshake: {error}")
            }
            Err(_) => tracing::debug!(remote = %connection.remote, "TLS handshake took too long"),
        }
    }

    /// HTTP until the connection ends or becomes a WebSocket.
    fn serve<S>(
        self: Arc<Self>,
        stream: Counted<S>,
        connection: Connection,
        wildcard: bool,
    ) -> impl Future<Output = ()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let shared = self.shared.clone();
        let stopping = shared.stopping.clone();
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let response = shared.dispatch(request.map(Body::new), connection, wildcard);
            async move { Ok::<_, std::convert::Infallible>(response) }
        });
        let http = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .max_buf_size(HEAD_BYTES_MAX)
            .max_headers(HEADERS_MAX)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        async move {
            let mut http = pin!(http);
            tokio::select! {
                served = timeout(HTTP_LIFE_MAX, http.as_mut()) => {
                    if let Ok(Err(error)) = served {
                        tracing::debug!(remote = %connection.remote, "HTTP: {error}");
                    }
                }
                () = stopping.cancelled() => {
                    http.as_mut().graceful_shutdown();
                    let _ = timeout(GOODBYE_TIMEOUT, http).await;
                }
            }
        }
    }
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core")
            .field("routes", &self.shared.routes)
            .finish_non_exhaustive()
    }
}

/// A TLS record of a handshake starts with 22 (RFC 8446 §5.1). Anything else is someone who wrote
/// http:// for https:// and gets a sentence instead of a reset connection.
async fn handshake(
    mut stream: TcpStream,
    tls: TlsAcceptor,
) -> io::Result<tokio_rustls::server::TlsStream<TcpStream>> {
    let mut first = [0];
    if stream.peek(&mut first).await? == 1 && first[0].is_ascii_uppercase() {
        stream.write_all(PLAIN_ON_TLS.as_bytes()).await?;
        stream.shutdown().await?;
        return Err(io::Error::other("plain HTTP"));
    }
    tls.accept(stream).await
}

/// IPv6 sockets take IPv6 alone: `0.0.0.0` and `::` can both be in the list.
fn bind(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    let listener = TcpListener::from_std(StdListener::from(socket))?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// The machine has no such address or no such family.
fn is_absent(error: &io::Error) -> bool {
    const EAFNOSUPPORT: i32 = 97;
    error.kind() == io::ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(EAFNOSUPPORT)
}

const BACKLOG: i32 = 1_024;
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
const GOODBYE_TIMEOUT: Duration = Duration::from_millis(500);
const PLAIN_ON_TLS: &str = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\
Content-Length: 69\r\nConnection: close\r\n\r\n\
This port speaks TLS: write https:// (or wss://) instead of http://\r\n";
