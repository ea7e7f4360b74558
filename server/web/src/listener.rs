//! Sockets: bind, accept, TLS. One task per listener and one per connection, all tracked.
//!
//! What is served can be changed while it runs: [`Server::prepare`] binds and checks without effect,
//! [`Prepared::commit`] puts it in force. Connections go on through it.

mod bind;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use crate::acme::{ACME_TLS_1, Challenges};
use crate::counted::Counted;
use crate::limits::{CONNECTIONS_MAX, HANDSHAKE_TIMEOUT};
use crate::places::{Full, Place};
use crate::routes::Shared;
use crate::serve::{Version, serve};
use crate::site::Site;
use crate::tls::Resolver;
use crate::{Certificate, Guard, Routes, TlsError, TlsSettings};

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

/// How a [`Server`] listens and what it serves.
#[derive(Debug)]
pub struct Options {
    /// Addresses, plain and TLS.
    pub listeners: Vec<Listen>,
    /// Needed when one of them is `secure`. Its files, if it has any, are watched.
    pub certificate: Option<Certificate>,
    /// How TLS is spoken.
    pub tls: TlsSettings,
    /// Host names that are ours beside `localhost`, addresses and the certificate's names; `*` for
    /// any.
    pub names: Vec<String>,
    /// Other sites whose pages may use the WebSocket; `*` for all.
    pub origins: Vec<String>,
    /// Open connections at most; [`CONNECTIONS_MAX`] unless the machine is small.
    pub connections_max: usize,
    /// What is served beside the routes.
    pub site: Site,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listeners: Vec::new(),
            certificate: None,
            tls: TlsSettings::default(),
            names: Vec::new(),
            origins: Vec::new(),
            connections_max: CONNECTIONS_MAX,
            site: Site::default(),
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
    /// Connections closed at once because there was no place for them.
    pub refused: usize,
}

/// Why the server cannot serve like that.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be bound.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// For TLS.
        secure: bool,
        /// What the system says.
        source: io::Error,
    },
    /// TLS without a certificate.
    #[error("{0} is to speak TLS, but there is no certificate")]
    NoCertificate(SocketAddr),
    /// The settings of TLS cannot be kept.
    #[error("HTTPS: {0}")]
    Tls(#[from] TlsError),
}

/// The running listeners.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    open: Arc<Mutex<Open>>,
}

/// What listens, and what ends the watch on the certificate's files.
#[derive(Debug, Default)]
struct Open {
    listeners: Vec<Bound>,
    watch: CancellationToken,
}

/// A socket that listens, and what was asked for: they differ when the port was 0.
#[derive(Debug, Clone)]
struct Bound {
    asked: SocketAddr,
    optional: bool,
    socket: Arc<Socket>,
}

#[derive(Debug)]
struct Socket {
    listener: TcpListener,
    address: SocketAddr,
    secure: AtomicBool,
    closing: CancellationToken,
}

/// What requests and new connections are served with; replaced whole.
pub(crate) struct State {
    pub(crate) guard: Guard,
    pub(crate) site: Site,
    pub(crate) listening: Vec<Listen>,
    tls: Option<TlsAcceptor>,
    connections_max: usize,
}

/// Sockets bound and options checked, without effect until [`Prepared::commit`]; dropped, it leaves
/// everything as it was.
#[derive(Debug)]
#[must_use = "nothing changes before commit"]
pub struct Prepared {
    shared: Arc<Shared>,
    open: Arc<Mutex<Open>>,
    state: State,
    certificate: Option<Certificate>,
    listeners: Vec<(Bound, bool)>,
}

impl Server {
    /// Binds every address, then serves. Must be called inside a tokio runtime.
    ///
    /// # Errors
    ///
    /// The first thing that is not possible.
    pub fn start(options: Options, routes: Routes) -> Result<Self, StartError> {
        let state = State {
            guard: Guard::default(),
            site: Site::default(),
            listening: Vec::new(),
            tls: None,
            connections_max: options.connections_max,
        };
        let server = Self {
            shared: Arc::new(Shared::new(routes, ArcSwap::from_pointee(state))),
            open: Arc::default(),
        };
        match server.prepare(options) {
            Ok(prepared) => prepared.commit(),
            Err(mut errors) => return Err(errors.swap_remove(0)),
        }
        Ok(server)
    }

