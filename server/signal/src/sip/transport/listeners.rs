//! The table of transports: what listens, what was to listen and does not, and how a reload changes it.
//!
//! A socket belongs to an address, not to a name: a transport that is renamed, or gets another
//! certificate, keeps the socket it has. So nothing that runs is disturbed by a reload, and what is
//! removed stops taking newcomers while those who came before stay.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::{io, mem};

use config::{Protocol, TransportConfig};

use crate::sip::transport::Links;
use crate::sip::transport::tcp::{Settings, StreamListener, Tls};
use crate::sip::transport::udp::UdpListener;

/// Every transport of the configuration that binds an address.
#[derive(Debug)]
pub(crate) struct Listeners {
    links: Links,
    runtime: tokio::runtime::Handle,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    entries: Vec<Entry>,
    /// UDP sockets of removed transports that somebody is still reached by.
    retired: Vec<Weak<UdpListener>>,
}

/// One transport: its socket, or the sentence about why it has none.
#[derive(Debug, Clone)]
struct Entry {
    config: Arc<TransportConfig>,
    state: Result<Listening, String>,
}

#[derive(Debug, Clone)]
enum Listening {
    Udp(Arc<UdpListener>),
    Stream(Arc<StreamListener>),
}

impl Listening {
    fn bound(&self) -> SocketAddr {
        match self {
            Self::Udp(listener) => listener.bound,
            Self::Stream(listener) => listener.bound,
        }
    }
}

/// A transport as others may know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransportState {
    /// What the configuration says.
    pub config: Arc<TransportConfig>,
    /// The address really bound; `None` if it does not listen.
    pub bound: Option<SocketAddr>,
    /// Connections open now; on UDP, remote addresses that are remembered.
    pub peers: usize,
    /// Why it does not listen.
    pub fault: Option<String>,
}

/// What a new configuration needs, made ready: sockets bound, certificates read.
#[derive(Debug)]
pub(crate) struct Planned {
    entries: Vec<(Entry, Step)>,
}

#[derive(Debug)]
enum Step {
    /// A new socket.
    Start,
    /// The socket stays and gets these settings.
    Keep(Option<Box<Settings>>),
    /// Nothing listens.
    Nothing,
}

impl Listeners {
    /// Must be called inside a tokio runtime.
    pub(crate) fn new(links: Links) -> Self {
        Self {
            links,
            runtime: tokio::runtime::Handle::current(),
            table: Mutex::default(),
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes ready what `transports` need and nothing listens for yet. The sentences say what does
    /// not work; those of the first list are new faults, those of the second were there before.
    pub(crate) fn plan(
        &self,
        transports: &[TransportConfig],
    ) -> (Planned, Vec<String>, Vec<String>) {
        let _runtime = self.runtime.enter();
        let table = self.table();
        let (mut faults, mut old_faults) = (Vec::new(), Vec::new());
        let binding = transports.iter().filter(|config| config.protocol.binds());
        let entries = binding
            .map(|config| {
                let config = Arc::new(config.clone());
                let outcome = table.make(&config, transports);
                let outcome = outcome.map_err(|fault| format!("{} {fault}", config.title()));
                match outcome {
                    Ok((listening, step)) => {
                        let state = Ok(listening);
                        (Entry { config, state }, step)
                    }
                    Err(fault) => {
                        let known = |entry: &Entry| entry.state.is_err() && entry.config == config;
                        match table.entries.iter().any(known) {
                            true => old_faults.push(fault.clone()),
                            false => faults.push(fault.clone()),
                        }
                        let state = Err(fault);
                        (Entry { config, state }, Step::Nothing)
                    }
                }
            })
            .collect();
        (Planned { entries }, faults, old_faults)
    }

    /// Puts a plan in force.
    pub(crate) fn commit(&self, planned: Planned) {
        let _runtime = self.runtime.enter();
        let mut table = self.table();
        let before = mem::take(&mut table.entries);
        // Before anything is accepted: a connection finds here what it says of our addresses.
        self.publish(planned.entries.iter().map(|(entry, _)| entry));
        for (entry, step) in planned.entries {
            match (&entry.state, step) {
                (Ok(Listening::Udp(listener)), Step::Start) => {
                    let receive = listener.clone().receive(self.links.clone());
                    self.links.tracker.spawn(receive);
                }
                (Ok(Listening::Stream(listener)), Step::Start) => {
                    let accept = listener.clone().accept(self.links.clone());
                    self.links.tracker.spawn(accept);
                    listener.watch(&self.links);
                }
                (Ok(Listening::Udp(listener)), Step::Keep(_)) => {
                    listener.configure(entry.config.clone());
                    listener.retired.store(false, Ordering::Relaxed);
                }
                (Ok(Listening::Stream(listener)), Step::Keep(settings)) => {
                    if let Some(settings) = settings {
                        listener.configure(*settings, &self.links);
                    }
                }
                (Ok(_), Step::Nothing) | (Err(_), _) => {}
            }
            if let Ok(listening) = &entry.state {
                let (config, bound) = (&entry.config, listening.bound());
                let protocol = config.protocol.as_str();
                tracing::debug!(transport = config.id, "listening on {protocol} {bound}");
            }
            table.entries.push(entry);
        }
        for removed in before.iter().filter_map(|entry| entry.state.as_ref().ok()) {
            if table.entries.iter().any(|entry| entry.has(removed)) {
                continue;
            }
            match removed {
                Listening::Stream(listener) => listener.closing.cancel(),
                Listening::Udp(listener) => {
                    listener.retired.store(true, Ordering::Relaxed);
                    table.retired.push(Arc::downgrade(listener));
                }
            }
        }
        table.retired.retain(|listener| {
            listener
                .upgrade()
                .is_some_and(|listener| listener.retired.load(Ordering::Relaxed))
        });
    }

    fn publish<'a>(&self, entries: impl Iterator<Item = &'a Entry>) {
        let (mut udp, mut streams) = (Vec::new(), Vec::new());
        for listening in entries.filter_map(|entry| entry.state.as_ref().ok()) {
            match listening {
                Listening::Udp(listener) => udp.push(listener.clone()),
                Listening::Stream(listener) => streams.push(listener.clone()),
            }
        }
        self.links.shared.udp.store(Arc::new(udp));
        self.links.shared.streams.store(Arc::new(streams));
    }

    /// Every transport that binds an address, in the order of the file.
    pub(crate) fn states(&self) -> Vec<TransportState> {
        let table = self.table();
        let entries = table.entries.iter();
        entries
            .map(|entry| TransportState {
                config: entry.config.clone(),
                bound: entry.state.as_ref().ok().map(Listening::bound),
                peers: match &entry.state {
                    Ok(Listening::Udp(listener)) => listener.flows.load(Ordering::Relaxed),
                    Ok(Listening::Stream(listener)) => listener.connections.load(Ordering::Relaxed),
                    Err(_) => 0,
                },
                fault: entry.state.as_ref().err().cloned(),
            })
            .collect()
    }
}

impl Entry {
    fn has(&self, listening: &Listening) -> bool {
        match (&self.state, listening) {
            (Ok(Listening::Udp(own)), Listening::Udp(other)) => Arc::ptr_eq(own, other),
            (Ok(Listening::Stream(own)), Listening::Stream(other)) => Arc::ptr_eq(own, other),
            _ => false,
        }
    }
}

impl Table {
    /// The socket of a transport, new or kept, with what must still happen to it.
    fn make(
        &self,
        config: &Arc<TransportConfig>,
        all: &[TransportConfig],
    ) -> Result<(Listening, Step), String> {
        let dual = takes_both_families(config, all);
        if config.protocol == Protocol::Udp {
            if let Some(listener) = self.udp(config.bind) {
                return Ok((Listening::Udp(listener), Step::Keep(None)));
            }
            let bound = UdpListener::bind(config.clone(), dual);
            let listener = bound.map_err(|error| self.unbound(config, &error))?;
            return Ok((Listening::Udp(Arc::new(listener)), Step::Start));
        }
        let tls = match config.protocol {
            Protocol::Tls => Some(Tls::of(config).map_err(|e| format!("does not listen: {e}"))?),
            Protocol::Udp | Protocol::Tcp | Protocol::Ws | Protocol::Wss => None,
        };
        let settings = Settings {
            config: config.clone(),
            tls,
        };
        if let Some(listener) = self.stream(config.bind) {
            let step = Step::Keep(Some(Box::new(settings)));
            return Ok((Listening::Stream(listener), step));
        }
        let bound = StreamListener::bind(settings, dual);
        let listener = bound.map_err(|error| self.unbound(config, &error))?;
        Ok((Listening::Stream(Arc::new(listener)), Step::Start))
    }

