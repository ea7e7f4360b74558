//! What the driver and the tasks of requests and calls share. Every lock is held for one statement.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ::sip::digest::Challenger;
use ::sip::{FlowId, Status};
use arc_swap::ArcSwap;
use store::{ContactChange, Contacts, SavedContact};
use switch::{Cause, ChannelEvent, Switch};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::Counts;
use crate::sip::command::{Command, Verb};
use crate::sip::identify::Hosts;
use crate::sip::limiter::Limiter;
use crate::sip::location::{Binding, Location};
use crate::sip::resolve::Names;
use crate::sip::strangers::Strangers;
use crate::sip::transport::admission::Admissions;
use crate::sip::transport::tcp::StreamListener;
use crate::sip::transport::udp::UdpListener;
use crate::sip::trunk::Trunks;

/// Commands that may wait for the driver. A call makes a handful in its life.
const COMMANDS_MAX: usize = 16_384;

/// Room kept back for commands that end a request or a call: each call sends two at most (one of its
/// own, one in place of something else), each request one.
const LAST_COMMANDS_MAX: usize = 65_536;

/// Requests and new calls being looked up at a time; more are answered 503.
pub(crate) const REQUESTS_MAX: usize = 1_024;

/// How long a nonce may be good for at most; `nonce_lifetime` of the auth says how long it is.
const NONCE_LIFETIME_MAX: Duration = Duration::from_secs(24 * 3600);

/// How long a nonce is good for where no auth says so. Asterisk's own default.
pub(crate) const NONCE_LIFETIME: Duration = Duration::from_secs(32);

/// See the module.
pub(crate) struct Shared {
    pub(crate) switch: Switch,
    /// Where contacts are kept across restarts.
    pub(crate) contacts: Option<Contacts>,
    pub(crate) requests: Arc<Semaphore>,
    commands: mpsc::Sender<Command>,
    location: Mutex<Location>,
    challenger: Mutex<Challenger>,
    limiter: Mutex<Limiter>,
    admissions: Mutex<Admissions>,
    /// UDP sockets that requests to written addresses may leave by, in the order of the file.
    pub(crate) udp: ArcSwap<Vec<Arc<UdpListener>>>,
    /// Listeners of TCP and TLS whose settings connections of our own get.
    pub(crate) streams: ArcSwap<Vec<Arc<StreamListener>>>,
    trunks: Mutex<Trunks>,
    unidentified: Mutex<Strangers>,
    trunk_strangers: Mutex<Strangers>,
    refused: Mutex<Strangers>,
    pub(crate) hosts: Hosts,
    pub(crate) names: Names,
    pub(crate) counters: Counters,
}

/// Figures for `/status`.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) websockets: AtomicUsize,
    pub(crate) streams: AtomicUsize,
    /// Connections turned away because there were too many.
    pub(crate) crowded: AtomicUsize,
    pub(crate) udp_flows: AtomicUsize,
    pub(crate) transactions: AtomicUsize,
    pub(crate) dialogs: AtomicUsize,
    pub(crate) invites: AtomicUsize,
    pub(crate) failed_auths: AtomicUsize,
    pub(crate) garbage: AtomicUsize,
    pub(crate) dropped: AtomicUsize,
}

impl Shared {
    /// `name_server` is asked in place of those the system names.
    pub(crate) fn new(
        switch: Switch,
        seed: [u8; 32],
        name_server: Option<SocketAddr>,
    ) -> (Arc<Self>, mpsc::Receiver<Command>) {
        let (commands, receiver) = mpsc::channel(COMMANDS_MAX + LAST_COMMANDS_MAX);
        // The Agent draws from the seed itself; nonces must not be computable from its tags.
        let nonce_seed = seed.map(|byte| byte ^ 0x5c);
        let mut location = Location::default();
        location.changes = switch.directory().changes();
        let shared = Self {
            contacts: switch.store().contacts(),
            switch,
            requests: Arc::new(Semaphore::new(REQUESTS_MAX)),
            commands,
            location: Mutex::new(location),
            challenger: Mutex::new(Challenger::new(nonce_seed, NONCE_LIFETIME_MAX)),
            limiter: Mutex::default(),
            admissions: Mutex::default(),
            udp: ArcSwap::default(),
            streams: ArcSwap::default(),
            trunks: Mutex::default(),
            unidentified: Mutex::default(),
            trunk_strangers: Mutex::default(),
            refused: Mutex::default(),
            hosts: Hosts::default(),
            names: Names::new(name_server),
            counters: Counters::default(),
        };
        (Arc::new(shared), receiver)
    }