    /// Binds new addresses and checks everything. Addresses that are listened on already are kept.
    ///
    /// # Errors
    ///
    /// Everything that is not possible.
    pub fn prepare(&self, options: Options) -> Result<Prepared, Vec<StartError>> {
        let mut errors = Vec::new();
        let tls = self.acceptor(&options).unwrap_or_else(|error| {
            errors.push(error);
            None
        });
        let listeners = self.bind(&options, &mut errors);
        if !errors.is_empty() {
            return Err(errors);
        }
        let guard = Guard::new(&options.names, &options.origins);
        let guard = guard.with_certificate(options.certificate.clone());
        Ok(Prepared {
            shared: self.shared.clone(),
            open: self.open.clone(),
            state: State {
                guard,
                site: options.site,
                listening: listeners
                    .iter()
                    .map(|(bound, secure)| bound.listen(*secure))
                    .collect(),
                tls,
                connections_max: options.connections_max,
            },
            certificate: options.certificate,
            listeners,
        })
    }

    fn acceptor(&self, options: &Options) -> Result<Option<TlsAcceptor>, StartError> {
        let Some(secure) = options.listeners.iter().find(|listen| listen.secure) else {
            return Ok(None);
        };
        let Some(certificate) = &options.certificate else {
            return Err(StartError::NoCertificate(secure.address));
        };
        let resolver = Resolver::of(certificate, Some(self.shared.challenges.clone()));
        let config = options
            .tls
            .config_of(resolver, &[b"h2", b"http/1.1", ACME_TLS_1])?;
        Ok(Some(TlsAcceptor::from(config)))
    }

    /// Every address of the options with whether it speaks TLS; what listens already is kept.
    fn bind(&self, options: &Options, errors: &mut Vec<StartError>) -> Vec<(Bound, bool)> {
        let open = self.lock();
        let mut listeners = Vec::new();
        for listen in &options.listeners {
            let kept = open
                .listeners
                .iter()
                .find(|old| old.asked == listen.address);
            if let Some(kept) = kept {
                listeners.push((kept.clone(), listen.secure));
                continue;
            }
            let own = open.listeners.iter().map(|old| &old.socket.listener);
            // Unless the other family is asked for by itself.
            let both = !options.listeners.iter().any(|other| {
                other.address.is_ipv4() && other.address.port() == listen.address.port()
            });
            match bind::bind(listen.address, both, own) {
                Ok((listener, address)) => {
                    let socket = Socket {
                        listener,
                        address,
                        secure: AtomicBool::new(listen.secure),
                        closing: self.shared.stopping.child_token(),
                    };
                    let bound = Bound {
                        asked: listen.address,
                        optional: listen.optional,
                        socket: Arc::new(socket),
                    };
                    listeners.push((bound, listen.secure));
                }
                Err(source) if listen.optional && bind::is_absent(&source) => {
                    tracing::debug!(address = %listen.address, "not listening: {source}");
                }
                Err(source) => errors.push(StartError::Bind {
                    address: listen.address,
                    secure: listen.secure,
                    source,
                }),
            }
        }
        listeners
    }

    /// The addresses really bound.
    pub fn listening(&self) -> Vec<Listen> {
        self.shared.state.load().listening.clone()
    }

    /// What every path begins with now; empty without a prefix.
    pub fn prefix(&self) -> String {
        self.shared.state.load().site.prefix.clone()
    }

