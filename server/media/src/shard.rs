//! The machine of one media thread: datagrams, commands and time in, datagrams and events out.
//!
//! Strangers are not answered. A datagram from an unknown address is believed only if it is a STUN
//! check whose user name leads to a leg, or the response to a check that a leg sent there, and if its
//! message integrity is proven by that leg's passwords (RFC 8445 §7.3, §7.2.5); then the address is
//! known and anything from it goes to that leg. What others can make grow is bounded:
//! [`ADDRESSES_PER_LEG_MAX`] known addresses for a leg, [`PROBES_PER_LEG_MAX`] probed ones.
//!
//! A panic in the machine of one peer ends that call and no other: the peer is dropped, its owner is
//! told, the thread goes on.

mod bridge;
mod room;
mod slot;
#[cfg(test)]
mod tests;

pub(crate) use bridge::{Far, Relayed};

use crate::echo::EchoMode;
use crate::leg::{LegConfig, LegEvent, LegId};
use crate::node::music::Stations;
use crate::node::play::Playable;
use crate::plane::Gauges;
use crate::ports::BoundPair;
use crate::record::Sink;
use crate::{DownReason, LegStats};
use room::{Room, Rooms};
use rtc::policy::Transport;
use rtc::{Certificate, Outcome, Peer, PeerConfig, PortPair, Refused, Round, Transmit};
use rtp::DigitEvent;
use slot::Slot;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// What a shard is told to do.
pub(crate) enum Command {
    Open(LegId, Box<Opening>),
    /// Opens a seat, a leg without a peer, in the room with this number.
    Seat(LegId, u32),
    Leg(LegId, Request),
    Close(LegId),
    /// Proof that the thread turns.
    Ping(oneshot::Sender<()>),
    Shutdown,
}

/// What a leg begins with.
pub(crate) struct Opening {
    pub(crate) config: LegConfig,
    /// Where it receives, if it is a desk phone's.
    pub(crate) ports: Vec<PortPair>,
    /// The sockets there, which the driver takes.
    pub(crate) pairs: Vec<BoundPair>,
}

/// What a leg is asked for.
pub(crate) enum Request {
    Negotiate {
        round: Round,
        reply: oneshot::Sender<Result<Outcome, Refused>>,
    },
    Echo {
        serial: u32,
        mode: EchoMode,
    },
    /// Ends the echo with this number, if no later one has taken its place.
    EndEcho {
        serial: u32,
    },
    /// Passes packets to a leg, which is told the same of this one.
    Connect {
        number: u64,
        far: Far,
    },
    /// Ends the joint with this number, if no later one has taken its place.
    Part {
        number: u64,
    },
    /// Plays this in place of what was played before, and tells its end.
    Play {
        number: u64,
        playable: Playable,
        over: oneshot::Sender<()>,
    },
    /// Ends the play with this number, if no later one has taken its place.
    EndPlay {
        number: u64,
    },
    /// Finds digits in the peer's sound, or no more.
    Listen(bool),
    /// Sends a digit: one begins or ends.
    Digit(DigitEvent),
    /// The peer asks by signalling for a key frame of all pictures it is sent.
    Refresh,
    /// Hands what the peer says and hears to a recorder.
    Tap {
        number: u64,
        sink: Sink,
    },
    /// Ends the tap with this number.
    EndTap {
        number: u64,
    },
    Stats {
        reply: oneshot::Sender<LegStats>,
    },
}

pub(crate) struct ShardConfig {
    pub(crate) index: u8,
    pub(crate) candidates: Vec<SocketAddr>,
    pub(crate) certificate: Certificate,
    pub(crate) gauges: Arc<Gauges>,
}

pub(crate) struct Shard {
    config: ShardConfig,
    /// By serial number.
    legs: HashMap<u32, Slot>,
    /// Those who hear each other, more than two.
    rooms: Rooms,
    known: HashMap<Path, u32>,
    /// The addresses of ours that belong to one desk phone.
    owned: HashMap<SocketAddr, u32>,
    /// Where a leg has sent a check and nobody has answered yet.
    probed: HashMap<Path, u32>,
    deadlines: BTreeSet<(Instant, u32)>,
    /// Empty between calls; kept for its room.
    alarmed: Vec<u32>,
    /// The music of those who wait.
    stations: Stations,
    transmits: VecDeque<Transmit>,
    /// What each of these is marked with.
    marks: VecDeque<u8>,
    /// What legs of this shard have for each other.
    relayed: VecDeque<Relayed>,
    is_over: bool,
}

/// Our address and theirs.
type Path = (SocketAddr, SocketAddr);

