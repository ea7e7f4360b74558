//! The handle of one peer on the media plane.

use crate::echo::EchoMode;
use crate::node::play::Playable;
use crate::record::Sink;
use crate::shard::{Command, Far, Relayed, Request};
use codec::Codec;
use rtc::{Down, Outcome, Refused, Round, StreamStats};
use rtp::DigitEvent;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

/// Which leg. Unique in the life of a plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LegId {
    /// The shard it lives on.
    pub(crate) shard: u8,
    /// Its number there.
    pub(crate) serial: u32,
}

impl LegId {
    /// What tells the packets of one leg from those of another in a stream they share.
    pub(crate) fn origin(self) -> u32 {
        self.serial ^ u32::from(self.shard) << 24
    }
}

impl fmt::Display for LegId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.shard, self.serial)
    }
}

/// What a leg is made from.
pub struct LegConfig {
    /// What may be negotiated.
    pub policy: Arc<rtc::policy::Policy>,
    /// Where the peer is, as far as signalling knows; for ports of its own.
    pub place: Place,
    /// Who hears what happens.
    pub events: EventSink,
    /// Where the leg's random choices come from, passwords among them.
    pub seed: [u8; 32],
}

/// Where the peer of a leg is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Our address that its signalling comes to.
    pub local: Option<IpAddr>,
    /// Its own, where its signalling comes from.
    pub remote: Option<IpAddr>,
    /// What its description names.
    pub described: Option<IpAddr>,
}

/// Takes events without ever waiting. A leg whose owner cannot take an event is closed, because a
/// call that is not told of its digits or its end is broken already.
pub struct EventSink(Box<dyn Fn(LegEvent) -> Result<(), Full> + Send>);

/// The owner's inbox is full.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Full;

impl EventSink {
    /// Events go into this inbox, as whatever it holds.
    pub fn new<T>(inbox: mpsc::Sender<T>) -> Self
    where
        T: From<LegEvent> + Send + 'static,
    {
        Self(Box::new(move |event| match inbox.try_send(event.into()) {
            // An owner that is gone drops the leg; there is nobody to tell.
            Ok(()) | Err(TrySendError::Closed(_)) => Ok(()),
            Err(TrySendError::Full(_)) => Err(Full),
        }))
    }

    /// Events go to this function, which must not wait. `false`: the owner cannot take them.
    pub fn from_fn(deliver: impl Fn(LegEvent) -> bool + Send + 'static) -> Self {
        Self(Box::new(move |event| {
            deliver(event).then_some(()).ok_or(Full)
        }))
    }

    pub(crate) fn send(&self, event: LegEvent) -> Result<(), Full> {
        (self.0)(event)
    }
}

/// What happened to a leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LegEvent {
    /// ICE found a pair of addresses, or moved to another.
    IceConnected {
        /// Ours.
        local: SocketAddr,
        /// The peer's as we see it.
        remote: SocketAddr,
    },
    /// The DTLS handshake is done: media can flow.
    MediaUp {
        /// "DTLS 1.2", "DTLS 1.3" or "SDES".
        dtls: &'static str,
        /// The SRTP protection profile.
        srtp: &'static str,
    },
    /// A desk phone's packets come from here; packets from elsewhere are not heard.
    SourceLearned {
        /// Ours.
        local: SocketAddr,
        /// The peer's as we see it.
        remote: SocketAddr,
        /// Where ours go.
        target: SocketAddr,
    },
    /// The first packet of a kind came, or went.
    FirstPacket {
        /// Audio or video.
        kind: codec::Kind,
        /// Whether it came from the peer.
        received: bool,
    },
    /// A digit was pressed or let go.
    Digit {
        /// In which form it came.
        form: DigitForm,
        /// What became known of it.
        event: DigitEvent,
    },
    /// The peer is to send a key frame, and media has no way to ask it: signalling is to ask.
    KeyframeWanted,
    /// Packets were lost for good on the way here.
    Losses {
        /// The number of the m-line.
        stream: usize,
        /// How many so far.
        lost: u64,
        /// How many arrived so far.
        received: u64,
    },
    /// The last event: nothing comes any more.
    Down(DownReason),
}