    /// The paths served beside the page and without the prefix, in the order they were added.
    pub fn paths(&self) -> Vec<&'static str> {
        self.shared.routes.paths().collect()
    }

    /// Where answers to an ACME server's challenges go.
    pub fn challenges(&self) -> Challenges {
        self.shared.challenges.clone()
    }

    /// For `/status`.
    pub fn counts(&self) -> Counts {
        Counts {
            connections: self.shared.places.taken(),
            websockets: self.shared.websockets.load(Ordering::Relaxed),
            refused: self.shared.places.refused(),
        }
    }

    /// Stops listening, tells every WebSocket that the server goes away, and waits at most `grace`.
    pub async fn shutdown(&self, grace: Duration) {
        self.shared.stopping.cancel();
        self.lock().listeners.clear();
        self.shared.tracker.close();
        let _ = timeout(grace, self.shared.tracker.wait()).await;
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Prepared {
    /// Puts it in force: new listeners accept, those no longer wanted are closed, requests see the
    /// new state. Connections that are open go on.
    pub fn commit(self) {
        self.shared.state.store(Arc::new(self.state));
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let old = std::mem::take(&mut open.listeners);
        let is_same = |one: &Bound, other: &Bound| Arc::ptr_eq(&one.socket, &other.socket);
        for gone in &old {
            if !self.listeners.iter().any(|(kept, _)| is_same(kept, gone)) {
                gone.socket.closing.cancel();
            }
        }
        for (bound, secure) in self.listeners {
            bound.socket.secure.store(secure, Ordering::Relaxed);
            if !old.iter().any(|kept| is_same(kept, &bound)) {
                let accepting = accept(self.shared.clone(), bound.socket.clone());
                self.shared.tracker.spawn(accepting);
            }
            open.listeners.push(bound);
        }
        open.watch.cancel();
        open.watch = self.shared.stopping.child_token();
        if let Some(certificate) = self.certificate {
            let (watch, watching) = (open.watch.clone(), certificate.watch("HTTPS".to_owned()));
            self.shared.tracker.spawn(async move {
                tokio::select! {
                    () = watching => {}
                    () = watch.cancelled() => {}
                }
            });
        }
    }
}

impl Bound {
    fn listen(&self, secure: bool) -> Listen {
        Listen {
            address: self.socket.address,
            secure,
            optional: self.optional,
        }
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("site", &self.site)
            .finish_non_exhaustive()
    }
}

async fn accept(shared: Arc<Shared>, socket: Arc<Socket>) {
    let wildcard = socket.address.ip().is_unspecified();
    let mut last = 0..bind::BACKLOG;
    loop {
        let accepted = tokio::select! {
            accepted = socket.listener.accept() => Some(accepted),
            // Who is in the queue already has a connection, and would see it reset.
            () = socket.closing.cancelled() => match last.next() {
                Some(_) => bind::accept_queued(&socket.listener).map(Ok),
                None => None,
            },
        };
        let Some(accepted) = accepted else {
            return;
        };
        let (stream, remote) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, or a peer that gave up: neither ends the listener.
                tracing::debug!(address = %socket.address, "accept: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let state = shared.state.load_full();
        let place = match shared.places.take(remote.ip(), state.connections_max) {
            Ok(place) => Arc::new(place),
            Err(full) => {
                warn_full(&shared, full, remote);
                continue;
            }
        };
        let Ok(local) = stream.local_addr() else {
            continue;
        };
        // A listener on both families shows addresses of IPv4 in the form of IPv6.
        let [local, remote] = [local, remote]
            .map(|address| SocketAddr::new(address.ip().to_canonical(), address.port()));
        let secure = socket.secure.load(Ordering::Relaxed);
        let connection = Connection {
            local,
            remote,
            secure,
        };
        let tls = state.tls.clone().filter(|_| secure);
        let connecting = connect(shared.clone(), stream, tls, connection, wildcard, place);
        shared.tracker.spawn(connecting);
    }
}

/// The first and then ever rarer ones: a flood must not fill the log.
fn warn_full(shared: &Shared, full: Full, remote: SocketAddr) {
    let refused = shared.places.refused();
    if refused.is_power_of_two() {
        tracing::warn!(%remote, refused, "closed a connection: {full}");
    }
}

async fn connect(
    shared: Arc<Shared>,
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    connection: Connection,
    wildcard: bool,
    place: Arc<Place>,
) {
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else {
        // A listener that has just become TLS has not the certificate yet.
        if !connection.secure {
            let stream = Counted::new(stream, place);
            serve(shared, stream, connection, wildcard, Version::Http1).await;
        }
        return;
    };
    let stopping = shared.stopping.clone();
    let handshake = timeout(HANDSHAKE_TIMEOUT, handshake(stream, tls));
    let secured = tokio::select! {
        secured = handshake => secured,
        () = stopping.cancelled() => return,
    };
    let remote = connection.remote;
    match secured {
        Ok(Ok(stream)) => {
            let version = match stream.get_ref().1.alpn_protocol() {
                Some(b"h2") => Version::Http2,
                Some(protocol) if protocol == ACME_TLS_1 => return,
                _ => Version::Http1,
            };
            let stream = Counted::new(stream, place);
            serve(shared, stream, connection, wildcard, version).await;
        }
        Ok(Err(error)) => tracing::debug!(%remote, "TLS handshake: {error}"),
        Err(_) => tracing::debug!(%remote, "TLS handshake took too long"),
    }
}

/// A TLS record of a handshake starts with 22 (RFC 8446 §5.1). Anything else is someone who wrote
/// http:// for https:// and gets a sentence instead of a reset connection.
async fn handshake(mut stream: TcpStream, tls: TlsAcceptor) -> io::Result<TlsStream<TcpStream>> {
    let mut first = [0];
    if stream.peek(&mut first).await? == 1 && first[0].is_ascii_uppercase() {
        stream.write_all(PLAIN_ON_TLS.as_bytes()).await?;
        stream.shutdown().await?;
        return Err(io::Error::other("plain HTTP"));
    }
    tls.accept(stream).await
}

const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
const PLAIN_ON_TLS: &str = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\
Content-Length: 69\r\nConnection: close\r\n\r\n\
This port speaks TLS: write https:// (or wss://) instead of http://\r\n";
