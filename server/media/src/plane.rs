//! Starts the shards and hands out legs.

use crate::io;
use crate::leg::{Leg, LegConfig, LegId, Place};
use crate::ports::{self, BoundPair, PortPool};
use crate::shard::{Command, Opening, Relayed, Shard, ShardConfig};
use codec::Kind;
use rtc::Certificate;
use rtc::policy::{Sockets, Transport};
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::{mpsc, oneshot};

/// What a plane is made from.
#[derive(Clone, Debug)]
pub struct PlaneConfig {
    /// The addresses browsers may send to: of the interfaces and loopback, both families.
    pub addresses: Vec<IpAddr>,
    /// Each shard takes one UDP port of these, the same on every address. Port 0: any.
    pub ports: RangeInclusive<u16>,
    /// How many threads.
    pub shards: usize,
    /// How many legs one shard may have.
    pub legs_per_shard_max: usize,
}

impl Default for PlaneConfig {
    fn default() -> Self {
        Self {
            addresses: vec![IpAddr::from([127, 0, 0, 1])],
            ports: 0..=0,
            shards: 1,
            legs_per_shard_max: LEGS_PER_SHARD_MAX,
        }
    }
}

/// Why a plane did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The cryptographic library could not make a certificate.
    #[error(transparent)]
    Certificate(#[from] rtc::CertificateError),
    /// Not one address could be bound.
    #[error("no UDP port of {first} to {last} can be bound on any address: {source}")]
    NoPort {
        /// The first port tried.
        first: u16,
        /// The last one.
        last: u16,
        /// What the last attempt met.
        source: std::io::Error,
    },
    /// No address was given.
    #[error("the media plane has no address to listen on")]
    NoAddress,
    /// The operating system gave no thread or no event queue.
    #[error("a media thread cannot start: {0}")]
    Thread(std::io::Error),
}

/// Why there is no leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AllocateError {
    /// Every shard has as many legs as it may.
    #[error("the media plane is full")]
    Full,
    /// No pair of ports is free.
    #[error(
        "no pair of RTP ports is free from {first} to {last}: widen rtpstart and rtpend in rtp.conf, or \
         rtp_port_start and rtp_port_end of the endpoint"
    )]
    NoPorts {
        /// The first of the range.
        first: u16,
        /// The last one.
        last: u16,
    },
    /// `media_address` cannot be bound, and nothing else will do.
    #[error(
        "media_address {0} is none of this machine: correct it, or leave bind_rtp_to_media_address out"
    )]
    ForeignAddress(IpAddr),
    /// There is no address the peer could send to.
    #[error("no address of this machine leads to the peer")]
    NoAddress,
    /// The plane is shutting down.
    #[error("the media plane is shutting down")]
    Shutdown,
}

/// What the plane holds now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Legs whose handle is alive.
    pub legs: usize,
    /// Agreed streams of all legs.
    pub streams: usize,
    /// Remote addresses that packets are believed from.
    pub addresses: usize,
    /// Threads.
    pub shards: usize,
    /// The UDP port of each shard.
    pub ports: Vec<u16>,
    /// Pairs of ports that desk phones have.
    pub port_pairs: usize,
}

/// The media plane.
pub struct Plane {
    shards: Vec<ShardHandle>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    legs_per_shard_max: usize,
    addresses: Vec<IpAddr>,
    pool: Arc<PortPool>,
    range: RangeInclusive<u16>,
}

struct ShardHandle {
    commands: mpsc::Sender<Command>,
    relay: mpsc::Sender<Relayed>,
    gauges: Arc<Gauges>,
    port: u16,
    serial_next: AtomicU32,
}

/// What a shard publishes about itself.
#[derive(Debug, Default)]
pub(crate) struct Gauges {
    pub(crate) legs: AtomicUsize,
    pub(crate) streams: AtomicUsize,
    pub(crate) addresses: AtomicUsize,
}

impl ShardHandle {
    /// A place for a command.
    fn reserve(&self) -> Result<mpsc::OwnedPermit<Command>, AllocateError> {
        let commands = self.commands.clone();
        commands.try_reserve_owned().map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => AllocateError::Full,
            mpsc::error::TrySendError::Closed(_) => AllocateError::Shutdown,
        })
    }

    /// The next leg. Counted here, so that a burst of allocations sees itself.
    fn count(&self, index: usize) -> LegId {
        self.gauges.legs.fetch_add(1, Ordering::Relaxed);
        LegId {
            shard: index as u8,
            serial: self.serial_next.fetch_add(1, Ordering::Relaxed),
        }
    }
}

