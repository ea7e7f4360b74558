//! The handle `main` holds: start, routes, counts, stop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ::sip::Standing;
use config::{CallerId, Config, Protocol, TransportConfig};
use store::SavedContact;
use switch::Switch;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::sip::command::Command;
use crate::sip::driver::{Driver, INPUTS_MAX};
use crate::sip::outbound::Pjsip;
use crate::sip::qualify::{self, ContactStatus};
use crate::sip::shared::{self, Shared};
use crate::sip::transport::admission::Limits;
use crate::sip::transport::listeners::{Listeners, Planned, TransportState};
use crate::sip::transport::{Links, ws};
use crate::sip::trunk::Wanted;

/// How to start.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to listen; port 0 takes a free one. Those of WebSockets listen in the web server.
    pub transports: Vec<TransportConfig>,
    /// The value of Server and User-Agent; the product's own name if `None`.
    pub server: Option<String>,
    /// Where nonces, tags and branches come from: 32 bytes nobody can guess.
    pub seed: [u8; 32],
    /// How long a silent WebSocket is believed in.
    pub keepalive: Keepalive,
    /// Bounds of the SIP machine.
    pub limits: ::sip::Limits,
    /// What connections may cost.
    pub connections: Limits,
    /// The DNS server that is asked in place of those the system names.
    pub name_server: Option<SocketAddr>,
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
    /// Everything but the transports as usual.
    pub fn new(transports: Vec<TransportConfig>, seed: [u8; 32]) -> Self {
        Self {
            transports,
            server: None,
            seed,
            keepalive: Keepalive::default(),
            limits: ::sip::Limits::default(),
            connections: Limits::default(),
            name_server: None,
        }
    }
}

/// What Server and User-Agent say.
fn named(written: Option<String>) -> String {
    written.unwrap_or_else(|| PRODUCT.to_owned())
}

const PRODUCT: &str = concat!("Sidetone/", env!("CARGO_PKG_VERSION"));

/// How long the end waits for other servers to take registrations back.
const LEAVE_PATIENCE: Duration = Duration::from_secs(2);

/// What signalling holds now, and what it refused since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// WebSockets that speak SIP.
    pub websockets: usize,
    /// TCP and TLS connections.
    pub streams: usize,
    /// Connections turned away because there were too many.
    pub crowded: usize,
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
    /// Messages that could not be taken or sent: a slow reader, a socket's full buffer, a flow that is gone.
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
    /// What is left of the registration; for ever if the contact stands in a file.
    pub left: Duration,
    /// Whether it is there.
    pub status: ContactStatus,
}

/// Somebody who has subscribed to something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribed {
    /// The endpoint that watches.
    pub endpoint: String,
    /// Who that is.
    pub caller: CallerId,
    /// The context of the extension; empty for a mailbox.
    pub context: String,
    /// The extension, or the address of record of a mailbox.
    pub resource: String,
    /// The event, as it was asked for.
    pub event: String,
    /// The Call-ID of its dialog.
    pub call_id: String,
    /// What is left until it ends, if it is not renewed.
    pub left: Duration,
}

/// A registration of the exchange at another server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outbound {
    /// What the configuration says of it.
    pub config: config::Registration,
    /// How it stands.
    pub standing: Standing,
    /// Seconds until the other server forgets it; negative if it has; `None` if it never knew it.
    pub left_s: Option<i64>,
}

/// Running signalling.
#[derive(Debug)]
pub struct Signal {
    links: Links,
    listeners: Arc<Listeners>,
    keepalive: Keepalive,
}

/// What a new configuration needs, made ready by [`Signal::prepare`]. Dropped, it leaves everything
/// as it was.
#[derive(Debug)]
#[must_use = "nothing changes before `commit`"]
pub struct Prepared {
    shared: Arc<Shared>,
    listeners: Arc<Listeners>,
    planned: Planned,
    server: String,
    registrations: Vec<Arc<Wanted>>,
}