    /// Answered by the driver when it has done what was asked before.
    pub(crate) fn ping(&self) -> oneshot::Receiver<()> {
        let (reply, answered) = oneshot::channel();
        self.command(Command::Ping(reply));
        answered
    }

    /// Puts a command into the driver's queue, which never waits. A queue that is full but for the
    /// room kept back means that the driver is hopelessly behind: then a call that wants something
    /// is given up, and what ends a request or a call still goes in, because a lost BYE would leave a
    /// call behind.
    pub(crate) fn command(&self, command: Command) {
        let crowded = self.commands.capacity() <= LAST_COMMANDS_MAX && !command.is_last();
        let command = match (crowded, command) {
            (false, command) => command,
            (true, Command::Call(call, _)) => {
                let (status, headers) = (Status::SERVICE_UNAVAILABLE, Vec::new());
                Command::Call(call, Verb::Hangup { status, headers })
            }
            (true, Command::Invite { ask, .. }) => {
                let cause = Cause::SwitchCongestion;
                ask.inbox.send(ChannelEvent::Hangup(cause));
                return;
            }
            (true, command) => {
                // A call that was not taken along is found again by the next REGISTER.
                self.counters.dropped.fetch_add(1, Ordering::Relaxed);
                return drop(command);
            }
        };
        if let Err(TrySendError::Full(_)) = self.commands.try_send(command) {
            self.counters.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn location(&self) -> MutexGuard<'_, Location> {
        self.location.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Contacts of an earlier run.
    pub(crate) fn restore(&self, contacts: Vec<SavedContact>) {
        self.command(Command::Restore { contacts });
    }

    /// What has run out by now; it is no longer kept either.
    pub(crate) fn expire(&self, now: Instant) -> Vec<(String, Binding)> {
        let mut location = self.location();
        let expired = location.expire(now);
        self.forget(&expired);
        expired
    }

    /// A connection closed: the contacts that ended with it. They are no longer kept either.
    pub(crate) fn close(&self, flow: FlowId) -> Vec<(String, Binding)> {
        let mut location = self.location();
        let closed = location.close(flow);
        self.forget(&closed);
        closed
    }

    /// Contacts are gone: none of them is kept. Called under the lock of the table, so that a contact
    /// that comes back at once is kept after it was forgotten. Never waits.
    fn forget(&self, removed: &[(String, Binding)]) {
        if let Some(contacts) = &self.contacts
            && !removed.is_empty()
        {
            let ids = removed.iter().map(|(aor, binding)| binding.id(aor));
            let changes = ids.map(|id| ContactChange::Remove { id });
            drop(contacts.change(&changes.collect::<Vec<_>>()));
        }
    }

    pub(crate) fn challenger(&self) -> MutexGuard<'_, Challenger> {
        self.challenger
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn limiter(&self) -> MutexGuard<'_, Limiter> {
        self.limiter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn admissions(&self) -> MutexGuard<'_, Admissions> {
        self.admissions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Registrations at other servers.
    pub(crate) fn trunks(&self) -> MutexGuard<'_, Trunks> {
        self.trunks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Requests that speak for nobody, by address.
    pub(crate) fn unidentified(&self) -> MutexGuard<'_, Strangers> {
        self.unidentified
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls of nobody that is known, by address.
    pub(crate) fn trunk_strangers(&self) -> MutexGuard<'_, Strangers> {
        self.trunk_strangers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Requests that a list of addresses keeps out, by address.
    pub(crate) fn refused(&self) -> MutexGuard<'_, Strangers> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A message that was no SIP.
    pub(crate) fn garbage(&self) {
        self.counters.garbage.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn counts(&self) -> Counts {
        let read = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        let counters = &self.counters;
        Counts {
            websockets: read(&counters.websockets),
            streams: read(&counters.streams),
            crowded: read(&counters.crowded),
            udp_flows: read(&counters.udp_flows),
            bindings: self.location().count(),
            transactions: read(&counters.transactions),
            dialogs: read(&counters.dialogs),
            invites: read(&counters.invites),
            failed_auths: read(&counters.failed_auths),
            garbage: read(&counters.garbage),
            dropped: read(&counters.dropped),
        }
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("counters", &self.counters)
            .finish_non_exhaustive()
    }
}

/// The clock of the runtime, which a simulation can hold still.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Seconds since 1970, for nonces and the Date header.
pub(crate) fn unix_s() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

/// What a stranger sent, fit for one log line.
pub(crate) fn printable(text: &str) -> String {
    const PRINTED_MAX: usize = 128;
    text.chars()
        .filter(|c| !c.is_control())
        .take(PRINTED_MAX)
        .collect()
}