impl Plane {
    /// Binds the ports and starts the threads.
    pub fn start(config: &PlaneConfig) -> Result<Self, StartError> {
        let certificate = Certificate::generate()?;
        let mut ports = config.ports.clone();
        let mut plane = Self {
            shards: Vec::new(),
            threads: Mutex::default(),
            legs_per_shard_max: config.legs_per_shard_max.min(LEGS_PER_SHARD_MAX),
            addresses: config.addresses.clone(),
            pool: PortPool::new(),
            range: config.ports.clone(),
        };
        for index in 0..config.shards.clamp(1, SHARDS_MAX) {
            if *config.ports.start() == 0 {
                ports = 0..=0;
            }
            let bound = io::bind(&config.addresses, &mut ports)?;
            let gauges = Arc::new(Gauges::default());
            let shard = Shard::new(ShardConfig {
                index: index as u8,
                candidates: bound.addresses(),
                certificate: certificate.clone(),
                gauges: Arc::clone(&gauges),
            });
            let (commands, queue) = mpsc::channel(COMMANDS_MAX);
            let (relay, relayed) = mpsc::channel(RELAYED_MAX);
            let port = bound.port();
            let thread = io::spawn(bound, shard, queue, relayed).map_err(StartError::Thread)?;
            plane.threads_mut().push(thread);
            plane.shards.push(ShardHandle {
                commands,
                relay,
                gauges,
                port,
                serial_next: AtomicU32::new(0),
            });
        }
        Ok(plane)
    }

    /// A leg on the shard that has the fewest. It waits for its first round.
    pub fn allocate(&self, config: LegConfig) -> Result<Leg, AllocateError> {
        self.allocate_near(config, None)
    }

    /// A leg that is to be connected to `near`, on its shard if there is room: what goes from one shard
    /// to the other takes a turn longer.
    pub fn allocate_near(
        &self,
        config: LegConfig,
        near: Option<&Leg>,
    ) -> Result<Leg, AllocateError> {
        let (index, shard) = self.shard(near)?;
        let (opening, closing) = (shard.reserve()?, shard.reserve()?);
        let pairs = self.pairs(&config)?;
        let id = shard.count(index);
        let ports = pairs.iter().map(|pair| pair.ports).collect();
        let first = Opening {
            config,
            ports,
            pairs,
        };
        opening.send(Command::Open(id, Box::new(first)));
        let relay = shard.relay.clone();
        Ok(Leg::new(id, shard.commands.clone(), relay, closing))
    }

    /// The seats of a new room: legs without peers, each to be connected to one that is to hear all the others
    /// there, and to be heard by them. They are on one shard, that of `near` if there is room.
    ///
    /// # Errors
    ///
    /// When the plane has no room for so many.
    pub fn seats(&self, count: usize, near: Option<&Leg>) -> Result<Vec<Leg>, AllocateError> {
        let (index, shard) = self.shard(near)?;
        let mut number = None;
        let seats = (0..count).map(|_| {
            let (opening, closing) = (shard.reserve()?, shard.reserve()?);
            let id = shard.count(index);
            let number = *number.get_or_insert(id.serial);
            opening.send(Command::Seat(id, number));
            let relay = shard.relay.clone();
            Ok(Leg::new(id, shard.commands.clone(), relay, closing))
        });
        seats.collect()
    }

    /// Where a leg goes.
    fn shard(&self, near: Option<&Leg>) -> Result<(usize, &ShardHandle), AllocateError> {
        let legs = |shard: &ShardHandle| shard.gauges.legs.load(Ordering::Relaxed);
        let has_room = |(_, shard): &(usize, &ShardHandle)| legs(shard) < self.legs_per_shard_max;
        let is_near =
            |(_, shard): &(usize, &ShardHandle)| near.is_some_and(|near| near.is_on(&shard.relay));
        let shards = || self.shards.iter().enumerate().filter(has_room);
        shards()
            .find(is_near)
            .or_else(|| shards().min_by_key(|(_, shard)| legs(shard)))
            .ok_or(AllocateError::Full)
    }