    fn udp(&self, bind: SocketAddr) -> Option<Arc<UdpListener>> {
        let running = self.entries.iter().filter_map(|entry| match &entry.state {
            Ok(Listening::Udp(listener)) => Some(listener.clone()),
            _ => None,
        });
        let retired = self.retired.iter().filter_map(Weak::upgrade);
        let mut all = running.chain(retired);
        all.find(|listener| listener.config.load().bind == bind)
    }

    fn stream(&self, bind: SocketAddr) -> Option<Arc<StreamListener>> {
        self.entries.iter().find_map(|entry| match &entry.state {
            Ok(Listening::Stream(listener)) if entry.config.bind == bind => Some(listener.clone()),
            _ => None,
        })
    }

    /// Why an address cannot be bound, and what to do.
    fn unbound(&self, config: &TransportConfig, error: &io::Error) -> String {
        let (protocol, bind) = (config.protocol.as_str(), config.bind);
        let own = || {
            self.entries.iter().find(|entry| {
                entry.state.is_ok()
                    && entry.config.bind.port() == bind.port()
                    && (entry.config.protocol == Protocol::Udp)
                        == (config.protocol == Protocol::Udp)
            })
        };
        let reason = match error.kind() {
            io::ErrorKind::AddrInUse => match own() {
                Some(entry) => format!(
                    "transport `{}` has the port on {} until the next start",
                    entry.config.id, entry.config.bind
                ),
                // What no file says cannot be changed in one.
                None if config.written.file.is_empty() => {
                    "another program listens there; stop it".to_owned()
                }
                None => "another program listens there; stop it, or change the port in `bind`"
                    .to_owned(),
            },
            io::ErrorKind::AddrNotAvailable => {
                "this machine has no such address; correct `bind`, or use 0.0.0.0".to_owned()
            }
            io::ErrorKind::PermissionDenied => {
                "the system does not permit it; ports below 1024 need CAP_NET_BIND_SERVICE"
                    .to_owned()
            }
            _ => error.to_string(),
        };
        format!("cannot listen on {protocol} {bind}: {reason}")
    }
}

/// `[::]` takes IPv4 too, unless another transport has the port there.
fn takes_both_families(config: &TransportConfig, all: &[TransportConfig]) -> bool {
    let is_udp = |config: &TransportConfig| config.protocol == Protocol::Udp;
    let rival = |other: &&TransportConfig| {
        other.protocol.binds()
            && is_udp(other) == is_udp(config)
            && other.bind.is_ipv4()
            && other.bind.port() == config.bind.port()
    };
    config.bind.ip().is_unspecified() && all.iter().find(rival).is_none()
}