/// In which form a digit comes in media.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DigitForm {
    /// Telephone events (RFC 4733).
    Event,
    /// Tones in the sound.
    Tone,
}

/// Why a leg is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DownReason {
    /// The transport ended.
    Transport(Down),
    /// The owner did not take events for too long.
    InboxFull,
    /// The peer's packets broke the machine that handles them: a defect of ours.
    Defect,
    /// The media plane is shutting down.
    Shutdown,
}

impl fmt::Display for DownReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transport(down) => down.fmt(f),
            Self::InboxFull => f.write_str("the call did not take its media events"),
            Self::Defect => f.write_str("a defect in the media plane"),
            Self::Shutdown => f.write_str("the media plane is shutting down"),
        }
    }
}

/// What a leg carried so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LegStats {
    /// The addresses media go between, ours first.
    pub pair: Option<(SocketAddr, SocketAddr)>,
    /// One for each m-line.
    pub streams: Vec<StreamStats>,
    /// The codecs of its sound, best first.
    pub codecs: Vec<&'static Codec>,
    /// What its peer says is made anew for the leg it is connected to: from which codec, to which.
    pub heard_anew: Option<Recoded>,
    /// What its peer is sent was made anew by that leg.
    pub said_anew: Option<Recoded>,
}

/// The codecs before and after.
pub type Recoded = (&'static Codec, &'static Codec);

/// The handle of a peer. Dropping it closes the peer.
pub struct Leg {
    id: LegId,
    commands: mpsc::Sender<Command>,
    /// Where packets for it go from other shards.
    relay: mpsc::Sender<Relayed>,
    /// Kept for the last command, so that a full queue cannot keep a leg alive.
    closing: Option<mpsc::OwnedPermit<Command>>,
    /// How many echoes were begun.
    echoes: AtomicU32,
}

impl Leg {
    pub(crate) fn new(
        id: LegId,
        commands: mpsc::Sender<Command>,
        relay: mpsc::Sender<Relayed>,
        closing: mpsc::OwnedPermit<Command>,
    ) -> Self {
        Self {
            id,
            commands,
            relay,
            closing: Some(closing),
            echoes: AtomicU32::new(0),
        }
    }

    /// Which leg this is.
    pub fn id(&self) -> LegId {
        self.id
    }

    /// Whether it lives on the shard that reads this queue.
    pub(crate) fn is_on(&self, relay: &mpsc::Sender<Relayed>) -> bool {
        self.relay.same_channel(relay)
    }

    /// Does a round of offer and answer.
    pub async fn negotiate(&self, round: Round) -> Result<Outcome, Refused> {
        let (reply, outcome) = oneshot::channel();
        // A leg that is down drops the question unanswered.
        self.request(Request::Negotiate { round, reply }).await;
        let is_down = || Refused::Engine("the media leg is down".into());
        outcome.await.unwrap_or_else(|_| Err(is_down()))
    }

    /// Sends what comes back to where it came from, until the guard is dropped. A later echo takes
    /// the place of an earlier one, whose guard then ends nothing.
    pub fn echo(&self, mode: EchoMode) -> EchoGuard {
        // Both places are taken now: the end of an echo cannot fail for want of one.
        let start = self.commands.clone().try_reserve_owned();
        let stop = self.commands.clone().try_reserve_owned();
        let (Ok(start), Ok(stop)) = (start, stop) else {
            tracing::warn!(leg = %self.id, "no echo: the queue of the media shard is full");
            return EchoGuard(None);
        };
        let serial = self.echoes.fetch_add(1, Ordering::Relaxed);
        start.send(Command::Leg(self.id, Request::Echo { serial, mode }));
        EchoGuard(Some(EchoEnd {
            leg: self.id,
            serial,
            permit: stop,
        }))
    }