impl Prepared {
    /// Puts it in force. Connections and calls that are there stay; what is removed takes nobody new.
    pub fn commit(self) {
        self.listeners.commit(self.planned);
        let server = self.server;
        self.shared.command(Command::Rename { server });
        let wanted = self.registrations;
        self.shared.command(Command::Registrations { wanted });
    }
}

impl Signal {
    /// Starts the driver and whatever transport can listen; [`Signal::faults`] says which cannot and
    /// why. Must be called inside a tokio runtime.
    pub fn start(options: Options, switch: Switch) -> Self {
        let (inputs, received) = mpsc::channel(INPUTS_MAX);
        let (tracker, stopping) = (TaskTracker::new(), CancellationToken::new());
        let server = named(options.server);
        let hops = switch.config().global.max_forwards;
        let identity = ::sip::Identity {
            server,
            host: None,
            max_forwards: u8::try_from(hops).ok().filter(|hops| *hops != 70),
        };
        let (shared, commands) = Shared::new(switch, options.seed, options.name_server);
        let agent = ::sip::Agent::new(identity, options.limits, options.seed);
        let links = Links {
            inputs,
            shared,
            tracker,
            stopping: stopping.clone(),
            limits: options.connections,
        };
        let driver = Driver::new(agent, links.clone());
        links
            .tracker
            .spawn(driver.run(commands, received, stopping));
        let listeners = Arc::new(Listeners::new(links.clone()));
        let (planned, ..) = listeners.plan(&options.transports);
        listeners.commit(planned);
        let wanted = Wanted::all(&links.shared.switch.config());
        links.shared.command(Command::Registrations { wanted });
        Self {
            links,
            listeners,
            keepalive: options.keepalive,
        }
    }

    /// Makes ready what `config` needs: binds new addresses and reads every certificate anew, without
    /// effect on what runs.
    ///
    /// # Errors
    ///
    /// A sentence for each transport that would not work. One that did not work before and is
    /// written as it was is no error: it must not forbid other changes.
    pub fn prepare(&self, config: &Config) -> Result<Prepared, Vec<String>> {
        let (planned, faults, old_faults) = self.listeners.plan(&config.transports);
        if !faults.is_empty() {
            return Err(faults);
        }
        for fault in old_faults {
            tracing::warn!("{fault}");
        }
        Ok(Prepared {
            shared: self.links.shared.clone(),
            listeners: self.listeners.clone(),
            planned,
            server: named(config.global.user_agent.clone()),
            registrations: Wanted::all(config),
        })
    }

    /// Every transport that binds an address, in the order of the file.
    pub fn transports(&self) -> Vec<TransportState> {
        self.listeners.states()
    }

    /// Why transports do not listen, each with its place in the file.
    pub fn faults(&self) -> Vec<String> {
        let states = self.transports().into_iter();
        states.filter_map(|state| state.fault).collect()
    }

    /// Adds what signalling serves: the WebSocket `/ws` with the subprotocol `sip`.
    #[must_use]
    pub fn routes(&self, routes: web::Routes) -> web::Routes {
        let (links, keepalive) = (self.links.clone(), self.keepalive);
        routes.websocket("/ws", "sip", move |socket| {
            ws::run(socket, links.clone(), keepalive)
        })
    }

    /// How calls go out, for [`Switch::connect`].
    pub fn technologies(&self) -> Vec<Arc<dyn switch::Technology>> {
        vec![Arc::new(Pjsip::new(&self.links.shared))]
    }

    /// Puts contacts of an earlier run in force, as [`Store::keep`](store::Store::keep) returned them.
    pub fn restore(&self, contacts: Vec<SavedContact>) {
        if contacts.is_empty() {
            return;
        }
        // The driver also sees to it that they are asked whether they are there.
        self.links.shared.restore(contacts);
    }

    /// The UDP addresses really bound.
    pub fn udp(&self) -> Vec<SocketAddr> {
        let states = self.transports().into_iter();
        let udp = states.filter(|state| state.config.protocol == Protocol::Udp);
        udp.filter_map(|state| state.bound).collect()
    }