    /// Ports for each stream of a desk phone, those for sound first; a browser needs none of its own.
    fn pairs(&self, config: &LegConfig) -> Result<Vec<BoundPair>, AllocateError> {
        let policy = &config.policy;
        let Transport::Rtp(terms) = &policy.transport else {
            return Ok(Vec::new());
        };
        let sockets = &terms.sockets;
        let ip = self.bound_address(sockets, config.place)?;
        let range = sockets.ports.clone().unwrap_or_else(|| self.range.clone());
        let kinds = [Kind::Audio, Kind::Video].into_iter();
        let kinds = kinds.filter(|kind| !policy.codecs(*kind).is_empty());
        let streams = kinds.flat_map(|kind| std::iter::repeat_n(kind, policy.max_streams(kind)));
        let bind = |kind: Kind| {
            let (first, last) = (*range.start(), *range.end());
            let pair = self.pool.bind(ip, &range);
            let pair = pair.ok_or(AllocateError::NoPorts { first, last })?;
            let marks = match kind {
                Kind::Audio => sockets.audio,
                Kind::Video => sockets.video,
            };
            io::mark(&pair.rtp, ip, marks);
            io::mark(&pair.rtcp, ip, marks);
            Ok(pair)
        };
        streams.take(PAIRS_PER_LEG_MAX).map(bind).collect()
    }

    /// The address of the sockets: `media_address` where it is one of ours.
    fn bound_address(&self, sockets: &Sockets, place: Place) -> Result<IpAddr, AllocateError> {
        let written = sockets.address;
        match written {
            Some(ip) if ports::is_ours(ip) => Ok(ip),
            Some(ip) if sockets.is_address_bound => Err(AllocateError::ForeignAddress(ip)),
            // A router in front has it.
            Some(_) | None => self.address_for(place).ok_or(AllocateError::NoAddress),
        }
    }

    /// The address a desk phone is told to send to: the one its signalling comes to, unless it speaks the
    /// other family of addresses in its media.
    fn address_for(&self, place: Place) -> Option<IpAddr> {
        let described = place.described.map(|ip| ip.to_canonical());
        let suits = |ip: &IpAddr| described.is_none_or(|own| own.is_ipv4() == ip.is_ipv4());
        let known = place
            .local
            .map(|ip| ip.to_canonical())
            .filter(|ip| !ip.is_unspecified());
        let towards = || {
            [place.remote, described]
                .into_iter()
                .flatten()
                .find_map(ports::address_towards)
        };
        let any = || {
            let mut own = self.addresses.iter().copied().filter(suits);
            let first = self.addresses.iter().copied().find(suits);
            own.find(|ip| !ip.is_loopback()).or(first)
        };
        known
            .filter(suits)
            .or_else(|| towards().filter(suits))
            .or_else(any)
    }

    /// What there is now.
    pub fn counts(&self) -> Counts {
        let sum = |gauge: fn(&Gauges) -> &AtomicUsize| {
            let values = self.shards.iter().map(|shard| gauge(&shard.gauges));
            values.map(|value| value.load(Ordering::Relaxed)).sum()
        };
        Counts {
            legs: sum(|gauges| &gauges.legs),
            streams: sum(|gauges| &gauges.streams),
            addresses: sum(|gauges| &gauges.addresses),
            shards: self.shards.len(),
            ports: self.shards.iter().map(|shard| shard.port).collect(),
            port_pairs: self.pool.used(),
        }
    }

    /// Returns when every thread has taken a command: the proof that none of them hangs.
    pub async fn respond(&self) {
        for shard in &self.shards {
            let (reply, answered) = oneshot::channel();
            // A thread that has ended drops the question unanswered; that is the end of the plane.
            if shard.commands.send(Command::Ping(reply)).await.is_ok() {
                let _ = answered.await;
            }
        }
    }

    /// Closes every leg, says goodbye to the peers and waits for the threads, which takes a moment.
    pub async fn shutdown(&self) {
        for shard in &self.shards {
            // A closed queue belongs to a shard that has ended already.
            let _ = shard.commands.send(Command::Shutdown).await;
            shard.commands.closed().await;
        }
        for thread in self.threads_mut().drain(..) {
            // A shard's thread ends right after it has closed its queue.
            if thread.join().is_err() {
                tracing::error!("a media thread had panicked");
            }
        }
    }

    fn threads_mut(&self) -> std::sync::MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Plane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Plane").field(&self.counts()).finish()
    }
}

/// A thread has work for about this many calls.
const LEGS_PER_SHARD_MAX: usize = 1000;
const SHARDS_MAX: usize = 64;
/// Streams of a desk phone: few have more than a voice and a picture.
const PAIRS_PER_LEG_MAX: usize = 4;
/// Each leg keeps a place for its end, one for the end of an echo and one for the end of a joint; the
/// rest is for what is under way.
const COMMANDS_MAX: usize = 5 * LEGS_PER_SHARD_MAX;
/// A hundredth of a second of 1000 calls whose other legs are on another shard; more is dropped, as a
/// network would.
const RELAYED_MAX: usize = 2048;