impl Shard {
    pub(crate) fn new(config: ShardConfig) -> Self {
        Self {
            config,
            legs: HashMap::new(),
            rooms: Rooms::default(),
            known: HashMap::new(),
            owned: HashMap::new(),
            probed: HashMap::new(),
            deadlines: BTreeSet::new(),
            alarmed: Vec::new(),
            stations: Stations::default(),
            transmits: VecDeque::new(),
            marks: VecDeque::new(),
            relayed: VecDeque::new(),
            is_over: false,
        }
    }

    pub(crate) fn handle_datagram(
        &mut self,
        now: Instant,
        local: SocketAddr,
        remote: SocketAddr,
        bytes: &[u8],
    ) {
        let path = (local, remote);
        let Some(serial) = self.demultiplex(now, path, bytes) else {
            return;
        };
        self.step(now, serial, |slot, _| {
            slot.handle_datagram(now, local, remote, bytes);
        });
    }

    pub(crate) fn handle_command(&mut self, now: Instant, command: Command) {
        match command {
            Command::Open(id, opening) => self.open(now, id, *opening),
            Command::Seat(id, number) => {
                self.rooms.open(now, number, id);
                self.step_room(now, number, |_, _| {});
            }
            Command::Leg(id, request) => match self.rooms.of(id.serial) {
                Some(number) => self.step_room(now, number, |room, _| {
                    room.handle_request(id.serial, request);
                }),
                None => self.step(now, id.serial, |slot, stations| {
                    slot.handle_request(now, request, stations);
                }),
            },
            Command::Close(id) => self.close(now, id.serial),
            // Nobody waits any more: it came too late.
            Command::Ping(reply) => drop(reply.send(())),
            Command::Shutdown => self.shut_down(now),
        }
    }

    /// Takes what a leg of another shard has for one of this.
    pub(crate) fn handle_relayed(&mut self, now: Instant, relayed: Relayed) {
        self.relayed.push_back(relayed);
        self.deliver(now);
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.stations.forget(now);
        // Each leg has its turn once: one whose alarm does not move must not hold up the others.
        let mut alarmed = std::mem::take(&mut self.alarmed);
        while let Some((due, serial)) = self.deadlines.first().copied()
            && due <= now
        {
            self.deadlines.pop_first();
            alarmed.push(serial);
        }
        for serial in alarmed.drain(..) {
            let Some(slot) = self.legs.get_mut(&serial) else {
                if let Some(room) = self.rooms.room(serial) {
                    room.armed = None;
                    self.step_room(now, serial, |room, out| room.handle_timeout(now, out));
                }
                continue;
            };
            slot.armed = None;
            // Deadlines only move an alarm forward; one that has receded is found out here.
            if slot.deadline().is_some_and(|deadline| deadline <= now) {
                self.step(now, serial, |slot, stations| {
                    slot.handle_timeout(now, stations)
                });
            } else {
                self.arm(serial);
            }
        }
        self.alarmed = alarmed;
    }

    #[cfg(test)]
    pub(crate) fn poll_transmit(&mut self) -> Option<Transmit> {
        let (transmit, _) = self.poll_marked()?;
        Some(transmit)
    }

    /// The next datagram, and the type of service it goes by where its socket is shared; 0: none of its own.
    pub(crate) fn poll_marked(&mut self) -> Option<(Transmit, u8)> {
        let tos = self.marks.pop_front().unwrap_or(0);
        Some((self.transmits.pop_front()?, tos))
    }