    /// For `/status`.
    pub fn counts(&self) -> Counts {
        self.links.shared.counts()
    }

    /// Every contact, registered or written, by address of record.
    pub fn contacts(&self) -> Vec<Registered> {
        let now = shared::now();
        let location = self.links.shared.location();
        let bindings = location.all();
        let written = location.all_written().map(|(aor, written)| Registered {
            aor: aor.to_owned(),
            endpoint: written.endpoint.clone(),
            uri: written.uri.to_string(),
            remote: written.remote(),
            left: Duration::MAX,
            status: written.watch.status,
        });
        bindings
            .map(|(aor, binding)| Registered {
                aor: aor.to_owned(),
                endpoint: binding.endpoint.clone(),
                uri: binding.contact.address.uri.to_string(),
                remote: binding.flow.remote,
                left: binding.expires_at.saturating_duration_since(now),
                status: binding.watch.status,
            })
            .chain(written)
            .collect()
    }

    /// Every registration at another server, in the order of the file.
    pub fn registrations(&self) -> Vec<Outbound> {
        let (now, config) = (shared::now(), self.links.shared.switch.config());
        let trunks = self.links.shared.trunks();
        let all = config.registrations.iter().map(|own| {
            let state = trunks.get(&own.id);
            let at = state.and_then(|state| state.expires_at);
            let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
            Outbound {
                config: own.clone(),
                standing: state.map(|state| state.standing).unwrap_or_default(),
                left_s: at.map(|at| match at >= now {
                    true => seconds(at - now),
                    false => -seconds(now - at),
                }),
            }
        });
        all.collect()
    }

    /// Registers at another server now, or takes that back: the registration of this name, or all. `false`:
    /// there is none of this name.
    pub fn register(&self, id: Option<&str>, is_on: bool) -> bool {
        let shared = &self.links.shared;
        if id.is_some_and(|id| shared.trunks().get(id).is_none()) {
            return false;
        }
        let id = id.map(str::to_owned);
        shared.command(Command::Register { id, is_on });
        true
    }

    /// Who has subscribed to what, the oldest first.
    pub async fn subscriptions(&self) -> Vec<Subscribed> {
        let (reply, list) = tokio::sync::oneshot::channel();
        self.links.shared.command(Command::Watchers(reply));
        // A driver that has ended has no subscriptions any more.
        list.await.unwrap_or_default()
    }

    /// Returns when the driver has taken a command: the proof that it does not hang.
    pub async fn respond(&self) {
        // A driver that has ended drops the question unanswered; that is the end of signalling.
        let _ = self.links.shared.ping().await;
    }

    /// Asks all contacts of an endpoint whether they are there; the names of its addresses of record.
    ///
    /// # Errors
    ///
    /// The database could not be asked. `Ok(None)`: there is no such endpoint.
    pub async fn qualify(&self, endpoint: &str) -> Result<Option<Vec<String>>, store::StoreError> {
        let store = self.links.shared.switch.store();
        let Some(subscriber) = store.subscriber(endpoint).await? else {
            return Ok(None);
        };
        for aor in &subscriber.aors {
            qualify::watch(&self.links.shared, &subscriber, aor, shared::now());
        }
        let aors = subscriber.aors.iter().map(|aor| aor.id.clone());
        let aors: Vec<String> = aors.collect();
        self.links
            .shared
            .command(Command::Qualify { aors: aors.clone() });
        Ok(Some(aors))
    }

    /// Ends the driver, the sockets and the connections, after it has told other servers that the exchange
    /// is not there any more. Calls are hung up before, by the switch.
    pub async fn shutdown(&self, grace: Duration) {
        let (reply, left) = tokio::sync::oneshot::channel();
        self.links.shared.command(Command::Leave(reply));
        // A server that does not answer finds out by itself.
        let _ = tokio::time::timeout(LEAVE_PATIENCE, left).await;
        self.links.stopping.cancel();
        self.links.tracker.close();
        let _ = tokio::time::timeout(grace, self.links.tracker.wait()).await;
    }
}
