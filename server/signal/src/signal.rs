//! The handle `main` holds: start, routes, counts, stop.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use switch::Switch;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::sip::driver::{self, Driver, INPUTS_MAX};
use crate::sip::outbound::Pjsip;
use crate::sip::shared::{self, Shared};
use crate::sip::transport::{udp, ws};

/// How to start.
#[derive(Debug, Clone)]
pub struct Options {
    /// UDP addresses to bind; port 0 takes a free one.
    pub udp: Vec<SocketAddr>,
    /// The value of Server and User-Agent; the product's own name if `None`.
    pub server: Option<String>,
    /// Where nonces, tags and branches come from: 32 bytes nobody can guess.
    pub seed: [u8; 32],
    /// How long a silent WebSocket is believed in.
    pub keepalive: Keepalive,
    /// Bounds of the SIP machine.
    pub limits: ::sip::Limits,
}

/// How long a silent WebSocket is believed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keepalive {
    /// Time between our PINGs.
    pub ping_every: Duration,
    /// A connection that sends nothing for so long, not even a PONG, is dead.
    pub silence_max: Duration,
}

impl Default for Keepalive {
    fn default() -> Self {
        Self {
            ping_every: Duration::from_secs(25),
            silence_max: Duration::from_secs(60),
        }
    }
}

impl Options {
    /// Everything but the addresses as usual.
    pub fn new(udp: Vec<SocketAddr>, seed: [u8; 32]) -> Self {
        Self {
            udp,
            server: None,
            seed,
            keepalive: Keepalive::default(),
            limits: ::sip::Limits::default(),
        }
    }
}

const PRODUCT: &str = concat!("Sidetone/", env!("CARGO_PKG_VERSION"));

/// Why signalling does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A UDP address cannot be bound.
    #[error("cannot listen on UDP {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
}

/// What signalling holds now, and what it refused since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// WebSockets that speak SIP.
    pub websockets: usize,
    /// Remote UDP addresses that are remembered.
    pub udp_flows: usize,
    /// Registered contacts.
    pub bindings: usize,
    /// SIP transactions.
    pub transactions: usize,
    /// SIP dialogs.
    pub dialogs: usize,
    /// INVITE usages: calls in every state.
    pub invites: usize,
    /// Wrong passwords and unknown users.
    pub failed_auths: usize,
    /// Messages that were no SIP.
    pub garbage: usize,
    /// Messages that could not be sent: a slow reader, a socket's full buffer, a flow that is gone.
    pub dropped: usize,
}

/// A registered contact, as others may know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// The address of record.
    pub aor: String,
    /// The endpoint that registered it.
    pub endpoint: String,
    /// The URI as the client wrote it.
    pub uri: String,
    /// Where its connection comes from.
    pub remote: SocketAddr,
    /// What is left of the registration.
    pub left: Duration,
}

/// Running signalling.
#[derive(Debug)]
pub struct Signal {
    shared: Arc<Shared>,
    inputs: mpsc::Sender<driver::Input>,
    udp: Vec<SocketAddr>,
    keepalive: Keepalive,
    tracker: TaskTracker,
    stopping: CancellationToken,
}

impl Signal {
    /// Binds the UDP addresses and starts the driver. Must be called inside a tokio runtime.
    pub fn start(options: Options, switch: Switch) -> Result<Self, StartError> {
        let mut sockets = Vec::new();
        for address in options.udp {
            let socket =
                udp::bind(address).map_err(|source| StartError::Bind { address, source })?;
            sockets.push(Arc::new(socket));
        }
        let (inputs, received) = mpsc::channel(INPUTS_MAX);
        let (shared, commands) = Shared::new(switch, options.seed);
        let (tracker, stopping) = (TaskTracker::new(), CancellationToken::new());
        let server = options.server.unwrap_or_else(|| PRODUCT.to_owned());
        let identity = ::sip::Identity { server, host: None };
        let agent = ::sip::Agent::new(identity, options.limits, options.seed);
        let udp = sockets
            .iter()
            .filter_map(|socket| socket.local_addr().ok())
            .collect();
        for (index, socket) in sockets.iter().enumerate() {
            tracker.spawn(udp::receive(
                index,
                socket.clone(),
                inputs.clone(),
                stopping.clone(),
            ));
        }
        let driver = Driver::new(agent, shared.clone(), sockets, tracker.clone());
        tracker.spawn(driver.run(commands, received, stopping.clone()));
        Ok(Self {
            shared,
            inputs,
            udp,
            keepalive: options.keepalive,
            tracker,
            stopping,
        })
    }

    /// Adds what signalling serves: the WebSocket `/ws` with the subprotocol `sip`.
    #[must_use]
    pub fn routes(&self, routes: web::Routes) -> web::Routes {
        let (inputs, shared, keepalive) =
            (self.inputs.clone(), self.shared.clone(), self.keepalive);
        routes.websocket("/ws", "sip", move |socket| {
            ws::run(socket, inputs.clone(), shared.clone(), keepalive)
        })
    }

    /// How calls go out, for [`Switch::connect`].
    pub fn technologies(&self) -> Vec<Arc<dyn switch::Technology>> {
        vec![Arc::new(Pjsip::new(&self.shared))]
    }

    /// The UDP addresses really bound.
    pub fn udp(&self) -> &[SocketAddr] {
        &self.udp
    }

    /// For `/status`.
    pub fn counts(&self) -> Counts {
        self.shared.counts()
    }

    /// Every registered contact, by address of record.
    pub fn contacts(&self) -> Vec<Registered> {
        let now = shared::now();
        let location = self.shared.location();
        let bindings = location.all();
        bindings
            .map(|(aor, binding)| Registered {
                aor: aor.to_owned(),
                endpoint: binding.endpoint.clone(),
                uri: binding.contact.address.uri.to_string(),
                remote: binding.flow.remote,
                left: binding.expires_at.saturating_duration_since(now),
            })
            .collect()
    }

    /// Returns when the driver has taken a command: the proof that it does not hang.
    pub async fn respond(&self) {
        // A driver that has ended drops the question unanswered; that is the end of signalling.
        let _ = self.shared.ping().await;
    }

    /// Ends the driver and the UDP sockets. Calls are hung up before, by the switch.
    pub async fn shutdown(&self, grace: Duration) {
        self.stopping.cancel();
        self.tracker.close();
        let _ = tokio::time::timeout(grace, self.tracker.wait()).await;
    }
}
