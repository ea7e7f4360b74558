//! TCP and TLS listeners. One task accepts, one runs each connection. What a connection gets (TLS or
//! not, which certificate, which marks) is read when it comes, so that a reload swaps it under the
//! same socket.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ::sip::{Flow, Transport};
use arc_swap::ArcSwap;
use config::TransportConfig;
use socket2::{SockRef, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use web::Certificate;

use crate::sip::transport::admission::{Counted, Place};
use crate::sip::transport::{Links, canonical, connection, mark, next_connection, socket, tls};

/// What new connections get.
pub(crate) struct Settings {
    pub(crate) config: Arc<TransportConfig>,
    /// TLS, if it is spoken.
    pub(crate) tls: Option<Tls>,
}

/// What is spoken on a TLS transport.
pub(crate) struct Tls {
    pub(crate) acceptor: TlsAcceptor,
    certificate: Certificate,
    /// Ends the watch on the certificate's files.
    watch: CancellationToken,
}

impl Tls {
    pub(crate) fn of(config: &TransportConfig) -> Result<Self, String> {
        let (acceptor, certificate) = tls::acceptor(config)?;
        Ok(Self {
            acceptor,
            certificate,
            watch: CancellationToken::new(),
        })
    }
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("config", &self.config)
            .field("tls", &self.tls.is_some())
            .finish()
    }
}

/// One address that takes connections.
#[derive(Debug)]
pub(crate) struct StreamListener {
    pub(crate) bound: SocketAddr,
    pub(crate) settings: ArcSwap<Settings>,
    /// Connections open now.
    pub(crate) connections: Arc<AtomicUsize>,
    /// Ends the listener, not its connections.
    pub(crate) closing: CancellationToken,
    socket: std::sync::Mutex<Option<TcpListener>>,
}

/// Connections the kernel may hold for us.
const BACKLOG: i32 = 1_024;

/// Out of file descriptors: accepting again at once would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

impl StreamListener {
    /// Binds the address; `dual` takes IPv4 on an IPv6 wildcard too.
    pub(crate) fn bind(settings: Settings, dual: bool) -> io::Result<Self> {
        let address = settings.config.bind;
        let socket = socket(address, Type::STREAM, dual)?;
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        let listener = TcpListener::from_std(StdListener::from(socket))?;
        Ok(Self {
            bound: listener.local_addr()?,
            settings: ArcSwap::from_pointee(settings),
            connections: Arc::default(),
            closing: CancellationToken::new(),
            socket: std::sync::Mutex::new(Some(listener)),
        })
    }

    /// New connections get these settings from now on.
    pub(crate) fn configure(&self, settings: Settings, links: &Links) {
        let before = self.settings.swap(Arc::new(settings));
        if let Some(tls) = &before.tls {
            tls.watch.cancel();
        }
        self.watch(links);
    }

    /// Follows the files of the certificate for as long as it is in force.
    pub(crate) fn watch(&self, links: &Links) {
        let settings = self.settings.load_full();
        let (closing, stopping) = (self.closing.clone(), links.stopping.clone());
        links.tracker.spawn(async move {
            let Some(tls) = &settings.tls else { return };
            let name = format!("transport {}", settings.config.id);
            tokio::select! {
                () = tls.certificate.clone().watch(name) => {}
                () = tls.watch.cancelled() => {}
                () = closing.cancelled() => {}
                () = stopping.cancelled() => {}
            }
        });
    }

    /// Accepts until the transport is removed or the server stops.
    pub(crate) async fn accept(self: Arc<Self>, links: Links) {
        let socket = self.socket.lock().ok().and_then(|mut socket| socket.take());
        let Some(socket) = socket else { return };
        loop {
            let accepted = tokio::select! {
                accepted = socket.accept() => accepted,
                () = self.closing.cancelled() => return,
                () = links.stopping.cancelled() => return,
            };
            match accepted {
                Ok((stream, remote)) => self.admit(stream, canonical(remote), &links),
                Err(error) => {
                    tracing::debug!(address = %self.bound, "accept: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn admit(&self, stream: TcpStream, remote: SocketAddr, links: &Links) {
        let settings = self.settings.load_full();
        let Some(counted) = Counted::take(&self.connections, links.limits.connections) else {
            let crowded = &links.shared.counters.crowded;
            if crowded.fetch_add(1, Ordering::Relaxed).is_power_of_two() {
                let id = &settings.config.id;
                tracing::warn!(%remote, "closed a connection: transport {id} is full");
            }
            return;
        };
        let Ok(local) = stream.local_addr() else {
            return;
        };
        let flow = Flow {
            id: next_connection(),
            transport: match settings.tls {
                Some(_) => Transport::Tls,
                None => Transport::Tcp,
            },
            local: canonical(local),
            remote,
        };
        let Some(place) = Place::take(&links.shared, flow.id, remote.ip(), &links.limits) else {
            return;
        };
        prepare(&stream, &settings.config, local.is_ipv6());
        let links = links.clone();
        let tracker = links.tracker.clone();
        tracker.spawn(async move {
            let _counted = counted;
            match &settings.tls {
                None => connection::run(stream, flow, place, links).await,
                Some(tls) => {
                    let accepted = tls.acceptor.accept(stream);
                    let handshake = timeout(links.limits.handshake, accepted);
                    let secured = tokio::select! {
                        secured = handshake => secured,
                        () = links.stopping.cancelled() => return,
                    };
                    match secured {
                        Ok(Ok(stream)) => connection::run(stream, flow, place, links).await,
                        Ok(Err(error)) => tracing::debug!(%remote, "TLS handshake: {error}"),
                        Err(_) => tracing::debug!(%remote, "TLS handshake took too long"),
                    }
                }
            }
        });
    }
}

/// Marks and keep-alive of one connection.
pub(crate) fn prepare(stream: &TcpStream, config: &TransportConfig, is_ipv6: bool) {
    let _ = stream.set_nodelay(true);
    let socket = SockRef::from(stream);
    if config.tcp_keepalive_enable {
        let seconds = |s: u32| Duration::from_secs(s.into());
        let keepalive = TcpKeepalive::new()
            .with_time(seconds(config.tcp_keepalive_idle_time))
            .with_interval(seconds(config.tcp_keepalive_interval_time))
            .with_retries(config.tcp_keepalive_probe_count);
        if let Err(error) = socket.set_tcp_keepalive(&keepalive) {
            tracing::warn!(transport = config.id, "tcp_keepalive_enable: {error}");
        }
    }
    mark(&socket, is_ipv6, config.tos, config.cos);
}