    /// Passes what comes in to the other leg and back, as far as [`plan`](crate::plan()) allows, until
    /// the guard is dropped. What either agrees on later is taken into account. A leg has one joint: a
    /// later one takes the place of an earlier one, whose guard then ends nothing.
    pub fn connect(&self, other: &Self) -> Joint {
        let number = JOINTS.fetch_add(1, Ordering::Relaxed);
        let half = |leg: &Self, far: &Self| {
            // Both places are taken now: the end of a joint cannot fail for want of one.
            let start = leg.commands.clone().try_reserve_owned().ok()?;
            let permit = leg.commands.clone().try_reserve_owned().ok()?;
            let relay = (!leg.relay.same_channel(&far.relay)).then(|| far.relay.clone());
            let serial = far.id.serial;
            let far = Far { serial, relay };
            let leg = leg.id;
            Some((
                start,
                Request::Connect { number, far },
                JointEnd { leg, permit },
            ))
        };
        let (Some(one), Some(two)) = (half(self, other), half(other, self)) else {
            tracing::warn!(leg = %self.id, "not connected: the queue of the media shard is full");
            return Joint {
                number,
                ends: Vec::new(),
            };
        };
        let ends = [one, two].into_iter().map(|(start, request, end)| {
            start.send(Command::Leg(end.leg, request));
            end
        });
        let ends = ends.collect();
        Joint { number, ends }
    }

    /// Plays something in place of what was played before, until its end, which the receiver is told,
    /// or until the guard is dropped. Packets of others that would go to the same stream are dropped
    /// meanwhile.
    pub fn play(&self, playable: Playable) -> (PlayGuard, oneshot::Receiver<()>) {
        let (over, ended) = oneshot::channel();
        // Both places are taken now: the end of a play cannot fail for want of one.
        let start = self.commands.clone().try_reserve_owned();
        let stop = self.commands.clone().try_reserve_owned();
        let (Ok(start), Ok(stop)) = (start, stop) else {
            tracing::warn!(leg = %self.id, "nothing played: the queue of the media shard is full");
            return (PlayGuard(None), ended);
        };
        let number = PLAYS.fetch_add(1, Ordering::Relaxed);
        let request = Request::Play {
            number,
            playable,
            over,
        };
        start.send(Command::Leg(self.id, request));
        let end = PlayEnd {
            leg: self.id,
            number,
            permit: stop,
        };
        (PlayGuard(Some(end)), ended)
    }

    /// Sends a digit in place of what is sent otherwise: as telephone events, or as tones to a peer that
    /// takes no events. One that ends without having begun is sent whole; they go one after the other.
    pub fn dial(&self, event: DigitEvent) {
        let request = Command::Leg(self.id, Request::Digit(event));
        if self.commands.try_send(request).is_err() {
            tracing::warn!(leg = %self.id, "a digit is lost: the queue of the media shard is full");
        }
    }

    /// The peer asks by signalling for a key frame of what it is sent.
    pub fn refresh(&self) {
        let request = Command::Leg(self.id, Request::Refresh);
        if self.commands.try_send(request).is_err() {
            tracing::warn!(leg = %self.id, "no key frame asked for: the queue of the media shard is full");
        }
    }

    /// Hands what the peer says and hears to a recorder, until the guard is dropped.
    pub fn tap(&self, sink: Sink) -> TapGuard {
        // Both places are taken now: the end of a tap cannot fail for want of one.
        let start = self.commands.clone().try_reserve_owned();
        let stop = self.commands.clone().try_reserve_owned();
        let (Ok(start), Ok(permit)) = (start, stop) else {
            tracing::warn!(leg = %self.id, "not recorded: the queue of the media shard is full");
            return TapGuard(None);
        };
        let (leg, number) = (self.id, PLAYS.fetch_add(1, Ordering::Relaxed));
        start.send(Command::Leg(leg, Request::Tap { number, sink }));
        TapGuard(Some(TapEnd {
            leg,
            number,
            permit,
        }))
    }