    /// Remembers whose check goes where, for the response carries no name.
    fn note_probes(&mut self, serial: u32, queued: usize) {
        let Some(slot) = self.legs.get_mut(&serial) else {
            return;
        };
        for transmit in self.transmits.iter().skip(queued) {
            let path = (transmit.local, transmit.remote);
            let is_check = transmit.bytes.starts_with(&BINDING_REQUEST);
            if is_check
                && !self.known.contains_key(&path)
                && slot.probes.len() < PROBES_PER_LEG_MAX
                && self.probed.insert(path, serial) != Some(serial)
            {
                slot.probes.push(path);
            }
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|(due, _)| *due)
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    fn open(&mut self, now: Instant, id: LegId, opening: Opening) {
        let Opening { config, ports, .. } = opening;
        for pair in &ports {
            self.owned
                .extend([(pair.rtp, id.serial), (pair.rtcp, id.serial)]);
        }
        // The sockets of a desk phone are its own, and marked.
        let tos = match config.policy.transport {
            Transport::WebRtc => config.policy.marks.tos,
            Transport::Rtp(_) => 0,
        };
        let peer = Peer::new(
            now,
            PeerConfig {
                policy: config.policy,
                candidates: self.config.candidates.clone(),
                ufrag_prefix: user_prefix(id),
                ports,
                signaled: config.place.remote,
                certificate: self.config.certificate.clone(),
                seed: config.seed,
            },
        );
        self.legs.insert(
            id.serial,
            Slot::new(now, id, peer, config.events).marked(tos),
        );
        self.step(now, id.serial, |_, _| {});
    }

    fn close(&mut self, now: Instant, serial: u32) {
        if let Some(number) = self.rooms.of(serial) {
            self.rooms.close(serial);
            self.step_room(now, number, |_, _| {});
            self.config.gauges.legs.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        self.step(now, serial, |slot, _| slot.close(now));
        self.forget_addresses(serial);
        self.owned.retain(|_, owner| *owner != serial);
        if let Some(slot) = self.legs.remove(&serial) {
            let gauges = &self.config.gauges;
            gauges.legs.fetch_sub(1, Ordering::Relaxed);
            gauges.streams.fetch_sub(slot.streams, Ordering::Relaxed);
            if let Some(armed) = slot.armed {
                self.deadlines.remove(&(armed, serial));
            }
        }
    }

    fn shut_down(&mut self, now: Instant) {
        let serials: Vec<u32> = self.legs.keys().copied().collect();
        for serial in serials {
            self.step(now, serial, |slot, _| slot.end(now, DownReason::Shutdown));
        }
        self.is_over = true;
    }

    /// Lets one leg do something, and those it is connected to take what comes of it.
    fn step(&mut self, now: Instant, serial: u32, act: impl FnOnce(&mut Slot, &mut Stations)) {
        self.step_alone(now, serial, act);
        self.deliver(now);
    }

    /// The same for a room.
    fn step_room(
        &mut self,
        now: Instant,
        number: u32,
        act: impl FnOnce(&mut Room, &mut VecDeque<Relayed>),
    ) {
        self.step_room_alone(now, number, act);
        self.deliver(now);
    }

    /// Hands over what legs and rooms of this shard have for each other.
    fn deliver(&mut self, now: Instant) {
        // A leg answers what it is handed with less: packets with nothing, a description with one.
        while let Some(relayed) = self.relayed.pop_front() {
            match self.rooms.of(relayed.to) {
                Some(number) => {
                    self.step_room_alone(now, number, |room, _| room.handle_relayed(relayed));
                }
                None => {
                    self.step_alone(now, relayed.to, |slot, _| slot.handle_relayed(now, relayed));
                }
            }
        }
    }

    /// Lets a room do something, and keeps a panic to it.
    fn step_room_alone(
        &mut self,
        now: Instant,
        number: u32,
        act: impl FnOnce(&mut Room, &mut VecDeque<Relayed>),
    ) {
        let Some(room) = self.rooms.room(number) else {
            return;
        };
        let relayed = &mut self.relayed;
        let stepped = catch_unwind(AssertUnwindSafe(|| {
            act(room, relayed);
            room.flush(now, relayed);
        }));
        if stepped.is_err() {
            tracing::error!(
                number,
                "a room of more than two panicked; they hear each other no more"
            );
        }
        if stepped.is_err() || room.is_empty() {
            let armed = self.rooms.forget(number).and_then(|room| room.armed);
            if let Some(armed) = armed {
                self.deadlines.remove(&(armed, number));
            }
            return;
        }
        let due = room.poll_timeout();
        if room.armed.is_none_or(|armed| due < armed) {
            if let Some(armed) = room.armed.replace(due) {
                self.deadlines.remove(&(armed, number));
            }
            self.deadlines.insert((due, number));
        }
    }

    /// Lets one leg do something, takes what comes of it, and keeps a panic to that leg.
    fn step_alone(
        &mut self,
        now: Instant,
        serial: u32,
        act: impl FnOnce(&mut Slot, &mut Stations),
    ) {
        let Some(slot) = self.legs.get_mut(&serial) else {
            return;
        };
        let (transmits, relayed) = (&mut self.transmits, &mut self.relayed);
        let stations = &mut self.stations;
        let queued = transmits.len();
        let stepped = catch_unwind(AssertUnwindSafe(|| {
            act(slot, stations);
            slot.pump(now, transmits, relayed);
        }));
        self.marks.resize(transmits.len(), slot.tos);
        if stepped.is_err() {
            tracing::error!(leg = %slot.id, "the machine of a media peer panicked; its call ends");
            slot.abandon(now, DownReason::Defect);
            // Music may have been what broke.
            self.stations = Stations::default();
        }
        let streams = slot.stream_count();
        let before = std::mem::replace(&mut slot.streams, streams);
        if streams != before {
            let gauge = &self.config.gauges.streams;
            gauge.fetch_add(streams, Ordering::Relaxed);
            gauge.fetch_sub(before, Ordering::Relaxed);
        }
        if slot.is_down() {
            self.forget_addresses(serial);
        } else {
            self.note_probes(serial, queued);
        }
        self.arm(serial);
    }

    fn arm(&mut self, serial: u32) {
        let Some(slot) = self.legs.get_mut(&serial) else {
            return;
        };
        let Some(deadline) = slot.deadline() else {
            return;
        };
        if slot.armed.is_none_or(|armed| deadline < armed) {
            if let Some(armed) = slot.armed.replace(deadline) {
                self.deadlines.remove(&(armed, serial));
            }
            self.deadlines.insert((deadline, serial));
        }
    }

    fn demultiplex(&mut self, now: Instant, path: Path, bytes: &[u8]) -> Option<u32> {
        if let Some(owner) = self.owned.get(&path.0) {
            return Some(*owner);
        }
        let known = self.known.get(&path).copied();
        // A check says itself whom it is for: a browser that hung up may call again from the same
        // port before the old leg is gone.
        let named = stun_user(bytes).and_then(|user| serial_of(self.config.index, user));
        let claimed = match (named, known) {
            (Some(named), known) if known != Some(named) => named,
            (None, None) => *self.probed.get(&path)?,
            _ => return known,
        };
        let slot = self.legs.get_mut(&claimed)?;
        let (local, remote) = path;
        // Parsing what a stranger sent is a step that may break too.
        let accepts = AssertUnwindSafe(|| slot.accepts(now, local, remote, bytes));
        if !catch_unwind(accepts).unwrap_or(false) {
            return None;
        }
        if let Some(forgotten) = slot.learn(path) {
            self.known.remove(&forgotten);
        }
        if let Some(other) = self.known.insert(path, claimed)
            && let Some(slot) = self.legs.get_mut(&other)
        {
            slot.addresses.retain(|address| *address != path);
        }
        self.gauge_addresses();
        Some(claimed)
    }

    fn forget_addresses(&mut self, serial: u32) {
        let Some(slot) = self.legs.get_mut(&serial) else {
            return;
        };
        for path in slot.addresses.drain(..) {
            self.known.remove(&path);
        }
        for path in slot.probes.drain(..) {
            if self.probed.get(&path) == Some(&serial) {
                self.probed.remove(&path);
            }
        }
        self.gauge_addresses();
    }

    fn gauge_addresses(&self) {
        let gauge = &self.config.gauges.addresses;
        gauge.store(self.known.len(), Ordering::Relaxed);
    }
}

/// The ICE user name of a leg begins with where it lives: shard and number in hexadecimal.
fn user_prefix(id: LegId) -> String {
    format!("{:02x}{:08x}", id.shard, id.serial)
}

/// The number of the leg a user name leads to, if it is on this shard.
fn serial_of(shard: u8, user: &[u8]) -> Option<u32> {
    let user = std::str::from_utf8(user.get(..10)?).ok()?;
    let (index, serial) = user.split_at_checked(2)?;
    if u8::from_str_radix(index, 16) != Ok(shard) {
        return None;
    }
    u32::from_str_radix(serial, 16).ok()
}

/// The USERNAME attribute of a STUN binding request (RFC 8489 §5, §14.3).
fn stun_user(bytes: &[u8]) -> Option<&[u8]> {
    let (header, mut attributes) = bytes.split_at_checked(20)?;
    if header[..2] != BINDING_REQUEST || header[4..8] != MAGIC_COOKIE {
        return None;
    }
    while let Some((head, rest)) = attributes.split_at_checked(4) {
        let len = usize::from(u16::from_be_bytes([head[2], head[3]]));
        if head[..2] == USERNAME {
            return rest.get(..len);
        }
        attributes = rest.get(len.next_multiple_of(4)..)?;
    }
    None
}

const BINDING_REQUEST: [u8; 2] = [0x00, 0x01];
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xA4, 0x42];
const USERNAME: [u8; 2] = [0x00, 0x06];

/// A browser has as many addresses as interfaces and NATs between us; the oldest is forgotten.
const ADDRESSES_PER_LEG_MAX: usize = 16;
/// Our addresses times those a browser announces.
const PROBES_PER_LEG_MAX: usize = 64;
/// How often an event that found a full inbox is tried again.
const RETRY_PAUSE: Duration = Duration::from_millis(500);