    /// Finds digits in the peer's sound from now on, or no more.
    pub fn listen(&self, is_on: bool) {
        let request = Command::Leg(self.id, Request::Listen(is_on));
        if self.commands.try_send(request).is_err() {
            tracing::warn!(leg = %self.id, "not listened to: the queue of the media shard is full");
        }
    }

    /// What the leg carried so far. Empty if it is down.
    pub async fn stats(&self) -> LegStats {
        let (reply, stats) = oneshot::channel();
        self.request(Request::Stats { reply }).await;
        stats.await.unwrap_or_default()
    }

    async fn request(&self, request: Request) {
        // The queue is closed when the plane has shut down; the request is dropped like one to a
        // leg that is down.
        let _ = self.commands.send(Command::Leg(self.id, request)).await;
    }
}

impl Drop for Leg {
    fn drop(&mut self) {
        if let Some(permit) = self.closing.take() {
            permit.send(Command::Close(self.id));
        }
    }
}

impl fmt::Debug for Leg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leg")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Two legs hear each other as long as this lives.
#[must_use = "the legs are parted when this is dropped"]
pub struct Joint {
    number: u64,
    /// Of both legs; none where they could not be connected.
    ends: Vec<JointEnd>,
}

/// What parts one leg from the other.
struct JointEnd {
    leg: LegId,
    permit: mpsc::OwnedPermit<Command>,
}

impl Drop for Joint {
    fn drop(&mut self) {
        let number = self.number;
        for JointEnd { leg, permit } in self.ends.drain(..) {
            permit.send(Command::Leg(leg, Request::Part { number }));
        }
    }
}

impl fmt::Debug for Joint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Joint")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

/// The number of the next joint: unique in the process, for legs of two planes may be joined.
static JOINTS: AtomicU64 = AtomicU64::new(0);

/// The number of the next play or tap: unique in the process, like that of a joint.
static PLAYS: AtomicU64 = AtomicU64::new(0);

/// A play that lasts no longer than this.
#[must_use = "what is played ends when this is dropped"]
pub struct PlayGuard(Option<PlayEnd>);

/// What ends a play.
struct PlayEnd {
    leg: LegId,
    number: u64,
    permit: mpsc::OwnedPermit<Command>,
}

impl Drop for PlayGuard {
    fn drop(&mut self) {
        if let Some(end) = self.0.take() {
            let PlayEnd {
                leg,
                number,
                permit,
            } = end;
            permit.send(Command::Leg(leg, Request::EndPlay { number }));
        }
    }
}

impl fmt::Debug for PlayGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlayGuard")
    }
}

/// A tap that lasts as long as this.
#[must_use = "the tap ends when this is dropped"]
pub struct TapGuard(Option<TapEnd>);

/// What ends a tap.
struct TapEnd {
    leg: LegId,
    number: u64,
    permit: mpsc::OwnedPermit<Command>,
}

impl Drop for TapGuard {
    fn drop(&mut self) {
        if let Some(TapEnd {
            leg,
            number,
            permit,
        }) = self.0.take()
        {
            permit.send(Command::Leg(leg, Request::EndTap { number }));
        }
    }
}

impl fmt::Debug for TapGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TapGuard")
    }
}

/// An echo that lasts as long as this.
#[must_use = "the echo ends when this is dropped"]
pub struct EchoGuard(Option<EchoEnd>);

/// What ends an echo.
struct EchoEnd {
    leg: LegId,
    serial: u32,
    permit: mpsc::OwnedPermit<Command>,
}

impl Drop for EchoGuard {
    fn drop(&mut self) {
        if let Some(end) = self.0.take() {
            let EchoEnd {
                leg,
                serial,
                permit,
            } = end;
            permit.send(Command::Leg(leg, Request::EndEcho { serial }));
        }
    }
}

impl fmt::Debug for EchoGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EchoGuard")
    }
}
